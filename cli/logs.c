#include "cli/logs.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/tail.h"
#include "cli/tail_query.h"
#include "cli/target.h"
#include "kube/discovery.h"
#include "kube/gvr.h"

static const char *const container_lists[] = {"spec.initContainers", "spec.containers",
                                              "spec.ephemeralContainers"};
static const char *const status_lists[] = {"status.containerStatuses", "status.initContainerStatuses",
                                           "status.ephemeralContainerStatuses"};

void logs_sources_release(struct logs_sources *s)
{
    for (size_t i = 0; i < s->len; i++) {
        free(s->items[i].namespace);
        free(s->items[i].pod);
        free(s->items[i].container);
        free(s->items[i].container_id);
    }
    free(s->items);
}

const cJSON *logs_container_status(const cJSON *pod, const char *container)
{
    for (size_t i = 0; i < ARRAY_LEN(status_lists); i++)
        json_each (status, json_at(pod, status_lists[i]))
            if (streq(json_str_or(status, "name", ""), container))
                return status;
    return NULL;
}

static void add_source(struct logs_sources *s, const cJSON *pod, const char *container)
{
    s->items = xreallocarray(s->items, s->len + 1, sizeof(*s->items));
    s->items[s->len++] = (struct logs_source){
        .namespace = xstrdup(json_str_or(pod, "metadata.namespace", "default")),
        .pod = xstrdup(json_str_or(pod, "metadata.name", "")),
        .container = xstrdup(container),
        .container_id = xstrdup(json_str_or(logs_container_status(pod, container), "containerID", "")),
    };
}

static bool has_container(const cJSON *pod, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(container_lists); i++)
        json_each (one, json_at(pod, container_lists[i]))
            if (streq(json_str_or(one, "name", ""), name))
                return true;
    return false;
}

/* The main container, when nobody said which. */
static int default_container(const cJSON *pod, const char **ret, struct err **err)
{
    const char *marked = cJSON_GetStringValue(
        json_atv(pod, "metadata", "annotations", "kubectl.kubernetes.io/default-container", NULL));
    _cleanup_strv_ char **names = strv_new();

    if (marked && has_container(pod, marked)) {
        *ret = marked;
        return 0;
    }
    const cJSON *containers = json_at(pod, "spec.containers");
    const char *first = json_str(containers ? containers->child : NULL, "name");
    if (!first)
        return err_set(err, ERR_INVALID, "pod %s has no containers", json_str_or(pod, "metadata.name", ""));
    static const size_t order[] = {1, 2, 0}; /* init containers last, as people count */
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        json_each (one, json_at(pod, container_lists[order[i]])) {
            const char *sort = order[i] == 0 ? " (init)" : order[i] == 2 ? " (ephem)" : "";
            _cleanup_free_ char *text = xasprintf("%s%s", json_str_or(one, "name", ""), sort);
            strv_push(&names, text);
        }
    if (strv_len(names) > 1) {
        _cleanup_free_ char *all = strv_join(names, ", ");
        cmd_note("Defaulted container \"%s\" out of: %s", first, all);
    }
    *ret = first;
    return 0;
}

static int add_pod(const struct logs_options *o, const cJSON *pod, const char *container,
                   struct logs_sources *s, struct err **err)
{
    if (o->all_containers) {
        for (size_t i = 0; i < ARRAY_LEN(container_lists); i++)
            json_each (one, json_at(pod, container_lists[i]))
                add_source(s, pod, json_str_or(one, "name", ""));
        return 0;
    }
    if (!container) {
        int r = default_container(pod, &container, err);
        if (r < 0)
            return r;
    } else if (!has_container(pod, container)) {
        return err_set(err, ERR_NOT_FOUND, "container %s is not valid for pod %s", container,
                       json_str_or(pod, "metadata.name", ""));
    }
    add_source(s, pod, container);
    return 0;
}

static int list_pods(struct cmd_ctx *c, const char *namespace, const char *labels, const char *fields,
                     cJSON **ret, struct err **err)
{
    _cleanup_buf_ struct buf query = BUF_INIT;

    cli_query_add(&query, "labelSelector", labels);
    cli_query_add(&query, "fieldSelector", fields);
    struct cli_request request = {
        .resource = kube_builtin_find("pods"), .namespace = namespace, .query = buf_str(&query)};
    return cli_request(c, &request, ret, err);
}

/* How much a Pod has to tell: one that runs before one that waits, a newer one before an older one. */
static bool tells_more(const cJSON *a, const cJSON *b)
{
    bool a_runs = streq(json_str_or(a, "status.phase", ""), "Running");
    bool b_runs = streq(json_str_or(b, "status.phase", ""), "Running");

    if (a_runs != b_runs)
        return a_runs;
    return strcmp(json_str_or(a, "metadata.creationTimestamp", ""),
                  json_str_or(b, "metadata.creationTimestamp", "")) > 0;
}

/* Leaves the Pods whose names match. */
static int keep_matching(cJSON *items, const char *pattern, struct err **err)
{
    struct tail_pattern *names = NULL;
    int r = pattern ? tail_pattern_new(pattern, "the name", &names, err) : 0;

    for (cJSON *pod = items && names ? items->child : NULL, *next; pod; pod = next) {
        next = pod->next;
        if (!tail_pattern_matches(names, json_str_or(pod, "metadata.name", "")))
            cJSON_Delete(cJSON_DetachItemViaPointer(items, pod));
    }
    tail_pattern_free(names);
    return r;
}

static int add_selected(struct cmd_ctx *c, const struct logs_options *o, const char *labels,
                        const char *pattern, const char *what, struct logs_sources *s, struct err **err)
{
    _cleanup_json_ cJSON *list = NULL;
    const cJSON *best = NULL;
    int r = list_pods(c, cmd_namespace(c), labels, NULL, &list, err);

    if (r == 0)
        r = keep_matching(json_get(list, "items"), pattern, err);
    if (r < 0)
        return r;
    const cJSON *items = json_get(list, "items");
    size_t n = (size_t)cJSON_GetArraySize(items);
    if (!n && !what) {
        cmd_note("No resources found in %s namespace.", cmd_namespace(c));
        return 0;
    }
    if (!n)
        return err_set(err, ERR_NOT_FOUND, "no pods of %s: its selector (%s) matches none in namespace %s",
                       what, labels, cmd_namespace(c));
    if (!what || o->all_pods) {
        json_each (pod, items)
            if ((r = add_pod(o, pod, o->container, s, err)) < 0)
                return r;
        return 0;
    }
    json_each (pod, items)
        if (!best || tells_more(pod, best))
            best = pod;
    if (n > 1)
        cmd_note("Found %zu pods, using pod/%s", n, json_str_or(best, "metadata.name", ""));
    return add_pod(o, best, o->container, s, err);
}

/* Our own kinds run on hosts, which speak for what they run. Hosts that are Pods are read. */

static void add_host(char ***hosts, const char *name)
{
    if (name && !strv_has(*hosts, name))
        strv_push(hosts, name);
}

static int host_pods(struct cmd_ctx *c, const struct logs_options *o, char **hosts, char ***ret_told,
                     struct logs_sources *s, struct err **err)
{
    for (char **host = hosts; *host; host++) {
        _cleanup_json_ cJSON *pods = NULL;
        _cleanup_free_ char *told = NULL;
        int r;

        tail_host_pods(c, *host, &pods, &told);
        strv_push(ret_told, told);
        json_each (pod, pods)
            if ((r = add_pod(o, pod, o->container, s, err)) < 0)
                return r;
    }
    return 0;
}

static int add_wasm(struct cmd_ctx *c, const struct logs_options *o, const struct kube_resource *resource,
                    const char *name, struct logs_sources *s, struct err **err)
{
    _cleanup_strv_ char **hosts = strv_new(), **told = strv_new();
    bool is_host = streq(resource->resource, "latticehosts");
    _cleanup_json_ cJSON *object = NULL;
    struct cli_request request = {
        .resource = resource, .namespace = cli_namespace_for(c, resource, false), .name = name};
    int r = cli_request(c, &request, &object, err);

    if (r < 0)
        return r;
    if (is_host)
        add_host(&hosts, name);
    json_each (placement, json_at(object, "status.placements"))
        add_host(&hosts, json_str(placement, "host"));
    if (!hosts[0])
        return err_set(err, ERR_UNSUPPORTED,
                       "%s/%s runs on no host yet, so nothing writes a log; see '%s describe %s %s'",
                       resource->resource, name, c->program, resource->resource, name);
    r = host_pods(c, o, hosts, &told, s, err);
    if (r < 0 || s->len)
        return r;
    _cleanup_free_ char *list = strv_join(told, ", ");
    return err_set(err, ERR_UNSUPPORTED,
                   "wasmCloud hosts write what components log into their own logs and do not send it out, "
                   "and %s no Pod of this cluster: look at the log of %s (journalctl, docker logs or "
                   "where the host process writes to)",
                   is_host ? "this host is" : "what runs it is", list);
}

static int add_named(struct cmd_ctx *c, const struct logs_options *o, const char *kind, const char *name,
                     const char *container, struct logs_sources *s, struct err **err)
{
    _cleanup_(tail_query_release) struct tail_query query = {0};
    _cleanup_json_ cJSON *pod = NULL;
    const struct kube_resource *resource = kube_builtin_find(kind);
    struct kube_client *client;
    int r = cmd_client(c, &client, err);

    if (r == 0 && !resource)
        r = kube_find_resource(client, kind, &resource, err);
    if (r < 0)
        return r;
    if (streq(resource->group, "wasmctl.dev") && !streq(resource->resource, "lattices"))
        return add_wasm(c, o, resource, name, s, err);
    if (streq(resource->resource, "pods") && !*resource->group) {
        struct cli_request request = {.resource = resource, .namespace = cmd_namespace(c), .name = name};
        r = cli_request(c, &request, &pod, err);
        return r < 0 ? r : add_pod(o, pod, container, s, err);
    }
    _cleanup_free_ char *text = xasprintf("%s/%s", kind, name);
    r = tail_query_resolve(c, text, cmd_namespace(c), &query, err);
    return r < 0 ? r : add_selected(c, o, query.label_selector, query.pattern, text, s, err);
}

int logs_find(struct cmd_ctx *c, const struct logs_options *o, struct logs_sources *ret, struct err **err)
{
    const char *slash = c->argc ? strchr(c->argv[0], '/') : NULL;
    _cleanup_logs_sources_ struct logs_sources s = {0};
    int r;

    if (!c->argc) {
        r = add_selected(c, o, o->selector, NULL, NULL, &s, err);
    } else if (slash) {
        _cleanup_free_ char *kind = xstrndup(c->argv[0], (size_t)(slash - c->argv[0]));
        if (!*kind || !slash[1] || strchr(slash + 1, '/'))
            return cmd_usage(c, err, "\"%s\" is no KIND/NAME", c->argv[0]);
        r = add_named(c, o, kind, slash + 1, c->argc > 1 ? c->argv[1] : o->container, &s, err);
    } else {
        r = add_named(c, o, "pods", c->argv[0], c->argc > 1 ? c->argv[1] : o->container, &s, err);
    }
    if (r < 0)
        return r;
    *ret = s;
    s = (struct logs_sources){0};
    return 0;
}
