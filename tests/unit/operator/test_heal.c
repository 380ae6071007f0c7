/* Healing of deaf hosts over the memory driver and a fake clock. There is no API server: what is written to
 * it goes nowhere. */
#include "unit/unit.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "kube/client.h"
#include "lattice/driver_mem.h"
#include "operator/heal.h"
#include "operator/metrics.h"

enum { DEAF_MS = 25 * 1000 }; /* noticed by then */

struct world {
    struct loop *loop;
    struct kube_config config;
    struct kube_client *client;
    struct op_metrics *metrics;
    struct op_options options;
    struct op *op;
    struct model_lattice *object;
    struct op_lattice *l;
    struct lat_mem *mem;
};

static int setup(void **state)
{
    static const char text[] = "{\"metadata\":{\"name\":\"test\"},\"spec\":{\"driver\":\"memory\",\"nats\":{"
                               "\"servers\":[\"none\"]}}}";
    struct world *t = xcalloc(1, sizeof(*t));
    cJSON *o = NULL;

    t->loop = loop_new();
    loop_fake_clock(t->loop, 1000);
    t->config.server = (char *)"http://127.0.0.1:1";
    t->config.context = (char *)"test";
    t->config.namespace = (char *)"default";
    struct kube_client_options client = {.user_agent = "test"};
    assert_int_equal(kube_client_new(t->loop, &t->config, &client, &t->client, NULL), 0);
    t->metrics = op_metrics_new();
    t->options = (struct op_options){.watch_namespaces = "", .leader_election = "off", .resync_ms = 600000};
    assert_int_equal(op_new(t->loop, t->client, &t->options, t->metrics, &t->op, NULL), 0);
    assert_int_equal(json_parse(text, strlen(text), "lattice", &o, NULL), 0);
    t->object = model_lattice_new(o);
    cJSON_Delete(o);
    t->l = op_lattice_open(t->op, t->object);
    assert_non_null(t->l->lat);
    t->mem = lat_mem_of(t->l->lat);
    t->op->cluster_uid = xstrdup("uid");
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct world *t = *state;

    model_lattice_free(t->object);
    op_free(t->op);
    op_metrics_free(t->metrics);
    kube_client_free(t->client);
    loop_free(t->loop);
    free(t);
    return 0;
}

/* Time goes by, and the lattice is looked at as often as it asks for. */
static void pass(struct world *t, int64_t ms)
{
    for (int64_t left = ms; left > 0; left -= 250) {
        heal_step(t->l, t->object);
        loop_advance(t->loop, 250);
    }
}

static void add_hosts(struct world *t, const char *first, const char *second)
{
    lat_mem_host_add(t->mem, first, NULL);
    if (second)
        lat_mem_host_add(t->mem, second, NULL);
    pass(t, 10000);
    assert_true(op_lattice_usable(t->l));
}

static enum lat_host_state state_of(struct world *t, const char *id)
{
    return lat_host_get(t->l->lat, id)->state;
}

static bool is_restarting(struct world *t, const char *id)
{
    return op_lattice_host(t->l, id)->restarting;
}

static void test_one_after_the_other(void **state)
{
    struct world *t = *state;

    add_hosts(t, "NA", "NB");
    lat_mem_host_deaf(t->mem, "NA");
    lat_mem_host_deaf(t->mem, "NB");
    pass(t, DEAF_MS);
    /* Nothing runs on either: the first is stopped at once, the other one waits. */
    bool first_is_a = state_of(t, "NA") == LAT_HOST_STOPPED;
    const char *first = first_is_a ? "NA" : "NB", *other = first_is_a ? "NB" : "NA";
    assert_int_equal(state_of(t, first), LAT_HOST_STOPPED);
    assert_int_equal(state_of(t, other), LAT_HOST_READY);
    assert_true(is_restarting(t, first));
    assert_false(is_restarting(t, other));

    lat_mem_host_add(t->mem, first, NULL); /* its supervisor */
    pass(t, 15000);
    assert_int_equal(state_of(t, first), LAT_HOST_READY);
    assert_int_equal(lat_host_get(t->l->lat, first)->hearing, LAT_HEARS);
    assert_int_equal(state_of(t, other), LAT_HOST_STOPPED);
    lat_mem_host_add(t->mem, other, NULL);
    pass(t, 15000);
    assert_int_equal(lat_host_get(t->l->lat, other)->hearing, LAT_HEARS);
    assert_null(t->l->heal.host);
    assert_null(heal_report(t->l, t->object));
    assert_int_equal(lat_mem_calls(t->mem, "host_stop"), 2);
}

/* A fleet without a supervisor must not be taken down host by host. */
static void test_not_back(void **state)
{
    struct world *t = *state;

    add_hosts(t, "NA", "NB");
    lat_mem_host_deaf(t->mem, "NA");
    lat_mem_host_deaf(t->mem, "NB");
    pass(t, 10 * 60 * 1000);
    assert_int_equal(lat_mem_calls(t->mem, "host_stop"), 1);
    _cleanup_free_ char *report = heal_report(t->l, t->object);
    assert_non_null(strstr(report, "is not back"));

    /* Another host in its place counts as its return. */
    lat_mem_host_add(t->mem, "NC", NULL);
    pass(t, 30000);
    assert_int_equal(lat_mem_calls(t->mem, "host_stop"), 2);
}

static void test_only_told_when_off(void **state)
{
    struct world *t = *state;

    t->object->heal_deaf = false;
    add_hosts(t, "NA", NULL);
    lat_mem_host_deaf(t->mem, "NA");
    pass(t, 60000);
    assert_int_equal(lat_host_get(t->l->lat, "NA")->hearing, LAT_DEAF);
    assert_int_equal(lat_mem_calls(t->mem, "host_stop"), 0);
    _cleanup_free_ char *report = heal_report(t->l, t->object);
    assert_non_null(strstr(report, "spec.health.healDeaf is off"));
}

static void on_done(void *arg _unused_, const struct err *err)
{
    assert_null(err);
}

/* What is not ours would be lost in a restart. */
static void test_foreign_work_is_not_touched(void **state)
{
    struct world *t = *state;
    struct lat_component_spec spec = {.host = "NA", .id = "theirs", .image = "img", .count = 1};

    add_hosts(t, "NA", NULL);
    lat_component_set(t->l->lat, &spec, on_done, NULL);
    pass(t, 2000);
    lat_mem_host_deaf(t->mem, "NA");
    pass(t, 60000);
    assert_int_equal(lat_mem_calls(t->mem, "host_stop"), 0);
    _cleanup_free_ char *obstacle = heal_obstacle(t->l, lat_host_get(t->l->lat, "NA"));
    assert_non_null(strstr(obstacle, "restart it by hand"));
}

/* What is ours and fits nowhere else is waited for only so long. */
static void test_drain_ends(void **state)
{
    struct world *t = *state;
    _cleanup_map_ struct map *annotations = map_new(NULL);
    struct lat_component_spec spec = {
        .host = "NA", .id = "ours", .image = "img", .count = 1, .annotations = annotations};

    map_set(annotations, MODEL_OWNER, (char *)"uid/default/ours");
    add_hosts(t, "NA", NULL);
    lat_component_set(t->l->lat, &spec, on_done, NULL);
    pass(t, 2000);
    lat_mem_host_deaf(t->mem, "NA");
    while (!t->l->heal.host)
        pass(t, 250);
    assert_true(is_restarting(t, "NA"));
    pass(t, 4000);
    assert_int_equal(lat_mem_calls(t->mem, "host_stop"), 0);
    pass(t, 2000);
    assert_int_equal(lat_mem_calls(t->mem, "host_stop"), 1);
}

static void test_nothing_while_the_store_is_away(void **state)
{
    struct world *t = *state;

    add_hosts(t, "NA", NULL);
    lat_mem_host_deaf(t->mem, "NA");
    pass(t, 8000);
    lat_mem_store_down(t->mem, true);
    pass(t, 120000);
    assert_int_equal(lat_mem_calls(t->mem, "host_stop"), 0);
    lat_mem_store_down(t->mem, false);
    pass(t, DEAF_MS);
    assert_int_equal(lat_mem_calls(t->mem, "host_stop"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_after_the_other), TEST(test_not_back),
        TEST(test_only_told_when_off),  TEST(test_foreign_work_is_not_touched),
        TEST(test_drain_ends),          TEST(test_nothing_while_the_store_is_away),
    };

    return cmocka_run_group_tests_name("heal", tests, NULL, NULL);
}
