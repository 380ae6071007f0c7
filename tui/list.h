/*
 * Rows with columns: cursor, marks, scrolling, sorting and widths for all panes that are tables or trees.
 *
 * A pane fills it anew whenever it is stale: list_begin(), list_add() for each row, list_end(). The cursor
 * and the marks stay on their rows, which are known by a number (an id that is the same each time). Cells are
 * asked for when they are drawn; sort keys once a fill.
 */
#ifndef WASMCTL_TUI_LIST_H
#define WASMCTL_TUI_LIST_H

#include <stdint.h>
#include "tui/canvas.h"

struct list;

enum { LIST_CELL_LEN = 256, LIST_COLUMNS_MOST = 24 };

struct list_cell {
    char text[LIST_CELL_LEN]; /* cut there */
    enum tui_role role;
};
void list_cell_set(struct list_cell *cell, enum tui_role role, const char *fmt, ...) _printf_(3, 4);

struct list_key {
    const char *text; /* borrowed until list_end(); NULL: the number counts */
    int64_t number;
};

struct list_column {
    const char *name;
    unsigned rank; /* when it gets narrow, columns of the highest rank go first; 0 always stays */
    bool right;    /* numbers */
    int most;      /* columns of the terminal at most; 0 = any */
};

struct list_class {
    const struct list_column *columns;
    size_t ncolumns;
    bool tree; /* rows come in their order and have a depth: nothing is sorted */
    void (*cell)(void *arg, const void *item, size_t column, struct list_cell *ret);
    /* NULL: as they come. */
    void (*key)(void *arg, const void *item, size_t column, struct list_key *ret);
};

/* class is borrowed; arg is handed to its functions. release: for items that are dropped; may be NULL. */
struct list *list_new(const struct list_class *class, void *arg, void (*release)(void *item));
void list_free(struct list *l);
DEFINE_CLEANUP(struct list *, list_free)

void list_begin(struct list *l);
/* Takes the item. depth: in a tree. */
void list_add(struct list *l, void *item, uint64_t id, int depth);
void list_end(struct list *l);

size_t list_len(const struct list *l);
/* NULL when the list is empty. */
const void *list_selected(const struct list *l);
const void *list_item(const struct list *l, size_t i);
size_t list_cursor(const struct list *l);
uint64_t list_cursor_id(const struct list *l);
void list_go(struct list *l, int64_t by); /* rows, cut at both ends */
void list_go_to(struct list *l, size_t i);
bool list_go_to_id(struct list *l, uint64_t id);
bool list_marked(const struct list *l, size_t i);
size_t list_marks(const struct list *l);
void list_unmark(struct list *l);
void list_mark_cursor(struct list *l); /* or takes the mark away; and goes to the next row */
void list_mark_range(struct list *l);  /* from the row marked last to the cursor */
/* For the marked rows, or when there are none for the selected one. */
void list_each_chosen(const struct list *l, void (*f)(void *arg, const void *item), void *arg);
/* By name of a column; again: the other way round. False: no such column. */
bool list_sort(struct list *l, const char *column);
void list_sorted_by(const struct list *l, const char **column, bool *descending);
/* The next or the previous column becomes the one it is sorted by. */
void list_select_column(struct list *l, int by);
void list_sort_as(struct list *l, const char *column, bool descending);

int64_t list_page(const struct list *l); /* rows to go by for a page */
/* Header and rows. `empty` is shown when there are none. */
void list_draw(struct list *l, struct canvas *c, struct box box, bool focus, const char *empty);
/* The row at this place of the canvas was clicked. */
bool list_click(struct list *l, int x, int y);

#endif
