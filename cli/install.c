#include "cli/install.h"

#include "base/mem.h"
#include "base/str.h"
#include "kube/discovery.h"

const char *const install_kinds[] = {
    "deployments.apps",
    "servicemonitors.monitoring.coreos.com",
    "networkpolicies.networking.k8s.io",
    "poddisruptionbudgets.policy",
    "services",
    "rolebindings.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "serviceaccounts",
    NULL,
};

static void put_label(cJSON *object, const char *key, const char *value)
{
    cJSON *labels = json_at(object, "metadata.labels");

    if (!labels) {
        labels = cJSON_CreateObject();
        json_set(object, "metadata.labels", labels);
    }
    json_put_str(labels, key, value);
}

static void move_namespace(const struct install_settings *s, cJSON *object)
{
    if (streq(json_str_or(object, "kind", ""), "Namespace"))
        json_set_str(object, "metadata.name", s->namespace);
    if (json_str(object, "metadata.namespace"))
        json_set_str(object, "metadata.namespace", s->namespace);
    json_each (subject, json_get(object, "subjects"))
        if (json_str(subject, "namespace"))
            json_put_str(subject, "namespace", s->namespace);
}

static void adapt_deployment(const struct install_settings *s, cJSON *object)
{
    cJSON *pod = json_at(object, "spec.template.spec");

    if (s->replicas)
        json_set_int(object, "spec.replicas", s->replicas);
    json_each (container, json_get(pod, "containers"))
        if (s->image)
            json_put_str(container, "image", s->image);
    if (s->pull_secret) {
        cJSON *list = cJSON_CreateArray();
        cJSON_AddItemToArray(list, json_object("name", s->pull_secret, NULL));
        json_put(pod, "imagePullSecrets", list);
    }
}

bool install_adapt(const struct install_settings *s, cJSON *object)
{
    const char *kind = json_str_or(object, "kind", "");

    if (streq(kind, "ServiceMonitor") && !s->service_monitor)
        return false;
    if (streq(kind, "NetworkPolicy") && !s->network_policy)
        return false;
    put_label(object, "app.kubernetes.io/part-of", "wasmctl");
    put_label(object, "app.kubernetes.io/managed-by", "wasmctl");
    move_namespace(s, object);
    if (streq(kind, "Deployment"))
        adapt_deployment(s, object);
    return true;
}

int install_load(const struct cli_crd *table, const struct install_settings *s, struct manifests *ret,
                 struct err **err)
{
    _cleanup_manifests_ struct manifests set = {0};

    for (const struct cli_crd *file = table; file->name; file++) {
        int r = manifests_parse(&set, file->text, *file->len, file->name, err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < set.len; i++) {
        if (!install_adapt(s, set.items[i].object))
            continue;
        ret->items = xreallocarray(ret->items, ret->len + 1, sizeof(*ret->items));
        ret->items[ret->len++] = set.items[i];
        set.items[i] = (struct manifest){0};
    }
    return 0;
}

/* What is in the cluster */

static int find_kind(struct cmd_ctx *c, const char *kind, const char *namespace, struct cli_targets *ret,
                     struct err **err)
{
    _cleanup_targets_ struct cli_targets given = {0};
    const struct kube_resource *resource = kube_builtin_find(kind);
    struct kube_client *client;
    int r = cmd_client(c, &client, err);

    if (r == 0 && !resource) {
        struct err *e = NULL;
        r = kube_find_resource(client, kind, &resource, &e);
        if (r == ERR_NOT_FOUND) {
            err_free(e);
            return 0;
        }
        err_move(err, e);
    }
    if (r < 0)
        return r;
    cli_targets_add(&given, resource, resource->namespaced ? namespace : NULL, NULL);
    return cli_targets_expand(c, &given, INSTALL_SELECTOR, NULL, ret, err);
}

int install_find(struct cmd_ctx *c, const char *namespace, struct cli_targets *ret, struct err **err)
{
    for (const char *const *kind = install_kinds; *kind; kind++) {
        int r = find_kind(c, *kind, namespace, ret, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int install_delete(struct cmd_ctx *c, const struct cli_target *t, bool dry_run, struct err **err)
{
    struct err *e = NULL;
    struct cli_request request = {
        .method = "DELETE",
        .resource = t->resource,
        .namespace = t->namespace,
        .name = t->name,
        .query = dry_run ? "dryRun=All" : NULL,
        .body = "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"Background\"}",
        .content_type = "application/json",
    };
    int r = cli_request(c, &request, NULL, &e);

    if (r < 0 && e->http == 404) {
        err_free(e);
        return 0;
    }
    return err_move(err, e);
}

void install_say_deleted(const struct cli_target *t, bool dry_run)
{
    _cleanup_free_ char *kind = kube_resource_display(t->resource);

    cmd_out("%s/%s deleted%s\n", kind, t->name, dry_run ? " (server dry run)" : "");
    cmd_flush();
}
