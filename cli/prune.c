#include "cli/prune.h"

#include <stdlib.h>

#include "base/str.h"
#include "kube/discovery.h"
#include "kube/watch.h"

/* Claims and volumes hold data, and namespaces everything: these are pruned only when they are named. */
static const char *const default_kinds[][2] = {
    {"wasmctl.dev/v1alpha1", "WasmActor"},
    {"wasmctl.dev/v1alpha1", "WasmProvider"},
    {"v1", "ConfigMap"},
    {"v1", "Secret"},
    {"v1", "Service"},
    {"v1", "Pod"},
    {"apps/v1", "Deployment"},
    {"apps/v1", "StatefulSet"},
    {"apps/v1", "DaemonSet"},
    {"apps/v1", "ReplicaSet"},
    {"batch/v1", "Job"},
    {"batch/v1", "CronJob"},
    {"networking.k8s.io/v1", "Ingress"},
};

static void add_kind(struct prune_kinds *kinds, const struct kube_resource *r)
{
    kinds->items = xreallocarray(kinds->items, kinds->len + 1, sizeof(*kinds->items));
    kinds->items[kinds->len++] = r;
}

static int find_kind(struct cmd_ctx *c, const char *word, struct prune_kinds *kinds, struct err **err)
{
    _cleanup_strv_ char **parts = strv_split(word, '/', true);
    struct kube_client *client;

    if (strv_len(parts) != 3 || !*parts[1] || !*parts[2])
        return err_set(err, ERR_INVALID,
                       "invalid GroupVersionKind format: %s, please follow <group/version/kind>", word);
    bool core = !*parts[0] || streq(parts[0], "core");
    _cleanup_free_ char *version = core ? xstrdup(parts[1]) : xasprintf("%s/%s", parts[0], parts[1]);
    const struct kube_resource *r = kube_builtin_kind(version, parts[2]);
    if (!r) {
        int code = cmd_client(c, &client, err);
        if (code == 0)
            code = kube_find_kind(client, version, parts[2], &r, err);
        if (code < 0)
            return code;
    }
    add_kind(kinds, r);
    return 0;
}

int prune_kinds_find(struct cmd_ctx *c, char *const *allowlist, struct prune_kinds *ret, struct err **err)
{
    _cleanup_(prune_kinds_release) struct prune_kinds kinds = {0};

    for (size_t i = 0; !allowlist && i < ARRAY_LEN(default_kinds); i++) {
        const struct kube_resource *r = kube_builtin_kind(default_kinds[i][0], default_kinds[i][1]);
        if (r)
            add_kind(&kinds, r);
    }
    for (; allowlist && *allowlist; allowlist++) {
        int r = find_kind(c, *allowlist, &kinds, err);
        if (r < 0)
            return r;
    }
    *ret = kinds;
    kinds = (struct prune_kinds){0};
    return 0;
}

void prune_list_release(struct prune_list *l)
{
    for (size_t i = 0; i < l->found.len; i++) {
        free(l->found.items[i].namespace);
        free(l->found.items[i].name);
        free(l->found.items[i].uid);
    }
    free(l->found.items);
}

struct listing {
    const struct kube_resource *resource;
    const struct prune_how *how;
    const struct manifests *set;
    struct prune_list *list;
};

static bool in_set(const struct listing *l, const char *namespace, const char *name)
{
    for (size_t i = 0; i < l->set->len; i++) {
        const struct manifest *m = &l->set->items[i];
        if (m->resource && streq(m->resource->group, l->resource->group) &&
            streq(m->resource->kind, l->resource->kind) && streq_null(manifest_namespace(m), namespace) &&
            streq(manifest_name(m), name))
            return true;
    }
    return false;
}

static bool is_ours(const struct listing *l, const cJSON *object)
{
    json_each (entry, json_at(object, "metadata.managedFields"))
        if (streq(json_str_or(entry, "operation", ""), "Apply") &&
            streq(json_str_or(entry, "manager", ""), l->how->field_manager))
            return true;
    return false;
}

static int take_page(void *arg, cJSON *page, struct err **err _unused_)
{
    const struct listing *l = arg;

    json_each (item, json_get(page, "items")) {
        const char *namespace = json_str(item, "metadata.namespace");
        const char *name = json_str_or(item, "metadata.name", "");
        if (!is_ours(l, item) || json_str(item, "metadata.deletionTimestamp") || in_set(l, namespace, name))
            continue;
        vec_push(&l->list->found, ((struct prune_found){l->resource, xstrdup_null(namespace), xstrdup(name),
                                                        xstrdup_null(json_str(item, "metadata.uid"))}));
    }
    return 0;
}

static int find_in(struct cmd_ctx *c, struct listing *l, const char *namespace, struct err **err)
{
    _cleanup_free_ char *path = kube_path(l->resource, namespace, NULL, NULL);
    _cleanup_buf_ struct buf query = BUF_INIT;
    struct kube_client *client;
    struct err *e = NULL;
    int r = cmd_client(c, &client, err);

    if (r < 0)
        return r;
    cli_query_add(&query, "labelSelector", l->how->selector);
    r = kube_list_wait(client, path, buf_str(&query), CLI_AS_METADATA_LIST, 0, take_page, l, NULL, &e);
    if (r == 0)
        return 0;
    /* The kind is not served: there can be nothing of it. */
    if (e->http == 404) {
        err_free(e);
        return 0;
    }
    err_wrap(&e, "cannot list %s to prune them", l->resource->resource);
    return err_move(err, e);
}

int prune_find(struct cmd_ctx *c, const struct prune_how *how, const struct prune_kinds *kinds,
               const struct manifests *set, struct prune_list *ret, struct err **err)
{
    _cleanup_(prune_list_release) struct prune_list list = {0};
    _cleanup_strv_ char **namespaces = strv_new();

    for (size_t i = 0; i < set->len; i++) {
        const char *namespace = manifest_namespace(&set->items[i]);
        if (namespace && !strv_has(namespaces, namespace))
            strv_push(&namespaces, namespace);
    }
    for (size_t i = 0; i < kinds->len; i++) {
        struct listing l = {kinds->items[i], how, set, &list};
        char *const nowhere[] = {NULL};
        int r = l.resource->namespaced ? 0 : find_in(c, &l, NULL, err);
        for (char *const *n = l.resource->namespaced ? namespaces : nowhere; r == 0 && *n; n++)
            r = find_in(c, &l, *n, err);
        if (r < 0)
            return r;
    }
    *ret = list;
    list = (struct prune_list){0};
    return 0;
}
