#include "dev/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "data/json.h"
#include "dev/node/keep.h"

extern char **environ;

enum { PROC_FILE_MAX = 64 * 1024, CAPTURE_MAX = 64 * 1024, EXEC_FAILED = 127, CLOSE_CLOEXEC = 4 };

/* Identity */

bool dev_stat_parse(const char *text, struct dev_stat *ret)
{
    struct dev_stat s = {0};
    long pid, ppid, pgrp, session;
    unsigned long long start;
    const char *name_end = strrchr(text, ')');

    /* pid (name) state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime cutime
     * cstime priority nice threads itrealvalue starttime */
    if (!name_end || sscanf(text, "%ld (", &pid) != 1)
        return false;
    if (sscanf(name_end + 1,
               " %c %ld %ld %ld %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu", &s.state,
               &ppid, &pgrp, &session, &start) != 5)
        return false;
    s.pid = (pid_t)pid;
    s.session = (pid_t)session;
    s.start = start;
    *ret = s;
    return true;
}

bool dev_stat_read(pid_t pid, struct dev_stat *ret)
{
    _cleanup_free_ char *path = xasprintf("/proc/%ld/stat", (long)pid);
    _cleanup_free_ char *text = NULL;

    return file_read(path, PROC_FILE_MAX, &text, NULL, NULL) == 0 && dev_stat_parse(text, ret) &&
           ret->pid == pid;
}

void dev_boot_id(char out[DEV_BOOT_ID_LEN])
{
    _cleanup_free_ char *text = NULL;

    out[0] = '\0';
    if (file_read("/proc/sys/kernel/random/boot_id", PROC_FILE_MAX, &text, NULL, NULL) < 0)
        return;
    size_t len = strcspn(text, "\n");
    if (len < DEV_BOOT_ID_LEN) {
        memcpy(out, text, len);
        out[len] = '\0';
    }
}

enum dev_proc_state dev_proc_state(const struct dev_proc *p)
{
    char boot[DEV_BOOT_ID_LEN];
    struct dev_stat s;

    dev_boot_id(boot);
    if (!streq(boot, p->boot))
        return DEV_PROC_STALE;
    if (!dev_stat_read(p->pid, &s) || s.start != p->start || strchr("ZXx", s.state))
        return DEV_PROC_GONE;
    return s.state == 'T' || s.state == 't' ? DEV_PROC_FROZEN : DEV_PROC_ALIVE;
}

static bool is_there(const struct dev_proc *p)
{
    enum dev_proc_state s = dev_proc_state(p);

    return s == DEV_PROC_ALIVE || s == DEV_PROC_FROZEN;
}

int64_t dev_proc_uptime_s(const struct dev_proc *p)
{
    struct timespec now;
    long ticks = sysconf(_SC_CLK_TCK);

    if (!is_there(p) || ticks <= 0 || clock_gettime(CLOCK_BOOTTIME, &now) < 0)
        return 0;
    int64_t up = now.tv_sec - (int64_t)(p->start / (uint64_t)ticks);
    return up > 0 ? up : 0;
}

int64_t dev_proc_rss(const struct dev_proc *p)
{
    _cleanup_free_ char *path = xasprintf("/proc/%ld/statm", (long)p->pid);
    _cleanup_free_ char *text = NULL;
    long long pages;

    if (!is_there(p) || file_read(path, PROC_FILE_MAX, &text, NULL, NULL) < 0 ||
        sscanf(text, "%*s %lld", &pages) != 1)
        return 0;
    return pages * sysconf(_SC_PAGESIZE);
}

/* Pid files */

int dev_proc_load(const char *path, struct dev_proc *ret, struct err **err)
{
    _cleanup_json_ cJSON *o = NULL;
    _cleanup_free_ char *text = NULL;
    struct dev_proc p = {0};
    size_t len;
    int r = file_read(path, PROC_FILE_MAX, &text, &len, err);

    if (r < 0)
        return r;
    r = json_parse(text, len, path, &o, err);
    if (r < 0)
        return r == ERR_INVALID ? r : ERR_INVALID;
    int64_t pid = json_int(o, "pid", 0);
    const char *start = json_str_or(o, "start", ""), *hash = json_str_or(o, "command", "0"),
               *boot = json_str_or(o, "boot", "");
    char *start_end, *hash_end;
    p.start = strtoull(start, &start_end, 10);
    p.command_hash = strtoull(hash, &hash_end, 16);
    if (pid < 2 || pid > INT32_MAX || !*start || *start_end || *hash_end || strlen(boot) >= sizeof(p.boot))
        return err_set(err, ERR_INVALID, "%s is no pid file of wasmctl", path);
    p.pid = (pid_t)pid;
    memcpy(p.boot, boot, strlen(boot) + 1);
    *ret = p;
    return 0;
}

int dev_proc_save(const char *path, const struct dev_proc *p, struct err **err)
{
    _cleanup_json_ cJSON *o = cJSON_CreateObject();
    _cleanup_free_ char *start = xasprintf("%llu", (unsigned long long)p->start);
    _cleanup_free_ char *hash = xasprintf("%016llx", (unsigned long long)p->command_hash);

    json_set_int(o, "pid", p->pid);
    json_set_str(o, "start", start);
    json_set_str(o, "boot", p->boot);
    json_set_str(o, "command", hash);
    _cleanup_free_ char *text = json_print(o);
    return file_write(path, text, strlen(text), 0600, err);
}

/* Starting */

void dev_command_release(struct dev_command *c)
{
    strv_free(c->argv);
    strv_free(c->env);
    strv_free(c->keeper);
    free(c->folder);
    free(c->log);
    free(c->config_path);
    free(c->config_text);
    *c = (struct dev_command){0};
}

static uint64_t hash_strv(char *const *v, uint64_t hash)
{
    for (; v && *v; v++)
        hash = str_hash64(*v, strlen(*v) + 1, hash);
    return str_hash64("", 1, hash);
}

uint64_t dev_command_hash(const struct dev_command *c)
{
    uint64_t hash = hash_strv(c->env, hash_strv(c->argv, STR_HASH64_INIT));

    /* How it is kept may change without a restart, whether it is kept at all may not. */
    if (c->keeper)
        hash = str_hash64("kept", 4, hash);
    return c->config_text ? str_hash64(c->config_text, strlen(c->config_text), hash) : hash;
}

/* Our environment with the changes; the strings are borrowed. */
static char **merged_env(char *const *changes)
{
    size_t n = strv_len(environ), k = strv_len(changes), len = 0;
    char **env = xcalloc(n + k + 1, sizeof(*env));

    for (size_t i = 0; i < n; i++) {
        size_t key = strcspn(environ[i], "=") + 1;
        bool replaced = false;
        for (size_t j = 0; j < k && !replaced; j++)
            replaced = strncmp(environ[i], changes[j], key) == 0;
        if (!replaced)
            env[len++] = environ[i];
    }
    for (size_t j = 0; j < k; j++)
        env[len++] = changes[j];
    return env;
}

static void keep_no_descriptors(void)
{
    if (syscall(SYS_close_range, 3, ~0U, CLOSE_CLOEXEC) == 0)
        return;
    for (int fd = 3; fd < 4096; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* In the child, between fork and exec: only calls that are safe there. */
static _Noreturn void become(const struct dev_command *c, char **env, int log_fd, int sync_fd)
{
    char go;
    int os = 0, null_fd = -1;
    ssize_t n;
    sigset_t none;

    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    /* The parent writes the pid file before it lets go; when it died, nobody would know this process. */
    do
        n = read(sync_fd, &go, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        _exit(EXEC_FAILED);
    keep_no_descriptors();
    if ((null_fd = open("/dev/null", O_RDONLY)) < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
        dup2(log_fd, STDOUT_FILENO) < 0 || dup2(log_fd, STDERR_FILENO) < 0 || chdir(c->folder) < 0)
        os = errno;
    if (null_fd > STDERR_FILENO)
        close(null_fd);
    if (os == 0) {
        execve(c->argv[0], c->argv, env);
        os = errno;
    }
    if (write(sync_fd, &os, sizeof(os)) < 0)
        _exit(EXEC_FAILED);
    _exit(EXEC_FAILED);
}

/* The same for the keeper, which makes the rest its own affair. */
static _Noreturn void become_keeper(const struct dev_command *c, char **argv, char **env, int sync_fd)
{
    struct dev_keep_word word = {.what = DEV_KEEP_FAILED};
    sigset_t none;
    int null_fd;

    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    keep_no_descriptors();
    /* Out of the way of the descriptor it is given. */
    int sync = fcntl(sync_fd, F_DUPFD_CLOEXEC, DEV_KEEP_SYNC_FD + 1);
    if (sync >= 0 && (null_fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 &&
        dup2(null_fd, STDIN_FILENO) >= 0 && dup2(null_fd, STDOUT_FILENO) >= 0 &&
        dup2(null_fd, STDERR_FILENO) >= 0 && dup2(sync, DEV_KEEP_SYNC_FD) >= 0 && chdir(c->folder) == 0)
        execve(argv[0], argv, env);
    word.value = errno;
    if (write(sync_fd, &word, sizeof(word)) < 0)
        _exit(EXEC_FAILED);
    _exit(EXEC_FAILED);
}

/* Waits for exec: 0, or the errno with which the child failed. */
static int let_go(int sync_fd, bool kept)
{
    struct dev_keep_word word = {0};
    int os = 0;
    ssize_t n;

    if (send(sync_fd, "g", 1, MSG_NOSIGNAL) != 1)
        return errno;
    do
        n = kept ? read(sync_fd, &word, sizeof(word)) : read(sync_fd, &os, sizeof(os));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno;
    return n == sizeof(word) && kept ? word.value : n == sizeof(os) && !kept ? os : 0;
}

/* The process the keeper has made. */
static int ask_pid(int sync_fd, const struct dev_command *c, pid_t *ret, struct err **err)
{
    struct dev_keep_word word = {0};
    ssize_t n;

    do
        n = read(sync_fd, &word, sizeof(word));
    while (n < 0 && errno == EINTR);
    if (n != sizeof(word))
        return err_set(err, ERR_FAILED, "start %s: what was to keep its output (%s) ended at once",
                       c->argv[0], c->keeper[0]);
    if (word.what != DEV_KEEP_PID)
        return err_set_os(err, word.value, "start %s in %s", c->keeper[0], c->folder);
    *ret = word.value;
    return 0;
}

static void reap(pid_t pid, int *status)
{
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
}

int dev_proc_spawn(const struct dev_command *c, const char *pid_file, struct dev_proc *ret, struct err **err)
{
    _cleanup_free_ char **env = merged_env(c->env);
    struct dev_proc p = {.command_hash = dev_command_hash(c)};
    struct dev_stat stat;
    int pair[2];

    if (c->config_path) {
        int r = file_write(c->config_path, c->config_text, strlen(c->config_text), 0600, err);
        if (r < 0)
            return r;
    }
    _cleanup_close_ int log_fd =
        c->keeper ? -1 : open(c->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log_fd < 0 && !c->keeper)
        return err_set_os(err, errno, "open log file %s", c->log);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set_os(err, errno, "make a socket pair");
    _cleanup_close_ int ours = pair[0], theirs = pair[1];
    _cleanup_strv_ char **kept = strv_copy(c->keeper);
    for (char **a = c->argv; c->keeper && *a; a++)
        strv_push(&kept, *a);
    p.pid = fork();
    if (p.pid < 0)
        return err_set_os(err, errno, "start %s", c->argv[0]);
    if (p.pid == 0) {
        close(pair[0]);
        if (c->keeper)
            become_keeper(c, kept, env, pair[1]);
        become(c, env, log_fd, pair[1]);
    }
    close(theirs);
    theirs = -1;
    dev_boot_id(p.boot);
    int r = 0;
    if (c->keeper) {
        p.keeper = p.pid;
        r = ask_pid(ours, c, &p.pid, err);
    }
    if (r == 0 && !dev_stat_read(p.pid, &stat))
        r = err_set(err, ERR_FAILED, "start %s: it ended at once", c->argv[0]);
    else if (r == 0)
        p.start = stat.start;
    if (r == 0)
        r = dev_proc_save(pid_file, &p, err);
    if (r == 0) {
        int os = let_go(ours, c->keeper != NULL);
        if (os) {
            unlink(pid_file);
            r = err_set_os(err, os, "start %s in %s", c->argv[0], c->folder);
        }
    }
    if (r < 0) {
        kill(p.pid, SIGKILL);
        /* A keeper ends with what it keeps; it also ends when nobody takes what it has started. */
        close(ours);
        ours = -1;
        reap(p.keeper ? p.keeper : p.pid, NULL);
        return r;
    }
    *ret = p;
    return 0;
}

/* Signals */

int dev_proc_open(const struct dev_proc *p, int *ret_fd, struct err **err)
{
    int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);

    if (fd < 0 && errno != ESRCH)
        return err_set_os(err, errno, "open process %ld", (long)p->pid);
    /* Looked at after opening: from now on the number cannot change its owner under the descriptor. */
    if (fd < 0 || !is_there(p)) {
        if (fd >= 0)
            close(fd);
        return err_set(err, ERR_NOT_FOUND, "process %ld is gone", (long)p->pid);
    }
    *ret_fd = fd;
    return 0;
}

int dev_proc_signal(const struct dev_proc *p, int signum, struct err **err)
{
    _cleanup_close_ int fd = -1;
    int r = dev_proc_open(p, &fd, err);

    if (r < 0)
        return r;
    if (syscall(SYS_pidfd_send_signal, fd, signum, NULL, 0) < 0)
        return err_set_os(err, errno, "send signal %d to process %ld", signum, (long)p->pid);
    return 0;
}

char *dev_wait_text(int status)
{
    if (WIFSIGNALED(status))
        return xasprintf("was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    return xasprintf("ended with status %d", WIFEXITED(status) ? WEXITSTATUS(status) : status);
}

/* Short runs */

static int read_all(int fd, int64_t deadline, struct buf *out, const char *program, struct err **err)
{
    char chunk[4096];

    for (;;) {
        int64_t left = deadline - time_mono_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = poll(&p, 1, left > 0 ? (int)left : 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_os(err, errno, "wait for %s", program);
        if (n == 0)
            return err_set(err, ERR_TIMEOUT, "%s did not end in time", program);
        ssize_t got = read(fd, chunk, sizeof(chunk));
        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return err_set_os(err, errno, "read the output of %s", program);
        if (got > 0 && buf_add(out, chunk, (size_t)got) < 0)
            return err_set(err, ERR_TOO_LARGE, "%s wrote more than %zu bytes", program, out->max);
    }
}

int dev_proc_capture(char *const *argv, int64_t timeout_ms, char **ret_output, struct err **err)
{
    _cleanup_buf_ struct buf out = BUF_INIT_MAX(CAPTURE_MAX);
    int pair[2], status = 0;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return err_set_os(err, errno, "make a pipe");
    _cleanup_close_ int ours = pair[0], theirs = pair[1];
    pid_t pid = fork();
    if (pid < 0)
        return err_set_os(err, errno, "start %s", argv[0]);
    if (pid == 0) {
        dup2(pair[1], STDOUT_FILENO);
        signal(SIGPIPE, SIG_DFL);
        execv(argv[0], argv);
        _exit(EXEC_FAILED);
    }
    close(theirs);
    theirs = -1;
    int r = read_all(ours, time_mono_ms() + timeout_ms, &out, argv[0], err);
    if (r < 0)
        kill(pid, SIGKILL);
    reap(pid, &status);
    if (r < 0)
        return r;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        _cleanup_free_ char *end = dev_wait_text(status);
        return err_set(err, ERR_FAILED, "%s %s", argv[0], end);
    }
    *ret_output = buf_take(&out);
    return 0;
}
