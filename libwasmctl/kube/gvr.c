#include "kube/gvr.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#define SHORT(...) ((char *[]){__VA_ARGS__, NULL})

#define ROW(g, v, plural, k, one, shorts, cats, ns)                                                          \
    {                                                                                                        \
        .group = (char *)(g), .version = (char *)(v), .resource = (char *)(plural), .kind = (char *)(k),     \
        .singular = (char *)(one), .short_names = (shorts), .categories = (cats), .namespaced = (ns)         \
    }
#define OUR_ROW(plural, k, one, shorts, cats, ns)                                                            \
    ROW("wasmctl.dev", "v1alpha1", plural, k, one, shorts, cats, ns)

static const struct kube_resource builtin[] = {
    OUR_ROW("wasmactors", "WasmActor", "wasmactor", SHORT((char *)"wa", (char *)"actor"),
            SHORT((char *)"wasm", (char *)"all"), true),
    OUR_ROW("wasmproviders", "WasmProvider", "wasmprovider", SHORT((char *)"wp", (char *)"provider"),
            SHORT((char *)"wasm", (char *)"all"), true),
    OUR_ROW("lattices", "Lattice", "lattice", SHORT((char *)"lat"), SHORT((char *)"wasm"), false),
    OUR_ROW("latticehosts", "LatticeHost", "latticehost", SHORT((char *)"lh"), SHORT((char *)"wasm"), false),
    ROW("", "v1", "pods", "Pod", "pod", SHORT((char *)"po"), SHORT((char *)"all"), true),
    ROW("", "v1", "namespaces", "Namespace", "namespace", SHORT((char *)"ns"), NULL, false),
    ROW("", "v1", "nodes", "Node", "node", SHORT((char *)"no"), NULL, false),
    ROW("", "v1", "services", "Service", "service", SHORT((char *)"svc"), SHORT((char *)"all"), true),
    ROW("", "v1", "configmaps", "ConfigMap", "configmap", SHORT((char *)"cm"), NULL, true),
    ROW("", "v1", "secrets", "Secret", "secret", NULL, NULL, true),
    ROW("", "v1", "events", "Event", "event", SHORT((char *)"ev"), NULL, true),
    ROW("", "v1", "serviceaccounts", "ServiceAccount", "serviceaccount", SHORT((char *)"sa"), NULL, true),
    ROW("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "persistentvolumeclaim",
        SHORT((char *)"pvc"), NULL, true),
    ROW("", "v1", "persistentvolumes", "PersistentVolume", "persistentvolume", SHORT((char *)"pv"), NULL,
        false),
    ROW("apps", "v1", "deployments", "Deployment", "deployment", SHORT((char *)"deploy"),
        SHORT((char *)"all"), true),
    ROW("apps", "v1", "replicasets", "ReplicaSet", "replicaset", SHORT((char *)"rs"), SHORT((char *)"all"),
        true),
    ROW("apps", "v1", "statefulsets", "StatefulSet", "statefulset", SHORT((char *)"sts"),
        SHORT((char *)"all"), true),
    ROW("apps", "v1", "daemonsets", "DaemonSet", "daemonset", SHORT((char *)"ds"), SHORT((char *)"all"),
        true),
    ROW("apps", "v1", "controllerrevisions", "ControllerRevision", "controllerrevision", NULL, NULL, true),
    ROW("batch", "v1", "jobs", "Job", "job", NULL, SHORT((char *)"all"), true),
    ROW("batch", "v1", "cronjobs", "CronJob", "cronjob", SHORT((char *)"cj"), SHORT((char *)"all"), true),
    ROW("coordination.k8s.io", "v1", "leases", "Lease", "lease", NULL, NULL, true),
    ROW("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "endpointslice", NULL, NULL, true),
    ROW("events.k8s.io", "v1", "events", "Event", "event", SHORT((char *)"ev"), NULL, true),
    ROW("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition",
        "customresourcedefinition", SHORT((char *)"crd", (char *)"crds"), NULL, false),
    ROW("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", "clusterrole", NULL, NULL, false),
    ROW("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", "clusterrolebinding",
        NULL, NULL, false),
    ROW("rbac.authorization.k8s.io", "v1", "roles", "Role", "role", NULL, NULL, true),
    ROW("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", "rolebinding", NULL, NULL, true),
    ROW("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "networkpolicy",
        SHORT((char *)"netpol"), NULL, true),
    ROW("networking.k8s.io", "v1", "ingresses", "Ingress", "ingress", SHORT((char *)"ing"), NULL, true),
    ROW("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "poddisruptionbudget",
        SHORT((char *)"pdb"), NULL, true),
};

const struct kube_resource *kube_builtin(size_t i)
{
    return i < ARRAY_LEN(builtin) ? &builtin[i] : NULL;
}

static bool named(const struct kube_resource *r, const char *word)
{
    if (streq(word, r->resource) || streq(word, r->singular))
        return true;
    return strv_has(r->short_names, word);
}

const struct kube_resource *kube_builtin_find(const char *word)
{
    _cleanup_free_ char *lower = str_lower(word);

    /* "plural.group" or "plural.version.group": the first dot ends the name, group names have dots of their
     * own. */
    char *dot = strchr(lower, '.');
    const char *group = NULL;
    if (dot) {
        *dot = '\0';
        group = dot + 1;
    }
    for (size_t i = 0; i < ARRAY_LEN(builtin); i++) {
        const struct kube_resource *r = &builtin[i];
        if (!named(r, lower))
            continue;
        if (!group || streq(group, r->group))
            return r;
        _cleanup_free_ char *versioned = xasprintf("%s.%s", r->version, r->group);
        if (streq(group, versioned))
            return r;
    }
    return NULL;
}

const struct kube_resource *kube_builtin_kind(const char *api_version, const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(builtin); i++) {
        if (!streq(builtin[i].kind, kind))
            continue;
        _cleanup_free_ char *version = kube_api_version(&builtin[i]);
        if (streq(version, api_version))
            return &builtin[i];
    }
    return NULL;
}

char *kube_api_version(const struct kube_resource *r)
{
    return *r->group ? xasprintf("%s/%s", r->group, r->version) : xstrdup(r->version);
}

char *kube_resource_display(const struct kube_resource *r)
{
    return *r->group ? xasprintf("%s.%s", r->singular, r->group) : xstrdup(r->singular);
}

static void add_escaped(struct buf *b, const char *s, const char *keep)
{
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        if (isalnum(*p) || strchr("-._~", *p) || (keep && strchr(keep, *p)))
            buf_addc(b, (char)*p);
        else
            buf_addf(b, "%%%02X", *p);
    }
}

char *kube_query_escape(const char *s)
{
    struct buf b = BUF_INIT;

    add_escaped(&b, s, NULL);
    return buf_take(&b);
}

char *kube_path(const struct kube_resource *r, const char *ns, const char *name, const char *subresource)
{
    struct buf b = BUF_INIT;

    if (*r->group)
        buf_addf(&b, "/apis/%s/%s", r->group, r->version);
    else
        buf_addf(&b, "/api/%s", r->version);
    if (ns && r->namespaced) {
        buf_adds(&b, "/namespaces/");
        add_escaped(&b, ns, ":");
    }
    buf_addf(&b, "/%s", r->resource);
    if (name) {
        buf_addc(&b, '/');
        add_escaped(&b, name, ":");
    }
    if (subresource)
        buf_addf(&b, "/%s", subresource);
    return buf_take(&b);
}

struct kube_resource *kube_resource_copy(const struct kube_resource *r)
{
    struct kube_resource *copy = xcalloc(1, sizeof(*copy));

    *copy = (struct kube_resource){
        .group = xstrdup(r->group),
        .version = xstrdup(r->version),
        .resource = xstrdup(r->resource),
        .kind = xstrdup(r->kind),
        .singular = xstrdup(r->singular),
        .short_names = strv_copy(r->short_names),
        .categories = strv_copy(r->categories),
        .verbs = r->verbs ? strv_copy(r->verbs) : NULL,
        .namespaced = r->namespaced,
    };
    return copy;
}

void kube_resource_free(struct kube_resource *r)
{
    if (!r)
        return;
    free(r->group);
    free(r->version);
    free(r->resource);
    free(r->kind);
    free(r->singular);
    strv_free(r->short_names);
    strv_free(r->categories);
    strv_free(r->verbs);
    free(r);
}
