/* What may have been meant by a name that does not exist. */
#ifndef WASMCTL_CLI_SUGGEST_H
#define WASMCTL_CLI_SUGGEST_H

#include "cli/cmd.h"

/* After e was told: when the server says that an object does not exist and one with a similar name does, says
 * so on stderr. Costs one list of at most SUGGEST_MOST objects and at most SUGGEST_WAIT_MS, once a run;
 * whatever goes wrong there is silent. Not for use from a callback of the loop. */
void suggest_name(struct cmd_ctx *c, const struct err *e);

enum { SUGGEST_MOST = 500, SUGGEST_WAIT_MS = 1000, SUGGEST_SHORTEST = 4 };

#endif
