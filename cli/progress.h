/*
 * One line on the terminal about work that takes long: "waiting for wasmactor/hello to be gone (12s)". It is
 * drawn on stderr, half a second after the work began, at most ten times a second, and wiped when the work
 * ends, when something else is printed (cli/cmd.h) and when the program is interrupted.
 *
 * Nothing is drawn unless stderr is a terminal and TERM names one that is not dumb, nor in a run over several
 * contexts. One at a time. All functions take NULL.
 */
#ifndef WASMCTL_CLI_PROGRESS_H
#define WASMCTL_CLI_PROGRESS_H

#include "cli/cmd.h"

struct progress;

/* NULL when nothing is to be drawn. */
struct progress *progress_new(struct cmd_ctx *c);
/* Wipes the line. Before the loop of c is freed. */
void progress_free(struct progress *p);
DEFINE_CLEANUP(struct progress *, progress_free)
#define _cleanup_progress_ _cleanup_(progress_freep)

/* No newline; what does not fit into the line is cut. */
void progress_set(struct progress *p, const char *fmt, ...) _printf_(2, 3);

/* Before anything else goes to the terminal. The line is drawn again when its time comes. */
void progress_wipe(void);

#endif
