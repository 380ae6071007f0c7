/* The kinds of children: what each is called, needs, and is started with. */
#ifndef WASMCTL_DEV_CHILDREN_H
#define WASMCTL_DEV_CHILDREN_H

#include "dev/env.h"

#define DEV_LATTICE_ID "default"

struct dev_kind_spec {
    const char *name; /* of the only child, or of the kind: "host" */
    const char *part; /* of the table of parts; NULL: comes with wasmctl */
    const char *program;
    const char *ports[DEV_PORTS + 1];
    unsigned needs;     /* 1 << kind of those that must be ready before */
    bool needs_objects; /* the manifests must be applied before */
    int ready_port;     /* which port answers ready_path with 200 once it is ready */
    const char *ready_path;
    bool kept;       /* its output is kept by a keeper (node/keep.h) and served as the log of a Pod */
    int stop_stage;  /* 0 is stopped first */
    int64_t stop_ms; /* time it has to end by itself */
};

const struct dev_kind_spec *dev_kind_spec(enum dev_kind kind);
/* -1 for other words. */
int dev_kind_by_name(const char *name);

/* Path of the program of the kind; caller frees. ERR_NOT_FOUND says how to get it. */
int dev_child_program(enum dev_kind kind, char **ret, struct err **err);
/* Path of the running program; caller frees. */
int dev_own_program(char **ret, struct err **err);
/* Folders, and for a host its identity, made when they are missing. */
int dev_child_prepare(struct dev_env *e, struct dev_child *c, struct err **err);
/* Makes room for one more run of a kept child: a new instance of its log, the link of the log path set to it,
 * and all but the one before removed. Completes the keeper of the command. */
int dev_keep_next(const struct dev_env *e, const struct dev_child *c, struct dev_command *cmd,
                  struct err **err);
/* What it is started with. Wants its ports, and those of what it needs, to be known. */
int dev_child_command(const struct dev_env *e, const struct dev_child *c, struct dev_command *ret,
                      struct err **err);

/* URLs for users; caller frees. NULL when the child does not exist (yet). */
char *dev_api_url(const struct dev_env *e);
char *dev_nats_url(const struct dev_env *e);

#endif
