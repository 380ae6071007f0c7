/* What a LatticeHost says of what runs there and of its machine: the status, which the operator writes and
 * does not need to read back. */
#ifndef WASMCTL_MODEL_HOST_REPORT_H
#define WASMCTL_MODEL_HOST_REPORT_H

#include "model/host_object.h"

struct model_running {
    enum model_kind kind;
    char *id, *image;
    char *owner, *revision; /* NULL if it carries none */
    uint32_t count;         /* actors: calls served at once */
    bool healthy;
};
struct model_host_report {
    char *friendly_name, *version;
    struct model_running *running; /* the first 500 of each kind */
    size_t nrunning;
    int64_t actors, providers;         /* all of them */
    double cpu_percent;                /* -1 = not reported */
    int64_t memory_total, memory_free; /* bytes, -1 = not reported */
};
void model_host_report_read(const cJSON *object, struct model_host_report *ret);
void model_host_report_release(struct model_host_report *r);
const struct model_running *model_host_running(const struct model_host_report *r, enum model_kind kind,
                                               const char *id);

/* By the conditions. Alive: what runs there counts as running. */
bool model_host_is_alive(const struct model_host *h);
bool model_host_is_ready(const struct model_host *h);
/* No longer sees links and configuration. restarting: it is being emptied for the restart that mends that. */
bool model_host_is_deaf(const struct model_host *h, bool *ret_restarting);

/* Replicas that run on a host which serves `count` calls of it at once: at least 1. */
int32_t model_replicas_of(const struct model_workload *w, uint32_t count);

#endif
