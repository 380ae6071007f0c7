/* Mirrors hosts of lattices as LatticeHost objects. Keys: "lattice/host id" for a host that was seen,
 * "/object name" for an object. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/gvr.h"
#include "operator/heal.h"
#include "operator/metrics.h"
#include "operator/rec.h"

enum {
    LIST_MOST = 500,
    LOOK_MS = 60 * 1000,  /* at a host of which nothing new is heard */
    OBJECT_MS = 5 * 1000, /* an object that was written comes back by the watch */
    /* What runs on a host changes with each start anywhere. Such a change gives way to everything else: of
     * all hosts together so many are being written, the others wait in line. Whether a host is there, and
     * that it is empty, is told at once. */
    LISTS_AT_ONCE = 2,
};

static void on_written(void *arg, const struct kube_response *response _unused_, const struct err *err)
{
    struct op *op = arg;

    if (err && err->code != ERR_NOT_FOUND && err->code != ERR_CONFLICT) {
        op_metrics_error(op->metrics, "host");
        log_warn("cannot write a LatticeHost", "error", err_text(err), NULL);
    }
}

static const char *ready_status(enum lat_host_state s)
{
    if (s == LAT_HOST_READY || s == LAT_HOST_BUSY)
        return "True";
    return lat_host_dead(s) ? "False" : "Unknown";
}

static void owner_of(const struct map *annotations, cJSON *o)
{
    const char *owner = map_get(annotations, MODEL_OWNER), *revision = map_get(annotations, MODEL_REVISION);

    if (owner)
        json_set_str(o, "owner", owner);
    if (revision)
        json_set_str(o, "revision", revision);
}

/* Whether it sees changes of links and configuration. */
static void add_synced(cJSON *list, const struct model_conditions *before, const struct op_lattice *l,
                       const struct lat_host *h, int64_t now)
{
    const struct op_host *mine = op_lattice_host(l, h->id);
    const char *status = "Unknown", *reason = "NotJudged", *text = "it is not known whether it sees changes";

    if (!lat_host_alive(h->state)) {
        text = "the host is not answering";
    } else if (h->hearing == LAT_HEARS) {
        status = "True";
        reason = "Watching";
        text = "the host sees changes of links and configuration";
    } else if (h->hearing == LAT_DOUBTFUL) {
        reason = "WatchMissing";
        text = "its watch of links and configuration is missing; it has some seconds to make a new one";
    } else if (h->hearing == LAT_DEAF) {
        status = "False";
        reason = mine && mine->restarting ? "Restarting" : "Deaf";
        text = "the host no longer sees changes of links and configuration; only a restart mends that";
    }
    _cleanup_free_ char *obstacle = h->hearing == LAT_DEAF ? heal_obstacle(l, h) : NULL;
    _cleanup_free_ char *message = obstacle ? xasprintf("%s: %s", text, obstacle) : xstrdup(text);
    model_condition_add(list, before, "Synced", status, reason, message, 0, now);
}

static cJSON *host_status(const struct op_lattice *l, const struct lat_host *h,
                          const struct model_host *object)
{
    static const struct model_conditions none = {0};
    const struct model_conditions *before = object ? &object->conditions : &none;
    cJSON *status = cJSON_CreateObject(), *list;
    int64_t now = time_now_ns();
    char stamp[TIME_RFC3339_LEN];

    json_set_str(status, "friendlyName", h->friendly_name);
    if (*h->hostname)
        json_set_str(status, "hostname", h->hostname);
    json_set_str(status, "version", h->version);
    json_put(status, "labels", model_string_map_json(h->labels));
    if (h->cpu_percent >= 0)
        json_set_int(status, "resources.cpuPercent", (int64_t)(h->cpu_percent + 0.5));
    if (h->memory_total >= 0)
        json_set_int(status, "resources.memoryTotal", h->memory_total);
    if (h->memory_free >= 0)
        json_set_int(status, "resources.memoryFree", h->memory_free);
    if (h->http_port)
        json_set_int(status, "httpPort", h->http_port);

    list = cJSON_CreateArray();
    for (size_t i = 0; i < h->ncomponents && i < LIST_MOST; i++) {
        cJSON *o = json_object("componentID", h->components[i].id, "image", h->components[i].image, NULL);
        json_set_int(o, "concurrency", h->components[i].count);
        owner_of(h->components[i].annotations, o);
        cJSON_AddItemToArray(list, o);
    }
    json_set(status, "actors", list);
    json_set_int(status, "actorCount", (int64_t)h->ncomponents);
    list = cJSON_CreateArray();
    for (size_t i = 0; i < h->nproviders && i < LIST_MOST; i++) {
        cJSON *o = json_object("providerID", h->providers[i].id, "image", h->providers[i].image, NULL);
        json_set_bool(o, "healthy", h->providers[i].healthy);
        owner_of(h->providers[i].annotations, o);
        cJSON_AddItemToArray(list, o);
    }
    json_set(status, "providers", list);
    json_set_int(status, "providerCount", (int64_t)h->nproviders);

    list = cJSON_CreateArray();
    _cleanup_free_ char *message =
        xasprintf("the host is %s", lat_host_alive(h->state) ? "answering" : "not answering");
    model_condition_add(list, before, "Ready", ready_status(h->state), lat_host_reason(h->state), message, 0,
                        now);
    add_synced(list, before, l, h, now);
    json_set(status, "conditions", list);
    /* While it answers it is seen all the time: nothing is written for that. */
    if (lat_host_dead(h->state)) {
        int64_t silent_ms = loop_now_ms(l->op->loop) - h->last_seen_ms;
        json_set_str(status, "lastSeen", time_rfc3339(now - silent_ms * 1000000, 0, stamp));
    }
    return status;
}

/* As in struct model_host. */
static uint64_t hash_without_seen(const cJSON *status)
{
    _cleanup_json_ cJSON *copy = cJSON_Duplicate(status, true);

    json_del(copy, "lastSeen");
    return json_hash(copy);
}

static void write_object(struct op *op, const struct op_lattice *l, const struct lat_host *h,
                         const char *name)
{
    struct op_host *mine = map_get(l->hosts, h->id);
    _cleanup_json_ cJSON *o = json_object("apiVersion", MODEL_API_VERSION, "kind", "LatticeHost", NULL);

    if (mine)
        mine->created_ms = loop_now_ms(op->loop);

    json_set_str(o, "metadata.name", name);
    json_set(o, "metadata.labels", model_string_map_json(mine ? mine->labels : h->labels));
    json_set_str(o, "spec.lattice", l->name);
    json_set_str(o, "spec.hostID", h->id);
    op_apply(op, kube_builtin_kind(MODEL_API_VERSION, "LatticeHost"), NULL, name, NULL, o, on_written, op);
}

static bool labels_written(const struct op_host *mine, const struct model_host *object)
{
    for (struct map_iter it = {0}; mine && map_next(mine->labels, &it);)
        if (!streq_null(it.value, map_get(object->labels, it.key)))
            return false;
    return true;
}

static void write_status(struct op *op, const struct model_host *object, cJSON *status, kube_done_fn done)
{
    _cleanup_json_ cJSON *o = json_object("apiVersion", MODEL_API_VERSION, "kind", "LatticeHost", NULL);

    json_set_str(o, "metadata.name", object->meta.name);
    json_set(o, "status", status);
    op_apply(op, kube_builtin_kind(MODEL_API_VERSION, "LatticeHost"), NULL, object->meta.name, "status", o,
             done, op);
}

/* Only the lists differ from what was written. */
static bool is_lists_alone(const cJSON *status, const struct model_host *object)
{
    if (!json_int(status, "actorCount", 0) && !json_int(status, "providerCount", 0))
        return false;
    json_each (c, json_get(status, "conditions")) {
        const struct model_condition *before =
            model_condition_find(&object->conditions, json_str_or(c, "type", ""));
        if (!before || !streq(before->status, json_str_or(c, "status", "")) ||
            !streq(before->reason, json_str_or(c, "reason", "")) ||
            !streq(before->message, json_str_or(c, "message", "")))
            return false;
    }
    return true;
}

static void on_lists_written(void *arg, const struct kube_response *response, const struct err *err)
{
    struct op *op = arg;
    struct map_iter it = {0};

    op->lists_writing--;
    if (map_next(op->lists_waiting, &it)) {
        wq_add(op->q_host, it.key);
        map_del(op->lists_waiting, it.key);
    }
    on_written(arg, response, err);
}

/* Returns when to look again. */
static int64_t update_status(struct op *op, const struct op_lattice *l, const struct lat_host *h,
                             const struct model_host *object, const char *key)
{
    _cleanup_json_ cJSON *status = host_status(l, h, object);

    if (hash_without_seen(status) == object->status_hash)
        return LOOK_MS;
    bool lists = is_lists_alone(status, object);
    if (lists && op->lists_writing >= LISTS_AT_ONCE) {
        map_set(op->lists_waiting, key, NULL);
        return LOOK_MS;
    }
    op->lists_writing += lists;
    write_status(op, object, TAKE_PTR(status), lists ? on_lists_written : on_written);
    return LOOK_MS;
}

static void delete_object(struct op *op, const char *name)
{
    const struct kube_resource *r = kube_builtin_kind(MODEL_API_VERSION, "LatticeHost");
    _cleanup_free_ char *path = kube_path(r, NULL, name, NULL);
    struct kube_call call = {.method = "DELETE", .path = path, .done = on_written, .arg = op};

    log_info("forgetting host", "host", name, NULL);
    kube_do(op->client, &call);
}

/* Another Lattice object leads to the same lattice and has mirrored the host already. */
static bool is_mirrored_by_another(const struct op *op, const struct op_lattice *l,
                                   const struct model_host *object)
{
    const struct op_lattice *other = op_lattice_get(op, object->lattice);

    return other && other != l && other->lat && lat_host_get(other->lat, object->host_id);
}

static void reconcile_live(struct op *op, struct op_lattice *l, const struct lat_host *h, const char *key)
{
    _cleanup_free_ char *name = str_lower(h->id);
    const struct model_host *object = kube_informer_get(op->hosts, name);
    const struct op_host *mine = op_lattice_host(l, h->id);

    if (object && is_mirrored_by_another(op, l, object)) {
        wq_done_after(op->q_host, key, LOOK_MS);
        return;
    }
    if (lat_host_dead(h->state) && mine && mine->dead_since_ms) {
        int64_t left = mine->dead_since_ms + op->options->forget_host_ms - loop_now_ms(op->loop);
        if (left <= 0 && !(object && object->unschedulable)) {
            if (object)
                delete_object(op, name);
            _cleanup_free_ char *id = xstrdup(h->id);
            op_lattice_drop_host(l, id);
            lat_host_forget(l->lat, id);
            wq_done(op->q_host, key, WQ_OK);
            return;
        }
    }
    if (!object || !streq(object->lattice, l->name) || !labels_written(mine, object)) {
        /* The object comes back by the watch, and with it this key: then its status is written. */
        bool on_its_way =
            !object && mine && mine->created_ms && loop_now_ms(op->loop) < mine->created_ms + OBJECT_MS;
        if (!on_its_way)
            write_object(op, l, h, name);
        if (!object) {
            wq_done_after(op->q_host, key, OBJECT_MS);
            return;
        }
    }
    /* Nothing is known while our own link is down: the last truth stays. */
    if (h->state != LAT_HOST_UNJUDGED && (h->has_inventory || lat_host_dead(h->state))) {
        wq_done_after(op->q_host, key, update_status(op, l, h, object, key));
        return;
    }
    wq_done_after(op->q_host, key, LOOK_MS);
}

/* An object whose host is not in the lattice's table: it died before this process started, or the lattice is
 * gone. */
static void reconcile_absent(struct op *op, const struct model_host *object, const char *key)
{
    const struct op_lattice *l = op_lattice_get(op, object->lattice);

    if (!op_lattice_object(op, object->lattice)) {
        delete_object(op, object->meta.name);
        wq_done(op->q_host, key, WQ_OK);
        return;
    }
    if (!op_lattice_usable(l)) {
        wq_done_after(op->q_host, key, 5000);
        return;
    }
    /* Of a host that was there when this process began to look, nothing is known before that. */
    const struct model_condition *ready = model_condition_find(&object->conditions, "Ready");
    bool noted = ready && streq(ready->status, "False");
    int64_t seen_ns = !noted                                   ? time_now_ns()
                      : object->last_seen_ns > ready->since_ns ? object->last_seen_ns
                                                               : ready->since_ns;
    int64_t silent_ms = (time_now_ns() - seen_ns) / 1000000;
    if (silent_ms >= op->options->forget_host_ms && !object->unschedulable) {
        delete_object(op, object->meta.name);
        wq_done(op->q_host, key, WQ_OK);
        return;
    }
    if (!noted) {
        cJSON *status = cJSON_CreateObject(), *list = cJSON_CreateArray();
        char stamp[TIME_RFC3339_LEN];
        model_condition_add(list, &object->conditions, "Ready", "False", "NotSeen",
                            "the host has not shown itself since the operator started", 0, time_now_ns());
        json_set(status, "conditions", list);
        if (object->last_seen_ns)
            json_set_str(status, "lastSeen", time_rfc3339(object->last_seen_ns, 0, stamp));
        write_status(op, object, status, on_written);
    }
    wq_done_after(op->q_host, key, LOOK_MS);
}

void rec_host(void *arg, const char *key)
{
    struct op *op = arg;
    const char *slash = strchr(key, '/');

    if (slash && slash != key) {
        _cleanup_free_ char *name = xstrndup(key, (size_t)(slash - key));
        struct op_lattice *l = op_lattice_get(op, name);
        const struct lat_host *h = l && l->lat ? lat_host_get(l->lat, slash + 1) : NULL;
        if (h)
            reconcile_live(op, l, h, key);
        else
            wq_done(op->q_host, key, WQ_OK);
        return;
    }
    const struct model_host *object = slash ? kube_informer_get(op->hosts, slash + 1) : NULL;
    if (!object) {
        wq_done(op->q_host, key, WQ_OK);
        return;
    }
    struct op_lattice *l = op_lattice_get(op, object->lattice);
    const struct lat_host *h = l && l->lat ? lat_host_get(l->lat, object->host_id) : NULL;
    if (h) {
        _cleanup_free_ char *live = xasprintf("%s/%s", object->lattice, object->host_id);
        wq_add(op->q_host, live);
        wq_done(op->q_host, key, WQ_OK);
        return;
    }
    reconcile_absent(op, object, key);
}
