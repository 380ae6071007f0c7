/*
 * Which requests are handed to curl, and which wait in line.
 *
 * Ordinary ones: so many at a time. Streams: as many as the connections carry. curl would open a connection
 * for each request that finds those there are full while others are being opened; here one opens a
 * connection and the others that fit on it wait until it is there. When it cannot be opened, they fail with
 * the one that tried.
 */
#include <string.h>

#include "base/str.h"
#include "kube/client_internal.h"

static void push(struct kube_line *line, struct kube_req *r)
{
    r->line = line;
    r->line_prev = line->last;
    r->line_next = NULL;
    if (line->last)
        line->last->line_next = r;
    else
        line->first = r;
    line->last = r;
    line->len++;
}

void kube_client_dequeue(struct kube_req *r)
{
    struct kube_line *line = r->line;

    if (!line)
        return;
    r->line = NULL;
    line->len--;
    if (r->line_prev)
        r->line_prev->line_next = r->line_next;
    else
        line->first = r->line_next;
    if (r->line_next)
        r->line_next->line_prev = r->line_prev;
    else
        line->last = r->line_prev;
}

/* Without TLS, and where the server speaks HTTP/1.1, each request has a connection anyway. */
static bool shares(const struct kube_client *c)
{
    return str_starts(c->base, "https://") && !c->link->one_each;
}

static bool has_room(const struct kube_client *c)
{
    const struct kube_link *k = c->link;

    return k->users - k->openers < k->carriers.len * KUBE_STREAMS_EACH;
}

/* More wait than the connections that are being opened can carry. */
static bool needs_opener(const struct kube_client *c)
{
    return c->streams.len >= (size_t)c->link->openers * KUBE_STREAMS_EACH;
}

static bool stream_may_go(struct kube_req *r)
{
    struct kube_client *c = r->client;

    if (!shares(c) || (!c->streams.len && has_room(c)))
        return true;
    if (!needs_opener(c))
        return false;
    r->opens = true;
    return true;
}

bool kube_client_enqueue(struct kube_req *r)
{
    struct kube_client *c = r->client;
    bool now = r->its_turn || r->urgent;

    if (!r->its_turn)
        r->opens = false; /* it may have been said of an attempt that did not come so far */
    if (!now)
        now = r->chunk ? stream_may_go(r) : !c->queue.len && c->in_flight < KUBE_MAX_IN_FLIGHT;
    r->its_turn = false;
    if (now)
        return false;
    push(r->chunk ? &c->streams : &c->queue, r);
    return true;
}

static void start(struct kube_req *r)
{
    kube_client_dequeue(r);
    r->its_turn = true;
    kube_client_begin_time(r);
    kube_req_start(r);
}

void kube_client_start_queued(struct kube_client *c)
{
    while (c->queue.len && c->in_flight < KUBE_MAX_IN_FLIGHT)
        start(c->queue.first);
    while (c->streams.len && (!shares(c) || has_room(c)))
        start(c->streams.first);
    while (c->streams.len && needs_opener(c)) {
        c->streams.first->opens = true;
        start(c->streams.first);
    }
}

void kube_link_started(struct kube_link *k, struct kube_req *r)
{
    r->link = k;
    r->carrier = 0;
    k->users++;
    k->openers += r->opens;
}

static void opener_is_done(struct kube_req *r)
{
    r->link->openers -= r->opens;
    r->opens = false;
    kube_client_wake(r->client);
}

static struct kube_carrier *find(struct kube_link *k, int port)
{
    for (size_t i = 0; port && i < k->carriers.len; i++)
        if (k->carriers.items[i].port == port)
            return &k->carriers.items[i];
    return NULL;
}

static void leave(struct kube_link *k, struct kube_req *r, bool broken)
{
    struct kube_carrier *on = find(k, r->carrier);

    r->carrier = 0;
    if (on && (--on->requests == 0 || broken))
        vec_remove(&k->carriers, (size_t)(on - k->carriers.items));
}

void kube_link_sent(struct kube_req *r, int port)
{
    struct kube_link *k = r->link;

    leave(k, r, false);
    struct kube_carrier *on = find(k, port);
    if (on)
        on->requests++;
    else
        vec_push(&k->carriers, ((struct kube_carrier){.port = port, .requests = 1}));
    r->carrier = port;
    if (r->opens)
        opener_is_done(r);
}

void kube_link_speaks(struct kube_link *k, long version)
{
    bool one_each = version == CURL_HTTP_VERSION_1_1 || version == CURL_HTTP_VERSION_1_0;

    if (one_each && !k->one_each)
        kube_client_wake(k->client);
    k->one_each = one_each;
}

/* Those that wait for this connection have no better prospects. */
static void fail_line(struct kube_client *c, const struct kube_req *opener)
{
    while (c->streams.len) {
        struct kube_req *r = c->streams.first;
        kube_client_dequeue(r);
        r->result = opener->result;
        memcpy(r->error, opener->error, sizeof(r->error));
        r->proxy_status = opener->proxy_status;
        r->state = REQ_FINISHED;
        kube_client_mark_ready(r);
    }
}

void kube_link_stopped(struct kube_req *r)
{
    struct kube_link *k = r->link;
    /* What is said of one stream says nothing of the others. */
    bool broken = r->result != CURLE_OK && r->result != CURLE_HTTP2_STREAM && r->result != CURLE_WRITE_ERROR &&
                  r->result != CURLE_ABORTED_BY_CALLBACK;
    bool failed = r->opens && broken;

    if (r->opens)
        opener_is_done(r);
    leave(k, r, broken);
    k->users--;
    r->link = NULL;
    if (failed && k == r->client->link && !k->openers)
        fail_line(r->client, r);
    else if (r->client->streams.len)
        kube_client_wake(r->client);
}

void kube_link_release(struct kube_link *k)
{
    free(k->carriers.items);
}
