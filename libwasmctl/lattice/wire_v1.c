#include "lattice/wire_v1.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "data/json.h"

enum {
    NAME_MAX_LEN = 128,
    TEXT_MAX = 64 * 1024, /* longest string taken over from a message */
    LIST_MAX = 100000,    /* components, providers or links in one message */
    LABELS_MAX = 1024,
};

/* Names */

static bool word_ok(const char *s)
{
    size_t n = strlen(s);

    if (!n || n > NAME_MAX_LEN)
        return false;
    return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

bool lat_v1_name_ok(const char *s)
{
    return s && word_ok(s);
}

bool lat_v1_token_ok(const char *s)
{
    return s && word_ok(s);
}

static const char *without_scheme(const char *image)
{
    static const char *const schemes[] = {"wasmcloud+builtin://", "file://", "oci://", "https://", "http://"};

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (str_starts(image, schemes[i]))
            return image + strlen(schemes[i]);
    return image;
}

bool lat_v1_provider_image_same(const char *asked, const char *reported)
{
    const char *a = without_scheme(asked);
    const char *b = without_scheme(reported);

    /* Registry references are lowered by the host; file paths are not. */
    bool file = str_starts(asked, "file://") || *a == '/';
    return file ? streq(a, b) : strcasecmp(a, b) == 0;
}

/* Reading */

static int wrong(struct err **err, const char *what, const char *field, const char *want)
{
    return err_set(err, ERR_PROTOCOL, "%s: field %s: want %s", what, field, want);
}

/* The string member, NULL when absent or null. */
static int text_of(const cJSON *o, const char *what, const char *field, bool required, char **ret,
                   struct err **err)
{
    const cJSON *v = json_get(o, field);

    if (!v || cJSON_IsNull(v))
        return required ? wrong(err, what, field, "a string (it is missing)") : 0;
    if (!cJSON_IsString(v) || strlen(v->valuestring) > TEXT_MAX)
        return wrong(err, what, field, "a string of at most 64 KiB");
    xstr_replace(ret, v->valuestring);
    return 0;
}

static int number_of(const cJSON *o, const char *what, const char *field, int64_t min, int64_t max,
                     int64_t absent, int64_t *ret, struct err **err)
{
    const cJSON *v = json_get(o, field);

    *ret = absent;
    if (!v || cJSON_IsNull(v))
        return 0;
    if (!cJSON_IsNumber(v) || !(v->valuedouble >= (double)min && v->valuedouble <= (double)max) ||
        v->valuedouble != (double)(int64_t)v->valuedouble)
        return err_set(err, ERR_PROTOCOL, "%s: field %s: want a whole number from %lld to %lld", what, field,
                       (long long)min, (long long)max);
    *ret = (int64_t)v->valuedouble;
    return 0;
}

/* Object of strings; members of other types are an error. NULL when absent. */
static int strings_of(const cJSON *o, const char *what, const char *field, struct map **ret, struct err **err)
{
    const cJSON *v = json_get(o, field);
    size_t n = 0;

    if (!v || cJSON_IsNull(v))
        return 0;
    if (!cJSON_IsObject(v))
        return wrong(err, what, field, "an object of strings");
    _cleanup_map_ struct map *m = map_new(free);
    json_each (item, v) {
        if (!cJSON_IsString(item) || strlen(item->valuestring) > TEXT_MAX || ++n > LABELS_MAX)
            return wrong(err, what, field, "an object of at most 1024 strings");
        map_set(m, item->string, xstrdup(item->valuestring));
    }
    *ret = TAKE_PTR(m);
    return 0;
}

static int list_of(const cJSON *o, const char *what, const char *field, char ***ret, struct err **err)
{
    const cJSON *v = json_get(o, field);
    size_t n = 0;

    _cleanup_strv_ char **list = strv_new();
    if (v && !cJSON_IsNull(v)) {
        if (!cJSON_IsArray(v))
            return wrong(err, what, field, "an array of strings");
        json_each (item, v) {
            if (!cJSON_IsString(item) || strlen(item->valuestring) > TEXT_MAX || ++n > LABELS_MAX)
                return wrong(err, what, field, "an array of at most 1024 strings");
            strv_push(&list, item->valuestring);
        }
    }
    *ret = TAKE_PTR(list);
    return 0;
}

int lat_v1_answer(const char *data, size_t len, cJSON **ret_root, const cJSON **ret_response,
                  struct err **err)
{
    _cleanup_json_ cJSON *root = NULL;
    struct err *e = NULL;

    if (json_parse(data, len, "answer of the host", &root, &e) < 0) {
        e->code = ERR_PROTOCOL;
        return err_move(err, e);
    }
    const cJSON *success = json_get(root, "success");
    if (!cJSON_IsObject(root) || !cJSON_IsBool(success))
        return err_set(err, ERR_PROTOCOL, "answer of the host: no member \"success\"");
    if (!cJSON_IsTrue(success)) {
        const char *message = json_str_or(root, "message", "");
        return err_set(err, ERR_FAILED, "%.4096s",
                       *message ? message : "the host refused and gave no reason");
    }
    const cJSON *response = json_get(root, "response");
    if (ret_response)
        *ret_response = response && !cJSON_IsNull(response) ? response : NULL;
    if (ret_root)
        *ret_root = TAKE_PTR(root);
    return 0;
}

void lat_v1_host_release(struct lat_v1_host *h)
{
    free(h->id);
    free(h->friendly_name);
    free(h->version);
    map_free(h->labels);
    memset(h, 0, sizeof(*h));
}

/* The members hosts, inventories and host events have in common; `id` names the id's member, NULL for none.
 */
static int host_of(const cJSON *o, const char *what, const char *id, struct lat_v1_host *ret,
                   struct err **err)
{
    _cleanup_(lat_v1_host_release) struct lat_v1_host h = {0};
    int r;

    if (!cJSON_IsObject(o))
        return err_set(err, ERR_PROTOCOL, "%s: not an object", what);
    if (id && (r = text_of(o, what, id, true, &h.id, err)) < 0)
        return r;
    if (id && !lat_v1_token_ok(h.id))
        return wrong(err, what, id, "a host id");
    if ((r = text_of(o, what, "friendly_name", false, &h.friendly_name, err)) < 0 ||
        (r = text_of(o, what, "version", false, &h.version, err)) < 0 ||
        (r = strings_of(o, what, "labels", &h.labels, err)) < 0 ||
        (r = number_of(o, what, "uptime_seconds", 0, INT64_C(1) << 50, -1, &h.uptime_s, err)) < 0)
        return r;
    *ret = h;
    memset(&h, 0, sizeof(h));
    return 0;
}

int lat_v1_host(const cJSON *o, struct lat_v1_host *ret, struct err **err)
{
    return host_of(o, "answer to host.ping", "id", ret, err);
}

void lat_v1_inventory_release(struct lat_v1_inventory *inv)
{
    lat_v1_host_release(&inv->host);
    for (size_t i = 0; i < inv->ncomponents; i++) {
        struct lat_component *c = &inv->components[i];
        free(c->id);
        free(c->image);
        free(c->name);
        map_free(c->annotations);
    }
    free(inv->components);
    for (size_t i = 0; i < inv->nproviders; i++) {
        struct lat_provider *p = &inv->providers[i];
        free(p->id);
        free(p->image);
        free(p->name);
        map_free(p->annotations);
    }
    free(inv->providers);
    memset(inv, 0, sizeof(*inv));
}

static int component_of(const cJSON *o, struct lat_component *c, struct err **err)
{
    static const char what[] = "component in the inventory";
    int64_t count = 0;
    int r;

    if ((r = text_of(o, what, "id", true, &c->id, err)) < 0 ||
        (r = text_of(o, what, "image_ref", true, &c->image, err)) < 0 ||
        (r = text_of(o, what, "name", false, &c->name, err)) < 0 ||
        (r = strings_of(o, what, "annotations", &c->annotations, err)) < 0 ||
        (r = number_of(o, what, "max_instances", 0, UINT32_MAX, 0, &count, err)) < 0)
        return r;
    c->count = (uint32_t)count;
    if (!c->annotations)
        c->annotations = map_new(free);
    return 0;
}

static int provider_of(const cJSON *o, struct lat_provider *p, struct err **err)
{
    static const char what[] = "provider in the inventory";
    int r;

    if ((r = text_of(o, what, "id", true, &p->id, err)) < 0 ||
        (r = text_of(o, what, "image_ref", false, &p->image, err)) < 0 ||
        (r = text_of(o, what, "name", false, &p->name, err)) < 0 ||
        (r = strings_of(o, what, "annotations", &p->annotations, err)) < 0)
        return r;
    if (!p->image)
        p->image = xstrdup("");
    if (!p->annotations)
        p->annotations = map_new(free);
    p->healthy = true;
    return 0;
}

static int array_of(const cJSON *o, const char *what, const char *field, const cJSON **ret, int *ret_n,
                    struct err **err)
{
    const cJSON *v = json_get(o, field);

    *ret = NULL;
    *ret_n = 0;
    if (!v || cJSON_IsNull(v))
        return 0;
    if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) > LIST_MAX)
        return wrong(err, what, field, "an array of at most 100000");
    *ret = v;
    *ret_n = cJSON_GetArraySize(v);
    return 0;
}

int lat_v1_inventory(const cJSON *o, struct lat_v1_inventory *ret, struct err **err)
{
    static const char what[] = "inventory of the host";
    _cleanup_(lat_v1_inventory_release) struct lat_v1_inventory inv = {0};
    const cJSON *list;
    int n;

    int r = host_of(o, what, "host_id", &inv.host, err);
    if (r < 0 || (r = array_of(o, what, "components", &list, &n, err)) < 0)
        return r;
    inv.components = n ? xcalloc((size_t)n, sizeof(*inv.components)) : NULL;
    json_each (item, list) {
        if ((r = component_of(item, &inv.components[inv.ncomponents++], err)) < 0)
            return r;
    }
    if ((r = array_of(o, what, "providers", &list, &n, err)) < 0)
        return r;
    inv.providers = n ? xcalloc((size_t)n, sizeof(*inv.providers)) : NULL;
    json_each (item, list) {
        if ((r = provider_of(item, &inv.providers[inv.nproviders++], err)) < 0)
            return r;
    }
    *ret = inv;
    memset(&inv, 0, sizeof(inv));
    return 0;
}

const struct lat_component *lat_v1_component(const struct lat_v1_inventory *inv, const char *id)
{
    for (size_t i = 0; i < inv->ncomponents; i++)
        if (streq(inv->components[i].id, id))
            return &inv->components[i];
    return NULL;
}

const struct lat_provider *lat_v1_provider(const struct lat_v1_inventory *inv, const char *id)
{
    for (size_t i = 0; i < inv->nproviders; i++)
        if (streq(inv->providers[i].id, id))
            return &inv->providers[i];
    return NULL;
}

static int link_of(const cJSON *o, struct lat_link *l, struct err **err)
{
    static const char what[] = "link";
    int r;

    if ((r = text_of(o, what, "source_id", true, &l->source, err)) < 0 ||
        (r = text_of(o, what, "target", true, &l->target, err)) < 0 ||
        (r = text_of(o, what, "wit_namespace", true, &l->wit_namespace, err)) < 0 ||
        (r = text_of(o, what, "wit_package", true, &l->wit_package, err)) < 0 ||
        (r = text_of(o, what, "name", false, &l->name, err)) < 0 ||
        (r = list_of(o, what, "interfaces", &l->interfaces, err)) < 0 ||
        (r = list_of(o, what, "source_config", &l->source_config, err)) < 0 ||
        (r = list_of(o, what, "target_config", &l->target_config, err)) < 0)
        return r;
    if (!l->name)
        l->name = xstrdup("default");
    /* Lists of interfaces compare as sets. */
    for (char **a = l->interfaces; *a; a++)
        for (char **b = a + 1; *b; b++)
            if (strcmp(*a, *b) > 0) {
                char *t = *a;
                *a = *b;
                *b = t;
            }
    return 0;
}

void lat_v1_links_free(struct lat_link *links, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lat_link_release(&links[i]);
    free(links);
}

int lat_v1_links(const cJSON *array, struct lat_link **ret, size_t *ret_n, struct err **err)
{
    size_t n = 0;

    if (array && (!cJSON_IsArray(array) || cJSON_GetArraySize(array) > LIST_MAX))
        return err_set(err, ERR_PROTOCOL, "links: want an array of at most 100000");
    struct lat_link *links = xcalloc(array ? (size_t)cJSON_GetArraySize(array) + 1 : 1, sizeof(*links));
    json_each (item, array) {
        int r = link_of(item, &links[n++], err);
        if (r < 0) {
            lat_v1_links_free(links, n);
            return r;
        }
    }
    *ret = links;
    *ret_n = n;
    return 0;
}

int lat_v1_config(const cJSON *o, struct map **ret, struct err **err)
{
    _cleanup_map_ struct map *m = map_new(free);

    if (o && !cJSON_IsObject(o))
        return err_set(err, ERR_PROTOCOL, "config: want an object of strings");
    json_each (item, o) {
        if (!cJSON_IsString(item))
            return wrong(err, "config", item->string, "a string");
        map_set(m, item->string, xstrdup(item->valuestring));
    }
    *ret = TAKE_PTR(m);
    return 0;
}

/* Events */

static const struct {
    const char *type;
    enum lat_event_kind kind;
    const char *subject; /* member that names what it is about */
    bool heartbeat, about, healthy;
} event_types[] = {
    {"host_started", LAT_EVENT_HOST_STARTED, NULL, .about = true},
    {"host_heartbeat", 0, NULL, .heartbeat = true, .about = true},
    {"host_stopped", LAT_EVENT_HOST_STOPPED, NULL},
    {"labels_changed", LAT_EVENT_LABELS_CHANGED, NULL, .about = true},
    {"component_scaled", LAT_EVENT_COMPONENT_SCALED, "component_id"},
    {"component_scale_failed", LAT_EVENT_COMPONENT_FAILED, "component_id"},
    {"provider_started", LAT_EVENT_PROVIDER_STARTED, "provider_id"},
    {"provider_start_failed", LAT_EVENT_PROVIDER_FAILED, "provider_id"},
    {"provider_stopped", LAT_EVENT_PROVIDER_STOPPED, "provider_id"},
    {"health_check_passed", LAT_EVENT_PROVIDER_HEALTH, "provider_id", .healthy = true},
    {"health_check_failed", LAT_EVENT_PROVIDER_HEALTH, "provider_id"},
    {"linkdef_set", LAT_EVENT_LINK_SET, "source_id"},
    {"linkdef_set_failed", LAT_EVENT_LINK_FAILED, "source_id"},
    {"linkdef_deleted", LAT_EVENT_LINK_DELETED, "source_id"},
    {"config_set", LAT_EVENT_CONFIG_SET, "config_name"},
    {"config_deleted", LAT_EVENT_CONFIG_DELETED, "config_name"},
};

void lat_v1_event_release(struct lat_v1_event *e)
{
    free(e->host);
    free(e->subject);
    free(e->image);
    free(e->error);
    map_free(e->annotations);
    lat_v1_host_release(&e->about);
    memset(e, 0, sizeof(*e));
}

static int event_data(const cJSON *data, size_t type, struct lat_v1_event *e, struct err **err)
{
    const char *what = event_types[type].type;
    int64_t count = 0;
    int r;

    if (event_types[type].about)
        return host_of(data, what, NULL, &e->about, err);
    if (event_types[type].subject &&
        (r = text_of(data, what, event_types[type].subject, true, &e->subject, err)) < 0)
        return r;
    if ((r = text_of(data, what, "image_ref", false, &e->image, err)) < 0 ||
        (!e->image && (r = text_of(data, what, "provider_ref", false, &e->image, err)) < 0) ||
        (r = text_of(data, what, "error", false, &e->error, err)) < 0 ||
        (r = number_of(data, what, "max_instances", 0, UINT32_MAX, 0, &count, err)) < 0 ||
        (r = strings_of(data, what, "annotations", &e->annotations, err)) < 0)
        return r;
    e->count = (uint32_t)count;
    return 0;
}

int lat_v1_event(const char *data, size_t len, struct lat_v1_event *ret, struct err **err)
{
    static const char prefix[] = "com.wasmcloud.lattice.";
    _cleanup_json_ cJSON *root = NULL;
    _cleanup_(lat_v1_event_release) struct lat_v1_event e = {0};
    _cleanup_free_ char *type = NULL;
    struct err *bad = NULL;

    if (json_parse(data, len, "event", &root, &bad) < 0) {
        bad->code = ERR_PROTOCOL;
        return err_move(err, bad);
    }
    int r = text_of(root, "event", "type", true, &type, err);
    if (r < 0 || (r = text_of(root, "event", "source", true, &e.host, err)) < 0)
        return r;
    if (!lat_v1_token_ok(e.host))
        return wrong(err, "event", "source", "a host id");
    const char *time = json_str(root, "time");
    if (time && time_parse_rfc3339(time, &e.time_ns, NULL) < 0)
        e.time_ns = 0;
    const char *name = str_starts(type, prefix) ? type + strlen(prefix) : "";
    for (size_t i = 0; i < ARRAY_LEN(event_types); i++) {
        if (!streq(name, event_types[i].type))
            continue;
        e.known = true;
        e.heartbeat = event_types[i].heartbeat;
        e.kind = event_types[i].kind;
        e.healthy = event_types[i].healthy;
        if ((r = event_data(json_get(root, "data"), i, &e, err)) < 0)
            return r;
    }
    *ret = e;
    memset(&e, 0, sizeof(e));
    return 0;
}

/* Writing */

static cJSON *object_of(const struct map *m)
{
    cJSON *o = cJSON_CreateObject();

    for (struct map_iter it = {0}; map_next(m, &it);)
        if (it.value)
            json_put_str(o, it.key, it.value);
    return o;
}

static cJSON *array_of_strings(char *const *v)
{
    cJSON *a = cJSON_CreateArray();

    for (; v && *v; v++)
        cJSON_AddItemToArray(a, cJSON_CreateString(*v));
    return a;
}

static char *print(cJSON *take)
{
    char *text = json_print(take);

    cJSON_Delete(take);
    return text;
}

char *lat_v1_scale(const struct lat_component_spec *s, const char *image, uint32_t count)
{
    cJSON *o = json_object("component_id", s->id, "component_ref", image, "host_id", s->host, NULL);

    json_put(o, "count", cJSON_CreateNumber(count));
    json_put(o, "config", array_of_strings(s->config));
    if (map_len(s->annotations))
        json_put(o, "annotations", object_of(s->annotations));
    if (s->memory_limit > 0) {
        char text[24];
        snprintf(text, sizeof(text), "%lld", (long long)s->memory_limit);
        json_put(o, "component_limits", json_object("max_memory_limit", text, NULL));
    }
    return print(o);
}

char *lat_v1_provider_start(const struct lat_provider_spec *s)
{
    cJSON *o = json_object("provider_id", s->id, "provider_ref", s->image, "host_id", s->host, NULL);

    json_put(o, "config", array_of_strings(s->config));
    if (map_len(s->annotations))
        json_put(o, "annotations", object_of(s->annotations));
    return print(o);
}

char *lat_v1_provider_stop(const char *host, const char *id)
{
    return print(json_object("provider_id", id, "host_id", host, NULL));
}

char *lat_v1_config_put(const struct map *values)
{
    return print(object_of(values));
}

char *lat_v1_link_put(const struct lat_link *l)
{
    cJSON *o = json_object("source_id", l->source, "target", l->target, "name",
                           str_empty(l->name) ? "default" : l->name, "wit_namespace", l->wit_namespace,
                           "wit_package", l->wit_package, NULL);

    json_put(o, "interfaces", array_of_strings(l->interfaces));
    json_put(o, "source_config", array_of_strings(l->source_config));
    json_put(o, "target_config", array_of_strings(l->target_config));
    return print(o);
}

char *lat_v1_link_del(const struct lat_link *l)
{
    return print(json_object("source_id", l->source, "name", str_empty(l->name) ? "default" : l->name,
                             "wit_namespace", l->wit_namespace, "wit_package", l->wit_package, NULL));
}

char *lat_v1_registry_put(const struct lat_credential *c)
{
    cJSON *o = cJSON_CreateObject();

    json_put(o, c->registry,
             json_object("registryType", "oci", "username", c->username, "password", c->password, NULL));
    return print(o);
}

char *lat_v1_host_stop(const char *host, int64_t timeout_ms)
{
    cJSON *o = json_object("host_id", host, NULL);

    if (timeout_ms > 0)
        json_put(o, "timeout", cJSON_CreateNumber((double)timeout_ms));
    return print(o);
}
