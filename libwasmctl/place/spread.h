/* For place/ itself: how the replicas lie over the domains of the spread constraints. */
#ifndef WASMCTL_PLACE_SPREAD_H
#define WASMCTL_PLACE_SPREAD_H

#include "place/place.h"

struct spread_domain {
    const char *value;
    double target; /* share of all replicas; equal without weights */
    int32_t count;
    bool open; /* some host in it can take or keep work: counts for the minimum */
};
struct spread_table {
    const struct model_spread *rule;
    struct spread_domain *domains;
    size_t ndomains;
    int *domain_of; /* per host, -1 = the label is missing */

    /* Of the open domains, while not stale: the lowest, its level, and the lowest level of the others. */
    bool stale;
    int lowest;
    double lowest_level, second_level;
};

/* candidate: per host, whether it can hold replicas of the workload at all. */
void spread_table_init(struct spread_table *t, const struct model_spread *rule, const struct place_input *in,
                       const bool *candidate);
void spread_table_release(struct spread_table *t);
void spread_add(struct spread_table *t, size_t host, int32_t n);
/* By how much the constraint is exceeded over maxSkew when `host` holds `delta` more; 0 = it holds. */
double spread_excess(const struct spread_table *t, size_t host, int32_t delta);
/* Whether some domain exceeds it. */
bool spread_is_broken(const struct spread_table *t);
/* How far above the emptiest open domain the host's domain is (for choosing among hosts that are all
 * allowed). */
double spread_height(const struct spread_table *t, size_t host);

#endif
