#include "unit/unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "data/yaml.h"

/* All documents as compact JSON, separated by blanks. */
static char *to_json(const char *text)
{
    struct yaml_docs docs = {0};
    struct buf b = BUF_INIT;
    _cleanup_err_ struct err *e = NULL;

    if (yaml_parse(text, strlen(text), "f.yaml", &docs, &e) < 0)
        return xasprintf("error: %s", e->message);
    for (size_t i = 0; i < docs.len; i++) {
        if (i)
            buf_addc(&b, ' ');
        json_print_to(&b, docs.items[i].root, false);
    }
    yaml_docs_release(&docs);
    return buf_take(&b);
}

static void test_values(void **state _unused_)
{
    static const char *const rows[][2] = {
        {"a: 1", "{\"a\":1}"},
        {"[y, n, yes, No, on, OFF, true, False]", "[true,false,true,false,true,false,true,false]"},
        {"[~, null, Null, ]", "[null,null,null]"},
        {"[017, 0o17, 0x1F, 0b101, 1_000, -5, +3]", "[15,15,31,5,1000,-5,3]"},
        {"[1.5, .5, 1e3, 08, 1.2.3, 1e, '1', \"true\"]", "[1.5,0.5,1000,8,\"1.2.3\",\"1e\",\"1\",\"true\"]"},
        {"2026-01-02", "\"2026-01-02\""},
        {"!!str 5", "\"5\""},
        {"a: &x {b: 1}\nc: *x", "{\"a\":{\"b\":1},\"c\":{\"b\":1}}"},
        {"base: &b {x: 1, z: 2}\nderived:\n  <<: *b\n  z: 3",
         "{\"base\":{\"x\":1,\"z\":2},\"derived\":{\"z\":3,\"x\":1}}"},
        {"1: a\ntrue: b\n", "{\"1\":\"a\",\"true\":\"b\"}"},
        {"a: |\n  one\n  two\nb: >-\n  three\n  four\n", "{\"a\":\"one\\ntwo\\n\",\"b\":\"three four\"}"},
        {"a: 1\n---\nb: 2\n...\n---\n# only a comment\n---\nc: 3", "{\"a\":1} {\"b\":2} {\"c\":3}"},
        {"# nothing\n", ""},
        {"", ""},
        {"a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}"},
        {"\xef\xbb\xbf"
         "a: 1",
         "{\"a\":1}"},
        {"{\"a\": 1}\n{\"b\": [2]}", "{\"a\":1} {\"b\":[2]}"},
        {"{\"a\": 1}\nnull", "{\"a\":1}"},
        {"{a: 1, b: [c, d]}", "{\"a\":1,\"b\":[\"c\",\"d\"]}"},
        {"a: 12:30:45", "{\"a\":\"12:30:45\"}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *got = to_json(rows[i][0]);
        if (!streq(got, rows[i][1]))
            fail_msg("%s\n gives %s\n not   %s", rows[i][0], got, rows[i][1]);
    }
}

static void test_errors(void **state _unused_)
{
    static const char *const rows[][2] = {
        {"a: 1\n\tb: 2", "f.yaml:2:"},
        {"a: 1\n b: 2", "f.yaml:2:"},
        {"a: 1\na: 2", "f.yaml:2:1: key \"a\" is given twice"},
        {"a: *nope", "f.yaml:1:4: alias *nope"},
        {"a: b: c", "f.yaml:1:5:"},
        {"a: [1, 2", "f.yaml:2:1:"},
        {"? [x]\n: y", "a key must be"},
        {"a: !foo bar", "tag !foo is not known"},
        {"{\"a\": 1", "f.yaml:1:8: is no valid JSON: it ends too early"},
        {"{a: 1", "f.yaml:2:1: while parsing a flow mapping"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *got = to_json(rows[i][0]);
        if (!str_starts(got, "error: ") || !strstr(got, rows[i][1]))
            fail_msg("%s\n gives %s\n not   %s", rows[i][0], got, rows[i][1]);
    }
}

static void test_bombs(void **state _unused_)
{
    struct buf b = BUF_INIT;

    buf_adds(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 10; i++) {
        buf_addf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            buf_addf(&b, "%s*a%d", k ? "," : "", i - 1);
        buf_adds(&b, "]\n");
    }
    _cleanup_free_ char *got = to_json(buf_str(&b));
    assert_non_null(strstr(got, "after aliases are expanded"));
    buf_truncate(&b, 0);
    buf_fill(&b, '[', 100000);
    _cleanup_free_ char *deep = to_json(buf_str(&b));
    assert_true(str_starts(deep, "error: "));
    buf_release(&b);
}

static void test_lines(void **state _unused_)
{
    static const char text[] = "# c\n\na: 1\n---\n\nb: 2\n";
    struct yaml_docs docs = {0};

    assert_int_equal(yaml_parse(text, sizeof(text) - 1, "f", &docs, NULL), 0);
    assert_int_equal(docs.len, 2);
    assert_int_equal(docs.items[0].line, 3);
    assert_int_equal(docs.items[1].line, 6);
    yaml_docs_release(&docs);
}

static void test_printing(void **state _unused_)
{
    static const char *const rows[][2] = {
        {"{\"b\":1,\"a\":{\"d\":[1,{\"x\":\"y\",\"w\":[]}],\"c\":{}}}",
         "a:\n  c: {}\n  d:\n  - 1\n  - w: []\n    x: \"y\"\nb: 1\n"},
        {"{\"s\":[\"\",\"true\",\"5\",\"plain\",\"a: b\",\"- x\",\"#c\",\" "
         "pad\",\"null\",\"it's\",\"@at\",\"no\"]}",
         "s:\n- \"\"\n- \"true\"\n- \"5\"\n- plain\n- 'a: b'\n- '- x'\n- '#c'\n- ' pad'\n- \"null\"\n- "
         "it's\n- '@at'\n- \"no\"\n"},
        {"{\"t\":\"2026-01-02T03:04:05Z\"}", "t: \"2026-01-02T03:04:05Z\"\n"},
        {"{\"m\":\"one\\ntwo\\n\",\"n\":\"one\\ntwo\",\"o\":\"x\\n\\n\"}",
         "m: |\n  one\n  two\n\"n\": |-\n  one\n  two\no: |+\n  x\n\n"},
        {"{\"c\":\"a\\u001b[1m\"}", "c: \"a\\e[1m\"\n"},
        {"[[1,2],[{\"a\":1}]]", "- - 1\n  - 2\n- - a: 1\n"},
        {"\"word\"", "word\n"},
        {"{}", "{}\n"},
        {"{\"n\":null,\"t\":true,\"f\":1.5}", "f: 1.5\n\"n\": null\nt: true\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cJSON *o = NULL, *back;
        _cleanup_buf_ struct buf b = BUF_INIT;
        assert_int_equal(json_parse(rows[i][0], strlen(rows[i][0]), "t", &o, NULL), 0);
        yaml_print_to(&b, o);
        if (!streq(buf_str(&b), rows[i][1]))
            fail_msg("%s\nprints\n%snot\n%s", rows[i][0], buf_str(&b), rows[i][1]);
        struct yaml_docs docs = {0};
        assert_int_equal(yaml_parse(b.data, b.len, "t", &docs, NULL), 0);
        back = docs.len ? docs.items[0].root : NULL;
        assert_true(json_equal(o, back));
        yaml_docs_release(&docs);
        cJSON_Delete(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_bombs), cmocka_unit_test(test_lines),
                                       cmocka_unit_test(test_printing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
