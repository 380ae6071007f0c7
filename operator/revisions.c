#include "operator/revisions.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/gvr.h"

#define LABEL_KIND     "wasmctl.dev/kind"
#define LABEL_NAME     "wasmctl.dev/name"
#define LABEL_REVISION "wasmctl.dev/revision"
#define CHANGE_CAUSE   "kubernetes.io/change-cause"

/* DRAFT_MS: the first revision of an object is written so much later. It is for history alone, and when many
 * objects are created at once the API server has better things to do. */
enum { NAME_MOST = 253, RETRY_MS = 30 * 1000, MADE_MS = 60 * 1000, DRAFT_MS = 1000 };

struct revision {
    char *namespace, *name, *owner, *owner_uid, *revision, *cause, *version;
    int64_t number;
};

struct op_revisions {
    struct op *op;
    struct kube_informer *informer;
    struct map *owners; /* "<kind>/<namespace>/<name>" -> struct map *: keys of its revisions */
    bool told;          /* that they cannot be written or watched */
};

/* Cache */

static char *owner_key(enum model_kind kind, const char *key)
{
    return xasprintf("%s/%s", model_kind_name(kind), key);
}

static void revision_free(void *p)
{
    struct revision *r = p;

    free(r->namespace);
    free(r->name);
    free(r->owner);
    free(r->owner_uid);
    free(r->revision);
    free(r->cause);
    free(r->version);
    free(r);
}

static void *transform(void *arg _unused_, cJSON *o)
{
    const cJSON *labels = json_at(o, "metadata.labels"), *annotations = json_at(o, "metadata.annotations");
    const cJSON *owner = json_at(o, "metadata.ownerReferences[0]");
    const char *kind = json_str_or(owner, "kind", "");

    if (!streq(json_str_or(owner, "apiVersion", ""), MODEL_API_VERSION) ||
        (!streq(kind, model_kind_name(MODEL_ACTOR)) && !streq(kind, model_kind_name(MODEL_PROVIDER))))
        return NULL;
    const cJSON *revision = json_get(labels, LABEL_REVISION), *cause = json_get(annotations, CHANGE_CAUSE);
    struct revision *r = xcalloc(1, sizeof(*r));
    *r = (struct revision){
        .namespace = xstrdup(json_str_or(o, "metadata.namespace", "")),
        .name = xstrdup(json_str_or(o, "metadata.name", "")),
        .owner = xasprintf("%s/%s/%s", kind, json_str_or(o, "metadata.namespace", ""),
                           json_str_or(owner, "name", "")),
        .owner_uid = xstrdup(json_str_or(owner, "uid", "")),
        .revision = xstrdup(cJSON_IsString(revision) ? revision->valuestring : ""),
        .cause = xstrdup_null(cJSON_IsString(cause) ? cause->valuestring : NULL),
        .version = xstrdup(json_str_or(o, "metadata.resourceVersion", "")),
        .number = json_int(o, "revision", 0),
    };
    return r;
}

static void owner_free(void *p)
{
    map_free(p);
}

static void enqueue_owner(struct op *op, const char *owner)
{
    for (int kind = 0; kind < 2; kind++) {
        const char *name = model_kind_name((enum model_kind)kind);
        size_t n = strlen(name);
        if (strncmp(owner, name, n) == 0 && owner[n] == '/')
            op_enqueue(op, (enum model_kind)kind, owner + n + 1);
    }
}

static void on_changed(void *arg, const char *key, const void *old, const void *now)
{
    struct op_revisions *all = arg;
    const struct revision *was = old, *is = now;
    struct map *of;

    if (was && (!is || !streq(was->owner, is->owner)) && (of = map_get(all->owners, was->owner))) {
        map_del(of, key);
        if (!map_len(of))
            map_del(all->owners, was->owner);
    }
    if (is) {
        of = map_get(all->owners, is->owner);
        if (!of) {
            of = map_new(NULL);
            map_set(all->owners, is->owner, of);
        }
        map_set(of, key, all);
    }
    enqueue_owner(all->op, is ? is->owner : was->owner);
}

static void on_synced(void *arg)
{
    struct op_revisions *all = arg;

    for (int kind = 0; kind < 2; kind++)
        for (struct map_iter it = {0}; kube_informer_next(all->op->workloads[kind], &it);)
            op_enqueue(all->op, (enum model_kind)kind, it.key);
}

static void on_state(void *arg, const struct err *err)
{
    struct op_revisions *all = arg;

    if (err && !all->told)
        log_warn("cannot watch ControllerRevisions: there is no history of revisions", "error", err->message,
                 NULL);
    all->told = err != NULL;
}

struct op_revisions *revisions_new(struct op *op)
{
    struct op_revisions *all = xcalloc(1, sizeof(*all));
    struct kube_informer_options options = {
        .resource = kube_builtin_find("controllerrevisions"),
        .label_selector = LABEL_KIND,
        .transform = transform,
        .free_object = revision_free,
        .changed = on_changed,
        .synced = on_synced,
        .state = on_state,
        .arg = all,
    };

    all->op = op;
    all->owners = map_new(owner_free);
    /* One namespace can be watched as such, which needs fewer rights. */
    _cleanup_strv_ char **only = strv_split(op->options->watch_namespaces, ',', false);
    if (strv_len(only) == 1)
        options.namespace = only[0];
    all->informer = kube_informer_new(op->client, &options);
    return all;
}

void revisions_free(struct op_revisions *all)
{
    if (!all)
        return;
    kube_informer_free(all->informer);
    map_free(all->owners);
    free(all);
}

/* Writing: one request of a unit at a time */

static void on_written(void *arg, const struct kube_response *response _unused_, const struct err *err)
{
    struct op_unit *u = arg;

    u->revision_request = NULL;
    if (!err || err->code == ERR_NOT_FOUND || err->code == ERR_CONFLICT || err->code == ERR_ALREADY_EXISTS) {
        /* These mean that our picture is old: the watch brings the new one, and the key with it. */
        if (err && err->code == ERR_ALREADY_EXISTS)
            u->revision_made_ms = loop_now_ms(u->op->loop);
        if (err)
            wq_add_after(u->op->q_unit[u->kind], u->key, 1000);
        return;
    }
    xstr_replace(&u->revision_made, NULL);
    u->revision_retry_ms = loop_now_ms(u->op->loop) + RETRY_MS;
    wq_add_after(u->op->q_unit[u->kind], u->key, RETRY_MS + 1);
    log_warn("cannot write a ControllerRevision", "object", u->key, "error", err_text(err), NULL);
}

static void request(struct op *op, struct op_unit *u, const char *method, const char *ns, const char *name,
                    const char *body, const char *content_type)
{
    const struct kube_resource *resource = kube_builtin_find("controllerrevisions");
    _cleanup_free_ char *path = kube_path(resource, ns, name, NULL);
    struct kube_call call = {
        .method = method,
        .path = path,
        .query = streq(method, "DELETE") ? NULL : "fieldManager=" OP_FIELD_MANAGER,
        .body = body,
        .content_type = content_type,
        .done = u ? on_written : NULL,
        .arg = u,
    };
    struct kube_req *req = kube_do(op->client, &call);

    if (u)
        u->revision_request = req;
}

static char *revision_name(const struct model_workload *w, const char *revision)
{
    size_t most = NAME_MOST - strlen(revision) - 1;

    return xasprintf("%.*s-%s", (int)most, w->meta.name, revision);
}

static char *make_body(const struct view *v, int64_t number)
{
    const struct model_workload *w = v->w;
    _cleanup_json_ cJSON *o = json_object("apiVersion", "apps/v1", "kind", "ControllerRevision", NULL);
    _cleanup_free_ char *name = revision_name(w, v->history_revision);
    cJSON *owner = json_object("apiVersion", MODEL_API_VERSION, "kind", model_kind_name(w->kind), "name",
                               w->meta.name, "uid", w->meta.uid, NULL);
    cJSON *owners = cJSON_CreateArray(), *labels = cJSON_CreateObject(), *spec = NULL;

    json_set_bool(owner, "controller", true);
    json_set_bool(owner, "blockOwnerDeletion", true);
    cJSON_AddItemToArray(owners, owner);
    json_set_str(o, "metadata.name", name);
    json_set_str(o, "metadata.namespace", w->meta.namespace);
    json_set(o, "metadata.ownerReferences", owners);
    json_put_str(labels, LABEL_KIND, model_kind_name(w->kind));
    /* A label holds 63 characters: of a longer name this is not the whole, the owner is. */
    _cleanup_free_ char *legal = model_label_value(w->meta.name);
    json_put_str(labels, LABEL_NAME, legal);
    json_put_str(labels, LABEL_REVISION, v->history_revision);
    json_set(o, "metadata.labels", labels);
    if (w->change_cause) {
        cJSON *annotations = cJSON_CreateObject();
        json_put_str(annotations, CHANGE_CAUSE, w->change_cause);
        json_set(o, "metadata.annotations", annotations);
    }
    if (json_parse(w->template, strlen(w->template), "template", &spec, NULL) == 0)
        json_set(o, "data.spec", spec);
    json_set_int(o, "revision", number);
    return json_print(o);
}

static void create(struct op *op, struct op_unit *u, const char *ns, const char *revision, const char *body)
{
    xstr_replace(&u->revision_made, revision);
    u->revision_made_ms = loop_now_ms(op->loop);
    log_info("new revision", "object", u->key, "revision", revision, NULL);
    request(op, u, "POST", ns, NULL, body, "application/json");
}

static void draft_clear(struct op_revision_draft *d)
{
    free(d->revision);
    free(d->body);
    *d = (struct op_revision_draft){0};
}

static void draft(struct op *op, struct op_unit *u, const struct view *v)
{
    u->draft = (struct op_revision_draft){.revision = xstrdup(v->history_revision),
                                          .body = make_body(v, 1),
                                          .due_ms = loop_now_ms(op->loop) + DRAFT_MS};
    wq_add_after(op->q_unit[u->kind], u->key, DRAFT_MS);
}

/* One that the object has left behind is written at once: it can be undone to. */
static void draft_sync(struct op *op, struct op_unit *u, const struct view *v)
{
    int64_t left = u->draft.due_ms - loop_now_ms(op->loop);

    if (streq(u->draft.revision, v->history_revision) && left > 0) {
        wq_add_after(op->q_unit[u->kind], u->key, left);
        return;
    }
    create(op, u, v->w->meta.namespace, u->draft.revision, u->draft.body);
    draft_clear(&u->draft);
}

static void amend(struct op *op, struct op_unit *u, const struct model_workload *w, const struct revision *r,
                  int64_t number)
{
    _cleanup_json_ cJSON *o = cJSON_CreateObject();

    json_set_str(o, "metadata.resourceVersion", r->version);
    if (w->change_cause && !streq_null(w->change_cause, r->cause)) {
        cJSON *annotations = cJSON_CreateObject();
        json_put_str(annotations, CHANGE_CAUSE, w->change_cause);
        json_set(o, "metadata.annotations", annotations);
    }
    json_set_int(o, "revision", number);
    _cleanup_free_ char *body = json_print(o);
    request(op, u, "PATCH", r->namespace, r->name, body, "application/merge-patch+json");
}

static void delete_one(struct op *op, struct op_unit *u, const struct revision *r)
{
    request(op, u, "DELETE", r->namespace, r->name, NULL, NULL);
}

/* One was written a moment ago, and the watch has not brought it yet. */
static bool is_awaited(const struct op_unit *u)
{
    return u->revision_made && loop_now_ms(u->op->loop) - u->revision_made_ms < MADE_MS;
}

/* What is to run, and until it does, what was the last to run everywhere. */
static bool is_in_use(const struct view *v, const struct plan *p, const struct revision *r)
{
    return streq(r->revision, v->history_revision) ||
           (!p->complete && streq_null(r->revision, v->w->current_revision));
}

void revisions_sync(struct op_revisions *all, struct op_unit *u, const struct view *v, const struct plan *p)
{
    const struct model_workload *w = v->w;
    struct op *op = all->op;
    const struct revision *mine = NULL, *oldest = NULL;
    int64_t newest = 0;
    int32_t old = 0;

    if (u->revision_request || v->config_problem || w->problem || !w->template ||
        !kube_informer_synced(all->informer) || loop_now_ms(op->loop) < u->revision_retry_ms)
        return;
    if (u->draft.body) {
        draft_sync(op, u, v);
        return;
    }
    _cleanup_free_ char *owner = owner_key(w->kind, w->key);
    for (struct map_iter it = {0}; map_next(map_get(all->owners, owner), &it);) {
        const struct revision *r = kube_informer_get(all->informer, it.key);
        if (!r)
            continue;
        /* Of an object of the same name that is gone: its names are in the way. */
        if (!streq(r->owner_uid, w->meta.uid)) {
            delete_one(op, u, r);
            return;
        }
        if (streq_null(u->revision_made, r->revision))
            xstr_replace(&u->revision_made, NULL);
        if (streq(r->revision, v->history_revision))
            mine = r;
        if (r->number > newest)
            newest = r->number;
        if (is_in_use(v, p, r))
            continue;
        old++;
        if (!oldest || r->number < oldest->number)
            oldest = r;
    }
    if (is_awaited(u))
        return;
    if (!mine && !newest && !u->revision_made && !w->current_revision) {
        draft(op, u, v);
    } else if (!mine) {
        _cleanup_free_ char *body = make_body(v, newest + 1);
        create(op, u, w->meta.namespace, v->history_revision, body);
    } else if (mine->number < newest)
        amend(op, u, w, mine, newest + 1);
    else if (w->change_cause && !streq_null(w->change_cause, mine->cause))
        amend(op, u, w, mine, mine->number);
    else if (oldest && old > w->history_limit && p->complete)
        delete_one(op, u, oldest);
}

void revisions_forget(struct op_revisions *all, enum model_kind kind, const char *key)
{
    _cleanup_free_ char *owner = owner_key(kind, key);

    for (struct map_iter it = {0}; map_next(map_get(all->owners, owner), &it);) {
        const struct revision *r = kube_informer_get(all->informer, it.key);
        if (r)
            delete_one(all->op, NULL, r);
    }
}
