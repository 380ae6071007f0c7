#include "tui/canvas.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/mem.h"
#include "base/str.h"

const char *const tui_role_names[TUI_ROLES] = {
    "text", "dim",     "title",   "header",  "border",  "focus",   "good",
    "busy", "warn",    "bad",     "unknown", "key",     "prompt",  "match",
    "mark", "series1", "series2", "series3", "series4", "series5", "series6",
};
/* For canvas_dump(). */
static const char role_letters[TUI_ROLES + 1] = ".dthbfgywxukpm*123456";

static int within(int n)
{
    return n < 1 ? 1 : n > CANVAS_MOST ? CANVAS_MOST : n;
}

struct canvas *canvas_new(int w, int h, bool ascii)
{
    struct canvas *c = xcalloc(1, sizeof(*c));

    c->ascii = ascii;
    canvas_resize(c, w, h);
    return c;
}

void canvas_free(struct canvas *c)
{
    if (!c)
        return;
    free(c->cells);
    free(c);
}

void canvas_resize(struct canvas *c, int w, int h)
{
    c->w = within(w);
    c->h = within(h);
    c->clip = (struct box){0, 0, c->w, c->h};
    c->cells = xreallocarray(c->cells, (size_t)c->w * (size_t)c->h, sizeof(*c->cells));
    canvas_clear(c, (struct box){0, 0, c->w, c->h});
}

static struct canvas_cell *cell_at(struct canvas *c, int x, int y)
{
    const struct box *k = &c->clip;

    return x >= k->x && y >= k->y && x < k->x + k->w && y < k->y + k->h
               ? &c->cells[(size_t)y * (size_t)c->w + (size_t)x]
               : NULL;
}

struct box canvas_clip(struct canvas *c, struct box b)
{
    struct box was = c->clip;
    int x = b.x > was.x ? b.x : was.x, y = b.y > was.y ? b.y : was.y;
    int right = b.x + b.w < was.x + was.w ? b.x + b.w : was.x + was.w;
    int bottom = b.y + b.h < was.y + was.h ? b.y + b.h : was.y + was.h;

    c->clip = (struct box){x, y, right > x ? right - x : 0, bottom > y ? bottom - y : 0};
    return was;
}

/* What is left of a wide character of which one half is overwritten. */
static void break_wide(struct canvas *c, int x, int y)
{
    struct canvas_cell *cell = cell_at(c, x, y), *right = cell_at(c, x + 1, y), *left = cell_at(c, x - 1, y);

    if (!cell->ch && left)
        left->ch = ' ';
    if (cell->ch && right && !right->ch)
        right->ch = ' ';
}

static void set_cell(struct canvas *c, int x, int y, uint32_t ch, int width, enum tui_role role,
                     unsigned flags)
{
    for (int i = 0; i < width; i++) {
        struct canvas_cell *cell = cell_at(c, x + i, y);
        if (!cell)
            continue;
        break_wide(c, x + i, y);
        *cell = (struct canvas_cell){i ? 0 : ch, (uint8_t)role, (uint8_t)flags};
    }
}

void canvas_clear(struct canvas *c, struct box box)
{
    for (int y = box.y; y < box.y + box.h; y++)
        for (int x = box.x; x < box.x + box.w; x++) {
            struct canvas_cell *cell = cell_at(c, x, y);
            if (cell)
                *cell = (struct canvas_cell){' ', TUI_TEXT, 0};
        }
}

/* The next character of a text, made fit to be shown; *width is 0 for one that is left out. */
static size_t next_char(const struct canvas *c, const char *text, size_t len, uint32_t *ch, int *width)
{
    char piece[5] = {0};
    uint32_t cp;

    if ((unsigned char)*text < 0x80) {
        *ch = (unsigned char)*text >= 0x20 && *text != 0x7f ? (unsigned char)*text
              : *text == '\t'                               ? ' '
                                                            : '?';
        *width = 1;
        return 1;
    }
    memcpy(piece, text, len < 4 ? len : 4);
    size_t n = str_utf8_next(piece, &cp);
    int columns = n ? wcwidth((wchar_t)cp) : -1;
    *width = 1;
    *ch = '?';
    if (n && !c->ascii && columns >= 0) {
        *ch = cp;
        *width = columns;
    } else if (!n && !c->ascii) {
        *ch = 0xfffd;
    }
    return n ? n : 1;
}

int canvas_span(struct canvas *c, int x, int y, int width, const char *text, size_t len, int skip,
                enum tui_role role, unsigned flags)
{
    int used = 0;

    while (len && used < width) {
        uint32_t ch;
        int columns;
        size_t n = next_char(c, text, len, &ch, &columns);
        text += n;
        len -= n;
        if (skip > 0) {
            skip -= columns;
            continue;
        }
        if (used + columns > width)
            break;
        if (columns)
            set_cell(c, x + used, y, ch, columns, role, flags);
        used += columns;
    }
    return used;
}

int canvas_text(struct canvas *c, int x, int y, int width, const char *text, enum tui_role role,
                unsigned flags)
{
    size_t len = strlen(text), at = 0, fits = 0;
    int used = 0, used_fits = 0;

    if (width <= 0)
        return 0;
    while (at < len) {
        uint32_t ch;
        int columns;
        size_t n = next_char(c, text + at, len - at, &ch, &columns);
        if (used + columns > width) {
            used = canvas_span(c, x, y, used_fits, text, fits, 0, role, flags);
            set_cell(c, x + used, y, c->ascii ? '~' : 0x2026, 1, role, flags);
            return used + 1;
        }
        at += n;
        used += columns;
        if (used < width) {
            fits = at;
            used_fits = used;
        }
    }
    return canvas_span(c, x, y, width, text, len, 0, role, flags);
}

void canvas_flag(struct canvas *c, struct box box, int role, unsigned flags)
{
    for (int y = box.y; y < box.y + box.h; y++)
        for (int x = box.x; x < box.x + box.w; x++) {
            struct canvas_cell *cell = cell_at(c, x, y);
            if (!cell)
                continue;
            cell->flags |= (uint8_t)flags;
            if (role >= 0)
                cell->role = (uint8_t)role;
        }
}

void canvas_put(struct canvas *c, int x, int y, uint32_t ch, enum tui_role role, unsigned flags)
{
    static const struct {
        uint32_t from;
        char to;
    } plain[] = {{0x2500, '-'}, {0x2502, '|'}, {0x25b8, '>'}, {0x25be, 'v'}, {0x2022, '*'},
                 {0x25cf, '*'}, {0x25cb, 'o'}, {0x2588, '#'}, {0x2591, '.'}, {0x25c2, '<'},
                 {0x2191, '^'}, {0x2193, 'v'}, {0x2713, '+'}};

    if (c->ascii && ch >= 0x80) {
        uint32_t to = ch >= 0x2500 && ch < 0x2580 ? '+' : '?';
        for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
            if (plain[i].from == ch)
                to = (unsigned char)plain[i].to;
        ch = to;
    }
    set_cell(c, x, y, ch, 1, role, flags);
}

void canvas_hline(struct canvas *c, int x, int y, int w, enum tui_role role)
{
    for (int i = 0; i < w; i++)
        canvas_put(c, x + i, y, 0x2500, role, 0);
}

void canvas_vline(struct canvas *c, int x, int y, int h, enum tui_role role)
{
    for (int i = 0; i < h; i++)
        canvas_put(c, x, y + i, 0x2502, role, 0);
}

void canvas_frame(struct canvas *c, struct box b, enum tui_role role)
{
    if (b.w < 2 || b.h < 2)
        return;
    canvas_hline(c, b.x + 1, b.y, b.w - 2, role);
    canvas_hline(c, b.x + 1, b.y + b.h - 1, b.w - 2, role);
    canvas_vline(c, b.x, b.y + 1, b.h - 2, role);
    canvas_vline(c, b.x + b.w - 1, b.y + 1, b.h - 2, role);
    canvas_put(c, b.x, b.y, 0x250c, role, 0);
    canvas_put(c, b.x + b.w - 1, b.y, 0x2510, role, 0);
    canvas_put(c, b.x, b.y + b.h - 1, 0x2514, role, 0);
    canvas_put(c, b.x + b.w - 1, b.y + b.h - 1, 0x2518, role, 0);
}

struct box box_inside(struct box b)
{
    return (struct box){b.x + 1, b.y + 1, b.w > 2 ? b.w - 2 : 0, b.h > 2 ? b.h - 2 : 0};
}

static void add_utf8(struct buf *out, uint32_t ch)
{
    if (ch < 0x80) {
        buf_addc(out, (char)ch);
        return;
    }
    if (ch >= 0x10000) {
        buf_addc(out, (char)(0xf0 | ch >> 18));
        buf_addc(out, (char)(0x80 | (ch >> 12 & 0x3f)));
    } else if (ch >= 0x800) {
        buf_addc(out, (char)(0xe0 | ch >> 12));
    }
    if (ch >= 0x800)
        buf_addc(out, (char)(0x80 | (ch >> 6 & 0x3f)));
    else
        buf_addc(out, (char)(0xc0 | ch >> 6));
    buf_addc(out, (char)(0x80 | (ch & 0x3f)));
}

static void trim(struct buf *out, size_t from, char blank)
{
    while (out->len > from && out->data[out->len - 1] == blank)
        buf_truncate(out, out->len - 1);
    buf_addc(out, '\n');
}

void canvas_dump(const struct canvas *c, bool roles, struct buf *out)
{
    for (int y = 0; y < c->h; y++) {
        const struct canvas_cell *row = &c->cells[(size_t)y * (size_t)c->w];
        size_t from = out->len;
        for (int x = 0; x < c->w; x++)
            if (row[x].ch)
                add_utf8(out, row[x].ch);
        trim(out, from, ' ');
        if (!roles)
            continue;
        from = out->len;
        for (int x = 0; x < c->w; x++) {
            char letter = role_letters[row[x].role];
            if (row[x].flags & CANVAS_CURSOR)
                letter = letter == '.' ? '#' : letter >= 'a' && letter <= 'z' ? (char)(letter - 32) : letter;
            buf_addc(out, letter);
        }
        trim(out, from, '.');
    }
}
