#include "serve/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

enum { CONNECTIONS_MOST = 64, CONNECTION_TIMEOUT_S = 10, CONNECTION_MEMORY = 16 * 1024 };

struct route {
    serve_fn fn;
    void *arg;
};

struct serve {
    struct loop *loop;
    struct MHD_Daemon *daemon;
    struct loop_io *io;
    struct loop_timer *timer;
    struct map *routes; /* path -> struct route * */
    int port;
};

static enum MHD_Result answer(struct MHD_Connection *c, int status, const char *type, const char *body,
                              size_t len)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);

    if (!r)
        return MHD_NO;
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(c, (unsigned)status, r);
    MHD_destroy_response(r);
    return result;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *path, const char *method,
                                  const char *version _unused_, const char *data _unused_, size_t *len,
                                  void **state)
{
    struct serve *s = arg;
    const struct route *r = map_get(s->routes, path);
    const char *type = "text/plain; charset=utf-8";
    static const char not_found[] = "not found\n", not_allowed[] = "method not allowed\n";

    /* Other methods may bring a body: they are answered at once, which ends the connection. The rest is
     * answered in a later call, when the request is complete: then the connection can be kept. */
    bool reads = streq(method, "GET") || streq(method, "HEAD");
    if (reads && (!*state || *len)) {
        *state = s;
        *len = 0;
        return MHD_YES;
    }
    if (!r)
        return answer(c, MHD_HTTP_NOT_FOUND, type, not_found, sizeof(not_found) - 1);
    if (!reads)
        return answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, type, not_allowed, sizeof(not_allowed) - 1);
    _cleanup_buf_ struct buf body = BUF_INIT;
    int status = r->fn(r->arg, &body, &type);
    return answer(c, status, type, buf_str(&body), body.len);
}

/* The daemon on the loop: its epoll descriptor tells that something is to be done, its timeout when to look
 * anyway. */

static void arm(struct serve *s)
{
    MHD_UNSIGNED_LONG_LONG ms;

    if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
        loop_timer_start(s->timer, (int64_t)ms);
    else
        loop_timer_stop(s->timer);
}

static bool is_full(const struct serve *s)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

    return info && info->num_connections >= CONNECTIONS_MOST;
}

static void work(void *arg)
{
    struct serve *s = arg;
    bool was_full = is_full(s);

    MHD_run(s->daemon);
    /* A full daemon does not watch its listening socket, and starts to again only in the run after the one
     * that ended a connection: nothing would wake it for that. */
    if (was_full && !is_full(s))
        MHD_run(s->daemon);
    arm(s);
}

static void on_ready(void *arg, int events _unused_, bool error _unused_)
{
    work(arg);
}

static int parse_address(const char *address, struct sockaddr_storage *ret, struct err **err)
{
    const char *colon = strrchr(address, ':');
    int64_t port = 0;

    if (!colon || !str_to_i64(colon + 1, 0, 65535, &port))
        return err_set(err, ERR_INVALID, "\"%s\" is not an address like 127.0.0.1:8080 or :8080", address);
    _cleanup_free_ char *host = xstrndup(address, (size_t)(colon - address));
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    memset(ret, 0, sizeof(*ret));
    size_t len = strlen(host);
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1)
            return 0;
    } else if (!len) {
        v6->sin6_family = AF_INET6; /* in6addr_any: IPv4 too, see listen_on() */
        v6->sin6_port = htons((uint16_t)port);
        return 0;
    } else {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        if (inet_pton(AF_INET, streq(host, "localhost") ? "127.0.0.1" : host, &v4->sin_addr) == 1)
            return 0;
    }
    return err_set(err, ERR_INVALID, "\"%s\": \"%s\" is not an IP address", address, host);
}

/* The socket is made here so that the reason of a failure can be told. */
static int listen_on(const char *address, int *ret_fd, int *ret_port, struct err **err)
{
    struct sockaddr_storage sa;
    int r = parse_address(address, &sa, err), one = 1, zero = 0;

    if (r < 0)
        return r;
    bool all = *address == ':';
    int made = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0 && errno == EAFNOSUPPORT && all) {
        /* A kernel without IPv6. */
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = ((struct sockaddr_in6 *)&sa)->sin6_port};
        memset(&sa, 0, sizeof(sa));
        memcpy(&sa, &v4, sizeof(v4));
        made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
    _cleanup_close_ int fd = made;
    if (fd < 0)
        return err_set_os(err, errno, "socket for %s", address);
    socklen_t len = sa.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (sa.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, all ? &zero : &one, sizeof(int));
    if (bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, 64) < 0) {
        err_set_os(err, errno, "listen on %s", address);
        if (err && *err)
            (*err)->code = ERR_UNAVAILABLE;
        return ERR_UNAVAILABLE;
    }
    if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
        return err_set_os(err, errno, "address of %s", address);
    *ret_port = ntohs(sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port
                                               : ((struct sockaddr_in *)&sa)->sin_port);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int serve_new(struct loop *l, const char *address, struct serve **ret, struct err **err)
{
    int fd = -1, port = 0;
    int r = listen_on(address, &fd, &port, err);

    if (r < 0)
        return r;
    struct serve *s = xcalloc(1, sizeof(*s));
    s->loop = l;
    s->port = port;
    s->routes = map_new(free);
    s->daemon =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET, fd,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MOST,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT_S,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        s->daemon ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info) {
        if (s->daemon)
            MHD_stop_daemon(s->daemon);
        else
            close(fd);
        map_free(s->routes);
        free(s);
        return err_set(err, ERR_FAILED, "the HTTP server on %s cannot be started", address);
    }
    s->io = loop_io_new(l, info->epoll_fd, on_ready, s);
    s->timer = loop_timer_new(l, work, s);
    loop_io_set(s->io, LOOP_READ);
    arm(s);
    *ret = s;
    return 0;
}

void serve_route(struct serve *s, const char *path, serve_fn fn, void *arg)
{
    struct route *r = xcalloc(1, sizeof(*r));

    *r = (struct route){.fn = fn, .arg = arg};
    map_set(s->routes, path, r);
}

int serve_port(const struct serve *s)
{
    return s->port;
}

void serve_free(struct serve *s)
{
    if (!s)
        return;
    loop_io_free(s->io);
    loop_timer_free(s->timer);
    MHD_stop_daemon(s->daemon);
    map_free(s->routes);
    free(s);
}
