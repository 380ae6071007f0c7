/*
 * The threads' side of the bus, for bus_loop.c alone: one thread that owns the connection, fed through a
 * queue of commands; what it and nats.c's threads have to say comes back as posts through the mailbox.
 *
 * A link outlives the bus that made it until its thread has ended: closing a connection may take seconds, the
 * loop does not wait.
 */
#ifndef WASMCTL_LATTICE_BUS_LINK_H
#define WASMCTL_LATTICE_BUS_LINK_H

#include "base/mailbox.h"
#include "lattice/bus.h"

struct bus_link;

enum { BUS_PAYLOAD_DEFAULT = 1024 * 1024 };       /* until the server has named its limit */
#define BUS_QUEUE_BYTES_MAX   ((size_t)64 << 20)  /* commands not yet written */
#define BUS_MAILBOX_BYTES_MAX ((size_t)256 << 20) /* messages not yet delivered */

enum bus_command_kind {
    BUS_COMMAND_PUBLISH,
    BUS_COMMAND_SUBSCRIBE,
    BUS_COMMAND_UNSUBSCRIBE,
    BUS_COMMAND_RTT
};
struct bus_command {
    struct bus_command *next;
    enum bus_command_kind kind;
    uint64_t id;    /* subscription or round trip */
    uint64_t epoch; /* connection it was meant for: a publish is never sent on a later one */
    char *subject, *reply, *data;
    size_t len;
};
/* subject is copied, may be NULL. */
struct bus_command *bus_command_new(enum bus_command_kind kind, uint64_t id, const char *subject);

enum bus_post_kind { BUS_POST_CONNECTED, BUS_POST_DISCONNECTED, BUS_POST_MESSAGE, BUS_POST_RTT };
struct bus_post {
    enum bus_post_kind kind;
    uint64_t id;     /* message: subscription (0 = inbox); round trip; connected: epoch */
    int64_t number;  /* connected: payload limit; round trip: microseconds, -1 unknown */
    bool nobody;     /* message: status 503 */
    struct err *err; /* disconnected */
    char *subject;   /* message; connected: the server's URL without user */
    char *reply, *data;
    size_t len;
};
void bus_post_free(void *post);

/* Checks the options (ERR_INVALID) and starts the thread; posts go to a mailbox of that loop which calls fn.
 */
int bus_link_new(struct loop *l, const struct bus_options *options, mailbox_fn fn, void *arg,
                 struct bus_link **ret, struct err **err);
/* Ends the thread: no post is delivered any more. What was sent before still goes out if the server takes it.
 * Frees the link. */
void bus_link_end(struct bus_link *k);
/* Takes the command; false when too much waits to be sent. */
bool bus_link_send(struct bus_link *k, struct bus_command *c);
/* To be called with each post received. */
void bus_link_received(struct bus_link *k, const struct bus_post *p);
uint64_t bus_link_dropped(struct bus_link *k);
/* "_INBOX.<unique>." */
char *bus_link_inbox(void);

#endif
