/* Clusters, and the lattices in them: is it live, how many hosts, how far is the bus. */
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "tui/app.h"
#include "tui/look.h"

enum { NAME, STATE, HOSTS, ACTORS, PROVIDERS, RTT, REASON, COLUMNS };

static const struct list_column columns[COLUMNS] = {
    [NAME] = {"CLUSTER / LATTICE", 0, false, 32},
    [STATE] = {"STATE", 0, false, 0},
    [HOSTS] = {"HOSTS", 1, true, 0},
    [ACTORS] = {"ACTORS", 2, true, 0},
    [PROVIDERS] = {"PROV", 3, true, 0},
    [RTT] = {"RTT", 2, true, 0},
    [REASON] = {"REASON", 1, false, 0},
};

struct row {
    unsigned cluster;
    size_t ready[TUI_KINDS], all[TUI_KINDS]; /* of a cluster: counted once a fill, drawn often */
    struct tui_object *lattice;              /* NULL: the cluster itself */
};

struct state {
    struct list *list;
};

static void release_row(void *item)
{
    struct row *row = item;

    tui_object_unref(row->lattice);
    free(row);
}

static size_t ready_of(const struct store *s, unsigned cluster, enum tui_kind kind)
{
    const struct tui_object *o;
    size_t n = 0;

    for (struct store_iter it = {.cluster = cluster};
         (o = store_next(s, kind, &it)) && o->cluster == cluster;)
        n += o->health == TUI_HEALTH_GOOD ||
             (kind == TUI_HOST && !o->host.lost && o->health != TUI_HEALTH_UNKNOWN);
    return n;
}

static void ratio(struct list_cell *ret, size_t ready, size_t all)
{
    list_cell_set(ret, ready < all ? TUI_WARN : TUI_TEXT, "%zu/%zu", ready, all);
}

static void cluster_cell(struct pane *p, const struct row *row, size_t column, struct list_cell *ret)
{
    const struct store *s = app_store(p->app);
    const struct store_source *source = store_cluster_source(s, row->cluster);
    static const enum tui_kind kinds[COLUMNS] = {
        [HOSTS] = TUI_HOST, [ACTORS] = TUI_ACTOR, [PROVIDERS] = TUI_PROVIDER};
    char age[TIME_AGE_LEN];

    if (column == NAME)
        list_cell_set(ret, (enum tui_role)(TUI_SERIES + row->cluster % TUI_SERIES_LEN), "%s",
                      store_cluster_name(s, row->cluster));
    else if (column == STATE && source->state == STORE_AWAY)
        list_cell_set(ret, TUI_BAD, "away %s", time_age(app_now(p->app) - source->since_ns, age));
    else if (column == STATE)
        list_cell_set(ret, look_source_role(source), "%s", store_source_state_names[source->state]);
    else if (column == HOSTS || column == ACTORS || column == PROVIDERS)
        ratio(ret, row->ready[kinds[column]], row->all[kinds[column]]);
    else if (column == REASON && source->why)
        list_cell_set(ret, TUI_BAD, "%s", source->why);
}

static void lattice_cell(const struct tui_object *o, size_t column, struct list_cell *ret)
{
    if (column == NAME)
        list_cell_set(ret, TUI_TEXT, "%s", o->name);
    else if (column == STATE)
        list_cell_set(ret, look_health_role(o->health), "%s", look_state(o));
    else if (column == HOSTS)
        ratio(ret, (size_t)o->lattice.hosts_ready, (size_t)o->lattice.hosts_total);
    else if (column == RTT && o->lattice.rtt_ms >= 0)
        list_cell_set(ret, TUI_TEXT, "%lldms", (long long)o->lattice.rtt_ms);
    else if (column == REASON && o->health != TUI_HEALTH_GOOD)
        list_cell_set(ret, look_health_role(o->health), "%s: %s", o->reason, o->message);
}

static void cell(void *arg, const void *item, size_t column, struct list_cell *ret)
{
    const struct row *row = item;

    ret->role = TUI_TEXT;
    if (row->lattice)
        lattice_cell(row->lattice, column, ret);
    else
        cluster_cell(arg, row, column, ret);
}

static const struct list_class rows = {columns, COLUMNS, true, cell, NULL};

static int make(struct pane *p, const char *argument _unused_, struct err **err _unused_)
{
    struct state *s = p->state;

    s->list = list_new(&rows, p, release_row);
    return 0;
}

static void release(struct pane *p)
{
    struct state *s = p->state;

    list_free(s->list);
}

static void add(struct list *list, const struct store *store, unsigned cluster,
                const struct tui_object *lattice, int depth)
{
    struct row *row = xcalloc(1, sizeof(*row));

    row->cluster = cluster;
    row->lattice = tui_object_ref((struct tui_object *)(uintptr_t)lattice);
    for (unsigned k = 0; !lattice && k <= TUI_HOST; k++) {
        row->ready[k] = ready_of(store, cluster, (enum tui_kind)k);
        row->all[k] = store_count(store, cluster, (enum tui_kind)k);
    }
    list_add(list, row, lattice ? look_id(lattice) : cluster + 1, depth);
}

static void refresh(struct pane *p)
{
    struct state *s = p->state;
    const struct store *store = app_store(p->app);
    const struct tui_object *o;

    list_begin(s->list);
    for (unsigned i = 0; i < store_clusters(store); i++) {
        if (!pane_shows(p, i))
            continue;
        add(s->list, store, i, NULL, 0);
        for (struct store_iter it = {.cluster = i};
             (o = store_next(store, TUI_LATTICE, &it)) && o->cluster == i;)
            add(s->list, store, i, o, 1);
    }
    list_end(s->list);
}

static void draw(struct pane *p, struct canvas *c, struct box box)
{
    struct state *s = p->state;

    list_draw(s->list, c, box, app_focus(p->app) == p, "no contexts");
}

static struct list *list_of(struct pane *p)
{
    struct state *s = p->state;

    return s->list;
}

static bool selection(struct pane *p, struct selection *ret)
{
    struct state *s = p->state;
    const struct row *row = list_selected(s->list);

    if (!row || !row->lattice)
        return false;
    *ret = (struct selection){row->cluster, "lattice", row->lattice->namespace, row->lattice->name,
                              row->lattice};
    return true;
}

const struct pane_class pane_clusters = {
    .name = "clusters",
    .title = "Clusters",
    .help = "Clusters and their lattices: state, hosts, round trip of the bus",
    .follows = STORE_CHANGED_ALL & ~(1 << TUI_EVENT),
    .state_size = sizeof(struct state),
    .make = make,
    .release = release,
    .refresh = refresh,
    .draw = draw,
    .list = list_of,
    .selection = selection,
};
