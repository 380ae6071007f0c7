#include "model/workload.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "data/quantity.h"

enum { HISTORY_LIMIT = 10, HISTORY_MOST = 1000 };

const char *model_kind_name(enum model_kind k)
{
    return k == MODEL_ACTOR ? "WasmActor" : "WasmProvider";
}

/* The first problem is the one that is told. */
static void problem(struct model_workload *w, struct err *e)
{
    if (!w->problem)
        w->problem = xstrdup(err_text(e));
    err_free(e);
}

static struct model_source read_source(const cJSON *o)
{
    const cJSON *secret = json_get(o, "secretRef"), *map = json_get(o, "configMapRef");
    const cJSON *ref = secret ? secret : map;

    return (struct model_source){
        .secret = secret != NULL,
        .name = xstrdup(json_str_or(ref, "name", "")),
        .optional = json_bool(ref, "optional", false),
    };
}

static void read_config(const cJSON *spec, struct model_config *ret)
{
    VEC(struct model_source) v = {0};

    ret->values = model_string_map(json_get(spec, "config"));
    json_each (source, json_get(spec, "configFrom"))
        vec_push(&v, read_source(source));
    ret->sources = v.items;
    ret->nsources = v.len;
}

static void release_config(struct model_config *c)
{
    map_free(c->values);
    for (size_t i = 0; i < c->nsources; i++)
        free(c->sources[i].name);
    free(c->sources);
}

static void read_capabilities(struct model_workload *w, const cJSON *spec)
{
    VEC(struct model_capability) v = {0};

    json_each (o, json_get(spec, "capabilities")) {
        struct model_capability c = {
            .name = xstrdup(json_str_or(o, "name", "default")),
            .provider = xstrdup_null(json_str(o, "provider")),
            .actor = xstrdup_null(json_str(o, "actor")),
        };
        struct err *e = NULL;
        if (model_interface_parse(json_str_or(o, "interface", ""), &c.interface, &e) < 0) {
            err_wrap(&e, "spec.capabilities[%zu].interface", v.len);
            problem(w, e);
            free(c.name);
            free(c.provider);
            free(c.actor);
            continue;
        }
        read_config(o, &c.config);
        vec_push(&v, c);
    }
    w->capabilities = v.items;
    w->ncapabilities = v.len;
}

static void read_placement(struct model_workload *w, const cJSON *spec)
{
    const cJSON *o = json_get(spec, "placement");
    struct model_placement *p = &w->placement;
    VEC(struct model_spread) spreads = {0};
    VEC(struct model_toleration) tolerations = {0};
    struct err *e = NULL;

    p->daemon = streq(json_str_or(o, "mode", "Spread"), "Daemon");
    p->rebalance = streq(json_str_or(o, "rebalance", "none"), "gradual");
    if (json_get(o, "hostSelector") &&
        selector_from_json(json_get(o, "hostSelector"), &p->host_selector, &e) < 0) {
        err_wrap(&e, "spec.placement.hostSelector");
        problem(w, e);
    }
    json_each (s, json_get(o, "spread")) {
        struct model_spread one = {
            .topology_key = xstrdup(json_str_or(s, "topologyKey", "")),
            .max_skew = (int32_t)json_int(s, "maxSkew", 1),
            .hard = streq(json_str_or(s, "whenUnsatisfiable", "ScheduleAnyway"), "DoNotSchedule"),
            .weights = json_get(s, "weights") ? model_string_map(json_get(s, "weights")) : NULL,
        };
        if (one.max_skew < 1)
            one.max_skew = 1;
        vec_push(&spreads, one);
    }
    p->spreads = spreads.items;
    p->nspreads = spreads.len;
    json_each (t, json_get(o, "tolerations")) {
        struct model_toleration one = {
            .key = xstrdup_null(json_str(t, "key")),
            .value = xstrdup(json_str_or(t, "value", "")),
            .effect = xstrdup_null(json_str(t, "effect")),
            .exists = streq(json_str_or(t, "operator", "Equal"), "Exists"),
        };
        vec_push(&tolerations, one);
    }
    p->tolerations = tolerations.items;
    p->ntolerations = tolerations.len;
}

static void release_placement(struct model_placement *p)
{
    selector_free(p->host_selector);
    for (size_t i = 0; i < p->nspreads; i++) {
        free(p->spreads[i].topology_key);
        map_free(p->spreads[i].weights);
    }
    free(p->spreads);
    for (size_t i = 0; i < p->ntolerations; i++) {
        free(p->tolerations[i].key);
        free(p->tolerations[i].value);
        free(p->tolerations[i].effect);
    }
    free(p->tolerations);
}

bool model_tolerates(const struct model_toleration *t, size_t n, const struct model_taint *taint)
{
    for (size_t i = 0; i < n; i++) {
        if (t[i].effect && *t[i].effect && !streq(t[i].effect, taint->effect))
            continue;
        if (t[i].key && *t[i].key && !streq(t[i].key, taint->key))
            continue;
        if (str_empty(t[i].key) && !t[i].exists)
            continue;
        if (t[i].exists || streq(t[i].value, taint->value ? taint->value : ""))
            return true;
    }
    return false;
}

/* "25%" or 1; 25% is the default, as it is for Deployments. */
static void read_int_or_percent(const cJSON *v, int32_t *ret_abs, int32_t *ret_percent)
{
    int64_t n = 25;

    if (cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble <= MODEL_REPLICAS_MOST) {
        *ret_abs = (int32_t)v->valuedouble;
        *ret_percent = -1;
        return;
    }
    if (cJSON_IsString(v) && str_ends(v->valuestring, "%")) {
        _cleanup_free_ char *digits = xstrndup(v->valuestring, strlen(v->valuestring) - 1);
        str_to_i64(digits, 0, 100, &n);
    }
    *ret_abs = 0;
    *ret_percent = (int32_t)n;
}

static char *read_annotation(const cJSON *object, const char *key)
{
    const cJSON *v = json_get(json_at(object, "metadata.annotations"), key);

    return cJSON_IsString(v) ? xstrdup(v->valuestring) : NULL;
}

/* What undo puts back. */
static char *read_template(const cJSON *spec)
{
    static const char *const members[] = {"image",  "imagePullSecret", "config",     "configFrom",
                                          "limits", "capabilities",    "concurrency"};
    _cleanup_json_ cJSON *o = cJSON_CreateObject();

    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const cJSON *v = json_get(spec, members[i]);
        if (v)
            json_put(o, members[i], cJSON_Duplicate(v, true));
    }
    return json_print(o);
}

static void read_status(struct model_workload *w, const cJSON *status)
{
    VEC(struct model_placement_status) v = {0};

    w->observed_generation = json_int(status, "observedGeneration", 0);
    w->current_revision = xstrdup_null(json_str(status, "currentRevision"));
    w->status_hash = status ? json_hash(status) : 0;
    model_conditions_read(status, &w->conditions);
    json_each (p, json_get(status, "placements")) {
        struct model_placement_status one = {
            .host = xstrdup(json_str_or(p, "host", "")),
            .image = xstrdup(json_str_or(p, "image", "")),
            .revision = xstrdup(json_str_or(p, "revision", "")),
            .state = xstrdup(json_str_or(p, "state", "")),
            .message = xstrdup(json_str_or(p, "message", "")),
            .replicas = (int32_t)json_int(p, "replicas", 0),
            .ready = cJSON_IsBool(json_get(p, "ready")) ? json_bool(p, "ready", false)
                                                        : json_int(p, "ready", 0) > 0,
        };
        if (json_str(p, "since"))
            time_parse_rfc3339(json_str(p, "since"), &one.since_ns, NULL);
        vec_push(&v, one);
    }
    w->placements = v.items;
    w->nplacements = v.len;
}

struct model_workload *model_workload_new(enum model_kind kind, const cJSON *object)
{
    struct model_workload *w = xcalloc(1, sizeof(*w));
    const cJSON *spec = json_get(object, "spec");
    struct err *e = NULL;

    w->kind = kind;
    model_meta_read(object, &w->meta);
    const char *ns = w->meta.namespace ? w->meta.namespace : "default";
    w->key = xasprintf("%s/%s", ns, w->meta.name);
    w->lattice = xstrdup(json_str_or(spec, "lattice", "default"));
    w->image = xstrdup(json_str_or(spec, "image", ""));
    w->pull_secret = xstrdup_null(json_str(spec, "imagePullSecret"));
    if (!w->pull_secret)
        w->pull_secret = xstrdup_null(json_str(spec, "imagePullSecret.name"));
    const char *id = json_str(spec, kind == MODEL_ACTOR ? "componentID" : "providerID");
    w->id = str_empty(id) ? xasprintf("%s_%s", ns, w->meta.name) : xstrdup(id);

    int64_t replicas = json_int(spec, "replicas", 1), concurrency = json_int(spec, "concurrency", 1000);
    w->replicas = (int32_t)(replicas < 0                     ? 0
                            : replicas > MODEL_REPLICAS_MOST ? MODEL_REPLICAS_MOST
                                                             : replicas);
    w->concurrency = (uint32_t)(concurrency < 1                        ? 1
                                : concurrency > MODEL_CONCURRENCY_MOST ? MODEL_CONCURRENCY_MOST
                                                                       : concurrency);
    const char *memory = json_str(spec, "limits.memory");
    if (memory && quantity_parse(memory, &w->memory_limit, &e) < 0) {
        err_wrap(&e, "spec.limits.memory");
        problem(w, TAKE_PTR(e));
    }
    read_config(spec, &w->config);
    read_placement(w, spec);
    if (kind == MODEL_PROVIDER) {
        /* Providers may name the mode beside the placement as well. */
        w->placement.daemon = w->placement.daemon || streq(json_str_or(spec, "mode", ""), "Daemon");
    }
    read_capabilities(w, spec);
    w->recreate = streq(json_str_or(spec, "update.strategy", "RollingUpdate"), "Recreate");
    w->paused = json_bool(spec, "paused", false);
    read_int_or_percent(json_at(spec, "update.maxUnavailable"), &w->max_unavailable_abs,
                        &w->max_unavailable_percent);
    read_int_or_percent(json_at(spec, "update.maxSurge"), &w->max_surge_abs, &w->max_surge_percent);
    if (kind == MODEL_PROVIDER) {
        /* A second provider would answer on the same address, or on one that nobody asks. */
        w->max_unavailable_abs = 1;
        w->max_unavailable_percent = -1;
        w->max_surge_abs = 0;
        w->max_surge_percent = -1;
    }
    w->restarted_at = xstrdup_null(json_str(spec, "restartedAt"));
    w->change_cause = read_annotation(object, "kubernetes.io/change-cause");
    w->template = read_template(spec);
    w->history_limit = (int32_t)json_int(spec, "revisionHistoryLimit", HISTORY_LIMIT);
    if (w->history_limit < 0 || w->history_limit > HISTORY_MOST)
        w->history_limit = HISTORY_LIMIT;
    if (!*w->image && !w->problem)
        w->problem = xstrdup("spec.image is empty");
    read_status(w, json_get(object, "status"));
    return w;
}

void model_workload_free(struct model_workload *w)
{
    if (!w)
        return;
    model_meta_release(&w->meta);
    free(w->key);
    free(w->lattice);
    free(w->image);
    free(w->pull_secret);
    free(w->id);
    release_config(&w->config);
    release_placement(&w->placement);
    for (size_t i = 0; i < w->ncapabilities; i++) {
        free(w->capabilities[i].name);
        free(w->capabilities[i].provider);
        free(w->capabilities[i].actor);
        model_interface_release(&w->capabilities[i].interface);
        release_config(&w->capabilities[i].config);
    }
    free(w->capabilities);
    free(w->problem);
    free(w->restarted_at);
    free(w->change_cause);
    free(w->template);
    free(w->current_revision);
    model_conditions_release(&w->conditions);
    for (size_t i = 0; i < w->nplacements; i++) {
        free(w->placements[i].host);
        free(w->placements[i].image);
        free(w->placements[i].revision);
        free(w->placements[i].state);
        free(w->placements[i].message);
    }
    free(w->placements);
    free(w);
}

const struct model_placement_status *model_placement_of(const struct model_workload *w, const char *host)
{
    for (size_t i = 0; i < w->nplacements; i++)
        if (streq(w->placements[i].host, host))
            return &w->placements[i];
    return NULL;
}
