#include "unit/unit.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/gvr.h"

static void test_find(void **state _unused_)
{
    static const struct {
        const char *word, *group, *resource;
    } rows[] = {
        {"wasmactors", "wasmctl.dev", "wasmactors"},
        {"wasmactor", "wasmctl.dev", "wasmactors"},
        {"WasmActor", "wasmctl.dev", "wasmactors"},
        {"wa", "wasmctl.dev", "wasmactors"},
        {"actor", "wasmctl.dev", "wasmactors"},
        {"wp", "wasmctl.dev", "wasmproviders"},
        {"lat", "wasmctl.dev", "lattices"},
        {"lh", "wasmctl.dev", "latticehosts"},
        {"wasmactors.wasmctl.dev", "wasmctl.dev", "wasmactors"},
        {"wasmactors.v1alpha1.wasmctl.dev", "wasmctl.dev", "wasmactors"},
        {"deploy", "apps", "deployments"},
        {"Deployment.apps", "apps", "deployments"},
        {"deployments.v1.apps", "apps", "deployments"},
        {"pods", "", "pods"},
        {"po", "", "pods"},
        {"pods.v1.", "", "pods"},
        {"events", "", "events"},
        {"events.events.k8s.io", "events.k8s.io", "events"},
        {"events.v1.events.k8s.io", "events.k8s.io", "events"},
        {"crd", "apiextensions.k8s.io", "customresourcedefinitions"},
        {"svc", "", "services"},
        {"cm", "", "configmaps"},
        {"netpol", "networking.k8s.io", "networkpolicies"},
        {"pdb", "policy", "poddisruptionbudgets"},
        {"leases", "coordination.k8s.io", "leases"},
        {"clusterrolebinding", "rbac.authorization.k8s.io", "clusterrolebindings"},
    };
    static const char *const unknown[] = {
        "",  "nope",   "wasmactorss", "deployments.batch", "pods.v2.", "wasmactors.v1.wasmctl.dev",
        ".", "deploy."};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct kube_resource *r = kube_builtin_find(rows[i].word);
        if (!r)
            fail_msg("%s is not found", rows[i].word);
        assert_string_equal(r->group, rows[i].group);
        assert_string_equal(r->resource, rows[i].resource);
    }
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        if (kube_builtin_find(unknown[i]))
            fail_msg("\"%s\" is found", unknown[i]);
}

static void test_kind(void **state _unused_)
{
    const struct kube_resource *r = kube_builtin_kind("wasmctl.dev/v1alpha1", "Lattice");

    assert_non_null(r);
    assert_string_equal(r->resource, "lattices");
    assert_false(r->namespaced);
    assert_string_equal(kube_builtin_kind("v1", "Event")->group, "");
    assert_string_equal(kube_builtin_kind("events.k8s.io/v1", "Event")->group, "events.k8s.io");
    assert_null(kube_builtin_kind("wasmctl.dev/v1", "Lattice"));
    assert_null(kube_builtin_kind("v1", "Deployment"));
    assert_null(kube_builtin_kind("apps/v1", "deployment"));
}

/* Each row can be reached by each of its names, and no (apiVersion, kind) is there twice. */
static void test_table(void **state _unused_)
{
    _cleanup_map_ struct map *seen = map_new(NULL);

    for (size_t i = 0; kube_builtin(i); i++) {
        const struct kube_resource *r = kube_builtin(i);
        _cleanup_free_ char *version = kube_api_version(r), *key = xasprintf("%s %s", version, r->kind);
        _cleanup_free_ char *full =
            *r->group ? xasprintf("%s.%s", r->resource, r->group) : xstrdup(r->resource);
        assert_false(map_has(seen, key));
        map_set(seen, key, NULL);
        assert_ptr_equal(kube_builtin_find(full), r);
        assert_ptr_equal(kube_builtin_kind(version, r->kind), r);
        assert_non_null(kube_builtin_find(r->kind));
        assert_non_null(kube_builtin_find(r->singular));
        for (size_t k = 0; r->short_names && r->short_names[k]; k++)
            assert_non_null(kube_builtin_find(r->short_names[k]));
    }
    assert_true(map_len(seen) > 20);
}

static void check_path(const char *word, const char *ns, const char *name, const char *sub, const char *path)
{
    _cleanup_free_ char *made = kube_path(kube_builtin_find(word), ns, name, sub);

    assert_string_equal(made, path);
}

static void test_paths(void **state _unused_)
{
    check_path("wa", "default", NULL, NULL, "/apis/wasmctl.dev/v1alpha1/namespaces/default/wasmactors");
    check_path("wa", NULL, NULL, NULL, "/apis/wasmctl.dev/v1alpha1/wasmactors");
    check_path("wa", "a", "b", "scale", "/apis/wasmctl.dev/v1alpha1/namespaces/a/wasmactors/b/scale");
    check_path("lat", "ignored", "x", NULL, "/apis/wasmctl.dev/v1alpha1/lattices/x");
    check_path("pods", "a", "b", "log", "/api/v1/namespaces/a/pods/b/log");
    check_path("ns", NULL, "kube-system", NULL, "/api/v1/namespaces/kube-system");
    /* Nothing a user types can leave its place in the path. */
    check_path("pods", "a/b", "../c?d#e", NULL, "/api/v1/namespaces/a%2Fb/pods/..%2Fc%3Fd%23e");
    check_path("clusterroles", NULL, "system:node", NULL,
               "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node");
}

static void test_texts(void **state _unused_)
{
    _cleanup_free_ char *a = kube_resource_display(kube_builtin_find("wa")),
                        *b = kube_resource_display(kube_builtin_find("pods")),
                        *q = kube_query_escape("a=b,c in (d),\xc3\xa9 &");

    assert_string_equal(a, "wasmactor.wasmctl.dev");
    assert_string_equal(b, "pod");
    assert_string_equal(q, "a%3Db%2Cc%20in%20%28d%29%2C%C3%A9%20%26");
}

static void test_copy(void **state _unused_)
{
    _cleanup_(kube_resource_freep) struct kube_resource *copy = kube_resource_copy(kube_builtin_find("wa"));

    assert_string_equal(copy->kind, "WasmActor");
    assert_true(strv_has(copy->short_names, "wa"));
    assert_true(strv_has(copy->categories, "wasm"));
    assert_true(copy->namespaced);
    kube_resource_free(kube_resource_copy(kube_builtin_find("secrets")));
    kube_resource_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),  cmocka_unit_test(test_kind),  cmocka_unit_test(test_table),
        cmocka_unit_test(test_paths), cmocka_unit_test(test_texts), cmocka_unit_test(test_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
