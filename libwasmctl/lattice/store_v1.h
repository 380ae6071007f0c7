/*
 * Whether the hosts of a v1 lattice still watch its store, the JetStream bucket LATTICEDATA_<lattice>.
 *
 * A host follows links and configuration through one push consumer of the bucket. When the JetStream server
 * restarts, or a leaf node is cut off for more than about 15 s, that consumer is gone and the host does not
 * make a new one: it goes on serving and heartbeating, deaf to every change. A check asks JetStream for its
 * consumers and the servers for the connections of the hosts (which names each host's inboxes); the inbox a
 * consumer delivers to tells whose it is.
 *
 * Cost: one request a check, and one for each 256 consumers when their number has changed, a host is in
 * doubt, or 20 s have gone by; one for each host whose inboxes are not known.
 */
#ifndef WASMCTL_LATTICE_STORE_V1_H
#define WASMCTL_LATTICE_STORE_V1_H

#include "lattice/driver.h"

struct store_v1;
struct store_v1_check;

/* prefix: "wasmbus.ctl.v1.<lattice>"; api: "$JS.API" or "$JS.<domain>.API". */
struct store_v1 *store_v1_new(struct lattice *front, struct loop *l, struct bus *bus, const char *lattice,
                              const char *prefix, const char *api);
void store_v1_free(struct store_v1 *s);

/* See the slot `hearing` of struct lat_driver_ops. done frees nothing; the check is gone after it. */
struct store_v1_check *store_v1_check(struct store_v1 *s, bool anew, lat_driver_done_fn done, void *arg);
void store_v1_cancel(struct store_v1_check *c); /* NULL is fine */

#endif
