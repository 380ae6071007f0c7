/* Carries a plan out. */
#ifndef WASMCTL_OPERATOR_EXEC_H
#define WASMCTL_OPERATOR_EXEC_H

#include "operator/plan.h"

void exec_plan(struct op *op, struct op_unit *u, const struct view *v, const struct plan *p);
/* Writes status when it differs from what the object has. */
void status_write(struct op *op, struct op_unit *u, const struct view *v, const struct plan *p);

#endif
