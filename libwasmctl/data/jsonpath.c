#include "data/jsonpath.h"

#include <stdlib.h>

#include "base/str.h"
#include "data/gotext.h"
#include "data/jsonpath_tree.h"

struct run {
    const struct jsonpath *path;
    size_t visited;
};

void jsonpath_found_release(struct jsonpath_found *f)
{
    free(f->items);
    *f = (struct jsonpath_found){0};
}

static int add(struct run *run, struct jsonpath_found *to, const cJSON *v, struct err **err)
{
    if (++run->visited > JSONPATH_MAX_VALUES)
        return err_set(err, ERR_TOO_LARGE, "the template visits more than %d values", JSONPATH_MAX_VALUES);
    vec_push(to, v);
    return 0;
}

static int eval_list(struct run *run, const struct jsonpath_list *list, struct jsonpath_found *values,
                     struct err **err);

static int eval_field(struct run *run, const char *name, const struct jsonpath_found *in,
                      struct jsonpath_found *out, struct err **err)
{
    int r = 0;

    for (size_t i = 0; i < in->len && r == 0; i++) {
        const cJSON *v = cJSON_IsObject(in->items[i]) ? json_get(in->items[i], name) : NULL;
        if (v)
            r = add(run, out, v, err);
    }
    if (r == 0 && in->len && !out->len && run->path->missing_is_error)
        return err_set(err, ERR_NOT_FOUND, "%s is not found", name);
    return r;
}

static int eval_member(struct run *run, const struct jsonpath_node *n, const struct jsonpath_found *in,
                       struct jsonpath_found *out, struct err **err)
{
    for (size_t i = 0; i < in->len; i++)
        if (add(run, out, in->items[i], err) < 0)
            return ERR_TOO_LARGE;
    struct err *e = NULL;
    int r = eval_list(run, &n->lists.items[0], out, &e);
    if (r == 0 && out->len)
        return 0;
    if (r < 0 && r != ERR_NOT_FOUND)
        return err_move(err, e);
    err_free(e);
    out->len = 0;
    return eval_field(run, n->text, in, out, err);
}

static int slice_bounds(const struct jsonpath_bound *slice, int len, int *from, int *to, struct err **err)
{
    *from = slice[0].known ? slice[0].value : 0;
    *to = slice[1].known ? slice[1].value : len;
    if (*from < 0)
        *from += len;
    if (*to < 0 || (*to == 0 && slice[1].derived))
        *to += len;
    if (*from == *to)
        return 0;
    if (*from < 0 || *from >= len)
        return err_set(err, ERR_INVALID, "array index out of bounds: index %d, length %d", *from, len);
    if (*to < 0 || *to > len)
        return err_set(err, ERR_INVALID, "array index out of bounds: index %d, length %d", *to - 1, len);
    if (*from > *to)
        return err_set(err, ERR_INVALID, "starting index %d is greater than ending index %d", *from, *to);
    if (slice[2].known && slice[2].value <= 0)
        return err_set(err, ERR_INVALID, "step must be > 0");
    return 0;
}

static int eval_array(struct run *run, const struct jsonpath_node *n, const struct jsonpath_found *in,
                      struct jsonpath_found *out, struct err **err)
{
    for (size_t i = 0; i < in->len; i++) {
        const cJSON *v = in->items[i];
        int from, to, at = 0, step = n->slice[2].known ? n->slice[2].value : 1;
        if (cJSON_IsNull(v))
            continue;
        if (!cJSON_IsArray(v))
            return err_set(err, ERR_INVALID, "%s is not array or slice", gotext_type(v));
        int r = slice_bounds(n->slice, cJSON_GetArraySize(v), &from, &to, err);
        if (r < 0)
            return r;
        /* As kubectl: an empty slice ends the whole step. */
        if (from == to)
            return 0;
        json_each (item, v) {
            if (at >= from && at < to && (at - from) % step == 0)
                r = add(run, out, item, err);
            if (r < 0)
                return r;
            if (++at >= to)
                break;
        }
    }
    return 0;
}

static int eval_wildcard(struct run *run, const struct jsonpath_found *in, struct jsonpath_found *out,
                         struct err **err)
{
    for (size_t i = 0; i < in->len; i++)
        json_each (child, in->items[i]) {
            int r = add(run, out, child, err);
            if (r < 0)
                return r;
        }
    return 0;
}

/* What `..` gives: everything that has something in it, parents first. */
static bool holds_something(const cJSON *v)
{
    return v->child || (cJSON_IsString(v) && *v->valuestring);
}

static int eval_recursive(struct run *run, const struct jsonpath_found *in, struct jsonpath_found *out,
                          struct err **err)
{
    struct jsonpath_found above = {0};
    int r = 0;

    for (size_t i = 0; i < in->len && r == 0; i++) {
        const cJSON *v = in->items[i];
        if (holds_something(v))
            r = add(run, out, v, err);
        for (const cJSON *next = v->child; r == 0 && (next || above.len);) {
            if (!next) {
                next = above.items[--above.len]->next;
                continue;
            }
            if (holds_something(next))
                r = add(run, out, next, err);
            if (r == 0 && next->child) {
                vec_push(&above, next);
                next = next->child;
            } else {
                next = next->next;
            }
        }
        above.len = 0;
    }
    free(above.items);
    return r;
}

enum kind { KIND_NONE, KIND_BOOL, KIND_NUMBER, KIND_STRING };

static enum kind kind_of(const cJSON *v)
{
    return cJSON_IsBool(v)     ? KIND_BOOL
           : cJSON_IsNumber(v) ? KIND_NUMBER
           : cJSON_IsString(v) ? KIND_STRING
                               : KIND_NONE;
}

static int compare(const char *op, const cJSON *a, const cJSON *b, bool *ret, struct err **err)
{
    static const char *const operators[] = {"==", "!=", "<", "<=", ">", ">=", NULL};
    enum kind ka = kind_of(a), kb = kind_of(b);
    int order;

    if (!strv_has((char *const *)operators, op))
        return err_set(err, ERR_INVALID, "unrecognized filter operator %s", op);
    if (ka == KIND_NONE || kb == KIND_NONE)
        return err_set(err, ERR_INVALID, "invalid type for comparison");
    if (ka != kb)
        return err_set(err, ERR_INVALID, "incompatible types for comparison");
    if (ka == KIND_BOOL && op[0] != '=' && op[0] != '!')
        return err_set(err, ERR_INVALID, "invalid type for comparison");
    if (ka == KIND_STRING)
        order = strcmp(a->valuestring, b->valuestring);
    else if (ka == KIND_NUMBER)
        order = (a->valuedouble > b->valuedouble) - (a->valuedouble < b->valuedouble);
    else
        order = cJSON_IsTrue(a) != cJSON_IsTrue(b);
    switch (op[0]) {
    case '=':
        *ret = order == 0;
        break;
    case '!':
        *ret = order != 0;
        break;
    case '<':
        *ret = order < 0 || (op[1] && order == 0);
        break;
    default:
        *ret = order > 0 || (op[1] && order == 0);
    }
    return 0;
}

/* The one value a side of a comparison has for the element; *ret NULL when there is none. */
static int eval_side(struct run *run, const struct jsonpath_list *side, const cJSON *element,
                     const cJSON **ret, struct err **err)
{
    _cleanup_found_ struct jsonpath_found values = {0};
    int r = add(run, &values, element, err);

    if (r == 0)
        r = eval_list(run, side, &values, err);
    if (r < 0)
        return r;
    if (values.len > 1)
        return err_set(err, ERR_INVALID, "can only compare one element at a time");
    *ret = values.len ? values.items[0] : NULL;
    return 0;
}

static int filter_passes(struct run *run, const struct jsonpath_node *n, const cJSON *element, bool *ret,
                         struct err **err)
{
    const cJSON *left = NULL, *right = NULL;
    int r;

    *ret = false;
    if (!*n->text) {
        _cleanup_found_ struct jsonpath_found values = {0};
        struct err *e = NULL;
        r = add(run, &values, element, err);
        if (r < 0)
            return r;
        r = eval_list(run, &n->lists.items[0], &values, &e);
        if (r == ERR_TOO_LARGE)
            return err_move(err, e);
        /* What cannot be looked for is not there. */
        err_free(e);
        *ret = r == 0 && values.len > 0;
        return 0;
    }
    r = eval_side(run, &n->lists.items[0], element, &left, err);
    if (r == 0 && left)
        r = eval_side(run, &n->lists.items[1], element, &right, err);
    return r == 0 && left && right ? compare(n->text, left, right, ret, err) : r;
}

static int eval_filter(struct run *run, const struct jsonpath_node *n, const struct jsonpath_found *in,
                       struct jsonpath_found *out, struct err **err)
{
    for (size_t i = 0; i < in->len; i++) {
        if (!cJSON_IsArray(in->items[i])) {
            _cleanup_buf_ struct buf text = BUF_INIT;
            gotext_value(&text, in->items[i]);
            return err_set(err, ERR_INVALID, "%s is not array or slice and cannot be filtered",
                           buf_str(&text));
        }
        json_each (element, in->items[i]) {
            bool pass = false;
            int r = filter_passes(run, n, element, &pass, err);
            if (r == 0 && pass)
                r = add(run, out, element, err);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int eval_union(struct run *run, const struct jsonpath_node *n, const struct jsonpath_found *in,
                      struct jsonpath_found *out, struct err **err)
{
    int r = 0;

    for (size_t i = 0; i < n->lists.len && r == 0; i++) {
        _cleanup_found_ struct jsonpath_found some = {0};
        for (size_t k = 0; k < in->len && r == 0; k++)
            r = add(run, &some, in->items[k], err);
        if (r == 0)
            r = eval_list(run, &n->lists.items[i], &some, err);
        for (size_t k = 0; k < some.len && r == 0; k++)
            r = add(run, out, some.items[k], err);
    }
    return r;
}

static int eval_node(struct run *run, const struct jsonpath_node *n, const struct jsonpath_found *in,
                     struct jsonpath_found *out, struct err **err)
{
    switch (n->type) {
    case JSONPATH_LITERAL: {
        /* Text stands for itself, numbers once for each value. */
        int r = 0;
        for (size_t i = 0; i < (cJSON_IsString(n->literal) ? 1 : in->len) && r == 0; i++)
            r = add(run, out, n->literal, err);
        return r;
    }
    case JSONPATH_FIELD:
        return eval_field(run, n->text, in, out, err);
    case JSONPATH_ARRAY:
        return eval_array(run, n, in, out, err);
    case JSONPATH_WILDCARD:
        return eval_wildcard(run, in, out, err);
    case JSONPATH_RECURSIVE:
        return eval_recursive(run, in, out, err);
    case JSONPATH_FILTER:
        return eval_filter(run, n, in, out, err);
    case JSONPATH_UNION:
        return eval_union(run, n, in, out, err);
    case JSONPATH_MEMBER:
        return eval_member(run, n, in, out, err);
    case JSONPATH_WORD:
        break;
    }
    return err_set(err, ERR_INVALID, "unrecognized identifier %s", n->text);
}

/* Replaces *values by what the nodes make of them, one after another. */
static int eval_list(struct run *run, const struct jsonpath_list *list, struct jsonpath_found *values,
                     struct err **err)
{
    for (size_t i = 0; i < list->len; i++) {
        _cleanup_found_ struct jsonpath_found out = {0};
        int r = eval_node(run, &list->items[i], values, &out, err);
        if (r < 0)
            return r;
        struct jsonpath_found before = *values;
        *values = out;
        out = before;
    }
    return 0;
}

/* Running a template */

/* A range that is being gone through */
struct frame {
    struct jsonpath_found values;
    size_t next;
    size_t body, resume, outer_stop;
    const cJSON *outer;
};

struct template_run {
    struct run run;
    VEC(struct frame) frames;
    const cJSON *current;
    size_t at, stop;
    /* Takes what one action found; part is the action. */
    int (*each)(void *arg, const struct jsonpath_part *part, const struct jsonpath_found *found,
                struct err **err);
    void *arg;
};

static void leave_range(struct template_run *t)
{
    struct frame *f = &t->frames.items[t->frames.len - 1];

    if (f->next < f->values.len) {
        t->current = f->values.items[f->next++];
        t->at = f->body;
        return;
    }
    t->current = f->outer;
    t->at = f->resume;
    t->stop = f->outer_stop;
    jsonpath_found_release(&f->values);
    t->frames.len--;
}

/* Without an end the body is all that follows, which then runs once more for the outer value: kubectl's way.
 */
static void enter_range(struct template_run *t, const struct jsonpath_part *part,
                        struct jsonpath_found *found)
{
    bool ends = part->range_end != JSONPATH_NO_END && (size_t)part->range_end < t->stop;
    struct frame f = {
        .values = *found,
        .body = t->at + 1,
        .resume = ends ? (size_t)part->range_end + 1 : t->at + 1,
        .outer_stop = t->stop,
        .outer = t->current,
    };

    *found = (struct jsonpath_found){0};
    t->stop = ends ? (size_t)part->range_end : t->stop;
    t->at = t->stop;
    vec_push(&t->frames, f);
}

static int run_part(struct template_run *t, struct err **err)
{
    const struct jsonpath_part *part = &t->run.path->parts.items[t->at];
    _cleanup_found_ struct jsonpath_found found = {0};
    int r;

    if (part->end && !part->matched)
        return err_set(err, ERR_INVALID, "not in range, nothing to end");
    r = add(&t->run, &found, t->current, err);
    if (r == 0)
        r = eval_list(&t->run, &part->list, &found, err);
    if (r < 0)
        return r;
    if (part->range) {
        enter_range(t, part, &found);
        return 0;
    }
    t->at++;
    return part->end ? 0 : t->each(t->arg, part, &found, err);
}

static int run_template(struct template_run *t, const cJSON *root, struct err **err)
{
    int r = 0;

    t->current = root;
    t->stop = t->run.path->parts.len;
    while (r == 0 && (t->at < t->stop || t->frames.len)) {
        if (t->at < t->stop)
            r = run_part(t, err);
        else
            leave_range(t);
    }
    while (t->frames.len)
        jsonpath_found_release(&t->frames.items[--t->frames.len].values);
    free(t->frames.items);
    return r;
}

struct printing {
    struct buf *out;
    bool safe;
};

static void print_value(const struct printing *p, const cJSON *v)
{
    _cleanup_buf_ struct buf text = BUF_INIT;

    if (cJSON_IsObject(v) || cJSON_IsArray(v)) {
        json_print_to(p->out, v, false);
    } else if (cJSON_IsNull(v)) {
        buf_adds(p->out, "null");
    } else if (p->safe && cJSON_IsString(v)) {
        _cleanup_free_ char *shown = str_escape_control(v->valuestring, true);
        buf_adds(p->out, shown);
    } else {
        gotext_value(p->out, v);
    }
}

static int print_found(void *arg, const struct jsonpath_part *part, const struct jsonpath_found *found,
                       struct err **err)
{
    const struct printing *p = arg;
    const struct jsonpath_node *last = part->list.len ? &part->list.items[part->list.len - 1] : NULL;

    if (last && last->type == JSONPATH_LITERAL && cJSON_IsString(last->literal)) {
        buf_add(p->out, buf_str(&last->raw), last->raw.len);
    } else {
        for (size_t i = 0; i < found->len; i++) {
            if (i)
                buf_addc(p->out, ' ');
            print_value(p, found->items[i]);
        }
    }
    if (p->out->len >= BUF_DEFAULT_MAX - 1)
        return err_set(err, ERR_TOO_LARGE, "the output passes 1 GiB");
    return 0;
}

static int print_found_json(void *arg, const struct jsonpath_part *part _unused_,
                            const struct jsonpath_found *found, struct err **err _unused_)
{
    struct buf *out = arg;
    cJSON array = {.type = cJSON_Array};
    cJSON *items = xcalloc(found->len + 1, sizeof(*items));

    /* References on the stack: nothing of the tree is copied. */
    for (size_t i = 0; i < found->len; i++) {
        items[i] = *found->items[i];
        items[i].next = i + 1 < found->len ? &items[i + 1] : NULL;
    }
    array.child = found->len ? items : NULL;
    json_print_to(out, &array, true);
    buf_addc(out, '\n');
    free(items);
    return 0;
}

static int print_all(struct template_run *t, const cJSON *root, struct buf *out, struct err **err)
{
    size_t before = out->len;
    int r = run_template(t, root, err);

    if (r < 0)
        buf_truncate(out, before);
    return r;
}

int jsonpath_print(const struct jsonpath *p, const cJSON *root, bool safe, struct buf *out, struct err **err)
{
    struct printing printing = {.out = out, .safe = safe};
    struct template_run t = {.run = {.path = p}, .each = print_found, .arg = &printing};

    return print_all(&t, root, out, err);
}

int jsonpath_print_json(const struct jsonpath *p, const cJSON *root, struct buf *out, struct err **err)
{
    struct template_run t = {.run = {.path = p}, .each = print_found_json, .arg = out};

    return print_all(&t, root, out, err);
}

static int keep_found(void *arg, const struct jsonpath_part *part _unused_,
                      const struct jsonpath_found *found, struct err **err _unused_)
{
    struct jsonpath_found *all = arg;

    for (size_t i = 0; i < found->len; i++)
        vec_push(all, found->items[i]);
    return 0;
}

int jsonpath_find(const struct jsonpath *p, const cJSON *root, struct jsonpath_found *ret, struct err **err)
{
    struct template_run t = {.run = {.path = p}, .each = keep_found, .arg = ret};
    size_t before = ret->len;
    int r = run_template(&t, root, err);

    if (r < 0)
        ret->len = before;
    return r;
}
