/*
 * WasmActor and WasmProvider as compact structs. Both are a unit that runs on hosts of a lattice and differ
 * in few fields, so one struct serves both.
 *
 * Defaults of the CRD are applied here too (an old object may lack them). Numbers are range-checked; what
 * cannot be used is told by `problem`, for the condition of the object, never dropped in silence.
 */
#ifndef WASMCTL_MODEL_WORKLOAD_H
#define WASMCTL_MODEL_WORKLOAD_H

#include "data/selector.h"
#include "model/interface.h"
#include "model/meta.h"

/* The limits of the CRD; their product fits the 32 bits of the wire. */
enum { MODEL_REPLICAS_MOST = 10000, MODEL_CONCURRENCY_MOST = 100000 };

enum model_kind { MODEL_ACTOR, MODEL_PROVIDER };

struct model_source {
    bool secret; /* else ConfigMap */
    char *name;
    bool optional;
};
struct model_config {
    struct map *values; /* char *; never NULL */
    struct model_source *sources;
    size_t nsources;
};

struct model_capability {
    char *name;
    struct model_interface interface;
    char *provider, *actor; /* one of them at most */
    struct model_config config;
};

struct model_spread {
    char *topology_key;
    int32_t max_skew;
    bool hard;           /* DoNotSchedule */
    struct map *weights; /* value -> decimal text; NULL if none */
};
struct model_toleration {
    char *key, *value, *effect; /* NULL key = every key, NULL effect = every effect */
    bool exists;                /* operator Exists: value is not compared */
};
struct model_taint {
    char *key, *value, *effect; /* NoSchedule, PreferNoSchedule, NoExecute */
};
struct model_placement {
    bool daemon;
    bool rebalance;                 /* gradual */
    struct selector *host_selector; /* NULL = every host */
    struct model_spread *spreads;
    size_t nspreads;
    struct model_toleration *tolerations;
    size_t ntolerations;
};
bool model_tolerates(const struct model_toleration *t, size_t n, const struct model_taint *taint);

/* status.placements[] of the last write: for `since` and for reporting lost ones. */
struct model_placement_status {
    char *host, *image, *revision, *state, *message;
    int32_t replicas;
    bool ready;
    int64_t since_ns;
};

struct model_workload {
    enum model_kind kind;
    struct model_meta meta;
    char *key; /* "namespace/name" */

    char *lattice, *image, *pull_secret; /* pull_secret NULL if none */
    char *id;                            /* componentID or providerID, default <namespace>_<name> */
    int32_t replicas;
    uint32_t concurrency; /* actors only, at least 1 */
    int64_t memory_limit; /* bytes, 0 = none */
    struct model_config config;
    struct model_placement placement;
    struct model_capability *capabilities;
    size_t ncapabilities;
    bool recreate, paused;
    char *restarted_at;    /* spec.restartedAt, NULL if none: a change rolls the unit */
    char *change_cause;    /* annotation kubernetes.io/change-cause, NULL if none */
    char *template;        /* JSON of the members of spec that make a revision, see workload.c */
    int32_t history_limit; /* old revisions that are kept */
    int32_t max_unavailable_abs, max_unavailable_percent; /* percent -1 = the absolute number holds */
    int32_t max_surge_abs, max_surge_percent;
    char *problem; /* why the spec cannot be used, NULL if it can */

    int64_t observed_generation;
    char *current_revision; /* status.currentRevision: the last that ran everywhere, NULL if none */
    uint64_t status_hash;   /* json_hash of .status, to skip writes that change nothing */
    struct model_conditions conditions;
    struct model_placement_status *placements;
    size_t nplacements;
};

/* Transform for an informer. Never NULL. */
struct model_workload *model_workload_new(enum model_kind kind, const cJSON *object);
void model_workload_free(struct model_workload *w);
DEFINE_CLEANUP(struct model_workload *, model_workload_free)
const char *model_kind_name(enum model_kind k); /* "WasmActor" */
const struct model_placement_status *model_placement_of(const struct model_workload *w, const char *host);

#endif
