/* The bodies of the wasmCloud v1 control interface, by tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the ones above first. */
#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/json.h"
#include "lattice/wire_v1.h"

static cJSON *parse(const char *text)
{
    cJSON *o = NULL;
    struct err *err = NULL;

    if (json_parse(text, strlen(text), "test", &o, &err) < 0)
        fail_msg("%s: %s", text, err_text(err));
    return o;
}

static void assert_error(int r, int code, const char *part, struct err *err, const char *text)
{
    if (r != code || !err || !strstr(err->message, part))
        fail_msg("%s: got %d \"%s\", want %d with \"%s\"", text, r, err ? err->message : "", code, part);
    err_free(err);
}

static void test_names(void **state)
{
    char longest[130];
    (void)state;

    memset(longest, 'a', sizeof(longest));
    longest[129] = 0;
    assert_false(lat_v1_name_ok(longest));
    longest[128] = 0;
    assert_true(lat_v1_name_ok(longest));
    static const char *const good[] = {"a", "default_todo", "A-z_0"};
    static const char *const bad[] = {"", "a.b", "a b", "*", ">", "a/b", "\xc3\xa4", "a\n"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(lat_v1_name_ok(good[i]) && lat_v1_token_ok(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(lat_v1_name_ok(bad[i]) || lat_v1_token_ok(bad[i]));
    assert_false(lat_v1_name_ok(NULL));
}

static void test_provider_images(void **state)
{
    static const struct {
        const char *asked, *reported;
        bool same;
    } cases[] = {
        {"wasmcloud+builtin://http-server", "http-server", true},
        {"wasmcloud+builtin://http-server", "http-client", false},
        {"file:///opt/p.par.gz", "/opt/p.par.gz", true},
        {"file:///opt/P.par.gz", "/opt/p.par.gz", false},
        {"oci://reg/x:1", "reg/x:1", true},
        {"reg/X:1", "reg/x:1", true},
        {"https://reg/x:1", "reg/x:2", false},
        {"reg/x:1", "", false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (lat_v1_provider_image_same(cases[i].asked, cases[i].reported) != cases[i].same)
            fail_msg("%s, %s", cases[i].asked, cases[i].reported);
}

static void test_answers(void **state)
{
    static const struct {
        const char *text;
        int code;
        const char *part;
    } bad[] = {
        {"", ERR_PROTOCOL, "answer of the host"},
        {"{", ERR_PROTOCOL, "answer of the host"},
        {"[]", ERR_PROTOCOL, "success"},
        {"{}", ERR_PROTOCOL, "success"},
        {"{\"success\":\"yes\"}", ERR_PROTOCOL, "success"},
        {"{\"success\":false,\"message\":\"no such thing\"}", ERR_FAILED, "no such thing"},
        {"{\"success\":false}", ERR_FAILED, "no reason"},
        {"{\"success\":false,\"message\":7}", ERR_FAILED, "no reason"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err *err = NULL;
        int r = lat_v1_answer(bad[i].text, strlen(bad[i].text), NULL, NULL, &err);
        assert_error(r, bad[i].code, bad[i].part, err, bad[i].text);
    }
    cJSON *root = NULL;
    const cJSON *response = NULL;
    static const char good[] = "{\"success\":true,\"message\":\"\",\"response\":{\"a\":1},\"more\":2}";
    assert_int_equal(lat_v1_answer(good, strlen(good), &root, &response, NULL), 0);
    assert_int_equal(json_int(response, "a", 0), 1);
    cJSON_Delete(root);
    static const char none[] = "{\"success\":true,\"message\":\"Configuration not found\",\"response\":null}";
    assert_int_equal(lat_v1_answer(none, strlen(none), &root, &response, NULL), 0);
    assert_null(response);
    cJSON_Delete(root);
}

static void test_host(void **state)
{
    (void)state;
    _cleanup_json_ cJSON *o =
        parse("{\"id\":\"NABC\",\"friendly_name\":\"f\",\"labels\":{\"a.b/c\":\"d\"},\"version\":\"1\","
              "\"uptime_seconds\":12,\"js_domain\":null,\"new\":[1]}");
    struct lat_v1_host h;

    assert_int_equal(lat_v1_host(o, &h, NULL), 0);
    assert_string_equal(h.id, "NABC");
    assert_string_equal(h.friendly_name, "f");
    assert_string_equal(h.version, "1");
    assert_string_equal(map_get(h.labels, "a.b/c"), "d");
    assert_int_equal(h.uptime_s, 12);
    lat_v1_host_release(&h);

    _cleanup_json_ cJSON *least = parse("{\"id\":\"N\"}");
    assert_int_equal(lat_v1_host(least, &h, NULL), 0);
    assert_null(h.labels);
    assert_int_equal(h.uptime_s, -1);
    lat_v1_host_release(&h);

    static const struct {
        const char *text, *part;
    } bad[] = {
        {"[]", "not an object"},
        {"{}", "field id"},
        {"{\"id\":5}", "field id"},
        {"{\"id\":\"a.b\"}", "field id"},
        {"{\"id\":\"N\",\"labels\":[]}", "field labels"},
        {"{\"id\":\"N\",\"labels\":{\"a\":1}}", "field labels"},
        {"{\"id\":\"N\",\"uptime_seconds\":-1}", "field uptime_seconds"},
        {"{\"id\":\"N\",\"uptime_seconds\":1e300}", "field uptime_seconds"},
        {"{\"id\":\"N\",\"uptime_seconds\":1.5}", "field uptime_seconds"},
        {"{\"id\":\"N\",\"uptime_seconds\":\"1\"}", "field uptime_seconds"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        _cleanup_json_ cJSON *b = parse(bad[i].text);
        struct err *err = NULL;
        int r = lat_v1_host(b, &h, &err);
        assert_error(r, ERR_PROTOCOL, bad[i].part, err, bad[i].text);
    }
}

static void test_inventory(void **state)
{
    (void)state;
    _cleanup_json_ cJSON *o = parse(
        "{\"host_id\":\"NA\",\"friendly_name\":\"f\",\"labels\":{},\"version\":\"v\",\"uptime_seconds\":1,"
        "\"components\":[{\"id\":\"a\",\"image_ref\":\"file:///"
        "x\",\"revision\":0,\"max_instances\":4294967295,"
        "\"limits\":null,\"annotations\":{\"k\":\"v\"}},{\"id\":\"b\",\"image_ref\":\"y\",\"revision\":0,"
        "\"max_instances\":1}],"
        "\"providers\":[{\"id\":\"http-server\",\"image_ref\":\"http-server\",\"revision\":0},{\"id\":"
        "\"old\"}]}");
    struct lat_v1_inventory inv;

    assert_int_equal(lat_v1_inventory(o, &inv, NULL), 0);
    assert_string_equal(inv.host.id, "NA");
    assert_int_equal(inv.ncomponents, 2);
    assert_int_equal(lat_v1_component(&inv, "a")->count, UINT32_MAX);
    assert_string_equal(map_get(lat_v1_component(&inv, "a")->annotations, "k"), "v");
    assert_non_null(lat_v1_component(&inv, "b")->annotations);
    assert_null(lat_v1_component(&inv, "c"));
    assert_int_equal(inv.nproviders, 2);
    assert_true(lat_v1_provider(&inv, "http-server")->healthy);
    assert_string_equal(lat_v1_provider(&inv, "old")->image, "");
    lat_v1_inventory_release(&inv);

    static const struct {
        const char *text, *part;
    } bad[] = {
        {"{\"components\":[]}", "field host_id"},
        {"{\"host_id\":\"N\",\"components\":{}}", "field components"},
        {"{\"host_id\":\"N\",\"components\":[{\"image_ref\":\"x\"}]}", "field id"},
        {"{\"host_id\":\"N\",\"components\":[{\"id\":\"a\"}]}", "field image_ref"},
        {"{\"host_id\":\"N\",\"components\":[5]}", "field id"},
        {"{\"host_id\":\"N\",\"components\":[{\"id\":\"a\",\"image_ref\":\"x\",\"max_instances\":4294967296}]"
         "}",
         "field max_instances"},
        {"{\"host_id\":\"N\",\"components\":[{\"id\":\"a\",\"image_ref\":\"x\",\"max_instances\":-1}]}",
         "field max_instances"},
        {"{\"host_id\":\"N\",\"components\":[{\"id\":\"a\",\"image_ref\":\"x\",\"annotations\":{\"k\":null}}]"
         "}",
         "field annotations"},
        {"{\"host_id\":\"N\",\"providers\":[{\"id\":\"a\"},{\"id\":1}]}", "field id"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        _cleanup_json_ cJSON *b = parse(bad[i].text);
        struct err *err = NULL;
        int r = lat_v1_inventory(b, &inv, &err);
        assert_error(r, ERR_PROTOCOL, bad[i].part, err, bad[i].text);
    }
}

static void test_links(void **state)
{
    (void)state;
    _cleanup_json_ cJSON *o = parse(
        "[{\"source_id\":\"h\",\"target\":\"t\",\"wit_namespace\":\"wasi\",\"wit_package\":\"keyvalue\","
        "\"interfaces\":[\"store\",\"atomics\"],\"source_config\":[\"c\"]}]");
    struct lat_link *links;
    size_t n;

    assert_int_equal(lat_v1_links(o, &links, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_string_equal(links[0].name, "default");
    assert_string_equal(links[0].interfaces[0], "atomics");
    assert_string_equal(links[0].source_config[0], "c");
    assert_null(links[0].target_config[0]);
    assert_true(lat_link_same(&links[0], &links[0]));

    char *text = lat_v1_link_put(&links[0]);
    assert_string_equal(
        text, "{\"source_id\":\"h\",\"target\":\"t\",\"name\":\"default\",\"wit_namespace\":\"wasi\","
              "\"wit_package\":\"keyvalue\",\"interfaces\":[\"atomics\",\"store\"],\"source_config\":[\"c\"],"
              "\"target_config\":[]}");
    free(text);
    text = lat_v1_link_del(&links[0]);
    assert_string_equal(
        text,
        "{\"source_id\":\"h\",\"name\":\"default\",\"wit_namespace\":\"wasi\",\"wit_package\":\"keyvalue\"}");
    free(text);
    lat_v1_links_free(links, n);

    assert_int_equal(lat_v1_links(NULL, &links, &n, NULL), 0);
    assert_int_equal(n, 0);
    lat_v1_links_free(links, n);
    static const char *const bad[] = {
        "{}", "[1]", "[{\"source_id\":\"h\"}]",
        "[{\"source_id\":\"h\",\"target\":\"t\",\"wit_namespace\":\"w\",\"wit_package\":\"k\","
        "\"interfaces\":[1]}]"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        _cleanup_json_ cJSON *b = parse(bad[i]);
        assert_int_equal(lat_v1_links(b, &links, &n, NULL), ERR_PROTOCOL);
    }
}

static void test_events(void **state)
{
    static const struct {
        const char *type, *data;
        enum lat_event_kind kind;
        const char *subject, *image, *error;
        uint32_t count;
    } cases[] = {
        {"host_stopped", "{\"labels\":{}}", LAT_EVENT_HOST_STOPPED, NULL, NULL, NULL, 0},
        {"component_scaled",
         "{\"component_id\":\"c\",\"image_ref\":\"i\",\"max_instances\":3,\"host_id\":\"\",\"annotations\":{}"
         "}",
         LAT_EVENT_COMPONENT_SCALED, "c", "i", NULL, 3},
        {"component_scale_failed",
         "{\"component_id\":\"c\",\"image_ref\":\"i\",\"max_instances\":1,\"annotations\":{},\"error\":"
         "\"why\"}",
         LAT_EVENT_COMPONENT_FAILED, "c", "i", "why", 1},
        {"provider_started", "{\"provider_id\":\"p\",\"image_ref\":\"i\"}", LAT_EVENT_PROVIDER_STARTED, "p",
         "i", NULL, 0},
        {"provider_start_failed", "{\"provider_id\":\"p\",\"provider_ref\":\"i\",\"error\":\"e\"}",
         LAT_EVENT_PROVIDER_FAILED, "p", "i", "e", 0},
        {"provider_stopped", "{\"provider_id\":\"p\",\"reason\":\"stop\"}", LAT_EVENT_PROVIDER_STOPPED, "p",
         NULL, NULL, 0},
        {"linkdef_deleted", "{\"source_id\":\"s\"}", LAT_EVENT_LINK_DELETED, "s", NULL, NULL, 0},
        {"config_set", "{\"config_name\":\"n\"}", LAT_EVENT_CONFIG_SET, "n", NULL, NULL, 0},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *text =
            xasprintf("{\"specversion\":\"1.0\",\"id\":\"x\",\"type\":\"com.wasmcloud.lattice.%s\","
                      "\"source\":\"NA\",\"time\":\"2026-01-02T03:04:05.5Z\",\"data\":%s}",
                      cases[i].type, cases[i].data);
        struct lat_v1_event e;
        struct err *err = NULL;
        if (lat_v1_event(text, strlen(text), &e, &err) < 0)
            fail_msg("%s: %s", text, err_text(err));
        assert_true(e.known && !e.heartbeat);
        assert_int_equal(e.kind, cases[i].kind);
        assert_string_equal(e.host, "NA");
        assert_true(streq_null(e.subject, cases[i].subject));
        assert_true(streq_null(e.image, cases[i].image));
        assert_true(streq_null(e.error, cases[i].error));
        assert_int_equal(e.count, cases[i].count);
        assert_true(e.time_ns == INT64_C(1767323045500000000));
        lat_v1_event_release(&e);
    }

    static const char beat[] =
        "{\"type\":\"com.wasmcloud.lattice.host_heartbeat\",\"source\":\"NA\",\"data\":{\"host_id\":\"NA\","
        "\"friendly_name\":\"f\",\"labels\":{\"a\":\"b\"},\"uptime_seconds\":9,\"components\":[]}}";
    struct lat_v1_event e;
    assert_int_equal(lat_v1_event(beat, strlen(beat), &e, NULL), 0);
    assert_true(e.known && e.heartbeat);
    assert_int_equal(e.about.uptime_s, 9);
    assert_string_equal(map_get(e.about.labels, "a"), "b");
    lat_v1_event_release(&e);

    static const char other[] =
        "{\"type\":\"com.wasmcloud.lattice.something_new\",\"source\":\"NA\",\"data\":7}";
    assert_int_equal(lat_v1_event(other, strlen(other), &e, NULL), 0);
    assert_false(e.known);
    lat_v1_event_release(&e);

    static const char *const bad[] = {
        "",
        "[]",
        "{\"type\":\"x\"}",
        "{\"source\":\"NA\"}",
        "{\"type\":\"com.wasmcloud.lattice.host_stopped\",\"source\":\"a.b\"}",
        "{\"type\":\"com.wasmcloud.lattice.component_scaled\",\"source\":\"NA\"}",
        "{\"type\":\"com.wasmcloud.lattice.component_scaled\",\"source\":\"NA\",\"data\":{\"component_id\":"
        "\"c\","
        "\"max_instances\":1e10}}",
        "{\"type\":\"com.wasmcloud.lattice.host_heartbeat\",\"source\":\"NA\",\"data\":[]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (lat_v1_event(bad[i], strlen(bad[i]), &e, NULL) != ERR_PROTOCOL)
            fail_msg("%s", bad[i]);
}

static void test_requests(void **state)
{
    (void)state;
    _cleanup_map_ struct map *annotations = map_new(NULL);
    map_set(annotations, "wasmctl.dev/owner", (char *)"u/n\"x");
    char *config[] = {(char *)"a", (char *)"b", NULL};
    struct lat_component_spec s = {.host = "NA",
                                   .id = "c",
                                   .image = "i",
                                   .count = UINT32_MAX,
                                   .config = config,
                                   .annotations = annotations,
                                   .memory_limit = INT64_C(5000000000)};
    char *text = lat_v1_scale(&s, "i", s.count);
    assert_string_equal(
        text, "{\"component_id\":\"c\",\"component_ref\":\"i\",\"host_id\":\"NA\",\"count\":4294967295,"
              "\"config\":[\"a\",\"b\"],\"annotations\":{\"wasmctl.dev/owner\":\"u/n\\\"x\"},"
              "\"component_limits\":{\"max_memory_limit\":\"5000000000\"}}");
    free(text);
    text = lat_v1_scale(&(struct lat_component_spec){.host = "NA", .id = "c"}, "", 0);
    assert_string_equal(
        text, "{\"component_id\":\"c\",\"component_ref\":\"\",\"host_id\":\"NA\",\"count\":0,\"config\":[]}");
    free(text);
    text = lat_v1_provider_start(
        &(struct lat_provider_spec){.host = "NA", .id = "p", .image = "i", .config = config});
    assert_string_equal(
        text, "{\"provider_id\":\"p\",\"provider_ref\":\"i\",\"host_id\":\"NA\",\"config\":[\"a\",\"b\"]}");
    free(text);
    text = lat_v1_provider_stop("NA", "p");
    assert_string_equal(text, "{\"provider_id\":\"p\",\"host_id\":\"NA\"}");
    free(text);
    text = lat_v1_config_put(NULL);
    assert_string_equal(text, "{}");
    free(text);
    text = lat_v1_config_put(annotations);
    assert_string_equal(text, "{\"wasmctl.dev/owner\":\"u/n\\\"x\"}");
    free(text);
    text = lat_v1_registry_put(
        &(struct lat_credential){.registry = "r.example:5000", .username = "u", .password = "p"});
    assert_string_equal(
        text, "{\"r.example:5000\":{\"registryType\":\"oci\",\"username\":\"u\",\"password\":\"p\"}}");
    free(text);
    text = lat_v1_host_stop("NA", 1500);
    assert_string_equal(text, "{\"host_id\":\"NA\",\"timeout\":1500}");
    free(text);
    text = lat_v1_host_stop("NA", 0);
    assert_string_equal(text, "{\"host_id\":\"NA\"}");
    free(text);
}

static void test_config(void **state)
{
    (void)state;
    _cleanup_json_ cJSON *good = parse("{\"a\":\"b\"}");
    _cleanup_json_ cJSON *bad = parse("{\"a\":1}");
    struct map *m = NULL;

    assert_int_equal(lat_v1_config(good, &m, NULL), 0);
    assert_string_equal(map_get(m, "a"), "b");
    map_free(m);
    assert_int_equal(lat_v1_config(NULL, &m, NULL), 0);
    assert_int_equal(map_len(m), 0);
    map_free(m);
    assert_int_equal(lat_v1_config(bad, &m, NULL), ERR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),  cmocka_unit_test(test_provider_images), cmocka_unit_test(test_answers),
        cmocka_unit_test(test_host),   cmocka_unit_test(test_inventory),       cmocka_unit_test(test_links),
        cmocka_unit_test(test_events), cmocka_unit_test(test_requests),        cmocka_unit_test(test_config),
    };

    return cmocka_run_group_tests_name("wire_v1", tests, NULL, NULL);
}
