/*
 * A node without a kubelet: a Node object with its Lease, Pods that stand for processes running elsewhere,
 * and the endpoints of a kubelet through which an API server fetches their logs.
 *
 * What it serves: over TLS GET /containerLogs/NAMESPACE/POD/CONTAINER (stream.h), /healthz and /pods; on a
 * port of its own on the loopback, in the clear, the control of faults:
 *
 *   GET    /readyz             200 once the Node and its Pods are in the API server as they are here
 *   GET    /faults             the rules (fault.h)
 *   POST   /faults?what=...    makes one: {"id": 1}
 *   DELETE /faults[?id=N]      removes one, or all
 *   POST   /rotate?pod=GLOB    puts aside what the logs hold: {"pods": 3}
 *   GET    /streams            the requests that are being answered
 *
 * What it does not do: run anything, schedule, probe, report resource usage, exec, attach or port-forward.
 *
 * Objects are written by server-side apply and put back when somebody changes or deletes them; a Pod that is
 * being deleted goes at once (and comes back while it is part of the node). Nothing is written that has not
 * changed, but for the Lease (every 10 s). Without an API server, all is tried again until there is one.
 */
#ifndef WASMCTL_DEV_NODE_NODE_H
#define WASMCTL_DEV_NODE_NODE_H

#include "dev/node/stream.h"
#include "kube/client.h"

struct dev_node;

/* One run of a container. */
struct dev_run {
    char *container_id;
    int64_t started_ns, finished_ns; /* 0: not yet */
    int exit_code, signum;
    struct dev_log *log; /* borrowed */
};

struct dev_pod {
    char *namespace, *name;
    char *container, *image;
    cJSON *labels, *annotations; /* objects of strings, may be NULL */
    struct dev_run now, last;    /* no container_id: there was none yet */
    int64_t restarts;
    bool once; /* nothing is started in it again once it has ended; not to be changed */
    void *owner;
};

struct dev_node_options {
    const char *name;    /* of the Node */
    const char *version; /* it tells as kubelet's */
    int port, control_port;
    /* PEM texts; client_ca NULL: whoever reaches the port may read. */
    const char *cert, *key, *client_ca, *client_name;
    struct kube_client *client; /* the caller's */
    /* A request of the control port that the node does not know. Returns whether it was answered. */
    bool (*control)(void *arg, struct dev_exchange *x);
    void *arg;
};
int dev_node_new(struct loop *l, const struct dev_node_options *o, struct dev_node **ret, struct err **err);
void dev_node_free(struct dev_node *n);
int dev_node_port(const struct dev_node *n);
int dev_node_control_port(const struct dev_node *n);

/* Owned by the node; dev_node_pod_changed() after each change. */
struct dev_pod *dev_node_pod_add(struct dev_node *n, const char *ns, const char *name);
void dev_node_pod_changed(struct dev_node *n, struct dev_pod *pod);
/* Also deletes the object. */
void dev_node_pod_remove(struct dev_node *n, struct dev_pod *pod);
void dev_run_release(struct dev_run *r);

/* From here on what the node holds is all there is: Pods of it that are unknown here are deleted. */
void dev_node_complete(struct dev_node *n);
/* Takes Node and Lease out of the API server: nobody else would. Its Pods are to be removed before. */
void dev_node_leave(struct dev_node *n);
/* Everything is in the API server. */
bool dev_node_is_settled(const struct dev_node *n);

struct dev_streams *dev_node_streams(struct dev_node *n);
/* Pods whose name matches a shell pattern, for each. Returns how many. */
size_t dev_node_each(struct dev_node *n, const char *pattern, void (*fn)(void *arg, struct dev_pod *pod),
                     void *arg);
/* Answers with JSON; takes o. */
void dev_exchange_json(struct dev_exchange *x, int status, cJSON *o);

#endif
