/* What the server serves: aggregated discovery (one request for /api, one for /apis), with the old way as
 * fallback. Built-in kinds (kube/gvr.h) need none. */
#ifndef WASMCTL_KUBE_DISCOVERY_H
#define WASMCTL_KUBE_DISCOVERY_H

#include "kube/client.h"
#include "kube/gvr.h"

/* Finds what the user typed ("wa", "deploy", "deployments.apps", "Pod"): built-in first, then the server is
 * asked once per client. *ret belongs to the client. ERR_NOT_FOUND: `the server doesn't have a resource type
 * "x"`, with a suggestion. */
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

#endif
