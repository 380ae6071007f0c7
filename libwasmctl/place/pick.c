#include "place/pick.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum heap { TO_ADD, TO_REMOVE };

struct place_group {
    size_t *heap[2], len[2];
};

void place_pick_init(struct place_pick *p, const struct place_input *in, const struct place_verdict *verdicts,
                     const int32_t *wanted, const struct spread_table *tables, size_t ntables)
{
    *p = (struct place_pick){
        .in = in, .verdicts = verdicts, .wanted = wanted, .tables = tables, .ntables = ntables};
}

void place_pick_release(struct place_pick *p)
{
    free(p->groups);
    free(p->group_of);
    free(p->places);
    free(p->at[TO_ADD]);
    free(p->at[TO_REMOVE]);
    free(p->avoided);
    *p = (struct place_pick){0};
}

double place_pick_excess(const struct place_pick *p, size_t host, int32_t delta, bool hard)
{
    double sum = 0;

    for (size_t i = 0; i < p->ntables; i++)
        if (p->tables[i].rule->hard == hard)
            sum += spread_excess(&p->tables[i], host, delta);
    return sum;
}

static double heights(const struct place_pick *p, size_t host)
{
    double sum = 0;

    for (size_t i = 0; i < p->ntables; i++)
        sum += spread_height(&p->tables[i], host);
    return sum;
}

bool place_pick_can_take(const struct place_pick *p, size_t host)
{
    return p->verdicts[host].reason == PLACE_FITS && !(p->in->single && p->wanted[host] > 0);
}

static bool is_member(const struct place_pick *p, enum heap which, size_t host)
{
    return which == TO_ADD ? place_pick_can_take(p, host) : p->wanted[host] > 0;
}

/* Within a group: < 0 when a is the better host for one more replica. */
static int compare_for_add(const struct place_pick *p, size_t a, size_t b)
{
    if (p->avoided[a] != p->avoided[b])
        return p->avoided[a] ? 1 : -1;
    if (p->wanted[a] != p->wanted[b])
        return p->wanted[a] < p->wanted[b] ? -1 : 1;
    if (p->in->hosts[a].load != p->in->hosts[b].load)
        return p->in->hosts[a].load < p->in->hosts[b].load ? -1 : 1;
    return strcmp(p->in->hosts[a].id, p->in->hosts[b].id);
}

/* Within a group: < 0 when a is the host to take a replica away from first: the fullest, the newest, the last
 * id. */
static int compare_for_removal(const struct place_pick *p, size_t a, size_t b)
{
    if (p->wanted[a] != p->wanted[b])
        return p->wanted[a] > p->wanted[b] ? -1 : 1;
    if (p->in->hosts[a].since_ns != p->in->hosts[b].since_ns)
        return p->in->hosts[a].since_ns > p->in->hosts[b].since_ns ? -1 : 1;
    return -strcmp(p->in->hosts[a].id, p->in->hosts[b].id);
}

static int compare(const struct place_pick *p, enum heap which, size_t a, size_t b)
{
    return which == TO_ADD ? compare_for_add(p, a, b) : compare_for_removal(p, a, b);
}

/* Heaps */

static void put(struct place_pick *p, struct place_group *g, enum heap which, size_t i, size_t host)
{
    g->heap[which][i] = host;
    p->at[which][host] = i;
}

static void sift(struct place_pick *p, struct place_group *g, enum heap which, size_t i)
{
    size_t *heap = g->heap[which], host = heap[i];

    while (i > 0 && compare(p, which, host, heap[(i - 1) / 2]) < 0) {
        put(p, g, which, i, heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (size_t child; (child = 2 * i + 1) < g->len[which]; i = child) {
        if (child + 1 < g->len[which] && compare(p, which, heap[child + 1], heap[child]) < 0)
            child++;
        if (compare(p, which, host, heap[child]) <= 0)
            break;
        put(p, g, which, i, heap[child]);
    }
    put(p, g, which, i, host);
}

static void update(struct place_pick *p, enum heap which, size_t host)
{
    struct place_group *g = &p->groups[p->group_of[host]];
    size_t i = p->at[which][host];
    bool is = is_member(p, which, host), was = i != SIZE_MAX;

    if (is && !was) {
        i = g->len[which]++;
        put(p, g, which, i, host);
    } else if (was && !is) {
        size_t last = g->heap[which][--g->len[which]];
        p->at[which][host] = SIZE_MAX;
        if (last == host)
            return;
        put(p, g, which, i, last);
    }
    if (is || was)
        sift(p, g, which, i);
}

void place_pick_changed(struct place_pick *p, size_t host)
{
    if (!p->groups)
        return;
    update(p, TO_ADD, host);
    update(p, TO_REMOVE, host);
}

/* Groups */

static int compare_domains(const struct place_pick *p, size_t a, size_t b)
{
    for (size_t i = 0; i < p->ntables; i++) {
        int da = p->tables[i].domain_of[a], db = p->tables[i].domain_of[b];
        if (da != db)
            return da < db ? -1 : 1;
    }
    return 0;
}

static int compare_hosts(const void *a, const void *b, void *arg)
{
    return compare_domains(arg, *(const size_t *)a, *(const size_t *)b);
}

static bool is_avoided(const struct place_input *in, const struct place_host *h)
{
    for (size_t i = 0; i < h->ntaints; i++)
        if (streq(h->taints[i].effect, "PreferNoSchedule") &&
            !model_tolerates(in->rules->tolerations, in->rules->ntolerations, &h->taints[i]))
            return true;
    return false;
}

static void build(struct place_pick *p)
{
    size_t n = p->in->nhosts;
    _cleanup_free_ size_t *order = xcalloc(n, sizeof(*order));

    p->group_of = xcalloc(n, sizeof(*p->group_of));
    p->places = xcalloc(2 * n, sizeof(*p->places));
    p->at[TO_ADD] = xcalloc(n, sizeof(size_t));
    p->at[TO_REMOVE] = xcalloc(n, sizeof(size_t));
    p->avoided = xcalloc(n, sizeof(bool));
    p->groups = xcalloc(n + 1, sizeof(*p->groups));
    for (size_t h = 0; h < n; h++) {
        order[h] = h;
        p->at[TO_ADD][h] = p->at[TO_REMOVE][h] = SIZE_MAX;
        p->avoided[h] = is_avoided(p->in, &p->in->hosts[h]);
    }
    if (p->ntables)
        qsort_r(order, n, sizeof(*order), compare_hosts, p);
    for (size_t i = 0; i < n; i++) {
        if (!i || compare_domains(p, order[i - 1], order[i])) {
            struct place_group *g = &p->groups[p->ngroups++];
            g->heap[TO_ADD] = p->places + i;
            g->heap[TO_REMOVE] = p->places + n + i;
        }
        p->group_of[order[i]] = p->ngroups - 1;
        place_pick_changed(p, order[i]);
    }
}

bool place_pick_add(struct place_pick *p, size_t *ret)
{
    bool found = false;
    double soft = 0, high = 0;

    if (!p->groups)
        build(p);
    for (size_t i = 0; i < p->ngroups; i++) {
        const struct place_group *g = &p->groups[i];
        if (!g->len[TO_ADD])
            continue;
        size_t h = g->heap[TO_ADD][0];
        if (place_pick_excess(p, h, 1, true) > 0)
            continue;
        double s = place_pick_excess(p, h, 1, false), t = heights(p, h);
        bool better =
            !found || s < soft || (s == soft && (t < high || (t == high && compare_for_add(p, h, *ret) < 0)));
        if (!better)
            continue;
        found = true;
        soft = s;
        high = t;
        *ret = h;
    }
    return found;
}

/* Where a constraint is exceeded first, then in the fullest domain. */
bool place_pick_removal(struct place_pick *p, size_t *ret)
{
    bool found = false;
    double over = 0, high = 0;

    if (!p->groups)
        build(p);
    for (size_t i = 0; i < p->ngroups; i++) {
        const struct place_group *g = &p->groups[i];
        if (!g->len[TO_REMOVE])
            continue;
        size_t h = g->heap[TO_REMOVE][0];
        double o = place_pick_excess(p, h, 0, true), t = heights(p, h);
        bool better = !found || o > over ||
                      (o == over && (t > high || (t == high && compare_for_removal(p, h, *ret) < 0)));
        if (!better)
            continue;
        found = true;
        over = o;
        high = t;
        *ret = h;
    }
    return found;
}

double place_pick_total_excess(struct place_pick *p, bool hard)
{
    double sum = 0;

    if (!p->groups)
        build(p);
    for (size_t i = 0; i < p->ngroups; i++) {
        const struct place_group *g = &p->groups[i];
        if (g->len[TO_REMOVE])
            sum += (double)g->len[TO_REMOVE] * place_pick_excess(p, g->heap[TO_REMOVE][0], 0, hard);
    }
    return sum;
}
