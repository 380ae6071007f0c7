/*
 * Kubernetes Events (core/v1) as lines of the tail engine: those that are there, in order, then every new one
 * and every repetition of one, told once however often they are listed.
 *
 * The text is "TYPE REASON kind/name: message (xCOUNT)". An Event about something that is not wanted (yet) is
 * kept for TAIL_EVENTS_HOLD_MS, for it may come before the news of its object.
 *
 * Events have times of whole seconds; one that arrives within moments of its second is given the time of its
 * arrival, so that it stands among the lines of then.
 */
#ifndef WASMCTL_TAIL_EVENTS_SOURCE_H
#define WASMCTL_TAIL_EVENTS_SOURCE_H

#include "data/json.h"
#include "kube/client.h"
#include "tail/engine.h"

enum {
    TAIL_EVENTS_HOLD_MS = 5000,
    TAIL_EVENTS_HELD = 1024,       /* kept like that; beyond it the oldest go */
    TAIL_EVENTS_PAST_MOST = 10000, /* of those that are there at the start, the newest */
};

struct tail_events;

struct tail_events_options {
    struct tail_engine *engine;
    struct kube_client *client;
    const char *context, *namespace; /* namespace NULL = all */
    /* Whether an object's Events are shown; NULL = all. */
    bool (*wants)(void *arg, const char *kind, const char *namespace, const char *name);
    bool follow;
    int64_t since_ns;   /* wall clock, 0 = all */
    int64_t tail_lines; /* of those that are there at the start; < 0 = all */
    void (*note)(void *arg, bool chatter, const char *text); /* see tail/pods.h */
    /* Without follow: all were told, or they cannot be had (err). */
    void (*done)(void *arg, const struct err *err);
    void *arg;
};

/* Never NULL; nothing is called before the next turn of the loop. */
struct tail_events *tail_events_new(const struct tail_events_options *options);
void tail_events_free(struct tail_events *t);
DEFINE_CLEANUP(struct tail_events *, tail_events_free)
/* What is wanted is known as far as it can be: those that were there before can be told. To be called once,
 * at least. */
void tail_events_known(struct tail_events *t);
/* More may be wanted now: those that are kept are asked about again. */
void tail_events_again(struct tail_events *t);

/* What an Event says, and when; caller frees. *ret_ns: 0 when it does not say; *ret_coarse: whole seconds. */
char *tail_event_text(const cJSON *event, int64_t *ret_ns, bool *ret_coarse);

#endif
