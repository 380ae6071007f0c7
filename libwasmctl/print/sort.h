/* --sort-by: puts what was listed in the order of one field. Numbers by size, texts that are quantities
 * ("64Mi", "1500m") by theirs, other texts by byte, arrays by their elements; what has no such field comes
 * first. Equal ones stay in the order they came in. */
#ifndef WASMCTL_PRINT_SORT_H
#define WASMCTL_PRINT_SORT_H

#include "data/json.h"

struct print_sorter;

/* path: metadata.name, .metadata.name or {.metadata.name}. ERR_INVALID in kubectl's words. */
int print_sorter_new(const char *path, struct print_sorter **ret, struct err **err);
void print_sorter_free(struct print_sorter *s);
DEFINE_CLEANUP(struct print_sorter *, print_sorter_free)

/* Takes item; object, which holds the field, may be item or a part of it, and may change afterwards: the field
 * is copied. On failure item is freed. */
int print_sorter_add(struct print_sorter *s, cJSON *item, const cJSON *object, struct err **err);
/* The items as an array in order, for the caller to free; the sorter is empty afterwards. ERR_NOT_FOUND when
 * no item has the field, ERR_INVALID for a field that has no order. */
int print_sorter_finish(struct print_sorter *s, cJSON **ret, struct err **err);

#endif
