#include "kube/discovery_old.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static void copy_member(cJSON *to, const char *name, const cJSON *from)
{
    if (from)
        json_put(to, name, cJSON_Duplicate(from, true));
}

cJSON *kube_discovery_old_resources(const cJSON *list)
{
    cJSON *resources = cJSON_CreateArray();

    json_each (o, json_get(list, "resources")) {
        const char *name = json_str_or(o, "name", "");
        if (!*name || strchr(name, '/'))
            continue; /* a subresource */
        cJSON *r = json_object("resource", name, "singularResource", json_str_or(o, "singularName", ""),
                               "scope", json_bool(o, "namespaced", false) ? "Namespaced" : "Cluster", NULL);
        json_set_str(r, "responseKind.kind", json_str_or(o, "kind", ""));
        copy_member(r, "shortNames", json_get(o, "shortNames"));
        copy_member(r, "categories", json_get(o, "categories"));
        copy_member(r, "verbs", json_get(o, "verbs"));
        cJSON_AddItemToArray(resources, r);
    }
    return resources;
}

static int add_version(struct kube_client *c, cJSON *versions, const char *path, const char *version,
                       struct err **err)
{
    _cleanup_json_ cJSON *list = NULL;
    struct kube_call call = {.method = "GET", .path = path};
    int r = kube_json_wait(c, &call, &list, err);
    cJSON *v = json_object("version", version, "freshness", r == 0 ? "Current" : "Stale", NULL);

    if (r == 0)
        json_put(v, "resources", kube_discovery_old_resources(list));
    cJSON_AddItemToArray(versions, v);
    return r;
}

static cJSON *add_group(cJSON *items, const char *name)
{
    cJSON *group = cJSON_CreateObject(), *versions = cJSON_CreateArray();

    json_set_str(group, "metadata.name", name);
    json_put(group, "versions", versions);
    cJSON_AddItemToArray(items, group);
    return versions;
}

static void read_group(struct kube_client *c, cJSON *items, const cJSON *group)
{
    const char *name = json_str_or(group, "name", ""),
               *preferred = json_str_or(group, "preferredVersion.version", "");
    cJSON *versions = add_group(items, name);

    for (int round = 0; round < 2; round++) {
        json_each (v, json_get(group, "versions")) {
            const char *version = json_str_or(v, "version", "");
            if (streq(version, preferred) != (round == 0))
                continue;
            _cleanup_free_ char *path = xasprintf("/apis/%s/%s", name, version);
            add_version(c, versions, path, version, NULL);
        }
    }
}

int kube_discovery_old(struct kube_client *c, const cJSON *answer, cJSON **ret, struct err **err)
{
    _cleanup_json_ cJSON *all = json_object("kind", "APIGroupDiscoveryList", NULL);
    cJSON *items = cJSON_CreateArray();

    json_put(all, "items", items);
    if (streq(json_str_or(answer, "kind", ""), "APIVersions")) {
        cJSON *versions = add_group(items, "");
        int r = add_version(c, versions, "/api/v1", "v1", err);
        if (r < 0)
            return r;
    }
    json_each (group, json_get(answer, "groups"))
        read_group(c, items, group);
    *ret = TAKE_PTR(all);
    return 0;
}
