/* The LatticeHost kind, as the operator reads it back: what people write (cordon, taints) and what was
 * written last. */
#ifndef WASMCTL_MODEL_HOST_OBJECT_H
#define WASMCTL_MODEL_HOST_OBJECT_H

#include "model/workload.h"

struct model_host {
    struct model_meta meta;
    char *lattice, *host_id;
    bool unschedulable;
    struct model_taint *taints;
    size_t ntaints;
    struct map *labels; /* metadata.labels */
    struct model_conditions conditions;
    uint64_t status_hash; /* of status without lastSeen */
    int64_t last_seen_ns;
};
struct model_host *model_host_new(const cJSON *object);
void model_host_free(struct model_host *h);

#endif
