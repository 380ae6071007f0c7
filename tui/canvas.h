/*
 * What is on the screen, as a grid of cells: panes draw here, tui/terminal.h brings it to the terminal, tests
 * dump it as text. A cell has a character, a role (what it means: the theme gives its colour) and flags.
 *
 * Everything is clipped (clip): a pane cannot draw outside of its box. Text is UTF-8 from anywhere: control
 * characters and invalid bytes are made visible, wide characters take two cells, combining ones are left out.
 * On a terminal without UTF-8 (ascii) lines are drawn with - | + and other characters become '?'.
 */
#ifndef WASMCTL_TUI_CANVAS_H
#define WASMCTL_TUI_CANVAS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"

enum tui_role {
    TUI_TEXT,
    TUI_DIM,     /* less important: ages, hints */
    TUI_TITLE,   /* of a pane */
    TUI_HEADER,  /* of columns */
    TUI_BORDER,  /* of panes without the focus */
    TUI_FOCUS,   /* of the pane with it */
    TUI_GOOD,    /* ready, live */
    TUI_BUSY,    /* on its way */
    TUI_WARN,    /* wants attention */
    TUI_BAD,     /* does not work */
    TUI_UNKNOWN, /* nobody can say */
    TUI_KEY,     /* a key in a hint */
    TUI_PROMPT,  /* the command line */
    TUI_MATCH,   /* what was searched for */
    TUI_MARK,    /* a marked row */
    TUI_SERIES,  /* first of TUI_SERIES_LEN colours that tell sources apart */
    TUI_SERIES_LAST = TUI_SERIES + 5,
    TUI_ROLES
};
enum { TUI_SERIES_LEN = 6 };
extern const char *const tui_role_names[TUI_ROLES]; /* as in theme files: "text", ..., "series1"... */

enum { CANVAS_BOLD = 1, CANVAS_UNDERLINE = 2, CANVAS_CURSOR = 4 /* the row the cursor is on */ };

struct canvas_cell {
    uint32_t ch; /* 0: the second half of a wide character */
    uint8_t role, flags;
};

struct box {
    int x, y, w, h;
};

struct canvas {
    int w, h;
    bool ascii;
    struct box clip;           /* nothing is drawn outside of it; canvas_resize() makes it everything */
    struct canvas_cell *cells; /* w * h */
};

enum { CANVAS_MOST = 1000 }; /* columns, rows */

/* Sizes are brought into [1, CANVAS_MOST]. */
struct canvas *canvas_new(int w, int h, bool ascii);
void canvas_free(struct canvas *c);
DEFINE_CLEANUP(struct canvas *, canvas_free)
void canvas_resize(struct canvas *c, int w, int h); /* clears it */

/* Narrows the clip to what it has in common with the box; returns what it was, to be put back. */
struct box canvas_clip(struct canvas *c, struct box box);

void canvas_clear(struct canvas *c, struct box box);
/* Draws text into at most `width` columns at x, y, cut with an ellipsis when it is longer; stays in the
 * canvas. Returns the columns used. */
int canvas_text(struct canvas *c, int x, int y, int width, const char *text, enum tui_role role,
                unsigned flags);
/* The same, of a text that need not end with a NUL, from column `skip` of it on, cut without a mark. */
int canvas_span(struct canvas *c, int x, int y, int width, const char *text, size_t len, int skip,
                enum tui_role role, unsigned flags);
/* Adds flags, and a role unless it is < 0, to what is there. */
void canvas_flag(struct canvas *c, struct box box, int role, unsigned flags);
/* A frame along the edges of the box. */
void canvas_frame(struct canvas *c, struct box box, enum tui_role role);
void canvas_hline(struct canvas *c, int x, int y, int w, enum tui_role role);
void canvas_vline(struct canvas *c, int x, int y, int h, enum tui_role role);
/* One character, as canvas_text() would draw it. */
void canvas_put(struct canvas *c, int x, int y, uint32_t ch, enum tui_role role, unsigned flags);

/* The inside of a frame; w and h are never below 0. */
struct box box_inside(struct box b);

/* As text, rows ended by newlines, blanks at their ends left out. roles: each row is followed by one of
 * letters, a letter for each cell that is not plain text ('.' = plain; upper case = the cursor's row). */
void canvas_dump(const struct canvas *c, bool roles, struct buf *out);

#endif
