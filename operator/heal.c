#include "operator/heal.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "operator/table.h"
#include "operator/unit.h"

enum {
    LOOK_MS = 250,
    DRAIN_QUIET_MS = 5000, /* nothing left the host for this long: what is left fits nowhere else */
    DRAIN_MOST_MS = 60 * 1000,
    STOP_GRACE_MS = 5000,  /* for the host itself */
    HEAR_MS = 10 * 1000,   /* after this it need not be known that it hears */
    RETURN_MS = 60 * 1000, /* then people are told */
    FILL_MOST_MS = 60 * 1000,
};

static void tell(struct op_lattice *l, const struct lat_host *h, const char *type, const char *reason,
                 const char *note)
{
    const struct model_host *object = h ? op_host_object(l->op, h->id) : NULL;

    log_info(note, "lattice", l->name, "host", h ? h->id : "", NULL);
    if (!object)
        return;
    struct kube_ref ref = {
        .api_version = MODEL_API_VERSION,
        .kind = "LatticeHost",
        .name = object->meta.name,
        .uid = object->meta.uid,
    };
    kube_record(l->op->recorder, &ref, type, reason, "Heal", "%s", note);
}

static bool is_ours(const struct op_lattice *l, const struct map *annotations)
{
    const char *owner = map_get(annotations, MODEL_OWNER);
    enum model_kind kind;
    _cleanup_free_ char *key = NULL;

    return owner && op_owner_parse(l->op, owner, &kind, &key);
}

static size_t count_left(const struct lat_host *h)
{
    return h->ncomponents + h->nproviders;
}

char *heal_obstacle(const struct op_lattice *l, const struct lat_host *h)
{
    size_t foreign = 0;

    for (size_t i = 0; i < h->ncomponents; i++)
        foreign += !is_ours(l, h->components[i].annotations);
    for (size_t i = 0; i < h->nproviders; i++)
        foreign += !is_ours(l, h->providers[i].annotations);
    if (!foreign)
        return NULL;
    return xasprintf(
        "it runs %zu component%s or provider%s that this operator did not start: restart it by hand", foreign,
        foreign == 1 ? "" : "s", foreign == 1 ? "" : "s");
}

static struct op_host *mine_of(const struct op_lattice *l, const char *host)
{
    return map_get(l->hosts, host);
}

static size_t count_alive(const struct op_lattice *l)
{
    size_t n = 0;

    for (struct map_iter it = {0}; lat_host_next(l->lat, &it);)
        n += lat_host_alive(((const struct lat_host *)it.value)->state);
    return n;
}

static size_t count_incomplete(const struct op_lattice *l)
{
    size_t n = 0;

    for (int kind = 0; kind < 2; kind++)
        for (struct map_iter it = {0}; map_next(l->op->units[kind], &it);) {
            const struct op_unit *u = it.value;
            n += u->lattice && streq(u->lattice, l->name) && !u->complete;
        }
    return n;
}

void heal_release(struct op_lattice *l)
{
    lat_op_cancel(l->heal.op);
    free(l->heal.host);
    l->heal = (struct op_heal){0};
}

static void set_restarting(struct op_lattice *l, const char *host, bool restarting)
{
    struct op_host *mine = mine_of(l, host);

    if (!mine || mine->restarting == restarting)
        return;
    mine->restarting = restarting;
    table_invalidate(l);
    op_enqueue_lattice(l->op, l->name);
}

static void enter(struct op_lattice *l, int phase)
{
    l->heal.phase = phase;
    l->heal.since_ms = l->heal.progress_ms = loop_now_ms(l->op->loop);
}

static void end(struct op_lattice *l)
{
    set_restarting(l, l->heal.host, false);
    heal_release(l);
}

/* The deaf host with the least on it: the sooner there is one that hears, the better. */
static const struct lat_host *choose(const struct op_lattice *l)
{
    const struct lat_host *best = NULL;

    for (struct map_iter it = {0}; lat_host_next(l->lat, &it);) {
        const struct lat_host *h = it.value;
        if (h->hearing != LAT_DEAF || h->state != LAT_HOST_READY || !h->has_inventory)
            continue;
        _cleanup_free_ char *obstacle = heal_obstacle(l, h);
        if (!obstacle && (!best || count_left(h) < count_left(best)))
            best = h;
    }
    return best;
}

static bool anybody_doubtful(const struct op_lattice *l)
{
    for (struct map_iter it = {0}; lat_host_next(l->lat, &it);) {
        const struct lat_host *h = it.value;
        if (lat_host_alive(h->state) && h->hearing == LAT_DOUBTFUL)
            return true;
    }
    return false;
}

static bool begin(struct op_lattice *l)
{
    const struct lat_host *h = choose(l);

    /* Those in doubt are judged first: the least loaded of all the deaf is to be the first. */
    if (!h || anybody_doubtful(l))
        return false;
    l->heal.host = xstrdup(h->id);
    l->heal.alive = count_alive(l);
    l->heal.incomplete = count_incomplete(l);
    l->heal.left = count_left(h);
    enter(l, HEAL_DRAIN);
    set_restarting(l, h->id, true);
    tell(l, h, "Warning", "Deaf",
         "the host no longer sees changes of links and configuration: it is emptied and restarted");
    return true;
}

static void on_stopped(void *arg, const struct err *err)
{
    struct op_lattice *l = arg;
    const struct lat_host *h = lat_host_get(l->lat, l->heal.host);

    l->heal.op = NULL;
    if (err && h && lat_host_alive(h->state)) {
        _cleanup_free_ char *note = xasprintf("the deaf host cannot be stopped: %s", err_text(err));
        tell(l, h, "Warning", "StopFailed", note);
        end(l);
    } else {
        enter(l, HEAL_RETURN);
    }
    wq_add(l->op->q_lattice, l->name);
}

static void drain(struct op_lattice *l, const struct lat_host *h)
{
    struct op_heal *heal = &l->heal;
    int64_t now = loop_now_ms(l->op->loop);

    if (!h || !lat_host_alive(h->state)) {
        enter(l, HEAL_RETURN);
        return;
    }
    if (h->hearing == LAT_HEARS) {
        end(l);
        return;
    }
    size_t left = count_left(h);
    if (left != heal->left) {
        heal->left = left;
        heal->progress_ms = now;
    }
    if (left && now - heal->progress_ms < DRAIN_QUIET_MS && now - heal->since_ms < DRAIN_MOST_MS)
        return;
    enter(l, HEAL_STOP);
    tell(l, h, "Normal", "Restarting", "the host is told to stop; its supervisor is to start it anew");
    heal->op = lat_host_stop(l->lat, heal->host, STOP_GRACE_MS, on_stopped, l);
}

static void await_return(struct op_lattice *l, const struct lat_host *h)
{
    struct op_heal *heal = &l->heal;
    bool same = h && lat_host_alive(h->state) && h->has_inventory;

    if (same)
        lat_hearing_fresh(l->lat, LOOK_MS);
    int64_t waited = loop_now_ms(l->op->loop) - heal->since_ms;
    if (same && h->hearing == LAT_DEAF && waited >= RETURN_MS) {
        end(l);
        return;
    }
    /* With a fixed identity it is the same host again, else another one in its place. */
    bool hears =
        same && (h->hearing == LAT_HEARS || (h->hearing == LAT_HEARING_UNKNOWN && waited >= HEAR_MS));
    if (hears || (!same && count_alive(l) >= heal->alive)) {
        set_restarting(l, heal->host, false);
        enter(l, HEAL_FILL);
        if (h)
            tell(l, h, "Normal", "Restarted", "the host was restarted and is back");
        return;
    }
    if (!heal->told && waited >= RETURN_MS) {
        heal->told = true;
        tell(l, h, "Warning", "NotBack",
             "the host was stopped to be restarted and is not back: no other host is restarted until it is");
    }
}

int64_t heal_step(struct op_lattice *l, const struct model_lattice *object)
{
    struct op_heal *heal = &l->heal;

    if (!op_lattice_usable(l) || lat_store(l->lat) == LAT_STORE_DOWN || lat_store(l->lat) == LAT_STORE_ASKING)
        return heal->host ? LOOK_MS : 0;
    if (!heal->host && (!object->heal_deaf || object->meta.deleted_ns || !begin(l)))
        return 0;
    const struct lat_host *h = lat_host_get(l->lat, heal->host);
    switch (heal->phase) {
    case HEAL_DRAIN:
        drain(l, h);
        break;
    case HEAL_STOP:
        break;
    case HEAL_RETURN:
        await_return(l, h);
        break;
    case HEAL_FILL:
        if (count_incomplete(l) <= heal->incomplete ||
            loop_now_ms(l->op->loop) - heal->since_ms >= FILL_MOST_MS)
            end(l);
        break;
    }
    return LOOK_MS;
}

char *heal_report(const struct op_lattice *l, const struct model_lattice *object)
{
    size_t deaf = 0, blocked = 0;

    for (struct map_iter it = {0}; lat_host_next(l->lat, &it);) {
        const struct lat_host *h = it.value;
        if (!lat_host_alive(h->state) || h->hearing != LAT_DEAF)
            continue;
        _cleanup_free_ char *obstacle = heal_obstacle(l, h);
        deaf++;
        blocked += obstacle != NULL;
    }
    if (l->heal.host && l->heal.told)
        return xasprintf(
            "host %s was stopped to be restarted and is not back (has it a supervisor?): no other host "
            "is restarted until it is; %zu more no longer see links and configuration",
            l->heal.host, deaf);
    if (!deaf && !l->heal.host)
        return NULL;
    if (!object->heal_deaf)
        return xasprintf(
            "%zu host%s no longer see%s links and configuration: restart %s (spec.health.healDeaf is "
            "off)",
            deaf, deaf == 1 ? "" : "s", deaf == 1 ? "s" : "", deaf == 1 ? "it" : "them");
    return xasprintf("%zu host%s no longer see%s links and configuration and %s restarted one by one%s", deaf,
                     deaf == 1 ? "" : "s", deaf == 1 ? "s" : "", deaf == 1 ? "is" : "are",
                     blocked ? "; some run what is not ours and must be restarted by hand" : "");
}
