/*
 * One command over several contexts of the kubeconfig (--contexts, --all-contexts). The command's body runs
 * once for each, side by side, each in a fiber with a struct cmd_ctx of its own; what it prints through
 * cli/cmd.h is put together (cli/fleet_out.h), what fails is told with the name of the context. docs/fleet.md
 * is the user's side of it.
 *
 * A body needs nothing for that but to wait through kube_*_wait(), cli_await() or loop_wait() and to print
 * through cli/cmd.h; where it prints from a callback of the loop, cmd_enter() says for whom. The functions
 * below are for bodies that can do better than lines of text. All do nothing, or return false, for a run on
 * one context.
 */
#ifndef WASMCTL_CLI_FLEET_H
#define WASMCTL_CLI_FLEET_H

#include "cli/cmd.h"
#include "print/object.h"
#include "print/table.h"

#define FLEET_ANNOTATION "wasmctl.dev/context"

/* Whether the command runs over several contexts (or over one chosen that way). */
bool fleet_is(const struct cmd_ctx *c);             /* c may be NULL */
size_t fleet_size(const struct cmd_ctx *c);         /* of all contexts of the run; 0 outside a fleet */
const char *fleet_context(const struct cmd_ctx *c); /* name of c's context; NULL outside a fleet */

/* A table of which the rows of all contexts are shown as one: print_table_new() for output at top level. */
struct print_table *fleet_table_new(const struct cmd_ctx *c);
/* Notes in metadata.annotations which context an object is from. */
void fleet_mark(const struct cmd_ctx *c, cJSON *object);
/* Objects for one List of all contexts, in PRINT_JSON or PRINT_YAML. True: the items (an array) were taken.
 */
bool fleet_collect(struct cmd_ctx *c, enum print_format format, cJSON *items);
/* Text to be printed as it is, in one piece; `between` (may be NULL) goes before it unless it is the first of
 * all. Prints it also outside a fleet, without `between`. */
void fleet_block(struct cmd_ctx *c, const struct buf *text, const char *between);
/* Rows in a form that needs no lining up (CSV); titled: the first line names the columns. */
void fleet_plain_rows(struct cmd_ctx *c, const struct buf *text, bool titled);
/* A value for one document (JSON or YAML) of all contexts, {"aws": ..., "gcp": ...}, printed at the end.
 * True: it was taken. Objects of the API are better collected. */
bool fleet_value(struct cmd_ctx *c, enum print_format format, cJSON *value);
/* In place of cmd_note() for "nothing found": told once, when no context found anything. */
void fleet_nothing(struct cmd_ctx *c, const char *text);

/* It watches from now on: its output is shown as it comes, its errors are told at once. */
void fleet_live(struct cmd_ctx *c);
/* A watch cannot begin because of e. True: it is to go on trying (the others may serve), and that was told.
 * False: it is to fail, as no context can be reached. */
bool fleet_keeps_trying(struct cmd_ctx *c, const struct err *e);

/* What is made once for all contexts: the place for it, *place is NULL at first; released at the end of the
 * run. NULL outside a fleet. */
void **fleet_shared(struct cmd_ctx *c, const void *key, void (*release)(void *));

/* For cli/cmd.c and cli/app.c */

struct fleet_member;
bool fleet_wanted(const struct cmd_globals *g);
/* Runs c->entry; the exit code, or an error that concerns no context by itself. */
int fleet_run(struct cmd_ctx *c, struct err **err);
void fleet_print(struct fleet_member *m, const char *text, size_t len);
/* Talk on stderr, each line behind the name of the context. */
void fleet_note(struct fleet_member *m, const char *text);
/* True: the error was kept for the summary. */
bool fleet_keep_error(struct fleet_member *m, const struct err *e);
/* The server answered with this status. */
void fleet_heard(struct fleet_member *m, int status);

#endif
