#include "dev/node/node.h"

#include <fnmatch.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "dev/node/objects.h"
#include "kube/watch.h"

enum { RETRY_MS = 500, LEASE_MS = 10 * 1000 };

/* An object the node keeps in the API server. */
struct item {
    struct dev_node *node;
    struct dev_pod *pod;     /* NULL: of the node itself */
    char *ns;                /* a namespace that must be there; else NULL */
    uint64_t object, status; /* hashes of what was sent last; 0 = nothing */
    uint64_t sending;        /* hash of what is on its way */
    bool sending_status, creating;
    bool exists; /* a Pod: it was there when we asked last */
    struct kube_req *req;
};

struct dev_node {
    struct loop *loop;
    char *name, *version;
    int64_t since_ns;
    struct kube_client *client;
    struct dev_http *kubelet, *control;
    struct dev_streams streams;
    bool (*more_control)(void *arg, struct dev_exchange *x);
    void *arg;
    VEC(struct item *) namespaces;
    VEC(struct item *) pods;
    VEC(struct removal *) removals;
    struct item *self;
    struct kube_watch *watch;
    struct kube_req *lease;
    struct loop_timer *retry, *lease_timer;
    struct loop_defer *later;
    bool complete;
};

static void step_all(void *arg);

/* Writing objects */

static bool namespaces_there(const struct dev_node *n)
{
    for (size_t i = 0; i < n->namespaces.len; i++)
        if (!n->namespaces.items[i]->object)
            return false;
    return true;
}

static cJSON *make_object(const struct item *t)
{
    return t->pod  ? dev_pod_object(t->pod, t->node->name)
           : t->ns ? dev_namespace_object(t->ns)
                   : dev_node_object(t->node->name);
}

static cJSON *make_status(const struct item *t)
{
    const struct dev_node *n = t->node;

    return t->pod ? dev_pod_status(t->pod)
                  : dev_node_status(n->name, n->version, dev_http_port(n->kubelet), n->since_ns);
}

static bool step(struct item *t);
static void step_later(struct dev_node *n);

/* A Pod that is to be deleted, until the API server has done it. */
struct removal {
    struct dev_node *node;
    char *ns, *name;
    struct kube_req *req;
};

static void removal_free(struct removal *r)
{
    kube_req_cancel(r->req);
    free(r->ns);
    free(r->name);
    free(r);
}

static struct item *find(const struct dev_node *n, const char *ns, const char *name);

static void on_removed(void *arg, const struct kube_response *response _unused_, const struct err *e)
{
    struct removal *r = arg;
    struct dev_node *n = r->node;

    r->req = NULL;
    if (e && e->http != 404 && e->http != 403) {
        if (!loop_timer_active(n->retry))
            loop_timer_start(n->retry, RETRY_MS);
        return;
    }
    for (size_t i = 0; i < n->removals.len; i++)
        if (n->removals.items[i] == r) {
            vec_remove(&n->removals, i);
            break;
        }
    removal_free(r);
}

static void remove_now(struct removal *r)
{
    _cleanup_free_ char *path = kube_path(kube_builtin_find("pods"), r->ns, r->name, NULL);
    struct kube_call call = {
        .method = "DELETE", .path = path, .query = "gracePeriodSeconds=0", .done = on_removed, .arg = r};

    if (!r->req)
        r->req = kube_do(r->node->client, &call);
}

static void delete_pod(struct dev_node *n, const char *ns, const char *name)
{
    struct removal *r = xcalloc(1, sizeof(*r));

    *r = (struct removal){.node = n, .ns = xstrdup(ns), .name = xstrdup(name)};
    vec_push(&n->removals, r);
    remove_now(r);
}

static void on_sent(void *arg, const struct kube_response *response _unused_, const struct err *e)
{
    struct item *t = arg;
    struct dev_node *n = t->node;

    t->req = NULL;
    if (!e) {
        t->exists = true;
        *(t->sending_status ? &t->status : &t->object) = t->sending;
        /* A namespace: the others wait for it. */
        if (t->ns)
            step_later(n);
        else
            step(t);
        return;
    }
    log_debug("the API server did not take an object", "object",
              t->pod  ? t->pod->name
              : t->ns ? t->ns
                      : n->name,
              "why", err_text(e), NULL);
    if (e->http == 409 && t->creating) {
        t->exists = true;
        step(t);
        return;
    }
    if (e->http == 404 && t->sending_status) {
        t->object = 0;
        t->exists = false;
    }
    if (e->http == 422 && t->pod && !t->sending_status)
        delete_pod(n, t->pod->namespace, t->pod->name); /* it is another one by that name */
    if (!loop_timer_active(n->retry))
        loop_timer_start(n->retry, RETRY_MS);
}

/* A new Pod is created: that costs the server a fraction of what applying it would. */
static void send(struct item *t, const cJSON *o, bool status)
{
    bool create = t->pod && !status && !t->exists, patch = t->pod && status;
    _cleanup_free_ char *path = create ? dev_object_folder(o) : dev_object_path(o, status ? "status" : NULL);
    _cleanup_free_ char *body = json_print(o);
    struct kube_call call = {.method = create ? "POST" : "PATCH",
                             .path = path,
                             .query = create || patch ? "fieldManager=wasmctl-node"
                                                      : "fieldManager=wasmctl-node&force=true",
                             .body = body,
                             .content_type = create  ? "application/json"
                                             : patch ? KUBE_MERGE_PATCH
                                                     : KUBE_APPLY_YAML,
                             .done = on_sent,
                             .arg = t};

    t->sending_status = status;
    t->creating = create;
    t->req = kube_do(t->node->client, &call);
}

/* Whether there was nothing to send. */
static bool step(struct item *t)
{
    if (t->req)
        return false;
    _cleanup_json_ cJSON *object = make_object(t);
    t->sending = json_hash(object);
    if (t->sending != t->object) {
        send(t, object, false);
        return false;
    }
    if (t->ns)
        return true;
    _cleanup_json_ cJSON *status = make_status(t);
    t->sending = json_hash(status);
    if (t->sending == t->status)
        return true;
    send(t, status, true);
    return false;
}

static void step_all(void *arg)
{
    struct dev_node *n = arg;

    n->later = NULL;
    step(n->self);
    for (size_t i = 0; i < n->namespaces.len; i++)
        step(n->namespaces.items[i]);
    for (size_t i = 0; i < n->pods.len && namespaces_there(n); i++)
        step(n->pods.items[i]);
}

static void on_retry(void *arg)
{
    struct dev_node *n = arg;

    for (size_t i = n->removals.len; i-- > 0;) {
        struct removal *r = n->removals.items[i];
        if (!find(n, r->ns, r->name)) {
            remove_now(r);
        } else if (!r->req) { /* there is a new one by that name */
            removal_free(r);
            vec_remove(&n->removals, i);
        }
    }
    if (!n->later)
        step_all(n);
}

static void step_later(struct dev_node *n)
{
    if (!n->later)
        n->later = loop_defer(n->loop, step_all, n);
}

void dev_node_leave(struct dev_node *n)
{
    _cleanup_json_ cJSON *node = dev_node_object(n->name), *lease = dev_node_lease(n->name, 0);
    const cJSON *objects[] = {node, lease};

    loop_timer_stop(n->lease_timer);
    loop_timer_stop(n->retry);
    kube_req_cancel(TAKE_PTR(n->lease));
    kube_req_cancel(TAKE_PTR(n->self->req));
    for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
        _cleanup_free_ char *path = dev_object_path(objects[i], NULL);
        struct kube_call call = {.method = "DELETE", .path = path};
        kube_do(n->client, &call);
    }
}

bool dev_node_is_settled(const struct dev_node *n)
{
    if (!n->complete || n->self->req || !n->self->status || !namespaces_there(n))
        return false;
    for (size_t i = 0; i < n->pods.len; i++)
        if (n->pods.items[i]->req || !n->pods.items[i]->object || !n->pods.items[i]->status)
            return false;
    return true;
}

/* Lease */

static void on_lease(void *arg, const struct kube_response *response _unused_, const struct err *e)
{
    struct dev_node *n = arg;

    n->lease = NULL;
    loop_timer_start(n->lease_timer, e ? RETRY_MS : LEASE_MS);
}

static void send_lease(void *arg)
{
    struct dev_node *n = arg;
    _cleanup_json_ cJSON *o = dev_node_lease(n->name, time_now_ns());
    _cleanup_free_ char *path = dev_object_path(o, NULL), *body = json_print(o);
    struct kube_call call = {.method = "PATCH",
                             .path = path,
                             .query = "fieldManager=wasmctl-node&force=true",
                             .body = body,
                             .content_type = KUBE_APPLY_YAML,
                             .done = on_lease,
                             .arg = n};

    n->lease = kube_do(n->client, &call);
}

/* Watching the Pods of the node */

static struct item *find(const struct dev_node *n, const char *ns, const char *name)
{
    for (size_t i = 0; i < n->pods.len; i++)
        if (streq(n->pods.items[i]->pod->name, name) && streq(n->pods.items[i]->pod->namespace, ns))
            return n->pods.items[i];
    return NULL;
}

static void on_pod(void *arg, enum kube_event type, cJSON *o)
{
    struct dev_node *n = arg;
    const char *ns = json_str_or(o, "metadata.namespace", ""), *name = json_str_or(o, "metadata.name", "");
    struct item *t = find(n, ns, name);

    if (type == KUBE_DELETED) {
        if (t) {
            t->object = t->status = 0;
            t->exists = false;
            step_later(n);
        }
    } else if (json_str(o, "metadata.deletionTimestamp") || (!t && n->complete)) {
        delete_pod(n, ns, name);
    }
}

void dev_node_complete(struct dev_node *n)
{
    _cleanup_free_ char *selector = xasprintf("spec.nodeName=%s", n->name);
    const struct kube_watch_options o = {
        .resource = kube_builtin_kind("v1", "Pod"), .field_selector = selector, .event = on_pod, .arg = n};

    if (n->complete)
        return;
    n->complete = true;
    n->watch = kube_watch_new(n->client, &o);
    step_later(n);
}

/* Pods */

void dev_run_release(struct dev_run *r)
{
    free(r->container_id);
    *r = (struct dev_run){0};
}

static struct item *item_new(struct dev_node *n)
{
    struct item *t = xcalloc(1, sizeof(*t));

    t->node = n;
    return t;
}

static void item_free(struct item *t)
{
    if (!t)
        return;
    kube_req_cancel(t->req);
    if (t->pod) {
        dev_run_release(&t->pod->now);
        dev_run_release(&t->pod->last);
        cJSON_Delete(t->pod->labels);
        cJSON_Delete(t->pod->annotations);
        free(t->pod->namespace);
        free(t->pod->name);
        free(t->pod->container);
        free(t->pod->image);
        free(t->pod);
    }
    free(t->ns);
    free(t);
}

static void want_namespace(struct dev_node *n, const char *ns)
{
    for (size_t i = 0; i < n->namespaces.len; i++)
        if (streq(n->namespaces.items[i]->ns, ns))
            return;
    struct item *t = item_new(n);
    t->ns = xstrdup(ns);
    vec_push(&n->namespaces, t);
}

struct dev_pod *dev_node_pod_add(struct dev_node *n, const char *ns, const char *name)
{
    struct item *t = item_new(n);

    want_namespace(n, ns);
    t->pod = xcalloc(1, sizeof(*t->pod));
    t->pod->namespace = xstrdup(ns);
    t->pod->name = xstrdup(name);
    vec_push(&n->pods, t);
    return t->pod;
}

static size_t index_of(const struct dev_node *n, const struct dev_pod *pod)
{
    size_t i = 0;

    while (n->pods.items[i]->pod != pod)
        i++;
    return i;
}

void dev_node_pod_changed(struct dev_node *n, struct dev_pod *pod)
{
    if (namespaces_there(n))
        step(n->pods.items[index_of(n, pod)]);
    else
        step_later(n);
}

void dev_node_pod_remove(struct dev_node *n, struct dev_pod *pod)
{
    size_t i = index_of(n, pod);

    delete_pod(n, pod->namespace, pod->name);
    item_free(n->pods.items[i]);
    vec_remove(&n->pods, i);
}

size_t dev_node_each(struct dev_node *n, const char *pattern, void (*fn)(void *arg, struct dev_pod *pod),
                     void *arg)
{
    size_t count = 0;

    for (size_t i = n->pods.len; i-- > 0;) {
        struct dev_pod *pod = n->pods.items[i]->pod;
        if (fnmatch(pattern, pod->name, 0) != 0)
            continue;
        fn(arg, pod);
        count++;
    }
    return count;
}

struct dev_streams *dev_node_streams(struct dev_node *n)
{
    return &n->streams;
}

/* What a kubelet serves */

void dev_exchange_json(struct dev_exchange *x, int status, cJSON *o)
{
    _cleanup_free_ char *text = json_print(o);
    _cleanup_free_ char *line = xasprintf("%s\n", text);

    dev_exchange_reply(x, status, "application/json", line, strlen(line));
    cJSON_Delete(o);
}

static void reply_text(struct dev_exchange *x, int status, const char *fmt, ...) _printf_(3, 4);
static void reply_text(struct dev_exchange *x, int status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    dev_exchange_reply(x, status, "text/plain; charset=utf-8", text, strlen(text));
}

/* The log of the run that is asked for; NULL: the answer says why there is none. */
static struct dev_log *log_of(const struct dev_pod *pod, bool previous, struct dev_exchange *x)
{
    const struct dev_run *run = previous ? &pod->last : &pod->now;

    if (previous && !run->container_id)
        reply_text(x, 400, "previous terminated container \"%s\" in pod \"%s\" not found", pod->container,
                   pod->name);
    else if (!run->container_id)
        reply_text(x, 400, "container \"%s\" in pod \"%s\" is waiting to start: ContainerCreating",
                   pod->container, pod->name);
    else if (!run->log)
        reply_text(x, 400, "unable to retrieve container logs for wasmctl://%s", run->container_id);
    else
        return run->log;
    return NULL;
}

static void serve_log(struct dev_node *n, char **parts, struct dev_exchange *x)
{
    _cleanup_err_ struct err *problem = NULL;
    struct dev_stream_request request;
    int status;

    if (strv_len(parts) != 4) {
        reply_text(x, 404, "404 page not found\n");
        return;
    }
    if (dev_stream_parse(dev_exchange_query(x), time_now_ns(), &request, &status, &problem) < 0) {
        reply_text(x, status, "%s", err_text(problem));
        return;
    }
    struct item *t = find(n, parts[1], parts[2]);
    if (!t) {
        reply_text(x, 404, "pod \"%s\" does not exist\n", parts[2]);
        return;
    }
    if (!streq(t->pod->container, parts[3])) {
        reply_text(x, 404, "container \"%s\" not found in pod \"%s\"\n", parts[3], parts[2]);
        return;
    }
    struct dev_log *log = log_of(t->pod, request.previous, x);
    if (log)
        dev_stream_start(&n->streams, t->pod->name, log, &request, x);
}

static void serve_pods(struct dev_node *n, struct dev_exchange *x)
{
    cJSON *list = json_object("apiVersion", "v1", "kind", "PodList", NULL), *items = cJSON_CreateArray();

    for (size_t i = 0; i < n->pods.len; i++) {
        cJSON *o = dev_pod_object(n->pods.items[i]->pod, n->name);
        _cleanup_json_ cJSON *status = dev_pod_status(n->pods.items[i]->pod);
        json_set(o, "status", cJSON_Duplicate(json_get(status, "status"), true));
        cJSON_AddItemToArray(items, o);
    }
    json_set(list, "metadata", cJSON_CreateObject());
    json_set(list, "items", items);
    dev_exchange_json(x, 200, list);
}

static void on_kubelet(void *arg, struct dev_exchange *x)
{
    struct dev_node *n = arg;
    _cleanup_strv_ char **raw = strv_split(dev_exchange_path(x), '/', false), **parts = strv_new();

    for (char **p = raw; *p; p++) {
        _cleanup_free_ char *part = dev_url_decode(*p, strlen(*p), false);
        strv_push(&parts, part ? part : "");
    }
    if (!streq(dev_exchange_method(x), "GET"))
        reply_text(x, 405, "405: Method Not Allowed\n");
    else if (parts[0] && streq(parts[0], "containerLogs"))
        serve_log(n, parts, x);
    else if (streq(dev_exchange_path(x), "/healthz"))
        reply_text(x, 200, "ok");
    else if (streq(dev_exchange_path(x), "/pods") || streq(dev_exchange_path(x), "/pods/"))
        serve_pods(n, x);
    else
        reply_text(x, 404, "404 page not found\n");
}

/* Control */

static void reply_error(struct dev_exchange *x, int status, const char *text)
{
    dev_exchange_json(x, status, json_object("error", text, NULL));
}

static void make_fault(struct dev_node *n, struct dev_exchange *x)
{
    _cleanup_err_ struct err *problem = NULL;
    struct dev_fault *fault;

    if (n->streams.faults.list.len >= DEV_FAULTS_MOST) {
        reply_error(x, 422, "there are too many faults; DELETE /faults removes them");
        return;
    }
    if (dev_fault_parse(dev_exchange_query(x), &fault, &problem) < 0) {
        reply_error(x, 400, err_text(problem));
        return;
    }
    cJSON *o = cJSON_CreateObject();
    json_set_int(o, "id", dev_streams_add_fault(&n->streams, fault));
    dev_exchange_json(x, 200, o);
}

static void drop_faults(struct dev_node *n, struct dev_exchange *x)
{
    _cleanup_free_ char *text = dev_query_get(dev_exchange_query(x), "id");
    int64_t id = 0;

    if (text && (!str_to_i64(text, 1, INT64_MAX, &id) || !dev_fault_find(&n->streams.faults, id))) {
        reply_error(x, 404, "there is no fault with that id");
        return;
    }
    dev_streams_drop_faults(&n->streams, id);
    dev_exchange_json(x, 200, cJSON_CreateObject());
}

static void rotate_one(void *arg _unused_, struct dev_pod *pod)
{
    if (pod->now.log)
        pod->now.log->ops->rotate(pod->now.log);
}

static void rotate(struct dev_node *n, struct dev_exchange *x)
{
    _cleanup_free_ char *pattern = dev_query_get(dev_exchange_query(x), "pod");
    cJSON *o = cJSON_CreateObject();

    json_set_int(o, "pods", (int64_t)dev_node_each(n, pattern ? pattern : "*", rotate_one, NULL));
    dev_exchange_json(x, 200, o);
}

static void ready(struct dev_node *n, struct dev_exchange *x)
{
    if (dev_node_is_settled(n))
        reply_text(x, 200, "ok\n");
    else
        reply_text(x, 503, "the objects of the node are not in the API server yet\n");
}

static void on_control(void *arg, struct dev_exchange *x)
{
    static const struct {
        const char *method, *path;
        void (*fn)(struct dev_node *n, struct dev_exchange *x);
    } routes[] = {{"GET", "/readyz", ready},
                  {"POST", "/faults", make_fault},
                  {"DELETE", "/faults", drop_faults},
                  {"POST", "/rotate", rotate}};
    struct dev_node *n = arg;
    const char *path = dev_exchange_path(x), *method = dev_exchange_method(x);

    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (streq(routes[i].method, method) && streq(routes[i].path, path)) {
            routes[i].fn(n, x);
            return;
        }
    if (streq(method, "GET") && streq(path, "/faults"))
        dev_exchange_json(x, 200, dev_faults_json(&n->streams.faults));
    else if (streq(method, "GET") && streq(path, "/streams"))
        dev_exchange_json(x, 200, dev_streams_json(&n->streams));
    else if (!n->more_control || !n->more_control(n->arg, x))
        reply_error(x, 404, "there is no such control");
}

/* The node */

void dev_node_free(struct dev_node *n)
{
    if (!n)
        return;
    kube_watch_free(n->watch);
    kube_req_cancel(n->lease);
    loop_timer_free(n->retry);
    loop_timer_free(n->lease_timer);
    if (n->later)
        loop_defer_cancel(n->later);
    dev_http_free(n->kubelet);
    dev_http_free(n->control);
    dev_streams_release(&n->streams);
    for (size_t i = 0; i < n->removals.len; i++)
        removal_free(n->removals.items[i]);
    free(n->removals.items);
    for (size_t i = 0; i < n->pods.len; i++)
        item_free(n->pods.items[i]);
    for (size_t i = 0; i < n->namespaces.len; i++)
        item_free(n->namespaces.items[i]);
    item_free(n->self);
    free(n->pods.items);
    free(n->namespaces.items);
    free(n->name);
    free(n->version);
    free(n);
}

int dev_node_new(struct loop *l, const struct dev_node_options *o, struct dev_node **ret, struct err **err)
{
    struct dev_node *n = xcalloc(1, sizeof(*n));
    const struct dev_http_options kubelet = {.port = o->port,
                                             .cert = o->cert,
                                             .key = o->key,
                                             .client_ca = o->client_ca,
                                             .client_name = o->client_name,
                                             .request = on_kubelet,
                                             .arg = n};
    const struct dev_http_options control = {.port = o->control_port, .request = on_control, .arg = n};

    n->loop = l;
    n->name = xstrdup(o->name);
    n->version = xstrdup(o->version);
    n->since_ns = time_now_ns();
    n->client = o->client;
    n->more_control = o->control;
    n->arg = o->arg;
    n->self = item_new(n);
    dev_streams_init(&n->streams, l);
    n->retry = loop_timer_new(l, on_retry, n);
    n->lease_timer = loop_timer_new(l, send_lease, n);
    int r = dev_http_new(l, &kubelet, &n->kubelet, err);
    if (r == 0)
        r = dev_http_new(l, &control, &n->control, err);
    if (r < 0) {
        dev_node_free(n);
        return r;
    }
    loop_timer_start(n->lease_timer, 0);
    step_later(n);
    *ret = n;
    return 0;
}

int dev_node_port(const struct dev_node *n)
{
    return dev_http_port(n->kubelet);
}

int dev_node_control_port(const struct dev_node *n)
{
    return dev_http_port(n->control);
}
