/* The Lattice kind. */
#ifndef WASMCTL_MODEL_LATTICE_OBJECT_H
#define WASMCTL_MODEL_LATTICE_OBJECT_H

#include "model/meta.h"

struct model_label_rule {
    char *host_id, *friendly_name, *hostname_regex, *label_key,
        *label_value;   /* what is NULL matches anything */
    struct map *labels; /* char * */
};
struct model_secret_ref {
    char *namespace, *name, *key; /* name NULL = no reference */
};
struct model_lattice {
    struct model_meta meta;
    char *driver, *id;
    char **servers;
    struct model_secret_ref credentials, tls;
    char *js_domain; /* NULL if none */
    int64_t probe_interval_ms, unreachable_after_ms;
    bool heal_deaf;
    struct model_label_rule *rules;
    size_t nrules;
    struct map *mirrors;      /* source prefix -> mirror prefix; NULL if none */
    uint64_t connection_hash; /* of what needs a new connection when it changes */
    char *problem;
    struct model_conditions conditions;
    uint64_t status_hash;
    int64_t rtt_ms; /* status.rttMillis, -1 = none */
};
struct model_lattice *model_lattice_new(const cJSON *object);
void model_lattice_free(struct model_lattice *l);

#endif
