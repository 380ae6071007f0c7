#include "place/spread.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static double weight_of(const struct model_spread *rule, const char *value)
{
    int64_t n = 1;

    if (!rule->weights)
        return 1;
    const char *text = map_get(rule->weights, value);
    if (!text || !str_to_i64(text, 0, 1000000, &n))
        return 0;
    return (double)n;
}

void spread_table_init(struct spread_table *t, const struct model_spread *rule, const struct place_input *in,
                       const bool *candidate)
{
    VEC(struct spread_domain) domains = {0};
    struct map *index = map_new(NULL);

    *t = (struct spread_table){.rule = rule, .stale = true, .domain_of = xcalloc(in->nhosts, sizeof(int))};
    for (size_t h = 0; h < in->nhosts; h++) {
        const char *value = map_get(in->hosts[h].labels, rule->topology_key);
        t->domain_of[h] = -1;
        if (!value)
            continue;
        size_t at = (size_t)(uintptr_t)map_get(index, value);
        if (!at) {
            struct spread_domain d = {.value = value};
            vec_push(&domains, d);
            at = domains.len;
            map_set(index, value, (void *)(uintptr_t)at);
        }
        t->domain_of[h] = (int)(at - 1);
        if (candidate[h])
            domains.items[at - 1].open = true;
    }
    map_free(index);
    t->domains = domains.items;
    t->ndomains = domains.len;

    double sum = 0;
    for (size_t d = 0; d < t->ndomains; d++)
        if (t->domains[d].open)
            sum += weight_of(rule, t->domains[d].value);
    for (size_t d = 0; d < t->ndomains; d++)
        t->domains[d].target = sum > 0 ? weight_of(rule, t->domains[d].value) * in->replicas / sum : 0;
}

void spread_table_release(struct spread_table *t)
{
    free(t->domains);
    free(t->domain_of);
    *t = (struct spread_table){0};
}

void spread_add(struct spread_table *t, size_t host, int32_t n)
{
    if (t->domain_of[host] >= 0)
        t->domains[t->domain_of[host]].count += n;
    t->stale = true;
}

static double level(const struct spread_table *t, const struct spread_domain *d)
{
    return d->count - (t->rule->weights ? d->target : 0);
}

/* Kept until a count changes: each replica that is placed asks for it once for each group of hosts. */
static void find_lowest(struct spread_table *t)
{
    t->stale = false;
    t->lowest = -1;
    t->lowest_level = t->second_level = INFINITY;
    for (size_t i = 0; i < t->ndomains; i++) {
        double here = level(t, &t->domains[i]);
        if (!t->domains[i].open)
            continue;
        if (here < t->lowest_level) {
            t->second_level = t->lowest_level;
            t->lowest_level = here;
            t->lowest = (int)i;
        } else if (here < t->second_level) {
            t->second_level = here;
        }
    }
}

static double height(const struct spread_table *t, int domain, int32_t delta)
{
    double own = level(t, &t->domains[domain]) + delta;

    if (t->stale)
        find_lowest((struct spread_table *)(uintptr_t)t);
    double others = domain == t->lowest ? t->second_level : t->lowest_level;
    return own - (others < own ? others : own);
}

static double excess(const struct spread_table *t, int domain, int32_t delta)
{
    double above = height(t, domain, delta) - t->rule->max_skew;

    return above > 1e-9 ? above : 0;
}

double spread_excess(const struct spread_table *t, size_t host, int32_t delta)
{
    return t->domain_of[host] < 0 ? 0 : excess(t, t->domain_of[host], delta);
}

bool spread_is_broken(const struct spread_table *t)
{
    for (size_t i = 0; i < t->ndomains; i++)
        if (t->domains[i].count > 0 && excess(t, (int)i, 0) > 0)
            return true;
    return false;
}

double spread_height(const struct spread_table *t, size_t host)
{
    return t->domain_of[host] < 0 ? 1e9 : height(t, t->domain_of[host], 0);
}
