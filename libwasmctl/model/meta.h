/* What all our objects share: metadata and conditions. */
#ifndef WASMCTL_MODEL_META_H
#define WASMCTL_MODEL_META_H

#include "base/map.h"
#include "data/json.h"

#define MODEL_API_VERSION "wasmctl.dev/v1alpha1"
#define MODEL_FINALIZER   "wasmctl.dev/lattice-cleanup"
#define MODEL_OWNER       "wasmctl.dev/owner" /* annotation on the lattice: <cluster uid>/<namespace>/<name> */
#define MODEL_REVISION    "wasmctl.dev/revision" /* annotation on the lattice: revision of what runs */
#define MODEL_RESTARTED                                                                                      \
    "wasmctl.dev/restarted-at" /* annotation on the lattice: spec.restartedAt it was started for */
#define MODEL_CONFIG                                                                                         \
    "wasmctl.dev/config" /* annotation on the lattice: name of its configuration, absent if none */

struct model_meta {
    char *namespace; /* NULL for cluster-scoped kinds */
    char *name, *uid, *resource_version;
    int64_t generation;
    int64_t created_ns;
    int64_t deleted_ns; /* deletionTimestamp, 0 = not being deleted */
    bool has_finalizer; /* MODEL_FINALIZER is among the finalizers */
};
void model_meta_read(const cJSON *object, struct model_meta *ret);
void model_meta_release(struct model_meta *m);

struct model_condition {
    char *type, *status, *reason, *message;
    int64_t since_ns; /* lastTransitionTime */
};
struct model_conditions {
    struct model_condition *items;
    size_t len;
};
void model_conditions_read(const cJSON *status, struct model_conditions *ret);
void model_conditions_release(struct model_conditions *c);
const struct model_condition *model_condition_find(const struct model_conditions *c, const char *type);

/* Appends a condition to a JSON list; lastTransitionTime is taken from before when the status is the same,
 * else now_ns. */
void model_condition_add(cJSON *list, const struct model_conditions *before, const char *type,
                         const char *status, const char *reason, const char *message, int64_t generation,
                         int64_t now_ns);

/* Strings of a JSON object -> map of owned strings; numbers and booleans as their text. Never NULL. */
struct map *model_string_map(const cJSON *object);
cJSON *model_string_map_json(const struct map *m);
/* Makes a text a legal label value (63 characters of [A-Za-z0-9._-], alphanumeric at both ends); "" if
 * nothing is left. */
char *model_label_value(const char *text);
/* The same for a key without prefix or with one ("example.com/x"); NULL if it cannot be made legal. */
char *model_label_key(const char *text);

#endif
