/*
 * What a reconciler of a unit looks at: everything the decision depends on, read from the caches at one
 * moment. The plan is a pure function of it.
 */
#ifndef WASMCTL_OPERATOR_VIEW_H
#define WASMCTL_OPERATOR_VIEW_H

#include "operator/registry.h"
#include "operator/unit.h"

enum view_lattice {
    VIEW_LATTICE_OK,
    VIEW_LATTICE_MISSING,      /* no such Lattice object */
    VIEW_LATTICE_DISCONNECTED, /* nothing is judged */
    VIEW_LATTICE_SYNCING,      /* the picture is not complete yet */
    VIEW_LATTICE_HELD,         /* its store does not answer: everything is known, nothing may be changed */
};

struct view_host {
    const char *id;
    const char *object; /* name of the LatticeHost */
    const struct map *labels;
    const struct model_taint *taints;
    size_t ntaints;
    bool cordoned;
    bool deaf;       /* no longer sees links and configuration */
    bool restarting; /* is emptied, to be restarted */
    enum lat_host_state state;
    uint32_t load;

    bool running;      /* the unit's id runs there ... */
    bool ours;         /* ... with our owner annotation */
    const char *owner; /* whose it is otherwise, NULL if it has no owner annotation */
    bool healthy;
    const char *image, *revision, *config; /* config: name of its configuration, NULL if none */
    const char *restarted;                 /* spec.restartedAt it was started for, NULL if none */
    uint32_t count;

    const struct unit_host *memory; /* NULL if nothing is remembered */
};

/* One named configuration the unit needs on the lattice. */
struct view_config {
    char *name;
    struct map *values;
    bool known; /* is there already */
};
struct view_link {
    struct lat_link link;
    const struct lat_link *present; /* the lattice's link in the same slot, NULL if none */
    bool foreign;                   /* ... and it is not ours */
};

struct view {
    const struct model_workload *w;
    char *owner;            /* annotation value */
    char *owner_prefix;     /* of its configurations */
    char *revision;         /* of the spec; while held back, of what runs */
    char *held_back;        /* spec.paused: the revision of the spec, which runs nowhere yet; else NULL */
    char *own_config;       /* the unit's own configuration as hosts are given it; NULL if it has none */
    char *history_revision; /* of what undo would put back: capabilities and concurrency too */
    char *image;            /* of the spec, as the lattice's mirrors have it */
    enum view_lattice lattice;
    const char *lattice_why; /* "" or the reason */
    bool store_asking;       /* HELD for a moment only: the store is being asked */
    struct op_lattice *l;    /* NULL unless OK or HELD; for exec only */

    struct view_host *hosts; /* alive, in order of discovery */
    size_t nhosts;

    struct view_config *configs; /* [0] is the unit's own */
    size_t nconfigs;
    char *config_problem, *config_reason; /* a source is missing or pending: nothing new is started */

    struct registry_login login; /* for pulling the image; registry NULL if none is needed */
    bool login_known;            /* the hosts were told already */

    struct view_link *links;
    size_t nlinks;
    const struct lat_link **unwanted; /* ours on the lattice, but not in the spec */
    size_t nunwanted;
    bool links_known;
    bool hearing_fresh;     /* whether hosts hear was looked at just now */
    const char *links_held; /* LatticeHost that would lose the link if it were replaced now, NULL if none */
    char *link_problem, *link_reason;
    char *clash;     /* its address is taken: by whom, and what to do */
    char *waits_for; /* the other end of a capability runs nowhere yet: "provider default/http-server" */

    int64_t now_ms, now_ns;
};

void view_make(struct op *op, const struct model_workload *w, struct op_unit *u, struct view *ret);
void view_release(struct view *v);

#endif
