/*
 * The operator's shared state. One struct op a process; everything runs on its loop.
 *
 * Flow: informers and lattices keep caches true and add keys to workqueues; a reconciler reads caches into a
 * view, makes a plan from it (pure), and exec.c carries the plan out: lattice operations and Kubernetes
 * writes, each of which adds the key again when it ends. A reconciler never waits, so no key delays another.
 */
#ifndef WASMCTL_OPERATOR_OP_H
#define WASMCTL_OPERATOR_OP_H

#include "base/map.h"
#include "kube/informer.h"
#include "kube/lease.h"
#include "kube/recorder.h"
#include "lattice/lattice.h"
#include "model/host_object.h"
#include "model/lattice_object.h"
#include "model/workload.h"
#include "operator/options.h"
#include "work/workqueue.h"

#define OP_FIELD_MANAGER "wasm-operator"

struct op_lattice;
struct op_unit;
struct op_metrics;
struct op_sources;
struct op_revisions;

struct op {
    struct loop *loop;
    struct kube_client *client;
    struct kube_recorder *recorder;
    const struct op_options *options;
    struct op_metrics *metrics; /* borrowed */
    char *cluster_uid; /* uid of the namespace kube-system: tells our work on a shared lattice from another
                          cluster's */
    struct kube_req *uid_request;
    struct loop_timer *uid_retry;

    struct kube_informer *lattices, *hosts, *workloads[2]; /* workloads by enum model_kind */
    struct workqueue *q_lattice, *q_host, *q_unit[2];
    bool started; /* every cache is complete, the cluster uid known and the lease ours: queues run */
    struct kube_lease *lease; /* NULL without leader election */
    bool lost_lease;          /* the loop was stopped for it: the process must end */

    struct map *lats;     /* lattice name -> struct op_lattice * */
    struct map *units[2]; /* key -> struct op_unit * */
    struct map *by_id[2]; /* "lattice/component or provider id" -> char *: key of the object that has it */
    struct op_sources *sources;
    struct op_revisions *revisions;
    struct map *lists_waiting; /* keys of q_host: what runs there is to be written in turn (rec_host.c) */
    size_t lists_writing;
    struct map *cache_errors; /* plural of the kind -> char *: why its cache is not live */
};

/* metrics must outlive it and the client. */
int op_new(struct loop *l, struct kube_client *client, const struct op_options *options,
           struct op_metrics *metrics, struct op **ret, struct err **err);
/* Stops acting and gives the lease up; done runs when another operator may lead. */
void op_shut_down(struct op *op, void (*done)(void *arg), void *arg);
void op_free(struct op *op);
bool op_ready(const struct op *op);
/* NULL when live, else what is missing; owned. */
char *op_not_ready_reason(const struct op *op);

const struct model_workload *op_workload(const struct op *op, enum model_kind kind, const char *key);
const struct model_lattice *op_lattice_object(const struct op *op, const char *name);
const struct model_host *op_host_object(const struct op *op, const char *host_id);
/* Adds all units of a lattice to their queues. */
void op_enqueue_lattice(struct op *op, const char *lattice);
void op_enqueue(struct op *op, enum model_kind kind, const char *key);

/* "<cluster uid>/<namespace>/<name>" of an actor, ".../provider/<name>" of a provider; caller frees. */
char *op_owner(const struct op *op, enum model_kind kind, const char *key);
/* The other way: 0 and kind and key (owned) when the owner is of this cluster. */
bool op_owner_parse(const struct op *op, const char *owner, enum model_kind *ret_kind, char **ret_key);
void op_event(struct op *op, const struct model_workload *w, const char *type, const char *reason,
              const char *action, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* Server-side apply by the operator's field manager. subresource NULL or "status". done may be NULL. */
struct kube_req *op_apply(struct op *op, const struct kube_resource *resource, const char *ns,
                          const char *name, const char *subresource, const cJSON *object, kube_done_fn done,
                          void *arg);

#endif
