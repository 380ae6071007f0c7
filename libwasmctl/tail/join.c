#include "tail/join.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

/* What the record so far is: what may follow differs. */
enum mood { PLAIN, PYTHON, PYTHON_OVER, GO, RUST };

struct tail_join {
    struct tail_join_options options;
    struct buf text;
    struct tail_line first; /* text: not set */
    size_t lines;
    int64_t last_ms;
    enum mood mood;
    bool rust_message; /* the line after the head of a panic is its message */
};

struct tail_join *tail_join_new(const struct tail_join_options *options)
{
    struct tail_join *j = xcalloc(1, sizeof(*j));

    j->options = *options;
    return j;
}

void tail_join_free(struct tail_join *j)
{
    if (!j)
        return;
    buf_release(&j->text);
    free(j);
}

/* A line as it is looked at. */
struct view {
    const char *p;
    size_t len;
};

static bool begins(struct view v, const char *word)
{
    size_t n = strlen(word);

    return v.len >= n && memcmp(v.p, word, n) == 0;
}

static bool ends(struct view v, const char *word)
{
    size_t n = strlen(word);

    return v.len >= n && memcmp(v.p + v.len - n, word, n) == 0;
}

static bool is_blank(struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (!isspace((unsigned char)v.p[i]))
            return false;
    return true;
}

/* "}", "])," and the like: the end of something printed over several lines. */
static bool is_closing(struct view v)
{
    return v.len && v.len <= 4 && strchr("}])", v.p[0]) && strspn(v.p, "}]),;") >= v.len;
}

/* "java.lang.IllegalStateException: text", "com.example.BadError". */
static bool is_exception(struct view v)
{
    static const char *const tails[] = {"Exception", "Error", "Throwable"};
    struct view name = v;

    for (name.len = 0; name.len < v.len; name.len++)
        if (!isalnum((unsigned char)v.p[name.len]) && !strchr("._$", v.p[name.len]))
            break;
    if ((name.len < v.len && v.p[name.len] != ':') || !memchr(name.p, '.', name.len))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(tails); i++)
        if (ends(name, tails[i]))
            return true;
    return false;
}

/* "main.(*server).run(0x1, 0x2)" */
static bool is_go_call(struct view v)
{
    return ends(v, ")") && memchr(v.p, '(', v.len) && memchr(v.p, '.', v.len) && !memchr(v.p, ' ', 1);
}

static bool goes_on_python(struct tail_join *j, struct view v)
{
    bool link = begins(v, "During handling of the above exception") ||
                begins(v, "The above exception was the direct cause") ||
                begins(v, "Traceback (most recent call last)");

    if (link) {
        j->mood = PYTHON;
        return true;
    }
    if (is_blank(v))
        return true;
    if (j->mood == PYTHON_OVER)
        return false;
    /* The first line that is not indented is the exception itself. */
    j->mood = PYTHON_OVER;
    return true;
}

static bool goes_on_go(struct view v)
{
    return is_blank(v) || begins(v, "goroutine ") || begins(v, "created by ") || begins(v, "exit status ") ||
           begins(v, "[signal ") || begins(v, "panic: ") || is_go_call(v);
}

static bool goes_on_rust(struct tail_join *j, struct view v)
{
    bool message = j->rust_message;

    j->rust_message = false;
    return message || begins(v, "note: ") || begins(v, "stack backtrace:");
}

static bool goes_on(struct tail_join *j, struct view v)
{
    if (j->options.begins)
        return !tail_filter_passes(j->options.begins, v.p, v.len);
    if (v.len && (v.p[0] == ' ' || v.p[0] == '\t') && !is_blank(v))
        return true;
    if (begins(v, "Traceback (most recent call last)")) {
        j->mood = PYTHON;
        return true;
    }
    if (j->mood == PYTHON || j->mood == PYTHON_OVER)
        return goes_on_python(j, v);
    if (j->mood == GO && goes_on_go(v))
        return true;
    if (j->mood == RUST && goes_on_rust(j, v))
        return true;
    return begins(v, "Caused by:") || begins(v, "Suppressed:") || begins(v, "--- End of ") || is_closing(v) ||
           is_exception(v);
}

static enum mood mood_of(struct view v)
{
    if (begins(v, "Traceback (most recent call last)"))
        return PYTHON;
    if (begins(v, "panic: ") || begins(v, "fatal error: ") || begins(v, "goroutine "))
        return GO;
    return begins(v, "thread '") && memmem(v.p, v.len, "' panicked at ", 14) ? RUST : PLAIN;
}

void tail_join_flush(struct tail_join *j)
{
    struct tail_line record = j->first;

    if (!j->lines)
        return;
    record.text = j->text.data ? j->text.data : "";
    record.len = j->text.len;
    if (j->lines > 1)
        record.flags |= TAIL_RECORD;
    j->lines = 0;
    j->options.record(j->options.arg, &record);
    if (j->text.len > 4096)
        buf_release(&j->text);
    buf_truncate(&j->text, 0);
}

void tail_join_line(struct tail_join *j, const struct tail_line *line, int64_t now_ms)
{
    struct view v = {line->text, line->len};

    if (v.len && v.p[v.len - 1] == '\r')
        v.len--;
    if (j->lines &&
        (!goes_on(j, v) || j->lines >= TAIL_JOIN_LINES || j->text.len + line->len >= TAIL_JOIN_BYTES))
        tail_join_flush(j);
    if (j->lines) {
        buf_addc(&j->text, '\n');
        j->first.flags |= line->flags & TAIL_CUT;
    } else {
        j->first = *line;
        j->mood = mood_of(v);
        j->rust_message = j->mood == RUST && ends(v, ":");
    }
    buf_add(&j->text, line->text, line->len);
    j->lines++;
    j->last_ms = now_ms;
}

int64_t tail_join_due(const struct tail_join *j)
{
    return j->lines ? j->last_ms + TAIL_JOIN_MS : -1;
}
