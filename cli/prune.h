/* apply --prune: which objects are no longer in the manifests. Shared by apply and diff. */
#ifndef WASMCTL_CLI_PRUNE_H
#define WASMCTL_CLI_PRUNE_H

#include "cli/delete.h"
#include "cli/manifest.h"

/* An object is pruned when all of this holds:
 *  - its kind is among prune_kinds_find()'s;
 *  - it is in a namespace that an object of the set is in (cluster-scoped kinds: when they are named);
 *  - it matches the selector;
 *  - the server notes that the field manager has applied it (an Apply entry of metadata.managedFields);
 *  - no object of the set has its kind, namespace and name; it is not being deleted already. */
struct prune_how {
    const char *selector; /* NULL: all */
    const char *field_manager;
};

struct prune_kinds {
    const struct kube_resource **items; /* borrowed */
    size_t len;
};
static inline void prune_kinds_release(struct prune_kinds *k)
{
    free(k->items);
}

struct prune_found {
    const struct kube_resource *resource;
    char *namespace, *name, *uid;
};
struct prune_list {
    VEC(struct prune_found) found;
};
void prune_list_release(struct prune_list *l);

/* allowlist: "group/version/Kind" ("core/v1/ConfigMap"), NULL-ended; NULL gives the kinds that people apply
 * (docs/changing.md). */
int prune_kinds_find(struct cmd_ctx *c, char *const *allowlist, struct prune_kinds *ret, struct err **err);
/* set: resolved. */
int prune_find(struct cmd_ctx *c, const struct prune_how *how, const struct prune_kinds *kinds,
               const struct manifests *set, struct prune_list *ret, struct err **err);

#endif
