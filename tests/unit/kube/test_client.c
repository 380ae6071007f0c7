#include "unit/kube/fixture.h"

#include "base/mem.h"
#include "base/str.h"

#define GET(p) ((struct kube_call){.method = "GET", .path = (p)})

static void test_get(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};

    fixture_client(f);
    outcome_get(f, &o, (struct kube_call){.method = "GET", .path = "/a/../b?c=d", .query = "e=f"});
    assert_null(o.err);
    assert_int_equal(o.status, 200);
    assert_string_equal(o.body, "{\"ok\":true}");
    assert_string_equal(o.content_type, "application/json");
    assert_string_equal(f->seen_method, "GET");
    assert_string_equal(f->seen_target, "/a/../b?c=d&e=f");
    _cleanup_free_ char *accept = fixture_header(f, "Accept"), *agent = fixture_header(f, "User-Agent"),
                        *who = fixture_header(f, "Authorization"), *type = fixture_header(f, "Content-Type");
    assert_string_equal(accept, "application/json");
    assert_string_equal(agent, "test/1");
    assert_null(who);
    assert_null(type);
    assert_int_equal(kube_client_requests(f->client), 1);
    assert_ptr_equal(kube_client_loop(f->client), f->loop);
    assert_string_equal(kube_client_config(f->client)->server, http_server_url(f->server));
}

static void answer_404(void *arg _unused_, struct http_conn *c, const struct http_request *r _unused_)
{
    http_answer(c, 404, NULL,
                "{\"kind\":\"Status\",\"message\":\"pods \\\"x\\\" not found\",\"reason\":\"NotFound\","
                "\"code\":404}");
}

static void on_observed(void *arg, const char *method, int status, int64_t took_ms)
{
    struct buf *log = arg;

    buf_addf(log, "%s %d%s;", method, status, took_ms < 0 ? " stream" : "");
}

static bool take_chunk(void *arg _unused_, const char *data _unused_, size_t len _unused_)
{
    return true;
}

static void test_observed(void **state)
{
    struct fixture *f = *state;
    _cleanup_buf_ struct buf log = BUF_INIT;
    _cleanup_outcome_ struct outcome first = {0}, second = {0}, third = {0};

    f->options.observe = on_observed;
    f->options.observe_arg = &log;
    fixture_client(f);
    outcome_get(f, &first, GET("/a"));
    outcome_get(f, &second, (struct kube_call){.method = "GET", .path = "/w", .chunk = take_chunk});
    f->handler = answer_404;
    outcome_get(f, &third, (struct kube_call){.method = "DELETE", .path = "/a"});
    assert_string_equal(buf_str(&log), "GET 200;WATCH 200 stream;DELETE 404;");
    /* One that never gets its answer is told too. */
    buf_truncate(&log, 0);
    f->handler = fixture_hold;
    struct kube_call held = GET("/held");
    struct kube_req *r = kube_do(f->client, &held);
    while (!f->held)
        loop_turn(f->loop, true);
    kube_req_cancel(r);
    assert_string_equal(buf_str(&log), "GET 0;");
}

static void test_methods(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *method, *body, *type, *sent_type;
    } rows[] = {
        {"POST", "{}", NULL, "application/json"},
        {"PUT", "{\"a\":1}", NULL, "application/json"},
        {"PATCH", "{}", KUBE_MERGE_PATCH, KUBE_MERGE_PATCH},
        {"DELETE", NULL, NULL, NULL},
        {"DELETE", "{}", NULL, "application/json"},
    };

    fixture_client(f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_outcome_ struct outcome o = {0};
        outcome_get(f, &o,
                    (struct kube_call){.method = rows[i].method,
                                       .path = "/x",
                                       .body = rows[i].body,
                                       .content_type = rows[i].type,
                                       .accept = KUBE_AS_TABLE});
        assert_null(o.err);
        assert_string_equal(f->seen_method, rows[i].method);
        assert_string_equal(f->seen_body, rows[i].body ? rows[i].body : "");
        _cleanup_free_ char *type = fixture_header(f, "Content-Type"), *accept = fixture_header(f, "Accept"),
                            *expect = fixture_header(f, "Expect");
        assert_true(streq_null(type, rows[i].sent_type));
        assert_string_equal(accept, KUBE_AS_TABLE);
        assert_null(expect);
    }
    /* One connection was enough. */
    assert_int_equal(http_server_accepted(f->server), 1);
}

static void test_large_body(void **state)
{
    struct fixture *f = *state;
    enum { SIZE = 3 * 1000 * 1000 };
    _cleanup_free_ char *large = xmalloc(SIZE + 1);
    _cleanup_outcome_ struct outcome o = {0};

    memset(large, 'x', SIZE);
    large[SIZE] = '\0';
    fixture_client(f);
    outcome_get(f, &o, (struct kube_call){.method = "POST", .path = "/x", .body = large});
    assert_null(o.err);
    assert_int_equal(strlen(f->seen_body), SIZE);
}

static void test_status(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};

    f->handler = answer_404;
    fixture_client(f);
    outcome_get(f, &o, GET("/x"));
    assert_int_equal(o.status, 404);
    assert_int_equal(o.err->code, ERR_NOT_FOUND);
    assert_string_equal(o.err->reason, "NotFound");
    assert_string_equal(o.err->message, "pods \"x\" not found");
    assert_int_equal(kube_client_requests(f->client), 1);
}

static void answer_large_error(void *arg _unused_, struct http_conn *c, const struct http_request *r _unused_)
{
    _cleanup_free_ char *page = xmalloc((3 << 20) + 1);

    memset(page, 'e', 3 << 20);
    page[3 << 20] = '\0';
    http_answer(c, 500, NULL, page);
}

static void test_large_error(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};

    f->handler = answer_large_error;
    fixture_client(f);
    outcome_get(f, &o, GET("/x"));
    assert_int_equal(o.err->code, ERR_SERVER);
    assert_true(strlen(o.err->message) < 400);
    assert_true(strlen(o.body) <= 1 << 20);
}

static void redirect(void *arg _unused_, struct http_conn *c, const struct http_request *r _unused_)
{
    http_answer(c, 302, "Location: /elsewhere\r\n", "");
}

static void test_redirect_is_an_error(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};

    f->handler = redirect;
    fixture_client(f);
    outcome_get(f, &o, GET("/x"));
    assert_int_equal(o.status, 302);
    assert_non_null(o.err);
    assert_int_equal(http_server_requests(f->server), 1);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};
    _cleanup_free_ char *expected =
        xasprintf("The connection to the server 127.0.0.1:%d was refused - did you specify the right host or "
                  "port?",
                  http_server_port(f->server));

    http_server_free(f->server);
    f->server = NULL;
    fixture_client(f);
    outcome_get(f, &o, GET("/x"));
    assert_int_equal(o.status, 0);
    assert_int_equal(o.err->code, ERR_UNAVAILABLE);
    assert_string_equal(o.err->message, expected);
}

static void test_handshake_without_an_answer(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};

    free(f->config.server);
    f->config.server = xasprintf("https://127.0.0.1:%d", http_server_port(f->server));
    fixture_client(f);
    /* The server waits for an end of the request's head that never comes. */
    outcome_start(f, &o, (struct kube_call){.method = "GET", .path = "/x", .timeout_ms = 300}, false);
    turn_until(f, o.done);
    assert_int_equal(o.err->code, ERR_TIMEOUT);
}

/* Connections that break */

static void close_first(void *arg, struct http_conn *c, const struct http_request *r)
{
    if (r->number == 1)
        http_close(c);
    else
        fixture_ok(arg, c, r);
}

static void test_get_is_tried_again(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};

    f->handler = close_first;
    fixture_client(f);
    outcome_get(f, &o, GET("/x"));
    assert_null(o.err);
    assert_int_equal(http_server_requests(f->server), 2);
}

static void close_always(void *arg _unused_, struct http_conn *c, const struct http_request *r _unused_)
{
    http_close(c);
}

static void test_not_for_ever(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome get = {0}, post = {0};

    f->handler = close_always;
    fixture_client(f);
    outcome_get(f, &get, GET("/x"));
    assert_int_equal(get.err->code, ERR_UNAVAILABLE);
    assert_int_equal(http_server_requests(f->server), 2);
    /* What changes something may have been done: it is not sent twice. */
    outcome_get(f, &post, (struct kube_call){.method = "POST", .path = "/x", .body = "{}"});
    assert_int_equal(post.err->code, ERR_UNAVAILABLE);
    assert_int_equal(http_server_requests(f->server), 3);
}

static void half_answer(void *arg _unused_, struct http_conn *c, const struct http_request *r _unused_)
{
    http_send(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    http_close(c);
}

static void test_half_answer(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};

    f->handler = half_answer;
    fixture_client(f);
    outcome_get(f, &o, GET("/x"));
    assert_int_equal(o.err->code, ERR_UNAVAILABLE);
    assert_non_null(strstr(o.err->message, "cut off"));
    assert_int_equal(http_server_requests(f->server), 1);
}

/* Waiting for the server's permission; the clock is the test's. */

static void throttle(void *arg, struct http_conn *c, const struct http_request *r)
{
    if (r->number <= 2)
        http_answer(c, r->number == 1 ? 429 : 503, "Retry-After: 7\r\n", "busy");
    else
        fixture_ok(arg, c, r);
}

static void pass(struct fixture *f, int64_t ms)
{
    loop_advance(f->loop, ms);
}

static void test_retry_after(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};

    loop_fake_clock(f->loop, 1000);
    f->handler = throttle;
    fixture_client(f);
    outcome_start(f, &o, (struct kube_call){.method = "POST", .path = "/x", .body = "{}"}, false);
    while (http_server_requests(f->server) < 1)
        pass(f, 0);
    for (int i = 0; i < 50; i++)
        pass(f, 0);
    pass(f, 6900);
    assert_int_equal(http_server_requests(f->server), 1);
    pass(f, 100);
    while (http_server_requests(f->server) < 2)
        pass(f, 0);
    for (int i = 0; i < 50; i++)
        pass(f, 0);
    pass(f, 7000);
    while (!o.done)
        pass(f, 0);
    assert_null(o.err);
    assert_int_equal(http_server_requests(f->server), 3);
    assert_string_equal(f->seen_body, "{}");
}

static void throttle_always(void *arg _unused_, struct http_conn *c, const struct http_request *r _unused_)
{
    http_answer(c, 429, "Retry-After: 1\r\n",
                "{\"kind\":\"Status\",\"reason\":\"TooManyRequests\",\"message\":\"later\",\"code\":429}");
}

static void test_retries_end(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0}, late = {0};

    loop_fake_clock(f->loop, 1000);
    f->handler = throttle_always;
    fixture_client(f);
    outcome_start(f, &o, GET("/x"), false);
    while (!o.done)
        pass(f, 100);
    assert_int_equal(o.err->code, ERR_THROTTLED);
    assert_int_equal(o.err->retry_ms, 1000);
    assert_int_equal(http_server_requests(f->server), 6);
    /* No time left for the wait: the answer is given at once. */
    outcome_start(f, &late, (struct kube_call){.method = "GET", .path = "/x", .timeout_ms = 900}, false);
    while (!late.done)
        pass(f, 0);
    assert_int_equal(late.err->code, ERR_THROTTLED);
    assert_int_equal(http_server_requests(f->server), 7);
}

static void test_deadline(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};

    loop_fake_clock(f->loop, 1000);
    f->handler = fixture_hold;
    fixture_client(f);
    outcome_start(f, &o, GET("/slow"), false);
    while (!f->held)
        pass(f, 0);
    pass(f, 29 * 1000);
    assert_int_equal(o.done, 0);
    pass(f, 1000);
    while (!o.done)
        pass(f, 0);
    assert_int_equal(o.err->code, ERR_TIMEOUT);
    assert_int_equal(o.status, 0);
    assert_non_null(strstr(o.err->message, "/slow"));
}

/* A connection on which nothing comes any more is left, also when it could be shared. */
static void test_dead_connection(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome stream = {0}, late = {0}, next = {0};
    struct outcome first[3] = {{0}};

    loop_fake_clock(f->loop, 1000);
    fixture_client(f);
    for (size_t i = 0; i < ARRAY_LEN(first); i++)
        outcome_start(f, &first[i], GET("/x"), false);
    while (!first[0].done || !first[1].done || !first[2].done)
        pass(f, 0);
    /* Two of the three connections are in use now, the third would do for the next request. */
    f->handler = fixture_hold;
    outcome_start(f, &stream, GET("/watch"), true);
    outcome_start(f, &late, (struct kube_call){.method = "GET", .path = "/x", .timeout_ms = 6000}, false);
    while (http_server_requests(f->server) < 5)
        pass(f, 0);
    assert_int_equal(http_server_accepted(f->server), 3);
    pass(f, 6000);
    while (!late.done)
        pass(f, 0);
    f->handler = fixture_ok;
    outcome_start(f, &next, GET("/y"), false);
    while (!next.done)
        pass(f, 0);
    assert_null(next.err);
    assert_int_equal(http_server_accepted(f->server), 4);
    kube_req_cancel(stream.req);
    while (http_server_open(f->server) > 1)
        pass(f, 0);
    for (size_t i = 0; i < ARRAY_LEN(first); i++)
        outcome_release(&first[i]);
}

/* Streams */

static void stream(void *arg, struct http_conn *c, const struct http_request *r _unused_)
{
    struct fixture *f = arg;

    f->held = c;
    http_send(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void test_stream(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};

    f->handler = stream;
    fixture_client(f);
    outcome_start(f, &o, GET("/watch"), true);
    turn_until(f, o.opened);
    assert_int_equal(o.chunks, 0);
    http_send(f->held, "6\r\nhello \r\n");
    turn_until(f, o.stream.len == 6);
    http_send(f->held, "5\r\nworld\r\n0\r\n\r\n");
    turn_until(f, o.done);
    assert_null(o.err);
    assert_int_equal(o.status, 200);
    assert_string_equal(buf_str(&o.stream), "hello world");
    assert_string_equal(o.body, "");
    assert_int_equal(o.opened, 1);
}

static void test_stream_error_is_collected(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};

    f->handler = answer_404;
    fixture_client(f);
    outcome_start(f, &o, GET("/watch"), true);
    turn_until(f, o.done);
    assert_int_equal(o.opened, 0);
    assert_int_equal(o.chunks, 0);
    assert_int_equal(o.err->code, ERR_NOT_FOUND);
}

static void test_stream_cut(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};

    f->handler = stream;
    fixture_client(f);
    outcome_start(f, &o, GET("/watch"), true);
    turn_until(f, o.opened);
    http_send(f->held, "3\r\nabc\r\n");
    http_close(f->held);
    turn_until(f, o.done);
    assert_string_equal(buf_str(&o.stream), "abc");
    assert_int_equal(o.err->code, ERR_UNAVAILABLE);
    assert_non_null(strstr(o.err->message, "cut off"));
}

static void test_stream_ended_by_the_receiver(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {.chunks_wanted = 1};

    f->handler = stream;
    fixture_client(f);
    outcome_start(f, &o, GET("/watch"), true);
    turn_until(f, o.opened);
    http_send(f->held, "3\r\nabc\r\n");
    turn_until(f, o.done);
    assert_int_equal(o.err->code, ERR_CANCELLED);
    assert_int_equal(o.chunks, 1);
    turn_until(f, http_server_open(f->server) == 0);
}

static void test_silence(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};

    loop_fake_clock(f->loop, 1000);
    f->handler = stream;
    fixture_client(f);
    outcome_start(f, &o, (struct kube_call){.method = "GET", .path = "/watch", .silence_ms = 60000}, true);
    while (!o.opened)
        pass(f, 0);
    pass(f, 59000);
    http_send(f->held, "3\r\nabc\r\n");
    while (!o.chunks)
        pass(f, 0);
    pass(f, 59000);
    assert_int_equal(o.done, 0);
    pass(f, 1000);
    while (!o.done)
        pass(f, 0);
    assert_int_equal(o.err->code, ERR_TIMEOUT);
    assert_int_equal(o.status, 200);
}

/* Ending early */

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome at_once = {0}, held = {0}, streaming = {0}, after = {0};

    fixture_client(f);
    outcome_start(f, &at_once, GET("/a"), false);
    kube_req_cancel(at_once.req);
    f->handler = fixture_hold;
    outcome_start(f, &held, GET("/b"), false);
    turn_until(f, f->held);
    kube_req_cancel(held.req);
    turn_until(f, http_server_open(f->server) == 0);
    f->handler = stream;
    outcome_start(f, &streaming, GET("/c"), true);
    turn_until(f, streaming.opened);
    http_send(f->held, "3\r\nabc\r\n");
    kube_req_cancel(streaming.req);
    kube_req_cancel(NULL);
    fixture_settle(f);
    f->handler = fixture_ok;
    outcome_get(f, &after, GET("/d"));
    assert_null(after.err);
    assert_int_equal(at_once.done + held.done + streaming.done, 0);
    assert_int_equal(streaming.chunks, 0);
}

static void cancel_self(struct outcome *o)
{
    kube_req_cancel(o->req);
}

static struct outcome *other_outcome;

static void cancel_other(struct outcome *o _unused_)
{
    if (other_outcome->req)
        kube_req_cancel(other_outcome->req);
    other_outcome->req = NULL;
}

static void test_cancel_in_callbacks(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome self = {.on_chunk = cancel_self}, a = {.on_done = cancel_other},
                                     b = {.on_done = cancel_other};

    f->handler = stream;
    fixture_client(f);
    outcome_start(f, &self, GET("/a"), true);
    turn_until(f, self.opened);
    http_send(f->held, "3\r\nabc\r\n");
    turn_until(f, self.chunks);
    turn_until(f, http_server_open(f->server) == 0);
    assert_int_equal(self.done, 0);
    /* Two that end in the same turn: the first to be told cancels the other. */
    f->handler = fixture_ok;
    other_outcome = &b;
    b.on_done = NULL;
    outcome_start(f, &a, GET("/b"), false);
    outcome_start(f, &b, GET("/c"), false);
    turn_until(f, a.done);
    fixture_settle(f);
    assert_int_equal(a.done, 1);
}

static void free_client(struct outcome *o)
{
    kube_client_free(o->fixture->client);
    o->fixture->client = NULL;
}

static void test_free_in_callback(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome a = {.on_done = free_client}, b = {0}, c = {0};

    fixture_client(f);
    outcome_start(f, &a, GET("/a"), false);
    turn_until(f, http_server_requests(f->server) == 1);
    f->handler = fixture_hold;
    outcome_start(f, &b, GET("/b"), false);
    outcome_start(f, &c, GET("/c"), true);
    turn_until(f, a.done);
    turn_until(f, http_server_open(f->server) == 0);
    assert_int_equal(b.done + c.done, 0);
}

static void free_in_chunk(struct outcome *o)
{
    free_client(o);
}

static void test_free_in_chunk(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome a = {.on_chunk = free_in_chunk};

    f->handler = stream;
    fixture_client(f);
    outcome_start(f, &a, GET("/a"), true);
    turn_until(f, a.opened);
    http_send(f->held, "3\r\nabc\r\n");
    turn_until(f, http_server_open(f->server) == 0);
    assert_int_equal(a.done, 0);
    assert_int_equal(a.chunks, 1);
}

static void test_free_with_requests(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome a = {0}, b = {0}, c = {0};

    f->handler = fixture_hold;
    fixture_client(f);
    outcome_start(f, &a, GET("/a"), false);
    turn_until(f, f->held);
    outcome_start(f, &b, GET("/b"), true);
    outcome_start(f, &c, GET("/c"), false);
    kube_req_cancel(c.req);
    kube_client_free(f->client);
    f->client = NULL;
    fixture_settle(f);
    assert_int_equal(a.done + b.done + c.done, 0);
}

static void test_many_at_once(void **state)
{
    struct fixture *f = *state;
    enum { MANY = 400 };
    struct outcome *all = xcalloc(MANY, sizeof(*all));
    unsigned done = 0;

    fixture_client(f);
    for (int i = 0; i < MANY; i++)
        outcome_start(f, &all[i], GET("/x"), false);
    while (done < MANY) {
        fixture_turn(f);
        done = 0;
        for (int i = 0; i < MANY; i++)
            done += all[i].done;
    }
    for (int i = 0; i < MANY; i++) {
        if (all[i].err)
            fail_msg("%s", all[i].err->message);
        outcome_release(&all[i]);
    }
    assert_true(http_server_accepted(f->server) <= 256);
    free(all);
}

/* Headers */

static void test_impersonation(void **state)
{
    struct fixture *f = *state;
    char *groups[] = {(char *)"dev", (char *)"evil\r\nX: y", NULL};
    _cleanup_json_ cJSON *extra = cJSON_Parse("{\"example.org/why\":[\"because\"]}");
    _cleanup_outcome_ struct outcome o = {0};

    f->config.as = (char *)"jane";
    f->config.as_uid = (char *)"7";
    f->config.as_groups = groups;
    f->config.as_extra = extra;
    f->config.username = (char *)"joe";
    f->config.password = (char *)"pw";
    fixture_client(f);
    outcome_get(f, &o, GET("/x"));
    assert_non_null(strstr(f->seen_head, "Impersonate-User: jane\r\n"));
    assert_non_null(strstr(f->seen_head, "Impersonate-Uid: 7\r\n"));
    assert_non_null(strstr(f->seen_head, "Impersonate-Group: dev\r\n"));
    assert_non_null(strstr(f->seen_head, "Impersonate-Extra-example.org%2Fwhy: because\r\n"));
    assert_non_null(strstr(f->seen_head, "Authorization: Basic am9lOnB3\r\n"));
    assert_null(strstr(f->seen_head, "X: y"));
}

static void on_warning(void *arg, const char *text)
{
    buf_addf(arg, "%s|", text);
}

static void warn(void *arg _unused_, struct http_conn *c, const struct http_request *r _unused_)
{
    http_answer(c, 200,
                "Warning: 299 - \"one \\\"quoted\\\"\"\r\n"
                "Warning: 299 - \"two\" \"Sat, 25 Aug 2012 23:34:45 GMT\", 299 - \"three\"\r\n"
                "Warning: 299 - broken\r\nWarning: 299 - \"open\r\n",
                "{}");
}

static void test_warnings(void **state)
{
    struct fixture *f = *state;
    _cleanup_buf_ struct buf heard = BUF_INIT;

    f->handler = warn;
    f->options.warning = on_warning;
    f->options.warning_arg = &heard;
    fixture_client(f);
    for (int i = 0; i < 3; i++) {
        _cleanup_outcome_ struct outcome o = {0};
        outcome_get(f, &o, GET("/x"));
    }
    assert_string_equal(buf_str(&heard), "one \"quoted\"|two|three|");
}

static void on_trace(void *arg, const char *line)
{
    buf_addf(arg, "%s\n", line);
}

static void test_trace_keeps_secrets(void **state)
{
    struct fixture *f = *state;
    _cleanup_buf_ struct buf lines = BUF_INIT;
    _cleanup_outcome_ struct outcome plain = {0}, secret = {0};

    f->options.trace = on_trace;
    f->options.trace_arg = &lines;
    f->options.verbosity = 9;
    f->config.token = (char *)"very-secret-token";
    fixture_client(f);
    outcome_get(f, &plain,
                (struct kube_call){.method = "POST", .path = "/pods", .query = "a=b", .body = "BODY"});
    assert_non_null(strstr(buf_str(&lines), "POST http://127.0.0.1:"));
    assert_non_null(strstr(buf_str(&lines), "/pods?a=b"));
    assert_non_null(strstr(buf_str(&lines), "Request Body: BODY"));
    assert_non_null(strstr(buf_str(&lines), "Response Body: {\"ok\":true}"));
    assert_non_null(strstr(buf_str(&lines), "Authorization: <masked>"));
    assert_non_null(strstr(buf_str(&lines), " 200 in "));
    outcome_get(
        f, &secret,
        (struct kube_call){.method = "PUT", .path = "/api/v1/namespaces/a/secrets/b", .body = "HIDDEN"});
    assert_null(strstr(buf_str(&lines), "HIDDEN"));
    assert_null(strstr(buf_str(&lines), "very-secret-token"));
}

static void gzipped(void *arg _unused_, struct http_conn *c, const struct http_request *r)
{
    static const unsigned char hello[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
                                          0xff, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x86,
                                          0xa6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00};
    _cleanup_free_ char *accepted = http_header(r, "Accept-Encoding");

    if (accepted && strstr(accepted, "gzip"))
        http_answer_bytes(c, 200, "Content-Encoding: gzip\r\n", (const char *)hello, sizeof(hello));
    else
        http_answer(c, 200, NULL, "plain");
}

static void test_compression(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome zipped = {0}, plain = {0};

    f->handler = gzipped;
    fixture_client(f);
    outcome_get(f, &zipped, GET("/x"));
    assert_null(zipped.err);
    assert_string_equal(zipped.body, "hello");
    kube_client_free(f->client);
    f->config.disable_compression = true;
    fixture_client(f);
    outcome_get(f, &plain, GET("/x"));
    assert_string_equal(plain.body, "plain");
}

/* Proxies */

static void test_proxy(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};

    free(f->config.server);
    f->config.server = xstrdup("http://api.example:8080/prefix");
    f->config.proxy_url = (char *)http_server_url(f->server);
    f->config.token = (char *)"not for a network";
    fixture_client(f);
    outcome_get(f, &o, GET("/x"));
    assert_null(o.err);
    assert_string_equal(f->seen_target, "http://api.example:8080/prefix/x");
    /* No TLS, not this machine: no credentials. */
    _cleanup_free_ char *who = fixture_header(f, "Authorization");
    assert_null(who);
}

static void test_no_proxy_to_loopback(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome o = {0};

    setenv("http_proxy", "http://127.0.0.1:1", 1);
    fixture_client(f);
    outcome_get(f, &o, GET("/x"));
    unsetenv("http_proxy");
    assert_null(o.err);
}

/* Tokens */

static void want_new_token(void *arg _unused_, struct http_conn *c, const struct http_request *r)
{
    _cleanup_free_ char *who = http_header(r, "Authorization");

    if (who && streq(who, "Bearer new"))
        http_answer(c, 200, NULL, "{}");
    else
        http_answer(c, 401, NULL, "Unauthorized");
}

static void write_token(const char *path, const char *token)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(token, file);
    fclose(file);
}

static void test_token_file(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/wasmctl-test-token-XXXXXX";
    _cleanup_close_ int fd = mkstemp(path);
    _cleanup_outcome_ struct outcome first = {0}, second = {0}, third = {0};

    write_token(path, "old\n");
    f->handler = want_new_token;
    f->config.token_file = path;
    f->config.token = (char *)"stands in";
    fixture_client(f);
    outcome_get(f, &first, GET("/x"));
    assert_int_equal(first.err->code, ERR_UNAUTHORIZED);
    assert_int_equal(http_server_requests(f->server), 1);
    _cleanup_free_ char *who = fixture_header(f, "Authorization");
    assert_string_equal(who, "Bearer old");
    /* Replaced meanwhile: noticed by the 401, tried once more. */
    write_token(path, "new\n");
    outcome_get(f, &second, GET("/x"));
    assert_null(second.err);
    assert_int_equal(http_server_requests(f->server), 3);
    /* A file that is gone for a moment does not take the token away. */
    unlink(path);
    outcome_get(f, &third, GET("/x"));
    assert_null(third.err);
}

static void test_token_file_missing(void **state)
{
    struct fixture *f = *state;
    _cleanup_err_ struct err *err = NULL;
    struct kube_client *c = NULL;

    f->config.token_file = (char *)"/absent/token";
    assert_int_equal(kube_client_new(f->loop, &f->config, NULL, &c, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err->message, "/absent/token"));
    assert_null(c);
}

/* Settings that cannot work */

static void refuse(struct fixture *f, const struct kube_config *config, const char *words)
{
    _cleanup_err_ struct err *err = NULL;
    struct kube_client *c = NULL;

    assert_int_equal(kube_client_new(f->loop, config, NULL, &c, &err), ERR_INVALID);
    assert_null(c);
    if (!strstr(err->message, words))
        fail_msg("\"%s\" is not in \"%s\"", words, err->message);
}

static void test_bad_settings(void **state)
{
    struct fixture *f = *state;
    static char cert[] = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n",
                server[] = "https://h", user[] = "u";
    char *groups[] = {user, NULL};

    refuse(f, &(struct kube_config){0}, "server \"\"");
    refuse(f, &(struct kube_config){.server = (char *)"h:1"}, "server \"h:1\"");
    refuse(f, &(struct kube_config){.server = (char *)"https://"}, "names no host");
    refuse(f, &(struct kube_config){.server = server, .ca_pem = (char *)"junk"}, "PEM");
    refuse(f, &(struct kube_config){.server = server, .user_name = user, .client_cert_pem = cert},
           "user \"u\" has a client-certificate but no client-key");
    refuse(f, &(struct kube_config){.server = server, .client_cert_pem = cert, .client_key_pem = cert},
           "PRIVATE KEY");
    refuse(f, &(struct kube_config){.server = server, .as_groups = groups}, "--as");
}

/* Waiting */

static void rubbish(void *arg _unused_, struct http_conn *c, const struct http_request *r _unused_)
{
    http_answer(c, 200, NULL, "{\"a\":");
}

static void test_waiting(void **state)
{
    struct fixture *f = *state;
    struct kube_call call = GET("/x");
    _cleanup_free_ char *body = NULL;
    _cleanup_json_ cJSON *o = NULL;
    _cleanup_err_ struct err *err = NULL, *bad = NULL;
    cJSON *none = NULL;

    fixture_client(f);
    assert_int_equal(kube_call_wait(f->client, &call, &body, &err), 0);
    assert_string_equal(body, "{\"ok\":true}");
    assert_int_equal(kube_call_wait(f->client, &call, NULL, &err), 0);
    assert_int_equal(kube_json_wait(f->client, &call, &o, &err), 0);
    assert_true(json_bool(o, "ok", false));
    assert_null(err);
    f->handler = rubbish;
    assert_int_equal(kube_json_wait(f->client, &call, &none, &bad), ERR_PROTOCOL);
    assert_non_null(strstr(bad->message, "GET /x"));
    f->handler = answer_404;
    assert_int_equal(kube_call_wait(f->client, &call, NULL, &err), ERR_NOT_FOUND);
    assert_int_equal(err->http, 404);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_get),
        TEST(test_observed),
        TEST(test_methods),
        TEST(test_large_body),
        TEST(test_status),
        TEST(test_large_error),
        TEST(test_redirect_is_an_error),
        TEST(test_refused),
        TEST(test_handshake_without_an_answer),
        TEST(test_get_is_tried_again),
        TEST(test_not_for_ever),
        TEST(test_half_answer),
        TEST(test_retry_after),
        TEST(test_retries_end),
        TEST(test_deadline),
        TEST(test_dead_connection),
        TEST(test_stream),
        TEST(test_stream_error_is_collected),
        TEST(test_stream_cut),
        TEST(test_stream_ended_by_the_receiver),
        TEST(test_silence),
        TEST(test_cancel),
        TEST(test_cancel_in_callbacks),
        TEST(test_free_in_callback),
        TEST(test_free_in_chunk),
        TEST(test_free_with_requests),
        TEST(test_many_at_once),
        TEST(test_impersonation),
        TEST(test_warnings),
        TEST(test_trace_keeps_secrets),
        TEST(test_compression),
        TEST(test_proxy),
        TEST(test_no_proxy_to_loopback),
        TEST(test_token_file),
        TEST(test_token_file_missing),
        TEST(test_bad_settings),
        TEST(test_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
