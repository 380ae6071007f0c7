/*
 * Colours of the roles (tui/canvas.h) on terminals of 256, 16, 8 colours and none. What a colour says is also
 * said by a word or a mark, so that nothing is lost without it; the default tells good from bad by blue and
 * orange.
 *
 * Theme files are YAML: role: "FOREGROUND [BACKGROUND] [bold] [underline] [reverse] [dim]", colours by their
 * number (0-255), their name (black red green yellow blue magenta cyan white default), or #rrggbb (the
 * nearest of 256).
 */
#ifndef WASMCTL_TUI_THEME_H
#define WASMCTL_TUI_THEME_H

#include "base/err.h"
#include "tui/canvas.h"

enum { THEME_DEFAULT_COLOUR = -1 };
enum { THEME_BOLD = 1, THEME_UNDERLINE = 2, THEME_REVERSE = 4, THEME_DIM = 8 };

struct theme_style {
    int fg, bg; /* of 256, THEME_DEFAULT_COLOUR */
    unsigned attributes;
};
struct theme {
    struct theme_style roles[TUI_ROLES], cursor; /* cursor: the row it is on; fg default = the role's */
};

/* Built in: "default", "light", "high-contrast", "mono"; names NULL-ended. */
extern const char *const theme_names[];
bool theme_builtin(const char *name, struct theme *ret);
/* A style as text, into *ret. ERR_INVALID says what is wrong. */
int theme_style_parse(const char *text, struct theme_style *ret, struct err **err);
/* The nearest of so many colours (8, 16; others: as it is). */
int theme_colour(int colour, int colours);

#endif
