/* Hosts as a tree: cluster, cloud, zone, host, and what runs on it. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "tui/app.h"
#include "tui/look.h"
#include "tui/running.h"

enum { NAME, STATE, RUNS, VERSION, REASON, AGE, COLUMNS };

static const struct list_column columns[COLUMNS] = {
    [NAME] = {"HOST", 0, false, 48},      [STATE] = {"STATE", 0, false, 0},    [RUNS] = {"RUNS", 1, true, 0},
    [VERSION] = {"VERSION", 4, false, 0}, [REASON] = {"REASON", 3, false, 40}, [AGE] = {"AGE", 2, true, 0},
};

struct row {
    unsigned cluster;
    char *text;              /* of a heading; NULL for a host and what runs */
    struct tui_object *host; /* a host, or the host something runs on */
    struct tui_object *unit; /* what runs */
    int32_t replicas;        /* of it */
    enum tui_role role;
};

struct state {
    struct list *list;
    size_t hosts, lost;
    bool folded; /* what runs is not shown */
};

static void release_row(void *item)
{
    struct row *row = item;

    tui_object_unref(row->host);
    tui_object_unref(row->unit);
    free(row->text);
    free(row);
}

static void host_cell(struct pane *p, const struct tui_object *o, size_t column, struct list_cell *ret)
{
    switch (column) {
    case NAME:
        ret->role = TUI_TEXT;
        look_host(o, ret->text, sizeof(ret->text));
        return;
    case STATE:
        list_cell_set(ret, look_health_role(o->health), "%s", look_state(o));
        return;
    case RUNS:
        list_cell_set(ret, TUI_TEXT, "%d+%d", o->host.actors, o->host.providers);
        return;
    case VERSION:
        list_cell_set(ret, TUI_DIM, "%s", o->host.version);
        return;
    case REASON:
        if (o->health != TUI_HEALTH_GOOD)
            list_cell_set(ret, look_health_role(o->health), "%s", o->reason);
        return;
    default:
        look_age(ret, app_now(p->app), o->created_ns);
    }
}

static void cell(void *arg, const void *item, size_t column, struct list_cell *ret)
{
    const struct row *row = item;

    ret->role = TUI_TEXT;
    if (row->unit && column == NAME && row->replicas > 1)
        list_cell_set(ret, TUI_DIM, "%s x%d", row->unit->key, row->replicas);
    else if (row->unit && column == NAME)
        list_cell_set(ret, TUI_DIM, "%s", row->unit->key);
    else if (row->unit && column == STATE)
        list_cell_set(ret, look_health_role(row->unit->health), "%s", look_state(row->unit));
    else if (row->text && column == NAME)
        list_cell_set(ret, row->role, "%s", row->text);
    else if (row->host && !row->unit)
        host_cell(arg, row->host, column, ret);
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

static uint64_t id_of(uint64_t seed, const char *text)
{
    uint64_t id = str_hash64(text, strlen(text), seed);

    return id ? id : 1;
}

static void add(struct list *list, struct row row, uint64_t id, int depth)
{
    list_add(list, xmemdup(&row, sizeof(row)), id, depth);
}

static int compare_hosts(const void *x, const void *y)
{
    const struct tui_object *a = *(const struct tui_object *const *)x,
                            *b = *(const struct tui_object *const *)y;
    int order = a->cluster < b->cluster ? -1 : a->cluster > b->cluster;

    if (!order)
        order = strcmp(a->host.cloud, b->host.cloud);
    if (!order)
        order = strcmp(a->host.zone, b->host.zone);
    if (!order)
        order = strcmp(a->host.friendly, b->host.friendly);
    return order ? order : strcmp(a->name, b->name);
}

static void add_running(struct state *s, const struct map *map, const struct tui_object *host, int depth)
{
    const struct running *r = running_on(map, host);

    for (size_t i = 0; r && i < r->units.len; i++) {
        const struct tui_object *unit = r->units.items[i];
        add(s->list,
            (struct row){.cluster = host->cluster,
                         .host = tui_object_ref((struct tui_object *)(uintptr_t)host),
                         .unit = tui_object_ref((struct tui_object *)(uintptr_t)unit),
                         .replicas = r->replicas.items[i]},
            look_id(host) * 31 + look_id(unit), depth);
    }
}

static void refresh(struct pane *p)
{
    struct state *s = p->state;
    struct store *store = app_store(p->app);
    _cleanup_map_ struct map *running = s->folded ? map_new(NULL) : running_find(p);
    VEC(const struct tui_object *) hosts = {0};
    const struct tui_object *o, *before = NULL;
    size_t clusters = 0;

    for (unsigned i = 0; i < store_clusters(store); i++)
        clusters += pane_shows(p, i);
    for (struct store_iter it = {0}; (o = store_next(store, TUI_HOST, &it));)
        if (app_shows(p->app, p, o, o->host.friendly))
            vec_push(&hosts, o);
    if (hosts.len)
        qsort(hosts.items, hosts.len, sizeof(*hosts.items), compare_hosts);
    s->hosts = s->lost = 0;
    list_begin(s->list);
    for (size_t i = 0; i < hosts.len; i++, before = o) {
        int depth = 0;
        uint64_t id = STR_HASH64_INIT;
        o = hosts.items[i];
        bool differs = !before || before->cluster != o->cluster;
        const char *const levels[] = {clusters > 1 ? store_cluster_name(store, o->cluster) : "",
                                      o->host.cloud, o->host.zone};
        for (int k = 0; k < 3; k++) {
            if (k)
                differs = differs || !streq(k == 1 ? before->host.cloud : before->host.zone, levels[k]);
            if (!*levels[k])
                continue;
            id = id_of(id, levels[k]);
            enum tui_role role =
                k == 0 ? (enum tui_role)(TUI_SERIES + o->cluster % TUI_SERIES_LEN) : TUI_HEADER;
            if (differs)
                add(s->list, (struct row){.cluster = o->cluster, .text = xstrdup(levels[k]), .role = role},
                    id + (uint64_t)k, depth);
            depth++;
        }
        add(s->list,
            (struct row){.cluster = o->cluster, .host = tui_object_ref((struct tui_object *)(uintptr_t)o)},
            look_id(o), depth);
        s->hosts++;
        s->lost += o->host.lost;
        add_running(s, running, o, depth + 1);
    }
    list_end(s->list);
    free(hosts.items);
}

static void draw(struct pane *p, struct canvas *c, struct box box)
{
    struct state *s = p->state;

    list_draw(s->list, c, box, app_focus(p->app) == p, "no hosts");
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
    const struct tui_object *o = row ? row->unit ? row->unit : row->host : NULL;

    if (!o)
        return false;
    *ret = (struct selection){o->cluster, tui_kind_names[o->kind], o->namespace, o->name, o};
    return true;
}

static void title_more(struct pane *p, struct buf *out)
{
    const struct state *s = p->state;

    buf_addf(out, " (%zu", s->hosts);
    if (s->lost)
        buf_addf(out, ", %zu lost", s->lost);
    buf_addc(out, ')');
}

static void fold(struct pane *p)
{
    struct state *s = p->state;

    s->folded = !s->folded;
    p->stale = true;
}

static const struct action actions[] = {
    {"fold", "o", "Show or hide what runs on the hosts", ACTION_HINT, fold},
    ACTIONS_END,
};

const struct pane_class pane_hosts = {
    .name = "hosts",
    .title = "Hosts",
    .help = "Hosts by cluster, cloud and zone, and what runs on them",
    .follows = 1 << TUI_HOST | 1 << TUI_ACTOR | 1 << TUI_PROVIDER | STORE_CHANGED_TIME,
    .state_size = sizeof(struct state),
    .actions = actions,
    .make = make,
    .release = release,
    .refresh = refresh,
    .draw = draw,
    .list = list_of,
    .selection = selection,
    .title_more = title_more,
};
