#include "place/forecast.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "place/spread.h"

char *place_owner(const char *cluster_uid, enum model_kind kind, const char *key)
{
    const char *slash = strchr(key, '/');

    if (kind == MODEL_ACTOR || !slash)
        return xasprintf("%s/%s", cluster_uid, key);
    return xasprintf("%s/%.*s/provider/%s", cluster_uid, (int)(slash - key), key, slash + 1);
}

/* A host lists only so much of what runs there; the rest is known from the units themselves. */
static bool is_cut(const struct model_host_report *r, enum model_kind kind)
{
    int64_t listed = 0;

    for (size_t i = 0; i < r->nrunning; i++)
        listed += r->running[i].kind == kind;
    return listed < (kind == MODEL_PROVIDER ? r->providers : r->actors);
}

/* The uid has no slash. */
static bool is_ours(const struct model_workload *w, const char *cluster_uid, const char *owner)
{
    const char *slash = owner ? strchr(owner, '/') : NULL;

    if (!slash)
        return false;
    _cleanup_free_ char *uid = xstrndup(owner, (size_t)(slash - owner));
    _cleanup_free_ char *wanted = place_owner(cluster_uid ? cluster_uid : uid, w->kind, w->key);
    return streq(owner, wanted);
}

static struct place_host make_host(const struct model_workload *w, const char *cluster_uid,
                                   const struct place_object *o, int64_t now_ns)
{
    const struct model_host *object = o->host;
    const struct model_running *running = model_host_running(o->report, w->kind, w->id);
    const struct model_placement_status *before = model_placement_of(w, object->meta.name);
    bool restarting, deaf = model_host_is_deaf(object, &restarting);
    int64_t load = o->report->actors + o->more_load;
    struct place_host h = {
        .id = object->host_id,
        .labels = object->labels,
        .taints = object->taints,
        .ntaints = object->ntaints,
        .ready = model_host_is_ready(object),
        .cordoned = object->unschedulable,
        .deaf = deaf,
        .restarting = restarting,
        .since_ns = before ? before->since_ns : now_ns,
    };

    if (running) {
        h.foreign = !is_ours(w, cluster_uid, running->owner);
        h.current = h.foreign ? 0 : model_replicas_of(w, running->count);
        load -= load > 0;
    } else if (before && streq(before->state, "Running") && is_cut(o->report, w->kind)) {
        h.current = before->replicas;
        load -= load > 0;
    } else if (before && streq(before->state, "Failed")) {
        h.backoff = true;
    }
    if (o->given >= 0)
        h.current = o->given;
    h.load = load > UINT32_MAX ? UINT32_MAX : (uint32_t)load;
    return h;
}

/* Deaf hosts take no new work, unless a host is being emptied for its restart and there are no others. */
static void spare_the_deaf(struct place_host *hosts, size_t n)
{
    bool leaves = false;

    for (size_t i = 0; i < n; i++) {
        if (!hosts[i].restarting && !hosts[i].deaf)
            return;
        leaves = leaves || (hosts[i].restarting && hosts[i].current > 0);
    }
    for (size_t i = 0; leaves && i < n; i++)
        hosts[i].deaf = false;
}

size_t place_hosts_from(const struct model_workload *w, const char *cluster_uid,
                        const struct place_object *objects, size_t n, int64_t now_ns,
                        struct place_host *ret_hosts, size_t *ret_object)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++) {
        const struct place_object *o = &objects[i];
        if (o->gone || !streq(o->host->lattice, w->lattice) || !model_host_is_alive(o->host))
            continue;
        ret_hosts[found] = make_host(w, cluster_uid, o, now_ns);
        ret_object[found++] = i;
    }
    spare_the_deaf(ret_hosts, found);
    return found;
}

/* Why */

const char *place_reason_name(enum place_reason r)
{
    static const char *const names[PLACE_REASON_COUNT] = {
        [PLACE_FITS] = "Fits",         [PLACE_NOT_READY] = "NotReady",
        [PLACE_SELECTOR] = "Selector", [PLACE_CORDONED] = "Cordoned",
        [PLACE_TAINT] = "Taint",       [PLACE_TOPOLOGY] = "Topology",
        [PLACE_SKEW] = "Skew",         [PLACE_DEAF] = "Deaf",
        [PLACE_UPDATING] = "Updating", [PLACE_RESTARTING] = "Restarting",
        [PLACE_FOREIGN] = "Foreign",   [PLACE_BACKOFF] = "Backoff",
    };

    return r < PLACE_REASON_COUNT && names[r] ? names[r] : "Unknown";
}

static char *reason_text(const struct place_verdict *v)
{
    const char *detail = v->text ? v->text : "";

    switch (v->reason) {
    case PLACE_SELECTOR:
        return xasprintf("does not match the hostSelector%s%s", *detail ? ": " : "", detail);
    case PLACE_TAINT:
        return xasprintf("its taint %s is not tolerated", detail);
    case PLACE_TOPOLOGY:
        return xasprintf("has no label %s", detail);
    case PLACE_NOT_READY:
        return xstrdup("not ready");
    case PLACE_CORDONED:
        return xstrdup("cordoned");
    case PLACE_DEAF:
        return xstrdup("no longer sees links and configuration");
    case PLACE_RESTARTING:
        return xstrdup("about to be restarted");
    case PLACE_FOREIGN:
        return xstrdup("runs the same id for another owner");
    case PLACE_BACKOFF:
        return xstrdup("failed to start it and waits for a retry");
    case PLACE_UPDATING:
        return xstrdup("being updated");
    case PLACE_FITS:
    case PLACE_SKEW:
    case PLACE_REASON_COUNT:
        break;
    }
    return xstrdup("");
}

/* The hard constraint that one more replica would break; NULL if none. */
static const struct spread_table *broken_by(const struct spread_table *tables, size_t n, size_t host)
{
    for (size_t i = 0; i < n; i++)
        if (tables[i].rule->hard && spread_excess(&tables[i], host, 1) > 0)
            return &tables[i];
    return NULL;
}

static char *explain_host(const struct place_input *in, const struct place_plan *plan, size_t i,
                          const struct spread_table *tables, size_t ntables)
{
    const struct place_host *h = &in->hosts[i];
    struct place_verdict v;
    int32_t now = h->current, then = plan->wanted[i];

    place_filter(h, in->rules, &v);
    _cleanup_free_ char *reason = reason_text(&v);
    free(v.text);
    if (then > now)
        return now ? xasprintf("takes %d more", then - now) : xasprintf("takes %d", then);
    if (then && v.reason != PLACE_FITS)
        return xasprintf("%s; takes no more: %s", then < now ? "gives some away" : "what runs stays", reason);
    if (then)
        return then < now ? xasprintf("gives %d away", now - then) : xstrdup("what runs stays");
    if (now)
        return v.keeps ? xstrdup("gives all away") : xasprintf("loses all: %s", reason);
    if (v.reason != PLACE_FITS)
        return TAKE_PTR(reason);
    const struct spread_table *broken = broken_by(tables, ntables, i);
    if (broken)
        return xasprintf("one more would break maxSkew %d of %s", broken->rule->max_skew,
                         broken->rule->topology_key);
    return xstrdup("fits, is not needed");
}

static int compare_domains(const void *a, const void *b)
{
    return strcmp(((const struct place_domain *)a)->value, ((const struct place_domain *)b)->value);
}

static void explain_key(const struct place_input *in, const struct spread_table *t, struct place_key *ret)
{
    *ret = (struct place_key){
        .rule = t->rule, .domains = xcalloc(t->ndomains + 1, sizeof(*ret->domains)), .ndomains = t->ndomains};
    for (size_t d = 0; d < t->ndomains; d++)
        ret->domains[d] = (struct place_domain){
            .value = t->domains[d].value,
            .replicas = t->domains[d].count,
            .share = t->rule->weights ? t->domains[d].target : -1,
            .open = t->domains[d].open,
        };
    if (ret->ndomains)
        qsort(ret->domains, ret->ndomains, sizeof(*ret->domains), compare_domains);
    for (size_t h = 0; h < in->nhosts; h++) {
        int d = t->domain_of[h];
        double height = d >= 0 && t->domains[d].count > 0 ? spread_height(t, h) : 0;
        ret->skew = height > ret->skew ? height : ret->skew;
    }
}

void place_explain(const struct place_input *in, const struct place_plan *plan, struct place_explained *ret)
{
    size_t n = in->rules->daemon ? 0 : in->rules->nspreads;
    _cleanup_free_ bool *candidate = xcalloc(in->nhosts + 1, sizeof(bool));
    _cleanup_free_ struct spread_table *tables = xcalloc(n + 1, sizeof(*tables));

    *ret = (struct place_explained){
        .why = xcalloc(in->nhosts + 1, sizeof(char *)),
        .nhosts = in->nhosts,
        .keys = xcalloc(n + 1, sizeof(*ret->keys)),
        .nkeys = n,
    };
    for (size_t h = 0; h < in->nhosts; h++) {
        const struct place_verdict *v = &plan->verdicts[h];
        candidate[h] = v->reason == PLACE_FITS || (v->keeps && in->hosts[h].current > 0);
    }
    for (size_t i = 0; i < n; i++) {
        spread_table_init(&tables[i], &in->rules->spreads[i], in, candidate);
        for (size_t h = 0; h < in->nhosts; h++)
            spread_add(&tables[i], h, plan->wanted[h]);
        explain_key(in, &tables[i], &ret->keys[i]);
    }
    for (size_t h = 0; h < in->nhosts; h++)
        ret->why[h] = explain_host(in, plan, h, tables, n);
    for (size_t i = 0; i < n; i++)
        spread_table_release(&tables[i]);
}

void place_explained_release(struct place_explained *e)
{
    for (size_t i = 0; i < e->nhosts; i++)
        free(e->why[i]);
    free(e->why);
    for (size_t i = 0; i < e->nkeys; i++)
        free(e->keys[i].domains);
    free(e->keys);
    *e = (struct place_explained){0};
}
