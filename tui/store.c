#include "tui/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

const char *const store_source_state_names[STORE_SOURCE_STATES] = {"connecting", "listing",   "live",
                                                                   "away",       "forbidden", "absent"};

struct slot {
    struct tui_object *object;
    unsigned epoch; /* of the list that saw it last */
};

struct kind_of_cluster {
    struct map *slots; /* key -> struct slot */
    struct map
        *past; /* key -> struct tui_object or &nothing: what was other than now; NULL = looking at now */
    unsigned epoch;
    struct store_source source, then; /* now, and at the time looked at */
};

struct cluster {
    char *name;
    struct kind_of_cluster kinds[TUI_KINDS];
};

struct change {
    int64_t ns;
    unsigned cluster;
    enum tui_kind kind;
    struct tui_object *before, *after;
    struct store_source *source_before, *source_after; /* of a source's change, else NULL */
};

struct store {
    VEC(struct cluster *) clusters;
    struct change *ring;
    size_t first, len, cap;
    int64_t look_ns;
    int64_t newest_ns;
    void (*changed)(void *arg, unsigned what);
    void *arg;
};

static struct tui_object nothing; /* stands for "was not there" in maps, which hold no NULL */

static void free_slot(void *p)
{
    struct slot *slot = p;

    tui_object_unref(slot->object);
    free(slot);
}

static void free_past(void *p)
{
    if (p != &nothing)
        tui_object_unref(p);
}

struct store *store_new(void (*changed)(void *arg, unsigned what), void *arg)
{
    struct store *s = xcalloc(1, sizeof(*s));

    s->changed = changed;
    s->arg = arg;
    return s;
}

static void free_source(struct store_source *source)
{
    if (!source)
        return;
    free(source->why);
    free(source);
}

static void release_change(struct change *c)
{
    tui_object_unref(c->before);
    tui_object_unref(c->after);
    free_source(c->source_before);
    free_source(c->source_after);
}

void store_free(struct store *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->clusters.len; i++) {
        struct cluster *c = s->clusters.items[i];
        for (int k = 0; k < TUI_KINDS; k++) {
            map_free(c->kinds[k].slots);
            map_free(c->kinds[k].past);
            free(c->kinds[k].source.why);
            free(c->kinds[k].then.why);
        }
        free(c->name);
        free(c);
    }
    free(s->clusters.items);
    for (size_t i = 0; i < s->len; i++)
        release_change(&s->ring[(s->first + i) % s->cap]);
    free(s->ring);
    free(s);
}

static void tell(struct store *s, unsigned what)
{
    if (s->changed)
        s->changed(s->arg, what);
}

/* Clusters */

unsigned store_add_cluster(struct store *s, const char *name)
{
    struct cluster *c = xcalloc(1, sizeof(*c));

    c->name = xstrdup(name);
    for (int k = 0; k < TUI_KINDS; k++)
        c->kinds[k].slots = map_new(free_slot);
    vec_push(&s->clusters, c);
    tell(s, STORE_CHANGED_SOURCES);
    return (unsigned)s->clusters.len - 1;
}

size_t store_clusters(const struct store *s)
{
    return s->clusters.len;
}

const char *store_cluster_name(const struct store *s, unsigned cluster)
{
    return s->clusters.items[cluster]->name;
}

bool store_find_cluster(const struct store *s, const char *name, unsigned *ret)
{
    for (size_t i = 0; i < s->clusters.len; i++)
        if (streq(s->clusters.items[i]->name, name)) {
            *ret = (unsigned)i;
            return true;
        }
    return false;
}

static struct kind_of_cluster *kind_of(const struct store *s, unsigned cluster, enum tui_kind kind)
{
    return &s->clusters.items[cluster]->kinds[kind];
}

/* History */

static struct change *change_at(const struct store *s, size_t i)
{
    return &s->ring[(s->first + i) % s->cap];
}

static void drop_oldest(struct store *s)
{
    release_change(change_at(s, 0));
    s->first = (s->first + 1) % s->cap;
    s->len--;
}

static void grow_ring(struct store *s)
{
    size_t cap = s->cap ? s->cap * 2 : 256;
    struct change *ring = xcalloc(cap, sizeof(*ring));

    for (size_t i = 0; i < s->len; i++)
        ring[i] = *change_at(s, i);
    free(s->ring);
    s->ring = ring;
    s->cap = cap;
    s->first = 0;
}

/* What is looked at does not move when something changes now: the past of what changes is kept there. */
static void keep_past(struct store *s, const struct change *c, const char *key)
{
    struct kind_of_cluster *k = kind_of(s, c->cluster, c->kind);

    if (s->look_ns && k->past && !map_has(k->past, key))
        map_set(k->past, key, c->before ? tui_object_ref(c->before) : &nothing);
}

static void remember(struct store *s, struct change c)
{
    while (s->len && (s->len >= STORE_HISTORY_CHANGES || change_at(s, 0)->ns < c.ns - STORE_HISTORY_NS))
        drop_oldest(s);
    if (s->len == s->cap)
        grow_ring(s);
    s->ring[(s->first + s->len++) % s->cap] = c;
}

static void remember_object(struct store *s, struct tui_object *before, struct tui_object *after,
                            int64_t now_ns)
{
    const struct tui_object *any = after ? after : before;
    struct change c = {now_ns, any->cluster, any->kind, tui_object_ref(before), tui_object_ref(after),
                       NULL,   NULL};

    keep_past(s, &c, any->key);
    remember(s, c);
}

static struct store_source *copy_source(const struct store_source *source)
{
    struct store_source *copy = xmemdup(source, sizeof(*source));

    copy->why = xstrdup_null(source->why);
    return copy;
}

/* Feeding */

void store_put(struct store *s, struct tui_object *o, int64_t now_ns)
{
    struct kind_of_cluster *k = kind_of(s, o->cluster, o->kind);
    struct slot *slot = map_get(k->slots, o->key);

    if (now_ns > s->newest_ns)
        s->newest_ns = now_ns;
    if (slot && o->version && slot->object->version == o->version) {
        slot->epoch = k->epoch;
        tui_object_unref(o);
        return;
    }
    /* The first list of a source is how it was before anybody looked: no change. */
    if (k->source.state != STORE_CONNECTING && k->source.state != STORE_LISTING)
        remember_object(s, slot ? slot->object : NULL, o, now_ns);
    if (!slot) {
        slot = xcalloc(1, sizeof(*slot));
        map_set(k->slots, o->key, slot);
    }
    tui_object_unref(slot->object);
    slot->object = o;
    slot->epoch = k->epoch;
    tell(s, 1u << o->kind);
}

void store_del(struct store *s, unsigned cluster, enum tui_kind kind, const char *key, int64_t now_ns)
{
    struct kind_of_cluster *k = kind_of(s, cluster, kind);
    struct slot *slot = map_get(k->slots, key);

    if (!slot)
        return;
    if (now_ns > s->newest_ns)
        s->newest_ns = now_ns;
    remember_object(s, slot->object, NULL, now_ns);
    map_del(k->slots, key);
    tell(s, 1u << kind);
}

void store_relist(struct store *s, unsigned cluster, enum tui_kind kind)
{
    kind_of(s, cluster, kind)->epoch++;
}

void store_listed(struct store *s, unsigned cluster, enum tui_kind kind, int64_t now_ns)
{
    struct kind_of_cluster *k = kind_of(s, cluster, kind);

    for (struct map_iter it = {0}; map_next(k->slots, &it);) {
        const struct slot *slot = it.value;
        if (slot->epoch == k->epoch)
            continue;
        remember_object(s, slot->object, NULL, now_ns);
        map_del(k->slots, it.key);
        tell(s, 1u << kind);
    }
}

static void set_source(struct store_source *to, const struct store_source *from)
{
    char *why = xstrdup_null(from->why);

    free(to->why);
    *to = *from;
    to->why = why;
}

void store_set_source(struct store *s, unsigned cluster, enum tui_kind kind, enum store_source_state state,
                      const char *why, int64_t now_ns)
{
    struct kind_of_cluster *k = kind_of(s, cluster, kind);
    struct store_source now = {state, now_ns, xstrdup_null(why)};

    if (now_ns > s->newest_ns)
        s->newest_ns = now_ns;
    if (state == k->source.state && streq_null(why, k->source.why)) {
        free(now.why);
        return;
    }
    if (state == k->source.state)
        now.since_ns = k->source.since_ns;
    if (k->source.state != STORE_CONNECTING || state > STORE_LIVE)
        remember(s, (struct change){now_ns, cluster, kind, NULL, NULL, copy_source(&k->source),
                                    copy_source(&now)});
    set_source(&k->source, &now);
    free(now.why);
    tell(s, STORE_CHANGED_SOURCES);
}

/* Reading */

const struct tui_object *store_get(const struct store *s, unsigned cluster, enum tui_kind kind,
                                   const char *key)
{
    const struct kind_of_cluster *k = kind_of(s, cluster, kind);
    struct tui_object *then = k->past ? map_get(k->past, key) : NULL;

    if (then)
        return then == &nothing ? NULL : then;
    const struct slot *slot = map_get(k->slots, key);
    return slot ? slot->object : NULL;
}

const struct tui_object *store_next(const struct store *s, enum tui_kind kind, struct store_iter *it)
{
    for (; it->cluster < s->clusters.len; it->cluster++, it->past = false, it->map = (struct map_iter){0}) {
        const struct kind_of_cluster *k = kind_of(s, it->cluster, kind);
        while (!it->past && map_next(k->slots, &it->map)) {
            const struct tui_object *then = k->past ? map_get(k->past, it->map.key) : NULL;
            if (then == &nothing)
                continue;
            return then ? then : ((const struct slot *)it->map.value)->object;
        }
        if (!it->past) {
            it->past = true;
            it->map = (struct map_iter){0};
        }
        /* What is there no more. */
        while (k->past && map_next(k->past, &it->map))
            if (it->map.value != &nothing && !map_has(k->slots, it->map.key))
                return it->map.value;
    }
    return NULL;
}

const struct store_source *store_source(const struct store *s, unsigned cluster, enum tui_kind kind)
{
    const struct kind_of_cluster *k = kind_of(s, cluster, kind);

    return s->look_ns ? &k->then : &k->source;
}

const struct store_source *store_cluster_source(const struct store *s, unsigned cluster)
{
    /* What concerns all of a cluster shows in all of its sources; absent kinds do not make it worse. */
    static const int rank[STORE_SOURCE_STATES] = {
        [STORE_LIVE] = 1,      [STORE_LISTING] = 2, [STORE_CONNECTING] = 3,
        [STORE_FORBIDDEN] = 4, [STORE_AWAY] = 5,    [STORE_ABSENT] = 0};
    const struct store_source *worst = store_source(s, cluster, 0);

    for (int k = 1; k < TUI_KINDS; k++) {
        const struct store_source *source = store_source(s, cluster, (enum tui_kind)k);
        if (rank[source->state] > rank[worst->state])
            worst = source;
    }
    return worst;
}

size_t store_count(const struct store *s, unsigned cluster, enum tui_kind kind)
{
    const struct kind_of_cluster *k = kind_of(s, cluster, kind);
    size_t n = map_len(k->slots);

    for (struct map_iter it = {0}; k->past && map_next(k->past, &it);) {
        bool is = map_has(k->slots, it.key), was = it.value != &nothing;
        n += (size_t)(was && !is);
        n -= (size_t)(is && !was);
    }
    return n;
}

/* Looking back */

static void forget_past(struct store *s)
{
    for (size_t i = 0; i < s->clusters.len; i++)
        for (int k = 0; k < TUI_KINDS; k++) {
            struct kind_of_cluster *of = &s->clusters.items[i]->kinds[k];
            map_free(of->past);
            of->past = NULL;
        }
}

static void undo(struct store *s, const struct change *c)
{
    struct kind_of_cluster *k = kind_of(s, c->cluster, c->kind);

    if (c->source_before)
        set_source(&k->then, c->source_before);
    else
        map_set(k->past, c->after ? c->after->key : c->before->key,
                c->before ? tui_object_ref(c->before) : &nothing);
}

void store_look_at(struct store *s, int64_t ns)
{
    forget_past(s);
    if (ns && s->len && ns < change_at(s, 0)->ns)
        ns = change_at(s, 0)->ns - 1;
    s->look_ns = ns;
    if (ns) {
        for (size_t i = 0; i < s->clusters.len; i++)
            for (int k = 0; k < TUI_KINDS; k++) {
                struct kind_of_cluster *of = &s->clusters.items[i]->kinds[k];
                of->past = map_new(free_past);
                set_source(&of->then, &of->source);
            }
        for (size_t i = s->len; i && change_at(s, i - 1)->ns > ns; i--)
            undo(s, change_at(s, i - 1));
    }
    tell(s, STORE_CHANGED_ALL);
}

int64_t store_looks_at(const struct store *s)
{
    return s->look_ns;
}

int64_t store_oldest(const struct store *s)
{
    return s->len ? change_at(s, 0)->ns : 0;
}

int64_t store_newest(const struct store *s)
{
    return s->newest_ns;
}

static bool is_step(const struct change *c)
{
    const struct tui_object *a = c->before, *b = c->after;

    if (!a || !b)
        return true;
    if (a->health != b->health || !streq(a->reason, b->reason) || a->deleting != b->deleting)
        return true;
    if (c->kind == TUI_ACTOR || c->kind == TUI_PROVIDER)
        return a->workload.ready != b->workload.ready || a->workload.desired != b->workload.desired ||
               !streq(a->workload.image, b->workload.image);
    if (c->kind == TUI_HOST)
        return a->host.cordoned != b->host.cordoned;
    return c->kind == TUI_EVENT;
}

int64_t store_step(const struct store *s, int64_t ns, bool forward)
{
    if (forward) {
        for (size_t i = 0; i < s->len; i++)
            if (change_at(s, i)->ns > ns && is_step(change_at(s, i)))
                return change_at(s, i)->ns;
        return 0;
    }
    for (size_t i = s->len; i; i--)
        if (change_at(s, i - 1)->ns < ns && is_step(change_at(s, i - 1)))
            return change_at(s, i - 1)->ns;
    return 0;
}

bool store_change(const struct store *s, size_t i, struct store_change *ret)
{
    if (i >= s->len)
        return false;
    const struct change *c = change_at(s, i);
    *ret = (struct store_change){c->ns, c->cluster, c->kind, c->before, c->after};
    return true;
}
