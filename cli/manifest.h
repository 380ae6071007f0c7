/* Objects from files, folders, addresses and standard input (-f) and from kustomize (-k), with where each
 * came from. */
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

/* What the options -f, -k and -R say; a member of a command's options. Their rows for its table: */
struct manifest_from {
    char **files;
    const char *kustomize;
    bool recursive;
};
/* clang-format off */
#define MANIFEST_OPTS(offset)                                                                                \
    {"filename", 'f', OPT_CSV, (offset) + offsetof(struct manifest_from, files), "FILE", NULL,              \
     "The objects of a file, a folder, an address (https://...) or standard input (-); repeatable"},         \
    {"kustomize", 'k', OPT_STRING, (offset) + offsetof(struct manifest_from, kustomize), "DIR", NULL,        \
     "The objects that kustomize makes of a folder"},                                                        \
    {"recursive", 'R', OPT_FLAG, (offset) + offsetof(struct manifest_from, recursive), NULL, NULL,           \
     "With -f: also the folders below"}
/* clang-format on */
/* Whether anything was given by them. */
bool manifest_from_any(const struct manifest_from *from);

/* Reads all of it ("-" is standard input; folders give their .json, .yaml and .yml files by name, with -R
 * also those of folders below). Lists are taken apart. A file that cannot be read or parsed gives nothing and
 * is reported by cmd_report(); the others are read on. An error is a wrong set of options. */
int manifests_load_from(struct cmd_ctx *c, const struct manifest_from *from, struct manifests *ret,
                        struct err **err);
/* One text; name is used in messages. */
int manifests_parse(struct manifests *m, const char *text, size_t len, const char *name, struct err **err);

/* Finds the kind (first among the CRDs of the set, which the server may not know yet) and settles the
 * namespace: the object's, else the one of the command; ERR_INVALID when the object names another than -n. */
int manifest_resolve(struct cmd_ctx *c, const struct manifests *all, struct manifest *m, struct err **err);

/* Keeps the objects whose labels match; the others are moved to the end of *rest. */
int manifests_select(struct manifests *set, const char *selector, struct manifests *rest, struct err **err);
/* Finds the kinds of the rest and moves it back behind the set: what a selector left out is there all the
 * same when the question is what is not in the manifests. */
int manifests_add_rest(struct cmd_ctx *c, struct manifests *set, struct manifests *rest, struct err **err);

/* The objects of files as targets. keep holds what the targets point to: release it after them. */
int manifest_targets(struct cmd_ctx *c, char *const *files, bool recursive, struct manifests *keep,
                     struct cli_targets *ret, struct err **err);
int manifest_targets_from(struct cmd_ctx *c, const struct manifest_from *from, struct manifests *keep,
                          struct cli_targets *ret, struct err **err);

const char *manifest_name(const struct manifest *m);
const char *manifest_namespace(const struct manifest *m); /* NULL for cluster-scoped kinds */
bool manifest_is_crd(const struct manifest *m);
/* The CRD of the set that defines m's kind, or NULL. */
const struct manifest *manifest_crd_of(const struct manifests *all, const struct manifest *m);

#endif
