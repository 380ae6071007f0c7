/* The reconcilers: each handler reads caches, makes a plan and has it carried out; it never waits. */
#ifndef WASMCTL_OPERATOR_REC_H
#define WASMCTL_OPERATOR_REC_H

#include "operator/op.h"

/* Workqueue handlers; arg is the struct op. Keys: lattice name; "lattice/host id" or "/object name";
 * "namespace/name". */
void rec_lattice(void *arg, const char *key);
void rec_host(void *arg, const char *key);
void rec_actor(void *arg, const char *key);
void rec_provider(void *arg, const char *key);

/* Actors whose capabilities name the provider: they look again when it appears, goes, starts or stops. */
void rec_enqueue_users(struct op *op, const char *provider);

/* What actors and providers share. */
void rec_unit_reconcile(struct op *op, enum model_kind kind, const char *key);
/* The lattice goes away: forget operations under way on it (their callbacks will not run). */
void rec_units_cancel_lattice(struct op *op, const char *lattice);

#endif
