#include "tui/list.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

struct row {
    void *item;
    uint64_t id;
    int depth;
    struct list_key key;
    size_t order; /* as added, for equal keys */
};

struct list {
    const struct list_class *class;
    void *arg;
    void (*release)(void *item);
    VEC(struct row) rows;
    struct row *old; /* between begin and end */
    size_t nold;
    size_t cursor, top;
    uint64_t cursor_id;
    VEC(uint64_t) marks; /* sorted */
    size_t range_from;   /* where a marked range began */
    size_t sort;         /* column; ncolumns = as they come */
    bool descending;
    size_t select;  /* the column that sorting keys are about */
    struct box box; /* of the rows, last drawn */
};

void list_cell_set(struct list_cell *cell, enum tui_role role, const char *fmt, ...)
{
    va_list ap;

    cell->role = role;
    va_start(ap, fmt);
    vsnprintf(cell->text, sizeof(cell->text), fmt, ap);
    va_end(ap);
}

struct list *list_new(const struct list_class *class, void *arg, void (*release)(void *item))
{
    struct list *l = xcalloc(1, sizeof(*l));

    l->class = class;
    l->arg = arg;
    l->release = release;
    l->sort = class->ncolumns;
    return l;
}

static void release_rows(struct list *l, struct row *rows, size_t n)
{
    for (size_t i = 0; l->release && i < n; i++)
        l->release(rows[i].item);
    free(rows);
}

void list_free(struct list *l)
{
    if (!l)
        return;
    release_rows(l, l->rows.items, l->rows.len);
    release_rows(l, l->old, l->nold);
    free(l->marks.items);
    free(l);
}

void list_begin(struct list *l)
{
    release_rows(l, l->old, l->nold);
    l->old = l->rows.items;
    l->nold = l->rows.len;
    l->rows.items = NULL;
    l->rows.len = l->rows.cap = 0;
}

void list_add(struct list *l, void *item, uint64_t id, int depth)
{
    struct row row = {.item = item, .id = id, .depth = depth, .order = l->rows.len};

    vec_push(&l->rows, row);
}

static int compare_rows(const void *x, const void *y, void *arg)
{
    const struct row *a = x, *b = y;
    const struct list *l = arg;
    int order;

    if (a->key.text && b->key.text)
        order = strcmp(a->key.text, b->key.text);
    else
        order = a->key.number < b->key.number ? -1 : a->key.number > b->key.number;
    if (order)
        return l->descending ? -order : order;
    return a->order < b->order ? -1 : a->order > b->order;
}

static void sort_rows(struct list *l)
{
    if (l->class->tree || !l->class->key || l->sort >= l->class->ncolumns)
        return;
    for (size_t i = 0; i < l->rows.len; i++)
        l->class->key(l->arg, l->rows.items[i].item, l->sort, &l->rows.items[i].key);
    if (l->rows.len)
        qsort_r(l->rows.items, l->rows.len, sizeof(*l->rows.items), compare_rows, l);
}

static int compare_ids(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

    return a < b ? -1 : a > b;
}

static bool is_marked(const struct list *l, uint64_t id)
{
    return l->marks.len && bsearch(&id, l->marks.items, l->marks.len, sizeof(id), compare_ids);
}

static void mark(struct list *l, uint64_t id, bool on)
{
    if (is_marked(l, id) == on)
        return;
    if (on) {
        vec_push(&l->marks, id);
        qsort(l->marks.items, l->marks.len, sizeof(id), compare_ids);
        return;
    }
    for (size_t i = 0; i < l->marks.len; i++)
        if (l->marks.items[i] == id) {
            vec_remove(&l->marks, i);
            return;
        }
}

static void drop_gone_marks(struct list *l)
{
    size_t kept = 0;

    if (!l->marks.len)
        return;
    VEC(uint64_t) there = {0};
    for (size_t i = 0; i < l->rows.len; i++)
        if (is_marked(l, l->rows.items[i].id))
            vec_push(&there, l->rows.items[i].id);
    for (; kept < there.len; kept++)
        l->marks.items[kept] = there.items[kept];
    l->marks.len = kept;
    if (kept)
        qsort(l->marks.items, kept, sizeof(uint64_t), compare_ids);
    free(there.items);
}

void list_end(struct list *l)
{
    sort_rows(l);
    release_rows(l, l->old, l->nold);
    l->old = NULL;
    l->nold = 0;
    /* The cursor stays on its row; when that is gone, at its place. At the very top it stays at the top only
     * as long as nobody has moved it. */
    if (l->cursor_id) {
        for (size_t i = 0; i < l->rows.len; i++)
            if (l->rows.items[i].id == l->cursor_id) {
                size_t from_top = l->cursor - l->top;
                l->top = i > from_top ? i - from_top : 0;
                l->cursor = i;
                break;
            }
    }
    if (l->cursor >= l->rows.len)
        l->cursor = l->rows.len ? l->rows.len - 1 : 0;
    if (l->cursor_id && l->rows.len)
        l->cursor_id = l->rows.items[l->cursor].id;
    drop_gone_marks(l);
}

size_t list_len(const struct list *l)
{
    return l->rows.len;
}

const void *list_item(const struct list *l, size_t i)
{
    return i < l->rows.len ? l->rows.items[i].item : NULL;
}

const void *list_selected(const struct list *l)
{
    return list_item(l, l->cursor);
}

size_t list_cursor(const struct list *l)
{
    return l->cursor;
}

uint64_t list_cursor_id(const struct list *l)
{
    return l->cursor < l->rows.len ? l->rows.items[l->cursor].id : 0;
}

void list_go_to(struct list *l, size_t i)
{
    if (!l->rows.len)
        return;
    l->cursor = i < l->rows.len ? i : l->rows.len - 1;
    l->cursor_id = l->rows.items[l->cursor].id;
}

void list_go(struct list *l, int64_t by)
{
    int64_t to = (int64_t)l->cursor + by;

    list_go_to(l, to < 0 ? 0 : (size_t)to);
}

bool list_go_to_id(struct list *l, uint64_t id)
{
    for (size_t i = 0; i < l->rows.len; i++)
        if (l->rows.items[i].id == id) {
            list_go_to(l, i);
            return true;
        }
    return false;
}

bool list_marked(const struct list *l, size_t i)
{
    return i < l->rows.len && is_marked(l, l->rows.items[i].id);
}

size_t list_marks(const struct list *l)
{
    return l->marks.len;
}

void list_unmark(struct list *l)
{
    l->marks.len = 0;
}

void list_mark_cursor(struct list *l)
{
    if (!l->rows.len)
        return;
    mark(l, l->rows.items[l->cursor].id, !list_marked(l, l->cursor));
    l->range_from = l->cursor;
    list_go(l, 1);
}

void list_mark_range(struct list *l)
{
    size_t from = l->range_from < l->cursor ? l->range_from : l->cursor,
           to = l->range_from < l->cursor ? l->cursor : l->range_from;

    for (size_t i = from; i <= to && i < l->rows.len; i++)
        mark(l, l->rows.items[i].id, true);
}

int64_t list_page(const struct list *l)
{
    return l->box.h > 1 ? l->box.h - 1 : 1;
}

void list_each_chosen(const struct list *l, void (*f)(void *arg, const void *item), void *arg)
{
    if (!l->marks.len && l->rows.len)
        f(arg, l->rows.items[l->cursor].item);
    for (size_t i = 0; l->marks.len && i < l->rows.len; i++)
        if (list_marked(l, i))
            f(arg, l->rows.items[i].item);
}

/* Sorting */

static void sort_now(struct list *l)
{
    /* Rows keep their own order among equals. */
    if (l->sort >= l->class->ncolumns)
        return;
    sort_rows(l);
    if (l->cursor_id)
        list_go_to_id(l, l->cursor_id);
}

void list_sort_as(struct list *l, const char *column, bool descending)
{
    for (size_t i = 0; i < l->class->ncolumns; i++)
        if (streq(l->class->columns[i].name, column)) {
            l->sort = l->select = i;
            l->descending = descending;
            sort_now(l);
        }
}

bool list_sort(struct list *l, const char *column)
{
    if (l->class->tree || !l->class->key)
        return false;
    for (size_t i = 0; i < l->class->ncolumns; i++)
        if (streq(l->class->columns[i].name, column)) {
            list_sort_as(l, column, l->sort == i && !l->descending);
            return true;
        }
    return false;
}

void list_sorted_by(const struct list *l, const char **column, bool *descending)
{
    *column = l->sort < l->class->ncolumns ? l->class->columns[l->sort].name : NULL;
    *descending = l->descending;
}

void list_select_column(struct list *l, int by)
{
    size_t n = l->class->ncolumns;

    if (n && !l->class->tree && l->class->key) {
        l->select = (l->select + n + (size_t)(by < 0 ? -1 : 1)) % n;
        list_sort_as(l, l->class->columns[l->select].name, false);
    }
}

/* Drawing */

static int indent_of(const struct row *row)
{
    return row->depth * 2;
}

/* Widths of the columns for the rows that are seen; 0 = left out. */
static void find_widths(struct list *l, int room, size_t shown, int widths[LIST_COLUMNS_MOST])
{
    const struct list_class *class = l->class;
    struct list_cell cell;
    int total = 0;

    for (size_t k = 0; k < class->ncolumns; k++) {
        widths[k] = (int)str_width(class->columns[k].name) + 1; /* the arrow of the sorted one */
        for (size_t i = l->top; i < l->top + shown; i++) {
            cell.text[0] = '\0';
            class->cell(l->arg, l->rows.items[i].item, k, &cell);
            int w = (int)str_width(cell.text) + (k == 0 ? indent_of(&l->rows.items[i]) : 0);
            widths[k] = w > widths[k] ? w : widths[k];
        }
        if (class->columns[k].most && widths[k] > class->columns[k].most)
            widths[k] = class->columns[k].most;
        total += widths[k] + 1;
    }
    while (total - 1 > room) {
        size_t victim = class->ncolumns, widest = 0;
        for (size_t k = 0; k < class->ncolumns; k++) {
            if (widths[k] && class->columns[k].rank &&
                (victim == class->ncolumns || class->columns[k].rank >= class->columns[victim].rank))
                victim = k;
            widest = widths[k] > widths[widest] ? k : widest;
        }
        /* A little too wide is made narrower, much too wide is left out. */
        int over = total - 1 - room;
        if (victim == class->ncolumns || widths[widest] - over >= 16) {
            int to = widths[widest] - over > 4 ? widths[widest] - over : 4;
            if (to >= widths[widest])
                break;
            total -= widths[widest] - to;
            widths[widest] = to;
        } else {
            total -= widths[victim] + 1;
            widths[victim] = 0;
        }
    }
}

static void draw_row(struct list *l, struct canvas *c, struct box box, size_t i, int y, const int *widths)
{
    const struct row *row = &l->rows.items[i];
    struct list_cell cell;
    bool marked = is_marked(l, row->id);
    int x = box.x;

    for (size_t k = 0; k < l->class->ncolumns; k++) {
        if (!widths[k])
            continue;
        int room = box.x + box.w - x, width = widths[k] < room ? widths[k] : room;
        if (width <= 0)
            break;
        cell.text[0] = '\0';
        cell.role = TUI_TEXT;
        l->class->cell(l->arg, row->item, k, &cell);
        int used = (int)str_width(cell.text), at = x;
        if (l->class->columns[k].right && used < width)
            at += width - used;
        if (k == 0)
            at += indent_of(row);
        canvas_text(c, at, y, x + width - at, cell.text, marked ? TUI_MARK : cell.role,
                    marked ? CANVAS_BOLD : 0);
        x += width + 1;
    }
}

static void draw_header(struct list *l, struct canvas *c, struct box box, const int *widths)
{
    int x = box.x;

    for (size_t k = 0; k < l->class->ncolumns; k++) {
        const struct list_column *column = &l->class->columns[k];
        if (!widths[k])
            continue;
        int room = box.x + box.w - x, width = widths[k] < room ? widths[k] : room;
        if (width <= 0)
            break;
        int used = (int)str_width(column->name);
        int at = column->right && used + 1 <= width ? x + width - used - (k == l->sort) : x;
        int n = canvas_text(c, at, box.y, x + width - at, column->name, TUI_HEADER, CANVAS_BOLD);
        if (k == l->sort && at + n < x + width)
            canvas_put(c, at + n, box.y, l->descending ? 0x2193 : 0x2191, TUI_HEADER, 0);
        x += width + 1;
    }
}

void list_draw(struct list *l, struct canvas *c, struct box box, bool focus, const char *empty)
{
    int widths[LIST_COLUMNS_MOST] = {0};
    struct box rows = {box.x, box.y + 1, box.w, box.h > 1 ? box.h - 1 : 0};

    l->box = rows;
    if (box.h < 1)
        return;
    if (l->cursor < l->top)
        l->top = l->cursor;
    if (rows.h > 0 && l->cursor >= l->top + (size_t)rows.h)
        l->top = l->cursor - (size_t)rows.h + 1;
    if (l->top + (size_t)rows.h > l->rows.len)
        l->top = l->rows.len > (size_t)rows.h ? l->rows.len - (size_t)rows.h : 0;
    size_t shown = l->rows.len - l->top < (size_t)rows.h ? l->rows.len - l->top : (size_t)rows.h;
    find_widths(l, box.w, shown, widths);
    draw_header(l, c, box, widths);
    for (size_t i = 0; i < shown; i++) {
        int y = rows.y + (int)i;
        draw_row(l, c, rows, l->top + i, y, widths);
        if (focus && l->top + i == l->cursor)
            canvas_flag(c, (struct box){rows.x, y, rows.w, 1}, -1, CANVAS_CURSOR);
    }
    if (!l->rows.len && rows.h > 0)
        canvas_text(c, rows.x, rows.y, rows.w, empty, TUI_DIM, 0);
}

bool list_click(struct list *l, int x, int y)
{
    if (x < l->box.x || x >= l->box.x + l->box.w || y < l->box.y || y >= l->box.y + l->box.h ||
        l->top + (size_t)(y - l->box.y) >= l->rows.len)
        return false;
    list_go_to(l, l->top + (size_t)(y - l->box.y));
    return true;
}
