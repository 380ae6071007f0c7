/* Events of all clusters as one stream, the newest first. */
#include "base/str.h"
#include "tui/look.h"
#include "tui/objects.h"

enum { LAST, CLUSTER, TYPE, REASON, OBJECT, COUNT, MESSAGE, COLUMNS };

static const struct list_column columns[COLUMNS] = {
    [LAST] = {"LAST", 0, true, 0},        [CLUSTER] = {"CLUSTER", 4, false, 20},
    [TYPE] = {"TYPE", 3, false, 0},       [REASON] = {"REASON", 0, false, 24},
    [OBJECT] = {"OBJECT", 1, false, 36},  [COUNT] = {"N", 5, true, 0},
    [MESSAGE] = {"MESSAGE", 2, false, 0},
};

static void cell(void *arg, const void *item, size_t column, struct list_cell *ret)
{
    const struct tui_object *o = item;
    const struct tui_event *e = &o->event;
    enum tui_role role = e->warning ? TUI_WARN : TUI_TEXT;

    switch (column) {
    case LAST:
        look_age(ret, app_now(((struct pane *)arg)->app), e->last_ns);
        return;
    case CLUSTER:
        objects_cell_cluster(arg, o, ret);
        return;
    case TYPE:
        list_cell_set(ret, role, "%s", e->type);
        return;
    case REASON:
        list_cell_set(ret, role, "%s", o->reason);
        return;
    case OBJECT:
        list_cell_set(ret, TUI_TEXT, "%s/%s", e->object_kind, e->object_name);
        return;
    case COUNT:
        if (e->count > 1)
            list_cell_set(ret, TUI_DIM, "%d", e->count);
        return;
    default:
        list_cell_set(ret, role, "%s", o->message);
    }
}

static void key(void *arg, const void *item, size_t column, struct list_key *ret)
{
    const struct tui_object *o = item;
    const struct pane *p = arg;

    *ret = (struct list_key){0};
    if (column == CLUSTER)
        ret->text = store_cluster_name(app_store(p->app), o->cluster);
    else if (column == REASON)
        ret->text = o->reason;
    else if (column == OBJECT)
        ret->text = o->event.object_name;
    else if (column == MESSAGE)
        ret->text = o->message;
    else if (column == TYPE)
        ret->number = !o->event.warning;
    else if (column == COUNT)
        ret->number = o->event.count;
    else
        ret->number = -o->event.last_ns;
}

static const struct list_class rows = {columns, COLUMNS, false, cell, key};

static const char *row_text(const struct tui_object *o)
{
    return o->event.object_name;
}

static int make(struct pane *p, const char *argument _unused_, struct err **err _unused_)
{
    objects_make(p, TUI_EVENT, &rows, "LAST", false);
    ((struct objects *)p->state)->row = row_text;
    return 0;
}

const struct pane_class pane_events = {
    .name = "events",
    .title = "Events",
    .help = "Events of all clusters, the newest first",
    .follows = 1 << TUI_EVENT | STORE_CHANGED_TIME,
    .state_size = sizeof(struct objects),
    .make = make,
    .release = objects_release,
    .refresh = objects_refresh,
    .draw = objects_draw,
    .list = objects_list,
    .selection = objects_selection,
    .chosen = objects_chosen,
    .title_more = objects_title,
};
