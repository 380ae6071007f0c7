/*
 * What -o (and --template) asks for, and the objects printed so. One printer for all formats but tables
 * (`wide`, `csv` and none), which server_table.h prints: print_output_is_table() tells.
 *
 *   json yaml name ndjson
 *   jsonpath=TEMPLATE jsonpath-as-json=TEMPLATE jsonpath-file=FILE
 *   custom-columns=SPEC custom-columns-file=FILE
 *   go-template=TEMPLATE go-template-file=FILE (also template=, templatefile=)
 *
 * A list is printed page by page in json, yaml, ndjson and name; custom columns keep their cells (not the
 * objects) so that all rows line up; templates need the whole list.
 */
#ifndef WASMCTL_PRINT_OUTPUT_H
#define WASMCTL_PRINT_OUTPUT_H

#include "print/object.h"

struct print_output;

struct print_output_options {
    const char *format;   /* -o; NULL = none */
    const char *template; /* --template; used when the format names none; alone it is a Go template */
    bool tables;          /* "wide" and "csv" are allowed */
    bool missing_keys_are_errors;
    bool no_headers;     /* custom-columns */
    bool records;        /* custom-columns: print_table_as_records(); YAML: no "---" between documents */
    bool managed_fields; /* keep metadata.managedFields */
    bool terminal;       /* values go to a terminal: control characters are made visible */
    bool colour;
};

/* Parses the format and its template, reading its file. ERR_INVALID in kubectl's words; ERR_NOT_FOUND... for
 * the file; ERR_UNSUPPORTED for what Go templates have and we do not, named. */
int print_output_new(const struct print_output_options *options, struct print_output **ret, struct err **err);
void print_output_free(struct print_output *p);
DEFINE_CLEANUP(struct print_output *, print_output_free)

enum print_format print_output_format(const struct print_output *p);
/* Table, wide or csv. */
bool print_output_is_table(const struct print_output *p);

/* How objects that are added belong together. A stream (watch) by default. */
enum print_shape {
    PRINT_STREAM, /* each by itself, printed at once; YAML documents are separated */
    PRINT_SINGLE, /* the one object that was asked for */
    PRINT_LIST,   /* a List of them */
};
void print_output_shape(struct print_output *p, enum print_shape shape);

/* Takes the object and appends what can be printed already. kind: "wasmactor.wasmctl.dev", for names; may be
 * NULL (the object's own kind). On failure nothing more can be added. */
int print_output_add(struct print_output *p, cJSON *object, const char *kind, struct buf *out,
                     struct err **err);
/* How many were added. */
size_t print_output_count(const struct print_output *p);
/* Appends the rest; of PRINT_LIST also when nothing was added: an empty list. */
int print_output_finish(struct print_output *p, struct buf *out, struct err **err);

#endif
