/* Placement carried out on the in-memory lattice: 300 replicas on 30 hosts in 3 clouds, a cloud lost and
 * back, new hosts. What runs is read from the lattice, what is to run comes from place/, as the operator does
 * it. */
#include "unit/unit.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "lattice/driver_mem.h"
#include "lattice/lattice.h"
#include "place/place.h"

enum { HOSTS_MOST = 40, REPLICAS = 300, ROUNDS_MOST = 400 };

struct world {
    struct loop *loop;
    struct lattice *lat;
    struct lat_mem *mem;
    size_t under_way;
    struct model_spread spread;
    struct model_placement rules;
};

static void on_changed(void *arg, const struct lat_host *h)
{
    (void)arg;
    (void)h;
}

static void on_done(void *arg, const struct err *err)
{
    struct world *w = arg;

    assert_null(err);
    w->under_way--;
}

static void add_hosts(struct world *w, int first, int n, int clouds)
{
    for (int i = first; i < first + n; i++) {
        _cleanup_free_ char *id = xasprintf("HOST%02d", i), *cloud = xasprintf("cloud=c%d", i % clouds);
        lat_mem_host_add(w->mem, id, (const char *const[]){cloud, NULL});
    }
}

static void fault(struct world *w, int cloud, enum lat_mem_fault f)
{
    for (int i = cloud; i < 30; i += 3) {
        _cleanup_free_ char *id = xasprintf("HOST%02d", i);
        lat_mem_host_fault(w->mem, id, f);
    }
    loop_advance(w->loop, 10000);
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct lat_options options = {.driver = "memory", .host_changed = on_changed, .arg = w};

    w->loop = loop_new();
    loop_fake_clock(w->loop, 1000);
    assert_int_equal(lat_open(w->loop, &options, &w->lat, NULL), 0);
    w->mem = lat_mem_of(w->lat);
    w->spread = (struct model_spread){.topology_key = (char *)"cloud", .max_skew = 1, .hard = true};
    w->rules = (struct model_placement){.spreads = &w->spread, .nspreads = 1};
    add_hosts(w, 0, 30, 3);
    loop_turn(w->loop, false); /* connects */
    loop_advance(w->loop, 10000);
    assert_true(lat_synced(w->lat));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    lat_close(w->lat);
    loop_free(w->loop);
    free(w);
    return 0;
}

static int32_t running(const struct lat_host *h)
{
    const struct lat_component *c = lat_host_component(h, "wide");

    return c ? (int32_t)c->count : 0;
}

/* One round: a plan from what runs now, and its operations, all at once. False when there was nothing to do.
 */
static bool reconcile(struct world *w)
{
    struct place_host hosts[HOSTS_MOST];
    size_t n = 0;
    struct place_plan p;

    for (struct map_iter it = {0}; lat_host_next(w->lat, &it);) {
        const struct lat_host *h = it.value;
        if (lat_host_alive(h->state))
            hosts[n++] = (struct place_host){
                .id = h->id, .labels = h->labels, .ready = h->state == LAT_HOST_READY, .current = running(h)};
    }
    struct place_input in = {.hosts = hosts, .nhosts = n, .rules = &w->rules, .replicas = REPLICAS};
    place_plan_make(&in, &p);
    assert_int_equal(p.missing, 0);
    for (size_t i = 0; i < n; i++) {
        if (p.wanted[i] == hosts[i].current)
            continue;
        struct lat_component_spec spec = {
            .host = hosts[i].id, .id = "wide", .image = "file:///wide.wasm", .count = (uint32_t)p.wanted[i]};
        w->under_way++;
        if (p.wanted[i])
            lat_component_set(w->lat, &spec, on_done, w);
        else
            lat_component_stop(w->lat, hosts[i].id, "wide", on_done, w);
    }
    bool busy = w->under_way > 0;
    while (w->under_way)
        loop_advance(w->loop, 1000);
    place_plan_release(&p);
    return busy;
}

static void settle(struct world *w)
{
    int rounds = 0;

    while (reconcile(w))
        assert_true(++rounds < ROUNDS_MOST);
}

/* Over the hosts that are alive. */
static void assert_even(struct world *w, size_t clouds)
{
    _cleanup_map_ struct map *sums = map_new(NULL);
    int32_t sum = 0, least = INT32_MAX, most = 0;
    uintptr_t low = UINTPTR_MAX, high = 0;

    for (struct map_iter it = {0}; lat_host_next(w->lat, &it);) {
        const struct lat_host *h = it.value;
        int32_t here = running(h);
        if (!lat_host_alive(h->state))
            continue;
        const char *cloud = map_get(h->labels, "cloud");
        map_set(sums, cloud, (void *)((uintptr_t)map_get(sums, cloud) + (uintptr_t)here));
        sum += here;
        least = here < least ? here : least;
        most = here > most ? here : most;
    }
    for (struct map_iter it = {0}; map_next(sums, &it);) {
        low = (uintptr_t)it.value < low ? (uintptr_t)it.value : low;
        high = (uintptr_t)it.value > high ? (uintptr_t)it.value : high;
    }
    assert_int_equal(sum, REPLICAS);
    assert_int_equal(map_len(sums), clouds);
    assert_in_range(most - least, 0, 1);
    assert_in_range(high - low, 0, 1);
}

static void test_three_clouds(void **state)
{
    struct world *w = *state;

    settle(w);
    assert_even(w, 3);
    assert_int_equal(lat_mem_calls(w->mem, "component_set"), 30);
    /* Nothing more is done. */
    assert_false(reconcile(w));
}

static void test_cloud_lost_and_back(void **state)
{
    struct world *w = *state;

    w->rules.rebalance = true;
    settle(w);
    fault(w, 0, LAT_MEM_FROZEN);
    settle(w);
    assert_even(w, 2);
    /* It comes back with what ran there: the surplus goes, and nothing is counted twice. */
    fault(w, 0, LAT_MEM_OK);
    settle(w);
    assert_even(w, 3);
}

static void test_new_hosts(void **state)
{
    struct world *w = *state;

    settle(w);
    add_hosts(w, 30, 3, 3);
    loop_advance(w->loop, 40000);
    assert_int_equal(lat_host_count(w->lat), 33);
    assert_false(reconcile(w));
    /* One move a round, until it is even. */
    w->rules.rebalance = true;
    uint64_t before = lat_mem_calls(w->mem, "component_set");
    settle(w);
    assert_even(w, 3);
    /* Of 300 over 33 hosts 9 go to each new one, and one more to some: 27 to 30 moves, each a host up and one
     * down. */
    assert_in_range(lat_mem_calls(w->mem, "component_set") - before, 54, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_three_clouds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cloud_lost_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_hosts, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
