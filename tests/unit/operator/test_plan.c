/* plan_unit() is a pure function: these tests build what a reconciler would see and look at what it would do.
 */
#include "unit/unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "operator/plan.h"

enum { HOSTS = 4 };

struct world {
    struct model_workload w;
    struct view v;
    struct view_host hosts[HOSTS];
    struct unit_host memory[HOSTS];
    struct view_config config;
    struct view_link link;
    struct map *labels, *values;
    struct plan plan;
    struct buf text;
};

static char under_way; /* stands for an operation */

static int setup(void **state)
{
    static const char *const ids[HOSTS] = {"h0", "h1", "h2", "h3"};
    struct world *t = xcalloc(1, sizeof(*t));

    t->labels = map_new(free);
    t->values = map_new(free);
    t->w = (struct model_workload){
        .kind = MODEL_ACTOR,
        .key = (char *)"default/a",
        .meta = {.namespace = (char *)"default", .name = (char *)"a", .has_finalizer = true},
        .lattice = (char *)"default",
        .image = (char *)"img:1",
        .id = (char *)"default_a",
        .replicas = 1,
        .concurrency = 100,
        .max_unavailable_abs = 1,
        .max_unavailable_percent = -1,
        .max_surge_percent = -1,
    };
    t->config = (struct view_config){.name = (char *)"c", .values = t->values};
    t->v = (struct view){
        .w = &t->w,
        .revision = (char *)"new",
        .lattice = VIEW_LATTICE_OK,
        .hosts = t->hosts,
        .nhosts = 2,
        .configs = &t->config,
        .nconfigs = 1,
        .links_known = true,
        .now_ms = 1000000,
        .now_ns = INT64_C(1000000000000),
    };
    for (int i = 0; i < HOSTS; i++) {
        t->hosts[i] =
            (struct view_host){.id = ids[i], .object = ids[i], .labels = t->labels, .state = LAT_HOST_READY};
        t->memory[i] = (struct unit_host){.host = (char *)ids[i]};
    }
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct world *t = *state;

    plan_release(&t->plan);
    buf_release(&t->text);
    map_free(t->labels);
    map_free(t->values);
    free(t);
    return 0;
}

static void runs(struct world *t, int host, int32_t replicas, const char *revision)
{
    t->hosts[host].running = t->hosts[host].ours = t->hosts[host].healthy = true;
    t->hosts[host].count = (uint32_t)replicas * 100;
    t->hosts[host].revision = revision;
    t->hosts[host].image = "img:0";
}

static void busy(struct world *t, int host, enum unit_task_kind task, int32_t replicas)
{
    t->memory[host].op = (struct lat_op *)(void *)&under_way;
    t->memory[host].task = task;
    t->memory[host].replicas = replicas;
    t->hosts[host].memory = &t->memory[host];
}

static void failed(struct world *t, int host, const char *revision, int64_t retry_in_ms)
{
    t->memory[host].failures = 1;
    t->memory[host].retry_ms = t->v.now_ms + retry_in_ms;
    t->memory[host].failed_revision = (char *)(uintptr_t)revision;
    t->memory[host].error = (char *)"no such image";
    t->hosts[host].memory = &t->memory[host];
}

/* The plan as text: "set h0 1 start; stop h1; link-put 0". */
static const char *plan_text(struct world *t)
{
    static const char *const names[] = {"finalizer-add", "finalizer-remove", "config-put", "link-put",
                                        "link-replace",  "link-del",         "login",      "set",
                                        "stop",          "config-del"};

    plan_release(&t->plan);
    buf_truncate(&t->text, 0);
    plan_unit(&t->v, &t->plan);
    for (size_t i = 0; i < t->plan.nactions; i++) {
        const struct plan_action *a = &t->plan.actions[i];
        buf_addf(&t->text, "%s%s", i ? "; " : "", names[a->kind]);
        if (a->kind == PLAN_SET)
            buf_addf(&t->text, " %s %d %s", a->host, (int)a->replicas, a->why);
        else if (a->kind == PLAN_STOP)
            buf_addf(&t->text, " %s", a->host);
    }
    return buf_str(&t->text);
}

static void test_finalizer_first(void **state)
{
    struct world *t = *state;

    t->w.meta.has_finalizer = false;
    assert_string_equal(plan_text(t), "finalizer-add");
}

static void test_start_and_scale(void **state)
{
    struct world *t = *state;

    assert_string_equal(plan_text(t), "set h0 1 start");
    assert_false(t->plan.complete);
    runs(t, 0, 1, "new");
    assert_string_equal(plan_text(t), "");
    assert_true(t->plan.complete);
    t->w.replicas = 3;
    assert_string_equal(plan_text(t), "set h0 2 scale; set h1 1 start");
    runs(t, 0, 3, "new");
    runs(t, 1, 1, "new");
    assert_string_equal(plan_text(t), "set h0 2 scale");
    t->w.replicas = 0;
    assert_string_equal(plan_text(t), "stop h0; stop h1");
}

static void test_under_way_is_not_started_twice(void **state)
{
    struct world *t = *state;

    busy(t, 0, UNIT_SETTING, 1);
    assert_string_equal(plan_text(t), "");
    assert_false(t->plan.complete);
}

static void test_nothing_without_a_picture(void **state)
{
    struct world *t = *state;

    runs(t, 0, 5, "old");
    for (int l = VIEW_LATTICE_MISSING; l <= VIEW_LATTICE_SYNCING; l++) {
        t->v.lattice = (enum view_lattice)l;
        t->v.nhosts = 0;
        assert_string_equal(plan_text(t), "");
    }
}

static void test_foreign_is_left_alone(void **state)
{
    struct world *t = *state;

    runs(t, 0, 1, "x");
    t->hosts[0].ours = false;
    assert_string_equal(plan_text(t), "set h1 1 start");
    t->w.replicas = 0;
    assert_string_equal(plan_text(t), "");
    t->w.meta.deleted_ns = t->v.now_ns;
    assert_string_equal(plan_text(t), "config-del; finalizer-remove");
}

static void test_backoff(void **state)
{
    struct world *t = *state;

    t->v.nhosts = 1;
    failed(t, 0, "new", 700);
    assert_string_equal(plan_text(t), "");
    assert_int_equal(t->plan.again_ms, 700);
    assert_int_equal(t->plan.place.missing, 1);
    assert_string_equal(t->plan.error, "no such image");
    /* Another host takes it meanwhile. */
    t->v.nhosts = 2;
    assert_string_equal(plan_text(t), "set h1 1 start");
    /* The failure of an older revision says nothing about this one. */
    t->v.nhosts = 1;
    failed(t, 0, "old", 700);
    assert_string_equal(plan_text(t), "set h0 1 start");
    failed(t, 0, "new", 0);
    assert_string_equal(plan_text(t), "set h0 1 start");
}

static void test_update_host_by_host(void **state)
{
    struct world *t = *state;

    t->v.nhosts = 3;
    t->w.replicas = 3;
    for (int i = 0; i < 3; i++)
        runs(t, i, 1, "old");
    assert_string_equal(plan_text(t), "set h0 1 update");
    busy(t, 0, UNIT_SETTING, 1);
    assert_string_equal(plan_text(t), "");
    t->hosts[0].memory = NULL;
    runs(t, 0, 1, "new");
    assert_string_equal(plan_text(t), "set h1 1 update");
    t->w.max_unavailable_abs = 2;
    assert_string_equal(plan_text(t), "set h1 1 update; set h2 1 update");
    t->w.max_unavailable_abs = 1;
    t->w.recreate = true;
    assert_string_equal(plan_text(t), "set h1 1 update; set h2 1 update");
    t->w.recreate = false;
    t->w.paused = true;
    assert_string_equal(plan_text(t), "");
}

static void test_update_with_surge(void **state)
{
    struct world *t = *state;

    /* One replica: the new one serves elsewhere before the old one is touched. */
    t->w.max_unavailable_abs = 0;
    t->w.max_surge_abs = 1;
    runs(t, 0, 1, "old");
    assert_string_equal(plan_text(t), "set h1 1 start");
    assert_int_equal(t->plan.place.missing, 0);
    busy(t, 1, UNIT_SETTING, 1);
    assert_string_equal(plan_text(t), "");
    t->hosts[1].memory = NULL;
    runs(t, 1, 1, "new");
    assert_string_equal(plan_text(t), "set h0 1 update");
    busy(t, 0, UNIT_SETTING, 1);
    assert_string_equal(plan_text(t), "");
    t->hosts[0].memory = NULL;
    runs(t, 0, 1, "new");
    /* What is in excess goes: one of the two. */
    assert_true(str_starts(plan_text(t), "stop h"));

    /* No other host: in place. */
    t->v.nhosts = 1;
    runs(t, 0, 1, "old");
    assert_string_equal(plan_text(t), "set h0 1 update");
    assert_int_equal(t->plan.place.missing, 0);
    assert_null(t->plan.place.summary);

    /* The other host has the new one already: it is not scaled for the sake of one in excess. */
    t->v.nhosts = 2;
    t->w.replicas = 2;
    runs(t, 1, 1, "new");
    assert_string_equal(plan_text(t), "set h0 1 update");
    /* A host that is just being emptied will take it: nothing that serves is touched before. */
    t->v.nhosts = 3;
    runs(t, 1, 1, "old");
    runs(t, 2, 1, "old");
    busy(t, 2, UNIT_STOPPING, 0);
    assert_string_equal(plan_text(t), "");
    t->hosts[2].memory = NULL;
    t->hosts[2].running = false;
    assert_string_equal(plan_text(t), "set h2 1 start");
    t->v.nhosts = 2;
    t->w.replicas = 1;

    /* Paused, Recreate: nothing in excess. */
    t->hosts[1].running = false;
    t->w.paused = true;
    assert_string_equal(plan_text(t), "");
    t->w.paused = false;
    t->w.recreate = true;
    assert_string_equal(plan_text(t), "set h0 1 update");
}

/* A host says that it runs before calls reach it: what serves elsewhere stays until they surely do. */
static void test_started_lately_is_not_relied_on(void **state)
{
    struct world *t = *state;

    t->w.replicas = 2;
    t->w.max_unavailable_abs = 1;
    runs(t, 0, 1, "new");
    runs(t, 1, 1, "old");
    t->hosts[0].memory = &t->memory[0];
    t->memory[0].serves_ms = t->v.now_ms + 300;
    assert_string_equal(plan_text(t), "");
    assert_int_equal(t->plan.again_ms, 300);
    t->memory[0].serves_ms = t->v.now_ms;
    assert_string_equal(plan_text(t), "set h1 1 update");
    /* Moved away: the same. */
    t->w.replicas = 1;
    runs(t, 1, 1, "new");
    t->hosts[1].cordoned = t->hosts[1].restarting = true;
    t->memory[0].serves_ms = t->v.now_ms + 200;
    assert_string_equal(plan_text(t), "");
    assert_int_equal(t->plan.again_ms, 200);
    t->memory[0].serves_ms = t->v.now_ms;
    assert_string_equal(plan_text(t), "stop h1");
}

/* What is missing until a host is updated does not keep it from being updated. */
static void test_update_does_not_wait_for_itself(void **state)
{
    struct world *t = *state;

    /* Scaled in the middle: the sixth replica is to run on a host that has the old revision. */
    t->w.replicas = 6;
    t->v.nhosts = 4;
    t->w.max_unavailable_abs = 1;
    t->w.max_surge_abs = 1;
    runs(t, 0, 2, "new");
    for (int i = 1; i < 4; i++)
        runs(t, i, 1, "old");
    const char *text = plan_text(t);
    assert_true(str_starts(text, "set h"));
    assert_null(strchr(text, ';')); /* one host, no more */
    assert_true(str_ends(text, " update"));
    /* While another one is being updated nothing more goes down. */
    busy(t, 1, UNIT_SETTING, 2);
    assert_string_equal(plan_text(t), "");
    t->hosts[1].memory = NULL;

    /* A replica that no host fits. */
    t->w.kind = MODEL_PROVIDER;
    t->w.replicas = 3;
    t->v.nhosts = 2;
    runs(t, 0, 1, "old");
    assert_string_equal(plan_text(t), "set h0 1 update");
    assert_int_equal(t->plan.place.missing, 1);

    /* One that does not serve is updated beside the one that is allowed. */
    t->w.replicas = 2;
    t->hosts[1].healthy = false;
    assert_string_equal(plan_text(t), "set h1 1 update");
}

static void test_surge_of_many_on_one_host(void **state)
{
    struct world *t = *state;

    t->w.replicas = 10;
    t->w.max_unavailable_abs = 2;
    t->w.max_surge_abs = 3;
    runs(t, 0, 10, "old");
    assert_string_equal(plan_text(t), "set h1 3 start");
    runs(t, 1, 3, "new");
    /* The host is updated as a whole: more than the budget, but those in excess serve. */
    assert_string_equal(plan_text(t), "set h0 10 update");
}

static void test_failed_surge_touches_nothing(void **state)
{
    struct world *t = *state;

    t->v.nhosts = 4;
    t->w.max_unavailable_abs = 0;
    t->w.max_surge_abs = 1;
    runs(t, 0, 1, "old");
    failed(t, 1, "new", 5000);
    assert_string_equal(plan_text(t), "set h2 1 start"); /* it may be the host's fault */
    failed(t, 2, "new", 6000);
    assert_string_equal(plan_text(t), ""); /* it is the revision's: what serves stays */
    assert_int_equal(t->plan.again_ms, 5000);
    failed(t, 1, "new", 0);
    assert_string_equal(plan_text(t), "set h1 1 start");
    t->v.nhosts = 2;
    failed(t, 1, "new", 5000);
    assert_string_equal(plan_text(t), "");
    /* It serves on one host: the others follow, the failing one is tried again in its time. */
    t->v.nhosts = 3;
    t->hosts[2].memory = NULL;
    runs(t, 2, 1, "new");
    assert_string_equal(plan_text(t), "set h0 1 update");
}

static void test_bad_update_stops_after_the_first_host(void **state)
{
    struct world *t = *state;

    t->v.nhosts = 3;
    t->w.replicas = 3;
    runs(t, 1, 1, "old");
    runs(t, 2, 1, "old");
    failed(t, 0, "new", 5000);
    assert_string_equal(plan_text(t), "");
    assert_int_equal(t->plan.ready, 2);
    assert_true(t->plan.again_ms > 0);
}

static void test_failed_update_is_held(void **state)
{
    struct world *t = *state;

    /* The old revision was put back on the first host: all serve, none is touched before the time of the next
     * try. */
    t->v.nhosts = 3;
    t->w.replicas = 3;
    for (int i = 0; i < 3; i++)
        runs(t, i, 1, "old");
    failed(t, 0, "new", 5000);
    assert_string_equal(plan_text(t), "");
    assert_int_equal(t->plan.again_ms, 5000);
    failed(t, 0, "new", 0);
    assert_string_equal(plan_text(t), "set h0 1 update");
    /* Another revision has its own chance. */
    failed(t, 0, "other", 5000);
    assert_string_equal(plan_text(t), "set h0 1 update");
}

static void test_replacement_first(void **state)
{
    struct world *t = *state;
    struct model_taint drain = {.key = (char *)"drain", .value = (char *)"", .effect = (char *)"NoExecute"};

    runs(t, 0, 1, "new");
    t->hosts[0].taints = &drain;
    t->hosts[0].ntaints = 1;
    assert_string_equal(plan_text(t), "set h1 1 start");
    busy(t, 1, UNIT_SETTING, 1);
    assert_string_equal(plan_text(t), "");
    t->hosts[1].memory = NULL;
    runs(t, 1, 1, "new");
    assert_string_equal(plan_text(t), "stop h0");
    /* Nowhere to go: it stays and serves. */
    t->v.nhosts = 1;
    assert_string_equal(plan_text(t), "");
}

static void test_config_before_start(void **state)
{
    struct world *t = *state;

    map_set(t->values, "k", xstrdup("v"));
    assert_string_equal(plan_text(t), "config-put");
    t->config.known = true;
    assert_string_equal(plan_text(t), "set h0 1 start");
    t->v.config_problem = (char *)"ConfigMap x does not exist";
    assert_string_equal(plan_text(t), "");
    /* What runs is left alone. */
    runs(t, 0, 1, "old");
    assert_string_equal(plan_text(t), "");
}

static void test_login_before_start(void **state)
{
    struct world *t = *state;

    t->w.replicas = 2;
    runs(t, 1, 3, "new");
    t->v.login.registry = (char *)"registry.example.com";
    assert_string_equal(plan_text(t), "login");
    t->v.login_known = true;
    assert_string_equal(plan_text(t), "set h1 2 scale");
    /* Nothing to start: nothing to tell. */
    t->v.login_known = false;
    runs(t, 1, 2, "new");
    assert_string_equal(plan_text(t), "");
}

static void test_links(void **state)
{
    struct world *t = *state;
    char *with[] = {(char *)"cfg", NULL}, *other[] = {(char *)"cfg2", NULL},
         *faces[] = {(char *)"incoming-handler", NULL};
    char *none[] = {NULL};
    struct lat_link present;

    runs(t, 0, 1, "new");
    t->link.link = (struct lat_link){(char *)"http",
                                     (char *)"default_a",
                                     (char *)"default",
                                     (char *)"wasi",
                                     (char *)"http",
                                     faces,
                                     with,
                                     none};
    t->v.links = &t->link;
    t->v.nlinks = 1;
    assert_string_equal(plan_text(t), "link-put");
    assert_false(t->plan.complete);

    present = t->link.link;
    t->link.present = &present;
    assert_string_equal(plan_text(t), "");
    assert_true(t->plan.complete);

    present.source_config = other;
    t->v.hearing_fresh = false;
    assert_string_equal(plan_text(t), "");
    assert_true(t->plan.again_ms > 0);
    t->v.hearing_fresh = true;
    t->v.links_held = "h1"; /* deaf: it would lose the link and not get the new one */
    assert_string_equal(plan_text(t), "");
    assert_true(t->plan.links_held);
    assert_false(t->plan.links_ready);
    t->v.links_held = NULL;
    assert_string_equal(plan_text(t), "link-replace");
    t->link.foreign = true;
    assert_string_equal(plan_text(t), "");
    assert_false(t->plan.links_ready);

    t->v.links_known = false;
    assert_string_equal(plan_text(t), "");
    assert_false(t->plan.links_ready);
}

static void test_delete(void **state)
{
    struct world *t = *state;
    const struct lat_link *unwanted[1] = {NULL};

    t->w.meta.deleted_ns = t->v.now_ns - 1;
    runs(t, 0, 1, "new");
    t->v.unwanted = unwanted;
    t->v.nunwanted = 1;
    assert_string_equal(plan_text(t), "stop h0; link-del");
    busy(t, 0, UNIT_STOPPING, 0);
    t->v.nunwanted = 0;
    assert_string_equal(plan_text(t), "");
    t->hosts[0] =
        (struct view_host){.id = "h0", .object = "h0", .labels = t->labels, .state = LAT_HOST_READY};
    t->v.links_known = false;
    assert_string_equal(plan_text(t), "");
    t->v.links_known = true;
    assert_string_equal(plan_text(t), "config-del; finalizer-remove");
    t->w.meta.has_finalizer = false;
    assert_string_equal(plan_text(t), "");
}

static void test_delete_without_a_lattice(void **state)
{
    struct world *t = *state;

    t->w.meta.deleted_ns = t->v.now_ns - INT64_C(60000000000);
    t->v.lattice = VIEW_LATTICE_MISSING;
    assert_string_equal(plan_text(t), "finalizer-remove");
    t->v.lattice = VIEW_LATTICE_DISCONNECTED;
    assert_string_equal(plan_text(t), "");
    assert_int_equal(t->plan.again_ms, 240000);
    t->w.meta.deleted_ns = t->v.now_ns - INT64_C(301000000000);
    assert_string_equal(plan_text(t), "finalizer-remove");
}

/* Without a live host nobody answers for links: the object does not wait for one. */
static void test_delete_without_a_host(void **state)
{
    struct world *t = *state;
    const struct lat_link *unwanted[1] = {NULL};

    t->w.meta.deleted_ns = t->v.now_ns - 1;
    t->v.links_known = false;
    assert_string_equal(plan_text(t), "");
    t->v.nhosts = 0;
    assert_string_equal(plan_text(t), "finalizer-remove");
    t->v.links_known = true;
    t->v.unwanted = unwanted;
    t->v.nunwanted = 1;
    assert_string_equal(plan_text(t), "finalizer-remove");
    t->v.lattice = VIEW_LATTICE_HELD;
    assert_string_equal(plan_text(t), "finalizer-remove");
    t->v.lattice = VIEW_LATTICE_SYNCING;
    assert_string_equal(plan_text(t), "");
}

static void test_providers(void **state)
{
    struct world *t = *state;

    t->w.kind = MODEL_PROVIDER;
    t->w.replicas = 3;
    assert_string_equal(plan_text(t), "set h0 1 start; set h1 1 start");
    assert_int_equal(t->plan.place.missing, 1);
    runs(t, 0, 1, "old");
    t->w.replicas = 1;
    assert_string_equal(plan_text(t), "set h0 1 update");
    t->w.placement.daemon = true;
    runs(t, 0, 1, "new");
    assert_string_equal(plan_text(t), "set h1 1 start");
}

static void test_invalid_spec_touches_nothing(void **state)
{
    struct world *t = *state;

    t->w.problem = (char *)"spec.placement.hostSelector: bad";
    runs(t, 1, 1, "old");
    assert_string_equal(plan_text(t), "");
    assert_int_equal(t->plan.ready, 1);
}

/* Its store is away: everything is counted, nothing is done. */
static void test_held(void **state)
{
    struct world *t = *state;

    t->v.lattice = VIEW_LATTICE_HELD;
    t->w.replicas = 2;
    runs(t, 0, 1, "old");
    assert_string_equal(plan_text(t), "");
    assert_int_equal(t->plan.running, 1);
    assert_false(t->plan.complete);
    t->w.replicas = 1;
    runs(t, 0, 1, "new");
    assert_string_equal(plan_text(t), "");
    assert_true(t->plan.complete);
    t->w.meta.deleted_ns = t->v.now_ns;
    assert_string_equal(plan_text(t), "");
}

static void test_deaf_hosts(void **state)
{
    struct world *t = *state;

    /* No new work, and what runs stays. */
    t->hosts[0].deaf = true;
    assert_string_equal(plan_text(t), "set h1 1 start");
    runs(t, 0, 1, "new");
    assert_string_equal(plan_text(t), "");
    assert_true(t->plan.complete);

    /* Emptied for its restart: elsewhere first, then away from here. */
    t->hosts[0].restarting = true;
    assert_string_equal(plan_text(t), "set h1 1 start");
    runs(t, 1, 1, "new");
    assert_string_equal(plan_text(t), "stop h0");
    t->hosts[1].running = false;

    /* All are deaf: better there than nowhere, but only for what must leave. */
    t->hosts[1].deaf = true;
    assert_string_equal(plan_text(t), "set h1 1 start");
    t->hosts[0].running = false;
    assert_string_equal(plan_text(t), "");
    assert_int_equal(t->plan.place.missing, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_finalizer_first),
        TEST(test_start_and_scale),
        TEST(test_under_way_is_not_started_twice),
        TEST(test_nothing_without_a_picture),
        TEST(test_foreign_is_left_alone),
        TEST(test_backoff),
        TEST(test_update_host_by_host),
        TEST(test_update_with_surge),
        TEST(test_started_lately_is_not_relied_on),
        TEST(test_update_does_not_wait_for_itself),
        TEST(test_surge_of_many_on_one_host),
        TEST(test_failed_surge_touches_nothing),
        TEST(test_bad_update_stops_after_the_first_host),
        TEST(test_failed_update_is_held),
        TEST(test_replacement_first),
        TEST(test_config_before_start),
        TEST(test_login_before_start),
        TEST(test_links),
        TEST(test_held),
        TEST(test_deaf_hosts),
        TEST(test_delete),
        TEST(test_delete_without_a_lattice),
        TEST(test_delete_without_a_host),
        TEST(test_providers),
        TEST(test_invalid_spec_touches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
