/* What an edit means, what is hidden of Secrets, which values a conflict is about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/apply.h"
#include "cli/diff_mask.h"
#include "cli/edit_patch.h"

static cJSON *parse(const char *text)
{
    cJSON *o = NULL;

    assert_int_equal(json_parse(text, strlen(text), "text", &o, NULL), 0);
    return o;
}

static void check_patch(const char *from, const char *to, const char *expected)
{
    _cleanup_json_ cJSON *a = parse(from), *b = parse(to), *patch = edit_patch_make(a, b);
    _cleanup_free_ char *text = json_print(patch);

    assert_string_equal(text, expected);
    json_merge_patch(&a, patch);
    assert_true(json_equal(a, b));
}

static void patches_hold_what_differs(void **state _unused_)
{
    check_patch("{\"a\":1,\"b\":{\"c\":[1,2]}}", "{\"b\":{\"c\":[1,2]},\"a\":1}", "{}");
    check_patch("{\"a\":1,\"b\":{\"c\":1,\"d\":2}}", "{\"a\":1,\"b\":{\"c\":3,\"d\":2}}",
                "{\"b\":{\"c\":3}}");
    check_patch("{\"a\":1,\"b\":{\"c\":1}}", "{\"b\":{}}", "{\"b\":{\"c\":null},\"a\":null}");
    check_patch("{\"a\":[1,2]}", "{\"a\":[2]}", "{\"a\":[2]}");
    check_patch("{\"a\":1}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}");
}

static int count_clashes(const char *patch, const char *before, const char *now, const char *expected)
{
    _cleanup_json_ cJSON *p = parse(patch), *b = parse(before), *n = parse(now);
    _cleanup_buf_ struct buf out = BUF_INIT;
    int found = edit_patch_clashes(p, b, n, false, &out);

    assert_string_equal(buf_str(&out), expected);
    return found;
}

static void only_the_same_fields_clash(void **state _unused_)
{
    assert_int_equal(
        count_clashes("{\"s\":{\"a\":2}}", "{\"s\":{\"a\":1,\"b\":1}}", "{\"s\":{\"a\":1,\"b\":9}}", ""), 0);
    assert_int_equal(count_clashes("{\"s\":{\"a\":2}}", "{\"s\":{\"a\":1}}", "{\"s\":{\"a\":3}}",
                                   "* s.a: was 1, is now 3\n"),
                     1);
    /* Both want the same. */
    assert_int_equal(count_clashes("{\"a\":2}", "{\"a\":1}", "{\"a\":2}", ""), 0);
    assert_int_equal(count_clashes("{\"a\":null}", "{\"a\":1}", "{}", ""), 0);
    assert_int_equal(count_clashes("{\"a\":null}", "{\"a\":1}", "{\"a\":2}", "* a: was 1, is now 2\n"), 1);
    assert_int_equal(count_clashes("{\"a\":{\"b\":1}}", "{}", "{\"a\":{\"c\":1}}", ""), 0);
    assert_int_equal(
        count_clashes("{\"a\":{\"b\":1}}", "{}", "{\"a\":\"x\"}", "* a: was absent, is now \"x\"\n"), 1);
}

static void secrets_are_hidden(void **state _unused_)
{
    _cleanup_json_ cJSON *from =
        parse("{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"data\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}}");
    _cleanup_json_ cJSON *to =
        parse("{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"data\":{\"b\":\"2\",\"c\":\"4\",\"d\":\"5\"},"
              "\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":\"x\"}}}");
    _cleanup_json_ cJSON *other =
        parse("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"data\":{\"a\":\"1\"}}");

    diff_mask(from, to);
    _cleanup_free_ char *a = json_print(json_get(from, "data")), *b = json_print(json_get(to, "data"));
    assert_string_equal(a, "{\"a\":\"***\",\"b\":\"***\",\"c\":\"*** (before)\"}");
    assert_string_equal(b, "{\"b\":\"***\",\"c\":\"*** (after)\",\"d\":\"***\"}");
    const cJSON *annotation =
        json_atv(to, "metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration", NULL);
    assert_string_equal(annotation->valuestring, "***");
    diff_mask(NULL, other);
    assert_string_equal(json_str(other, "data.a"), "1");
}

static void check_value(const char *field, const char *expected)
{
    static const char live[] =
        "{\"kind\":\"X\",\"metadata\":{\"labels\":{\"a.b/c\":\"old\",\"a\":\"no\"}},\"spec\":{\"containers\":"
        "[{\"name\":\"b\",\"image\":\"no\"},{\"name\":\"a\\\"]\",\"image\":\"old\"}],\"ports\":[{\"port\":1,"
        "\"protocol\":\"UDP\",\"v\":\"no\"},{\"port\":1,\"protocol\":\"TCP\",\"v\":\"old\"}],"
        "\"set\":[\"x\",\"y\"],\"list\":[7,8]}}";
    _cleanup_json_ cJSON *now = parse(live), *ours = parse(live), *quoted = cJSON_CreateString(field);
    _cleanup_free_ char *in_json = json_print(quoted);
    _cleanup_free_ char *details = xasprintf(
        "{\"details\":{\"causes\":[{\"reason\":\"FieldManagerConflict\",\"message\":\"conflict with "
        "\\\"m\\\"\",\"field\":%s}]}}",
        in_json);
    struct err e = {.code = ERR_CONFLICT, .http = 409, .details = details};
    _cleanup_free_ char *text = apply_conflict_text(&e, now, ours);

    assert_non_null(text);
    if (expected)
        assert_non_null(strstr(text, expected));
    else
        assert_null(strstr(text, "your manifest says"));
}

static void fields_are_found_by_their_paths(void **state _unused_)
{
    check_value(".metadata.labels.a.b/c", ": it is \"old\", your manifest says \"old\"");
    check_value(".spec.containers[name=\"a\\\"]\"].image", ": it is \"old\"");
    check_value(".spec.ports[port=1,protocol=\"TCP\"].v", ": it is \"old\"");
    check_value(".spec.set[=\"y\"]", ": it is \"y\"");
    check_value(".spec.list[1]", ": it is 8");
    /* What cannot be found, or is no path, is left out. */
    check_value(".spec.list[9]", NULL);
    check_value(".spec.nope", NULL);
    check_value(".spec.containers[name=", NULL);
    check_value(".spec.containers[name=\"a", NULL);
    check_value(".spec.containers[", NULL);
    check_value("spec", NULL);
    check_value(".spec.set[99999999999999999999]", NULL);
    check_value(".spec.containers[name=\"a\\", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patches_hold_what_differs),
        cmocka_unit_test(only_the_same_fields_clash),
        cmocka_unit_test(secrets_are_hidden),
        cmocka_unit_test(fields_are_found_by_their_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
