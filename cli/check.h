/* What must hold in the command tables; run over the real ones by the tests. */
#ifndef WASMCTL_CLI_CHECK_H
#define WASMCTL_CLI_CHECK_H

#include "base/buf.h"
#include "cli/cmd.h"

/* Appends a line for every entry that lacks a brief, examples or (for a group) commands, has a brief that is
 * no headline, takes arguments that its usage does not tell, or whose options lack help, clash or have a
 * default that does not parse. Returns how many. */
size_t check_table(const struct cmd_entry *const *table, struct buf *problems);

#endif
