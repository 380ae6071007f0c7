#include "operator/view.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "operator/clash.h"
#include "operator/links.h"
#include "operator/sources.h"
#include "operator/table.h"

/* A lost call must not hang for ever: HTTP capabilities get a timeout unless one is set. */
#define HTTP_TIMEOUT_KEY     "timeout_ms"
#define HTTP_TIMEOUT_DEFAULT "30000"

/* A link is replaced only when it was seen within this time that every host hears. */
enum { HEARING_FRESH_MS = 1000 };

/* Configuration */

static void config_problem(struct view *v, const char *reason, char *text)
{
    if (v->config_problem) {
        free(text);
        return;
    }
    v->config_reason = xstrdup(reason);
    v->config_problem = text;
}

/* Sources in order, then the inline values: later wins. field: where the sources are named, for people. */
static struct map *merge_config(struct op *op, struct view *v, const struct model_config *c,
                                const char *field)
{
    const struct model_workload *w = v->w;
    struct map *merged = map_new(free);

    for (size_t i = 0; i < c->nsources; i++) {
        const struct model_source *s = &c->sources[i];
        const char *kind = s->secret ? "Secret" : "ConfigMap", *ns = w->meta.namespace;
        const struct map *values = NULL;
        switch (sources_get(op->sources, w->kind, w->key, s->secret, ns, s->name, &values)) {
        case SOURCE_FOUND:
            for (struct map_iter it = {0}; map_next(values, &it);)
                map_set(merged, it.key, xstrdup(it.value));
            break;
        case SOURCE_PENDING:
            config_problem(v, "ConfigPending", xasprintf("reading %s %s/%s", kind, ns, s->name));
            break;
        case SOURCE_MISSING:
            if (!s->optional)
                config_problem(v, "ConfigMissing",
                               xasprintf("%s %s/%s, named in %s, does not exist: create it, or mark it "
                                         "optional there",
                                         kind, ns, s->name, field));
            break;
        case SOURCE_FORBIDDEN:
            config_problem(
                v, "ConfigForbidden",
                xasprintf("the operator may not read %s %s/%s, named in %s: allow its ServiceAccount to "
                          "get, list and watch %ss there",
                          kind, ns, s->name, field, s->secret ? "secret" : "configmap"));
            break;
        }
    }
    for (struct map_iter it = {0}; map_next(c->values, &it);)
        map_set(merged, it.key, xstrdup(it.value));
    return merged;
}

static const char *add_config(struct view *v, const char *owner, struct map *values)
{
    v->configs = xreallocarray(v->configs, v->nconfigs + 1, sizeof(*v->configs));
    struct view_config *c = &v->configs[v->nconfigs++];
    *c = (struct view_config){.name = links_config_name(owner, values), .values = values};
    c->known = v->l && map_has(v->l->configs, c->name);
    return c->name;
}

/* Registry credentials */

static void read_login(struct op *op, struct view *v)
{
    const struct model_workload *w = v->w;
    _cleanup_free_ char *registry = w->pull_secret ? registry_of(v->image) : NULL;
    _cleanup_err_ struct err *err = NULL;
    const struct map *values = NULL;

    if (!registry)
        return;
    switch (sources_get(op->sources, w->kind, w->key, true, w->meta.namespace, w->pull_secret, &values)) {
    case SOURCE_PENDING:
        config_problem(v, "ConfigPending",
                       xasprintf("reading Secret %s/%s", w->meta.namespace, w->pull_secret));
        return;
    case SOURCE_MISSING:
        config_problem(v, "PullSecretMissing",
                       xasprintf("Secret %s/%s, named in spec.imagePullSecret, does not exist: create it "
                                 "(type kubernetes.io/dockerconfigjson), or correct the name",
                                 w->meta.namespace, w->pull_secret));
        return;
    case SOURCE_FORBIDDEN:
        config_problem(v, "ConfigForbidden",
                       xasprintf("the operator may not read Secret %s/%s, named in spec.imagePullSecret: "
                                 "allow its ServiceAccount to get, list and watch secrets there",
                                 w->meta.namespace, w->pull_secret));
        return;
    case SOURCE_FOUND:
        break;
    }
    const char *text = map_get(values, ".dockerconfigjson");
    if (!text)
        err_set(&err, ERR_INVALID, "it has no key .dockerconfigjson (type kubernetes.io/dockerconfigjson)");
    else
        registry_login_find(text, registry, &v->login, &err);
    if (err)
        config_problem(v, "PullSecretInvalid",
                       xasprintf("Secret %s/%s of spec.imagePullSecret: %s", w->meta.namespace,
                                 w->pull_secret, err_text(err)));
    else
        v->login_known = v->l && links_login_known(v->l, &v->login);
}

/* Links */

static void link_problem(struct view *v, const char *reason, char *text)
{
    if (v->link_problem) {
        free(text);
        return;
    }
    v->link_reason = xstrdup(reason);
    v->link_problem = text;
}

static bool runs_anywhere(const struct op_lattice *l, enum model_kind kind, const char *id)
{
    for (struct map_iter it = {0}; map_next(table_where(l, id), &it);) {
        const struct lat_host *h = lat_host_get(l->lat, it.key);
        if (h && lat_host_alive(h->state) &&
            (kind == MODEL_PROVIDER ? lat_host_provider(h, id) != NULL : lat_host_component(h, id) != NULL))
            return true;
    }
    return false;
}

/* The lattice id of the other end, NULL with a problem when there is none. */
static char *other_end(struct op *op, struct view *v, const struct model_capability *c)
{
    const struct model_workload *w = v->w;
    enum model_kind kind = c->provider ? MODEL_PROVIDER : MODEL_ACTOR;
    const char *name = c->provider ? c->provider : c->actor;

    if (!name) {
        link_problem(
            v, "CapabilityUnsupported",
            xasprintf("capability \"%s\" (%s:%s) of spec.capabilities names neither provider nor actor, and "
                      "hosts of driver wasmcloud.v1 have no built-in one: name the WasmProvider that offers "
                      "it in its field provider",
                      c->name, c->interface.namespace, c->interface.package));
        return NULL;
    }
    _cleanup_free_ char *key = xasprintf("%s/%s", w->meta.namespace, name);
    const struct model_workload *other = op_workload(op, kind, key);
    if (!other) {
        link_problem(
            v, c->provider ? "ProviderNotFound" : "ActorNotFound",
            xasprintf("%s %s, named in the field %s of capability \"%s\", does not exist: create it, or "
                      "correct the name",
                      model_kind_name(kind), key, c->provider ? "provider" : "actor", c->name));
        return NULL;
    }
    if (!streq(other->lattice, w->lattice)) {
        link_problem(v, "OtherLattice",
                     xasprintf("%s %s of capability \"%s\" is in lattice %s, not in %s: both ends of a "
                               "capability need the same spec.lattice",
                               model_kind_name(kind), key, c->name, other->lattice, w->lattice));
        return NULL;
    }
    if (v->l && !v->waits_for && !runs_anywhere(v->l, kind, other->id))
        v->waits_for = xasprintf("%s %s", model_kind_name(kind), key);
    return xstrdup(other->id);
}

static void add_link(struct op *op, struct view *v, const struct model_capability *c)
{
    _cleanup_free_ char *other = other_end(op, v, c);

    if (!other)
        return;
    _cleanup_free_ char *field = xasprintf("configFrom of capability \"%s\"", c->name);
    struct map *values = merge_config(op, v, &c->config, field);
    bool inward = model_interface_is_export(&c->interface) && c->provider;
    if (inward && model_interface_is_http(&c->interface) && !map_has(values, HTTP_TIMEOUT_KEY))
        map_set(values, HTTP_TIMEOUT_KEY, xstrdup(HTTP_TIMEOUT_DEFAULT));
    const char *config = add_config(v, v->owner, values);

    char **with = strv_new();
    strv_push(&with, config);
    v->links = xreallocarray(v->links, v->nlinks + 1, sizeof(*v->links));
    struct view_link *l = &v->links[v->nlinks++];
    *l = (struct view_link){
        .link =
            {
                .source = inward ? xstrdup(other) : xstrdup(v->w->id),
                .target = inward ? xstrdup(v->w->id) : xstrdup(other),
                .name = xstrdup(c->name),
                .wit_namespace = xstrdup(c->interface.namespace),
                .wit_package = xstrdup(c->interface.package),
                .interfaces = strv_copy(c->interface.interfaces),
                .source_config = inward ? with : strv_new(),
                .target_config = inward ? strv_new() : with,
            },
    };
}

static void match_links(struct view *v)
{
    for (size_t i = 0; i < v->l->nlinks; i++) {
        const struct lat_link *present = &v->l->links[i];
        bool ours = links_owned_by(present, v->owner_prefix), wanted = false;
        for (size_t k = 0; !v->w->meta.deleted_ns && k < v->nlinks; k++) {
            if (!links_same_slot(&v->links[k].link, present))
                continue;
            v->links[k].present = present;
            v->links[k].foreign = !ours;
            wanted = true;
        }
        if (ours && !wanted) {
            v->unwanted = xreallocarray(v->unwanted, v->nunwanted + 1, sizeof(*v->unwanted));
            v->unwanted[v->nunwanted++] = present;
        }
    }
}

/* Hosts */

static void add_running(struct view *v, struct view_host *out, const struct lat_host *h)
{
    const struct map *annotations = NULL;

    if (v->w->kind == MODEL_ACTOR) {
        const struct lat_component *c = lat_host_component(h, v->w->id);
        if (c) {
            out->running = c->count > 0;
            out->image = c->image;
            out->count = c->count;
            out->healthy = true;
            annotations = c->annotations;
        }
    } else {
        const struct lat_provider *p = lat_host_provider(h, v->w->id);
        if (p) {
            out->running = true;
            out->image = p->image;
            out->count = 1;
            out->healthy = p->healthy;
            annotations = p->annotations;
        }
    }
    if (!out->running)
        return;
    out->owner = map_get(annotations, MODEL_OWNER);
    out->ours = out->owner && streq(out->owner, v->owner);
    out->revision = map_get(annotations, MODEL_REVISION);
    if (!out->revision)
        out->revision = "";
    out->config = map_get(annotations, MODEL_CONFIG);
    out->restarted = map_get(annotations, MODEL_RESTARTED);
    if (out->load)
        out->load--;
}

/* The hosts as every unit sees them, and what is the unit's own on some of them. */
static void add_hosts(struct view *v, const struct op_unit *u)
{
    const struct view_host *hosts = table_hosts(v->l, &v->nhosts);

    v->hosts = xmemdup(hosts, v->nhosts * sizeof(*hosts));
    for (struct map_iter it = {0}; map_next(table_where(v->l, v->w->id), &it);) {
        const struct op_host *mine = it.value;
        const struct lat_host *h = lat_host_get(v->l->lat, it.key);
        if (h && mine->slot < v->nhosts)
            add_running(v, &v->hosts[mine->slot], h);
    }
    for (struct map_iter it = {0}; u && map_next(u->hosts, &it);) {
        const struct op_host *mine = op_lattice_host(v->l, it.key);
        const struct unit_host *memory = it.value;
        if (!mine || mine->slot >= v->nhosts)
            continue;
        struct view_host *h = &v->hosts[mine->slot];
        h->memory = memory;
        /* What is being started is no load for itself either. */
        if (memory->op && memory->task == UNIT_SETTING && h->load)
            h->load--;
    }
}

static char *revision_of(const char *text)
{
    return xasprintf("%010" PRIx64, str_hash64(text, strlen(text), STR_HASH64_INIT) & UINT64_C(0xffffffffff));
}

/* What needs a restart of what runs. */
static char *make_revision(const struct view *v)
{
    const struct model_workload *w = v->w;
    _cleanup_free_ char *text =
        xasprintf("%s\n%" PRId64 "\n%s%s%s", v->image, w->memory_limit, v->nconfigs ? v->configs[0].name : "",
                  w->restarted_at ? "\n" : "", w->restarted_at ? w->restarted_at : "");

    return revision_of(text);
}

/* That, and what does not: capabilities with their configuration, concurrency. */
static char *make_history_revision(const struct view *v)
{
    struct buf b = BUF_INIT;

    buf_addf(&b, "%s\n%s", v->revision, v->w->template ? v->w->template : "");
    for (size_t i = 1; i < v->nconfigs; i++)
        buf_addf(&b, "\n%s", v->configs[i].name);
    char *revision = revision_of(buf_str(&b));
    buf_release(&b);
    return revision;
}

/* Paused: what is started or scaled meanwhile is what runs, as long as nothing of the new revision does. */
static void hold_revision(struct view *v)
{
    const struct view_host *most = NULL;

    if (!v->w->paused || v->w->meta.deleted_ns)
        return;
    for (size_t i = 0; i < v->nhosts; i++) {
        const struct view_host *h = &v->hosts[i];
        if (!h->running || !h->ours)
            continue;
        if (streq(h->revision, v->revision))
            return;
        if (!most || h->count > most->count)
            most = h;
    }
    if (!most)
        return;
    v->held_back = v->revision;
    v->revision = xstrdup(most->revision);
    xstr_replace(&v->image, most->image);
    xstr_replace(&v->own_config, most->config);
}

static bool replaces_links(const struct view *v)
{
    for (size_t i = 0; i < v->nlinks; i++) {
        const struct view_link *l = &v->links[i];
        if (l->present && !l->foreign && !lat_link_same(l->present, &l->link))
            return true;
    }
    return false;
}

/* A replaced link is deleted and put: the deletion reaches every host, the put only those that still hear. */
static const char *would_miss_links(const struct view *v)
{
    for (size_t i = 0; i < v->nlinks; i++) {
        const char *const ends[] = {v->links[i].link.source, v->links[i].link.target};
        for (size_t e = 0; e < ARRAY_LEN(ends); e++)
            for (struct map_iter it = {0}; map_next(table_where(v->l, ends[e]), &it);) {
                const struct op_host *h = it.value;
                if (h->slot < v->nhosts && (h->hearing == LAT_DEAF || h->hearing == LAT_DOUBTFUL))
                    return v->hosts[h->slot].object;
            }
    }
    return NULL;
}

static void read_lattice(struct op *op, struct view *v)
{
    v->lattice_why = "";
    if (!op_lattice_object(op, v->w->lattice)) {
        v->lattice = VIEW_LATTICE_MISSING;
        return;
    }
    struct op_lattice *l = op_lattice_get(op, v->w->lattice);
    if (op_lattice_connecting(l)) {
        v->lattice = VIEW_LATTICE_SYNCING;
        return;
    }
    if (!l || !l->lat || !l->connected) {
        v->lattice = VIEW_LATTICE_DISCONNECTED;
        v->lattice_why = l && l->problem            ? l->problem
                         : l && l->disconnected_why ? l->disconnected_why
                                                    : "connecting";
        return;
    }
    if (!lat_synced(l->lat)) {
        v->lattice = VIEW_LATTICE_SYNCING;
        return;
    }
    v->lattice = VIEW_LATTICE_OK;
    v->l = l;
    v->links_known = l->links_known;
    enum lat_store store = lat_store(l->lat);
    if (store == LAT_STORE_DOWN || store == LAT_STORE_ASKING) {
        v->lattice = VIEW_LATTICE_HELD;
        v->store_asking = store == LAT_STORE_ASKING;
        v->lattice_why = store == LAT_STORE_DOWN ? lat_store_reason(l->lat) : "a host was lost just now";
    }
}

void view_make(struct op *op, const struct model_workload *w, struct op_unit *u, struct view *ret)
{
    struct view *v = ret;

    *v = (struct view){
        .w = w,
        .owner = op_owner(op, w->kind, w->key),
        .now_ms = loop_now_ms(op->loop),
        .now_ns = time_now_ns(),
    };
    const struct model_lattice *lattice = op_lattice_object(op, w->lattice);
    v->image = registry_mirrored(w->image, lattice ? lattice->mirrors : NULL);
    v->owner_prefix = links_owner_prefix(v->owner);
    read_lattice(op, v);
    sources_begin(op->sources);
    add_config(v, v->owner, merge_config(op, v, &w->config, "spec.configFrom"));
    for (size_t i = 0; i < w->ncapabilities; i++)
        add_link(op, v, &w->capabilities[i]);
    read_login(op, v);
    sources_end(op->sources, w->kind, w->key);
    v->revision = make_revision(v);
    if (map_len(v->configs[0].values))
        v->own_config = xstrdup(v->configs[0].name);
    v->history_revision = make_history_revision(v);
    if (!v->l)
        return;
    match_links(v);
    add_hosts(v, u);
    hold_revision(v);
    v->clash = clash_find(op, v);
    if (replaces_links(v)) {
        v->hearing_fresh = lat_hearing_fresh(v->l->lat, HEARING_FRESH_MS);
        v->links_held = would_miss_links(v);
    }
}

void view_release(struct view *v)
{
    for (size_t i = 0; i < v->nconfigs; i++) {
        free(v->configs[i].name);
        map_free(v->configs[i].values);
    }
    free(v->configs);
    for (size_t i = 0; i < v->nlinks; i++)
        lat_link_release(&v->links[i].link);
    free(v->links);
    free(v->unwanted);
    free(v->hosts);
    free(v->owner);
    free(v->owner_prefix);
    free(v->revision);
    free(v->history_revision);
    free(v->image);
    free(v->held_back);
    free(v->own_config);
    free(v->config_problem);
    free(v->config_reason);
    free(v->clash);
    free(v->link_problem);
    free(v->link_reason);
    free(v->waits_for);
    registry_login_release(&v->login);
    *v = (struct view){0};
}
