/* What an edit means: the difference of two states of an object, and whether it meets other people's changes.
 */
#ifndef WASMCTL_CLI_EDIT_PATCH_H
#define WASMCTL_CLI_EDIT_PATCH_H

#include "data/json.h"

/* The JSON merge patch (RFC 7386) that makes `to` out of `from`; an empty object when they are the same.
 * Lists are replaced as a whole. */
cJSON *edit_patch_make(const cJSON *from, const cJSON *to);
/* Appends a line ("* data.key: was \"one\", is now \"two\"") for every field that the patch sets and that has
 * changed from `before` to `now` to something else than what the patch sets. Returns how many. secret:
 * without the values. */
int edit_patch_clashes(const cJSON *patch, const cJSON *before, const cJSON *now, bool secret,
                       struct buf *out);

#endif
