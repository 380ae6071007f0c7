/* Whole objects as text. print/output.h is about all -o formats; here are those that need nothing but the
 * object. */
#ifndef WASMCTL_PRINT_OBJECT_H
#define WASMCTL_PRINT_OBJECT_H

#include "data/json.h"

enum print_format {
    PRINT_TABLE,
    PRINT_WIDE,
    PRINT_CSV,
    PRINT_JSON,
    PRINT_YAML,
    PRINT_NDJSON, /* one line an object */
    PRINT_NAME,
    PRINT_JSONPATH,
    PRINT_JSONPATH_JSON,
    PRINT_COLUMNS,
    PRINT_GO_TEMPLATE,
};

/* For commands that print only whole objects: "", "wide", "json", "yaml", "name"; NULL is PRINT_TABLE.
 * ERR_INVALID in kubectl's words, naming the allowed ones. */
int print_format_parse(const char *text, enum print_format *ret, struct err **err);

/* Members sorted by name at every depth, as kubectl prints them. In place. */
void print_sort_members(cJSON *o);
/* Drops metadata.managedFields; of a List, from every item. In place. */
void print_drop_managed_fields(cJSON *o);

/* Appends o in PRINT_JSON, PRINT_YAML or PRINT_NDJSON, with a final newline. Sorts o. */
void print_object(struct buf *out, enum print_format format, cJSON *o);
/* {"apiVersion":"v1","kind":"List","items":[...]}; takes the items (a JSON array). */
cJSON *print_list_object(cJSON *items);
/* Such a List in pieces, PRINT_JSON or PRINT_YAML; what print_object() makes of it when it has one item or
 * more: begin, item, next, item..., end. print_list_item() sorts the object. */
void print_list_begin(struct buf *out, enum print_format format);
void print_list_item(struct buf *out, enum print_format format, cJSON *object);
void print_list_next(struct buf *out, enum print_format format);
void print_list_end(struct buf *out, enum print_format format);
/* Appends one document of a stream of objects: YAML documents are separated by "---". first: nothing was
 * printed yet. */
void print_object_stream(struct buf *out, enum print_format format, cJSON *o, bool first);

#endif
