#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "serve/serve.h"

/* One HTTP exchange on the loop of the server, over a plain socket. */
struct client {
    int fd;
    struct loop_io *io;
    struct buf answer;
    bool closed;
};

static void on_readable(void *arg, int events _unused_, bool error)
{
    struct client *c = arg;
    char chunk[4096];
    ssize_t n = error ? 0 : recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        c->closed = true;
        loop_io_set(c->io, 0);
        return;
    }
    buf_add(&c->answer, chunk, (size_t)n);
}

static int connect_to(int family, int port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r;

    if (fd < 0)
        return -1;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v6.sin6_addr = in6addr_loopback;
    r = family == AF_INET ? connect(fd, (struct sockaddr *)&v4, sizeof(v4))
                          : connect(fd, (struct sockaddr *)&v6, sizeof(v6));
    if (r < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void client_open(struct client *c, struct loop *l, int family, int port)
{
    *c = (struct client){.fd = connect_to(family, port)};
    assert_true(c->fd >= 0);
    c->io = loop_io_new(l, c->fd, on_readable, c);
    loop_io_set(c->io, LOOP_READ);
}

static void client_send(struct client *c, const char *text)
{
    assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void client_close(struct client *c)
{
    loop_io_free(c->io);
    close(c->fd);
    buf_release(&c->answer);
}

/* The whole answer up to the end of the connection; caller frees. */
static char *ask_over(struct loop *l, int family, int port, const char *request)
{
    struct client c;

    client_open(&c, l, family, port);
    client_send(&c, request);
    while (!c.closed)
        loop_turn(l, true);
    char *answer = xstrdup(buf_str(&c.answer));
    client_close(&c);
    return answer;
}

static char *ask(struct loop *l, const struct serve *s, const char *method, const char *path)
{
    _cleanup_free_ char *request = xasprintf(
        "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", method, path);

    return ask_over(l, AF_INET, serve_port(s), request);
}

static int hello(void *arg, struct buf *body, const char **content_type)
{
    int *calls = arg;

    ++*calls;
    *content_type = "text/x-hello; charset=utf-8";
    buf_addf(body, "hello %d\n", *calls);
    return 200;
}

static int unready(void *arg _unused_, struct buf *body, const char **content_type _unused_)
{
    buf_adds(body, "not yet\n");
    return 503;
}

static int large(void *arg _unused_, struct buf *body, const char **content_type _unused_)
{
    buf_fill(body, 'x', 4 * 1024 * 1024);
    return 200;
}

struct fixture {
    struct loop *loop;
    struct serve *serve;
    int calls;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->loop = loop_new();
    assert_int_equal(serve_new(f->loop, "127.0.0.1:0", &f->serve, NULL), 0);
    serve_route(f->serve, "/hello", hello, &f->calls);
    serve_route(f->serve, "/readyz", unready, NULL);
    serve_route(f->serve, "/large", large, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    serve_free(f->serve);
    loop_free(f->loop);
    free(f);
    return 0;
}

static void test_get(void **state)
{
    struct fixture *f = *state;

    assert_true(serve_port(f->serve) > 0);
    _cleanup_free_ char *first = ask(f->loop, f->serve, "GET", "/hello"),
                        *second = ask(f->loop, f->serve, "GET", "/hello?a=b"),
                        *third = ask(f->loop, f->serve, "GET", "/readyz");
    assert_true(str_starts(first, "HTTP/1.1 200 "));
    assert_non_null(strstr(first, "Content-Type: text/x-hello; charset=utf-8\r\n"));
    assert_true(str_ends(first, "\r\n\r\nhello 1\n"));
    assert_true(str_ends(second, "\r\n\r\nhello 2\n"));
    assert_true(str_starts(third, "HTTP/1.1 503 "));
    assert_non_null(strstr(third, "Content-Type: text/plain; charset=utf-8\r\n"));
    assert_true(str_ends(third, "\r\n\r\nnot yet\n"));
}

static void test_other_methods_and_paths(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *head = ask(f->loop, f->serve, "HEAD", "/hello"),
                        *post = ask(f->loop, f->serve, "POST", "/hello"),
                        *none = ask(f->loop, f->serve, "GET", "/nothing"),
                        *below = ask(f->loop, f->serve, "GET", "/hello/there");

    assert_true(str_starts(head, "HTTP/1.1 200 "));
    assert_non_null(strstr(head, "Content-Length: 8\r\n"));
    assert_true(str_ends(head, "\r\n\r\n"));
    assert_true(str_starts(post, "HTTP/1.1 405 "));
    assert_non_null(strstr(post, "Allow: GET, HEAD\r\n"));
    assert_true(str_starts(none, "HTTP/1.1 404 "));
    assert_true(str_starts(below, "HTTP/1.1 404 "));
    assert_int_equal(f->calls, 1);
}

static void test_kept_connection(void **state)
{
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
    struct fixture *f = *state;
    struct client c;

    client_open(&c, f->loop, AF_INET, serve_port(f->serve));
    client_send(&c, request);
    while (!c.closed && !strstr(buf_str(&c.answer), "hello 1\n"))
        loop_turn(f->loop, true);
    client_send(&c, request);
    while (!c.closed && !strstr(buf_str(&c.answer), "hello 2\n"))
        loop_turn(f->loop, true);
    assert_false(c.closed);
    client_close(&c);
}

static void test_request_in_pieces(void **state)
{
    static const char *const pieces[] = {"GE", "T /hello HTTP", "/1.1\r\nHost: x\r\nConnection: close\r",
                                         "\n\r\n"};
    struct fixture *f = *state;
    struct client c;

    client_open(&c, f->loop, AF_INET, serve_port(f->serve));
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        client_send(&c, pieces[i]);
        loop_turn(f->loop, false);
    }
    while (!c.closed)
        loop_turn(f->loop, true);
    assert_true(str_ends(buf_str(&c.answer), "\r\n\r\nhello 1\n"));
    client_close(&c);
}

static void test_large_answer(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *answer = ask(f->loop, f->serve, "GET", "/large");
    const char *body = strstr(answer, "\r\n\r\n");

    assert_non_null(body);
    assert_int_equal(strlen(body + 4), 4 * 1024 * 1024);
}

static void test_bad_requests(void **state)
{
    struct fixture *f = *state;
    struct buf b = BUF_INIT;

    _cleanup_free_ char *garbage =
        ask_over(f->loop, AF_INET, serve_port(f->serve), "\x16\x03\x01 no HTTP\r\n\r\n");
    assert_false(str_starts(garbage, "HTTP/1.1 200"));
    buf_adds(&b, "GET /");
    buf_fill(&b, 'a', 64 * 1024);
    buf_adds(&b, " HTTP/1.1\r\nHost: x\r\n\r\n");
    _cleanup_free_ char *flood = ask_over(f->loop, AF_INET, serve_port(f->serve), buf_str(&b));
    assert_true(*flood == '\0' || str_starts(flood, "HTTP/1.1 4"));
    buf_release(&b);
    _cleanup_free_ char *after = ask(f->loop, f->serve, "GET", "/hello");
    assert_true(str_ends(after, "hello 1\n"));
}

/* More connections than the limit: the ones past it wait in the kernel until others are gone. */
static void test_many_connections(void **state)
{
    enum { MANY = 80 };
    struct fixture *f = *state;
    struct client idle[MANY];

    for (int i = 0; i < MANY; i++) {
        client_open(&idle[i], f->loop, AF_INET, serve_port(f->serve));
        loop_turn(f->loop, false);
    }
    for (int i = 0; i < MANY; i++)
        client_close(&idle[i]);
    _cleanup_free_ char *answer = ask(f->loop, f->serve, "GET", "/hello");
    assert_true(str_ends(answer, "hello 1\n"));
}

static void test_free_with_open_connection(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_open(&c, f->loop, AF_INET, serve_port(f->serve));
    client_send(&c, "GET /hello HT");
    loop_turn(f->loop, true);
    serve_free(f->serve);
    f->serve = NULL;
    while (!c.closed)
        loop_turn(f->loop, true);
    client_close(&c);
}

static void test_addresses(void **state _unused_)
{
    static const char *const bad[] = {
        "",    "8080",        "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",  ":65536",
        ":-1", "localhos:80", "[::1:80",   "[nope]:80",  "300.0.0.1:80", "::1:80"};
    _cleanup_loop_ struct loop *l = loop_new();
    struct serve *s = NULL, *second = NULL;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        _cleanup_err_ struct err *e = NULL;
        if (serve_new(l, bad[i], &s, &e) != ERR_INVALID)
            fail_msg("%s is taken", bad[i]);
        assert_non_null(strstr(e->message, bad[i]));
    }
    assert_int_equal(serve_new(l, "localhost:0", &s, NULL), 0);
    _cleanup_err_ struct err *e = NULL;
    _cleanup_free_ char *taken = xasprintf("127.0.0.1:%d", serve_port(s));
    assert_int_equal(serve_new(l, taken, &second, &e), ERR_UNAVAILABLE);
    assert_non_null(strstr(e->message, taken));
    assert_null(second);
    serve_free(s);
    serve_free(NULL);
}

static void test_all_addresses(void **state _unused_)
{
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    _cleanup_loop_ struct loop *l = loop_new();
    struct serve *s = NULL;
    int calls = 0;

    assert_int_equal(serve_new(l, ":0", &s, NULL), 0);
    serve_route(s, "/hello", hello, &calls);
    _cleanup_free_ char *v4 = ask_over(l, AF_INET, serve_port(s), request);
    assert_true(str_ends(v4, "hello 1\n"));
    int probe = connect_to(AF_INET6, serve_port(s));
    if (probe >= 0) { /* the machine has IPv6 */
        close(probe);
        _cleanup_free_ char *v6 = ask_over(l, AF_INET6, serve_port(s), request);
        assert_true(str_ends(v6, "hello 2\n"));
    }
    serve_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_get, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_methods_and_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kept_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_request_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_connections, setup, teardown),
        cmocka_unit_test_setup_teardown(test_free_with_open_connection, setup, teardown),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_all_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
