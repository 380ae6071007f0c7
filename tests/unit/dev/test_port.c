#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/file.h"
#include "base/loop.h"
#include "base/mem.h"
#include "dev/port.h"
#include "dev/probe.h"

/* As servers do it. */
static int serve(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

static void picked_ports_differ_and_can_be_served(void **state _unused_)
{
    enum { N = 20 };
    _cleanup_(dev_ports_release) struct dev_ports set = {0};
    int ports[N];

    for (int i = 0; i < N; i++) {
        assert_int_equal(dev_port_pick(&set, &ports[i], NULL), 0);
        assert_in_range(ports[i], 1024, 65535);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(ports[i], ports[j]);
    }
    /* While it is reserved, and afterwards. */
    _cleanup_close_ int first = serve(ports[0]);
    dev_ports_release(&set);
    _cleanup_close_ int second = serve(ports[1]);
    assert_true(first >= 0 && second >= 0);
}

/* A child that is down finds its port free again, whatever connects to whatever meanwhile. */
static void picked_ports_are_none_of_outgoing_connections(void **state _unused_)
{
    _cleanup_(dev_ports_release) struct dev_ports set = {0};
    _cleanup_free_ char *text = NULL;
    int port;

    assert_int_equal(file_read("/proc/sys/net/ipv4/ip_local_port_range", 256, &text, NULL, NULL), 0);
    long from = strtol(text, NULL, 10);
    if (from < 30000)
        skip();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(dev_port_pick(&set, &port, NULL), 0);
        assert_in_range(port, 1024, from - 1);
    }
}

static void a_port_in_use_is_not_taken(void **state _unused_)
{
    _cleanup_(dev_ports_release) struct dev_ports set = {0};
    _cleanup_err_ struct err *err = NULL;
    int port;

    assert_int_equal(dev_port_pick(&set, &port, NULL), 0);
    dev_ports_release(&set);
    assert_int_equal(dev_port_take(&set, port, NULL), 0);
    dev_ports_release(&set);
    _cleanup_close_ int fd = serve(port);
    assert_int_equal(dev_port_take(&set, port, &err), ERR_ALREADY_EXISTS);
    assert_non_null(strstr(err_text(err), "in use by another program"));
    assert_int_equal(set.len, 0);
}

/* Probes */

struct answer {
    struct loop *loop;
    int code;
    bool came;
};

static void on_answer(void *arg, const struct err *err)
{
    struct answer *a = arg;

    assert_false(a->came);
    a->came = true;
    a->code = err ? err->code : 0;
    loop_stop(a->loop);
}

struct server {
    struct loop *loop;
    const char *reply;
    int fd, connection;
    struct loop_io *io, *connection_io;
};

static void on_request(void *arg, int events _unused_, bool error _unused_)
{
    struct server *s = arg;
    char request[512];
    ssize_t n = recv(s->connection, request, sizeof(request) - 1, 0);

    assert_true(n > 0);
    request[n] = '\0';
    assert_non_null(strstr(request, "GET /ready HTTP/1.1\r\n"));
    assert_non_null(strstr(request, "Connection: close\r\n"));
    assert_int_equal(send(s->connection, s->reply, strlen(s->reply), MSG_NOSIGNAL), strlen(s->reply));
    loop_io_set(s->connection_io, 0);
    shutdown(s->connection, SHUT_WR);
}

static void on_connection(void *arg, int events _unused_, bool error _unused_)
{
    struct server *s = arg;

    s->connection = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(s->connection >= 0);
    loop_io_set(s->io, 0);
    s->connection_io = loop_io_new(s->loop, s->connection, on_request, s);
    loop_io_set(s->connection_io, LOOP_READ);
}

static int ask(const char *reply)
{
    _cleanup_(dev_ports_release) struct dev_ports set = {0};
    _cleanup_loop_ struct loop *l = loop_new();
    struct server s = {.loop = l, .reply = reply, .fd = -1, .connection = -1};
    struct answer a = {.loop = l};
    int port;

    assert_int_equal(dev_port_pick(&set, &port, NULL), 0);
    if (reply) {
        s.fd = serve(port);
        s.io = loop_io_new(l, s.fd, on_connection, &s);
        loop_io_set(s.io, LOOP_READ);
    }
    struct dev_probe *p = dev_probe_new(l, port, "/ready", on_answer, &a);
    while (!a.came)
        loop_run(l);
    dev_probe_free(p);
    loop_io_free(s.io);
    loop_io_free(s.connection_io);
    if (s.fd >= 0)
        close(s.fd);
    if (s.connection >= 0)
        close(s.connection);
    return a.code;
}

static void only_200_is_ready(void **state _unused_)
{
    assert_int_equal(ask("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 0);
    assert_int_equal(ask("HTTP/1.0 200 OK\r\n\r\n"), 0);
    assert_int_equal(ask("HTTP/1.1 503 Service Unavailable\r\n\r\n"), ERR_UNAVAILABLE);
    assert_int_equal(ask("INFO {\"server\":1}\r\n"), ERR_PROTOCOL);
    assert_int_equal(ask(""), ERR_PROTOCOL);
    assert_int_equal(ask(NULL), ERR_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picked_ports_differ_and_can_be_served),
        cmocka_unit_test(picked_ports_are_none_of_outgoing_connections),
        cmocka_unit_test(a_port_in_use_is_not_taken),
        cmocka_unit_test(only_200_is_ready),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
