/*
 * The JSON bodies of the wasmCloud v1 control interface and its events: pure encoding and decoding. Unknown
 * fields are ignored, known ones are range-checked; what breaks a rule is ERR_PROTOCOL with the field's name.
 *
 * Source: crates wasmcloud-control-interface 3.0.1 (src/types) and wasmcloud-host 0.27.1
 * (src/wasmbus/event.rs).
 */
#ifndef WASMCTL_LATTICE_WIRE_V1_H
#define WASMCTL_LATTICE_WIRE_V1_H

#include "lattice/lattice.h"

/* Ids of components and providers, names of configs: [A-Za-z0-9_-], 1 to 128. A dot would change the meaning
 * of subjects. */
bool lat_v1_name_ok(const char *s);
/* One token of a subject: host ids, lattice ids. */
bool lat_v1_token_ok(const char *s);
/* Whether a provider's image as the inventory shows it is the one asked for: hosts report builtins by bare
 * name, file:// as plain path and registry references without scheme. */
bool lat_v1_provider_image_same(const char *asked, const char *reported);

/* {success, message, response}: 0 and *ret_root the whole answer, its "response" (NULL when absent) in
 * *ret_response, which belongs to the root. ERR_FAILED with the host's own text when success is false,
 * ERR_PROTOCOL for anything else. */
struct cJSON;
int lat_v1_answer(const char *data, size_t len, struct cJSON **ret_root, const struct cJSON **ret_response,
                  struct err **err);

/* Answer to host.ping; also data of host_heartbeat and host_started as far as they go. Strings NULL when
 * absent. */
struct lat_v1_host {
    char *id, *friendly_name, *version;
    struct map *labels; /* NULL when absent */
    int64_t uptime_s;   /* -1 when absent */
};
void lat_v1_host_release(struct lat_v1_host *h);
int lat_v1_host(const struct cJSON *o, struct lat_v1_host *ret, struct err **err);

/* Answer to host.get. */
struct lat_v1_inventory {
    struct lat_v1_host host;
    struct lat_component *components;
    size_t ncomponents;
    struct lat_provider *providers;
    size_t nproviders;
};
void lat_v1_inventory_release(struct lat_v1_inventory *i);
int lat_v1_inventory(const struct cJSON *o, struct lat_v1_inventory *ret, struct err **err);
const struct lat_component *lat_v1_component(const struct lat_v1_inventory *i, const char *id);
const struct lat_provider *lat_v1_provider(const struct lat_v1_inventory *i, const char *id);

/* Answer to link.get. */
int lat_v1_links(const struct cJSON *array, struct lat_link **ret, size_t *ret_n, struct err **err);
void lat_v1_links_free(struct lat_link *links, size_t n);

/* Answer to config.get: NULL response gives an empty map. */
int lat_v1_config(const struct cJSON *o, struct map **ret, struct err **err);

struct lat_v1_event {
    bool known;     /* false: a type this side does not use; only host is set */
    bool heartbeat; /* known, but no kind of enum lat_event_kind */
    enum lat_event_kind kind;
    int64_t time_ns; /* 0 when absent */
    char *host;      /* source */
    char *subject;   /* component, provider, link source or config; NULL if none */
    char *image, *error;
    uint32_t count;
    bool healthy;             /* LAT_EVENT_PROVIDER_HEALTH */
    struct map *annotations;  /* NULL when absent */
    struct lat_v1_host about; /* host_started, host_heartbeat, labels_changed */
};
void lat_v1_event_release(struct lat_v1_event *e);
int lat_v1_event(const char *data, size_t len, struct lat_v1_event *ret, struct err **err);

/* Request bodies; the caller frees. */
char *lat_v1_scale(const struct lat_component_spec *s, const char *image, uint32_t count);
char *lat_v1_provider_start(const struct lat_provider_spec *s);
char *lat_v1_provider_stop(const char *host, const char *id);
char *lat_v1_config_put(const struct map *values);
char *lat_v1_link_put(const struct lat_link *l);
char *lat_v1_link_del(const struct lat_link *l);
char *lat_v1_registry_put(const struct lat_credential *c);
char *lat_v1_host_stop(const char *host, int64_t timeout_ms);

#endif
