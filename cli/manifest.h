/* Objects from files, folders and standard input (-f), with where each came from. */
#ifndef WASMCTL_CLI_MANIFEST_H
#define WASMCTL_CLI_MANIFEST_H

#include "cli/cmd.h"
#include "cli/target.h"
#include "data/json.h"
#include "kube/gvr.h"

enum { MANIFEST_MAX_FILE = 64 * 1024 * 1024, MANIFEST_MAX_DEPTH = 32 };

struct manifest {
    cJSON *object;
    char *source;                         /* file as given, "STDIN" for "-" */
    unsigned line;                        /* first line of the document */
    const struct kube_resource *resource; /* after manifest_resolve() */
    struct kube_resource *own_resource;   /* resource, when it was read from a CRD of the set */
};
struct manifests {
    struct manifest *items;
    size_t len;
};
void manifests_release(struct manifests *m);
#define _cleanup_manifests_ _cleanup_(manifests_release)

/* Reads all files (NULL-ended; "-" is standard input; folders give their .json, .yaml and .yml files by name,
 * with `recursive` also those of folders below). Lists are taken apart. A file that cannot be read or parsed
 * gives nothing and is reported by cmd_report(); the others are read on. */
void manifests_load(struct cmd_ctx *c, char *const *files, bool recursive, struct manifests *ret);
/* One text; name is used in messages. */
int manifests_parse(struct manifests *m, const char *text, size_t len, const char *name, struct err **err);

/* Finds the kind (first among the CRDs of the set, which the server may not know yet) and settles the
 * namespace: the object's, else the one of the command; ERR_INVALID when the object names another than -n. */
int manifest_resolve(struct cmd_ctx *c, const struct manifests *all, struct manifest *m, struct err **err);

/* The objects of files as targets. keep holds what the targets point to: release it after them. */
int manifest_targets(struct cmd_ctx *c, char *const *files, bool recursive, struct manifests *keep,
                     struct cli_targets *ret, struct err **err);

const char *manifest_name(const struct manifest *m);
const char *manifest_namespace(const struct manifest *m); /* NULL for cluster-scoped kinds */
bool manifest_is_crd(const struct manifest *m);
/* The CRD of the set that defines m's kind, or NULL. */
const struct manifest *manifest_crd_of(const struct manifests *all, const struct manifest *m);

#endif
