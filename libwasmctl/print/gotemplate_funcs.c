#include <stdlib.h>

#include "base/str.h"
#include "data/gotext.h"
#include "print/gotemplate_tree.h"

typedef const cJSON *const *values;

static bool is_nil(const cJSON *v)
{
    return !v || cJSON_IsNull(v);
}

static int give_text(struct print_gt_run *run, struct buf *text, const cJSON **ret, struct err **err)
{
    return print_gt_keep(run, cJSON_CreateString(buf_str(text)), ret, err);
}

static int give_bool(struct print_gt_run *run, bool v, const cJSON **ret, struct err **err)
{
    return print_gt_keep(run, cJSON_CreateBool(v), ret, err);
}

static int call_not(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                    struct err **err)
{
    return give_bool(run, !print_gt_truth(args[0]), ret, err);
}

static int call_len(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                    struct err **err)
{
    const cJSON *v = args[0];

    if (is_nil(v))
        return err_set(err, ERR_INVALID, "len of nil pointer");
    if (!cJSON_IsString(v) && !cJSON_IsArray(v) && !cJSON_IsObject(v))
        return err_set(err, ERR_INVALID, "len of type %s", gotext_type(v));
    size_t len = cJSON_IsString(v) ? strlen(v->valuestring) : (size_t)cJSON_GetArraySize(v);
    return print_gt_keep(run, cJSON_CreateNumber((double)len), ret, err);
}

/* An index of index and slice, up to and with max. */
static int read_index(const cJSON *v, size_t max, size_t *ret, struct err **err)
{
    if (is_nil(v))
        return err_set(err, ERR_INVALID, "cannot index slice/array with nil");
    if (!gotext_is_int(v))
        return err_set(err, ERR_INVALID, "cannot index slice/array with type %s", gotext_type(v));
    if (v->valuedouble < 0 || v->valuedouble > (double)max)
        return err_set(err, ERR_INVALID, "index out of range: %.0f", v->valuedouble);
    *ret = (size_t)v->valuedouble;
    return 0;
}

static const cJSON *element(const cJSON *array, size_t index)
{
    const cJSON *item = array->child;

    while (item && index--)
        item = item->next;
    return item;
}

/* One step of index: *v becomes its element. */
static int index_once(struct print_gt_run *run, const cJSON **v, const cJSON *by, struct err **err)
{
    size_t i = 0;

    if (is_nil(*v))
        return err_set(err, ERR_INVALID, "index of nil pointer");
    if (cJSON_IsObject(*v)) {
        if (is_nil(by))
            return err_set(err, ERR_INVALID, "value is nil; should be of type string");
        if (!cJSON_IsString(by))
            return err_set(err, ERR_INVALID, "value has type %s; should be string", gotext_type(by));
        *v = json_get(*v, by->valuestring);
        return 0;
    }
    if (!cJSON_IsArray(*v) && !cJSON_IsString(*v))
        return err_set(err, ERR_INVALID, "can't index item of type %s", gotext_type(*v));
    size_t len = cJSON_IsString(*v) ? strlen((*v)->valuestring) : (size_t)cJSON_GetArraySize(*v);
    int r = read_index(by, len, &i, err);
    if (r < 0)
        return r;
    if (i == len)
        return err_set(err, ERR_INVALID, "index out of range: %zu", i);
    if (cJSON_IsString(*v))
        return print_gt_keep(run, cJSON_CreateNumber((unsigned char)(*v)->valuestring[i]), v, err);
    *v = element(*v, i);
    return 0;
}

static int call_index(struct print_gt_run *run, values args, size_t n, const cJSON **ret, struct err **err)
{
    const cJSON *v = args[0];
    int r = 0;

    if (is_nil(v))
        return err_set(err, ERR_INVALID, "index of untyped nil");
    for (size_t i = 1; i < n && r == 0; i++)
        r = index_once(run, &v, args[i], err);
    if (r == 0)
        *ret = v;
    return r;
}

static int call_slice(struct print_gt_run *run, values args, size_t n, const cJSON **ret, struct err **err)
{
    const cJSON *v = args[0];
    size_t from = 0, to;
    int r = 0;

    if (is_nil(v))
        return err_set(err, ERR_INVALID, "slice of untyped nil");
    if (!cJSON_IsArray(v) && !cJSON_IsString(v))
        return err_set(err, ERR_INVALID, "can't slice item of type %s", gotext_type(v));
    size_t len = to = cJSON_IsString(v) ? strlen(v->valuestring) : (size_t)cJSON_GetArraySize(v);
    if (n > 1)
        r = read_index(args[1], len, &from, err);
    if (r == 0 && n > 2)
        r = read_index(args[2], len, &to, err);
    if (r < 0)
        return r;
    if (from > to)
        return err_set(err, ERR_INVALID, "invalid slice index: %zu > %zu", from, to);
    if (cJSON_IsString(v)) {
        _cleanup_free_ char *part = xstrndup(v->valuestring + from, to - from);
        return print_gt_keep(run, cJSON_CreateString(part), ret, err);
    }
    cJSON *part = cJSON_CreateArray();
    const cJSON *item = element(v, from);
    for (size_t i = from; i < to; i++, item = item->next)
        cJSON_AddItemToArray(part, cJSON_Duplicate(item, true));
    /* What it weighs is near its text. */
    _cleanup_free_ char *text = json_print(part);
    run->memory += strlen(text) * 4;
    return print_gt_keep(run, part, ret, err);
}

/* fmt.Sprint puts a blank between two values neither of which is a string. */
static int call_print(struct print_gt_run *run, values args, size_t n, const cJSON **ret, struct err **err)
{
    _cleanup_buf_ struct buf text = BUF_INIT;

    for (size_t i = 0; i < n; i++) {
        if (i && !cJSON_IsString(args[i]) && !cJSON_IsString(args[i - 1]))
            buf_addc(&text, ' ');
        gotext_value(&text, args[i]);
    }
    return give_text(run, &text, ret, err);
}

static int call_println(struct print_gt_run *run, values args, size_t n, const cJSON **ret, struct err **err)
{
    _cleanup_buf_ struct buf text = BUF_INIT;

    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_addc(&text, ' ');
        gotext_value(&text, args[i]);
    }
    buf_addc(&text, '\n');
    return give_text(run, &text, ret, err);
}

static int call_printf(struct print_gt_run *run, values args, size_t n, const cJSON **ret, struct err **err)
{
    _cleanup_buf_ struct buf text = BUF_INIT;

    if (!cJSON_IsString(args[0]))
        return err_set(err, ERR_INVALID, "wrong type for value; expected string; got %s",
                       gotext_type(args[0]));
    print_gt_printf(&text, args[0]->valuestring, args + 1, n - 1);
    return give_text(run, &text, ret, err);
}

/* Comparing */

static int kind_of(const cJSON *v)
{
    return !v ? 0 : cJSON_IsBool(v) ? 1 : cJSON_IsNumber(v) ? 2 : cJSON_IsString(v) ? 3 : 0;
}

static int incompatible(const cJSON *a, const cJSON *b, struct err **err)
{
    return err_set(err, ERR_INVALID, "incompatible types for comparison: %s and %s", gotext_type(a),
                   gotext_type(b));
}

static int compare_equal(const cJSON *a, const cJSON *b, bool *ret, struct err **err)
{
    if (is_nil(a) || is_nil(b)) {
        *ret = is_nil(a) && is_nil(b);
        return 0;
    }
    if (kind_of(a) != kind_of(b))
        return incompatible(a, b, err);
    if (!kind_of(a))
        return err_set(err, ERR_INVALID, "non-comparable type %s", gotext_type(a));
    *ret = json_equal(a, b);
    return 0;
}

static int compare_less(const cJSON *a, const cJSON *b, bool *ret, struct err **err)
{
    if (kind_of(a) == 0 || kind_of(b) == 0)
        return err_set(err, ERR_INVALID, "invalid type for comparison");
    if (kind_of(a) != kind_of(b))
        return incompatible(a, b, err);
    if (kind_of(a) == 1)
        return err_set(err, ERR_INVALID, "invalid type for comparison");
    *ret = kind_of(a) == 2 ? a->valuedouble < b->valuedouble : strcmp(a->valuestring, b->valuestring) < 0;
    return 0;
}

static int call_eq(struct print_gt_run *run, values args, size_t n, const cJSON **ret, struct err **err)
{
    bool equal = false;
    int r = n > 1 ? 0 : err_set(err, ERR_INVALID, "missing argument for comparison");

    for (size_t i = 1; i < n && r == 0 && !equal; i++)
        r = compare_equal(args[0], args[i], &equal, err);
    return r < 0 ? r : give_bool(run, equal, ret, err);
}

static int call_ne(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                   struct err **err)
{
    bool equal = false;
    int r = compare_equal(args[0], args[1], &equal, err);

    return r < 0 ? r : give_bool(run, !equal, ret, err);
}

static int give_less(struct print_gt_run *run, const cJSON *a, const cJSON *b, bool expected,
                     const cJSON **ret, struct err **err)
{
    bool less = false;
    int r = compare_less(a, b, &less, err);

    return r < 0 ? r : give_bool(run, less == expected, ret, err);
}

static int call_lt(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                   struct err **err)
{
    return give_less(run, args[0], args[1], true, ret, err);
}

static int call_le(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                   struct err **err)
{
    return give_less(run, args[1], args[0], false, ret, err);
}

static int call_gt(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                   struct err **err)
{
    return give_less(run, args[1], args[0], true, ret, err);
}

static int call_ge(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                   struct err **err)
{
    return give_less(run, args[0], args[1], false, ret, err);
}

/* Escaping */

/* What print would make of the arguments, with single characters replaced. */
static int joined(struct print_gt_run *run, values args, size_t n, const cJSON **ret, struct err **err)
{
    if (n == 1 && cJSON_IsString(args[0])) {
        *ret = args[0];
        return 0;
    }
    return call_print(run, args, n, ret, err);
}

static int call_html(struct print_gt_run *run, values args, size_t n, const cJSON **ret, struct err **err)
{
    static const char from[] = "\"'&<>";
    static const char *const to[] = {"&#34;", "&#39;", "&amp;", "&lt;", "&gt;"};
    _cleanup_buf_ struct buf text = BUF_INIT;
    const cJSON *in = NULL;
    int r = joined(run, args, n, &in, err);

    if (r < 0)
        return r;
    for (const char *p = in->valuestring; *p; p++) {
        const char *special = strchr(from, *p);
        if (special)
            buf_adds(&text, to[special - from]);
        else
            buf_addc(&text, *p);
    }
    return give_text(run, &text, ret, err);
}

static int call_urlquery(struct print_gt_run *run, values args, size_t n, const cJSON **ret, struct err **err)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    _cleanup_buf_ struct buf text = BUF_INIT;
    const cJSON *in = NULL;
    int r = joined(run, args, n, &in, err);

    if (r < 0)
        return r;
    for (const char *p = in->valuestring; *p; p++) {
        if (strchr(plain, *p))
            buf_addc(&text, *p);
        else if (*p == ' ')
            buf_addc(&text, '+');
        else
            buf_addf(&text, "%%%02X", (unsigned char)*p);
    }
    return give_text(run, &text, ret, err);
}

/* kubectl's own */

static int call_base64decode(struct print_gt_run *run, values args, size_t n _unused_, const cJSON **ret,
                             struct err **err)
{
    _cleanup_free_ char *data = NULL;
    size_t len;

    if (!cJSON_IsString(args[0]))
        return err_set(err, ERR_INVALID, "wrong type for value; expected string; got %s",
                       gotext_type(args[0]));
    if (str_base64_decode(args[0]->valuestring, &data, &len) < 0)
        return err_set(err, ERR_INVALID, "base64 decode failed: illegal base64 data");
    if (memchr(data, 0, len))
        return err_set(
            err, ERR_UNSUPPORTED,
            "the decoded value holds a NUL character; print it encoded (-o jsonpath) and decode it with "
            "base64 -d");
    _cleanup_free_ char *text = xstrndup(data, len);
    return print_gt_keep(run, cJSON_CreateString(text), ret, err);
}

/* Whether the path of keys and indexes leads to something. */
static int call_exists(struct print_gt_run *run, values args, size_t n, const cJSON **ret, struct err **err)
{
    const cJSON *v = args[0];
    int r = 0;

    for (size_t i = 1; i < n && r == 0 && !is_nil(v); i++)
        r = index_once(run, &v, args[i], NULL);
    return give_bool(run, r == 0 && !is_nil(v), ret, err);
}

static const struct print_gt_function functions[] = {
    {"and", 1, -1, NULL},
    {"or", 1, -1, NULL},
    {"not", 1, 1, call_not},
    {"len", 1, 1, call_len},
    {"index", 1, -1, call_index},
    {"slice", 1, 3, call_slice},
    {"print", 0, -1, call_print},
    {"printf", 1, -1, call_printf},
    {"println", 0, -1, call_println},
    {"eq", 1, -1, call_eq},
    {"ne", 2, 2, call_ne},
    {"lt", 2, 2, call_lt},
    {"le", 2, 2, call_le},
    {"gt", 2, 2, call_gt},
    {"ge", 2, 2, call_ge},
    {"html", 0, -1, call_html},
    {"urlquery", 0, -1, call_urlquery},
    {"base64decode", 1, 1, call_base64decode},
    {"exists", 1, -1, call_exists},
};

const struct print_gt_function *print_gt_function(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (streq(functions[i].name, name))
            return &functions[i];
    return NULL;
}
