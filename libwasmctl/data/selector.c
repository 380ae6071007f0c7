#include "data/selector.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

enum operator{ OP_IN, OP_NOT_IN, OP_EXISTS, OP_MISSING };

struct requirement {
    char *key;
    enum operator op;
    char **values; /* sorted */
};

struct selector {
    struct requirement *items;
    size_t len, cap;
};

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Takes the values. */
static void add(struct selector *s, const char *key, enum operator op, char **values)
{
    struct requirement r = {.key = xstrdup(key), .op = op, .values = values ? values : strv_new()};

    qsort(r.values, strv_len(r.values), sizeof(char *), compare);
    if (s->len == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 4;
        s->items = xreallocarray(s->items, s->cap, sizeof(*s->items));
    }
    s->items[s->len++] = r;
}

void selector_free(struct selector *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->len; i++) {
        free(s->items[i].key);
        strv_free(s->items[i].values);
    }
    free(s->items);
    free(s);
}

/* Checking names: what the API server would refuse is refused here with its place. */

static bool is_name(const char *s, size_t len)
{
    if (!len || len > 63 || !isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)s[i]) && !strchr("-_.", s[i]))
            return false;
    return true;
}

static bool is_key(const char *key)
{
    const char *slash = strchr(key, '/');

    if (!slash)
        return is_name(key, strlen(key));
    if (slash == key || slash - key > 253)
        return false;
    for (const char *p = key; p < slash; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && !strchr("-.", *p))
            return false;
    return is_name(slash + 1, strlen(slash + 1));
}

static bool is_value(const char *s)
{
    return !*s || is_name(s, strlen(s));
}

/* Text form */

struct scanner {
    const char *text, *p;
};

static void skip_blanks(struct scanner *s)
{
    while (*s->p == ' ' || *s->p == '\t')
        s->p++;
}

static char *word(struct scanner *s)
{
    skip_blanks(s);
    size_t len = strcspn(s->p, " \t,=!()");
    char *w = xstrndup(s->p, len);

    s->p += len;
    skip_blanks(s);
    return w;
}

static int bad(const struct scanner *s, struct err **err, const char *why)
{
    return err_set(err, ERR_INVALID, "selector \"%s\": %s at column %zu", s->text, why,
                   (size_t)(s->p - s->text) + 1);
}

static int read_set(struct scanner *s, char ***ret, struct err **err)
{
    _cleanup_strv_ char **values = strv_new();

    if (*s->p != '(')
        return bad(s, err, "expected \"(\"");
    s->p++;
    for (;;) {
        _cleanup_free_ char *value = word(s);
        if (!is_value(value))
            return bad(s, err, "bad label value");
        strv_push(&values, value);
        if (*s->p == ',') {
            s->p++;
            continue;
        }
        if (*s->p != ')')
            return bad(s, err, "expected \",\" or \")\"");
        s->p++;
        skip_blanks(s);
        *ret = TAKE_PTR(values);
        return 0;
    }
}

static int read_requirement(struct scanner *s, struct selector *into, struct err **err)
{
    skip_blanks(s);
    bool negated = *s->p == '!' && s->p[1] != '=';
    if (negated)
        s->p++;
    _cleanup_free_ char *key = word(s);
    if (!is_key(key))
        return bad(s, err, "expected a label key");
    if (negated) {
        add(into, key, OP_MISSING, NULL);
        return 0;
    }
    if (!*s->p || *s->p == ',') {
        add(into, key, OP_EXISTS, NULL);
        return 0;
    }
    if (*s->p == '=' || str_starts(s->p, "!=")) {
        bool unequal = *s->p == '!';
        s->p += unequal || s->p[1] == '=' ? 2 : 1;
        _cleanup_free_ char *value = word(s);
        if (!is_value(value))
            return bad(s, err, "bad label value");
        char **values = strv_new();
        strv_push(&values, value);
        add(into, key, unequal ? OP_NOT_IN : OP_IN, values);
        return 0;
    }
    _cleanup_free_ char *op = word(s);
    bool in = streq(op, "in"), not_in = streq(op, "notin");
    char **values = NULL;
    if (!in && !not_in)
        return bad(s, err, "expected =, ==, !=, in or notin");
    int r = read_set(s, &values, err);
    if (r == 0)
        add(into, key, in ? OP_IN : OP_NOT_IN, values);
    return r;
}

int selector_parse(const char *text, struct selector **ret, struct err **err)
{
    _cleanup_(selector_freep) struct selector *s = xcalloc(1, sizeof(*s));
    struct scanner scan = {.text = text, .p = text};

    skip_blanks(&scan);
    while (*scan.p) {
        int r = read_requirement(&scan, s, err);
        if (r < 0)
            return r;
        if (!*scan.p)
            break;
        if (*scan.p != ',')
            return bad(&scan, err, "expected \",\"");
        scan.p++;
        skip_blanks(&scan);
        if (!*scan.p)
            return bad(&scan, err, "expected a label key");
    }
    *ret = TAKE_PTR(s);
    return 0;
}

/* Object form */

static int read_expression(const cJSON *o, struct selector *into, struct err **err)
{
    static const char *const names[] = {"In", "NotIn", "Exists", "DoesNotExist"};
    const char *key = json_str_or(o, "key", ""), *op = json_str_or(o, "operator", "");
    _cleanup_strv_ char **values = strv_new();

    json_each (v, json_get(o, "values")) {
        if (!cJSON_IsString(v))
            return err_set(err, ERR_INVALID, "matchExpressions: a value of key %s is not a string", key);
        strv_push(&values, v->valuestring);
    }
    if (!is_key(key))
        return err_set(err, ERR_INVALID, "matchExpressions: \"%s\" is not a label key", key);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!streq(op, names[i]))
            continue;
        bool needs_values = i <= OP_NOT_IN;
        if (needs_values != (strv_len(values) > 0))
            return err_set(err, ERR_INVALID, "matchExpressions: operator %s of key %s %s values", op, key,
                           needs_values ? "needs" : "takes no");
        add(into, key, (enum operator)i, TAKE_PTR(values));
        return 0;
    }
    return err_set(err, ERR_INVALID,
                   "matchExpressions: operator \"%s\" of key %s is none of In, NotIn, Exists, DoesNotExist",
                   op, key);
}

int selector_from_json(const cJSON *o, struct selector **ret, struct err **err)
{
    _cleanup_(selector_freep) struct selector *s = xcalloc(1, sizeof(*s));
    const cJSON *labels = json_get(o, "matchLabels"), *expressions = json_get(o, "matchExpressions");

    /* Taking a selector of the wrong shape for an empty one would let it match everything. */
    if ((o && !cJSON_IsObject(o) && !cJSON_IsNull(o)) ||
        (labels && !cJSON_IsObject(labels) && !cJSON_IsNull(labels)) ||
        (expressions && !cJSON_IsArray(expressions) && !cJSON_IsNull(expressions)))
        return err_set(
            err, ERR_INVALID,
            "a label selector is an object with matchLabels (an object) and matchExpressions (a list)");
    json_each (l, labels) {
        if (!cJSON_IsString(l) || !is_key(l->string))
            return err_set(err, ERR_INVALID, "matchLabels: \"%s\" is not a label with a string value",
                           l->string);
        char **values = strv_new();
        strv_push(&values, l->valuestring);
        add(s, l->string, OP_IN, values);
    }
    json_each (e, expressions) {
        int r = read_expression(e, s, err);
        if (r < 0)
            return r;
    }
    *ret = TAKE_PTR(s);
    return 0;
}

/* Matching */

static bool holds(const struct requirement *r, const struct map *labels)
{
    const char *value = map_get(labels, r->key);

    switch (r->op) {
    case OP_IN:
        return value && strv_has(r->values, value);
    case OP_NOT_IN:
        return !value || !strv_has(r->values, value);
    case OP_EXISTS:
        return map_has(labels, r->key);
    case OP_MISSING:
        return !map_has(labels, r->key);
    }
    return false;
}

bool selector_matches(const struct selector *s, const struct map *labels)
{
    for (size_t i = 0; s && i < s->len; i++)
        if (!holds(&s->items[i], labels))
            return false;
    return true;
}

static void add_text(struct buf *b, const struct requirement *r)
{
    _cleanup_free_ char *list = strv_join(r->values, ",");
    bool single = strv_len(r->values) == 1;

    switch (r->op) {
    case OP_IN:
        buf_addf(b, single ? "%s=%s" : "%s in (%s)", r->key, list);
        break;
    case OP_NOT_IN:
        buf_addf(b, single ? "%s!=%s" : "%s notin (%s)", r->key, list);
        break;
    case OP_EXISTS:
        buf_adds(b, r->key);
        break;
    case OP_MISSING:
        buf_addf(b, "!%s", r->key);
        break;
    }
}

char *selector_text(const struct selector *s)
{
    struct buf b = BUF_INIT;

    if (!s || !s->len)
        buf_adds(&b, "<everything>");
    for (size_t i = 0; s && i < s->len; i++) {
        if (i)
            buf_addc(&b, ',');
        add_text(&b, &s->items[i]);
    }
    return buf_take(&b);
}

char *selector_first_mismatch(const struct selector *s, const struct map *labels)
{
    struct buf b = BUF_INIT;

    for (size_t i = 0; s && i < s->len; i++) {
        if (holds(&s->items[i], labels))
            continue;
        add_text(&b, &s->items[i]);
        return buf_take(&b);
    }
    return NULL;
}
