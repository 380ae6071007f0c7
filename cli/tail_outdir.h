/*
 * `tail --out-dir`: lines of each source in a file of its own, DIR[/CONTEXT]/NAMESPACE/POD/CONTAINER.log,
 * appended to what is there. Only whole lines are written: what does not fit on the disk is taken back.
 */
#ifndef WASMCTL_CLI_TAIL_OUTDIR_H
#define WASMCTL_CLI_TAIL_OUTDIR_H

#include "base/err.h"
#include "tail/engine.h"

struct tail_outdir;

/* contexts: a folder for each. times: the time in front of each line. Makes DIR; ERR_INVALID, ERR_IO: it
 * cannot be used. */
int tail_outdir_new(const char *dir, bool contexts, bool times, struct tail_outdir **ret, struct err **err);
/* Writes what waits, as far as that works. */
void tail_outdir_free(struct tail_outdir *d);
void tail_outdir_line(struct tail_outdir *d, const struct tail_info *info, const struct tail_line *line);
/* Writes what waits. The error is that of the first file that cannot be written; nothing is written after it.
 */
int tail_outdir_flush(struct tail_outdir *d, struct err **err);

#endif
