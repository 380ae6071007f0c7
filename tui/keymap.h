/* Which keys run which actions: those of the action tables, unless the user's file says otherwise. */
#ifndef WASMCTL_TUI_KEYMAP_H
#define WASMCTL_TUI_KEYMAP_H

#include "base/err.h"
#include "tui/pane.h"

struct keymap;

struct keymap *keymap_new(void);
void keymap_free(struct keymap *k);
/* scope: name of a pane class, "list" or "global". keys: as in struct action; "" for none. ERR_INVALID: what
 * is no key. The action is not looked up here. */
int keymap_set(struct keymap *k, const char *scope, const char *action, const char *keys, struct err **err);
/* Keys of an action, as text. k may be NULL. */
const char *keymap_keys(const struct keymap *k, const char *scope, const struct action *a);
/* The action of a table that the key runs, NULL if there is none. */
const struct action *keymap_find(const struct keymap *k, const char *scope, const struct action *table,
                                 uint32_t key);

#endif
