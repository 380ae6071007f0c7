#include "lattice/store_v1.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "lattice/wire_js.h"

enum {
    API_TIMEOUT_MS = 2000,
    CONNECTIONS_WINDOW_MS = 1000,
    LIST_EVERY_MS = 20 * 1000,
    PAGES_MOST = 64, /* of 256 consumers */
    ABSENT_MOST = 4, /* hosts no server knows cost a whole window each: the others have their turn later */
};

struct store_v1 {
    struct lattice *front;
    struct loop *loop;
    struct bus *bus;
    char *prefix, *info_subject, *list_subject;
    struct map *inboxes; /* host id -> char **: inbox keys of its connection */
    uint64_t consumers;  /* at the last list */
    int64_t listed_ms;   /* 0 = never */
};

struct store_v1_check {
    struct store_v1 *s;
    struct bus_req *req;
    lat_driver_done_fn done;
    void *arg;
    struct map *bound; /* inbox keys of consumers that have a subscriber */
    struct map *asked; /* hosts whose connection was looked for */
    uint64_t consumers, offset;
    int pages, absent;
    char *looking_for; /* host id */
    bool found, anew;
};

static void free_strv(void *p)
{
    strv_free(p);
}

struct store_v1 *store_v1_new(struct lattice *front, struct loop *l, struct bus *bus, const char *lattice,
                              const char *prefix, const char *api)
{
    struct store_v1 *s = xcalloc(1, sizeof(*s));

    s->front = front;
    s->loop = l;
    s->bus = bus;
    s->prefix = xstrdup(prefix);
    s->info_subject = xasprintf("%s.STREAM.INFO.KV_LATTICEDATA_%s", api, lattice);
    s->list_subject = xasprintf("%s.CONSUMER.LIST.KV_LATTICEDATA_%s", api, lattice);
    s->inboxes = map_new(free_strv);
    return s;
}

void store_v1_free(struct store_v1 *s)
{
    if (!s)
        return;
    map_free(s->inboxes);
    free(s->prefix);
    free(s->info_subject);
    free(s->list_subject);
    free(s);
}

void store_v1_cancel(struct store_v1_check *c)
{
    if (!c)
        return;
    bus_cancel(c->req);
    map_free(c->bound);
    map_free(c->asked);
    free(c->looking_for);
    free(c);
}

/* Takes e. */
static void finish(struct store_v1_check *c, struct err *e)
{
    _cleanup_err_ struct err *owned = e;
    lat_driver_done_fn done = c->done;
    void *arg = c->arg;

    store_v1_cancel(c);
    done(arg, owned);
}

static void fail(struct store_v1_check *c, const struct err *err)
{
    struct err *e = NULL;

    if (err->code == ERR_NOT_FOUND)
        err_set(&e, ERR_UNAVAILABLE, "nobody serves JetStream (%s)", c->s->info_subject);
    else
        e = err_copy(err);
    finish(c, e);
}

/* Whose consumer is there */

static bool is_bound(const struct store_v1_check *c, const char *host)
{
    char **keys = map_get(c->s->inboxes, host);

    for (; keys && *keys; keys++)
        if (map_has(c->bound, *keys))
            return true;
    return false;
}

static void look_for_next(struct store_v1_check *c);

static void learn(void *arg, const char *host, char *const *keys)
{
    struct store_v1_check *c = arg;

    if (!lat_host_get(c->s->front, host))
        return;
    map_set(c->s->inboxes, host, strv_copy(keys));
    map_set(c->asked, host, NULL);
    if (streq(host, c->looking_for))
        c->found = true;
}

static void on_connections(void *arg, const struct bus_message *m, const struct err *err)
{
    struct store_v1_check *c = arg;
    _cleanup_err_ struct err *e = NULL;

    if (m) {
        if (js_connections(m->data, m->len, c->s->prefix, learn, c, &e) < 0)
            log_debug("answer of a server ignored", "reason", e->message, NULL);
        if (!c->found)
            return;
        bus_cancel(c->req);
    } else if (err) {
        log_debug("no server tells its connections", "reason", err_text(err), NULL);
        c->absent = ABSENT_MOST;
    }
    c->req = NULL;
    if (!c->found) {
        c->absent++;
        map_del(c->s->inboxes, c->looking_for);
    }
    look_for_next(c);
}

static void tell(struct store_v1_check *c)
{
    struct store_v1 *s = c->s;

    for (struct map_iter it = {0}; lat_host_next(s->front, &it);) {
        const struct lat_host *h = it.value;
        if (lat_host_dead(h->state))
            continue;
        if (is_bound(c, h->id))
            lat_front_hearing(s->front, h->id, true);
        else if (!map_len(c->bound) || map_has(s->inboxes, h->id))
            lat_front_hearing(s->front, h->id, false);
    }
    for (struct map_iter it = {0}; map_next(s->inboxes, &it);)
        if (!lat_host_get(s->front, it.key))
            map_del(s->inboxes, it.key);
    finish(c, NULL);
}

/* Hosts that seem to have no consumer are looked up anew: a process that was restarted has other inboxes. */
static void look_for_next(struct store_v1_check *c)
{
    struct store_v1 *s = c->s;

    for (struct map_iter it = {0};
         map_len(c->bound) && c->absent < ABSENT_MOST && lat_host_next(s->front, &it);) {
        const struct lat_host *h = it.value;
        if (lat_host_dead(h->state) || is_bound(c, h->id) || map_has(c->asked, h->id))
            continue;
        map_set(c->asked, h->id, NULL);
        xstr_replace(&c->looking_for, h->id);
        c->found = false;
        _cleanup_free_ char *body =
            xasprintf("{\"subscriptions\":true,\"filter_subject\":\"%s.host.get.%s\"}", s->prefix, h->id);
        c->req = bus_gather(s->bus, "$SYS.REQ.SERVER.PING.CONNZ", body, strlen(body), CONNECTIONS_WINDOW_MS,
                            on_connections, c);
        return;
    }
    tell(c);
}

/* Consumers */

static void list_page(struct store_v1_check *c);

static void on_list(void *arg, const struct bus_message *m, const struct err *err)
{
    struct store_v1_check *c = arg;
    uint64_t seen = 0, total = 0;
    struct err *e = NULL;

    c->req = NULL;
    if (err) {
        fail(c, err);
        return;
    }
    if (js_consumers(m->data, m->len, c->bound, &seen, &total, &e) < 0) {
        finish(c, e);
        return;
    }
    c->offset += seen;
    if (seen && c->offset < total && ++c->pages < PAGES_MOST) {
        list_page(c);
        return;
    }
    c->s->listed_ms = loop_now_ms(c->s->loop);
    c->s->consumers = c->consumers;
    look_for_next(c);
}

static void list_page(struct store_v1_check *c)
{
    _cleanup_free_ char *body = xasprintf("{\"offset\":%llu}", (unsigned long long)c->offset);

    c->req = bus_request(c->s->bus, c->s->list_subject, body, strlen(body), API_TIMEOUT_MS, on_list, c);
}

static bool all_hear(const struct lattice *front)
{
    for (struct map_iter it = {0}; lat_host_next(front, &it);) {
        const struct lat_host *h = it.value;
        if (!lat_host_dead(h->state) && h->hearing != LAT_HEARS)
            return false;
    }
    return true;
}

static void on_info(void *arg, const struct bus_message *m, const struct err *err)
{
    struct store_v1_check *c = arg;
    struct store_v1 *s = c->s;
    struct err *e = NULL;

    c->req = NULL;
    if (err) {
        fail(c, err);
        return;
    }
    if (js_stream_info(m->data, m->len, &c->consumers, &e) < 0) {
        finish(c, e);
        return;
    }
    lat_front_store_up(s->front);
    bool listed = !c->anew && s->listed_ms && loop_now_ms(s->loop) - s->listed_ms < LIST_EVERY_MS;
    if (listed && c->consumers == s->consumers && all_hear(s->front))
        finish(c, NULL);
    else
        list_page(c);
}

struct store_v1_check *store_v1_check(struct store_v1 *s, bool anew, lat_driver_done_fn done, void *arg)
{
    struct store_v1_check *c = xcalloc(1, sizeof(*c));

    *c = (struct store_v1_check){
        .s = s, .anew = anew, .done = done, .arg = arg, .bound = map_new(NULL), .asked = map_new(NULL)};
    c->req = bus_request(s->bus, s->info_subject, NULL, 0, API_TIMEOUT_MS, on_info, c);
    return c;
}
