#define PCRE2_CODE_UNIT_WIDTH 8
#include "tail/filter.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Enough for any sane pattern on any line; a pattern that needs more is stopped. */
enum { MATCH_MOST = 2 * 1000 * 1000 };

struct tail_pattern {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    bool jit;
};

struct patterns {
    struct tail_pattern **items;
    size_t len;
};

struct tail_filter {
    struct patterns include, exclude, highlight;
};

/* Characters beyond ASCII need the slower UTF mode only where the pattern speaks of them. */
static bool needs_utf(const char *pattern)
{
    if (strstr(pattern, "\\p") || strstr(pattern, "\\P") || strstr(pattern, "\\x{") || strstr(pattern, "\\X"))
        return true;
    for (; *pattern; pattern++)
        if ((unsigned char)*pattern >= 0x80)
            return true;
    return false;
}

static int compile(const char *pattern, const char *what, bool ignore_case, struct tail_pattern **ret,
                   struct err **err)
{
    uint32_t options = PCRE2_NEVER_BACKSLASH_C | (ignore_case ? PCRE2_CASELESS : 0);
    PCRE2_SIZE at = 0;
    int code = 0;

    if (needs_utf(pattern))
        options |= PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF;
    pcre2_code *compiled =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &code, &at, NULL);
    if (!compiled) {
        unsigned char why[128] = "";
        pcre2_get_error_message(code, why, sizeof(why));
        return err_set(err, ERR_INVALID, "%s \"%s\" is no regular expression: %s at character %zu", what,
                       pattern, (const char *)why, (size_t)at + 1);
    }
    struct tail_pattern *p = xcalloc(1, sizeof(*p));
    p->code = compiled;
    /* pcre2_match() uses the compiled code too, and looks at the text first: needed in UTF mode only. */
    p->jit = pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE) == 0 && !(options & PCRE2_UTF);
    p->match = pcre2_match_data_create(1, NULL);
    p->context = pcre2_match_context_create(NULL);
    if (!p->match || !p->context)
        abort();
    pcre2_set_match_limit(p->context, MATCH_MOST);
    *ret = p;
    return 0;
}

int tail_pattern_new(const char *pattern, const char *what, struct tail_pattern **ret, struct err **err)
{
    return compile(pattern, what, false, ret, err);
}

void tail_pattern_free(struct tail_pattern *p)
{
    if (!p)
        return;
    pcre2_match_data_free(p->match);
    pcre2_match_context_free(p->context);
    pcre2_code_free(p->code);
    free(p);
}

/* Looks from `at` on. */
static bool find(struct tail_pattern *p, const char *text, size_t len, size_t at, struct tail_span *ret)
{
    int r;

    if (p->jit)
        r = pcre2_jit_match(p->code, (PCRE2_SPTR)text, len, at, 0, p->match, p->context);
    else
        r = pcre2_match(p->code, (PCRE2_SPTR)text, len, at, 0, p->match, p->context);
    if (r < 0)
        return false;
    if (ret) {
        const PCRE2_SIZE *found = pcre2_get_ovector_pointer(p->match);
        *ret = (struct tail_span){found[0], found[1]};
    }
    return true;
}

bool tail_pattern_matches(struct tail_pattern *p, const char *text)
{
    return find(p, text, strlen(text), 0, NULL);
}

static int compile_all(char *const *list, const char *what, bool ignore_case, struct patterns *ret,
                       struct err **err)
{
    for (size_t i = 0; list && list[i]; i++) {
        struct tail_pattern *p;
        int r = compile(list[i], what, ignore_case, &p, err);
        if (r < 0)
            return r;
        ret->items = xreallocarray(ret->items, ret->len + 1, sizeof(*ret->items));
        ret->items[ret->len++] = p;
    }
    return 0;
}

static void release_all(struct patterns *list)
{
    for (size_t i = 0; i < list->len; i++)
        tail_pattern_free(list->items[i]);
    free(list->items);
}

int tail_filter_new(const struct tail_filter_options *o, struct tail_filter **ret, struct err **err)
{
    struct tail_filter *f = xcalloc(1, sizeof(*f));
    int r = compile_all(o->include, "--include", o->ignore_case, &f->include, err);

    if (r == 0)
        r = compile_all(o->exclude, "--exclude", o->ignore_case, &f->exclude, err);
    if (r == 0)
        r = compile_all(o->highlight, "--highlight", o->ignore_case, &f->highlight, err);
    if (r < 0) {
        tail_filter_free(f);
        return r;
    }
    *ret = f;
    return 0;
}

void tail_filter_free(struct tail_filter *f)
{
    if (!f)
        return;
    release_all(&f->include);
    release_all(&f->exclude);
    release_all(&f->highlight);
    free(f);
}

static bool any_matches(const struct patterns *list, const char *text, size_t len)
{
    for (size_t i = 0; i < list->len; i++)
        if (find(list->items[i], text, len, 0, NULL))
            return true;
    return false;
}

bool tail_filter_passes(struct tail_filter *f, const char *text, size_t len)
{
    if (f->exclude.len && any_matches(&f->exclude, text, len))
        return false;
    return !f->include.len || any_matches(&f->include, text, len);
}

bool tail_filter_highlights(const struct tail_filter *f)
{
    return f->include.len || f->highlight.len;
}

/* Puts a span in its place, joined with those it touches. */
static size_t add_span(struct tail_span *spans, size_t n, size_t most, struct tail_span s)
{
    size_t i = 0, j;

    while (i < n && spans[i].to < s.from)
        i++;
    for (j = i; j < n && spans[j].from <= s.to; j++) {
        if (spans[j].from < s.from)
            s.from = spans[j].from;
        if (spans[j].to > s.to)
            s.to = spans[j].to;
    }
    if (i == j) {
        if (n == most)
            return n;
        memmove(&spans[i + 1], &spans[i], (n - i) * sizeof(*spans));
        spans[i] = s;
        return n + 1;
    }
    spans[i] = s;
    memmove(&spans[i + 1], &spans[j], (n - j) * sizeof(*spans));
    return n - (j - i) + 1;
}

static size_t mark(const struct patterns *list, const char *text, size_t len, struct tail_span *spans,
                   size_t n, size_t most)
{
    for (size_t i = 0; i < list->len; i++) {
        struct tail_span s;
        for (size_t at = 0; n < most && at < len && find(list->items[i], text, len, at, &s);) {
            /* An empty match marks nothing; "\K" may put the start behind the end. */
            if (s.to > s.from)
                n = add_span(spans, n, most, s);
            at = s.to > at ? s.to : at + 1;
        }
    }
    return n;
}

size_t tail_filter_spans(struct tail_filter *f, const char *text, size_t len, struct tail_span *spans,
                         size_t most)
{
    size_t n = mark(&f->include, text, len, spans, 0, most);

    return mark(&f->highlight, text, len, spans, n, most);
}
