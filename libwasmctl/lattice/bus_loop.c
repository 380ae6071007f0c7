#include "lattice/bus.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "lattice/bus_link.h"

enum { SUBJECT_MAX = 1024 };

struct bus {
    struct loop *loop;
    struct bus_link *link;
    void (*state)(void *arg, bool connected, const struct err *err);
    void *arg;
    bool connected;
    char *server, *last_error;
    int64_t max_payload;
    uint64_t epoch, next_id, requests;
    char *inbox;              /* prefix of reply subjects, with the final dot */
    struct map *subs;         /* id -> struct bus_sub */
    struct map *reqs;         /* reply subject -> struct bus_req */
    struct map *rtts;         /* id -> struct rtt */
    struct bus_req *deferred; /* to be failed in the next turn */
    int busy;
    bool freed;
};

struct bus_sub {
    struct bus *bus;
    uint64_t id;
    bus_message_fn fn;
    void *arg;
};

struct bus_req {
    struct bus *bus;
    struct bus_req *prev, *next; /* in bus->deferred, when `listed` */
    bool listed;
    char *key;
    bool gather;
    bus_reply_fn fn;
    void *arg;
    struct loop_timer *timer;
    struct loop_defer *defer;
    struct err *err; /* of a request that failed before it was sent */
    char *subject;
    int64_t timeout_ms;
};

struct rtt {
    void (*fn)(void *arg, int64_t us);
    void *arg;
    struct bus *bus;
    struct loop_defer *defer;
    uint64_t id;
};

enum { ID_LEN = 24 };
static const char *id_key(uint64_t id, char out[ID_LEN])
{
    snprintf(out, ID_LEN, "%llx", (unsigned long long)id);
    return out;
}

static bool subject_ok(const char *subject, bool wildcards)
{
    if (str_empty(subject) || strlen(subject) > SUBJECT_MAX || subject[0] == '.' || str_ends(subject, ".") ||
        strstr(subject, ".."))
        return false;
    for (const unsigned char *p = (const unsigned char *)subject; *p; p++)
        if (*p <= ' ' || *p == 127 || (!wildcards && (*p == '*' || *p == '>')))
            return false;
    return true;
}
/* Delivery */

static void req_unlink(struct bus_req *r)
{
    struct bus *b = r->bus;

    if (r->key) {
        map_take(b->reqs, r->key);
        free(TAKE_PTR(r->key));
    }
    loop_defer_cancel(TAKE_PTR(r->defer));
    if (r->listed) {
        r->listed = false;
        if (r->prev)
            r->prev->next = r->next;
        else
            b->deferred = r->next;
        if (r->next)
            r->next->prev = r->prev;
    }
}

static void req_free(struct bus_req *r)
{
    req_unlink(r);
    loop_timer_free(r->timer);
    err_free(r->err);
    free(r->subject);
    free(r);
}

static void bus_destroy(struct bus *b);

static void bus_leave(struct bus *b)
{
    if (--b->busy == 0 && b->freed)
        bus_destroy(b);
}

/* The last call of a request. */
static void req_finish(struct bus_req *r, const struct bus_message *m, struct err *e)
{
    _cleanup_err_ struct err *owned = e;
    bus_reply_fn fn = r->fn;
    void *arg = r->arg;

    req_free(r);
    fn(arg, m, owned);
}

static void on_req_timeout(void *arg)
{
    struct bus_req *r = arg;
    struct err *e = NULL;

    if (!r->gather)
        err_set(&e, ERR_TIMEOUT, "no answer on %s within %lld ms", r->subject, (long long)r->timeout_ms);
    req_finish(r, NULL, e);
}

static void on_req_deferred(void *arg)
{
    struct bus_req *r = arg;

    r->defer = NULL; /* gone once it calls */
    req_finish(r, NULL, TAKE_PTR(r->err));
}

static void deliver_reply(struct bus *b, struct bus_post *p)
{
    struct bus_req *r = map_get(b->reqs, p->subject);

    if (!r)
        return; /* too late, or cancelled */
    if (p->nobody) {
        struct err *e = NULL;
        err_set(&e, ERR_NOT_FOUND, "nobody serves %s", r->subject);
        req_finish(r, NULL, e);
        return;
    }
    struct bus_message m = {.subject = p->subject, .data = p->data, .len = p->len, .reply = p->reply};
    if (r->gather)
        r->fn(r->arg, &m, NULL);
    else
        req_finish(r, &m, NULL);
}

static void deliver_message(struct bus *b, struct bus_post *p)
{
    char key[ID_LEN];
    struct bus_sub *s = map_get(b->subs, id_key(p->id, key));

    if (s) {
        struct bus_message m = {.subject = p->subject, .data = p->data, .len = p->len, .reply = p->reply};
        s->fn(s->arg, &m);
    }
}

static void on_connected(struct bus *b, struct bus_post *p)
{
    b->connected = true;
    b->epoch = p->id;
    b->max_payload = p->number;
    free(b->server);
    b->server = TAKE_PTR(p->subject);
    free(TAKE_PTR(b->last_error));
    if (b->state)
        b->state(b->arg, true, NULL);
}

static void on_disconnected(struct bus *b, struct bus_post *p)
{
    bool was = b->connected;

    b->connected = false;
    free(TAKE_PTR(b->server));
    /* What waits can no longer be answered: the reply went to the old connection. */
    for (bool more = was; more && !b->freed;) {
        struct map_iter it = {0};
        more = map_next(b->reqs, &it);
        if (more) {
            struct bus_req *r = it.value;
            struct err *e = NULL;
            err_set(&e, ERR_UNAVAILABLE, "no answer on %s: %s", r->subject, err_text(p->err));
            req_finish(r, NULL, e);
        }
    }
    if (b->freed || (!was && streq_null(b->last_error, err_text(p->err))))
        return;
    xstr_replace(&b->last_error, err_text(p->err));
    if (b->state)
        b->state(b->arg, false, p->err);
}

static void on_rtt(struct bus *b, struct bus_post *p)
{
    char key[ID_LEN];
    struct rtt *t = map_take(b->rtts, id_key(p->id, key));

    if (t) {
        struct rtt copy = *t;
        free(t);
        copy.fn(copy.arg, p->number);
    }
}

static void on_post(void *arg, void *message)
{
    struct bus *b = arg;
    struct bus_post *p = message;

    bus_link_received(b->link, p);
    b->busy++;
    switch (p->kind) {
    case BUS_POST_CONNECTED:
        on_connected(b, p);
        break;
    case BUS_POST_DISCONNECTED:
        on_disconnected(b, p);
        break;
    case BUS_POST_MESSAGE:
        if (p->id == 0)
            deliver_reply(b, p);
        else
            deliver_message(b, p);
        break;
    case BUS_POST_RTT:
        on_rtt(b, p);
        break;
    }
    bus_leave(b);
    bus_post_free(p);
}
/* Interface */
int bus_new(struct loop *l, const struct bus_options *o, struct bus **ret, struct err **err)
{
    struct bus *b = xcalloc(1, sizeof(*b));

    int r = bus_link_new(l, o, on_post, b, &b->link, err);
    if (r < 0) {
        free(b);
        return r;
    }
    b->loop = l;
    b->state = o->state;
    b->arg = o->arg;
    b->subs = map_new(NULL);
    b->reqs = map_new(NULL);
    b->rtts = map_new(free);
    b->max_payload = BUS_PAYLOAD_DEFAULT;
    b->inbox = bus_link_inbox();
    _cleanup_free_ char *all = xasprintf("%s*", b->inbox);
    bus_link_send(b->link, bus_command_new(BUS_COMMAND_SUBSCRIBE, 0, all));
    *ret = b;
    return 0;
}

static void bus_destroy(struct bus *b)
{
    free(b->inbox);
    free(b->server);
    free(b->last_error);
    map_free(b->subs);
    map_free(b->reqs);
    map_free(b->rtts);
    free(b);
}

void bus_free(struct bus *b)
{
    if (!b || b->freed)
        return;
    bus_link_end(b->link);
    b->link = NULL;
    for (struct map_iter it = {0}; map_next(b->reqs, &it);)
        req_free(it.value);
    while (b->deferred)
        req_free(b->deferred);
    for (struct map_iter it = {0}; map_next(b->subs, &it);)
        free(it.value);
    for (struct map_iter it = {0}; map_next(b->rtts, &it);)
        loop_defer_cancel(((struct rtt *)it.value)->defer);
    b->freed = true;
    b->busy++;
    bus_leave(b);
}

bool bus_connected(const struct bus *b)
{
    return b->connected;
}

const char *bus_server(const struct bus *b)
{
    return b->connected ? b->server : "";
}

uint64_t bus_dropped(const struct bus *b)
{
    return bus_link_dropped(b->link);
}

uint64_t bus_requests(const struct bus *b)
{
    return b->requests;
}

struct bus_sub *bus_subscribe(struct bus *b, const char *subject, bus_message_fn fn, void *arg)
{
    char key[ID_LEN];

    if (!subject_ok(subject, true))
        return NULL;
    struct bus_sub *s = xcalloc(1, sizeof(*s));
    *s = (struct bus_sub){.bus = b, .id = ++b->next_id, .fn = fn, .arg = arg};
    map_set(b->subs, id_key(s->id, key), s);
    bus_link_send(b->link, bus_command_new(BUS_COMMAND_SUBSCRIBE, s->id, subject));
    return s;
}

void bus_unsubscribe(struct bus_sub *s)
{
    char key[ID_LEN];

    if (!s)
        return;
    map_take(s->bus->subs, id_key(s->id, key));
    bus_link_send(s->bus->link, bus_command_new(BUS_COMMAND_UNSUBSCRIBE, s->id, NULL));
    free(s);
}

static int publish(struct bus *b, const char *subject, const char *reply, const char *data, size_t len,
                   struct err **err)
{
    if (!subject_ok(subject, false))
        return err_set(err, ERR_INVALID, "\"%s\" is not a NATS subject", subject);
    if (!b->connected)
        return err_set(err, ERR_UNAVAILABLE, "not connected to NATS%s%s", b->last_error ? ": " : "",
                       b->last_error ? b->last_error : "");
    if (len > (size_t)b->max_payload || len > INT32_MAX)
        return err_set(err, ERR_TOO_LARGE, "message of %zu bytes on %s: %s takes at most %lld", len, subject,
                       b->server, (long long)b->max_payload);
    struct bus_command *c = bus_command_new(BUS_COMMAND_PUBLISH, 0, subject);
    c->epoch = b->epoch;
    c->reply = xstrdup_null(reply);
    c->data = len ? xmemdup(data, len) : NULL;
    c->len = len;
    if (!bus_link_send(b->link, c))
        return err_set(err, ERR_UNAVAILABLE, "%s takes no more data: %zu MiB wait to be sent", b->server,
                       BUS_QUEUE_BYTES_MAX >> 20);
    return 0;
}

int bus_publish(struct bus *b, const char *subject, const char *data, size_t len, struct err **err)
{
    return publish(b, subject, NULL, data, len, err);
}

static struct bus_req *request(struct bus *b, const char *subject, const char *data, size_t len, int64_t ms,
                               bool gather, bus_reply_fn fn, void *arg)
{
    struct bus_req *r = xcalloc(1, sizeof(*r));
    _cleanup_free_ char *key = xasprintf("%s%llx", b->inbox, (unsigned long long)++b->next_id);

    *r = (struct bus_req){.bus = b, .gather = gather, .fn = fn, .arg = arg, .timeout_ms = ms};
    r->subject = xstrdup(subject);
    if (publish(b, subject, key, data, len, &r->err) < 0) {
        r->next = b->deferred;
        if (r->next)
            r->next->prev = r;
        b->deferred = r;
        r->listed = true;
        r->defer = loop_defer(b->loop, on_req_deferred, r);
        return r;
    }
    b->requests++;
    r->key = TAKE_PTR(key);
    map_set(b->reqs, r->key, r);
    r->timer = loop_timer_new(b->loop, on_req_timeout, r);
    loop_timer_start(r->timer, ms);
    return r;
}

struct bus_req *bus_request(struct bus *b, const char *subject, const char *data, size_t len,
                            int64_t timeout_ms, bus_reply_fn fn, void *arg)
{
    return request(b, subject, data, len, timeout_ms, false, fn, arg);
}

struct bus_req *bus_gather(struct bus *b, const char *subject, const char *data, size_t len,
                           int64_t window_ms, bus_reply_fn fn, void *arg)
{
    return request(b, subject, data, len, window_ms, true, fn, arg);
}

void bus_cancel(struct bus_req *r)
{
    if (r)
        req_free(r);
}

static void on_rtt_deferred(void *arg)
{
    struct rtt *t = arg;
    struct rtt copy = *t;
    char key[ID_LEN];

    map_del(t->bus->rtts, id_key(t->id, key));
    copy.fn(copy.arg, -1);
}

void bus_rtt(struct bus *b, void (*fn)(void *arg, int64_t us), void *arg)
{
    struct rtt *t = xcalloc(1, sizeof(*t));
    char key[ID_LEN];

    *t = (struct rtt){.fn = fn, .arg = arg, .bus = b, .id = ++b->next_id};
    map_set(b->rtts, id_key(t->id, key), t);
    if (!b->connected) {
        t->defer = loop_defer(b->loop, on_rtt_deferred, t);
        return;
    }
    struct bus_command *c = bus_command_new(BUS_COMMAND_RTT, t->id, NULL);
    c->epoch = b->epoch;
    bus_link_send(b->link, c);
}
