/* What is settled before processes are started: hosts, ports, folders. For the files of dev/ only. */
#ifndef WASMCTL_DEV_PLAN_H
#define WASMCTL_DEV_PLAN_H

#include "dev/env.h"

/* Adds hosts until there are so many; labels as in struct dev_up_options. */
void dev_plan_hosts(struct dev_env *e, size_t count, char *const *labels);
/* Gives a child that does not run its ports, keeping those it had. One taken by another program is replaced
 * when may_move and it is not pinned, else ERR_ALREADY_EXISTS. The ports stay reserved until e->reserved is
 * released. */
int dev_plan_ports(struct dev_env *e, struct dev_child *c, bool may_move, struct err **err);
int dev_plan_folders(struct dev_env *e, struct err **err);
/* Sets the flag of each child that runs with another command than it would be started with now. */
int dev_plan_changed(struct dev_env *e, bool *set, struct err **err);

#endif
