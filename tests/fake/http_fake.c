#include "fake/http_fake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

enum { REQUEST_MOST = 64 * 1024 * 1024, BACKLOG = 512 };

struct conn {
    struct http_fake *fake;
    struct conn *next;
    unsigned number;
    int fd;
    struct loop_io *io;
    struct buf in, out;
    struct http_expect *serving; /* its answer is not over */
    enum http_ending then;       /* once `out` is sent: HTTP_COMPLETE, HTTP_FIN or HTTP_RST */
};

struct http_expect {
    struct http_expect *next;
    char *method, *prefix, *headers, *body;
    struct http_answer answer;
    struct conn *conn;
    unsigned used;
};

struct http_fake {
    struct loop *loop;
    int listener;
    struct loop_io *io; /* NULL while connections are refused */
    int port;
    char *url, *host_port;
    struct conn *conns;
    unsigned connections;
    struct http_expect *expects, **expects_tail;
    VEC(struct http_request) requests;
    struct buf complaints;
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    abort();
}

static void conn_free(struct conn *c)
{
    struct conn **p = &c->fake->conns;

    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    for (struct http_expect *e = c->fake->expects; e; e = e->next)
        if (e->conn == c)
            e->conn = NULL;
    loop_io_free(c->io);
    close(c->fd);
    buf_release(&c->in);
    buf_release(&c->out);
    free(c);
}

/* Unread data in the socket or a linger time of zero: both make close() send a reset. */
static void conn_end(struct conn *c, bool reset)
{
    struct linger now = {.l_onoff = reset, .l_linger = 0};

    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    if (!reset)
        shutdown(c->fd, SHUT_WR);
    conn_free(c);
}

/* False when the connection is gone. */
static bool conn_flush(struct conn *c)
{
    while (c->out.len) {
        ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n < 0) {
            conn_free(c);
            return false;
        }
        buf_consume(&c->out, (size_t)n);
    }
    if (!c->out.len && c->then != HTTP_COMPLETE) {
        conn_end(c, c->then == HTTP_RST);
        return false;
    }
    loop_io_set(c->io, LOOP_READ | (c->out.len ? LOOP_WRITE : 0));
    return true;
}

static const char *reason_of(int status)
{
    return status < 300 ? "OK" : status < 400 ? "Elsewhere" : status < 500 ? "Refused" : "Broken";
}

static bool has_header(const char *lines, const char *name)
{
    return lines && strcasestr(lines, name);
}

/* The whole answer as bytes; for HTTP_HELD only its head. */
static void build(const struct http_expect *e, struct buf *out)
{
    const struct http_answer *a = &e->answer;
    int status = a->status ? a->status : 200;

    buf_addf(out, "HTTP/1.1 %d %s\r\n%s", status, reason_of(status),
             e->headers ? e->headers : "Content-Type: application/json\r\n");
    if (a->ending == HTTP_HELD)
        buf_adds(out, "Transfer-Encoding: chunked\r\n\r\n");
    else if (has_header(e->headers, "Content-Length") || has_header(e->headers, "Transfer-Encoding"))
        buf_adds(out, "\r\n");
    else
        buf_addf(out, "Content-Length: %zu\r\n\r\n", a->body_len);
    if (a->ending != HTTP_HELD && a->body_len)
        buf_add(out, e->body, a->body_len);
}

static bool answer(struct conn *c, struct http_expect *e)
{
    _cleanup_buf_ struct buf bytes = BUF_INIT;
    enum http_ending ending = e->answer.ending;

    e->used++;
    e->conn = c;
    build(e, &bytes);
    if (ending != HTTP_COMPLETE && ending != HTTP_HELD && e->answer.after < bytes.len)
        buf_truncate(&bytes, e->answer.after);
    if (bytes.len)
        buf_add(&c->out, bytes.data, bytes.len);
    c->then = ending == HTTP_FIN || ending == HTTP_RST ? ending : HTTP_COMPLETE;
    c->serving = ending == HTTP_HELD || ending == HTTP_SILENT ? e : NULL;
    return conn_flush(c);
}

static bool matches(const struct http_expect *e, const struct http_request *r)
{
    _cleanup_free_ char *target = *r->query ? xasprintf("%s?%s", r->path, r->query) : xstrdup(r->path);

    return (!e->used || e->answer.repeat) && streq(e->method, r->method) && str_starts(target, e->prefix);
}

static bool dispatch(struct conn *c, const struct http_request *r)
{
    static const char refusal[] = "HTTP/1.1 500 Unexpected\r\nContent-Length: 0\r\n\r\n";

    for (struct http_expect *e = c->fake->expects; e; e = e->next)
        if (matches(e, r))
            return answer(c, e);
    buf_addf(&c->fake->complaints, "unexpected: %s %s%s%s\n", r->method, r->path, *r->query ? "?" : "",
             r->query);
    buf_adds(&c->out, refusal);
    return conn_flush(c);
}

static char *header_of(const char *lines, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = lines; p && *p; p = strstr(p, "\r\n") ? strstr(p, "\r\n") + 2 : NULL) {
        if (strncasecmp(p, name, n) != 0 || p[n] != ':')
            continue;
        p += n + 1;
        p += strspn(p, " ");
        return xstrndup(p, strcspn(p, "\r\n"));
    }
    return NULL;
}

/* Takes one whole request off c->in. False when none is there yet. */
static bool take_request(struct conn *c, struct http_request *ret)
{
    const char *end = c->in.len ? memmem(c->in.data, c->in.len, "\r\n\r\n", 4) : NULL;
    int64_t body = 0;

    if (!end)
        return false;
    size_t head_len = (size_t)(end - c->in.data) + 4;
    _cleanup_free_ char *head = xstrndup(c->in.data, head_len - 2);
    _cleanup_free_ char *length = header_of(head, "Content-Length");
    if (length)
        must(str_to_i64(length, 0, REQUEST_MOST, &body), "Content-Length");
    if (c->in.len < head_len + (size_t)body)
        return false;
    size_t method = strcspn(head, " "), target = strcspn(head + method + 1, " ");
    const char *path = head + method + 1;
    const char *mark = memchr(path, '?', target);
    size_t path_len = mark ? (size_t)(mark - path) : target;
    *ret = (struct http_request){
        .method = xstrndup(head, method),
        .path = xstrndup(path, path_len),
        .query = mark ? xstrndup(mark + 1, target - path_len - 1) : xstrdup(""),
        .headers = xstrdup(strstr(head, "\r\n") + 2),
        .body = xstrndup(c->in.data + head_len, (size_t)body),
        .len = (size_t)body,
        .connection = c->number,
    };
    buf_consume(&c->in, head_len + (size_t)body);
    return true;
}

static void take_requests(struct conn *c)
{
    struct http_fake *f = c->fake;
    struct http_request r;

    while (!c->serving && take_request(c, &r)) {
        vec_push(&f->requests, r);
        if (!dispatch(c, &r))
            return;
    }
}

static void on_conn(void *arg, int events, bool error)
{
    struct conn *c = arg;
    char piece[65536];

    if (error) {
        conn_free(c);
        return;
    }
    if ((events & LOOP_WRITE) && !conn_flush(c))
        return;
    if (!(events & LOOP_READ))
        return;
    ssize_t n = recv(c->fd, piece, sizeof(piece), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        conn_free(c);
        return;
    }
    must(buf_add(&c->in, piece, (size_t)n) == 0, "request too large");
    take_requests(c);
}

static void on_listener(void *arg, int events _unused_, bool error _unused_)
{
    struct http_fake *f = arg;
    int fd, one = 1;

    while ((fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = xcalloc(1, sizeof(*c));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        c->fake = f;
        c->fd = fd;
        c->number = ++f->connections;
        buf_init(&c->in, REQUEST_MOST);
        c->next = f->conns;
        f->conns = c;
        c->io = loop_io_new(f->loop, fd, on_conn, c);
        loop_io_set(c->io, LOOP_READ);
    }
}

/* A bound socket that does not listen: the port is ours, whoever connects is refused. */
static void bind_port(struct http_fake *f)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)f->port)};
    socklen_t len = sizeof(a);
    int one = 1;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    must(f->listener >= 0, "socket");
    setsockopt(f->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    must(bind(f->listener, (struct sockaddr *)&a, sizeof(a)) == 0, "bind");
    must(getsockname(f->listener, (struct sockaddr *)&a, &len) == 0, "getsockname");
    f->port = ntohs(a.sin_port);
}

struct http_fake *http_fake_new(struct loop *l)
{
    struct http_fake *f = xcalloc(1, sizeof(*f));

    f->loop = l;
    f->expects_tail = &f->expects;
    bind_port(f);
    f->host_port = xasprintf("127.0.0.1:%d", f->port);
    f->url = xasprintf("http://127.0.0.1:%d", f->port);
    http_fake_listen(f);
    return f;
}

void http_fake_listen(struct http_fake *f)
{
    if (f->io)
        return;
    must(listen(f->listener, BACKLOG) == 0, "listen");
    f->io = loop_io_new(f->loop, f->listener, on_listener, f);
    loop_io_set(f->io, LOOP_READ);
}

void http_fake_refuse(struct http_fake *f, bool drop)
{
    if (f->io) {
        loop_io_free(f->io);
        f->io = NULL;
        close(f->listener);
        bind_port(f);
    }
    while (drop && f->conns)
        conn_end(f->conns, true);
}

static void request_release(struct http_request *r)
{
    free(r->method);
    free(r->path);
    free(r->query);
    free(r->headers);
    free(r->body);
}

void http_fake_free(struct http_fake *f)
{
    if (!f)
        return;
    while (f->conns)
        conn_end(f->conns, true);
    loop_io_free(f->io);
    close(f->listener);
    while (f->expects) {
        struct http_expect *e = f->expects;
        f->expects = e->next;
        free(e->method);
        free(e->prefix);
        free(e->headers);
        free(e->body);
        free(e);
    }
    for (size_t i = 0; i < f->requests.len; i++)
        request_release(&f->requests.items[i]);
    free(f->requests.items);
    buf_release(&f->complaints);
    free(f->url);
    free(f->host_port);
    free(f);
}

const char *http_fake_url(const struct http_fake *f)
{
    return f->url;
}

const char *http_fake_host_port(const struct http_fake *f)
{
    return f->host_port;
}

struct http_expect *http_fake_expect(struct http_fake *f, const char *method, const char *path_prefix,
                                     struct http_answer a)
{
    struct http_expect *e = xcalloc(1, sizeof(*e));

    e->method = xstrdup(method);
    e->prefix = xstrdup(path_prefix);
    e->headers = xstrdup_null(a.headers);
    if (a.body && !a.body_len)
        a.body_len = strlen(a.body);
    e->body = a.body ? xmemdup(a.body, a.body_len) : NULL;
    e->answer = a;
    e->answer.headers = e->answer.body = NULL;
    *f->expects_tail = e;
    f->expects_tail = &e->next;
    return e;
}

unsigned http_expect_used(const struct http_expect *e)
{
    return e->used;
}

bool http_expect_open(const struct http_expect *e)
{
    return e->conn != NULL;
}

bool http_fake_chunk_n(struct http_expect *e, const char *data, size_t len)
{
    if (!e->conn || e->conn->serving != e)
        return false;
    if (!len)
        return true;
    buf_addf(&e->conn->out, "%zx\r\n", len);
    buf_add(&e->conn->out, data, len);
    buf_adds(&e->conn->out, "\r\n");
    return conn_flush(e->conn);
}

bool http_fake_chunk(struct http_expect *e, const char *data)
{
    return http_fake_chunk_n(e, data, strlen(data));
}

bool http_fake_finish(struct http_expect *e)
{
    struct conn *c = e->conn;

    if (!c || c->serving != e)
        return false;
    buf_adds(&c->out, "0\r\n\r\n");
    c->serving = NULL;
    return conn_flush(c);
}

bool http_fake_cut(struct http_expect *e, bool reset)
{
    if (!e->conn)
        return false;
    e->conn->then = reset ? HTTP_RST : HTTP_FIN;
    conn_flush(e->conn);
    return true;
}

size_t http_fake_count(const struct http_fake *f)
{
    return f->requests.len;
}

const struct http_request *http_fake_request(const struct http_fake *f, size_t n)
{
    if (!f->requests.len)
        return NULL;
    return &f->requests.items[n < f->requests.len ? n : f->requests.len - 1];
}

char *http_request_header(const struct http_request *r, const char *name)
{
    return header_of(r->headers, name);
}

char *http_request_param(const struct http_request *r, const char *name)
{
    _cleanup_strv_ char **parts = strv_split(r->query, '&', false);
    size_t n = strlen(name);

    for (size_t i = 0; parts[i]; i++)
        if (str_starts(parts[i], name) && parts[i][n] == '=')
            return xstrdup(parts[i] + n + 1);
    return NULL;
}

char *http_fake_complaints(const struct http_fake *f)
{
    struct buf b = BUF_INIT;

    buf_adds(&b, buf_str(&f->complaints));
    for (const struct http_expect *e = f->expects; e; e = e->next)
        if (!e->used && !e->answer.maybe && !e->answer.repeat)
            buf_addf(&b, "nobody asked: %s %s\n", e->method, e->prefix);
    return buf_take(&b);
}
