#include "fake/farm.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "fake/farm_internal.h"

enum { HELD_MOST = 4096, ID_LEN = 56, MAILBOX = 1 << 18 };

static void held_release(struct held *held)
{
    free(held->verb);
    free(held->data);
    free(held->reply);
}

static void component_free(void *p)
{
    struct farm_component *c = p;

    free(c->image);
    cJSON_Delete(c->annotations);
    free(c);
}

static void provider_free(void *p)
{
    struct farm_provider *v = p;

    free(v->image);
    cJSON_Delete(v->annotations);
    free(v);
}

static void json_free(void *p)
{
    cJSON_Delete(p);
}

/* Out */

void farm_publish(struct farm *f, const char *subject, const char *data, size_t len)
{
    _cleanup_err_ struct err *e = NULL;

    if (f->connected && bus_publish(f->bus, subject, data, len, &e) < 0)
        log_warn("cannot publish", "subject", subject, "error", err_text(e), NULL);
}

void farm_event(struct farm *f, const char *host, const char *name, cJSON *data)
{
    _cleanup_json_ cJSON *taken = data;
    if (f->muted)
        return;
    _cleanup_free_ char *subject = xasprintf("wasmbus.evt.%s.%s", f->lattice, name);
    _cleanup_free_ char *type = xasprintf("com.wasmcloud.lattice.%s", name);
    _cleanup_free_ char *id = xasprintf("farm-%llu", (unsigned long long)++f->events);
    char stamp[TIME_RFC3339_LEN];
    _cleanup_json_ cJSON *o =
        json_object("specversion", "1.0", "id", id, "type", type, "source", host, "datacontenttype",
                    "application/json", "time", time_rfc3339(time_now_ns(), 6, stamp), NULL);

    json_put(o, "data", TAKE_PTR(taken));
    _cleanup_free_ char *text = json_print(o);
    farm_publish(f, subject, text, strlen(text));
}

static void say_started(struct farm_host *h)
{
    cJSON *data = json_object("friendly_name", h->name, "version", FARM_VERSION, NULL);

    json_put(data, "labels", farm_labels(h));
    json_set_int(data, "uptime_seconds", 0);
    farm_event(h->farm, h->id, "host_started", data);
}

static void on_heartbeat(void *arg)
{
    struct farm_host *h = arg;

    farm_event(h->farm, h->id, "host_heartbeat", farm_inventory(h));
    loop_timer_start(h->heartbeat, h->farm->options.heartbeat_ms);
}

/* Tasks */

static void task_free(struct task *t)
{
    loop_timer_free(t->timer);
    cJSON_Delete(t->request);
    free(t);
}

static void task_run(struct task *t)
{
    struct farm_host *h = t->host;
    struct task **at = &h->tasks;

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    /* Behind a cut the work is done, but nobody hears of it. */
    h->farm->muted = h->state == HOST_CUT;
    farm_run_task(h, t->provider, t->request);
    h->farm->muted = false;
    task_free(t);
}

static void on_task(void *arg)
{
    struct task *t = arg;

    if (t->host->state == HOST_FROZEN)
        t->due = true;
    else
        task_run(t);
}

void farm_task(struct farm_host *h, bool provider, cJSON *request)
{
    struct task *t = xcalloc(1, sizeof(*t));
    struct task **at = &h->tasks;

    *t = (struct task){.host = h, .provider = provider, .request = request};
    t->timer = loop_timer_new(h->farm->loop, on_task, t);
    /* In order of asking. */
    while (*at)
        at = &(*at)->next;
    *at = t;
    loop_timer_start(t->timer, h->farm->options.start_ms);
}

/* In */

static void on_host_request(void *arg, const struct bus_message *m)
{
    struct farm_host *h = arg;
    const char *tail = m->subject + strlen(h->farm->prefix), *end = strrchr(m->subject, '.');

    _cleanup_free_ char *verb = xstrndup(tail, (size_t)(end - tail));
    farm_count_request(h->farm, verb);
    if (h->state == HOST_UP) {
        farm_answer_host(h, verb, m->data, m->len, m->reply);
    } else if (h->state == HOST_FROZEN && h->held.len < HELD_MOST) {
        struct held held = {.verb = TAKE_PTR(verb),
                            .data = xstrndup(m->data, m->len),
                            .len = m->len,
                            .reply = xstrdup_null(m->reply)};
        vec_push(&h->held, held);
    }
}

/* Requests of the lattice go to one host of many: to none when none is up. */
static void serve_lattice(struct farm *f)
{
    bool wanted = f->serving > 0;

    if (wanted == (f->link != NULL))
        return;
    if (!wanted) {
        bus_unsubscribe(TAKE_PTR(f->ping));
        bus_unsubscribe(TAKE_PTR(f->registry));
        bus_unsubscribe(TAKE_PTR(f->link));
        bus_unsubscribe(TAKE_PTR(f->config));
        return;
    }
    _cleanup_free_ char *ping = xasprintf("%shost.ping", f->prefix);
    _cleanup_free_ char *registry = xasprintf("%sregistry.put", f->prefix);
    _cleanup_free_ char *link = xasprintf("%slink.*", f->prefix);
    _cleanup_free_ char *config = xasprintf("%sconfig.>", f->prefix);
    f->ping = bus_subscribe(f->bus, ping, farm_on_ping, f);
    f->registry = bus_subscribe(f->bus, registry, farm_on_registry, f);
    f->link = bus_subscribe(f->bus, link, farm_on_link, f);
    f->config = bus_subscribe(f->bus, config, farm_on_config, f);
}

static void host_subscribe(struct farm_host *h)
{
    static const char *const nouns[HOST_SUBJECTS] = {"component", "provider", "label", "host"};

    for (size_t i = 0; i < HOST_SUBJECTS; i++) {
        _cleanup_free_ char *subject = xasprintf("%s%s.*.%s", h->farm->prefix, nouns[i], h->id);
        h->subs[i] = bus_subscribe(h->farm->bus, subject, on_host_request, h);
    }
    if (h->farm->options.jetstream)
        farm_js_watch(h);
    h->farm->serving++;
    loop_timer_start(h->heartbeat, h->farm->options.heartbeat_ms);
    serve_lattice(h->farm);
}

static void host_unsubscribe(struct farm_host *h)
{
    for (size_t i = 0; i < HOST_SUBJECTS; i++) {
        if (h->subs[i])
            bus_unsubscribe(TAKE_PTR(h->subs[i]));
    }
    farm_js_unwatch(h);
    h->farm->serving--;
    loop_timer_stop(h->heartbeat);
    serve_lattice(h->farm);
}

static void forget_work(struct farm_host *h)
{
    while (h->tasks) {
        struct task *t = h->tasks;
        h->tasks = t->next;
        task_free(t);
    }
    for (size_t i = 0; i < h->held.len; i++)
        held_release(&h->held.items[i]);
    h->held.len = 0;
}

void farm_host_end(struct farm_host *h, bool goodbye)
{
    if (h->state == HOST_UP || h->state == HOST_FROZEN)
        host_unsubscribe(h);
    if (goodbye) {
        cJSON *data = cJSON_CreateObject();
        json_put(data, "labels", farm_labels(h));
        farm_event(h->farm, h->id, "host_stopped", data);
    }
    forget_work(h);
    farm_js_forget(h);
    map_clear(h->components);
    map_clear(h->providers);
    xstr_replace(&h->inventory, NULL);
    h->state = HOST_DOWN;
}

static void host_start(struct farm_host *h)
{
    h->state = HOST_UP;
    h->started_ms = loop_now_ms(h->farm->loop);
    host_subscribe(h);
    say_started(h);
}

static void host_thaw(struct farm_host *h)
{
    h->state = HOST_UP;
    loop_timer_start(h->heartbeat, h->farm->options.heartbeat_ms);
    for (size_t i = 0; i < h->held.len && h->state == HOST_UP; i++) {
        struct held *held = &h->held.items[i];
        farm_answer_host(h, held->verb, held->data, held->len, held->reply);
    }
    for (size_t i = 0; i < h->held.len; i++)
        held_release(&h->held.items[i]);
    h->held.len = 0;
    for (struct task *t = h->tasks, *next; t; t = next) {
        next = t->next;
        if (t->due)
            task_run(t);
    }
}

static bool host_do(struct farm_host *h, enum farm_deed deed)
{
    bool there = h->state == HOST_UP || h->state == HOST_FROZEN;

    switch (deed) {
    case FARM_KILL:
        if (h->state == HOST_DOWN)
            return false;
        farm_host_end(h, false);
        return true;
    case FARM_STOP:
        if (h->state != HOST_UP)
            return false;
        farm_host_end(h, true);
        return true;
    case FARM_START:
        if (h->state != HOST_DOWN)
            return false;
        host_start(h);
        return true;
    case FARM_CUT:
        if (!there)
            return false;
        host_unsubscribe(h);
        h->state = HOST_CUT;
        return true;
    case FARM_HEAL:
        if (h->state != HOST_CUT)
            return false;
        h->state = HOST_UP;
        host_subscribe(h);
        return true;
    case FARM_FREEZE:
        if (h->state != HOST_UP)
            return false;
        h->state = HOST_FROZEN;
        loop_timer_stop(h->heartbeat);
        return true;
    case FARM_THAW:
        if (h->state != HOST_FROZEN)
            return false;
        host_thaw(h);
        return true;
    case FARM_DEED_COUNT:
        break;
    }
    return false;
}

static bool has_label(const struct farm_host *h, const char *key, const char *value)
{
    const char *have = map_get(h->labels, key);

    return have && streq(have, value);
}

int farm_do(struct farm *f, enum farm_deed deed, const char *which, size_t *ret_n, struct err **err)
{
    _cleanup_strv_ char **range = strv_split(which, '-', true);
    const char *equals = strchr(which, '=');
    _cleanup_free_ char *key = equals ? xstrndup(which, (size_t)(equals - which)) : NULL;
    int64_t first = 0, last = (int64_t)f->nhosts - 1;
    size_t n = 0;

    if (!equals && !streq(which, "all")) {
        size_t parts = strv_len(range);
        bool fine = (parts == 1 || parts == 2) && str_to_i64(range[0], 0, last, &first) &&
                    str_to_i64(range[parts - 1], first, last, &last);
        if (!fine)
            return err_set(err, ERR_INVALID, "hosts \"%s\": want all, N or N-M below %zu, or KEY=VALUE",
                           which, f->nhosts);
    }
    for (int64_t i = first; i <= last; i++)
        if (!equals || has_label(&f->hosts[i], key, equals + 1))
            n += host_do(&f->hosts[i], deed);
    *ret_n = n;
    return 0;
}

/* What is there */

static const char *state_name(enum host_state s)
{
    static const char *const names[] = {"up", "frozen", "cut", "down"};

    return names[s];
}

cJSON *farm_count(const struct farm *f)
{
    cJSON *o = cJSON_CreateObject();
    size_t states[HOST_DOWN + 1] = {0}, components = 0, providers = 0;
    _cleanup_map_ struct map *distinct = map_new(NULL);

    for (size_t i = 0; i < f->nhosts; i++) {
        const struct farm_host *h = &f->hosts[i];
        states[h->state]++;
        if (h->state != HOST_UP && h->state != HOST_FROZEN)
            continue;
        components += map_len(h->components);
        providers += map_len(h->providers);
        for (struct map_iter it = {0}; map_next(h->components, &it);)
            map_set(distinct, it.key, NULL);
    }
    cJSON *hosts = cJSON_CreateObject(), *requests = cJSON_CreateObject();
    for (size_t s = 0; s < ARRAY_LEN(states); s++)
        json_set_int(hosts, state_name((enum host_state)s), (int64_t)states[s]);
    json_put(o, "hosts", hosts);
    json_set_int(o, "components", (int64_t)components);
    json_set_int(o, "distinct", (int64_t)map_len(distinct));
    json_set_int(o, "providers", (int64_t)providers);
    for (struct map_iter it = {0}; map_next(f->requests, &it);)
        json_put(requests, it.key, cJSON_CreateNumber((double)*(const uint64_t *)it.value));
    json_put(o, "requests", requests);
    json_set_int(o, "events", (int64_t)f->events);
    return o;
}

cJSON *farm_state(const struct farm *f)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < f->nhosts; i++) {
        const struct farm_host *h = &f->hosts[i];
        cJSON *o = json_object("id", h->id, "name", h->name, "state", state_name(h->state), NULL);
        cJSON *components = cJSON_CreateObject(), *providers = cJSON_CreateArray();
        json_put(o, "labels", farm_labels(h));
        for (struct map_iter it = {0}; map_next(h->components, &it);)
            json_put(components, it.key, cJSON_CreateNumber(((struct farm_component *)it.value)->count));
        for (struct map_iter it = {0}; map_next(h->providers, &it);)
            cJSON_AddItemToArray(providers, cJSON_CreateString(it.key));
        json_put(o, "components", components);
        json_put(o, "providers", providers);
        cJSON_AddItemToArray(list, o);
    }
    return list;
}

/* Making */

/* As a public key looks: N and 55 characters of base 32; the same for the same lattice and number. */
static char *host_id(const char *lattice, size_t number)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    char *id = xcalloc(1, ID_LEN + 1);
    uint64_t hash = str_hash64(lattice, strlen(lattice), STR_HASH64_INIT + number);

    id[0] = 'N';
    for (size_t i = 1; i < ID_LEN; i++) {
        id[i] = letters[hash >> 59];
        hash = str_hash64(&i, sizeof(i), hash);
    }
    return id;
}

static void host_init(struct farm *f, size_t i)
{
    struct farm_host *h = &f->hosts[i];
    size_t nclouds = f->clouds ? strv_len(f->clouds) : 0;

    *h = (struct farm_host){
        .farm = f,
        .id = host_id(f->lattice, i),
        .name = xasprintf("farm-%zu", i),
        .state = HOST_DOWN,
        .labels = map_new(free),
        .components = map_new(component_free),
        .providers = map_new(provider_free),
    };
    h->heartbeat = loop_timer_new(f->loop, on_heartbeat, h);
    map_set(h->labels, "hostcore.arch", xstrdup("x86_64"));
    map_set(h->labels, "hostcore.os", xstrdup("linux"));
    map_set(h->labels, "intention", xstrdup("actor"));
    if (nclouds) {
        const char *cloud = f->clouds[i % nclouds];
        map_set(h->labels, "cloud", xstrdup(cloud));
        map_set(h->labels, "zone", xasprintf("%s-%zu", cloud, i / nclouds % 3));
    }
}

void farm_hosts_start(struct farm *f)
{
    if (!f->announced) {
        f->announced = true;
        for (size_t i = 0; i < f->nhosts; i++)
            host_start(&f->hosts[i]);
    }
    if (f->options.ready)
        f->options.ready(f->options.arg);
}

static void on_bus(void *arg, bool connected, const struct err *err)
{
    struct farm *f = arg;

    f->connected = connected;
    if (!connected) {
        log_warn("not connected", "error", err_text(err), NULL);
        return;
    }
    if (f->options.jetstream)
        farm_js_start(f);
    else
        farm_hosts_start(f);
}

int farm_new(struct loop *l, const struct farm_options *o, struct farm **ret, struct err **err)
{
    if (!o->hosts || o->hosts > FARM_HOSTS_MOST)
        return err_set(err, ERR_INVALID, "%zu hosts: want 1 to %d", o->hosts, FARM_HOSTS_MOST);
    struct farm *f = xcalloc(1, sizeof(*f));
    f->loop = l;
    f->options = *o;
    f->lattice = xstrdup(o->lattice ? o->lattice : "default");
    f->prefix = xasprintf("wasmbus.ctl.v1.%s.", f->lattice);
    f->clouds = o->clouds ? strv_copy(o->clouds) : NULL;
    f->links = map_new(json_free);
    f->configs = map_new(json_free);
    f->requests = map_new(free);
    f->nhosts = o->hosts;
    f->hosts = xcalloc(o->hosts, sizeof(*f->hosts));
    for (size_t i = 0; i < f->nhosts; i++)
        host_init(f, i);
    char *servers[] = {xstrdup(o->server), NULL};
    struct bus_options bus = {
        .servers = servers, .name = "hostfarm", .mailbox_limit = MAILBOX, .state = on_bus, .arg = f};
    int r = bus_new(l, &bus, &f->bus, err);
    free(servers[0]);
    if (r < 0) {
        farm_free(f);
        return r;
    }
    *ret = f;
    return 0;
}

void farm_free(struct farm *f)
{
    if (!f)
        return;
    f->connected = false;
    for (size_t i = 0; i < f->nhosts; i++) {
        struct farm_host *h = &f->hosts[i];
        farm_host_end(h, false);
        free(h->held.items);
        loop_timer_free(h->heartbeat);
        map_free(h->labels);
        map_free(h->components);
        map_free(h->providers);
        free(h->id);
        free(h->name);
    }
    free(f->hosts);
    bus_free(f->bus);
    map_free(f->links);
    map_free(f->configs);
    map_free(f->requests);
    strv_free(f->clouds);
    free(f->lattice);
    free(f->prefix);
    free(f);
}
