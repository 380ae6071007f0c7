#include "operator/sweep.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "operator/links.h"
#include "operator/rec.h"
#include "operator/unit.h"

void sweep_enqueue_id(struct op_lattice *l, const char *id)
{
    _cleanup_free_ char *index = xasprintf("%s/%s", l->name, id);

    for (int kind = 0; kind < 2; kind++) {
        const char *key = map_get(l->op->by_id[kind], index);
        if (key)
            wq_add(l->op->q_unit[kind], key);
        if (key && kind == MODEL_PROVIDER)
            rec_enqueue_users(l->op, key);
    }
}

/* Two Lattice objects that lead to the same lattice see the same hosts: neither sweeps what belongs to the
 * other. */
static bool same_lattice(const struct op *op, const char *a, const char *b)
{
    const struct model_lattice *x = op_lattice_object(op, a), *y = op_lattice_object(op, b);

    if (streq(a, b))
        return true;
    if (!x || !y || !streq(x->id, y->id))
        return false;
    for (size_t i = 0; x->servers[i]; i++)
        if (strv_has(y->servers, x->servers[i]))
            return true;
    return false;
}

/* Whether the owner annotation names an object of ours that no longer wants this id here. */
static bool is_orphan(struct op_lattice *l, const struct map *annotations, const char *id,
                      enum model_kind kind)
{
    const char *owner = map_get(annotations, MODEL_OWNER);
    enum model_kind owner_kind;
    _cleanup_free_ char *key = NULL;

    if (!owner || !op_owner_parse(l->op, owner, &owner_kind, &key) || owner_kind != kind)
        return false;
    const struct model_workload *w = op_workload(l->op, kind, key);
    return !w || !streq(w->id, id) || !same_lattice(l->op, w->lattice, l->name);
}

static void on_stopped(void *arg, const struct err *err)
{
    struct op_lattice *l = arg;

    if (err)
        log_warn("cannot stop an orphan", "lattice", l->name, "error", err_text(err), NULL);
}

void sweep_host(struct op_lattice *l, const struct lat_host *h)
{
    if (!l->op->started || *l->op->options->watch_namespaces)
        return;
    for (size_t i = 0; i < h->ncomponents; i++) {
        const struct lat_component *c = &h->components[i];
        if (!is_orphan(l, c->annotations, c->id, MODEL_ACTOR))
            continue;
        log_info("stopping orphan component", "lattice", l->name, "host", h->id, "component", c->id, NULL);
        lat_component_stop(l->lat, h->id, c->id, on_stopped, l);
    }
    for (size_t i = 0; i < h->nproviders; i++) {
        const struct lat_provider *p = &h->providers[i];
        if (!is_orphan(l, p->annotations, p->id, MODEL_PROVIDER))
            continue;
        log_info("stopping orphan provider", "lattice", l->name, "host", h->id, "provider", p->id, NULL);
        lat_provider_stop(l->lat, h->id, p->id, on_stopped, l);
    }
}

void sweep_links(struct op_lattice *l)
{
    struct op *op = l->op;

    if (!op->started || *op->options->watch_namespaces)
        return;
    struct map *owners = map_new(NULL);
    for (int kind = 0; kind < 2; kind++)
        for (struct map_iter it = {0}; kube_informer_next(op->workloads[kind], &it);) {
            _cleanup_free_ char *owner = op_owner(op, (enum model_kind)kind, it.key);
            _cleanup_free_ char *prefix = links_owner_prefix(owner);
            map_set(owners, prefix, op);
        }
    _cleanup_free_ char *any = op_owner(op, MODEL_ACTOR, "x/x");
    _cleanup_free_ char *our_cluster = links_owner_prefix(any);
    for (size_t i = 0; i < l->nlinks; i++) {
        _cleanup_free_ char *owner = links_owner_of(&l->links[i]);
        if (!owner || !links_same_cluster(owner, our_cluster) || map_has(owners, owner))
            continue;
        log_info("deleting orphan link", "lattice", l->name, "source", l->links[i].source, "target",
                 l->links[i].target, NULL);
        links_del(l, &l->links[i], NULL, MODEL_ACTOR, NULL);
    }
    map_free(owners);
}

/* Configurations */

/* What links and components on hosts name. */
static struct map *configs_in_use(const struct op_lattice *l)
{
    struct map *names = map_new(NULL);

    for (size_t i = 0; i < l->nlinks; i++) {
        for (char **c = l->links[i].source_config; c && *c; c++)
            map_set(names, *c, NULL);
        for (char **c = l->links[i].target_config; c && *c; c++)
            map_set(names, *c, NULL);
    }
    for (struct map_iter it = {0}; lat_host_next(l->lat, &it);) {
        const struct lat_host *h = it.value;
        for (size_t i = 0; i < h->ncomponents; i++) {
            const char *name = map_get(h->components[i].annotations, MODEL_CONFIG);
            if (name)
                map_set(names, name, NULL);
        }
        for (size_t i = 0; i < h->nproviders; i++) {
            const char *name = map_get(h->providers[i].annotations, MODEL_CONFIG);
            if (name)
                map_set(names, name, NULL);
        }
    }
    return names;
}

/* Owner part of the names -> its unit, for every object there is, in whatever lattice: several Lattice
 * objects may lead to one. */
static struct map *units_by_owner(const struct op *op)
{
    struct map *owners = map_new(NULL);

    for (int kind = 0; kind < 2; kind++)
        for (struct map_iter it = {0}; kube_informer_next(op->workloads[kind], &it);) {
            _cleanup_free_ char *owner = op_owner(op, (enum model_kind)kind, it.key);
            _cleanup_free_ char *prefix = links_owner_prefix(owner);
            map_set(owners, prefix, unit_find(op, (enum model_kind)kind, it.key));
        }
    return owners;
}

static void on_config_names(void *arg, char *const *names, const struct err *err)
{
    struct op_lattice *l = arg;

    if (err) {
        log_debug("cannot list configurations", "lattice", l->name, "error", err_text(err), NULL);
        return;
    }
    if (!l->links_known || !op_lattice_usable(l))
        return;
    struct map *used = configs_in_use(l), *owners = units_by_owner(l->op);
    size_t n = 0;

    for (; *names; names++) {
        _cleanup_free_ char *owner = links_config_owner(*names);
        if (!owner || map_has(used, *names))
            continue;
        const struct op_unit *u = map_get(owners, owner);
        bool exists = map_has(owners, owner);
        /* While something is under way the old one may be needed again. */
        if (exists && (!u || !u->complete || !u->config_names || strv_has(u->config_names, *names)))
            continue;
        log_debug("deleting an unused configuration", "lattice", l->name, "name", *names, NULL);
        lat_config_forget(l->lat, *names);
        map_del(l->configs, *names);
        n++;
    }
    if (n) {
        _cleanup_free_ char *count = xasprintf("%zu", n);
        log_info("deleted unused configurations", "lattice", l->name, "count", count, NULL);
    }
    map_free(used);
    map_free(owners);
}

void sweep_configs(struct op_lattice *l)
{
    struct op *op = l->op;

    if (!op->started || *op->options->watch_namespaces || lat_store(l->lat) == LAT_STORE_DOWN)
        return;
    _cleanup_free_ char *owner = op_owner(op, MODEL_ACTOR, "x/x");
    _cleanup_free_ char *prefix = links_owner_prefix(owner);
    _cleanup_free_ char *cluster = xstrndup(prefix, links_cluster_len());
    lat_config_names(l->lat, cluster, on_config_names, l);
}
