#include "lattice/driver_mem.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "lattice/driver.h"

struct mem_host {
    char *id;
    struct map *labels;
    struct map *components; /* id -> struct mem_item */
    struct map *providers;
    enum lat_mem_fault fault;
    bool deaf;
    int64_t started_ms;
};

/* A component or provider. */
struct mem_item {
    char *image;
    uint32_t count;
    struct map *annotations;
};

enum mem_kind {
    MEM_DISCOVER,
    MEM_PROBE,
    MEM_SET,
    MEM_STOP,
    MEM_PROVIDER_START,
    MEM_PROVIDER_STOP,
    MEM_HOST_STOP,
    MEM_CALL,
    MEM_HEARING,
    MEM_LINKS
};

/* A request on its way. It goes on after the front has lost interest (done NULL): what was sent was sent. */
struct lat_driver_op {
    struct lat_mem *m;
    struct lat_driver_op *prev, *next;
    enum mem_kind kind;
    char *host, *id, *image;
    uint32_t count;
    struct map *annotations;
    struct loop_timer *timer;
    bool waiting; /* at a frozen host */
    lat_driver_done_fn done;
    lat_links_fn links_done;
    void *arg;
    struct err *err;
};

struct lat_mem {
    struct lattice *front;
    struct loop *loop;
    struct loop_defer *connect;
    struct map *hosts, *failing, *calls, *configs;
    struct lat_link *links;
    size_t nlinks;
    struct lat_driver_op *ops;
    int64_t delay_ms;
    bool down, store_down;
};

static struct lat_mem *mem_of(struct lat_driver *d)
{
    return (struct lat_mem *)d;
}

static void item_free(void *p)
{
    struct mem_item *item = p;

    free(item->image);
    map_free(item->annotations);
    free(item);
}

static void host_free(void *p)
{
    struct mem_host *h = p;

    free(h->id);
    map_free(h->labels);
    map_free(h->components);
    map_free(h->providers);
    free(h);
}

static struct map *map_copy(const struct map *m)
{
    struct map *copy = map_new(free);

    for (struct map_iter it = {0}; map_next(m, &it);)
        map_set(copy, it.key, xstrdup_null(it.value));
    return copy;
}

/* Requests */

static void op_free(struct lat_driver_op *op)
{
    if (op->prev)
        op->prev->next = op->next;
    else
        op->m->ops = op->next;
    if (op->next)
        op->next->prev = op->prev;
    loop_timer_free(op->timer);
    free(op->host);
    free(op->id);
    free(op->image);
    map_free(op->annotations);
    err_free(op->err);
    free(op);
}

/* Takes e. */
static void op_end(struct lat_driver_op *op, struct err *e)
{
    _cleanup_err_ struct err *owned = e;
    lat_driver_done_fn done = op->done;
    void *arg = op->arg;

    op_free(op);
    if (done)
        done(arg, owned);
}

static struct err *error(int code, const char *text)
{
    struct err *e = NULL;

    err_set(&e, code, "%s", text);
    return e;
}

static void tell(struct lat_mem *m, enum lat_event_kind kind, const char *host, const char *subject,
                 const char *image, const char *text, uint32_t count)
{
    struct lat_event e = {
        .kind = kind,
        .time_ns = time_now_ns(),
        .host = host,
        .subject = subject ? subject : "",
        .image = image ? image : "",
        .error = text ? text : "",
        .count = count,
    };

    lat_front_event(m->front, &e);
}

static void see(struct lat_mem *m, struct mem_host *h)
{
    lat_front_seen(m->front, h->id, h->id, "memory", map_copy(h->labels),
                   (loop_now_ms(m->loop) - h->started_ms) / 1000);
}

static void show_inventory(struct lat_mem *m, struct mem_host *h)
{
    size_t nc = 0, np = 0;
    struct lat_component *components = xcalloc(map_len(h->components) + 1, sizeof(*components));
    struct lat_provider *providers = xcalloc(map_len(h->providers) + 1, sizeof(*providers));

    for (struct map_iter it = {0}; map_next(h->components, &it);) {
        struct mem_item *item = it.value;
        components[nc++] = (struct lat_component){
            .id = xstrdup(it.key),
            .image = xstrdup(item->image),
            .count = item->count,
            .annotations = map_copy(item->annotations),
        };
    }
    for (struct map_iter it = {0}; map_next(h->providers, &it);) {
        struct mem_item *item = it.value;
        providers[np++] = (struct lat_provider){
            .id = xstrdup(it.key),
            .image = xstrdup(item->image),
            .annotations = map_copy(item->annotations),
            .healthy = true,
        };
    }
    see(m, h);
    lat_front_inventory(m->front, h->id, components, nc, providers, np);
}

static struct mem_item *item_put(struct map *items, const struct lat_driver_op *op)
{
    struct mem_item *item = map_get(items, op->id);

    if (!item) {
        item = xcalloc(1, sizeof(*item));
        map_set(items, op->id, item);
    }
    xstr_replace(&item->image, op->image);
    item->count = op->count;
    map_free(item->annotations);
    item->annotations = map_copy(op->annotations);
    return item;
}

/* The host acts. Returns the error the asker gets. */
static struct err *host_act(struct lat_mem *m, struct mem_host *h, const struct lat_driver_op *op)
{
    const char *text = op->image ? map_get(m->failing, op->image) : NULL;

    see(m, h);
    switch (op->kind) {
    case MEM_SET:
        if (text) {
            tell(m, LAT_EVENT_COMPONENT_FAILED, h->id, op->id, op->image, text, op->count);
            return error(ERR_FAILED, text);
        }
        item_put(h->components, op);
        lat_front_component(m->front, h->id, op->id, op->image, op->count, map_copy(op->annotations));
        tell(m, LAT_EVENT_COMPONENT_SCALED, h->id, op->id, op->image, NULL, op->count);
        break;
    case MEM_STOP:
        map_del(h->components, op->id);
        lat_front_component(m->front, h->id, op->id, NULL, 0, NULL);
        tell(m, LAT_EVENT_COMPONENT_SCALED, h->id, op->id, NULL, NULL, 0);
        break;
    case MEM_PROVIDER_START:
        if (text) {
            tell(m, LAT_EVENT_PROVIDER_FAILED, h->id, op->id, op->image, text, 0);
            return error(ERR_FAILED, text);
        }
        item_put(h->providers, op);
        lat_front_provider(m->front, h->id, op->id, op->image, true, map_copy(op->annotations));
        tell(m, LAT_EVENT_PROVIDER_STARTED, h->id, op->id, op->image, NULL, 0);
        break;
    case MEM_PROVIDER_STOP:
        map_del(h->providers, op->id);
        lat_front_provider(m->front, h->id, op->id, NULL, false, NULL);
        tell(m, LAT_EVENT_PROVIDER_STOPPED, h->id, op->id, NULL, NULL, 0);
        break;
    case MEM_HOST_STOP:
        map_clear(h->components);
        map_clear(h->providers);
        h->fault = LAT_MEM_KILLED;
        lat_front_stopped(m->front, h->id);
        tell(m, LAT_EVENT_HOST_STOPPED, h->id, NULL, NULL, NULL, 0);
        break;
    default:
        break;
    }
    return NULL;
}

static void on_timer(void *arg)
{
    struct lat_driver_op *op = arg;
    struct lat_mem *m = op->m;
    struct mem_host *h = op->host ? map_get(m->hosts, op->host) : NULL;

    if (op->kind == MEM_DISCOVER || op->kind == MEM_CALL) {
        op_end(op, TAKE_PTR(op->err));
        return;
    }
    if (op->kind == MEM_HEARING) {
        for (struct map_iter it = {0}; !m->store_down && map_next(m->hosts, &it);)
            lat_front_hearing(m->front, it.key, !((struct mem_host *)it.value)->deaf);
        op_end(op, m->store_down ? error(ERR_UNAVAILABLE, "the store is away") : NULL);
        return;
    }
    if (op->kind == MEM_LINKS) {
        lat_links_fn fn = op->links_done;
        void *fn_arg = op->arg;
        op_free(op);
        if (fn)
            fn(fn_arg, m->links, m->nlinks, NULL);
        return;
    }
    if (!h || h->fault == LAT_MEM_KILLED) {
        op_end(op, op->kind == MEM_PROBE
                       ? error(ERR_NOT_FOUND, "nobody serves the host")
                       : error(ERR_UNAVAILABLE, "the host does not serve requests any more"));
        return;
    }
    if (h->fault == LAT_MEM_FROZEN) {
        if (op->kind == MEM_PROBE)
            op_end(op, error(ERR_TIMEOUT, "no answer in time"));
        else
            op->waiting = true;
        return;
    }
    if (op->kind == MEM_PROBE) {
        op_end(op, NULL);
        show_inventory(m, h);
        return;
    }
    /* The host's events may end the lattice's interest in the operation, and with it op. */
    op->waiting = true;
    struct err *e = host_act(m, h, op);
    if (op->kind == MEM_HOST_STOP)
        op->done = NULL; /* told by the front */
    op_end(op, e);
}

static void count_call(struct lat_mem *m, const char *name)
{
    uint64_t *n = map_get(m->calls, name);

    if (!n) {
        n = xcalloc(1, sizeof(*n));
        map_set(m->calls, name, n);
    }
    ++*n;
}

static struct lat_driver_op *op_new(struct lat_mem *m, enum mem_kind kind, const char *name, const char *host,
                                    const char *id, int64_t after_ms, lat_driver_done_fn done, void *arg)
{
    struct lat_driver_op *op = xcalloc(1, sizeof(*op));

    *op = (struct lat_driver_op){.m = m, .kind = kind, .done = done, .arg = arg};
    op->host = xstrdup_null(host);
    op->id = xstrdup_null(id);
    op->next = m->ops;
    if (op->next)
        op->next->prev = op;
    m->ops = op;
    op->timer = loop_timer_new(m->loop, on_timer, op);
    loop_timer_start(op->timer, after_ms);
    count_call(m, name);
    return op;
}

static void mem_cancel(struct lat_driver_op *op)
{
    bool goes_on = op->kind == MEM_SET || op->kind == MEM_STOP || op->kind == MEM_PROVIDER_START ||
                   op->kind == MEM_PROVIDER_STOP || op->kind == MEM_HOST_STOP;

    op->done = NULL;
    op->links_done = NULL;
    if (!goes_on)
        op_free(op);
}

/* Slots */

static void on_first_turn(void *arg)
{
    struct lat_mem *m = arg;

    m->connect = NULL;
    if (!m->down)
        lat_front_connection(m->front, true, NULL);
}

static int mem_open(struct lattice *front, struct loop *l, struct bus *bus, const struct lat_options *options,
                    struct lat_driver **ret, struct err **err)
{
    struct lat_mem *m = xcalloc(1, sizeof(*m));

    (void)bus;
    (void)options;
    (void)err;
    m->front = front;
    m->loop = l;
    m->hosts = map_new(host_free);
    m->failing = map_new(free);
    m->calls = map_new(free);
    m->configs = map_new((map_free_fn)map_free);
    m->connect = loop_defer(l, on_first_turn, m);
    *ret = (struct lat_driver *)m;
    return 0;
}

static void mem_close(struct lat_driver *d)
{
    struct lat_mem *m = mem_of(d);

    loop_defer_cancel(m->connect);
    while (m->ops)
        op_free(m->ops);
    for (size_t i = 0; i < m->nlinks; i++)
        lat_link_release(&m->links[i]);
    free(m->links);
    map_free(m->hosts);
    map_free(m->failing);
    map_free(m->calls);
    map_free(m->configs);
    free(m);
}

static struct lat_driver_op *mem_discover(struct lat_driver *d, int64_t window_ms, lat_driver_done_fn done,
                                          void *arg)
{
    struct lat_mem *m = mem_of(d);
    bool any = false;

    struct lat_driver_op *op = op_new(m, MEM_DISCOVER, "discover", NULL, NULL, window_ms, done, arg);
    for (struct map_iter it = {0}; map_next(m->hosts, &it);) {
        struct mem_host *h = it.value;
        any |= h->fault != LAT_MEM_KILLED;
        if (h->fault == LAT_MEM_OK)
            see(m, h);
    }
    if (!any) {
        op->err = error(ERR_NOT_FOUND, "no host");
        loop_timer_start(op->timer, 0);
    }
    return op;
}

static struct lat_driver_op *mem_probe(struct lat_driver *d, const char *host, int64_t timeout_ms,
                                       lat_driver_done_fn done, void *arg)
{
    struct lat_mem *m = mem_of(d);
    struct mem_host *h = map_get(m->hosts, host);
    bool silent = h && h->fault == LAT_MEM_FROZEN;

    return op_new(m, MEM_PROBE, "probe", host, NULL, silent ? timeout_ms : 0, done, arg);
}

static struct lat_driver_op *mem_component_set(struct lat_driver *d, const struct lat_component_spec *s,
                                               lat_driver_done_fn done, void *arg)
{
    struct lat_mem *m = mem_of(d);
    struct lat_driver_op *op = op_new(m, MEM_SET, "component_set", s->host, s->id, m->delay_ms, done, arg);

    op->image = xstrdup(s->image);
    op->count = s->count;
    op->annotations = map_copy(s->annotations);
    return op;
}

static struct lat_driver_op *mem_component_stop(struct lat_driver *d, const char *host, const char *id,
                                                lat_driver_done_fn done, void *arg)
{
    return op_new(mem_of(d), MEM_STOP, "component_stop", host, id, 0, done, arg);
}

static struct lat_driver_op *mem_provider_start(struct lat_driver *d, const struct lat_provider_spec *s,
                                                lat_driver_done_fn done, void *arg)
{
    struct lat_mem *m = mem_of(d);
    struct lat_driver_op *op =
        op_new(m, MEM_PROVIDER_START, "provider_start", s->host, s->id, m->delay_ms, done, arg);

    op->image = xstrdup(s->image);
    op->annotations = map_copy(s->annotations);
    return op;
}

static struct lat_driver_op *mem_provider_stop(struct lat_driver *d, const char *host, const char *id,
                                               lat_driver_done_fn done, void *arg)
{
    return op_new(mem_of(d), MEM_PROVIDER_STOP, "provider_stop", host, id, 0, done, arg);
}

static struct lat_driver_op *mem_host_stop(struct lat_driver *d, const char *host, int64_t timeout_ms,
                                           lat_driver_done_fn done, void *arg)
{
    (void)timeout_ms;
    return op_new(mem_of(d), MEM_HOST_STOP, "host_stop", host, NULL, 0, done, arg);
}

static struct lat_driver_op *mem_config_put(struct lat_driver *d, const char *name, const struct map *values,
                                            lat_driver_done_fn done, void *arg)
{
    struct lat_mem *m = mem_of(d);

    map_set(m->configs, name, map_copy(values));
    return op_new(m, MEM_CALL, "config_put", NULL, NULL, 0, done, arg);
}

static struct lat_driver_op *mem_config_del(struct lat_driver *d, const char *name, lat_driver_done_fn done,
                                            void *arg)
{
    struct lat_mem *m = mem_of(d);

    map_del(m->configs, name);
    return op_new(m, MEM_CALL, "config_del", NULL, NULL, 0, done, arg);
}

static char **list_copy(char *const *v)
{
    return v ? strv_copy(v) : strv_new();
}

static size_t link_index(const struct lat_mem *m, const struct lat_link *l)
{
    const char *name = str_empty(l->name) ? "default" : l->name;
    size_t i = 0;

    while (i < m->nlinks && !(streq(m->links[i].source, l->source) && streq(m->links[i].name, name) &&
                              streq(m->links[i].wit_namespace, l->wit_namespace) &&
                              streq(m->links[i].wit_package, l->wit_package)))
        i++;
    return i;
}

static struct lat_driver_op *mem_link_put(struct lat_driver *d, const struct lat_link *l,
                                          lat_driver_done_fn done, void *arg)
{
    struct lat_mem *m = mem_of(d);
    size_t i = link_index(m, l);

    if (i == m->nlinks)
        m->links = xreallocarray(m->links, ++m->nlinks, sizeof(*m->links));
    else
        lat_link_release(&m->links[i]);
    m->links[i] = (struct lat_link){
        .source = xstrdup(l->source),
        .target = xstrdup_null(l->target),
        .name = xstrdup(str_empty(l->name) ? "default" : l->name),
        .wit_namespace = xstrdup(l->wit_namespace),
        .wit_package = xstrdup(l->wit_package),
        .interfaces = list_copy(l->interfaces),
        .source_config = list_copy(l->source_config),
        .target_config = list_copy(l->target_config),
    };
    return op_new(m, MEM_CALL, "link_put", NULL, NULL, 0, done, arg);
}

static struct lat_driver_op *mem_link_del(struct lat_driver *d, const struct lat_link *l,
                                          lat_driver_done_fn done, void *arg)
{
    struct lat_mem *m = mem_of(d);
    size_t i = link_index(m, l);

    if (i < m->nlinks) {
        lat_link_release(&m->links[i]);
        memmove(&m->links[i], &m->links[i + 1], (m->nlinks - i - 1) * sizeof(*m->links));
        m->nlinks--;
    }
    return op_new(m, MEM_CALL, "link_del", NULL, NULL, 0, done, arg);
}

static struct lat_driver_op *mem_links(struct lat_driver *d, lat_links_fn done, void *arg)
{
    struct lat_driver_op *op = op_new(mem_of(d), MEM_LINKS, "links", NULL, NULL, 0, NULL, arg);

    op->links_done = done;
    return op;
}

static struct lat_driver_op *mem_registry_put(struct lat_driver *d, const struct lat_credential *c,
                                              lat_driver_done_fn done, void *arg)
{
    (void)c;
    return op_new(mem_of(d), MEM_CALL, "registry_put", NULL, NULL, 0, done, arg);
}

static struct lat_driver_op *mem_hearing(struct lat_driver *d, bool anew _unused_, lat_driver_done_fn done,
                                         void *arg)
{
    return op_new(mem_of(d), MEM_HEARING, "hearing", NULL, NULL, 0, done, arg);
}

const struct lat_driver_ops lat_driver_mem = {
    .name = "memory",
    .open = mem_open,
    .close = mem_close,
    .discover = mem_discover,
    .probe = mem_probe,
    .component_set = mem_component_set,
    .component_stop = mem_component_stop,
    .provider_start = mem_provider_start,
    .provider_stop = mem_provider_stop,
    .config_put = mem_config_put,
    .config_del = mem_config_del,
    .link_put = mem_link_put,
    .link_del = mem_link_del,
    .links = mem_links,
    .registry_put = mem_registry_put,
    .host_stop = mem_host_stop,
    .hearing = mem_hearing,
    .cancel = mem_cancel,
};

/* For tests */

void lat_mem_host_add(struct lat_mem *m, const char *id, const char *const *labels)
{
    struct mem_host *h = map_get(m->hosts, id);
    bool again = h != NULL;

    if (!h) {
        h = xcalloc(1, sizeof(*h));
        h->id = xstrdup(id);
        h->labels = map_new(free);
        h->components = map_new(item_free);
        h->providers = map_new(item_free);
        map_set(m->hosts, id, h);
    }
    for (; labels && *labels; labels++) {
        const char *eq = strchr(*labels, '=');
        _cleanup_free_ char *key = eq ? xstrndup(*labels, (size_t)(eq - *labels)) : xstrdup(*labels);
        map_set(h->labels, key, xstrdup(eq ? eq + 1 : ""));
    }
    /* A host that was there before comes back empty, as real ones do. */
    map_clear(h->components);
    map_clear(h->providers);
    h->fault = LAT_MEM_OK;
    h->deaf = false;
    h->started_ms = loop_now_ms(m->loop);
    if (m->down || !lat_connected(m->front))
        return;
    see(m, h);
    if (again)
        lat_front_started(m->front, id);
    tell(m, LAT_EVENT_HOST_STARTED, id, NULL, NULL, NULL, 0);
}

void lat_mem_host_fault(struct lat_mem *m, const char *id, enum lat_mem_fault f)
{
    struct mem_host *h = map_get(m->hosts, id);

    if (!h)
        return;
    enum lat_mem_fault was = h->fault;
    h->fault = f;
    if (f == LAT_MEM_KILLED) {
        map_clear(h->components);
        map_clear(h->providers);
        h->started_ms = loop_now_ms(m->loop);
    }
    if (was != LAT_MEM_FROZEN)
        return;
    for (struct lat_driver_op *op = m->ops; op; op = op->next)
        if (op->waiting && op->host && streq(op->host, id)) {
            op->waiting = false;
            loop_timer_start(op->timer, 0);
        }
}

void lat_mem_disconnect(struct lat_mem *m, bool down)
{
    _cleanup_err_ struct err *e = NULL;

    if (m->down == down)
        return;
    m->down = down;
    if (m->connect)
        return; /* the first turn will see */
    err_set(&e, ERR_UNAVAILABLE, "the memory lattice was taken away");
    lat_front_connection(m->front, !down, down ? e : NULL);
}

void lat_mem_host_deaf(struct lat_mem *m, const char *id)
{
    struct mem_host *h = map_get(m->hosts, id);

    if (h)
        h->deaf = true;
}

void lat_mem_store_down(struct lat_mem *m, bool down)
{
    m->store_down = down;
}

void lat_mem_image_fails(struct lat_mem *m, const char *image, const char *text)
{
    if (text)
        map_set(m->failing, image, xstrdup(text));
    else
        map_del(m->failing, image);
}

void lat_mem_set_delay(struct lat_mem *m, int64_t start_ms)
{
    m->delay_ms = start_ms;
}

void lat_mem_component_kill(struct lat_mem *m, const char *host, const char *id)
{
    struct mem_host *h = map_get(m->hosts, host);

    if (!h || !map_del(h->components, id) || m->down || h->fault != LAT_MEM_OK)
        return;
    see(m, h);
    lat_front_component(m->front, host, id, NULL, 0, NULL);
    tell(m, LAT_EVENT_COMPONENT_SCALED, host, id, NULL, NULL, 0);
}

uint64_t lat_mem_calls(const struct lat_mem *m, const char *op)
{
    const uint64_t *n = map_get(m->calls, op);

    return n ? *n : 0;
}
