/*
 * Two that want one address of the HTTP server provider. The provider does not tell the lattice: the second
 * listener is a line in the host's log, and the second component behind a listener is never called. What the
 * specs say is compared instead; what a configFrom or a default of the provider says is not seen.
 *
 * Source: crate wasmcloud-provider-http-server 0.27.1, address.rs (routing_mode address, the default: one
 * listener an address, "only components at the head of the list are served";
 * delete_link_as_source() forgets the address of a link name only with the last component behind it).
 */
#ifndef WASMCTL_OPERATOR_CLASH_H
#define WASMCTL_OPERATOR_CLASH_H

#include "operator/view.h"

enum { CLASH_LOOK_MS = 5000 };

/* Of two the younger object is the one that clashes. NULL if there is none, else what it clashes with and
 * what to do; owned. The view's lattice must be known. */
char *clash_find(const struct op *op, const struct view *v);

/* The address a component is served at through this capability, in routing_mode address; NULL when that
 * cannot be told ("" is the provider's own default). */
const char *clash_address(const struct model_workload *provider, const struct model_capability *c);
/* The younger object gives way; of one age, the one whose key comes later. */
bool clash_gives_way(const struct model_workload *w, const struct model_workload *other);

#endif
