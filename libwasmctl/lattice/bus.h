/*
 * NATS for the loop: connection, publish, subscribe, request/reply with timeout and no-responders. The only
 * place that knows nats.c; its threads only move messages into a mailbox. Nothing here blocks the loop, not
 * even the first connect.
 *
 * The connection is kept for ever: it is retried (0.25 s to 5 s, jitter) until bus_free(). Subscriptions
 * survive reconnects. Callbacks run on the loop, never from within the call that registers them. Servers are
 * tried in the order given; those a cluster announces by itself are not used.
 *
 * bus_free() may be called in any callback. It does not wait: the connection is closed behind the scenes, and
 * what was published before still goes out if the server takes it within 5 s (the process waits for that at
 * exit).
 */
#ifndef WASMCTL_LATTICE_BUS_H
#define WASMCTL_LATTICE_BUS_H

#include "base/loop.h"

struct bus;
struct bus_sub;
struct bus_req;

struct bus_options {
    char *const *servers;                    /* NULL-ended, "nats://host:port" or "tls://..."; at least one */
    const char *name;                        /* connection name shown by the server */
    const char *credentials;                 /* content of a NATS credentials file, NULL if none */
    const char *ca_pem, *cert_pem, *key_pem; /* TLS; NULL if not given */
    int64_t ping_interval_ms;                /* 0 = 5 s; two unanswered pings end the connection */
    size_t mailbox_limit; /* 0 = 65536 messages; when full, messages are dropped and counted */
    /* connected: err NULL. Else why not (refused, authorization, TLS...), told again only when the reason
     * changes. */
    void (*state)(void *arg, bool connected, const struct err *err);
    void *arg;
};
/* Options are copied. ERR_INVALID for a server address or credentials that cannot be used. */
int bus_new(struct loop *l, const struct bus_options *options, struct bus **ret, struct err **err);
void bus_free(struct bus *b);
DEFINE_CLEANUP(struct bus *, bus_free)

bool bus_connected(const struct bus *b);
/* URL of the connected server without user and password, "" when not connected; valid until the next turn. */
const char *bus_server(const struct bus *b);
/* Messages dropped because the mailbox was full, since the start. */
uint64_t bus_dropped(const struct bus *b);
uint64_t bus_requests(const struct bus *b);

struct bus_message {
    const char *subject;
    const char *data; /* NUL-terminated; borrowed for the callback */
    size_t len;
    const char *reply; /* NULL if none */
};
typedef void (*bus_message_fn)(void *arg, const struct bus_message *m);
/* Wildcards are fine. NULL when subject is not a NATS subject. Kept over reconnects. */
struct bus_sub *bus_subscribe(struct bus *b, const char *subject, bus_message_fn fn, void *arg);
void bus_unsubscribe(struct bus_sub *s);

/* ERR_UNAVAILABLE when not connected (nothing is kept for later) or 64 MiB wait to be sent, ERR_TOO_LARGE
 * past the server's payload limit, ERR_INVALID for what is no subject. */
int bus_publish(struct bus *b, const char *subject, const char *data, size_t len, struct err **err);

/* Exactly one call, in a later turn: reply set and err NULL; or reply NULL and err ERR_NOT_FOUND (503: nobody
 * serves the subject), ERR_TIMEOUT, ERR_UNAVAILABLE (not connected, or the connection was lost while
 * waiting), ERR_TOO_LARGE, ERR_INVALID. */
typedef void (*bus_reply_fn)(void *arg, const struct bus_message *reply, const struct err *err);
struct bus_req *bus_request(struct bus *b, const char *subject, const char *data, size_t len,
                            int64_t timeout_ms, bus_reply_fn fn, void *arg);
/* Many answers: fn for each, then once with reply NULL: err NULL when the window closed, or as above (503:
 * nobody). */
struct bus_req *bus_gather(struct bus *b, const char *subject, const char *data, size_t len,
                           int64_t window_ms, bus_reply_fn fn, void *arg);
void bus_cancel(struct bus_req *r); /* NULL is fine; the callback never runs afterwards */

/* Round trip to the server in microseconds, asked for over the connection (PING); -1 when not connected. */
void bus_rtt(struct bus *b, void (*fn)(void *arg, int64_t us), void *arg);

#endif
