/* The v1 driver against a scripted host on a real nats-server: lost events, doubled events, silence,
 * refusals, rubbish. */
#include <setjmp.h>
#include <signal.h>
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
#include "lattice/lattice.h"
#include "unit/lattice/nats_proc.h"

#define HOST   "NTESTHOST"
#define PREFIX "wasmbus.ctl.v1.default."

/* A host that follows a script: what it runs is one component and one provider. */
struct host {
    struct bus *bus;
    bool connected;
    char image[64];
    uint32_t count;
    char provider[64];
    bool mute_events, double_events, mute_scale, mute_provider, rubbish_inventory, foreign_first, frozen;
    const char *fail;   /* text of component_scale_failed / provider_start_failed */
    const char *refuse; /* text of an answer with success false */
    int gets, scales, bad_refs;
    char last_scale[512], last_config[256];
};

struct fixture {
    struct loop *loop;
    struct nats_proc nats;
    struct lattice *lat;
    struct host host;
    bool synced, ready, lost, ever_lost;
};

static void on_host_state(void *arg, bool connected, const struct err *err)
{
    struct host *h = arg;
    (void)err;

    h->connected = connected;
}

static void publish(struct host *h, const char *subject, const char *text)
{
    assert_int_equal(bus_publish(h->bus, subject, text, strlen(text), NULL), 0);
}

static void event(struct host *h, const char *name, const char *data)
{
    _cleanup_free_ char *subject = xasprintf("wasmbus.evt.default.%s", name);
    _cleanup_free_ char *text =
        xasprintf("{\"specversion\":\"1.0\",\"type\":\"com.wasmcloud.lattice.%s\",\"source\":\"" HOST "\","
                  "\"time\":\"2026-01-02T03:04:05Z\",\"data\":%s}",
                  name, data);
    if (h->mute_events)
        return;
    for (int i = 0; i < (h->double_events ? 2 : 1); i++)
        publish(h, subject, text);
}

static void component_event(struct host *h, const char *name, const char *image, uint32_t count,
                            const char *error)
{
    _cleanup_free_ char *data =
        xasprintf("{\"component_id\":\"c\",\"image_ref\":\"%s\",\"max_instances\":%u,\"host_id\":\"" HOST
                  "\",\"annotations\":{},"
                  "\"error\":\"%s\"}",
                  image, count, error ? error : "");

    event(h, name, data);
}

static void answer(struct host *h, const struct bus_message *m, const char *response)
{
    _cleanup_free_ char *text = h->refuse
                                    ? xasprintf("{\"success\":false,\"message\":\"%s\"}", h->refuse)
                                    : xasprintf("{\"success\":true,\"message\":\"\"%s%s}",
                                                response ? ",\"response\":" : "", response ? response : "");

    publish(h, m->reply, text);
}

static void on_ping(void *arg, const struct bus_message *m)
{
    const struct host *h = arg;

    if (!h->frozen)
        answer(arg, m,
               "{\"id\":\"" HOST "\",\"friendly_name\":\"f\",\"labels\":{\"a\":\"b\"},\"uptime_seconds\":5}");
}

static void on_get(void *arg, const struct bus_message *m)
{
    struct host *h = arg;
    _cleanup_free_ char *component =
        h->count
            ? xasprintf(
                  "{\"id\":\"c\",\"image_ref\":\"%s\",\"revision\":0,\"max_instances\":%u,\"limits\":null}",
                  h->image, h->count)
            : xstrdup("");
    _cleanup_free_ char *provider =
        *h->provider ? xasprintf("{\"id\":\"p\",\"image_ref\":\"%s\",\"revision\":0}", h->provider)
                     : xstrdup("");
    _cleanup_free_ char *text = xasprintf("{\"host_id\":\"%s\",\"friendly_name\":\"f\",\"labels\":{\"a\":"
                                          "\"b\"},\"version\":\"1\",\"uptime_seconds\":5,"
                                          "\"components\":[%s],\"providers\":[%s]}",
                                          h->rubbish_inventory ? "no host" : HOST, component, provider);

    h->gets++;
    if (!h->frozen)
        answer(h, m, text);
}

static void on_scale(void *arg, const struct bus_message *m)
{
    struct host *h = arg;
    _cleanup_json_ cJSON *o = NULL;

    snprintf(h->last_scale, sizeof(h->last_scale), "%s", m->data);
    assert_int_equal(json_parse(m->data, m->len, "scale", &o, NULL), 0);
    assert_string_equal(json_str_or(o, "host_id", ""), HOST);
    h->scales++;
    if (h->mute_scale)
        return;
    answer(h, m, NULL);
    if (h->refuse)
        return;
    uint32_t count = (uint32_t)json_int(o, "count", 0);
    const char *image = json_str_or(o, "component_ref", "");
    if (h->foreign_first) {
        /* Somebody else's doings with the same id. */
        component_event(h, "component_scale_failed", "other", 77, "not yours");
        component_event(h, "component_scaled", "other", 77, NULL);
    }
    if (h->fail && count) {
        component_event(h, "component_scale_failed", image, count, h->fail);
        return;
    }
    if (count && h->count && !streq(h->image, image))
        h->bad_refs++;
    if (count)
        snprintf(h->image, sizeof(h->image), "%s", image);
    h->count = count;
    component_event(h, "component_scaled", h->image, count, NULL);
}

static void on_provider_start(void *arg, const struct bus_message *m)
{
    struct host *h = arg;
    _cleanup_json_ cJSON *o = NULL;

    if (h->mute_provider)
        return;
    assert_int_equal(json_parse(m->data, m->len, "start", &o, NULL), 0);
    answer(h, m, NULL);
    if (h->fail) {
        _cleanup_free_ char *data =
            xasprintf("{\"provider_id\":\"p\",\"provider_ref\":\"x\",\"error\":\"%s\"}", h->fail);
        event(h, "provider_start_failed", data);
        return;
    }
    snprintf(h->provider, sizeof(h->provider), "%s", json_str_or(o, "provider_ref", ""));
    event(h, "provider_started", "{\"provider_id\":\"p\",\"image_ref\":\"x\",\"annotations\":{}}");
}

static void on_provider_stop(void *arg, const struct bus_message *m)
{
    struct host *h = arg;

    if (!*h->provider) {
        publish(h, m->reply, "{\"success\":false,\"message\":\"provider with that ID is not running\"}");
        return;
    }
    h->provider[0] = 0;
    answer(h, m, NULL);
    event(h, "provider_stopped", "{\"provider_id\":\"p\",\"annotations\":{}}");
}

static void on_config(void *arg, const struct bus_message *m)
{
    struct host *h = arg;

    snprintf(h->last_config, sizeof(h->last_config), "%s %s", m->subject, m->data);
    answer(h, m, NULL);
}

static void on_links(void *arg, const struct bus_message *m)
{
    answer(arg, m,
           "[{\"source_id\":\"s\",\"target\":\"t\",\"wit_namespace\":\"w\",\"wit_package\":\"p\","
           "\"interfaces\":[\"i\"]}]");
}

static void on_host_stop(void *arg, const struct bus_message *m)
{
    answer(arg, m, NULL);
    event(arg, "host_stopped", "{\"labels\":{}}");
}

static void host_start(struct fixture *f)
{
    struct host *h = &f->host;
    char *servers[] = {f->nats.url, NULL};
    static const struct {
        const char *subject;
        bus_message_fn fn;
    } served[] = {
        {PREFIX "host.ping", on_ping},
        {PREFIX "host.get." HOST, on_get},
        {PREFIX "host.stop." HOST, on_host_stop},
        {PREFIX "component.scale." HOST, on_scale},
        {PREFIX "provider.start." HOST, on_provider_start},
        {PREFIX "provider.stop." HOST, on_provider_stop},
        {PREFIX "config.>", on_config},
        {PREFIX "link.get", on_links},
        {PREFIX "link.put", on_config},
    };

    assert_int_equal(bus_new(f->loop,
                             &(struct bus_options){.servers = servers, .state = on_host_state, .arg = h},
                             &h->bus, NULL),
                     0);
    for (size_t i = 0; i < ARRAY_LEN(served); i++)
        assert_non_null(bus_subscribe(h->bus, served[i].subject, served[i].fn, h));
    assert_true(nats_proc_until(f->loop, &h->connected));
}

static void on_synced(void *arg)
{
    struct fixture *f = arg;

    f->synced = true;
}

static void on_changed(void *arg, const struct lat_host *h)
{
    struct fixture *f = arg;

    f->ready = h->state == LAT_HOST_READY;
    f->lost = lat_host_dead(h->state);
    f->ever_lost = f->ever_lost || f->lost;
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    char *servers[] = {f->nats.url, NULL};

    f->loop = loop_new();
    nats_proc_init(&f->nats, NULL);
    nats_proc_start(&f->nats);
    host_start(f);
    assert_int_equal(lat_open(f->loop,
                              &(struct lat_options){.driver = "wasmcloud.v1",
                                                    .name = "test",
                                                    .bus = {.servers = servers},
                                                    .probe_interval_ms = 100,
                                                    .unreachable_after_ms = 600,
                                                    .synced = on_synced,
                                                    .host_changed = on_changed,
                                                    .arg = f},
                              &f->lat, NULL),
                     0);
    assert_true(nats_proc_until(f->loop, &f->synced));
    assert_true(f->ready);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    lat_close(f->lat);
    bus_free(f->host.bus);
    nats_proc_release(&f->nats);
    loop_free(f->loop);
    free(f);
    return 0;
}

struct outcome {
    bool done;
    int code;
    char text[512];
};

static void on_done(void *arg, const struct err *err)
{
    struct outcome *o = arg;

    o->done = true;
    o->code = err ? err->code : 0;
    snprintf(o->text, sizeof(o->text), "%s", err ? err->message : "");
}

static int set(struct fixture *f, const char *image, uint32_t count, struct outcome *o)
{
    memset(o, 0, sizeof(*o));
    lat_component_set(f->lat,
                      &(struct lat_component_spec){.host = HOST, .id = "c", .image = image, .count = count},
                      on_done, o);
    assert_true(nats_proc_until(f->loop, &o->done));
    return o->code;
}

static int stop(struct fixture *f, struct outcome *o)
{
    memset(o, 0, sizeof(*o));
    lat_component_stop(f->lat, HOST, "c", on_done, o);
    assert_true(nats_proc_until(f->loop, &o->done));
    return o->code;
}

static void test_start_scale_stop(void **state)
{
    struct fixture *f = *state;
    struct outcome o;

    f->host.double_events = true;
    assert_int_equal(set(f, "one", 5, &o), 0);
    const struct lat_component *c = lat_host_component(lat_host_get(f->lat, HOST), "c");
    assert_non_null(c);
    assert_int_equal(c->count, 5);
    assert_int_equal(set(f, "one", 9, &o), 0);
    assert_int_equal(f->host.count, 9);
    assert_int_equal(set(f, "one", 9, &o), 0);
    assert_int_equal(f->host.scales, 3);
    assert_int_equal(stop(f, &o), 0);
    assert_int_equal(f->host.count, 0);
    assert_null(lat_host_component(lat_host_get(f->lat, HOST), "c"));
    /* Nothing to stop: nothing sent. */
    assert_int_equal(f->host.scales, 4);
    assert_int_equal(stop(f, &o), 0);
    assert_int_equal(f->host.scales, 4);
}

static void test_another_image_stops_first(void **state)
{
    struct fixture *f = *state;
    struct outcome o;

    assert_int_equal(set(f, "one", 5, &o), 0);
    assert_int_equal(set(f, "two", 6, &o), 0);
    assert_int_equal(f->host.scales, 3);
    assert_int_equal(f->host.bad_refs, 0);
    assert_string_equal(f->host.image, "two");
    /* Behind our back: the table here may be old, the host is asked. */
    snprintf(f->host.image, sizeof(f->host.image), "three");
    assert_int_equal(set(f, "two", 6, &o), 0);
    assert_int_equal(f->host.bad_refs, 0);
    assert_string_equal(f->host.image, "two");
}

static void test_lost_events(void **state)
{
    struct fixture *f = *state;
    struct outcome o;

    f->host.mute_events = true;
    assert_int_equal(set(f, "one", 5, &o), 0);
    assert_int_equal(set(f, "one", 6, &o), 0);
    assert_int_equal(set(f, "two", 6, &o), 0);
    assert_int_equal(stop(f, &o), 0);
    assert_int_equal(f->host.count, 0);
}

static void test_failures(void **state)
{
    struct fixture *f = *state;
    struct outcome o;

    f->host.foreign_first = true;
    f->host.fail = "failed to fetch component: no such tag";
    assert_int_equal(set(f, "one", 5, &o), ERR_FAILED);
    assert_string_equal(o.text, f->host.fail);
    f->host.fail = NULL;
    assert_int_equal(set(f, "one", 5, &o), 0);
    f->host.refuse = "failed to deserialize component scale command";
    assert_int_equal(set(f, "one", 6, &o), ERR_FAILED);
}

static void test_bad_names(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};

    lat_component_stop(f->lat, HOST, "a.b", on_done, &o);
    assert_true(nats_proc_until(f->loop, &o.done));
    assert_int_equal(o.code, ERR_INVALID);
    char *config[] = {(char *)"x y", NULL};
    memset(&o, 0, sizeof(o));
    lat_component_set(
        f->lat,
        &(struct lat_component_spec){.host = HOST, .id = "c", .image = "i", .count = 1, .config = config},
        on_done, &o);
    assert_true(nats_proc_until(f->loop, &o.done));
    assert_int_equal(o.code, ERR_INVALID);
    assert_int_equal(f->host.scales, 0);
}

static void test_unreadable_inventory_is_not_death(void **state)
{
    struct fixture *f = *state;
    struct outcome o;

    f->host.rubbish_inventory = true;
    int gets = f->host.gets;
    int64_t end = loop_now_ms(f->loop) + 20000;
    while (f->host.gets < gets + 15 && loop_now_ms(f->loop) < end)
        loop_turn(f->loop, true);
    assert_true(f->host.gets >= gets + 15);
    assert_true(lat_host_alive(lat_host_get(f->lat, HOST)->state));
    assert_int_equal(set(f, "one", 1, &o), ERR_PROTOCOL);
    f->host.rubbish_inventory = false;
    assert_int_equal(set(f, "one", 1, &o), 0);
}

/* A server that hangs silences every host: none of them is lost for it. */
static void test_silent_bus_judges_nobody(void **state)
{
    struct fixture *f = *state;
    bool suspected = false;

    nats_proc_signal(&f->nats, SIGSTOP);
    for (int64_t end = loop_now_ms(f->loop) + 2500; loop_now_ms(f->loop) < end;) {
        loop_turn(f->loop, true);
        const struct lat_host *h = lat_host_get(f->lat, HOST);
        suspected = suspected || h->state == LAT_HOST_SUSPECT;
        assert_false(lat_host_dead(h->state));
    }
    assert_true(suspected);
    nats_proc_signal(&f->nats, SIGCONT);
    assert_true(nats_proc_until(f->loop, &f->ready));
    assert_false(f->ever_lost);
    /* A host that is silent while the bus lives is lost as ever. */
    f->host.frozen = true;
    assert_true(nats_proc_until(f->loop, &f->lost));
    assert_int_equal(lat_host_get(f->lat, HOST)->state, LAT_HOST_UNREACHABLE);
    f->host.frozen = false;
    assert_true(nats_proc_until(f->loop, &f->ready));
}

static int provider(struct fixture *f, const char *image, struct outcome *o)
{
    memset(o, 0, sizeof(*o));
    lat_provider_start(f->lat, &(struct lat_provider_spec){.host = HOST, .id = "p", .image = image}, on_done,
                       o);
    assert_true(nats_proc_until(f->loop, &o->done));
    return o->code;
}

static void test_providers(void **state)
{
    struct fixture *f = *state;
    struct outcome o;

    assert_int_equal(provider(f, "reg/x:1", &o), 0);
    assert_int_equal(provider(f, "oci://reg/x:1", &o), 0);
    assert_string_equal(f->host.provider, "reg/x:1");
    assert_int_equal(provider(f, "reg/x:2", &o), 0);
    assert_string_equal(f->host.provider, "reg/x:2");
    memset(&o, 0, sizeof(o));
    lat_provider_stop(f->lat, HOST, "p", on_done, &o);
    assert_true(nats_proc_until(f->loop, &o.done));
    assert_int_equal(o.code, 0);
    /* Not running is success. */
    memset(&o, 0, sizeof(o));
    lat_provider_stop(f->lat, HOST, "p", on_done, &o);
    assert_true(nats_proc_until(f->loop, &o.done));
    assert_int_equal(o.code, 0);

    f->host.mute_events = true;
    assert_int_equal(provider(f, "reg/x:3", &o), 0);
    f->host.mute_events = false;
    f->host.provider[0] = 0;
    f->host.fail = "feature is off";
    assert_int_equal(provider(f, "wasmcloud+builtin://http-client", &o), ERR_FAILED);
    assert_string_equal(o.text, "feature is off");
    f->host.fail = NULL;
    f->host.mute_provider = true;
    assert_int_equal(provider(f, "wasmcloud+builtin://http-server", &o), ERR_UNSUPPORTED);
    assert_non_null(strstr(o.text, "not enabled"));
}

struct links {
    bool done;
    size_t n;
    int code;
};

static void on_links_done(void *arg, const struct lat_link *links, size_t n, const struct err *err)
{
    struct links *l = arg;

    l->done = true;
    l->n = n;
    l->code = err ? err->code : 0;
    if (n)
        assert_string_equal(links[0].source, "s");
}

static void test_configs_and_links(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};
    struct links l = {0};
    _cleanup_map_ struct map *values = map_new(NULL);

    map_set(values, "k", (char *)"v");
    lat_config_put(f->lat, "name", values, on_done, &o);
    assert_true(nats_proc_until(f->loop, &o.done));
    assert_int_equal(o.code, 0);
    assert_string_equal(f->host.last_config, PREFIX "config.put.name {\"k\":\"v\"}");
    memset(&o, 0, sizeof(o));
    lat_config_del(f->lat, "name", on_done, &o);
    assert_true(nats_proc_until(f->loop, &o.done));
    assert_string_equal(f->host.last_config, PREFIX "config.del.name ");
    lat_links(f->lat, on_links_done, &l);
    assert_true(nats_proc_until(f->loop, &l.done));
    assert_int_equal(l.n, 1);

    f->host.refuse = "link already exists with different target";
    memset(&o, 0, sizeof(o));
    struct lat_link link = {.source = (char *)"s",
                            .target = (char *)"t",
                            .wit_namespace = (char *)"w",
                            .wit_package = (char *)"p"};
    lat_link_put(f->lat, &link, on_done, &o);
    assert_true(nats_proc_until(f->loop, &o.done));
    assert_int_equal(o.code, ERR_FAILED);
    assert_string_equal(o.text, f->host.refuse);
    /* Nobody serves link.del: no host at all. */
    f->host.refuse = NULL;
    memset(&o, 0, sizeof(o));
    lat_link_del(f->lat, &link, on_done, &o);
    assert_true(nats_proc_until(f->loop, &o.done));
    assert_int_equal(o.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(o.text, "no host is on lattice"));
}

static void test_host_stop(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};

    lat_host_stop(f->lat, HOST, 1000, on_done, &o);
    assert_true(nats_proc_until(f->loop, &o.done));
    assert_int_equal(o.code, 0);
    assert_int_equal(lat_host_get(f->lat, HOST)->state, LAT_HOST_STOPPED);
}

static void test_host_dies_in_the_middle(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};

    f->host.mute_scale = true;
    lat_component_set(f->lat, &(struct lat_component_spec){.host = HOST, .id = "c", .image = "i", .count = 1},
                      on_done, &o);
    int64_t end = loop_now_ms(f->loop) + 20000;
    while (!f->host.scales && loop_now_ms(f->loop) < end)
        loop_turn(f->loop, true);
    bus_free(TAKE_PTR(f->host.bus));
    assert_true(nats_proc_until(f->loop, &f->lost));
    assert_int_equal(lat_host_get(f->lat, HOST)->state, LAT_HOST_GONE);
    assert_true(nats_proc_until(f->loop, &o.done));
    assert_int_equal(o.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(o.text, "component c on host " HOST));
}

static void test_rubbish_on_the_event_subject(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    static const char *const rubbish[] = {
        "",
        "{",
        "null",
        "[[[[[[",
        "{\"type\":1}",
        "\xff\xfe",
        "{\"type\":\"com.wasmcloud.lattice.host_stopped\",\"source\":\"> x\"}"};

    for (size_t i = 0; i < ARRAY_LEN(rubbish); i++)
        publish(&f->host, "wasmbus.evt.default.component_scaled", rubbish[i]);
    assert_int_equal(set(f, "one", 1, &o), 0);
    assert_int_equal(lat_host_count(f->lat), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start_scale_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_image_stops_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreadable_inventory_is_not_death, setup, teardown),
        cmocka_unit_test_setup_teardown(test_providers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_configs_and_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silent_bus_judges_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_host_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_host_dies_in_the_middle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rubbish_on_the_event_subject, setup, teardown),
    };

    nats_proc_binary();
    return cmocka_run_group_tests_name("v1", tests, NULL, NULL);
}
