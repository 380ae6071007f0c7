#include "cli/contexts.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"
#include "base/str.h"

/* What one term may cost on names that somebody else wrote. */
enum { MATCH_MOST = 1000000, SHOWN_NAMES = 10 };

struct term {
    char *text;
    bool exclude, is_regex;
    pcre2_code *code;
    bool used;
};

struct terms {
    VEC(struct term) list;
    pcre2_match_context *limits;
    pcre2_match_data *match;
};

static void terms_release(struct terms *t)
{
    for (size_t i = 0; i < t->list.len; i++) {
        free(t->list.items[i].text);
        pcre2_code_free(t->list.items[i].code);
    }
    free(t->list.items);
    pcre2_match_data_free(t->match);
    pcre2_match_context_free(t->limits);
}

/* End of the term that begins at p: the slash that closes an expression is the one before a comma or the end
 * of the text. */
static const char *term_end(const char *p, bool is_regex)
{
    if (!is_regex)
        return strchrnul(p, ',');
    for (p++; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (*p == '/' && (p[1] == ',' || !p[1]))
            return p + 1;
    }
    return NULL;
}

static int compile(struct term *t, struct err **err)
{
    PCRE2_SIZE at = 0;
    int code = 0;

    t->code = pcre2_compile((PCRE2_SPTR)t->text, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL);
    if (t->code)
        return 0;
    char why[160] = "";
    pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why));
    return err_set(err, ERR_INVALID, "--contexts: /%s/ is no regular expression: %s at character %zu",
                   t->text, why, (size_t)at + 1);
}

static int parse_terms(struct terms *terms, const char *text, struct err **err)
{
    const char *p = text;

    for (;;) {
        struct term t = {.exclude = *p == '^'};
        const char *start = p + t.exclude;
        t.is_regex = *start == '/';
        const char *end = term_end(start, t.is_regex);
        if (!end)
            return err_set(err, ERR_INVALID, "--contexts: the expression %s has no closing slash", start);
        t.text = t.is_regex ? xstrndup(start + 1, (size_t)(end - start) - 2)
                            : xstrndup(start, (size_t)(end - start));
        vec_push(&terms->list, t);
        struct term *kept = &terms->list.items[terms->list.len - 1];
        if (!*kept->text)
            return err_set(err, ERR_INVALID, "--contexts: \"%s\" has an empty name or expression", text);
        if (kept->is_regex) {
            int r = compile(kept, err);
            if (r < 0)
                return r;
        }
        if (!*end)
            return 0;
        p = end + 1;
    }
}

static bool matches(struct terms *terms, const struct term *t, const char *name)
{
    if (!t->is_regex)
        return streq(t->text, name);
    return pcre2_match(t->code, (PCRE2_SPTR)name, PCRE2_ZERO_TERMINATED, 0, 0, terms->match, terms->limits) >=
           0;
}

static int unknown(const struct term *t, char *const *names, struct err **err)
{
    _cleanup_strv_ char **shown = strv_new();

    for (size_t i = 0; names[i] && i < SHOWN_NAMES; i++)
        strv_push(&shown, names[i]);
    if (strv_len(names) > SHOWN_NAMES)
        strv_push(&shown, "...");
    _cleanup_free_ char *list = strv_join(shown, ", ");
    if (t->is_regex)
        return err_set(err, ERR_NOT_FOUND, "--contexts: /%s/ matches none of the contexts: %s", t->text,
                       list);
    const char *near = str_suggest(t->text, (const char *const *)names);
    if (near)
        return err_set(err, ERR_NOT_FOUND, "context \"%s\" does not exist; did you mean \"%s\"?", t->text,
                       near);
    return err_set(err, ERR_NOT_FOUND, "context \"%s\" does not exist; there are %s", t->text, list);
}

static int choose(struct terms *terms, char *const *names, char ***chosen, struct err **err)
{
    bool only_exclusions = true;

    for (size_t i = 0; i < terms->list.len; i++) {
        struct term *t = &terms->list.items[i];
        only_exclusions = only_exclusions && t->exclude;
        for (char *const *name = names; *name; name++) {
            if (!matches(terms, t, *name))
                continue;
            t->used = true;
            if (!t->exclude && !strv_has(*chosen, *name))
                strv_push(chosen, *name);
        }
        /* An expression that excludes is a precaution, a name that excludes nothing is a mistake. */
        if (!t->used && !(t->exclude && t->is_regex))
            return unknown(t, names, err);
    }
    if (only_exclusions) {
        strv_free(*chosen);
        *chosen = strv_copy(names);
    }
    return 0;
}

static bool excluded(struct terms *terms, const char *name)
{
    for (size_t i = 0; i < terms->list.len; i++)
        if (terms->list.items[i].exclude && matches(terms, &terms->list.items[i], name))
            return true;
    return false;
}

int contexts_select(const char *text, char *const *names, char ***ret, struct err **err)
{
    _cleanup_(terms_release) struct terms terms = {0};
    _cleanup_strv_ char **chosen = strv_new(), **left = strv_new();
    int r;

    if (!names || !*names)
        return err_set(err, ERR_NOT_FOUND, "the kubeconfig names no contexts to choose from");
    if (!text) {
        *ret = strv_copy(names);
        return 0;
    }
    terms.limits = pcre2_match_context_create(NULL);
    terms.match = pcre2_match_data_create(1, NULL);
    if (!terms.limits || !terms.match)
        abort();
    pcre2_set_match_limit(terms.limits, MATCH_MOST);
    r = parse_terms(&terms, text, err);
    if (r == 0)
        r = choose(&terms, names, &chosen, err);
    if (r < 0)
        return r;
    for (char **name = chosen; *name; name++)
        if (!excluded(&terms, *name))
            strv_push(&left, *name);
    if (!*left)
        return err_set(err, ERR_NOT_FOUND, "--contexts: \"%s\" leaves no context", text);
    *ret = TAKE_PTR(left);
    return 0;
}
