#include "operator/plan.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/host_report.h"

enum {
    LINK_LOOK_MS = 200,
    FAILED_MOST = 2, /* after so many failing hosts it is the revision's fault */
};

/* A deletion waits so long for a lattice that does not answer; afterwards the sweep finishes it when the
 * lattice is back. */
#define DELETE_PATIENCE_NS (INT64_C(5) * 60 * 1000 * 1000 * 1000)

static void act(struct plan *p, struct plan_action a)
{
    if (p->nactions == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 8;
        p->actions = xreallocarray(p->actions, p->cap, sizeof(*p->actions));
    }
    p->actions[p->nactions++] = a;
}

void plan_release(struct plan *p)
{
    free(p->actions);
    place_plan_release(&p->place);
    *p = (struct plan){0};
}

static void again_in(struct plan *p, int64_t ms)
{
    if (ms < 1)
        ms = 1;
    if (!p->again_ms || ms < p->again_ms)
        p->again_ms = ms;
}

int32_t plan_running_on(const struct view *v, const struct view_host *h)
{
    if (!h->running || !h->ours)
        return 0;
    return model_replicas_of(v->w, h->count);
}

static bool is_busy(const struct view_host *h)
{
    return h->memory && h->memory->op;
}

/* Replicas that were started so lately that calls may not reach them yet: nothing else is taken down for
 * them. *ret_ms: until all are reached. */
static int32_t settling(const struct view *v, int64_t *ret_ms)
{
    int32_t n = 0;

    *ret_ms = 0;
    for (size_t i = 0; i < v->nhosts; i++) {
        const struct view_host *h = &v->hosts[i];
        if (!h->healthy || !h->memory || is_busy(h) || h->memory->serves_ms <= v->now_ms)
            continue;
        n += plan_running_on(v, h);
        if (h->memory->serves_ms - v->now_ms > *ret_ms)
            *ret_ms = h->memory->serves_ms - v->now_ms;
    }
    return n;
}

static bool is_current(const struct view *v, const struct view_host *h)
{
    return streq(h->revision, v->revision);
}

static bool in_backoff(const struct view *v, const struct view_host *h)
{
    /* A failure of another revision says nothing about this one. */
    return h->memory && h->memory->failures && h->memory->retry_ms > v->now_ms &&
           streq_null(h->memory->failed_revision, v->revision);
}

/* Deletion */

static void plan_delete(const struct view *v, struct plan *p)
{
    bool waiting = false;

    if (!v->w->meta.has_finalizer)
        return;
    if (v->lattice == VIEW_LATTICE_MISSING) {
        act(p, (struct plan_action){.kind = PLAN_FINALIZER_REMOVE, .why = "its lattice does not exist"});
        return;
    }
    /* Nobody runs anything, and nobody can be asked for links: what may be left of it is swept when a host
     * comes. */
    if (!v->nhosts && (v->lattice == VIEW_LATTICE_OK || v->lattice == VIEW_LATTICE_HELD)) {
        act(p, (struct plan_action){.kind = PLAN_FINALIZER_REMOVE, .why = "its lattice has no live host"});
        return;
    }
    if (v->lattice != VIEW_LATTICE_OK) {
        int64_t waited = v->now_ns - v->w->meta.deleted_ns;
        if (waited >= DELETE_PATIENCE_NS)
            act(p, (struct plan_action){.kind = PLAN_FINALIZER_REMOVE, .why = "its lattice does not answer"});
        else
            again_in(p, (DELETE_PATIENCE_NS - waited) / 1000000);
        return;
    }
    for (size_t i = 0; i < v->nhosts; i++) {
        const struct view_host *h = &v->hosts[i];
        if (is_busy(h)) {
            waiting = true;
            continue;
        }
        if (!h->running || !h->ours)
            continue;
        waiting = true;
        if (in_backoff(v, h))
            again_in(p, h->memory->retry_ms - v->now_ms);
        else
            act(p, (struct plan_action){.kind = PLAN_STOP, .host = h->id, .why = "deleted"});
    }
    if (!v->links_known) {
        again_in(p, 1000);
        return;
    }
    /* In a deletion every link of the unit is unwanted, those of the spec too. */
    for (size_t i = 0; i < v->nunwanted; i++) {
        act(p, (struct plan_action){.kind = PLAN_LINK_DEL, .index = i});
        waiting = true;
    }
    if (waiting) {
        again_in(p, 1000);
        return;
    }
    act(p, (struct plan_action){.kind = PLAN_CONFIG_DEL});
    act(p, (struct plan_action){.kind = PLAN_FINALIZER_REMOVE, .why = "everything of it is stopped"});
}

/* Configuration and links */

static void plan_configs(const struct view *v, struct plan *p)
{
    p->configs_ready = !v->config_problem;
    for (size_t i = 0; i < v->nconfigs; i++) {
        const struct view_config *c = &v->configs[i];
        if (c->known || (i == 0 && !map_len(c->values)))
            continue;
        p->configs_ready = false;
        if (!v->config_problem)
            act(p, (struct plan_action){.kind = PLAN_CONFIG_PUT, .index = i});
    }
}

static void plan_links(const struct view *v, struct plan *p)
{
    p->links_ready = v->links_known && !v->link_problem;
    if (!v->links_known || !p->configs_ready) {
        p->links_ready = p->links_ready && !v->nlinks;
        return;
    }
    for (size_t i = 0; i < v->nlinks; i++) {
        const struct view_link *l = &v->links[i];
        if (l->present && lat_link_same(l->present, &l->link))
            continue;
        p->links_ready = false;
        if (l->present && l->foreign)
            continue;
        if (!l->present) {
            act(p, (struct plan_action){.kind = PLAN_LINK_PUT, .index = i});
        } else if (v->links_held) {
            p->links_held = true;
        } else if (!v->hearing_fresh) {
            /* Whether every host hears is being asked. */
            again_in(p, LINK_LOOK_MS);
        } else {
            act(p, (struct plan_action){.kind = PLAN_LINK_REPLACE, .index = i});
        }
    }
    /* A capability that cannot be resolved just now may still have its link: nothing is taken away meanwhile.
     */
    for (size_t i = 0; !v->link_problem && i < v->nunwanted; i++)
        act(p, (struct plan_action){.kind = PLAN_LINK_DEL, .index = i});
}

/* Updates */

static bool has_failed_here(const struct view *v, const struct view_host *h)
{
    return h->memory && h->memory->failures && streq_null(h->memory->failed_revision, v->revision);
}

/* Hosts on which this revision could not be started and is to be tried again. */
static size_t count_failed(const struct view *v)
{
    size_t n = 0;

    for (size_t i = 0; i < v->nhosts; i++)
        n += has_failed_here(v, &v->hosts[i]) && !v->hosts[i].cordoned && !v->hosts[i].restarting;
    return n;
}

static int32_t share(int32_t percent, int32_t abs, int32_t of, bool up)
{
    return percent < 0 ? abs : (of * percent + (up ? 99 : 0)) / 100;
}

/* How many replicas are to run in excess just now: while some run another revision, so that the new one
 * serves on another host before the old one is touched. */
static int32_t surge_wanted(const struct view *v)
{
    const struct model_workload *w = v->w;
    int32_t outdated = 0, running = 0;

    if (w->paused || w->recreate || w->placement.daemon)
        return 0;
    for (size_t i = 0; i < v->nhosts; i++) {
        const struct view_host *h = &v->hosts[i];
        int32_t n = plan_running_on(v, h);
        running += n;
        if (n && !is_current(v, h))
            outdated += n;
    }
    /* Without enough that run, what is missing is started first. */
    if (!outdated || running < w->replicas)
        return 0;
    int32_t most = share(w->max_surge_percent, w->max_surge_abs, w->replicas, true);
    return most < outdated ? most : outdated;
}

/* Placement */

/* Deaf hosts take no new work, unless a host is being emptied for its restart and there are no others: what
 * runs on it is better served there than nowhere. */
static bool must_go_to_the_deaf(const struct view *v)
{
    bool leaves = false;

    for (size_t i = 0; i < v->nhosts; i++) {
        const struct view_host *h = &v->hosts[i];
        if (!h->restarting && !h->deaf)
            return false;
        leaves = leaves || (h->restarting && h->running && h->ours);
    }
    return leaves;
}

/* What is in excess need not find a host; where it did, the update waits for it. */
static void note_surge(const struct view *v, struct plan *p, int32_t surge)
{
    p->place.missing = p->place.missing > surge ? p->place.missing - surge : 0;
    if (!p->place.missing)
        xstr_replace(&p->place.summary, NULL);
    if (p->place.placed > v->w->replicas) {
        p->surge = p->place.placed - v->w->replicas;
        p->place.placed = v->w->replicas;
    }
}

static void make_placement(const struct view *v, struct plan *p)
{
    _cleanup_free_ struct place_host *hosts = xcalloc(v->nhosts, sizeof(*hosts));
    bool evacuates = must_go_to_the_deaf(v);
    int32_t surge = surge_wanted(v);

    for (size_t i = 0; i < v->nhosts; i++) {
        const struct view_host *h = &v->hosts[i];
        const struct model_placement_status *before = model_placement_of(v->w, h->object);
        hosts[i] = (struct place_host){
            .id = h->id,
            .labels = h->labels,
            .taints = h->taints,
            .ntaints = h->ntaints,
            .ready = h->state == LAT_HOST_READY || h->state == LAT_HOST_BUSY,
            .cordoned = h->cordoned,
            .foreign = h->running && !h->ours,
            .backoff = in_backoff(v, h),
            .deaf = h->deaf && !evacuates,
            .restarting = h->restarting,
            /* A scale makes the host take what runs there down for a moment: the excess goes where nothing
             * runs yet, or nowhere. */
            .updating = surge && h->running && h->ours,
            .load = h->load,
            .current = plan_running_on(v, h),
            .since_ns = before ? before->since_ns : v->now_ns,
        };
        /* What is being started counts as there: it must not be started a second time elsewhere. */
        if (is_busy(h) && h->memory->task == UNIT_SETTING)
            hosts[i].current = h->memory->replicas;
        if (is_busy(h) && h->memory->task == UNIT_STOPPING) {
            hosts[i].current = 0;
            hosts[i].updating = false; /* it will have room for the excess */
        }
    }
    struct place_input in = {
        .hosts = hosts,
        .nhosts = v->nhosts,
        .rules = &v->w->placement,
        .replicas = v->w->replicas + surge,
        .single = v->w->kind == MODEL_PROVIDER,
    };
    place_plan_make(&in, &p->place);
    if (surge)
        note_surge(v, p, surge);
    /* A host that failed is asked again in its time, even when the others seem to do without it. */
    for (size_t i = 0; i < v->nhosts; i++)
        if (hosts[i].backoff)
            again_in(p, v->hosts[i].memory->retry_ms - v->now_ms);
}

static void count_replicas(const struct view *v, struct plan *p)
{
    p->desired = v->w->placement.daemon ? p->place.placed + p->place.missing : v->w->replicas;
    for (size_t i = 0; i < v->nhosts; i++) {
        const struct view_host *h = &v->hosts[i];
        int32_t n = plan_running_on(v, h);
        p->running += n;
        if (h->healthy)
            p->ready += n;
        if (h->healthy && is_current(v, h))
            p->updated += v->held_back ? 0 : n;
        if (h->memory && h->memory->error && !is_busy(h)) {
            p->failed_host = h->object;
            p->error = h->memory->error;
        }
    }
}

/* How many replicas may be down at once. Without a host for one in excess at least one may, or nothing would
 * ever move. */
static int32_t unavailable_budget(const struct view *v, const struct plan *p)
{
    int32_t most = share(v->w->max_unavailable_percent, v->w->max_unavailable_abs, p->desired, false);

    return most > 0 || p->surge ? most : 1;
}

static void plan_starts(const struct view *v, struct plan *p)
{
    size_t failed = count_failed(v);

    for (size_t i = 0; i < v->nhosts; i++) {
        const struct view_host *h = &v->hosts[i];
        int32_t want = p->place.wanted[i], have = plan_running_on(v, h);
        if (want <= 0 || is_busy(h) || (h->running && !h->ours))
            continue;
        if (have && is_current(v, h) &&
            (v->w->kind == MODEL_PROVIDER || h->count == (uint32_t)want * v->w->concurrency))
            continue;
        if (have && !is_current(v, h))
            continue; /* an update: see plan_updates() */
        if (in_backoff(v, h)) {
            again_in(p, h->memory->retry_ms - v->now_ms);
            continue;
        }
        /* What serves elsewhere is not risked for a revision that two hosts could not start. */
        if (!have && p->surge && failed >= FAILED_MOST && !has_failed_here(v, h))
            continue;
        act(p, (struct plan_action){
                   .kind = PLAN_SET, .host = h->id, .replicas = want, .why = have ? "scale" : "start"});
    }
}

/* A host on which this revision has failed while another one serves there: it alone is tried again, the
 * others keep what serves. */
static const struct view_host *failed_update(const struct view *v)
{
    for (size_t i = 0; i < v->nhosts; i++)
        if (has_failed_here(v, &v->hosts[i]) && v->hosts[i].running)
            return &v->hosts[i];
    return NULL;
}

static bool serves_anywhere(const struct view *v)
{
    for (size_t i = 0; i < v->nhosts; i++)
        if (v->hosts[i].healthy && plan_running_on(v, &v->hosts[i]) && is_current(v, &v->hosts[i]))
            return true;
    return false;
}

/* Replicas that are missing until a host is updated: no host fits them, or a host that is to be updated gets
 * more than it has. An update that waited for them would wait for ever. */
static int32_t only_by_updates(const struct view *v, const struct plan *p)
{
    int32_t n = p->place.missing;

    for (size_t i = 0; i < v->nhosts; i++) {
        const struct view_host *h = &v->hosts[i];
        int32_t have = plan_running_on(v, h);
        if (have && !is_busy(h) && !is_current(v, h) && p->place.wanted[i] > have)
            n += p->place.wanted[i] - have;
    }
    return n;
}

static void plan_updates(const struct view *v, struct plan *p)
{
    int64_t settle;
    int32_t budget = unavailable_budget(v, p), down = p->desired - p->ready + settling(v, &settle);
    down -= only_by_updates(v, p);
    const struct view_host *only = failed_update(v);

    if (v->w->paused)
        return;
    /* It failed where nothing was at risk and has not served anywhere yet. */
    if (!v->w->recreate && !only && count_failed(v) && !serves_anywhere(v))
        return;
    for (size_t i = 0; i < v->nhosts; i++) {
        const struct view_host *h = &v->hosts[i];
        /* An update under way is still counted as ready while the old one serves. */
        if (is_busy(h) && plan_running_on(v, h))
            down += plan_running_on(v, h);
    }
    for (size_t i = 0; i < v->nhosts; i++) {
        const struct view_host *h = &v->hosts[i];
        int32_t have = plan_running_on(v, h);
        if (p->place.wanted[i] <= 0 || !have || is_busy(h) || is_current(v, h))
            continue;
        if (only && only != h)
            continue;
        if (in_backoff(v, h)) {
            again_in(p, h->memory->retry_ms - v->now_ms);
            continue;
        }
        /* One host is always allowed when all serve, those in excess too, even if it holds more replicas than
         * the budget; and what does not serve costs nothing. */
        int32_t cost = h->healthy ? have : 0;
        if (!v->w->recreate && cost && down > -p->surge && down + cost > budget) {
            if (settle)
                again_in(p, settle);
            continue;
        }
        act(p, (struct plan_action){
                   .kind = PLAN_SET, .host = h->id, .replicas = p->place.wanted[i], .why = "update"});
        down += cost;
    }
}

static void plan_stops(const struct view *v, struct plan *p)
{
    int64_t settle;
    int32_t spare = p->ready - p->desired - settling(v, &settle);

    for (size_t i = 0; i < v->nhosts; i++) {
        const struct view_host *h = &v->hosts[i];
        int32_t have = plan_running_on(v, h);
        if (p->place.wanted[i] > 0 || !have || is_busy(h))
            continue;
        /* Replacement first: what must leave a host stays until enough serve elsewhere. */
        if (!v->w->placement.daemon && spare < have && h->healthy) {
            if (settle)
                again_in(p, settle);
            continue;
        }
        if (in_backoff(v, h)) {
            again_in(p, h->memory->retry_ms - v->now_ms);
            continue;
        }
        const char *why = p->place.verdicts[i].keeps ? "scale down" : "moved away";
        act(p, (struct plan_action){.kind = PLAN_STOP, .host = h->id, .why = why});
        spare -= have;
    }
}

/* A start needs the credentials first: nothing is started in this round, the next follows when the hosts were
 * told. */
static void plan_login(const struct view *v, struct plan *p)
{
    size_t kept = 0;
    bool starts = false;

    if (!v->login.registry || v->login_known)
        return;
    for (size_t i = 0; i < p->nactions; i++) {
        if (p->actions[i].kind == PLAN_SET)
            starts = true;
        else
            p->actions[kept++] = p->actions[i];
    }
    p->nactions = kept;
    if (starts)
        act(p, (struct plan_action){.kind = PLAN_LOGIN});
}

static bool is_complete(const struct view *v, const struct plan *p)
{
    if (p->ready != p->desired || p->updated != p->desired || p->running != p->desired ||
        p->place.missing > 0)
        return false;
    for (size_t i = 0; i < v->nhosts; i++)
        if (is_busy(&v->hosts[i]))
            return false;
    return p->links_ready && p->configs_ready;
}

void plan_unit(const struct view *v, struct plan *ret)
{
    struct plan *p = ret;

    *p = (struct plan){.desired = v->w->replicas};
    if (v->w->meta.deleted_ns) {
        plan_delete(v, p);
        return;
    }
    if (!v->w->meta.has_finalizer) {
        act(p, (struct plan_action){.kind = PLAN_FINALIZER_ADD});
        return;
    }
    if (v->lattice == VIEW_LATTICE_HELD) {
        make_placement(v, p);
        count_replicas(v, p);
        p->links_ready = v->links_known && !v->link_problem;
        p->configs_ready = !v->config_problem;
        p->complete = is_complete(v, p);
        return;
    }
    if (v->lattice != VIEW_LATTICE_OK)
        return;
    if (v->w->problem) {
        count_replicas(v, p);
        return;
    }
    plan_configs(v, p);
    plan_links(v, p);
    make_placement(v, p);
    count_replicas(v, p);
    if (p->configs_ready) {
        plan_starts(v, p);
        plan_updates(v, p);
    }
    plan_stops(v, p);
    plan_login(v, p);
    p->complete = is_complete(v, p);
}
