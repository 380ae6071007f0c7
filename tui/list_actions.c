/* What all lists understand. */
#include "tui/pane.h"

static struct list *of(struct pane *p)
{
    return p->class->list(p);
}

static void down(struct pane *p)
{
    list_go(of(p), 1);
}

static void up(struct pane *p)
{
    list_go(of(p), -1);
}

static void page_down(struct pane *p)
{
    list_go(of(p), list_page(of(p)));
}

static void page_up(struct pane *p)
{
    list_go(of(p), -list_page(of(p)));
}

static void top(struct pane *p)
{
    list_go_to(of(p), 0);
}

static void bottom(struct pane *p)
{
    if (list_len(of(p)))
        list_go_to(of(p), list_len(of(p)) - 1);
}

static void mark(struct pane *p)
{
    list_mark_cursor(of(p));
}

static void mark_range(struct pane *p)
{
    list_mark_range(of(p));
}

static void unmark(struct pane *p)
{
    list_unmark(of(p));
}

static void sort_right(struct pane *p)
{
    list_select_column(of(p), 1);
}

static void sort_left(struct pane *p)
{
    list_select_column(of(p), -1);
}

static void sort_name(struct pane *p)
{
    list_sort(of(p), "NAME");
}

static void sort_age(struct pane *p)
{
    list_sort(of(p), "AGE");
}

static void sort_namespace(struct pane *p)
{
    list_sort(of(p), "NAMESPACE");
}

static void sort_state(struct pane *p)
{
    list_sort(of(p), "STATE");
}

static void sort_other_way(struct pane *p)
{
    const char *column;
    bool descending;

    list_sorted_by(of(p), &column, &descending);
    if (column)
        list_sort_as(of(p), column, !descending);
}

const struct action list_actions[] = {
    {"down", "j down", "One row down", 0, down},
    {"up", "k up", "One row up", 0, up},
    {"page-down", "ctrl-f pgdn", "A page down", 0, page_down},
    {"page-up", "ctrl-b pgup", "A page up", 0, page_up},
    {"top", "g home", "First row", 0, top},
    {"bottom", "G end", "Last row", 0, bottom},
    {"mark", "space", "Mark the row, or take its mark away", 0, mark},
    {"mark-range", "ctrl-space", "Mark all rows from the one marked last", 0, mark_range},
    {"unmark", "ctrl-\\", "Take all marks away", 0, unmark},
    {"sort-right", "shift-right", "Sort by the column to the right", 0, sort_right},
    {"sort-left", "shift-left", "Sort by the column to the left", 0, sort_left},
    {"sort-name", "N", "Sort by name; again: the other way round", 0, sort_name},
    {"sort-age", "A", "Sort by age", 0, sort_age},
    {"sort-namespace", "P", "Sort by namespace", 0, sort_namespace},
    {"sort-state", "S", "Sort by state", 0, sort_state},
    {"sort-reverse", "I", "Sort the other way round", 0, sort_other_way},
    ACTIONS_END,
};
