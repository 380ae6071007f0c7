/* What keys do, out of the action tables. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "tui/app.h"

struct line {
    char *key, *text; /* key NULL: a heading */
};

struct state {
    struct list *list;
    char *about; /* the pane */
};

enum { KEY, TEXT, COLUMNS };
static const struct list_column columns[COLUMNS] = {
    [KEY] = {"KEY", 0, false, 24}, [TEXT] = {"ACTION", 0, false, 0}};

static void release_line(void *item)
{
    struct line *line = item;

    free(line->key);
    free(line->text);
    free(line);
}

static void cell(void *arg _unused_, const void *item, size_t column, struct list_cell *ret)
{
    const struct line *line = item;

    if (!line->key)
        list_cell_set(ret, TUI_TITLE, "%s", column == KEY ? line->text : "");
    else
        list_cell_set(ret, column == KEY ? TUI_KEY : TUI_TEXT, "%s", column == KEY ? line->key : line->text);
}

static const struct list_class rows = {columns, COLUMNS, true, cell, NULL};

static int make(struct pane *p, const char *argument, struct err **err _unused_)
{
    struct state *s = p->state;

    s->about = xstrdup(argument);
    s->list = list_new(&rows, p, release_line);
    return 0;
}

static void release(struct pane *p)
{
    struct state *s = p->state;

    list_free(s->list);
    free(s->about);
}

static void add(struct state *s, const char *key, const char *text)
{
    struct line *line = xcalloc(1, sizeof(*line));

    line->key = xstrdup_null(key);
    line->text = xstrdup(text);
    list_add(s->list, line, list_len(s->list) + 1, key ? 1 : 0);
}

static void add_table(struct pane *p, const char *scope, const char *title, const struct action *table)
{
    if (!table)
        return;
    add(p->state, NULL, title);
    for (const struct action *a = table; a->name; a++)
        add(p->state, keymap_keys(app_keymap(p->app), scope, a), a->help);
}

static void refresh(struct pane *p)
{
    struct state *s = p->state;
    const struct pane_class *class = pane_class_find(s->about);

    list_begin(s->list);
    if (class) {
        add_table(p, class->name, class->title ? class->title : class->name, class->actions);
        if (class->list)
            add_table(p, "list", "Lists", list_actions);
        if (class->text)
            add_table(p, "text", "Texts", text_actions);
        if (class->selection)
            add_table(p, "object", "Objects", object_actions);
    }
    add_table(p, "global", "Everywhere", app_actions);
    add(s, NULL, "Panes (:name)");
    for (size_t i = 0; pane_classes[i]; i++)
        add(s, pane_classes[i]->name, pane_classes[i]->help);
    list_end(s->list);
}

static void draw(struct pane *p, struct canvas *c, struct box box)
{
    struct state *s = p->state;

    list_draw(s->list, c, box, app_focus(p->app) == p, "");
}

static struct list *list_of(struct pane *p)
{
    struct state *s = p->state;

    return s->list;
}

const struct pane_class pane_help = {
    .name = "help",
    .title = "Help",
    .help = "Keys and panes",
    .state_size = sizeof(struct state),
    .make = make,
    .release = release,
    .refresh = refresh,
    .draw = draw,
    .list = list_of,
};
