/* What lattice.c, health.c, hearing.c and ops.c share: the rows of the host table and the operation queues.
 * For these four files alone. */
#ifndef WASMCTL_LATTICE_FRONT_H
#define WASMCTL_LATTICE_FRONT_H

#include "lattice/driver.h"

struct lat_op;

/* Operations in line: at most `limit` run, those with the same key one after another. */
struct lat_queue {
    struct lattice *lat;
    struct lat_row *row; /* NULL: the lattice-wide queue */
    size_t limit, running;
    struct lat_op *head, *tail; /* all that are not finished, in order of asking */
    struct map *last;           /* key -> last operation with it */
};

struct lat_row {
    struct lat_host host; /* first: lat_host_next() hands out rows as hosts */
    struct lattice *lat;
    struct lat_queue ops;
    struct lat_driver_op *probe;
    struct loop_timer *next_probe;
    int64_t probe_sent_ms, probe_timeout_ms, backoff_ms;
    int missed;             /* probes without an answer, in a row */
    bool nobody;            /* the last probe found no responders */
    bool settled;           /* since the last (re)connect: answered, or not waited for */
    bool answered;          /* since the last (re)connect */
    bool changed;           /* host_changed is to be called */
    int64_t doubt_since_ms; /* its watch of the store is missing since, 0 = it is not */
};

enum lat_phase { LAT_DOWN, LAT_SYNCING, LAT_SYNCED };

struct lattice {
    struct loop *loop;
    struct lat_options options; /* only plain members and callbacks are used after lat_open() */
    char *name, *id, *control_prefix;
    const struct lat_driver_ops *ops;
    struct lat_driver *driver;
    struct bus *bus; /* NULL: the driver needs none */
    char *down_reason;
    struct map *hosts; /* id -> struct lat_row */
    struct lat_queue wide;
    struct lat_op *finished, *finished_last; /* done is to be called in the next turn */

    enum lat_phase phase;
    bool connected, discovered, synced_due;
    int64_t connected_ms, rtt_us;
    int64_t heard_from_ms; /* silence is counted from here at the earliest */
    int64_t bus_heard_ms;  /* anything came over the bus */
    bool bus_asked;        /* for a sign of life */
    struct lat_driver_op *discover;
    struct loop_timer *rediscover, *sync_check, *rtt_timer;
    struct loop_defer *flush;

    enum lat_store store;
    char *store_why; /* the last check's error */
    bool store_ever_up;
    bool store_asking; /* a host was lost: whether the store is lost too is being asked */
    bool store_changed_due;
    struct lat_driver_op *hearing;
    struct lat_driver_op *names; /* lat_config_names() under way */
    lat_names_fn names_fn;
    void *names_arg;
    struct loop_timer *hearing_timer;
    int64_t hearing_sent_ms, heard_ms; /* of the check under way; of the last that was answered, 0 = none */

    int depth; /* user callbacks under way */
    bool closed;
};

struct lat_row *lat_row_get(const struct lattice *lat, const char *id);
/* host_changed is called in the next turn. */
void lat_row_changed(struct lat_row *row);
void lat_flush_soon(struct lattice *lat);

/* health.c */
void lat_health_connected(struct lattice *lat);
void lat_health_disconnected(struct lattice *lat);
/* A new row, or a sign of life of an old one. */
void lat_health_seen(struct lat_row *row, bool fresh);
void lat_health_inventory(struct lat_row *row);
void lat_health_stopped(struct lat_row *row);
void lat_health_restarted(struct lat_row *row);
/* An operation has ended: a busy host may be judged again. */
void lat_health_idle(struct lat_row *row);
void lat_health_forget(struct lat_row *row);
void lat_health_close(struct lattice *lat);

/* hearing.c */
void lat_hearing_connected(struct lattice *lat);
void lat_hearing_disconnected(struct lattice *lat);
/* A host is judged dead. */
void lat_hearing_lost(struct lattice *lat);
void lat_hearing_restarted(struct lat_row *row);
void lat_hearing_close(struct lattice *lat);

/* ops.c */
void lat_queue_init(struct lat_queue *q, struct lattice *lat, struct lat_row *row, size_t limit);
/* Drops everything without calling back. */
void lat_queue_release(struct lat_queue *q);
/* All fail in the next turn; host_stop succeeds when host_ended. */
void lat_queue_fail(struct lat_queue *q, bool host_ended, int code, const char *fmt, ...) _printf_(4, 5);
/* Starts what may run. */
void lat_queue_pump(struct lat_queue *q);
/* Something is running that keeps a host from answering. */
bool lat_queue_busy(const struct lat_queue *q);
void lat_ops_flush(struct lattice *lat);
void lat_ops_close(struct lattice *lat);

/* User callbacks may close the lattice: between these two it is only marked. */
void lat_enter(struct lattice *lat);
/* False: the lattice is closed, touch nothing more. */
bool lat_leave(struct lattice *lat);

#endif
