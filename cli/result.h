/* What apply, create and delete share: the result line, --dry-run and --validate. */
#ifndef WASMCTL_CLI_RESULT_H
#define WASMCTL_CLI_RESULT_H

#include "cli/cmd.h"
#include "kube/gvr.h"
#include "print/output.h"

enum cli_dry_run { DRY_NONE, DRY_CLIENT, DRY_SERVER };
extern const char *const cli_dry_run_choices[];
extern const char *const cli_validate_choices[];

#define CLI_OPT_DRY_RUN(offset)                                                                              \
    {                                                                                                        \
        "dry-run", 0, OPT_ENUM, offset, "none|client|server", "none",                                        \
            "client: only say what would be sent; server: let the server check it without keeping it",       \
            .choices = cli_dry_run_choices, .bare = "client"                                                 \
    }
#define CLI_OPT_VALIDATE(offset)                                                                             \
    {                                                                                                        \
        "validate", 0, OPT_ENUM, offset, "strict|warn|ignore", "strict",                                     \
            "What the server does about unknown and repeated fields: refuse, warn, drop them in silence",    \
            .choices = cli_validate_choices, .bare = "strict"                                                \
    }

/* Appends fieldValidation and dryRun. */
void cli_write_query(struct buf *query, enum cli_dry_run dry_run, int validate);

/* -o and its companions, for the options struct of a command */
struct cli_output {
    const char *format, *template;
    bool allow_missing_keys, managed_fields;
};
#define CLI_OPTS_OUTPUT(offset)                                                                              \
    {"allow-missing-template-keys",                                                                          \
     0,                                                                                                      \
     OPT_FLAG,                                                                                               \
     (offset) + offsetof(struct cli_output, allow_missing_keys),                                             \
     NULL,                                                                                                   \
     "true",                                                                                                 \
     "A field that a template names and an object has not is no error"},                                     \
        {"output",                                                                                           \
         'o',                                                                                                \
         OPT_STRING,                                                                                         \
         (offset) + offsetof(struct cli_output, format),                                                     \
         "FORMAT",                                                                                           \
         NULL,                                                                                               \
         "Print the object instead of a line: json, yaml, ndjson, name, jsonpath=, jsonpath-as-json=, "      \
         "jsonpath-file=, custom-columns=, custom-columns-file=, go-template= or go-template-file="},        \
        {"show-managed-fields",                                                                              \
         0,                                                                                                  \
         OPT_FLAG,                                                                                           \
         (offset) + offsetof(struct cli_output, managed_fields),                                             \
         NULL,                                                                                               \
         NULL,                                                                                               \
         "Keep metadata.managedFields in what is printed"},                                                  \
    {                                                                                                        \
        "template", 0, OPT_STRING, (offset) + offsetof(struct cli_output, template), "TEMPLATE", NULL,       \
            "The template (or its file) of -o; a Go template without -o"                                     \
    }

/* A printer for them. */
int cli_output_new(struct cmd_ctx *c, const struct cli_output *output, struct print_output **ret,
                   struct err **err);
/* Prints the outcome of a write: the result line ("wasmactor.wasmctl.dev/hello created"), the name, or the
 * object. */
struct cli_results {
    enum print_format format; /* PRINT_TABLE: the line */
    enum cli_dry_run dry_run;
    bool as_list; /* several objects become one List (apply); else each is printed by itself */
    struct cmd_ctx *c;
    struct print_output *print; /* of cli_results_format(); without it: lines */
    cJSON *items;               /* collected for one List */
};
/* Reads -o. as_list: see above. The results are released by cli_results_release(). */
int cli_results_format(struct cli_results *results, struct cmd_ctx *c, const struct cli_output *output,
                       bool as_list, struct err **err);
void cli_results_release(struct cli_results *results);
#define _cleanup_results_ _cleanup_(cli_results_release)
/* object: as the server answered; borrowed. */
void cli_result(struct cli_results *results, const struct kube_resource *r, const cJSON *object,
                const char *verb);
/* Prints what was collected: the object, or a List of several. A template that fails is reported. */
void cli_results_finish(struct cli_results *results);

#endif
