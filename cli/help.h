/* Help texts out of the command table. */
#ifndef WASMCTL_CLI_HELP_H
#define WASMCTL_CLI_HELP_H

#include "base/buf.h"
#include "cli/cmd.h"

/* The program's own page: commands by group. */
void help_program(struct buf *out, const char *program, const struct cmd_entry *const *table);
/* A command's page. path: "wasmctl dev up". */
void help_command(struct buf *out, const char *program, const char *path, const struct cmd_entry *entry);
/* Option rows, two columns, wrapped. */
void help_options(struct buf *out, const struct cmd_opt *opts);
/* "wasmctl get (KIND ...) [options]" */
void help_usage(struct buf *out, const char *path, const struct cmd_entry *entry);

#endif
