/* Tables as the API server sends them (meta.k8s.io/v1 Table), printed as kubectl does, or as CSV. Objects and
 * lists of a server that sends no tables are shown with NAME and AGE. */
#ifndef WASMCTL_PRINT_SERVER_TABLE_H
#define WASMCTL_PRINT_SERVER_TABLE_H

#include "data/json.h"

struct print_server_table;

struct print_server_table_options {
    bool wide;           /* also columns with a priority */
    const char *context; /* csv: CONTEXT column before everything; borrowed */
    bool csv;            /* comma-separated values, whole and of all columns, instead of aligned text */
    bool colour;         /* bold headers, conditions by their state (print/colour.h); not with csv */
    bool no_headers;
    bool namespaces;            /* NAMESPACE column first */
    bool records;               /* print_table_as_records() */
    bool events;                /* EVENT column before everything (watch) */
    bool show_labels;           /* LABELS column last */
    char *const *label_columns; /* NULL-ended, may be NULL; borrowed */
    const char
        *name_prefix; /* "wasmactor.wasmctl.dev": names become prefix/name; NULL = as they are; borrowed */
};

/* options are copied (what they point to is not). */
struct print_server_table *print_server_table_new(const struct print_server_table_options *options);
void print_server_table_free(struct print_server_table *t);
DEFINE_CLEANUP(struct print_server_table *, print_server_table_free)

/* Appends the rows of an answer: a Table, a List, or one object. The header comes before the first row only;
 * the columns are those of the first table that names any. event: text of the EVENT column, NULL if there is
 * none. Returns the number of rows, or ERR_PROTOCOL when answer is none of the three. */
int print_server_table_add(struct print_server_table *t, struct buf *out, const cJSON *answer,
                           const char *event, struct err **err);

#endif
