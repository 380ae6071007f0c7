/* The lattices the operator is connected to: one for each Lattice object. */
#ifndef WASMCTL_OPERATOR_LATTICES_H
#define WASMCTL_OPERATOR_LATTICES_H

#include "operator/op.h"

/* What the operator knows of a host beyond the lattice's own table. */
struct op_host {
    char *id;
    size_t slot;        /* in the table of its lattice (table.h), SIZE_MAX = not there */
    struct map *labels; /* reported and by rule, made legal; char * values */
    struct map *units;  /* component and provider ids of the last look -> hash, to tell what changed */
    enum lat_host_state state;
    bool has_inventory;
    uint64_t labels_hash;
    int64_t dead_since_ms; /* 0 = alive */
    int64_t created_ms;    /* its LatticeHost was written last; loop clock, 0 = never */
    uint32_t load;         /* components there */
    uint32_t starting;     /* and those being started: many starts at once must not all pick one host */
    enum lat_hearing hearing;
    bool restarting; /* heal.c empties it and restarts it */
};

/* The one host of a lattice that is being healed, see heal.h. */
struct op_heal {
    char *host; /* NULL: none */
    enum { HEAL_DRAIN, HEAL_STOP, HEAL_RETURN, HEAL_FILL } phase;
    int64_t since_ms, progress_ms; /* of the phase; of the last change in it */
    size_t left;                   /* what still runs on it */
    size_t alive, incomplete;      /* hosts and units when it began */
    bool told;                     /* that it does not come back */
    struct lat_op *op;
};

struct op_secret_wait {
    struct op_lattice *lattice;
    bool tls;
};

struct op_lattice {
    struct op *op;
    char *name;
    struct lattice *lat; /* NULL while it cannot be opened */
    char *problem;       /* why it is NULL */
    int64_t retry_ms;    /* loop clock: it is not tried again before */
    uint64_t connection_hash;
    int64_t labelled_generation; /* of the Lattice object whose rules the labels follow */
    bool connected;
    bool ever_connected;
    int64_t opened_ms; /* loop clock */
    char *disconnected_why;
    bool refused; /* the server does not accept the credentials */
    /* Reasons of the last Events about the connection and the store; literals, NULL if none. */
    const char *told, *told_store;
    struct map *hosts; /* host id -> struct op_host * */

    /* See table.h. */
    struct view_host *table;
    size_t table_len;
    bool table_valid;
    struct map *where;            /* unit id -> struct map *: host id -> struct op_host * */
    struct loop_timer *all_units; /* runs while all units of the lattice are to be looked at soon */

    /* Links as the lattice has them; refreshed on sync, on link events and now and then. */
    struct lat_link *links;
    size_t nlinks;
    bool links_known, links_stale;
    struct lat_op *links_op;
    struct loop_timer *links_timer;

    struct map *own_links; /* slot -> what our own operations made of it, see links_correct() */
    struct op_heal heal;
    int64_t synced_ms, configs_swept_ms; /* loop clock; 0 = not yet */
    struct map *configs;                 /* names known to be in the lattice */
    struct map *logins;     /* registry -> char *: hash of the credentials all present hosts were told */
    struct map *operations; /* "config/<name>", "link/<source>/..." -> struct lattice_task *: under way */
    struct kube_req *secret_requests[2]; /* credentials, TLS */
    struct op_secret_wait secret_waits[2];
    char *credentials, *tls_ca, *tls_cert, *tls_key;
    bool secrets_changed; /* since it was opened with them */
};

enum { OP_SWEEP_FIRST_MS = 10 * 1000 }; /* configurations are swept so long after the first picture */

struct op_lattice *op_lattice_get(const struct op *op, const char *name);
/* Creates or re-creates the connection as the object says, or reports in *ret_wait that a secret is on its
 * way. */
struct op_lattice *op_lattice_open(struct op *op, const struct model_lattice *object);
void op_lattice_close(struct op *op, const char *name);
void op_lattice_free(void *l);
/* The first connection is being made just now: too early to call the lattice disconnected. */
bool op_lattice_connecting(const struct op_lattice *l);
/* Milliseconds until op_lattice_open() has something to do again; 0: nothing is planned. */
int64_t op_lattice_due(const struct op_lattice *l);
/* Connected and every host judged. */
bool op_lattice_usable(const struct op_lattice *l);
const struct op_host *op_lattice_host(const struct op_lattice *l, const char *host_id);
/* The host has left the lattice's table for good. */
void op_lattice_drop_host(struct op_lattice *l, const char *host_id);
/* A start on the host begins (1) or has ended (-1). */
void op_lattice_starting(struct op_lattice *l, const char *host_id, int delta);
/* Recomputes labels of all hosts after the rules changed. */
void op_lattice_relabel(struct op_lattice *l, const struct model_lattice *object);
void op_lattice_refresh_links(struct op_lattice *l);

#endif
