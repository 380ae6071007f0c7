#include "cli/outlet.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/cmd.h"

/* ATOMIC: what a pipe or terminal that is ready takes without blocking (POSIX: PIPE_BUF). */
enum { ATOMIC = 4096, FULL = 256 * 1024 };

struct outlet {
    struct loop *loop;
    struct loop_io *io; /* NULL: never blocks for long (a file) */
    struct buf waiting;
    size_t at; /* of waiting: written */
    void (*room)(void *arg);
    void *arg;
    bool full;
};

static size_t write_some(const char *text, size_t len)
{
    for (;;) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n >= 0)
            return (size_t)n;
        if (errno == EAGAIN) {
            struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
            poll(&p, 1, -1);
        } else if (errno != EINTR) {
            cmd_stdout_failed();
        }
    }
}

static bool ready(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&p, 1, 0) > 0;
}

/* Writes as long as nothing blocks. */
static void pump(struct outlet *o)
{
    while (o->at < o->waiting.len && (!o->io || ready())) {
        size_t len = o->waiting.len - o->at;
        o->at += write_some(o->waiting.data + o->at, o->io && len > ATOMIC ? ATOMIC : len);
    }
    if (o->at == o->waiting.len) {
        buf_truncate(&o->waiting, 0);
        o->at = 0;
    } else if (o->at > FULL) {
        buf_consume(&o->waiting, o->at);
        o->at = 0;
    }
    if (o->io)
        loop_io_set(o->io, o->waiting.len ? LOOP_WRITE : 0);
}

static void on_writable(void *arg, int events _unused_, bool error _unused_)
{
    struct outlet *o = arg;

    pump(o);
    if (o->full && o->waiting.len - o->at < FULL / 2) {
        o->full = false;
        o->room(o->arg);
    }
}

struct outlet *outlet_new(struct loop *l, void (*room)(void *arg), void *arg)
{
    struct outlet *o = xcalloc(1, sizeof(*o));
    struct stat st;

    *o = (struct outlet){.loop = l, .room = room, .arg = arg};
    if (fstat(STDOUT_FILENO, &st) == 0 &&
        (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(STDOUT_FILENO)))
        o->io = loop_io_new(l, STDOUT_FILENO, on_writable, o);
    return o;
}

void outlet_free(struct outlet *o)
{
    if (!o)
        return;
    loop_io_free(o->io);
    buf_release(&o->waiting);
    free(o);
}

bool outlet_write(struct outlet *o, const char *text, size_t len)
{
    buf_add(&o->waiting, text, len);
    pump(o);
    o->full = o->waiting.len - o->at > FULL;
    return !o->full;
}

void outlet_drain(struct outlet *o)
{
    while (o->at < o->waiting.len)
        o->at += write_some(o->waiting.data + o->at, o->waiting.len - o->at);
    buf_truncate(&o->waiting, 0);
    o->at = 0;
}

bool outlet_empty(const struct outlet *o)
{
    return o->at == o->waiting.len;
}
