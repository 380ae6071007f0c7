#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/str.h"
#include "dev/env.h"
#include "dev/node/crilog.h"

enum { CHUNK = 64 * 1024, LINE_LIMIT = 1024 * 1024, EVENTS = 16 * 1024 };

struct reader {
    char *name, *path;
    char *folder; /* of a child whose output is kept, else NULL */
    int64_t instance;
    char **old; /* files before the one written now that are still to be read */
    int fd;
    ino_t inode;
    int64_t pos;
    struct buf line; /* one that has not ended yet */
    struct buf text; /* pieces of a long line */
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
    struct dev_cri_line l;
    bool more = true;

    if (!r->folder || !dev_cri_parse(buf_str(&r->line), r->line.len, &l)) {
        more = o->line(o->arg, r->name, buf_str(&r->line), r->line.len);
    } else if (!l.partial && !r->text.len) {
        more = o->line(o->arg, r->name, l.text, l.len);
    } else {
        /* A line without end is given in pieces. */
        bool full = buf_add(&r->text, l.text, l.len) < 0;
        if (full || !l.partial) {
            more = o->line(o->arg, r->name, buf_str(&r->text), r->text.len);
            buf_truncate(&r->text, 0);
        }
        if (full)
            buf_add(&r->text, l.text, l.len);
    }
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

/* Everything of the open file from r->pos on. */
static bool drain_file(const struct dev_logs_options *o, struct reader *r)
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

static void open_log(struct reader *r, const char *path)
{
    struct stat st;

    if (r->fd >= 0)
        close(r->fd);
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    r->pos = 0;
    r->inode = r->fd >= 0 && fstat(r->fd, &st) == 0 ? st.st_ino : 0;
}

static bool drain(const struct dev_logs_options *o, struct reader *r)
{
    bool more = drain_file(o, r);

    for (char **old = r->old; more && old && *old; old++) {
        open_log(r, *old);
        more = drain_file(o, r);
    }
    strv_free(TAKE_PTR(r->old));
    return more;
}

/* Goes on to the file that is written after the one that was read. false: it is that one. */
static bool next_file(struct reader *r)
{
    struct stat st;

    if (r->folder && r->fd >= 0) {
        _cleanup_free_ char *after = dev_cri_after(r->folder, r->instance, r->inode);
        if (after) {
            open_log(r, after);
            return r->fd >= 0;
        }
    }
    if (stat(r->path, &st) < 0 || (r->fd >= 0 && st.st_ino == r->inode))
        return false;
    open_log(r, r->path);
    r->instance = r->folder ? dev_cri_newest(r->folder) : 0;
    return r->fd >= 0;
}

/* A large log is put aside and begun anew, and each start of a kept child has a log of its own. */
static bool catch_up(const struct dev_logs_options *o, struct reader *r)
{
    do {
        if (!drain(o, r))
            return false;
    } while (next_file(r));
    return true;
}

static int64_t count_lines(const char *path)
{
    _cleanup_free_ char *chunk = xmalloc(CHUNK);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    int64_t lines = 0;
    ssize_t n;

    while (fd >= 0 && (n = read(fd, chunk, CHUNK)) > 0)
        for (const char *p = chunk; (p = memchr(p, '\n', (size_t)(n - (p - chunk)))); p++)
            lines++;
    return lines;
}

/* Opens the files of a kept child that hold its last lines (< 0: all there are). */
static void open_kept(struct reader *r, int64_t lines)
{
    _cleanup_strv_ char **files = strv_new();

    r->instance = dev_cri_newest(r->folder);
    for (int64_t i = r->instance - 1; i <= r->instance; i++) {
        _cleanup_strv_ char **aside = dev_cri_rotated(r->folder, i);
        _cleanup_free_ char *path = dev_cri_path(r->folder, i);
        for (char **p = aside; *p; p++)
            strv_push(&files, *p);
        if (access(path, F_OK) == 0)
            strv_push(&files, path);
    }
    size_t first = strv_len(files);
    int64_t wanted = lines;
    while (first > 0) {
        wanted = lines;
        first--;
        lines = lines < 0 || first == 0 ? lines : lines - count_lines(files[first]);
        if (lines <= 0 && wanted >= 0)
            break;
    }
    if (!files[0])
        return;
    open_log(r, files[first]);
    r->pos = dev_cri_tail_start(r->fd, wanted);
    r->old = strv_copy(files + first + 1);
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

static int watch(struct follower *f, const char *folder, struct err **err)
{
    if (inotify_add_watch(f->notify, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
        return err_set_os(err, errno, "watch folder %s", folder);
    return 0;
}

static int follow(struct follower *f, struct err **err)
{
    _cleanup_free_ char *folder = dev_path(f->env, "logs");
    struct loop *l = f->env->loop;

    int r = watch(f, folder, err);
    for (size_t i = 0; i < f->len && r == 0; i++)
        if (f->readers[i].folder)
            r = watch(f, f->readers[i].folder, err);
    if (r < 0)
        return r;
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
    struct stat st;

    *r = (struct reader){.name = xstrdup(name), .path = dev_log_path(f->env, name), .fd = -1};
    buf_init(&r->line, LINE_LIMIT);
    buf_init(&r->text, LINE_LIMIT);
    if (lstat(r->path, &st) == 0 && S_ISLNK(st.st_mode)) {
        r->folder = dev_keep_folder(f->env, name);
        open_kept(r, f->options->tail);
        return;
    }
    open_log(r, r->path);
    r->pos = dev_cri_tail_start(r->fd, f->options->tail);
}

static void release(struct follower *f)
{
    for (size_t i = 0; i < f->len; i++) {
        free(f->readers[i].name);
        free(f->readers[i].path);
        free(f->readers[i].folder);
        strv_free(f->readers[i].old);
        buf_release(&f->readers[i].line);
        buf_release(&f->readers[i].text);
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
