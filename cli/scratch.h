/* Private folders for temporary files, removed again also when Ctrl-C or a signal ends the command. */
#ifndef WASMCTL_CLI_SCRATCH_H
#define WASMCTL_CLI_SCRATCH_H

#include "cli/cmd.h"

struct scratch;

/* $TMPDIR/<prefix>XXXXXX (or below /tmp), for nobody but the user. */
int scratch_new(struct cmd_ctx *c, const char *prefix, struct scratch **ret, struct err **err);
/* Removes the folder with all that is in it. */
void scratch_free(struct scratch *s);
DEFINE_CLEANUP(struct scratch *, scratch_free)
#define _cleanup_scratch_ _cleanup_(scratch_freep)
const char *scratch_path(const struct scratch *s);
/* Writes a file into it; slashes in its name become dashes. */
int scratch_write(const struct scratch *s, const char *name, const struct buf *text, struct err **err);

#endif
