/* The objects a node consists of in the API server, as they are applied. Callers free them. */
#ifndef WASMCTL_DEV_NODE_OBJECTS_H
#define WASMCTL_DEV_NODE_OBJECTS_H

#include "dev/node/node.h"

enum { DEV_NODE_LEASE_S = 40 };

cJSON *dev_namespace_object(const char *name);
cJSON *dev_node_object(const char *name);
cJSON *dev_node_status(const char *name, const char *version, int port, int64_t since_ns);
cJSON *dev_node_lease(const char *name, int64_t now_ns);
cJSON *dev_pod_object(const struct dev_pod *pod, const char *node);
cJSON *dev_pod_status(const struct dev_pod *pod);
/* "/api/v1/namespaces/x/pods/y" and the others, by the object. Caller frees. */
char *dev_object_path(const cJSON *object, const char *subresource);
/* Where objects like it are created. Caller frees. */
char *dev_object_folder(const cJSON *object);

#endif
