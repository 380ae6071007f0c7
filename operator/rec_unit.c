/* What the reconcilers of actors and providers share. */
#include "base/mem.h"
#include "base/str.h"
#include "operator/clash.h"
#include "operator/exec.h"
#include "operator/lattices.h"
#include "operator/rec.h"
#include "operator/revisions.h"
#include "operator/sources.h"

enum { SYNC_LOOK_MS = 3000 };

static bool any_under_way(const struct op_unit *u)
{
    for (struct map_iter it = {0}; map_next(u->hosts, &it);)
        if (((const struct unit_host *)it.value)->op)
            return true;
    return u->finalizer_request || u->status_request || u->revision_request;
}

/* The object is gone. What it may have left on the lattice is found by the sweep. */
static void forget(struct op *op, enum model_kind kind, const char *key)
{
    struct op_unit *u = unit_find(op, kind, key);

    if (!u)
        return;
    sources_begin(op->sources);
    sources_end(op->sources, kind, key);
    if (any_under_way(u)) {
        /* Its callbacks still come; look again then. */
        wq_add_after(op->q_unit[kind], key, 500);
        return;
    }
    unit_forget(op, kind, key);
    revisions_forget(op->revisions, kind, key);
}

/* Hosts that left the table need no memory. */
static void drop_stale_hosts(struct op_unit *u, const struct op_lattice *l)
{
    if (!op_lattice_usable(l))
        return;
    for (struct map_iter it = {0}; map_next(u->hosts, &it);) {
        const struct unit_host *h = it.value;
        const struct lat_host *live = lat_host_get(l->lat, h->host);
        if (!h->op && (!live || lat_host_dead(live->state)))
            map_del(u->hosts, it.key);
    }
}

static void count(struct op *op, struct op_unit *u, const struct view *v, const struct plan *p)
{
    const struct model_workload *w = v->w;
    const int32_t n[TALLY_REPLICAS_COUNT] = {p->desired, p->running, p->ready, p->updated},
                  none[] = {0, 0, 0, 0};

    if (v->lattice == VIEW_LATTICE_OK || v->lattice == VIEW_LATTICE_HELD)
        tally_replicas(op->metrics, u->kind, &u->tally, w->meta.deleted_ns ? none : n, v->now_ms,
                       !w->placement.daemon && !w->meta.deleted_ns);
}

/* While the picture is being completed (after a start, a reconnect, the loss of a host) the last truth stays
 * in the status. */
static bool keeps_last_status(const struct view *v)
{
    if (v->store_asking)
        return true;
    return v->lattice == VIEW_LATTICE_SYNCING && v->w->conditions.len > 0 &&
           v->w->observed_generation == v->w->meta.generation;
}

void rec_unit_reconcile(struct op *op, enum model_kind kind, const char *key)
{
    const struct model_workload *w = op_workload(op, kind, key);

    if (!w) {
        forget(op, kind, key);
        wq_done(op->q_unit[kind], key, WQ_OK);
        return;
    }
    struct op_unit *u = unit_get(op, kind, key);
    xstr_replace(&u->lattice, w->lattice);
    xstr_replace(&u->id, w->id);

    struct view v;
    struct plan p;
    drop_stale_hosts(u, op_lattice_get(op, w->lattice));
    view_make(op, w, u, &v);
    /* What a missing ConfigMap makes of the revision is no new one. */
    if (!v.config_problem)
        unit_forget_failures(u, v.revision);
    plan_unit(&v, &p);
    count(op, u, &v, &p);
    exec_plan(op, u, &v, &p);
    u->complete = p.complete;
    if (!keeps_last_status(&v))
        status_write(op, u, &v, &p);
    if (!w->meta.deleted_ns)
        revisions_sync(op->revisions, u, &v, &p);
    if (v.lattice == VIEW_LATTICE_SYNCING && !p.again_ms)
        p.again_ms = SYNC_LOOK_MS;
    if (v.clash && (!p.again_ms || p.again_ms > CLASH_LOOK_MS))
        p.again_ms = CLASH_LOOK_MS;
    int64_t again =
        p.again_ms > 0 && p.again_ms < op->options->resync_ms ? p.again_ms : op->options->resync_ms;
    plan_release(&p);
    view_release(&v);
    wq_done_after(op->q_unit[kind], key, again);
}

void rec_units_cancel_lattice(struct op *op, const char *lattice)
{
    for (int kind = 0; kind < 2; kind++)
        for (struct map_iter it = {0}; map_next(op->units[kind], &it);) {
            struct op_unit *u = it.value;
            if (u->lattice && streq(u->lattice, lattice))
                map_clear(u->hosts);
        }
}
