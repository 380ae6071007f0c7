/* The bottom line as an input: editing, history, completion. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "tui/app_internal.h"

void app_ask_release(struct app *a)
{
    struct app_asking *q = &a->asking;

    if (q->on && q->ask.release)
        q->ask.release(q->ask.arg);
    free(q->label);
    free(q->history);
    strv_free(q->candidates);
    *q = (struct app_asking){0};
}

static void set_text(struct app_asking *q, const char *text)
{
    q->len = strnlen(text, sizeof(q->text) - 1);
    memcpy(q->text, text, q->len);
    q->text[q->len] = '\0';
    q->at = q->len;
}

void app_ask(struct app *a, const struct app_ask *ask)
{
    struct app_asking *q = &a->asking;

    app_ask_release(a);
    q->on = true;
    q->ask = *ask;
    q->label = xstrdup(ask->label);
    q->history = xstrdup_null(ask->history);
    set_text(q, ask->text ? ask->text : "");
    app_dirty(a);
}

static void remember(struct app *a, const char *name, const char *text)
{
    char **list = map_get(a->histories, name);
    size_t n = strv_len(list);

    if (!*text || (n && streq(list[n - 1], text)))
        return;
    if (n >= ASK_HISTORY_MOST) {
        free(list[0]);
        memmove(list, list + 1, n * sizeof(*list));
    }
    strv_push(&list, text);
    map_set(a->histories, name, list);
}

/* The answer is here; text NULL: given up. */
static void finish(struct app *a, const char *text)
{
    struct app_asking q = a->asking;

    a->asking = (struct app_asking){0};
    if (text && q.history)
        remember(a, q.history, text);
    q.ask.done(a, q.ask.arg, text);
    if (q.ask.release)
        q.ask.release(q.ask.arg);
    free(q.label);
    free(q.history);
    strv_free(q.candidates);
}

static size_t before(const struct app_asking *q, size_t at)
{
    while (at && ((unsigned char)q->text[--at] & 0xc0) == 0x80)
        ;
    return at;
}

static size_t behind(const struct app_asking *q, size_t at)
{
    if (at < q->len)
        for (at++; at < q->len && ((unsigned char)q->text[at] & 0xc0) == 0x80;)
            at++;
    return at;
}

static void cut(struct app_asking *q, size_t from, size_t to)
{
    memmove(q->text + from, q->text + to, q->len - to + 1);
    q->len -= to - from;
    q->at = from;
}

static void insert(struct app_asking *q, uint32_t cp)
{
    char utf8[4];
    size_t n = 0;

    if (cp < 0x80) {
        utf8[n++] = (char)cp;
    } else if (cp < 0x800) {
        utf8[n++] = (char)(0xc0 | cp >> 6);
        utf8[n++] = (char)(0x80 | (cp & 0x3f));
    } else if (cp < 0x10000) {
        utf8[n++] = (char)(0xe0 | cp >> 12);
        utf8[n++] = (char)(0x80 | (cp >> 6 & 0x3f));
        utf8[n++] = (char)(0x80 | (cp & 0x3f));
    } else {
        utf8[n++] = (char)(0xf0 | cp >> 18);
        utf8[n++] = (char)(0x80 | (cp >> 12 & 0x3f));
        utf8[n++] = (char)(0x80 | (cp >> 6 & 0x3f));
        utf8[n++] = (char)(0x80 | (cp & 0x3f));
    }
    if (q->len + n >= sizeof(q->text))
        return;
    memmove(q->text + q->at + n, q->text + q->at, q->len - q->at + 1);
    memcpy(q->text + q->at, utf8, n);
    q->len += n;
    q->at += n;
}

static void browse(struct app *a, int by)
{
    struct app_asking *q = &a->asking;
    char **list = q->history ? map_get(a->histories, q->history) : NULL;
    size_t n = strv_len(list);

    if (by > 0 ? q->history_at >= n : q->history_at == 0)
        return;
    q->history_at += (size_t)by;
    set_text(q, q->history_at ? list[n - q->history_at] : "");
}

static void complete(struct app *a, int by)
{
    struct app_asking *q = &a->asking;

    if (!q->ask.complete)
        return;
    if (!q->candidates) {
        q->candidates = q->ask.complete(a, q->text);
        q->candidate = by > 0 ? 0 : strv_len(q->candidates) - 1;
    } else if (strv_len(q->candidates)) {
        size_t n = strv_len(q->candidates);
        q->candidate = (q->candidate + n + (size_t)(by > 0 ? 1 : -1)) % n;
    }
    if (strv_len(q->candidates))
        set_text(q, q->candidates[q->candidate]);
}

static size_t word_start(const struct app_asking *q)
{
    size_t at = q->at;

    while (at && q->text[at - 1] == ' ')
        at--;
    while (at && q->text[at - 1] != ' ')
        at--;
    return at;
}

/* Moving and editing. False: the key means something else. */
static bool edit(struct app *a, uint32_t key)
{
    struct app_asking *q = &a->asking;

    switch (key) {
    case TUI_KEY_LEFT:
        q->at = before(q, q->at);
        return true;
    case TUI_KEY_RIGHT:
        q->at = behind(q, q->at);
        return true;
    case TUI_KEY_HOME:
    case 'a' | TUI_KEY_CTRL:
        q->at = 0;
        return true;
    case TUI_KEY_END:
    case 'e' | TUI_KEY_CTRL:
        q->at = q->len;
        return true;
    case TUI_KEY_BACKSPACE:
    case 'h' | TUI_KEY_CTRL:
        cut(q, before(q, q->at), q->at);
        return true;
    case TUI_KEY_DELETE:
        if (q->at < q->len)
            cut(q, q->at, behind(q, q->at));
        return true;
    case 'w' | TUI_KEY_CTRL:
        cut(q, word_start(q), q->at);
        return true;
    case 'u' | TUI_KEY_CTRL:
        cut(q, 0, q->at);
        return true;
    case 'k' | TUI_KEY_CTRL:
        cut(q, q->at, q->len);
        return true;
    case TUI_KEY_UP:
    case 'p' | TUI_KEY_CTRL:
        browse(a, 1);
        return true;
    case TUI_KEY_DOWN:
    case 'n' | TUI_KEY_CTRL:
        browse(a, -1);
        return true;
    default:
        if (key < ' ' || key >= TUI_KEY_FIRST || key == TUI_KEY_BACKSPACE)
            return false;
        insert(q, key);
        return true;
    }
}

bool app_ask_key(struct app *a, uint32_t key)
{
    struct app_asking *q = &a->asking;
    char was[ASK_MOST];

    if (!q->on)
        return false;
    if (key == TUI_KEY_ESC || key == ('c' | TUI_KEY_CTRL) || key == ('g' | TUI_KEY_CTRL) ||
        (key == TUI_KEY_BACKSPACE && !q->len)) {
        finish(a, NULL);
        return true;
    }
    if (key == TUI_KEY_ENTER) {
        memcpy(was, q->text, q->len + 1);
        finish(a, was);
        return true;
    }
    memcpy(was, q->text, q->len + 1);
    if (key == TUI_KEY_TAB || key == TUI_KEY_BACKTAB) {
        complete(a, key == TUI_KEY_TAB ? 1 : -1);
    } else if (edit(a, key)) {
        strv_free(q->candidates);
        q->candidates = NULL;
    }
    if (q->ask.changed && !streq(was, q->text))
        q->ask.changed(a, q->text);
    return true;
}
