#include "operator/clash.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "operator/lattices.h"

static bool by_address(const struct model_workload *provider)
{
    const char *mode = map_get(provider->config.values, "routing_mode");

    return !mode || streq(mode, "address");
}

const char *clash_address(const struct model_workload *provider, const struct model_capability *c)
{
    const char *own = map_get(c->config.values, "address"),
               *shared = map_get(provider->config.values, "default_address");

    if (!by_address(provider) || c->config.nsources || (!own && provider->config.nsources))
        return NULL;
    return own ? own : shared ? shared : "";
}

bool clash_gives_way(const struct model_workload *w, const struct model_workload *other)
{
    if (w->meta.created_ns != other->meta.created_ns)
        return w->meta.created_ns > other->meta.created_ns;
    return strcmp(w->key, other->key) > 0;
}

static const struct model_workload *by_id(const struct op *op, enum model_kind kind, const char *lattice,
                                          const char *id)
{
    _cleanup_free_ char *index = xasprintf("%s/%s", lattice, id);
    const char *key = map_get(op->by_id[kind], index);

    return key ? op_workload(op, kind, key) : NULL;
}

static bool is_http_link(const struct lat_link *l)
{
    return streq_null(l->wit_namespace, "wasi") && streq_null(l->wit_package, "http");
}

static const struct model_capability *capability_of(const struct model_workload *w, const struct lat_link *l)
{
    for (size_t i = 0; i < w->ncapabilities; i++) {
        const struct model_capability *c = &w->capabilities[i];
        if (c->provider && streq(c->name, l->name) && model_interface_is_http(&c->interface) &&
            model_interface_is_export(&c->interface))
            return c;
    }
    return NULL;
}

/* Another actor that is served at the address of this link already. */
static char *clash_of_link(const struct op *op, const struct view *v, const struct lat_link *mine)
{
    const struct model_workload *provider = by_id(op, MODEL_PROVIDER, v->w->lattice, mine->source);
    const struct model_capability *c = capability_of(v->w, mine);
    const char *address = provider && c ? clash_address(provider, c) : NULL;

    for (size_t i = 0; address && i < v->l->nlinks; i++) {
        const struct lat_link *theirs = &v->l->links[i];
        if (!streq(theirs->source, mine->source) || streq(theirs->target, v->w->id) || !is_http_link(theirs))
            continue;
        const struct model_workload *other = by_id(op, MODEL_ACTOR, v->w->lattice, theirs->target);
        const struct model_capability *o = other ? capability_of(other, theirs) : NULL;
        const char *used = o ? clash_address(provider, o) : NULL;
        if (!used || !streq(used, address) || !clash_gives_way(v->w, other))
            continue;
        return xasprintf(
            "capability \"%s\": %s %s of WasmProvider %s is asked for by WasmActor %s too, and serves "
            "one actor: give the capability another name and an address of its own in its config "
            "(the provider keeps the address of a name while it is shared), or the provider "
            "routing_mode path or host",
            c->name, *address ? "address" : "the default address", address, provider->key, other->key);
    }
    return NULL;
}

/* Another provider that listens there on one of the same hosts. */
static char *clash_of_provider(const struct op *op, const struct view *v)
{
    const char *address = map_get(v->w->config.values, "default_address");

    if (!address)
        return NULL;
    for (struct map_iter it = {0}; kube_informer_next(op->workloads[MODEL_PROVIDER], &it);) {
        const struct model_workload *other = it.value;
        if (other == v->w || !streq(other->lattice, v->w->lattice) ||
            !streq_null(map_get(other->config.values, "default_address"), address) ||
            !clash_gives_way(v->w, other))
            continue;
        for (size_t i = 0; i < v->nhosts; i++) {
            const struct view_host *h = &v->hosts[i];
            const struct lat_host *live = lat_host_get(v->l->lat, h->id);
            if (h->running && h->ours && live && lat_host_provider(live, other->id))
                return xasprintf(
                    "WasmProvider %s listens on %s on host %s too: change config.default_address of "
                    "one of them, or keep them apart with spec.placement, and then restart this one "
                    "(wasmctl rollout restart)",
                    other->key, address, h->object);
        }
    }
    return NULL;
}

char *clash_find(const struct op *op, const struct view *v)
{
    if (!v->l || v->w->meta.deleted_ns)
        return NULL;
    if (v->w->kind == MODEL_PROVIDER)
        return clash_of_provider(op, v);
    for (size_t i = 0; i < v->nlinks; i++) {
        const struct lat_link *l = &v->links[i].link;
        char *text = is_http_link(l) && streq(l->target, v->w->id) ? clash_of_link(op, v, l) : NULL;
        if (text)
            return text;
    }
    return NULL;
}
