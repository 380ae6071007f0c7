/* Hides the values of Secrets, and shows all the same which of them differ. */
#ifndef WASMCTL_CLI_DIFF_MASK_H
#define WASMCTL_CLI_DIFF_MASK_H

#include "data/json.h"

/* In place; each may be NULL. Objects that are no Secrets stay as they are. A value is "***", one that
 * differs
 * "*** (before)" and "*** (after)". */
void diff_mask(cJSON *from, cJSON *to);

#endif
