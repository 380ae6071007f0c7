/*
 * The filter of all panes, as it is typed behind `/`:
 *
 *   text       a PCRE2 expression somewhere in the row, upper and lower case alike
 *   !text      rows in which it is not
 *   -l a=b     objects by their labels (rows without labels are not shown)
 *   -f text    fuzzy: its characters in this order
 */
#ifndef WASMCTL_TUI_FILTER_H
#define WASMCTL_TUI_FILTER_H

#include "base/err.h"
#include "base/map.h"

struct tui_filter;

/* ERR_INVALID says what is wrong. An empty text gives NULL: everything matches. */
int tui_filter_new(const char *text, struct tui_filter **ret, struct err **err);
void tui_filter_free(struct tui_filter *f);
DEFINE_CLEANUP(struct tui_filter *, tui_filter_free)
/* f NULL matches all. text: what the row shows; labels may be NULL. */
bool tui_filter_matches(struct tui_filter *f, const char *text, const struct map *labels);
const char *tui_filter_text(const struct tui_filter *f); /* as typed; "" for NULL */

#endif
