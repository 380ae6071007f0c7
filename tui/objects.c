#include "tui/objects.h"

#include "base/mem.h"
#include "tui/look.h"

static void release_object(void *item)
{
    tui_object_unref(item);
}

void objects_make(struct pane *p, enum tui_kind kind, const struct list_class *class, const char *sort,
                  bool descending)
{
    struct objects *s = p->state;

    s->kind = kind;
    s->list = list_new(class, p, release_object);
    if (sort)
        list_sort_as(s->list, sort, descending);
}

void objects_release(struct pane *p)
{
    struct objects *s = p->state;

    list_free(s->list);
}

void objects_refresh(struct pane *p)
{
    struct objects *s = p->state;
    const struct tui_object *o;

    s->shown = s->bad = 0;
    list_begin(s->list);
    for (struct store_iter it = {0}; (o = store_next(app_store(p->app), s->kind, &it));) {
        if (!app_shows(p->app, p, o, s->row && app_filter(p->app) ? s->row(o) : NULL))
            continue;
        s->shown++;
        s->bad += o->health == TUI_HEALTH_BAD;
        list_add(s->list, tui_object_ref((struct tui_object *)(uintptr_t)o), look_id(o), 0);
    }
    list_end(s->list);
}

/* Why there is nothing to see. */
static const char *empty_text(struct pane *p)
{
    const struct objects *s = p->state;
    struct store *store = app_store(p->app);
    size_t there = 0;
    bool live = true;

    for (unsigned i = 0; i < store_clusters(store); i++)
        if (pane_shows(p, i)) {
            there += store_count(store, i, s->kind);
            live = live && store_source(store, i, s->kind)->state >= STORE_LIVE;
        }
    if (there)
        return "nothing matches the filter";
    return live ? "none" : "not here yet";
}

void objects_draw(struct pane *p, struct canvas *c, struct box box)
{
    struct objects *s = p->state;

    list_draw(s->list, c, box, app_focus(p->app) == p, empty_text(p));
}

struct list *objects_list(struct pane *p)
{
    struct objects *s = p->state;

    return s->list;
}

bool objects_selection(struct pane *p, struct selection *ret)
{
    const struct objects *s = p->state;
    const struct tui_object *o = list_selected(s->list);

    if (!o)
        return false;
    *ret = (struct selection){o->cluster, tui_kind_names[o->kind], o->namespace, o->name, o};
    return true;
}

struct each {
    void (*f)(void *arg, const struct selection *s);
    void *arg;
};

static void on_chosen(void *arg, const void *item)
{
    const struct each *each = arg;
    const struct tui_object *o = item;

    each->f(each->arg, &(struct selection){o->cluster, tui_kind_names[o->kind], o->namespace, o->name, o});
}

void objects_chosen(struct pane *p, void (*f)(void *arg, const struct selection *s), void *arg)
{
    const struct objects *s = p->state;

    list_each_chosen(s->list, on_chosen, &(struct each){f, arg});
}

void objects_title(struct pane *p, struct buf *out)
{
    const struct objects *s = p->state;

    buf_addf(out, " (%zu", s->shown);
    if (s->bad)
        buf_addf(out, ", %zu failed", s->bad);
    if (list_marks(s->list))
        buf_addf(out, ", %zu marked", list_marks(s->list));
    buf_addc(out, ')');
}

void objects_cell_cluster(struct pane *p, const struct tui_object *o, struct list_cell *ret)
{
    list_cell_set(ret, (enum tui_role)(TUI_SERIES + o->cluster % TUI_SERIES_LEN), "%s",
                  store_cluster_name(app_store(p->app), o->cluster));
}

void objects_cell_state(const struct tui_object *o, struct list_cell *ret)
{
    list_cell_set(ret, look_health_role(o->health), "%s", look_state(o));
}
