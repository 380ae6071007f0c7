#include "unit/unit.h"

#include "base/err.h"
#include "base/str.h"

static void test_numbers(void **state _unused_)
{
    static const char *const bad[] = {"", " 1", "+1", "1x", "--1", "99999999999999999999", "-", "0x10"};
    int64_t n = 7;

    assert_true(str_to_i64("42", 0, 100, &n) && n == 42);
    assert_true(str_to_i64("-5", -10, 10, &n) && n == -5);
    assert_false(str_to_i64("101", 0, 100, &n));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(str_to_i64(bad[i], INT64_MIN, INT64_MAX, &n));
    assert_int_equal(n, -5);
}

static void test_lists(void **state _unused_)
{
    _cleanup_strv_ char **v = strv_split("a,,b,", ',', false), **all = strv_split("a,,b,", ',', true);
    _cleanup_free_ char *joined = strv_join(v, "+");

    assert_int_equal(strv_len(v), 2);
    assert_int_equal(strv_len(all), 4);
    assert_string_equal(joined, "a+b");
    assert_true(strv_has(v, "b"));
    assert_false(strv_has(v, "c"));
    assert_false(strv_has(NULL, "c"));
}

static void test_suggest(void **state _unused_)
{
    static const char *const words[] = {"get", "describe", "delete", "apply", NULL};

    assert_string_equal(str_suggest("descrbe", words), "describe");
    assert_string_equal(str_suggest("aply", words), "apply");
    assert_null(str_suggest("frobnicate", words));
}

static void test_escape(void **state _unused_)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain \xc3\xa9\xe4\xb8\xad", "plain \xc3\xa9\xe4\xb8\xad"},
        {"\x1b[31mred", "\\x1b[31mred"},
        {"a\nb\tc\r", "a\\nb\\tc\\r"},
        {"bad\xff", "bad\\xff"},
        {"\xc0\x80", "\\xc0\\x80"},  /* overlong NUL */
        {"\xe2\x80\xae", "\\u202e"}, /* right-to-left override */
        {"\xc2\x9b", "\\x9b"},       /* C1 control */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *s = str_escape_control(rows[i].in, false);
        assert_string_equal(s, rows[i].out);
    }
    _cleanup_free_ char *kept = str_escape_control("a\nb\t\x07", true);
    assert_string_equal(kept, "a\nb\t\\x07");
}

static void test_utf8(void **state _unused_)
{
    static const struct {
        const char *text;
        size_t len;
        uint32_t cp;
    } rows[] = {{"a", 1, 'a'},
                {"\xc3\xa9", 2, 0xe9},
                {"\xe2\x82\xac", 3, 0x20ac},
                {"\xf0\x9f\x98\x80", 4, 0x1f600},
                {"\xf4\x8f\xbf\xbf", 4, 0x10ffff}};
    static const char *const bad[] = {"\x80",
                                      "\xc0\xaf",
                                      "\xc3",
                                      "\xe2\x82",
                                      "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf0\x80\x80\xaf",
                                      "\xff",
                                      "\xf8\x88\x80\x80\x80"};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t cp = 0;
        assert_int_equal(str_utf8_next(rows[i].text, &cp), rows[i].len);
        assert_int_equal(cp, rows[i].cp);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint32_t cp = 7;
        assert_int_equal(str_utf8_next(bad[i], &cp), 0);
        assert_int_equal(cp, 7);
    }
}

static void test_width(void **state _unused_)
{
    assert_int_equal(str_width("abc"), 3);
    assert_int_equal(str_width("\xe4\xb8\xad\xe6\x96\x87"), 4);
    assert_int_equal(str_width("e\xcc\x81"), 1);
    /* a Devanagari vowel sign, a zero-width joiner, an emoji, a full-width letter, a broken byte */
    assert_int_equal(str_width("\xe0\xa4\x95\xe0\xa5\x81"), 1);
    assert_int_equal(str_width("a\xe2\x80\x8d"
                               "b"),
                     2);
    assert_int_equal(str_width("\xf0\x9f\x9a\x80 \xef\xbc\xa1"), 5);
    assert_int_equal(str_width("\xff"
                               "a"),
                     2);
    assert_int_equal(str_width("\xf0\x9f\x98\x80"), 2);
    assert_int_equal(str_width(""), 0);
}

static void test_base64(void **state _unused_)
{
    static const char *const rows[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
    static const char *const bad[] = {"Zg", "Zg=", "Z===", "Zg==Zg==", "Zm9v!", "===="};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *encoded = str_base64_encode(rows[i][0], strlen(rows[i][0]));
        assert_string_equal(encoded, rows[i][1]);
        char *data = NULL;
        size_t len;
        assert_int_equal(str_base64_decode(encoded, &data, &len), 0);
        assert_int_equal(len, strlen(rows[i][0]));
        assert_string_equal(data, rows[i][0]);
        free(data);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *data = NULL;
        size_t len;
        int r = str_base64_decode(bad[i], &data, &len);
        free(data);
        assert_int_equal(r, ERR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_lists),
                                       cmocka_unit_test(test_suggest), cmocka_unit_test(test_escape),
                                       cmocka_unit_test(test_utf8),    cmocka_unit_test(test_width),
                                       cmocka_unit_test(test_base64)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
