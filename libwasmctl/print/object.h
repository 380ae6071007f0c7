/* Whole objects as text: the -o formats json, yaml and name. */
#ifndef WASMCTL_PRINT_OBJECT_H
#define WASMCTL_PRINT_OBJECT_H

#include "data/json.h"

enum print_format { PRINT_TABLE, PRINT_WIDE, PRINT_JSON, PRINT_YAML, PRINT_NAME };

/* "", "wide", "json", "yaml", "name"; NULL is PRINT_TABLE. ERR_INVALID in kubectl's words, naming the allowed
 * ones. */
int print_format_parse(const char *text, enum print_format *ret, struct err **err);

/* Members sorted by name at every depth, as kubectl prints them. In place. */
void print_sort_members(cJSON *o);
/* Drops metadata.managedFields; of a List, from every item. In place. */
void print_drop_managed_fields(cJSON *o);

/* Appends o in PRINT_JSON or PRINT_YAML, with a final newline. Sorts o. */
void print_object(struct buf *out, enum print_format format, cJSON *o);
/* {"apiVersion":"v1","kind":"List","items":[...]}; takes the items (a JSON array). */
cJSON *print_list_object(cJSON *items);
/* Appends one document of a stream of objects: YAML documents are separated by "---". first: nothing was
 * printed yet. */
void print_object_stream(struct buf *out, enum print_format format, cJSON *o, bool first);

#endif
