/*
 * The terminal (ncurses): keys in, cells out. One a process. Restores the terminal when it is closed, when
 * the program crashes, is killed (SIGTERM, SIGHUP, SIGINT...) or stopped.
 */
#ifndef WASMCTL_TUI_TERMINAL_H
#define WASMCTL_TUI_TERMINAL_H

#include "base/err.h"
#include "tui/canvas.h"
#include "tui/theme.h"

struct terminal;

struct terminal_options {
    const struct theme *theme; /* copied */
    bool mouse, no_colour;
};

struct terminal_mouse {
    int x, y, wheel; /* wheel: -1 up, 1 down, 0 a click */
};

/* ERR_INVALID: standard input or output is no terminal, or TERM is not known. */
int terminal_open(const struct terminal_options *options, struct terminal **ret, struct err **err);
void terminal_close(struct terminal *t);
DEFINE_CLEANUP(struct terminal *, terminal_close)
bool terminal_utf8(void); /* as the locale says */
void terminal_size(struct terminal *t, int *ret_w, int *ret_h);
void terminal_set_theme(struct terminal *t, const struct theme *theme);
/* The next key that waits, 0 for none; TUI_KEY_MOUSE fills *mouse; TUI_KEY_RESIZE when the size has changed.
 */
uint32_t terminal_key(struct terminal *t, struct terminal_mouse *mouse);
/* Shows the canvas: only what differs from what is there is sent. */
void terminal_show(struct terminal *t, const struct canvas *c);
/* Gives the terminal back for a while (an editor, Ctrl-Z), and takes it again: all is drawn anew then. */
void terminal_leave(struct terminal *t);
void terminal_return(struct terminal *t);

#endif
