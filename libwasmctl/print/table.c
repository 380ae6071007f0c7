#include "print/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct row {
    char **cells;
    size_t len, cap;
};

struct print_table {
    VEC(struct row) rows;
    struct row current;
    size_t *widths; /* padding included */
    size_t nwidths;
};

struct print_table *print_table_new(void)
{
    return xcalloc(1, sizeof(struct print_table));
}

static void row_release(struct row *r)
{
    for (size_t i = 0; i < r->len; i++)
        free(r->cells[i]);
    free(r->cells);
    *r = (struct row){0};
}

static void drop_rows(struct print_table *t)
{
    for (size_t i = 0; i < t->rows.len; i++)
        row_release(&t->rows.items[i]);
    t->rows.len = 0;
}

void print_table_free(struct print_table *t)
{
    if (!t)
        return;
    drop_rows(t);
    row_release(&t->current);
    free(t->rows.items);
    free(t->widths);
    free(t);
}

static char *shown_cell(const char *text)
{
    size_t len = strcspn(text, "\n\r\f");
    _cleanup_free_ char *first_line = xstrndup(text, len);

    if (!text[len])
        return str_escape_control(first_line, false);
    _cleanup_free_ char *shown = str_escape_control(first_line, false);
    return xasprintf("%s...", shown);
}

void print_table_cell(struct print_table *t, const char *text)
{
    struct row *r = &t->current;

    if (r->len == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 8;
        r->cells = xreallocarray(r->cells, r->cap, sizeof(*r->cells));
    }
    r->cells[r->len++] = shown_cell(text ? text : "");
}

void print_table_cellf(struct print_table *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    print_table_cell(t, text);
}

void print_table_end_row(struct print_table *t)
{
    vec_push(&t->rows, t->current);
    t->current = (struct row){0};
}

void print_table_row(struct print_table *t, const char *first, ...)
{
    va_list ap;

    va_start(ap, first);
    for (const char *cell = first; cell; cell = va_arg(ap, const char *))
        print_table_cell(t, cell);
    va_end(ap);
    print_table_end_row(t);
}

size_t print_table_rows(const struct print_table *t)
{
    return t->rows.len;
}

static void widen(struct print_table *t, size_t column, size_t width)
{
    if (column >= t->nwidths) {
        t->widths = xreallocarray(t->widths, column + 1, sizeof(*t->widths));
        for (; t->nwidths <= column; t->nwidths++)
            t->widths[t->nwidths] = PRINT_MIN_COLUMN;
    }
    if (t->widths[column] < width)
        t->widths[column] = width;
}

void print_table_flush(struct print_table *t, struct buf *out, size_t indent)
{
    /* The last cell of a line ends it: only cells with a right neighbour count for the width. */
    for (size_t i = 0; i < t->rows.len; i++)
        for (size_t c = 0; c + 1 < t->rows.items[i].len; c++)
            widen(t, c, str_width(t->rows.items[i].cells[c]) + PRINT_PADDING);
    for (size_t i = 0; i < t->rows.len; i++) {
        const struct row *r = &t->rows.items[i];
        buf_fill(out, ' ', indent);
        for (size_t c = 0; c < r->len; c++) {
            buf_adds(out, r->cells[c]);
            if (c + 1 < r->len)
                buf_fill(out, ' ', t->widths[c] - str_width(r->cells[c]));
        }
        buf_addc(out, '\n');
    }
    drop_rows(t);
}

void print_table_reset(struct print_table *t)
{
    t->nwidths = 0;
}
