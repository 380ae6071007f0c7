/* Manual pages (roff, man macros) out of the command tables. */
#ifndef WASMCTL_CLI_MAN_H
#define WASMCTL_CLI_MAN_H

#include "base/buf.h"
#include "cli/cmd.h"

/* wasmctl(1): all commands by group and the options that all of them take. */
void man_program(struct buf *out, const struct cmd_entry *const *table);
/* wasmctl-<words>(1). path: "wasmctl config view"; parent: "wasmctl-config". */
void man_command(struct buf *out, const char *path, const char *parent, const struct cmd_entry *entry);
/* "wasmctl-config-view" for "wasmctl config view"; caller frees. */
char *man_name(const char *path);

#endif
