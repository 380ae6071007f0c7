/* Keys and their names: "a", "A", "space", "enter", "esc", "tab", "backtab", "up", "ctrl-a", "alt-x", "f5"...
 */
#ifndef WASMCTL_TUI_KEY_H
#define WASMCTL_TUI_KEY_H

#include <stdbool.h>
#include <stdint.h>

/* A code point, or one of these. */
enum tui_key {
    TUI_KEY_NONE = 0,
    TUI_KEY_TAB = 9,
    TUI_KEY_ENTER = 13,
    TUI_KEY_ESC = 27,
    TUI_KEY_BACKSPACE = 127,
    TUI_KEY_FIRST = 0x110000,
    TUI_KEY_UP = TUI_KEY_FIRST,
    TUI_KEY_DOWN,
    TUI_KEY_LEFT,
    TUI_KEY_RIGHT,
    TUI_KEY_HOME,
    TUI_KEY_END,
    TUI_KEY_PAGE_UP,
    TUI_KEY_PAGE_DOWN,
    TUI_KEY_INSERT,
    TUI_KEY_DELETE,
    TUI_KEY_BACKTAB,
    TUI_KEY_F1, /* to F12 */
    TUI_KEY_F12 = TUI_KEY_F1 + 11,
    TUI_KEY_LAST = TUI_KEY_F12,
    TUI_KEY_MOUSE, /* the event is in struct tui_mouse */
    TUI_KEY_RESIZE,
    TUI_KEY_CTRL = 1 << 22, /* added to the above and to lower case letters and \ ] ^ _ space */
    TUI_KEY_ALT = 1 << 23,
    TUI_KEY_SHIFT = 1 << 24, /* arrows and such only: shifted letters are the upper case ones */
};

/* 0 for what is no key. Letters after "shift-" become upper case. */
uint32_t tui_key_parse(const char *name);
enum { TUI_KEY_NAME_LEN = 24 };
const char *tui_key_name(uint32_t key, char out[TUI_KEY_NAME_LEN]);

#endif
