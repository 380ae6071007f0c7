#include "tui/filter.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/selector.h"
#include "tail/filter.h"

struct tui_filter {
    char *text;
    struct tail_pattern *pattern;
    bool inverse;
    struct selector *labels;
    char *fuzzy;
};

void tui_filter_free(struct tui_filter *f)
{
    if (!f)
        return;
    free(f->text);
    tail_pattern_free(f->pattern);
    selector_free(f->labels);
    free(f->fuzzy);
    free(f);
}

static const char *behind(const char *text, const char *option)
{
    if (!str_starts(text, option))
        return NULL;
    text += strlen(option);
    while (*text == ' ')
        text++;
    return text;
}

int tui_filter_new(const char *text, struct tui_filter **ret, struct err **err)
{
    const char *rest;
    int r = 0;

    if (!*text) {
        *ret = NULL;
        return 0;
    }
    struct tui_filter *f = xcalloc(1, sizeof(*f));
    f->text = xstrdup(text);
    if ((rest = behind(text, "-l"))) {
        r = selector_parse(rest, &f->labels, err);
    } else if ((rest = behind(text, "-f"))) {
        f->fuzzy = str_lower(rest);
    } else {
        f->inverse = *text == '!';
        _cleanup_free_ char *pattern = xasprintf("(?i)%s", text + f->inverse);
        r = tail_pattern_new(pattern, "the filter", &f->pattern, err);
    }
    if (r < 0) {
        tui_filter_free(f);
        return r;
    }
    *ret = f;
    return 0;
}

static bool fuzzy_matches(const char *wanted, const char *text)
{
    for (; *text && *wanted; text++)
        if (tolower((unsigned char)*text) == *wanted)
            wanted++;
    return !*wanted;
}

bool tui_filter_matches(struct tui_filter *f, const char *text, const struct map *labels)
{
    if (!f)
        return true;
    if (f->labels)
        return labels && selector_matches(f->labels, labels);
    if (f->fuzzy)
        return fuzzy_matches(f->fuzzy, text);
    return tail_pattern_matches(f->pattern, text) != f->inverse;
}

const char *tui_filter_text(const struct tui_filter *f)
{
    return f ? f->text : "";
}
