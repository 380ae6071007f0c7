/* Go templates and what text/template prints for them; the expected texts were compared with Go's. */
#include "unit/unit.h"

#include "base/mem.h"
#include "print/gotemplate.h"

static const char document[] =
    "{\"kind\":\"List\",\"int\":12345678,\"s\":\"str\",\"earr\":[],\"empty\":{},\"meta\":{\"v\":\"\"},\"f\":"
    "1.5,\"items\":["
    "{\"l\":[1,2,3],\"name\":\"a\",\"nul\":null,\"labels\":{\"x\":\"1\",\"a.b/c\":\"dot\"},\"b\":true},"
    "{\"l\":[],\"name\":\"b\",\"labels\":{\"x\":\"2\"},\"b\":false},{\"name\":\"c\"}]}";

#define AT(what) "template: output:1:" what
/* out NULL: error is how the message begins. */
static const struct {
    const char *text, *out, *error;
} rows[] = {
    {"text only", "text only", NULL},
    {"{{.kind}}", "List", NULL},
    {"{{ .nope }}|{{.nope.x}}", "<no value>|<no value>", NULL},
    {"{{.empty}}{{.earr}} {{.meta}} {{.int}} {{.f}}", "map[][] map[v:] 12345678 1.5", NULL},
    {"{{(index .items 0).labels}}", "map[a.b/c:dot x:1]", NULL},
    {"{{(index .items 0).nul}}", "<no value>", NULL},
    {"{{(index .items 0).nul.x}}", NULL,
     AT("2: executing \"output\" at <(index .items 0).nul.x>: nil pointer evaluating interface {}.x")},
    {"{{.kind.x}}", NULL, AT("2: executing \"output\" at <.kind.x>: can't evaluate field x in type string")},
    /* range, with, if */
    {"{{range .items}}{{.name}},{{end}}", "a,b,c,", NULL},
    {"{{range $i, $e := .items}}{{$i}}={{$e.name}};{{end}}", "0=a;1=b;2=c;", NULL},
    {"{{range $e := .items}}{{$e.name}}{{$.s}} {{end}}", "astr bstr cstr ", NULL},
    {"{{range $k, $v := (index .items 0).labels}}{{$k}}={{$v}};{{end}}", "a.b/c=dot;x=1;", NULL},
    {"{{range .earr}}x{{else}}none{{end}}{{range .nope}}x{{else}}none{{end}}", "nonenone", NULL},
    {"{{range 3}}{{.}}{{end}}{{range $i := 2}}{{$i}}{{end}}", "01201", NULL},
    {"{{range .kind}}x{{end}}", NULL,
     AT("8: executing \"output\" at <.kind>: range can't iterate over List")},
    {"{{range .items}}{{if eq .name \"b\"}}{{continue}}{{end}}{{.name}}{{end}}", "ac", NULL},
    {"{{range .items}}{{if eq .name \"b\"}}{{break}}{{end}}{{.name}}{{end}}", "a", NULL},
    {"{{if .kind}}yes{{else}}no{{end}} {{if .nope}}a{{else if .s}}b{{else}}c{{end}}", "yes b", NULL},
    {"{{with .meta}}{{.v}}-{{$.kind}}{{end}}{{with .nope}}x{{else with .s}}{{.}}{{else}}y{{end}}", "-Liststr",
     NULL},
    {"{{with $x := .s}}{{$x}}{{end}}", "str", NULL},
    /* variables */
    {"{{$x := .s}}{{$x}}{{$x = .kind}}{{$x}}", "strList", NULL},
    {"{{$n := 0}}{{range .items}}{{$n = .name}}{{end}}{{$n}}", "c", NULL},
    {"{{$a := 1}}{{if true}}{{$a := 2}}{{$a}}{{end}}{{$a}}", "21", NULL},
    {"{{$x}}", NULL, "template: output:1: undefined variable \"$x\""},
    {"{{if true}}{{$y := 1}}{{end}}{{$y}}", NULL, "template: output:1: undefined variable \"$y\""},
    /* functions, pipelines */
    {"{{len .items}} {{len .s}} {{.kind | len | printf \"%03d\"}}", "3 3 004", NULL},
    {"{{len .int}}", NULL, AT("2: executing \"output\" at <len .int>: error calling len: len of type int64")},
    {"{{index .items 0 \"labels\" \"x\"}} {{index .meta \"none\"}}", "1 <no value>", NULL},
    {"{{index .items 9}}", NULL,
     AT("2: executing \"output\" at <index .items 9>: error calling index: index out of range: 9")},
    {"{{slice .s 1 2}} {{slice .s 1}} {{slice (index .items 0).l 1}}", "t tr [2 3]", NULL},
    {"{{printf \"%s %d %v %t %%\" .kind .int .meta true}}", "List 12345678 map[v:] true %", NULL},
    {"{{printf \"%-5s|%5s|%05d|%.2f|%q|%x|%5.1f\" \"a\" \"b\" 42 1.5 \"q\\\"\" \"hi\" 2.25}}",
     "a    |    b|00042|1.50|\"q\\\"\"|6869|  2.2", NULL},
    {"{{printf \"%d %s\" \"x\"}}", "%!d(string=x) %!s(MISSING)", NULL},
    {"{{printf \"a\" \"b\"}}", "a%!(EXTRA string=b)", NULL},
    {"{{print 1 2 \"a\" 3 4}} {{println 1 \"a\"}}", "1 2a3 4 1 a\n", NULL},
    {"{{eq .kind \"x\" \"List\"}} {{ne 1 2}} {{lt 1 2}} {{gt 1 2}} {{le 2 2}} {{ge 2 3}}",
     "true true true false true false", NULL},
    {"{{eq .nope nil}} {{eq .nope \"x\"}} {{lt \"a\" \"b\"}} {{gt .f 1}}", "true false true true", NULL},
    {"{{eq 1 \"x\"}}", NULL,
     AT("2: executing \"output\" at <eq 1 \"x\">: error calling eq: incompatible types")},
    {"{{and .kind .s}} {{or .nope \"d\"}} {{not .nope}} {{or 1 (index .items 99)}}", "str d true 1", NULL},
    {"{{html \"<a href='x'>&\"}} {{urlquery \"a b&c\"}}", "&lt;a href=&#39;x&#39;&gt;&amp; a+b%26c", NULL},
    {"{{\"aGVsbG8=\" | base64decode}} {{exists . \"meta\" \"v\"}} {{exists . \"meta\" \"w\"}}",
     "hello true false", NULL},
    {"{{\"AAA=\" | base64decode}}", NULL,
     AT("11: executing \"output\" at <base64decode>: error calling base64decode: the decoded")},
    {"{{foo}}", NULL, "template: output:1: function \"foo\" not defined"},
    {"{{.kind \"x\"}}", NULL, AT("2: executing")},
    {"{{1 | 2}}", NULL, "template: output:1: non executable command in pipeline stage 2"},
    /* text */
    {"a {{- .kind -}} b", "aListb", NULL},
    {"a {{- /* c */ -}} b{{/* d */}}", "ab", NULL},
    {"{{- range .items}}\n{{.name}}\n{{- end}}", "\na\nb\nc", NULL},
    {"{{\"a\\tb\\u00e9\"}}{{`raw\\n`}}{{'a'}}", "a\tb\xc3\xa9raw\\n97", NULL},
    {"{{1}} {{-1}} {{1.5}} {{1e3}} {{0x10}} {{true}}", "1 -1 1.5 1000 16 true", NULL},
    {"{{nil}}", NULL, AT("2: executing \"output\" at <nil>: nil is not a command")},
    /* what does not parse */
    {"x\n{{.kind", NULL, "template: output:2: unclosed action"},
    {"{{end}}", NULL, "template: output:1: unexpected {{end}}"},
    {"{{if .kind}}", NULL, "template: output:1: unexpected EOF"},
    {"{{if}}x{{end}}", NULL, "template: output:1: missing value for if"},
    {"{{if .a}}{{else}}{{else}}{{end}}", NULL, "template: output:1: expected end; found {{else}}"},
    {"{{}}", NULL, "template: output:1: missing value for command"},
    {"{{(.kind}}", NULL, "template: output:1: unclosed left paren"},
    {"{{\"x}}", NULL, "template: output:1: unterminated quoted string"},
    {"{{break}}", NULL, "template: output:1: {{break}} outside {{range}}"},
    {"{{/* x }}", NULL, "template: output:1: unclosed comment"},
    {"{{define \"x\"}}{{end}}", NULL, "template: output:1: {{define}} is not supported"},
    {"{{template \"x\"}}", NULL, "template: output:1: {{template}} is not supported"},
    {"{{js .x}}", NULL, "template: output:1: the function js is not supported"},
    {"{{1i}}", NULL, "template: output:1: complex numbers (1i) are not supported"},
};

static int run(const char *text, bool strict, const cJSON *o, struct buf *out, struct err **err)
{
    _cleanup_(print_gotemplate_freep) struct print_gotemplate *t = NULL;
    int r = print_gotemplate_parse(text, strict, &t, err);

    return r < 0 ? r : print_gotemplate_run(t, o, false, out, err);
}

static cJSON *parsed(const char *text)
{
    cJSON *o = NULL;

    assert_int_equal(json_parse(text, strlen(text), "document", &o, NULL), 0);
    return o;
}

static void templates_print_as_gos_do(void **state _unused_)
{
    _cleanup_json_ cJSON *o = parsed(document);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_buf_ struct buf out = BUF_INIT;
        _cleanup_err_ struct err *err = NULL;
        int r = run(rows[i].text, false, o, &out, &err);
        if (rows[i].out) {
            if (r < 0)
                fail_msg("%s: %s", rows[i].text, err_text(err));
            if (strcmp(buf_str(&out), rows[i].out) != 0)
                fail_msg("%s: \"%s\", not \"%s\"", rows[i].text, buf_str(&out), rows[i].out);
        } else if (r >= 0 || strncmp(err_text(err), rows[i].error, strlen(rows[i].error)) != 0) {
            fail_msg("%s: \"%s\", not \"%s\"", rows[i].text, err ? err_text(err) : "no error", rows[i].error);
        }
    }
}

static void missing_keys_are_errors_when_asked(void **state _unused_)
{
    _cleanup_json_ cJSON *o = parsed(document);
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_err_ struct err *err = NULL;

    assert_int_equal(run("{{.kind}}", true, o, &out, NULL), 0);
    assert_int_equal(run("text {{.nope}}", true, o, &out, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err_text(err), "map has no entry for key \"nope\""));
    assert_string_equal(buf_str(&out), "List");
}

static void hostile_templates_end(void **state _unused_)
{
    _cleanup_json_ cJSON *o = parsed("{}");
    _cleanup_buf_ struct buf out = BUF_INIT, text = BUF_INIT;

    assert_int_equal(run("{{range 1000000000}}{{end}}", false, o, &out, NULL), ERR_TOO_LARGE);
    assert_int_equal(run("{{$s := \"x\"}}{{range 100}}{{$s = print $s $s}}{{end}}", false, o, &out, NULL),
                     ERR_TOO_LARGE);
    assert_int_equal(run("{{printf \"%99999999d\" 1 | len}}", false, o, &out, NULL), 0);
    assert_string_equal(buf_str(&out), "10000");
    for (int i = 0; i < 100000; i++)
        buf_adds(&text, "{{if 1}}");
    assert_int_equal(run(buf_str(&text), false, o, &out, NULL), ERR_TOO_LARGE);
    buf_truncate(&text, 0);
    buf_adds(&text, "{{");
    for (int i = 0; i < 100000; i++)
        buf_addc(&text, '(');
    assert_int_equal(run(buf_str(&text), false, o, &out, NULL), ERR_TOO_LARGE);
}

static void terminals_are_not_steered(void **state _unused_)
{
    _cleanup_json_ cJSON *o = parsed("{\"a\":\"x\\u001b[31m\\ny\"}");
    _cleanup_(print_gotemplate_freep) struct print_gotemplate *t = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;

    assert_int_equal(print_gotemplate_parse("{{.a}}", false, &t, NULL), 0);
    assert_int_equal(print_gotemplate_run(t, o, true, &out, NULL), 0);
    assert_string_equal(buf_str(&out), "x\\x1b[31m\ny");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_print_as_gos_do),
        cmocka_unit_test(missing_keys_are_errors_when_asked),
        cmocka_unit_test(hostile_templates_end),
        cmocka_unit_test(terminals_are_not_steered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
