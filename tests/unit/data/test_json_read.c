#include "unit/unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "data/json.h"
#include "data/yaml.h"

/* Every rule of the grammar that can be broken, and the place that is named. */
static void test_messages(void **state _unused_)
{
    static const char *const rows[][2] = {
        {"{\"a\":1,}", "t:1:8: is no valid JSON: there is a \",\" behind the last member"},
        {"[1,2,]", "t:1:6: is no valid JSON: there is a \",\" behind the last element"},
        {"{a:1}", "t:1:2: is no valid JSON: a key in double quotes was expected"},
        {"{'a':1}", "t:1:2: is no valid JSON: a key in double quotes was expected"},
        {"{\"a\" 1}", "t:1:6: is no valid JSON: \":\" was expected behind a key"},
        {"{\"a\":1 \"b\":2}", "t:1:8: is no valid JSON: \",\" or \"}\" was expected"},
        {"[1 2]", "t:1:4: is no valid JSON: \",\" or \"]\" was expected"},
        {"{\n  \"a\": tru\n}", "t:2:8: is no valid JSON: a value was expected"},
        {"[01]", "t:1:2: is no valid JSON: a number has a leading zero"},
        {"[-]", "t:1:3: is no valid JSON: a digit is missing behind \"-\""},
        {"[1.]", "t:1:4: is no valid JSON: a digit is missing behind the decimal point"},
        {"[1e+]", "t:1:5: is no valid JSON: a digit is missing in the exponent"},
        {"[+1]", "t:1:2: is no valid JSON: a value was expected"},
        {"[1e999]", "t:1:2: the number 1e999 is out of range"},
        {"[NaN]", "t:1:2: is no valid JSON: a value was expected"},
        {"[\"a\nb\"]", "t:1:4: is no valid JSON: a string is not closed on its line"},
        {"[\"a\tb\"]", "t:1:4: is no valid JSON: a control character in a string"},
        {"[\"\\x\"]", "t:1:3: is no valid JSON: unknown escape"},
        {"[\"\\u12g4\"]", "t:1:7: is no valid JSON: \\u needs four hexadecimal digits"},
        {"[\"\\u0000\"]", "t:1:3: a string holds a NUL character"},
        {"\"abc", "t:1:5: is no valid JSON: it ends too early"},
        {"\"abc\\", "t:1:6: is no valid JSON: it ends too early"},
        {"[1", "t:1:3: is no valid JSON: it ends too early"},
        {"{\"a\":", "t:1:6: is no valid JSON: it ends too early"},
        {"nul", "t:1:1: is no valid JSON: a value was expected"},
        {"{} x", "t:1:4: text after the end of the JSON value"},
        {"// comment\n{}", "t:1:1: is no valid JSON: a value was expected"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_err_ struct err *e = NULL;
        cJSON *o = NULL;
        /* A copy of exactly this size: reading past the end is then seen by the sanitizer. */
        size_t len = strlen(rows[i][0]);
        _cleanup_free_ char *text = xmemdup(rows[i][0], len);
        assert_int_equal(json_parse(text, len, "t", &o, &e), ERR_INVALID);
        assert_null(o);
        if (!str_starts(e->message, rows[i][1]))
            fail_msg("%s\n gives %s\n not   %s", rows[i][0], e->message, rows[i][1]);
    }
}

static void test_nul_and_cut_off(void **state _unused_)
{
    static const char nul[] = "[\"a\0b\"]", nul_outside[] = "[\0]";
    static const char whole[] =
        "{\"a\":[1,-2.5e-3,\"x\\n\\u00e9\\ud83d\\ude00\",{\"b\":null,\"c\":true}],\"d\":{}}";
    cJSON *o = NULL;

    assert_int_equal(json_parse(nul, sizeof(nul) - 1, "t", &o, NULL), ERR_INVALID);
    assert_int_equal(json_parse(nul_outside, sizeof(nul_outside) - 1, "t", &o, NULL), ERR_INVALID);
    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        _cleanup_free_ char *text = xmemdup(whole, len + !len);
        _cleanup_err_ struct err *e = NULL;
        assert_int_equal(json_parse(text, len, "t", &o, &e), ERR_INVALID);
        assert_non_null(e);
        assert_null(o);
    }
}

static void test_strings(void **state _unused_)
{
    static const char *const rows[][2] = {
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u20ac\"", "A\xc3\xa9\xe2\x82\xac"},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
        {"\"\\ud83d!\"", "\xef\xbf\xbd!"},
        {"\"\\ude00\"", "\xef\xbf\xbd"},
        {"\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
        {"\"\"", ""},
        {"\xef\xbb\xbf \"bom\" ", "bom"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_json_ cJSON *o = NULL;
        assert_int_equal(json_parse(rows[i][0], strlen(rows[i][0]), "t", &o, NULL), 0);
        assert_string_equal(o->valuestring, rows[i][1]);
    }
}

/* More members than are compared one by one, each given twice: the last counts, in the order of the last. */
static void test_many_duplicates(void **state _unused_)
{
    _cleanup_buf_ struct buf b = BUF_INIT;
    _cleanup_json_ cJSON *o = NULL;

    buf_addc(&b, '{');
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 50; i++)
            buf_addf(&b, "%s\"k%d\":%d", round + i ? "," : "", i, i + 1000 * round);
    buf_addc(&b, '}');
    assert_int_equal(json_parse(b.data, b.len, "t", &o, NULL), 0);
    assert_int_equal(cJSON_GetArraySize(o), 50);
    for (int i = 0; i < 50; i++) {
        _cleanup_free_ char *key = xasprintf("k%d", i);
        assert_int_equal(json_int(o, key, -1), i + 1000);
    }
}

static void test_next(void **state _unused_)
{
    static const char text[] = "{\"a\":1}\n [2]\n\"x\"";
    static const char *const refused[][2] = {
        {"{\"a\":1,\n\"a\":2}", "f:8:1: key \"a\" is given twice"},
        {"[9007199254740993]", "f:7:2: the integer 9007199254740993 is past 2^53"},
    };
    size_t at = 0, used = 0, n = 0;

    while (at < sizeof(text) - 1) {
        _cleanup_json_ cJSON *o = NULL;
        assert_int_equal(json_parse_next(text + at, sizeof(text) - 1 - at, "f", 1, &o, &used, NULL), 0);
        at += used;
        n++;
    }
    assert_int_equal(n, 3);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        _cleanup_err_ struct err *e = NULL;
        cJSON *o = NULL;
        assert_int_equal(json_parse_next(refused[i][0], strlen(refused[i][0]), "f", 7, &o, &used, &e),
                         ERR_INVALID);
        if (!str_starts(e->message, refused[i][1]))
            fail_msg("%s", e->message);
    }
}

/* What a person who mixes the formats up is told. */
static void test_mixed_files(void **state _unused_)
{
    static const char *const rows[][2] = {
        {"{\"a\": 1}\n{\"b\": tru}\n", "f:2:7: is no valid JSON: a value was expected"},
        {"{\"a\": 1, \"b\": {\"c\": [1,2}}\n", "f:1:25: is no valid JSON: \",\" or \"]\" was expected"},
        {"{\"a\": 1, \"a\": 2}", "f:1:10: key \"a\" is given twice"},
        {"a:\n  b: 1\n\tc: 2\n", "f:3:1: "},
        {"a:\n\t- 1\n", "indented with a tab"},
        {"a: 1\nb 2\nc: 3\n", "is a colon missing"},
        {"a: @x\n", "needs quotes"},
        {"a: 1\nb: 2\na: 3\n", "f:3:1: key \"a\" is given twice in this mapping (first on line 1)"},
        {"a: .inf\n", "f:1:4: JSON has no number .inf"},
        {"a: 12345678901234567890\n", "f:1:4: the integer 12345678901234567890 is past 2^53"},
        {"~: 1\n", "f:1:1: a key is empty or null"},
        {"a: !!int x\n", "f:1:4: \"x\" is no !!int"},
        {"a: !!binary \"?\"\n", "f:1:4: !!binary needs text in base64"},
        {"a: \"x\n", "is a quote or a bracket not closed?"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_err_ struct err *e = NULL;
        struct yaml_docs docs = {0};
        size_t len = strlen(rows[i][0]);
        _cleanup_free_ char *text = xmemdup(rows[i][0], len);
        assert_int_equal(yaml_parse(text, len, "f", &docs, &e), ERR_INVALID);
        if (!strstr(e->message, rows[i][1]))
            fail_msg("%s\n gives %s\n not   %s", rows[i][0], e->message, rows[i][1]);
    }
}

/* Small files that would fill the memory or the stack. */
static void test_alias_limits(void **state _unused_)
{
    _cleanup_buf_ struct buf copies = BUF_INIT, merges = BUF_INIT, deep = BUF_INIT;
    struct yaml_docs docs = {0};

    buf_adds(&copies, "a: &a ");
    buf_fill(&copies, 'x', 1024 * 1024);
    buf_adds(&copies, "\nb: [");
    for (int i = 0; i < 100; i++)
        buf_adds(&copies, "*a,");
    buf_adds(&copies, "]\n");
    assert_int_equal(yaml_parse(copies.data, copies.len, "f", &docs, NULL), ERR_TOO_LARGE);

    buf_adds(&deep, "- &a0 x\n");
    for (int i = 1; i < 300; i++)
        buf_addf(&deep, "- &a%d [*a%d]\n", i, i - 1);
    assert_int_equal(yaml_parse(deep.data, deep.len, "f", &docs, NULL), ERR_TOO_LARGE);

    buf_adds(&merges, "a: &a {");
    for (int i = 0; i < 1000; i++)
        buf_addf(&merges, "k%d: 1,", i);
    buf_adds(&merges, "}\nb:\n  <<: [");
    for (int i = 0; i < 1000; i++)
        buf_adds(&merges, "*a,");
    buf_adds(&merges, "]\n");
    assert_int_equal(yaml_parse(merges.data, merges.len, "f", &docs, NULL), 0);
    assert_int_equal(cJSON_GetArraySize(json_at(docs.items[0].root, "b")), 1000);
    yaml_docs_release(&docs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),     cmocka_unit_test(test_nul_and_cut_off),
        cmocka_unit_test(test_strings),      cmocka_unit_test(test_many_duplicates),
        cmocka_unit_test(test_next),         cmocka_unit_test(test_mixed_files),
        cmocka_unit_test(test_alias_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
