/* What SelfSubjectRulesReview says somebody may do, as a table. */
#ifndef WASMCTL_CLI_AUTH_H
#define WASMCTL_CLI_AUTH_H

#include "data/json.h"

enum { AUTH_RULES_MOST = 100000 }; /* rows; the rest is left out */

/* Rules taken apart (one group, resource and name each), put together again where only the verbs differ, in
 * kubectl's order. status: of the review. Returns false when rows were left out. */
bool auth_print_rules(struct buf *out, const cJSON *status, bool headers);

#endif
