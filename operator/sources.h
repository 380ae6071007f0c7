/* ConfigMaps and Secrets that objects refer to: one watch for each that is in use. */
#ifndef WASMCTL_OPERATOR_SOURCES_H
#define WASMCTL_OPERATOR_SOURCES_H

#include "operator/op.h"

enum source_state {
    SOURCE_PENDING, /* not yet read */
    SOURCE_MISSING,
    SOURCE_FORBIDDEN,
    SOURCE_FOUND,
};

struct op_sources *sources_new(struct op *op);
void sources_free(struct op_sources *s);

/* The values (char *) of one source; *ret_values is set for SOURCE_FOUND and belongs to the cache. The unit
 * is enqueued when it changes. Call it anew in each reconcile: what a unit did not ask for since
 * sources_begin() is let go by sources_end(). */
enum source_state sources_get(struct op_sources *s, enum model_kind kind, const char *unit, bool secret,
                              const char *ns, const char *name, const struct map **ret_values);
void sources_begin(struct op_sources *s);
void sources_end(struct op_sources *s, enum model_kind kind, const char *unit);

#endif
