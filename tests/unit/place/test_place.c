#include "unit/unit.h"

#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "place/place.h"

enum { HOSTS_MOST = 1000 };

/* A field of hosts with labels cloud and zone, and the rules over them. */
struct world {
    struct place_host hosts[HOSTS_MOST];
    char ids[HOSTS_MOST][32];
    size_t n;
    struct model_placement rules;
    struct model_spread spreads[2];
    bool single;
};

static struct world *world_new(size_t n, size_t clouds)
{
    struct world *w = xcalloc(1, sizeof(*w));

    w->n = n;
    for (size_t i = 0; i < n; i++) {
        struct map *labels = map_new(free);
        snprintf(w->ids[i], sizeof(w->ids[i]), "host-%03zu", i);
        map_set(labels, "cloud", xasprintf("c%zu", i % clouds));
        map_set(labels, "intention", xstrdup("actor"));
        w->hosts[i] = (struct place_host){.id = w->ids[i], .labels = labels, .ready = true};
    }
    return w;
}

static void world_free(struct world *w)
{
    for (size_t i = 0; i < w->n; i++)
        map_free((struct map *)(uintptr_t)w->hosts[i].labels);
    selector_free(w->rules.host_selector);
    for (size_t i = 0; i < w->rules.nspreads; i++)
        map_free(w->spreads[i].weights);
    free(w);
}

static void spread_by_cloud(struct world *w, int32_t skew, bool hard)
{
    w->spreads[0] = (struct model_spread){.topology_key = (char *)"cloud", .max_skew = skew, .hard = hard};
    w->rules.spreads = w->spreads;
    w->rules.nspreads = 1;
}

static void select_by(struct world *w, const char *text)
{
    selector_free(w->rules.host_selector);
    w->rules.host_selector = NULL;
    assert_int_equal(selector_parse(text, &w->rules.host_selector, NULL), 0);
}

static void plan(const struct world *w, int32_t replicas, struct place_plan *ret)
{
    struct place_input in = {
        .hosts = w->hosts, .nhosts = w->n, .rules = &w->rules, .replicas = replicas, .single = w->single};

    place_plan_make(&in, ret);
}

/* Makes the plan the state. */
static void settle(struct world *w, const struct place_plan *p)
{
    for (size_t i = 0; i < w->n; i++)
        w->hosts[i].current = p->wanted[i];
}

static int32_t sum(const struct place_plan *p)
{
    int32_t n = 0;

    for (size_t i = 0; i < p->nhosts; i++)
        n += p->wanted[i];
    return n;
}

static int32_t in_cloud(const struct world *w, const struct place_plan *p, const char *cloud)
{
    int32_t n = 0;

    for (size_t i = 0; i < w->n; i++)
        if (streq(map_get(w->hosts[i].labels, "cloud"), cloud))
            n += p->wanted[i];
    return n;
}

static int32_t moved(const struct world *w, const struct place_plan *p)
{
    int32_t n = 0;

    for (size_t i = 0; i < w->n; i++)
        if (p->wanted[i] > w->hosts[i].current)
            n += p->wanted[i] - w->hosts[i].current;
    return n;
}

static void test_even_over_hosts(void **state _unused_)
{
    struct world *w = world_new(3, 1);
    struct place_plan p;

    plan(w, 5, &p);
    assert_int_equal(sum(&p), 5);
    assert_int_equal(p.wanted[0], 2);
    assert_int_equal(p.wanted[1], 2);
    assert_int_equal(p.wanted[2], 1);
    assert_null(p.summary);
    place_plan_release(&p);

    /* The least loaded first. */
    w->hosts[0].load = 5;
    w->hosts[1].load = 1;
    w->hosts[2].load = 3;
    plan(w, 1, &p);
    assert_int_equal(p.wanted[1], 1);
    place_plan_release(&p);
    world_free(w);
}

static void test_reasons(void **state _unused_)
{
    struct world *w = world_new(5, 1);
    struct model_taint taint = {.key = (char *)"gpu", .value = (char *)"yes", .effect = (char *)"NoSchedule"};
    struct place_plan p;

    select_by(w, "intention=actor");
    for (size_t i = 0; i < 3; i++)
        map_set((struct map *)(uintptr_t)w->hosts[i].labels, "intention", xstrdup("other"));
    w->hosts[3].cordoned = w->hosts[4].cordoned = true;
    plan(w, 1, &p);
    assert_string_equal(p.summary, "0/5 hosts fit: 3 do not match intention=actor, 2 cordoned");
    assert_int_equal(p.missing, 1);
    place_plan_release(&p);

    w->hosts[3].cordoned = false;
    w->hosts[3].taints = &taint;
    w->hosts[3].ntaints = 1;
    w->hosts[4].cordoned = false;
    w->hosts[4].foreign = true;
    plan(w, 1, &p);
    assert_string_equal(p.summary,
                        "0/5 hosts fit: 3 do not match intention=actor, 1 have a taint that is not tolerated "
                        "(gpu=yes:NoSchedule), 1 run the same id for another owner");
    place_plan_release(&p);

    struct model_toleration tolerates = {
        .key = (char *)"gpu", .value = (char *)"yes", .effect = (char *)"NoSchedule"};
    w->rules.tolerations = &tolerates;
    w->rules.ntolerations = 1;
    plan(w, 1, &p);
    assert_int_equal(p.wanted[3], 1);
    place_plan_release(&p);

    struct world *none = world_new(0, 1);
    plan(none, 2, &p);
    assert_string_equal(p.summary, "the lattice has no live host");
    place_plan_release(&p);
    world_free(none);
    w->rules.tolerations = NULL;
    world_free(w);
}

static void test_what_runs_stays(void **state _unused_)
{
    struct world *w = world_new(3, 1);
    struct model_taint evict = {.key = (char *)"drain", .value = (char *)"", .effect = (char *)"NoExecute"};
    struct place_plan p;

    /* Cordoned: keeps what it has, takes nothing. */
    w->hosts[0].current = 2;
    w->hosts[0].cordoned = true;
    plan(w, 3, &p);
    assert_int_equal(p.wanted[0], 2);
    assert_int_equal(sum(&p), 3);
    place_plan_release(&p);

    /* NoExecute: all leaves. */
    w->hosts[0].taints = &evict;
    w->hosts[0].ntaints = 1;
    plan(w, 3, &p);
    assert_int_equal(p.wanted[0], 0);
    assert_int_equal(sum(&p), 3);
    place_plan_release(&p);
    world_free(w);
}

static void test_skew(void **state _unused_)
{
    struct world *w = world_new(30, 3);
    struct place_plan p, again;

    spread_by_cloud(w, 1, true);
    plan(w, 300, &p);
    assert_int_equal(in_cloud(w, &p, "c0"), 100);
    assert_int_equal(in_cloud(w, &p, "c1"), 100);
    assert_int_equal(in_cloud(w, &p, "c2"), 100);
    for (size_t i = 0; i < w->n; i++)
        assert_int_equal(p.wanted[i], 10);
    settle(w, &p);
    plan(w, 300, &again);
    assert_memory_equal(p.wanted, again.wanted, w->n * sizeof(int32_t));
    place_plan_release(&again);
    place_plan_release(&p);
    world_free(w);
}

static void test_hard_spread_refuses(void **state _unused_)
{
    struct world *w = world_new(4, 2);
    struct place_plan p;

    /* One cloud cannot take more: the other may not run away from it. */
    spread_by_cloud(w, 1, true);
    w->hosts[0].current = w->hosts[2].current = 1;
    w->hosts[0].cordoned = w->hosts[2].cordoned = true;
    plan(w, 10, &p);
    assert_int_equal(in_cloud(w, &p, "c0"), 2);
    assert_int_equal(in_cloud(w, &p, "c1"), 3);
    assert_int_equal(p.missing, 5);
    assert_non_null(strstr(p.summary, "would break maxSkew"));
    place_plan_release(&p);

    /* ScheduleAnyway takes them all the same. */
    w->spreads[0].hard = false;
    plan(w, 10, &p);
    assert_int_equal(p.missing, 0);
    place_plan_release(&p);
    world_free(w);
}

static void test_weights(void **state _unused_)
{
    struct world *w = world_new(4, 2);
    struct place_plan p;

    spread_by_cloud(w, 1, false);
    w->spreads[0].weights = map_new(free);
    map_set(w->spreads[0].weights, "c0", xstrdup("80"));
    map_set(w->spreads[0].weights, "c1", xstrdup("20"));
    plan(w, 10, &p);
    assert_int_equal(in_cloud(w, &p, "c0"), 8);
    assert_int_equal(in_cloud(w, &p, "c1"), 2);
    place_plan_release(&p);
    world_free(w);
}

static void test_scale_down_newest_first(void **state _unused_)
{
    struct world *w = world_new(3, 1);
    struct place_plan p;

    for (size_t i = 0; i < 3; i++) {
        w->hosts[i].current = 1;
        w->hosts[i].since_ns = 100 + (i == 1 ? 50 : 0);
    }
    plan(w, 2, &p);
    assert_int_equal(p.wanted[1], 0);
    assert_int_equal(sum(&p), 2);
    place_plan_release(&p);
    world_free(w);
}

static void test_lost_cloud_and_return(void **state _unused_)
{
    struct world *w = world_new(6, 3);
    struct place_plan p;

    spread_by_cloud(w, 1, true);
    plan(w, 6, &p);
    settle(w, &p);
    place_plan_release(&p);

    /* The hosts of a dead cloud are not in the input any more: its replicas go to the others, nothing else
     * moves. */
    struct world *left = world_new(6, 3);
    spread_by_cloud(left, 1, true);
    size_t n = 0;
    for (size_t i = 0; i < 6; i++) {
        if (i % 3 == 0)
            continue;
        struct place_host copy = w->hosts[i];
        copy.labels = left->hosts[n].labels;
        map_set((struct map *)(uintptr_t)copy.labels, "cloud", xstrdup(map_get(w->hosts[i].labels, "cloud")));
        left->hosts[n++] = copy;
    }
    for (size_t i = n; i < 6; i++)
        map_free((struct map *)(uintptr_t)left->hosts[i].labels);
    left->n = n;
    plan(left, 6, &p);
    assert_int_equal(sum(&p), 6);
    assert_int_equal(moved(left, &p), 2);
    for (size_t i = 0; i < n; i++)
        w->hosts[(size_t)atoi(left->hosts[i].id + 5)].current = p.wanted[i];
    place_plan_release(&p);

    /* It returns with what it ran: the surplus goes, and the skew is right again. */
    plan(w, 6, &p);
    assert_int_equal(sum(&p), 6);
    assert_int_equal(moved(w, &p), 0);
    for (int c = 0; c < 3; c++) {
        char cloud[32];
        snprintf(cloud, sizeof(cloud), "c%d", c);
        assert_int_equal(in_cloud(w, &p, cloud), 2);
    }
    place_plan_release(&p);
    world_free(left);
    world_free(w);
}

static void test_daemon_and_single(void **state _unused_)
{
    struct world *w = world_new(4, 1);
    struct place_plan p;

    w->rules.daemon = true;
    w->hosts[1].cordoned = true;
    w->hosts[2].cordoned = true;
    w->hosts[2].current = 1;
    w->hosts[3].ready = false;
    plan(w, 1, &p);
    assert_int_equal(p.wanted[0], 1);
    assert_int_equal(p.wanted[1], 0);
    assert_int_equal(p.wanted[2], 1);
    assert_int_equal(p.wanted[3], 0);
    assert_int_equal(p.missing, 1);
    place_plan_release(&p);

    w->rules.daemon = false;
    w->single = true;
    w->hosts[1].cordoned = w->hosts[2].cordoned = false;
    w->hosts[3].ready = true;
    plan(w, 10, &p);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(p.wanted[i], 1);
    assert_int_equal(p.missing, 6);
    assert_non_null(strstr(p.summary, "4 run one already"));
    place_plan_release(&p);
    world_free(w);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Random worlds: the skew holds, a plan fed back changes nothing, the order of the hosts does not matter. */
static void test_properties(void **state _unused_)
{
    uint32_t seed = 7;

    for (int round = 0; round < 300; round++) {
        size_t clouds = 1 + next_random(&seed) % 4, n = clouds + next_random(&seed) % 20;
        int32_t replicas = (int32_t)(next_random(&seed) % 60);
        struct world *w = world_new(n, clouds);
        struct place_plan first, again, shuffled;

        spread_by_cloud(w, 1 + (int32_t)(next_random(&seed) % 3), true);
        for (size_t i = 0; i < n; i++)
            w->hosts[i].load = next_random(&seed) % 5;
        plan(w, replicas, &first);
        assert_int_equal(sum(&first), replicas);
        int32_t lowest = INT32_MAX, highest = 0;
        for (size_t c = 0; c < clouds; c++) {
            char cloud[32];
            snprintf(cloud, sizeof(cloud), "c%zu", c);
            int32_t here = in_cloud(w, &first, cloud);
            lowest = here < lowest ? here : lowest;
            highest = here > highest ? here : highest;
        }
        assert_true(highest - lowest <= w->spreads[0].max_skew);

        settle(w, &first);
        plan(w, replicas, &again);
        assert_memory_equal(first.wanted, again.wanted, n * sizeof(int32_t));
        place_plan_release(&again);

        struct world *mirror = xmemdup(w, sizeof(*w));
        mirror->rules.spreads = mirror->spreads;
        for (size_t i = 0; i < n; i++) {
            mirror->hosts[i] = w->hosts[n - 1 - i];
            mirror->hosts[i].current = 0;
        }
        plan(mirror, replicas, &shuffled);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(shuffled.wanted[i], first.wanted[n - 1 - i]);
        place_plan_release(&shuffled);
        free(mirror);
        place_plan_release(&first);
        world_free(w);
    }
}

static void test_large(void **state _unused_)
{
    struct world *w = world_new(HOSTS_MOST, 5);
    struct place_plan p;
    clock_t began = clock();

    spread_by_cloud(w, 1, true);
    plan(w, 10000, &p);
    assert_int_equal(sum(&p), 10000);
    print_message("1,000 hosts, 10,000 replicas: %.2f s\n", (double)(clock() - began) / CLOCKS_PER_SEC);
    for (size_t i = 0; i < w->n; i++)
        assert_int_equal(p.wanted[i], 10);
    place_plan_release(&p);
    world_free(w);
}

/* As many domains as hosts, beside clouds: each replica must not look at every pair of them. */
static void test_large_by_host(void **state _unused_)
{
    struct world *w = world_new(HOSTS_MOST, 5);
    struct place_plan p;
    clock_t began = clock();

    for (size_t i = 0; i < w->n; i++)
        map_set((struct map *)(uintptr_t)w->hosts[i].labels, "host", xstrdup(w->ids[i]));
    spread_by_cloud(w, 1, true);
    w->spreads[1] = (struct model_spread){.topology_key = (char *)"host", .max_skew = 1, .hard = true};
    w->rules.nspreads = 2;
    plan(w, 10000, &p);
    assert_int_equal(sum(&p), 10000);
    print_message("1,000 hosts and as many domains, 10,000 replicas: %.2f s\n",
                  (double)(clock() - began) / CLOCKS_PER_SEC);
    for (size_t i = 0; i < w->n; i++)
        assert_int_equal(p.wanted[i], 10);
    place_plan_release(&p);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_even_over_hosts),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_what_runs_stays),
        cmocka_unit_test(test_skew),
        cmocka_unit_test(test_hard_spread_refuses),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_scale_down_newest_first),
        cmocka_unit_test(test_lost_cloud_and_return),
        cmocka_unit_test(test_daemon_and_single),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_large_by_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
