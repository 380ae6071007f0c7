/* What apply, create and delete share: the result line, --dry-run and --validate. */
#ifndef WASMCTL_CLI_RESULT_H
#define WASMCTL_CLI_RESULT_H

#include "cli/cmd.h"
#include "kube/gvr.h"
#include "print/object.h"

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

/* Prints the outcome of a write: the result line ("wasmactor.wasmctl.dev/hello created"), the name, or the
 * object. */
struct cli_results {
    enum print_format format; /* PRINT_TABLE: the line */
    enum cli_dry_run dry_run;
    cJSON *items; /* collected for json and yaml */
};
/* object: as the server answered; borrowed. */
void cli_result(struct cli_results *results, const struct kube_resource *r, const cJSON *object,
                const char *verb);
/* Prints what was collected: the object, or a List of several. */
void cli_results_finish(struct cli_results *results);

#endif
