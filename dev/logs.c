#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/str.h"
#include "dev/env.h"

enum { CHUNK = 64 * 1024, LINE_LIMIT = 1024 * 1024, EVENTS = 16 * 1024 };

struct reader {
    char *name, *path;
    int fd;
    ino_t inode;
    int64_t pos;
    struct buf line; /* one that has not ended yet */
};

struct follower {
    struct dev_env *env;
    const struct dev_logs_options *options;
    struct reader *readers;
    size_t len;
    int notify;
    bool over;
    struct err *err;
};

static bool give(const struct dev_logs_options *o, struct reader *r)
{
    bool more = o->line(o->arg, r->name, buf_str(&r->line), r->line.len);

    buf_truncate(&r->line, 0);
    return more;
}

/* Cuts what was read into lines; false: the taker has enough. */
static bool feed(const struct dev_logs_options *o, struct reader *r, const char *data, size_t len)
{
    while (len) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) : len;
        /* A line without end is given in pieces. */
        if (buf_add(&r->line, data, n) < 0) {
            if (!give(o, r) || buf_add(&r->line, data, n) < 0)
                return false;
        }
        if (end && !give(o, r))
            return false;
        data += n + (end != NULL);
        len -= n + (end != NULL);
    }
    return true;
}

/* Everything from r->pos on. */
static bool drain(const struct dev_logs_options *o, struct reader *r)
{
    _cleanup_free_ char *chunk = xmalloc(CHUNK);
    struct stat st;

    if (r->fd < 0)
        return true;
    if (fstat(r->fd, &st) == 0 && st.st_size < r->pos)
        r->pos = 0;
    for (;;) {
        ssize_t n = pread(r->fd, chunk, CHUNK, r->pos);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return true;
        r->pos += n;
        if (!feed(o, r, chunk, (size_t)n))
            return false;
    }
}

static void open_log(struct reader *r)
{
    struct stat st;

    r->fd = open(r->path, O_RDONLY | O_CLOEXEC);
    r->pos = 0;
    r->inode = r->fd >= 0 && fstat(r->fd, &st) == 0 ? st.st_ino : 0;
}

/* A large log is put aside and begun anew when its child is started again. */
static bool catch_up(const struct dev_logs_options *o, struct reader *r)
{
    struct stat st;

    if (!drain(o, r))
        return false;
    if (stat(r->path, &st) < 0 || (r->fd >= 0 && st.st_ino == r->inode))
        return true;
    if (r->fd >= 0)
        close(r->fd);
    open_log(r);
    return drain(o, r);
}

/* Where the last `lines` lines begin. */
static int64_t tail_start(int fd, int64_t lines)
{
    _cleanup_free_ char *chunk = xmalloc(CHUNK);
    struct stat st;

    if (lines < 0 || fd < 0 || fstat(fd, &st) < 0)
        return 0;
    int64_t end = st.st_size, seen = 0;
    while (end > 0) {
        int64_t from = end > CHUNK ? end - CHUNK : 0;
        ssize_t n = pread(fd, chunk, (size_t)(end - from), from);
        if (n <= 0)
            return 0;
        for (int64_t i = n; i-- > 0;)
            /* The newline that ends the last line ends no line before it. */
            if (chunk[i] == '\n' && from + i + 1 < st.st_size && ++seen == lines)
                return from + i + 1;
            else if (lines == 0)
                return st.st_size;
        end = from;
    }
    return 0;
}

static void on_notify(void *arg, int events _unused_, bool error)
{
    struct follower *f = arg;
    char skip[EVENTS];

    /* What has changed is looked up, not read from the events: they may be lost when too many come. */
    while (read(f->notify, skip, sizeof(skip)) > 0)
        ;
    for (size_t i = 0; i < f->len && !f->over; i++)
        f->over = !catch_up(f->options, &f->readers[i]);
    if (error && !f->over) {
        f->over = true;
        err_set(&f->err, ERR_IO, "the system stopped telling about changes of the logs");
    }
    if (f->over)
        loop_stop(f->env->loop);
    else if (f->options->idle)
        f->options->idle(f->options->arg);
}

static void on_interrupt(void *arg, int signum _unused_)
{
    struct follower *f = arg;

    f->over = true;
    loop_stop(f->env->loop);
}

static int follow(struct follower *f, struct err **err)
{
    _cleanup_free_ char *folder = dev_path(f->env, "logs");
    struct loop *l = f->env->loop;

    if (inotify_add_watch(f->notify, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
        return err_set_os(err, errno, "watch folder %s", folder);
    struct loop_io *io = loop_io_new(l, f->notify, on_notify, f);
    struct loop_signal *interrupt = loop_signal_new(l, SIGINT, on_interrupt, f);
    loop_io_set(io, LOOP_READ);
    /* What came before the watch was set. */
    for (size_t i = 0; i < f->len && !f->over; i++)
        f->over = !catch_up(f->options, &f->readers[i]);
    if (!f->over) {
        if (f->options->idle)
            f->options->idle(f->options->arg);
        loop_run(l);
    }
    loop_signal_free(interrupt);
    loop_io_free(io);
    return f->err ? err_move(err, f->err) : 0;
}

static void add_reader(struct follower *f, const char *name)
{
    f->readers = xreallocarray(f->readers, f->len + 1, sizeof(*f->readers));
    struct reader *r = &f->readers[f->len++];
    *r = (struct reader){.name = xstrdup(name), .path = dev_log_path(f->env, name)};
    buf_init(&r->line, LINE_LIMIT);
    open_log(r);
    r->pos = tail_start(r->fd, f->options->tail);
}

static void release(struct follower *f)
{
    for (size_t i = 0; i < f->len; i++) {
        free(f->readers[i].name);
        free(f->readers[i].path);
        buf_release(&f->readers[i].line);
        if (f->readers[i].fd >= 0)
            close(f->readers[i].fd);
    }
    free(f->readers);
}

int dev_logs(struct dev_env *e, const struct dev_logs_options *o, struct err **err)
{
    struct follower f = {.env = e, .options = o};
    int r = 0;

    for (size_t i = 0; i < e->children.len; i++)
        if (!o->names || strv_has(o->names, e->children.items[i]->name))
            add_reader(&f, e->children.items[i]->name);
    for (size_t i = 0; i < f.len && !f.over; i++) {
        f.over = !drain(o, &f.readers[i]);
        if (!o->follow && !f.over && f.readers[i].line.len)
            f.over = !give(o, &f.readers[i]);
    }
    if (o->idle && !f.over)
        o->idle(o->arg);
    if (o->follow && !f.over) {
        _cleanup_close_ int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        f.notify = notify;
        r = notify < 0 ? err_set_os(err, errno, "watch the logs") : follow(&f, err);
    }
    release(&f);
    return r;
}
