#include "kube/discovery.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/client_internal.h"

/* Aggregated discovery; a server that does not know it answers with the old form, which is then read group by
 * group. */
#define ACCEPT                                                                                               \
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"                                  \
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"

/* In the server's order: groups by priority, in each group the preferred version first. */
struct found {
    struct kube_resource **items;
    size_t len, cap;
};

/* What is kept in client->discovered: everything under "", one apiVersion under its name. */
#define EVERYTHING ""

static void free_found(void *p)
{
    struct found *f = p;

    if (!f)
        return;
    for (size_t i = 0; i < f->len; i++)
        kube_resource_free(f->items[i]);
    free(f->items);
    free(f);
}

static struct found *kept(struct kube_client *c, const char *key)
{
    if (!c->discovered)
        c->discovered = map_new(free_found);
    return map_get(c->discovered, key);
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

    json_each (s, list)
        if (cJSON_IsString(s))
            strv_push(&v, s->valuestring);
    return v;
}

static void read_aggregated_version(struct found *f, const char *group, const cJSON *version)
{
    json_each (o, json_get(version, "resources")) {
        const char *singular = json_str_or(o, "singularResource", ""),
                   *kind = json_str_or(o, "responseKind.kind", ""), *name = json_str_or(o, "resource", "");
        if (!*kind || !*name)
            continue;
        struct kube_resource *r = xcalloc(1, sizeof(*r));
        *r = (struct kube_resource){
            .group = xstrdup(group),
            .version = xstrdup(json_str_or(version, "version", "")),
            .resource = xstrdup(name),
            .kind = xstrdup(kind),
            .singular = *singular ? xstrdup(singular) : str_lower(kind),
            .short_names = strings(json_get(o, "shortNames")),
            .categories = strings(json_get(o, "categories")),
            .namespaced = streq(json_str_or(o, "scope", ""), "Namespaced"),
        };
        add(f, r);
    }
}

static void read_aggregated(struct found *f, const cJSON *list)
{
    json_each (group, json_get(list, "items")) {
        json_each (version, json_get(group, "versions"))
            read_aggregated_version(f, json_str_or(group, "metadata.name", ""), version);
    }
}

static void read_resource_list(struct found *f, const cJSON *list, const char *group, const char *version)
{
    json_each (o, json_get(list, "resources")) {
        const char *name = json_str_or(o, "name", ""), *singular = json_str_or(o, "singularName", "");
        if (!*name || strchr(name, '/'))
            continue; /* a subresource */
        struct kube_resource *r = xcalloc(1, sizeof(*r));
        *r = (struct kube_resource){
            .group = xstrdup(group),
            .version = xstrdup(version),
            .resource = xstrdup(name),
            .kind = xstrdup(json_str_or(o, "kind", "")),
            .singular = *singular ? xstrdup(singular) : str_lower(json_str_or(o, "kind", "")),
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

/* The old way. A group whose server is away must not hide the others. */
static void read_group(struct kube_client *c, struct found *f, const cJSON *group)
{
    const char *name = json_str_or(group, "name", ""),
               *preferred = json_str_or(group, "preferredVersion.version", "");

    for (int round = 0; round < 2; round++) {
        json_each (v, json_get(group, "versions")) {
            const char *version = json_str_or(v, "version", "");
            if (streq(version, preferred) != (round == 0))
                continue;
            _cleanup_free_ char *path = xasprintf("/apis/%s/%s", name, version);
            _cleanup_json_ cJSON *list = NULL;
            if (get(c, path, &list, NULL) == 0)
                read_resource_list(f, list, name, version);
        }
    }
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
    json_each (group, json_get(o, "groups"))
        read_group(c, f, group);
    return 0;
}

static int discover(struct kube_client *c, const struct found **ret, struct err **err)
{
    struct found *f = kept(c, EVERYTHING);

    if (!f) {
        f = xcalloc(1, sizeof(*f));
        int r = read_core(c, f, err);
        if (r == 0)
            r = read_groups(c, f, err);
        if (r < 0) {
            free_found(f);
            return r;
        }
        map_set(c->discovered, EVERYTHING, f);
    }
    *ret = f;
    return 0;
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
    for (size_t i = 0; i < f->len; i++) {
        const struct kube_resource *r = f->items[i];
        if ((streq(r->resource, name) || streq(r->singular, name) || strcasecmp(r->kind, name) == 0) &&
            in_group(r, group))
            return r;
    }
    for (size_t i = 0; i < f->len; i++)
        if (strv_has(f->items[i]->short_names, name) && in_group(f->items[i], group))
            return f->items[i];
    return NULL;
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
    _cleanup_free_ char *name = str_lower(word);
    char *dot = strchr(name, '.');
    if (dot)
        *dot = '\0';
    const struct kube_resource *found = look_up(f, name, dot ? dot + 1 : NULL);
    if (found) {
        *ret = found;
        return 0;
    }
    const char *near = dot ? NULL : suggestion(f, name);
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
    struct found *f = xcalloc(1, sizeof(*f));
    read_resource_list(f, list, group, slash ? slash + 1 : api_version);
    map_set(c->discovered, api_version, f);
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

int kube_find_kind(struct kube_client *c, const char *api_version, const char *kind,
                   const struct kube_resource **ret, struct err **err)
{
    const struct kube_resource *known = kube_builtin_kind(api_version, kind);
    const struct found *f = NULL;

    if (known) {
        *ret = known;
        return 0;
    }
    if (is_api_version(api_version)) {
        int r = read_version(c, api_version, &f, err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; f && i < f->len; i++) {
        if (streq(f->items[i]->kind, kind)) {
            *ret = f->items[i];
            return 0;
        }
    }
    return err_set(err, ERR_NOT_FOUND,
                   "no matches for kind \"%s\" in version \"%s\"; ensure its CustomResourceDefinition is "
                   "installed first",
                   kind, api_version);
}

/* The same resource in a version the server prefers. */
static bool is_other_version(const struct found *f, size_t i)
{
    const struct kube_resource *r = f->items[i];

    for (size_t k = 0; k < i; k++)
        if (streq(f->items[k]->group, r->group) && streq(f->items[k]->resource, r->resource))
            return true;
    return false;
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
        if (strv_has(f->items[i]->categories, category) && !is_other_version(f, i))
            list[n++] = f->items[i];
    *ret = list;
    return 0;
}
