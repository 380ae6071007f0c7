/* Changes written as KEY=VALUE and KEY-: what label and annotate share. */
#ifndef WASMCTL_CLI_PAIRS_H
#define WASMCTL_CLI_PAIRS_H

#include "cli/manifest.h"
#include "cli/result.h"

struct pairs_options {
    struct manifest_from from;
    struct cli_output output;
    const char *selector, *field_selector, *resource_version, *field_manager;
    bool all, all_namespaces, list, overwrite;
    int dry_run;
};

/* The words of one of the two commands. */
struct pairs_words {
    const char *verb;   /* "label" */
    const char *noun;   /* "label": as in "at least one label update is required" */
    const char *plural; /* "labels": also the member of metadata */
    bool annotation;
};

/* Option table of both commands (they share struct pairs_options). */
extern const struct cmd_opt pairs_opts[];

/* The whole command: reads the arguments, changes or lists the objects. c->options: struct pairs_options. */
int pairs_run(struct cmd_ctx *c, const struct pairs_words *words, struct err **err);

#endif
