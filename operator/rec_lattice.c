#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/gvr.h"
#include "operator/heal.h"
#include "operator/metrics.h"
#include "operator/rec.h"
#include "operator/sweep.h"

enum {
    TOPOLOGY_VALUES_MOST = 64,
    RTT_WRITE_MS = 60 * 1000,
    IN_USE_LOOK_MS = 2000,
    SWEEP_EVERY_MS = 10 * 60 * 1000
};

/* Hosts that count for topology: by every label key that is used by a rule or is a usual one. */
static bool is_topology_key(const struct model_lattice *object, const char *key)
{
    static const char *const usual[] = {"cloud", "region", "zone", "topology.kubernetes.io/region",
                                        "topology.kubernetes.io/zone"};

    for (size_t i = 0; i < ARRAY_LEN(usual); i++)
        if (streq(key, usual[i]))
            return true;
    for (size_t i = 0; i < object->nrules; i++)
        if (map_has(object->rules[i].labels, key))
            return true;
    return false;
}

struct tally {
    char *key, *value;
    int hosts, ready;
};

static int compare_tallies(const void *a, const void *b)
{
    const struct tally *x = a, *y = b;
    int d = strcmp(x->key, y->key);

    return d ? d : strcmp(x->value, y->value);
}

static cJSON *topology_of(const struct op_lattice *l, const struct model_lattice *object)
{
    VEC(struct tally) v = {0};

    for (struct map_iter it = {0}; lat_host_next(l->lat, &it);) {
        const struct lat_host *h = it.value;
        const struct op_host *mine = op_lattice_host(l, h->id);
        for (struct map_iter label = {0}; mine && map_next(mine->labels, &label);) {
            size_t i = 0;
            if (!is_topology_key(object, label.key))
                continue;
            while (i < v.len && !(streq(v.items[i].key, label.key) && streq(v.items[i].value, label.value)))
                i++;
            if (i == v.len) {
                struct tally t = {.key = xstrdup(label.key), .value = xstrdup(label.value)};
                vec_push(&v, t);
            }
            v.items[i].hosts++;
            v.items[i].ready += h->state == LAT_HOST_READY || h->state == LAT_HOST_BUSY;
        }
    }
    if (v.len)
        qsort(v.items, v.len, sizeof(*v.items), compare_tallies);
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < v.len; i++) {
        if (i < TOPOLOGY_VALUES_MOST) {
            cJSON *o = json_object("key", v.items[i].key, "value", v.items[i].value, NULL);
            json_set_int(o, "hosts", v.items[i].hosts);
            json_set_int(o, "ready", v.items[i].ready);
            cJSON_AddItemToArray(list, o);
        }
        free(v.items[i].key);
        free(v.items[i].value);
    }
    free(v.items);
    return list;
}

static void on_written(void *arg, const struct kube_response *response _unused_, const struct err *err)
{
    struct op *op = arg;

    if (err && err->code != ERR_NOT_FOUND) {
        op_metrics_error(op->metrics, "lattice");
        log_warn("cannot write status of a lattice", "error", err_text(err), NULL);
    }
}

/* An Event each time this condition changes its reason; *last remembers the one that was told. */
static void tell(struct op_lattice *l, const struct model_lattice *object, const char *condition,
                 const char **last, bool good, const char *reason, const char *text)
{
    const struct model_condition *before = model_condition_find(&object->conditions, condition);
    struct kube_ref ref = {.api_version = MODEL_API_VERSION,
                           .kind = "Lattice",
                           .name = object->meta.name,
                           .uid = object->meta.uid};

    if (streq(*last ? *last : before ? before->reason : "", reason))
        return;
    *last = reason;
    kube_record(l->op->recorder, &ref, good ? "Normal" : "Warning", reason, "Connect", "%s", text);
}

static void add_store_condition(cJSON *conditions, struct op_lattice *l, const struct model_lattice *object,
                                int64_t now)
{
    enum lat_store store = lat_store(l->lat);
    const char *status = "True", *reason = "JetStreamAnswers";
    _cleanup_free_ char *text = NULL;

    if (store == LAT_STORE_DOWN) {
        status = "False";
        reason = "JetStreamUnreachable";
        text =
            xasprintf("JetStream does not answer (%s): nothing is started, moved or stopped until it does; "
                      "check the NATS server that holds it, and spec.nats.jetStreamDomain",
                      lat_store_reason(l->lat));
    } else if (store == LAT_STORE_UNKNOWN) {
        status = "Unknown";
        reason = "CannotAsk";
        text = xasprintf("cannot ask JetStream (%s): allow the operator $JS.API.STREAM.INFO and "
                         "$JS.API.CONSUMER.LIST of the bucket LATTICEDATA_%s",
                         lat_store_reason(l->lat), object->id);
    } else {
        text = xstrdup("JetStream answers");
    }
    /* That it answers is news only after it did not. */
    if (store == LAT_STORE_DOWN || l->told_store)
        tell(l, object, "StoreReady", &l->told_store, store != LAT_STORE_DOWN, reason, text);
    model_condition_add(conditions, &object->conditions, "StoreReady", status, reason, text,
                        object->meta.generation, now);
}

/* Hosts that no longer hear; the condition is left out while all do. */
static void add_deaf_condition(cJSON *conditions, const struct op_lattice *l,
                               const struct model_lattice *object, int64_t now)
{
    _cleanup_free_ char *text = heal_report(l, object);

    if (text)
        model_condition_add(conditions, &object->conditions, "HostsDeaf", "True",
                            object->heal_deaf ? "Healing" : "HealingIsOff", text, object->meta.generation,
                            now);
}

/* What was written stays until it is wrong by half, and by 5 ms at least, so that jitter causes no writes. */
static int64_t steady_rtt(int64_t now_ms, int64_t written_ms)
{
    int64_t off = now_ms > written_ms ? now_ms - written_ms : written_ms - now_ms;

    return written_ms >= 0 && (off < 5 || off < written_ms / 2) ? written_ms : now_ms;
}

/* Reason and message of a lattice that is not connected; the message is owned. */
static const char *why_not_connected(const struct op_lattice *l, const struct model_lattice *object,
                                     char **ret_text)
{
    const struct model_secret_ref *c = &object->credentials;
    const char *why = l->disconnected_why ? l->disconnected_why : "connecting";

    if (object->problem) {
        *ret_text = xstrdup(object->problem);
        return "InvalidSpec";
    }
    if (l->problem) {
        *ret_text = xstrdup(l->problem);
        return "CannotOpen";
    }
    if (l->refused && c->name)
        *ret_text =
            xasprintf("%s: correct the credentials in Secret %s/%s, key %s (spec.nats.credentialsSecret); "
                      "it is read again every 10 s",
                      why, c->namespace ? c->namespace : "default", c->name, c->key ? c->key : "user.creds");
    else if (l->refused)
        *ret_text = xasprintf("%s: the server wants credentials; name a Secret that holds them in "
                              "spec.nats.credentialsSecret",
                              why);
    if (l->refused)
        return "CredentialsRefused";
    if (op_lattice_connecting(l)) {
        *ret_text = xstrdup(why);
        return "Connecting";
    }
    *ret_text =
        xasprintf("%s: check spec.nats.servers, and that the server runs and can be reached; it is tried "
                  "again all the time",
                  why);
    return "Disconnected";
}

/* One Event each time the connection comes, goes, or fails for another reason. */
static void tell_connection(struct op_lattice *l, const struct model_lattice *object, bool connected,
                            const char *reason, const char *text)
{
    /* A refusal is certain at once; other trouble may pass in the first moments. */
    if (connected || l->refused || !op_lattice_connecting(l))
        tell(l, object, "Connected", &l->told, connected, reason, text);
}

static void write_status(struct op *op, struct op_lattice *l, const struct model_lattice *object)
{
    cJSON *status = cJSON_CreateObject(), *conditions = cJSON_CreateArray();
    int64_t now = time_now_ns();
    int hosts = 0, ready = 0;
    bool connected = l->lat && l->connected;

    for (struct map_iter it = {0}; l->lat && lat_host_next(l->lat, &it);) {
        const struct lat_host *h = it.value;
        hosts++;
        ready += h->state == LAT_HOST_READY || h->state == LAT_HOST_BUSY;
    }
    json_set_bool(status, "connected", connected);
    if (connected) {
        int64_t us = lat_rtt_us(l->lat);
        json_set_str(status, "server", lat_server(l->lat));
        if (us >= 0)
            json_set_int(status, "rttMillis", steady_rtt((us + 500) / 1000, object->rtt_ms));
    }
    json_set_int(status, "hosts.ready", ready);
    json_set_int(status, "hosts.total", hosts);
    if (l->lat)
        json_set(status, "topology", topology_of(l, object));

    _cleanup_free_ char *why = NULL;
    const char *reason = why_not_connected(l, object, &why);
    int64_t generation = object->meta.generation;
    if (connected)
        tell_connection(l, object, true, "Connected", "connected to NATS");
    else
        tell_connection(l, object, false, reason, why);
    if (connected)
        model_condition_add(conditions, &object->conditions, "Connected", "True", "Connected",
                            "connected to NATS", generation, now);
    else
        model_condition_add(conditions, &object->conditions, "Connected", "False", reason, why, generation,
                            now);
    _cleanup_free_ char *counts = xasprintf("%d of %d hosts ready", ready, hosts);
    if (!connected)
        model_condition_add(conditions, &object->conditions, "Ready", "Unknown", reason,
                            "not connected: nothing is judged", generation, now);
    else if (!lat_synced(l->lat))
        model_condition_add(conditions, &object->conditions, "Ready", "Unknown", "Syncing",
                            "hosts are being asked", generation, now);
    else if (object->meta.deleted_ns)
        model_condition_add(conditions, &object->conditions, "Ready", "False", "Deleting",
                            "being deleted: waits until the actors and providers that use it are deleted",
                            generation, now);
    else if (!ready)
        model_condition_add(conditions, &object->conditions, "Ready", "False", "NoHosts",
                            hosts ? counts : "no host has shown itself: start one on this lattice",
                            generation, now);
    else
        model_condition_add(conditions, &object->conditions, "Ready", "True", "HostsReady", counts,
                            generation, now);
    if (connected && lat_synced(l->lat)) {
        add_store_condition(conditions, l, object, now);
        add_deaf_condition(conditions, l, object, now);
    }
    json_set(status, "conditions", conditions);

    if (json_hash(status) == object->status_hash) {
        cJSON_Delete(status);
        return;
    }
    _cleanup_json_ cJSON *o = json_object("apiVersion", MODEL_API_VERSION, "kind", "Lattice", NULL);
    json_set_str(o, "metadata.name", object->meta.name);
    json_set(o, "status", status);
    op_apply(op, kube_builtin_kind(MODEL_API_VERSION, "Lattice"), NULL, object->meta.name, "status", o,
             on_written, op);
}

/* LatticeHosts of a lattice that is gone go with it. */
static void delete_hosts_of(struct op *op, const char *lattice)
{
    const struct kube_resource *r = kube_builtin_kind(MODEL_API_VERSION, "LatticeHost");

    for (struct map_iter it = {0}; kube_informer_next(op->hosts, &it);) {
        const struct model_host *h = it.value;
        if (!streq(h->lattice, lattice))
            continue;
        _cleanup_free_ char *path = kube_path(r, NULL, it.key, NULL);
        struct kube_call call = {.method = "DELETE", .path = path, .done = on_written, .arg = op};
        kube_do(op->client, &call);
    }
}

/* Finalizer: a lattice that is in use stays until its actors and providers are gone, so that what they run
 * can be stopped. */

static void write_finalizer(struct op *op, const struct model_lattice *object, bool present)
{
    _cleanup_json_ cJSON *o = json_object("apiVersion", MODEL_API_VERSION, "kind", "Lattice", NULL);
    cJSON *list = cJSON_CreateArray();

    if (present)
        cJSON_AddItemToArray(list, cJSON_CreateString(MODEL_FINALIZER));
    json_set_str(o, "metadata.name", object->meta.name);
    json_set_str(o, "metadata.uid", object->meta.uid);
    json_set(o, "metadata.finalizers", list);
    op_apply(op, kube_builtin_kind(MODEL_API_VERSION, "Lattice"), NULL, object->meta.name, NULL, o,
             on_written, op);
}

static size_t users_of(const struct op *op, const char *lattice)
{
    size_t n = 0;

    for (int kind = 0; kind < 2; kind++)
        for (struct map_iter it = {0}; kube_informer_next(op->workloads[kind], &it);)
            n += streq(((const struct model_workload *)it.value)->lattice, lattice);
    return n;
}

/* True while the lattice must stay. One that does not answer is let go: nothing could be stopped on it. */
static bool is_needed(struct op *op, const struct model_lattice *object)
{
    const struct op_lattice *l = op_lattice_get(op, object->meta.name);

    return object->meta.has_finalizer && l && (op_lattice_connecting(l) || (l->lat && l->connected)) &&
           users_of(op, object->meta.name) > 0;
}

static void let_go(struct op *op, const char *key)
{
    if (op_lattice_get(op, key)) {
        log_info("lattice removed", "lattice", key, NULL);
        op_lattice_close(op, key);
        op_enqueue_lattice(op, key);
    }
    delete_hosts_of(op, key);
}

/* Not before the units have had their first look. Returns after how many milliseconds to look again. */
static int64_t sweep_now_and_then(struct op_lattice *l)
{
    int64_t now = loop_now_ms(l->op->loop), due = l->synced_ms + OP_SWEEP_FIRST_MS;

    if (l->configs_swept_ms)
        due = l->configs_swept_ms + SWEEP_EVERY_MS;
    if (!op_lattice_usable(l))
        return RTT_WRITE_MS;
    if (now < due)
        return due - now;
    l->configs_swept_ms = now;
    sweep_configs(l);
    return SWEEP_EVERY_MS;
}

void rec_lattice(void *arg, const char *key)
{
    struct op *op = arg;
    const struct model_lattice *object = op_lattice_object(op, key);

    if (!object || (object->meta.deleted_ns && !is_needed(op, object))) {
        let_go(op, key);
        if (object && object->meta.has_finalizer)
            write_finalizer(op, object, false);
        wq_done(op->q_lattice, key, WQ_OK);
        return;
    }
    if (!object->meta.deleted_ns && !object->meta.has_finalizer)
        write_finalizer(op, object, true);
    struct op_lattice *l = op_lattice_open(op, object);
    if (l->lat)
        op_lattice_relabel(l, object);
    int64_t heal = heal_step(l, object);
    int64_t sweep = l->lat ? sweep_now_and_then(l) : RTT_WRITE_MS;
    /* A restart of the operator does not flip the condition of a lattice that answers in a moment. */
    bool early = op_lattice_connecting(l) || (l->lat && l->connected && !lat_synced(l->lat));
    if (!early || !object->conditions.len)
        write_status(op, l, object);
    int64_t again = object->meta.deleted_ns ? IN_USE_LOOK_MS : sweep < RTT_WRITE_MS ? sweep : RTT_WRITE_MS;
    int64_t due = op_lattice_due(l);
    if (heal > 0 && heal < again)
        again = heal;
    wq_done_after(op->q_lattice, key, due > 0 && due < again ? due : again);
}
