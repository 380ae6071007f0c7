/* Events: written once, repeated as a series, never in the way. */
#include "fake/fault.h"

#include "base/timefmt.h"
#include "kube/recorder.h"

#define EVENTS "/apis/events.k8s.io/v1/namespaces/n/events"

static const struct kube_ref actor = {
    .api_version = "wasmctl.dev/v1alpha1", .kind = "WasmActor", .namespace = "n", .name = "a", .uid = "u-1"};

static void pass_ms(struct fault *t, int64_t ms)
{
    for (int64_t end_ms = loop_now_ms(t->loop) + ms; loop_now_ms(t->loop) < end_ms;)
        fault_turn(t);
}

static cJSON *body_of(struct fault *t, size_t n)
{
    const struct http_request *r = http_fake_request(t->server, n);
    cJSON *o = NULL;

    assert_non_null(r);
    assert_int_equal(json_parse(r->body, r->len, "body", &o, NULL), 0);
    return o;
}

static void test_new_event(void **state)
{
    struct fault *t = *state;
    struct kube_recorder *r = kube_recorder_new(t->client, "wasm-operator", "wasm-operator-1");
    struct http_expect *e =
        http_fake_expect(t->server, "POST", EVENTS, (struct http_answer){.status = 201, .body = "{}"});

    kube_record(r, &actor, "Normal", "Started", "Start", "started %d of %s", 3, "x");
    WAIT_FOR(t, http_expect_used(e));
    _cleanup_json_ cJSON *o = body_of(t, 0);
    static const char *const want[][2] = {
        {"apiVersion", "events.k8s.io/v1"},
        {"kind", "Event"},
        {"metadata.namespace", "n"},
        {"type", "Normal"},
        {"reason", "Started"},
        {"action", "Start"},
        {"note", "started 3 of x"},
        {"reportingController", "wasm-operator"},
        {"reportingInstance", "wasm-operator-1"},
        {"regarding.apiVersion", "wasmctl.dev/v1alpha1"},
        {"regarding.kind", "WasmActor"},
        {"regarding.namespace", "n"},
        {"regarding.name", "a"},
        {"regarding.uid", "u-1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_string_equal(json_str_or(o, want[i][0], ""), want[i][1]);
    assert_true(str_starts(json_str_or(o, "metadata.name", ""), "a."));
    int64_t ns;
    assert_int_equal(time_parse_rfc3339(json_str_or(o, "eventTime", ""), &ns, NULL), 0);
    pass_ms(t, 1000);
    assert_int_equal(http_fake_count(t->server), 1);
    kube_recorder_free(r);
}

static void test_series(void **state)
{
    struct fault *t = *state;
    struct kube_recorder *r = kube_recorder_new(t->client, "wasm-operator", NULL);
    struct http_expect *post =
        http_fake_expect(t->server, "POST", EVENTS, (struct http_answer){.status = 201, .body = "{}"});
    struct http_expect *patch =
        http_fake_expect(t->server, "PATCH", EVENTS "/a.", (struct http_answer){.body = "{}"});

    for (int i = 0; i < 100; i++)
        kube_record(r, &actor, "Warning", "Failed", "Start", "no host");
    WAIT_FOR(t, http_expect_used(post));
    pass_ms(t, 11 * 1000);
    /* Nothing is written by the clock alone. */
    assert_int_equal(http_fake_count(t->server), 1);
    assert_int_equal(kube_recorder_stats(r).recorded, 100);
    assert_int_equal(kube_recorder_stats(r).repeated, 99);
    assert_int_equal(kube_recorder_stats(r).dropped, 0);
    for (int i = 0; i < 100; i++)
        kube_record(r, &actor, "Warning", "Failed", "Start", "no host");
    WAIT_FOR(t, http_expect_used(patch));
    pass_ms(t, 1000);
    assert_int_equal(http_fake_count(t->server), 2);
    _cleanup_json_ cJSON *first = body_of(t, 0), *o = body_of(t, 1);
    _cleanup_free_ char *path = xasprintf(EVENTS "/%s", json_str_or(first, "metadata.name", ""));
    assert_string_equal(http_fake_request(t->server, 1)->path, path);
    assert_int_equal(json_int(o, "series.count", 0), 101);
    _cleanup_free_ char *type = http_request_header(http_fake_request(t->server, 1), "Content-Type");
    assert_string_equal(type, KUBE_MERGE_PATCH);
    /* Something else is an Event of its own; so is the same after the series is over. */
    struct http_expect *other =
        http_fake_expect(t->server, "POST", EVENTS, (struct http_answer){.status = 201, .body = "{}"});
    kube_record(r, &actor, "Warning", "Failed", "Start", "another note");
    WAIT_FOR(t, http_expect_used(other));
    pass_ms(t, 7 * 60 * 1000);
    struct http_expect *anew =
        http_fake_expect(t->server, "POST", EVENTS, (struct http_answer){.status = 201, .body = "{}"});
    kube_record(r, &actor, "Warning", "Failed", "Start", "no host");
    WAIT_FOR(t, http_expect_used(anew));
    kube_recorder_free(r);
}

static void test_server_errors_do_not_matter(void **state)
{
    static const int statuses[] = {400, 403, 404, 409, 422, 500, 503};
    struct fault *t = *state;
    struct kube_recorder *r = kube_recorder_new(t->client, "wasm-operator", NULL);

    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct http_expect *e =
            http_fake_expect(t->server, "POST", EVENTS, (struct http_answer){.status = statuses[i]});
        kube_record(r, &actor, "Normal", "Started", "Start", "note %zu", i);
        WAIT_FOR(t, http_expect_used(e));
    }
    http_fake_refuse(t->server, true);
    kube_record(r, &actor, "Normal", "Started", "Start", "refused");
    pass_ms(t, 1000);
    http_fake_listen(t->server);
    struct http_expect *e =
        http_fake_expect(t->server, "POST", EVENTS, (struct http_answer){.status = 201, .body = "{}"});
    kube_record(r, &actor, "Normal", "Started", "Start", "at last");
    WAIT_FOR(t, http_expect_used(e));
    assert_int_equal(kube_recorder_stats(r).recorded, ARRAY_LEN(statuses) + 2);
    assert_int_equal(kube_recorder_stats(r).dropped, ARRAY_LEN(statuses) + 1);
    kube_recorder_free(r);
}

static void test_flood(void **state)
{
    enum { MANY = 5000, MOST = 1000 };
    struct fault *t = *state;
    struct kube_recorder *r = kube_recorder_new(t->client, "wasm-operator", NULL);
    struct http_expect *e = http_fake_expect(
        t->server, "POST", EVENTS, (struct http_answer){.status = 201, .body = "{}", .repeat = true});

    for (int i = 0; i < MANY; i++)
        kube_record(r, &actor, "Normal", "Started", "Start", "note %d", i);
    WAIT_FOR(t, http_expect_used(e) == MOST);
    pass_ms(t, 1000);
    assert_int_equal(kube_recorder_stats(r).recorded, MANY);
    assert_int_equal(kube_recorder_stats(r).dropped, MANY - MOST);
    /* There is room again. */
    kube_record(r, &actor, "Normal", "Started", "Start", "afterwards");
    WAIT_FOR(t, http_expect_used(e) == MOST + 1);
    kube_recorder_free(r);
}

/* A server that does not answer is asked for eight at a time: Events leave room for everything else. */
static void test_few_at_a_time(void **state)
{
    enum { MANY = 100, AT_A_TIME = 8 };
    struct fault *t = *state;
    struct kube_recorder *r = kube_recorder_new(t->client, "wasm-operator", NULL);
    struct http_expect *e = http_fake_expect(t->server, "POST", EVENTS,
                                             (struct http_answer){.ending = HTTP_SILENT, .repeat = true});

    for (int i = 0; i < MANY; i++)
        kube_record(r, &actor, "Normal", "Started", "Start", "note %d", i);
    WAIT_FOR(t, http_expect_used(e) == AT_A_TIME);
    fault_settle(t);
    assert_int_equal(http_expect_used(e), AT_A_TIME);
    kube_recorder_free(r);
}

static void test_long_texts(void **state)
{
    struct fault *t = *state;
    struct kube_recorder *r = kube_recorder_new(t->client, "wasm-operator", NULL);
    _cleanup_buf_ struct buf note = BUF_INIT;
    _cleanup_free_ char *name = xmalloc(254);
    struct kube_ref long_name = actor;

    for (int i = 0; i < 1000; i++)
        buf_adds(&note, "\xe2\x82\xac"); /* three bytes each: the cut must not fall within one */
    memset(name, 'n', 253);
    name[253] = '\0';
    long_name.name = name;
    struct http_expect *e =
        http_fake_expect(t->server, "POST", EVENTS, (struct http_answer){.status = 201, .body = "{}"});
    kube_record(r, &long_name, "Normal", "Started", "Start", "%s", buf_str(&note));
    WAIT_FOR(t, http_expect_used(e));
    _cleanup_json_ cJSON *o = body_of(t, 0);
    const char *sent = json_str_or(o, "note", "");
    assert_in_range(strlen(sent), 1000, 1024);
    assert_string_equal(sent + strlen(sent) - 3, "...");
    assert_int_equal((strlen(sent) - 3) % 3, 0);
    assert_in_range(strlen(json_str_or(o, "metadata.name", "")), 100, 253);
    kube_recorder_free(r);
}

static void test_cluster_scoped(void **state)
{
    struct fault *t = *state;
    struct kube_recorder *r = kube_recorder_new(t->client, "wasm-operator", NULL);
    struct kube_ref node = {.api_version = "v1", .kind = "Node", .name = "x"};
    struct http_expect *e =
        http_fake_expect(t->server, "POST", "/apis/events.k8s.io/v1/namespaces/default/events",
                         (struct http_answer){.status = 201, .body = "{}"});

    kube_record(r, &node, "Normal", "Started", "Start", "note");
    WAIT_FOR(t, http_expect_used(e));
    kube_recorder_free(r);
}

static void test_freed_in_flight(void **state)
{
    struct fault *t = *state;
    struct kube_recorder *r = kube_recorder_new(t->client, "wasm-operator", NULL);
    struct http_expect *e =
        http_fake_expect(t->server, "POST", EVENTS, (struct http_answer){.ending = HTTP_SILENT});

    kube_record(r, &actor, "Normal", "Started", "Start", "one");
    WAIT_FOR(t, http_expect_used(e));
    kube_record(r, &actor, "Normal", "Started", "Start", "two");
    kube_recorder_free(r);
    WAIT_FOR(t, !http_expect_open(e));
    kube_recorder_free(NULL);
}

/* Warnings go first and at once; Normal ones wait a second, or until they are flushed. */
static void test_normal_ones_wait(void **state)
{
    struct fault *t = *state;
    struct kube_recorder *r = kube_recorder_new(t->client, "wasm-operator", NULL);
    struct http_expect *e = http_fake_expect(
        t->server, "POST", EVENTS, (struct http_answer){.status = 201, .body = "{}", .repeat = true});

    int64_t began = loop_now_ms(t->loop);
    kube_record(r, &actor, "Normal", "Started", "Start", "calm");
    kube_record(r, &actor, "Warning", "Failed", "Start", "loud");
    WAIT_FOR(t, http_expect_used(e) == 1);
    _cleanup_json_ cJSON *first = body_of(t, 0);
    assert_string_equal(json_str_or(first, "note", ""), "loud");
    WAIT_FOR(t, http_expect_used(e) == 2);
    assert_true(loop_now_ms(t->loop) - began >= 1000);
    kube_record(r, &actor, "Normal", "Started", "Start", "flushed");
    fault_settle(t);
    assert_int_equal(http_expect_used(e), 2);
    kube_recorder_flush(r);
    WAIT_FOR(t, http_expect_used(e) == 3);
    kube_recorder_free(r);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fault_setup_fake_clock, fault_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_new_event),  TEST(test_series),          TEST(test_server_errors_do_not_matter),
        TEST(test_flood),      TEST(test_few_at_a_time),   TEST(test_cluster_scoped),
        TEST(test_long_texts), TEST(test_freed_in_flight), TEST(test_normal_ones_wait),
    };

    return cmocka_run_group_tests_name("recorder faults", tests, NULL, NULL);
}
