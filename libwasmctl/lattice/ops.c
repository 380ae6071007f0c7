#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "lattice/front.h"

/*
 * Operations: copied when asked for, held in the line of their host (or of the lattice), given to the driver
 * when their turn comes, and told in a later turn. Nothing new is given to a host that is silent: what waits
 * there must not lengthen the time in which it counts as busy.
 */
enum lat_op_kind {
    OP_COMPONENT_SET,
    OP_COMPONENT_STOP,
    OP_PROVIDER_START,
    OP_PROVIDER_STOP,
    OP_HOST_STOP,
    OP_CONFIG_PUT,
    OP_CONFIG_DEL,
    OP_LINK_PUT,
    OP_LINK_DEL,
    OP_LINKS,
    OP_REGISTRY_PUT,
};

static const struct {
    const char *name, *text; /* "component-set", "start of component" */
    int64_t timeout_ms;
    bool busy; /* may keep the host from answering probes */
} kinds[] = {
    [OP_COMPONENT_SET] = {"component-set", "start of component", LAT_START_TIMEOUT_MS, true},
    [OP_COMPONENT_STOP] = {"component-stop", "stop of component", LAT_STOP_TIMEOUT_MS, true},
    [OP_PROVIDER_START] = {"provider-start", "start of provider", LAT_START_TIMEOUT_MS, true},
    [OP_PROVIDER_STOP] = {"provider-stop", "stop of provider", LAT_STOP_TIMEOUT_MS, true},
    [OP_HOST_STOP] = {"host-stop", "stop of host", LAT_CALL_TIMEOUT_MS, true},
    [OP_CONFIG_PUT] = {"config-put", "writing config", LAT_CALL_TIMEOUT_MS, false},
    [OP_CONFIG_DEL] = {"config-del", "deleting config", LAT_CALL_TIMEOUT_MS, false},
    [OP_LINK_PUT] = {"link-put", "writing a link of", LAT_CALL_TIMEOUT_MS, false},
    [OP_LINK_DEL] = {"link-del", "deleting a link of", LAT_CALL_TIMEOUT_MS, false},
    [OP_LINKS] = {"links", "reading links", LAT_CALL_TIMEOUT_MS, false},
    [OP_REGISTRY_PUT] = {"registry-put", "telling credentials of registry", LAT_CALL_TIMEOUT_MS, false},
};

struct lat_op {
    struct lattice *lat;
    struct lat_queue *queue;        /* NULL once finished */
    struct lat_op *prev, *next;     /* in the queue, or among the finished */
    struct lat_op *before, *behind; /* with the same key */
    enum lat_op_kind kind;
    char *key;
    bool running, finished;
    struct lat_driver_op *driver_op;
    struct loop_timer *deadline;
    int64_t timeout_ms;
    int64_t asked_ms, begun_ms; /* loop clock; begun 0: never */
    struct err *err;
    lat_done_fn done;
    lat_links_fn links_done;
    void *arg;
    struct lat_link *links; /* answer of OP_LINKS */
    size_t nlinks;

    /* What is asked for. */
    char *host, *id, *image;
    char **config;
    struct map *values; /* annotations or config values */
    uint32_t count;
    bool fresh;
    int64_t number; /* memory limit; host_stop: milliseconds */
    struct lat_link link;
    char *user, *password;
    /* The same as drivers want it: they may look at it until the operation is done. */
    struct lat_component_spec component;
    struct lat_provider_spec provider;
    struct lat_credential credential;
};

static void op_free(struct lat_op *op)
{
    loop_timer_free(op->deadline);
    err_free(op->err);
    for (size_t i = 0; i < op->nlinks; i++)
        lat_link_release(&op->links[i]);
    free(op->links);
    free(op->key);
    free(op->host);
    free(op->id);
    free(op->image);
    strv_free(op->config);
    map_free(op->values);
    lat_link_release(&op->link);
    free(op->user);
    if (op->password)
        explicit_bzero(op->password, strlen(op->password));
    free(op->password);
    free(op);
}

void lat_queue_init(struct lat_queue *q, struct lattice *lat, struct lat_row *row, size_t limit)
{
    *q = (struct lat_queue){.lat = lat, .row = row, .limit = limit, .last = map_new(NULL)};
}

/* Takes it out of its line and lets the next with its key come up. */
static void op_unqueue(struct lat_op *op)
{
    struct lat_queue *q = op->queue;

    if (!q)
        return;
    if (op->prev)
        op->prev->next = op->next;
    else
        q->head = op->next;
    if (op->next)
        op->next->prev = op->prev;
    else
        q->tail = op->prev;
    if (op->before)
        op->before->behind = op->behind;
    if (op->behind)
        op->behind->before = op->before;
    else if (op->before)
        map_set(q->last, op->key, op->before);
    else
        map_take(q->last, op->key);
    op->prev = op->next = op->before = op->behind = NULL;
    if (op->running)
        q->running--;
    op->running = false;
    op->queue = NULL;
    loop_timer_free(TAKE_PTR(op->deadline));
}

static void op_cancel_driver(struct lat_op *op)
{
    if (op->driver_op)
        op->lat->ops->cancel(TAKE_PTR(op->driver_op));
}

/* done is called in the next turn. Takes e. */
static void op_finish(struct lat_op *op, struct err *e)
{
    struct lattice *lat = op->lat;
    int64_t now = loop_now_ms(lat->loop);

    if (lat->options.observe)
        lat->options.observe(lat->options.arg, kinds[op->kind].name, e,
                             (op->begun_ms ? op->begun_ms : now) - op->asked_ms,
                             op->begun_ms ? now - op->begun_ms : 0);
    op_unqueue(op);
    op->finished = true;
    op->err = e;
    op->prev = lat->finished_last;
    *(op->prev ? &op->prev->next : &lat->finished) = op;
    lat->finished_last = op;
    lat_flush_soon(lat);
}

static void op_settled(struct lat_op *op, struct err *e)
{
    struct lat_queue *q = op->queue;

    op_finish(op, e);
    lat_queue_pump(q);
    if (q->row)
        lat_health_idle(q->row);
}

static struct err *op_error(const struct lat_op *op, const struct err *err)
{
    struct err *e = err_copy(err);

    /* ERR_FAILED is the host's own text, handed on as it is. */
    if (e && e->code != ERR_FAILED) {
        if (op->host)
            err_wrap(&e, "%s %s on host %s", kinds[op->kind].text, op->id ? op->id : "", op->host);
        else
            err_wrap(&e, "%s %s", kinds[op->kind].text, op->id ? op->id : "");
    }
    return e;
}

static void on_driver_done(void *arg, const struct err *err)
{
    struct lat_op *op = arg;

    op->driver_op = NULL;
    op_settled(op, op_error(op, err));
}

static char **strv_copy_null(char *const *v)
{
    return v ? strv_copy(v) : NULL;
}

static struct lat_link link_copy(const struct lat_link *l)
{
    return (struct lat_link){
        .source = xstrdup_null(l->source),
        .target = xstrdup_null(l->target),
        .name = xstrdup(str_empty(l->name) ? "default" : l->name),
        .wit_namespace = xstrdup_null(l->wit_namespace),
        .wit_package = xstrdup_null(l->wit_package),
        .interfaces = strv_copy_null(l->interfaces),
        .source_config = strv_copy_null(l->source_config),
        .target_config = strv_copy_null(l->target_config),
    };
}

static void on_driver_links(void *arg, const struct lat_link *links, size_t n, const struct err *err)
{
    struct lat_op *op = arg;

    op->driver_op = NULL;
    if (!err && n) {
        op->links = xcalloc(n, sizeof(*op->links));
        for (size_t i = 0; i < n; i++)
            op->links[i] = link_copy(&links[i]);
        op->nlinks = n;
    }
    op_settled(op, op_error(op, err));
}

static void on_deadline(void *arg)
{
    struct lat_op *op = arg;
    struct err *e = NULL, *told;

    op_cancel_driver(op);
    err_set(&e, ERR_TIMEOUT, "no outcome seen within %lld s", (long long)(op->timeout_ms / 1000));
    told = op_error(op, e);
    err_free(e);
    op_settled(op, told);
}

static void op_start(struct lat_op *op)
{
    struct lattice *lat = op->lat;
    const struct lat_driver_ops *d = lat->ops;
    struct lat_driver *drv = lat->driver;

    op->component = (struct lat_component_spec){op->host,   op->id,     op->image,  op->count,
                                                op->config, op->values, op->number, op->fresh};
    op->provider = (struct lat_provider_spec){op->host, op->id, op->image, op->config, op->values};
    op->credential = (struct lat_credential){op->id, op->user, op->password};
    op->running = true;
    op->begun_ms = loop_now_ms(lat->loop);
    op->queue->running++;
    op->deadline = loop_timer_new(lat->loop, on_deadline, op);
    loop_timer_start(op->deadline, op->timeout_ms);

#define CALL(slot, ...)                                                                                      \
    do {                                                                                                     \
        if (d->slot)                                                                                         \
            op->driver_op = d->slot(drv, __VA_ARGS__);                                                       \
    } while (0);                                                                                             \
    break
    switch (op->kind) {
    case OP_COMPONENT_SET:
        CALL(component_set, &op->component, on_driver_done, op);
    case OP_COMPONENT_STOP:
        CALL(component_stop, op->host, op->id, on_driver_done, op);
    case OP_PROVIDER_START:
        CALL(provider_start, &op->provider, on_driver_done, op);
    case OP_PROVIDER_STOP:
        CALL(provider_stop, op->host, op->id, on_driver_done, op);
    case OP_HOST_STOP:
        CALL(host_stop, op->host, op->number, on_driver_done, op);
    case OP_CONFIG_PUT:
        CALL(config_put, op->id, op->values, on_driver_done, op);
    case OP_CONFIG_DEL:
        CALL(config_del, op->id, on_driver_done, op);
    case OP_LINK_PUT:
        CALL(link_put, &op->link, on_driver_done, op);
    case OP_LINK_DEL:
        CALL(link_del, &op->link, on_driver_done, op);
    case OP_LINKS:
        CALL(links, on_driver_links, op);
    case OP_REGISTRY_PUT:
        CALL(registry_put, &op->credential, on_driver_done, op);
    }
#undef CALL
    if (!op->driver_op) {
        struct err *e = NULL;
        err_set(&e, ERR_UNSUPPORTED, "%s: lattice driver %s cannot do that", kinds[op->kind].text, d->name);
        op_finish(op, e);
    }
}

static bool may_run(const struct lat_queue *q)
{
    enum lat_host_state s;

    if (!q->row)
        return true;
    s = q->row->host.state;
    return s == LAT_HOST_READY || s == LAT_HOST_NEW;
}

void lat_queue_pump(struct lat_queue *q)
{
    for (struct lat_op *op = q->head, *next; op && q->running < q->limit && may_run(q); op = next) {
        next = op->next;
        if (!op->running && !op->before)
            op_start(op);
    }
}

bool lat_queue_busy(const struct lat_queue *q)
{
    for (const struct lat_op *op = q->head; op && q->running; op = op->next)
        if (op->running && kinds[op->kind].busy)
            return true;
    return false;
}

void lat_queue_fail(struct lat_queue *q, bool host_ended, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    _cleanup_free_ char *why = xvasprintf(fmt, ap);
    va_end(ap);

    while (q->head) {
        struct lat_op *op = q->head;
        struct err *e = NULL;
        op_cancel_driver(op);
        if (op->kind != OP_HOST_STOP || !host_ended) {
            _cleanup_err_ struct err *reason = NULL;
            err_set(&reason, code, "%s", why);
            e = op_error(op, reason);
        }
        op_finish(op, e);
    }
}

void lat_queue_release(struct lat_queue *q)
{
    while (q->head) {
        struct lat_op *op = q->head;
        op_cancel_driver(op);
        op_unqueue(op);
        op_free(op);
    }
    map_free(TAKE_PTR(q->last));
}

static void finished_remove(struct lat_op *op)
{
    struct lattice *lat = op->lat;

    if (op->prev)
        op->prev->next = op->next;
    else
        lat->finished = op->next;
    if (op->next)
        op->next->prev = op->prev;
    else
        lat->finished_last = op->prev;
}

void lat_ops_flush(struct lattice *lat)
{
    /* What finishes in a callback is told in the turn after. */
    size_t n = 0;
    for (struct lat_op *op = lat->finished; op; op = op->next)
        n++;
    while (n-- && lat->finished) {
        struct lat_op *op = lat->finished;
        finished_remove(op);
        lat_enter(lat);
        if (op->kind == OP_LINKS)
            op->links_done(op->arg, op->links, op->nlinks, op->err);
        else if (op->done)
            op->done(op->arg, op->err);
        bool open = lat_leave(lat);
        op_free(op);
        if (!open)
            return;
    }
    if (lat->finished)
        lat_flush_soon(lat);
}

void lat_ops_close(struct lattice *lat)
{
    while (lat->finished) {
        struct lat_op *op = lat->finished;
        finished_remove(op);
        op_free(op);
    }
}

void lat_op_cancel(struct lat_op *op)
{
    if (!op)
        return;
    if (op->finished) {
        finished_remove(op);
    } else {
        struct lat_queue *q = op->queue;
        op_cancel_driver(op);
        op_unqueue(op);
        lat_queue_pump(q);
        if (q->row)
            lat_health_idle(q->row);
    }
    op_free(op);
}

/* Asking */

static struct map *map_copy(const struct map *m)
{
    struct map *copy = map_new(free);

    for (struct map_iter it = {0}; map_next(m, &it);)
        map_set(copy, it.key, xstrdup_null(it.value));
    return copy;
}

static struct lat_op *op_new(struct lattice *lat, enum lat_op_kind kind, const char *host, const char *id,
                             lat_done_fn done, void *arg)
{
    struct lat_op *op = xcalloc(1, sizeof(*op));

    op->lat = lat;
    op->kind = kind;
    op->host = xstrdup_null(host);
    op->id = xstrdup_null(id);
    op->done = done;
    op->arg = arg;
    op->timeout_ms = kinds[kind].timeout_ms;
    op->asked_ms = loop_now_ms(lat->loop);
    return op;
}

static struct lat_op *refuse(struct lat_op *op, int code, const char *fmt, ...) _printf_(3, 4);
static struct lat_op *refuse(struct lat_op *op, int code, const char *fmt, ...)
{
    _cleanup_err_ struct err *e = NULL;
    va_list ap;

    va_start(ap, fmt);
    err_setv(&e, code, fmt, ap);
    va_end(ap);
    op_finish(op, op_error(op, e));
    return op;
}

/* Takes key. */
static struct lat_op *enqueue(struct lat_op *op, struct lat_queue *q, char *key)
{
    op->key = key;
    op->queue = q;
    op->prev = q->tail;
    *(q->tail ? &q->tail->next : &q->head) = op;
    q->tail = op;
    op->before = map_get(q->last, key);
    if (op->before)
        op->before->behind = op;
    map_set(q->last, key, op);
    lat_queue_pump(q);
    return op;
}

static struct lat_op *enqueue_host(struct lat_op *op, const char *kind)
{
    struct lattice *lat = op->lat;
    struct lat_row *row = lat_row_get(lat, op->host);

    if (!lat->connected)
        return refuse(op, ERR_UNAVAILABLE, "the lattice is not connected: %s", lat->down_reason);
    if (!row)
        return refuse(op, ERR_NOT_FOUND, "no such host on the lattice");
    enum lat_host_state s = row->host.state;
    if (!lat_host_alive(s) && s != LAT_HOST_NEW)
        return refuse(op, ERR_UNAVAILABLE, "the host is not there: %s", lat_host_reason(s));
    return enqueue(op, &row->ops, xasprintf("%s/%s", kind, op->id ? op->id : ""));
}

static struct lat_op *enqueue_wide(struct lat_op *op, const char *kind)
{
    struct lattice *lat = op->lat;

    if (!lat->connected)
        return refuse(op, ERR_UNAVAILABLE, "the lattice is not connected: %s", lat->down_reason);
    return enqueue(op, &lat->wide, xasprintf("%s/%s", kind, op->id ? op->id : ""));
}

struct lat_op *lat_component_set(struct lattice *lat, const struct lat_component_spec *s, lat_done_fn done,
                                 void *arg)
{
    struct lat_op *op = op_new(lat, OP_COMPONENT_SET, s->host, s->id, done, arg);

    op->image = xstrdup_null(s->image);
    op->count = s->count;
    op->config = strv_copy_null(s->config);
    op->values = map_copy(s->annotations);
    op->number = s->memory_limit;
    op->fresh = s->fresh;
    if (!s->count || str_empty(s->image))
        return refuse(op, ERR_INVALID, "a component needs an image and a count of at least 1");
    return enqueue_host(op, "component");
}

struct lat_op *lat_component_stop(struct lattice *lat, const char *host, const char *id, lat_done_fn done,
                                  void *arg)
{
    return enqueue_host(op_new(lat, OP_COMPONENT_STOP, host, id, done, arg), "component");
}

struct lat_op *lat_provider_start(struct lattice *lat, const struct lat_provider_spec *s, lat_done_fn done,
                                  void *arg)
{
    struct lat_op *op = op_new(lat, OP_PROVIDER_START, s->host, s->id, done, arg);

    op->image = xstrdup_null(s->image);
    op->config = strv_copy_null(s->config);
    op->values = map_copy(s->annotations);
    if (str_empty(s->image))
        return refuse(op, ERR_INVALID, "a provider needs an image");
    return enqueue_host(op, "provider");
}

struct lat_op *lat_provider_stop(struct lattice *lat, const char *host, const char *id, lat_done_fn done,
                                 void *arg)
{
    return enqueue_host(op_new(lat, OP_PROVIDER_STOP, host, id, done, arg), "provider");
}

struct lat_op *lat_host_stop(struct lattice *lat, const char *host, int64_t timeout_ms, lat_done_fn done,
                             void *arg)
{
    struct lat_op *op = op_new(lat, OP_HOST_STOP, host, NULL, done, arg);

    op->number = timeout_ms > 0 ? timeout_ms : 0;
    op->timeout_ms += op->number;
    return enqueue_host(op, "host");
}

struct lat_op *lat_config_put(struct lattice *lat, const char *name, const struct map *values,
                              lat_done_fn done, void *arg)
{
    struct lat_op *op = op_new(lat, OP_CONFIG_PUT, NULL, name, done, arg);

    op->values = map_copy(values);
    return enqueue_wide(op, "config");
}

struct lat_op *lat_config_del(struct lattice *lat, const char *name, lat_done_fn done, void *arg)
{
    return enqueue_wide(op_new(lat, OP_CONFIG_DEL, NULL, name, done, arg), "config");
}

struct lat_op *lat_link_put(struct lattice *lat, const struct lat_link *link, lat_done_fn done, void *arg)
{
    struct lat_op *op = op_new(lat, OP_LINK_PUT, NULL, link->source, done, arg);

    op->link = link_copy(link);
    return enqueue_wide(op, "link");
}

struct lat_op *lat_link_del(struct lattice *lat, const struct lat_link *link, lat_done_fn done, void *arg)
{
    struct lat_op *op = op_new(lat, OP_LINK_DEL, NULL, link->source, done, arg);

    op->link = link_copy(link);
    return enqueue_wide(op, "link");
}

struct lat_op *lat_links(struct lattice *lat, lat_links_fn done, void *arg)
{
    struct lat_op *op = op_new(lat, OP_LINKS, NULL, NULL, NULL, arg);

    op->links_done = done;
    return enqueue_wide(op, "links");
}

struct lat_op *lat_registry_put(struct lattice *lat, const struct lat_credential *c, lat_done_fn done,
                                void *arg)
{
    struct lat_op *op = op_new(lat, OP_REGISTRY_PUT, NULL, c->registry, done, arg);

    op->user = xstrdup_null(c->username);
    op->password = xstrdup_null(c->password);
    return enqueue_wide(op, "registry");
}
