/* Resource kinds: group, version, plural and how people name them. Our own kinds and the core ones are built
 * in; others come from discovery. */
#ifndef WASMCTL_KUBE_GVR_H
#define WASMCTL_KUBE_GVR_H

#include <stdbool.h>
#include "base/err.h"

struct kube_resource {
    char *group;        /* "" for core */
    char *version;      /* "v1alpha1" */
    char *resource;     /* plural, lower case: "wasmactors" */
    char *kind;         /* "WasmActor" */
    char *singular;     /* "wasmactor" */
    char **short_names; /* NULL-ended, may be NULL */
    char **categories;  /* NULL-ended, may be NULL */
    char **verbs;       /* NULL-ended; NULL of what is built in */
    bool namespaced;
};

/* Built-in table, static storage. kube_builtin(i) is NULL past the end. */
const struct kube_resource *kube_builtin(size_t i);
/* By what a user types: plural, singular, short name, kind in any case, or "plural.group",
 * "plural.version.group". NULL if it is not built in. */
const struct kube_resource *kube_builtin_find(const char *word);
const struct kube_resource *kube_builtin_kind(const char *api_version, const char *kind);

/* "wasmctl.dev/v1alpha1" or "v1"; caller frees. */
char *kube_api_version(const struct kube_resource *r);
/* "wasmactor.wasmctl.dev" (singular.group; only singular for core): the name in "x/y created" lines; caller
 * frees. */
char *kube_resource_display(const struct kube_resource *r);
/* "/apis/wasmctl.dev/v1alpha1/namespaces/NS/wasmactors/NAME/SUB"; ns, name, sub may be NULL. Parts are
 * percent-encoded. Caller frees. */
char *kube_path(const struct kube_resource *r, const char *ns, const char *name, const char *subresource);
/* Percent-encoding for a query value; caller frees. */
char *kube_query_escape(const char *s);

struct kube_resource *kube_resource_copy(const struct kube_resource *r);
void kube_resource_free(struct kube_resource *r); /* for copies only */
DEFINE_CLEANUP(struct kube_resource *, kube_resource_free)

#endif
