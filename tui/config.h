/*
 * What the user has set: $XDG_CONFIG_HOME/wasmctl/dash.yaml, or another file.
 *
 *   theme: light                 a built-in one, or a file: NAME is themes/NAME.yaml beside this one
 *   roles: {bad: "196 bold"}     over the theme; "cursor" is the row the cursor is on (tui/theme.h)
 *   mouse: true
 *   layout: night                at the start
 *   layouts: {night: "v(clusters:20, h(hosts, actors))"}
 *   layoutFor:                   the first one of which every context shown matches a pattern
 *   - contexts: [gcp, "aws-*"]
 *     layout: clouds
 *   keys: {actors.scale: s, list.down: "j down", global.quit: "q ctrl-c"}     SCOPE.ACTION; "" for none
 *
 * Theme files have a style for each role they set, and may have `inherits: NAME`. Everything is checked when
 * it is read: ERR_INVALID names file and line.
 */
#ifndef WASMCTL_TUI_CONFIG_H
#define WASMCTL_TUI_CONFIG_H

#include "base/err.h"
#include "base/map.h"
#include "tui/keymap.h"
#include "tui/theme.h"

enum { TUI_CONFIG_MOST = 1 << 20 /* bytes */ };

struct tui_config {
    char *path;
    struct map *layouts; /* name -> char * */
    struct keymap *keys;
    struct theme theme;
    char *layout; /* NULL if not set */
    bool mouse;
    struct cJSON *root; /* as read; NULL if there is no file */
    bool comments;      /* the file has some */
};

/* path NULL: the usual place, which may be absent. theme (may be NULL) is taken instead of the file's. */
int tui_config_load(const char *path, const char *theme, struct tui_config **ret, struct err **err);
void tui_config_free(struct tui_config *c);
DEFINE_CLEANUP(struct tui_config *, tui_config_free)

/* For these contexts; NULL when nothing is set. */
const char *tui_config_layout(const struct tui_config *c, const char *const *contexts, size_t n);
/* A theme by its name, with the user's roles over it. ERR_NOT_FOUND, ERR_INVALID. */
int tui_config_theme(const struct tui_config *c, const char *name, struct theme *ret, struct err **err);
/* Names for completion; caller frees. */
char **tui_config_themes(const struct tui_config *c);
/* Keeps a layout under a name, in memory and in the file, which is written as a whole (comments are lost). */
int tui_config_save_layout(struct tui_config *c, const char *name, const char *text, struct err **err);

#endif
