/* Label selectors: the text form (`a=b,c!=d,e in (x,y),f,!g`) and the LabelSelector object (matchLabels,
 * matchExpressions). */
#ifndef WASMCTL_DATA_SELECTOR_H
#define WASMCTL_DATA_SELECTOR_H

#include "base/map.h"
#include "data/json.h"

struct selector;

int selector_parse(const char *text, struct selector **ret, struct err **err);
/* NULL or an empty object matches everything. */
int selector_from_json(const cJSON *label_selector, struct selector **ret, struct err **err);
void selector_free(struct selector *s);
DEFINE_CLEANUP(struct selector *, selector_free)
/* labels: string values. s NULL matches everything. */
bool selector_matches(const struct selector *s, const struct map *labels);
/* "intention=actor,cloud in (aws,gcp)", "<everything>" for an empty one; caller frees. */
char *selector_text(const struct selector *s);
/* The first requirement that does not hold, as text ("cloud in (aws,gcp)"), NULL when all hold; caller frees.
 */
char *selector_first_mismatch(const struct selector *s, const struct map *labels);

#endif
