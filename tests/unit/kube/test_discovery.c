#include "unit/kube/fixture.h"

#include "base/mem.h"
#include "base/str.h"
#include "kube/discovery.h"

#define LIST(items)                                                                                          \
    "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/v2\",\"items\":[" items "]}"
#define GROUP(name, versions) "{\"metadata\":{\"name\":\"" name "\"},\"versions\":[" versions "]}"
#define VERSION(v, resources) "{\"version\":\"" v "\",\"resources\":[" resources "]}"
#define RESOURCE(plural, kind, scope, one, shorts, cats)                                                     \
    "{\"resource\":\"" plural "\",\"responseKind\":{\"kind\":\"" kind "\"},\"scope\":\"" scope               \
    "\",\"singularResource\":\"" one "\",\"shortNames\":" shorts ",\"categories\":" cats "}"

static const char core[] =
    LIST(GROUP("", VERSION("v1", RESOURCE("endpoints", "Endpoints", "Namespaced", "endpoints", "[\"ep\"]",
                                          "[]") "," RESOURCE("limitranges", "LimitRange", "Namespaced",
                                                             "limitrange", "[\"limits\"]", "null"))));

static const char groups[] = LIST(
    GROUP("autoscaling",
          VERSION("v2",
                  RESOURCE("horizontalpodautoscalers", "HorizontalPodAutoscaler", "Namespaced",
                           "horizontalpodautoscaler", "[\"hpa\"]",
                           "[\"all\"]")) "," VERSION("v1",
                                                     RESOURCE("horizontalpodautoscalers",
                                                              "HorizontalPodAutoscaler", "Namespaced",
                                                              "horizontalpodautoscaler", "[\"hpa\"]",
                                                              "[\"all\"]") "," RESOURCE("oldthings",
                                                                                        "OldThing", "Cluster",
                                                                                        "", "[]", "[]"))) ","
    /* Its short name is another's name. */
    GROUP(
        "a.example",
        VERSION("v1",
                RESOURCE("gadgets", "Gadget", "Cluster", "gadget", "[\"widget\",\"g\"]",
                         "[\"toys\"]"))) "," GROUP("b.example",
                                                   VERSION(
                                                       "v1",
                                                       RESOURCE("widgets", "Widget", "Namespaced", "widget",
                                                                "[\"w\"]",
                                                                "[\"toys\",5]") ","
                                                                                "{\"resource\":\"broken\"},5,"
                                                                                "null")) ","
                                                                                         "7,{\"metadata\":{}}"
                                                                                         ",{\"metadata\":{"
                                                                                         "\"name\":\"empty\"}"
                                                                                         ",\"versions\":{}}");

static void aggregated(void *arg _unused_, struct http_conn *c, const struct http_request *r)
{
    _cleanup_free_ char *accept = http_header(r, "Accept");

    if (accept && strstr(accept, "as=APIGroupDiscoveryList") && streq(r->target, "/api"))
        http_answer(c, 200, NULL, core);
    else if (accept && strstr(accept, "as=APIGroupDiscoveryList") && streq(r->target, "/apis"))
        http_answer(c, 200, NULL, groups);
    else if (streq(r->target, "/apis/c.example/v3"))
        http_answer(
            c, 200, NULL,
            "{\"kind\":\"APIResourceList\",\"resources\":[{\"name\":\"cogs/status\",\"kind\":\"Cog\"},"
            "{\"name\":\"cogs\",\"kind\":\"Cog\",\"namespaced\":true,\"singularName\":\"cog\"}]}");
    else
        http_answer(c, 404, NULL, "404 page not found\n");
}

static void expect(struct fixture *f, const char *word, const char *group, const char *version,
                   const char *resource)
{
    const struct kube_resource *r = NULL;
    _cleanup_err_ struct err *err = NULL;

    if (kube_find_resource(f->client, word, &r, &err) < 0)
        fail_msg("%s: %s", word, err_text(err));
    assert_string_equal(r->group, group);
    assert_string_equal(r->version, version);
    assert_string_equal(r->resource, resource);
}

static void expect_none(struct fixture *f, const char *word, const char *message)
{
    const struct kube_resource *r = NULL;
    _cleanup_err_ struct err *err = NULL;

    assert_int_equal(kube_find_resource(f->client, word, &r, &err), ERR_NOT_FOUND);
    assert_null(r);
    assert_string_equal(err->message, message);
}

static void test_words(void **state)
{
    struct fixture *f = *state;

    f->handler = aggregated;
    fixture_client(f);
    expect(f, "wa", "wasmctl.dev", "v1alpha1", "wasmactors");
    expect(f, "pods", "", "v1", "pods");
    assert_int_equal(http_server_requests(f->server), 0); /* built in */
    expect(f, "ep", "", "v1", "endpoints");
    expect(f, "LimitRange", "", "v1", "limitranges");
    expect(f, "hpa", "autoscaling", "v2", "horizontalpodautoscalers");
    expect(f, "hpa.autoscaling", "autoscaling", "v2", "horizontalpodautoscalers");
    expect(f, "horizontalpodautoscalers.v1.autoscaling", "autoscaling", "v1", "horizontalpodautoscalers");
    expect(f, "oldthing", "autoscaling", "v1", "oldthings");
    expect(f, "widget", "b.example", "v1", "widgets");
    expect(f, "widget.a.example", "a.example", "v1", "gadgets");
    expect(f, "g", "a.example", "v1", "gadgets");
    expect_none(f, "gadgetz",
                "the server doesn't have a resource type \"gadgetz\" (did you mean \"gadgets\"?)");
    expect_none(f, "gadgets.b.example",
                "the server doesn't have a resource type \"gadgets\" in group \"b.example\"");
    expect_none(f, "x", "the server doesn't have a resource type \"x\"");
    assert_int_equal(http_server_requests(f->server), 2); /* asked once */
}

static void test_kinds(void **state)
{
    struct fixture *f = *state;
    const struct kube_resource *r = NULL;
    static const char *const strange[] = {"../../secrets/v1", "a/b/c", "", "/", "v1?x", "a/"};

    f->handler = aggregated;
    fixture_client(f);
    assert_int_equal(kube_find_kind(f->client, "apps/v1", "Deployment", &r, NULL), 0);
    assert_int_equal(http_server_requests(f->server), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(kube_find_kind(f->client, "c.example/v3", "Cog", &r, NULL), 0);
        assert_string_equal(r->resource, "cogs");
        assert_string_equal(r->version, "v3");
        assert_true(r->namespaced);
    }
    assert_int_equal(http_server_requests(f->server), 1);
    _cleanup_err_ struct err *other = NULL, *absent = NULL;
    assert_int_equal(kube_find_kind(f->client, "c.example/v3", "Wheel", &r, &other), ERR_NOT_FOUND);
    assert_int_equal(kube_find_kind(f->client, "d.example/v1", "Cog", &r, &absent), ERR_NOT_FOUND);
    assert_string_equal(absent->message,
                        "no matches for kind \"Cog\" in version \"d.example/v1\"; ensure its "
                        "CustomResourceDefinition is installed first");
    for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
        _cleanup_err_ struct err *err = NULL;
        assert_int_equal(kube_find_kind(f->client, strange[i], "Cog", &r, &err), ERR_NOT_FOUND);
    }
    assert_int_equal(http_server_requests(f->server), 2);
}

static void test_category(void **state)
{
    struct fixture *f = *state;
    const struct kube_resource **toys = NULL, **all = NULL, **none = NULL;

    f->handler = aggregated;
    fixture_client(f);
    assert_int_equal(kube_find_category(f->client, "toys", &toys, NULL), 0);
    assert_string_equal(toys[0]->resource, "gadgets");
    assert_string_equal(toys[1]->resource, "widgets");
    assert_null(toys[2]);
    assert_int_equal(kube_find_category(f->client, "all", &all, NULL), 0);
    assert_string_equal(all[0]->version, "v2");
    assert_null(all[1]);
    assert_int_equal(kube_find_category(f->client, "none", &none, NULL), 0);
    assert_null(none[0]);
    free(toys);
    free(all);
    free(none);
}

/* A server of the time before aggregated discovery; one of its groups is out of order. */
static void old_server(void *arg _unused_, struct http_conn *c, const struct http_request *r)
{
    static const struct {
        const char *path, *answer;
    } rows[] = {
        {"/api", "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"]}"},
        {"/api/v1",
         "{\"kind\":\"APIResourceList\",\"resources\":[{\"name\":\"endpoints\",\"singularName\":\"\","
         "\"namespaced\":true,\"kind\":\"Endpoints\",\"shortNames\":[\"ep\"]}]}"},
        {"/apis",
         "{\"kind\":\"APIGroupList\",\"groups\":[{\"name\":\"bad.example\",\"versions\":[{\"version\":"
         "\"v1\"}],\"preferredVersion\":{\"version\":\"v1\"}},{\"name\":\"b.example\",\"versions\":["
         "{\"version\":\"v1\"},{\"version\":\"v2\"}],\"preferredVersion\":{\"version\":\"v2\"}}]}"},
        {"/apis/b.example/v1",
         "{\"resources\":[{\"name\":\"widgets\",\"kind\":\"Widget\"},{\"name\":\"old\",\"kind\":\"Old\"}]}"},
        {"/apis/b.example/v2", "{\"resources\":[{\"name\":\"widgets\",\"kind\":\"Widget\"}]}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (streq(rows[i].path, r->target)) {
            http_answer(c, 200, NULL, rows[i].answer);
            return;
        }
    }
    http_answer(c, 503, NULL, "");
}

static void test_old_server(void **state)
{
    struct fixture *f = *state;

    f->handler = old_server;
    fixture_client(f);
    expect(f, "ep", "", "v1", "endpoints");
    expect(f, "widget", "b.example", "v2", "widgets");
    expect(f, "widgets.v1.b.example", "b.example", "v1", "widgets");
    expect(f, "old", "b.example", "v1", "old");
    expect_none(f, "gizmos", "the server doesn't have a resource type \"gizmos\"");
}

static void refuse_all(void *arg _unused_, struct http_conn *c, const struct http_request *r _unused_)
{
    http_answer(c, 403, NULL,
                "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no\",\"code\":403}");
}

static void test_errors(void **state)
{
    struct fixture *f = *state;
    const struct kube_resource *r = NULL, **list = NULL;
    _cleanup_err_ struct err *word = NULL, *kind = NULL, *category = NULL;

    f->handler = refuse_all;
    fixture_client(f);
    assert_int_equal(kube_find_resource(f->client, "things", &r, &word), ERR_FORBIDDEN);
    assert_int_equal(kube_find_kind(f->client, "a/v1", "Thing", &r, &kind), ERR_FORBIDDEN);
    assert_int_equal(kube_find_category(f->client, "all", &list, &category), ERR_FORBIDDEN);
    /* A failure is not remembered, and what was learnt goes with the client. */
    f->handler = aggregated;
    expect(f, "ep", "", "v1", "endpoints");
    kube_client_free(f->client);
    f->handler = refuse_all;
    fixture_client(f);
    assert_int_equal(kube_find_resource(f->client, "ep", &r, NULL), ERR_FORBIDDEN);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_words), TEST(test_kinds), TEST(test_category), TEST(test_old_server), TEST(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
