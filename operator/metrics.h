/*
 * /metrics of the operator: what is counted, and by which names (Prometheus text format).
 *
 * Counters and histograms are kept as things happen; gauges of objects are running sums, corrected when the
 * status of one object is made (operator/tally.h). A scrape therefore walks the hosts of each lattice, but no
 * objects. The hooks take plain values, call nothing back, and do nothing when m is NULL.
 */
#ifndef WASMCTL_OPERATOR_METRICS_H
#define WASMCTL_OPERATOR_METRICS_H

#include "base/buf.h"
#include "base/err.h"
#include "model/workload.h"

struct op;
struct op_metrics;

struct op_metrics *op_metrics_new(void);
void op_metrics_free(struct op_metrics *m);

/* Hooks of workqueues, the API client and lattices: m is the struct op_metrics. */
void op_metrics_handled(void *m, const char *queue, int64_t waited_ns, int64_t took_ns);
void op_metrics_request(void *m, const char *method, int status, int64_t took_ms);
void op_metrics_operation(struct op_metrics *m, const char *lattice, const char *operation,
                          const struct err *err, int64_t waited_ms, int64_t took_ms);

/* What a reconcile began has failed: an operation, or a write to the API server. */
void op_metrics_error(struct op_metrics *m, const char *queue);
void op_metrics_unit_error(struct op_metrics *m, enum model_kind kind);
/* A start is tried again after it failed on the same host. */
void op_metrics_retry(struct op_metrics *m, enum model_kind kind);
/* cause: "gone", "unreachable", "stopped". */
void op_metrics_failover(struct op_metrics *m, enum model_kind kind, const char *cause, double seconds);

/* Running sums; n may be negative. */
void op_metrics_objects(struct op_metrics *m, enum model_kind kind, const char *ready, const char *reason,
                        int n);
void op_metrics_replicas(struct op_metrics *m, enum model_kind kind, const char *state, int n);
void op_metrics_placements(struct op_metrics *m, enum model_kind kind, const char *state, int n);

/* What is known without an operator: all but queues, lattices and caches. */
void op_metrics_print(struct op_metrics *m, struct buf *body);
/* A serve_fn; arg is the struct op. */
int op_metrics_serve(void *arg, struct buf *body, const char **content_type);

#endif
