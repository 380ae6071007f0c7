#include "operator/metrics.h"

#include <stdio.h>

#include "base/mem.h"
#include "operator/lattices.h"
#include "serve/metrics.h"

/* Every metric: number, kind, name, help, labels. */
#define METRICS(X)                                                                                           \
    X(BUILD_INFO, GAUGE, "build_info", "1; the label is the version of the operator", "version")             \
    X(LEADER, GAUGE, "leader", "1 while this operator acts: it holds the Lease, or needs none")              \
    X(CACHE_LIVE, GAUGE, "cache_live",                                                                       \
      "1 while the objects of a kind are listed and watched; 0 when the kind is missing or may not be read", \
      "kind")                                                                                                \
    X(QUEUE_DEPTH, GAUGE, "queue_depth", "Keys waiting in a workqueue", "name")                              \
    X(QUEUE_WAIT, HISTOGRAM, "queue_wait_seconds",                                                           \
      "Time a key stood in line before it was handled, without the time before the operator led", "name")    \
    X(RECONCILES, COUNTER, "reconcile_total", "Reconciles by result", "name", "result")                      \
    X(RECONCILE_SECONDS, HISTOGRAM, "reconcile_duration_seconds",                                            \
      "Time one reconcile took; the operations and writes it begins go on after it", "name")                 \
    X(RECONCILE_ERRORS, COUNTER, "reconcile_errors_total",                                                   \
      "Operations and writes begun by a reconcile that failed; each is tried again", "name")                 \
    X(START_RETRIES, COUNTER, "start_retries_total",                                                         \
      "Starts tried again on a host where the last one failed", "kind")                                      \
    X(OBJECTS, GAUGE, "objects", "Actors and providers by status and reason of their Ready condition",       \
      "kind", "ready", "reason")                                                                             \
    X(REPLICAS, GAUGE, "replicas", "Replicas of all actors and providers: desired, running, ready, updated", \
      "kind", "state")                                                                                       \
    X(PLACEMENTS, GAUGE, "placements", "Entries of status.placements by state", "kind", "state")             \
    X(FAILOVER, HISTOGRAM, "failover_seconds",                                                               \
      "From the last sign of life of a host that was then judged dead until an object that had replicas "    \
      "there has as many ready as before (or as it asks for, if that is fewer); one observation an object "  \
      "and loss, hosts lost meanwhile included. Not for mode Daemon, nor across a restart of the operator",  \
      "kind", "cause")                                                                                       \
    X(CONNECTED, GAUGE, "lattice_connected", "1 while connected to the lattice", "lattice")                  \
    X(RTT, GAUGE, "lattice_rtt_seconds", "Round trip to the NATS server, measured now and then", "lattice")  \
    X(REQUESTS, COUNTER, "lattice_requests_total", "NATS requests sent", "lattice")                          \
    X(DROPPED, COUNTER, "lattice_messages_dropped_total",                                                    \
      "NATS messages lost because they came faster than they were read", "lattice")                          \
    X(OPERATIONS, COUNTER, "lattice_operations_total",                                                       \
      "Operations by result: ok, failed (the host said why), timeout (no outcome seen), unavailable, error", \
      "lattice", "operation", "result")                                                                      \
    X(OPERATION_SECONDS, HISTOGRAM, "lattice_operation_duration_seconds",                                    \
      "Time from sending an operation until its outcome was seen", "operation")                              \
    X(OPERATION_WAIT, HISTOGRAM, "lattice_operation_wait_seconds",                                           \
      "Time an operation waited for its turn on the host", "operation")                                      \
    X(HOSTS, GAUGE, "hosts", "Lattice hosts by state", "lattice", "state")                                   \
    X(API_REQUESTS, COUNTER, "api_requests_total",                                                           \
      "Requests to the API server that ended, by method (WATCH: streams) and class of the answer's status "  \
      "(none: no answer)",                                                                                   \
      "method", "code")                                                                                      \
    X(API_SECONDS, HISTOGRAM, "api_request_duration_seconds",                                                \
      "Time to the end of the answer, each try by itself; without streams", "method")                        \
    X(EVENTS, COUNTER, "events_total", "Kubernetes Events told, those included that only count up a series") \
    X(EVENTS_REPEATED, COUNTER, "events_repeated_total", "Events that only counted up a series")             \
    X(EVENTS_DROPPED, COUNTER, "events_dropped_total",                                                       \
      "Writes of Events that failed or were not tried because too many were under way")

enum {
#define X(number, ...) M_##number,
    METRICS(X)
#undef X
        M_COUNT
};

/* Seconds, ended by 0. Reconciles take microseconds to milliseconds; a failover is meant to take one second,
 * or unreachableAfter and a little. What is not listed has the usual ones, from 1 ms to 60 s. */
static const double handled_buckets[] = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                         0.025,   0.05,   0.1,     0.25,   0.5,   1,      5,     0};
static const double failover_buckets[] = {0.1, 0.25, 0.5, 0.75, 1,  1.5, 2,   3, 4,
                                          5,   7.5,  10,  20,   30, 60,  300, 0};
static const double *const buckets[M_COUNT] = {
    [M_QUEUE_WAIT] = handled_buckets,
    [M_RECONCILE_SECONDS] = handled_buckets,
    [M_FAILOVER] = failover_buckets,
};

struct op_metrics {
    struct metrics *all;
    struct metric *m[M_COUNT];
};

static const char *const kind_names[] = {[MODEL_ACTOR] = "actor", [MODEL_PROVIDER] = "provider"};

struct op_metrics *op_metrics_new(void)
{
    struct op_metrics *m = xcalloc(1, sizeof(*m));

    m->all = metrics_new();
#define X(number, kind, name, help, ...)                                                                     \
    {                                                                                                        \
        static const char *const labels[] = {__VA_ARGS__ __VA_OPT__(, ) NULL};                               \
        m->m[M_##number] =                                                                                   \
            metrics_add(m->all, METRIC_##kind, "wasm_operator_" name, help, labels, buckets[M_##number]);    \
    }
    METRICS(X)
#undef X
    metric_set(m->m[M_BUILD_INFO], 1, WASMCTL_VERSION);
    return m;
}

void op_metrics_free(struct op_metrics *m)
{
    if (!m)
        return;
    metrics_free(m->all);
    free(m);
}

void op_metrics_handled(void *arg, const char *queue, int64_t waited_ns, int64_t took_ns)
{
    struct op_metrics *m = arg;

    if (!m)
        return;
    metric_observe(m->m[M_QUEUE_WAIT], (double)waited_ns / 1e9, queue);
    metric_observe(m->m[M_RECONCILE_SECONDS], (double)took_ns / 1e9, queue);
}

void op_metrics_request(void *arg, const char *method, int status, int64_t took_ms)
{
    struct op_metrics *m = arg;
    char code[8] = "none";

    if (!m)
        return;
    if (status >= 100 && status < 600)
        snprintf(code, sizeof(code), "%dxx", status / 100);
    metric_add(m->m[M_API_REQUESTS], 1, method, code);
    if (took_ms >= 0)
        metric_observe(m->m[M_API_SECONDS], (double)took_ms / 1e3, method);
}

static const char *result_of(const struct err *err)
{
    if (!err)
        return "ok";
    return err->code == ERR_FAILED        ? "failed"
           : err->code == ERR_TIMEOUT     ? "timeout"
           : err->code == ERR_UNAVAILABLE ? "unavailable"
                                          : "error";
}

void op_metrics_operation(struct op_metrics *m, const char *lattice, const char *operation,
                          const struct err *err, int64_t waited_ms, int64_t took_ms)
{
    if (!m)
        return;
    metric_add(m->m[M_OPERATIONS], 1, lattice, operation, result_of(err));
    metric_observe(m->m[M_OPERATION_SECONDS], (double)took_ms / 1e3, operation);
    metric_observe(m->m[M_OPERATION_WAIT], (double)waited_ms / 1e3, operation);
}

void op_metrics_error(struct op_metrics *m, const char *queue)
{
    if (m)
        metric_add(m->m[M_RECONCILE_ERRORS], 1, queue);
}

void op_metrics_unit_error(struct op_metrics *m, enum model_kind kind)
{
    op_metrics_error(m, kind_names[kind]);
}

void op_metrics_retry(struct op_metrics *m, enum model_kind kind)
{
    if (m)
        metric_add(m->m[M_START_RETRIES], 1, kind_names[kind]);
}

void op_metrics_failover(struct op_metrics *m, enum model_kind kind, const char *cause, double seconds)
{
    if (m)
        metric_observe(m->m[M_FAILOVER], seconds, kind_names[kind], cause);
}

void op_metrics_objects(struct op_metrics *m, enum model_kind kind, const char *ready, const char *reason,
                        int n)
{
    if (m)
        metric_add(m->m[M_OBJECTS], n, kind_names[kind], ready, reason);
}

void op_metrics_replicas(struct op_metrics *m, enum model_kind kind, const char *state, int n)
{
    if (m)
        metric_add(m->m[M_REPLICAS], n, kind_names[kind], state);
}

void op_metrics_placements(struct op_metrics *m, enum model_kind kind, const char *state, int n)
{
    if (m)
        metric_add(m->m[M_PLACEMENTS], n, kind_names[kind], state);
}

void op_metrics_print(struct op_metrics *m, struct buf *body)
{
    metrics_add_process(m->all);
    metrics_print(m->all, body);
}

/* Looked at when asked for */

static void look_at_queue(struct op_metrics *m, const char *name, const struct workqueue *q)
{
    metric_set(m->m[M_QUEUE_DEPTH], (double)wq_depth(q), name);
    metric_set(m->m[M_RECONCILES], (double)wq_total(q, WQ_OK), name, "ok");
    metric_set(m->m[M_RECONCILES], (double)wq_total(q, WQ_RETRY), name, "retry");
    metric_add(m->m[M_RECONCILE_ERRORS], 0, name);
}

static void look_at_cache(struct op_metrics *m, const struct op *op, const char *plural,
                          const struct kube_informer *i)
{
    metric_set(m->m[M_CACHE_LIVE], kube_informer_synced(i) && !map_has(op->cache_errors, plural), plural);
}

static void look_at_lattice(struct op_metrics *m, const struct op_lattice *l)
{
    static const struct {
        enum lat_host_state state;
        const char *name;
    } states[] = {{LAT_HOST_NEW, "new"},         {LAT_HOST_READY, "ready"},
                  {LAT_HOST_BUSY, "busy"},       {LAT_HOST_SUSPECT, "suspect"},
                  {LAT_HOST_GONE, "gone"},       {LAT_HOST_UNREACHABLE, "unreachable"},
                  {LAT_HOST_STOPPED, "stopped"}, {LAT_HOST_UNJUDGED, "unjudged"}};
    unsigned n[ARRAY_LEN(states)] = {0};

    metric_set(m->m[M_CONNECTED], l->lat && l->connected ? 1 : 0, l->name);
    if (!l->lat)
        return;
    metric_set(m->m[M_REQUESTS], (double)lat_requests(l->lat), l->name);
    metric_set(m->m[M_DROPPED], (double)lat_dropped(l->lat), l->name);
    if (lat_rtt_us(l->lat) >= 0)
        metric_set(m->m[M_RTT], (double)lat_rtt_us(l->lat) / 1e6, l->name);
    for (struct map_iter it = {0}; lat_host_next(l->lat, &it);)
        for (size_t i = 0; i < ARRAY_LEN(states); i++)
            n[i] += ((const struct lat_host *)it.value)->state == states[i].state;
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        metric_set(m->m[M_HOSTS], n[i], l->name, states[i].name);
}

int op_metrics_serve(void *arg, struct buf *body, const char **content_type)
{
    static const int of_lattices[] = {M_CONNECTED, M_RTT, M_REQUESTS, M_DROPPED, M_HOSTS};
    const struct op *op = arg;
    struct op_metrics *m = op->metrics;
    struct kube_recorder_stats events = kube_recorder_stats(op->recorder);

    metric_set(m->m[M_LEADER], op->lease ? kube_lease_leading(op->lease) : 1);
    look_at_cache(m, op, "lattices", op->lattices);
    look_at_cache(m, op, "latticehosts", op->hosts);
    look_at_cache(m, op, "wasmactors", op->workloads[MODEL_ACTOR]);
    look_at_cache(m, op, "wasmproviders", op->workloads[MODEL_PROVIDER]);
    look_at_queue(m, "lattice", op->q_lattice);
    look_at_queue(m, "host", op->q_host);
    look_at_queue(m, "actor", op->q_unit[MODEL_ACTOR]);
    look_at_queue(m, "provider", op->q_unit[MODEL_PROVIDER]);
    metric_set(m->m[M_EVENTS], (double)events.recorded);
    metric_set(m->m[M_EVENTS_REPEATED], (double)events.repeated);
    metric_set(m->m[M_EVENTS_DROPPED], (double)events.dropped);
    for (size_t i = 0; i < ARRAY_LEN(of_lattices); i++)
        metric_clear(m->m[of_lattices[i]]);
    for (struct map_iter it = {0}; map_next(op->lats, &it);)
        look_at_lattice(m, it.value);
    op_metrics_print(m, body);
    *content_type = "text/plain; version=0.0.4; charset=utf-8";
    return 200;
}
