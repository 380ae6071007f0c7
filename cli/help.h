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
/* "-o, --output wide|yaml"; without a letter there are four blanks in its place. Caller frees. */
char *help_option_title(const struct cmd_opt *o);
/* "Basic Commands"; group < CMD_GROUPS. */
const char *help_group_title(int group);
/* "wasmctl get (KIND ...) [options]" */
void help_usage(struct buf *out, const char *path, const struct cmd_entry *entry);

#endif
