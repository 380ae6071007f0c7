#include "lattice/lattice.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "lattice/driver_mem.h"
#include "lattice/front.h"

enum {
    PROBE_INTERVAL_MS = 500,
    UNREACHABLE_AFTER_MS = 3000,
    WIDE_INFLIGHT = 16,
    HOSTS_MAX = 10000, /* a table, not a sink for whatever somebody publishes */
    ID_MAX = 128,
    /* A host's uptime going back by more than this is a restart, not a late message. */
    RESTART_SLACK_S = 10,
};

static const struct lat_driver_ops *const drivers[] = {&lat_driver_v1, &lat_driver_mem};

const char *lat_host_reason(enum lat_host_state s)
{
    static const char *const names[] = {
#define X(name, reason) reason,
        LAT_HOST_STATES(X)
#undef X
    };

    return (size_t)s < ARRAY_LEN(names) ? names[s] : "Unknown";
}

bool lat_host_alive(enum lat_host_state s)
{
    return s == LAT_HOST_READY || s == LAT_HOST_BUSY || s == LAT_HOST_SUSPECT;
}

bool lat_host_dead(enum lat_host_state s)
{
    return s == LAT_HOST_GONE || s == LAT_HOST_STOPPED || s == LAT_HOST_UNREACHABLE;
}

const struct lat_component *lat_host_component(const struct lat_host *h, const char *id)
{
    for (size_t i = 0; i < h->ncomponents; i++)
        if (streq(h->components[i].id, id))
            return &h->components[i];
    return NULL;
}

const struct lat_provider *lat_host_provider(const struct lat_host *h, const char *id)
{
    for (size_t i = 0; i < h->nproviders; i++)
        if (streq(h->providers[i].id, id))
            return &h->providers[i];
    return NULL;
}

void lat_link_release(struct lat_link *l)
{
    free(l->source);
    free(l->target);
    free(l->name);
    free(l->wit_namespace);
    free(l->wit_package);
    strv_free(l->interfaces);
    strv_free(l->source_config);
    strv_free(l->target_config);
    memset(l, 0, sizeof(*l));
}

static bool strv_same(char *const *a, char *const *b)
{
    size_t n = a ? strv_len(a) : 0;

    if (n != (b ? strv_len(b) : 0))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!streq(a[i], b[i]))
            return false;
    return true;
}

bool lat_link_same(const struct lat_link *a, const struct lat_link *b)
{
    return streq_null(a->source, b->source) && streq_null(a->target, b->target) &&
           streq_null(a->name, b->name) && streq_null(a->wit_namespace, b->wit_namespace) &&
           streq_null(a->wit_package, b->wit_package) && strv_same(a->interfaces, b->interfaces) &&
           strv_same(a->source_config, b->source_config) && strv_same(a->target_config, b->target_config);
}

/* Rows */

static void component_release(struct lat_component *c)
{
    free(c->id);
    free(c->image);
    free(c->name);
    map_free(c->annotations);
}

static void provider_release(struct lat_provider *p)
{
    free(p->id);
    free(p->image);
    free(p->name);
    map_free(p->annotations);
}

static void components_free(struct lat_component *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        component_release(&list[i]);
    free(list);
}

static void providers_free(struct lat_provider *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        provider_release(&list[i]);
    free(list);
}

static void inventory_clear(struct lat_host *h)
{
    components_free(TAKE_PTR(h->components), h->ncomponents);
    providers_free(TAKE_PTR(h->providers), h->nproviders);
    h->ncomponents = h->nproviders = 0;
    h->has_inventory = false;
}

static void row_free(void *p)
{
    struct lat_row *row = p;
    struct lat_host *h = &row->host;

    lat_health_forget(row);
    lat_queue_release(&row->ops);
    inventory_clear(h);
    free(h->id);
    free(h->friendly_name);
    free(h->hostname);
    free(h->version);
    map_free(h->labels);
    free(row);
}

struct lat_row *lat_row_get(const struct lattice *lat, const char *id)
{
    return id ? map_get(lat->hosts, id) : NULL;
}

static struct lat_row *row_new(struct lattice *lat, const char *id)
{
    struct lat_row *row = xcalloc(1, sizeof(*row));
    struct lat_host *h = &row->host;

    row->lat = lat;
    lat_queue_init(&row->ops, lat, row, LAT_HOST_INFLIGHT);
    h->id = xstrdup(id);
    h->friendly_name = xstrdup("");
    h->hostname = xstrdup("");
    h->version = xstrdup("");
    h->labels = map_new(free);
    h->state_since_ns = time_now_ns();
    h->cpu_percent = -1;
    h->memory_total = h->memory_free = -1;
    map_set(lat->hosts, id, row);
    return row;
}

void lat_row_changed(struct lat_row *row)
{
    row->changed = true;
    lat_flush_soon(row->lat);
}

/* Calls to the user */

static void destroy(struct lattice *lat);

void lat_enter(struct lattice *lat)
{
    lat->depth++;
}

bool lat_leave(struct lattice *lat)
{
    lat->depth--;
    return !lat->closed;
}

static void on_flush(void *arg)
{
    struct lattice *lat = arg;
    _cleanup_strv_ char **ids = strv_new();

    lat->flush = NULL;
    /* By id: a callback may forget hosts. */
    for (struct map_iter it = {0}; map_next(lat->hosts, &it);)
        if (((struct lat_row *)it.value)->changed)
            strv_push(&ids, it.key);
    for (char **id = ids; *id; id++) {
        struct lat_row *row = lat_row_get(lat, *id);
        if (!row || !row->changed)
            continue;
        row->changed = false;
        if (!lat->options.host_changed)
            continue;
        lat_enter(lat);
        lat->options.host_changed(lat->options.arg, &row->host);
        if (!lat_leave(lat))
            return;
    }
    if (lat->synced_due) {
        lat->synced_due = false;
        lat_enter(lat);
        if (lat->options.synced)
            lat->options.synced(lat->options.arg);
        if (!lat_leave(lat))
            return;
    }
    if (lat->store_changed_due) {
        lat->store_changed_due = false;
        lat_enter(lat);
        if (lat->options.store_changed)
            lat->options.store_changed(lat->options.arg);
        if (!lat_leave(lat))
            return;
    }
    lat_ops_flush(lat);
}

void lat_flush_soon(struct lattice *lat)
{
    if (!lat->flush && !lat->closed)
        lat->flush = loop_defer(lat->loop, on_flush, lat);
}

/* Connection */

void lat_front_connection(struct lattice *lat, bool connected, const struct err *err)
{
    if (connected == lat->connected && connected)
        return;
    bool was = lat->connected;
    lat->connected = connected;
    xstr_replace(&lat->down_reason, connected ? NULL : err_text(err));
    if (connected) {
        lat_health_connected(lat);
        lat_hearing_connected(lat);
    } else if (was) {
        lat_hearing_disconnected(lat);
        lat_health_disconnected(lat);
    }
    if (!lat->options.connection)
        return;
    lat_enter(lat);
    lat->options.connection(lat->options.arg, connected, err);
    lat_leave(lat);
}

static void on_bus_state(void *arg, bool connected, const struct err *err)
{
    lat_front_connection(arg, connected, err);
}

/* Open and close */

static const struct lat_driver_ops *driver_find(const char *name, struct err **err)
{
    _cleanup_strv_ char **names = strv_new();

    for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
        if (name && streq(drivers[i]->name, name))
            return drivers[i];
        strv_push(&names, drivers[i]->name);
    }
    _cleanup_free_ char *known = strv_join(names, ", ");
    err_set(err, ERR_UNSUPPORTED, "lattice driver \"%s\" is not known here (known: %s)", name ? name : "",
            known);
    return NULL;
}

int lat_open(struct loop *l, const struct lat_options *o, struct lattice **ret, struct err **err)
{
    const struct lat_driver_ops *ops = driver_find(o->driver, err);

    if (!ops)
        return ERR_UNSUPPORTED;
    struct lattice *lat = xcalloc(1, sizeof(*lat));
    lat->loop = l;
    lat->options = *o;
    if (lat->options.probe_interval_ms <= 0)
        lat->options.probe_interval_ms = PROBE_INTERVAL_MS;
    if (lat->options.unreachable_after_ms <= 0)
        lat->options.unreachable_after_ms = UNREACHABLE_AFTER_MS;
    lat->name = xstrdup(o->name ? o->name : "");
    lat->id = xstrdup(str_empty(o->id) ? "default" : o->id);
    lat->control_prefix = xstrdup(str_empty(o->control_prefix) ? "wasmbus.ctl" : o->control_prefix);
    lat->options.name = lat->name;
    lat->options.id = lat->id;
    lat->options.control_prefix = lat->control_prefix;
    lat->ops = ops;
    lat->hosts = map_new(row_free);
    lat->rtt_us = -1;
    lat->down_reason = xstrdup("still connecting");
    lat_queue_init(&lat->wide, lat, NULL, WIDE_INFLIGHT);

    int r = 0;
    if (ops->uses_bus) {
        struct bus_options bus = o->bus;
        bus.state = on_bus_state;
        bus.arg = lat;
        r = bus_new(l, &bus, &lat->bus, err);
    }
    if (r == 0)
        r = ops->open(lat, l, lat->bus, &lat->options, &lat->driver, err);
    /* Borrowed from the caller; not valid after this call. */
    memset(&lat->options.bus, 0, sizeof(lat->options.bus));
    lat->options.js_domain = NULL;
    if (r < 0) {
        destroy(lat);
        return r;
    }
    *ret = lat;
    return 0;
}

static void destroy(struct lattice *lat)
{
    loop_defer_cancel(lat->flush);
    lat_hearing_close(lat);
    if (lat->names)
        lat->ops->cancel(TAKE_PTR(lat->names));
    lat_health_close(lat);
    lat_ops_close(lat);
    map_free(lat->hosts);
    lat_queue_release(&lat->wide);
    if (lat->driver)
        lat->ops->close(lat->driver);
    bus_free(lat->bus);
    free(lat->name);
    free(lat->id);
    free(lat->control_prefix);
    free(lat->down_reason);
    free(lat->store_why);
    free(lat);
}

static void on_destroy(void *arg)
{
    destroy(arg);
}

void lat_close(struct lattice *lat)
{
    if (!lat || lat->closed)
        return;
    lat->closed = true;
    lat->options.connection = NULL;
    lat->options.synced = NULL;
    lat->options.host_changed = NULL;
    lat->options.event = NULL;
    lat->options.observe = NULL;
    lat->options.store_changed = NULL;
    if (lat->depth) {
        loop_defer_cancel(TAKE_PTR(lat->flush));
        loop_defer(lat->loop, on_destroy, lat);
    } else {
        destroy(lat);
    }
}

bool lat_connected(const struct lattice *lat)
{
    return lat->connected;
}

bool lat_synced(const struct lattice *lat)
{
    return lat->phase == LAT_SYNCED && !lat->synced_due;
}

const char *lat_server(const struct lattice *lat)
{
    return lat->bus ? bus_server(lat->bus) : "";
}

int64_t lat_rtt_us(const struct lattice *lat)
{
    return lat->connected ? lat->rtt_us : -1;
}

const char *lat_driver_name(const struct lattice *lat)
{
    return lat->ops->name;
}

uint64_t lat_requests(const struct lattice *lat)
{
    return lat->bus ? bus_requests(lat->bus) : 0;
}

uint64_t lat_dropped(const struct lattice *lat)
{
    return lat->bus ? bus_dropped(lat->bus) : 0;
}

const struct lat_host *lat_host_get(const struct lattice *lat, const char *id)
{
    struct lat_row *row = lat_row_get(lat, id);

    return row ? &row->host : NULL;
}

bool lat_host_next(const struct lattice *lat, struct map_iter *it)
{
    return map_next(lat->hosts, it);
}

size_t lat_host_count(const struct lattice *lat)
{
    return map_len(lat->hosts);
}

void lat_host_forget(struct lattice *lat, const char *id)
{
    struct lat_row *row = lat_row_get(lat, id);

    if (row && lat_host_dead(row->host.state)) {
        lat_queue_fail(&row->ops, false, ERR_UNAVAILABLE, "host %s was dropped", id);
        map_del(lat->hosts, id);
    }
}

static void on_names(void *arg, char *const *names, const struct err *err)
{
    struct lattice *lat = arg;

    lat->names = NULL;
    lat_enter(lat);
    lat->names_fn(lat->names_arg, names, err);
    lat_leave(lat);
}

bool lat_config_names(struct lattice *lat, const char *prefix, lat_names_fn fn, void *arg)
{
    if (lat->names || lat->closed || !lat->connected || !lat->ops->config_names)
        return false;
    lat->names_fn = fn;
    lat->names_arg = arg;
    lat->names = lat->ops->config_names(lat->driver, prefix, on_names, lat);
    return true;
}

void lat_config_forget(struct lattice *lat, const char *name)
{
    if (lat->connected && lat->ops->config_forget)
        lat->ops->config_forget(lat->driver, name);
}

struct lat_mem *lat_mem_of(struct lattice *lat)
{
    return lat->ops == &lat_driver_mem ? (struct lat_mem *)lat->driver : NULL;
}

/* From the driver */

static bool maps_same(const struct map *a, const struct map *b)
{
    if (map_len(a) != map_len(b))
        return false;
    for (struct map_iter it = {0}; map_next(a, &it);)
        if (!streq_null(it.value, map_get(b, it.key)))
            return false;
    return true;
}

static bool replace(char **at, const char *value)
{
    if (!value || streq(*at, value))
        return false;
    xstr_replace(at, value);
    return true;
}

static void forget_what_ran(struct lat_row *row)
{
    lat_queue_fail(&row->ops, false, ERR_UNAVAILABLE, "host %s has restarted", row->host.id);
    inventory_clear(&row->host);
    lat_row_changed(row);
    lat_hearing_restarted(row);
    lat_health_restarted(row);
}

void lat_front_seen(struct lattice *lat, const char *host, const char *friendly_name, const char *version,
                    struct map *labels, int64_t uptime_s)
{
    _cleanup_map_ struct map *taken = labels;
    struct lat_row *row = lat_row_get(lat, host);
    bool fresh = !row;

    if (lat->closed || str_empty(host) || strlen(host) > ID_MAX)
        return;
    if (fresh && map_len(lat->hosts) >= HOSTS_MAX)
        return;
    if (fresh)
        row = row_new(lat, host);
    struct lat_host *h = &row->host;
    bool changed = fresh;
    changed |= replace(&h->friendly_name, friendly_name);
    changed |= replace(&h->version, version);
    if (taken && !maps_same(taken, h->labels)) {
        map_free(h->labels);
        h->labels = TAKE_PTR(taken);
        changed = true;
    }
    if (uptime_s >= 0) {
        if (!fresh && uptime_s + RESTART_SLACK_S < h->uptime_s)
            forget_what_ran(row);
        h->uptime_s = uptime_s;
    }
    if (changed)
        lat_row_changed(row);
    lat_health_seen(row, fresh);
}

void lat_front_started(struct lattice *lat, const char *host)
{
    struct lat_row *row = lat_row_get(lat, host);

    if (row && row->host.has_inventory)
        forget_what_ran(row);
}

static bool component_same(const struct lat_component *a, const struct lat_component *b)
{
    return streq(a->id, b->id) && streq(a->image, b->image) && streq_null(a->name, b->name) &&
           a->count == b->count && maps_same(a->annotations, b->annotations);
}

static bool provider_same(const struct lat_provider *a, const struct lat_provider *b)
{
    return streq(a->id, b->id) && streq(a->image, b->image) && streq_null(a->name, b->name) &&
           maps_same(a->annotations, b->annotations);
}

/* The same things, in whatever order (hosts keep them in hash maps). */
static bool inventory_same(const struct lat_host *h, const struct lat_component *components,
                           size_t ncomponents, const struct lat_provider *providers, size_t nproviders)
{
    if (!h->has_inventory || ncomponents != h->ncomponents || nproviders != h->nproviders)
        return false;
    for (size_t i = 0; i < ncomponents; i++) {
        const struct lat_component *old = &h->components[i];
        if (!streq(old->id, components[i].id))
            old = lat_host_component(h, components[i].id);
        if (!old || !component_same(old, &components[i]))
            return false;
    }
    for (size_t i = 0; i < nproviders; i++) {
        const struct lat_provider *old = lat_host_provider(h, providers[i].id);
        if (!old || !provider_same(old, &providers[i]))
            return false;
    }
    return true;
}

void lat_front_inventory(struct lattice *lat, const char *host, struct lat_component *components,
                         size_t ncomponents, struct lat_provider *providers, size_t nproviders)
{
    struct lat_row *row = lat_row_get(lat, host);

    if (!row || lat->closed || inventory_same(&row->host, components, ncomponents, providers, nproviders)) {
        components_free(components, ncomponents);
        providers_free(providers, nproviders);
    } else {
        struct lat_host *h = &row->host;
        /* Inventories do not tell of health: what was known stays. */
        for (size_t i = 0; i < nproviders; i++) {
            const struct lat_provider *old = lat_host_provider(h, providers[i].id);
            providers[i].healthy = !old || old->healthy;
        }
        inventory_clear(h);
        h->components = components;
        h->ncomponents = ncomponents;
        h->providers = providers;
        h->nproviders = nproviders;
        h->has_inventory = true;
        lat_row_changed(row);
    }
    if (row && !lat->closed)
        lat_health_inventory(row);
}

void lat_front_stopped(struct lattice *lat, const char *host)
{
    struct lat_row *row = lat_row_get(lat, host);

    if (!row || lat->closed)
        return;
    lat_hearing_restarted(row);
    lat_health_stopped(row);
}

void lat_front_component(struct lattice *lat, const char *host, const char *id, const char *image,
                         uint32_t count, struct map *annotations)
{
    _cleanup_map_ struct map *taken = annotations;
    struct lat_row *row = lat_row_get(lat, host);

    /* Without the first inventory there is nothing to amend. */
    if (!row || !row->host.has_inventory || lat->closed)
        return;
    struct lat_host *h = &row->host;
    struct lat_component *c = (struct lat_component *)lat_host_component(h, id);
    if (!count) {
        if (!c)
            return;
        component_release(c);
        *c = h->components[--h->ncomponents];
        lat_row_changed(row);
        return;
    }
    bool changed = !c;
    if (!c) {
        h->components = xreallocarray(h->components, h->ncomponents + 1, sizeof(*c));
        c = &h->components[h->ncomponents++];
        *c = (struct lat_component){.id = xstrdup(id), .image = xstrdup(""), .annotations = map_new(free)};
    }
    changed |= replace(&c->image, image);
    changed |= c->count != count;
    c->count = count;
    if (taken && !maps_same(taken, c->annotations)) {
        map_free(c->annotations);
        c->annotations = TAKE_PTR(taken);
        changed = true;
    }
    if (changed)
        lat_row_changed(row);
}

void lat_front_provider(struct lattice *lat, const char *host, const char *id, const char *image,
                        bool running, struct map *annotations)
{
    _cleanup_map_ struct map *taken = annotations;
    struct lat_row *row = lat_row_get(lat, host);

    if (!row || !row->host.has_inventory || lat->closed)
        return;
    struct lat_host *h = &row->host;
    struct lat_provider *p = (struct lat_provider *)lat_host_provider(h, id);
    if (!running) {
        if (!p)
            return;
        provider_release(p);
        *p = h->providers[--h->nproviders];
        lat_row_changed(row);
        return;
    }
    bool changed = !p;
    if (!p) {
        h->providers = xreallocarray(h->providers, h->nproviders + 1, sizeof(*p));
        p = &h->providers[h->nproviders++];
        *p = (struct lat_provider){
            .id = xstrdup(id), .image = xstrdup(""), .annotations = map_new(free), .healthy = true};
    }
    changed |= replace(&p->image, image);
    if (taken && !maps_same(taken, p->annotations)) {
        map_free(p->annotations);
        p->annotations = TAKE_PTR(taken);
        changed = true;
    }
    if (changed)
        lat_row_changed(row);
}

void lat_front_provider_health(struct lattice *lat, const char *host, const char *id, bool healthy)
{
    struct lat_row *row = lat_row_get(lat, host);

    if (!row || lat->closed)
        return;
    struct lat_provider *p = (struct lat_provider *)lat_host_provider(&row->host, id);
    if (p && p->healthy != healthy) {
        p->healthy = healthy;
        lat_row_changed(row);
    }
}

void lat_front_event(struct lattice *lat, const struct lat_event *e)
{
    if (!lat->options.event)
        return;
    lat_enter(lat);
    lat->options.event(lat->options.arg, e);
    lat_leave(lat);
}
