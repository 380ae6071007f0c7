/*
 * What the server serves: aggregated discovery (one request for /api, one for /apis), with the old way as
 * fallback. Built-in kinds (kube/gvr.h) need none.
 *
 * What was learnt is kept in the client, and in files for the processes that follow (kube/discovery_cache.h).
 * Such an answer is good for six hours; then the server is asked whether it has changed. What is not found in
 * a kept answer is looked for once more in a new one before it counts as absent: a kind that was installed
 * just now is found. Not kept in files: answers that lack a group because its own server is away.
 */
#ifndef WASMCTL_KUBE_DISCOVERY_H
#define WASMCTL_KUBE_DISCOVERY_H

#include "kube/client.h"
#include "kube/gvr.h"

/* Finds what the user typed ("wa", "deploy", "deployments.apps", "Pod"): built-in first, then among what the
 * server serves. *ret belongs to the client. ERR_NOT_FOUND: `the server doesn't have a resource type "x"`,
 * with a suggestion. */
int kube_find_resource(struct kube_client *c, const char *word, const struct kube_resource **ret,
                       struct err **err);
/* By apiVersion and kind of a manifest. ERR_NOT_FOUND: `no matches for kind "X" in version "g/v"` and what to
 * do (install CRDs). */
int kube_find_kind(struct kube_client *c, const char *api_version, const char *kind,
                   const struct kube_resource **ret, struct err **err);
/* All preferred resources of a category ("all", "wasm"); NULL-ended array of borrowed pointers, caller frees
 * the array. */
int kube_find_category(struct kube_client *c, const char *category, const struct kube_resource ***ret,
                       struct err **err);

/* Everything, in the server's order: groups by priority, in each the preferred version first. */
struct kube_apis {
    struct kube_resource **items; /* with verbs; without subresources */
    size_t len;
    char **versions; /* "v1", "apps/v1"; NULL-ended */
    char **stale;    /* versions whose own server did not answer; NULL-ended */
};
/* from_file: an answer of the last six hours will do; else the server is asked. *ret belongs to the client.
 */
int kube_find_apis(struct kube_client *c, bool from_file, const struct kube_apis **ret, struct err **err);
/* False when items[i] is also there in a version that comes before: the server prefers that. */
bool kube_apis_is_preferred(const struct kube_apis *a, size_t i);

#endif
