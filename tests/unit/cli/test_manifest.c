#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "cli/apply.h"
#include "cli/manifest.h"

static const char crd_text[] = "apiVersion: apiextensions.k8s.io/v1\n"
                               "kind: CustomResourceDefinition\n"
                               "metadata:\n"
                               "  name: cars.example.com\n"
                               "spec:\n"
                               "  group: example.com\n"
                               "  scope: Namespaced\n"
                               "  names: {kind: Car, plural: cars}\n"
                               "---\n"
                               "apiVersion: example.com/v1\n"
                               "kind: Car\n"
                               "metadata: {name: mine}\n";

static void lists_are_taken_apart(void **state _unused_)
{
    const char *text = "kind: List\napiVersion: v1\nitems:\n"
                       "- {kind: ConfigMap, apiVersion: v1, metadata: {name: a}}\n"
                       "- kind: List\n  apiVersion: v1\n  items:\n"
                       "  - {kind: ConfigMap, apiVersion: v1, metadata: {name: b}}\n";
    _cleanup_manifests_ struct manifests m = {0};

    assert_int_equal(manifests_parse(&m, text, strlen(text), "x.yaml", NULL), 0);
    assert_int_equal(m.len, 2);
    assert_string_equal(manifest_name(&m.items[0]), "a");
    assert_string_equal(manifest_name(&m.items[1]), "b");
}

static void objects_without_kind_are_refused_as_a_whole(void **state _unused_)
{
    const char *text =
        "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n---\napiVersion: v1\nmetadata: {name: b}\n";
    _cleanup_manifests_ struct manifests m = {0};
    _cleanup_err_ struct err *err = NULL;

    assert_int_equal(manifests_parse(&m, text, strlen(text), "x.yaml", &err), ERR_INVALID);
    assert_non_null(strstr(err_text(err), "x.yaml:"));
    assert_non_null(strstr(err_text(err), "no kind"));
    assert_int_equal(m.len, 0);
}

static void kinds_come_from_crds_of_the_set(void **state _unused_)
{
    _cleanup_manifests_ struct manifests m = {0};

    assert_int_equal(manifests_parse(&m, crd_text, strlen(crd_text), "x.yaml", NULL), 0);
    assert_int_equal(m.len, 2);
    assert_true(manifest_is_crd(&m.items[0]));
    assert_false(manifest_is_crd(&m.items[1]));
    assert_ptr_equal(manifest_crd_of(&m, &m.items[1]), &m.items[0]);
    assert_null(manifest_crd_of(&m, &m.items[0]));
}

static void conflicts_are_explained(void **state _unused_)
{
    struct err e = {
        .code = ERR_CONFLICT,
        .http = 409,
        .details =
            (char *)"{\"kind\":\"Status\",\"details\":{\"causes\":["
                    "{\"reason\":\"FieldManagerConflict\",\"message\":\"conflict with \\\"kubectl-edit\\\" "
                    "using v1\","
                    "\"field\":\".spec.replicas\"},"
                    "{\"reason\":\"FieldManagerConflict\",\"message\":\"conflict with \\\"argo\\\" with "
                    "subresource \\\"scale\\\" using v1\","
                    "\"field\":\".spec.image\"}]}}",
    };
    _cleanup_free_ char *text = apply_conflict_text(&e, NULL, NULL);

    assert_non_null(text);
    assert_true(str_starts(text, "Apply failed with 2 conflicts:\n"
                                 "  .spec.replicas is managed by \"kubectl-edit\"\n"
                                 "  .spec.image is managed by \"argo\" through scale\n"));
    assert_non_null(strstr(text, "--force-conflicts"));
    e.http = 404;
    assert_null(apply_conflict_text(&e, NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_taken_apart),
        cmocka_unit_test(objects_without_kind_are_refused_as_a_whole),
        cmocka_unit_test(kinds_come_from_crds_of_the_set),
        cmocka_unit_test(conflicts_are_explained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
