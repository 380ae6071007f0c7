#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/timefmt.h"
#include "print/server_table.h"
#include "print/table.h"

static void columns_line_up(void **state _unused_)
{
    _cleanup_(print_table_freep) struct print_table *t = print_table_new();
    _cleanup_buf_ struct buf out = BUF_INIT;

    print_table_row(t, "NAME", "READY", "AGE", NULL);
    print_table_row(t, "hello", "1/1", "5m", NULL);
    print_table_row(t, "a-much-longer-name", "0/12", "", NULL);
    assert_int_equal(print_table_rows(t), 3);
    print_table_flush(t, &out, 0);
    assert_string_equal(buf_str(&out), "NAME                 READY   AGE\n"
                                       "hello                1/1     5m\n"
                                       "a-much-longer-name   0/12    \n");
    assert_int_equal(print_table_rows(t), 0);
}

static void narrow_columns_are_six_wide(void **state _unused_)
{
    _cleanup_(print_table_freep) struct print_table *t = print_table_new();
    _cleanup_buf_ struct buf out = BUF_INIT;

    print_table_row(t, "A", "B", NULL);
    print_table_flush(t, &out, 0);
    assert_string_equal(buf_str(&out), "A     B\n");
}

static void widths_are_remembered_and_grow(void **state _unused_)
{
    _cleanup_(print_table_freep) struct print_table *t = print_table_new();
    _cleanup_buf_ struct buf out = BUF_INIT;

    print_table_row(t, "longest-name", "x", NULL);
    print_table_flush(t, &out, 0);
    print_table_row(t, "short", "x", NULL);
    print_table_flush(t, &out, 0);
    print_table_row(t, "an-even-longer-name", "x", NULL);
    print_table_flush(t, &out, 0);
    assert_string_equal(buf_str(&out), "longest-name   x\n"
                                       "short          x\n"
                                       "an-even-longer-name   x\n");
    buf_truncate(&out, 0);
    print_table_reset(t);
    print_table_row(t, "short", "x", NULL);
    print_table_flush(t, &out, 2);
    assert_string_equal(buf_str(&out), "  short   x\n");
}

static void outside_text_cannot_steer_the_terminal(void **state _unused_)
{
    _cleanup_(print_table_freep) struct print_table *t = print_table_new();
    _cleanup_buf_ struct buf out = BUF_INIT;

    print_table_row(t, "two\nlines", "\x1b[31mred", NULL);
    print_table_flush(t, &out, 0);
    assert_null(strchr(buf_str(&out), '\x1b'));
    assert_non_null(strstr(buf_str(&out), "two...   "));
    assert_null(strstr(buf_str(&out), "lines"));
}

static void wide_characters_count_two(void **state _unused_)
{
    _cleanup_(print_table_freep) struct print_table *t = print_table_new();
    _cleanup_buf_ struct buf out = BUF_INIT;

    print_table_row(t, "\xe4\xb8\xad\xe6\x96\x87", "x", NULL);
    print_table_row(t, "abcd", "x", NULL);
    print_table_flush(t, &out, 0);
    assert_string_equal(buf_str(&out), "\xe4\xb8\xad\xe6\x96\x87   x\nabcd   x\n");
}

static const char table_json[] =
    "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"columnDefinitions\":["
    "{\"name\":\"Name\",\"type\":\"string\",\"format\":\"name\",\"priority\":0},"
    "{\"name\":\"Ready\",\"type\":\"integer\",\"format\":\"\",\"priority\":0},"
    "{\"name\":\"Image\",\"type\":\"string\",\"format\":\"\",\"priority\":1},"
    "{\"name\":\"Age\",\"type\":\"date\",\"format\":\"\",\"priority\":0}],\"rows\":["
    "{\"cells\":[\"hello\",2,\"ghcr.io/"
    "x:1\",\"5m\"],\"object\":{\"metadata\":{\"name\":\"hello\",\"namespace\":\"a\","
    "\"labels\":{\"tier\":\"web\",\"app\":\"x\"}}}},"
    "{\"cells\":[\"todo\",null,\"ghcr.io/"
    "y:1\",\"6m\"],\"object\":{\"metadata\":{\"name\":\"todo\",\"namespace\":\"b\"}}}]}";

static void print_with(const struct print_server_table_options *options, const char *json, const char *event,
                       const char *expected)
{
    _cleanup_(print_server_table_freep) struct print_server_table *t = print_server_table_new(options);
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_json_ cJSON *table = NULL;

    assert_int_equal(json_parse(json, strlen(json), "test", &table, NULL), 0);
    assert_true(print_server_table_add(t, &out, table, event, NULL) >= 0);
    assert_string_equal(buf_str(&out), expected);
}

static void records_of_several_tables_line_up(void **state _unused_)
{
    static const char *const names[] = {"a", "west"};
    _cleanup_(print_table_freep) struct print_table *all = print_table_new();
    struct buf records[2] = {BUF_INIT, BUF_INIT};
    _cleanup_buf_ struct buf out = BUF_INIT;

    for (size_t i = 0; i < 2; i++) {
        _cleanup_(print_table_freep) struct print_table *one = print_table_new();
        print_table_as_records(one);
        print_table_cell(one, "NAME");
        print_table_cell(one, "AGE");
        print_table_end_header(one);
        /* What would end a cell is made visible in it. */
        print_table_row(one, i ? "x" : "b\x1f\x1e", "5m", NULL);
        print_table_row(one, "", i ? "7m" : "", NULL);
        print_table_flush(one, &records[i], 0);
        print_table_measure(all, names[i], buf_str(&records[i]), records[i].len);
    }
    assert_string_equal(buf_str(&records[1]), "\x1dNAME\x1f"
                                              "AGE\n\x1ex\x1f"
                                              "5m\n\x1e\x1f"
                                              "7m\n");
    for (size_t i = 0; i < 2; i++)
        print_table_lines(all, &out, names[i], buf_str(&records[i]), records[i].len);
    assert_string_equal(buf_str(&out), "a      NAME        AGE\n"
                                       "a      b\\x1f\\x1e   5m\n"
                                       "a                  \n"
                                       "west   NAME        AGE\n"
                                       "west   x           5m\n"
                                       "west               7m\n");
    buf_release(&records[0]);
    buf_release(&records[1]);
}

static void server_table_as_kubectl(void **state _unused_)
{
    print_with(&(struct print_server_table_options){0}, table_json, NULL,
               "NAME    READY   AGE\nhello   2       5m\ntodo            6m\n");
}

static void server_table_wide(void **state _unused_)
{
    print_with(&(struct print_server_table_options){.wide = true, .no_headers = true}, table_json, NULL,
               "hello   2     ghcr.io/x:1   5m\ntodo          ghcr.io/y:1   6m\n");
}

static void server_table_extra_columns(void **state _unused_)
{
    char *labels[] = {(char *)"example.com/app", (char *)"tier", NULL};

    print_with(&(struct print_server_table_options){.namespaces = true,
                                                    .events = true,
                                                    .show_labels = true,
                                                    .label_columns = labels,
                                                    .name_prefix = "wasmactor.wasmctl.dev"},
               table_json, "ADDED",
               "EVENT   NAMESPACE   NAME                          READY   AGE   APP   TIER   LABELS\n"
               "ADDED   a           wasmactor.wasmctl.dev/hello   2       5m          web    app=x,tier=web\n"
               "ADDED   b           wasmactor.wasmctl.dev/todo            6m                 <none>\n");
}

static void header_comes_once_and_columns_stay(void **state _unused_)
{
    const char *later =
        "{\"kind\":\"Table\",\"columnDefinitions\":null,\"rows\":[{\"cells\":[\"x\",1,\"i\",\"1s\"]}]}";
    const char *empty = "{\"kind\":\"Table\",\"columnDefinitions\":[{\"name\":\"Name\"}],\"rows\":[]}";
    const struct print_server_table_options options = {0};
    _cleanup_(print_server_table_freep) struct print_server_table *t = print_server_table_new(&options);
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_json_ cJSON *first = NULL, *second = NULL, *none = NULL;

    assert_int_equal(json_parse(table_json, strlen(table_json), "test", &first, NULL), 0);
    assert_int_equal(json_parse(later, strlen(later), "test", &second, NULL), 0);
    assert_int_equal(print_server_table_add(t, &out, first, NULL, NULL), 2);
    buf_truncate(&out, 0);
    assert_int_equal(print_server_table_add(t, &out, second, NULL, NULL), 1);
    assert_string_equal(buf_str(&out), "x       1       1s\n");

    assert_int_equal(json_parse(empty, strlen(empty), "test", &none, NULL), 0);
    print_server_table_free(t);
    t = print_server_table_new(&options);
    buf_truncate(&out, 0);
    assert_int_equal(print_server_table_add(t, &out, none, NULL, NULL), 0);
    assert_string_equal(buf_str(&out), "");
}

static void servers_without_tables(void **state _unused_)
{
    time_pin(INT64_C(1767323045) * 1000000000); /* 2026-01-02T03:04:05Z */
    print_with(&(struct print_server_table_options){0},
               "{\"kind\":\"XList\",\"items\":[{\"metadata\":{\"name\":\"a\",\"creationTimestamp\":\"2026-01-"
               "02T03:03:05Z\"}},"
               "{\"metadata\":{\"name\":\"b\"}}]}",
               NULL, "NAME   AGE\na      60s\nb      <unknown>\n");
    time_pin(0);
}

static void rubbish_is_an_error(void **state _unused_)
{
    const struct print_server_table_options options = {0};
    _cleanup_(print_server_table_freep) struct print_server_table *t = print_server_table_new(&options);
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_err_ struct err *err = NULL;
    _cleanup_json_ cJSON *rubbish = cJSON_CreateObject();

    assert_int_equal(print_server_table_add(t, &out, rubbish, NULL, &err), ERR_PROTOCOL);
    assert_non_null(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_line_up),
        cmocka_unit_test(narrow_columns_are_six_wide),
        cmocka_unit_test(widths_are_remembered_and_grow),
        cmocka_unit_test(outside_text_cannot_steer_the_terminal),
        cmocka_unit_test(wide_characters_count_two),
        cmocka_unit_test(records_of_several_tables_line_up),
        cmocka_unit_test(server_table_as_kubectl),
        cmocka_unit_test(server_table_wide),
        cmocka_unit_test(server_table_extra_columns),
        cmocka_unit_test(header_comes_once_and_columns_stay),
        cmocka_unit_test(servers_without_tables),
        cmocka_unit_test(rubbish_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
