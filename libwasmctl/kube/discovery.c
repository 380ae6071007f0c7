#include "kube/discovery.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/client_internal.h"
#include "kube/discovery_cache.h"
#include "kube/discovery_old.h"

/* Aggregated discovery; a server that does not know it answers with the old form, which is then read group by
 * group. */
#define ACCEPT                                                                                               \
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"                                  \
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"

#define AGGREGATED_KIND "APIGroupDiscoveryList"
#define KEPT_MOST_NS    (INT64_C(6) * 3600 * 1000 * 1000 * 1000)

struct found {
    struct kube_apis apis;
    size_t cap;
    bool asked;          /* the server said so itself, in this process */
    struct found *older; /* what was given out of it is in use */
};

/* What is kept in client->discovered: everything under "", one apiVersion under its name. */
#define EVERYTHING ""

static struct found *found_new(void)
{
    struct found *f = xcalloc(1, sizeof(*f));

    f->apis.versions = strv_new();
    f->apis.stale = strv_new();
    return f;
}

static void found_free(void *p)
{
    for (struct found *f = p, *older; f; f = older) {
        older = f->older;
        for (size_t i = 0; i < f->apis.len; i++)
            kube_resource_free(f->apis.items[i]);
        free(f->apis.items);
        strv_free(f->apis.versions);
        strv_free(f->apis.stale);
        free(f);
    }
}
DEFINE_CLEANUP(struct found *, found_free)
#define _cleanup_found_ _cleanup_(found_freep)

static struct found *kept(struct kube_client *c, const char *key)
{
    if (!c->discovered)
        c->discovered = map_new(found_free);
    return map_get(c->discovered, key);
}

static void keep(struct kube_client *c, const char *key, struct found *f)
{
    f->older = kept(c, key) ? map_take(c->discovered, key) : NULL;
    map_set(c->discovered, key, f);
}

static char **strings(const cJSON *list)
{
    char **v = strv_new();

    json_each (s, list)
        if (cJSON_IsString(s))
            strv_push(&v, s->valuestring);
    return v;
}

static void add_resources(struct found *f, const char *group, const char *version, const cJSON *resources)
{
    struct kube_apis *a = &f->apis;

    json_each (o, resources) {
        const char *singular = json_str_or(o, "singularResource", ""),
                   *kind = json_str_or(o, "responseKind.kind", ""), *name = json_str_or(o, "resource", "");
        if (!*kind || !*name)
            continue;
        if (a->len == f->cap) {
            f->cap = f->cap ? f->cap * 2 : 64;
            a->items = xreallocarray(a->items, f->cap, sizeof(*a->items));
        }
        struct kube_resource *r = xcalloc(1, sizeof(*r));
        *r = (struct kube_resource){
            .group = xstrdup(group),
            .version = xstrdup(version),
            .resource = xstrdup(name),
            .kind = xstrdup(kind),
            .singular = *singular ? xstrdup(singular) : str_lower(kind),
            .short_names = strings(json_get(o, "shortNames")),
            .categories = strings(json_get(o, "categories")),
            .verbs = strings(json_get(o, "verbs")),
            .namespaced = streq(json_str_or(o, "scope", ""), "Namespaced"),
        };
        a->items[a->len++] = r;
    }
}

static void add_groups(struct found *f, const cJSON *list)
{
    json_each (group, json_get(list, "items")) {
        const char *name = json_str_or(group, "metadata.name", "");
        json_each (v, json_get(group, "versions")) {
            const char *version = json_str_or(v, "version", "");
            _cleanup_free_ char *full = *name ? xasprintf("%s/%s", name, version) : xstrdup(version);
            if (!*version)
                continue;
            strv_push(&f->apis.versions, full);
            if (streq(json_str_or(v, "freshness", ""), "Stale"))
                strv_push(&f->apis.stale, full);
            add_resources(f, name, version, json_get(v, "resources"));
        }
    }
}

/* Half of the answer is of no use here. */
static void prune(cJSON *list)
{
    json_each (group, json_get(list, "items")) {
        json_del(group, "metadata.creationTimestamp");
        json_each (v, json_get(group, "versions")) {
            json_each (o, json_get(v, "resources")) {
                cJSON_DeleteItemFromObjectCaseSensitive(o, "subresources");
                json_del(o, "responseKind.group");
                json_del(o, "responseKind.version");
            }
        }
    }
}

static bool has_stale(const cJSON *list)
{
    json_each (group, json_get(list, "items"))
        json_each (v, json_get(group, "versions"))
            if (streq(json_str_or(v, "freshness", ""), "Stale"))
                return true;
    return false;
}

static cJSON *parse_aggregated(const char *text, size_t len)
{
    cJSON *list = NULL;

    if (json_parse(text, len, "discovery", &list, NULL) < 0)
        return NULL;
    if (streq(json_str_or(list, "kind", ""), AGGREGATED_KIND))
        return list;
    cJSON_Delete(list);
    return NULL;
}

/* One half of it, "/api" or "/apis": asked for, or taken from a file. */
struct half {
    const char *path, *file;
    struct kube_cache_entry entry;
    cJSON *list; /* of entry, NULL if there is none that can be used */
};

static void half_release(struct half *h)
{
    kube_cache_entry_release(&h->entry);
    cJSON_Delete(h->list);
}

static void half_read(struct kube_client *c, struct half *h)
{
    if (kube_cache_read(c, h->file, &h->entry))
        h->list = parse_aggregated(h->entry.body, h->entry.len);
}

static bool half_is_good(const struct half *h)
{
    return h->list && h->entry.age_ns < KEPT_MOST_NS;
}

static void half_write(struct kube_client *c, const struct half *h, const char *etag)
{
    if (has_stale(h->list))
        return;
    _cleanup_free_ char *text = json_print(h->list);
    kube_cache_write(c, h->file, etag, text, strlen(text));
}

static int half_ask(struct kube_client *c, struct half *h, struct err **err)
{
    _cleanup_answer_ struct kube_answer answer = {0};
    _cleanup_json_ cJSON *list = NULL;
    struct kube_call call = {
        .method = "GET",
        .path = h->path,
        .accept = ACCEPT,
        .if_none_match = h->list && *h->entry.tag ? h->entry.tag : NULL,
    };
    int r = kube_answer_wait(c, &call, &answer, err);

    if (r < 0)
        return r;
    if (answer.status == 304) {
        kube_cache_touch(c, h->file);
        return 0;
    }
    _cleanup_free_ char *what = xasprintf("answer to GET %s", h->path);
    if (json_parse(answer.body, answer.len, what, &list, err) < 0) {
        if (err && *err)
            (*err)->code = ERR_PROTOCOL;
        return ERR_PROTOCOL;
    }
    if (!streq(json_str_or(list, "kind", ""), AGGREGATED_KIND)) {
        cJSON *converted = NULL;
        r = kube_discovery_old(c, list, &converted, err);
        if (r < 0)
            return r;
        cJSON_Delete(list);
        list = converted;
        *answer.etag = '\0';
    }
    prune(list);
    cJSON_Delete(h->list);
    h->list = TAKE_PTR(list);
    half_write(c, h, answer.etag);
    return 0;
}

/* From memory or from files of the last hours; NULL when there is nothing. */
static const struct found *recall(struct kube_client *c)
{
    struct found *f = kept(c, EVERYTHING);
    _cleanup_(half_release) struct half core = {"/api", "api.json"}, groups = {"/apis", "apis.json"};

    if (f)
        return f;
    half_read(c, &core);
    if (!half_is_good(&core))
        return NULL;
    half_read(c, &groups);
    if (!half_is_good(&groups))
        return NULL;
    f = found_new();
    add_groups(f, core.list);
    add_groups(f, groups.list);
    keep(c, EVERYTHING, f);
    return f;
}

static int ask(struct kube_client *c, const struct found **ret, struct err **err)
{
    _cleanup_(half_release) struct half core = {"/api", "api.json"}, groups = {"/apis", "apis.json"};

    half_read(c, &core);
    half_read(c, &groups);
    int r = half_ask(c, &core, err);
    if (r == 0)
        r = half_ask(c, &groups, err);
    if (r < 0)
        return r;
    struct found *f = found_new();
    add_groups(f, core.list);
    add_groups(f, groups.list);
    f->asked = true;
    keep(c, EVERYTHING, f);
    *ret = f;
    return 0;
}

/* There is nothing newer to be had. */
static bool is_certain(const struct found *f)
{
    return f && f->asked;
}

/* group: NULL, "apps", or "v1.apps". */
static bool in_group(const struct kube_resource *r, const char *group)
{
    if (!group || streq(r->group, group))
        return true;
    _cleanup_free_ char *versioned = xasprintf("%s.%s", r->version, r->group);
    return streq(versioned, group);
}

/* A resource's own name wins over another's short name. */
static const struct kube_resource *look_up(const struct found *f, const char *name, const char *group)
{
    for (size_t i = 0; i < f->apis.len; i++) {
        const struct kube_resource *r = f->apis.items[i];
        if ((streq(r->resource, name) || streq(r->singular, name) || strcasecmp(r->kind, name) == 0) &&
            in_group(r, group))
            return r;
    }
    for (size_t i = 0; i < f->apis.len; i++)
        if (strv_has(f->apis.items[i]->short_names, name) && in_group(f->apis.items[i], group))
            return f->apis.items[i];
    return NULL;
}

/* word: in lower case, maybe with a group behind it. */
static const struct kube_resource *look_up_word(const struct found *f, const char *word)
{
    _cleanup_free_ char *name = xstrdup(word);
    char *dot = strchr(name, '.');

    if (dot)
        *dot = '\0';
    return look_up(f, name, dot ? dot + 1 : NULL);
}

static const char *suggestion(const struct found *f, const char *word)
{
    const char **names = xcalloc(f->apis.len + 1, sizeof(*names));

    for (size_t i = 0; i < f->apis.len; i++)
        names[i] = f->apis.items[i]->resource;
    const char *best = str_suggest(word, names);
    free(names);
    return best;
}

int kube_find_resource(struct kube_client *c, const char *word, const struct kube_resource **ret,
                       struct err **err)
{
    const struct kube_resource *known = kube_builtin_find(word);
    const struct found *f = NULL;

    if (known) {
        *ret = known;
        return 0;
    }
    _cleanup_free_ char *name = str_lower(word);
    f = recall(c);
    const struct kube_resource *found = f ? look_up_word(f, name) : NULL;
    if (!found && !is_certain(f)) {
        int r = ask(c, &f, err);
        if (r < 0)
            return r;
        found = look_up_word(f, name);
    }
    if (found) {
        *ret = found;
        return 0;
    }
    char *dot = strchr(name, '.');
    const char *near = dot ? NULL : suggestion(f, name);
    if (dot)
        *dot = '\0';
    return err_set(err, ERR_NOT_FOUND, "the server doesn't have a resource type \"%s\"%s%s%s%s%s%s", name,
                   dot ? " in group \"" : "", dot ? dot + 1 : "", dot ? "\"" : "",
                   near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

/* The resources of one apiVersion. *ret is NULL when the server has no such version. */
static int read_version(struct kube_client *c, const char *api_version, const struct found **ret,
                        struct err **err)
{
    const char *slash = strchr(api_version, '/');
    _cleanup_free_ char *path =
        slash ? xasprintf("/apis/%s", api_version) : xasprintf("/api/%s", api_version);
    _cleanup_free_ char *group = slash ? xstrndup(api_version, (size_t)(slash - api_version)) : xstrdup("");
    _cleanup_json_ cJSON *list = NULL;
    struct kube_call call = {.method = "GET", .path = path};
    struct err *e = NULL;

    *ret = kept(c, api_version);
    if (*ret)
        return 0;
    if (kube_json_wait(c, &call, &list, &e) < 0) {
        if (e->http != 404)
            return err_move(err, e);
        err_free(e);
        return 0;
    }
    _cleanup_json_ cJSON *resources = kube_discovery_old_resources(list);
    struct found *f = found_new();
    add_resources(f, group, slash ? slash + 1 : api_version, resources);
    keep(c, api_version, f);
    *ret = f;
    return 0;
}

/* A manifest's apiVersion becomes part of a path. */
static bool is_api_version(const char *s)
{
    const char *slash = strchr(s, '/');

    for (const char *p = s; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-./", *p))
            return false;
    return *s && *s != '/' && (!slash || (slash[1] && !strchr(slash + 1, '/')));
}

static const struct kube_resource *look_up_kind(const struct found *f, const char *api_version,
                                                const char *kind)
{
    for (size_t i = 0; i < f->apis.len; i++) {
        const struct kube_resource *r = f->apis.items[i];
        if (!streq(r->kind, kind))
            continue;
        _cleanup_free_ char *version = kube_api_version(r);
        if (streq(version, api_version))
            return r;
    }
    return NULL;
}

int kube_find_kind(struct kube_client *c, const char *api_version, const char *kind,
                   const struct kube_resource **ret, struct err **err)
{
    const struct kube_resource *known = kube_builtin_kind(api_version, kind);
    const struct found *f = NULL;

    if (known) {
        *ret = known;
        return 0;
    }
    f = recall(c);
    known = f ? look_up_kind(f, api_version, kind) : NULL;
    if (!known && is_api_version(api_version)) {
        int r = read_version(c, api_version, &f, err);
        if (r < 0)
            return r;
        known = f ? look_up_kind(f, api_version, kind) : NULL;
    }
    if (known) {
        *ret = known;
        return 0;
    }
    return err_set(err, ERR_NOT_FOUND,
                   "no matches for kind \"%s\" in version \"%s\"; ensure its CustomResourceDefinition is "
                   "installed first",
                   kind, api_version);
}

bool kube_apis_is_preferred(const struct kube_apis *a, size_t i)
{
    const struct kube_resource *r = a->items[i];

    for (size_t k = 0; k < i; k++)
        if (streq(a->items[k]->group, r->group) && streq(a->items[k]->resource, r->resource))
            return false;
    return true;
}

static size_t add_category(const struct found *f, const char *category, const struct kube_resource **list)
{
    size_t n = 0;

    for (size_t i = 0; i < f->apis.len; i++)
        if (strv_has(f->apis.items[i]->categories, category) && kube_apis_is_preferred(&f->apis, i))
            list[n++] = f->apis.items[i];
    return n;
}

int kube_find_category(struct kube_client *c, const char *category, const struct kube_resource ***ret,
                       struct err **err)
{
    _cleanup_free_ char *name = str_lower(category);
    const struct found *f = recall(c);

    for (;;) {
        if (f) {
            const struct kube_resource **list = xcalloc(f->apis.len + 1, sizeof(*list));
            /* A word that is a kind is no reason to ask the server about categories. */
            if (add_category(f, category, list) || is_certain(f) || look_up_word(f, name)) {
                *ret = list;
                return 0;
            }
            free(list);
        }
        int r = ask(c, &f, err);
        if (r < 0)
            return r;
    }
}

int kube_find_apis(struct kube_client *c, bool from_file, const struct kube_apis **ret, struct err **err)
{
    const struct found *f = recall(c);

    if (!f || (!from_file && !is_certain(f))) {
        int r = ask(c, &f, err);
        if (r < 0)
            return r;
    }
    *ret = &f->apis;
    return 0;
}
