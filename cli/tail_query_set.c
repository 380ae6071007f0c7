/* The queries of one cluster as they are now: see cli/tail_query.h. */
#include "cli/tail_query.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/hosts.h"
#include "cli/tail.h"
#include "cli/target.h"
#include "data/selector.h"
#include "kube/discovery.h"
#include "kube/watch.h"

enum { MEANT_MOST = 20000 /* names of objects whose Events are wanted */ };

enum kind {
    QUERY_PATTERN,  /* Pod names */
    QUERY_SELECTOR, /* an object with a selector */
    QUERY_CRONJOB,
    QUERY_UNIT, /* a WasmActor or WasmProvider */
    QUERY_HOST,
    QUERY_LATTICE,
};

struct query {
    struct tail_queries *set;
    enum kind kind;
    char *text;
    const struct kube_resource *resource; /* of objects */
    char *namespace, *name;
    struct tail_pattern *pattern;
    struct kube_watch *watch, *jobs_watch;
    char *selector_text;
    struct selector *selector; /* NULL: nothing is selected */
    struct map *jobs;          /* QUERY_CRONJOB: names of its Jobs */
    char **hosts;              /* LatticeHosts, in small letters */
    char **names;              /* QUERY_UNIT: what lines are narrowed to */
    char *lattice, *id;        /* of units */
    bool there, seen, told_watch;
};

struct host {
    char *hostname, *lattice, *id; /* hostname may be NULL */
    bool seen;
};

struct tail_queries {
    struct tail_queries_options options;
    char **namespaces;
    struct query *items;
    size_t len;
    struct map *hosts; /* name -> struct host, when our kinds are asked for */
    struct kube_watch *hosts_watch;
    struct map *meant; /* "Kind/namespace/name" */
    char **lattices, **ids;
    char *told; /* everything that decides what is meant, to see a change */
    struct loop_defer *defer;
    bool everywhere, ready;
};

static void note(struct tail_queries *s, bool chatter, const char *fmt, ...) _printf_(3, 4);
static void note(struct tail_queries *s, bool chatter, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    s->options.note(s->options.arg, chatter, text);
}

static void host_free(void *arg)
{
    struct host *h = arg;

    free(h->hostname);
    free(h->lattice);
    free(h->id);
    free(h);
}

static void replace_list(char ***list, char **by)
{
    strv_free(*list);
    *list = by;
}

/* What is meant now, and whether that differs from what was */

static void tell_list(struct buf *out, const char *what, char *const *list)
{
    _cleanup_free_ char *all = list ? strv_join(list, ",") : NULL;

    buf_addf(out, "%s=%s;", what, all ? all : "");
}

static void on_changed(void *arg)
{
    struct tail_queries *s = arg;

    s->defer = NULL;
    s->options.changed(s->options.arg);
}

static void collect_lattices(struct tail_queries *s)
{
    char **lattices = strv_new();

    for (size_t i = 0; i < s->len; i++) {
        struct query *q = &s->items[i];
        if (q->lattice && !strv_has(lattices, q->lattice))
            strv_push(&lattices, q->lattice);
        for (char **h = q->kind == QUERY_HOST ? q->hosts : NULL; h && *h; h++) {
            const struct host *host = map_get(s->hosts, *h);
            if (host && !strv_has(lattices, host->lattice))
                strv_push(&lattices, host->lattice);
        }
    }
    replace_list(&s->lattices, lattices);
}

static const char *hostname_of(const struct tail_queries *s, const char *name)
{
    const struct host *host = map_get(s->hosts, name);

    return host ? host->hostname : NULL;
}

static void look_for_change(struct tail_queries *s)
{
    _cleanup_buf_ struct buf now = BUF_INIT;

    collect_lattices(s);
    for (size_t i = 0; i < s->len; i++) {
        struct query *q = &s->items[i];
        buf_addf(&now, "%zu:%s;", i, q->selector_text ? q->selector_text : "");
        for (struct map_iter it = {0}; q->jobs && map_next(q->jobs, &it);)
            buf_addf(&now, "%s,", it.key);
        tell_list(&now, "hosts", q->hosts);
        tell_list(&now, "names", q->names);
        for (char **h = q->hosts; h && *h; h++) {
            const char *hostname = hostname_of(s, *h);
            buf_addf(&now, "%s,", hostname ? hostname : "");
        }
    }
    tell_list(&now, "lattices", s->lattices);
    if (streq_null(s->told, buf_str(&now)))
        return;
    bool first = !s->told;
    xstr_replace(&s->told, buf_str(&now));
    if (!first && s->ready && !s->defer)
        s->defer = loop_defer(cmd_loop(s->options.c), on_changed, s);
}

/* Objects */

static void add_name(char ***names, const char *name)
{
    if (!str_empty(name) && !strv_has(*names, name))
        strv_push(names, name);
}

/* Hosts write "file:///a/b.wasm" in some lines and "/a/b.wasm" in others. */
static void add_image(char ***names, const char *image)
{
    if (image)
        add_name(names, str_starts(image, "file://") ? image + strlen("file://") : image);
}

static void read_unit(struct query *q, const cJSON *object)
{
    char **hosts = strv_new(), **names = strv_new();
    bool is_actor = streq(q->resource->resource, "wasmactors");
    _cleanup_free_ char *usual = xasprintf("%s_%s", q->namespace, q->name);
    const char *key = is_actor ? "componentID" : "providerID";
    _cleanup_free_ char *in_status = xasprintf("status.%s", key), *in_spec = xasprintf("spec.%s", key);
    const char *id = json_str_or(object, in_status, json_str_or(object, in_spec, usual));

    add_name(&names, id);
    add_image(&names, json_str(object, "spec.image"));
    json_each (placement, json_at(object, "status.placements")) {
        add_name(&hosts, json_str(placement, "host"));
        add_image(&names, json_str(placement, "image"));
    }
    replace_list(&q->hosts, hosts);
    replace_list(&q->names, names);
    xstr_replace(&q->id, id);
    xstr_replace(&q->lattice, json_str_or(object, "spec.lattice", "default"));
}

int tail_query_selector(const struct kube_resource *resource, const char *name, const cJSON *object,
                        struct selector **ret, struct err **err)
{
    const cJSON *selector = json_at(object, "spec.selector");
    bool whole = json_get(selector, "matchLabels") || json_get(selector, "matchExpressions");
    _cleanup_json_ cJSON *made = NULL;

    if (!cJSON_IsObject(selector) || !selector->child)
        return err_set(err, ERR_INVALID,
                       streq(resource->resource, "services")
                           ? "%s/%s has no selector, so it has no Pods of its own: tail the Pods behind its "
                             "endpoints"
                           : "%s/%s selects no Pods: tail a Pod, or a Deployment, ReplicaSet, StatefulSet, "
                             "DaemonSet, ReplicationController, Job, CronJob or Service, or one of our own "
                             "kinds",
                       resource->resource, name);
    if (!whole) {
        made = cJSON_CreateObject();
        json_put(made, "matchLabels", cJSON_Duplicate(selector, true));
    }
    int r = selector_from_json(whole ? selector : made, ret, err);
    return r < 0 ? err_wrap(err, "%s/%s: spec.selector", resource->resource, name) : 0;
}

static int read_selector(struct query *q, const cJSON *object, struct err **err)
{
    struct selector *parsed = NULL;
    int r = tail_query_selector(q->resource, q->name, object, &parsed, err);

    if (r < 0)
        return r;
    selector_free(q->selector);
    q->selector = parsed;
    free(q->selector_text);
    q->selector_text = selector_text(parsed);
    return 0;
}

static int read_object(struct query *q, const cJSON *object, struct err **err)
{
    q->there = true;
    if (q->kind == QUERY_UNIT)
        read_unit(q, object);
    return q->kind == QUERY_SELECTOR ? read_selector(q, object, err) : 0;
}

static void object_missing(struct query *q)
{
    note(q->set, false,
         q->there ? "%s is gone; waiting for it to come back" : "%s is not there; waiting for it", q->text);
    q->there = false;
}

static void on_object(void *arg, enum kube_event type, cJSON *object)
{
    struct query *q = arg;
    struct err *e = NULL;
    bool was = q->there;

    q->seen = true;
    if (type == KUBE_DELETED) {
        /* Its Pods go in their time: they are still meant. */
        object_missing(q);
        return;
    }
    if (read_object(q, object, &e) < 0) {
        note(q->set, false, "%s", err_text(e));
        err_free(e);
        return;
    }
    if (!was)
        note(q->set, false, "%s is there", q->text);
    look_for_change(q->set);
}

static void on_object_relist(void *arg)
{
    struct query *q = arg;

    q->seen = false;
}

static void on_object_synced(void *arg)
{
    struct query *q = arg;

    if (!q->seen && q->there)
        object_missing(q);
}

static void on_object_state(void *arg, const struct err *err)
{
    struct query *q = arg;

    if (err && !q->told_watch)
        note(q->set, false, "%s cannot be watched (%s), trying again; what it was last is followed", q->text,
             err_text(err));
    q->told_watch = err != NULL;
}

/* The Jobs of a CronJob, those that come later too. */

static void on_job(void *arg, enum kube_event type _unused_, cJSON *job)
{
    struct query *q = arg;

    json_each (owner, json_at(job, "metadata.ownerReferences"))
        if (streq(json_str_or(owner, "kind", ""), "CronJob") &&
            streq(json_str_or(owner, "name", ""), q->name) && map_len(q->jobs) < MEANT_MOST)
            map_set(q->jobs, json_str_or(job, "metadata.name", ""), q);
    look_for_change(q->set);
}

static int list_jobs(struct query *q, struct err **err)
{
    const struct kube_resource *resource;
    _cleanup_json_ cJSON *list = NULL;
    int r = kube_find_resource(q->set->options.c->client, "jobs.batch", &resource, err);

    if (r < 0)
        return r;
    struct cli_request request = {.resource = resource, .namespace = q->namespace};
    if ((r = cli_request(q->set->options.c, &request, &list, err)) < 0)
        return r;
    json_each (job, json_get(list, "items"))
        on_job(q, KUBE_ADDED, job);
    if (!q->set->options.follow)
        return 0;
    struct kube_watch_options watch = {
        .resource = resource, .namespace = q->namespace, .event = on_job, .arg = q};
    q->jobs_watch = kube_watch_new(q->set->options.c->client, &watch);
    return 0;
}

/* Hosts */

static void on_host(void *arg, enum kube_event type, cJSON *object)
{
    struct tail_queries *s = arg;
    const char *name = json_str_or(object, "metadata.name", "");

    /* A host that is gone is kept while somebody names it: its Pod has last lines. */
    if (type == KUBE_DELETED)
        return;
    struct host *h = xcalloc(1, sizeof(*h));
    h->hostname = xstrdup_null(json_str(object, "status.hostname"));
    h->lattice = xstrdup(json_str_or(object, "spec.lattice", "default"));
    h->id = xstrdup(json_str_or(object, "spec.hostID", name));
    map_set(s->hosts, name, h);
    for (size_t i = 0; i < s->len; i++) {
        struct query *q = &s->items[i];
        if (q->kind == QUERY_LATTICE && streq(q->name, h->lattice))
            add_name(&q->hosts, name);
    }
    look_for_change(s);
}

static void on_hosts_state(void *arg, const struct err *err)
{
    struct tail_queries *s = arg;

    if (err)
        note(s, true, "hosts cannot be watched (%s), trying again", err_text(err));
}

static int list_hosts(struct tail_queries *s, struct err **err)
{
    const struct kube_resource *resource = kube_builtin_find("latticehosts");
    struct cli_request request = {.resource = resource};
    _cleanup_json_ cJSON *list = NULL;
    int r = cli_request(s->options.c, &request, &list, err);

    if (r < 0)
        return r;
    json_each (host, json_get(list, "items"))
        on_host(s, KUBE_ADDED, host);
    if (!s->options.follow)
        return 0;
    struct kube_watch_options watch = {
        .resource = resource, .event = on_host, .state = on_hosts_state, .arg = s};
    s->hosts_watch = kube_watch_new(s->options.c->client, &watch);
    return 0;
}

/* Queries */

static int find_object(struct query *q, struct err **err)
{
    struct cmd_ctx *c = q->set->options.c;
    struct cli_request request = {.resource = q->resource, .namespace = q->namespace, .name = q->name};
    _cleanup_json_ cJSON *object = NULL;
    struct err *e = NULL;
    int r = cli_request(c, &request, &object, &e);

    if (r < 0 && e && e->http == 404 && e->code == ERR_NOT_FOUND && q->set->options.follow) {
        note(q->set, false, "%s; waiting for it", err_text(e));
        err_free(e);
    } else if (r < 0) {
        return err_move(err, e);
    } else if ((r = read_object(q, object, err)) < 0) {
        return r;
    }
    if (!q->set->options.follow)
        return 0;
    _cleanup_free_ char *field = xasprintf("metadata.name=%s", q->name);
    struct kube_watch_options watch = {
        .resource = q->resource,
        .namespace = q->namespace,
        .field_selector = field,
        .event = on_object,
        .relist = on_object_relist,
        .synced = on_object_synced,
        .state = on_object_state,
        .arg = q,
    };
    q->watch = kube_watch_new(c->client, &watch);
    return 0;
}

/* A host is named by whatever names it, as everywhere. */
static int find_host(struct query *q, struct err **err)
{
    char *words[] = {q->name, NULL};
    _cleanup_hosts_ struct cli_hosts found = {0};
    struct err *e = NULL;
    int r = cli_hosts_find(q->set->options.c, words, NULL, &found, &e);

    q->hosts = strv_new();
    if (r == ERR_NOT_FOUND && q->set->options.follow && (!e->http || e->http == 200)) {
        note(q->set, false, "%s; waiting for it", err_text(e));
        err_free(e);
        _cleanup_free_ char *lower = str_lower(q->name);
        strv_push(&q->hosts, lower);
        return 0;
    }
    if (r < 0)
        return err_move(err, e);
    strv_push(&q->hosts, cli_host_name(found.items[0]));
    return 0;
}

static int query_of_kind(struct query *q, const char *word, const char *name, struct err **err)
{
    static const struct {
        const char *resource;
        enum kind kind;
    } kinds[] = {{"wasmactors", QUERY_UNIT},
                 {"wasmproviders", QUERY_UNIT},
                 {"latticehosts", QUERY_HOST},
                 {"lattices", QUERY_LATTICE}};
    struct tail_queries *s = q->set;
    struct kube_client *client;
    int r = cmd_client(s->options.c, &client, err);

    if (r < 0 || (r = kube_find_resource(client, word, &q->resource, err)) < 0)
        return r;
    const char *plural = q->resource->resource;
    const char *one = strv_len(s->namespaces) == 1 ? s->namespaces[0] : NULL;
    if (q->resource->namespaced && !one)
        return err_set(err, ERR_INVALID,
                       "%s is in one namespace: it does not go with --all-namespaces or several namespaces",
                       q->text);
    q->name = xstrdup(name);
    q->namespace = q->resource->namespaced ? xstrdup(one) : NULL;
    if (streq(plural, "pods") && !*q->resource->group) {
        _cleanup_free_ char *exact = xasprintf("^\\Q%s\\E$", name);
        q->there = true;
        return tail_pattern_new(exact, "the query", &q->pattern, err);
    }
    q->kind = streq(plural, "cronjobs") ? QUERY_CRONJOB : QUERY_SELECTOR;
    for (size_t i = 0; streq(q->resource->group, "wasmctl.dev") && i < ARRAY_LEN(kinds); i++)
        if (streq(plural, kinds[i].resource))
            q->kind = kinds[i].kind;
    if (q->kind >= QUERY_UNIT)
        s->everywhere = true;
    if (q->kind == QUERY_HOST)
        return find_host(q, err);
    if (q->kind == QUERY_LATTICE) {
        q->hosts = strv_new();
        xstr_replace(&q->lattice, name);
    }
    if ((r = find_object(q, err)) < 0 || q->kind != QUERY_CRONJOB)
        return r;
    q->jobs = map_new(NULL);
    return list_jobs(q, err);
}

static int query_init(struct query *q, const char *text, struct err **err)
{
    const char *slash = strchr(text, '/');

    q->text = xstrdup(text);
    if (!slash)
        return tail_pattern_new(text, "the query", &q->pattern, err);
    _cleanup_free_ char *word = xstrndup(text, (size_t)(slash - text));
    if (!*word || !slash[1] || strchr(slash + 1, '/'))
        return err_set(err, ERR_INVALID, "\"%s\" is no KIND/NAME", text);
    return query_of_kind(q, word, slash + 1, err);
}

static void query_release(struct query *q)
{
    kube_watch_free(q->watch);
    kube_watch_free(q->jobs_watch);
    tail_pattern_free(q->pattern);
    selector_free(q->selector);
    map_free(q->jobs);
    strv_free(q->hosts);
    strv_free(q->names);
    free(q->text);
    free(q->namespace);
    free(q->name);
    free(q->selector_text);
    free(q->lattice);
    free(q->id);
}

int tail_queries_new(const struct tail_queries_options *options, struct tail_queries **ret, struct err **err)
{
    _cleanup_(tail_queries_freep) struct tail_queries *s = xcalloc(1, sizeof(*s));
    size_t n = strv_len(options->texts);
    int r = 0;

    s->options = *options;
    s->namespaces = options->namespaces ? strv_copy(options->namespaces) : NULL;
    s->hosts = map_new(host_free);
    s->meant = map_new(NULL);
    s->items = xcalloc(n + 1, sizeof(*s->items));
    for (size_t i = 0; i < n && r == 0; i++) {
        s->items[s->len++].set = s;
        r = query_init(&s->items[i], options->texts[i], err);
    }
    if (r == 0 && s->everywhere)
        r = list_hosts(s, err);
    if (r < 0)
        return r;
    look_for_change(s);
    s->ready = true;
    *ret = TAKE_PTR(s);
    return 0;
}

void tail_queries_free(struct tail_queries *s)
{
    if (!s)
        return;
    kube_watch_free(s->hosts_watch);
    loop_defer_cancel(s->defer);
    for (size_t i = 0; i < s->len; i++)
        query_release(&s->items[i]);
    free(s->items);
    strv_free(s->namespaces);
    strv_free(s->lattices);
    strv_free(s->ids);
    map_free(s->hosts);
    map_free(s->meant);
    free(s->told);
    free(s);
}

/* Answers */

bool tail_queries_everywhere(const struct tail_queries *s)
{
    return s->everywhere;
}

const char *tail_queries_selector(const struct tail_queries *s)
{
    return s->len == 1 ? s->items[0].selector_text : NULL;
}

char *const *tail_queries_lattices(const struct tail_queries *s)
{
    return s->lattices;
}

static void mean(struct tail_queries *s, const char *kind, const char *namespace, const char *name)
{
    _cleanup_free_ char *key = xasprintf("%s/%s/%s", kind, namespace, name);

    if (map_len(s->meant) >= MEANT_MOST)
        map_clear(s->meant);
    map_set(s->meant, key, s);
}

static bool in_namespace(const struct tail_queries *s, const struct query *q, const char *namespace)
{
    if (q->namespace)
        return streq(q->namespace, namespace);
    return !s->namespaces || strv_has(s->namespaces, namespace);
}

static struct map *labels_of(const cJSON *pod)
{
    struct map *labels = map_new(NULL);

    json_each (label, json_at(pod, "metadata.labels"))
        if (cJSON_IsString(label))
            map_set(labels, label->string, label->valuestring);
    return labels;
}

static bool is_pod_of_job(const struct query *q, const cJSON *pod)
{
    json_each (owner, json_at(pod, "metadata.ownerReferences"))
        if (streq(json_str_or(owner, "kind", ""), "Job") && map_has(q->jobs, json_str_or(owner, "name", "")))
            return true;
    return false;
}

static bool query_means(struct tail_queries *s, const struct query *q, const cJSON *pod,
                        const struct map *labels)
{
    switch (q->kind) {
    case QUERY_PATTERN:
        return in_namespace(s, q, json_str_or(pod, "metadata.namespace", "")) &&
               tail_pattern_matches(q->pattern, json_str_or(pod, "metadata.name", ""));
    case QUERY_SELECTOR:
        return q->selector && in_namespace(s, q, json_str_or(pod, "metadata.namespace", "")) &&
               selector_matches(q->selector, labels);
    case QUERY_CRONJOB:
        return in_namespace(s, q, json_str_or(pod, "metadata.namespace", "")) && is_pod_of_job(q, pod);
    case QUERY_UNIT:
    case QUERY_HOST:
    case QUERY_LATTICE:
        for (char **h = q->hosts; h && *h; h++)
            if (tail_is_pod_of_host(pod, *h, hostname_of(s, *h)))
                return true;
        return false;
    }
    return false;
}

bool tail_queries_pod(struct tail_queries *s, const cJSON *pod, char ***ret_names)
{
    _cleanup_map_ struct map *labels = labels_of(pod);
    _cleanup_strv_ char **names = strv_new();
    const char *namespace = json_str_or(pod, "metadata.namespace", "");
    bool meant = !s->len, all = !s->len;

    for (size_t i = 0; i < s->len; i++) {
        const struct query *q = &s->items[i];
        if (!query_means(s, q, pod, labels))
            continue;
        meant = true;
        if (q->kind != QUERY_UNIT || s->options.whole_hosts)
            all = true;
        for (char **n = q->names; n && *n; n++)
            add_name(&names, *n);
    }
    if (!meant)
        return false;
    mean(s, "Pod", namespace, json_str_or(pod, "metadata.name", ""));
    json_each (owner, json_at(pod, "metadata.ownerReferences"))
        mean(s, json_str_or(owner, "kind", ""), namespace, json_str_or(owner, "name", ""));
    if (!all)
        *ret_names = TAKE_PTR(names);
    return true;
}

bool tail_queries_object(const struct tail_queries *s, const char *kind, const char *namespace,
                         const char *name)
{
    _cleanup_free_ char *key = xasprintf("%s/%s/%s", kind, namespace, name);

    if (!s->len || map_has(s->meant, key))
        return true;
    for (size_t i = 0; i < s->len; i++) {
        const struct query *q = &s->items[i];
        if (q->resource && streq(kind, q->resource->kind) && streq(name, q->name) &&
            (!q->namespace || streq(q->namespace, namespace)))
            return true;
        if (q->jobs && streq(kind, "Job") && map_has(q->jobs, name))
            return true;
        if (streq(kind, "LatticeHost") && q->hosts && strv_has(q->hosts, name))
            return true;
        if (q->kind == QUERY_PATTERN && streq(kind, "Pod") && in_namespace(s, q, namespace) &&
            tail_pattern_matches(q->pattern, name))
            return true;
    }
    return false;
}

char *const *tail_queries_lattice_ids(const struct tail_queries *set, const char *lattice)
{
    struct tail_queries *s = (struct tail_queries *)set;
    char **ids = strv_new();

    for (size_t i = 0; i < s->len; i++) {
        const struct query *q = &s->items[i];
        if (q->kind == QUERY_LATTICE && streq(q->name, lattice)) {
            strv_free(ids);
            return NULL;
        }
        if (q->kind == QUERY_UNIT && q->id && streq_null(q->lattice, lattice))
            add_name(&ids, q->id);
        for (char **h = q->kind >= QUERY_UNIT ? q->hosts : NULL; h && *h; h++) {
            const struct host *host = map_get(s->hosts, *h);
            if (host && streq(host->lattice, lattice))
                add_name(&ids, host->id);
        }
    }
    replace_list(&s->ids, ids);
    return s->ids;
}
