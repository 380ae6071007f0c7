#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/gvr.h"
#include "operator/lattices.h"
#include "operator/metrics.h"
#include "operator/op.h"
#include "operator/rec.h"
#include "operator/revisions.h"
#include "operator/sources.h"
#include "operator/table.h"
#include "operator/unit.h"
#include "place/forecast.h"

enum { UID_RETRY_MS = 2000 };

/* Reading caches */

const struct model_workload *op_workload(const struct op *op, enum model_kind kind, const char *key)
{
    return kube_informer_get(op->workloads[kind], key);
}

const struct model_lattice *op_lattice_object(const struct op *op, const char *name)
{
    return kube_informer_get(op->lattices, name);
}

const struct model_host *op_host_object(const struct op *op, const char *host_id)
{
    _cleanup_free_ char *name = str_lower(host_id);

    return kube_informer_get(op->hosts, name);
}

/* Queues */

void op_enqueue(struct op *op, enum model_kind kind, const char *key)
{
    wq_add(op->q_unit[kind], key);
}

void op_enqueue_lattice(struct op *op, const char *lattice)
{
    for (int kind = 0; kind < 2; kind++)
        for (struct map_iter it = {0}; kube_informer_next(op->workloads[kind], &it);)
            if (streq(((const struct model_workload *)it.value)->lattice, lattice))
                wq_add(op->q_unit[kind], it.key);
}

/* Owners */

char *op_owner(const struct op *op, enum model_kind kind, const char *key)
{
    return place_owner(op->cluster_uid, kind, key);
}

bool op_owner_parse(const struct op *op, const char *owner, enum model_kind *ret_kind, char **ret_key)
{
    size_t uid = strlen(op->cluster_uid);

    if (strncmp(owner, op->cluster_uid, uid) != 0 || owner[uid] != '/')
        return false;
    _cleanup_strv_ char **parts = strv_split(owner + uid + 1, '/', true);
    size_t n = strv_len(parts);
    if (n == 2) {
        *ret_kind = MODEL_ACTOR;
        *ret_key = xasprintf("%s/%s", parts[0], parts[1]);
        return true;
    }
    if (n == 3 && streq(parts[1], "provider")) {
        *ret_kind = MODEL_PROVIDER;
        *ret_key = xasprintf("%s/%s", parts[0], parts[2]);
        return true;
    }
    return false;
}

/* Writing */

void op_event(struct op *op, const struct model_workload *w, const char *type, const char *reason,
              const char *action, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    struct kube_ref ref = {
        .api_version = MODEL_API_VERSION,
        .kind = model_kind_name(w->kind),
        .namespace = w->meta.namespace,
        .name = w->meta.name,
        .uid = w->meta.uid,
    };
    kube_record(op->recorder, &ref, type, reason, action, "%s", text);
}

struct kube_req *op_apply(struct op *op, const struct kube_resource *resource, const char *ns,
                          const char *name, const char *subresource, const cJSON *object, kube_done_fn done,
                          void *arg)
{
    _cleanup_free_ char *path = kube_path(resource, ns, name, subresource);
    _cleanup_free_ char *body = json_print(object);
    struct kube_call call = {
        .method = "PATCH",
        .path = path,
        .query = "fieldManager=" OP_FIELD_MANAGER "&force=true",
        .body = body,
        .content_type = KUBE_APPLY_YAML,
        .done = done,
        .arg = arg,
    };

    return kube_do(op->client, &call);
}

/* Starting: nothing is done before every cache is complete and the cluster uid is known */

static void pause_queues(struct op *op, bool paused)
{
    wq_pause(op->q_lattice, paused);
    wq_pause(op->q_host, paused);
    wq_pause(op->q_unit[0], paused);
    wq_pause(op->q_unit[1], paused);
}

static void maybe_start(struct op *op)
{
    if (op->lease && !kube_lease_leading(op->lease))
        return;
    if (op->started || !op->cluster_uid || !kube_informer_synced(op->lattices) ||
        !kube_informer_synced(op->hosts) || !kube_informer_synced(op->workloads[0]) ||
        !kube_informer_synced(op->workloads[1]))
        return;
    op->started = true;
    log_info("caches are complete", NULL);
    pause_queues(op, false);
}

/* Leading is given up only by ending: what was begun would otherwise go on beside the new leader's work. */
static void on_lease(void *arg, bool leading, const char *why)
{
    struct op *op = arg;

    if (leading) {
        log_info("leading", NULL);
        maybe_start(op);
        return;
    }
    log_error("not leading any more, ending", "why", why, NULL);
    pause_queues(op, true);
    op->lost_lease = true;
    loop_stop(op->loop);
}

static void elect(struct op *op)
{
    const struct op_options *o = op->options;
    const struct kube_config *config = kube_client_config(op->client);
    bool in_pod = streq(config->context, "in-cluster");
    char host[128] = "localhost";

    if (streq(o->leader_election, "off") || (streq(o->leader_election, "auto") && !in_pod))
        return;
    gethostname(host, sizeof(host) - 1);
    _cleanup_free_ char *identity =
        xasprintf("%s_%d_%llx", host, (int)getpid(), (unsigned long long)time_now_ns());
    struct kube_lease_options options = {
        .namespace = *o->lease_namespace ? o->lease_namespace : config->namespace,
        .name = "wasm-operator",
        .identity = identity,
        .duration_ms = o->lease_ms,
        .renew_deadline_ms = o->lease_ms * 2 / 3,
        .retry_ms = o->lease_ms * 2 / 15,
        .changed = on_lease,
        .arg = op,
    };
    op->lease = kube_lease_new(op->client, &options);
    log_info("waiting for the lease", "namespace", options.namespace, "identity", identity, NULL);
}

void op_shut_down(struct op *op, void (*done)(void *arg), void *arg)
{
    pause_queues(op, true);
    kube_recorder_flush(op->recorder);
    if (op->lease)
        kube_lease_release(op->lease, done, arg);
    else
        done(arg);
}

static void on_cache_synced(void *arg)
{
    maybe_start(arg);
}

static void cache_state(struct op *op, const char *plural, const struct err *err)
{
    const char *before = map_get(op->cache_errors, plural);

    if (!err) {
        if (before)
            log_info("watching again", "kind", plural, NULL);
        map_del(op->cache_errors, plural);
        return;
    }
    if (before && streq(before, err->message))
        return;
    if (err->http == 404)
        log_error("the kind is not installed in the cluster: run `wasmctl install --crds`", "kind", plural,
                  NULL);
    else if (err->code == ERR_FORBIDDEN)
        log_error("not allowed to watch: check the operator's RBAC", "kind", plural, "error", err->message,
                  NULL);
    else
        log_warn("cannot watch, retrying", "kind", plural, "error", err->message, NULL);
    map_set(op->cache_errors, plural, xstrdup(err->message));
}

static void on_uid(void *arg, const struct kube_response *response, const struct err *err)
{
    struct op *op = arg;
    _cleanup_json_ cJSON *o = NULL;
    const char *uid = NULL;

    op->uid_request = NULL;
    if (!err && json_parse(response->body, response->len, "namespace kube-system", &o, NULL) == 0)
        uid = json_str(o, "metadata.uid");
    if (!uid) {
        log_warn("cannot read the uid of namespace kube-system, retrying", "error",
                 err ? err_text(err) : "no uid", NULL);
        loop_timer_start(op->uid_retry, UID_RETRY_MS);
        return;
    }
    op->cluster_uid = xstrdup(uid);
    maybe_start(op);
}

static void read_uid(void *arg)
{
    struct op *op = arg;
    struct kube_call call = {
        .method = "GET", .path = "/api/v1/namespaces/kube-system", .done = on_uid, .arg = op};

    op->uid_request = kube_do(op->client, &call);
}

/* Informers */

static bool watches_namespace(const struct op *op, const char *ns)
{
    if (!*op->options->watch_namespaces)
        return true;
    _cleanup_strv_ char **list = strv_split(op->options->watch_namespaces, ',', false);
    return strv_has(list, ns);
}

static void *actor_transform(void *arg, cJSON *object)
{
    return watches_namespace(arg, json_str_or(object, "metadata.namespace", ""))
               ? model_workload_new(MODEL_ACTOR, object)
               : NULL;
}

static void *provider_transform(void *arg, cJSON *object)
{
    return watches_namespace(arg, json_str_or(object, "metadata.namespace", ""))
               ? model_workload_new(MODEL_PROVIDER, object)
               : NULL;
}

static void *lattice_transform(void *arg _unused_, cJSON *object)
{
    return model_lattice_new(object);
}

static void *host_transform(void *arg _unused_, cJSON *object)
{
    return model_host_new(object);
}

static void workload_free(void *w)
{
    model_workload_free(w);
}

static void lattice_free(void *l)
{
    model_lattice_free(l);
}

static void host_free(void *h)
{
    model_host_free(h);
}

static void index_id(struct op *op, enum model_kind kind, const struct model_workload *old,
                     const struct model_workload *now)
{
    if (old) {
        _cleanup_free_ char *was = xasprintf("%s/%s", old->lattice, old->id);
        if (streq_null(map_get(op->by_id[kind], was), old->key))
            map_del(op->by_id[kind], was);
    }
    if (now) {
        _cleanup_free_ char *is = xasprintf("%s/%s", now->lattice, now->id);
        map_set(op->by_id[kind], is, xstrdup(now->key));
    }
}

/* A status of ours that comes back by the watch, and nothing else: the reconcile that wrote it has seen the
 * rest. */
static bool is_own_status(const struct op *op, const struct model_workload *old,
                          const struct model_workload *now)
{
    if (!old || !now || old->meta.generation != now->meta.generation ||
        old->meta.deleted_ns != now->meta.deleted_ns || old->meta.has_finalizer != now->meta.has_finalizer ||
        !streq(old->meta.uid, now->meta.uid))
        return false;
    const struct op_unit *u = unit_find(op, now->kind, now->key);
    return u && u->status_written && u->status_written == now->status_hash;
}

/* A lattice that is being deleted waits for its last user. */
static void release_lattice(struct op *op, const struct model_workload *gone)
{
    const struct model_lattice *object = op_lattice_object(op, gone->lattice);

    if (object && object->meta.deleted_ns)
        wq_add(op->q_lattice, gone->lattice);
}

static void on_actor(void *arg, const char *key, const void *old, const void *now)
{
    struct op *op = arg;

    index_id(op, MODEL_ACTOR, old, now);
    if (!is_own_status(op, old, now))
        wq_add(op->q_unit[MODEL_ACTOR], key);
    if (!now)
        release_lattice(op, old);
}

static void on_provider(void *arg, const char *key, const void *old, const void *now)
{
    struct op *op = arg;

    index_id(op, MODEL_PROVIDER, old, now);
    if (!is_own_status(op, old, now))
        wq_add(op->q_unit[MODEL_PROVIDER], key);
    if (!now)
        release_lattice(op, old);
}

static void on_lattice(void *arg, const char *key, const void *old, const void *now)
{
    struct op *op = arg;
    const struct model_lattice *before = old, *after = now;

    wq_add(op->q_lattice, key);
    if (!before || !after || before->meta.generation != after->meta.generation)
        op_enqueue_lattice(op, key);
}

static bool same_taints(const struct model_host *a, const struct model_host *b)
{
    if (a->ntaints != b->ntaints)
        return false;
    for (size_t i = 0; i < a->ntaints; i++)
        if (!streq(a->taints[i].key, b->taints[i].key) || !streq(a->taints[i].value, b->taints[i].value) ||
            !streq(a->taints[i].effect, b->taints[i].effect))
            return false;
    return true;
}

static void on_host(void *arg, const char *key, const void *old, const void *now)
{
    struct op *op = arg;
    const struct model_host *before = old, *after = now;
    struct op_lattice *l = op_lattice_get(op, (after ? after : before)->lattice);
    _cleanup_free_ char *q = xasprintf("/%s", key);

    /* The table points into the object that goes now. */
    if (l)
        table_invalidate(l);
    wq_add(op->q_host, q);
    if (!after && before) {
        /* Deleted by somebody: a live host is mirrored again. */
        _cleanup_free_ char *live = xasprintf("%s/%s", before->lattice, before->host_id);
        wq_add(op->q_host, live);
    }
    if (!before || !after || before->unschedulable != after->unschedulable || !same_taints(before, after))
        op_enqueue_lattice(op, (after ? after : before)->lattice);
}

#define CACHE_STATE(name, plural)                                                                            \
    static void name##_state(void *arg, const struct err *err)                                               \
    {                                                                                                        \
        cache_state(arg, plural, err);                                                                       \
    }
CACHE_STATE(lattices, "lattices")
CACHE_STATE(hosts, "latticehosts")
CACHE_STATE(actors, "wasmactors")
CACHE_STATE(providers, "wasmproviders")

static struct kube_informer *watch_kind(struct op *op, const char *plural,
                                        void *(*transform)(void *, cJSON *), void (*free_object)(void *),
                                        void (*changed)(void *, const char *, const void *, const void *),
                                        void (*state)(void *, const struct err *))
{
    struct kube_informer_options options = {
        .resource = kube_builtin_find(plural),
        .transform = transform,
        .free_object = free_object,
        .changed = changed,
        .synced = on_cache_synced,
        .state = state,
        .arg = op,
    };
    /* One namespace can be watched as such, which needs fewer rights. */
    _cleanup_strv_ char **only = strv_split(op->options->watch_namespaces, ',', false);
    if (options.resource->namespaced && strv_len(only) == 1)
        options.namespace = only[0];
    return kube_informer_new(op->client, &options);
}

static struct workqueue *queue(struct op *op, const char *name, wq_handler handler)
{
    struct wq_options options = {.name = name,
                                 .handler = handler,
                                 .observe = op_metrics_handled,
                                 .observe_arg = op->metrics,
                                 .arg = op};
    struct workqueue *q = wq_new(op->loop, &options);

    wq_pause(q, true);
    return q;
}

int op_new(struct loop *l, struct kube_client *client, const struct op_options *options,
           struct op_metrics *metrics, struct op **ret, struct err **err _unused_)
{
    struct op *op = xcalloc(1, sizeof(*op));

    op->loop = l;
    op->client = client;
    op->options = options;
    op->metrics = metrics;
    op->lats = map_new(op_lattice_free);
    op->cache_errors = map_new(free);
    op->lists_waiting = map_new(NULL);
    for (int kind = 0; kind < 2; kind++) {
        op->units[kind] = map_new(unit_free);
        op->by_id[kind] = map_new(free);
    }
    op->recorder = kube_recorder_new(client, "wasm-operator", NULL);
    op->sources = sources_new(op);
    op->revisions = revisions_new(op);
    op->uid_retry = loop_timer_new(l, read_uid, op);
    op->q_lattice = queue(op, "lattice", rec_lattice);
    op->q_host = queue(op, "host", rec_host);
    op->q_unit[MODEL_ACTOR] = queue(op, "actor", rec_actor);
    op->q_unit[MODEL_PROVIDER] = queue(op, "provider", rec_provider);
    op->lattices = watch_kind(op, "lattices", lattice_transform, lattice_free, on_lattice, lattices_state);
    op->hosts = watch_kind(op, "latticehosts", host_transform, host_free, on_host, hosts_state);
    op->workloads[MODEL_ACTOR] =
        watch_kind(op, "wasmactors", actor_transform, workload_free, on_actor, actors_state);
    op->workloads[MODEL_PROVIDER] =
        watch_kind(op, "wasmproviders", provider_transform, workload_free, on_provider, providers_state);
    read_uid(op);
    elect(op);
    *ret = op;
    return 0;
}

void op_free(struct op *op)
{
    if (!op)
        return;
    kube_lease_free(op->lease);
    kube_req_cancel(op->uid_request);
    loop_timer_free(op->uid_retry);
    for (int kind = 0; kind < 2; kind++)
        map_free(op->units[kind]);
    map_free(op->lats);
    sources_free(op->sources);
    revisions_free(op->revisions);
    wq_free(op->q_lattice);
    wq_free(op->q_host);
    for (int kind = 0; kind < 2; kind++) {
        wq_free(op->q_unit[kind]);
        kube_informer_free(op->workloads[kind]);
        map_free(op->by_id[kind]);
    }
    kube_informer_free(op->lattices);
    kube_informer_free(op->hosts);
    kube_recorder_free(op->recorder);
    map_free(op->cache_errors);
    map_free(op->lists_waiting);
    free(op->cluster_uid);
    free(op);
}

/* A standby is ready when its caches are: it could lead at once. */
bool op_ready(const struct op *op)
{
    bool caches = op->cluster_uid && kube_informer_synced(op->lattices) && kube_informer_synced(op->hosts) &&
                  kube_informer_synced(op->workloads[0]) && kube_informer_synced(op->workloads[1]);

    return caches && !map_len(op->cache_errors);
}

char *op_not_ready_reason(const struct op *op)
{
    struct map_iter it = {0};

    if (op_ready(op))
        return NULL;
    if (map_next(op->cache_errors, &it))
        return xasprintf("cannot watch %s: %s", it.key, (const char *)it.value);
    return xstrdup(op->cluster_uid ? "caches are being filled"
                                   : "the uid of namespace kube-system is not known yet");
}
