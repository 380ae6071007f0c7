/*
 * What a command that watches does about errors of its watch once the watch has worked: it tells of them
 * once, when they last longer than a moment, and lets the watch go on trying. What the server refuses (401,
 * 403, 404, 405, a certificate that does not pass) may be no more than a server that is just starting, so it
 * ends the command only when it lasts; with credentials that are replaced by others (a token file, a plugin),
 * never.
 */
#ifndef WASMCTL_CLI_TROUBLE_H
#define WASMCTL_CLI_TROUBLE_H

#include "cli/cmd.h"

enum { CLI_REFUSED_MOST_MS = 60 * 1000, CLI_BREAK_QUIET_MS = 1000 };

struct cli_trouble {
    struct cmd_ctx *c;
    const char *what; /* "watch of pods"; borrowed */
    bool away;        /* it was told that the watch is interrupted */
    bool *over;       /* set, with err, when it is to be given up */
    struct err *err;
    struct loop_timer *quiet, *timer;
};

/* The struct must not move until cli_trouble_release(). */
void cli_trouble_init(struct cli_trouble *t, struct cmd_ctx *c, const char *what, bool *over);
void cli_trouble_release(struct cli_trouble *t);
/* For kube_watch_options.state: err NULL = it works again. */
void cli_trouble_state(struct cli_trouble *t, const struct err *err);

#endif
