#include "print/gotemplate_tree.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/str.h"
#include "data/gotext.h"

enum token_type {
    T_END, /* of the action: "}}" */
    T_DOT,
    T_FIELD,
    T_VARIABLE,
    T_WORD,
    T_LITERAL,
    T_DECLARE, /* := */
    T_ASSIGN,
    T_OTHER, /* one of ( ) | , */
};

struct token {
    enum token_type type;
    char other;
    bool space; /* stands behind a blank */
    char *text; /* of a FIELD without its dot, of a VARIABLE with its dollar */
    cJSON *literal;
    size_t start, end;
};

struct parser {
    const char *text;
    size_t len, pos;
    bool trim; /* the action just read ended with " -}}" */
    struct token token;
    int depth, ranges;
    VEC(char *) variables;                     /* in scope */
    const struct print_gt_function *functions; /* of the caller, before those that are built in */
};

static int fail(const struct parser *p, int code, struct err **err, const char *fmt, ...) _printf_(4, 5);

static int fail(const struct parser *p, int code, struct err **err, const char *fmt, ...)
{
    va_list ap;
    size_t line = 1;

    for (size_t i = 0; i < p->pos && i < p->len; i++)
        line += p->text[i] == '\n';
    va_start(ap, fmt);
    _cleanup_free_ char *message = xvasprintf(fmt, ap);
    va_end(ap);
    return err_set(err, code, "template: output:%zu: %s", line, message);
}

static int too_deep(const struct parser *p, struct err **err)
{
    return fail(p, ERR_TOO_LARGE, err, "nested more than %d deep", PRINT_GT_MAX_NESTING);
}

/* Freeing */

static void operand_release(struct print_gt_operand *o)
{
    free(o->name);
    cJSON_Delete(o->literal);
    print_gt_pipe_free(o->pipe);
    for (size_t i = 0; i < o->fields.len; i++)
        free(o->fields.items[i]);
    free(o->fields.items);
}

void print_gt_pipe_free(struct print_gt_pipe *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->variables.len; i++)
        free(p->variables.items[i]);
    free(p->variables.items);
    for (size_t i = 0; i < p->commands.len; i++) {
        struct print_gt_command *c = &p->commands.items[i];
        for (size_t k = 0; k < c->operands.len; k++)
            operand_release(&c->operands.items[k]);
        free(c->operands.items);
    }
    free(p->commands.items);
    free(p);
}

static void list_release(struct print_gt_list *list)
{
    for (size_t i = 0; i < list->len; i++) {
        struct print_gt_node *n = &list->items[i];
        free(n->text);
        print_gt_pipe_free(n->pipe);
        list_release(&n->body);
        list_release(&n->otherwise);
    }
    free(list->items);
}

void print_gotemplate_free(struct print_gotemplate *t)
{
    if (!t)
        return;
    list_release(&t->root);
    free(t->text);
    free(t);
}

/* Tokens */

static bool is_word(char c)
{
    return c == '_' || isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

static char at(const struct parser *p, size_t offset)
{
    return p->pos + offset < p->len ? p->text[p->pos + offset] : '\0';
}

static bool ahead(const struct parser *p, const char *word)
{
    return str_starts(p->text + p->pos, word);
}

static void token_clear(struct token *t)
{
    free(t->text);
    cJSON_Delete(t->literal);
    *t = (struct token){0};
}

static int read_text(struct parser *p, char quote, struct err **err)
{
    size_t start = ++p->pos;
    _cleanup_buf_ struct buf text = BUF_INIT;

    for (; p->pos < p->len && at(p, 0) != quote; p->pos++) {
        if (at(p, 0) == '\n' && quote != '`')
            break;
        if (at(p, 0) == '\\' && quote != '`')
            p->pos++;
    }
    if (p->pos >= p->len || at(p, 0) != quote)
        return fail(p, ERR_INVALID, err, "unterminated %s",
                    quote == '`'    ? "raw quoted string"
                    : quote == '\'' ? "character constant"
                                    : "quoted string");
    if (quote == '`')
        buf_add(&text, p->text + start, p->pos - start);
    else if (gotext_unquote(&text, p->text + start, p->pos - start, quote, NULL) < 0)
        return fail(p, ERR_INVALID, err, "invalid syntax");
    p->pos++;
    if (quote == '\'') {
        uint32_t cp = 0;
        size_t n = text.len ? str_utf8_next(buf_str(&text), &cp) : 0;
        if (!n || n != text.len)
            return fail(p, ERR_INVALID, err, "malformed character constant: %.*s", (int)(p->pos - start + 1),
                        p->text + start - 1);
        p->token.literal = cJSON_CreateNumber(cp);
        return 0;
    }
    if (text.len && memchr(text.data, 0, text.len))
        return fail(p, ERR_UNSUPPORTED, err, "a NUL character in a string is not supported");
    p->token.literal = cJSON_CreateString(buf_str(&text));
    return 0;
}

static int read_number(struct parser *p, struct err **err)
{
    size_t start = p->pos;
    char *stop;

    p->pos += at(p, 0) == '+' || at(p, 0) == '-';
    while (is_word(at(p, 0)) || at(p, 0) == '.' ||
           ((at(p, 0) == '+' || at(p, 0) == '-') && strchr("eEpP", p->text[p->pos - 1])))
        p->pos++;
    _cleanup_free_ char *text = xstrndup(p->text + start, p->pos - start);
    if (str_ends(text, "i") && strspn(text, "+-.0123456789") == strlen(text) - 1)
        return fail(p, ERR_UNSUPPORTED, err, "complex numbers (%s) are not supported", text);
    double value = strtod(text, &stop);
    if (stop == text || *stop || strpbrk(text, "nN"))
        return fail(p, ERR_INVALID, err, "bad number syntax: \"%s\"", text);
    p->token.literal = cJSON_CreateNumber(value);
    return 0;
}

/* The text of the word, field or variable at pos. */
static char *read_word(struct parser *p)
{
    size_t start = p->pos;

    while (is_word(at(p, 0)))
        p->pos++;
    return xstrndup(p->text + start, p->pos - start);
}

/* Reads p->token. */
static int next_token(struct parser *p, struct err **err)
{
    struct token *t = &p->token;
    int r = 0;

    token_clear(t);
    while (p->pos < p->len && strchr(" \t\r\n", at(p, 0))) {
        t->space = true;
        p->pos++;
    }
    t->start = p->pos;
    char c = at(p, 0), d = at(p, 1);
    if (p->pos >= p->len)
        return fail(p, ERR_INVALID, err, "unclosed action");
    if (ahead(p, "}}") || (t->space && ahead(p, "-}}"))) {
        p->trim = c == '-';
        p->pos += p->trim ? 3 : 2;
        t->type = T_END;
    } else if (c == '"' || c == '`' || c == '\'') {
        t->type = T_LITERAL;
        r = read_text(p, c, err);
    } else if (isdigit((unsigned char)c) ||
               ((c == '+' || c == '-') && (isdigit((unsigned char)d) || d == '.')) ||
               (c == '.' && isdigit((unsigned char)d))) {
        t->type = T_LITERAL;
        r = read_number(p, err);
    } else if (c == '.') {
        p->pos++;
        t->type = is_word(d) ? T_FIELD : T_DOT;
        t->text = t->type == T_FIELD ? read_word(p) : NULL;
    } else if (c == '$') {
        p->pos++;
        _cleanup_free_ char *name = read_word(p);
        t->type = T_VARIABLE;
        t->text = xasprintf("$%s", name);
    } else if (is_word(c)) {
        t->type = T_WORD;
        t->text = read_word(p);
    } else if (c == ':' && d == '=') {
        p->pos += 2;
        t->type = T_DECLARE;
    } else if (c == '=') {
        p->pos++;
        t->type = T_ASSIGN;
    } else if (strchr("()|,", c)) {
        p->pos++;
        t->type = T_OTHER;
        t->other = c;
    } else {
        _cleanup_buf_ struct buf rune = BUF_INIT;
        gotext_rune(&rune, (unsigned char)c);
        return fail(p, ERR_INVALID, err, "unrecognized character in action: %s", buf_str(&rune));
    }
    t->end = p->pos;
    return r;
}

static bool is_other(const struct parser *p, char c)
{
    return p->token.type == T_OTHER && p->token.other == c;
}

static int unexpected(const struct parser *p, const char *where, struct err **err)
{
    const struct token *t = &p->token;

    if (t->type == T_END)
        return fail(p, ERR_INVALID, err, "unexpected \"}}\" in %s", where);
    return fail(p, ERR_INVALID, err, "unexpected \"%.*s\" in %s", (int)(t->end - t->start),
                p->text + t->start, where);
}

/* Pipelines */

static int parse_pipe(struct parser *p, const char *where, struct print_gt_pipe **ret, struct err **err);

static bool declared(const struct parser *p, const char *name)
{
    for (size_t i = 0; i < p->variables.len; i++)
        if (streq(p->variables.items[i], name))
            return true;
    return false;
}

static int use_variable(const struct parser *p, const char *name, struct err **err)
{
    return declared(p, name) ? 0 : fail(p, ERR_INVALID, err, "undefined variable \"%s\"", name);
}

static const struct print_gt_function *function_of(const struct parser *p, const char *name)
{
    for (const struct print_gt_function *f = p->functions; f && f->name; f++)
        if (streq(f->name, name))
            return f;
    return print_gt_function(name);
}

static int parse_word(struct parser *p, struct print_gt_operand *o, struct err **err)
{
    static const char *const refused[] = {"js", "call", NULL};
    const char *word = p->token.text;

    if (streq(word, "true") || streq(word, "false")) {
        o->type = PRINT_GT_LITERAL;
        o->literal = cJSON_CreateBool(*word == 't');
    } else if (streq(word, "nil")) {
        o->type = PRINT_GT_NIL;
    } else {
        o->type = PRINT_GT_FUNCTION;
        o->function = function_of(p, word);
        if (!o->function && strv_has((char *const *)refused, word))
            return fail(p, ERR_UNSUPPORTED, err, "the function %s is not supported", word);
        if (!o->function)
            return fail(p, ERR_INVALID, err, "function \"%s\" not defined", word);
        o->name = xstrdup(word);
    }
    return 0;
}

/* One operand with the fields behind it; the token after it is read. */
static int parse_operand(struct parser *p, struct print_gt_operand *o, struct err **err)
{
    int r = 0;

    o->start = p->token.start;
    switch (p->token.type) {
    case T_FIELD:
        vec_push(&o->fields, TAKE_PTR(p->token.text));
        break;
    case T_DOT:
        break;
    case T_LITERAL:
        o->type = PRINT_GT_LITERAL;
        o->literal = TAKE_PTR(p->token.literal);
        break;
    case T_VARIABLE:
        o->type = PRINT_GT_VARIABLE;
        o->name = TAKE_PTR(p->token.text);
        r = use_variable(p, o->name, err);
        break;
    case T_WORD:
        r = parse_word(p, o, err);
        break;
    default:
        if (!is_other(p, '('))
            return unexpected(p, "operand", err);
        o->type = PRINT_GT_PIPE;
        r = next_token(p, err);
        if (r == 0)
            r = parse_pipe(p, "parenthesized pipeline", &o->pipe, err);
        if (r == 0 && !is_other(p, ')'))
            r = p->token.type == T_END ? fail(p, ERR_INVALID, err, "unclosed left paren")
                                       : unexpected(p, "pipeline", err);
    }
    o->end = p->token.end;
    if (r == 0)
        r = next_token(p, err);
    while (r == 0 && p->token.type == T_FIELD && !p->token.space) {
        if (o->type == PRINT_GT_LITERAL || o->type == PRINT_GT_NIL ||
            (o->type == PRINT_GT_DOT && !o->fields.len))
            return fail(p, ERR_INVALID, err, "unexpected . after term \"%.*s\"", (int)(o->end - o->start),
                        p->text + o->start);
        vec_push(&o->fields, TAKE_PTR(p->token.text));
        o->end = p->token.end;
        r = next_token(p, err);
    }
    return r;
}

static bool ends_command(const struct parser *p)
{
    return p->token.type == T_END || is_other(p, '|') || is_other(p, ')');
}

static int parse_command(struct parser *p, struct print_gt_pipe *pipe, const char *where, struct err **err)
{
    vec_push(&pipe->commands, (struct print_gt_command){0});
    struct print_gt_command *c = &pipe->commands.items[pipe->commands.len - 1];
    int r = 0;

    while (r == 0 && !ends_command(p)) {
        if (c->operands.len && !p->token.space)
            return unexpected(p, "operand", err);
        vec_push(&c->operands, (struct print_gt_operand){0});
        r = parse_operand(p, &c->operands.items[c->operands.len - 1], err);
    }
    if (r < 0)
        return r;
    if (!c->operands.len)
        return pipe->commands.len > 1 ? fail(p, ERR_INVALID, err, "missing value for %s", where)
               : is_other(p, ')') || is_other(p, '|')
                   ? unexpected(p, where, err)
                   : fail(p, ERR_INVALID, err, "missing value for %s", where);
    const struct print_gt_operand *first = &c->operands.items[0];
    /* A value cannot take what comes down the pipe. */
    if (pipe->commands.len > 1 && (first->type == PRINT_GT_LITERAL || first->type == PRINT_GT_NIL ||
                                   (first->type == PRINT_GT_DOT && !first->fields.len)))
        return fail(p, ERR_INVALID, err, "non executable command in pipeline stage %zu", pipe->commands.len);
    return 0;
}

/* "$i, $e :=", "$x :=", "$x =". A variable that is none of these is given back as the first operand. */
static int parse_declaration(struct parser *p, const char *where, struct print_gt_pipe *pipe,
                             bool *ret_operand, struct err **err)
{
    *ret_operand = false;
    while (p->token.type == T_VARIABLE) {
        struct token saved = p->token;
        size_t pos = p->pos;
        bool trim = p->trim;
        p->token = (struct token){0};
        int r = next_token(p, err);
        if (r < 0) {
            token_clear(&saved);
            return r;
        }
        bool more = is_other(p, ',') && streq(where, "range") && !pipe->variables.len;
        if (!more && p->token.type != T_DECLARE && p->token.type != T_ASSIGN) {
            token_clear(&p->token);
            p->token = saved;
            p->pos = pos;
            p->trim = trim;
            if (pipe->variables.len)
                return fail(p, ERR_INVALID, err, "range can only initialize variables");
            *ret_operand = true;
            return 0;
        }
        pipe->assigns = p->token.type == T_ASSIGN;
        vec_push(&pipe->variables, TAKE_PTR(saved.text));
        token_clear(&saved);
        r = next_token(p, err);
        if (r < 0)
            return r;
        if (!more)
            return 0;
    }
    return pipe->variables.len ? fail(p, ERR_INVALID, err, "range can only initialize variables") : 0;
}

static int parse_pipe(struct parser *p, const char *where, struct print_gt_pipe **ret, struct err **err)
{
    struct print_gt_pipe *pipe = *ret = xcalloc(1, sizeof(*pipe));
    bool operand;

    pipe->start = p->token.start;
    if (++p->depth > PRINT_GT_MAX_NESTING)
        return too_deep(p, err);
    int r = parse_declaration(p, where, pipe, &operand, err);
    while (r == 0) {
        r = parse_command(p, pipe, where, err);
        if (r < 0 || !is_other(p, '|'))
            break;
        r = next_token(p, err);
    }
    p->depth--;
    for (size_t i = 0; i < pipe->variables.len && r == 0; i++) {
        if (pipe->assigns)
            r = use_variable(p, pipe->variables.items[i], err);
        else
            vec_push(&p->variables, xstrdup(pipe->variables.items[i]));
    }
    return r;
}

static int parse_action_pipe(struct parser *p, const char *where, struct print_gt_pipe **ret,
                             struct err **err)
{
    int r = parse_pipe(p, where, ret, err);

    if (r == 0 && p->token.type != T_END)
        r = unexpected(p, where, err);
    return r;
}

/* The body of a template */

static void drop_variables(struct parser *p, size_t keep)
{
    while (p->variables.len > keep)
        free(p->variables.items[--p->variables.len]);
}

static size_t trim_left(const char *text, size_t from, size_t to)
{
    while (from < to && strchr(" \t\r\n", text[from]))
        from++;
    return from;
}

/* Text as far as the next action, which p stands in afterwards; false at the end. */
static bool read_plain(struct parser *p, struct print_gt_list *list)
{
    const char *open = strstr(p->text + p->pos, "{{");
    size_t from = p->pos, to = open ? (size_t)(open - p->text) : p->len;

    p->pos = open ? to + 2 : to;
    if (p->trim)
        from = trim_left(p->text, from, to);
    p->trim = false;
    if (open && at(p, 0) == '-' && at(p, 1) && strchr(" \t\r\n", at(p, 1))) {
        while (to > from && strchr(" \t\r\n", p->text[to - 1]))
            to--;
        p->pos++;
    }
    if (to > from) {
        struct print_gt_node n = {
            .type = PRINT_GT_TEXT, .text = xstrndup(p->text + from, to - from), .len = to - from};
        vec_push(list, n);
    }
    return open;
}

/* {{/ * ... * /}}: true when there was one. */
static int skip_comment(struct parser *p, bool *ret, struct err **err)
{
    size_t start = trim_left(p->text, p->pos, p->len);

    *ret = false;
    /* Only a trim marker may stand between the braces and a comment. */
    if (!str_starts(p->text + start, "/*") || (start != p->pos && p->text[p->pos - 1] != '-'))
        return 0;
    const char *end = strstr(p->text + start + 2, "*/");
    if (!end)
        return fail(p, ERR_INVALID, err, "unclosed comment");
    p->pos = (size_t)(end - p->text) + 2;
    if (ahead(p, "}}")) {
        p->pos += 2;
    } else if (at(p, 0) && strchr(" \t\r\n", at(p, 0)) && str_starts(p->text + p->pos + 1, "-}}")) {
        p->pos += 4;
        p->trim = true;
    } else {
        return fail(p, ERR_INVALID, err, "comment ends before closing delimiter");
    }
    *ret = true;
    return 0;
}

enum stop { STOP_TEXT, STOP_END, STOP_ELSE };

static int parse_list(struct parser *p, struct print_gt_list *list, enum stop *ret, struct err **err);

static int expect_end(struct parser *p, const char *where, struct err **err)
{
    int r = next_token(p, err);

    return r < 0 ? r : p->token.type == T_END ? 0 : unexpected(p, where, err);
}

static int parse_block(struct parser *p, enum print_gt_node_type type, struct print_gt_list *list,
                       struct err **err);

/* Behind {{else: a list up to {{end}}, or a block in place of one. */
static int parse_else(struct parser *p, struct print_gt_node *n, struct err **err)
{
    enum stop stop;
    int r = next_token(p, err);

    if (r < 0)
        return r;
    if (p->token.type == T_WORD && n->type == PRINT_GT_IF && streq(p->token.text, "if"))
        return parse_block(p, PRINT_GT_IF, &n->otherwise, err);
    if (p->token.type == T_WORD && n->type == PRINT_GT_WITH && streq(p->token.text, "with"))
        return parse_block(p, PRINT_GT_WITH, &n->otherwise, err);
    if (p->token.type != T_END)
        return unexpected(p, "else", err);
    r = parse_list(p, &n->otherwise, &stop, err);
    if (r == 0 && stop == STOP_ELSE)
        return fail(p, ERR_INVALID, err, "expected end; found {{else}}");
    if (r == 0 && stop == STOP_TEXT)
        return fail(p, ERR_INVALID, err, "unexpected EOF");
    return r;
}

/* if, with or range, as far as its {{end}}. */
static int parse_block(struct parser *p, enum print_gt_node_type type, struct print_gt_list *list,
                       struct err **err)
{
    static const char *const names[] = {
        [PRINT_GT_IF] = "if", [PRINT_GT_WITH] = "with", [PRINT_GT_RANGE] = "range"};
    size_t variables = p->variables.len;
    enum stop stop = STOP_TEXT;

    vec_push(list, ((struct print_gt_node){.type = type}));
    struct print_gt_node *n = &list->items[list->len - 1];
    if (++p->depth > PRINT_GT_MAX_NESTING)
        return too_deep(p, err);
    int r = next_token(p, err);
    if (r == 0)
        r = parse_action_pipe(p, names[type], &n->pipe, err);
    p->ranges += type == PRINT_GT_RANGE;
    if (r == 0)
        r = parse_list(p, &n->body, &stop, err);
    p->ranges -= type == PRINT_GT_RANGE;
    if (r == 0 && stop == STOP_TEXT)
        r = fail(p, ERR_INVALID, err, "unexpected EOF");
    if (r == 0 && stop == STOP_ELSE)
        r = parse_else(p, n, err);
    drop_variables(p, variables);
    p->depth--;
    return r;
}

static int parse_jump(struct parser *p, enum print_gt_node_type type, struct print_gt_list *list,
                      struct err **err)
{
    const char *name = type == PRINT_GT_BREAK ? "{{break}}" : "{{continue}}";

    if (!p->ranges)
        return fail(p, ERR_INVALID, err, "%s outside {{range}}", name);
    vec_push(list, ((struct print_gt_node){.type = type}));
    return expect_end(p, name, err);
}

/* One action whose first token is read. stop is set by else and end. */
static int parse_action(struct parser *p, struct print_gt_list *list, enum stop *stop, struct err **err)
{
    static const char *const refused[] = {"define", "template", "block", NULL};
    const char *word = p->token.type == T_WORD ? p->token.text : "";

    if (strv_has((char *const *)refused, word))
        return fail(p, ERR_UNSUPPORTED, err, "{{%s}} is not supported", word);
    if (streq(word, "if"))
        return parse_block(p, PRINT_GT_IF, list, err);
    if (streq(word, "with"))
        return parse_block(p, PRINT_GT_WITH, list, err);
    if (streq(word, "range"))
        return parse_block(p, PRINT_GT_RANGE, list, err);
    if (streq(word, "break"))
        return parse_jump(p, PRINT_GT_BREAK, list, err);
    if (streq(word, "continue"))
        return parse_jump(p, PRINT_GT_CONTINUE, list, err);
    if (streq(word, "end")) {
        *stop = STOP_END;
        return expect_end(p, "end", err);
    }
    if (streq(word, "else")) {
        *stop = STOP_ELSE;
        return 0;
    }
    vec_push(list, ((struct print_gt_node){.type = PRINT_GT_ACTION}));
    struct print_gt_node *n = &list->items[list->len - 1];
    return parse_action_pipe(p, "command", &n->pipe, err);
}

static int parse_list(struct parser *p, struct print_gt_list *list, enum stop *ret, struct err **err)
{
    enum stop stop = STOP_TEXT;
    int r = 0;

    while (r == 0 && stop == STOP_TEXT && read_plain(p, list)) {
        bool comment;
        r = skip_comment(p, &comment, err);
        if (r < 0 || comment)
            continue;
        r = next_token(p, err);
        if (r == 0)
            r = parse_action(p, list, &stop, err);
    }
    *ret = stop;
    return r;
}

int print_gotemplate_parse(const char *text, bool missing_is_error, struct print_gotemplate **ret,
                           struct err **err)
{
    return print_gotemplate_parse_with(text, missing_is_error, NULL, ret, err);
}

int print_gotemplate_parse_with(const char *text, bool missing_is_error,
                                const struct print_gt_function *functions, struct print_gotemplate **ret,
                                struct err **err)
{
    _cleanup_(print_gotemplate_freep) struct print_gotemplate *t = xcalloc(1, sizeof(*t));
    struct parser p = {.text = text, .len = strlen(text), .functions = functions};
    enum stop stop = STOP_TEXT;

    if (p.len > PRINT_GT_MAX_TEXT)
        return err_set(err, ERR_TOO_LARGE, "the template is longer than %d bytes", PRINT_GT_MAX_TEXT);
    t->text = xstrdup(text);
    t->missing_is_error = missing_is_error;
    vec_push(&p.variables, xstrdup("$"));
    int r = parse_list(&p, &t->root, &stop, err);
    if (r == 0 && stop != STOP_TEXT)
        r = fail(&p, ERR_INVALID, err, stop == STOP_END ? "unexpected {{end}}" : "unexpected {{else}}");
    token_clear(&p.token);
    drop_variables(&p, 0);
    free(p.variables.items);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(t);
    return 0;
}
