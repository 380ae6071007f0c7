/* What a cluster holds, for completion (cli/complete.h): from the cache, else from the server with a short
 * deadline. */
#ifndef WASMCTL_CLI_COMPLETE_LIVE_H
#define WASMCTL_CLI_COMPLETE_LIVE_H

#include "cli/cmd.h"
#include "kube/gvr.h"

struct complete_live {
    char **names;  /* NULL-ended; both may be NULL */
    char **labels; /* "key=value", each once */
};
void complete_live_release(struct complete_live *l);

/* Objects of a kind, in the namespace of c. Empty when nothing is known. */
void complete_live_objects(struct cmd_ctx *c, const struct kube_resource *r, struct complete_live *ret);
/* The resource a word stands for, NULL if that is not known. */
const struct kube_resource *complete_live_resource(struct cmd_ctx *c, const char *word);
/* Calls fn for every kind that is known. */
void complete_live_kinds(struct cmd_ctx *c, void (*fn)(void *arg, const struct kube_resource *r), void *arg);

#endif
