/* Comma-separated values as RFC 4180 has them: lines end with CR LF, fields with commas, quotes or line feeds
 * are quoted. Control characters other than tabs and line feeds are made visible. */
#ifndef WASMCTL_PRINT_CSV_H
#define WASMCTL_PRINT_CSV_H

#include <stdbool.h>
#include "base/buf.h"

/* Appends one field, with a comma in front of it unless it is the first of its line. */
void print_csv_field(struct buf *out, const char *text, bool first);
void print_csv_end(struct buf *out);

#endif
