/*
 * The local environment: etcd, kube-apiserver, nats-server, wasmCloud hosts, the operator and a stand-in node
 * (node/node.h) that shows hosts, NATS and operator as Pods with logs, as processes in the background, each
 * with a pid file and a log under <state>/<name> ($XDG_STATE_HOME/wasmctl/<name>). Several environments live
 * side by side by name. There is no daemon: every call looks at pid files and processes.
 *
 * Children are called "etcd", "nats", "apiserver", "host-0", "host-1", ..., "operator", "node".
 *
 * What changes something takes the lock of the environment (dev_lock()) first. Nothing here prints: progress
 * goes to struct dev_talk. All calls run on the loop's thread and run the loop until they are done; not from
 * a callback.
 */
#ifndef WASMCTL_DEV_DEV_H
#define WASMCTL_DEV_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/loop.h"
#include "data/json.h"

#define DEV_DEFAULT_NAME "dev"

enum {
    DEV_MAX_HOSTS = 64,
    DEV_NAME_MAX = 32,
    DEV_START_TIMEOUT_MS = 120 * 1000,
};

struct dev_env;

/* One line of progress, without newline. */
struct dev_talk {
    void (*line)(void *arg, const char *text);
    void *arg;
};

/* Reads the state of the environment; one that does not exist is fine (dev_exists()). talk is copied.
 * ERR_INVALID: the name is none, or the state file is damaged (down with purge still works: see `damaged_ok`,
 * which gives an environment without settings). */
int dev_open(struct loop *l, const char *name, const struct dev_talk *talk, bool damaged_ok,
             struct dev_env **ret, struct err **err);
void dev_close(struct dev_env *e);
DEFINE_CLEANUP(struct dev_env *, dev_close)
#define _cleanup_dev_ _cleanup_(dev_closep)

bool dev_exists(const struct dev_env *e);
const char *dev_name(const struct dev_env *e);
const char *dev_folder(const struct dev_env *e);
/* Path of its kubeconfig and the name of the context in it. */
const char *dev_kubeconfig_path(const struct dev_env *e);
const char *dev_context(const struct dev_env *e);

/* Takes the lock, creating the folder when `create`; waits when another process has it, after telling so.
 * Reads the state anew. Held until dev_close(). ERR_NOT_FOUND without `create` when the environment does not
 * exist. */
int dev_lock(struct dev_env *e, bool create, struct err **err);

/* Names of all environments in the state folder; NULL-ended, caller frees. */
int dev_list(char ***ret, struct err **err);

struct dev_manifest {
    const char *name; /* for messages */
    const char *text; /* YAML, maybe several documents */
    size_t len;
};

enum dev_choice { DEV_KEEP, DEV_NO, DEV_YES }; /* DEV_KEEP: as it was, or the default for a new environment */

struct dev_up_options {
    int64_t hosts;            /* at least so many; 0 = as many as there are, 1 for a new environment */
    char *const *host_labels; /* "k=v" for all new hosts, "2:k=v" for host-2; may be NULL */
    enum dev_choice operator; /* default yes */
    enum dev_choice lattice;  /* the Lattice object; default yes */
    enum dev_choice node;     /* the stand-in node; default yes */
    enum dev_choice audit;    /* audit log of the API server; default no */
    int api_port, nats_port;  /* pinned; 0 = kept, or any */
    int64_t timeout_ms;       /* 0 = DEV_START_TIMEOUT_MS */
    const struct dev_manifest *manifests; /* CRDs: applied once the API server is ready */
    size_t nmanifests;
};
/* Starts what is missing, restarts what runs with other settings, applies the manifests. On failure
 * (ERR_CANCELLED after SIGINT or SIGTERM) stops what this call has started. Wants the lock. */
int dev_up(struct dev_env *e, const struct dev_up_options *o, struct err **err);

/* Stops everything, in order; purge removes the folder of the environment (and what was merged into a
 * kubeconfig). Wants the lock. */
int dev_down(struct dev_env *e, bool purge, struct err **err);

/* "TERM", "SIGTERM", "15" -> number; 0 for other words. */
int dev_signal_parse(const char *text);

enum dev_action { DEV_START, DEV_STOP, DEV_RESTART, DEV_SIGNAL };
/* Acts on children by name; hosts also by index and by host id or a part of it of at least 6 characters.
 * DEV_SIGNAL: signum goes to the child and, for KILL, STOP and CONT, to the processes it has started. Wants
 * the lock. */
int dev_act(struct dev_env *e, enum dev_action action, char *const *names, int signum, int64_t timeout_ms,
            struct err **err);
/* Names of the children the words mean, as dev_act() understands them; host_only refuses others. Caller
 * frees. */
int dev_resolve(const struct dev_env *e, char *const *words, bool host_only, char ***ret, struct err **err);

/* Adds and starts hosts; their names are the caller's. Wants the lock. */
int dev_host_add(struct dev_env *e, int64_t count, char *const *labels, int64_t timeout_ms, char ***ret_names,
                 struct err **err);

/* {"name", "folder", "kubeconfig", "context", "apiServer", "nats", "natsMonitor", "etcd", "lattice",
 * "operator", "node", "audit", "children": [{"name", "kind", "state", "pid", "ports": {}, "uptimeSeconds",
 * "rssBytes", "log", "logTail": [], "url", "hostID", "labels": {}}]} state: "running", "frozen", "crashed"
 * (it ended by itself), "stopped", "stale" (the machine was restarted since). Never fails; caller frees. */
cJSON *dev_status(const struct dev_env *e);

/* Log lines of the children (NULL = all): the last `tail` of each (< 0 = all), then, with follow, what is
 * added, until SIGINT. */
struct dev_logs_options {
    char *const *names;
    int64_t tail;
    bool follow;
    /* One line without newline; false ends it. */
    bool (*line)(void *arg, const char *child, const char *text, size_t len);
    /* Everything there was is out. May be NULL. */
    void (*idle)(void *arg);
    void *arg;
};
int dev_logs(struct dev_env *e, const struct dev_logs_options *o, struct err **err);

/* What the child "node" runs: until SIGTERM. */
int dev_node_serve(struct dev_env *e, int port, int control_port, struct err **err);
/* What starts a child whose output is kept, and keeps it: until the child has ended. folder: of its log
 * files; argv: of the child. */
int dev_keep_serve(struct loop *l, const char *folder, int64_t instance, char **argv, struct err **err);

/* Writes the context into the user's kubeconfig ($KUBECONFIG, ~/.kube/config), making it current when `use`.
 * *ret_path: which file; caller frees. Wants the lock. */
int dev_merge(struct dev_env *e, bool use, char **ret_path, struct err **err);

#endif
