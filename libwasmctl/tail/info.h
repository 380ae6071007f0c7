/* What is known about the source of a line, as far as it applies; unknown is NULL. */
#ifndef WASMCTL_TAIL_INFO_H
#define WASMCTL_TAIL_INFO_H

#include "data/json.h"

struct tail_info {
    char *context, *namespace, *pod, *container, *node;
    cJSON *labels, *annotations;
};

void tail_info_release(struct tail_info *i);

#endif
