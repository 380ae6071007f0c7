/*
 * OpenAPI v3 documents of the server, and what they say about a kind as text for people.
 *
 * The index (/openapi/v3) names the document of each API version with a hash of its content. Documents have
 * megabytes; what is used of them, the schemas, is kept in a file (kube/discovery_cache.h) until the hash
 * changes.
 */
#ifndef WASMCTL_KUBE_OPENAPI_H
#define WASMCTL_KUBE_OPENAPI_H

#include "kube/client.h"

/* The schemas of one API version ("apps/v1", "v1") by name; the caller's. ERR_NOT_FOUND: the server has no
 * such version. ERR_UNSUPPORTED: it does not know OpenAPI v3. */
int kube_openapi_wait(struct kube_client *c, const char *api_version, cJSON **ret_schemas, struct err **err);

struct kube_explain {
    const cJSON *schemas;
    const char *group, *version, *kind;
    char *const *fields; /* the path, NULL-ended; empty: the kind itself */
    bool recursive;      /* fields of fields, one line each ... */
    int max_depth;       /* ... down to here; 0 = all */
};
enum { KUBE_EXPLAIN_TEXT_MOST = 64 * 1024 * 1024 };

/* Appends the text in the form of kubectl 1.37; adds nothing on failure. ERR_NOT_FOUND: no such kind, or no
 * such field (which one, and what it may have been meant to be); *ret_known (may be NULL) tells how many of
 * the fields there are. ERR_TOO_LARGE for schemas that refer to each other without end. */
int kube_explain_text(struct buf *out, const struct kube_explain *e, size_t *ret_known, struct err **err);

#endif
