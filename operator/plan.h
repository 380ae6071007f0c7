/*
 * The plan of a unit: what to do now, and what to say about it. plan_unit() is pure; exec.c carries it out.
 */
#ifndef WASMCTL_OPERATOR_PLAN_H
#define WASMCTL_OPERATOR_PLAN_H

#include "operator/view.h"
#include "place/place.h"

enum plan_action_kind {
    PLAN_FINALIZER_ADD,
    PLAN_FINALIZER_REMOVE,
    PLAN_CONFIG_PUT, /* index into view->configs */
    PLAN_LINK_PUT,   /* index into view->links */
    PLAN_LINK_REPLACE,
    PLAN_LINK_DEL, /* index into view->unwanted */
    PLAN_LOGIN,    /* tell the hosts the registry credentials, before anything is started */
    PLAN_SET,      /* start, scale or update on a host */
    PLAN_STOP,
    PLAN_CONFIG_DEL, /* all of the unit, on deletion */
};
struct plan_action {
    enum plan_action_kind kind;
    size_t index;
    const char *host;
    int32_t replicas;
    const char *why; /* short, for the log and the Event */
};

struct plan {
    struct plan_action *actions;
    size_t nactions, cap;

    struct place_plan place;                  /* of view->hosts; wanted is NULL when no placement was made */
    int32_t desired, running, ready, updated; /* replicas */
    bool links_ready, configs_ready;
    int32_t surge;                   /* replicas in excess that have a host: the update waits for them */
    bool links_held;                 /* a link is to be replaced, but a host would miss the new one */
    bool complete;                   /* everything is as the spec says */
    const char *failed_host, *error; /* of the newest failed start, NULL if none */
    int64_t again_ms;                /* look again after this time, 0 = when something happens */
};

void plan_unit(const struct view *v, struct plan *ret);
void plan_release(struct plan *p);
/* Replicas that run on a host of the view (count divided by concurrency, at least 1). */
int32_t plan_running_on(const struct view *v, const struct view_host *h);

#endif
