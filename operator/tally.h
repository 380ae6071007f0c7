/*
 * What /metrics tells of one actor or provider: its part in the running sums, and how long it has been short
 * of replicas since a host was lost.
 */
#ifndef WASMCTL_OPERATOR_TALLY_H
#define WASMCTL_OPERATOR_TALLY_H

#include "data/json.h"
#include "lattice/lattice.h"
#include "operator/metrics.h"

#define TALLY_STATES(X) X(Pending) X(Starting) X(Running) X(Failed) X(Lost) X(Stopping)
enum {
#define X(name) TALLY_##name,
    TALLY_STATES(X)
#undef X
        TALLY_STATES_COUNT
};
enum { TALLY_DESIRED, TALLY_RUNNING, TALLY_READY, TALLY_UPDATED, TALLY_REPLICAS_COUNT };

struct unit_tally {
    int placements[TALLY_STATES_COUNT];
    int32_t replicas[TALLY_REPLICAS_COUNT];
    char *ready, *reason; /* NULL: not counted yet */
    int64_t lost_ms;  /* loop clock: last sign of life of the host whose loss is not made good, 0 = none */
    int32_t lost_had; /* replicas that were ready before */
    const char *lost_cause;
};

/* Corrects the sums by what the new status says: its placements, its condition Ready. */
void tally_status(struct op_metrics *m, enum model_kind kind, struct unit_tally *t, const cJSON *status);
/* The same by the counts of a plan, made while the lattice was known; ends a failover that is over. counted:
 * false for objects whose failover is not measured. */
void tally_replicas(struct op_metrics *m, enum model_kind kind, struct unit_tally *t,
                    const int32_t replicas[TALLY_REPLICAS_COUNT], int64_t now_ms, bool counted);
/* The object is gone: takes its part out of the sums, and releases t. */
void tally_release(struct op_metrics *m, enum model_kind kind, struct unit_tally *t);

/* A host that held replicas of it was judged dead. */
void tally_lost(struct unit_tally *t, int64_t last_seen_ms, enum lat_host_state state);

#endif
