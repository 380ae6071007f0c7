#include "tui/key.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const struct {
    const char *name;
    uint32_t key;
} named[] = {
    {"space", ' '},
    {"tab", TUI_KEY_TAB},
    {"enter", TUI_KEY_ENTER},
    {"esc", TUI_KEY_ESC},
    {"backspace", TUI_KEY_BACKSPACE},
    {"up", TUI_KEY_UP},
    {"down", TUI_KEY_DOWN},
    {"left", TUI_KEY_LEFT},
    {"right", TUI_KEY_RIGHT},
    {"home", TUI_KEY_HOME},
    {"end", TUI_KEY_END},
    {"pgup", TUI_KEY_PAGE_UP},
    {"pgdn", TUI_KEY_PAGE_DOWN},
    {"insert", TUI_KEY_INSERT},
    {"delete", TUI_KEY_DELETE},
    {"backtab", TUI_KEY_BACKTAB},
};

uint32_t tui_key_parse(const char *name)
{
    uint32_t mods = 0, cp;
    int64_t number;

    for (;;) {
        if (str_starts(name, "ctrl-") && name[5])
            mods |= TUI_KEY_CTRL, name += 5;
        else if (str_starts(name, "alt-") && name[4])
            mods |= TUI_KEY_ALT, name += 4;
        else if (str_starts(name, "shift-") && name[6])
            mods |= TUI_KEY_SHIFT, name += 6;
        else
            break;
    }
    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++)
        if (streq(name, named[i].name))
            return named[i].key == TUI_KEY_TAB && mods == TUI_KEY_SHIFT ? TUI_KEY_BACKTAB
                                                                        : named[i].key | mods;
    if (*name == 'f' && str_to_i64(name + 1, 1, 12, &number))
        return (TUI_KEY_F1 + (uint32_t)number - 1) | mods;
    size_t n = *name ? str_utf8_next(name, &cp) : 0;
    if (!n || name[n] || cp < ' ')
        return 0;
    if (mods & TUI_KEY_SHIFT) {
        if (cp < 'a' || cp > 'z')
            return 0;
        cp -= 'a' - 'A';
        mods &= ~(uint32_t)TUI_KEY_SHIFT;
    } else if ((mods & TUI_KEY_CTRL) && cp >= 'A' && cp <= 'Z') {
        cp += 'a' - 'A';
    }
    return cp | mods;
}

const char *tui_key_name(uint32_t key, char out[TUI_KEY_NAME_LEN])
{
    uint32_t plain = key & ~(uint32_t)(TUI_KEY_CTRL | TUI_KEY_ALT | TUI_KEY_SHIFT);
    char one[5] = {0};
    const char *name = one;

    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++)
        if (named[i].key == plain)
            name = named[i].name;
    if (plain >= TUI_KEY_F1 && plain <= TUI_KEY_F12)
        snprintf(one, sizeof(one), "f%u", (plain - TUI_KEY_F1 + 1) % 100);
    else if (name == one && plain < 0x80)
        one[0] = (char)plain;
    else if (name == one && plain < 0x800)
        one[0] = (char)(0xc0 | plain >> 6), one[1] = (char)(0x80 | (plain & 0x3f));
    else if (name == one)
        name = "?";
    snprintf(out, TUI_KEY_NAME_LEN, "%s%s%s%s", key & TUI_KEY_CTRL ? "ctrl-" : "",
             key & TUI_KEY_ALT ? "alt-" : "", key & TUI_KEY_SHIFT ? "shift-" : "", name);
    return out;
}
