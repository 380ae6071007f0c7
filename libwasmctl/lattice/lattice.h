/*
 * A lattice: its hosts, what runs on them, and the operations that change it. This is the front; drivers
 * (wasmCloud v1, v2, in-memory for tests) implement struct lat_driver below it.
 *
 * Truth about hosts comes from events, heartbeats and probes; the table here is always the newest that is
 * known. The front judges health (see enum lat_host_state) and serialises requests per host: at most
 * `LAT_HOST_INFLIGHT` operations a host at once, those for one component or provider id strictly one after
 * another, others wait in line, so that a slow host never delays the rest.
 *
 * Sources: wasmCloud v1 control interface (crate wasmcloud-control-interface 3.0.1), wasmcloud-host 0.27.1.
 */
#ifndef WASMCTL_LATTICE_LATTICE_H
#define WASMCTL_LATTICE_LATTICE_H

#include "base/loop.h"
#include "base/map.h"
#include "lattice/bus.h"

enum { LAT_HOST_INFLIGHT = 8 };

/* name, reason word shown to people */
#define LAT_HOST_STATES(X)                                                                                   \
    X(NEW, "Discovered")           /* seen, inventory not yet known */                                       \
    X(READY, "Heartbeating")       /* answers probes */                                                      \
    X(BUSY, "Busy")                /* silent while it works on something we asked for: not judged */         \
    X(SUSPECT, "ProbeTimeout")     /* silent, not yet for unreachable_after */                               \
    X(UNREACHABLE, "ProbeTimeout") /* silent for unreachable_after: work is moved, nothing is asked of it */ \
    X(GONE, "NoResponders")        /* its process or connection is gone (503 twice) */                       \
    X(STOPPED, "HostStopped")      /* it said goodbye */                                                     \
    X(UNJUDGED, "BusDisconnected") /* our own bus link is down: nothing is known */
enum lat_host_state {
#define X(name, reason) LAT_HOST_##name,
    LAT_HOST_STATES(X)
#undef X
};
const char *lat_host_reason(enum lat_host_state s);
/* READY, BUSY or SUSPECT: what runs there counts as running. */
bool lat_host_alive(enum lat_host_state s);
/* GONE, STOPPED or UNREACHABLE: what ran there is lost. */
bool lat_host_dead(enum lat_host_state s);

/* Whether a host still sees changes of links and configuration. v1 hosts learn of them from the lattice's
 * store (JetStream) and can lose their watch of it, for good, while they go on serving: after a restart of
 * the JetStream server, or a cut of their leaf node. */
enum lat_hearing {
    LAT_HEARING_UNKNOWN, /* not judged yet, or it cannot be told of this host */
    LAT_HEARS,
    LAT_DOUBTFUL, /* its watch is missing, but not yet for 12 s */
    LAT_DEAF,     /* only a restart of the host mends it */
};

struct lat_component {
    char *id, *image, *name;
    uint32_t count;          /* calls served at once */
    struct map *annotations; /* char * values; never NULL */
};
struct lat_provider {
    char *id, *image, *name;
    struct map *annotations;
    bool healthy; /* false after a failed health check */
};
struct lat_host {
    char *id;
    char *friendly_name, *hostname, *version; /* "" when not reported */
    struct map *labels;                       /* char * values, as reported */
    int64_t uptime_s;
    int64_t last_seen_ms; /* loop clock: last sign of life of any kind */
    enum lat_host_state state;
    int64_t state_since_ns; /* wall clock */
    enum lat_hearing hearing;
    int64_t hearing_since_ns; /* wall clock */
    bool has_inventory;
    struct lat_component *components;
    size_t ncomponents;
    struct lat_provider *providers;
    size_t nproviders;
    double cpu_percent;                /* -1 = not reported */
    int64_t memory_total, memory_free; /* bytes, -1 = not reported */
    int http_port;                     /* 0 = none */
};
const struct lat_component *lat_host_component(const struct lat_host *h, const char *id);
const struct lat_provider *lat_host_provider(const struct lat_host *h, const char *id);

enum lat_event_kind {
    LAT_EVENT_HOST_STARTED,
    LAT_EVENT_HOST_STOPPED,
    LAT_EVENT_LABELS_CHANGED,
    LAT_EVENT_COMPONENT_SCALED,
    LAT_EVENT_COMPONENT_FAILED,
    LAT_EVENT_PROVIDER_STARTED,
    LAT_EVENT_PROVIDER_FAILED,
    LAT_EVENT_PROVIDER_STOPPED,
    LAT_EVENT_PROVIDER_HEALTH,
    LAT_EVENT_LINK_SET,
    LAT_EVENT_LINK_FAILED,
    LAT_EVENT_LINK_DELETED,
    LAT_EVENT_CONFIG_SET,
    LAT_EVENT_CONFIG_DELETED,
};
struct lat_event {
    enum lat_event_kind kind;
    int64_t time_ns;
    const char *host;    /* "" if none */
    const char *subject; /* component, provider, link source or config name; "" if none */
    const char *image;
    const char *error; /* text of the host for failures, else "" */
    uint32_t count;
};

struct lattice;

struct lat_options {
    const char *driver;           /* "wasmcloud.v1", "memory" */
    const char *name;             /* for messages */
    const char *id;               /* lattice id, "default" */
    const char *control_prefix;   /* NULL = "wasmbus.ctl" */
    struct bus_options bus;       /* state/arg are ignored: see callbacks */
    const char *js_domain;        /* NULL if none */
    int64_t probe_interval_ms;    /* 0 = 500 */
    int64_t unreachable_after_ms; /* 0 = 3000 */
    /* Connected or not (err says why). */
    void (*connection)(void *arg, bool connected, const struct err *err);
    /* First complete picture after the start or after a reconnect: every host answered or its time ran out.
     * Nothing may be judged before. */
    void (*synced)(void *arg);
    /* The host's row changed: new, inventory, labels, state. h stays in the table until lat_host_forget(). */
    void (*host_changed)(void *arg, const struct lat_host *h);
    void (*event)(void *arg, const struct lat_event *e); /* may be NULL */
    /* An operation has ended, for metrics: "component-set"..., err NULL when it succeeded, milliseconds in
     * line and under way. Not for cancelled ones. May be NULL. Must not call the lattice. */
    void (*observe)(void *arg, const char *operation, const struct err *err, int64_t waited_ms,
                    int64_t took_ms);
    void (*store_changed)(void *arg); /* lat_store() changed; may be NULL */
    void *arg;
};
int lat_open(struct loop *l, const struct lat_options *options, struct lattice **ret, struct err **err);
/* Cancels all operations (their callbacks do not run). May be called in any callback of the lattice. */
void lat_close(struct lattice *lat);
DEFINE_CLEANUP(struct lattice *, lat_close)

bool lat_connected(const struct lattice *lat);
bool lat_synced(const struct lattice *lat);
const char *lat_server(const struct lattice *lat);
int64_t lat_rtt_us(const struct lattice *lat); /* last measured, -1 unknown; measured every 30 s */
const char *lat_driver_name(const struct lattice *lat);
uint64_t lat_requests(const struct lattice *lat); /* NATS requests sent since the start */
uint64_t lat_dropped(const struct lattice *lat);  /* NATS messages that came faster than they were read */

/* The store without which hosts can start nothing (JetStream). */
enum lat_store {
    LAT_STORE_UNKNOWN, /* it cannot be asked (permissions) */
    LAT_STORE_UP,
    LAT_STORE_DOWN,   /* nothing may be stopped, moved or started */
    LAT_STORE_ASKING, /* a host was just lost: whether the store is lost with it is known in a moment */
};
enum lat_store lat_store(const struct lattice *lat);
/* Why it is down or unknown, "" if nothing is the matter; valid until the next turn. */
const char *lat_store_reason(const struct lattice *lat);
/* Whether what the hosts hear was looked at within the last age_ms (or cannot be). If not, a look begins now.
 */
bool lat_hearing_fresh(struct lattice *lat, int64_t age_ms);

/* Hosts by id, in order of discovery; valid until the next turn. it.value is a struct lat_host *. */
const struct lat_host *lat_host_get(const struct lattice *lat, const char *id);
bool lat_host_next(const struct lattice *lat, struct map_iter *it);
size_t lat_host_count(const struct lattice *lat);
/* Drops a dead host from the table; it comes back if it shows itself again. */
void lat_host_forget(struct lattice *lat, const char *id);

/* Operations. Each returns a slot; done runs exactly once, in a later turn, unless cancelled. err NULL: the
 * outcome was seen (event or inventory), not only acknowledged. ERR_TIMEOUT: unknown, ask the inventory.
 * ERR_FAILED: err->message is the host's own text. ERR_UNAVAILABLE: host dead or bus down. */
struct lat_op;
typedef void (*lat_done_fn)(void *arg, const struct err *err);
void lat_op_cancel(struct lat_op *op); /* forgets the outcome; what was sent was sent. NULL is fine. */

enum {
    LAT_START_TIMEOUT_MS = 60 * 1000, /* fetch and compile */
    LAT_STOP_TIMEOUT_MS = 15 * 1000,
    LAT_CALL_TIMEOUT_MS = 5 * 1000,
};

struct lat_component_spec {
    const char *host, *id, *image;
    uint32_t count;                /* > 0 */
    char *const *config;           /* names of configs, NULL-ended, may be NULL */
    const struct map *annotations; /* char * values */
    int64_t memory_limit;          /* bytes, 0 = the host's */
    bool fresh; /* what runs is stopped and the image fetched anew, even if it is the same reference */
};
/* Starts it, or changes count, config or annotations of the running one (annotations NULL: left alone). The
 * driver never sends a scale with another reference than the running one: if the host runs another image, it
 * is stopped first and its end awaited, then started. */
struct lat_op *lat_component_set(struct lattice *lat, const struct lat_component_spec *spec, lat_done_fn done,
                                 void *arg);
/* Not running is success. */
struct lat_op *lat_component_stop(struct lattice *lat, const char *host, const char *id, lat_done_fn done,
                                  void *arg);

struct lat_provider_spec {
    const char *host, *id, *image;
    char *const *config;
    const struct map *annotations;
};
/* Already running with the same image is success; with another image it is stopped first. Changed config or
 * annotations are not taken over by a running provider: stop and start it. */
struct lat_op *lat_provider_start(struct lattice *lat, const struct lat_provider_spec *spec, lat_done_fn done,
                                  void *arg);
struct lat_op *lat_provider_stop(struct lattice *lat, const char *host, const char *id, lat_done_fn done,
                                 void *arg);

/* Lattice-wide named configuration, strings to strings. */
struct lat_op *lat_config_put(struct lattice *lat, const char *name, const struct map *values,
                              lat_done_fn done, void *arg);
struct lat_op *lat_config_del(struct lattice *lat, const char *name, lat_done_fn done, void *arg);

/* Names of all configurations of the lattice that begin with the prefix, whoever made them. One call at a
 * time: false when one is under way, or it cannot be asked now. fn is called once, in a later turn, unless
 * the lattice is closed; names are borrowed. */
typedef void (*lat_names_fn)(void *arg, char *const *names, const struct err *err);
bool lat_config_names(struct lattice *lat, const char *prefix, lat_names_fn fn, void *arg);

/* Takes a configuration that nothing uses out of the lattice's store, with the mark that a deletion leaves.
 * Best effort: nobody answers. */
void lat_config_forget(struct lattice *lat, const char *name);

struct lat_link {
    char *source, *target, *name; /* name "default" if none */
    char *wit_namespace, *wit_package;
    char **interfaces; /* NULL-ended, sorted */
    char **source_config, **target_config;
};
void lat_link_release(struct lat_link *l);
bool lat_link_same(const struct lat_link *a, const struct lat_link *b);
/* Puts are serialised per source. */
struct lat_op *lat_link_put(struct lattice *lat, const struct lat_link *link, lat_done_fn done, void *arg);
struct lat_op *lat_link_del(struct lattice *lat, const struct lat_link *link, lat_done_fn done, void *arg);
typedef void (*lat_links_fn)(void *arg, const struct lat_link *links, size_t n, const struct err *err);
struct lat_op *lat_links(struct lattice *lat, lat_links_fn done, void *arg);

struct lat_credential {
    const char *registry, *username, *password; /* "host[:port]" */
};
/* Told to all hosts; no answer can be awaited for all. */
struct lat_op *lat_registry_put(struct lattice *lat, const struct lat_credential *c, lat_done_fn done,
                                void *arg);
/* Ends a host gracefully. */
struct lat_op *lat_host_stop(struct lattice *lat, const char *host, int64_t timeout_ms, lat_done_fn done,
                             void *arg);

#endif
