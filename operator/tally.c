#include "operator/tally.h"

#include "base/mem.h"
#include "base/str.h"

static const char *const states[] = {
#define X(name) #name,
    TALLY_STATES(X)
#undef X
};
static const char *const replica_states[] = {
    [TALLY_DESIRED] = "desired",
    [TALLY_RUNNING] = "running",
    [TALLY_READY] = "ready",
    [TALLY_UPDATED] = "updated",
};

static void count_placements(const cJSON *status, int out[TALLY_STATES_COUNT])
{
    json_each (p, json_get(status, "placements"))
        for (int i = 0; i < TALLY_STATES_COUNT; i++)
            out[i] += streq(json_str_or(p, "state", ""), states[i]);
}

static const cJSON *ready_condition(const cJSON *status)
{
    json_each (c, json_get(status, "conditions"))
        if (streq(json_str_or(c, "type", ""), "Ready"))
            return c;
    return NULL;
}

static void set_ready(struct op_metrics *m, enum model_kind kind, struct unit_tally *t, const char *ready,
                      const char *reason)
{
    if (streq_null(t->ready, ready) && streq_null(t->reason, reason))
        return;
    if (t->ready)
        op_metrics_objects(m, kind, t->ready, t->reason, -1);
    xstr_replace(&t->ready, ready);
    xstr_replace(&t->reason, reason);
    if (t->ready)
        op_metrics_objects(m, kind, ready, reason, 1);
}

static void set_placements(struct op_metrics *m, enum model_kind kind, struct unit_tally *t,
                           const int now[TALLY_STATES_COUNT])
{
    for (int i = 0; i < TALLY_STATES_COUNT; i++) {
        if (now[i] != t->placements[i])
            op_metrics_placements(m, kind, states[i], now[i] - t->placements[i]);
        t->placements[i] = now[i];
    }
}

static void set_replicas(struct op_metrics *m, enum model_kind kind, struct unit_tally *t,
                         const int32_t now[TALLY_REPLICAS_COUNT])
{
    for (int i = 0; i < TALLY_REPLICAS_COUNT; i++) {
        if (now[i] != t->replicas[i])
            op_metrics_replicas(m, kind, replica_states[i], now[i] - t->replicas[i]);
        t->replicas[i] = now[i];
    }
}

void tally_status(struct op_metrics *m, enum model_kind kind, struct unit_tally *t, const cJSON *status)
{
    const cJSON *ready = ready_condition(status);
    int placements[TALLY_STATES_COUNT] = {0};

    count_placements(status, placements);
    set_placements(m, kind, t, placements);
    set_ready(m, kind, t, json_str_or(ready, "status", "Unknown"), json_str_or(ready, "reason", ""));
}

static void end_failover(struct op_metrics *m, enum model_kind kind, struct unit_tally *t, int64_t now_ms,
                         bool counted)
{
    int32_t desired = t->replicas[TALLY_DESIRED], wanted = t->lost_had < desired ? t->lost_had : desired;

    if (!t->lost_ms || (counted && t->replicas[TALLY_READY] < wanted))
        return;
    if (counted && wanted > 0)
        op_metrics_failover(m, kind, t->lost_cause, (double)(now_ms - t->lost_ms) / 1e3);
    t->lost_ms = 0;
    t->lost_cause = NULL;
}

void tally_replicas(struct op_metrics *m, enum model_kind kind, struct unit_tally *t,
                    const int32_t replicas[TALLY_REPLICAS_COUNT], int64_t now_ms, bool counted)
{
    set_replicas(m, kind, t, replicas);
    end_failover(m, kind, t, now_ms, counted);
}

void tally_release(struct op_metrics *m, enum model_kind kind, struct unit_tally *t)
{
    static const int no_placements[TALLY_STATES_COUNT];
    static const int32_t no_replicas[TALLY_REPLICAS_COUNT];

    set_placements(m, kind, t, no_placements);
    set_replicas(m, kind, t, no_replicas);
    set_ready(m, kind, t, NULL, NULL);
    *t = (struct unit_tally){0};
}

void tally_lost(struct unit_tally *t, int64_t last_seen_ms, enum lat_host_state state)
{
    /* Of several hosts that die one after another, the first sets when it began and what is missed. */
    if (t->lost_ms)
        return;
    t->lost_ms = last_seen_ms > 0 ? last_seen_ms : 1;
    t->lost_had = t->replicas[TALLY_READY];
    t->lost_cause = state == LAT_HOST_GONE ? "gone" : state == LAT_HOST_STOPPED ? "stopped" : "unreachable";
}
