/*
 * One object of a cluster as the panes show it: compact, immutable, counted. The whole object is kept only
 * where it cannot be asked for again (replay).
 */
#ifndef WASMCTL_TUI_OBJECT_H
#define WASMCTL_TUI_OBJECT_H

#include "base/map.h"
#include "data/json.h"

enum tui_kind { TUI_ACTOR, TUI_PROVIDER, TUI_HOST, TUI_LATTICE, TUI_EVENT, TUI_KINDS };
extern const char *const tui_kind_names[TUI_KINDS]; /* "wasmactor"...: as typed, in records and for wasmctl */
extern const char *const tui_kind_plurals[TUI_KINDS]; /* "wasmactors"... */
/* By singular, plural, short name or Kind; TUI_KINDS when it is none of them. */
enum tui_kind tui_kind_of(const char *word);

enum tui_health { TUI_HEALTH_GOOD, TUI_HEALTH_BUSY, TUI_HEALTH_UNKNOWN, TUI_HEALTH_WARN, TUI_HEALTH_BAD };

struct tui_placement {
    char *host; /* name of the LatticeHost */
    char *state;
    int32_t replicas;
    bool ready;
};
struct tui_link { /* a capability: somebody calls somebody */
    char *interface;
    char *peer;  /* name of a WasmProvider or WasmActor of the same namespace */
    bool actor;  /* the peer is an actor */
    bool inward; /* the peer calls */
};
struct tui_workload { /* actors and providers */
    char *lattice, *image, *id;
    int32_t desired, ready, updated; /* desired -1: one on every host */
    bool daemon, paused;
    char *address; /* where HTTP is served, NULL if it is not known */
    struct tui_placement *placements;
    size_t nplacements;
    struct tui_link *links; /* of actors */
    size_t nlinks;
};
struct tui_host {
    char *lattice, *friendly, *version, *hostname;
    char *cloud, *zone; /* labels, "" if none: cloud, then topology.kubernetes.io/region; zone likewise */
    int32_t actors, providers;
    bool cordoned, lost;
    int64_t seen_ns; /* when a host that does not answer was last heard of, 0 = answers */
};
struct tui_lattice {
    char *driver, *id;
    int32_t hosts_ready, hosts_total;
    int64_t rtt_ms; /* -1 = unknown */
    bool connected;
};
struct tui_event {
    bool warning;
    char *type, *object_kind, *object_name, *source;
    int64_t first_ns, last_ns;
    int32_t count;
};

struct tui_object {
    unsigned refs;
    enum tui_kind kind;
    unsigned cluster; /* index in the store */
    uint64_t id;      /* of kind, cluster and key: the same for an object at all times, never 0 */
    uint64_t version; /* the same as of another object: nothing has changed */
    char *key;        /* "namespace/name" or "name" */
    char *namespace;  /* NULL for cluster-scoped kinds */
    char *name;
    struct map *labels; /* char *; NULL if none */
    int64_t created_ns;
    bool deleting;
    enum tui_health health;
    char *reason, *message; /* of the condition Ready, or the event's; never NULL */
    char *json;             /* the whole object; NULL unless it was kept */
    union {
        struct tui_workload workload;
        struct tui_host host;
        struct tui_lattice lattice;
        struct tui_event event;
    };
};

/* NULL when it has no name. Never fails otherwise: what is missing or of a wrong type counts as absent. */
struct tui_object *tui_object_new(enum tui_kind kind, unsigned cluster, const cJSON *object, bool keep_json);
struct tui_object *tui_object_ref(struct tui_object *o); /* NULL is fine */
void tui_object_unref(struct tui_object *o);             /* NULL is fine */
DEFINE_CLEANUP(struct tui_object *, tui_object_unref)

#endif
