/* Orphans: what carries our annotation on the lattice but belongs to no object any more is stopped. */
#ifndef WASMCTL_OPERATOR_SWEEP_H
#define WASMCTL_OPERATOR_SWEEP_H

#include "operator/lattices.h"

/* One host's inventory. */
void sweep_host(struct op_lattice *l, const struct lat_host *h);
/* Links whose owner is gone. */
void sweep_links(struct op_lattice *l);
/* Enqueues whatever unit has this component or provider id. */
void sweep_enqueue_id(struct op_lattice *l, const char *id);
/* Configurations of ours that nothing uses any more, left by an operator that ended in the middle of
 * something. */
void sweep_configs(struct op_lattice *l);

#endif
