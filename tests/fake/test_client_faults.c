/* What the client makes of servers and networks that fail. */
#include "fake/fault.h"

#include <unistd.h>

#include "base/file.h"
#include "base/timefmt.h"

#define THINGS "/api/v1/configmaps"

static struct kube_call get(void)
{
    return (struct kube_call){.method = "GET", .path = THINGS};
}

static struct kube_call post(void)
{
    return (struct kube_call){.method = "POST", .path = THINGS, .body = "{}"};
}

/* Connections */

static void test_refused(void **state)
{
    struct fault *t = *state;
    _cleanup_outcome_ struct outcome o = {0};

    http_fake_refuse(t->server, false);
    fault_call(t, get(), &o);
    assert_int_equal(o.err->code, ERR_UNAVAILABLE);
    assert_int_equal(o.status, 0);
    _cleanup_free_ char *text =
        xasprintf("The connection to the server %s was refused - did you specify the right host or port?",
                  http_fake_host_port(t->server));
    assert_told(&o, text);
    /* The same client reaches it once it is there. */
    _cleanup_outcome_ struct outcome later = {0};
    http_fake_listen(t->server);
    http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.body = "{}"});
    fault_call(t, get(), &later);
    assert_null(later.err);
    assert_string_equal(later.body, "{}");
}

static void test_get_is_tried_once_more(void **state)
{
    struct fault *t = *state;

    for (enum http_ending how = HTTP_FIN; how <= HTTP_RST; how++) {
        _cleanup_outcome_ struct outcome good = {0}, bad = {0};
        http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.ending = how});
        http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.body = "{\"a\":1}"});
        fault_call(t, get(), &good);
        assert_null(good.err);
        assert_string_equal(good.body, "{\"a\":1}");
        /* Not for ever. */
        fault_client(t, (struct kube_config){0}, NULL);
        http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.ending = how});
        http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.ending = how});
        fault_call(t, get(), &bad);
        assert_int_equal(bad.err->code, ERR_UNAVAILABLE);
        assert_non_null(strstr(bad.err->message, http_fake_host_port(t->server)));
        fault_client(t, (struct kube_config){0}, NULL);
    }
}

static void test_post_is_not_repeated(void **state)
{
    struct fault *t = *state;

    for (enum http_ending how = HTTP_FIN; how <= HTTP_RST; how++) {
        _cleanup_outcome_ struct outcome o = {0};
        fault_client(t, (struct kube_config){0}, NULL);
        http_fake_expect(t->server, "POST", THINGS, (struct http_answer){.ending = how});
        fault_call(t, post(), &o);
        assert_int_equal(o.err->code, ERR_UNAVAILABLE);
    }
    assert_int_equal(http_fake_count(t->server), 2);
}

/* The connection had served before: it is the server that breaks it, having read the request. */
static void test_post_is_not_repeated_on_a_used_connection(void **state)
{
    struct fault *t = *state;

    for (enum http_ending how = HTTP_FIN; how <= HTTP_RST; how++) {
        _cleanup_outcome_ struct outcome first = {0}, o = {0};
        http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.body = "{}"});
        fault_call(t, get(), &first);
        assert_null(first.err);
        http_fake_expect(t->server, "POST", THINGS, (struct http_answer){.ending = how});
        fault_call(t, post(), &o);
        assert_non_null(o.err);
        assert_int_equal(o.err->code, ERR_UNAVAILABLE);
    }
    assert_int_equal(http_fake_count(t->server), 4);
}

static void test_idle_connection_was_closed(void **state)
{
    struct fault *t = *state;
    _cleanup_outcome_ struct outcome a = {0}, b = {0};

    http_fake_expect(t->server, "POST", THINGS, (struct http_answer){.body = "{}"});
    http_fake_expect(t->server, "POST", THINGS, (struct http_answer){.body = "{}"});
    fault_call(t, post(), &a);
    http_fake_refuse(t->server, true);
    http_fake_listen(t->server);
    fault_call(t, post(), &b);
    assert_null(b.err);
}

static void test_reset_after_first_byte(void **state)
{
    struct fault *t = *state;
    static const size_t positions[] = {1, 12, 40};

    for (size_t i = 0; i < ARRAY_LEN(positions); i++) {
        _cleanup_outcome_ struct outcome o = {0};
        fault_client(t, (struct kube_config){0}, NULL);
        struct http_answer cut = {.body = "{}", .ending = HTTP_FIN, .after = positions[i]};
        http_fake_expect(t->server, "GET", THINGS, cut);
        /* Before the end of the headers nothing of the answer is known: asking again does no harm. */
        cut = (struct http_answer){.body = "{}", .maybe = true};
        http_fake_expect(t->server, "GET", THINGS, cut);
        fault_call(t, get(), &o);
        if (o.err)
            assert_int_equal(o.err->code, ERR_UNAVAILABLE);
        else
            assert_string_equal(o.body, "{}");
    }
}

static void test_body_cut(void **state)
{
    struct fault *t = *state;
    static const char body[] = "{\"kind\":\"ConfigMapList\",\"items\":[]}";

    for (size_t after = 17; after < 17 + 20 + 2 + 35; after++) {
        _cleanup_outcome_ struct outcome o = {0};
        struct http_answer cut = {
            .headers = "Content-Length: 35\r\n", .body = body, .ending = HTTP_FIN, .after = after};
        http_fake_expect(t->server, "GET", THINGS, cut);
        fault_call(t, get(), &o);
        assert_int_equal(o.err->code, ERR_UNAVAILABLE);
        assert_non_null(strstr(o.err->message, "was cut off"));
    }
    /* In chunks. */
    for (int reset = 0; reset <= 1; reset++) {
        _cleanup_outcome_ struct outcome o = {0};
        struct kube_call call = get();
        call.done = outcome_done;
        call.arg = &o;
        struct http_expect *e =
            http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.ending = HTTP_HELD});
        kube_do(t->client, &call);
        WAIT_FOR(t, http_expect_open(e));
        http_fake_chunk(e, "{\"kind\":");
        fault_settle(t);
        http_fake_cut(e, reset);
        WAIT_FOR(t, o.done);
        assert_int_equal(o.err->code, ERR_UNAVAILABLE);
        assert_non_null(strstr(o.err->message, "was cut off"));
    }
}

static void test_never_answers(void **state)
{
    struct fault *t = *state;
    static const size_t sent[] = {0, 5, 45, HTTP_ALL - 1};

    for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
        _cleanup_outcome_ struct outcome o = {0};
        struct http_answer a = {.headers = "Content-Length: 100\r\n",
                                .body = "{\"kind\":",
                                .ending = HTTP_SILENT,
                                .after = sent[i]};
        struct http_expect *e = http_fake_expect(t->server, "GET", THINGS, a);
        struct kube_call call = get();
        call.timeout_ms = 120;
        int64_t began = time_mono_ms();
        fault_call(t, call, &o);
        assert_in_range(time_mono_ms() - began, 100, 5000);
        assert_int_equal(o.err->code, ERR_TIMEOUT);
        assert_non_null(strstr(o.err->message, "120 ms"));
        assert_non_null(strstr(o.err->message, http_fake_host_port(t->server)));
        /* Given up for good: the connection does not linger. */
        WAIT_FOR(t, !http_expect_open(e));
    }
    assert_int_equal(http_fake_count(t->server), ARRAY_LEN(sent));
}

static void test_slow_body(void **state)
{
    struct fault *t = *state;
    static const char text[] = "{\"metadata\":{\"name\":\"slow\"}}";
    _cleanup_outcome_ struct outcome o = {0};
    struct kube_call call = get();
    struct http_expect *e =
        http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.ending = HTTP_HELD});

    call.done = outcome_done;
    call.arg = &o;
    kube_do(t->client, &call);
    WAIT_FOR(t, http_expect_open(e));
    for (size_t i = 0; text[i]; i++) {
        assert_true(http_fake_chunk_n(e, text + i, 1));
        fault_settle(t);
        assert_int_equal(o.done, 0);
    }
    http_fake_finish(e);
    WAIT_FOR(t, o.done);
    assert_null(o.err);
    assert_string_equal(o.body, text);
}

static void test_bad_http(void **state)
{
    struct fault *t = *state;
    static const char *const heads[] = {
        "Content-Length: -1\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Encoding: gzip\r\nContent-Length: 9\r\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        _cleanup_outcome_ struct outcome o = {0};
        _cleanup_free_ char *path = xasprintf("/broken/%zu", i);
        struct kube_call call = {.method = "GET", .path = path, .timeout_ms = 2000};
        http_fake_expect(
            t->server, "GET", path,
            (struct http_answer){
                .headers = heads[i], .body = "no-chunk\r\n", .ending = HTTP_FIN, .after = HTTP_ALL});
        http_fake_expect(t->server, "GET", path, (struct http_answer){.status = 500, .maybe = true});
        fault_call(t, call, &o);
        assert_non_null(o.err);
        fault_client(t, (struct kube_config){0}, NULL);
    }
}

static void test_too_large(void **state)
{
    struct fault *t = *state;
    struct kube_client_options options = {.max_body = 1000};
    _cleanup_free_ char *big = xmalloc(2001);

    memset(big, ' ', 2000);
    big[2000] = '\0';
    fault_client(t, (struct kube_config){0}, &options);
    for (int held = 0; held <= 1; held++) {
        _cleanup_outcome_ struct outcome o = {0};
        struct http_answer a = {.body = held ? NULL : big, .ending = held ? HTTP_HELD : HTTP_COMPLETE};
        struct http_expect *e = http_fake_expect(t->server, "GET", THINGS, a);
        struct kube_call call = get();
        call.done = outcome_done;
        call.arg = &o;
        kube_do(t->client, &call);
        for (int i = 0; held && i < 2000; i++) {
            WAIT_FOR(t, http_expect_used(e));
            if (!http_fake_chunk(e, "1234567890"))
                break;
            fault_settle(t);
        }
        WAIT_FOR(t, o.done);
        assert_int_equal(o.err->code, ERR_TOO_LARGE);
        WAIT_FOR(t, !http_expect_open(e));
    }
    /* Just as much as allowed. */
    _cleanup_outcome_ struct outcome fits = {0};
    big[1000] = '\0';
    http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.body = big});
    fault_call(t, get(), &fits);
    assert_null(fits.err);
}

static void test_half_json(void **state)
{
    struct fault *t = *state;
    static const char *const bodies[] = {"{\"kind\":\"Conf", "", "<html>", "{}{}", "nul"};

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        _cleanup_json_ cJSON *tree = NULL;
        _cleanup_err_ struct err *err = NULL;
        struct kube_call call = get();
        http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.body = bodies[i]});
        assert_int_equal(kube_json_wait(t->client, &call, &tree, &err), ERR_PROTOCOL);
        assert_int_equal(err->code, ERR_PROTOCOL);
        assert_non_null(strstr(err->message, THINGS));
        assert_null(tree);
    }
}

/* Answers */

#define STATUS(code, reason, message)                                                                        \
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":"         \
    "\"" message "\",\"reason\":\"" reason "\",\"code\":" #code "}"

static void test_statuses(void **state)
{
    static const struct {
        int status, code;
        const char *body, *text;
    } cases[] = {
        {403, ERR_FORBIDDEN,
         STATUS(403, "Forbidden", "configmaps is forbidden: User \\\"u\\\" cannot list resource"),
         "Error from server (Forbidden): configmaps is forbidden: User \"u\" cannot list resource"},
        {404, ERR_NOT_FOUND, STATUS(404, "NotFound", "configmaps \\\"x\\\" not found"),
         "Error from server (NotFound): configmaps \"x\" not found"},
        {404, ERR_NOT_FOUND, "404 page not found\n",
         "Error from server (NotFound): the server could not find the requested resource"},
        {409, ERR_CONFLICT, STATUS(409, "Conflict", "the object has been modified"),
         "Error from server (Conflict): the object has been modified"},
        {409, ERR_ALREADY_EXISTS, STATUS(409, "AlreadyExists", "configmaps \\\"x\\\" already exists"),
         "Error from server (AlreadyExists): configmaps \"x\" already exists"},
        {410, ERR_GONE, STATUS(410, "Expired", "too old resource version: 1 (2)"),
         "Error from server (Expired): too old resource version: 1 (2)"},
        {500, ERR_SERVER, STATUS(500, "InternalError", "Internal error occurred: etcd is on fire"),
         "Error from server (InternalError): Internal error occurred: etcd is on fire"},
        {503, ERR_UNAVAILABLE, STATUS(503, "ServiceUnavailable", "no endpoints"),
         "Error from server (ServiceUnavailable): no endpoints"},
        {422, ERR_INVALID,
         "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Invalid\",\"code\":422,"
         "\"message\":\"ConfigMap \\\"x\\\" is invalid: [a, b]\",\"details\":{\"name\":\"x\",\"kind\":"
         "\"ConfigMap\",\"causes\":[{\"reason\":\"FieldValueInvalid\",\"message\":\"Invalid value: "
         "1\",\"field\":"
         "\"data.a\"},{\"message\":\"Required value\",\"field\":\"data.b\"},{\"message\":\"Required value\","
         "\"field\":\"data.b\"}]}}",
         "The ConfigMap \"x\" is invalid: \n* data.a: Invalid value: 1\n* data.b: Required value"},
        {422, ERR_INVALID,
         "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Invalid\",\"code\":422,\"message\":\"m\","
         "\"details\":{\"name\":\"x\",\"kind\":\"ConfigMap\",\"causes\":[{\"message\":\"Required value\","
         "\"field\":\"data.b\"}]}}",
         "The ConfigMap \"x\" is invalid: data.b: Required value"},
        {401, ERR_UNAUTHORIZED, STATUS(401, "Unauthorized", "Unauthorized"),
         "error: You must be logged in to the server (Unauthorized; no credentials are configured)"},
        {301, ERR_PROTOCOL, "", NULL},
        {500, ERR_SERVER, "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"cut", NULL},
        {500, ERR_SERVER, "{\"kind\":\"Status\",\"message\":17,\"reason\":[],\"code\":\"x\",\"details\":3}",
         NULL},
    };
    struct fault *t = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_outcome_ struct outcome o = {0};
        http_fake_expect(t->server, "GET", THINGS,
                         (struct http_answer){.status = cases[i].status, .body = cases[i].body});
        fault_call(t, get(), &o);
        assert_int_equal(o.status, cases[i].status);
        assert_int_equal(o.err->http, cases[i].status);
        assert_int_equal(o.err->code, cases[i].code);
        if (cases[i].text)
            assert_told(&o, cases[i].text);
    }
}

static void test_page_of_a_proxy(void **state)
{
    struct fault *t = *state;
    _cleanup_outcome_ struct outcome o = {0};
    struct http_answer a = {.status = 502,
                            .headers = "Content-Type: text/html\r\n",
                            .body = "<html>\n<head><title>502 Bad Gateway</title></head>\n\033[31m</html>\n"};

    http_fake_expect(t->server, "GET", THINGS, a);
    fault_call(t, get(), &o);
    assert_int_equal(o.err->code, ERR_UNAVAILABLE);
    assert_int_equal(o.err->http, 502);
    /* Nothing of a stranger's page steers a terminal. */
    assert_null(strchr(o.err->message, '\033'));
    assert_null(strchr(o.err->message, '\n'));
    assert_in_range(strlen(o.err->message), 10, 400);
}

static void test_large_error_body(void **state)
{
    enum { LEN = 3 * 1024 * 1024 };
    struct fault *t = *state;
    _cleanup_outcome_ struct outcome o = {0};
    _cleanup_free_ char *page = xmalloc(LEN + 1);

    memset(page, 'x', LEN);
    page[LEN] = '\0';
    http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.status = 500, .body = page});
    fault_call(t, get(), &o);
    assert_int_equal(o.err->code, ERR_SERVER);
    assert_in_range(strlen(o.err->message), 10, 400);
    assert_in_range(strlen(o.body), 1, 1024 * 1024);
}

/* 429 and 503 */

static void test_throttled_then_served(void **state)
{
    struct fault *t = *state;
    static const int statuses[] = {429, 503};

    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        _cleanup_outcome_ struct outcome o = {0};
        struct http_answer busy = {.status = statuses[i], .headers = "Retry-After: 3\r\n"};
        struct http_expect *first = http_fake_expect(t->server, "POST", THINGS, busy);
        struct http_expect *second =
            http_fake_expect(t->server, "POST", THINGS, (struct http_answer){.body = "{}"});
        struct kube_call call = post();
        call.done = outcome_done;
        call.arg = &o;
        int64_t began = loop_now_ms(t->loop);
        kube_do(t->client, &call);
        WAIT_FOR(t, http_expect_used(first));
        WAIT_FOR(t, http_expect_used(second));
        assert_in_range(loop_now_ms(t->loop) - began, 3000, 3500);
        WAIT_FOR(t, o.done);
        assert_null(o.err);
        assert_string_equal(o.body, "{}");
    }
}

static void test_throttled_for_ever(void **state)
{
    struct fault *t = *state;
    _cleanup_outcome_ struct outcome o = {0}, tight = {0};
    struct http_answer busy = {.status = 429, .headers = "Retry-After: 2\r\n", .repeat = true};

    http_fake_expect(t->server, "GET", THINGS, busy);
    fault_call(t, get(), &o);
    assert_int_equal(o.err->code, ERR_THROTTLED);
    assert_int_equal(o.err->retry_ms, 2000);
    assert_int_equal(http_fake_count(t->server), 6);
    /* No waiting past the deadline: the answer says more than a timeout would. */
    struct kube_call call = get();
    call.timeout_ms = 5000;
    int64_t began = loop_now_ms(t->loop);
    fault_call(t, call, &tight);
    assert_int_equal(tight.err->code, ERR_THROTTLED);
    assert_int_equal(http_fake_count(t->server), 9);
    assert_in_range(loop_now_ms(t->loop) - began, 4000, 5000);
}

static void test_unavailable_without_hint(void **state)
{
    struct fault *t = *state;
    static const char *const heads[] = {NULL, "Retry-After: soon\r\n", "Retry-After: -1\r\n",
                                        "Retry-After: 99999999999999999999\r\n"};

    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        _cleanup_outcome_ struct outcome o = {0};
        http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.status = 503, .headers = heads[i]});
        fault_call(t, get(), &o);
        assert_int_equal(o.err->code, ERR_UNAVAILABLE);
        assert_told(&o,
                    "Error from server (ServiceUnavailable): the server is currently unable to handle the "
                    "request");
    }
}

/* Credentials */

static void write_token(const char *path, const char *token)
{
    _cleanup_err_ struct err *err = NULL;

    if (file_write(path, token, strlen(token), 0600, &err) < 0)
        fail_msg("%s", err_text(err));
}

static void assert_sent_token(struct fault *t, size_t n, const char *want)
{
    _cleanup_free_ char *got = http_request_header(http_fake_request(t->server, n), "Authorization");
    assert_non_null(got);
    assert_string_equal(got, want);
}

static void test_token_replaced(void **state)
{
    struct fault *t = *state;
    char path[] = "/tmp/wasmctl-token-XXXXXX";
    struct http_answer no = {.status = 401, .body = STATUS(401, "Unauthorized", "Unauthorized")};
    _cleanup_outcome_ struct outcome good = {0}, bad = {0}, stale = {0};

    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_token(path, "first\n");
    fault_client(t, (struct kube_config){.token_file = path}, NULL);
    write_token(path, "second\n");
    http_fake_expect(t->server, "POST", THINGS, no);
    http_fake_expect(t->server, "POST", THINGS, (struct http_answer){.body = "{}"});
    fault_call(t, post(), &good);
    assert_null(good.err);
    assert_sent_token(t, 0, "Bearer first");
    assert_sent_token(t, 1, "Bearer second");
    /* The new one does not help: no third time. */
    write_token(path, "third\n");
    http_fake_expect(t->server, "GET", THINGS, no);
    http_fake_expect(t->server, "GET", THINGS, no);
    fault_call(t, get(), &bad);
    assert_int_equal(bad.err->code, ERR_UNAUTHORIZED);
    assert_sent_token(t, 3, "Bearer third");
    assert_int_equal(http_fake_count(t->server), 4);
    /* Nothing new in the file, or no file at all: no second time either. */
    unlink(path);
    http_fake_expect(t->server, "GET", THINGS, no);
    fault_call(t, get(), &stale);
    assert_int_equal(stale.err->code, ERR_UNAUTHORIZED);
    assert_int_equal(http_fake_count(t->server), 5);
}

/* A file that changes each time is no reason to try for ever. */
static void test_token_replaced_again_and_again(void **state)
{
    struct fault *t = *state;
    char path[] = "/tmp/wasmctl-token-XXXXXX";
    struct http_answer no = {.status = 401, .ending = HTTP_HELD};
    struct http_expect *e[2];
    _cleanup_outcome_ struct outcome o = {0};
    struct kube_call call = get();

    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_token(path, "0");
    fault_client(t, (struct kube_config){.token_file = path}, NULL);
    for (int i = 0; i < 2; i++)
        e[i] = http_fake_expect(t->server, "GET", THINGS, no);
    call.done = outcome_done;
    call.arg = &o;
    kube_do(t->client, &call);
    for (int i = 0; i < 2; i++) {
        WAIT_FOR(t, http_expect_used(e[i]));
        write_token(path, i ? "2" : "1");
        http_fake_finish(e[i]);
    }
    WAIT_FOR(t, o.done);
    unlink(path);
    assert_int_equal(o.err->code, ERR_UNAUTHORIZED);
    assert_int_equal(http_fake_count(t->server), 2);
}

static void test_unauthorized_for_good(void **state)
{
    struct fault *t = *state;
    _cleanup_outcome_ struct outcome o = {0};

    fault_client(t, (struct kube_config){.token = (char *)"fixed"}, NULL);
    http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.status = 401, .body = "Unauthorized"});
    fault_call(t, get(), &o);
    assert_int_equal(o.err->code, ERR_UNAUTHORIZED);
    assert_int_equal(http_fake_count(t->server), 1);
    assert_told(&o, "error: You must be logged in to the server (the server has asked for the client to "
                    "provide credentials)");
}

/* What is told on the side */

static void on_warning(void *arg, const char *text)
{
    strv_push(arg, text);
}

static void test_warnings_once(void **state)
{
    struct fault *t = *state;
    char **told = strv_new();
    struct kube_client_options options = {.warning = on_warning, .warning_arg = &told};
    struct http_answer a = {.headers =
                                "Warning: 299 - \"old \\\"API\\\"\"\r\n"
                                "Warning: 299 - \"one\" \"Wed, 01 Jan 2020 00:00:00 GMT\", 299 - \"two\"\r\n"
                                "Warning: 299 - \"never closed\r\nWarning:\r\n",
                            .body = "{}"};

    fault_client(t, (struct kube_config){0}, &options);
    for (int i = 0; i < 3; i++) {
        _cleanup_outcome_ struct outcome o = {0};
        http_fake_expect(t->server, "GET", THINGS, a);
        fault_call(t, get(), &o);
    }
    assert_int_equal(strv_len(told), 3);
    assert_string_equal(told[0], "old \"API\"");
    assert_string_equal(told[1], "one");
    assert_string_equal(told[2], "two");
    strv_free(told);
}

static void on_trace(void *arg, const char *line)
{
    buf_addf(arg, "%s\n", line);
}

static void test_trace_hides_secrets(void **state)
{
    struct fault *t = *state;
    _cleanup_buf_ struct buf trace = BUF_INIT;
    struct kube_client_options options = {.verbosity = 9, .trace = on_trace, .trace_arg = &trace};
    _cleanup_outcome_ struct outcome a = {0}, b = {0}, c = {0};

    fault_client(t, (struct kube_config){.token = (char *)"TOPSECRET"}, &options);
    http_fake_expect(t->server, "GET", THINGS, (struct http_answer){.body = "{\"seen\":1}"});
    fault_call(t, get(), &a);
    fault_client(t, (struct kube_config){.username = (char *)"u", .password = (char *)"TOPSECRET"}, &options);
    http_fake_expect(t->server, "POST", "/api/v1/namespaces/a/secrets",
                     (struct http_answer){.body = "{\"data\":\"VE9QU0VDUkVU\"}"});
    struct kube_call call = {.method = "POST",
                             .path = "/api/v1/namespaces/a/secrets",
                             .body = "{\"stringData\":{\"a\":\"TOPSECRET\"}}"};
    fault_call(t, call, &b);
    http_fake_expect(t->server, "POST", "/api/v1/namespaces/a/serviceaccounts/x/token",
                     (struct http_answer){.body = "{\"status\":{\"token\":\"TOPSECRET\"}}"});
    call = (struct kube_call){
        .method = "POST", .path = "/api/v1/namespaces/a/serviceaccounts/x/token", .body = "{}"};
    fault_call(t, call, &c);
    assert_null(strstr(buf_str(&trace), "TOPSECRET"));
    assert_null(strstr(buf_str(&trace), "VE9QU0VDUkVU"));
    assert_non_null(strstr(buf_str(&trace), "seen"));
    assert_non_null(strstr(buf_str(&trace), "Authorization: <masked>"));
    assert_sent_token(t, 0, "Bearer TOPSECRET");
    assert_sent_token(t, 1, "Basic dTpUT1BTRUNSRVQ=");
}

#define REAL(fn) cmocka_unit_test_setup_teardown(fn, fault_setup, fault_teardown)
#define FAKE(fn) cmocka_unit_test_setup_teardown(fn, fault_setup_fake_clock, fault_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL(test_refused),
        REAL(test_get_is_tried_once_more),
        REAL(test_post_is_not_repeated),
        REAL(test_post_is_not_repeated_on_a_used_connection),
        REAL(test_idle_connection_was_closed),
        REAL(test_reset_after_first_byte),
        REAL(test_body_cut),
        REAL(test_never_answers),
        REAL(test_slow_body),
        REAL(test_bad_http),
        REAL(test_too_large),
        REAL(test_half_json),
        REAL(test_statuses),
        REAL(test_page_of_a_proxy),
        REAL(test_large_error_body),
        FAKE(test_throttled_then_served),
        FAKE(test_throttled_for_ever),
        REAL(test_unavailable_without_hint),
        REAL(test_token_replaced),
        REAL(test_token_replaced_again_and_again),
        REAL(test_unauthorized_for_good),
        REAL(test_warnings_once),
        REAL(test_trace_hides_secrets),
    };

    return cmocka_run_group_tests_name("client faults", tests, NULL, NULL);
}
