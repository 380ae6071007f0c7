/* The stand-in node of a local environment: a Pod for each process whose output is kept. */
#ifndef WASMCTL_DEV_NODE_LOCAL_H
#define WASMCTL_DEV_NODE_LOCAL_H

#include "dev/env.h"

#define DEV_NODE_NAMESPACE "wasmcloud"

/* Name of the Pod of a child; caller frees. */
char *dev_node_pod_name(const struct dev_child *c);
/* {"a": "b"}: the labels of the Pod of a child. What Kubernetes refuses as a label is left out. Caller frees.
 */
cJSON *dev_node_pod_labels(const struct dev_child *c);

/* Runs until SIGTERM or SIGINT. Reads the state of the environment anew whenever it changes. */
int dev_node_run(struct dev_env *e, int port, int control_port, struct err **err);

#endif
