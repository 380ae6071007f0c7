/* Host table, health and operation queues over the memory driver and a fake clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the ones above first. */
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "lattice/driver.h"
#include "lattice/driver_mem.h"
#include "lattice/lattice.h"

struct fixture {
    struct loop *loop;
    struct lattice *lat;
    struct lat_mem *mem;
    int synced, connected, disconnected, changes, events;
    enum lat_event_kind last_event;
    bool close_in_change, forget_in_change;
    struct buf observed;
    int store_changes;
    bool watch_store;
    enum lat_store store_when_lost;
};

static void on_connection(void *arg, bool connected, const struct err *err)
{
    struct fixture *f = arg;

    *(connected ? &f->connected : &f->disconnected) += 1;
    if (!connected)
        assert_non_null(err);
}

static void on_synced(void *arg)
{
    struct fixture *f = arg;

    assert_true(lat_synced(f->lat));
    f->synced++;
}

static void on_changed(void *arg, const struct lat_host *h)
{
    struct fixture *f = arg;

    f->changes++;
    if (f->watch_store && h->state == LAT_HOST_GONE)
        f->store_when_lost = lat_store(f->lat);
    if (f->forget_in_change && lat_host_dead(h->state))
        lat_host_forget(f->lat, h->id);
    if (f->close_in_change)
        lat_close(TAKE_PTR(f->lat));
}

static void on_event(void *arg, const struct lat_event *e)
{
    struct fixture *f = arg;

    f->events++;
    f->last_event = e->kind;
}

static void on_observed(void *arg, const char *operation, const struct err *err, int64_t waited_ms,
                        int64_t took_ms)
{
    struct fixture *f = arg;

    buf_addf(&f->observed, "%s %s %lld+%lld;", operation, err ? err_code_name(err->code) : "ok",
             (long long)waited_ms, (long long)took_ms);
}

static void on_store(void *arg)
{
    struct fixture *f = arg;

    f->store_changes++;
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->loop = loop_new();
    loop_fake_clock(f->loop, 1000);
    assert_int_equal(lat_open(f->loop,
                              &(struct lat_options){.driver = "memory",
                                                    .name = "test",
                                                    .connection = on_connection,
                                                    .synced = on_synced,
                                                    .host_changed = on_changed,
                                                    .event = on_event,
                                                    .observe = on_observed,
                                                    .store_changed = on_store,
                                                    .arg = f},
                              &f->lat, NULL),
                     0);
    f->mem = lat_mem_of(f->lat);
    assert_non_null(f->mem);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    lat_close(f->lat);
    loop_free(f->loop);
    buf_release(&f->observed);
    free(f);
    return 0;
}

/* Two hosts, found and ready. */
static int setup_two(void **state)
{
    setup(state);
    struct fixture *f = *state;

    lat_mem_host_add(f->mem, "NA", (const char *const[]){"cloud=gcp", NULL});
    lat_mem_host_add(f->mem, "NB", (const char *const[]){"cloud=aws", NULL});
    loop_turn(f->loop, false); /* connects */
    loop_advance(f->loop, 1100);
    assert_int_equal(f->synced, 1);
    return 0;
}

static enum lat_host_state state_of(struct fixture *f, const char *id)
{
    const struct lat_host *h = lat_host_get(f->lat, id);

    assert_non_null(h);
    return h->state;
}

struct outcome {
    int calls, code;
    char text[256];
    int *order;
    int place;
};

static void on_done(void *arg, const struct err *err)
{
    struct outcome *o = arg;

    o->calls++;
    o->code = err ? err->code : 0;
    snprintf(o->text, sizeof(o->text), "%s", err ? err->message : "");
    if (o->order)
        o->place = ++*o->order;
}

static struct lat_op *start(struct fixture *f, const char *host, const char *id, const char *image,
                            uint32_t count, struct outcome *o)
{
    return lat_component_set(
        f->lat, &(struct lat_component_spec){.host = host, .id = id, .image = image, .count = count}, on_done,
        o);
}

static void test_unknown_driver(void **state)
{
    struct loop *l = loop_new();
    struct lattice *lat = NULL;
    struct err *err = NULL;
    (void)state;

    assert_int_equal(lat_open(l, &(struct lat_options){.driver = "wasmcloud.v9"}, &lat, &err),
                     ERR_UNSUPPORTED);
    assert_non_null(strstr(err->message, "wasmcloud.v1"));
    err_free(err);
    loop_free(l);
}

static void test_discovery(void **state)
{
    struct fixture *f = *state;

    assert_false(lat_connected(f->lat));
    lat_mem_host_add(f->mem, "NA", (const char *const[]){"cloud=gcp", "zone", NULL});
    loop_turn(f->loop, false);
    assert_true(lat_connected(f->lat));
    assert_int_equal(f->synced, 0);
    loop_advance(f->loop, 1100);
    assert_int_equal(f->synced, 1);
    assert_int_equal(lat_host_count(f->lat), 1);
    const struct lat_host *h = lat_host_get(f->lat, "NA");
    assert_int_equal(h->state, LAT_HOST_READY);
    assert_true(h->has_inventory);
    assert_string_equal(map_get(h->labels, "cloud"), "gcp");
    assert_true(h->cpu_percent == -1 && h->memory_total == -1);
    /* Later arrivals show themselves. */
    lat_mem_host_add(f->mem, "NB", NULL);
    loop_advance(f->loop, 10);
    assert_int_equal(state_of(f, "NB"), LAT_HOST_READY);
    assert_int_equal(f->last_event, LAT_EVENT_HOST_STARTED);
}

static void test_empty_lattice_is_believed_late(void **state)
{
    struct fixture *f = *state;

    loop_turn(f->loop, false);
    loop_advance(f->loop, 2500);
    assert_int_equal(f->synced, 0);
    loop_advance(f->loop, 4000);
    assert_int_equal(f->synced, 1);
    assert_int_equal(lat_host_count(f->lat), 0);
}

static void test_quiet_when_nothing_changes(void **state)
{
    struct fixture *f = *state;
    int changes = f->changes;

    loop_advance(f->loop, 20000);
    assert_int_equal(f->changes, changes);
    uint64_t probes = lat_mem_calls(f->mem, "probe");
    loop_advance(f->loop, 10000);
    assert_int_equal(lat_mem_calls(f->mem, "probe") - probes, 2 * 20);
}

static void test_killed(void **state)
{
    struct fixture *f = *state;

    lat_mem_host_fault(f->mem, "NA", LAT_MEM_KILLED);
    loop_advance(f->loop, 600);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_GONE);
    assert_int_equal(state_of(f, "NB"), LAT_HOST_READY);
    assert_true(lat_host_dead(LAT_HOST_GONE));

    /* Back: empty, and with the same id. */
    lat_mem_host_add(f->mem, "NA", NULL);
    loop_advance(f->loop, 10);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_READY);
    assert_int_equal(lat_host_get(f->lat, "NA")->ncomponents, 0);
}

static void test_frozen(void **state)
{
    struct fixture *f = *state;

    lat_mem_host_fault(f->mem, "NA", LAT_MEM_FROZEN);
    loop_advance(f->loop, 1600);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_SUSPECT);
    assert_true(lat_host_alive(LAT_HOST_SUSPECT));
    loop_advance(f->loop, 1000);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_SUSPECT);
    loop_advance(f->loop, 1000);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_UNREACHABLE);
    /* Probes go on, but slowly. */
    uint64_t before = lat_mem_calls(f->mem, "probe");
    loop_advance(f->loop, 20000);
    assert_true(lat_mem_calls(f->mem, "probe") - before <= 40 + 12);
    lat_mem_host_fault(f->mem, "NA", LAT_MEM_OK);
    loop_advance(f->loop, 3100);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_READY);
}

static void test_short_freeze_is_forgiven(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 5; i++) {
        lat_mem_host_fault(f->mem, "NA", LAT_MEM_FROZEN);
        loop_advance(f->loop, 2000);
        lat_mem_host_fault(f->mem, "NA", LAT_MEM_OK);
        loop_advance(f->loop, 1500);
        assert_int_equal(state_of(f, "NA"), LAT_HOST_READY);
    }
}

static void test_busy_is_not_judged(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};

    lat_mem_set_delay(f->mem, 30000);
    start(f, "NA", "c", "img", 1, &o);
    loop_turn(f->loop, false);
    lat_mem_host_fault(f->mem, "NA", LAT_MEM_FROZEN);
    loop_advance(f->loop, 20000);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_BUSY);
    assert_int_equal(o.calls, 0);
    lat_mem_host_fault(f->mem, "NA", LAT_MEM_OK);
    loop_advance(f->loop, 15000);
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.code, 0);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_READY);
}

static void test_busy_ends_with_the_deadline(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0}, later = {0};

    start(f, "NA", "c", "img", 1, &o);
    lat_mem_host_fault(f->mem, "NA", LAT_MEM_FROZEN);
    loop_advance(f->loop, 5000);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_BUSY);
    /* What is asked meanwhile waits, and does not make it busy for longer. */
    start(f, "NA", "d", "img", 1, &later);
    loop_advance(f->loop, 54000);
    assert_int_equal(o.calls, 0);
    loop_advance(f->loop, 2000);
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.code, ERR_TIMEOUT);
    assert_non_null(strstr(o.text, "component c on host NA"));
    assert_int_equal(state_of(f, "NA"), LAT_HOST_UNREACHABLE);
    assert_int_equal(later.calls, 1);
    assert_int_equal(later.code, ERR_UNAVAILABLE);
    assert_int_equal(lat_mem_calls(f->mem, "component_set"), 1);
}

static void test_frozen_host_delays_nobody(void **state)
{
    struct fixture *f = *state;
    struct outcome a[20] = {0}, b[20] = {0};

    lat_mem_host_fault(f->mem, "NA", LAT_MEM_FROZEN);
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof(id), "c%d", i);
        start(f, "NA", id, "img", 1, &a[i]);
        start(f, "NB", id, "img", 1, &b[i]);
    }
    /* At most so many at once go to one host. */
    loop_turn(f->loop, false);
    assert_true(lat_mem_calls(f->mem, "component_set") <= 2 * LAT_HOST_INFLIGHT + LAT_HOST_INFLIGHT);
    loop_advance(f->loop, 100);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(b[i].calls, 1);
        assert_int_equal(b[i].code, 0);
        assert_int_equal(a[i].calls, 0);
    }
    assert_int_equal(lat_mem_calls(f->mem, "component_set"), 20 + LAT_HOST_INFLIGHT);
    assert_int_equal(lat_host_get(f->lat, "NB")->ncomponents, 20);
}

static void test_one_id_in_order(void **state)
{
    struct fixture *f = *state;
    int order = 0;
    struct outcome o[4] = {{.order = &order}, {.order = &order}, {.order = &order}, {.order = &order}};

    lat_mem_set_delay(f->mem, 100);
    start(f, "NA", "c", "img", 1, &o[0]);
    lat_component_stop(f->lat, "NA", "c", on_done, &o[1]);
    start(f, "NA", "c", "img2", 7, &o[2]);
    start(f, "NA", "other", "img", 1, &o[3]);
    assert_int_equal(lat_mem_calls(f->mem, "component_set"), 2);
    assert_int_equal(lat_mem_calls(f->mem, "component_stop"), 0);
    loop_advance(f->loop, 110);
    assert_int_equal(lat_mem_calls(f->mem, "component_stop"), 1);
    loop_advance(f->loop, 400);
    assert_int_equal(o[0].place, 1);
    assert_int_equal(o[3].place, 2);
    assert_int_equal(o[1].place, 3);
    assert_int_equal(o[2].place, 4);
    const struct lat_component *c = lat_host_component(lat_host_get(f->lat, "NA"), "c");
    assert_string_equal(c->image, "img2");
    assert_int_equal(c->count, 7);
    assert_string_equal(buf_str(&f->observed), "component-set ok 0+100;component-set ok 0+100;"
                                               "component-stop ok 100+0;component-set ok 100+100;");
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    struct outcome running = {0}, waiting = {0}, finished = {0}, refused = {0}, last = {0};

    lat_mem_set_delay(f->mem, 100);
    struct lat_op *r = start(f, "NA", "c", "img", 1, &running);
    struct lat_op *w = start(f, "NA", "c", "img", 2, &waiting);
    start(f, "NA", "c", "img", 3, &last);
    lat_op_cancel(w);
    lat_op_cancel(r);
    lat_op_cancel(NULL);
    lat_op_cancel(start(f, "NX", "c", "img", 1, &refused));
    loop_advance(f->loop, 500);
    assert_int_equal(running.calls + waiting.calls + refused.calls, 0);
    /* Of the cancelled ones only that which had ended before is told. */
    assert_null(strstr(buf_str(&f->observed), "component-set ok 0+0"));
    assert_non_null(strstr(buf_str(&f->observed), "component-set NOT_FOUND 0+0;"));
    assert_int_equal(last.calls, 1);
    assert_int_equal(last.code, 0);

    /* Done, but not yet told. */
    lat_mem_set_delay(f->mem, 0);
    struct lat_op *d = start(f, "NA", "d", "img", 1, &finished);
    lat_mem_host_fault(f->mem, "NA", LAT_MEM_KILLED);
    lat_op_cancel(d);
    loop_advance(f->loop, 1000);
    assert_int_equal(finished.calls, 0);
}

static void test_refusals(void **state)
{
    struct fixture *f = *state;
    struct outcome none = {0}, zero = {0}, dead = {0}, down = {0}, config = {0};

    start(f, "NX", "c", "img", 1, &none);
    start(f, "NA", "c", "img", 0, &zero);
    lat_mem_host_fault(f->mem, "NB", LAT_MEM_KILLED);
    loop_advance(f->loop, 1000);
    start(f, "NB", "c", "img", 1, &dead);
    assert_int_equal(dead.calls, 0);
    loop_turn(f->loop, false);
    assert_int_equal(none.code, ERR_NOT_FOUND);
    assert_int_equal(zero.code, ERR_INVALID);
    assert_int_equal(dead.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(dead.text, "NoResponders"));
    lat_mem_disconnect(f->mem, true);
    start(f, "NA", "c", "img", 1, &down);
    lat_config_put(f->lat, "n", NULL, on_done, &config);
    loop_turn(f->loop, false);
    assert_int_equal(down.code, ERR_UNAVAILABLE);
    assert_int_equal(config.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(down.text, "taken away"));
}

static void test_death_fails_what_runs_there(void **state)
{
    struct fixture *f = *state;
    struct outcome a = {0}, b = {0}, other = {0};

    lat_mem_set_delay(f->mem, 5000);
    start(f, "NA", "c", "img", 1, &a);
    start(f, "NA", "c", "img", 2, &b);
    start(f, "NB", "c", "img", 1, &other);
    loop_advance(f->loop, 100);
    lat_mem_host_fault(f->mem, "NA", LAT_MEM_KILLED);
    loop_advance(f->loop, 1000);
    assert_int_equal(a.code, ERR_UNAVAILABLE);
    assert_int_equal(b.code, ERR_UNAVAILABLE);
    assert_int_equal(a.calls + b.calls, 2);
    loop_advance(f->loop, 5000);
    assert_int_equal(other.calls, 1);
    assert_int_equal(other.code, 0);
}

static void test_failure_text(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};

    lat_mem_image_fails(f->mem, "img", "no such image");
    start(f, "NA", "c", "img", 1, &o);
    loop_advance(f->loop, 10);
    assert_int_equal(o.code, ERR_FAILED);
    assert_string_equal(o.text, "no such image");
    assert_int_equal(f->last_event, LAT_EVENT_COMPONENT_FAILED);
    lat_mem_image_fails(f->mem, "img", NULL);
    start(f, "NA", "c", "img", 1, &o);
    loop_advance(f->loop, 10);
    assert_int_equal(o.code, 0);
}

static void test_bus_down_judges_nobody(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};

    lat_mem_set_delay(f->mem, 10000);
    start(f, "NA", "c", "img", 1, &o);
    loop_advance(f->loop, 100);
    lat_mem_disconnect(f->mem, true);
    loop_turn(f->loop, false);
    assert_int_equal(f->disconnected, 1);
    assert_int_equal(o.code, ERR_UNAVAILABLE);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_UNJUDGED);
    assert_false(lat_host_alive(LAT_HOST_UNJUDGED) || lat_host_dead(LAT_HOST_UNJUDGED));
    uint64_t probes = lat_mem_calls(f->mem, "probe");
    lat_mem_host_fault(f->mem, "NB", LAT_MEM_KILLED);
    loop_advance(f->loop, 60000);
    assert_int_equal(lat_mem_calls(f->mem, "probe"), probes);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_UNJUDGED);
    assert_int_equal(state_of(f, "NB"), LAT_HOST_UNJUDGED);
    assert_false(lat_synced(f->lat));

    lat_mem_disconnect(f->mem, false);
    loop_advance(f->loop, 2000);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_READY);
    /* One that may still be reconnecting is not judged yet. */
    assert_int_equal(state_of(f, "NB"), LAT_HOST_UNJUDGED);
    assert_int_equal(f->synced, 1);
    loop_advance(f->loop, 9000);
    assert_int_equal(f->synced, 2);
    assert_int_equal(state_of(f, "NB"), LAT_HOST_GONE);
}

static void test_hosts_return_late_after_reconnect(void **state)
{
    struct fixture *f = *state;

    lat_mem_disconnect(f->mem, true);
    loop_advance(f->loop, 1000);
    lat_mem_host_fault(f->mem, "NA", LAT_MEM_KILLED);
    lat_mem_host_fault(f->mem, "NB", LAT_MEM_FROZEN);
    lat_mem_disconnect(f->mem, false);
    loop_advance(f->loop, 4000);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_UNJUDGED);
    assert_int_equal(state_of(f, "NB"), LAT_HOST_UNJUDGED);
    lat_mem_host_fault(f->mem, "NA", LAT_MEM_OK);
    lat_mem_host_fault(f->mem, "NB", LAT_MEM_OK);
    loop_advance(f->loop, 1500);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_READY);
    assert_int_equal(state_of(f, "NB"), LAT_HOST_READY);
    assert_int_equal(f->synced, 2);
}

static void test_dead_hosts_do_not_hold_up_the_picture(void **state)
{
    struct fixture *f = *state;

    lat_mem_host_fault(f->mem, "NB", LAT_MEM_KILLED);
    loop_advance(f->loop, 1000);
    lat_mem_disconnect(f->mem, true);
    loop_advance(f->loop, 1000);
    lat_mem_disconnect(f->mem, false);
    loop_advance(f->loop, 1500);
    assert_int_equal(f->synced, 2);
    assert_int_equal(state_of(f, "NB"), LAT_HOST_GONE);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_READY);
}

static void test_disconnect_before_synced(void **state)
{
    struct fixture *f = *state;

    lat_mem_host_add(f->mem, "NA", NULL);
    loop_turn(f->loop, false);
    loop_advance(f->loop, 500);
    lat_mem_disconnect(f->mem, true);
    loop_advance(f->loop, 5000);
    assert_int_equal(f->synced, 0);
    lat_mem_disconnect(f->mem, false);
    loop_advance(f->loop, 1500);
    assert_int_equal(f->synced, 1);
}

static void test_goodbye(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0}, running = {0};

    lat_mem_set_delay(f->mem, 5000);
    start(f, "NA", "c", "img", 1, &running);
    lat_host_stop(f->lat, "NA", 1000, on_done, &o);
    loop_advance(f->loop, 100);
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.code, 0);
    assert_int_equal(running.code, ERR_UNAVAILABLE);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_STOPPED);
    loop_advance(f->loop, 60000);
    assert_true(lat_host_dead(state_of(f, "NA")));
    lat_mem_host_add(f->mem, "NA", NULL);
    loop_advance(f->loop, 10);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_READY);
}

static void test_quick_restart_fails_operations(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};

    start(f, "NA", "old", "img", 1, &o);
    loop_advance(f->loop, 100);
    assert_int_equal(lat_host_get(f->lat, "NA")->ncomponents, 1);
    lat_mem_set_delay(f->mem, 5000);
    start(f, "NA", "c", "img", 1, &o);
    loop_advance(f->loop, 100);
    /* Between two probes. */
    lat_mem_host_add(f->mem, "NA", NULL);
    loop_advance(f->loop, 100);
    assert_int_equal(o.calls, 2);
    assert_int_equal(o.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(o.text, "restarted"));
    assert_int_equal(state_of(f, "NA"), LAT_HOST_READY);
    assert_int_equal(lat_host_get(f->lat, "NA")->ncomponents, 0);
}

static void test_drift_is_seen(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};

    start(f, "NA", "c", "img", 4, &o);
    loop_advance(f->loop, 100);
    int changes = f->changes;
    lat_mem_component_kill(f->mem, "NA", "c");
    loop_turn(f->loop, false);
    assert_int_equal(lat_host_get(f->lat, "NA")->ncomponents, 0);
    assert_int_equal(f->changes, changes + 1);
}

static void test_providers_and_configs(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};
    const struct lat_host *h = lat_host_get(f->lat, "NA");
    _cleanup_map_ struct map *values = map_new(NULL);

    lat_provider_start(f->lat, &(struct lat_provider_spec){.host = "NA", .id = "p", .image = "img"}, on_done,
                       &o);
    loop_advance(f->loop, 10);
    assert_int_equal(o.code, 0);
    assert_true(lat_host_provider(h, "p")->healthy);
    lat_front_provider_health(f->lat, "NA", "p", false);
    loop_advance(f->loop, 1000);
    /* Inventories do not speak of health. */
    assert_false(lat_host_provider(h, "p")->healthy);
    lat_provider_stop(f->lat, "NA", "p", on_done, &o);
    lat_provider_stop(f->lat, "NA", "p", on_done, &o);
    map_set(values, "k", (char *)"v");
    lat_config_put(f->lat, "n", values, on_done, &o);
    lat_config_del(f->lat, "n", on_done, &o);
    lat_registry_put(f->lat, &(struct lat_credential){.registry = "r", .username = "u", .password = "p"},
                     on_done, &o);
    loop_advance(f->loop, 10);
    assert_int_equal(o.calls, 6);
    assert_int_equal(o.code, 0);
    assert_null(lat_host_provider(h, "p"));
}

struct links {
    size_t n;
    bool done;
    char target[16];
};

static void on_links(void *arg, const struct lat_link *links, size_t n, const struct err *err)
{
    struct links *l = arg;

    assert_null(err);
    l->done = true;
    l->n = n;
    snprintf(l->target, sizeof(l->target), "%s", n ? links[0].target : "");
}

static void test_links(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};
    struct links l = {0};
    char *interfaces[] = {(char *)"incoming-handler", NULL};
    struct lat_link a = {.source = (char *)"p",
                         .target = (char *)"one",
                         .wit_namespace = (char *)"wasi",
                         .wit_package = (char *)"http",
                         .interfaces = interfaces};
    struct lat_link b = a;

    b.target = (char *)"two";
    /* One source: strictly one after another. */
    lat_link_put(f->lat, &a, on_done, &o);
    lat_link_put(f->lat, &b, on_done, &o);
    assert_int_equal(lat_mem_calls(f->mem, "link_put"), 1);
    loop_advance(f->loop, 10);
    assert_int_equal(o.calls, 2);
    lat_links(f->lat, on_links, &l);
    loop_advance(f->loop, 10);
    assert_true(l.done);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.target, "two");
    lat_link_del(f->lat, &b, on_done, &o);
    loop_advance(f->loop, 10);
    lat_links(f->lat, on_links, &l);
    loop_advance(f->loop, 10);
    assert_int_equal(l.n, 0);
}

static void test_forget(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};

    lat_host_forget(f->lat, "NA"); /* alive: stays */
    assert_int_equal(lat_host_count(f->lat), 2);
    f->forget_in_change = true;
    start(f, "NA", "c", "img", 1, &o);
    lat_mem_host_fault(f->mem, "NA", LAT_MEM_KILLED);
    lat_mem_host_fault(f->mem, "NB", LAT_MEM_KILLED);
    loop_advance(f->loop, 2000);
    assert_int_equal(lat_host_count(f->lat), 0);
    assert_int_equal(o.calls, 1);
    lat_mem_host_add(f->mem, "NA", NULL);
    loop_advance(f->loop, 10);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_READY);
}

static void test_close_in_callback(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};

    start(f, "NB", "c", "img", 1, &o);
    f->close_in_change = true;
    lat_mem_host_fault(f->mem, "NA", LAT_MEM_KILLED);
    loop_advance(f->loop, 2000);
    assert_null(f->lat);
}

static void test_close_with_everything_under_way(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};
    struct links l = {0};

    lat_mem_set_delay(f->mem, 1000);
    for (int i = 0; i < 20; i++)
        start(f, i % 2 ? "NA" : "NB", i % 3 ? "c" : "d", "img", 1, &o);
    start(f, "NX", "c", "img", 1, &o);
    lat_links(f->lat, on_links, &l);
    lat_close(TAKE_PTR(f->lat));
    loop_advance(f->loop, 5000);
    assert_int_equal(o.calls, 0);
    assert_false(l.done);
}

static enum lat_hearing hearing_of(struct fixture *f, const char *id)
{
    return lat_host_get(f->lat, id)->hearing;
}

static void test_deaf_host(void **state)
{
    struct fixture *f = *state;

    loop_advance(f->loop, 6000);
    assert_int_equal(hearing_of(f, "NA"), LAT_HEARS);
    assert_int_equal(lat_store(f->lat), LAT_STORE_UP);
    lat_mem_host_deaf(f->mem, "NA");
    loop_advance(f->loop, 6000);
    assert_int_equal(hearing_of(f, "NA"), LAT_DOUBTFUL); /* it may make a new watch */
    loop_advance(f->loop, 6000);
    assert_int_equal(hearing_of(f, "NA"), LAT_DOUBTFUL);
    loop_advance(f->loop, 8000);
    assert_int_equal(hearing_of(f, "NA"), LAT_DEAF);
    assert_int_equal(hearing_of(f, "NB"), LAT_HEARS);
    assert_int_equal(state_of(f, "NA"), LAT_HOST_READY); /* it serves as before */
    /* A restart mends it. */
    lat_mem_host_add(f->mem, "NA", NULL);
    loop_advance(f->loop, 6000);
    assert_int_equal(hearing_of(f, "NA"), LAT_HEARS);
}

static void test_store_away(void **state)
{
    struct fixture *f = *state;

    loop_advance(f->loop, 6000);
    lat_mem_store_down(f->mem, true);
    lat_mem_host_deaf(f->mem, "NA");
    loop_advance(f->loop, 6000);
    assert_int_equal(lat_store(f->lat), LAT_STORE_DOWN);
    assert_string_equal(lat_store_reason(f->lat), "the store is away");
    assert_int_equal(f->store_changes, 2); /* up at first, then down */
    /* Nobody can watch what is away: nobody is called deaf for it. */
    loop_advance(f->loop, 60000);
    assert_int_equal(hearing_of(f, "NA"), LAT_HEARS);
    lat_mem_store_down(f->mem, false);
    loop_advance(f->loop, 2000);
    assert_int_equal(lat_store(f->lat), LAT_STORE_UP);
    assert_int_equal(hearing_of(f, "NA"), LAT_DOUBTFUL);
    loop_advance(f->loop, 20000);
    assert_int_equal(hearing_of(f, "NA"), LAT_DEAF);
}

/* A host and the store may be lost together (the way to both is cut): that is asked before anything is moved.
 */
static void test_store_is_asked_when_a_host_is_lost(void **state)
{
    struct fixture *f = *state;

    loop_advance(f->loop, 6000);
    lat_mem_store_down(f->mem, true);
    lat_mem_host_fault(f->mem, "NB", LAT_MEM_KILLED);
    f->watch_store = true;
    loop_advance(f->loop, 1500);
    assert_int_equal(state_of(f, "NB"), LAT_HOST_GONE);
    assert_int_equal(f->store_when_lost, LAT_STORE_ASKING);
    assert_int_equal(lat_store(f->lat), LAT_STORE_DOWN);
}

static void test_hearing_fresh(void **state)
{
    struct fixture *f = *state;

    loop_advance(f->loop, 6000);
    uint64_t before = lat_mem_calls(f->mem, "hearing");
    assert_false(lat_hearing_fresh(f->lat, 100));
    loop_advance(f->loop, 10);
    assert_int_equal(lat_mem_calls(f->mem, "hearing"), before + 1);
    assert_true(lat_hearing_fresh(f->lat, 100));
    loop_advance(f->loop, 1000);
    assert_false(lat_hearing_fresh(f->lat, 100));
}

int main(void)
{
#define TWO(fn)  cmocka_unit_test_setup_teardown(fn, setup_two, teardown)
#define NONE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_driver),
        NONE(test_discovery),
        NONE(test_empty_lattice_is_believed_late),
        NONE(test_disconnect_before_synced),
        TWO(test_quiet_when_nothing_changes),
        TWO(test_killed),
        TWO(test_frozen),
        TWO(test_short_freeze_is_forgiven),
        TWO(test_busy_is_not_judged),
        TWO(test_busy_ends_with_the_deadline),
        TWO(test_frozen_host_delays_nobody),
        TWO(test_one_id_in_order),
        TWO(test_cancel),
        TWO(test_refusals),
        TWO(test_death_fails_what_runs_there),
        TWO(test_failure_text),
        TWO(test_bus_down_judges_nobody),
        TWO(test_hosts_return_late_after_reconnect),
        TWO(test_dead_hosts_do_not_hold_up_the_picture),
        TWO(test_goodbye),
        TWO(test_quick_restart_fails_operations),
        TWO(test_drift_is_seen),
        TWO(test_providers_and_configs),
        TWO(test_links),
        TWO(test_forget),
        TWO(test_deaf_host),
        TWO(test_store_away),
        TWO(test_store_is_asked_when_a_host_is_lost),
        TWO(test_hearing_fresh),
        TWO(test_close_in_callback),
        TWO(test_close_with_everything_under_way),
    };

    return cmocka_run_group_tests_name("front", tests, NULL, NULL);
}
