#include "model/meta.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

static int64_t read_time(const cJSON *o, const char *path)
{
    const char *text = json_str(o, path);
    int64_t ns = 0;

    if (text)
        time_parse_rfc3339(text, &ns, NULL);
    return ns;
}

void model_meta_read(const cJSON *object, struct model_meta *ret)
{
    const cJSON *finalizers = json_at(object, "metadata.finalizers");

    *ret = (struct model_meta){
        .namespace = xstrdup_null(json_str(object, "metadata.namespace")),
        .name = xstrdup(json_str_or(object, "metadata.name", "")),
        .uid = xstrdup(json_str_or(object, "metadata.uid", "")),
        .resource_version = xstrdup(json_str_or(object, "metadata.resourceVersion", "")),
        .generation = json_int(object, "metadata.generation", 0),
        .created_ns = read_time(object, "metadata.creationTimestamp"),
        .deleted_ns = read_time(object, "metadata.deletionTimestamp"),
    };
    json_each (f, finalizers)
        if (cJSON_IsString(f) && streq(f->valuestring, MODEL_FINALIZER))
            ret->has_finalizer = true;
}

void model_meta_release(struct model_meta *m)
{
    free(m->namespace);
    free(m->name);
    free(m->uid);
    free(m->resource_version);
    *m = (struct model_meta){0};
}

void model_conditions_read(const cJSON *status, struct model_conditions *ret)
{
    const cJSON *list = json_get(status, "conditions");
    VEC(struct model_condition) v = {0};

    json_each (c, list) {
        struct model_condition one = {
            .type = xstrdup(json_str_or(c, "type", "")),
            .status = xstrdup(json_str_or(c, "status", "Unknown")),
            .reason = xstrdup(json_str_or(c, "reason", "")),
            .message = xstrdup(json_str_or(c, "message", "")),
            .since_ns = read_time(c, "lastTransitionTime"),
        };
        vec_push(&v, one);
    }
    ret->items = v.items;
    ret->len = v.len;
}

void model_conditions_release(struct model_conditions *c)
{
    for (size_t i = 0; i < c->len; i++) {
        free(c->items[i].type);
        free(c->items[i].status);
        free(c->items[i].reason);
        free(c->items[i].message);
    }
    free(c->items);
    *c = (struct model_conditions){0};
}

const struct model_condition *model_condition_find(const struct model_conditions *c, const char *type)
{
    for (size_t i = 0; i < c->len; i++)
        if (streq(c->items[i].type, type))
            return &c->items[i];
    return NULL;
}

void model_condition_add(cJSON *list, const struct model_conditions *before, const char *type,
                         const char *status, const char *reason, const char *message, int64_t generation,
                         int64_t now_ns)
{
    const struct model_condition *old = model_condition_find(before, type);
    int64_t since = old && streq(old->status, status) && old->since_ns ? old->since_ns : now_ns;
    char stamp[TIME_RFC3339_LEN];
    cJSON *c = json_object("type", type, "status", status, "reason", reason, "message", message,
                           "lastTransitionTime", time_rfc3339(since, 0, stamp), NULL);

    if (generation)
        json_set_int(c, "observedGeneration", generation);
    cJSON_AddItemToArray(list, c);
}

struct map *model_string_map(const cJSON *object)
{
    struct map *m = map_new(free);

    json_each (v, object) {
        if (!v->string)
            continue;
        if (cJSON_IsString(v))
            map_set(m, v->string, xstrdup(v->valuestring));
        else if (cJSON_IsNumber(v) || cJSON_IsBool(v))
            map_set(m, v->string, json_print(v));
    }
    return m;
}

cJSON *model_string_map_json(const struct map *m)
{
    cJSON *o = cJSON_CreateObject();

    for (struct map_iter it = {0}; map_next(m, &it);)
        json_put_str(o, it.key, it.value ? it.value : "");
    return o;
}

char *model_label_value(const char *text)
{
    enum { LONGEST = 63 };
    struct buf b = BUF_INIT;

    for (const char *p = text; *p && b.len < LONGEST; p++) {
        bool plain = isalnum((unsigned char)*p) != 0;
        if (!b.len && !plain)
            continue;
        buf_addc(&b, plain || *p == '.' || *p == '_' || *p == '-' ? *p : '-');
    }
    while (b.len && !isalnum((unsigned char)b.data[b.len - 1]))
        buf_truncate(&b, b.len - 1);
    return buf_take(&b);
}

static bool is_dns_subdomain(const char *s, size_t len)
{
    if (!len || len > 253 || !isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!islower((unsigned char)s[i]) && !isdigit((unsigned char)s[i]) && s[i] != '-' && s[i] != '.')
            return false;
    return true;
}

char *model_label_key(const char *text)
{
    const char *slash = strchr(text, '/');

    if (!slash || !is_dns_subdomain(text, (size_t)(slash - text))) {
        char *key = model_label_value(text);
        if (*key)
            return key;
        free(key);
        return NULL;
    }
    _cleanup_free_ char *name = model_label_value(slash + 1);
    return *name ? xasprintf("%.*s/%s", (int)(slash - text), text, name) : NULL;
}
