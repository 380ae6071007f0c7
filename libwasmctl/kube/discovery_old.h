/* For kube/discovery.c: servers of the time before aggregated discovery (Kubernetes 1.26). */
#ifndef WASMCTL_KUBE_DISCOVERY_OLD_H
#define WASMCTL_KUBE_DISCOVERY_OLD_H

#include "kube/client.h"

/* Reads version by version what the answer to /api or /apis names, and puts it in the form of aggregated
 * discovery. A group whose server is away must not hide the others: its versions are marked as stale. */
int kube_discovery_old(struct kube_client *c, const cJSON *answer, cJSON **ret, struct err **err);
/* The "resources" of an APIResourceList in the form of aggregated discovery; caller frees. */
cJSON *kube_discovery_old_resources(const cJSON *list);

#endif
