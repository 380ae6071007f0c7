/* What runs where: units by the hosts they are on. */
#ifndef WASMCTL_TUI_RUNNING_H
#define WASMCTL_TUI_RUNNING_H

#include "base/mem.h"
#include "tui/pane.h"

struct running {
    VEC(const struct tui_object *) units; /* borrowed from the store */
    VEC(int32_t) replicas;
};

/* "cluster/host" -> struct running, of the clusters the pane shows; actors first. Caller frees. */
struct map *running_find(const struct pane *p);
/* NULL: nothing runs on it. */
const struct running *running_on(const struct map *running, const struct tui_object *host);

#endif
