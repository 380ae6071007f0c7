#include "unit/unit.h"

#include "base/file.h"
#include "base/mem.h"
#include "print/colour.h"
#include "print/output.h"
#include "print/server_table.h"
#include "print/sort.h"
#include "print/table.h"

static cJSON *parsed(const char *text)
{
    cJSON *o = NULL;

    assert_int_equal(json_parse(text, strlen(text), "document", &o, NULL), 0);
    return o;
}

static cJSON *config_map(const char *name, const char *value)
{
    cJSON *o = json_object("apiVersion", "v1", "kind", "ConfigMap", NULL);

    json_set_str(o, "metadata.name", name);
    json_set_str(o, "data.value", value);
    return o;
}

/* What the format prints for so many of the config maps a, b, ... */
static char *printed(const struct print_output_options *options, enum print_shape shape, int n)
{
    static const char *const values[] = {"one", "two, three", "l1\nl2"};
    _cleanup_(print_output_freep) struct print_output *p = NULL;
    _cleanup_err_ struct err *err = NULL;
    struct buf out = BUF_INIT;

    if (print_output_new(options, &p, &err) < 0)
        fail_msg("%s: %s", options->format ? options->format : "-", err_text(err));
    print_output_shape(p, shape);
    for (int i = 0; i < n; i++) {
        char name[] = {(char)('a' + i), '\0'};
        assert_int_equal(print_output_add(p, config_map(name, values[i % 3]), NULL, &out, NULL), 0);
    }
    assert_int_equal(print_output_count(p), n);
    assert_int_equal(print_output_finish(p, &out, NULL), 0);
    return buf_take(&out);
}

static void expect(const char *format, enum print_shape shape, int n, const char *want)
{
    const struct print_output_options options = {.format = format};
    _cleanup_free_ char *got = printed(&options, shape, n);

    if (strcmp(got, want) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", format, got, want);
}

/* A list that is printed piece by piece is what printing it whole gives. */
static void streamed_lists_are_whole_lists(void **state _unused_)
{
    static const struct {
        const char *name;
        enum print_format format;
    } formats[] = {{"json", PRINT_JSON}, {"yaml", PRINT_YAML}};

    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        for (int n = 0; n < 4; n++) {
            const struct print_output_options options = {.format = formats[i].name};
            _cleanup_free_ char *got = printed(&options, PRINT_LIST, n);
            _cleanup_buf_ struct buf want = BUF_INIT;
            cJSON *items = cJSON_CreateArray();
            for (int k = 0; k < n; k++) {
                char name[] = {(char)('a' + k), '\0'};
                const char *values[] = {"one", "two, three", "l1\nl2"};
                cJSON_AddItemToArray(items, config_map(name, values[k]));
            }
            _cleanup_json_ cJSON *list = print_list_object(items);
            print_object(&want, formats[i].format, list);
            assert_string_equal(got, buf_str(&want));
        }
}

static void formats_of_lists_and_objects(void **state _unused_)
{
    expect("name", PRINT_LIST, 2, "configmap/a\nconfigmap/b\n");
    expect("ndjson", PRINT_LIST, 2,
           "{\"apiVersion\":\"v1\",\"data\":{\"value\":\"one\"},\"kind\":\"ConfigMap\",\"metadata\":{"
           "\"name\":\"a\"}}\n"
           "{\"apiVersion\":\"v1\",\"data\":{\"value\":\"two, "
           "three\"},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"b\"}}\n");
    expect("jsonpath={.kind} {.items[*].metadata.name}", PRINT_LIST, 2, "List a b");
    expect("jsonpath={.metadata.name};", PRINT_STREAM, 2, "a;b;");
    expect("jsonpath={.metadata.name}", PRINT_SINGLE, 1, "a");
    expect("jsonpath={.items}", PRINT_LIST, 0, "[]");
    expect("jsonpath-as-json={.items[*].metadata.name}", PRINT_LIST, 1, "[\n    \"a\"\n]\n");
    expect("go-template={{len .items}}", PRINT_LIST, 3, "3");
    expect("template={{.kind}} ", PRINT_STREAM, 2, "ConfigMap ConfigMap ");
    expect("yaml", PRINT_STREAM, 2,
           "apiVersion: v1\ndata:\n  value: one\nkind: ConfigMap\nmetadata:\n  name: a\n---\n"
           "apiVersion: v1\ndata:\n  value: two, three\nkind: ConfigMap\nmetadata:\n  name: b\n");
}

static void columns_of_ones_own(void **state _unused_)
{
    expect("custom-columns=NAME:.metadata.name,VALUE:{data.value},NONE:.x,ALL:.data", PRINT_LIST, 3,
           "NAME   VALUE        NONE     ALL\n"
           "a      one          <none>   map[value:one]\n"
           "b      two, three   <none>   map[value:two, three]\n"
           "c      l1\\nl2       <none>   map[value:l1\\nl2]\n");
    expect("custom-columns=VALUE:.data.value", PRINT_LIST, 3, "VALUE\none\ntwo, three\nl1\nl2\n");
    expect("custom-columns=A:.kind,B:.x", PRINT_LIST, 0, "A     B\n");
    expect("custom-columns=A:.metadata.name,B:.kind", PRINT_STREAM, 2,
           "A     B\na     ConfigMap\nb     ConfigMap\n");
    expect("custom-columns=A:.metadata.name,B:.kind", PRINT_SINGLE, 1, "A     B\na     ConfigMap\n");

    const struct print_output_options hidden = {.format = "custom-columns=A:.kind,B:.metadata.name",
                                                .no_headers = true};
    _cleanup_free_ char *text = printed(&hidden, PRINT_LIST, 1);
    assert_string_equal(text, "ConfigMap   a\n");
}

static void templates_come_from_files_and_options(void **state _unused_)
{
    char path[] = "/tmp/test_output.XXXXXX";
    int fd = mkstemp(path);
    _cleanup_free_ char *format = xasprintf("custom-columns-file=%s", path);
    _cleanup_free_ char *paths = xasprintf("jsonpath-file=%s", path);
    const struct print_output_options given = {.format = "jsonpath", .template = "{.metadata.name}"};
    const struct print_output_options alone = {.template = "{{.kind}}"};

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(file_write(path, "NAME  KIND\n.metadata.name {.kind}\n", 34, 0600, NULL), 0);
    expect(format, PRINT_LIST, 1, "NAME   KIND\na      ConfigMap\n");
    assert_int_equal(file_write(path, "{.items[*].kind}", 16, 0600, NULL), 0);
    expect(paths, PRINT_LIST, 1, "ConfigMap");
    unlink(path);
    _cleanup_free_ char *a = printed(&given, PRINT_SINGLE, 1), *b = printed(&alone, PRINT_SINGLE, 1);
    assert_string_equal(a, "a");
    assert_string_equal(b, "ConfigMap");
}

static void wrong_formats_are_told(void **state _unused_)
{
    static const struct {
        const char *format, *message;
    } wrong[] = {
        {"nope", "unable to match a printer suitable for the output format \"nope\", allowed formats are: "
                 "custom-columns,"},
        {"json=x", "unable to match a printer"},
        {"wide", "unable to match a printer"},
        {"jsonpath", "template format specified but no template given"},
        {"go-template=", "template format specified but no template given"},
        {"custom-columns=", "custom-columns format specified but no custom columns given"},
        {"custom-columns=A", "unexpected custom-columns spec: A, expected <header>:<json-path-expr>"},
        {"custom-columns=A:{.a}{.b}", "unexpected path string"},
        {"jsonpath={.a", "error parsing jsonpath {.a, unclosed action"},
        {"go-template={{.a", "error parsing template {{.a: template: output:1: unclosed action"},
        {"jsonpath-file=/nonexistent/x", "error reading --template /nonexistent/x"},
    };

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        const struct print_output_options options = {.format = wrong[i].format};
        _cleanup_err_ struct err *err = NULL;
        struct print_output *p = NULL;
        assert_true(print_output_new(&options, &p, &err) < 0);
        if (strncmp(err_text(err), wrong[i].message, strlen(wrong[i].message)) != 0)
            fail_msg("%s: %s", wrong[i].format, err_text(err));
    }
    const struct print_output_options tables = {.format = "wide", .tables = true}, none = {0};
    _cleanup_(print_output_freep) struct print_output *a = NULL, *b = NULL;
    assert_int_equal(print_output_new(&tables, &a, NULL), 0);
    assert_int_equal(print_output_new(&none, &b, NULL), 0);
    assert_true(print_output_is_table(a) && print_output_is_table(b));
}

static void a_failing_template_names_itself(void **state _unused_)
{
    const struct print_output_options options = {.format = "jsonpath={.kind[0]}"};
    _cleanup_(print_output_freep) struct print_output *p = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_err_ struct err *err = NULL;

    assert_int_equal(print_output_new(&options, &p, NULL), 0);
    assert_true(print_output_add(p, config_map("a", "x"), NULL, &out, &err) < 0);
    assert_string_equal(err_text(err),
                        "error executing jsonpath \"{.kind[0]}\": Error executing template: string is "
                        "not array or slice");
}

/* csv */

static const char two_rows[] =
    "{\"kind\":\"Table\",\"columnDefinitions\":[{\"name\":\"Name\",\"format\":\"name\"},{\"name\":\"Ready\"},"
    "{\"name\":\"Note\",\"priority\":1}],\"rows\":["
    "{\"cells\":[\"a\",\"True\",\"x, "
    "\\\"y\\\"\"],\"object\":{\"metadata\":{\"name\":\"a\",\"labels\":{\"k\":\"v\"}}}},"
    "{\"cells\":[\"b\",\"False\",\"l1\\nl2\\u001b[1m\"],\"object\":{\"metadata\":{\"name\":\"b\"}}}]}";

static void csv_is_what_rfc_4180_has(void **state _unused_)
{
    char *const labels[] = {(char[]){"k"}, NULL};
    const struct print_server_table_options options = {.csv = true, .label_columns = labels};
    _cleanup_(print_server_table_freep) struct print_server_table *t = print_server_table_new(&options);
    _cleanup_json_ cJSON *answer = parsed(two_rows);
    _cleanup_buf_ struct buf out = BUF_INIT;

    assert_int_equal(print_server_table_add(t, &out, answer, NULL, NULL), 2);
    assert_string_equal(buf_str(&out),
                        "NAME,READY,NOTE,K\r\na,True,\"x, \"\"y\"\"\",v\r\nb,False,\"l1\nl2\\x1b[1m\",\r\n");
}

static void colours_do_not_move_columns(void **state _unused_)
{
    const struct print_server_table_options options = {.colour = true};
    _cleanup_(print_server_table_freep) struct print_server_table *t = print_server_table_new(&options);
    _cleanup_json_ cJSON *answer = parsed(two_rows);
    _cleanup_buf_ struct buf out = BUF_INIT;

    assert_int_equal(print_server_table_add(t, &out, answer, NULL, NULL), 2);
    assert_string_equal(buf_str(&out), "\033[1mNAME\033[0m   \033[1mREADY\033[0m\n"
                                       "a      \033[32mTrue\033[0m\nb      \033[31mFalse\033[0m\n");
}

static void colour_is_for_terminals(void **state _unused_)
{
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
    assert_true(print_colour_wanted(PRINT_COLOUR_AUTO, true));
    assert_false(print_colour_wanted(PRINT_COLOUR_AUTO, false));
    assert_false(print_colour_wanted(PRINT_COLOUR_NEVER, true));
    assert_true(print_colour_wanted(PRINT_COLOUR_ALWAYS, false));
    setenv("TERM", "dumb", 1);
    assert_false(print_colour_wanted(PRINT_COLOUR_AUTO, true));
    setenv("TERM", "xterm", 1);
    setenv("NO_COLOR", "", 1);
    assert_false(print_colour_wanted(PRINT_COLOUR_AUTO, true));
    assert_true(print_colour_wanted(PRINT_COLOUR_ALWAYS, false));
    unsetenv("NO_COLOR");
    assert_null(print_colour_of("Cordoned", "True"));
    assert_null(print_colour_of("READY", "3"));
}

/* sorting */

static char *sorted(const char *path, const char *list, struct err **err)
{
    _cleanup_(print_sorter_freep) struct print_sorter *s = NULL;
    _cleanup_json_ cJSON *in = parsed(list), *out = NULL;
    struct buf names = BUF_INIT;

    assert_int_equal(print_sorter_new(path, &s, NULL), 0);
    if (print_sorter_take(s, in, err) < 0 || print_sorter_finish(s, &out, err) < 0)
        return NULL;
    json_each (item, json_get(out, "items"))
        buf_addf(&names, "%s ", json_str_or(item, "n", "?"));
    json_each (row, json_get(out, "rows"))
        buf_addf(&names, "%s ", json_str_or(row, "cells[0]", "?"));
    return buf_take(&names);
}

static void lists_are_sorted_by_what_values_mean(void **state _unused_)
{
    static const struct {
        const char *values[4], *order;
    } cases[] = {
        {{"\"b\"", "\"a\"", "\"c\"", "\"a\""}, "1 3 0 2 "},
        {{"10", "9", "1.5", "-2"}, "3 2 1 0 "},
        {{"\"1Gi\"", "\"64Mi\"", "\"5G\"", "\"900m\""}, "3 1 0 2 "},
        {{"\"2\"", "\"1500m\"", "\"200m\"", "\"-1\""}, "3 2 1 0 "},
        {{"\"2024-05-01T00:00:00Z\"", "\"2023-05-01T00:00:00Z\"", "null", "\"2025-05-01T00:00:00Z\""},
         "2 1 0 3 "},
        {{"true", "false", "true", "false"}, "1 3 0 2 "},
        {{"[1,2]", "[1]", "[0,9]", "[1,1]"}, "2 1 3 0 "},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_buf_ struct buf list = BUF_INIT;
        buf_adds(&list, "{\"items\":[{\"n\":\"-\"}");
        for (int k = 0; k < 4; k++)
            buf_addf(&list, ",{\"n\":\"%d\",\"v\":%s}", k, cases[i].values[k]);
        buf_adds(&list, "]}");
        _cleanup_free_ char *order = sorted(".v", buf_str(&list), NULL);
        _cleanup_free_ char *want = xasprintf("- %s", cases[i].order);
        if (strcmp(order, want) != 0)
            fail_msg("case %zu: %s, not %s", i, order, want);
    }
}

static void tables_are_sorted_by_their_objects(void **state _unused_)
{
    static const char table[] =
        "{\"kind\":\"Table\",\"columnDefinitions\":[{\"name\":\"Name\"}],\"rows\":["
        "{\"cells\":[\"a\"],\"object\":{\"metadata\":{\"name\":\"a\"},\"spec\":{\"v\":2}}},"
        "{\"cells\":[\"b\"],\"object\":{\"metadata\":{\"name\":\"b\"},\"spec\":{\"v\":1}}}]}";
    _cleanup_free_ char *order = sorted("spec.v", table, NULL);
    _cleanup_err_ struct err *missing = NULL, *map = NULL;

    assert_string_equal(order, "b a ");
    assert_null(sorted("{.spec.w}", table, &missing));
    assert_string_equal(err_text(missing),
                        "couldn't find any field with path \"{.spec.w}\" in the list of objects");
    assert_null(sorted("spec", table, &map));
    assert_string_equal(err_text(map), "cannot sort by {.spec}: it is a map[string]interface {}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streamed_lists_are_whole_lists),
        cmocka_unit_test(formats_of_lists_and_objects),
        cmocka_unit_test(columns_of_ones_own),
        cmocka_unit_test(templates_come_from_files_and_options),
        cmocka_unit_test(wrong_formats_are_told),
        cmocka_unit_test(a_failing_template_names_itself),
        cmocka_unit_test(csv_is_what_rfc_4180_has),
        cmocka_unit_test(colours_do_not_move_columns),
        cmocka_unit_test(colour_is_for_terminals),
        cmocka_unit_test(lists_are_sorted_by_what_values_mean),
        cmocka_unit_test(tables_are_sorted_by_their_objects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
