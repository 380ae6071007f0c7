#include "tui/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "tail/filter.h"

enum { SPANS_MOST = 64, TAB = 8 };

struct text {
    char *content;
    VEC(size_t) lines; /* offsets of their beginnings */
    bool yaml, wrap;
    size_t top;
    int left;
    struct box box; /* last drawn */
    struct tail_filter *search;
    VEC(size_t) matches; /* lines, in order */
    size_t match;        /* the one that was gone to */
};

struct text *text_new(void)
{
    struct text *t = xcalloc(1, sizeof(*t));

    text_set(t, "", false);
    return t;
}

void text_free(struct text *t)
{
    if (!t)
        return;
    free(t->content);
    free(t->lines.items);
    free(t->matches.items);
    tail_filter_free(t->search);
    free(t);
}

static size_t line_len(const struct text *t, size_t i)
{
    size_t end = i + 1 < t->lines.len ? t->lines.items[i + 1] - 1 : strlen(t->content);

    return end - t->lines.items[i];
}

static const char *line_at(const struct text *t, size_t i)
{
    return t->content + t->lines.items[i];
}

static void find_matches(struct text *t)
{
    t->matches.len = 0;
    for (size_t i = 0; t->search && i < t->lines.len; i++)
        if (tail_filter_passes(t->search, line_at(t, i), line_len(t, i)))
            vec_push(&t->matches, i);
    if (t->match >= t->matches.len)
        t->match = 0;
}

/* Tabs as blanks, so that columns are where they were meant to be. */
static char *expand(const char *text)
{
    struct buf b = BUF_INIT;
    size_t column = 0;

    for (; *text; text++) {
        if (*text == '\t') {
            buf_fill(&b, ' ', TAB - column % TAB);
            column += TAB - column % TAB;
        } else {
            buf_addc(&b, *text);
            column = *text == '\n' ? 0 : column + (((unsigned char)*text & 0xc0) != 0x80);
        }
    }
    return buf_take(&b);
}

void text_set(struct text *t, const char *content, bool yaml)
{
    size_t len;

    free(t->content);
    t->content = expand(content);
    t->yaml = yaml;
    len = strlen(t->content);
    if (len && t->content[len - 1] == '\n')
        t->content[--len] = '\0';
    t->lines.len = 0;
    vec_push(&t->lines, 0);
    for (const char *at = t->content; (at = strchr(at, '\n'));)
        vec_push(&t->lines, (size_t)(++at - t->content));
    if (t->top >= t->lines.len)
        t->top = t->lines.len - 1;
    find_matches(t);
}

const char *text_content(const struct text *t)
{
    return t->content;
}

size_t text_lines(const struct text *t)
{
    return t->lines.len;
}

static size_t last_top(const struct text *t)
{
    size_t h = t->box.h > 0 ? (size_t)t->box.h : 1;

    return t->lines.len > h ? t->lines.len - h : 0;
}

void text_scroll(struct text *t, int64_t rows, int columns)
{
    int64_t to = (int64_t)t->top + rows, most = (int64_t)last_top(t);

    t->top = to < 0 ? 0 : to > most ? (size_t)most : (size_t)to;
    t->left = t->left + columns < 0 ? 0 : t->left + columns;
}

void text_to_end(struct text *t, bool end)
{
    t->top = end ? last_top(t) : 0;
}

int64_t text_page(const struct text *t)
{
    return t->box.h > 1 ? t->box.h - 1 : 1;
}

void text_wrap(struct text *t, bool wrap)
{
    t->wrap = wrap;
    t->left = 0;
}

bool text_wraps(const struct text *t)
{
    return t->wrap;
}

/* Searching */

static void go_to_match(struct text *t)
{
    size_t line = t->matches.items[t->match], h = t->box.h > 0 ? (size_t)t->box.h : 1;

    if (line < t->top || line >= t->top + h)
        t->top = line > h / 3 ? line - h / 3 : 0;
    if (t->top > last_top(t))
        t->top = last_top(t);
}

int text_search(struct text *t, const char *pattern, struct err **err)
{
    struct tail_filter *search = NULL;

    if (*pattern) {
        struct tail_filter_options options = {.include = (char *[]){(char *)(uintptr_t)pattern, NULL},
                                              .ignore_case = true};
        int r = tail_filter_new(&options, &search, err);
        if (r < 0)
            return r;
    }
    tail_filter_free(t->search);
    t->search = search;
    t->match = 0;
    find_matches(t);
    while (t->match + 1 < t->matches.len && t->matches.items[t->match] < t->top)
        t->match++;
    if (t->matches.len)
        go_to_match(t);
    return 0;
}

bool text_find(struct text *t, bool forward)
{
    if (!t->matches.len)
        return false;
    t->match = (t->match + (forward ? 1 : t->matches.len - 1)) % t->matches.len;
    go_to_match(t);
    return true;
}

void text_where(const struct text *t, struct buf *out)
{
    buf_addf(out, " %zu/%zu", t->top + 1, t->lines.len);
    if (t->search && t->matches.len)
        buf_addf(out, ", match %zu of %zu", t->match + 1, t->matches.len);
    else if (t->search)
        buf_adds(out, ", no match");
}

/* Drawing */

/* Length of "key:" at the beginning of a line of YAML, 0 if it is none. */
static size_t key_len(const char *line, size_t len)
{
    size_t i = 0;

    while (i < len && (line[i] == ' ' || line[i] == '-'))
        i++;
    for (; i < len && line[i] != ' '; i++)
        if (line[i] == ':' && (i + 1 == len || line[i + 1] == ' '))
            return i + 1;
    return 0;
}

/* Columns of the first n bytes. */
static int columns_of(const char *text, size_t n)
{
    _cleanup_free_ char *part = xstrndup(text, n);

    return (int)str_width(part);
}

static void mark_matches(struct text *t, struct canvas *c, struct box row, const char *line, size_t len,
                         int skip)
{
    struct tail_span spans[SPANS_MOST];
    size_t n = t->search ? tail_filter_spans(t->search, line, len, spans, SPANS_MOST) : 0;

    for (size_t i = 0; i < n; i++) {
        int from = columns_of(line, spans[i].from) - skip, to = columns_of(line, spans[i].to) - skip;
        from = from < 0 ? 0 : from;
        to = to > row.w ? row.w : to;
        if (to > from)
            canvas_flag(c, (struct box){row.x + from, row.y, to - from, 1}, TUI_MATCH, 0);
    }
}

void text_draw(struct text *t, struct canvas *c, struct box box)
{
    int y = 0;

    t->box = box;
    for (size_t i = t->top; i < t->lines.len && y < box.h; i++) {
        const char *line = line_at(t, i);
        size_t len = line_len(t, i);
        int width = columns_of(line, len), skip = t->wrap ? 0 : t->left;
        do {
            struct box row = {box.x, box.y + y, box.w, 1};
            canvas_span(c, row.x, row.y, row.w, line, len, skip, TUI_TEXT, 0);
            size_t key = t->yaml && skip == 0 ? key_len(line, len) : 0;
            if (key)
                canvas_flag(c, (struct box){row.x, row.y, columns_of(line, key), 1}, TUI_FOCUS, 0);
            mark_matches(t, c, row, line, len, skip);
            skip += box.w;
            y++;
        } while (t->wrap && skip < width && y < box.h);
    }
}
