#include "data/jsonpath_tree.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/str.h"
#include "data/gotext.h"

/* Unions and filters hold paths of their own. Their text is always shorter than what holds it; the grammar
 * leaves no way to more than a few levels. */
enum { MAX_NESTING = 16 };

struct parser {
    const char *text, *pos, *end;
    int depth;
};

static void list_release(struct jsonpath_list *list)
{
    for (size_t i = 0; i < list->len; i++) {
        struct jsonpath_node *n = &list->items[i];
        free(n->text);
        cJSON_Delete(n->literal);
        buf_release(&n->raw);
        for (size_t k = 0; k < n->lists.len; k++)
            list_release(&n->lists.items[k]);
        free(n->lists.items);
    }
    free(list->items);
    *list = (struct jsonpath_list){0};
}

void jsonpath_free(struct jsonpath *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->parts.len; i++)
        list_release(&p->parts.items[i].list);
    free(p->parts.items);
    free(p->text);
    free(p);
}

static struct jsonpath_node *add_node(struct jsonpath_list *list, enum jsonpath_type type)
{
    vec_push(list, ((struct jsonpath_node){.type = type}));
    return &list->items[list->len - 1];
}

static void add_literal(struct jsonpath_list *list, const char *text, size_t len)
{
    struct jsonpath_node *n = add_node(list, JSONPATH_LITERAL);
    buf_add(&n->raw, text, len);
    n->literal = cJSON_CreateString(buf_str(&n->raw));
}

static bool at(const struct parser *p, const char *word)
{
    size_t n = strlen(word);

    return (size_t)(p->end - p->pos) >= n && memcmp(p->pos, word, n) == 0;
}

static bool ends_name(const struct parser *p)
{
    return p->pos == p->end || strchr(" \t\r\n.,[]$@{}", *p->pos);
}

/* Letters of all scripts count; what else lies past ASCII is not told from them. */
static bool starts_word(char c)
{
    return c == '_' || isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

static int parse_action(struct parser *p, struct jsonpath_part *part, struct err **err);

/* The text as an action of its own. */
static int parse_inner(const struct parser *outer, const char *text, size_t len, struct jsonpath_list *ret,
                       struct err **err)
{
    _cleanup_free_ char *action = xasprintf("%.*s}", (int)len, text);
    struct parser p = {.text = action, .pos = action, .end = action + len + 1, .depth = outer->depth + 1};
    struct jsonpath_part part = {0};

    if (p.depth > MAX_NESTING)
        return err_set(err, ERR_TOO_LARGE, "paths are nested more than %d deep", MAX_NESTING);
    int r = parse_action(&p, &part, err);
    if (r < 0) {
        list_release(&part.list);
        return r;
    }
    if (part.range || part.end)
        add_node(&part.list, JSONPATH_WORD)->text = xstrdup(part.range ? "range" : "end");
    *ret = part.list;
    return 0;
}

static void parse_field(struct parser *p, struct jsonpath_list *list)
{
    _cleanup_buf_ struct buf name = BUF_INIT;

    while (!ends_name(p)) {
        if (*p->pos == '\\') {
            if (++p->pos == p->end)
                break;
            /* Of a name "\\" nothing stays: kubectl drops every backslash. */
            if (*p->pos == '\\') {
                p->pos++;
                continue;
            }
        }
        buf_addc(&name, *p->pos++);
    }
    if (name.len == 1 && *buf_str(&name) == '*')
        add_node(list, JSONPATH_WILDCARD);
    else
        add_node(list, JSONPATH_FIELD)->text = buf_take(&name);
}

static void parse_word(struct parser *p, struct jsonpath_part *part)
{
    const char *start = p->pos;

    while (!ends_name(p))
        p->pos++;
    _cleanup_free_ char *word = xstrndup(start, (size_t)(p->pos - start));
    if (streq(word, "true") || streq(word, "false"))
        add_node(&part->list, JSONPATH_LITERAL)->literal = cJSON_CreateBool(*word == 't');
    else if (streq(word, "range"))
        part->range = true;
    else if (streq(word, "end"))
        part->end = true;
    else
        add_node(&part->list, JSONPATH_WORD)->text = TAKE_PTR(word);
}

static int parse_number(struct parser *p, struct jsonpath_list *list, struct err **err)
{
    const char *start = p->pos;
    char *stop;

    if (*p->pos == '+' || *p->pos == '-')
        p->pos++;
    while (p->pos < p->end && (*p->pos == '.' || isdigit((unsigned char)*p->pos)))
        p->pos++;
    _cleanup_free_ char *text = xstrndup(start, (size_t)(p->pos - start));
    double value = strtod(text, &stop);
    if (stop == text || *stop)
        return err_set(err, ERR_INVALID, "cannot parse number %s", text);
    add_node(list, JSONPATH_LITERAL)->literal = cJSON_CreateNumber(value);
    return 0;
}

static int parse_quote(struct parser *p, struct jsonpath_list *list, struct err **err)
{
    const char *start = p->pos;
    char quote = *p->pos++;
    _cleanup_buf_ struct buf text = BUF_INIT;

    for (;; p->pos++) {
        if (p->pos == p->end || *p->pos == '\n')
            return err_set(err, ERR_INVALID, "unterminated quoted string");
        if (*p->pos == quote && p->pos[-1] != '\\')
            break;
    }
    p->pos++;
    if (gotext_unquote(&text, start + 1, (size_t)(p->pos - start) - 2, quote, NULL) < 0)
        return err_set(err, ERR_INVALID, "unquote string %.*s error invalid syntax", (int)(p->pos - start),
                       start);
    add_literal(list, buf_str(&text), text.len);
    return 0;
}

/* "-3", "", "2": false when it is no number of this kind at all. */
static bool bound_text(const char *text, size_t len)
{
    if (len && *text == '-') {
        text++;
        len--;
    }
    for (; len; len--, text++)
        if (!isdigit((unsigned char)*text))
            return false;
    return true;
}

static int parse_slice(const char *text, size_t len, struct jsonpath_list *list, struct err **err)
{
    struct jsonpath_bound slice[3] = {0};
    const char *p = text, *end = text + len;

    for (int i = 0; i < 3; i++) {
        if (i && p == end) {
            if (i == 1)
                slice[1] =
                    (struct jsonpath_bound){.known = true, .derived = true, .value = slice[0].value + 1};
            continue;
        }
        const char *start = i ? p + 1 : p, *colon = memchr(start, ':', (size_t)(end - start));
        p = colon ? colon : end;
        _cleanup_free_ char *number = xstrndup(start, (size_t)(p - start));
        int64_t value = 0;
        if (!bound_text(number, strlen(number)))
            return err_set(err, ERR_INVALID, "invalid array index %.*s", (int)len, text);
        if (!*number)
            continue;
        if (!str_to_i64(number, -INT_MAX + 1, INT_MAX - 1, &value))
            return err_set(err, ERR_INVALID, "array index %s is not a number", number);
        slice[i] = (struct jsonpath_bound){.known = true, .value = (int)value};
    }
    if (p != end)
        return err_set(err, ERR_INVALID, "invalid array index %.*s", (int)len, text);
    memcpy(add_node(list, JSONPATH_ARRAY)->slice, slice, sizeof(slice));
    return 0;
}

static int parse_union(const struct parser *p, const char *text, size_t len, struct jsonpath_list *list,
                       struct err **err)
{
    struct jsonpath_node *n = add_node(list, JSONPATH_UNION);
    const char *end = text + len;

    for (const char *next; text <= end; text = next + 1) {
        struct jsonpath_list inner;
        next = memchr(text, ',', (size_t)(end - text));
        next = next ? next : end;
        const char *a = text, *b = next;
        while (a < b && *a == ' ')
            a++;
        while (b > a && b[-1] == ' ')
            b--;
        _cleanup_free_ char *one = xasprintf("[%.*s]", (int)(b - a), a);
        int r = parse_inner(p, one, strlen(one), &inner, err);
        if (r < 0)
            return r;
        vec_push(&n->lists, inner);
    }
    return 0;
}

/* ['a.b'] is the path .a.b for kubectl; a member of that very name is looked for when it leads nowhere. */
static int parse_member(const struct parser *p, const char *name, size_t len, struct jsonpath_list *list,
                        struct err **err)
{
    _cleanup_free_ char *path = xasprintf(".%.*s", (int)len, name);
    struct jsonpath_list inner;
    int r = parse_inner(p, path, len + 1, &inner, err);

    if (r < 0)
        return r;
    struct jsonpath_node *n = add_node(list, JSONPATH_MEMBER);
    n->text = xstrndup(name, len);
    vec_push(&n->lists, inner);
    return 0;
}

static int parse_array(struct parser *p, struct jsonpath_list *list, struct err **err)
{
    const char *text = ++p->pos;

    for (; p->pos < p->end && *p->pos != ']'; p->pos++)
        if (*p->pos == '\n')
            return err_set(err, ERR_INVALID, "unterminated array");
    if (p->pos == p->end)
        return err_set(err, ERR_INVALID, "unterminated array");
    size_t len = (size_t)(p->pos++ - text);
    if (len == 1 && *text == '*')
        return parse_slice(":", 1, list, err);
    if (memchr(text, ',', len))
        return parse_union(p, text, len, list, err);
    if (len >= 2 && text[0] == '\'' && text[len - 1] == '\'' && !memchr(text + 1, '\'', len - 2))
        return parse_member(p, text + 1, len - 2, list, err);
    return parse_slice(text, len, list, err);
}

/* Splits "left op right"; all but left are empty when there is no operator. */
static void split_filter(const char *text, size_t len, size_t *left, size_t *op)
{
    *op = 0;
    for (*left = 0; *left < len && !strchr("!<>=", text[*left]); ++*left)
        ;
    if (*left)
        while (*left + *op < len && strchr("!<>=", text[*left + *op]))
            ++*op;
    /* Something must be left to compare with. */
    if (*left + *op == len && *op)
        --*op;
    if (!*op)
        *left = len;
}

static int parse_filter(struct parser *p, struct jsonpath_list *list, struct err **err)
{
    const char *text = p->pos += strlen("[?(");
    bool begun = false, ended = false;
    char pair = 0;
    size_t left, op;

    /* As kubectl: one quoted text may hold a ')'. */
    for (;; p->pos++) {
        if (p->pos == p->end || *p->pos == '\n')
            return err_set(err, ERR_INVALID, "unterminated filter");
        char c = *p->pos;
        if ((c == '"' || c == '\'') && !begun) {
            begun = true;
            pair = c;
        } else if ((c == '"' || c == '\'') && p->pos[-1] != '\\' && c == pair) {
            ended = true;
        } else if (c == ')' && begun == ended) {
            break;
        }
    }
    size_t len = (size_t)(p->pos++ - text);
    if (p->pos == p->end || *p->pos != ']')
        return err_set(err, ERR_INVALID, "unclosed array expect ]");
    p->pos++;
    split_filter(text, len, &left, &op);

    struct jsonpath_node *n = add_node(list, JSONPATH_FILTER);
    struct jsonpath_list inner;
    n->text = xstrndup(text + left, op);
    int r = parse_inner(p, text, left, &inner, err);
    if (r < 0)
        return r;
    vec_push(&n->lists, inner);
    if (!op)
        return 0;
    r = parse_inner(p, text + left + op, len - left - op, &inner, err);
    if (r < 0)
        return r;
    vec_push(&n->lists, inner);
    return 0;
}

static int parse_recursive(struct parser *p, struct jsonpath_list *list, struct err **err)
{
    if (list->len && list->items[list->len - 1].type == JSONPATH_RECURSIVE)
        return err_set(err, ERR_INVALID, "invalid multiple recursive descent");
    p->pos += strlen("..");
    add_node(list, JSONPATH_RECURSIVE);
    if (p->pos < p->end && starts_word(*p->pos))
        parse_field(p, list);
    return 0;
}

/* What stands behind '{', up to and with its '}'. */
static int parse_action(struct parser *p, struct jsonpath_part *part, struct err **err)
{
    int r = 0;

    while (r == 0) {
        char c = p->pos < p->end ? *p->pos : '\0';
        if (p->pos == p->end || c == '\r' || c == '\n')
            return err_set(err, ERR_INVALID, "unclosed action");
        if (c == '}') {
            p->pos++;
            return 0;
        }
        if (at(p, "[?(")) {
            r = parse_filter(p, &part->list, err);
        } else if (at(p, "..")) {
            r = parse_recursive(p, &part->list, err);
        } else if (c == ' ' || c == '@' || c == '$') {
            p->pos++;
        } else if (c == '[') {
            r = parse_array(p, &part->list, err);
        } else if (c == '"' || c == '\'') {
            r = parse_quote(p, &part->list, err);
        } else if (c == '.') {
            p->pos++;
            parse_field(p, &part->list);
        } else if (c == '+' || c == '-' || isdigit((unsigned char)c)) {
            r = parse_number(p, &part->list, err);
        } else if (starts_word(c)) {
            parse_word(p, part);
        } else {
            _cleanup_buf_ struct buf rune = BUF_INIT;
            gotext_rune(&rune, (unsigned char)c);
            return err_set(err, ERR_INVALID, "unrecognized character in action: %s", buf_str(&rune));
        }
    }
    return r;
}

static void match_ranges(struct jsonpath *t)
{
    VEC(size_t) open = {0};

    for (size_t i = 0; i < t->parts.len; i++) {
        struct jsonpath_part *part = &t->parts.items[i];
        part->range_end = JSONPATH_NO_END;
        if (part->end) {
            part->matched = open.len > 0;
            if (open.len)
                t->parts.items[open.items[--open.len]].range_end = (ptrdiff_t)i;
        } else if (part->range) {
            vec_push(&open, i);
        }
    }
    free(open.items);
}

int jsonpath_parse(const char *text, bool missing_is_error, struct jsonpath **ret, struct err **err)
{
    _cleanup_jsonpath_ struct jsonpath *t = xcalloc(1, sizeof(*t));
    size_t len = strlen(text);
    struct parser p = {.text = text, .pos = text, .end = text + len};

    if (len > JSONPATH_MAX_TEXT)
        return err_set(err, ERR_TOO_LARGE, "the template is longer than %d bytes", JSONPATH_MAX_TEXT);
    t->text = xstrdup(text);
    t->missing_is_error = missing_is_error;
    while (p.pos < p.end) {
        const char *brace = strchr(p.pos, '{');
        size_t n = brace ? (size_t)(brace - p.pos) : (size_t)(p.end - p.pos);
        vec_push(&t->parts, (struct jsonpath_part){0});
        if (n) {
            add_literal(&t->parts.items[t->parts.len - 1].list, p.pos, n);
            p.pos += n;
            continue;
        }
        p.pos++;
        int r = parse_action(&p, &t->parts.items[t->parts.len - 1], err);
        if (r < 0)
            return r;
    }
    match_ranges(t);
    *ret = TAKE_PTR(t);
    return 0;
}

int jsonpath_parse_relaxed(const char *text, struct jsonpath **ret, struct err **err)
{
    size_t len = strlen(text);
    const char *start = text;
    bool braces = len >= 2 && text[0] == '{' && text[len - 1] == '}';

    if (braces) {
        start++;
        len -= 2;
    }
    if (len > 1 && *start == '.') {
        start++;
        len--;
    }
    if (!len || strcspn(start, "{}") < len)
        return err_set(
            err, ERR_INVALID,
            "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or "
            "'{.name1.name2}'");
    _cleanup_free_ char *full = xasprintf("{.%.*s}", (int)len, start);
    return jsonpath_parse(full, false, ret, err);
}

const char *jsonpath_text(const struct jsonpath *p)
{
    return p->text;
}
