/*
 * ControllerRevisions (apps/v1): one for each content of a WasmActor or WasmProvider that was to run, for
 * `rollout history` and `undo`.
 *
 * Name "<object>-<revision>", controlled by the object, labels wasmctl.dev/kind, wasmctl.dev/name and
 * wasmctl.dev/revision; .data.spec holds the members of the spec that make a revision (of secrets the names
 * only). The number grows by one with each change; content that comes back gets a new number. At most
 * spec.revisionHistoryLimit old ones are kept. What belongs to objects that are gone is deleted.
 */
#ifndef WASMCTL_OPERATOR_REVISIONS_H
#define WASMCTL_OPERATOR_REVISIONS_H

#include "operator/plan.h"

struct op_revisions;

struct op_revisions *revisions_new(struct op *op);
void revisions_free(struct op_revisions *r);

/* Writes what is missing and deletes what is too much, one request at a time; the unit is enqueued when there
 * is more to do. To be called with each reconcile of an object that is not being deleted. */
void revisions_sync(struct op_revisions *r, struct op_unit *u, const struct view *v, const struct plan *p);
/* The object is gone. */
void revisions_forget(struct op_revisions *r, enum model_kind kind, const char *key);

#endif
