#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "print/object.h"

static cJSON *parse(const char *text)
{
    cJSON *o = NULL;

    assert_int_equal(json_parse(text, strlen(text), "test", &o, NULL), 0);
    return o;
}

static void formats(void **state _unused_)
{
    enum print_format f = PRINT_TABLE;
    _cleanup_err_ struct err *err = NULL;

    assert_int_equal(print_format_parse(NULL, &f, NULL), 0);
    assert_int_equal(f, PRINT_TABLE);
    assert_int_equal(print_format_parse("wide", &f, NULL), 0);
    assert_int_equal(f, PRINT_WIDE);
    assert_int_equal(print_format_parse("yaml", &f, NULL), 0);
    assert_int_equal(f, PRINT_YAML);
    assert_int_equal(print_format_parse("xml", &f, &err), ERR_INVALID);
    assert_string_equal(err_text(err),
                        "unable to match a printer suitable for the output format \"xml\", allowed formats "
                        "are: json,name,wide,yaml");
    assert_int_equal(f, PRINT_YAML);
}

static void json_is_sorted_and_indented_by_four(void **state _unused_)
{
    _cleanup_json_ cJSON *o = parse("{\"kind\":\"X\",\"apiVersion\":\"v1\",\"spec\":{\"b\":[2,1],\"a\":{}}}");
    _cleanup_buf_ struct buf out = BUF_INIT;

    print_object(&out, PRINT_JSON, o);
    assert_string_equal(buf_str(&out), "{\n"
                                       "    \"apiVersion\": \"v1\",\n"
                                       "    \"kind\": \"X\",\n"
                                       "    \"spec\": {\n"
                                       "        \"a\": {},\n"
                                       "        \"b\": [\n"
                                       "            2,\n"
                                       "            1\n"
                                       "        ]\n"
                                       "    }\n"
                                       "}\n");
}

static void yaml_documents_are_separated(void **state _unused_)
{
    _cleanup_json_ cJSON *o = parse("{\"kind\":\"X\",\"apiVersion\":\"v1\"}");
    _cleanup_buf_ struct buf out = BUF_INIT;

    print_object_stream(&out, PRINT_YAML, o, true);
    print_object_stream(&out, PRINT_YAML, o, false);
    assert_string_equal(buf_str(&out), "apiVersion: v1\nkind: X\n---\napiVersion: v1\nkind: X\n");
}

static void lists_wrap_and_lose_managed_fields(void **state _unused_)
{
    cJSON *items = parse("[{\"metadata\":{\"name\":\"a\",\"managedFields\":[{}]}}]");
    _cleanup_json_ cJSON *list = print_list_object(items);
    _cleanup_free_ char *text = NULL;

    print_drop_managed_fields(list);
    print_sort_members(list);
    text = json_print(list);
    assert_string_equal(
        text, "{\"apiVersion\":\"v1\",\"items\":[{\"metadata\":{\"name\":\"a\"}}],\"kind\":\"List\","
              "\"metadata\":{\"resourceVersion\":\"\"}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(json_is_sorted_and_indented_by_four),
        cmocka_unit_test(yaml_documents_are_separated),
        cmocka_unit_test(lists_wrap_and_lose_managed_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
