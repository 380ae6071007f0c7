/* Starting and stopping sets of children, many at once, on the loop. For the files of dev/ only. */
#ifndef WASMCTL_DEV_RUN_H
#define WASMCTL_DEV_RUN_H

#include "dev/env.h"

/* Stops the children whose flag is set (by their place in e->children), stage by stage: SIGTERM, and SIGKILL
 * after the time the kind has. What a child left behind in its session is killed. Removes the pid files.
 * ERR_TIMEOUT names what would not end. Children that do not run only lose their pid file. */
int dev_stop_set(struct dev_env *e, const bool *set, struct err **err);

struct dev_start_options {
    const bool *set; /* children to be started if they do not run, and to be waited for */
    bool objects;    /* apply the manifests once the API server is ready */
    int64_t timeout_ms;
    const struct dev_manifest *manifests;
    size_t nmanifests;
};
/* Starts the set in the order of what they need (what is not in the set counts as ready), waits until every
 * one is ready. On failure what was started here is stopped again. ERR_CANCELLED after SIGINT or SIGTERM. */
int dev_start_set(struct dev_env *e, const struct dev_start_options *o, struct err **err);

/* The last lines of a log, from `offset` on: at most `lines`, each at most 500 bytes; "" when there are none.
 * Caller frees. */
char *dev_log_tail(const struct dev_env *e, const char *child, int64_t offset, int lines);
/* The same for a program that has just ended: from the line on in which it says why, if it does. */
char *dev_log_death(const struct dev_env *e, const char *child, int64_t offset, int lines);

#endif
