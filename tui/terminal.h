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
/* As the locale says, which is taken from the environment by this call; widths of characters follow it. */
bool terminal_utf8(void);
void terminal_size(struct terminal *t, int *ret_w, int *ret_h);
void terminal_set_theme(struct terminal *t, const struct theme *theme);
/* The next key that waits, 0 for none; TUI_KEY_MOUSE fills *mouse; TUI_KEY_RESIZE when the size has changed.
 */
uint32_t terminal_key(struct terminal *t, struct terminal_mouse *mouse);
/* Nothing waits for the terminal: what it does not take at once is kept, and while it is, nothing more is
 * drawn, so a terminal that stalls costs one frame of memory. */
enum terminal_sent {
    TERMINAL_SENT,
    TERMINAL_BUSY, /* call terminal_send() when terminal_out() can be written to */
    TERMINAL_GONE, /* it was closed */
};
/* Shows the canvas: only what differs from what is there is sent. Busy with an earlier one: it is not looked
 * at, show it again later. */
enum terminal_sent terminal_show(struct terminal *t, const struct canvas *c);
enum terminal_sent terminal_send(struct terminal *t);
/* Descriptors to wait for; not to be read or written. */
int terminal_in(const struct terminal *t);
int terminal_out(const struct terminal *t);
/* Gives the terminal back for a while (an editor, Ctrl-Z), and takes it again: all is drawn anew then. */
void terminal_leave(struct terminal *t);
void terminal_return(struct terminal *t);

/* Puts a text into the clipboard of the terminal's machine (OSC 52), with the next frame; terminals that do
 * not know it ignore it. */
void terminal_copy(struct terminal *t, const char *text);

#endif
