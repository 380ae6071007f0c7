#include "unit/unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "kube/client.h"

/* What kubectl 1.37 prints for the same answer, word for word where the server sent a Status. */
static const struct {
    int http;
    const char *body;
    int code;
    const char *text;
} rows[] = {
    {404,
     "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":"
     "\"wasmactors.wasmctl.dev \\\"x\\\" not found\",\"reason\":\"NotFound\",\"details\":{\"name\":\"x\","
     "\"group\":\"wasmctl.dev\",\"kind\":\"wasmactors\"},\"code\":404}",
     ERR_NOT_FOUND, "Error from server (NotFound): wasmactors.wasmctl.dev \"x\" not found"},
    {409, "{\"kind\":\"Status\",\"message\":\"there\",\"reason\":\"AlreadyExists\",\"code\":409}",
     ERR_ALREADY_EXISTS, "Error from server (AlreadyExists): there"},
    {409, "{\"kind\":\"Status\",\"message\":\"changed\",\"reason\":\"Conflict\",\"code\":409}", ERR_CONFLICT,
     "Error from server (Conflict): changed"},
    {410, "{\"kind\":\"Status\",\"message\":\"too old\",\"reason\":\"Expired\",\"code\":410}", ERR_GONE,
     "Error from server (Expired): too old"},
    {403, "{\"kind\":\"Status\",\"message\":\"no\",\"reason\":\"Forbidden\",\"code\":403}", ERR_FORBIDDEN,
     "Error from server (Forbidden): no"},
    {500, "{\"kind\":\"Status\",\"message\":\"ill\",\"code\":500}", ERR_SERVER, "Error from server: ill"},
    {504, "{\"kind\":\"Status\",\"message\":\"slow\",\"reason\":\"Timeout\",\"code\":504}", ERR_TIMEOUT,
     "Error from server (Timeout): slow"},
    {401, "{\"kind\":\"Status\",\"message\":\"Unauthorized\",\"reason\":\"Unauthorized\",\"code\":401}",
     ERR_UNAUTHORIZED, "error: You must be logged in to the server (Unauthorized)"},
    /* Invalid: by the causes */
    {422,
     "{\"kind\":\"Status\",\"message\":\"WasmActor.wasmctl.dev \\\"x\\\" is invalid: spec.replicas: Invalid "
     "value: -1: no\",\"reason\":\"Invalid\",\"code\":422,\"details\":{\"name\":\"x\",\"kind\":\"WasmActor\","
     "\"causes\":[{\"field\":\"spec.replicas\",\"message\":\"Invalid value: -1: no\"}]}}",
     ERR_INVALID, "The WasmActor \"x\" is invalid: spec.replicas: Invalid value: -1: no"},
    {422,
     "{\"kind\":\"Status\",\"message\":\"m\",\"reason\":\"Invalid\",\"code\":422,\"details\":{\"name\":\"x\","
     "\"kind\":\"WasmActor\",\"causes\":[{\"field\":\"a\",\"message\":\"b\"},{\"field\":\"a\",\"message\":"
     "\"b\"},{\"field\":\"c\",\"message\":\"d\"}]}}",
     ERR_INVALID, "The WasmActor \"x\" is invalid: \n* a: b\n* c: d"},
    {422,
     "{\"kind\":\"Status\",\"message\":\"WasmActor \\\"x\\\" is invalid: because\",\"reason\":\"Invalid\","
     "\"code\":422,\"details\":{\"name\":\"x\",\"kind\":\"WasmActor\"}}",
     ERR_INVALID, "The WasmActor \"x\" is invalid: because"},
    {422, "{\"kind\":\"Status\",\"message\":\"because\",\"reason\":\"Invalid\",\"code\":422}", ERR_INVALID,
     "The request is invalid: because"},
    {422,
     "{\"kind\":\"Status\",\"message\":\"m\",\"reason\":\"Invalid\",\"code\":422,\"details\":{\"causes\":"
     "[{\"field\":\"a\",\"message\":\"b\"}]}}",
     ERR_INVALID, "The request is invalid: a: b"},
    /* No Status */
    {404, "404 page not found\n", ERR_NOT_FOUND,
     "Error from server (NotFound): the server could not find the requested resource"},
    {401, "Unauthorized\n", ERR_UNAUTHORIZED,
     "error: You must be logged in to the server (the server has asked for the client to provide "
     "credentials)"},
    {503, "", ERR_UNAVAILABLE,
     "Error from server (ServiceUnavailable): the server is currently unable to handle the request"},
    {502, "\r\n <html>bad\x1b[2J gateway</html>\r\nmore", ERR_UNAVAILABLE,
     "Error from server: a gateway in front of the server could not reach it: <html>bad\\x1b[2J "
     "gateway</html>"},
    {500, "", ERR_SERVER,
     "Error from server (InternalError): an error on the server (500) has prevented the request from "
     "succeeding"},
    {418, "short and stout", ERR_PROTOCOL,
     "Error from server: the server responded with the status code 418: short and stout"},
    {302, "", ERR_PROTOCOL,
     "Error from server: the server responded with the status code 302 but did not return more "
     "information"},
    {400, "{\"kind\":\"Pod\"}", ERR_INVALID,
     "Error from server (BadRequest): the server rejected our request for an unknown reason: "
     "{\"kind\":\"Pod\"}"},
    {400, "{\"kind\":\"Status\"", ERR_INVALID,
     "Error from server (BadRequest): the server rejected our request for an unknown reason: "
     "{\"kind\":\"Status\""},
    /* A Status that lies about its numbers */
    {500, "{\"kind\":\"Status\",\"message\":\"m\",\"code\":1e300,\"details\":{\"retryAfterSeconds\":9e18}}",
     ERR_SERVER, "Error from server: m"},
    {500, "{\"kind\":\"Status\",\"message\":5,\"code\":\"x\",\"reason\":[],\"details\":[]}", ERR_SERVER,
     "Error from server: the server gave no reason"},
};

static void test_texts(void **state _unused_)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_err_ struct err *err = NULL;
        int r = kube_status_to_err(rows[i].http, rows[i].body, strlen(rows[i].body), &err);
        assert_non_null(err);
        _cleanup_free_ char *text = kube_err_text(err);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(r, rows[i].code);
        assert_int_equal(err->code, rows[i].code);
        assert_int_equal(err->http, rows[i].http);
        assert_int_equal(err->retry_ms, 0);
    }
}

static void test_fields(void **state _unused_)
{
    static const char body[] = "{\"kind\":\"Status\",\"message\":\"later\",\"reason\":\"TooManyRequests\","
                               "\"code\":429,\"details\":{\"retryAfterSeconds\":7}}";
    _cleanup_err_ struct err *err = NULL, *empty = NULL;

    assert_int_equal(kube_status_to_err(429, body, sizeof(body) - 1, &err), ERR_THROTTLED);
    assert_string_equal(err->message, "later");
    assert_string_equal(err->reason, "TooManyRequests");
    assert_int_equal(err->retry_ms, 7000);
    assert_non_null(strstr(err->details, "retryAfterSeconds"));
    assert_int_equal(kube_status_to_err(500, NULL, 0, &empty), ERR_SERVER);
    assert_int_equal(kube_status_to_err(404, NULL, 0, NULL), ERR_NOT_FOUND);
}

static void test_without_an_answer(void **state _unused_)
{
    static const struct {
        int code;
        const char *message, *text;
    } own[] = {
        {ERR_UNAVAILABLE, "Unable to connect to the server: x", "Unable to connect to the server: x"},
        {ERR_TIMEOUT, "Unable to connect to the server: slow", "Unable to connect to the server: slow"},
        {ERR_UNAUTHORIZED, "Unable to connect to the server: TLS", "Unable to connect to the server: TLS"},
        {ERR_INVALID, "no such flag", "error: no such flag"},
        {ERR_NOT_FOUND, "context \"x\" does not exist", "error: context \"x\" does not exist"},
    };

    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        _cleanup_err_ struct err *err = NULL;
        err_set(&err, own[i].code, "%s", own[i].message);
        _cleanup_free_ char *text = kube_err_text(err);
        assert_string_equal(text, own[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_without_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
