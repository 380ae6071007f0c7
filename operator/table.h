/*
 * The hosts of a lattice as every unit sees them, and where each unit runs. Kept with the changes of hosts,
 * so that a reconcile copies the one and looks up the other instead of walking through all hosts and all that
 * runs on them: with a thousand hosts and ten thousand units that walk would be most of the work.
 */
#ifndef WASMCTL_OPERATOR_TABLE_H
#define WASMCTL_OPERATOR_TABLE_H

#include "operator/lattices.h"

struct view_host;

/* Something in struct view_host that does not depend on the unit has changed, or what it points to: state,
 * labels, the LatticeHost object, the host itself. The load alone is table_load_changed(). */
void table_invalidate(struct op_lattice *l);
void table_load_changed(struct op_lattice *l, const struct op_host *h);
/* The hosts that are alive, in order of discovery, without what depends on a unit; valid until the next
 * change. op_host.slot is a host's place in it. */
const struct view_host *table_hosts(struct op_lattice *l, size_t *ret_n);

/* What ran on the host and what runs there now: keys are ids. */
void table_units_changed(struct op_lattice *l, struct op_host *h, const struct map *before,
                         const struct map *after);
/* Hosts on which the id was last seen, dead ones too: host id -> struct op_host *. NULL if none. */
const struct map *table_where(const struct op_lattice *l, const char *id);

#endif
