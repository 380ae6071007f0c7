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

/* Takes the rows of a Table, the items of a List or one object out of an answer of the server. Of a Table's
 * objects (ask for them with includeObject=Object) only what its printing needs is kept. */
int print_sorter_take(struct print_sorter *s, cJSON *answer, struct err **err);
/* An answer of the same kind with all of them in order, for the caller to free; the sorter is empty
 * afterwards. ERR_NOT_FOUND when none has the field. NULL when nothing was taken. */
int print_sorter_finish(struct print_sorter *s, cJSON **ret, struct err **err);

#endif
