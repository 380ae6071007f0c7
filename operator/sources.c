#include "operator/sources.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "kube/gvr.h"

struct source {
    struct op_sources *all;
    char *key; /* "secret/ns/name" or "configmap/ns/name" */
    struct kube_informer *informer;
    struct map *users; /* "<kind>/<unit key>" -> generation of the last use */
    bool forbidden;
};

struct op_sources {
    struct op *op;
    struct map *sources; /* key -> struct source * */
    uintptr_t generation;
};

static void source_free(void *p)
{
    struct source *s = p;

    kube_informer_free(s->informer);
    map_free(s->users);
    free(s->key);
    free(s);
}

struct op_sources *sources_new(struct op *op)
{
    struct op_sources *s = xcalloc(1, sizeof(*s));

    s->op = op;
    s->sources = map_new(source_free);
    return s;
}

void sources_free(struct op_sources *s)
{
    if (!s)
        return;
    map_free(s->sources);
    free(s);
}

static void enqueue_users(struct source *s)
{
    for (struct map_iter it = {0}; map_next(s->users, &it);)
        op_enqueue(s->all->op, it.key[0] == '0' ? MODEL_ACTOR : MODEL_PROVIDER, it.key + 2);
}

static void *transform(void *arg, cJSON *object)
{
    struct source *s = arg;
    bool secret = str_starts(s->key, "secret/");

    if (!secret)
        return model_string_map(json_get(object, "data"));
    struct map *values = map_new(free);
    json_each (v, json_get(object, "data")) {
        char *data = NULL;
        size_t len;
        /* Values with a NUL inside cannot be configuration strings. */
        if (cJSON_IsString(v) && str_base64_decode(v->valuestring, &data, &len) == 0 && strlen(data) == len)
            map_set(values, v->string, TAKE_PTR(data));
        free(data);
    }
    return values;
}

static void free_values(void *p)
{
    map_free(p);
}

static void on_changed(void *arg, const char *key _unused_, const void *old _unused_,
                       const void *now _unused_)
{
    enqueue_users(arg);
}

static void on_synced(void *arg)
{
    enqueue_users(arg);
}

static void on_state(void *arg, const struct err *err)
{
    struct source *s = arg;
    bool forbidden = err && err->code == ERR_FORBIDDEN;

    if (forbidden == s->forbidden)
        return;
    s->forbidden = forbidden;
    enqueue_users(s);
}

static struct source *source_open(struct op_sources *all, const char *key, bool secret, const char *ns,
                                  const char *name)
{
    struct source *s = xcalloc(1, sizeof(*s));
    _cleanup_free_ char *field = xasprintf("metadata.name=%s", name);

    *s = (struct source){.all = all, .key = xstrdup(key), .users = map_new(NULL)};
    struct kube_informer_options options = {
        .resource = kube_builtin_find(secret ? "secrets" : "configmaps"),
        .namespace = ns,
        .field_selector = field,
        .transform = transform,
        .free_object = free_values,
        .changed = on_changed,
        .synced = on_synced,
        .state = on_state,
        .arg = s,
    };
    s->informer = kube_informer_new(all->op->client, &options);
    map_set(all->sources, key, s);
    return s;
}

enum source_state sources_get(struct op_sources *all, enum model_kind kind, const char *unit, bool secret,
                              const char *ns, const char *name, const struct map **ret_values)
{
    _cleanup_free_ char *key = xasprintf("%s/%s/%s", secret ? "secret" : "configmap", ns, name);
    _cleanup_free_ char *object_key = xasprintf("%s/%s", ns, name);
    _cleanup_free_ char *user = xasprintf("%d/%s", (int)kind, unit);
    struct source *s = map_get(all->sources, key);

    if (!s)
        s = source_open(all, key, secret, ns, name);
    map_set(s->users, user, (void *)all->generation);
    if (s->forbidden)
        return SOURCE_FORBIDDEN;
    if (!kube_informer_synced(s->informer))
        return SOURCE_PENDING;
    const struct map *values = kube_informer_get(s->informer, object_key);
    if (!values)
        return SOURCE_MISSING;
    *ret_values = values;
    return SOURCE_FOUND;
}

void sources_begin(struct op_sources *all)
{
    all->generation++;
}

void sources_end(struct op_sources *all, enum model_kind kind, const char *unit)
{
    _cleanup_free_ char *user = xasprintf("%d/%s", (int)kind, unit);

    for (struct map_iter it = {0}; map_next(all->sources, &it);) {
        struct source *s = it.value;
        if (map_has(s->users, user) && map_get(s->users, user) != (void *)all->generation)
            map_del(s->users, user);
        if (!map_len(s->users))
            map_del(all->sources, it.key);
    }
}
