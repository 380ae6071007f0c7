#include "kube/informer.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct entry {
    void *object;
    char *version;
    unsigned generation; /* of the list that saw it last */
    bool ahead;          /* from the answer to a write: the watch may still tell older versions */
};

struct kube_informer {
    struct kube_informer_options options;
    struct kube_watch *watch;
    struct map *entries; /* key -> struct entry * */
    unsigned generation;
    bool synced;
    int in_callback;
    bool freed;
};

char *kube_object_key(const cJSON *object)
{
    const char *ns = json_str(object, "metadata.namespace"), *name = json_str_or(object, "metadata.name", "");

    return str_empty(ns) ? xstrdup(name) : xasprintf("%s/%s", ns, name);
}

/* The user may free the informer in any of its functions: what is needed until they return stays. */

static void really_free(struct kube_informer *i);

static void enter(struct kube_informer *i)
{
    i->in_callback++;
}

static void leave(struct kube_informer *i)
{
    i->in_callback--;
    if (i->freed && !i->in_callback)
        really_free(i);
}

static void drop_object(struct kube_informer *i, void *object)
{
    if (object && i->options.free_object)
        i->options.free_object(object);
}

static void entry_free(struct kube_informer *i, struct entry *e)
{
    if (!e)
        return;
    drop_object(i, e->object);
    free(e->version);
    free(e);
}

static void tell(struct kube_informer *i, const char *key, const void *old, const void *now)
{
    if (i->options.changed && !i->freed)
        i->options.changed(i->options.arg, key, old, now);
}

static void remove_entry(struct kube_informer *i, const char *key)
{
    struct entry *e = map_take(i->entries, key);

    if (!e)
        return;
    tell(i, key, e->object, NULL);
    entry_free(i, e);
}

/* Versions of one kind are numbers that grow; one that is no number is never newer. */
static bool is_newer(const char *version, const char *than)
{
    int64_t a, b;

    return str_to_i64(version, 0, INT64_MAX, &a) && str_to_i64(than, 0, INT64_MAX, &b) && a > b;
}

static void store(struct kube_informer *i, const char *key, cJSON *object)
{
    const char *version = json_str_or(object, "metadata.resourceVersion", "");
    struct entry *e = map_get(i->entries, key);

    if (e && streq(e->version, version)) {
        e->generation = i->generation;
        e->ahead = false;
        return;
    }
    if (e && e->ahead && is_newer(e->version, version)) {
        e->generation = i->generation;
        return;
    }
    _cleanup_free_ char *kept = xstrdup(version);
    json_del(object, "metadata.managedFields");
    void *now = i->options.transform(i->options.arg, object);
    if (!now) {
        remove_entry(i, key);
        return;
    }
    void *old = NULL;
    if (e) {
        old = e->object;
    } else {
        e = xcalloc(1, sizeof(*e));
        map_set(i->entries, key, e);
    }
    e->object = now;
    e->generation = i->generation;
    e->ahead = false;
    free(e->version);
    e->version = TAKE_PTR(kept);
    tell(i, key, old, now);
    drop_object(i, old);
}

static void on_event(void *arg, enum kube_event type, cJSON *object)
{
    struct kube_informer *i = arg;
    _cleanup_free_ char *key = kube_object_key(object);

    enter(i);
    if (type == KUBE_DELETED)
        remove_entry(i, key);
    else
        store(i, key, object);
    leave(i);
}

static void on_relist(void *arg)
{
    struct kube_informer *i = arg;

    i->generation++;
    /* What the list says holds, even where it is older: the server's storage may have been put back. */
    for (struct map_iter it = {0}; map_next(i->entries, &it);)
        ((struct entry *)it.value)->ahead = false;
}

void kube_informer_observe(struct kube_informer *i, const char *body, size_t len)
{
    _cleanup_json_ cJSON *object = NULL;

    if (json_parse(body, len, "answer to a write", &object, NULL) < 0)
        return;
    _cleanup_free_ char *key = kube_object_key(object);
    struct entry *e = map_get(i->entries, key);
    /* One that is unknown may have been deleted since. */
    if (!e || !is_newer(json_str_or(object, "metadata.resourceVersion", ""), e->version))
        return;
    enter(i);
    store(i, key, object);
    if (!i->freed && (e = map_get(i->entries, key)))
        e->ahead = true;
    leave(i);
}

static void on_synced(void *arg)
{
    struct kube_informer *i = arg;
    bool first = !i->synced;
    char **gone = strv_new();

    enter(i);
    /* What the new list did not name was deleted while we did not watch. */
    for (struct map_iter it = {0}; map_next(i->entries, &it);)
        if (((const struct entry *)it.value)->generation != i->generation)
            strv_push(&gone, it.key);
    for (size_t n = 0; gone[n]; n++)
        remove_entry(i, gone[n]);
    strv_free(gone);
    i->synced = true;
    if (first && i->options.synced && !i->freed)
        i->options.synced(i->options.arg);
    leave(i);
}

static void on_state(void *arg, const struct err *err)
{
    struct kube_informer *i = arg;

    enter(i);
    if (i->options.state)
        i->options.state(i->options.arg, err);
    leave(i);
}

struct kube_informer *kube_informer_new(struct kube_client *c, const struct kube_informer_options *options)
{
    struct kube_informer *i = xcalloc(1, sizeof(*i));
    struct kube_watch_options watch = {
        .resource = options->resource,
        .namespace = options->namespace,
        .label_selector = options->label_selector,
        .field_selector = options->field_selector,
        .event = on_event,
        .relist = on_relist,
        .synced = on_synced,
        .state = on_state,
        .arg = i,
    };

    i->options = *options;
    i->entries = map_new(NULL);
    i->watch = kube_watch_new(c, &watch);
    return i;
}

static void really_free(struct kube_informer *i)
{
    for (struct map_iter it = {0}; map_next(i->entries, &it);)
        entry_free(i, it.value);
    map_free(i->entries);
    free(i);
}

void kube_informer_free(struct kube_informer *i)
{
    if (!i || i->freed)
        return;
    kube_watch_free(i->watch);
    i->freed = true;
    if (!i->in_callback)
        really_free(i);
}

bool kube_informer_synced(const struct kube_informer *i)
{
    return i->synced;
}

const void *kube_informer_get(const struct kube_informer *i, const char *key)
{
    const struct entry *e = map_get(i->entries, key);

    return e ? e->object : NULL;
}

size_t kube_informer_len(const struct kube_informer *i)
{
    return map_len(i->entries);
}

bool kube_informer_next(const struct kube_informer *i, struct map_iter *it)
{
    if (!map_next(i->entries, it))
        return false;
    it->value = ((const struct entry *)it->value)->object;
    return true;
}
