/*
 * Links and named configuration of a lattice: copying, comparing, naming, and the operations on them, each
 * under way at most once.
 *
 * Names of configuration we make: "wasmctl-<cluster, 8 hex>-<owner, 16 hex>-<content, 16 hex>". The first two
 * parts tell whose it is (hashes of the owner annotation), the content part changes with the values, so that
 * a change is a new name. Every link of ours carries one, empty if need be: that is how a link is known as
 * ours, since links have no annotations.
 */
#ifndef WASMCTL_OPERATOR_LINKS_H
#define WASMCTL_OPERATOR_LINKS_H

#include "operator/lattices.h"
#include "operator/registry.h"

struct lat_link *links_copy(const struct lat_link *links, size_t n);
void links_free(struct lat_link *links, size_t n);
bool links_equal(const struct lat_link *a, size_t na, const struct lat_link *b, size_t nb);
/* Same source, WIT package and name: the lattice holds one such. */
bool links_same_slot(const struct lat_link *a, const struct lat_link *b);

/* Caller frees. */
char *links_owner_prefix(const char *owner);
/* Of two such prefixes: made by operators of the same cluster. */
bool links_same_cluster(const char *a, const char *b);
/* Length of the part of such a prefix that all of a cluster share. */
size_t links_cluster_len(void);
char *links_config_name(const char *owner, const struct map *values);
/* The owner part of the name of a configuration, NULL if it is none of ours; caller frees. */
char *links_config_owner(const char *name);
/* The owner part (up to the content part) of the first config of ours on the link, NULL if it is not ours;
 * caller frees. */
char *links_owner_of(const struct lat_link *link);
bool links_owned_by(const struct lat_link *link, const char *owner_prefix);

/* Operations: at most one under way a name or slot; the unit (may be NULL) is enqueued when it ends, and a
 * failure is noted on it. */
void links_config_put(struct op_lattice *l, const char *name, const struct map *values, enum model_kind kind,
                      const char *unit);
void links_config_del(struct op_lattice *l, const char *name);
void links_put(struct op_lattice *l, const struct lat_link *link, enum model_kind kind, const char *unit);
/* Deletes, and puts `then` (may be NULL) once it is deleted. */
void links_del(struct op_lattice *l, const struct lat_link *link, const struct lat_link *then,
               enum model_kind kind, const char *unit);
/* Registry credentials: whether the hosts were told these very ones; tell them. */
bool links_login_known(const struct op_lattice *l, const struct registry_login *login);
void links_login_put(struct op_lattice *l, const struct registry_login *login, enum model_kind kind,
                     const char *unit);
void links_task_free(void *task);
/* Links are read from whichever host answers, and it may not have heard yet of what we have just done (a deaf
 * one never will): what we put or deleted overrides what it says, for 10 s or as long as `doubtful`. */
void links_correct(struct op_lattice *l, struct lat_link **links, size_t *n, bool doubtful);
void links_own_free(void *own);

/* POSIX extended regular expression, anchored at both ends. */
bool links_regex_matches(const char *pattern, const char *text);

#endif
