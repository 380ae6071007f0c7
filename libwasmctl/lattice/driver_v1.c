#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/json.h"
#include "lattice/driver.h"
#include "lattice/store_v1.h"
#include "lattice/wire_js.h"
#include "lattice/wire_v1.h"

/*
 * wasmCloud v1. A start or scale is acknowledged before anything happened; its outcome is an event, or,
 * should that be lost, the next inventory. So each operation that changes something: reads the host's
 * inventory, sends, and then waits for either.
 *
 * What must hold, because of how wasmcloud-host 0.27.1 works:
 * - A running id is never scaled with another image: the host would go on running the old bytes under the new
 * name.
 * - component.update is never sent: it stops the new instance and leaves the old one serving.
 * - Two requests for one id are never under way together (the front sees to that).
 * - host_id is always set: the host echoes it into its events unchecked.
 */
enum {
    PROVIDER_ACK_MS = 5000, /* a disabled built-in provider is not answered at all */
    /* A scale that changes nothing visible is believed from the inventory alone only this long after it was
       sent. */
    QUIET_MS = 3000,
};

struct lat_driver {
    struct lattice *front;
    struct loop *loop;
    struct bus *bus;
    struct bus_sub *events;
    struct store_v1 *store;
    char *lattice, *prefix;        /* "wasmbus.ctl.v1.default" */
    char *js_api;                  /* "$JS.API" or that of a domain */
    struct lat_driver_op *waiting; /* operations whose outcome is watched for */
};

/* What an operation waits for in events and inventories. */
enum wait {
    WAIT_NOTHING,
    WAIT_COMPONENT,      /* id runs with image and count */
    WAIT_COMPONENT_GONE, /* id does not run */
    WAIT_PROVIDER,       /* id runs with image */
};

struct lat_driver_op {
    struct lat_driver *d;
    struct lat_driver_op *prev, *next; /* in d->waiting, when wait is set */
    struct bus_req *req;
    struct store_v1_check *check;
    lat_names_fn names_done;
    char *prefix; /* of the subjects of the names */
    struct loop_defer *defer;
    struct err *err; /* to be told by defer */
    lat_driver_done_fn done;
    lat_links_fn links_done;
    void *arg;

    char *host, *id;
    const struct lat_component_spec *component; /* the front keeps it until done */
    const struct lat_provider_spec *provider;
    char *image; /* what runs, or will */
    enum wait wait;
    uint32_t count;
    int64_t sent_ms;
    bool unchanged;                         /* the inventory looked like this before already */
    void (*then)(struct lat_driver_op *op); /* once what it waits for has come */
};

/* Ending */

static void unwait(struct lat_driver_op *op)
{
    if (op->wait == WAIT_NOTHING)
        return;
    op->wait = WAIT_NOTHING;
    if (op->prev)
        op->prev->next = op->next;
    else
        op->d->waiting = op->next;
    if (op->next)
        op->next->prev = op->prev;
    op->prev = op->next = NULL;
}

static void op_free(struct lat_driver_op *op)
{
    unwait(op);
    bus_cancel(op->req);
    store_v1_cancel(op->check);
    loop_defer_cancel(op->defer);
    err_free(op->err);
    free(op->host);
    free(op->id);
    free(op->image);
    free(op->prefix);
    free(op);
}

/* Takes e. */
static void op_done(struct lat_driver_op *op, struct err *e)
{
    _cleanup_err_ struct err *owned = e;
    lat_driver_done_fn done = op->done;
    lat_links_fn links_done = op->links_done;
    lat_names_fn names_done = op->names_done;
    void *arg = op->arg;

    op_free(op);
    if (names_done)
        names_done(arg, NULL, owned);
    else if (links_done)
        links_done(arg, NULL, 0, owned);
    else
        done(arg, owned);
}

static void on_deferred(void *arg)
{
    struct lat_driver_op *op = arg;

    op->defer = NULL;
    op_done(op, TAKE_PTR(op->err));
}

/* For what is known before anything was sent. Takes e. */
static void op_done_later(struct lat_driver_op *op, struct err *e)
{
    op->err = e;
    op->defer = loop_defer(op->d->loop, on_deferred, op);
}

static struct lat_driver_op *op_new(struct lat_driver *d, const char *host, const char *id,
                                    lat_driver_done_fn done, void *arg)
{
    struct lat_driver_op *op = xcalloc(1, sizeof(*op));

    op->d = d;
    op->host = xstrdup_null(host);
    op->id = xstrdup_null(id);
    op->done = done;
    op->arg = arg;
    return op;
}

static void v1_cancel(struct lat_driver_op *op)
{
    op_free(op);
}

/* Names become parts of subjects. */
static bool name_refused(struct lat_driver_op *op, const char *what, const char *name)
{
    struct err *e = NULL;

    if (lat_v1_name_ok(name))
        return false;
    err_set(&e, ERR_INVALID, "%s \"%s\": want 1 to 128 letters, digits, '_' or '-'", what, name ? name : "");
    op_done_later(op, e);
    return true;
}

/* Requests */

static void request(struct lat_driver_op *op, const char *verb, const char *token, char *take_body,
                    int64_t timeout_ms, bus_reply_fn fn)
{
    _cleanup_free_ char *body = take_body;
    _cleanup_free_ char *subject =
        token ? xasprintf("%s.%s.%s", op->d->prefix, verb, token) : xasprintf("%s.%s", op->d->prefix, verb);

    op->sent_ms = loop_now_ms(op->d->loop);
    op->req = bus_request(op->d->bus, subject, body, body ? strlen(body) : 0, timeout_ms, fn, op);
}

/* A request nobody serves: with a host in the subject the host is gone, without one there is no host at all.
 */
static struct err *request_error(const struct lat_driver_op *op, const struct err *err)
{
    struct err *e = NULL;

    if (err->code != ERR_NOT_FOUND)
        return err_copy(err);
    if (op->host)
        err_set(&e, ERR_UNAVAILABLE, "the host does not serve requests any more");
    else
        err_set(&e, ERR_UNAVAILABLE, "no host is on lattice \"%s\" to serve the request", op->d->lattice);
    return e;
}

/* Inventory */

static void check_inventory(struct lat_driver *d, const struct lat_v1_inventory *inv);

/* Reads an answer to host.get and tells the front. */
static int take_inventory(struct lat_driver_op *op, const struct bus_message *m, struct lat_v1_inventory *ret,
                          struct err **err)
{
    _cleanup_json_ cJSON *root = NULL;
    const cJSON *response = NULL;

    int r = lat_v1_answer(m->data, m->len, &root, &response, err);
    if (r < 0)
        return r;
    if (!response)
        return err_set(err, ERR_PROTOCOL, "inventory of the host: no member \"response\"");
    r = lat_v1_inventory(response, ret, err);
    if (r < 0)
        return r;
    if (!streq(ret->host.id, op->host)) {
        r = err_set(err, ERR_PROTOCOL, "asked host %s for its inventory, %s answered", op->host,
                    ret->host.id);
        lat_v1_inventory_release(ret);
    }
    return r;
}

/* Hands the lists over to the front; inv keeps only the host's part. */
static void tell_inventory(struct lat_driver *d, struct lat_v1_inventory *inv)
{
    struct lat_v1_host *h = &inv->host;

    lat_front_seen(d->front, h->id, h->friendly_name, h->version, TAKE_PTR(h->labels), h->uptime_s);
    lat_front_inventory(d->front, h->id, TAKE_PTR(inv->components), inv->ncomponents,
                        TAKE_PTR(inv->providers), inv->nproviders);
    inv->ncomponents = inv->nproviders = 0;
}

static void on_probe(void *arg, const struct bus_message *m, const struct err *err)
{
    struct lat_driver_op *op = arg;
    struct lat_driver *d = op->d;
    _cleanup_(lat_v1_inventory_release) struct lat_v1_inventory inv = {0};
    struct err *e = NULL;

    op->req = NULL;
    if (err) {
        op_done(op, err_copy(err));
    } else if (take_inventory(op, m, &inv, &e) < 0) {
        op_done(op, e);
    } else {
        op_done(op, NULL);
        check_inventory(d, &inv);
        tell_inventory(d, &inv);
    }
}

static struct lat_driver_op *v1_probe(struct lat_driver *d, const char *host, int64_t timeout_ms,
                                      lat_driver_done_fn done, void *arg)
{
    struct lat_driver_op *op = op_new(d, host, NULL, done, arg);

    request(op, "host.get", host, NULL, timeout_ms, on_probe);
    return op;
}

/* Reads the inventory before changing something; `next` goes on with it. A busy host answers late: the
 * front's deadline ends it. */
static void read_first(struct lat_driver_op *op, bus_reply_fn next)
{
    request(op, "host.get", op->host, NULL, LAT_START_TIMEOUT_MS, next);
}

static bool inventory_failed(struct lat_driver_op *op, const struct bus_message *m, const struct err *err,
                             struct lat_v1_inventory *inv)
{
    struct err *e = NULL;

    op->req = NULL;
    if (err) {
        op_done(op, request_error(op, err));
        return true;
    }
    if (take_inventory(op, m, inv, &e) < 0) {
        op_done(op, e);
        return true;
    }
    return false;
}

/* Waiting */

static void await(struct lat_driver_op *op, enum wait what, const char *image, uint32_t count,
                  void (*then)(struct lat_driver_op *op))
{
    unwait(op);
    op->wait = what;
    if (image != op->image)
        xstr_replace(&op->image, image);
    op->count = count;
    op->then = then;
    op->next = op->d->waiting;
    if (op->next)
        op->next->prev = op;
    op->d->waiting = op;
}

static void arrived(struct lat_driver_op *op)
{
    void (*then)(struct lat_driver_op *) = op->then;

    unwait(op);
    bus_cancel(TAKE_PTR(op->req));
    then(op);
}

static void finish_well(struct lat_driver_op *op)
{
    op_done(op, NULL);
}

/* The acknowledgement of something whose outcome is waited for. */
static void on_ack(void *arg, const struct bus_message *m, const struct err *err)
{
    struct lat_driver_op *op = arg;
    struct err *e = NULL;

    op->req = NULL;
    if (err)
        op_done(op, request_error(op, err));
    else if (lat_v1_answer(m->data, m->len, NULL, NULL, &e) < 0)
        op_done(op, e);
}

static bool component_fits(const struct lat_driver_op *op, const char *image, uint32_t count)
{
    if (op->wait == WAIT_COMPONENT_GONE)
        return count == 0;
    return op->wait == WAIT_COMPONENT && count == op->count && image && streq(image, op->image);
}

/* Events: each concerns one operation at most, as one id has one operation under way at most. */
static void component_arrived(struct lat_driver *d, const struct lat_v1_event *ev)
{
    for (struct lat_driver_op *op = d->waiting; op; op = op->next)
        if (streq(op->host, ev->host) && streq(op->id, ev->subject) &&
            component_fits(op, ev->image, ev->count)) {
            arrived(op);
            return;
        }
}

static void provider_arrived(struct lat_driver *d, const struct lat_v1_event *ev)
{
    for (struct lat_driver_op *op = d->waiting; op; op = op->next)
        if (op->wait == WAIT_PROVIDER && streq(op->host, ev->host) && streq(op->id, ev->subject)) {
            arrived(op);
            return;
        }
}

static void failed(struct lat_driver *d, const struct lat_v1_event *ev, enum wait what)
{
    for (struct lat_driver_op *op = d->waiting; op; op = op->next) {
        if (op->wait != what || !streq(op->host, ev->host) || !streq(op->id, ev->subject))
            continue;
        /* A failure of somebody else's request for the same id. */
        if (ev->count != op->count)
            continue;
        struct err *e = NULL;
        err_set(&e, ERR_FAILED, "%s", str_empty(ev->error) ? "the host gave no reason" : ev->error);
        op_done(op, e);
        return;
    }
}

static bool inventory_fits(const struct lat_driver_op *op, const struct lat_v1_inventory *inv)
{
    const struct lat_component *c = lat_v1_component(inv, op->id);
    const struct lat_provider *p = lat_v1_provider(inv, op->id);

    switch (op->wait) {
    case WAIT_COMPONENT:
        if (op->unchanged && loop_now_ms(op->d->loop) - op->sent_ms < QUIET_MS)
            return false;
        return c && component_fits(op, c->image, c->count);
    case WAIT_COMPONENT_GONE:
        return !c;
    case WAIT_PROVIDER:
        return p && lat_v1_provider_image_same(op->image, p->image);
    case WAIT_NOTHING:
        break;
    }
    return false;
}

static void check_inventory(struct lat_driver *d, const struct lat_v1_inventory *inv)
{
    /* From the start after each find: what comes next for an operation may end it or change the list. */
    struct lat_driver_op *op = d->waiting;

    while (op) {
        if (streq(op->host, inv->host.id) && inventory_fits(op, inv)) {
            arrived(op);
            op = d->waiting;
        } else {
            op = op->next;
        }
    }
}

/* Components */

static void send_scale(struct lat_driver_op *op, const char *image, uint32_t count)
{
    struct lat_component_spec stop = {.host = op->host, .id = op->id};
    const struct lat_component_spec *s = count ? op->component : &stop;

    request(op, "component.scale", op->host, lat_v1_scale(s, image, count), LAT_START_TIMEOUT_MS, on_ack);
}

static void set_count(struct lat_driver_op *op)
{
    const struct lat_component_spec *s = op->component;

    await(op, WAIT_COMPONENT, s->image, s->count, finish_well);
    send_scale(op, s->image, s->count);
}

/* The host fetches the image before it acts, even to stop: with an empty reference that fails at once and is
 * ignored, so that a stop never waits for a registry. */
static void stop_running(struct lat_driver_op *op, void (*then)(struct lat_driver_op *op))
{
    await(op, WAIT_COMPONENT_GONE, NULL, 0, then);
    send_scale(op, "", 0);
}

static bool annotations_same(const struct map *a, const struct map *b)
{
    if (map_len(a) != map_len(b))
        return false;
    for (struct map_iter it = {0}; map_next(a, &it);)
        if (!streq_null(it.value, map_get(b, it.key)))
            return false;
    return true;
}

static void on_set_read(void *arg, const struct bus_message *m, const struct err *err)
{
    struct lat_driver_op *op = arg;
    struct lat_driver *d = op->d;
    const struct lat_component_spec *s = op->component;
    _cleanup_(lat_v1_inventory_release) struct lat_v1_inventory inv = {0};

    if (inventory_failed(op, m, err, &inv))
        return;
    const struct lat_component *c = lat_v1_component(&inv, s->id);
    if (!c) {
        set_count(op);
    } else if (s->fresh || !streq(c->image, s->image)) {
        stop_running(op, set_count);
    } else if (c->count == s->count && s->annotations && !annotations_same(c->annotations, s->annotations)) {
        /* Annotations are taken over only together with a change of count: one up (calls go on), then to
         * where it was. */
        uint32_t other = s->count < UINT32_MAX ? s->count + 1 : s->count - 1;
        await(op, WAIT_COMPONENT, s->image, other, set_count);
        send_scale(op, s->image, other);
    } else {
        op->unchanged = c->count == s->count;
        set_count(op);
    }
    tell_inventory(d, &inv);
}

static struct lat_driver_op *v1_component_set(struct lat_driver *d, const struct lat_component_spec *s,
                                              lat_driver_done_fn done, void *arg)
{
    struct lat_driver_op *op = op_new(d, s->host, s->id, done, arg);

    op->component = s;
    if (name_refused(op, "component id", s->id))
        return op;
    for (char *const *c = s->config; c && *c; c++)
        if (name_refused(op, "config name", *c))
            return op;
    read_first(op, on_set_read);
    return op;
}

static void on_stop_read(void *arg, const struct bus_message *m, const struct err *err)
{
    struct lat_driver_op *op = arg;
    struct lat_driver *d = op->d;
    _cleanup_(lat_v1_inventory_release) struct lat_v1_inventory inv = {0};

    if (inventory_failed(op, m, err, &inv))
        return;
    if (lat_v1_component(&inv, op->id))
        stop_running(op, finish_well);
    else
        op_done(op, NULL);
    tell_inventory(d, &inv);
}

static struct lat_driver_op *v1_component_stop(struct lat_driver *d, const char *host, const char *id,
                                               lat_driver_done_fn done, void *arg)
{
    struct lat_driver_op *op = op_new(d, host, id, done, arg);

    if (!name_refused(op, "component id", id))
        read_first(op, on_stop_read);
    return op;
}

/* Providers */

static bool builtin(const char *image)
{
    return str_starts(image, "wasmcloud+builtin://");
}

static void on_provider_ack(void *arg, const struct bus_message *m, const struct err *err)
{
    struct lat_driver_op *op = arg;
    struct err *e = NULL;

    op->req = NULL;
    if (err && err->code == ERR_TIMEOUT) {
        /* Others are slow to fetch and hold the host meanwhile: their event is still waited for. */
        if (!builtin(op->provider->image))
            return;
        err_set(&e, ERR_UNSUPPORTED,
                "the host did not answer: its built-in provider %s is probably not enabled",
                op->provider->image);
        op_done(op, e);
    } else if (err) {
        op_done(op, request_error(op, err));
    } else if (lat_v1_answer(m->data, m->len, NULL, NULL, &e) < 0) {
        /* Somebody else's start got in between; the inventory will show whether it is the image asked for. */
        bool running = e->code == ERR_FAILED && strstr(e->message, "already running");
        if (running)
            err_free(e);
        else
            op_done(op, e);
    }
}

static void start_provider(struct lat_driver_op *op)
{
    const struct lat_provider_spec *s = op->provider;

    await(op, WAIT_PROVIDER, s->image, 0, finish_well);
    request(op, "provider.start", op->host, lat_v1_provider_start(s),
            builtin(s->image) ? PROVIDER_ACK_MS : LAT_START_TIMEOUT_MS, on_provider_ack);
}

/* Answered only after the stop. */
static void on_provider_stopped(void *arg, const struct bus_message *m, const struct err *err)
{
    struct lat_driver_op *op = arg;
    struct err *e = NULL;

    op->req = NULL;
    if (err) {
        op_done(op, request_error(op, err));
        return;
    }
    if (lat_v1_answer(m->data, m->len, NULL, NULL, &e) < 0) {
        if (e->code != ERR_FAILED || !strstr(e->message, "not running")) {
            op_done(op, e);
            return;
        }
        err_free(e);
    }
    lat_front_provider(op->d->front, op->host, op->id, NULL, false, NULL);
    op->then(op);
}

static void stop_provider(struct lat_driver_op *op, void (*then)(struct lat_driver_op *op))
{
    op->then = then;
    request(op, "provider.stop", op->host, lat_v1_provider_stop(op->host, op->id), LAT_START_TIMEOUT_MS,
            on_provider_stopped);
}

static void on_provider_read(void *arg, const struct bus_message *m, const struct err *err)
{
    struct lat_driver_op *op = arg;
    struct lat_driver *d = op->d;
    _cleanup_(lat_v1_inventory_release) struct lat_v1_inventory inv = {0};

    if (inventory_failed(op, m, err, &inv))
        return;
    const struct lat_provider *p = lat_v1_provider(&inv, op->id);
    if (!p)
        start_provider(op);
    else if (lat_v1_provider_image_same(op->provider->image, p->image))
        op_done(op, NULL);
    else
        stop_provider(op, start_provider);
    tell_inventory(d, &inv);
}

static struct lat_driver_op *v1_provider_start(struct lat_driver *d, const struct lat_provider_spec *s,
                                               lat_driver_done_fn done, void *arg)
{
    struct lat_driver_op *op = op_new(d, s->host, s->id, done, arg);

    op->provider = s;
    if (name_refused(op, "provider id", s->id))
        return op;
    for (char *const *c = s->config; c && *c; c++)
        if (name_refused(op, "config name", *c))
            return op;
    read_first(op, on_provider_read);
    return op;
}

static struct lat_driver_op *v1_provider_stop(struct lat_driver *d, const char *host, const char *id,
                                              lat_driver_done_fn done, void *arg)
{
    struct lat_driver_op *op = op_new(d, host, id, done, arg);

    if (!name_refused(op, "provider id", id))
        stop_provider(op, finish_well);
    return op;
}

/* Requests that are complete with their answer */

static void on_call(void *arg, const struct bus_message *m, const struct err *err)
{
    struct lat_driver_op *op = arg;
    struct err *e = NULL;

    op->req = NULL;
    if (err)
        e = request_error(op, err);
    else
        lat_v1_answer(m->data, m->len, NULL, NULL, &e);
    op_done(op, e);
}

static struct lat_driver_op *v1_config_put(struct lat_driver *d, const char *name, const struct map *values,
                                           lat_driver_done_fn done, void *arg)
{
    struct lat_driver_op *op = op_new(d, NULL, NULL, done, arg);

    if (!name_refused(op, "config name", name))
        request(op, "config.put", name, lat_v1_config_put(values), LAT_CALL_TIMEOUT_MS, on_call);
    return op;
}

static struct lat_driver_op *v1_config_del(struct lat_driver *d, const char *name, lat_driver_done_fn done,
                                           void *arg)
{
    struct lat_driver_op *op = op_new(d, NULL, NULL, done, arg);

    if (!name_refused(op, "config name", name))
        request(op, "config.del", name, NULL, LAT_CALL_TIMEOUT_MS, on_call);
    return op;
}

static bool link_refused(struct lat_driver_op *op, const struct lat_link *l, bool put)
{
    return name_refused(op, "link source", l->source) ||
           (put && name_refused(op, "link target", l->target)) ||
           name_refused(op, "link name", str_empty(l->name) ? "default" : l->name) ||
           name_refused(op, "WIT namespace", l->wit_namespace) ||
           name_refused(op, "WIT package", l->wit_package);
}

static struct lat_driver_op *v1_link_put(struct lat_driver *d, const struct lat_link *l,
                                         lat_driver_done_fn done, void *arg)
{
    struct lat_driver_op *op = op_new(d, NULL, NULL, done, arg);

    if (!link_refused(op, l, true))
        request(op, "link.put", NULL, lat_v1_link_put(l), LAT_CALL_TIMEOUT_MS, on_call);
    return op;
}

static struct lat_driver_op *v1_link_del(struct lat_driver *d, const struct lat_link *l,
                                         lat_driver_done_fn done, void *arg)
{
    struct lat_driver_op *op = op_new(d, NULL, NULL, done, arg);

    if (!link_refused(op, l, false))
        request(op, "link.del", NULL, lat_v1_link_del(l), LAT_CALL_TIMEOUT_MS, on_call);
    return op;
}

static void on_links(void *arg, const struct bus_message *m, const struct err *err)
{
    struct lat_driver_op *op = arg;
    _cleanup_json_ cJSON *root = NULL;
    const cJSON *response = NULL;
    struct lat_link *links = NULL;
    size_t n = 0;
    struct err *e = NULL;

    op->req = NULL;
    if (err) {
        op_done(op, request_error(op, err));
    } else if (lat_v1_answer(m->data, m->len, &root, &response, &e) < 0 ||
               lat_v1_links(response, &links, &n, &e) < 0) {
        op_done(op, e);
    } else {
        lat_links_fn done = op->links_done;
        void *done_arg = op->arg;
        op_free(op);
        done(done_arg, links, n, NULL);
        lat_v1_links_free(links, n);
    }
}

static struct lat_driver_op *v1_links(struct lat_driver *d, lat_links_fn done, void *arg)
{
    struct lat_driver_op *op = op_new(d, NULL, NULL, NULL, arg);

    op->links_done = done;
    request(op, "link.get", NULL, NULL, LAT_CALL_TIMEOUT_MS, on_links);
    return op;
}

static struct lat_driver_op *v1_registry_put(struct lat_driver *d, const struct lat_credential *c,
                                             lat_driver_done_fn done, void *arg)
{
    struct lat_driver_op *op = op_new(d, NULL, NULL, done, arg);
    _cleanup_free_ char *subject = xasprintf("%s.registry.put", d->prefix);
    char *body = lat_v1_registry_put(c);
    struct err *e = NULL;

    bus_publish(d->bus, subject, body, strlen(body), &e);
    explicit_bzero(body, strlen(body));
    free(body);
    op_done_later(op, e);
    return op;
}

/* The front ends it when the host is seen stopped or gone. */
static struct lat_driver_op *v1_host_stop(struct lat_driver *d, const char *host, int64_t timeout_ms,
                                          lat_driver_done_fn done, void *arg)
{
    struct lat_driver_op *op = op_new(d, host, NULL, done, arg);

    request(op, "host.stop", host, lat_v1_host_stop(host, timeout_ms), LAT_START_TIMEOUT_MS, on_ack);
    return op;
}

static void on_names(void *arg, const struct bus_message *m, const struct err *err)
{
    struct lat_driver_op *op = arg;
    _cleanup_strv_ char **names = NULL;
    struct err *e = NULL;

    op->req = NULL;
    if (err) {
        op_done(op, err_copy(err));
    } else if (js_stream_subjects(m->data, m->len, op->prefix, &names, &e) < 0) {
        op_done(op, e);
    } else {
        lat_names_fn done = op->names_done;
        void *done_arg = op->arg;
        _cleanup_strv_ char **chosen = strv_new();
        for (char **name = names; *name; name++)
            if (str_starts(*name, op->image))
                strv_push(&chosen, *name);
        op_free(op);
        done(done_arg, chosen, NULL);
    }
}

static struct lat_driver_op *v1_config_names(struct lat_driver *d, const char *prefix, lat_names_fn fn,
                                             void *arg)
{
    struct lat_driver_op *op = op_new(d, NULL, NULL, NULL, arg);
    _cleanup_free_ char *subject = xasprintf("%s.STREAM.INFO.KV_CONFIGDATA_%s", d->js_api, d->lattice);
    _cleanup_free_ char *body = xasprintf("{\"subjects_filter\":\"$KV.CONFIGDATA_%s.*\"}", d->lattice);

    op->names_done = fn;
    op->prefix = xasprintf("$KV.CONFIGDATA_%s.", d->lattice);
    op->image = xstrdup(prefix);
    op->req = bus_request(d->bus, subject, body, strlen(body), LAT_CALL_TIMEOUT_MS, on_names, op);
    return op;
}

static void v1_config_forget(struct lat_driver *d, const char *name)
{
    _cleanup_free_ char *subject = xasprintf("%s.STREAM.PURGE.KV_CONFIGDATA_%s", d->js_api, d->lattice);
    _cleanup_free_ char *body = xasprintf("{\"filter\":\"$KV.CONFIGDATA_%s.%s\"}", d->lattice, name);

    if (lat_v1_name_ok(name))
        bus_publish(d->bus, subject, body, strlen(body), NULL);
}

static void on_checked(void *arg, const struct err *err)
{
    struct lat_driver_op *op = arg;

    op->check = NULL;
    op_done(op, err ? err_copy(err) : NULL);
}

static struct lat_driver_op *v1_hearing(struct lat_driver *d, bool anew, lat_driver_done_fn done, void *arg)
{
    struct lat_driver_op *op = op_new(d, NULL, NULL, done, arg);

    op->check = store_v1_check(d->store, anew, on_checked, op);
    return op;
}

/* Discovery */

static void on_ping(void *arg, const struct bus_message *m, const struct err *err)
{
    struct lat_driver_op *op = arg;
    _cleanup_json_ cJSON *root = NULL;
    _cleanup_(lat_v1_host_release) struct lat_v1_host h = {0};
    const cJSON *response = NULL;
    _cleanup_err_ struct err *e = NULL;

    if (!m) {
        op->req = NULL;
        op_done(op, err_copy(err));
        return;
    }
    if (lat_v1_answer(m->data, m->len, &root, &response, &e) < 0 || lat_v1_host(response, &h, &e) < 0) {
        log_debug("answer to host.ping ignored", "reason", err_text(e), NULL);
        return;
    }
    lat_front_seen(op->d->front, h.id, h.friendly_name, h.version, TAKE_PTR(h.labels), h.uptime_s);
}

static struct lat_driver_op *v1_discover(struct lat_driver *d, int64_t window_ms, lat_driver_done_fn done,
                                         void *arg)
{
    struct lat_driver_op *op = op_new(d, NULL, NULL, done, arg);
    _cleanup_free_ char *subject = xasprintf("%s.host.ping", d->prefix);

    op->req = bus_gather(d->bus, subject, NULL, 0, window_ms, on_ping, op);
    return op;
}

/* Events */

static void tell_event(struct lat_driver *d, const struct lat_v1_event *ev)
{
    struct lat_event e = {
        .kind = ev->kind,
        .time_ns = ev->time_ns,
        .host = ev->host,
        .subject = ev->subject ? ev->subject : "",
        .image = ev->image ? ev->image : "",
        .error = ev->error ? ev->error : "",
        .count = ev->count,
    };

    lat_front_event(d->front, &e);
}

static void apply_event(struct lat_driver *d, struct lat_v1_event *ev)
{
    struct lattice *front = d->front;
    struct lat_v1_host *about = &ev->about;

    if (ev->known && !ev->heartbeat && ev->kind == LAT_EVENT_HOST_STOPPED) {
        lat_front_stopped(front, ev->host);
        return;
    }
    lat_front_seen(front, ev->host, about->friendly_name, about->version, TAKE_PTR(about->labels),
                   ev->heartbeat ? about->uptime_s : -1);
    /* The lists of a heartbeat are left alone: it may have been made before an event that came first. */
    if (!ev->known || ev->heartbeat)
        return;
    switch (ev->kind) {
    case LAT_EVENT_HOST_STARTED:
        lat_front_started(front, ev->host);
        break;
    case LAT_EVENT_COMPONENT_SCALED:
        lat_front_component(front, ev->host, ev->subject, ev->image, ev->count, TAKE_PTR(ev->annotations));
        component_arrived(d, ev);
        break;
    case LAT_EVENT_COMPONENT_FAILED:
        failed(d, ev, ev->count ? WAIT_COMPONENT : WAIT_COMPONENT_GONE);
        break;
    case LAT_EVENT_PROVIDER_STARTED:
        lat_front_provider(front, ev->host, ev->subject, ev->image, true, TAKE_PTR(ev->annotations));
        provider_arrived(d, ev);
        break;
    case LAT_EVENT_PROVIDER_FAILED:
        failed(d, ev, WAIT_PROVIDER);
        break;
    case LAT_EVENT_PROVIDER_STOPPED:
        lat_front_provider(front, ev->host, ev->subject, NULL, false, NULL);
        break;
    case LAT_EVENT_PROVIDER_HEALTH:
        lat_front_provider_health(front, ev->host, ev->subject, ev->healthy);
        break;
    default:
        break;
    }
}

static void on_event(void *arg, const struct bus_message *m)
{
    struct lat_driver *d = arg;
    _cleanup_(lat_v1_event_release) struct lat_v1_event ev = {0};
    _cleanup_err_ struct err *e = NULL;

    if (lat_v1_event(m->data, m->len, &ev, &e) < 0) {
        log_debug("event ignored", "subject", m->subject, "reason", e->message, NULL);
        return;
    }
    apply_event(d, &ev);
    if (ev.known && !ev.heartbeat)
        tell_event(d, &ev);
}

/* Open and close */

static int v1_open(struct lattice *front, struct loop *l, struct bus *bus, const struct lat_options *o,
                   struct lat_driver **ret, struct err **err)
{
    _cleanup_strv_ char **parts = strv_split(o->control_prefix, '.', true);

    if (!lat_v1_token_ok(o->id))
        return err_set(err, ERR_INVALID, "lattice id \"%s\": want 1 to 128 letters, digits, '_' or '-'",
                       o->id);
    for (char **p = parts; *p; p++)
        if (!lat_v1_token_ok(*p))
            return err_set(err, ERR_INVALID, "control prefix \"%s\" of lattice \"%s\": not a NATS subject",
                           o->control_prefix, o->id);
    struct lat_driver *d = xcalloc(1, sizeof(*d));
    d->front = front;
    d->loop = l;
    d->bus = bus;
    d->lattice = xstrdup(o->id);
    d->prefix = xasprintf("%s.v1.%s", o->control_prefix, o->id);
    d->js_api = str_empty(o->js_domain) ? xstrdup("$JS.API") : xasprintf("$JS.%s.API", o->js_domain);
    d->store = store_v1_new(front, l, bus, d->lattice, d->prefix, d->js_api);
    _cleanup_free_ char *events = xasprintf("wasmbus.evt.%s.*", o->id);
    d->events = bus_subscribe(bus, events, on_event, d);
    *ret = d;
    return 0;
}

static void v1_close(struct lat_driver *d)
{
    bus_unsubscribe(d->events);
    store_v1_free(d->store);
    free(d->js_api);
    free(d->lattice);
    free(d->prefix);
    free(d);
}

const struct lat_driver_ops lat_driver_v1 = {
    .name = "wasmcloud.v1",
    .uses_bus = true,
    .open = v1_open,
    .close = v1_close,
    .discover = v1_discover,
    .probe = v1_probe,
    .component_set = v1_component_set,
    .component_stop = v1_component_stop,
    .provider_start = v1_provider_start,
    .provider_stop = v1_provider_stop,
    .config_put = v1_config_put,
    .config_del = v1_config_del,
    .link_put = v1_link_put,
    .link_del = v1_link_del,
    .links = v1_links,
    .registry_put = v1_registry_put,
    .host_stop = v1_host_stop,
    .hearing = v1_hearing,
    .config_names = v1_config_names,
    .config_forget = v1_config_forget,
    .cancel = v1_cancel,
};
