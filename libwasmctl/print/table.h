/*
 * Aligned text columns as kubectl prints them: three spaces between, at least PRINT_MIN_COLUMN wide, the last
 * cell of a line not padded. Cells are cut at their first line break ("..." then), control characters are
 * made visible.
 *
 * Rows are collected and written by print_table_flush(). The widths are remembered: rows flushed later
 * (pages, watch events) line up with the earlier ones as long as they fit.
 */
#ifndef WASMCTL_PRINT_TABLE_H
#define WASMCTL_PRINT_TABLE_H

#include <stdbool.h>
#include "base/buf.h"

struct print_table;

enum { PRINT_PADDING = 3, PRINT_MIN_COLUMN = 6 };

struct print_table *print_table_new(void);
void print_table_free(struct print_table *t);
DEFINE_CLEANUP(struct print_table *, print_table_free)

/* Appends a cell to the current row; NULL is an empty one. */
void print_table_cell(struct print_table *t, const char *text);
void print_table_cellf(struct print_table *t, const char *fmt, ...) _printf_(2, 3);
void print_table_end_row(struct print_table *t);
/* The same for the row with the names of the columns. */
void print_table_end_header(struct print_table *t);
/* A whole row: NULL-ended cells. */
void print_table_row(struct print_table *t, const char *first, ...) __attribute__((sentinel));
/* Rows waiting for the next flush. */
size_t print_table_rows(const struct print_table *t);
/* Appends the rows to out, each line behind `indent` spaces. */
void print_table_flush(struct print_table *t, struct buf *out, size_t indent);
/* Headers in bold and conditions by their state (print/colour.h), from now on. The state is told by the title
 * of its column, so a table without a header stays plain. */
void print_table_set_colour(struct print_table *t, bool on);
/* Forgets the widths: a new table begins. */
void print_table_reset(struct print_table *t);

/*
 * Several tables that are shown as one (of several clusters): each is flushed as records instead of lines,
 * and another table lines the records of all of them up. A record is PRINT_RECORD_ROW or PRINT_RECORD_HEADER,
 * the cells with PRINT_RECORD_SEPARATOR between them, and a line break; none of the three occurs in a cell.
 */
enum { PRINT_RECORD_ROW = '\x1e', PRINT_RECORD_HEADER = '\x1d', PRINT_RECORD_SEPARATOR = '\x1f' };
/* From now on print_table_flush() appends records. */
void print_table_as_records(struct print_table *t);
/* Makes the columns wide enough for these records, each behind a cell `first`. */
void print_table_measure(struct print_table *t, const char *first, const char *records, size_t len);
/* Appends these records, which were measured before, as lines, each behind a cell `first`. */
void print_table_lines(struct print_table *t, struct buf *out, const char *first, const char *records,
                       size_t len);

#endif
