/*
 * What the dashboard knows: the objects of all clusters, what state their sources are in, and what changed in
 * the last hour, so that everything can be seen as it was (store_look_at()).
 *
 * Fed by tui/live.h (API servers) or tui/record.h (a file); read by panes, on one thread. Objects are
 * immutable: a change puts a new one. Readers keep pointers over turns only with tui_object_ref().
 */
#ifndef WASMCTL_TUI_STORE_H
#define WASMCTL_TUI_STORE_H

#include "base/err.h"
#include "tui/object.h"

struct store;

enum {
    STORE_HISTORY_CHANGES = 200 * 1000, /* at most; older ones are forgotten first */
    STORE_CLUSTERS_MOST = 1000,
};
#define STORE_HISTORY_NS (INT64_C(3600) * 1000000000)

enum store_source_state {
    STORE_CONNECTING, /* nothing has come yet */
    STORE_LISTING,    /* the first of it is here */
    STORE_LIVE,
    STORE_AWAY,      /* tried again; what is shown is of `since` */
    STORE_FORBIDDEN, /* the credentials do not allow it */
    STORE_ABSENT,    /* the cluster does not have this kind */
    STORE_SOURCE_STATES
};
extern const char *const store_source_state_names[STORE_SOURCE_STATES];

struct store_source {
    enum store_source_state state;
    int64_t since_ns;
    char *why; /* NULL unless away, forbidden or absent */
};

/* What has changed, as a set: 1 << kind, and these. */
enum {
    STORE_CHANGED_SOURCES = 1 << TUI_KINDS, /* a source's state */
    STORE_CHANGED_TIME = 2 << TUI_KINDS,    /* what time is looked at: everything */
    STORE_CHANGED_ALL = (4 << TUI_KINDS) - 1,
};

/* changed: after each change, or NULL. */
struct store *store_new(void (*changed)(void *arg, unsigned what), void *arg);
void store_free(struct store *s);
DEFINE_CLEANUP(struct store *, store_free)

/* Clusters, in the order in which they were added. */
unsigned store_add_cluster(struct store *s, const char *name);
size_t store_clusters(const struct store *s);
const char *store_cluster_name(const struct store *s, unsigned cluster);
/* false: there is none of this name. */
bool store_find_cluster(const struct store *s, const char *name, unsigned *ret);

/* Feeding. now_ns: when it happened. */

/* Takes the reference. */
void store_put(struct store *s, struct tui_object *o, int64_t now_ns);
void store_del(struct store *s, unsigned cluster, enum tui_kind kind, const char *key, int64_t now_ns);
/* Everything of the kind comes anew: what was not put between the two is gone. */
void store_relist(struct store *s, unsigned cluster, enum tui_kind kind);
void store_listed(struct store *s, unsigned cluster, enum tui_kind kind, int64_t now_ns);
void store_set_source(struct store *s, unsigned cluster, enum tui_kind kind, enum store_source_state state,
                      const char *why, int64_t now_ns);

/* Reading: as of the time that is looked at. */

struct store_iter {
    unsigned cluster;
    struct map_iter map;
    bool past;
};
/* for (struct store_iter it = {0}; (o = store_next(s, kind, &it));): cluster by cluster. */
const struct tui_object *store_next(const struct store *s, enum tui_kind kind, struct store_iter *it);
/* NULL if it is not there. */
const struct tui_object *store_get(const struct store *s, unsigned cluster, enum tui_kind kind,
                                   const char *key);
const struct store_source *store_source(const struct store *s, unsigned cluster, enum tui_kind kind);
/* The worst of the cluster's sources: what to tell of the cluster as a whole. Never NULL. */
const struct store_source *store_cluster_source(const struct store *s, unsigned cluster);
size_t store_count(const struct store *s, unsigned cluster, enum tui_kind kind);

/* History */

/* 0: now. Times before the first known change are brought to it. */
void store_look_at(struct store *s, int64_t ns);
int64_t store_looks_at(const struct store *s); /* 0 = now */
int64_t store_oldest(const struct store *s);   /* of the changes that are known, 0 if there are none */
int64_t store_newest(const struct store *s);
/* The next change of state before or after a time (health, replicas, presence, a source; Events count, mere
 * counters do not): what `<` and `>` go to. 0 if there is none. */
int64_t store_step(const struct store *s, int64_t ns, bool forward);

struct store_change {
    int64_t ns;
    unsigned cluster;
    enum tui_kind kind;
    const struct tui_object *before, *after; /* NULL: was, is not there. Both NULL: a source's state */
};
/* i counts from the oldest; false past the newest. */
bool store_change(const struct store *s, size_t i, struct store_change *ret);

#endif
