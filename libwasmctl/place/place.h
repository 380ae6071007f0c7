/*
 * Placement: which host runs how many replicas, and why the others do not. Pure functions of their input: no
 * clock, no I/O, the same input gives the same plan, and a plan fed back as current state changes nothing.
 *
 * Order of what counts: the host may run it at all (filter); hard spread constraints; soft ones; even over
 * hosts; the host with the least other work; the host id. What runs stays where it is unless a rule of its
 * spec forbids it there, there is too much of it, or a hard constraint is broken and moving mends it.
 */
#ifndef WASMCTL_PLACE_PLACE_H
#define WASMCTL_PLACE_PLACE_H

#include "model/workload.h"

/* name, text after "<n> " in a summary */
#define PLACE_REASONS(X)                                                                                     \
    X(FITS, "fit")                                                                                           \
    X(NOT_READY, "not ready")                                                                                \
    X(SELECTOR, "do not match the hostSelector")                                                             \
    X(CORDONED, "cordoned")                                                                                  \
    X(TAINT, "have a taint that is not tolerated")                                                           \
    X(TOPOLOGY, "lack the topology label")                                                                   \
    X(SKEW, "would break maxSkew")                                                                           \
    X(DEAF, "no longer see links and configuration")                                                         \
    X(UPDATING, "being updated")                                                                             \
    X(RESTARTING, "about to be restarted")                                                                   \
    X(FOREIGN, "run the same id for another owner")                                                          \
    X(BACKOFF, "failed to start it and wait for a retry")
enum place_reason {
#define X(name, text) PLACE_##name,
    PLACE_REASONS(X)
#undef X
        PLACE_REASON_COUNT
};

struct place_host {
    const char *id;
    const struct map *labels; /* char * values */
    const struct model_taint *taints;
    size_t ntaints;
    bool ready; /* takes new work */
    bool cordoned;
    bool foreign;     /* runs the id for somebody else: never touched */
    bool backoff;     /* failed lately */
    bool deaf;        /* takes no new work, what runs there stays */
    bool restarting;  /* is being emptied */
    bool updating;    /* in the course of an update: keeps what it has, takes no more */
    uint32_t load;    /* replicas of others there */
    int32_t current;  /* replicas of this workload there now (running or starting) */
    int64_t since_ns; /* when they came; the newest go first */
};

struct place_input {
    const struct place_host *hosts; /* those that are alive */
    size_t nhosts;
    const struct model_placement *rules;
    int32_t replicas; /* ignored in Daemon mode */
    bool single;      /* at most one a host (providers) */
};

struct place_verdict {
    enum place_reason reason; /* of a host that could not take one more (FITS if it could) */
    bool keeps;               /* what runs there may stay */
    char *text;               /* detail ("intention=actor"), NULL if none; in a plan only when some miss */
};
struct place_plan {
    int32_t *wanted;                /* per host of the input */
    struct place_verdict *verdicts; /* per host */
    size_t nhosts;
    int32_t placed, missing;
    char *summary; /* "0/5 hosts fit: 3 do not match intention=actor, 2 cordoned"; NULL when nothing is
                      missing */
};

void place_plan_make(const struct place_input *in, struct place_plan *ret);
void place_plan_release(struct place_plan *p);

/* One host against the rules alone, without constraints between hosts. */
void place_filter(const struct place_host *h, const struct model_placement *rules, struct place_verdict *ret);
/* The same without the text, which is most of the work. */
void place_judge(const struct place_host *h, const struct model_placement *rules, struct place_verdict *ret);

#endif
