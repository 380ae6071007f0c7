#include "dev/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

enum { ANSWER_MAX = 4096, STATUS_LINE_LEN = 12 }; /* "HTTP/1.1 200" */

struct dev_probe {
    struct loop *loop;
    dev_probe_fn fn;
    void *arg;
    int fd, port;
    struct loop_io *io;
    struct loop_timer *timer;
    struct loop_defer *defer;
    struct err *err; /* for the deferred report */
    char *request;
    size_t sent;
    struct buf answer;
};

void dev_probe_free(struct dev_probe *p)
{
    if (!p)
        return;
    loop_io_free(p->io);
    loop_timer_free(p->timer);
    if (p->defer)
        loop_defer_cancel(p->defer);
    if (p->fd >= 0)
        close(p->fd);
    err_free(p->err);
    free(p->request);
    buf_release(&p->answer);
    free(p);
}

static void report(struct dev_probe *p, struct err *e)
{
    _cleanup_err_ struct err *owned = e;

    if (p->io)
        loop_io_set(p->io, 0);
    loop_timer_stop(p->timer);
    p->fn(p->arg, owned);
}

static void fail_os(struct dev_probe *p, int os, const char *what)
{
    struct err *e = NULL;

    err_set_os(&e, os, "%s 127.0.0.1:%d", what, p->port);
    report(p, e);
}

/* The status line is enough; the rest is not waited for. */
static void judge(struct dev_probe *p)
{
    const char *line = buf_str(&p->answer);
    struct err *e = NULL;

    if (p->answer.len < STATUS_LINE_LEN || !str_starts(line, "HTTP/1.") || line[8] != ' ') {
        err_set(&e, ERR_PROTOCOL, "what listens on port %d does not speak HTTP", p->port);
    } else if (strncmp(line + 9, "200", 3) != 0) {
        _cleanup_free_ char *status = xstrndup(line + 9, strcspn(line + 9, "\r\n"));
        err_set(&e, ERR_UNAVAILABLE, "port %d answered %s", p->port, status);
    }
    report(p, e);
}

static void on_readable(struct dev_probe *p)
{
    char chunk[1024];
    ssize_t n = recv(p->fd, chunk, sizeof(chunk), 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        fail_os(p, errno, "read from");
        return;
    }
    if (n > 0 && buf_add(&p->answer, chunk, (size_t)n) == 0 && p->answer.len < STATUS_LINE_LEN)
        return;
    judge(p);
}

static void on_io(void *arg, int events, bool error)
{
    struct dev_probe *p = arg;
    size_t len = strlen(p->request);
    int os = 0;
    socklen_t os_len = sizeof(os);

    if (error || p->sent == 0) {
        getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &os, &os_len);
        if (os || error) {
            fail_os(p, os ? os : ECONNRESET, "connect to");
            return;
        }
    }
    if ((events & LOOP_WRITE) && p->sent < len) {
        ssize_t n = send(p->fd, p->request + p->sent, len - p->sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            fail_os(p, errno, "send to");
            return;
        }
        p->sent += n > 0 ? (size_t)n : 0;
        if (p->sent == len)
            loop_io_set(p->io, LOOP_READ);
        return;
    }
    if (events & LOOP_READ)
        on_readable(p);
}

static void on_timeout(void *arg)
{
    struct dev_probe *p = arg;
    struct err *e = NULL;

    err_set(&e, ERR_TIMEOUT, "no answer from port %d within %d ms", p->port, DEV_PROBE_TIMEOUT_MS);
    report(p, e);
}

static void on_defer(void *arg)
{
    struct dev_probe *p = arg;

    p->defer = NULL;
    report(p, TAKE_PTR(p->err));
}

struct dev_probe *dev_probe_new(struct loop *l, int port, const char *path, dev_probe_fn fn, void *arg)
{
    struct dev_probe *p = xcalloc(1, sizeof(*p));
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };

    p->loop = l;
    p->fn = fn;
    p->arg = arg;
    p->port = port;
    buf_init(&p->answer, ANSWER_MAX);
    /* One connection for one question: the host serves one at a time. */
    p->request = xasprintf("GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n", path, port);
    p->timer = loop_timer_new(l, on_timeout, p);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->fd < 0 ||
        (connect(p->fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != EINPROGRESS)) {
        err_set_os(&p->err, errno, "connect to 127.0.0.1:%d", port);
        p->defer = loop_defer(l, on_defer, p);
        return p;
    }
    p->io = loop_io_new(l, p->fd, on_io, p);
    loop_io_set(p->io, LOOP_WRITE);
    loop_timer_start(p->timer, DEV_PROBE_TIMEOUT_MS);
    return p;
}
