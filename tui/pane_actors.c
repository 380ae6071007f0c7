/* Actors and providers: what is wanted, what is ready, and in which cloud it runs. */
#include "tui/objects.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "tui/look.h"

enum { CLUSTER, NAMESPACE, NAME, STATE, READY, WHERE, IMAGE, REASON, AGE, COLUMNS };

static const struct list_column columns[COLUMNS] = {
    [CLUSTER] = {"CLUSTER", 4, false, 20}, [NAMESPACE] = {"NAMESPACE", 5, false, 20},
    [NAME] = {"NAME", 0, false, 40},       [STATE] = {"STATE", 0, false, 0},
    [READY] = {"READY", 0, true, 0},       [WHERE] = {"WHERE", 2, false, 40},
    [IMAGE] = {"IMAGE", 6, false, 40},     [REASON] = {"REASON", 3, false, 30},
    [AGE] = {"AGE", 1, true, 0},
};

/* "aws 2, gcp 1": by cloud, or by zone where no cloud is known; the hosts are looked up. */
static void where_text(struct pane *p, const struct tui_object *o, char *out, size_t size)
{
    enum { MOST = 8 };
    struct {
        const char *place;
        int32_t n;
    } places[MOST];
    size_t n = 0, at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < o->workload.nplacements; i++) {
        const struct tui_placement *placement = &o->workload.placements[i];
        const struct tui_object *host = store_get(app_store(p->app), o->cluster, TUI_HOST, placement->host);
        const char *place = !host               ? "?"
                            : *host->host.cloud ? host->host.cloud
                            : *host->host.zone  ? host->host.zone
                                                : "?";
        size_t k = 0;
        if (!placement->replicas)
            continue;
        while (k < n && !streq(places[k].place, place))
            k++;
        if (k == MOST)
            continue;
        if (k == n)
            places[n++].place = place, places[k].n = 0;
        places[k].n += placement->replicas;
    }
    for (size_t k = 0; k < n && at < size; k++)
        at += (size_t)snprintf(out + at, size - at, "%s%s %d", k ? ", " : "", places[k].place, places[k].n);
}

static void cell(void *arg, const void *item, size_t column, struct list_cell *ret)
{
    const struct tui_object *o = item;
    const struct tui_workload *w = &o->workload;

    switch (column) {
    case CLUSTER:
        objects_cell_cluster(arg, o, ret);
        return;
    case NAMESPACE:
        list_cell_set(ret, TUI_DIM, "%s", o->namespace ? o->namespace : "");
        return;
    case NAME:
        list_cell_set(ret, TUI_TEXT, "%s", o->name);
        return;
    case STATE:
        objects_cell_state(o, ret);
        return;
    case READY:
        if (w->desired < 0)
            list_cell_set(ret, look_health_role(o->health), "%d", w->ready);
        else
            list_cell_set(ret, look_health_role(o->health), "%d/%d", w->ready, w->desired);
        return;
    case WHERE:
        ret->role = TUI_TEXT;
        where_text(arg, o, ret->text, sizeof(ret->text));
        return;
    case IMAGE:
        list_cell_set(ret, TUI_DIM, "%s", strrchr(w->image, '/') ? strrchr(w->image, '/') + 1 : w->image);
        return;
    case REASON:
        list_cell_set(ret, o->health == TUI_HEALTH_GOOD ? TUI_DIM : look_health_role(o->health), "%s",
                      o->reason);
        return;
    default:
        look_age(ret, app_now(((struct pane *)arg)->app), o->created_ns);
    }
}

static void key(void *arg, const void *item, size_t column, struct list_key *ret)
{
    const struct tui_object *o = item;
    const struct pane *p = arg;

    *ret = (struct list_key){0};
    switch (column) {
    case CLUSTER:
        ret->text = store_cluster_name(app_store(p->app), o->cluster);
        return;
    case NAMESPACE:
        ret->text = o->namespace ? o->namespace : "";
        return;
    case NAME:
        ret->text = o->name;
        return;
    case STATE:
        ret->number = -(int64_t)o->health;
        return;
    case READY:
        ret->number = o->workload.ready;
        return;
    case IMAGE:
        ret->text = o->workload.image;
        return;
    case REASON:
        ret->text = o->reason;
        return;
    case AGE:
        ret->number = -o->created_ns;
        return;
    default:
        ret->number = (int64_t)o->workload.nplacements;
    }
}

static const struct list_class rows = {columns, COLUMNS, false, cell, key};

static const char *row_text(const struct tui_object *o)
{
    return o->workload.image;
}

static int make_actors(struct pane *p, const char *argument _unused_, struct err **err _unused_)
{
    objects_make(p, TUI_ACTOR, &rows, NULL, false);
    ((struct objects *)p->state)->row = row_text;
    return 0;
}

static int make_providers(struct pane *p, const char *argument _unused_, struct err **err _unused_)
{
    objects_make(p, TUI_PROVIDER, &rows, NULL, false);
    ((struct objects *)p->state)->row = row_text;
    return 0;
}

const struct pane_class pane_actors = {
    .name = "actors",
    .title = "Actors",
    .help = "WasmActors: replicas wanted and ready, where they run",
    .follows = 1 << TUI_ACTOR | 1 << TUI_HOST | STORE_CHANGED_TIME,
    .state_size = sizeof(struct objects),
    .make = make_actors,
    .release = objects_release,
    .refresh = objects_refresh,
    .draw = objects_draw,
    .list = objects_list,
    .selection = objects_selection,
    .chosen = objects_chosen,
    .title_more = objects_title,
};

const struct pane_class pane_providers = {
    .name = "providers",
    .title = "Providers",
    .help = "WasmProviders",
    .follows = 1 << TUI_PROVIDER | 1 << TUI_HOST | STORE_CHANGED_TIME,
    .state_size = sizeof(struct objects),
    .make = make_providers,
    .release = objects_release,
    .refresh = objects_refresh,
    .draw = objects_draw,
    .list = objects_list,
    .selection = objects_selection,
    .chosen = objects_chosen,
    .title_more = objects_title,
};
