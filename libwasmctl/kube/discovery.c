#include "kube/discovery.h"

#include <ctype.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

/* Aggregated discovery; a server that does not know it answers with the old form, which is then read group by
 * group. */
#define ACCEPT                                                                                               \
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"                                  \
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"

struct found {
    struct kube_resource **items;
    size_t len, cap;
};

/* What a server serves is asked once for each client and kept for the life of the process. */
static struct map *by_client; /* address of the client as text -> struct found * */

static void free_found(void *p)
{
    struct found *f = p;

    for (size_t i = 0; i < f->len; i++)
        kube_resource_free(f->items[i]);
    free(f->items);
    free(f);
}

__attribute__((destructor)) static void free_all(void)
{
    map_free(by_client);
}

static void add(struct found *f, struct kube_resource *r)
{
    if (f->len == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 64;
        f->items = xreallocarray(f->items, f->cap, sizeof(*f->items));
    }
    f->items[f->len++] = r;
}

static char **strings(const cJSON *list)
{
    char **v = strv_new();

    json_each(s, list) if (cJSON_IsString(s)) strv_push(&v, s->valuestring);
    return v;
}

static char *lower(const char *s)
{
    char *l = xstrdup(s);

    for (char *p = l; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return l;
}

static void read_aggregated(struct found *f, const cJSON *list)
{
    json_each(group, json_get(list, "items"))
    {
        const char *name = json_str_or(group, "metadata.name", "");
        /* The first version is the preferred one. */
        const cJSON *version = json_at(group, "versions[0]");
        json_each(o, json_get(version, "resources"))
        {
            const char *singular = json_str_or(o, "singularResource", ""),
                       *kind = json_str_or(o, "responseKind.kind", "");
            if (!*kind)
                continue;
            struct kube_resource *r = xcalloc(1, sizeof(*r));
            *r = (struct kube_resource){
                .group = xstrdup(name),
                .version = xstrdup(json_str_or(version, "version", "")),
                .resource = xstrdup(json_str_or(o, "resource", "")),
                .kind = xstrdup(kind),
                .singular = *singular ? xstrdup(singular) : lower(kind),
                .short_names = strings(json_get(o, "shortNames")),
                .categories = strings(json_get(o, "categories")),
                .namespaced = streq(json_str_or(o, "scope", ""), "Namespaced"),
            };
            add(f, r);
        }
    }
}

static void read_resource_list(struct found *f, const cJSON *list, const char *group, const char *version)
{
    json_each(o, json_get(list, "resources"))
    {
        const char *name = json_str_or(o, "name", ""), *singular = json_str_or(o, "singularName", "");
        if (strchr(name, '/'))
            continue; /* a subresource */
        struct kube_resource *r = xcalloc(1, sizeof(*r));
        *r = (struct kube_resource){
            .group = xstrdup(group),
            .version = xstrdup(version),
            .resource = xstrdup(name),
            .kind = xstrdup(json_str_or(o, "kind", "")),
            .singular = *singular ? xstrdup(singular) : lower(json_str_or(o, "kind", "")),
            .short_names = strings(json_get(o, "shortNames")),
            .categories = strings(json_get(o, "categories")),
            .namespaced = json_bool(o, "namespaced", false),
        };
        add(f, r);
    }
}

static int get(struct kube_client *c, const char *path, cJSON **ret, struct err **err)
{
    struct kube_call call = {.method = "GET", .path = path, .accept = ACCEPT};

    return kube_json_wait(c, &call, ret, err);
}

static int read_core(struct kube_client *c, struct found *f, struct err **err)
{
    _cleanup_json_ cJSON *o = NULL, *core = NULL;
    int r = get(c, "/api", &o, err);

    if (r < 0)
        return r;
    if (streq(json_str_or(o, "kind", ""), "APIGroupDiscoveryList")) {
        read_aggregated(f, o);
        return 0;
    }
    if ((r = get(c, "/api/v1", &core, err)) < 0)
        return r;
    read_resource_list(f, core, "", "v1");
    return 0;
}

static int read_groups(struct kube_client *c, struct found *f, struct err **err)
{
    _cleanup_json_ cJSON *o = NULL;
    int r = get(c, "/apis", &o, err);

    if (r < 0)
        return r;
    if (streq(json_str_or(o, "kind", ""), "APIGroupDiscoveryList")) {
        read_aggregated(f, o);
        return 0;
    }
    json_each(group, json_get(o, "groups"))
    {
        const char *name = json_str_or(group, "name", ""),
                   *version = json_str_or(group, "preferredVersion.version", "");
        _cleanup_free_ char *path = xasprintf("/apis/%s/%s", name, version);
        _cleanup_json_ cJSON *list = NULL;
        /* A group whose server is away must not hide the others. */
        if (get(c, path, &list, NULL) == 0)
            read_resource_list(f, list, name, version);
    }
    return 0;
}

static int discover(struct kube_client *c, const struct found **ret, struct err **err)
{
    _cleanup_free_ char *key = xasprintf("%p", (void *)c);

    if (!by_client)
        by_client = map_new(free_found);
    struct found *f = map_get(by_client, key);
    if (!f) {
        f = xcalloc(1, sizeof(*f));
        int r = read_core(c, f, err);
        if (r == 0)
            r = read_groups(c, f, err);
        if (r < 0) {
            free_found(f);
            return r;
        }
        map_set(by_client, key, f);
    }
    *ret = f;
    return 0;
}

static bool matches(const struct kube_resource *r, const char *name, const char *group)
{
    if (!streq(r->resource, name) && !streq(r->singular, name) && !strv_has(r->short_names, name))
        return false;
    if (!group || streq(r->group, group))
        return true;
    _cleanup_free_ char *versioned = xasprintf("%s.%s", r->version, r->group);
    return streq(versioned, group);
}

static const char *suggestion(const struct found *f, const char *word)
{
    const char **names = xcalloc(f->len + 1, sizeof(*names));

    for (size_t i = 0; i < f->len; i++)
        names[i] = f->items[i]->resource;
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
    int r = discover(c, &f, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *name = lower(word);
    char *dot = strchr(name, '.');
    if (dot)
        *dot = '\0';
    for (size_t i = 0; i < f->len; i++) {
        if (matches(f->items[i], name, dot ? dot + 1 : NULL)) {
            *ret = f->items[i];
            return 0;
        }
    }
    const char *near = suggestion(f, name);
    return err_set(err, ERR_NOT_FOUND, "the server doesn't have a resource type \"%s\"%s%s%s", word,
                   near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

int kube_find_kind(struct kube_client *c, const char *api_version, const char *kind,
                   const struct kube_resource **ret, struct err **err)
{
    const struct kube_resource *known = kube_builtin_kind(api_version, kind);
    const char *slash = strchr(api_version, '/');

    if (known) {
        *ret = known;
        return 0;
    }
    _cleanup_free_ char *path =
        slash ? xasprintf("/apis/%s", api_version) : xasprintf("/api/%s", api_version);
    _cleanup_free_ char *group = slash ? xstrndup(api_version, (size_t)(slash - api_version)) : xstrdup("");
    _cleanup_free_ char *key = xasprintf("%p %s", (void *)c, api_version);
    if (!by_client)
        by_client = map_new(free_found);
    struct found *f = map_get(by_client, key);
    if (!f) {
        _cleanup_json_ cJSON *list = NULL;
        struct kube_call call = {.method = "GET", .path = path};
        struct err *e = NULL;
        if (kube_json_wait(c, &call, &list, &e) < 0 && e->http != 404)
            return err_move(err, e);
        err_free(e);
        f = xcalloc(1, sizeof(*f));
        read_resource_list(f, list, group, slash ? slash + 1 : api_version);
        if (list)
            map_set(by_client, key, f);
    }
    for (size_t i = 0; i < f->len; i++) {
        if (streq(f->items[i]->kind, kind)) {
            *ret = f->items[i];
            return 0;
        }
    }
    if (!map_has(by_client, key))
        free_found(f);
    return err_set(err, ERR_NOT_FOUND,
                   "no matches for kind \"%s\" in version \"%s\"; ensure its CustomResourceDefinition is "
                   "installed first",
                   kind, api_version);
}

int kube_find_category(struct kube_client *c, const char *category, const struct kube_resource ***ret,
                       struct err **err)
{
    const struct found *f = NULL;
    int r = discover(c, &f, err);

    if (r < 0)
        return r;
    const struct kube_resource **list = xcalloc(f->len + 1, sizeof(*list));
    size_t n = 0;
    for (size_t i = 0; i < f->len; i++)
        if (strv_has(f->items[i]->categories, category))
            list[n++] = f->items[i];
    *ret = list;
    return 0;
}
