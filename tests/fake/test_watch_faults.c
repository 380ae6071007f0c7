/* List and watch, and the informer, when the server ends, forgets, lies or goes away. */
#include "fake/fault.h"

#include "kube/informer.h"

#define MAPS    "/api/v1/configmaps"
#define LISTS   MAPS "?limit="
#define WATCHES MAPS "?watch=true"

#define OBJECT(name, version)      "{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version "\"}}"
#define EVENT(type, name, version) "{\"type\":\"" type "\",\"object\":" OBJECT(name, version) "}\n"
#define LIST_PAGE(version, next, items)                                                                      \
    "{\"kind\":\"ConfigMapList\",\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" next     \
    "\"},\"items\":[" items "]}"
#define LIST(version, items) LIST_PAGE(version, "", items)
#define GONE                                                                                                 \
    "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"too "                                         \
    "old\",\"reason\":\"Expired\",\"code\":410}"
#define GONE_EVENT "{\"type\":\"ERROR\",\"object\":" GONE "}\n"

/* Everything that was told, in words. The watch is freed when the word `end_at` is told. */
struct seen {
    struct kube_watch *watch;
    struct kube_informer *informer;
    char **log;
    const char *end_at;
    bool ended;
};

static void told(struct seen *s, char *word)
{
    assert_false(s->ended);
    strv_push(&s->log, word);
    if (s->end_at && str_starts(word, s->end_at)) {
        s->ended = true;
        kube_watch_free(TAKE_PTR(s->watch));
        kube_informer_free(TAKE_PTR(s->informer));
    }
    free(word);
}

static void on_event(void *arg, enum kube_event type, cJSON *object)
{
    static const char *const names[] = {"added", "modified", "deleted"};

    told(arg, xasprintf("%s %s %s", names[type], json_str_or(object, "metadata.name", "?"),
                        json_str_or(object, "metadata.resourceVersion", "?")));
}

static void on_relist(void *arg)
{
    told(arg, xstrdup("relist"));
}

static void on_synced(void *arg)
{
    told(arg, xstrdup("synced"));
}

static void on_state(void *arg, const struct err *err)
{
    told(arg, err ? xasprintf("down %s", err_code_name(err->code)) : xstrdup("up"));
}

static struct kube_watch_options watch_options(struct seen *s)
{
    return (struct kube_watch_options){.resource = kube_builtin_find("configmaps"),
                                       .event = on_event,
                                       .relist = on_relist,
                                       .synced = on_synced,
                                       .state = on_state,
                                       .arg = s};
}

static void begin(struct fault *t, struct seen *s)
{
    struct kube_watch_options options = watch_options(s);

    *s = (struct seen){.log = strv_new(), .end_at = s->end_at};
    s->watch = kube_watch_new(t->client, &options);
}

static void end(struct seen *s)
{
    kube_watch_free(s->watch);
    kube_informer_free(s->informer);
    strv_free(s->log);
    s->log = NULL;
}

static bool has_told(const struct seen *s, const char *word)
{
    return strv_has(s->log, word);
}

static size_t times_told(const struct seen *s, const char *prefix)
{
    size_t n = 0;

    for (size_t i = 0; s->log[i]; i++)
        n += str_starts(s->log[i], prefix);
    return n;
}

static void assert_log(const struct seen *s, const char *want)
{
    _cleanup_free_ char *all = strv_join(s->log, ", ");
    assert_string_equal(all, want);
}

static struct http_expect *expect_list(struct fault *t, const char *body)
{
    return http_fake_expect(t->server, "GET", LISTS, (struct http_answer){.body = body});
}

static struct http_expect *expect_watch(struct fault *t, const char *version)
{
    _cleanup_free_ char *prefix = xasprintf(WATCHES "&allowWatchBookmarks=true&resourceVersion=%s&", version);
    return http_fake_expect(t->server, "GET", prefix, (struct http_answer){.ending = HTTP_HELD});
}

static void pass_ms(struct fault *t, int64_t ms)
{
    for (int64_t end_ms = loop_now_ms(t->loop) + ms; loop_now_ms(t->loop) < end_ms;)
        fault_turn(t);
}

/* Time until the expectation is used. */
static int64_t until_used(struct fault *t, const struct http_expect *e)
{
    int64_t from = loop_now_ms(t->loop);

    WAIT_FOR(t, http_expect_used(e));
    return loop_now_ms(t->loop) - from;
}

static void test_resumes_from_bookmark(void **state)
{
    struct fault *t = *state;
    struct seen s = {0};

    expect_list(t, LIST("10", OBJECT("a", "3")));
    struct http_expect *first = expect_watch(t, "10"), *second = expect_watch(t, "20"),
                       *third = expect_watch(t, "20");
    begin(t, &s);
    WAIT_FOR(t, http_expect_used(first));
    http_fake_chunk(first, EVENT("ADDED", "b", "11") EVENT("BOOKMARK", "", "20"));
    pass_ms(t, 6000);
    http_fake_finish(first);
    /* A watch that lived long ends in peace: at once again. */
    assert_in_range(until_used(t, second), 0, 100);
    /* One that did not: a little later. */
    http_fake_finish(second);
    assert_in_range(until_used(t, third), 150, 350);
    http_fake_chunk(third, EVENT("DELETED", "b", "21"));
    WAIT_FOR(t, has_told(&s, "deleted b 21"));
    assert_log(&s, "relist, added a 3, synced, added b 11, deleted b 21");
    end(&s);
}

static void test_selectors(void **state)
{
    struct fault *t = *state;
    struct seen s = {.log = strv_new()};
    struct kube_watch_options options = watch_options(&s);

    options.namespace = "n";
    options.label_selector = "app in (a,b)";
    options.field_selector = "metadata.name=x&limit=1";
    options.page_size = 7;
    http_fake_expect(t->server, "GET",
                     "/api/v1/namespaces/n/configmaps?limit=7&labelSelector=app%20in%20%28a%2Cb%29&"
                     "fieldSelector=metadata.name%3Dx%26limit%3D1",
                     (struct http_answer){.body = LIST("1", "")});
    struct http_expect *e = http_fake_expect(t->server, "GET", "/api/v1/namespaces/n/configmaps?watch=true",
                                             (struct http_answer){.ending = HTTP_HELD});
    s.watch = kube_watch_new(t->client, &options);
    WAIT_FOR(t, http_expect_used(e));
    _cleanup_free_ char *label = http_request_param(http_fake_request(t->server, 1), "labelSelector");
    assert_string_equal(label, "app%20in%20%28a%2Cb%29");
    end(&s);
}

/* Cut anywhere: what was whole counts, the rest is asked for again, nothing is lost or told twice. */
static void test_cut_at_every_byte(void **state)
{
    static const char *const events[] = {EVENT("ADDED", "b", "11"), EVENT("MODIFIED", "b", "12"),
                                         EVENT("BOOKMARK", "", "15"), EVENT("DELETED", "b", "16")};
    static const char *const versions[] = {"11", "12", "15", "16"};
    struct fault *t = *state;
    _cleanup_buf_ struct buf all = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        buf_adds(&all, events[i]);
    for (size_t at = 0; at <= all.len; at++) {
        struct seen s = {0};
        const char *from = "10";
        size_t whole = 0, first_left = 0;
        while (first_left < ARRAY_LEN(events) && whole + strlen(events[first_left]) <= at) {
            from = versions[first_left];
            whole += strlen(events[first_left++]);
        }
        expect_list(t, LIST("10", ""));
        struct http_expect *cut = expect_watch(t, "10"), *rest = expect_watch(t, from);
        begin(t, &s);
        WAIT_FOR(t, http_expect_used(cut));
        http_fake_chunk_n(cut, buf_str(&all), at);
        fault_settle(t);
        if (at % 3 == 2)
            http_fake_finish(cut);
        else
            http_fake_cut(cut, at % 3 == 1);
        WAIT_FOR(t, http_expect_used(rest));
        for (size_t i = first_left; i < ARRAY_LEN(events); i++)
            http_fake_chunk(rest, events[i]);
        WAIT_FOR(t, has_told(&s, "deleted b 16"));
        assert_int_equal(times_told(&s, "added b 11"), 1);
        assert_int_equal(times_told(&s, "modified b 12"), 1);
        assert_int_equal(times_told(&s, "deleted b 16"), 1);
        assert_int_equal(times_told(&s, "relist"), 1);
        end(&s);
        fault_settle(t);
    }
}

static void test_byte_by_byte(void **state)
{
    static const char text[] = EVENT("ADDED", "b", "11") "\n\n" EVENT("DELETED", "b", "12");
    struct fault *t = *state;
    struct seen s = {0};

    expect_list(t, LIST("10", ""));
    struct http_expect *e = expect_watch(t, "10");
    begin(t, &s);
    WAIT_FOR(t, http_expect_used(e));
    for (size_t i = 0; text[i]; i++) {
        http_fake_chunk_n(e, text + i, 1);
        fault_settle(t);
    }
    WAIT_FOR(t, has_told(&s, "deleted b 12"));
    assert_log(&s, "relist, synced, added b 11, deleted b 12");
    end(&s);
}

static void test_gone(void **state)
{
    struct fault *t = *state;

    for (int as_event = 0; as_event <= 1; as_event++) {
        struct seen s = {0};
        struct http_expect *e;
        expect_list(t, LIST("10", OBJECT("a", "3")));
        if (as_event)
            e = expect_watch(t, "10");
        else
            e = http_fake_expect(t->server, "GET", WATCHES,
                                 (struct http_answer){.status = 410, .body = GONE});
        expect_list(t, LIST("50", OBJECT("a", "3") "," OBJECT("c", "40")));
        struct http_expect *again = expect_watch(t, "50");
        begin(t, &s);
        WAIT_FOR(t, http_expect_used(e));
        http_fake_chunk(e, EVENT("ADDED", "b", "11") GONE_EVENT EVENT("ADDED", "never", "12"));
        WAIT_FOR(t, http_expect_used(again));
        if (as_event)
            assert_log(&s, "relist, added a 3, synced, added b 11, relist, added a 3, added c 40, synced");
        else
            assert_log(&s, "relist, added a 3, synced, relist, added a 3, added c 40, synced");
        end(&s);
    }
}

static void test_gone_for_ever(void **state)
{
    struct fault *t = *state;
    struct seen s = {0};

    http_fake_expect(t->server, "GET", LISTS, (struct http_answer){.body = LIST("10", ""), .repeat = true});
    http_fake_expect(t->server, "GET", WATCHES,
                     (struct http_answer){.status = 410, .body = GONE, .repeat = true});
    begin(t, &s);
    pass_ms(t, 60 * 1000);
    /* 0.2 s, doubled up to half a minute. */
    assert_in_range(times_told(&s, "relist"), 4, 12);
    end(&s);
}

static void test_pages(void **state)
{
    struct fault *t = *state;
    struct seen s = {0};

    expect_list(t, LIST_PAGE("10", "a b&c", OBJECT("a", "1")));
    http_fake_expect(t->server, "GET", LISTS "500&continue=a%20b%26c",
                     (struct http_answer){.body = LIST_PAGE("10", "two", OBJECT("b", "2"))});
    http_fake_expect(t->server, "GET", LISTS "500&continue=two",
                     (struct http_answer){.body = LIST("10", OBJECT("c", "3"))});
    struct http_expect *e = expect_watch(t, "10");
    begin(t, &s);
    WAIT_FOR(t, http_expect_used(e));
    assert_log(&s, "relist, added a 1, added b 2, added c 3, synced");
    end(&s);
}

static void test_token_expired(void **state)
{
    struct fault *t = *state;
    struct seen s = {0};
    struct http_answer gone = {.status = 410, .body = GONE};

    expect_list(t, LIST_PAGE("10", "x", OBJECT("a", "1")));
    http_fake_expect(t->server, "GET", LISTS "500&continue=x", gone);
    expect_list(t, LIST_PAGE("20", "y", OBJECT("a", "1")));
    /* A second time in the same list is a failure like others. */
    http_fake_expect(t->server, "GET", LISTS "500&continue=y", gone);
    expect_list(t, LIST("30", OBJECT("b", "21")));
    struct http_expect *e = expect_watch(t, "30");
    begin(t, &s);
    WAIT_FOR(t, has_told(&s, "up"));
    assert_int_equal(http_expect_used(e), 1);
    assert_log(&s, "relist, added a 1, relist, added a 1, down GONE, relist, added b 21, synced, up");
    end(&s);
}

static void test_down_and_up(void **state)
{
    struct fault *t = *state;
    struct seen s = {0};

    expect_list(t, LIST("10", ""));
    struct http_expect *first = expect_watch(t, "10"), *second = expect_watch(t, "11");
    begin(t, &s);
    WAIT_FOR(t, http_expect_used(first));
    http_fake_chunk(first, EVENT("ADDED", "b", "11"));
    WAIT_FOR(t, has_told(&s, "added b 11"));
    http_fake_refuse(t->server, true);
    pass_ms(t, 120 * 1000);
    assert_in_range(kube_client_requests(t->client), 8, 20);
    http_fake_listen(t->server);
    assert_in_range(until_used(t, second), 0, 36 * 1000);
    WAIT_FOR(t, has_told(&s, "up"));
    assert_log(&s, "relist, synced, added b 11, down UNAVAILABLE, down UNAVAILABLE, up");
    end(&s);
}

static void test_down_from_the_start(void **state)
{
    struct fault *t = *state;
    struct seen s = {0};

    http_fake_refuse(t->server, true);
    begin(t, &s);
    pass_ms(t, 3000);
    expect_list(t, LIST("10", ""));
    expect_watch(t, "10");
    http_fake_listen(t->server);
    WAIT_FOR(t, has_told(&s, "up"));
    assert_log(&s, "down UNAVAILABLE, relist, synced, up");
    end(&s);
}

static void test_forbidden_then_allowed(void **state)
{
    struct fault *t = *state;
    struct seen s = {0};
    struct http_answer no = {.status = 403,
                             .body = "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"code\":403}"};

    for (int i = 0; i < 3; i++)
        http_fake_expect(t->server, "GET", LISTS, no);
    expect_list(t, LIST("10", ""));
    for (int i = 0; i < 3; i++)
        http_fake_expect(t->server, "GET", WATCHES, no);
    expect_watch(t, "10");
    begin(t, &s);
    WAIT_FOR(t, has_told(&s, "up"));
    assert_log(&s, "down FORBIDDEN, relist, synced, up");
    end(&s);
}

static void test_another_reason_is_told(void **state)
{
    struct fault *t = *state;
    struct seen s = {0};

    http_fake_expect(t->server, "GET", LISTS, (struct http_answer){.status = 403});
    http_fake_expect(t->server, "GET", LISTS, (struct http_answer){.status = 500});
    http_fake_expect(t->server, "GET", LISTS, (struct http_answer){.status = 500});
    expect_list(t, LIST("10", ""));
    expect_watch(t, "10");
    begin(t, &s);
    WAIT_FOR(t, has_told(&s, "up"));
    assert_log(&s, "down FORBIDDEN, down SERVER, relist, synced, up");
    end(&s);
}

/* Answers that are no list must not pass for an empty one. */
static void test_no_list(void **state)
{
    static const char *const bodies[] = {"",
                                         "{}",
                                         "[]",
                                         "null",
                                         "7",
                                         "<html>login please</html>",
                                         "{\"kind\":\"Status\",\"metadata\":{\"resourceVersion\":\"1\"}}",
                                         "{\"kind\":\"ConfigMapList\",\"items\":[]}",
                                         "{\"kind\":\"ConfigMapList\",\"metadata\":7,\"items\":7}"};
    struct fault *t = *state;

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct seen s = {0};
        expect_list(t, bodies[i]);
        expect_list(t, LIST("10", "7,null,\"x\"," OBJECT("a", "1")));
        expect_watch(t, "10");
        begin(t, &s);
        WAIT_FOR(t, has_told(&s, "up"));
        assert_int_equal(times_told(&s, "down"), 1);
        assert_int_equal(times_told(&s, "synced"), 1);
        assert_true(has_told(&s, "added a 1"));
        end(&s);
    }
}

static void test_broken_events(void **state)
{
    static const char *const lines[] = {
        "garbage\n",
        "{\n",
        "null\n",
        "[]\n",
        "17\n",
        "{\"type\":\"ADDED\"}\n",
        "{\"type\":\"ADDED\",\"object\":null}\n",
        "{\"type\":\"ADDED\",\"object\":[]}\n",
        "{\"type\":\"ERROR\"}\n",
        "{\"type\":\"ERROR\",\"object\":{}}\n",
        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":500}}\n"};
    struct fault *t = *state;

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct seen s = {0};
        expect_list(t, LIST("10", ""));
        struct http_expect *bad = expect_watch(t, "10"), *good = expect_watch(t, "11");
        begin(t, &s);
        WAIT_FOR(t, http_expect_used(bad));
        http_fake_chunk(bad, EVENT("ADDED", "b", "11"));
        http_fake_chunk(bad, lines[i]);
        http_fake_chunk(bad, EVENT("ADDED", "never", "12"));
        WAIT_FOR(t, http_expect_used(good));
        WAIT_FOR(t, has_told(&s, "up"));
        assert_int_equal(times_told(&s, "down"), 1);
        assert_int_equal(times_told(&s, "added"), 1);
        assert_int_equal(times_told(&s, "relist"), 1);
        end(&s);
    }
}

static void test_unknown_type(void **state)
{
    struct fault *t = *state;
    struct seen s = {0};

    expect_list(t, LIST("10", ""));
    struct http_expect *e = expect_watch(t, "10");
    begin(t, &s);
    WAIT_FOR(t, http_expect_used(e));
    http_fake_chunk(e, EVENT("TELEPORTED", "b", "11") EVENT("", "b", "11") EVENT("ADDED", "b", "12"));
    WAIT_FOR(t, has_told(&s, "added b 12"));
    assert_log(&s, "relist, synced, added b 12");
    end(&s);
}

static void test_too_large_event(void **state)
{
    enum { PIECE = 1 << 20 };
    struct fault *t = *state;
    struct seen s = {0};
    _cleanup_free_ char *piece = xmalloc(PIECE);

    memset(piece, ' ', PIECE);
    expect_list(t, LIST("10", ""));
    struct http_expect *e = expect_watch(t, "10"), *again = expect_watch(t, "10");
    begin(t, &s);
    WAIT_FOR(t, http_expect_used(e));
    for (int i = 0; i < 40 && http_fake_chunk_n(e, piece, PIECE); i++)
        fault_settle(t);
    WAIT_FOR(t, has_told(&s, "down TOO_LARGE"));
    WAIT_FOR(t, http_expect_used(again));
    assert_false(http_expect_open(e));
    end(&s);
}

static void test_no_hot_loop(void **state)
{
    struct fault *t = *state;
    struct seen s = {0};

    /* Opened and ended at once, again and again. */
    expect_list(t, LIST("10", ""));
    http_fake_expect(t->server, "GET", WATCHES, (struct http_answer){.repeat = true});
    begin(t, &s);
    pass_ms(t, 60 * 1000);
    assert_in_range(kube_client_requests(t->client), 5, 12);
    end(&s);
}

static void test_silence(void **state)
{
    struct fault *t = *state;
    struct seen s = {.log = strv_new()};
    struct kube_watch_options options = watch_options(&s);

    options.silence_ms = 20 * 1000;
    expect_list(t, LIST("10", ""));
    struct http_expect *first = expect_watch(t, "10"), *second = expect_watch(t, "12");
    s.watch = kube_watch_new(t->client, &options);
    WAIT_FOR(t, http_expect_used(first));
    pass_ms(t, 15 * 1000);
    http_fake_chunk(first, EVENT("BOOKMARK", "", "12"));
    pass_ms(t, 15 * 1000);
    assert_int_equal(http_expect_used(second), 0);
    assert_in_range(until_used(t, second), 4000, 6000);
    /* Renewing is no failure. */
    assert_log(&s, "relist, synced");
    WAIT_FOR(t, !http_expect_open(first));
    end(&s);
}

/* Freed in each of its own functions. */
static void test_free_watch_within(void **state)
{
    static const char *const words[] = {"relist",     "added a",   "added b", "synced", "added c",
                                        "modified c", "deleted c", "down",    "up"};
    struct fault *t = *state;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct seen s = {.end_at = words[i]};
        struct http_answer page = {.body = LIST("10", OBJECT("a", "1") "," OBJECT("b", "2")), .maybe = true};
        struct http_answer held = {.ending = HTTP_HELD, .maybe = true};
        fault_client(t, (struct kube_config){0}, NULL);
        http_fake_expect(t->server, "GET", LISTS, page);
        struct http_expect *e = http_fake_expect(t->server, "GET", WATCHES, held);
        struct http_expect *again = http_fake_expect(t->server, "GET", WATCHES, held);
        begin(t, &s);
        for (int64_t since = 0; !s.ended && !http_expect_used(e) && fault_patient(&since);)
            fault_turn(t);
        http_fake_chunk(e,
                        EVENT("ADDED", "c", "11") EVENT("MODIFIED", "c", "12") EVENT("DELETED", "c", "13"));
        fault_settle(t);
        if (!s.ended) {
            http_fake_cut(e, true);
            WAIT_FOR(t, s.ended);
        }
        pass_ms(t, 1000);
        assert_null(s.watch);
        assert_int_equal(times_told(&s, words[i]), 1);
        end(&s);
        /* What was not asked for must not serve the next round. */
        if (!http_expect_used(e) || !http_expect_used(again)) {
            fault_teardown((void **)&t);
            fault_setup_fake_clock((void **)&t);
            *state = t;
        }
    }
}

/* Informer */

static void *to_version(void *arg _unused_, cJSON *object)
{
    const char *name = json_str_or(object, "metadata.name", "");

    return streq(name, "hidden") ? NULL : xstrdup(json_str_or(object, "metadata.resourceVersion", ""));
}

static void on_changed(void *arg, const char *key, const void *old, const void *now)
{
    told(arg, xasprintf("%s %s>%s", key, old ? (const char *)old : "", now ? (const char *)now : ""));
}

static void begin_informer(struct fault *t, struct seen *s)
{
    struct kube_informer_options options = {.resource = kube_builtin_find("configmaps"),
                                            .transform = to_version,
                                            .free_object = free,
                                            .changed = on_changed,
                                            .synced = on_synced,
                                            .state = on_state,
                                            .arg = s};

    *s = (struct seen){.log = strv_new(), .end_at = s->end_at};
    s->informer = kube_informer_new(t->client, &options);
}

static void test_informer_after_gone(void **state)
{
    struct fault *t = *state;
    struct seen s = {0};

    expect_list(
        t, LIST("10", OBJECT("a", "1") "," OBJECT("b", "2") "," OBJECT("c", "3") "," OBJECT("hidden", "4")));
    struct http_expect *first = expect_watch(t, "10");
    begin_informer(t, &s);
    WAIT_FOR(t, http_expect_used(first));
    assert_true(kube_informer_synced(s.informer));
    assert_int_equal(kube_informer_len(s.informer), 3);
    /* Meanwhile b was deleted, c changed, d came. */
    expect_list(t, LIST_PAGE("50", "x", OBJECT("a", "1")));
    http_fake_expect(t->server, "GET", LISTS "500&continue=x",
                     (struct http_answer){.body = LIST("50", OBJECT("c", "33") "," OBJECT("d", "44"))});
    struct http_expect *second = expect_watch(t, "50");
    http_fake_chunk(first, EVENT("DELETED", "unknown", "11") GONE_EVENT);
    WAIT_FOR(t, http_expect_used(second));
    http_fake_chunk(second,
                    EVENT("DELETED", "a", "51") EVENT("DELETED", "b", "52") EVENT("MODIFIED", "d", "44"));
    WAIT_FOR(t, has_told(&s, "a 1>"));
    assert_log(&s, "a >1, b >2, c >3, synced, c 3>33, d >44, b 2>, a 1>");
    assert_int_equal(kube_informer_len(s.informer), 2);
    assert_string_equal(kube_informer_get(s.informer, "d"), "44");
    assert_null(kube_informer_get(s.informer, "b"));
    end(&s);
}

static void observe(struct seen *s, const char *object)
{
    kube_informer_observe(s->informer, object, strlen(object));
}

/* An answer to a write is known before the watch tells it, and what the watch still has to tell does not turn
 * it back. */
static void test_informer_own_writes(void **state)
{
    struct fault *t = *state;
    struct seen s = {0};

    expect_list(t, LIST("10", OBJECT("a", "1") "," OBJECT("b", "2")));
    struct http_expect *first = expect_watch(t, "10");
    begin_informer(t, &s);
    WAIT_FOR(t, http_expect_used(first));
    observe(&s, OBJECT("a", "15"));
    assert_string_equal(kube_informer_get(s.informer, "a"), "15");
    observe(&s, OBJECT("a", "14"));
    observe(&s, OBJECT("a", "x"));
    observe(&s, OBJECT("unknown", "16"));
    observe(&s, "{");
    http_fake_chunk(first,
                    EVENT("MODIFIED", "a", "12") EVENT("MODIFIED", "a", "15") EVENT("MODIFIED", "a", "17"));
    WAIT_FOR(t, has_told(&s, "a 15>17"));
    /* One that was deleted meanwhile stays away; a list holds whatever it says. */
    observe(&s, OBJECT("b", "20"));
    observe(&s, OBJECT("a", "21"));
    http_fake_chunk(first, EVENT("DELETED", "b", "22"));
    WAIT_FOR(t, has_told(&s, "b 20>"));
    observe(&s, OBJECT("b", "21"));
    expect_list(t, LIST("5", OBJECT("a", "4")));
    struct http_expect *second = expect_watch(t, "5");
    http_fake_chunk(first, GONE_EVENT);
    WAIT_FOR(t, http_expect_used(second));
    assert_log(&s, "a >1, b >2, synced, a 1>15, a 15>17, b 2>20, a 17>21, b 20>, a 21>4");
    end(&s);
}

/* A list that breaks in the middle deletes nothing. */
static void test_informer_half_list(void **state)
{
    struct fault *t = *state;
    struct seen s = {0};

    expect_list(t, LIST("10", OBJECT("a", "1") "," OBJECT("b", "2")));
    struct http_expect *first = expect_watch(t, "10");
    begin_informer(t, &s);
    WAIT_FOR(t, http_expect_used(first));
    expect_list(t, LIST_PAGE("50", "x", OBJECT("a", "1")));
    http_fake_expect(t->server, "GET", LISTS "500&continue=x", (struct http_answer){.status = 500});
    expect_list(t, LIST("60", OBJECT("a", "1") "," OBJECT("b", "2")));
    struct http_expect *second = expect_watch(t, "60");
    http_fake_chunk(first, GONE_EVENT);
    WAIT_FOR(t, http_expect_used(second));
    WAIT_FOR(t, has_told(&s, "up"));
    assert_log(&s, "a >1, b >2, synced, down SERVER, up");
    end(&s);
}

static void test_informer_many(void **state)
{
    enum { PAGES = 20, EACH = 500 };
    struct fault *t = *state;
    struct seen s = {0};

    for (int page = 0; page < PAGES; page++) {
        _cleanup_buf_ struct buf b = BUF_INIT;
        _cleanup_free_ char *prefix =
            page ? xasprintf(LISTS "500&continue=page%d", page) : xstrdup(LISTS "500");
        buf_adds(&b, "{\"kind\":\"ConfigMapList\",\"metadata\":{\"resourceVersion\":\"10\"");
        if (page + 1 < PAGES)
            buf_addf(&b, ",\"continue\":\"page%d\"", page + 1);
        buf_adds(&b, "},\"items\":[");
        for (int i = 0; i < EACH; i++)
            buf_addf(&b, "%s{\"metadata\":{\"name\":\"o%d\",\"namespace\":\"n\",\"resourceVersion\":\"%d\"}}",
                     i ? "," : "", page * EACH + i, page * EACH + i);
        buf_adds(&b, "]}");
        http_fake_expect(t->server, "GET", prefix, (struct http_answer){.body = buf_str(&b)});
    }
    struct http_expect *e = expect_watch(t, "10");
    begin_informer(t, &s);
    WAIT_FOR(t, http_expect_used(e));
    assert_int_equal(kube_informer_len(s.informer), PAGES * EACH);
    assert_string_equal(kube_informer_get(s.informer, "n/o9999"), "9999");
    size_t n = 0;
    for (struct map_iter it = {0}; kube_informer_next(s.informer, &it);)
        n += it.value != NULL;
    assert_int_equal(n, PAGES * EACH);
    end(&s);
}

static void test_free_informer_within(void **state)
{
    static const char *const words[] = {"a >1",  "b >2", "synced", "c >11", "c 11>12",
                                        "c 12>", "b 2>", "d 4>",   "down",  "up"};
    struct fault *t = *state;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct seen s = {.end_at = words[i]};
        struct http_answer page = {
            .body = LIST("10", OBJECT("a", "1") "," OBJECT("b", "2") "," OBJECT("d", "4")), .maybe = true};
        struct http_answer held = {.ending = HTTP_HELD, .maybe = true};
        http_fake_expect(t->server, "GET", LISTS, page);
        struct http_expect *e = http_fake_expect(t->server, "GET", WATCHES, held);
        page.body = LIST("20", OBJECT("a", "1"));
        http_fake_expect(t->server, "GET", LISTS, page);
        struct http_expect *again = http_fake_expect(t->server, "GET", WATCHES, held);
        http_fake_expect(t->server, "GET", WATCHES, held);
        begin_informer(t, &s);
        for (int64_t since = 0; !s.ended && !http_expect_used(e) && fault_patient(&since);)
            fault_turn(t);
        http_fake_chunk(e,
                        EVENT("ADDED", "c", "11") EVENT("MODIFIED", "c", "12") EVENT("DELETED", "c", "13"));
        http_fake_chunk(e, GONE_EVENT);
        for (int64_t since = 0; !s.ended && !http_expect_used(again) && fault_patient(&since);)
            fault_turn(t);
        if (!s.ended) {
            http_fake_cut(again, true);
            WAIT_FOR(t, s.ended);
        }
        pass_ms(t, 1000);
        assert_null(s.informer);
        assert_int_equal(times_told(&s, words[i]), 1);
        end(&s);
        fault_teardown((void **)&t);
        fault_setup_fake_clock((void **)&t);
        *state = t;
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fault_setup_fake_clock, fault_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_resumes_from_bookmark),
        TEST(test_selectors),
        TEST(test_cut_at_every_byte),
        TEST(test_byte_by_byte),
        TEST(test_gone),
        TEST(test_gone_for_ever),
        TEST(test_pages),
        TEST(test_token_expired),
        TEST(test_down_and_up),
        TEST(test_down_from_the_start),
        TEST(test_forbidden_then_allowed),
        TEST(test_another_reason_is_told),
        TEST(test_no_list),
        TEST(test_broken_events),
        TEST(test_unknown_type),
        TEST(test_too_large_event),
        TEST(test_no_hot_loop),
        TEST(test_silence),
        TEST(test_free_watch_within),
        TEST(test_informer_after_gone),
        TEST(test_informer_own_writes),
        TEST(test_informer_half_list),
        TEST(test_informer_many),
        TEST(test_free_informer_within),
    };

    return cmocka_run_group_tests_name("watch faults", tests, NULL, NULL);
}
