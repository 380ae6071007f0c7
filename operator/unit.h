/*
 * A unit is an actor or a provider under reconciliation: what the operator remembers of it between reconciles
 * (operations under way, failures and their back-off). Everything else is read anew each time.
 */
#ifndef WASMCTL_OPERATOR_UNIT_H
#define WASMCTL_OPERATOR_UNIT_H

#include "operator/op.h"
#include "operator/tally.h"

enum unit_task_kind { UNIT_IDLE, UNIT_SETTING, UNIT_STOPPING };

/* What is known of the unit on one host. */
struct unit_host {
    struct op_unit *unit;
    char *host;
    struct lat_op *op; /* under way, NULL if none */
    enum unit_task_kind task;
    char *revision; /* being set */
    int32_t replicas;
    int64_t started_ms; /* loop clock */
    int64_t serves_ms;  /* loop clock; calls surely reach what was started last from then on */

    unsigned failures; /* in a row */
    int64_t retry_ms;  /* loop clock; not tried again before */
    char *error;       /* the host's own text of the last failure, NULL after a success */
    char *failed_revision;

    /* What served here before an update: put back when the new revision cannot be started. */
    char *good_image, *good_revision, *good_config;
    int32_t good_replicas;
    bool restoring; /* the operation under way does that */
};

struct op_unit {
    struct op *op;
    enum model_kind kind;
    char *key, *lattice, *id;
    struct map *hosts; /* host id -> struct unit_host * */
    struct map *calls; /* operation key of links.h -> char *: error of the last try */
    struct kube_req *finalizer_request;
    char *finalizer_version; /* resourceVersion the finalizer was written for: not again before the object
                                changed */
    struct kube_req *status_request;
    struct kube_req *revision_request;
    char *revision_made;       /* written just now and not yet seen, at ... */
    int64_t revision_made_ms;  /* ... this time of the loop's clock */
    int64_t revision_retry_ms; /* loop clock; not written before */
    struct op_revision_draft {
        char *revision, *body; /* NULL: none waits */
        int64_t due_ms;        /* loop clock */
    } draft;
    uint64_t status_written;      /* hash of the last status that was written ... */
    char *status_written_version; /* ... when the object had this resourceVersion */
    bool status_again;            /* another one is due when the request under way has ended */
    int64_t hold_until_ms;        /* loop clock: a passing state is not written before; 0 = none is held */
    char *last_ready_reason;      /* of the last look */
    bool troubled;                /* the last Event about it was a bad one */
    bool complete;                /* at the last look: everything was as the spec says */
    char *config;                 /* name of the configuration in use */
    char **config_names;          /* of the configurations the spec needs, as of the last look; NULL before */
    struct map *old_configs;      /* names that were in use before */
    struct unit_tally tally;      /* for /metrics */
};

struct op_unit *unit_get(struct op *op, enum model_kind kind, const char *key); /* creates */
struct op_unit *unit_find(const struct op *op, enum model_kind kind, const char *key);
void unit_forget(struct op *op, enum model_kind kind, const char *key);
void unit_free(void *u);

struct unit_host *unit_host_get(struct op_unit *u, const char *host); /* creates */
struct unit_host *unit_host_find(const struct op_unit *u, const char *host);
/* Remembers what is about to be replaced; NULL image forgets. */
void unit_host_keep(struct unit_host *h, const char *image, const char *revision, const char *config,
                    int32_t replicas);
/* It was started. The host says so on another connection than the one it takes calls on: they may reach it
 * some milliseconds later. */
void unit_host_serves(struct unit_host *h);
/* Notes the outcome and sets back-off: 1 s doubling to 5 minutes. */
void unit_host_done(struct unit_host *h, const struct err *err);
/* Failures of other revisions than this one are history: neither the status nor the next try is about them.
 */
void unit_forget_failures(struct op_unit *u, const char *revision);
/* A request for its object has ended: the status that waited for it is due. */
void unit_status_again(struct op_unit *u);
/* A link or config call ended. */
void unit_note_call(struct op *op, enum model_kind kind, const char *key, const char *operation,
                    const struct err *err);

#endif
