#include "unit/unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "place/forecast.h"

enum { HOSTS = 4 };

/* Hosts h0... of lattice "default", made from objects as the API server has them. */
struct world {
    struct model_host *hosts[HOSTS];
    struct model_host_report reports[HOSTS];
    struct place_object objects[HOSTS];
    size_t n;
    struct model_workload *w;
    struct place_host made[HOSTS];
    size_t index[HOSTS];
};

static cJSON *parse(const char *text)
{
    cJSON *o = NULL;

    assert_int_equal(json_parse(text, strlen(text), "object", &o, NULL), 0);
    return o;
}

static void add_host(struct world *x, const char *more_status, const char *conditions)
{
    size_t i = x->n++;
    _cleanup_free_ char *text = xasprintf(
        "{\"metadata\":{\"name\":\"h%zu\",\"labels\":{\"zone\":\"z%zu\"}},\"spec\":{\"lattice\":\"default\","
        "\"hostID\":\"H%zu\"},\"status\":{%s\"conditions\":[%s]}}",
        i, i % 2, i, more_status, conditions);
    _cleanup_json_ cJSON *o = parse(text);

    x->hosts[i] = model_host_new(o);
    model_host_report_read(o, &x->reports[i]);
    x->objects[i] = (struct place_object){.host = x->hosts[i], .report = &x->reports[i], .given = -1};
}

#define READY      "{\"type\":\"Ready\",\"status\":\"True\",\"reason\":\"Heartbeating\"}"
#define DEAF       READY ",{\"type\":\"Synced\",\"status\":\"False\",\"reason\":\"Deaf\"}"
#define RESTARTING READY ",{\"type\":\"Synced\",\"status\":\"False\",\"reason\":\"Restarting\"}"
#define GONE       "{\"type\":\"Ready\",\"status\":\"False\",\"reason\":\"NoResponders\"}"
#define UNKNOWN    "{\"type\":\"Ready\",\"status\":\"Unknown\",\"reason\":\"ProbeTimeout\"}"
#define RUNS(o, n)                                                                                           \
    "\"actorCount\":3,\"actors\":[{\"componentID\":\"default_a\",\"concurrency\":" n ",\"owner\":\"" o "\"}" \
                                                                                                       "],"

static void unit(struct world *x, enum model_kind kind, const char *spec, const char *status)
{
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"namespace\":\"default\",\"name\":\"a\"},\"spec\":{\"image\":\"i\"%s},"
                  "\"status\":{%s}}",
                  spec, status);
    _cleanup_json_ cJSON *o = parse(text);

    x->w = model_workload_new(kind, o);
}

static size_t make(struct world *x, const char *uid)
{
    return place_hosts_from(x->w, uid, x->objects, x->n, 77, x->made, x->index);
}

static void release(struct world *x)
{
    for (size_t i = 0; i < x->n; i++) {
        model_host_free(x->hosts[i]);
        model_host_report_release(&x->reports[i]);
    }
    model_workload_free(x->w);
}

static void test_hosts(void **state _unused_)
{
    struct world x = {0};

    add_host(&x, RUNS("uid/default/a", "2600"), READY);
    add_host(&x, RUNS("other/default/a", "1000"), UNKNOWN);
    add_host(&x, "\"actorCount\":7,", DEAF);
    add_host(&x, "", GONE);
    unit(&x, MODEL_ACTOR, "",
         "\"placements\":[{\"host\":\"h0\",\"state\":\"Running\",\"since\":\"1970-01-01T00:00:01Z\"},"
         "{\"host\":\"h2\",\"state\":\"Failed\"}]");
    assert_int_equal(make(&x, "uid"), 3);
    assert_true(x.made[0].ready && !x.made[0].foreign);
    assert_int_equal(x.made[0].current, 3); /* 2600 calls at 1000 a replica */
    assert_int_equal(x.made[0].load, 2);    /* without the unit itself */
    assert_int_equal(x.made[0].since_ns, 1000000000);
    assert_true(x.made[1].foreign && !x.made[1].ready);
    assert_int_equal(x.made[1].current, 0);
    assert_int_equal(x.made[1].since_ns, 77);
    assert_true(x.made[2].deaf && x.made[2].backoff);
    assert_int_equal(x.made[2].load, 7);
    /* Without the uid the name decides. */
    make(&x, NULL);
    assert_false(x.made[1].foreign);
    assert_int_equal(x.made[1].current, 1);
    x.objects[0].gone = true;
    x.objects[2].given = 4;
    x.objects[2].more_load = 2;
    assert_int_equal(make(&x, "uid"), 2);
    assert_int_equal(x.index[1], 2);
    assert_int_equal(x.made[1].current, 4);
    assert_int_equal(x.made[1].load, 9);
    release(&x);
}

/* A host lists 500 actors at most. */
static void test_what_a_host_does_not_list(void **state _unused_)
{
    struct world x = {0};

    add_host(&x, RUNS("uid/default/b\",\"componentID\":\"x", "1"), READY);
    add_host(&x, "\"actorCount\":0,", READY);
    unit(&x, MODEL_ACTOR, "",
         "\"placements\":[{\"host\":\"h0\",\"state\":\"Running\",\"replicas\":2},"
         "{\"host\":\"h1\",\"state\":\"Running\",\"replicas\":1}]");
    make(&x, "uid");
    assert_int_equal(x.made[0].current, 2);
    assert_int_equal(x.made[0].load, 2);
    assert_int_equal(x.made[1].current, 0);
    release(&x);
}

/* As the operator: a deaf host serves better than none, but only for what leaves a host that is restarted. */
static void test_deaf_hosts_take_what_leaves_a_host(void **state _unused_)
{
    struct world x = {0};

    add_host(&x, RUNS("uid/default/a", "1000"), RESTARTING);
    add_host(&x, "", DEAF);
    unit(&x, MODEL_ACTOR, "", "");
    make(&x, "uid");
    assert_false(x.made[1].deaf);
    assert_true(x.made[0].restarting);
    add_host(&x, "", READY);
    make(&x, "uid");
    assert_true(x.made[1].deaf);
    release(&x);
}

static void test_owners(void **state _unused_)
{
    struct world x = {0};
    _cleanup_free_ char *actor = NULL, *provider = NULL;

    unit(&x, MODEL_ACTOR, "", "");
    actor = place_owner("uid", x.w->kind, x.w->key);
    assert_string_equal(actor, "uid/default/a");
    model_workload_free(x.w);
    unit(&x, MODEL_PROVIDER, "", "");
    provider = place_owner("uid", x.w->kind, x.w->key);
    assert_string_equal(provider, "uid/default/provider/a");
    release(&x);
}

static void test_explained(void **state _unused_)
{
    struct world x = {0};
    struct place_plan plan;
    struct place_explained why;

    add_host(&x, "", READY); /* z0 */
    add_host(&x, "", READY); /* z1 */
    add_host(&x, "", READY); /* z0 */
    add_host(&x, "", UNKNOWN);
    unit(&x, MODEL_PROVIDER,
         ",\"placement\":{\"spread\":[{\"topologyKey\":\"zone\",\"maxSkew\":1,"
         "\"whenUnsatisfiable\":\"DoNotSchedule\"}]}",
         "");
    struct place_input in = {
        .hosts = x.made, .nhosts = make(&x, "uid"), .rules = &x.w->placement, .replicas = 4, .single = true};
    place_plan_make(&in, &plan);
    place_explain(&in, &plan, &why);
    assert_int_equal(why.nhosts, 4);
    assert_string_equal(why.why[0], "takes 1");
    assert_string_equal(why.why[3], "not ready");
    assert_int_equal(why.nkeys, 1);
    assert_int_equal(why.keys[0].ndomains, 2);
    assert_string_equal(why.keys[0].domains[0].value, "z0");
    assert_int_equal(why.keys[0].domains[0].replicas, 2);
    assert_int_equal(why.keys[0].domains[1].replicas, 1);
    assert_float_equal(why.keys[0].skew, 1, 1e-9);
    assert_int_equal(plan.missing, 1);
    place_explained_release(&why);
    place_plan_release(&plan);
    release(&x);
}

static void test_every_reason_has_a_name(void **state _unused_)
{
    for (int r = 0; r < PLACE_REASON_COUNT; r++)
        assert_string_not_equal(place_reason_name((enum place_reason)r), "Unknown");
    assert_string_equal(place_reason_name(PLACE_REASON_COUNT), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_what_a_host_does_not_list),
        cmocka_unit_test(test_deaf_hosts_take_what_leaves_a_host),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_explained),
        cmocka_unit_test(test_every_reason_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
