/*
 * What the queries of a `tail` mean on one cluster: patterns of Pod names, objects that select Pods, and our
 * own kinds, which mean the Pods of the hosts that run them.
 *
 * Objects are watched: what selects other Pods, moves to another host, goes, comes, or comes back, is
 * followed.
 */
#ifndef WASMCTL_CLI_TAIL_QUERY_H
#define WASMCTL_CLI_TAIL_QUERY_H

#include "cli/tail.h"
#include "data/selector.h"
#include "kube/gvr.h"
#include "tail/engine.h"
#include "tail/file_source.h"

/* On the Pods of hosts: the host's id. */
#define TAIL_HOST_LABEL "wasmctl.dev/host-id"

struct tail_queries;

struct tail_queries_options {
    struct cmd_ctx *c;
    char *const *texts;      /* NULL-ended: "web.*" or KIND/NAME; none = every Pod */
    char *const *namespaces; /* NULL = all */
    bool follow;             /* else nothing is watched, and an object that is not there is an error */
    bool whole_hosts;        /* of actors and providers every line of their hosts */
    void (*note)(void *arg, bool chatter, const char *text);
    void (*changed)(void *arg); /* other Pods are meant now; in a turn of its own */
    void *arg;
};

/* Asks the server. ERR_INVALID, ERR_NOT_FOUND (without follow; always for kinds), or what the server says. */
int tail_queries_new(const struct tail_queries_options *options, struct tail_queries **ret, struct err **err);
void tail_queries_free(struct tail_queries *s);
DEFINE_CLEANUP(struct tail_queries *, tail_queries_free)

/* Pods of hosts are asked for, wherever these are: Pods of all namespaces are to be watched. */
bool tail_queries_everywhere(const struct tail_queries *s);
/* What the server can choose by, NULL when it cannot; valid until `changed`. */
const char *tail_queries_selector(const struct tail_queries *s);
/* Whether a Pod is meant; *ret_names (caller frees; NULL = all): only lines that name one of these. */
bool tail_queries_pod(struct tail_queries *s, const cJSON *pod, char ***ret_names);
/* Whether an object is meant by name, or was a Pod that tail_queries_pod() has found meant, or owns such a
 * one.
 */
bool tail_queries_object(const struct tail_queries *s, const char *kind, const char *namespace,
                         const char *name);
/* Names of the Lattices that are asked for, or that what is asked for belongs to: NULL-ended, valid until
 * `changed`. */
char *const *tail_queries_lattices(const struct tail_queries *s);
/* Ids that lattice events are narrowed to (of components, providers, hosts as in lattice events); NULL = all.
 */
char *const *tail_queries_lattice_ids(const struct tail_queries *s, const char *lattice);

/* How an object selects Pods, by a LabelSelector or a plain map. ERR_INVALID: it does not. */
int tail_query_selector(const struct kube_resource *resource, const char *name, const cJSON *object,
                        struct selector **ret, struct err **err);
/* Whether a Pod is that of a host: by the label, else a Pod's name is the host name of what runs in it
 * (hostname may be NULL). */
bool tail_is_pod_of_host(const cJSON *pod, const char *host, const char *hostname);
/* The Pods of a host now, wherever they are; an empty array when they cannot be listed. *ret_told: the host
 * for people. The caller frees both. */
void tail_host_pods(struct cmd_ctx *c, const char *host, cJSON **ret_pods, char **ret_told);

/* What is read besides logs: Kubernetes Events and lattices of what the queries mean, on one cluster. */
struct tail_extras;
struct tail_extras_options {
    struct cmd_ctx *c;
    struct tail_engine *engine;
    struct tail_queries *queries; /* outlive the extras */
    const struct tail_options *o;
    const char *context;
    char *const *namespaces; /* NULL = all */
    int64_t since_ns;
    void (*note)(void *arg, bool chatter, const char *text);
    /* Without follow, for each of tail_extras_pending(): it was read, or cannot be. */
    void (*done)(void *arg, const struct err *err);
    void *arg;
};
struct tail_extras *tail_extras_new(const struct tail_extras_options *options);
void tail_extras_free(struct tail_extras *x);
size_t tail_extras_pending(const struct tail_extras *x);
/* What the queries mean is listed, or cannot be. */
void tail_extras_known(struct tail_extras *x);
/* The queries mean other objects; another Pod was found meant. */
void tail_extras_changed(struct tail_extras *x);
void tail_extras_again(struct tail_extras *x);

/* --file and --stdin. each: what all have in common. */
struct tail_files;
int tail_files_new(const struct tail_options *o, const struct tail_file_options *each,
                   struct tail_files **ret, struct err **err);
void tail_files_free(struct tail_files *f);
size_t tail_files_len(const struct tail_files *f);

#endif
