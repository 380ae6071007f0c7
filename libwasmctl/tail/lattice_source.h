/*
 * What happens on a lattice as lines of the tail engine: hosts that start, stop, fall silent or come back,
 * components that are scaled or fail, providers, links, configurations. Taken from the lattice's own bus
 * (lattice/lattice.h).
 *
 * While the bus cannot be reached this is told once, tried again for ever, and keeps no other source waiting;
 * what happened meanwhile is not known, which a line flagged TAIL_GAP says.
 */
#ifndef WASMCTL_TAIL_LATTICE_SOURCE_H
#define WASMCTL_TAIL_LATTICE_SOURCE_H

#include "lattice/lattice.h"
#include "tail/engine.h"

struct tail_lattice;

struct tail_lattice_options {
    struct tail_engine *engine;
    struct loop *loop;
    const char *context, *name;        /* for people: the lines' source is lattice/NAME */
    const struct lat_options *lattice; /* the connection; callbacks and pace are set here */
    /* Whether an event of this host ("" = none) and component, provider, link or configuration ("" = none) is
     * shown; NULL = all. */
    bool (*wants)(void *arg, const char *host, const char *subject);
    void (*note)(void *arg, bool chatter, const char *text); /* see tail/pods.h */
    void *arg;
};

/* What is borrowed by the options is copied, but for engine and loop. ERR_INVALID for addresses and
 * credentials that cannot be used. */
int tail_lattice_new(const struct tail_lattice_options *options, struct tail_lattice **ret, struct err **err);
void tail_lattice_free(struct tail_lattice *t);
DEFINE_CLEANUP(struct tail_lattice *, tail_lattice_free)

/* An event as text: "component ns_web scaled to 3 calls at once on N...: image"; caller frees. host: how
 * people know it. */
char *tail_lattice_text(const struct lat_event *e, const char *host);

#endif
