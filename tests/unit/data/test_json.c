#include "unit/unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "data/json.h"

static cJSON *parse(const char *text)
{
    cJSON *o = NULL;

    assert_int_equal(json_parse(text, strlen(text), "test", &o, NULL), 0);
    return o;
}

static void test_parse_errors(void **state _unused_)
{
    static const struct {
        const char *text, *where;
    } rows[] = {{"", "is empty"},
                {"  \n", "is empty"},
                {"{\"a\":}", "test:1:"},
                {"{\n\"a\": tru}", "test:2:"},
                {"{} {}", "test:1:4: text after"},
                {"[1,2", "too early"},
                {"{\"a\" 1}", "test:1:"}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_err_ struct err *e = NULL;
        cJSON *o = NULL;
        assert_int_equal(json_parse(rows[i].text, strlen(rows[i].text), "test", &o, &e), ERR_INVALID);
        assert_null(o);
        if (!strstr(e->message, rows[i].where))
            fail_msg("%s: %s", rows[i].text, e->message);
    }
}

static void test_depth(void **state _unused_)
{
    char deep[2 * (JSON_MAX_DEPTH + 1) + 1];
    cJSON *o = NULL;

    memset(deep, '[', JSON_MAX_DEPTH + 1);
    memset(deep + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
    deep[sizeof(deep) - 1] = '\0';
    assert_int_equal(json_parse(deep, strlen(deep), "t", &o, NULL), ERR_TOO_LARGE);
    assert_int_equal(json_parse(deep + 1, strlen(deep) - 2, "t", &o, NULL), 0);
    cJSON_Delete(o);
}

static void test_reading(void **state _unused_)
{
    _cleanup_json_ cJSON *o =
        parse("{\"a\":{\"b.c\":\"dot\",\"list\":[{\"n\":1},{\"n\":2.5}],\"t\":true,\"big\":9007199254740992},"
              "\"dup\":1,\"dup\":2}");

    assert_int_equal(json_int(o, "a.list[0].n", -1), 1);
    assert_int_equal(json_int(o, "a.list[1].n", -1), -1);
    assert_int_equal(json_int(o, "a.list[2].n", -1), -1);
    assert_true(json_num(o, "a.list[1].n", 0) > 2.4);
    assert_true(json_bool(o, "a.t", false));
    assert_true(json_int(o, "a.big", 0) == INT64_C(9007199254740992));
    assert_int_equal(json_int(o, "dup", 0), 2);
    assert_string_equal(json_atv(o, "a", "b.c", NULL)->valuestring, "dot");
    assert_null(json_str(o, "a.none.deeper"));
    assert_null(json_at(NULL, "a"));
    assert_string_equal(json_str_or(o, "a.t", "x"), "x");
}

static void test_writing(void **state _unused_)
{
    _cleanup_json_ cJSON *o = cJSON_CreateObject();

    json_set_str(o, "a.b.c", "x");
    json_set_int(o, "a.n", 3);
    json_set_str(o, "a.b.c", "y");
    json_put_str(o, "k.with.dots", "v");
    json_set_bool(o, "a.b.flag", true);
    json_del(o, "a.n");
    json_del(o, "not.there");
    _cleanup_free_ char *text = json_print(o);
    assert_string_equal(text, "{\"a\":{\"b\":{\"c\":\"y\",\"flag\":true}},\"k.with.dots\":\"v\"}");
    json_set_str(o, "a.b", NULL);
    assert_null(json_at(o, "a.b"));
}

/* The examples of RFC 7386, appendix A. */
static void test_merge_patch(void **state _unused_)
{
    static const char *const rows[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
        {"{\"a\":\"foo\"}", "null", "null"},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cJSON *target = parse(rows[i][0]);
        _cleanup_json_ cJSON *patch = parse(rows[i][1]), *expected = parse(rows[i][2]);
        json_merge_patch(&target, patch);
        if (!json_equal(target, expected)) {
            _cleanup_free_ char *got = json_print(target);
            fail_msg("%s + %s = %s", rows[i][0], rows[i][1], got);
        }
        cJSON_Delete(target);
    }
}

static void test_equal_and_hash(void **state _unused_)
{
    _cleanup_json_ cJSON *a = parse("{\"x\":1,\"y\":[true,null,\"s\"]}"),
                         *b = parse("{\"y\":[true,null,\"s\"],\"x\":1.0}");
    _cleanup_json_ cJSON *c = parse("{\"x\":1,\"y\":[null,true,\"s\"]}"), *d = parse("{\"x\":1}");

    assert_true(json_equal(a, b));
    assert_true(json_hash(a) == json_hash(b));
    assert_false(json_equal(a, c));
    assert_true(json_hash(a) != json_hash(c));
    assert_false(json_equal(a, d));
    assert_false(json_equal(a, NULL));
    assert_true(json_equal(NULL, NULL));
    /* The hash is written into names on the lattice: it must not change from one version to the next. */
    _cleanup_json_ cJSON *fixed = parse("{\"b\":\"2\",\"a\":\"1\"}");
    assert_true(json_hash(fixed) == UINT64_C(0x51f014f5ad41ec04));
}

static void test_printing(void **state _unused_)
{
    static const char *const rows[][2] = {{"9007199254740991", "9007199254740991"},
                                          {"0.1", "0.1"},
                                          {"-0", "0"},
                                          {"1e300", "1e+300"},
                                          {"-5", "-5"},
                                          {"1.5", "1.5"},
                                          {"\"a\\u0001\\n\\\"\\\\\"", "\"a\\u0001\\n\\\"\\\\\""},
                                          {"[]", "[]"}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_json_ cJSON *o = parse(rows[i][0]);
        _cleanup_free_ char *text = json_print(o);
        assert_string_equal(text, rows[i][1]);
    }
    _cleanup_json_ cJSON *o = parse("{\"a\":[1,{}],\"b\":{}}");
    _cleanup_free_ char *pretty = json_print_pretty(o);
    assert_string_equal(pretty, "{\n    \"a\": [\n        1,\n        {}\n    ],\n    \"b\": {}\n}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_errors), cmocka_unit_test(test_depth),
        cmocka_unit_test(test_reading),      cmocka_unit_test(test_writing),
        cmocka_unit_test(test_merge_patch),  cmocka_unit_test(test_equal_and_hash),
        cmocka_unit_test(test_printing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
