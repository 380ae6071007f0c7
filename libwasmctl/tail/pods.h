/*
 * Pods of one cluster as sources of the tail engine: those that match now and those that come later, every
 * container and every instance of it.
 *
 * Pods are watched, never listed again by a timer. A restarted container is a new instance: what is left of
 * the old one's log is read first. A Pod that goes ends its streams when they are read to their end.
 */
#ifndef WASMCTL_TAIL_PODS_H
#define WASMCTL_TAIL_PODS_H

#include "kube/client.h"
#include "tail/engine.h"

struct tail_pods;

enum tail_container_state {
    TAIL_RUNNING = 1,
    TAIL_WAITING = 2,
    TAIL_TERMINATED = 4,
    TAIL_ANY_STATE = 7,
};

struct tail_pods_options {
    struct tail_engine *engine;
    struct kube_client *client;
    const char *context;                         /* name for people */
    const char *namespace;                       /* NULL = all */
    const char *label_selector, *field_selector; /* NULL = all */
    /* Patterns are borrowed; NULL = any (none, for exclude). Lists are NULL-ended. */
    struct tail_pattern *pod, *container;
    struct tail_pattern *const *exclude_pods, *const *exclude_containers;
    bool no_init_containers, no_ephemeral_containers;
    unsigned states; /* enum tail_container_state of containers that are there at the start */
    /* The caller's own choice among those, asked whenever a Pod changes; NULL = all. *ret_names (owned by the
     * callee, NULL = untouched = every line): only lines that name one of these (tail/names.h); what was
     * named before stays. */
    bool (*wants)(void *arg, const cJSON *pod, char ***ret_names);
    bool follow, previous;
    bool until_complete; /* with follow: `done` once there was one and all Pods have succeeded, failed or gone
                          */
    int64_t since_ns;    /* wall clock, 0 = all */
    int64_t tail_lines;  /* of each container that is there at the start; < 0 = all */
    size_t streams_most; /* read at the same time; more wait for their turn; 0 = any number */
    /* Talk for people, a line each without its end; may be NULL: containers that come and go (chatter), and
     * what goes wrong. */
    void (*note)(void *arg, bool chatter, const char *text);
    /* The first list of Pods is complete, or cannot be had: err. found: containers to be read. */
    void (*listed)(void *arg, size_t found, const struct err *err);
    /* Without follow, and with until_complete: everything was read. */
    void (*done)(void *arg);
    void *arg;
};

struct tail_pods *tail_pods_new(const struct tail_pods_options *options);
void tail_pods_free(struct tail_pods *p);
DEFINE_CLEANUP(struct tail_pods *, tail_pods_free)

/* What wants() answers has changed, and the label selector may have (NULL = all): Pods are looked at anew.
 * One that is not wanted any more is read to where its log is now; one that has run for long is read from the
 * time when tail_pods_new() was called, or from where it was let go. */
void tail_pods_select(struct tail_pods *p, const char *label_selector);

struct tail_pods_stats {
    size_t following, waiting, away; /* streams: being read, in line, to be opened again */
    uint64_t started;
};
struct tail_pods_stats tail_pods_stats(const struct tail_pods *p);

#endif
