/* The bus against a real nats-server. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the ones above first. */
#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "lattice/bus.h"
#include "unit/lattice/nats_proc.h"

struct state {
    bool connected, disconnected;
    int connects, disconnects;
    struct err *err;
};

static void on_state(void *arg, bool connected, const struct err *err)
{
    struct state *s = arg;

    s->connected = connected;
    s->disconnected = !connected;
    *(connected ? &s->connects : &s->disconnects) += 1;
    err_free(s->err);
    s->err = err_copy(err);
}

struct fixture {
    struct loop *loop;
    struct nats_proc nats;
    struct state state;
    struct bus *bus;
};

static struct bus *bus_of(struct loop *l, const char *url, struct state *state)
{
    char *servers[] = {(char *)url, NULL};
    struct bus *b = NULL;
    struct err *err = NULL;

    int r =
        bus_new(l, &(struct bus_options){.servers = servers, .name = "test", .state = on_state, .arg = state},
                &b, &err);
    if (r < 0)
        fail_msg("%s", err_text(err));
    return b;
}

static int setup_config(void **data, const char *config)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->loop = loop_new();
    nats_proc_init(&f->nats, config);
    nats_proc_start(&f->nats);
    f->bus = bus_of(f->loop, f->nats.url, &f->state);
    assert_false(bus_connected(f->bus));
    assert_true(nats_proc_until(f->loop, &f->state.connected));
    *data = f;
    return 0;
}

static int setup(void **data)
{
    return setup_config(data, NULL);
}

static int teardown(void **data)
{
    struct fixture *f = *data;

    bus_free(f->bus);
    nats_proc_release(&f->nats);
    err_free(f->state.err);
    loop_free(f->loop);
    free(f);
    return 0;
}

static void on_rtt(void *arg, int64_t us)
{
    *(int64_t *)arg = us;
}

static bool measured(void *arg)
{
    return *(int64_t *)arg != INT64_MIN;
}

/* All that b sent before, subscriptions too, has reached the server. */
static void settle(struct loop *l, struct bus *b)
{
    int64_t us = INT64_MIN;

    bus_rtt(b, on_rtt, &us);
    assert_true(nats_proc_until_fn(l, measured, &us));
}

struct answer {
    bool done;
    int replies, calls;
    char *data;
    struct err *err;
};

static void on_answer(void *arg, const struct bus_message *m, const struct err *err)
{
    struct answer *a = arg;

    a->calls++;
    if (m) {
        a->replies++;
        xstr_replace(&a->data, m->data);
        assert_int_equal(strlen(m->data), m->len);
    }
    err_free(a->err);
    a->err = err_copy(err);
    a->done = true;
}

static void on_gathered(void *arg, const struct bus_message *m, const struct err *err)
{
    struct answer *a = arg;

    on_answer(arg, m, err);
    a->done = !m;
}

static void answer_release(struct answer *a)
{
    free(a->data);
    err_free(a->err);
    memset(a, 0, sizeof(*a));
}

/* Serves a subject: answers "<data>!". */
struct service {
    struct bus *bus;
    int seen;
    bool silent;
};

static void on_service(void *arg, const struct bus_message *m)
{
    struct service *s = arg;

    s->seen++;
    if (s->silent || !m->reply)
        return;
    char *text = xasprintf("%s!", m->data);
    assert_int_equal(bus_publish(s->bus, m->reply, text, strlen(text), NULL), 0);
    free(text);
}

static void test_request(void **data)
{
    struct fixture *f = *data;
    struct service s = {.bus = f->bus};
    struct answer a = {0};

    assert_string_equal(bus_server(f->bus), f->nats.url);
    bus_subscribe(f->bus, "svc.echo", on_service, &s);
    bus_request(f->bus, "svc.echo", "hi", 2, 5000, on_answer, &a);
    assert_int_equal(a.calls, 0);
    assert_true(nats_proc_until(f->loop, &a.done));
    assert_null(a.err);
    assert_string_equal(a.data, "hi!");
    assert_int_equal(bus_requests(f->bus), 1);
    answer_release(&a);

    /* An empty body goes through as one. */
    bus_request(f->bus, "svc.echo", NULL, 0, 5000, on_answer, &a);
    assert_true(nats_proc_until(f->loop, &a.done));
    assert_string_equal(a.data, "!");
    answer_release(&a);
}

static void test_nobody(void **data)
{
    struct fixture *f = *data;
    struct answer a = {0};

    int64_t start = loop_now_ms(f->loop);
    bus_request(f->bus, "svc.none", "x", 1, 10000, on_answer, &a);
    assert_true(nats_proc_until(f->loop, &a.done));
    assert_non_null(a.err);
    assert_int_equal(a.err->code, ERR_NOT_FOUND);
    assert_non_null(strstr(a.err->message, "svc.none"));
    assert_true(loop_now_ms(f->loop) - start < 5000);
    answer_release(&a);

    bus_gather(f->bus, "svc.none", NULL, 0, 10000, on_gathered, &a);
    assert_true(nats_proc_until(f->loop, &a.done));
    assert_int_equal(a.err->code, ERR_NOT_FOUND);
    assert_int_equal(a.calls, 1);
    answer_release(&a);
}

static void test_timeout_and_cancel(void **data)
{
    struct fixture *f = *data;
    struct service s = {.bus = f->bus, .silent = true};
    struct answer a = {0}, b = {0};

    bus_subscribe(f->bus, "svc.silent", on_service, &s);
    bus_request(f->bus, "svc.silent", "x", 1, 100, on_answer, &a);
    struct bus_req *r = bus_request(f->bus, "svc.silent", "x", 1, 50, on_answer, &b);
    bus_cancel(r);
    bus_cancel(NULL);
    assert_true(nats_proc_until(f->loop, &a.done));
    assert_int_equal(a.err->code, ERR_TIMEOUT);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 0);
    answer_release(&a);
}

static void test_gather(void **data)
{
    struct fixture *f = *data;
    struct service s[3];
    struct answer a = {0};

    for (int i = 0; i < 3; i++) {
        s[i] = (struct service){.bus = f->bus};
        bus_subscribe(f->bus, "svc.all", on_service, &s[i]);
    }
    bus_gather(f->bus, "svc.all", "p", 1, 500, on_gathered, &a);
    assert_true(nats_proc_until(f->loop, &a.done));
    assert_null(a.err);
    assert_int_equal(a.replies, 3);
    assert_int_equal(a.calls, 4);
    answer_release(&a);
}

static void test_refused_input(void **data)
{
    struct fixture *f = *data;
    struct err *err = NULL;
    struct answer a = {0};
    static const char *const bad[] = {"", ".", "a..b", "a b", "a\r\nPUB x 0", "a.*", "a.>", "a."};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(bus_publish(f->bus, bad[i], "x", 1, &err), ERR_INVALID);
        err_free(err);
        err = NULL;
    }
    assert_null(bus_subscribe(f->bus, "a b", on_service, NULL));
    bus_request(f->bus, "a b", "x", 1, 1000, on_answer, &a);
    assert_int_equal(a.calls, 0);
    assert_true(nats_proc_until(f->loop, &a.done));
    assert_int_equal(a.err->code, ERR_INVALID);
    answer_release(&a);

    /* One cancelled before its failure was told. */
    bus_cancel(bus_request(f->bus, "a b", "x", 1, 1000, on_answer, &a));
    for (int i = 0; i < 5; i++)
        loop_turn(f->loop, false);
    assert_int_equal(a.calls, 0);
}

static void test_payload_limit(void **data)
{
    struct fixture *f = *data;
    struct err *err = NULL;
    struct answer a = {0};
    struct service s = {.bus = f->bus};
    size_t len = 1024 * 1024;
    char *big = xcalloc(1, len + 2);

    memset(big, 'x', len + 1);
    assert_int_equal(bus_publish(f->bus, "svc.big", big, len + 1, &err), ERR_TOO_LARGE);
    assert_non_null(strstr(err->message, "1048576"));
    err_free(err);
    bus_request(f->bus, "svc.big", big, len + 1, 1000, on_answer, &a);
    assert_true(nats_proc_until(f->loop, &a.done));
    assert_int_equal(a.err->code, ERR_TOO_LARGE);
    answer_release(&a);

    bus_subscribe(f->bus, "svc.big", on_service, &s);
    s.silent = true;
    bus_request(f->bus, "svc.big", big, len, 300, on_answer, &a);
    assert_true(nats_proc_until(f->loop, &a.done));
    assert_int_equal(s.seen, 1);
    answer_release(&a);
    free(big);
}

struct counter {
    int seen, expected, out_of_order;
};

static void on_count(void *arg, const struct bus_message *m)
{
    struct counter *c = arg;
    int64_t n = -1;

    if (!str_to_i64(m->data, 0, INT32_MAX, &n) || n != c->seen)
        c->out_of_order++;
    c->seen++;
}

static bool counted(void *arg)
{
    struct counter *c = arg;

    return c->seen >= c->expected;
}

static void test_many_in_order(void **data)
{
    struct fixture *f = *data;
    struct counter c = {.expected = 20000};

    bus_subscribe(f->bus, "many.*", on_count, &c);
    for (int i = 0; i < c.expected; i++) {
        char text[16];
        int n = snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(bus_publish(f->bus, "many.x", text, (size_t)n, NULL), 0);
    }
    assert_true(nats_proc_until_fn(f->loop, counted, &c));
    assert_int_equal(c.seen, c.expected);
    assert_int_equal(c.out_of_order, 0);
    assert_int_equal(bus_dropped(f->bus), 0);
}

static bool all_dropped(void *arg)
{
    struct fixture *f = arg;

    return bus_dropped(f->bus) >= 900;
}

static void test_full_mailbox_drops(void **data)
{
    struct fixture *f = *data;
    struct state state = {0};
    struct counter c = {0};
    char *servers[] = {f->nats.url, NULL};
    struct bus *small = NULL;

    assert_int_equal(bus_new(f->loop,
                             &(struct bus_options){
                                 .servers = servers, .mailbox_limit = 100, .state = on_state, .arg = &state},
                             &small, NULL),
                     0);
    bus_subscribe(small, "flood", on_count, &c);
    assert_true(nats_proc_until(f->loop, &state.connected));
    settle(f->loop, small);
    /* The loop does not turn while the messages come. */
    for (int i = 0; i < 1000; i++)
        assert_int_equal(bus_publish(f->bus, "flood", "0", 1, NULL), 0);
    struct bus *own = f->bus;
    f->bus = small;
    int64_t end = loop_now_ms(f->loop) + 20000;
    while (!all_dropped(f) && loop_now_ms(f->loop) < end)
        ;
    assert_int_equal(bus_dropped(small), 900);
    f->bus = own;
    /* It still hears of changes of state. */
    nats_proc_stop(&f->nats);
    assert_true(nats_proc_until(f->loop, &state.disconnected));
    assert_int_equal(c.seen, 100);
    bus_free(small);
    err_free(state.err);
}

static void test_unsubscribe(void **data)
{
    struct fixture *f = *data;
    struct counter a = {0}, b = {.expected = 1};

    struct bus_sub *s = bus_subscribe(f->bus, "u.x", on_count, &a);
    bus_unsubscribe(s);
    bus_unsubscribe(NULL);
    bus_subscribe(f->bus, "u.x", on_count, &b);
    assert_int_equal(bus_publish(f->bus, "u.x", "0", 1, NULL), 0);
    assert_true(nats_proc_until_fn(f->loop, counted, &b));
    assert_int_equal(a.seen, 0);
}

static void test_server_restart(void **data)
{
    struct fixture *f = *data;
    struct service s = {.bus = f->bus};
    struct answer a = {0};
    struct err *err = NULL;

    bus_subscribe(f->bus, "svc.echo", on_service, &s);
    s.silent = true;
    bus_request(f->bus, "svc.echo", "x", 1, 60000, on_answer, &a);
    for (int i = 0; i < 3; i++) {
        nats_proc_stop(&f->nats);
        assert_true(nats_proc_until(f->loop, &f->state.disconnected));
        if (i == 0) {
            /* What waited for an answer is told so at once. */
            assert_true(a.done);
            assert_int_equal(a.err->code, ERR_UNAVAILABLE);
            answer_release(&a);
        }
        assert_non_null(f->state.err);
        assert_string_equal(bus_server(f->bus), "");
        assert_int_equal(bus_publish(f->bus, "svc.echo", "late", 4, &err), ERR_UNAVAILABLE);
        assert_non_null(strstr(err->message, "not connected"));
        err_free(err);
        err = NULL;
        bus_request(f->bus, "svc.echo", "late", 4, 60000, on_answer, &a);
        assert_true(nats_proc_until(f->loop, &a.done));
        assert_int_equal(a.err->code, ERR_UNAVAILABLE);
        answer_release(&a);

        nats_proc_start(&f->nats);
        assert_true(nats_proc_until(f->loop, &f->state.connected));
        s.silent = false;
        int seen = s.seen;
        bus_request(f->bus, "svc.echo", "again", 5, 5000, on_answer, &a);
        assert_true(nats_proc_until(f->loop, &a.done));
        assert_null(a.err);
        assert_string_equal(a.data, "again!");
        /* Nothing of what was refused meanwhile came after all. */
        assert_int_equal(s.seen, seen + 1);
        answer_release(&a);
    }
    assert_int_equal(f->state.connects, 4);
}

static void test_no_server_yet(void **data)
{
    struct fixture *f = *data;
    struct state state = {0};
    struct nats_proc late;

    nats_proc_init(&late, NULL);
    struct bus *b = bus_of(f->loop, late.url, &state);
    assert_true(nats_proc_until(f->loop, &state.disconnected));
    assert_int_equal(state.err->code, ERR_UNAVAILABLE);
    assert_non_null(strstr(state.err->message, late.url));
    nats_proc_start(&late);
    assert_true(nats_proc_until(f->loop, &state.connected));
    /* The same reason was told once, not at each attempt. */
    assert_int_equal(state.disconnects, 1);
    bus_free(b);
    nats_proc_release(&late);
    err_free(state.err);
}

static void test_second_server(void **data)
{
    struct fixture *f = *data;
    struct state state = {0};
    char *none = xasprintf("nats://127.0.0.1:%d", nats_proc_free_port());
    char *servers[] = {none, f->nats.url, NULL};
    struct bus *b = NULL;

    assert_int_equal(bus_new(f->loop,
                             &(struct bus_options){.servers = servers, .state = on_state, .arg = &state}, &b,
                             NULL),
                     0);
    assert_true(nats_proc_until(f->loop, &state.connected));
    assert_string_equal(bus_server(b), f->nats.url);
    bus_free(b);
    free(none);
}

static void test_rtt(void **data)
{
    struct fixture *f = *data;
    int64_t us = INT64_MIN;

    bus_rtt(f->bus, on_rtt, &us);
    assert_true(nats_proc_until_fn(f->loop, measured, &us));
    assert_true(us >= 0 && us < 10 * 1000 * 1000);
    nats_proc_stop(&f->nats);
    assert_true(nats_proc_until(f->loop, &f->state.disconnected));
    us = INT64_MIN;
    bus_rtt(f->bus, on_rtt, &us);
    assert_true(nats_proc_until_fn(f->loop, measured, &us));
    assert_int_equal(us, -1);
    bus_rtt(f->bus, on_rtt, &us); /* freed with the bus */
}

/* The bus goes while messages rush in, and in its own callback. */
struct freer {
    struct bus *bus;
    bool done;
};

static void on_free(void *arg, const struct bus_message *m)
{
    struct freer *x = arg;

    (void)m;
    bus_free(TAKE_PTR(x->bus));
    x->done = true;
}

static void test_free_while_messages_arrive(void **data)
{
    struct fixture *f = *data;

    for (int i = 0; i < 10; i++) {
        struct state state = {0};
        struct freer x = {.bus = bus_of(f->loop, f->nats.url, &state)};
        struct answer a = {0};

        bus_subscribe(x.bus, "rush", on_free, &x);
        assert_true(nats_proc_until(f->loop, &state.connected));
        settle(f->loop, x.bus);
        bus_request(x.bus, "svc.later", "x", 1, 60000, on_answer, &a);
        for (int n = 0; n < 2000; n++)
            bus_publish(f->bus, "rush", "x", 1, NULL);
        if (i % 2)
            assert_true(nats_proc_until(f->loop, &x.done));
        else
            bus_free(x.bus);
        settle(f->loop, f->bus); /* the rest of the rush is over before the next round */
        err_free(state.err);
        answer_release(&a);
    }
}

static void on_answer_free(void *arg, const struct bus_message *m, const struct err *err)
{
    struct freer *x = arg;

    (void)m;
    (void)err;
    bus_free(TAKE_PTR(x->bus));
    x->done = true;
}

static void test_free_in_failed_request(void **data)
{
    struct fixture *f = *data;
    struct service s = {.silent = true};
    struct freer x = {.bus = bus_of(f->loop, f->nats.url, &f->state)};

    f->state.connected = false;
    assert_true(nats_proc_until(f->loop, &f->state.connected));
    bus_subscribe(f->bus, "svc.silent", on_service, &s);
    for (int i = 0; i < 3; i++)
        bus_request(x.bus, "svc.silent", "x", 1, 60000, on_answer_free, &x);
    for (int i = 0; i < 3; i++)
        loop_turn(f->loop, false);
    nats_proc_stop(&f->nats);
    assert_true(nats_proc_until(f->loop, &x.done));
    assert_null(x.bus);
}

static void test_frozen_server(void **data)
{
    struct fixture *f = *data;
    struct state state = {0};
    char *servers[] = {f->nats.url, NULL};
    struct bus *b = NULL;

    assert_int_equal(
        bus_new(f->loop,
                &(struct bus_options){
                    .servers = servers, .ping_interval_ms = 200, .state = on_state, .arg = &state},
                &b, NULL),
        0);
    assert_true(nats_proc_until(f->loop, &state.connected));
    nats_proc_signal(&f->nats, SIGSTOP);
    char block[4096] = {0};
    int64_t start = loop_now_ms(f->loop);
    /* More than any socket buffer takes: the loop must not be held. */
    for (int i = 0; i < 4000; i++)
        bus_publish(b, "x", block, sizeof(block), NULL);
    assert_true(loop_now_ms(f->loop) - start < 3000);
    assert_true(nats_proc_until(f->loop, &state.disconnected));
    nats_proc_signal(&f->nats, SIGCONT);
    assert_true(nats_proc_until(f->loop, &state.connected));
    bus_free(b);
    err_free(state.err);
}

static void test_options(void **data)
{
    struct loop *l = loop_new();
    (void)data;
    static const struct {
        const char *server, *credentials, *ca, *cert, *part;
    } cases[] = {
        {"http://x:1", NULL, NULL, NULL, "want nats://host:port"},
        {"nats://", NULL, NULL, NULL, "no host"},
        {"nats://h:99999", NULL, NULL, NULL, "port"},
        {"nats://h:12ab", NULL, NULL, NULL, "port"},
        {"nats://a b:1", NULL, NULL, NULL, "blank"},
        {"nats://user:secret@h:x", NULL, NULL, NULL, "nats://h:x"},
        {"nats://h:1", "nothing", NULL, NULL, "user JWT"},
        {"nats://h:1", "-----BEGIN NATS USER JWT-----\nabc\n------END NATS USER JWT------\n", NULL, NULL,
         "NKEY seed"},
        {"nats://h:1",
         "-----BEGIN NATS USER JWT-----\nabc\n------END NATS USER JWT------\n"
         "-----BEGIN USER NKEY SEED-----\nSUAWRONG\n------END USER NKEY SEED------\n",
         NULL, NULL, "cannot be used"},
        {"tls://h:1", NULL, "no certificate", NULL, "NATS server"},
        {"tls://h:1", NULL, NULL, "no certificate", "given together"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *servers[] = {(char *)cases[i].server, NULL};
        struct bus *b = NULL;
        struct err *err = NULL;
        struct bus_options o = {.servers = servers,
                                .credentials = cases[i].credentials,
                                .ca_pem = cases[i].ca,
                                .cert_pem = cases[i].cert};
        assert_int_equal(bus_new(l, &o, &b, &err), ERR_INVALID);
        assert_null(b);
        if (!strstr(err->message, cases[i].part))
            fail_msg("case %zu: %s", i, err->message);
        assert_null(strstr(err->message, "secret"));
        err_free(err);
    }
    char *none[] = {NULL};
    struct bus *b = NULL;
    assert_int_equal(bus_new(l, &(struct bus_options){.servers = none}, &b, NULL), ERR_INVALID);
    loop_free(l);
}

static int setup_users(void **data)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->loop = loop_new();
    nats_proc_init(&f->nats, "authorization { users: [ {user: u, password: p} ] }");
    nats_proc_start(&f->nats);
    *data = f;
    return 0;
}

static void test_user_and_password(void **data)
{
    struct fixture *f = *data;
    struct state state = {0};
    char *wrong = xasprintf("nats://u:nope@127.0.0.1:%d", f->nats.port);
    char *right = xasprintf("nats://u:p@127.0.0.1:%d", f->nats.port);

    struct bus *b = bus_of(f->loop, right, &f->state);
    assert_true(nats_proc_until(f->loop, &f->state.connected));
    assert_string_equal(bus_server(b), f->nats.url);
    struct bus *w = bus_of(f->loop, wrong, &state);
    assert_true(nats_proc_until(f->loop, &state.disconnected));
    assert_int_equal(state.err->code, ERR_UNAUTHORIZED);
    assert_null(strstr(state.err->message, "nope"));
    bus_free(w);
    bus_free(b);
    err_free(state.err);
    free(wrong);
    free(right);
}

static bool run(const char *dir, const char *command)
{
    _cleanup_free_ char *line = xasprintf("cd %s && { %s; } >/dev/null 2>&1", dir, command);

    return system(line) == 0;
}

static char *text_of(const char *dir, const char *name)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
    char *text = NULL;

    assert_int_equal(file_read(path, 1 << 20, &text, NULL, NULL), 0);
    return text;
}

/* Certificates made by openssl: the server's is for 127.0.0.1 only. */
static void test_tls(void **data)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    (void)data;

    f->loop = loop_new();
    nats_proc_init(&f->nats, NULL);
    const char *d = f->nats.dir;
    bool made =
        run(d, "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca && "
               "openssl req -newkey rsa:2048 -nodes -keyout s.key -out s.csr -subj /CN=s && "
               "printf 'subjectAltName=IP:127.0.0.1' > s.ext && "
               "openssl x509 -req -in s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile s.ext "
               "-out s.pem && "
               "openssl req -newkey rsa:2048 -nodes -keyout c.key -out c.csr -subj /CN=c && "
               "openssl x509 -req -in c.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out c.pem && "
               "openssl req -x509 -newkey rsa:2048 -nodes -keyout o.key -out o.pem -days 2 -subj /CN=other");
    if (!made) {
        nats_proc_release(&f->nats);
        loop_free(f->loop);
        free(f);
        skip(); /* no openssl program */
    }
    FILE *conf = fopen(f->nats.config, "a");
    assert_non_null(conf);
    fprintf(conf,
            "tls { cert_file: \"%s/s.pem\", key_file: \"%s/s.key\", ca_file: \"%s/ca.pem\", verify: true }\n",
            d, d, d);
    fclose(conf);
    nats_proc_start(&f->nats);

    _cleanup_free_ char *ca = text_of(d, "ca.pem");
    _cleanup_free_ char *other = text_of(d, "o.pem");
    _cleanup_free_ char *cert = text_of(d, "c.pem");
    _cleanup_free_ char *key = text_of(d, "c.key");
    _cleanup_free_ char *by_ip = xasprintf("tls://127.0.0.1:%d", f->nats.port);
    _cleanup_free_ char *by_name = xasprintf("tls://localhost:%d", f->nats.port);
    const struct {
        char *url, *ca;
        bool good;
    } cases[] = {{by_ip, ca, true}, {by_ip, other, false}, {by_name, ca, false}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct state state = {0};
        struct bus *b = NULL;
        struct err *err = NULL;
        char *servers[] = {cases[i].url, NULL};
        struct bus_options o = {.servers = servers,
                                .ca_pem = cases[i].ca,
                                .cert_pem = cert,
                                .key_pem = key,
                                .state = on_state,
                                .arg = &state};
        if (bus_new(f->loop, &o, &b, &err) < 0)
            fail_msg("%s", err_text(err));
        /* The server may not listen yet: that refusal is another one than the certificate's. */
        while (!state.connected && !(state.err && strstr(state.err->message, "SSL")))
            loop_turn(f->loop, true);
        if (state.connected != cases[i].good)
            fail_msg("case %zu: %s", i, err_text(state.err));
        bus_free(b);
        err_free(state.err);
    }
    nats_proc_release(&f->nats);
    loop_free(f->loop);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test_setup_teardown(test_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timeout_and_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gather, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_input, setup, teardown),
        cmocka_unit_test_setup_teardown(test_payload_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_mailbox_drops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unsubscribe, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_server_yet, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_server, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rtt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_free_while_messages_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_free_in_failed_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_frozen_server, setup, teardown),
        cmocka_unit_test_setup_teardown(test_user_and_password, setup_users, teardown),
        cmocka_unit_test(test_tls),
    };

    nats_proc_binary();
    return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
