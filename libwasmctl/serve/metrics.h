/* A registry of Prometheus metrics: counters, gauges and histograms with labels, printed in text format
 * 0.0.4. */
#ifndef WASMCTL_SERVE_METRICS_H
#define WASMCTL_SERVE_METRICS_H

#include "base/buf.h"

struct metrics;
struct metric;

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);
/* name as in Prometheus; label_names: NULL-ended, may be NULL; buckets: ascending, ended by 0, histograms
 * only (NULL = 1 ms to 60 s). Belongs to the registry. Registering a name twice returns the first. At most 8
 * labels and 32 buckets. A metric without labels is printed from the start, as 0. */
struct metric *metrics_add(struct metrics *m, enum metric_kind kind, const char *name, const char *help,
                           const char *const *label_names, const double *buckets);
/* The label values follow in the order of label_names. At most 1,000 series a metric: more are counted in the
 * series whose labels are all "other". m may be NULL (nothing happens). */
void metric_add(struct metric *m, double value, ...);     /* counter (not below 0), gauge */
void metric_set(struct metric *m, double value, ...);     /* gauge */
void metric_observe(struct metric *m, double value, ...); /* histogram */
void metrics_print(const struct metrics *m, struct buf *out);

#endif
