/*
 * What the operator would do, told from objects: LatticeHosts stand for what it sees of the lattice itself.
 * Pure functions, as the rest of place/.
 *
 * The end is foretold, not the way there: during a rollout the operator also places replicas in excess, and
 * starts wait for configuration, links and for other work on the host.
 */
#ifndef WASMCTL_PLACE_FORECAST_H
#define WASMCTL_PLACE_FORECAST_H

#include "model/host_report.h"
#include "place/place.h"

/* A LatticeHost, as far as it matters here. */
struct place_object {
    const struct model_host *host;
    const struct model_host_report *report;
    uint32_t more_load; /* actors that were given to it in this forecast, and do not run yet */
    bool gone;          /* is to be thought of as dead */
    int32_t given;      /* >= 0: replicas it has in this forecast, instead of those that run; else -1 */
};

/* What everything that is started for it is annotated with (MODEL_OWNER): "<uid of the cluster>/<key>",
 * providers "<uid>/<namespace>/provider/<name>"; caller frees. */
char *place_owner(const char *cluster_uid, enum model_kind kind, const char *key);

/* The hosts of w's lattice that are alive, as place_plan_make() wants them. ret_hosts, ret_object (index into
 * objects): room for n. cluster_uid NULL: it is not known, and whatever has the right name is ours. What is
 * returned points into objects. Returns the number of hosts. */
size_t place_hosts_from(const struct model_workload *w, const char *cluster_uid,
                        const struct place_object *objects, size_t n, int64_t now_ns,
                        struct place_host *ret_hosts, size_t *ret_object);

/* Why */

struct place_domain {
    const char *value; /* borrowed from the labels */
    int32_t replicas;
    double share; /* what it should have, with weights; -1 without */
    bool open;    /* some host in it can take or keep replicas */
};
struct place_key {
    const struct model_spread *rule;
    struct place_domain *domains; /* in order of value */
    size_t ndomains;
    double skew; /* of the plan: over the emptiest open value (with weights: over its share) */
};
struct place_explained {
    char **why; /* per host of the input: one clause */
    size_t nhosts;
    struct place_key *keys; /* per spread constraint; none in Daemon mode */
    size_t nkeys;
};
void place_explain(const struct place_input *in, const struct place_plan *plan, struct place_explained *ret);
void place_explained_release(struct place_explained *e);
/* "Selector": a reason as one word for programs. */
const char *place_reason_name(enum place_reason r);

#endif
