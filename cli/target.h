/* What a command acts on, read from its arguments as kubectl reads them: `KIND[,KIND] [NAME...]`, `KIND/NAME
 * ...`, categories
 * ("all", "wasm"). */
#ifndef WASMCTL_CLI_TARGET_H
#define WASMCTL_CLI_TARGET_H

#include "cli/cmd.h"
#include "kube/gvr.h"

struct cli_target {
    const struct kube_resource *resource; /* belongs to the client or is built in */
    char *name;                           /* NULL: every object of the kind */
    char *namespace;                      /* NULL: cluster-scoped or all namespaces */
};
struct cli_targets {
    struct cli_target *items;
    size_t len;
    bool several_kinds;
    bool named; /* every target has a name */
};
void cli_targets_release(struct cli_targets *t);
#define _cleanup_targets_ _cleanup_(cli_targets_release)

struct cli_target_options {
    const char *verb;    /* for messages: "get" */
    bool all_namespaces; /* -A */
    bool selector;       /* a selector was given: names are refused */
    bool need_names;     /* a kind alone is refused (unless selector) */
};

/* Kinds that are not built in are looked up on the server (c->client is made then). */
int cli_targets_parse(struct cmd_ctx *c, const struct cli_target_options *options, struct cli_targets *ret,
                      struct err **err);
void cli_targets_add(struct cli_targets *t, const struct kube_resource *resource, const char *namespace,
                     const char *name);

/* Kinds without names become the objects that match now, named ones stay; appended to all. Selectors may be
 * NULL. */
int cli_targets_expand(struct cmd_ctx *c, const struct cli_targets *given, const char *label_selector,
                       const char *field_selector, struct cli_targets *all, struct err **err);

/* "default" for a namespaced kind without -A, NULL otherwise. */
const char *cli_namespace_for(const struct cmd_ctx *c, const struct kube_resource *r, bool all_namespaces);

/* "wasmactors.wasmctl.dev/hello" for messages; caller frees. */
char *cli_target_text(const struct kube_resource *r, const char *name);

/* Appends "key=value" (value escaped) with "&" in front when needed; nothing for an empty value. */
void cli_query_add(struct buf *query, const char *key, const char *value);

/* Requests that answer with JSON; `name`, `sub`, `query`, `body`, `accept`, `ret` may be NULL. */
struct cli_request {
    const char *method; /* NULL = GET */
    const struct kube_resource *resource;
    const char *namespace, *name, *sub, *query, *body, *content_type, *accept;
};
int cli_request(struct cmd_ctx *c, const struct cli_request *request, cJSON **ret, struct err **err);

/* What cli_request() does with a failure: a server that does not know one of our kinds answers 404 for the
 * path; says so, and how to install the kind. Returns r. */
int cli_explain_missing(struct cmd_ctx *c, const struct kube_resource *resource, int r, struct err **err);

/* A 404 that names no object, in kubectl's words: "the server could not find the requested resource". Returns
 * the code of *err. */
int cli_explain_path(struct err **err);

/* Lists hold items without kind and apiVersion: puts them in. */
void cli_complete_item(cJSON *item, const struct kube_resource *r);

/* Metadata only, for commands that need no more than names. */
#define CLI_AS_METADATA "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
#define CLI_AS_METADATA_LIST                                                                                 \
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"

#endif
