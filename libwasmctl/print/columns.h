/*
 * -o custom-columns: columns of chosen fields, "NAME:.metadata.name,LABELS:.metadata.labels".
 *
 * Values are shown as Go prints them, several with commas between, <none> where there is nothing. Line breaks
 * in a value are made visible; of a table of one column, which needs no lining up, they are printed.
 */
#ifndef WASMCTL_PRINT_COLUMNS_H
#define WASMCTL_PRINT_COLUMNS_H

#include "data/json.h"

struct print_columns;

/* HEADER:PATH with commas between. ERR_INVALID in kubectl's words. */
int print_columns_parse(const char *spec, struct print_columns **ret, struct err **err);
/* A file's text: a line of headers, a line of as many paths, blanks between. */
int print_columns_parse_file(const char *text, struct print_columns **ret, struct err **err);
void print_columns_free(struct print_columns *c);
DEFINE_CLEANUP(struct print_columns *, print_columns_free)

/* Headers in bold. */
void print_columns_set_colour(struct print_columns *c, bool on);
/* print_table_as_records(), of a single column too. */
void print_columns_as_records(struct print_columns *c);
void print_columns_hide_headers(struct print_columns *c);
/* A row for the object; sort its members for kubectl's output of maps. */
int print_columns_add(struct print_columns *c, const cJSON *object, struct err **err);
/* Bytes of text that wait. */
size_t print_columns_waiting(const struct print_columns *c);
/* Appends the rows that wait, before the first the headers. Rows of one flush line up with each other and,
 * as far as they fit, with earlier ones. */
void print_columns_flush(struct print_columns *c, struct buf *out);
/* The headers when no row ever came. */
void print_columns_finish(struct print_columns *c, struct buf *out);

#endif
