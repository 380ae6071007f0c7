#include "dev/node/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "dev/node/crilog.h"

enum {
    ROTATE_BYTES = 10 * 1000 * 1000,
    ROTATED_MOST = 4,
    CHUNK = 64 * 1024,
    ID_BYTES = 32,
    EXEC_FAILED = 127,
    CLOSE_CLOEXEC = 4,
};

struct keeper;

struct pipe_end {
    struct keeper *keeper;
    int fd;
    bool is_stderr;
    struct loop_io *io;
    struct buf line; /* has not ended yet */
};

struct keeper {
    struct loop *loop;
    const struct dev_keep_options *options;
    struct dev_cri_meta meta;
    struct pipe_end ends[2];
    struct loop_signal *hangup, *terminate, *interrupt;
    int child_fd; /* becomes readable when the process has ended */
    struct loop_io *child;
    int fd; /* the log */
    int64_t size, last_ns, dropped;
    struct buf out;
    char *chunk;
};

/* Writing */

static int open_log(struct keeper *k, struct err **err)
{
    _cleanup_free_ char *path = dev_cri_path(k->options->folder, k->options->instance);
    struct stat st;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_set_os(err, errno, "open log file %s", path);
    if (k->fd >= 0)
        close(k->fd);
    k->fd = fd;
    k->size = fstat(fd, &st) == 0 ? st.st_size : 0;
    return 0;
}

static void rotate(struct keeper *k)
{
    _cleanup_free_ char *path = dev_cri_path(k->options->folder, k->options->instance);
    _cleanup_free_ char *aside = xasprintf("%s.%020lld", path, (long long)time_now_ns());

    if (rename(path, aside) < 0 || open_log(k, NULL) < 0)
        return; /* it goes on in the file it has */
    _cleanup_strv_ char **files = dev_cri_rotated(k->options->folder, k->options->instance);
    size_t n = strv_len(files);
    for (size_t i = 0; i + ROTATED_MOST < n; i++)
        unlink(files[i]);
}

static void add_line(struct keeper *k, bool is_stderr, bool partial, const char *text, size_t len)
{
    int64_t now = time_now_ns();

    /* Every line has a time of its own: who reads on after a break tells lines apart by it. */
    k->last_ns = now > k->last_ns ? now : k->last_ns + 1;
    const struct dev_cri_line line = {
        .ns = k->last_ns, .is_stderr = is_stderr, .partial = partial, .text = text, .len = len};
    dev_cri_format(&k->out, &line);
}

static size_t count_lines(const char *text, size_t len)
{
    size_t n = 0;

    for (const char *p = text; (p = memchr(p, '\n', len - (size_t)(p - text))); p++)
        n++;
    return n;
}

/* Whole lines only: one that does not fit on the disk is taken back. */
static void flush(struct keeper *k)
{
    size_t done = 0;

    while (done < k->out.len) {
        ssize_t n = write(k->fd, k->out.data + done, k->out.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    if (done < k->out.len) {
        size_t whole = done;
        while (whole > 0 && k->out.data[whole - 1] != '\n')
            whole--;
        k->dropped += (int64_t)count_lines(k->out.data + whole, k->out.len - whole);
        done = whole;
        if (ftruncate(k->fd, k->size + (int64_t)done) < 0)
            k->dropped++;
    }
    k->size += (int64_t)done;
    buf_truncate(&k->out, 0);
    if (k->size >= (k->options->rotate_bytes ? k->options->rotate_bytes : ROTATE_BYTES))
        rotate(k);
}

static void tell_dropped(struct keeper *k)
{
    if (!k->dropped)
        return;
    _cleanup_free_ char *text =
        xasprintf("wasmctl: %lld lines could not be written: the disk was full", (long long)k->dropped);
    int64_t dropped = k->dropped;
    add_line(k, true, false, text, strlen(text));
    k->dropped = 0;
    flush(k);
    if (k->dropped)
        k->dropped = dropped;
}

/* Reading */

static void end_line(struct pipe_end *p, bool partial)
{
    add_line(p->keeper, p->is_stderr, partial, buf_str(&p->line), p->line.len);
    buf_truncate(&p->line, 0);
}

static void feed(struct pipe_end *p, const char *data, size_t len)
{
    while (len) {
        size_t room = DEV_CRI_TEXT_MOST - p->line.len, n = len < room ? len : room;
        const char *newline = memchr(data, '\n', n);
        if (newline)
            n = (size_t)(newline - data);
        buf_add(&p->line, data, n);
        data += n;
        len -= n;
        if (newline) {
            end_line(p, false);
            data++;
            len--;
        } else if (p->line.len == DEV_CRI_TEXT_MOST) {
            end_line(p, true);
        }
    }
}

static void finish(struct keeper *k)
{
    if (k->ends[0].fd >= 0 || k->ends[1].fd >= 0 || !k->meta.finished_ns)
        return;
    tell_dropped(k);
    k->meta.closed = true;
    dev_cri_meta_save(k->options->folder, k->options->instance, &k->meta, NULL);
    loop_stop(k->loop);
}

static void close_end(struct pipe_end *p)
{
    loop_io_free(TAKE_PTR(p->io));
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

static void on_readable(void *arg, int events _unused_, bool error _unused_)
{
    struct pipe_end *p = arg;
    struct keeper *k = p->keeper;
    ssize_t n = read(p->fd, k->chunk, CHUNK);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    tell_dropped(k);
    if (n > 0) {
        feed(p, k->chunk, (size_t)n);
        flush(k);
        return;
    }
    if (p->line.len)
        end_line(p, false);
    flush(k);
    close_end(p);
    finish(k);
}

static void on_child(void *arg, int events _unused_, bool error _unused_)
{
    struct keeper *k = arg;
    int status = 0;

    if (waitpid(k->meta.proc.pid, &status, WNOHANG) != k->meta.proc.pid)
        return;
    loop_io_set(k->child, 0);
    k->meta.finished_ns = time_now_ns();
    k->meta.signum = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    k->meta.exit_code = k->meta.signum ? 128 + k->meta.signum : WEXITSTATUS(status);
    dev_cri_meta_save(k->options->folder, k->options->instance, &k->meta, NULL);
    finish(k);
}

static void on_hangup(void *arg, int signum _unused_)
{
    struct keeper *k = arg;

    if (k->size)
        rotate(k);
}

/* It ends with what it keeps, never before. */
static void ignore(void *arg _unused_, int signum _unused_)
{
}

/* Starting */

/* In the child, between fork and exec: only calls that are safe there. */
static _Noreturn void become(char **argv, int out, int errors)
{
    struct dev_keep_word word = {.what = DEV_KEEP_FAILED};
    char go;
    int null_fd;
    ssize_t n;
    sigset_t none;

    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    do
        n = read(DEV_KEEP_SYNC_FD, &go, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        _exit(EXEC_FAILED);
    if ((null_fd = open("/dev/null", O_RDONLY)) >= 0 && dup2(null_fd, STDIN_FILENO) >= 0 &&
        dup2(out, STDOUT_FILENO) >= 0 && dup2(errors, STDERR_FILENO) >= 0) {
        syscall(SYS_close_range, 3, ~0U, CLOSE_CLOEXEC);
        execv(argv[0], argv);
    }
    word.value = errno;
    if (write(DEV_KEEP_SYNC_FD, &word, sizeof(word)) < 0)
        _exit(EXEC_FAILED);
    _exit(EXEC_FAILED);
}

static int start(struct keeper *k, struct err **err)
{
    struct dev_keep_word word = {.what = DEV_KEEP_PID};
    struct dev_stat stat;
    int out[2], errors[2];

    if (pipe2(out, O_CLOEXEC) < 0)
        return err_set_os(err, errno, "make a pipe");
    _cleanup_close_ int out_read = out[0], out_write = out[1];
    if (pipe2(errors, O_CLOEXEC) < 0)
        return err_set_os(err, errno, "make a pipe");
    _cleanup_close_ int errors_read = errors[0], errors_write = errors[1];
    /* Only our ends: the program's are what it expects. */
    if (fcntl(out_read, F_SETFL, O_NONBLOCK) < 0 || fcntl(errors_read, F_SETFL, O_NONBLOCK) < 0)
        return err_set_os(err, errno, "set up a pipe");
    pid_t pid = fork();
    if (pid < 0)
        return err_set_os(err, errno, "start %s", k->options->argv[0]);
    if (pid == 0)
        become(k->options->argv, out_write, errors_write);
    k->meta.proc.pid = pid;
    k->meta.keeper.pid = getpid();
    dev_boot_id(k->meta.proc.boot);
    dev_boot_id(k->meta.keeper.boot);
    if (dev_stat_read(pid, &stat))
        k->meta.proc.start = stat.start;
    if (dev_stat_read(getpid(), &stat))
        k->meta.keeper.start = stat.start;
    k->meta.started_ns = time_now_ns();
    int r = dev_cri_meta_save(k->options->folder, k->options->instance, &k->meta, err);
    word.value = pid;
    if (r == 0 && send(DEV_KEEP_SYNC_FD, &word, sizeof(word), MSG_NOSIGNAL) != sizeof(word))
        r = err_set(err, ERR_CANCELLED, "whoever wanted %s is gone", k->options->argv[0]);
    close(DEV_KEEP_SYNC_FD);
    if (r == 0) {
        k->child_fd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (k->child_fd < 0)
            r = err_set_os(err, errno, "open process %ld", (long)pid);
    }
    if (r < 0) {
        kill(pid, SIGKILL);
        return r;
    }
    k->ends[0] = (struct pipe_end){.keeper = k, .fd = out_read};
    k->ends[1] = (struct pipe_end){.keeper = k, .fd = errors_read, .is_stderr = true};
    out_read = errors_read = -1;
    return 0;
}

static char *new_id(void)
{
    unsigned char bytes[ID_BYTES] = {0};
    struct buf text = BUF_INIT;

    if (getrandom(bytes, sizeof(bytes), 0) < 0)
        memset(bytes, 0, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        buf_addf(&text, "%02x", bytes[i]);
    return buf_take(&text);
}

static void release(struct keeper *k)
{
    for (size_t i = 0; i < ARRAY_LEN(k->ends); i++) {
        if (!k->ends[i].keeper)
            continue;
        close_end(&k->ends[i]);
        buf_release(&k->ends[i].line);
    }
    loop_io_free(k->child);
    if (k->child_fd >= 0)
        close(k->child_fd);
    loop_signal_free(k->hangup);
    loop_signal_free(k->terminate);
    loop_signal_free(k->interrupt);
    buf_release(&k->out);
    dev_cri_meta_release(&k->meta);
    free(k->chunk);
    if (k->fd >= 0)
        close(k->fd);
}

int dev_keep(struct loop *l, const struct dev_keep_options *o, struct err **err)
{
    _cleanup_free_ char *lock_path = dev_cri_lock_path(o->folder);
    struct keeper k = {.loop = l, .options = o, .child_fd = -1, .fd = -1};
    _cleanup_close_ int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (lock < 0 || flock(lock, LOCK_SH) < 0)
        return err_set_os(err, errno, "lock %s", lock_path);
    fcntl(DEV_KEEP_SYNC_FD, F_SETFD, FD_CLOEXEC);
    k.meta.id = new_id();
    k.chunk = xmalloc(CHUNK);
    k.hangup = loop_signal_new(l, SIGHUP, on_hangup, &k);
    k.terminate = loop_signal_new(l, SIGTERM, ignore, &k);
    k.interrupt = loop_signal_new(l, SIGINT, ignore, &k);
    int r = open_log(&k, err);
    if (r == 0)
        r = start(&k, err);
    if (r == 0) {
        for (size_t i = 0; i < ARRAY_LEN(k.ends); i++) {
            buf_init(&k.ends[i].line, DEV_CRI_LINE_MOST);
            k.ends[i].io = loop_io_new(l, k.ends[i].fd, on_readable, &k.ends[i]);
            loop_io_set(k.ends[i].io, LOOP_READ);
        }
        k.child = loop_io_new(l, k.child_fd, on_child, &k);
        loop_io_set(k.child, LOOP_READ);
        loop_run(l);
    }
    release(&k);
    return r;
}
