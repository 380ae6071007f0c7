#include "print/gotemplate.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/str.h"
#include "data/gotext.h"
#include "print/gotemplate_tree.h"

/* A value, or none was given (a command that begins a pipeline) */
struct final {
    bool given;
    const cJSON *value;
};

static int eval_pipe(struct print_gt_run *run, const struct print_gt_pipe *pipe, const cJSON *dot,
                     const cJSON **ret, struct err **err);

/* "template: output:LINE:COLUMN: executing "output" at <SOURCE>: " in front of the message, once. */
static int locate(const struct print_gt_run *run, int r, size_t start, size_t end, struct err **err)
{
    const char *text = run->template->text;
    size_t line = 1, column = 0;

    if (!err || !*err || str_starts(err_text(*err), "template: "))
        return r;
    for (size_t i = 0; i < start; i++) {
        line += text[i] == '\n';
        column = text[i] == '\n' ? 0 : column + 1;
    }
    err_wrap(err, "template: output:%zu:%zu: executing \"output\" at <%.*s>", line, column,
             (int)(end - start), text + start);
    return r;
}

static int spend(struct print_gt_run *run, struct err **err)
{
    if (++run->steps > PRINT_GT_MAX_STEPS)
        return err_set(err, ERR_TOO_LARGE, "the template takes more than %d steps", PRINT_GT_MAX_STEPS);
    return 0;
}

int print_gt_keep(struct print_gt_run *run, cJSON *value, const cJSON **ret, struct err **err)
{
    vec_push(&run->made, value);
    run->memory += sizeof(*value) + sizeof(value) + (cJSON_IsString(value) ? strlen(value->valuestring) : 0);
    if (run->memory > PRINT_GT_MAX_MEMORY)
        return err_set(err, ERR_TOO_LARGE, "the template makes more than %d MiB of values",
                       PRINT_GT_MAX_MEMORY >> 20);
    *ret = value;
    return 0;
}

bool print_gt_truth(const cJSON *v)
{
    if (!v || cJSON_IsNull(v))
        return false;
    if (cJSON_IsBool(v))
        return cJSON_IsTrue(v);
    if (cJSON_IsNumber(v))
        return v->valuedouble != 0;
    return cJSON_IsString(v) ? *v->valuestring : v->child != NULL;
}

static int eval_field(struct print_gt_run *run, const char *name, const cJSON *of, const cJSON **ret,
                      struct err **err)
{
    bool strict = run->template->missing_is_error;

    if (!of) {
        if (strict)
            return err_set(err, ERR_NOT_FOUND, "nil data; no entry for key \"%s\"", name);
        *ret = NULL;
        return 0;
    }
    if (cJSON_IsNull(of))
        return err_set(err, ERR_INVALID, "nil pointer evaluating interface {}.%s", name);
    if (!cJSON_IsObject(of))
        return err_set(err, ERR_INVALID, "can't evaluate field %s in type %s", name, gotext_type(of));
    const cJSON *member = json_get(of, name);
    if (!member && strict)
        return err_set(err, ERR_NOT_FOUND, "map has no entry for key \"%s\"", name);
    *ret = member;
    return 0;
}

static struct print_gt_variable *find_variable(struct print_gt_run *run, const char *name)
{
    for (size_t i = run->variables.len; i-- > 0;)
        if (streq(run->variables.items[i].name, name))
            return &run->variables.items[i];
    return NULL;
}

static int call_function(struct print_gt_run *run, const struct print_gt_operand *o, const cJSON *const *args,
                         size_t n, const cJSON **ret, struct err **err)
{
    const struct print_gt_function *f = o->function;

    if (n < (size_t)f->min || (f->max >= 0 && n > (size_t)f->max))
        return err_set(err, ERR_INVALID, "wrong number of args for %s: want %s%d got %zu", f->name,
                       f->max == f->min ? "" : "at least ", f->min, n);
    int r = f->call(run, args, n, ret, err);
    return r < 0 && r != ERR_TOO_LARGE ? err_wrap(err, "error calling %s", f->name) : r;
}

static int eval_operand(struct print_gt_run *run, const struct print_gt_operand *o, const cJSON *dot,
                        const cJSON **ret, struct err **err);

/* A function with its arguments, which stand behind it and come down the pipe. */
static int eval_call(struct print_gt_run *run, const struct print_gt_command *c, const cJSON *dot,
                     struct final final, const cJSON **ret, struct err **err)
{
    const struct print_gt_operand *o = c ? &c->operands.items[0] : NULL;
    bool is_and = streq(o->name, "and"), is_or = streq(o->name, "or");
    VEC(const cJSON *) args = {0};
    const cJSON *value = NULL;
    int r = 0;

    for (size_t i = 1; i < c->operands.len + final.given && r == 0; i++) {
        if (i < c->operands.len)
            r = eval_operand(run, &c->operands.items[i], dot, &value, err);
        else
            value = final.value;
        vec_push(&args, value);
        if ((is_and && !print_gt_truth(value)) || (is_or && print_gt_truth(value)))
            break;
    }
    if (r == 0 && (is_and || is_or)) {
        if (args.len)
            *ret = value;
        else
            r = err_set(err, ERR_INVALID, "wrong number of args for %s: want at least 1 got 0", o->name);
    } else if (r == 0) {
        r = call_function(run, o, args.items, args.len, ret, err);
    }
    free(args.items);
    return r;
}

/* An operand by itself: a function is called without arguments. */
static int eval_operand(struct print_gt_run *run, const struct print_gt_operand *o, const cJSON *dot,
                        const cJSON **ret, struct err **err)
{
    const cJSON *value = NULL;
    int r = spend(run, err);

    if (r < 0)
        return r;
    switch (o->type) {
    case PRINT_GT_DOT:
        value = dot;
        break;
    case PRINT_GT_NIL:
        break;
    case PRINT_GT_LITERAL:
        value = o->literal;
        break;
    case PRINT_GT_VARIABLE: {
        const struct print_gt_variable *v = find_variable(run, o->name);
        value = v ? v->value : NULL;
        break;
    }
    case PRINT_GT_FUNCTION: {
        const struct print_gt_command alone = {.operands = {.items = (struct print_gt_operand *)o, .len = 1}};
        r = eval_call(run, &alone, dot, (struct final){0}, &value, err);
        break;
    }
    case PRINT_GT_PIPE:
        r = eval_pipe(run, o->pipe, dot, &value, err);
        break;
    }
    for (size_t i = 0; i < o->fields.len && r == 0; i++)
        r = eval_field(run, o->fields.items[i], value, &value, err);
    if (r < 0)
        return locate(run, r, o->start, o->end, err);
    *ret = value;
    return 0;
}

static int eval_command(struct print_gt_run *run, const struct print_gt_command *c, const cJSON *dot,
                        struct final final, const cJSON **ret, struct err **err)
{
    const struct print_gt_operand *first = &c->operands.items[0];
    bool arguments = c->operands.len > 1 || final.given;
    int r;

    if (first->type == PRINT_GT_FUNCTION && !first->fields.len) {
        r = spend(run, err);
        if (r == 0)
            r = eval_call(run, c, dot, final, ret, err);
    } else if (first->type == PRINT_GT_NIL) {
        r = err_set(err, ERR_INVALID, "nil is not a command");
    } else if (arguments && first->fields.len) {
        r = err_set(err, ERR_INVALID, "%s is not a method but has arguments",
                    first->fields.items[first->fields.len - 1]);
    } else if (arguments) {
        r = err_set(err, ERR_INVALID, "can't give argument to non-function %.*s",
                    (int)(first->end - first->start), run->template->text + first->start);
    } else {
        return eval_operand(run, first, dot, ret, err);
    }
    return r < 0 ? locate(run, r, first->start, c->operands.items[c->operands.len - 1].end, err) : 0;
}

static int eval_pipe(struct print_gt_run *run, const struct print_gt_pipe *pipe, const cJSON *dot,
                     const cJSON **ret, struct err **err)
{
    struct final final = {0};

    for (size_t i = 0; i < pipe->commands.len; i++) {
        const cJSON *value = NULL;
        int r = eval_command(run, &pipe->commands.items[i], dot, final, &value, err);
        if (r < 0)
            return r;
        final = (struct final){true, value};
    }
    for (size_t i = 0; i < pipe->variables.len; i++) {
        struct print_gt_variable *v = pipe->assigns ? find_variable(run, pipe->variables.items[i]) : NULL;
        if (v)
            v->value = final.value;
        else
            vec_push(&run->variables, ((struct print_gt_variable){pipe->variables.items[i], final.value}));
    }
    *ret = final.value;
    return 0;
}

/* Running */

static int run_list(struct print_gt_run *run, const struct print_gt_list *list, const cJSON *dot,
                    struct err **err);

static int print_value(struct print_gt_run *run, const cJSON *v, struct err **err)
{
    _cleanup_buf_ struct buf text = BUF_INIT;
    _cleanup_free_ char *shown = NULL;

    if (!v || cJSON_IsNull(v))
        buf_adds(&text, "<no value>");
    else
        gotext_value(&text, v);
    if (run->safe)
        shown = str_escape_control(buf_str(&text), true);
    if (buf_adds(run->out, shown ? shown : buf_str(&text)) < 0)
        return err_set(err, ERR_TOO_LARGE, "the output passes 1 GiB");
    return 0;
}

/* One turn of a range. Variables of the body end with it. */
static int run_turn(struct print_gt_run *run, const struct print_gt_node *n, const cJSON *key,
                    const cJSON *element, struct err **err)
{
    const struct print_gt_pipe *pipe = n->pipe;
    size_t mark = run->variables.len;
    int r = spend(run, err);

    if (r < 0)
        return r;
    if (pipe->variables.len) {
        struct print_gt_variable *v = find_variable(run, pipe->variables.items[pipe->variables.len - 1]);
        v->value = element;
    }
    if (pipe->variables.len > 1)
        find_variable(run, pipe->variables.items[0])->value = key;
    r = run_list(run, &n->body, element, err);
    run->variables.len = mark;
    if (run->flow == PRINT_GT_CONTINUING)
        run->flow = PRINT_GT_ON;
    return r;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

static int range_over(struct print_gt_run *run, const struct print_gt_node *n, const cJSON *over,
                      struct err **err)
{
    bool is_map = cJSON_IsObject(over), keys = n->pipe->variables.len > 1;
    _cleanup_free_ const cJSON **items = NULL;
    size_t len = 0, i = 0;
    int r = 0;

    json_each (item, over)
        len++;
    items = xcalloc(len + 1, sizeof(*items));
    json_each (item, over)
        items[i++] = item;
    if (is_map)
        qsort(items, len, sizeof(*items), by_name);
    for (i = 0; i < len && r == 0 && run->flow == PRINT_GT_ON; i++) {
        const cJSON *key = NULL;
        if (keys)
            r = print_gt_keep(run,
                              is_map ? cJSON_CreateString(items[i]->string) : cJSON_CreateNumber((double)i),
                              &key, err);
        if (r == 0)
            r = run_turn(run, n, key, items[i], err);
    }
    return r;
}

static int range_to(struct print_gt_run *run, const struct print_gt_node *n, double count, struct err **err)
{
    int r = 0;

    if (n->pipe->variables.len > 1)
        return err_set(err, ERR_INVALID, "can't use %.0f to iterate over more than one variable", count);
    for (double i = 0; i < count && r == 0 && run->flow == PRINT_GT_ON; i++) {
        const cJSON *element;
        r = print_gt_keep(run, cJSON_CreateNumber(i), &element, err);
        if (r == 0)
            r = run_turn(run, n, NULL, element, err);
    }
    return r;
}

static int run_range(struct print_gt_run *run, const struct print_gt_node *n, const cJSON *dot,
                     const cJSON *over, struct err **err)
{
    int r;

    if (!over || cJSON_IsNull(over) || ((cJSON_IsArray(over) || cJSON_IsObject(over)) && !over->child) ||
        (gotext_is_int(over) && over->valuedouble <= 0))
        return run_list(run, &n->otherwise, dot, err);
    if (cJSON_IsArray(over) || cJSON_IsObject(over)) {
        r = range_over(run, n, over, err);
    } else if (gotext_is_int(over)) {
        r = range_to(run, n, over->valuedouble, err);
    } else {
        _cleanup_buf_ struct buf text = BUF_INIT;
        gotext_value(&text, over);
        r = err_set(err, ERR_INVALID, "range can't iterate over %s", buf_str(&text));
    }
    if (r < 0)
        return locate(run, r, n->pipe->start, n->pipe->commands.items[0].operands.items[0].end, err);
    if (run->flow == PRINT_GT_BREAKING)
        run->flow = PRINT_GT_ON;
    return r;
}

static int run_node(struct print_gt_run *run, const struct print_gt_node *n, const cJSON *dot,
                    struct err **err)
{
    size_t mark = run->variables.len;
    const cJSON *value = NULL;
    int r = spend(run, err);

    if (r == 0 && n->pipe)
        r = eval_pipe(run, n->pipe, dot, &value, err);
    if (r < 0)
        return r;
    switch (n->type) {
    case PRINT_GT_TEXT:
        return buf_add(run->out, n->text, n->len) < 0 ? err_set(err, ERR_TOO_LARGE, "the output passes 1 GiB")
                                                      : 0;
    case PRINT_GT_ACTION:
        return n->pipe->variables.len ? 0 : print_value(run, value, err);
    case PRINT_GT_IF:
    case PRINT_GT_WITH:
        if (print_gt_truth(value))
            r = run_list(run, &n->body, n->type == PRINT_GT_WITH ? value : dot, err);
        else
            r = run_list(run, &n->otherwise, dot, err);
        break;
    case PRINT_GT_RANGE:
        r = run_range(run, n, dot, value, err);
        break;
    case PRINT_GT_BREAK:
        run->flow = PRINT_GT_BREAKING;
        break;
    case PRINT_GT_CONTINUE:
        run->flow = PRINT_GT_CONTINUING;
    }
    run->variables.len = mark;
    return r;
}

static int run_list(struct print_gt_run *run, const struct print_gt_list *list, const cJSON *dot,
                    struct err **err)
{
    int r = 0;

    for (size_t i = 0; i < list->len && r == 0 && run->flow == PRINT_GT_ON; i++)
        r = run_node(run, &list->items[i], dot, err);
    return r;
}

int print_gotemplate_run(const struct print_gotemplate *t, const cJSON *root, bool safe, struct buf *out,
                         struct err **err)
{
    return print_gotemplate_run_with(t, root, safe, NULL, out, err);
}

int print_gotemplate_run_with(const struct print_gotemplate *t, const cJSON *root, bool safe, void *user,
                              struct buf *out, struct err **err)
{
    struct print_gt_run run = {.user = user, .template = t, .out = out, .safe = safe};
    size_t before = out->len;

    vec_push(&run.variables, ((struct print_gt_variable){"$", root}));
    int r = run_list(&run, &t->root, root, err);
    if (r < 0)
        buf_truncate(out, before);
    for (size_t i = 0; i < run.made.len; i++)
        cJSON_Delete(run.made.items[i]);
    free(run.made.items);
    free(run.variables.items);
    return r;
}
