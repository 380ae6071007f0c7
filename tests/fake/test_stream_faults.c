/* Streams, and requests that are given up: no callback afterwards, nothing left behind. */
#include "fake/fault.h"

#define THINGS "/api/v1/configmaps"

static struct kube_call get(void)
{
    return (struct kube_call){.method = "GET", .path = THINGS};
}

/* Streams */

static void test_stream(void **state)
{
    struct fault *t = *state;
    _cleanup_outcome_ struct outcome o = {0};
    struct http_expect *e =
        http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.ending = HTTP_HELD});
    struct kube_call call = get();

    call.chunk = outcome_chunk;
    call.opened = outcome_opened;
    call.done = outcome_done;
    call.arg = &o;
    kube_do(t->client, &call);
    WAIT_FOR(t, o.opened);
    assert_int_equal(o.chunks, 0);
    http_fake_chunk(e, "one");
    WAIT_FOR(t, o.chunks == 1);
    http_fake_chunk(e, "two");
    http_fake_finish(e);
    WAIT_FOR(t, o.done);
    assert_null(o.err);
    assert_string_equal(buf_str(&o.stream), "onetwo");
    assert_int_equal(o.opened, 1);
    assert_string_equal(o.body, "");
}

/* A paused stream brings neither data nor its end, and loses nothing. */
static void test_paused_stream(void **state)
{
    struct fault *t = *state;
    _cleanup_outcome_ struct outcome o = {0};
    struct http_expect *e =
        http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.ending = HTTP_HELD});
    struct kube_call call = get();

    call.chunk = outcome_chunk;
    call.done = outcome_done;
    call.arg = &o;
    struct kube_req *r = kube_do(t->client, &call);
    WAIT_FOR(t, http_expect_open(e));
    http_fake_chunk(e, "one");
    WAIT_FOR(t, o.chunks == 1);
    kube_req_pause(r, true);
    kube_req_pause(r, true);
    http_fake_chunk(e, "two");
    http_fake_finish(e);
    fault_settle(t);
    assert_int_equal(o.chunks, 1);
    assert_int_equal(o.done, 0);
    kube_req_pause(r, false);
    WAIT_FOR(t, o.done);
    assert_null(o.err);
    assert_string_equal(buf_str(&o.stream), "onetwo");
}

static void test_stream_refused(void **state)
{
    struct fault *t = *state;
    _cleanup_outcome_ struct outcome o = {0};
    struct kube_call call = get();

    call.chunk = outcome_chunk;
    call.opened = outcome_opened;
    http_fake_expect(
        t->server, "GET", THINGS,
        (struct http_answer){
            .status = 403,
            .body = "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no\",\"code\":403}"});
    fault_call(t, call, &o);
    assert_int_equal(o.err->code, ERR_FORBIDDEN);
    assert_int_equal(o.opened + o.chunks, 0);
}

static void test_silent_stream(void **state)
{
    struct fault *t = *state;

    for (int begun = 0; begun <= 1; begun++) {
        _cleanup_outcome_ struct outcome o = {0};
        struct http_expect *e = http_fake_expect(
            t->server, "GET", THINGS, (struct http_answer){.ending = begun ? HTTP_HELD : HTTP_SILENT});
        struct kube_call call = get();
        call.chunk = outcome_chunk;
        call.done = outcome_done;
        call.arg = &o;
        call.silence_ms = 2000;
        kube_do(t->client, &call);
        WAIT_FOR(t, http_expect_open(e));
        /* Whatever arrives puts the end off. */
        for (int i = 0; begun && i < 100; i++) {
            http_fake_chunk(e, "x");
            fault_turn(t);
            assert_int_equal(o.done, 0);
        }
        int64_t began = loop_now_ms(t->loop);
        WAIT_FOR(t, o.done);
        assert_in_range(loop_now_ms(t->loop) - began, 1850, 2200);
        assert_int_equal(o.err->code, ERR_TIMEOUT);
    }
}

static bool end_stream(void *arg, const char *data, size_t len)
{
    outcome_chunk(arg, data, len);
    return false;
}

static void test_receiver_ends_stream(void **state)
{
    struct fault *t = *state;
    _cleanup_outcome_ struct outcome o = {0};
    struct http_expect *e =
        http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.ending = HTTP_HELD});
    struct kube_call call = get();

    call.chunk = end_stream;
    call.done = outcome_done;
    call.arg = &o;
    kube_do(t->client, &call);
    WAIT_FOR(t, http_expect_open(e));
    http_fake_chunk(e, "x");
    WAIT_FOR(t, o.done);
    assert_int_equal(o.err->code, ERR_CANCELLED);
    assert_int_equal(o.chunks, 1);
    WAIT_FOR(t, !http_expect_open(e));
}

struct killer {
    struct fault *t;
    struct kube_req *request;
    bool client; /* free the client, else cancel the request */
    unsigned called;
};

static void kill_it(struct killer *k)
{
    k->called++;
    if (!k->client) {
        kube_req_cancel(k->request);
        return;
    }
    kube_client_free(k->t->client);
    k->t->client = NULL;
}

static void kill_by_warning(void *arg, const char *text _unused_)
{
    kill_it(arg);
}

static void test_ended_by_warning(void **state)
{
    struct fault *t = *state;

    for (int client = 0; client <= 1; client++) {
        struct killer k = {.t = t, .client = client};
        struct kube_client_options options = {.warning = kill_by_warning, .warning_arg = &k};
        _cleanup_outcome_ struct outcome o = {0};
        struct kube_call call = get();
        call.done = outcome_done;
        call.arg = &o;
        fault_client(t, (struct kube_config){0}, &options);
        http_fake_expect(
            t->server, "GET", THINGS,
            (struct http_answer){.headers = "Warning: 299 - \"a\", 299 - \"b\"\r\n", .body = "{}"});
        k.request = kube_do(t->client, &call);
        WAIT_FOR(t, k.called);
        fault_settle(t);
        assert_int_equal(k.called, 1);
        assert_int_equal(o.done, 0);
    }
}

/* Ends at every stage: never a callback afterwards, nothing left behind. */

enum stage {
    BEFORE_SEND,
    CONNECTED,
    ASKED,
    HEADERS,
    STREAM,
    ANSWERED, /* the answer lies in the socket */
    RETRYING,
    STAGES
};

static void reach(struct fault *t, struct http_expect *e, enum stage stage, struct outcome *o)
{
    if (stage == CONNECTED)
        loop_turn(t->loop, false);
    if (stage < ASKED)
        return;
    WAIT_FOR(t, http_expect_used(e));
    if (stage == HEADERS)
        WAIT_FOR(t, o->opened);
    if (stage == STREAM) {
        http_fake_chunk(e, "abc");
        WAIT_FOR(t, o->chunks);
    }
    if (stage == ANSWERED) {
        http_fake_chunk(e, "abc");
        http_fake_finish(e);
    }
    if (stage == RETRYING)
        fault_settle(t);
}

static void test_end_at_every_stage(void **state)
{
    struct fault *t = *state;

    for (int client = 0; client <= 1; client++) {
        for (enum stage stage = 0; stage < STAGES; stage++) {
            _cleanup_outcome_ struct outcome o = {0};
            struct http_answer a = {.ending = HTTP_HELD, .maybe = true};
            if (stage == RETRYING)
                a = (struct http_answer){.status = 429, .headers = "Retry-After: 1\r\n", .maybe = true};
            fault_client(t, (struct kube_config){0}, NULL);
            struct http_expect *e = http_fake_expect(t->server, "GET", THINGS, a);
            struct kube_call call = get();
            call.chunk = outcome_chunk;
            call.opened = outcome_opened;
            call.done = outcome_done;
            call.arg = &o;
            struct kube_req *r = kube_do(t->client, &call);
            reach(t, e, stage, &o);
            unsigned chunks = o.chunks;
            kill_it(&(struct killer){.t = t, .request = r, .client = client});
            fault_settle(t);
            assert_int_equal(o.done, 0);
            assert_int_equal(o.chunks, chunks);
            if (stage >= ASKED && stage != RETRYING && stage != ANSWERED)
                WAIT_FOR(t, !http_expect_open(e));
            /* The place is taken so that it cannot answer a later stage. */
            if (!http_expect_used(e)) {
                _cleanup_outcome_ struct outcome rest = {0};
                struct kube_call again = get();
                if (!t->client)
                    fault_client(t, (struct kube_config){0}, NULL);
                again.done = outcome_done;
                again.arg = &rest;
                struct kube_req *q = kube_do(t->client, &again);
                WAIT_FOR(t, http_expect_used(e));
                kube_req_cancel(q);
            }
        }
    }
}

enum where { IN_OPENED, IN_CHUNK, IN_DONE, WHERES };

struct suicide {
    struct killer k;
    enum where where;
    unsigned opened, chunks, done;
};

static void suicide_opened(void *arg)
{
    struct suicide *s = arg;

    s->opened++;
    if (s->where == IN_OPENED)
        kill_it(&s->k);
}

static bool suicide_chunk(void *arg, const char *data _unused_, size_t len _unused_)
{
    struct suicide *s = arg;

    s->chunks++;
    if (s->where == IN_CHUNK)
        kill_it(&s->k);
    return s->where != IN_CHUNK || s->k.called % 2;
}

static void suicide_done(void *arg, const struct kube_response *response _unused_,
                         const struct err *err _unused_)
{
    struct suicide *s = arg;

    s->done++;
    if (s->where == IN_DONE)
        kill_it(&s->k);
}

/* Within its own callback, and (others > 0) with more requests in flight that become ready in the same turn.
 */
static void test_end_within_own_callback(void **state)
{
    struct fault *t = *state;

    for (int client = 0; client <= 1; client++) {
        for (enum where where = 0; where < WHERES; where++) {
            struct outcome others[3] = {0};
            struct http_expect *waiting[3];
            struct suicide s = {.k = {.t = t, .client = client}, .where = where};
            fault_client(t, (struct kube_config){0}, NULL);
            for (int i = 0; i < 3; i++) {
                waiting[i] =
                    http_fake_expect(t->server, "GET", "/other", (struct http_answer){.ending = HTTP_HELD});
                struct kube_call call = {
                    .method = "GET", .path = "/other", .done = outcome_done, .arg = &others[i]};
                kube_do(t->client, &call);
            }
            struct http_expect *e =
                http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.ending = HTTP_HELD});
            struct kube_call call = get();
            call.opened = suicide_opened;
            call.chunk = suicide_chunk;
            call.done = suicide_done;
            call.arg = &s;
            s.k.request = kube_do(t->client, &call);
            WAIT_FOR(t, http_expect_used(e) && http_expect_used(waiting[2]));
            for (int i = 0; i < 3; i++) {
                http_fake_chunk(waiting[i], "{}");
                http_fake_finish(waiting[i]);
            }
            http_fake_chunk(e, "abc");
            http_fake_finish(e);
            WAIT_FOR(t, s.k.called);
            for (int i = 0; !client && i < 3; i++)
                WAIT_FOR(t, others[i].done);
            fault_settle(t);
            assert_int_equal(s.k.called, 1);
            assert_int_equal(s.done, where == IN_DONE);
            for (int i = 0; i < 3; i++)
                outcome_release(&others[i]);
        }
    }
}

struct pair {
    struct kube_req *request[2];
    unsigned done[2];
};

static void first_wins(void *arg, int me)
{
    struct pair *p = arg;

    p->done[me]++;
    p->request[me] = NULL;
    kube_req_cancel(p->request[!me]);
    p->request[!me] = NULL;
}

static void first_done(void *arg, const struct kube_response *response _unused_,
                       const struct err *err _unused_)
{
    first_wins(arg, 0);
}

static void second_done(void *arg, const struct kube_response *response _unused_,
                        const struct err *err _unused_)
{
    first_wins(arg, 1);
}

static void test_cancelled_by_another(void **state)
{
    struct fault *t = *state;

    for (int in_flight = 0; in_flight <= 1; in_flight++) {
        struct pair p = {0};
        struct http_expect *e[2];
        for (int i = 0; i < 2; i++) {
            e[i] = http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.ending = HTTP_HELD});
            struct kube_call call = get();
            call.done = i ? second_done : first_done;
            call.arg = &p;
            p.request[i] = kube_do(t->client, &call);
        }
        WAIT_FOR(t, http_expect_used(e[0]) && http_expect_used(e[1]));
        for (int i = 0; i < 2 - in_flight; i++) {
            http_fake_chunk(e[i], "{}");
            http_fake_finish(e[i]);
        }
        WAIT_FOR(t, p.done[0] + p.done[1]);
        fault_settle(t);
        assert_int_equal(p.done[0] + p.done[1], 1);
    }
}

static void test_many_at_once(void **state)
{
    enum { MANY = 300 };
    struct fault *t = *state;
    struct outcome *o = xcalloc(MANY, sizeof(*o));

    http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.body = "{}", .repeat = true});
    for (int i = 0; i < MANY; i++) {
        struct kube_call call = get();
        call.done = outcome_done;
        call.arg = &o[i];
        kube_do(t->client, &call);
    }
    for (int i = 0; i < MANY; i++) {
        WAIT_FOR(t, o[i].done);
        assert_null(o[i].err);
        outcome_release(&o[i]);
    }
    free(o);
}

/* More requests than are sent at a time, to a server that answers none. */
static void test_queue(void **state)
{
    enum { SENT = 80, MORE = 4, CANCELLED = SENT, LATE, LAST = SENT + MORE - 1 };
    struct fault *t = *state;
    struct outcome *o = xcalloc(SENT + MORE, sizeof(*o));
    struct kube_req *r[SENT + MORE];
    _cleanup_outcome_ struct outcome stream = {0}, passes = {0};
    struct http_expect *stuck = http_fake_expect(t->server, "GET", "/stuck",
                                                 (struct http_answer){.ending = HTTP_SILENT, .repeat = true});
    struct http_expect *held =
        http_fake_expect(t->server, "GET", "/stream", (struct http_answer){.ending = HTTP_HELD});
    struct http_expect *last =
        http_fake_expect(t->server, "GET", "/last", (struct http_answer){.body = "{}"});
    http_fake_expect(t->server, "GET", "/urgent", (struct http_answer){.body = "{}"});

    for (int i = 0; i < SENT + MORE; i++) {
        struct kube_call call = {.method = "GET", .path = i == LAST ? "/last" : "/stuck", .timeout_ms = -1};
        call.done = outcome_done;
        call.arg = &o[i];
        if (i == LATE)
            call.timeout_ms = 5;
        r[i] = kube_do(t->client, &call);
    }
    WAIT_FOR(t, http_expect_used(stuck) == SENT);
    /* Streams pass by. */
    struct kube_call call = {
        .method = "GET", .path = "/stream", .chunk = outcome_chunk, .done = outcome_done, .arg = &stream};
    kube_do(t->client, &call);
    WAIT_FOR(t, http_expect_open(held));
    /* So does what is urgent. */
    struct kube_call urgent = {
        .method = "GET", .path = "/urgent", .urgent = true, .done = outcome_done, .arg = &passes};
    kube_do(t->client, &urgent);
    WAIT_FOR(t, passes.done);
    assert_null(passes.err);
    /* Those that wait can be cancelled, and their time does not pass. */
    kube_req_cancel(r[CANCELLED]);
    assert_int_equal(o[LATE].done, 0);
    assert_int_equal(http_expect_used(stuck), SENT);
    /* Each that ends lets one in; then its time begins. */
    kube_req_cancel(r[0]);
    WAIT_FOR(t, o[LATE].done);
    assert_int_equal(o[LATE].err->code, ERR_TIMEOUT);
    WAIT_FOR(t, http_expect_used(stuck) == SENT + 2);
    assert_int_equal(http_expect_used(last), 0);
    kube_req_cancel(r[1]);
    WAIT_FOR(t, o[LAST].done);
    assert_null(o[LAST].err);
    /* Some in flight, some waiting. */
    for (int i = 0; i < SENT; i++) {
        call = (struct kube_call){.method = "GET", .path = "/stuck", .done = outcome_done, .arg = &o[0]};
        kube_do(t->client, &call);
    }
    kube_client_free(t->client);
    t->client = NULL;
    fault_settle(t);
    assert_int_equal(o[0].done, 0);
    outcome_release(&o[LATE]);
    outcome_release(&o[LAST]);
    free(o);
}

#define REAL(fn) cmocka_unit_test_setup_teardown(fn, fault_setup, fault_teardown)
#define FAKE(fn) cmocka_unit_test_setup_teardown(fn, fault_setup_fake_clock, fault_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL(test_ended_by_warning),
        REAL(test_stream),
        REAL(test_paused_stream),
        REAL(test_stream_refused),
        FAKE(test_silent_stream),
        REAL(test_receiver_ends_stream),
        REAL(test_end_at_every_stage),
        REAL(test_end_within_own_callback),
        REAL(test_cancelled_by_another),
        REAL(test_many_at_once),
        REAL(test_queue),
    };

    return cmocka_run_group_tests_name("stream faults", tests, NULL, NULL);
}
