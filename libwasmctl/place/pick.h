/* For place/ itself: the best host to give a replica to or to take one from, found without looking at all
 * hosts each time. */
#ifndef WASMCTL_PLACE_PICK_H
#define WASMCTL_PLACE_PICK_H

#include "place/spread.h"

/* Hosts that lie in the same domain of every constraint differ only in what is their own. They form a group,
 * and two heaps keep the best of it on top: to add to, and to remove from. What tells groups apart changes
 * with every replica and is compared between their best hosts only. */
struct place_group;

struct place_pick {
    const struct place_input *in;
    const struct place_verdict *verdicts;
    const int32_t *wanted;
    const struct spread_table *tables;
    size_t ntables;

    struct place_group *groups; /* NULL until something is asked */
    size_t ngroups;
    size_t *group_of; /* per host */
    size_t *places;   /* the heaps of all groups */
    size_t *at[2];    /* per host: where it is in its group's heap, SIZE_MAX = nowhere */
    bool *avoided;    /* per host: has a PreferNoSchedule taint that is not tolerated */
};

/* What is pointed to must outlive it. */
void place_pick_init(struct place_pick *p, const struct place_input *in, const struct place_verdict *verdicts,
                     const int32_t *wanted, const struct spread_table *tables, size_t ntables);
void place_pick_release(struct place_pick *p);
/* wanted[host] has changed. */
void place_pick_changed(struct place_pick *p, size_t host);

/* Whether it may take one more by its own rules. */
bool place_pick_can_take(const struct place_pick *p, size_t host);
/* False when no host may take one, or holds one. */
bool place_pick_add(struct place_pick *p, size_t *ret);
bool place_pick_removal(struct place_pick *p, size_t *ret);
/* By how much the constraints of this kind are exceeded when the host holds `delta` more. */
double place_pick_excess(const struct place_pick *p, size_t host, int32_t delta, bool hard);
/* Summed over all hosts that hold replicas. */
double place_pick_total_excess(struct place_pick *p, bool hard);

#endif
