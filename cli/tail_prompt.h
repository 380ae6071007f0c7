/* `tail --prompt`. */
#ifndef WASMCTL_CLI_TAIL_PROMPT_H
#define WASMCTL_CLI_TAIL_PROMPT_H

#include "cli/tail.h"

/* Lists the Pods that the query and the selectors leave, lets the user choose, and puts exactly those in the
 * place of the query. Needs the client. ERR_CANCELLED: none was chosen. */
int tail_prompt(struct cmd_ctx *c, struct err **err);

#endif
