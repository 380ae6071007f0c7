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
void metric_set(struct metric *m, double value, ...);     /* gauge, or a counter that is kept elsewhere */
void metric_observe(struct metric *m, double value, ...); /* histogram */
/* Forgets all series: for what is filled anew at each scrape, so that what is gone is not told for ever. */
void metric_clear(struct metric *m);
/* process_cpu_seconds_total, process_resident_memory_bytes and the others every Prometheus client library
 * tells of its own process, as they are now. What the system does not tell is left out. */
void metrics_add_process(struct metrics *m);
void metrics_print(const struct metrics *m, struct buf *out);

#endif
