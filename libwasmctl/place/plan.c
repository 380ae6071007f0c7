#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "place/place.h"
#include "place/pick.h"

struct state {
    const struct place_input *in;
    struct place_plan *plan;
    struct spread_table *tables;
    size_t ntables;
    struct place_pick pick;
};

static void give(struct state *s, size_t host, int32_t n)
{
    s->plan->wanted[host] += n;
    for (size_t i = 0; i < s->ntables; i++)
        spread_add(&s->tables[i], host, n);
    place_pick_changed(&s->pick, host);
}

/* Moves one replica at a time from where a hard constraint is exceeded, as long as each move makes it better.
 */
static void mend_constraints(struct state *s)
{
    bool broken = false;

    for (size_t i = 0; i < s->ntables; i++)
        broken = broken || (s->tables[i].rule->hard && spread_is_broken(&s->tables[i]));
    if (!broken)
        return;
    for (int32_t moves = 0; moves < s->in->replicas; moves++) {
        double before = place_pick_total_excess(&s->pick, true);
        size_t from = 0, to = 0;
        if (before <= 0 || !place_pick_removal(&s->pick, &from) ||
            place_pick_excess(&s->pick, from, 0, true) <= 0)
            return;
        give(s, from, -1);
        if (place_pick_add(&s->pick, &to) && to != from) {
            give(s, to, 1);
            if (place_pick_total_excess(&s->pick, true) < before)
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

    if (!place_pick_removal(&s->pick, &from))
        return;
    give(s, from, -1);
    if (place_pick_add(&s->pick, &to) && to != from && s->plan->wanted[to] < s->plan->wanted[from])
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
        if (reason == PLACE_FITS && !place_pick_can_take(&s->pick, h)) {
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
    for (; total > in->replicas && place_pick_removal(&s->pick, &host); total--)
        give(s, host, -1);
    for (; total < in->replicas && place_pick_add(&s->pick, &host); total++)
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
        place_judge(&in->hosts[h], in->rules, &ret->verdicts[h]);
        candidate[h] =
            ret->verdicts[h].reason == PLACE_FITS || (ret->verdicts[h].keeps && in->hosts[h].current > 0);
    }
    s.tables = xcalloc(s.ntables, sizeof(*s.tables));
    for (size_t i = 0; i < s.ntables; i++)
        spread_table_init(&s.tables[i], &in->rules->spreads[i], in, candidate);

    place_pick_init(&s.pick, in, ret->verdicts, ret->wanted, s.tables, s.ntables);
    if (in->rules->daemon)
        plan_daemon(&s);
    else
        plan_spread(&s);
    if (ret->missing > 0) {
        for (size_t h = 0; h < in->nhosts; h++)
            place_filter(&in->hosts[h], in->rules, &ret->verdicts[h]);
        ret->summary = summarize(&s);
    }
    place_pick_release(&s.pick);

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
