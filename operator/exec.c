#include "operator/exec.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/gvr.h"
#include "operator/lattices.h"
#include "operator/links.h"

/* Finalizer */

static void on_finalizer(void *arg, const struct kube_response *response, const struct err *err)
{
    struct op_unit *u = arg;

    u->finalizer_request = NULL;
    unit_status_again(u);
    if (!err)
        kube_informer_observe(u->op->workloads[u->kind], response->body, response->len);
    /* Gone meanwhile, or (conflict) made anew under the same name: what is to be done the watch tells. */
    if (err && err->code != ERR_NOT_FOUND && err->code != ERR_CONFLICT) {
        op_metrics_unit_error(u->op->metrics, u->kind);
        log_warn("cannot write the finalizer", "object", u->key, "error", err_text(err), NULL);
    }
    /* The change comes back by the watch; after an error the key is tried again. */
    if (err) {
        xstr_replace(&u->finalizer_version, NULL);
        wq_add_after(u->op->q_unit[u->kind], u->key, 1000);
    }
}

static void write_finalizer(struct op *op, struct op_unit *u, const struct model_workload *w, bool present,
                            const char *why)
{
    if (u->finalizer_request || streq_null(u->finalizer_version, w->meta.resource_version))
        return;
    xstr_replace(&u->finalizer_version, w->meta.resource_version);
    if (!present)
        log_info("deleted", "object", u->key, "why", why, NULL);
    _cleanup_json_ cJSON *o =
        json_object("apiVersion", MODEL_API_VERSION, "kind", model_kind_name(w->kind), NULL);
    json_set_str(o, "metadata.name", w->meta.name);
    json_set_str(o, "metadata.namespace", w->meta.namespace);
    /* The uid keeps a deleted object from being created anew by this write. */
    json_set_str(o, "metadata.uid", w->meta.uid);
    cJSON *list = cJSON_CreateArray();
    if (present)
        cJSON_AddItemToArray(list, cJSON_CreateString(MODEL_FINALIZER));
    json_set(o, "metadata.finalizers", list);
    const struct kube_resource *r = kube_builtin_kind(MODEL_API_VERSION, model_kind_name(w->kind));
    u->finalizer_request = op_apply(op, r, w->meta.namespace, w->meta.name, NULL, o, on_finalizer, u);
}

/* Hosts */

static void on_restored(void *arg, const struct err *err)
{
    struct unit_host *h = arg;
    struct op_unit *u = h->unit;
    const struct model_workload *w = op_workload(u->op, u->kind, u->key);

    /* The failure of the new revision stays noted: it is what the status tells, and what the next try waits
     * for. */
    h->op = NULL;
    h->task = UNIT_IDLE;
    h->restoring = false;
    if (err) {
        log_error("cannot put the last revision back", "object", u->key, "host", h->host, "error",
                  err_text(err), NULL);
        if (w)
            op_event(u->op, w, "Warning", "RestoreFailed", "Restore",
                     "host %s runs nothing: revision %s cannot be put back: %s", h->host, h->good_revision,
                     err_text(err));
    } else {
        unit_host_serves(h);
        log_info("put the last revision back", "object", u->key, "host", h->host, "revision",
                 h->good_revision, NULL);
        if (w)
            op_event(u->op, w, "Normal", "Restored", "Restore", "revision %s serves on host %s again",
                     h->good_revision, h->host);
    }
    unit_host_keep(h, NULL, NULL, NULL, 0);
    op_enqueue(u->op, u->kind, u->key);
}

/* A revision that cannot be started must not end the one that served: it is put back as it was. */
static bool restore(struct unit_host *h)
{
    struct op_unit *u = h->unit;
    struct op_lattice *l = u->lattice ? op_lattice_get(u->op, u->lattice) : NULL;
    const struct model_workload *w = op_workload(u->op, u->kind, u->key);

    if (!h->good_image || !op_lattice_usable(l) || !w || w->meta.deleted_ns)
        return false;
    struct map *annotations = map_new(free);
    _cleanup_free_ char *owner = op_owner(u->op, u->kind, u->key);
    map_set(annotations, MODEL_OWNER, xstrdup(owner));
    map_set(annotations, MODEL_REVISION, xstrdup(h->good_revision));
    if (h->good_config)
        map_set(annotations, MODEL_CONFIG, xstrdup(h->good_config));
    char *names[] = {h->good_config, NULL};
    h->task = UNIT_SETTING;
    h->restoring = true;
    h->replicas = h->good_replicas;
    xstr_replace(&h->revision, h->good_revision);
    if (u->kind == MODEL_ACTOR) {
        struct lat_component_spec spec = {
            .host = h->host,
            .id = w->id,
            .image = h->good_image,
            .count = (uint32_t)h->good_replicas * w->concurrency,
            .config = names,
            .annotations = annotations,
            .memory_limit = w->memory_limit,
        };
        h->op = lat_component_set(l->lat, &spec, on_restored, h);
    } else {
        struct lat_provider_spec spec = {.host = h->host,
                                         .id = w->id,
                                         .image = h->good_image,
                                         .config = names,
                                         .annotations = annotations};
        h->op = lat_provider_start(l->lat, &spec, on_restored, h);
    }
    map_free(annotations);
    return true;
}

static void on_host_done(void *arg, const struct err *err)
{
    struct unit_host *h = arg;
    struct op_unit *u = h->unit;
    struct op *op = u->op;
    enum unit_task_kind task = h->task;
    const struct model_workload *w = op_workload(op, u->kind, u->key);
    const struct model_host *object = op_host_object(op, h->host);
    const char *name = object ? object->meta.name : h->host;

    unit_host_done(h, err);
    if (err)
        op_metrics_unit_error(op->metrics, u->kind);
    if (task == UNIT_SETTING)
        op_lattice_starting(u->lattice ? op_lattice_get(op, u->lattice) : NULL, h->host, -1);
    char took[32];
    snprintf(took, sizeof(took), "%lld ms", (long long)(loop_now_ms(op->loop) - h->started_ms));
    if (err)
        log_warn(task == UNIT_SETTING ? "start failed" : "stop failed", "object", u->key, "host", h->host,
                 "error", err_text(err), NULL);
    else
        log_info(task == UNIT_SETTING ? "running" : "stopped", "object", u->key, "host", h->host, "took",
                 took, NULL);
    if (w && task == UNIT_SETTING && err)
        op_event(op, w, "Warning", "StartFailed", "Start", "cannot run on host %s: %s", name, err_text(err));
    else if (w && task == UNIT_SETTING)
        op_event(op, w, "Normal", "Running", "Start", "%d replica%s on host %s (revision %s)",
                 (int)h->replicas, h->replicas == 1 ? " runs" : "s run", name,
                 h->revision ? h->revision : "");
    else if (w && err)
        op_event(op, w, "Warning", "StopFailed", "Stop", "cannot stop on host %s: %s", name, err_text(err));
    else if (w)
        op_event(op, w, "Normal", "Stopped", "Stop", "stopped on host %s", name);
    if (task == UNIT_SETTING && !err)
        unit_host_keep(h, NULL, NULL, NULL, 0);
    if (task == UNIT_SETTING && err && restore(h))
        return;
    op_enqueue(op, u->kind, u->key);
}

static struct map *annotations_of(const struct view *v)
{
    struct map *m = map_new(free);

    map_set(m, MODEL_OWNER, xstrdup(v->owner));
    map_set(m, MODEL_REVISION, xstrdup(v->revision));
    if (v->w->restarted_at)
        map_set(m, MODEL_RESTARTED, xstrdup(v->w->restarted_at));
    if (v->own_config)
        map_set(m, MODEL_CONFIG, xstrdup(v->own_config));
    return m;
}

static const struct view_host *host_of(const struct view *v, const char *id)
{
    for (size_t i = 0; i < v->nhosts; i++)
        if (streq(v->hosts[i].id, id))
            return &v->hosts[i];
    return NULL;
}

static void set_on_host(struct op_unit *u, const struct view *v, const struct plan_action *a)
{
    const struct model_workload *w = v->w;
    struct unit_host *h = unit_host_get(u, a->host);
    struct map *annotations = annotations_of(v);
    char *names[] = {v->own_config, NULL};
    const struct view_host *running = host_of(v, a->host);

    if (h->failures && streq_null(h->failed_revision, v->revision))
        op_metrics_retry(u->op->metrics, u->kind);
    h->task = UNIT_SETTING;
    h->replicas = a->replicas;
    h->started_ms = v->now_ms;
    xstr_replace(&h->revision, v->revision);
    op_lattice_starting(v->l, a->host, 1);
    log_info(a->why, "object", u->key, "host", a->host, "image", v->image, "revision", v->revision, NULL);
    if (w->kind == MODEL_ACTOR) {
        struct lat_component_spec spec = {
            .host = a->host,
            .id = w->id,
            .image = v->image,
            .count = (uint32_t)a->replicas * w->concurrency,
            .config = names,
            .annotations = annotations,
            .memory_limit = w->memory_limit,
            .fresh = running && running->running && running->ours && w->restarted_at &&
                     !streq_null(running->restarted, w->restarted_at),
        };
        h->op = lat_component_set(v->l->lat, &spec, on_host_done, h);
    } else {
        struct lat_provider_spec spec = {
            .host = a->host, .id = w->id, .image = v->image, .config = names, .annotations = annotations};
        h->op = lat_provider_start(v->l->lat, &spec, on_host_done, h);
    }
    map_free(annotations);
}

static void stop_on_host(struct op_unit *u, const struct view *v, const struct plan_action *a)
{
    struct unit_host *h = unit_host_get(u, a->host);

    h->task = UNIT_STOPPING;
    h->replicas = 0;
    h->started_ms = v->now_ms;
    xstr_replace(&h->revision, v->revision);
    log_info("stop", "object", u->key, "host", a->host, "why", a->why, NULL);
    h->op = v->w->kind == MODEL_ACTOR ? lat_component_stop(v->l->lat, a->host, v->w->id, on_host_done, h)
                                      : lat_provider_stop(v->l->lat, a->host, v->w->id, on_host_done, h);
}

/* A running provider takes no new image or configuration: it is stopped, and the next reconcile starts it
 * anew. */
static void run_set(struct op_unit *u, const struct view *v, const struct plan_action *a)
{
    const struct view_host *h = host_of(v, a->host);

    if (h && h->running && h->ours && !streq(h->revision, v->revision))
        unit_host_keep(unit_host_get(u, a->host), h->image, h->revision, h->config, plan_running_on(v, h));
    if (v->w->kind == MODEL_PROVIDER && h && h->running)
        stop_on_host(u, v, a);
    else
        set_on_host(u, v, a);
}

static void forget_old_configs(struct op_unit *u, const struct view *v, bool complete)
{
    strv_free(u->config_names);
    u->config_names = strv_new();
    for (size_t i = 0; i < v->nconfigs; i++)
        strv_push(&u->config_names, v->configs[i].name);
    for (size_t i = 0; i < v->nconfigs; i++)
        map_set(u->old_configs, v->configs[i].name, u);
    if (!complete || !v->l)
        return;
    for (struct map_iter it = {0}; map_next(u->old_configs, &it);) {
        bool used = false;
        for (size_t i = 0; i < v->nconfigs; i++)
            used = used || streq(v->configs[i].name, it.key);
        if (used)
            continue;
        links_config_del(v->l, it.key);
        map_del(u->old_configs, it.key);
    }
}

static void delete_configs(struct op_unit *u, const struct view *v)
{
    for (size_t i = 0; i < v->nconfigs; i++)
        map_set(u->old_configs, v->configs[i].name, u);
    for (struct map_iter it = {0}; map_next(u->old_configs, &it);)
        links_config_del(v->l, it.key);
    map_clear(u->old_configs);
}

void exec_plan(struct op *op, struct op_unit *u, const struct view *v, const struct plan *p)
{
    const struct model_workload *w = v->w;

    for (size_t i = 0; i < p->nactions; i++) {
        const struct plan_action *a = &p->actions[i];
        switch (a->kind) {
        case PLAN_FINALIZER_ADD:
            write_finalizer(op, u, w, true, NULL);
            break;
        case PLAN_FINALIZER_REMOVE:
            write_finalizer(op, u, w, false, a->why);
            break;
        case PLAN_CONFIG_PUT:
            links_config_put(v->l, v->configs[a->index].name, v->configs[a->index].values, w->kind, w->key);
            break;
        case PLAN_LINK_PUT:
            links_put(v->l, &v->links[a->index].link, w->kind, w->key);
            break;
        case PLAN_LINK_REPLACE:
            links_del(v->l, v->links[a->index].present, &v->links[a->index].link, w->kind, w->key);
            break;
        case PLAN_LINK_DEL:
            links_del(v->l, v->unwanted[a->index], NULL, w->kind, w->key);
            break;
        case PLAN_LOGIN:
            links_login_put(v->l, &v->login, w->kind, w->key);
            break;
        case PLAN_SET:
            run_set(u, v, a);
            break;
        case PLAN_STOP:
            stop_on_host(u, v, a);
            break;
        case PLAN_CONFIG_DEL:
            delete_configs(u, v);
            break;
        }
    }
    if (!w->meta.deleted_ns)
        forget_old_configs(u, v, p->complete);
}
