/* The log of a container, whatever becomes of its stream: every line once, in order, gaps told. */
#include "fake/fault.h"

#include "tail/pod_stream.h"

#define LOG              "/api/v1/namespaces/n/pods/p/log"
#define AT(second, rest) "2026-01-02T03:04:" second "." rest "Z "

struct reader {
    struct fault *t;
    struct tail_pod_stream *stream;
    struct buf lines; /* "[a][b]", gaps as "[gap]" */
    unsigned opened, away, ended, doubts;
    struct err *err; /* of the last state */
    size_t room;     /* lines until it is full; 0 = never */
};

static bool on_line(void *arg, const struct tail_line *line)
{
    struct reader *r = arg;

    if (line->flags & TAIL_GAP)
        buf_adds(&r->lines, "[gap]");
    else
        buf_addf(&r->lines, "[%.*s]", (int)line->len, line->text);
    return !r->room || --r->room > 0;
}

static void on_state(void *arg, enum tail_stream_state state, const struct err *err)
{
    struct reader *r = arg;

    r->opened += state == TAIL_STREAM_OPENED;
    r->away += state == TAIL_STREAM_AWAY;
    r->ended += state == TAIL_STREAM_ENDED;
    r->doubts += state == TAIL_STREAM_DOUBT;
    err_free(r->err);
    r->err = err ? err_copy(err) : NULL;
    if (state == TAIL_STREAM_ENDED)
        tail_pod_stream_free(TAKE_PTR(r->stream));
}

static void start(struct reader *r, struct fault *t, struct tail_pod_stream_options options)
{
    r->t = t;
    options.client = t->client;
    options.namespace = "n";
    options.pod = "p";
    options.container = "c";
    options.line = on_line;
    options.state = on_state;
    options.arg = r;
    r->stream = tail_pod_stream_new(&options);
}

static void reader_release(struct reader *r)
{
    tail_pod_stream_free(r->stream);
    buf_release(&r->lines);
    err_free(r->err);
}
#define _cleanup_reader_ _cleanup_(reader_release)

static const struct tail_pod_stream_options following = {.follow = true, .tail_lines = -1};

#define assert_lines(r, want) assert_string_equal(buf_str(&(r)->lines), want)

static void assert_param(struct fault *t, size_t request, const char *name, const char *want)
{
    _cleanup_free_ char *value = http_request_param(http_fake_request(t->server, request), name);

    if (want)
        assert_string_equal(value ? value : "(absent)", want);
    else
        assert_null(value);
}

static struct http_expect *held(struct fault *t)
{
    return http_fake_expect(
        t->server, "GET", LOG,
        (struct http_answer){.headers = "Content-Type: text/plain\r\n", .ending = HTTP_HELD});
}

static struct http_expect *whole(struct fault *t, const char *body)
{
    return http_fake_expect(t->server, "GET", LOG,
                            (struct http_answer){.headers = "Content-Type: text/plain\r\n", .body = body});
}

static void test_read_to_the_end(void **state)
{
    struct fault *t = *state;
    _cleanup_reader_ struct reader r = {0};

    whole(t, AT("05", "1") "one\n" AT("05", "2") "two\n" AT("05", "3") "no end");
    start(&r, t, (struct tail_pod_stream_options){.tail_lines = 7, .limit_bytes = 99, .previous = true});
    WAIT_FOR(t, r.ended);
    assert_null(r.err);
    assert_lines(&r, "[one][two][no end]");
    assert_param(t, 0, "container", "c");
    assert_param(t, 0, "timestamps", "true");
    assert_param(t, 0, "tailLines", "7");
    assert_param(t, 0, "limitBytes", "99");
    assert_param(t, 0, "previous", "true");
    assert_param(t, 0, "follow", NULL);
    assert_param(t, 0, "sinceTime", NULL);
}

/* Cut anywhere, by a reset or in order: the rest follows from where it was. */
static void test_cut_everywhere(void **state)
{
    static const char all[] =
        AT("05", "100") "a\n" AT("05", "200") "b\n" AT("06", "000") "c\n" AT("06", "5") "d\n";
    struct fault *t = *state;

    for (size_t at = 0; at < sizeof(all) - 1; at++)
        for (int reset = 0; reset <= 1; reset++) {
            _cleanup_reader_ struct reader r = {0};
            struct http_expect *first = held(t), *second = held(t);
            start(&r, t, following);
            WAIT_FOR(t, http_expect_open(first));
            if (at)
                http_fake_chunk_n(first, all, at);
            fault_settle(t);
            http_fake_cut(first, reset);
            WAIT_FOR(t, http_expect_used(second) == 1);
            /* The server gives everything of the second asked for. */
            _cleanup_free_ char *since =
                http_request_param(http_fake_request(t->server, SIZE_MAX), "sinceTime");
            const char *from = since && strstr(since, "06Z") ? strstr(all, "2026-01-02T03:04:06") : all;
            http_fake_chunk(second, from);
            http_fake_chunk(second, AT("07", "0") "e\n");
            WAIT_FOR(t, strstr(buf_str(&r.lines), "[e]"));
            assert_lines(&r, "[a][b][c][d][e]");
            assert_int_equal(r.ended, 0);
        }
}

static void test_clean_end_while_it_runs(void **state)
{
    struct fault *t = *state;
    _cleanup_reader_ struct reader r = {0};

    whole(t, AT("05", "1") "one\n" AT("05", "2") "tw");
    whole(t, AT("05", "1") "one\n" AT("05", "2") "two\n");
    whole(t, AT("05", "1") "one\n" AT("05", "2") "two\n");
    struct http_expect *last = whole(t, AT("05", "2") "two\n" AT("05", "3") "thr");
    /* Another look at what ends in half a line: as long as there is more than before. */
    whole(t, AT("05", "2") "two\n" AT("05", "3") "three");
    whole(t, AT("05", "2") "two\n" AT("05", "3") "three");
    start(&r, t, following);
    WAIT_FOR(t, r.away == 3);
    tail_pod_stream_container_ended(r.stream, false);
    WAIT_FOR(t, r.ended);
    assert_int_equal(http_expect_used(last), 1);
    assert_param(t, 3, "follow", NULL);
    assert_null(r.err);
    assert_lines(&r, "[one][two][three]");
}

/* The end of the stream and the news that the container has ended come in any order. */
static void test_container_ends(void **state)
{
    struct fault *t = *state;
    _cleanup_reader_ struct reader r = {0};
    struct http_expect *e = held(t);

    whole(t, AT("05", "1") "one\n" AT("05", "2") "last words\n");
    whole(t, AT("05", "1") "one\n" AT("05", "2") "last words\n");
    start(&r, t, following);
    WAIT_FOR(t, http_expect_open(e));
    http_fake_chunk(e, AT("05", "1") "one\n");
    WAIT_FOR(t, r.lines.len);
    tail_pod_stream_container_ended(r.stream, true);
    http_fake_finish(e);
    WAIT_FOR(t, r.ended);
    assert_lines(&r, "[one][last words]");
    assert_param(t, 1, "previous", "true");
}

static void test_rotated_away(void **state)
{
    struct fault *t = *state;
    _cleanup_reader_ struct reader r = {0};
    struct http_expect *e = held(t);

    whole(t, AT("05", "1") "one\n");
    start(&r, t, following);
    WAIT_FOR(t, http_expect_open(e));
    http_fake_chunk(e, AT("05", "1") "one\n" AT("05", "2") "two\n");
    WAIT_FOR(t, r.lines.len == 10);
    http_fake_cut(e, true);
    /* Once to be doubted, once to be believed as nobody objects. */
    whole(t, AT("09", "0") "ten\n");
    whole(t, AT("09", "0") "ten\n");
    http_fake_expect(t->server, "GET", LOG, (struct http_answer){.ending = HTTP_SILENT, .maybe = true});
    WAIT_FOR(t, strstr(buf_str(&r.lines), "ten"));
    assert_lines(&r, "[one][two][gap][ten]");
    assert_int_equal(r.doubts, 1);
}

/* What is read after a break is of the next run of the container, of which the owner hears a moment later. */
static void test_restarted_unheard(void **state)
{
    struct fault *t = *state;
    _cleanup_reader_ struct reader r = {0};
    struct http_expect *e = held(t);

    whole(t, AT("09", "0") "of the next run\n");
    whole(t, AT("05", "1") "one\n" AT("05", "2") "last words\n");
    whole(t, AT("05", "1") "one\n" AT("05", "2") "last words\n");
    start(&r, t, following);
    WAIT_FOR(t, http_expect_open(e));
    http_fake_chunk(e, AT("05", "1") "one\n");
    WAIT_FOR(t, r.lines.len);
    http_fake_cut(e, true);
    WAIT_FOR(t, r.doubts);
    tail_pod_stream_container_ended(r.stream, true);
    WAIT_FOR(t, r.ended);
    assert_lines(&r, "[one][last words]");
    assert_param(t, 2, "previous", "true");
}

/* The same, and the next run has not said anything yet. */
static void test_restarted_in_silence(void **state)
{
    struct fault *t = *state;
    _cleanup_reader_ struct reader r = {0};
    struct http_expect *first = held(t), *second = held(t);

    whole(t, AT("05", "1") "one\n" AT("05", "2") "last words\n");
    whole(t, AT("05", "1") "one\n" AT("05", "2") "last words\n");
    start(&r, t, following);
    WAIT_FOR(t, http_expect_open(first));
    http_fake_chunk(first, AT("05", "1") "one\n");
    WAIT_FOR(t, r.lines.len);
    http_fake_cut(first, true);
    WAIT_FOR(t, http_expect_open(second) && r.opened == 2);
    tail_pod_stream_container_ended(r.stream, true);
    WAIT_FOR(t, r.ended);
    assert_lines(&r, "[one][last words]");
    assert_param(t, 2, "previous", "true");
    assert_int_equal(r.doubts, 0);
}

static void test_server_away(void **state)
{
    struct fault *t = *state;
    _cleanup_reader_ struct reader r = {0};
    struct http_expect *e = held(t);

    start(&r, t, following);
    WAIT_FOR(t, http_expect_open(e));
    http_fake_chunk(e, AT("05", "1") "one\n");
    WAIT_FOR(t, r.lines.len);
    http_fake_refuse(t->server, true);
    WAIT_FOR(t, r.away >= 4);
    assert_non_null(r.err);
    assert_int_equal(r.err->code, ERR_UNAVAILABLE);
    e = held(t);
    http_fake_listen(t->server);
    WAIT_FOR(t, http_expect_open(e));
    http_fake_chunk(e, AT("05", "1") "one\n" AT("05", "2") "two\n");
    WAIT_FOR(t, strstr(buf_str(&r.lines), "two"));
    assert_lines(&r, "[one][two]");
    assert_int_equal(r.ended, 0);
}

static void status(struct fault *t, int code, const char *message)
{
    _cleanup_free_ char *body =
        xasprintf("{\"kind\":\"Status\",\"message\":\"%s\",\"code\":%d}", message, code);

    http_fake_expect(t->server, "GET", LOG, (struct http_answer){.status = code, .body = body});
}

static void test_not_yet_and_not_any_more(void **state)
{
    struct fault *t = *state;
    _cleanup_reader_ struct reader r = {0};

    status(t, 400, "container \\\"c\\\" in pod \\\"p\\\" is waiting to start: ContainerCreating");
    status(t, 500, "no");
    struct http_expect *e = held(t);
    start(&r, t, following);
    WAIT_FOR(t, r.away == 1);
    assert_non_null(strstr(r.err->message, "waiting to start"));
    WAIT_FOR(t, r.opened == 1);
    assert_int_equal(r.away, 2);
    status(t, 403, "no right");
    http_fake_finish(e);
    WAIT_FOR(t, r.err && r.err->code == ERR_FORBIDDEN);
    status(t, 404, "pods \\\"p\\\" not found");
    WAIT_FOR(t, r.ended);
    assert_int_equal(r.err->http, 404);
}

/* The last reading of an ended container breaks behind the API server, which ends the answer as if it were
 * whole; then that server is away for longer than a few tries, and refuses. */
static void test_last_words_are_cut(void **state)
{
    struct fault *t = *state;
    _cleanup_reader_ struct reader r = {0};
    struct http_expect *e = held(t);

    start(&r, t, following);
    WAIT_FOR(t, http_expect_open(e));
    http_fake_chunk(e, AT("05", "1") "one\n");
    WAIT_FOR(t, r.lines.len);
    tail_pod_stream_container_ended(r.stream, false);
    whole(t, AT("05", "1") "one\n" AT("05", "2") "two\n" AT("05", "3") "th");
    for (int i = 0; i < 7; i++)
        status(t, 503, "no");
    status(t, 401, "no");
    whole(t, AT("05", "1") "one\n" AT("05", "2") "two\n" AT("05", "3") "three\n" AT("05", "4") "four\n");
    whole(t, AT("05", "1") "one\n" AT("05", "2") "two\n" AT("05", "3") "three\n" AT("05", "4") "four\n");
    http_fake_finish(e);
    WAIT_FOR(t, r.ended);
    assert_null(r.err);
    assert_lines(&r, "[one][two][three][four]");
}

/* A kubelet that was started anew does not know its Pods at first. */
static void test_kubelet_does_not_know_it_yet(void **state)
{
    struct fault *t = *state;
    _cleanup_reader_ struct reader r = {0};
    struct http_expect *e = held(t);

    start(&r, t, (struct tail_pod_stream_options){.follow = true, .watched = true, .tail_lines = -1});
    WAIT_FOR(t, http_expect_open(e));
    http_fake_chunk(e, AT("05", "1") "one\n");
    WAIT_FOR(t, r.lines.len);
    status(t, 404, "the server could not find the requested resource");
    struct http_expect *again = held(t);
    http_fake_cut(e, true);
    WAIT_FOR(t, http_expect_open(again));
    http_fake_chunk(again, AT("05", "1") "one\n" AT("05", "2") "two\n");
    WAIT_FOR(t, strstr(buf_str(&r.lines), "two"));
    assert_lines(&r, "[one][two]");
    status(t, 404, "pods p not found");
    http_fake_cut(again, true);
    WAIT_FOR(t, r.err && r.err->http == 404);
    assert_int_equal(r.ended, 0);
    status(t, 404, "pods p not found");
    tail_pod_stream_orphan(r.stream);
    WAIT_FOR(t, r.ended);
    /* It broke off, and nobody can tell what came then. */
    assert_lines(&r, "[one][two][gap]");
}

/* The Pod is gone, and another one bears its name: what it writes is not this one's. */
static void test_another_of_the_same_name(void **state)
{
    struct fault *t = *state;
    _cleanup_reader_ struct reader r = {0};
    struct http_expect *e = held(t);

    start(&r, t, following);
    WAIT_FOR(t, http_expect_open(e));
    http_fake_chunk(e, AT("05", "1") "one\n");
    WAIT_FOR(t, r.lines.len);
    whole(t, AT("07", "1") "of another\n" AT("07", "2") "more of it\n");
    http_fake_finish(e);
    tail_pod_stream_orphan(r.stream);
    WAIT_FOR(t, r.ended);
    assert_null(r.err);
    assert_true(str_starts(buf_str(&r.lines), "[one]"));
    assert_null(strstr(buf_str(&r.lines), "of"));
}

/* It waited for its turn, and its container was started anew meanwhile: not the new one's log. */
static void test_restarted_before_its_turn(void **state)
{
    struct fault *t = *state;
    _cleanup_reader_ struct reader r = {0};

    whole(t, AT("05", "1") "one\n");
    whole(t, AT("05", "1") "one\n");
    start(&r, t, following);
    tail_pod_stream_container_ended(r.stream, true);
    WAIT_FOR(t, r.ended);
    assert_param(t, 0, "previous", "true");
    assert_param(t, 0, "follow", NULL);
    assert_lines(&r, "[one]");
}

static void test_without_follow_it_gives_up(void **state)
{
    struct fault *t = *state;
    _cleanup_reader_ struct reader r = {0};

    for (int i = 0; i < 5; i++)
        status(t, 500, "no");
    start(&r, t, (struct tail_pod_stream_options){.tail_lines = -1});
    WAIT_FOR(t, r.ended);
    assert_int_equal(r.err->http, 500);
    assert_int_equal(http_fake_count(t->server), 5);
}

static void test_since_is_exact(void **state)
{
    struct fault *t = *state;
    _cleanup_reader_ struct reader r = {0};

    whole(t, AT("05", "100") "a\n" AT("05", "200") "b\n" AT("05", "300") "c\n");
    /* 2026-01-02T03:04:05.2Z */
    start(&r, t,
          (struct tail_pod_stream_options){.tail_lines = -1, .since_ns = INT64_C(1767323045200000000)});
    WAIT_FOR(t, r.ended);
    assert_lines(&r, "[b][c]");
    assert_param(t, 0, "sinceTime", "2026-01-02T03:04:05Z");
}

static void test_full_owner(void **state)
{
    struct fault *t = *state;
    _cleanup_reader_ struct reader r = {.room = 1};
    struct http_expect *e = held(t);

    start(&r, t, following);
    WAIT_FOR(t, http_expect_open(e));
    http_fake_chunk(e, AT("05", "1") "one\n");
    WAIT_FOR(t, r.lines.len);
    http_fake_chunk(e, AT("05", "2") "two\n");
    fault_settle(t);
    assert_lines(&r, "[one]");
    tail_pod_stream_more(r.stream);
    WAIT_FOR(t, strstr(buf_str(&r.lines), "two"));
    http_fake_cut(e, true);
    held(t);
    WAIT_FOR(t, r.opened == 2);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fault_setup_fake_clock, fault_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_read_to_the_end),
        TEST(test_cut_everywhere),
        TEST(test_clean_end_while_it_runs),
        TEST(test_container_ends),
        TEST(test_rotated_away),
        TEST(test_restarted_unheard),
        TEST(test_restarted_in_silence),
        TEST(test_server_away),
        TEST(test_since_is_exact),
        TEST(test_not_yet_and_not_any_more),
        TEST(test_last_words_are_cut),
        TEST(test_kubelet_does_not_know_it_yet),
        TEST(test_another_of_the_same_name),
        TEST(test_restarted_before_its_turn),
        TEST(test_without_follow_it_gives_up),
        TEST(test_full_owner),
    };

    return cmocka_run_group_tests_name("tail faults", tests, NULL, NULL);
}
