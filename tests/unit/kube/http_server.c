#include "unit/kube/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

struct http_conn {
    struct http_server *server;
    struct http_conn *next;
    int fd;
    struct loop_io *io;
    struct buf in, out;
    bool closing, in_handler;
};

struct http_server {
    struct loop *loop;
    http_handler fn;
    void *arg;
    int fd, port;
    char *url;
    struct loop_io *io;
    struct http_conn *conns;
    unsigned requests, accepted, open;
};

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "http_server: %s: %s\n", what, strerror(errno));
        abort();
    }
}

static void conn_free(struct http_conn *c)
{
    struct http_server *s = c->server;

    for (struct http_conn **p = &s->conns; *p; p = &(*p)->next) {
        if (*p == c) {
            *p = c->next;
            break;
        }
    }
    s->open--;
    loop_io_free(c->io);
    close(c->fd);
    buf_release(&c->in);
    buf_release(&c->out);
    free(c);
}

/* False when the connection is gone. */
static bool flush(struct http_conn *c)
{
    while (c->out.len) {
        ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            loop_io_set(c->io, LOOP_READ | LOOP_WRITE);
            return true;
        }
        if (n < 0) {
            conn_free(c);
            return false;
        }
        buf_consume(&c->out, (size_t)n);
    }
    if (c->closing) {
        conn_free(c);
        return false;
    }
    loop_io_set(c->io, LOOP_READ);
    return true;
}

/* Takes one request out of what arrived. False when none is complete, or the connection is gone. */
static bool take_request(struct http_conn *c)
{
    char *head_end = c->in.len ? strstr(c->in.data, "\r\n\r\n") : NULL;
    if (!head_end)
        return false;
    size_t head_len = (size_t)(head_end - c->in.data) + 4;
    _cleanup_free_ char *head = xstrndup(c->in.data, head_len - 2);
    char *line_end = strstr(head, "\r\n"), *blank = strchr(head, ' ');
    must(line_end && blank && blank < line_end, "request line");
    char *second = strchr(blank + 1, ' ');
    must(second && second < line_end, "request line");
    *blank = *second = '\0';
    struct http_request r = {.method = head, .target = blank + 1, .head = line_end + 2, .body = ""};
    _cleanup_free_ char *length = http_header(&r, "Content-Length");
    int64_t n = 0;
    must(!length || str_to_i64(length, 0, 1 << 30, &n), "Content-Length");
    if (c->in.len < head_len + (size_t)n)
        return false;
    _cleanup_free_ char *body = xstrndup(c->in.data + head_len, (size_t)n);
    r.body = body;
    r.number = ++c->server->requests;
    buf_consume(&c->in, head_len + (size_t)n);
    c->in_handler = true;
    c->server->fn(c->server->arg, c, &r);
    c->in_handler = false;
    return flush(c);
}

static void on_conn(void *arg, int events, bool error)
{
    struct http_conn *c = arg;
    char piece[65536];

    if ((events & LOOP_READ) || error) {
        ssize_t n = recv(c->fd, piece, sizeof(piece), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            conn_free(c);
            return;
        }
        if (n > 0)
            buf_add(&c->in, piece, (size_t)n);
        while (take_request(c))
            ;
        return;
    }
    flush(c);
}

static void on_listen(void *arg, int events _unused_, bool error _unused_)
{
    struct http_server *s = arg;
    int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    struct http_conn *c = xcalloc(1, sizeof(*c));
    *c = (struct http_conn){.server = s, .next = s->conns, .fd = fd};
    s->conns = c;
    s->accepted++;
    s->open++;
    c->io = loop_io_new(s->loop, fd, on_conn, c);
    loop_io_set(c->io, LOOP_READ);
}

struct http_server *http_server_new(struct loop *l, http_handler fn, void *arg)
{
    struct http_server *s = xcalloc(1, sizeof(*s));
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);

    *s = (struct http_server){.loop = l, .fn = fn, .arg = arg};
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    must(s->fd >= 0, "socket");
    must(bind(s->fd, (struct sockaddr *)&a, sizeof(a)) == 0, "bind");
    must(listen(s->fd, 512) == 0, "listen");
    must(getsockname(s->fd, (struct sockaddr *)&a, &len) == 0, "getsockname");
    s->port = ntohs(a.sin_port);
    s->url = xasprintf("http://127.0.0.1:%d", s->port);
    s->io = loop_io_new(l, s->fd, on_listen, s);
    loop_io_set(s->io, LOOP_READ);
    return s;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    while (s->conns)
        conn_free(s->conns);
    loop_io_free(s->io);
    close(s->fd);
    free(s->url);
    free(s);
}

int http_server_port(const struct http_server *s)
{
    return s->port;
}

const char *http_server_url(const struct http_server *s)
{
    return s->url;
}

unsigned http_server_requests(const struct http_server *s)
{
    return s->requests;
}

unsigned http_server_accepted(const struct http_server *s)
{
    return s->accepted;
}

unsigned http_server_open(const struct http_server *s)
{
    return s->open;
}

void http_answer_bytes(struct http_conn *c, int status, const char *headers, const char *body, size_t len)
{
    buf_addf(&c->out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n", status, len, headers ? headers : "");
    buf_add(&c->out, body, len);
    if (!c->in_handler)
        flush(c);
}

void http_answer(struct http_conn *c, int status, const char *headers, const char *body)
{
    http_answer_bytes(c, status, headers, body, strlen(body));
}

void http_send(struct http_conn *c, const char *text)
{
    buf_adds(&c->out, text);
    if (!c->in_handler)
        flush(c);
}

void http_close(struct http_conn *c)
{
    c->closing = true;
    if (!c->in_handler)
        flush(c);
}

char *http_header(const struct http_request *r, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = r->head; *p;) {
        const char *end = strstr(p, "\r\n");
        if (strncasecmp(p, name, n) == 0 && p[n] == ':') {
            p += n + 1;
            while (*p == ' ')
                p++;
            return xstrndup(p, (size_t)(end - p));
        }
        p = end + 2;
    }
    return NULL;
}
