/* The kubeconfig files of an environment. */
#ifndef WASMCTL_DEV_KUBECONF_H
#define WASMCTL_DEV_KUBECONF_H

#include "dev/env.h"

/* The administrator's: certificates inside, context "wasm-<name>". Wants keys and the port of the API server.
 */
int dev_kubeconf_write_admin(const struct dev_env *e, struct err **err);
/* The operator's: a service account, whose token stands in a file of its own. */
int dev_kubeconf_write_operator(const struct dev_env *e, const char *ns, const char *token, struct err **err);

/* Puts the cluster, user and context of `ours` into the kubeconfig document `target` (NULL object members are
 * made), in place of those of the same name; everything else stays. ERR_INVALID: target is no kubeconfig. */
int dev_kubeconf_merge(cJSON *target, const cJSON *ours, bool use, struct err **err);
/* Takes the entries called `name` out, and the current context if it is that one. Returns whether anything
 * was there. */
bool dev_kubeconf_remove(cJSON *target, const char *name);

/* Takes our context out of the kubeconfig it was merged into. Absent file or entry is success. */
int dev_unmerge(struct dev_env *e, struct err **err);

#endif
