/*
 * What a lattice driver gives the front, and what the front gives a driver. One const vtable a driver plus an
 * instance; the table of drivers is in lattice.c. Every slot says what it must do; slots marked optional may
 * be NULL: the front then answers ERR_UNSUPPORTED.
 *
 * The front owns the host table, health, operation queues and deadlines. The driver owns wire formats and the
 * meaning of messages.
 */
#ifndef WASMCTL_LATTICE_DRIVER_H
#define WASMCTL_LATTICE_DRIVER_H

#include "lattice/lattice.h"

struct lat_driver;

/* A request of the front under way in the driver. done is called exactly once, in a later turn, unless
 * cancelled; the operation is gone after that. What a slot is given (specs, names, maps) stays valid until
 * then. */
struct lat_driver_op;
typedef void (*lat_driver_done_fn)(void *arg, const struct err *err);

struct lat_driver_ops {
    const char *name; /* "wasmcloud.v1" */
    bool uses_bus;    /* false: bus is NULL and the lattice is connected from the first turn on */

    /* The bus is not yet connected. Subscribe to events here. */
    int (*open)(struct lattice *front, struct loop *l, struct bus *bus, const struct lat_options *options,
                struct lat_driver **ret, struct err **err);
    void (*close)(struct lat_driver *d);

    /* Find all hosts: report each by lat_front_seen(); call done when the window is over. */
    struct lat_driver_op *(*discover)(struct lat_driver *d, int64_t window_ms, lat_driver_done_fn done,
                                      void *arg);
    /* Ask one host for its inventory: done, and after it lat_front_inventory(). done with ERR_NOT_FOUND for
     * no responders, ERR_TIMEOUT for silence, ERR_UNAVAILABLE when the bus is down, others for an answer that
     * cannot be used. */
    struct lat_driver_op *(*probe)(struct lat_driver *d, const char *host, int64_t timeout_ms,
                                   lat_driver_done_fn done, void *arg);

    /* As the lat_ functions of the same name; the front has already queued them per host and id, and enforces
     * the deadline. */
    struct lat_driver_op *(*component_set)(struct lat_driver *d, const struct lat_component_spec *s,
                                           lat_driver_done_fn done, void *arg);
    struct lat_driver_op *(*component_stop)(struct lat_driver *d, const char *host, const char *id,
                                            lat_driver_done_fn done, void *arg);
    struct lat_driver_op *(*provider_start)(struct lat_driver *d, const struct lat_provider_spec *s,
                                            lat_driver_done_fn done, void *arg); /* optional */
    struct lat_driver_op *(*provider_stop)(struct lat_driver *d, const char *host, const char *id,
                                           lat_driver_done_fn done, void *arg); /* optional */
    struct lat_driver_op *(*config_put)(struct lat_driver *d, const char *name, const struct map *values,
                                        lat_driver_done_fn done, void *arg); /* optional */
    struct lat_driver_op *(*config_del)(struct lat_driver *d, const char *name, lat_driver_done_fn done,
                                        void *arg); /* optional */
    struct lat_driver_op *(*link_put)(struct lat_driver *d, const struct lat_link *link,
                                      lat_driver_done_fn done, void *arg); /* optional */
    struct lat_driver_op *(*link_del)(struct lat_driver *d, const struct lat_link *link,
                                      lat_driver_done_fn done, void *arg);              /* optional */
    struct lat_driver_op *(*links)(struct lat_driver *d, lat_links_fn done, void *arg); /* optional */
    struct lat_driver_op *(*registry_put)(struct lat_driver *d, const struct lat_credential *c,
                                          lat_driver_done_fn done, void *arg); /* optional */
    struct lat_driver_op *(*host_stop)(struct lat_driver *d, const char *host, int64_t timeout_ms,
                                       lat_driver_done_fn done, void *arg); /* optional */
    /* Names of all configurations that begin with the prefix: fn once, in a later turn. ERR_UNSUPPORTED: it
     * cannot be told. */
    struct lat_driver_op *(*config_names)(struct lat_driver *d, const char *prefix, lat_names_fn fn,
                                          void *arg); /* optional */
    /* Takes the configuration out of the store with all traces: deleting leaves a mark. Unanswered. */
    void (*config_forget)(struct lat_driver *d, const char *name); /* optional */
    /* Who still watches the lattice's store: lat_front_hearing() for each host that is known to or known not
     * to, then done. ERR_UNAVAILABLE or ERR_TIMEOUT: the store does not answer; ERR_UNSUPPORTED: there is
     * none. Unless `anew`, a driver may tell of no host when nothing seems to have changed since the last
     * time. */
    struct lat_driver_op *(*hearing)(struct lat_driver *d, bool anew, lat_driver_done_fn done,
                                     void *arg); /* optional */
    /* The callback will not run any more, and the operation is gone. */
    void (*cancel)(struct lat_driver_op *op);
};

extern const struct lat_driver_ops lat_driver_v1, lat_driver_mem;

/* From a driver to the front. */

/* Any sign of life of a host: creates its row if need be. Strings NULL = unknown, not changed. labels is
 * taken (NULL = unchanged). */
void lat_front_seen(struct lattice *front, const char *host, const char *friendly_name, const char *version,
                    struct map *labels, int64_t uptime_s);
/* A whole inventory; the arrays and what they hold are taken. */
void lat_front_inventory(struct lattice *front, const char *host, struct lat_component *components,
                         size_t ncomponents, struct lat_provider *providers, size_t nproviders);
/* It has just started: what ran under this id before is gone. Call after lat_front_seen(). */
void lat_front_started(struct lattice *front, const char *host);
/* The host said goodbye. */
void lat_front_stopped(struct lattice *front, const char *host);
/* One component changed (count 0 = gone); more timely than the next inventory. annotations is taken, may be
 * NULL. */
void lat_front_component(struct lattice *front, const char *host, const char *id, const char *image,
                         uint32_t count, struct map *annotations);
void lat_front_provider(struct lattice *front, const char *host, const char *id, const char *image,
                        bool running, struct map *annotations);
void lat_front_provider_health(struct lattice *front, const char *host, const char *id, bool healthy);
/* The store has answered, while who hears is still being found out. */
void lat_front_store_up(struct lattice *front);
void lat_front_hearing(struct lattice *front, const char *host, bool hears);
void lat_front_event(struct lattice *front, const struct lat_event *e);
/* For drivers without bus: the way to the hosts is there or gone (err says why, may be NULL). */
void lat_front_connection(struct lattice *front, bool connected, const struct err *err);

#endif
