#include "print/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "print/colour.h"

struct row {
    char **cells;
    size_t len, cap;
    bool header;
};

struct print_table {
    VEC(struct row) rows;
    struct row current;
    size_t *widths; /* padding included */
    size_t nwidths;
    bool records, colour;
    char **titles; /* of the last header, for the colours */
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
    strv_free(t->titles);
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

void print_table_end_header(struct print_table *t)
{
    t->current.header = true;
    print_table_end_row(t);
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

void print_table_as_records(struct print_table *t)
{
    t->records = true;
}

void print_table_set_colour(struct print_table *t, bool on)
{
    t->colour = on;
}

/* A header begins: its cells are the titles from now on. */
static void begin_titles(struct print_table *t)
{
    strv_free(t->titles);
    t->titles = t->colour ? strv_new() : NULL;
}

static void add_cell(struct print_table *t, struct buf *out, size_t column, bool header, const char *text)
{
    const char *start = NULL;

    if (t->colour && header) {
        strv_push(&t->titles, text);
        start = PRINT_COLOUR_HEADER;
    } else if (t->colour && t->titles && column < strv_len(t->titles)) {
        start = print_colour_of(t->titles[column], text);
    }
    if (start && *text)
        buf_addf(out, "%s%s" PRINT_COLOUR_END, start, text);
    else
        buf_adds(out, text);
}

static void add_records(const struct print_table *t, struct buf *out)
{
    for (size_t i = 0; i < t->rows.len; i++) {
        const struct row *r = &t->rows.items[i];
        buf_addc(out, r->header ? PRINT_RECORD_HEADER : PRINT_RECORD_ROW);
        for (size_t c = 0; c < r->len; c++) {
            if (c)
                buf_addc(out, PRINT_RECORD_SEPARATOR);
            buf_adds(out, r->cells[c]);
        }
        buf_addc(out, '\n');
    }
}

void print_table_flush(struct print_table *t, struct buf *out, size_t indent)
{
    if (t->records) {
        add_records(t, out);
        drop_rows(t);
        return;
    }
    /* The last cell of a line ends it: only cells with a right neighbour count for the width. */
    for (size_t i = 0; i < t->rows.len; i++)
        for (size_t c = 0; c + 1 < t->rows.items[i].len; c++)
            widen(t, c, str_width(t->rows.items[i].cells[c]) + PRINT_PADDING);
    for (size_t i = 0; i < t->rows.len; i++) {
        const struct row *r = &t->rows.items[i];
        buf_fill(out, ' ', indent);
        if (r->header)
            begin_titles(t);
        for (size_t c = 0; c < r->len; c++) {
            add_cell(t, out, c, r->header, r->cells[c]);
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

/* Records of other tables */

/* Copies the next cell into *cell and passes it; false when it is the last one of its record. */
static bool next_cell(const char **at, const char *end, struct buf *cell)
{
    const char *from = *at, *to = from;

    while (to < end && *to != PRINT_RECORD_SEPARATOR && *to != '\n')
        to++;
    buf_truncate(cell, 0);
    buf_add(cell, from, (size_t)(to - from));
    *at = to < end ? to + 1 : end;
    return to < end && *to == PRINT_RECORD_SEPARATOR;
}

void print_table_measure(struct print_table *t, const char *first, const char *records, size_t len)
{
    const char *at = records, *end = records + len;
    _cleanup_buf_ struct buf cell = BUF_INIT;

    widen(t, 0, str_width(first) + PRINT_PADDING);
    while (at < end) {
        at++;
        for (size_t c = 1; next_cell(&at, end, &cell); c++)
            widen(t, c, str_width(buf_str(&cell)) + PRINT_PADDING);
    }
}

void print_table_lines(struct print_table *t, struct buf *out, const char *first, const char *records,
                       size_t len)
{
    const char *at = records, *end = records + len;
    _cleanup_buf_ struct buf cell = BUF_INIT;

    while (at < end) {
        bool header = *at++ == PRINT_RECORD_HEADER;
        size_t c = 1;
        if (header)
            begin_titles(t);
        add_cell(t, out, 0, header, first);
        buf_fill(out, ' ', t->widths[0] - str_width(first));
        for (; next_cell(&at, end, &cell); c++) {
            add_cell(t, out, c, header, buf_str(&cell));
            buf_fill(out, ' ', t->widths[c] - str_width(buf_str(&cell)));
        }
        add_cell(t, out, c, header, buf_str(&cell));
        buf_addc(out, '\n');
    }
}
