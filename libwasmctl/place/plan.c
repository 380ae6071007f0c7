#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "place/place.h"
#include "place/spread.h"

struct state {
    const struct place_input *in;
    struct place_plan *plan;
    struct spread_table *tables;
    size_t ntables;
};

static void give(struct state *s, size_t host, int32_t n)
{
    s->plan->wanted[host] += n;
    for (size_t i = 0; i < s->ntables; i++)
        spread_add(&s->tables[i], host, n);
}

static double excess(const struct state *s, size_t host, int32_t delta, bool hard)
{
    double sum = 0;

    for (size_t i = 0; i < s->ntables; i++)
        if (s->tables[i].rule->hard == hard)
            sum += spread_excess(&s->tables[i], host, delta);
    return sum;
}

static double heights(const struct state *s, size_t host)
{
    double sum = 0;

    for (size_t i = 0; i < s->ntables; i++)
        sum += spread_height(&s->tables[i], host);
    return sum;
}

static bool prefers_not(const struct state *s, size_t host)
{
    const struct place_host *h = &s->in->hosts[host];

    for (size_t i = 0; i < h->ntaints; i++)
        if (streq(h->taints[i].effect, "PreferNoSchedule") &&
            !model_tolerates(s->in->rules->tolerations, s->in->rules->ntolerations, &h->taints[i]))
            return true;
    return false;
}

/* < 0 when a is the better host for one more replica. */
static int compare_for_add(const struct state *s, size_t a, size_t b)
{
    double da = excess(s, a, 1, false), db = excess(s, b, 1, false);

    if (da != db)
        return da < db ? -1 : 1;
    da = heights(s, a);
    db = heights(s, b);
    if (da != db)
        return da < db ? -1 : 1;
    bool pa = prefers_not(s, a), pb = prefers_not(s, b);
    if (pa != pb)
        return pa ? 1 : -1;
    if (s->plan->wanted[a] != s->plan->wanted[b])
        return s->plan->wanted[a] < s->plan->wanted[b] ? -1 : 1;
    if (s->in->hosts[a].load != s->in->hosts[b].load)
        return s->in->hosts[a].load < s->in->hosts[b].load ? -1 : 1;
    return strcmp(s->in->hosts[a].id, s->in->hosts[b].id);
}

/* < 0 when a is the host to take a replica away from first: where a constraint is exceeded, then the fullest
 * domain, the fullest host, the newest, the last id. */
static int compare_for_removal(const struct state *s, size_t a, size_t b)
{
    double da = excess(s, a, 0, true), db = excess(s, b, 0, true);

    if (da != db)
        return da > db ? -1 : 1;
    da = heights(s, a);
    db = heights(s, b);
    if (da != db)
        return da > db ? -1 : 1;
    if (s->plan->wanted[a] != s->plan->wanted[b])
        return s->plan->wanted[a] > s->plan->wanted[b] ? -1 : 1;
    if (s->in->hosts[a].since_ns != s->in->hosts[b].since_ns)
        return s->in->hosts[a].since_ns > s->in->hosts[b].since_ns ? -1 : 1;
    return -strcmp(s->in->hosts[a].id, s->in->hosts[b].id);
}

static bool can_take(const struct state *s, size_t host)
{
    return s->plan->verdicts[host].reason == PLACE_FITS && !(s->in->single && s->plan->wanted[host] > 0);
}

static bool best_for_add(const struct state *s, size_t *ret)
{
    bool found = false;

    for (size_t h = 0; h < s->in->nhosts; h++) {
        if (!can_take(s, h) || excess(s, h, 1, true) > 0)
            continue;
        if (!found || compare_for_add(s, h, *ret) < 0)
            *ret = h;
        found = true;
    }
    return found;
}

static bool best_for_removal(const struct state *s, size_t *ret)
{
    bool found = false;

    for (size_t h = 0; h < s->in->nhosts; h++) {
        if (s->plan->wanted[h] <= 0)
            continue;
        if (!found || compare_for_removal(s, h, *ret) < 0)
            *ret = h;
        found = true;
    }
    return found;
}

static double total_excess(const struct state *s, bool hard)
{
    double sum = 0;

    for (size_t h = 0; h < s->in->nhosts; h++)
        if (s->plan->wanted[h] > 0)
            sum += excess(s, h, 0, hard);
    return sum;
}

/* Moves one replica at a time from where a hard constraint is exceeded, as long as each move makes it better.
 */
static void mend_constraints(struct state *s)
{
    for (int32_t moves = 0; moves < s->in->replicas; moves++) {
        double before = total_excess(s, true);
        size_t from = 0, to = 0;
        if (before <= 0 || !best_for_removal(s, &from) || excess(s, from, 0, true) <= 0)
            return;
        give(s, from, -1);
        if (best_for_add(s, &to) && to != from) {
            give(s, to, 1);
            if (total_excess(s, true) < before)
                continue;
            give(s, to, -1);
        }
        give(s, from, 1);
        return;
    }
}

/* With rebalance: one bounded move from the fullest host to the emptiest, when it makes the difference
 * smaller. */
static void rebalance_once(struct state *s)
{
    size_t from = 0, to = 0;

    if (!best_for_removal(s, &from))
        return;
    give(s, from, -1);
    if (best_for_add(s, &to) && to != from && s->plan->wanted[to] < s->plan->wanted[from])
        give(s, to, 1);
    else
        give(s, from, 1);
}

static void add_part(struct buf *b, size_t n, const char *text, const char *detail)
{
    if (b->len)
        buf_adds(b, ", ");
    if (detail)
        buf_addf(b, "%zu %s (%s)", n, text, detail);
    else
        buf_addf(b, "%zu %s", n, text);
}

static char *summarize(const struct state *s)
{
    static const char *const texts[] = {
#define X(name, text) text,
        PLACE_REASONS(X)
#undef X
    };
    _cleanup_buf_ struct buf parts = BUF_INIT;
    size_t counts[PLACE_REASON_COUNT] = {0}, fits = 0;
    struct map *selectors = map_new(NULL);

    if (!s->in->nhosts) {
        map_free(selectors);
        return xstrdup("the lattice has no live host");
    }
    for (size_t h = 0; h < s->in->nhosts; h++) {
        const struct place_verdict *v = &s->plan->verdicts[h];
        enum place_reason reason = v->reason;
        if (reason == PLACE_FITS && !can_take(s, h)) {
            fits++;
            continue;
        }
        if (reason == PLACE_FITS)
            reason = PLACE_SKEW;
        if (reason == PLACE_SELECTOR && v->text)
            map_set(selectors, v->text, (void *)((uintptr_t)map_get(selectors, v->text) + 1));
        else
            counts[reason]++;
    }
    for (struct map_iter it = {0}; map_next(selectors, &it);) {
        _cleanup_free_ char *text = xasprintf("do not match %s", it.key);
        add_part(&parts, (size_t)(uintptr_t)it.value, text, NULL);
    }
    map_free(selectors);
    for (size_t r = 1; r < PLACE_REASON_COUNT; r++) {
        const char *detail = NULL;
        if (!counts[r])
            continue;
        for (size_t h = 0; h < s->in->nhosts && !detail; h++)
            if (s->plan->verdicts[h].reason == (enum place_reason)r)
                detail = s->plan->verdicts[h].text;
        add_part(&parts, counts[r], texts[r], detail);
    }
    if (fits)
        add_part(&parts, fits, fits == 1 ? "runs one already" : "run one already", NULL);
    return xasprintf("0/%zu hosts fit: %s", s->in->nhosts, buf_str(&parts));
}

static void plan_daemon(struct state *s)
{
    for (size_t h = 0; h < s->in->nhosts; h++) {
        const struct place_verdict *v = &s->plan->verdicts[h];
        bool stays = v->keeps && s->in->hosts[h].current > 0;
        if (stays || v->reason == PLACE_FITS)
            give(s, h, 1);
        s->plan->placed += s->plan->wanted[h];
        /* A host that could run it but may not take it now is missing; others are simply not meant. */
        if (!s->plan->wanted[h] && (v->reason == PLACE_NOT_READY || v->reason == PLACE_BACKOFF))
            s->plan->missing++;
    }
}

static void plan_spread(struct state *s)
{
    const struct place_input *in = s->in;
    int32_t total = 0;

    for (size_t h = 0; h < in->nhosts; h++) {
        if (!s->plan->verdicts[h].keeps || in->hosts[h].current <= 0)
            continue;
        int32_t n = in->single && in->hosts[h].current > 1 ? 1 : in->hosts[h].current;
        give(s, h, n);
        total += n;
    }
    size_t host = 0;
    for (; total > in->replicas && best_for_removal(s, &host); total--)
        give(s, host, -1);
    for (; total < in->replicas && best_for_add(s, &host); total++)
        give(s, host, 1);
    if (total == in->replicas) {
        mend_constraints(s);
        if (in->rules->rebalance)
            rebalance_once(s);
    }
    s->plan->placed = total;
    s->plan->missing = in->replicas - total;
}

void place_plan_make(const struct place_input *in, struct place_plan *ret)
{
    struct state s = {.in = in, .plan = ret, .ntables = in->rules->daemon ? 0 : in->rules->nspreads};
    _cleanup_free_ bool *candidate = xcalloc(in->nhosts, sizeof(bool));

    *ret = (struct place_plan){
        .wanted = xcalloc(in->nhosts, sizeof(int32_t)),
        .verdicts = xcalloc(in->nhosts, sizeof(struct place_verdict)),
        .nhosts = in->nhosts,
    };
    for (size_t h = 0; h < in->nhosts; h++) {
        place_filter(&in->hosts[h], in->rules, &ret->verdicts[h]);
        candidate[h] =
            ret->verdicts[h].reason == PLACE_FITS || (ret->verdicts[h].keeps && in->hosts[h].current > 0);
    }
    s.tables = xcalloc(s.ntables, sizeof(*s.tables));
    for (size_t i = 0; i < s.ntables; i++)
        spread_table_init(&s.tables[i], &in->rules->spreads[i], in, candidate);

    if (in->rules->daemon)
        plan_daemon(&s);
    else
        plan_spread(&s);
    if (ret->missing > 0)
        ret->summary = summarize(&s);

    for (size_t i = 0; i < s.ntables; i++)
        spread_table_release(&s.tables[i]);
    free(s.tables);
}

void place_plan_release(struct place_plan *p)
{
    for (size_t h = 0; h < p->nhosts; h++)
        free(p->verdicts[h].text);
    free(p->verdicts);
    free(p->wanted);
    free(p->summary);
    *p = (struct place_plan){0};
}
