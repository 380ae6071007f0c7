/* What Go's sigs.k8s.io/yaml, the library of kubectl and of the API server, makes of the same texts. The
 * expected values were printed by it. */
#include "unit/unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "data/yaml.h"

/* A plain word and the JSON it means. */
static void test_words(void **state _unused_)
{
    static const char *const rows[][2] = {
        {"y", "true"},
        {"Yes", "true"},
        {"ON", "true"},
        {"off", "false"},
        {"n", "false"},
        {"No", "false"},
        {"TRUE", "true"},
        {"False", "false"},
        {"null", "null"},
        {"Null", "null"},
        {"~", "null"},
        {"nULL", "\"nULL\""},
        {"tRue", "\"tRue\""},
        {"0", "0"},
        {"00", "0"},
        {"007", "7"},
        {"017", "15"},
        {"08", "8"},
        {"09", "9"},
        {"0o17", "15"},
        {"0o8", "\"0o8\""},
        {"0x1F", "31"},
        {"0X1f", "31"},
        {"0xg", "\"0xg\""},
        {"0x0x5", "\"0x0x5\""},
        {"0b101", "5"},
        {"0b2", "\"0b2\""},
        {"-0b11", "-3"},
        {"-017", "-15"},
        {"+0x1f", "31"},
        {"1_000", "1000"},
        {"1__0", "10"},
        {"_1", "\"_1\""},
        {"1_", "1"},
        {"0x_1", "1"},
        {"-_1", "-1"},
        {"-", "\"-\""},
        {"+", "\"+\""},
        {".", "\".\""},
        {"..", "\"..\""},
        {".5", "0.5"},
        {"-.5", "-0.5"},
        {"+.5", "0.5"},
        {"5.", "5"},
        {"1.5e3", "1500"},
        {"1e3", "1000"},
        {"1E3", "1000"},
        {"1e+3", "1000"},
        {"1e-3", "0.001"},
        {"1e", "\"1e\""},
        {"1.e3", "1000"},
        {".e3", "\".e3\""},
        {"e3", "\"e3\""},
        {"1.2.3", "\"1.2.3\""},
        {"inf", "\"inf\""},
        {"nan", "\"nan\""},
        {"Infinity", "\"Infinity\""},
        {"1_0.5", "10.5"},
        {"1.5_0", "1.5"},
        {"._5", "\"._5\""},
        {".5_0", "0.5"},
        {".5__0", "\".5__0\""},
        {"12:30:45", "\"12:30:45\""},
        {"2026-01-02", "\"2026-01-02\""},
        {"2026-1-2", "\"2026-1-2\""},
        {"2026-13-02", "\"2026-13-02\""},
        {"2026-02-30", "\"2026-02-30\""},
        {"2026-01-02T03:04:05Z", "\"2026-01-02T03:04:05Z\""},
        {"1e309", "\"1e309\""},
        {"-1e309", "\"-1e309\""},
        {"0x", "\"0x\""},
        {"0b", "\"0b\""},
        {"0o", "\"0o\""},
        {"0x1p3", "\"0x1p3\""},
        {".1_0", "0.1"},
        {"+1", "1"},
        {"++1", "\"++1\""},
        {"-+1", "\"-+1\""},
        {"0e0", "0"},
        {"-0.5", "-0.5"},
        {"0.0", "0"},
        {"1,000", "1"},
        {"=", "\"=\""},
        {"123abc", "\"123abc\""},
        {"100m", "\"100m\""},
        {"64Mi", "\"64Mi\""},
        {"9007199254740992", "9007199254740992"},
        {"-9007199254740992", "-9007199254740992"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *text = xasprintf("[%s]", rows[i][0]);
        _cleanup_json_ cJSON *expected = NULL;
        _cleanup_err_ struct err *e = NULL;
        struct yaml_docs docs = {0};
        assert_int_equal(json_parse(rows[i][1], strlen(rows[i][1]), "expected", &expected, NULL), 0);
        if (yaml_parse(text, strlen(text), "f", &docs, &e) < 0)
            fail_msg("%s", e->message);
        if (!json_equal(cJSON_GetArrayItem(docs.items[0].root, 0), expected))
            fail_msg("%s is not %s", rows[i][0], rows[i][1]);
        yaml_docs_release(&docs);
    }
}

/* JSON, and how it is printed; what is printed is read back as the same. */
static void test_prints(void **state _unused_)
{
    static const char *const rows[][2] = {
        {"{\"k\": \"\"}", "k: \"\"\n"},
        {"{\"k\": \" a\"}", "k: ' a'\n"},
        {"{\"k\": \"a \"}", "k: 'a '\n"},
        {"{\"k\": \"- a\"}", "k: '- a'\n"},
        {"{\"k\": \"-a\"}", "k: -a\n"},
        {"{\"k\": \"-\"}", "k: '-'\n"},
        {"{\"k\": \"?\"}", "k: '?'\n"},
        {"{\"k\": \"? a\"}", "k: '? a'\n"},
        {"{\"k\": \"?a\"}", "k: ?a\n"},
        {"{\"k\": \":\"}", "k: ':'\n"},
        {"{\"k\": \"a:\"}", "k: 'a:'\n"},
        {"{\"k\": \":a\"}", "k: :a\n"},
        {"{\"k\": \"!a\"}", "k: '!a'\n"},
        {"{\"k\": \"&a\"}", "k: '&a'\n"},
        {"{\"k\": \"*a\"}", "k: '*a'\n"},
        {"{\"k\": \"|a\"}", "k: '|a'\n"},
        {"{\"k\": \">\"}", "k: '>'\n"},
        {"{\"k\": \"'a'\"}", "k: '''a'''\n"},
        {"{\"k\": \"\\\"a\\\"\"}", "k: '\"a\"'\n"},
        {"{\"k\": \"a'b\"}", "k: a'b\n"},
        {"{\"k\": \"%a\"}", "k: '%a'\n"},
        {"{\"k\": \"@a\"}", "k: '@a'\n"},
        {"{\"k\": \"`a\"}", "k: '`a'\n"},
        {"{\"k\": \"{a}\"}", "k: '{a}'\n"},
        {"{\"k\": \"[a]\"}", "k: '[a]'\n"},
        {"{\"k\": \",a\"}", "k: ',a'\n"},
        {"{\"k\": \"a,b\"}", "k: a,b\n"},
        {"{\"k\": \"a\\tb\"}", "k: \"a\\tb\"\n"},
        {"{\"k\": \"a\\nb\"}", "k: |-\n  a\n  b\n"},
        {"{\"k\": \"a\\n\"}", "k: |\n  a\n"},
        {"{\"k\": \"\\na\"}", "k: |2-\n\n  a\n"},
        {"{\"k\": \"a\\n b\"}", "k: |-\n  a\n   b\n"},
        {"{\"k\": \" a\\nb\"}", "k: |2-\n   a\n  b\n"},
        {"{\"k\": \"a \\nb\"}", "k: \"a \\nb\"\n"},
        {"{\"k\": \"a\\nb \"}", "k: \"a\\nb \"\n"},
        {"{\"k\": \"a\\n\\nb\\n\"}", "k: |\n  a\n\n  b\n"},
        {"{\"k\": \"a\\n\\tb\"}", "k: \"a\\n\\tb\"\n"},
        {"{\"k\": \"a\\r\\nb\"}", "k: \"a\\r\\nb\"\n"},
        {"{\"k\": \"a\\n\\n\"}", "k: |+\n  a\n\n"},
        {"{\"k\": \"\xc3\xa9\"}", "k: \xc3\xa9\n"},
        {"{\"k\": \"a\xc2\xa0"
         "b\"}",
         "k: a\xc2\xa0"
         "b\n"},
        {"{\"k\": \"\xe2\x80\x8b\"}", "k: \xe2\x80\x8b\n"},
        {"{\"k\": \"\\u001b[0m\"}", "k: \"\\e[0m\"\n"},
        {"{\"k\": \"\xf0\x9f\x98\x80\"}", "k: \"\\U0001F600\"\n"},
        {"{\"k\": \"---\"}", "k: '---'\n"},
        {"{\"k\": \"--- a\"}", "k: '--- a'\n"},
        {"{\"k\": \"...\"}", "k: '...'\n"},
        {"{\"k\": \"a\\\\b\"}", "k: a\\b\n"},
        {"{\"k\": \"2026-01-02T03:04:05Z\"}", "k: \"2026-01-02T03:04:05Z\"\n"},
        {"{\"k\": \"2026-13-02\"}", "k: 2026-13-02\n"},
        {"{\"k\": \"2026-01\"}", "k: 2026-01\n"},
        {"{\"k\": \"12:30\"}", "k: \"12:30\"\n"},
        {"{\"k\": \"1:60\"}", "k: 1:60\n"},
        {"{\"k\": \"-1:20\"}", "k: \"-1:20\"\n"},
        {"{\"k\": \"1:2:3\"}", "k: \"1:2:3\"\n"},
        {"{\"k\": \"yes\"}", "k: \"yes\"\n"},
        {"{\"k\": \"0x1F\"}", "k: \"0x1F\"\n"},
        {"{\"k\": \"1_000\"}", "k: \"1_000\"\n"},
        {"{\"k\": \"1e3\"}", "k: \"1e3\"\n"},
        {"{\"k\": \"null\"}", "k: \"null\"\n"},
        {"{\"k\": \"~\"}", "k: \"~\"\n"},
        {"{\"k\": \"#a\"}", "k: '#a'\n"},
        {"{\"k\": \"a#b\"}", "k: a#b\n"},
        {"{\"k\": \"a #b\"}", "k: 'a #b'\n"},
        {"{\"k\": \"http://x/y?z#w\"}", "k: http://x/y?z#w\n"},
        {"{\"k\": \"a: \"}", "k: 'a: '\n"},
        {"{\"k\": \".inf\"}", "k: \".inf\"\n"},
        {"{\"k\": \"0o17\"}", "k: \"0o17\"\n"},
        {"{\"k\": \"08\"}", "k: \"08\"\n"},
        {"{\"k\": \"word word word word word word word word word word word word word word word word word "
         "word word word end\"}",
         "k: word word word word word word word word word word word word word word word word\n  word word "
         "word word end\n"},
        {"{\"k\": \"'q' 'q' 'q' 'q' 'q' 'q' 'q' 'q' 'q' 'q' 'q' 'q' 'q' 'q' 'q' 'q' 'q' 'q' 'q' 'q' 'q' 'q' "
         "'q' 'q' 'q' \"}",
         "k: '''q'' ''q'' ''q'' ''q'' ''q'' ''q'' ''q'' ''q'' ''q'' ''q'' ''q'' ''q'' ''q''\n  ''q'' ''q'' "
         "''q'' ''q'' ''q'' ''q'' ''q'' ''q'' ''q'' ''q'' ''q'' ''q'' '\n"},
        {"{\"k\": "
         "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxx\"}",
         "k: "
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "x\n"},
        {"{\"k\": \"a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb "
         "a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb \"}",
         "k: \"a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb "
         "a\\tb\n  a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb a\\tb \"\n"},
        {"{\"k\": \"line one\\nw w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w "
         "w w w w w w w w w w w w w w w w w w w w w \\nend\"}",
         "k: \"line one\\nw w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w w\n  w w w w w w "
         "w w w w w w w w w w w w w w w w w w w w \\nend\"\n"},
        {"{\"list\": [\"word word word word word word word word word word word word word word word word word "
         "word word word end\"]}",
         "list:\n- word word word word word word word word word word word word word word word word\n  word "
         "word word word end\n"},
        {"{\"a10\": 1, \"a2\": 2, \"a1\": 3, \"A\": 4, \"_\": 5, \"b\": 6, \"a-b\": 7, \"a.b\": 8, \"a_b\": "
         "9, \"ab\": 10, \"10\": 11, \"9\": 12, \"\xc3\xa9\": 13, \"Z\": 14, \"a/b\": 15}",
         "_: 5\n\"9\": 12\n\"10\": 11\nA: 4\nZ: 14\na-b: 7\na.b: 8\na/b: 15\na_b: 9\na1: 3\na2: 2\na10: "
         "1\nab: 10\nb: 6\n\xc3\xa9: 13\n"},
        {"{\"a01\": 1, \"a1\": 2, \"a001\": 3, \"a010\": 4, \"a10\": 5}",
         "a1: 2\na01: 1\na001: 3\na10: 5\na010: 4\n"},
        {"{\"v1.10\": 1, \"v1.9\": 2, \"v1\": 3, \"v2\": 4, \"v10\": 5}",
         "v1: 3\nv1.9: 2\nv1.10: 1\nv2: 4\nv10: 5\n"},
        {"{\"a\": [[1, 2], [3]], \"b\": [{\"c\": 1, \"d\": []}, {}], \"e\": {\"f\": {}}}",
         "a:\n- - 1\n  - 2\n- - 3\nb:\n- c: 1\n  d: []\n- {}\ne:\n  f: {}\n"},
        {"[]", "[]\n"},
        {"{}", "{}\n"},
        {"\"x\"", "x\n"},
        {"null", "null\n"},
        {"5", "5\n"},
        {"[[]]", "- []\n"},
        {"[{\"a\": {\"b\": [1]}}]", "- a:\n    b:\n    - 1\n"},
        {"{\"y\": 1, \"n\": 2, \"true\": 3, \"1\": 4, \"\": 5}",
         "\"\": 5\n\"1\": 4\n\"n\": 2\n\"true\": 3\n\"y\": 1\n"},
        {"{\"a\\nb\": 1}", "? |-\n  a\n  b\n: 1\n"},
        {"{\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\": 1}",
         "? "
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n: 1\n"},
        {"{\"n\": [1, -5, 1.5, 0.25, -1e-07, 123456.5, 1234567.5, 1e+22, 0.0001, 1e-05, true, false, null]}",
         "\"n\":\n- 1\n- -5\n- 1.5\n- 0.25\n- -1e-07\n- 123456.5\n- 1.2345675e+06\n- 1e+22\n- 0.0001\n- "
         "1e-05\n- true\n- false\n- null\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_json_ cJSON *o = NULL;
        _cleanup_buf_ struct buf b = BUF_INIT;
        struct yaml_docs docs = {0};
        assert_int_equal(json_parse(rows[i][0], strlen(rows[i][0]), "row", &o, NULL), 0);
        yaml_print_to(&b, o);
        assert_string_equal(buf_str(&b), rows[i][1]);
        assert_int_equal(yaml_parse(b.data, b.len, "printed", &docs, NULL), 0);
        assert_int_equal(docs.len, cJSON_IsNull(o) ? 0 : 1);
        if (docs.len && !json_equal(docs.items[0].root, o))
            fail_msg("%s is read back as something else", rows[i][0]);
        yaml_docs_release(&docs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words), cmocka_unit_test(test_prints)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
