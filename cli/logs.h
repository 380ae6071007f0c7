/* Parts of `logs`: whose logs are asked for. */
#ifndef WASMCTL_CLI_LOGS_H
#define WASMCTL_CLI_LOGS_H

#include "cli/cmd.h"
#include "data/json.h"

struct logs_options {
    const char *container, *selector, *since, *since_time;
    int64_t lines, limit_bytes, streams_most;
    bool follow, previous, all_containers, all_pods, ignore_errors, prefix, timestamps;
};

/* One container whose log is read. */
struct logs_source {
    char *namespace, *pod, *container;
    char *container_id; /* of the instance that is there now, "" when there is none yet */
};
struct logs_sources {
    struct logs_source *items;
    size_t len;
};
void logs_sources_release(struct logs_sources *s);
#define _cleanup_logs_sources_ _cleanup_(logs_sources_release)

/* The containers that the arguments (POD [CONTAINER] | KIND/NAME) or -l mean: of one Pod the one that -c
 * names, that an annotation or its place says to be the main one, or all. Of things that select Pods one Pod
 * is taken, the one that runs, unless --all-pods is given; notes say which. */
int logs_find(struct cmd_ctx *c, const struct logs_options *o, struct logs_sources *ret, struct err **err);

/* The status of a container in a Pod, NULL when it has none. */
const cJSON *logs_container_status(const cJSON *pod, const char *container);

#endif
