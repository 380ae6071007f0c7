/*
 * Healing of deaf hosts (LAT_DEAF), one at a time in a lattice: the host is emptied (its replicas are started
 * elsewhere first), told to stop so that its supervisor starts it anew, and awaited; the next follows when it
 * is back, hears, and every unit that was complete before is complete again.
 *
 * A host that runs what is not ours is never restarted. One that does not come back ends the healing of the
 * lattice until as many hosts live as before: a fleet without a supervisor must not be taken down one by one.
 * Nothing is begun or stopped while the store is away.
 */
#ifndef WASMCTL_OPERATOR_HEAL_H
#define WASMCTL_OPERATOR_HEAL_H

#include "operator/lattices.h"

/* One step; to be called with each reconcile of the lattice. Returns after how many milliseconds to look
 * again, 0 = when something happens. */
int64_t heal_step(struct op_lattice *l, const struct model_lattice *object);
/* Forgets what is under way. */
void heal_release(struct op_lattice *l);
/* For people: which hosts are deaf and what is done about it; NULL when all hear. Caller frees. */
char *heal_report(const struct op_lattice *l, const struct model_lattice *object);
/* Why this deaf host is not restarted, NULL if nothing is in the way; caller frees. */
char *heal_obstacle(const struct op_lattice *l, const struct lat_host *h);

#endif
