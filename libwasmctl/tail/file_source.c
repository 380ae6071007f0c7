#include "tail/file_source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/loop_watch.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "tail/split.h"

enum {
    PIECE = 64 * 1024,
    TURN_MOST = 1024 * 1024, /* bytes read of one file before others have their turn */
    LOOK_MS = 1000,          /* where the system tells of no change */
    WATCHES = 2,             /* of the folder, and of the one that a link leads to */
};

struct tail_file {
    struct tail_file_options options;
    char *path;
    struct tail_source *source;
    struct tail_split split;
    struct buf part;       /* CRI: a line whose end has not come yet */
    int fd;                /* -1: not there */
    bool regular, present; /* present: its past is behind */
    off_t at;
    int64_t tail_lines; /* still to be applied; < 0 = not */
    struct loop_watch *watches[WATCHES];
    struct loop_io *io;
    struct loop_defer *look;
    struct loop_timer *timer;
    bool full, ended, stamped, missing_told;
    char *piece;
};

static void look_soon(struct tail_file *f);
static bool set_watches(struct tail_file *f);

static void note(struct tail_file *f, bool chatter, const char *fmt, ...) _printf_(3, 4);
static void note(struct tail_file *f, bool chatter, const char *fmt, ...)
{
    va_list ap;

    if (!f->options.note)
        return;
    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    f->options.note(f->options.arg, chatter, text);
}

/* Lines */

/* "stdout F text" behind the time. */
static bool read_cri(const char *text, size_t len, bool *ret_stderr, bool *ret_partial)
{
    size_t at = strlen("stdout ");

    if (len < at + 2 || (memcmp(text, "stdout ", at) != 0 && memcmp(text, "stderr ", at) != 0) ||
        (text[at] != 'F' && text[at] != 'P') || text[at + 1] != ' ')
        return false;
    *ret_stderr = text[3] == 'e';
    *ret_partial = text[at] == 'P';
    return true;
}

static void put(struct tail_file *f, const struct tail_line *line)
{
    if (line->ns && line->ns < f->options.since_ns)
        return;
    f->full = !tail_source_line(f->source, line) || f->full;
}

static bool on_line(void *arg, const struct tail_line *given)
{
    struct tail_file *f = arg;
    struct tail_line line = *given;
    bool is_stderr, partial;
    size_t skip = tail_stamp_read(&f->split, line.text, line.len, &line.ns);

    f->stamped |= skip != 0;
    if (!skip)
        line.ns = f->stamped ? 0 : time_now_ns();
    if (!skip || !read_cri(line.text + skip, line.len - skip, &is_stderr, &partial)) {
        put(f, &line);
        return true;
    }
    size_t head = skip + strlen("stdout F ");
    const char *text = line.text + head;
    size_t len = line.len - head, room = TAIL_LINE_MOST - f->part.len;
    line.flags |= is_stderr ? TAIL_STDERR : 0;
    if (partial || f->part.len) {
        line.flags |= len > room ? TAIL_CUT : 0;
        buf_add(&f->part, text, len > room ? room : len);
        text = f->part.data;
        len = f->part.len;
    }
    if (partial)
        return true;
    line.text = text;
    line.len = len;
    put(f, &line);
    buf_truncate(&f->part, 0);
    return true;
}

static void tell(struct tail_file *f, const char *text)
{
    struct tail_line line = {
        .ns = f->stamped ? 0 : time_now_ns(), .text = text, .len = strlen(text), .flags = TAIL_NOTICE};

    tail_source_line(f->source, &line);
}

/* Reading */

static void close_file(struct tail_file *f)
{
    loop_io_free(TAKE_PTR(f->io));
    if (f->fd > STDIN_FILENO)
        close(f->fd);
    f->fd = -1;
    f->at = 0;
}

static void end(struct tail_file *f, const struct err *err)
{
    if (f->ended)
        return;
    f->ended = true;
    tail_split_end(&f->split, on_line, f);
    close_file(f);
    tail_source_end(f->source);
    f->options.done(f->options.arg, err);
}

/* Where the last lines begin. */
static off_t last_lines(struct tail_file *f, off_t size)
{
    int64_t left = f->tail_lines;
    off_t at = size;

    f->tail_lines = -1;
    if (left == 0)
        return size;
    while (at > 0) {
        off_t from = at > PIECE ? at - PIECE : 0;
        ssize_t n = pread(f->fd, f->piece, (size_t)(at - from), from);
        if (n <= 0)
            return at;
        for (ssize_t i = n; i-- > 0;)
            /* The end of the last line is no beginning of another. */
            if (f->piece[i] == '\n' && from + i + 1 < size && left-- == 1)
                return from + i + 1;
        at = from;
    }
    return 0;
}

static bool open_file(struct tail_file *f, struct err **err)
{
    struct stat st;
    int fd = streq(f->path, "-") ? STDIN_FILENO : open(f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0) {
        int os = errno;
        err_set_os(err, os, "open %s", f->path);
        return false;
    }
    if (S_ISDIR(st.st_mode)) {
        close(fd);
        err_set(err, ERR_INVALID, "%s is a folder", f->path);
        return false;
    }
    f->fd = fd;
    f->regular = S_ISREG(st.st_mode);
    if (f->regular && f->tail_lines >= 0)
        f->at = last_lines(f, st.st_size);
    f->tail_lines = -1;
    if (f->regular && lseek(fd, f->at, SEEK_SET) < 0)
        f->at = 0;
    if (f->options.follow && f->regular && fd != STDIN_FILENO && !set_watches(f))
        loop_timer_start(f->timer, LOOK_MS);
    tail_source_opened(f->source);
    return true;
}

/* All there is now, or what a turn has room for. True: the end was reached. */
static bool read_some(struct tail_file *f)
{
    for (size_t done = 0; !f->full && done < TURN_MOST;) {
        ssize_t n = read(f->fd, f->piece, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return false;
        if (n < 0) {
            _cleanup_err_ struct err *e = NULL;
            err_set_os(&e, errno, "read %s", f->path);
            end(f, e);
            return false;
        }
        if (n == 0)
            return true;
        done += (size_t)n;
        f->at += n;
        tail_split_feed(&f->split, f->piece, (size_t)n, on_line, f);
        if (!f->regular)
            return false; /* the next one might block */
    }
    if (!f->full && f->regular)
        look_soon(f);
    return false;
}

/* The file has been read to its end: whether it was cut, or another has taken its name and has something. */
static void look_around(struct tail_file *f)
{
    struct stat now, named;

    if (fstat(f->fd, &now) < 0)
        return;
    if (now.st_size < f->at) {
        _cleanup_free_ char *text = xasprintf("%s was truncated: it is read from its beginning", f->path);
        tail_split_end(&f->split, on_line, f);
        tell(f, text);
        f->at = lseek(f->fd, 0, SEEK_SET);
        look_soon(f);
        return;
    }
    /* Nothing tells of a folder that is made anew. */
    if (stat(f->path, &named) < 0) {
        loop_timer_start(f->timer, LOOK_MS);
        return;
    }
    if ((named.st_ino == now.st_ino && named.st_dev == now.st_dev) || !named.st_size)
        return;
    tail_split_end(&f->split, on_line, f);
    close_file(f);
    look_soon(f);
}

static void on_readable(void *arg, int events _unused_, bool error _unused_)
{
    struct tail_file *f = arg;

    if (read_some(f))
        end(f, NULL);
    else if (f->full && f->io)
        loop_io_set(f->io, 0);
}

/* Epoll knows no regular files and not every device. */
static bool is_pollable(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(fd));
}

static void look(struct tail_file *f)
{
    _cleanup_err_ struct err *e = NULL;

    if (f->fd < 0 && !open_file(f, &e)) {
        if (!f->options.follow || e->code == ERR_INVALID) {
            end(f, e);
        } else if (!f->missing_told) {
            note(f, false, "%s; waiting for it", err_text(e));
            f->missing_told = true;
        }
        f->tail_lines = -1; /* what comes later is read whole */
        return;
    }
    f->missing_told = false;
    if (!f->regular && is_pollable(f->fd)) {
        if (!f->io)
            f->io = loop_io_new(f->options.loop, f->fd, on_readable, f);
        loop_io_set(f->io, f->full ? 0 : LOOP_READ);
        return;
    }
    if (!read_some(f))
        return;
    if (!f->options.follow || !f->regular || f->fd == STDIN_FILENO)
        end(f, NULL);
    else
        look_around(f);
}

static void on_change(void *arg)
{
    look_soon(arg);
}

/* The folder of the name, and of what it is a link to. Watches go when their folder goes. */
static bool set_watches(struct tail_file *f)
{
    char real[PATH_MAX];
    const char *paths[WATCHES] = {f->path, realpath(f->path, real)};
    bool all = true;

    for (size_t i = 0; i < WATCHES; i++) {
        const char *slash = paths[i] ? strrchr(paths[i], '/') : NULL;
        _cleanup_free_ char *folder = !slash              ? xstrdup(".")
                                      : slash == paths[i] ? xstrdup("/")
                                                          : xstrndup(paths[i], (size_t)(slash - paths[i]));
        loop_watch_free(TAKE_PTR(f->watches[i]));
        if (paths[i] && loop_watch_new(f->options.loop, folder, on_change, f, &f->watches[i], NULL) < 0)
            all = false;
    }
    return all;
}

static void on_look(void *arg)
{
    struct tail_file *f = arg;

    f->look = NULL;
    look(f);
}

static void on_timer(void *arg)
{
    struct tail_file *f = arg;

    if (f->ended)
        return;
    if (!set_watches(f))
        loop_timer_start(f->timer, LOOK_MS);
    look_soon(f);
}

static void look_soon(struct tail_file *f)
{
    if (!f->look && !f->ended)
        f->look = loop_defer(f->options.loop, on_look, f);
}

static void on_room(void *arg)
{
    struct tail_file *f = arg;

    f->full = false;
    look_soon(f);
}

int tail_file_new(const struct tail_file_options *options, struct tail_file **ret, struct err **err)
{
    const char *name = strrchr(options->path, '/');
    bool standard = streq(options->path, "-");
    struct tail_info info = {.pod = xstrdup(standard ? "stdin" : name && name[1] ? name + 1 : options->path)};

    if (!options->follow && !standard && access(options->path, R_OK) < 0) {
        tail_info_release(&info);
        return err_set_os(err, errno, "open %s", options->path);
    }
    struct tail_file *f = xcalloc(1, sizeof(*f));
    f->options = *options;
    f->path = xstrdup(options->path);
    f->fd = -1;
    f->tail_lines = options->tail_lines;
    f->piece = xmalloc(PIECE);
    f->source = tail_source_new(options->engine, &info, 0, options->tail_lines != 0, on_room, f);
    f->timer = loop_timer_new(options->loop, on_timer, f);
    if (options->follow && !standard && !set_watches(f))
        loop_timer_start(f->timer, LOOK_MS);
    look_soon(f);
    *ret = f;
    return 0;
}

void tail_file_free(struct tail_file *f)
{
    if (!f)
        return;
    loop_defer_cancel(f->look);
    loop_timer_free(f->timer);
    for (size_t i = 0; i < WATCHES; i++)
        loop_watch_free(f->watches[i]);
    close_file(f);
    if (!f->ended)
        tail_source_end(f->source);
    tail_split_release(&f->split);
    buf_release(&f->part);
    free(f->path);
    free(f->piece);
    free(f);
}
