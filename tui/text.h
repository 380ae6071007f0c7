/*
 * Text that is looked through: scrolling, wrapping, searching. For panes that show a text (describe, YAML,
 * output of commands); a class with text() gets its actions.
 */
#ifndef WASMCTL_TUI_TEXT_H
#define WASMCTL_TUI_TEXT_H

#include "base/err.h"
#include "tui/canvas.h"

struct text;
struct action;

struct text *text_new(void);
void text_free(struct text *t);
DEFINE_CLEANUP(struct text *, text_free)
/* Copied. The place that is looked at stays. yaml: keys are coloured. */
void text_set(struct text *t, const char *content, bool yaml);
const char *text_content(const struct text *t);
size_t text_lines(const struct text *t);
void text_draw(struct text *t, struct canvas *c, struct box box);
void text_scroll(struct text *t, int64_t rows, int columns);
void text_to_end(struct text *t, bool end);
int64_t text_page(const struct text *t);
void text_wrap(struct text *t, bool wrap);
bool text_wraps(const struct text *t);
/* ERR_INVALID: the pattern. Goes to the first match at or behind the place that is looked at. */
int text_search(struct text *t, const char *pattern, struct err **err);
/* The next match, or the one before; false: there is none. */
bool text_find(struct text *t, bool forward);
/* "12 of 340, match 3 of 7": for titles. */
void text_where(const struct text *t, struct buf *out);

#endif
