/* Templates and what kubectl prints for them; the expected texts were compared with client-go's. */
#include "unit/unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "data/gotext.h"
#include "data/jsonpath.h"

static const char document[] =
    "{\"big\":1e21,\"earr\":[],\"empty\":{},\"int\":12345678,\"items\":["
    "{\"l\":[1,2,3,4,5],\"metadata\":{\"b\":true,\"f\":1.5,\"labels\":{\"a.b/"
    "c\":\"dot\",\"x\":\"1\"},\"n\":3,"
    "\"name\":\"a\",\"nul\":null}},"
    "{\"l\":[],\"metadata\":{\"b\":false,\"f\":2.5,\"labels\":{\"x\":\"2\"},\"n\":10,\"name\":\"b\"}},"
    "{\"l\":[{\"p\":1},{\"p\":2,\"q\":[{\"r\":\"deep\"}]}],\"metadata\":{\"n\":-1,\"name\":\"c <&>\"}}],"
    "\"kind\":\"List\",\"small\":0.00001234,\"u\":\"\\u00e9\\u65e5\"}";

/* out NULL: error is the message, of parsing or of running. */
struct row {
    const char *text, *out, *error;
};

static const struct row rows[] = {
    {"hello", "hello", NULL},
    {"{.kind}", "List", NULL},
    {"{.kind", NULL, "unclosed action"},
    {"{.kind\n}", NULL, "unclosed action"},
    {"{kind}", NULL, "unrecognized identifier kind"},
    {"{$.kind} {@.kind}", "List List", NULL},
    {"{@.empty}{.earr}", "{}[]", NULL},
    {"{.}", "", NULL},
    {"{}", "{\"big\"", NULL},
    {"{.big} {.small} {.int} {.u}", "1e+21 1.234e-05 12345678 \xc3\xa9\xe6\x97\xa5", NULL},
    {"{.items[0].metadata.labels}", "{\"a.b/c\":\"dot\",\"x\":\"1\"}", NULL},
    {"{.items[2].metadata}", "{\"n\":-1,\"name\":\"c \\u003c\\u0026\\u003e\"}", NULL},
    {"{.items[2].metadata.name}", "c <&>", NULL},
    {"{.items[0].metadata.nul}", "null", NULL},
    {"{.items[0].metadata.nul.x}", "", NULL},
    {"{.nope.x}", "", NULL},
    /* elements */
    {"{.items[*].metadata.name}", "a b c <&>", NULL},
    {"{.items[-1].metadata.n}", "-1", NULL},
    {"{.items[-2:].metadata.n}", "10 -1", NULL},
    {"{.items[0].l[1:4:2]}", "2 4", NULL},
    {"{.items[0].l[:2]}", "1 2", NULL},
    {"{.items[0].l[::2]}", "1 3 5", NULL},
    {"{.items[0].l[1:1]}", "", NULL},
    {"{.items[0].l[]}", "1", NULL},
    {"{.items[0].l[0,2:4]}", "1 3 4", NULL},
    {"{.items[0].l[::0]}", NULL, "step must be > 0"},
    {"{.items[5]}", NULL, "array index out of bounds: index 5, length 3"},
    {"{.items[0:9]}", NULL, "array index out of bounds: index 8, length 3"},
    {"{.items[2:1]}", NULL, "starting index 2 is greater than ending index 1"},
    {"{.items[1].l[0]}", NULL, "array index out of bounds: index 0, length 0"},
    {"{.items[-]}", NULL, "array index - is not a number"},
    {"{.items[a]}", NULL, "invalid array index a"},
    {"{.items[1:2:3:4]}", NULL, "invalid array index 1:2:3:4"},
    {"{.items[\"a\"]}", NULL, "invalid array index \"a\""},
    {"{.items[0", NULL, "unterminated array"},
    {"{.kind[0]}", NULL, "string is not array or slice"},
    {"{.empty[0]}", NULL, "map[string]interface {} is not array or slice"},
    {"{.int[0]}", NULL, "int64 is not array or slice"},
    /* members */
    {"{.items[0]['metadata']['name']}", "a", NULL},
    {"{.items[0].metadata['name','n']}", "a 3", NULL},
    {"{.items[0]['metadata.name']}", "a", NULL},
    {"{.items[0].metadata.labels.a\\.b/c}", "dot", NULL},
    {"{.items[0].metadata.labels['a\\.b/c']}", "dot", NULL},
    {"{.items[0].metadata.labels['a.b/c']}", "dot", NULL},
    {"{.items[0].metadata.labels.*}", "dot 1", NULL},
    /* every depth */
    {"{..name}", "a b c <&>", NULL},
    {"{..q}", "[{\"r\":\"deep\"}]", NULL},
    {"{.items[2].l..}",
     "[{\"p\":1},{\"p\":2,\"q\":[{\"r\":\"deep\"}]}] {\"p\":1} "
     "{\"p\":2,\"q\":[{\"r\":\"deep\"}]} [{\"r\":\"deep\"}] {\"r\":\"deep\"} deep",
     NULL},
    {"{....x}", NULL, "invalid multiple recursive descent"},
    /* filters */
    {"{.items[?(@.metadata.name==\"a\")].metadata.n}", "3", NULL},
    {"{.items[?(@.metadata.name!='a')].metadata.n}", "10 -1", NULL},
    {"{.items[?(@.metadata.n>2)].metadata.name}", "a b", NULL},
    {"{.items[?(@.metadata.n >= 3)].metadata.n}", "3 10", NULL},
    {"{.items[?(@.metadata.n<2.5)].metadata.n}", "-1", NULL},
    {"{.items[?(@.metadata.n<=3)].metadata.n}", "3 -1", NULL},
    {"{.items[?(@.metadata.name<\"b\")].metadata.n}", "3", NULL},
    {"{.items[?(@.metadata.b==true)].metadata.name}", "a", NULL},
    {"{.items[?(@.metadata.labels.x)].metadata.name}", "a b", NULL},
    {"{.items[?(@.l[3])].metadata.name}", "a", NULL},
    {"{.items[?(@.l[0].p==1)].metadata.name}", NULL, "array index out of bounds: index 0, length 0"},
    {"{.items[?(\"a\"==@.metadata.name)].metadata.n}", "3", NULL},
    {"{.items[?(@.metadata.name==\"a)\")].metadata.n}", "", NULL},
    {"{.items[?(@..r==\"deep\")].metadata.n}", "-1", NULL},
    {"{.items[?(@.metadata.name==3)]}", NULL, "incompatible types for comparison"},
    {"{.items[?(@.metadata==3)]}", NULL, "invalid type for comparison"},
    {"{.items[?(@.metadata.b<true)]}", NULL, "invalid type for comparison"},
    {"{.items[?(@.l[*]>2)]}", NULL, "can only compare one element at a time"},
    {"{.items[?(@.metadata.n=3)]}", NULL, "unrecognized filter operator ="},
    {"{.items[?(@.metadata.n==)]}", NULL, "unrecognized character in action: U+003D '='"},
    {"{.items[?(@.n==3]}", NULL, "unterminated filter"},
    {"{.items[?(@.n==3)}", NULL, "unclosed array expect ]"},
    {"{.empty[?(@.x)]}", NULL, "map[] is not array or slice and cannot be filtered"},
    /* ranges */
    {"{range .items[*]}{.metadata.name}{\"\\n\"}{end}", "a\nb\nc <&>\n", NULL},
    {"{range .items[*]}[{range .l[*]}{@};{end}]{end}.",
     "[1;2;3;4;5;][][{\"p\":1};{\"p\":2,\"q\":[{\"r\":\"deep\"}]};].", NULL},
    {"{range .earr[*]}x{end}y", "y", NULL},
    {"{range .nope[*]}{.a}{end}y", "y", NULL},
    {"{ range .items[*] }{ .metadata.n },{ end }", "3,10,-1,", NULL},
    {"{range .items[*]}{.metadata.n} ", "3 10 -1  ", NULL},
    {"{end}", NULL, "not in range, nothing to end"},
    {"{range .items[*]}{end}{end}", NULL, "not in range, nothing to end"},
    /* text, numbers */
    {"{\"a\\tb\"}{'c'}", "a\tbc", NULL},
    {"{'it\\'s'} {'say \"x\"'}", "it's say \"x\"", NULL},
    {"{\"\\x41\\u00e9\\101\"}",
     "A\xc3\xa9"
     "A",
     NULL},
    {"{\"\\q\"}", NULL, "unquote string \"\\q\" error invalid syntax"},
    {"{\"x}", NULL, "unterminated quoted string"},
    {"{1} {-1.5} {+5} {true}", "1 -1.5 5 true", NULL},
    {"{1.2.3}", NULL, "cannot parse number 1.2.3"},
    {"{.items[*] 5}", "5 5 5", NULL},
    {"{a|b}", NULL, "unrecognized identifier a|b"},
    {"{|}", NULL, "unrecognized character in action: U+007C '|'"},
    {"{{.kind}}", NULL, "unrecognized character in action: U+007B '{'"},
    {"a}{.kind}}", "a}List}", NULL},
};

static cJSON *parsed(const char *text)
{
    cJSON *o = NULL;

    assert_int_equal(json_parse(text, strlen(text), "document", &o, NULL), 0);
    return o;
}

static int run(const char *text, bool strict, const cJSON *o, struct buf *out, struct err **err)
{
    _cleanup_jsonpath_ struct jsonpath *p = NULL;
    int r = jsonpath_parse(text, strict, &p, err);

    return r < 0 ? r : jsonpath_print(p, o, false, out, err);
}

static void templates_print_as_kubectls_do(void **state _unused_)
{
    _cleanup_json_ cJSON *o = parsed(document);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_buf_ struct buf out = BUF_INIT;
        _cleanup_err_ struct err *err = NULL;
        int r = run(rows[i].text, false, o, &out, &err);
        if (rows[i].out) {
            const char *want = rows[i].out;
            if (r < 0)
                fail_msg("%s: %s", rows[i].text, err_text(err));
            if (strcmp(rows[i].text, "{}") == 0)
                assert_memory_equal(buf_str(&out), want, strlen(want));
            else if (strcmp(buf_str(&out), want) != 0)
                fail_msg("%s: \"%s\", not \"%s\"", rows[i].text, buf_str(&out), want);
        } else {
            if (r >= 0 || strcmp(err_text(err), rows[i].error) != 0)
                fail_msg("%s: \"%s\", not \"%s\"", rows[i].text, err ? err_text(err) : "no error",
                         rows[i].error);
            assert_int_equal(out.len, 0);
        }
    }
}

static void missing_fields_are_errors_when_asked(void **state _unused_)
{
    _cleanup_json_ cJSON *o = parsed(document);
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_err_ struct err *err = NULL;

    assert_int_equal(run("{.items[*].metadata.labels.x}", true, o, &out, NULL), 0);
    assert_string_equal(buf_str(&out), "1 2");
    assert_int_equal(run("text{.nope}", true, o, &out, &err), ERR_NOT_FOUND);
    assert_string_equal(err_text(err), "nope is not found");
    assert_string_equal(buf_str(&out), "1 2");
}

static void json_form_is_one_array_an_action(void **state _unused_)
{
    _cleanup_json_ cJSON *o = parsed(document);
    _cleanup_jsonpath_ struct jsonpath *p = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;

    assert_int_equal(jsonpath_parse("{.items[*].metadata.n}{\"x\"}{.nope}{.items[1].l}", false, &p, NULL), 0);
    assert_int_equal(jsonpath_print_json(p, o, &out, NULL), 0);
    assert_string_equal(buf_str(&out), "[\n    3,\n    10,\n    -1\n]\n[\n    \"x\"\n]\n[]\n[\n    []\n]\n");
}

static void relaxed_paths_are_completed(void **state _unused_)
{
    static const char *const same[] = {"metadata.name", ".metadata.name", "{metadata.name}",
                                       "{.metadata.name}"};
    static const char *const bad[] = {"", "{}", "{.a}{.b}", "{.a", "a}", "x{.a}"};
    _cleanup_json_ cJSON *o = parsed("{\"metadata\":{\"name\":\"n\"}}");

    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        _cleanup_jsonpath_ struct jsonpath *p = NULL;
        _cleanup_found_ struct jsonpath_found found = {0};
        assert_int_equal(jsonpath_parse_relaxed(same[i], &p, NULL), 0);
        assert_string_equal(jsonpath_text(p), "{.metadata.name}");
        assert_int_equal(jsonpath_find(p, o, &found, NULL), 0);
        assert_int_equal(found.len, 1);
        assert_string_equal(found.items[0]->valuestring, "n");
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct jsonpath *p = NULL;
        assert_int_equal(jsonpath_parse_relaxed(bad[i], &p, NULL), ERR_INVALID);
    }
}

static void hostile_templates_end(void **state _unused_)
{
    _cleanup_json_ cJSON *o = parsed("{\"a\":[1,2,3,4,5,6,7,8,9,10]}");
    _cleanup_buf_ struct buf text = BUF_INIT, out = BUF_INIT;

    /* 2^40 values, were there no limit */
    buf_adds(&text, "{");
    for (int i = 0; i < 40; i++)
        buf_adds(&text, "[.,.]");
    buf_adds(&text, "}");
    assert_true(run(buf_str(&text), false, o, &out, NULL) < 0);
    buf_truncate(&text, 0);
    buf_adds(&text, "{@");
    for (int i = 0; i < 40; i++)
        buf_adds(&text, "['a','a']");
    buf_adds(&text, "}");
    _cleanup_json_ cJSON *nested = cJSON_CreateObject();
    cJSON *at = nested;
    for (int i = 0; i < 41; i++)
        cJSON_AddItemToObject(at, "a", cJSON_CreateObject()), at = at->child;
    assert_int_equal(run(buf_str(&text), false, nested, &out, NULL), ERR_TOO_LARGE);
    /* a thousand nested ranges */
    buf_truncate(&text, 0);
    for (int i = 0; i < 1000; i++)
        buf_adds(&text, "{range @}");
    buf_adds(&text, "{.a[0]}");
    for (int i = 0; i < 1000; i++)
        buf_adds(&text, "{end}");
    assert_int_equal(run(buf_str(&text), false, o, &out, NULL), 0);
    assert_string_equal(buf_str(&out), "1");
}

static void terminals_are_not_steered(void **state _unused_)
{
    _cleanup_json_ cJSON *o = parsed("{\"a\":\"x\\u001b[31m\\ny\"}");
    _cleanup_jsonpath_ struct jsonpath *p = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;

    assert_int_equal(jsonpath_parse("{.a}{\"\\x1b\"}", false, &p, NULL), 0);
    assert_int_equal(jsonpath_print(p, o, true, &out, NULL), 0);
    assert_string_equal(buf_str(&out), "x\\x1b[31m\ny\x1b");
}

static void go_writes_values_so(void **state _unused_)
{
    static const struct {
        const char *json, *text;
    } values[] = {
        {"{\"b\":[1,\"x y\",null],\"a\":{\"c\":true}}", "map[a:map[c:true] b:[1 x y <nil>]]"},
        {"[0.1,100000,1e20,1e21,0.0001,0.00001,-2.5e-7,-0]",
         "[0.1 100000 100000000000000000000 1e+21 0.0001 1e-05 -2.5e-07 0]"},
        {"[]", "[]"},
    };

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        _cleanup_json_ cJSON *o = parsed(values[i].json);
        _cleanup_buf_ struct buf out = BUF_INIT;
        gotext_value(&out, o);
        assert_string_equal(buf_str(&out), values[i].text);
    }
    _cleanup_buf_ struct buf out = BUF_INIT;
    gotext_quote(&out, "a\"\n\x01\xc3\xa9\xff", 7);
    assert_string_equal(buf_str(&out), "\"a\\\"\\n\\x01\xc3\xa9\\xff\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_print_as_kubectls_do),
        cmocka_unit_test(missing_fields_are_errors_when_asked),
        cmocka_unit_test(json_form_is_one_array_an_action),
        cmocka_unit_test(relaxed_paths_are_completed),
        cmocka_unit_test(hostile_templates_end),
        cmocka_unit_test(terminals_are_not_steered),
        cmocka_unit_test(go_writes_values_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
