#include "data/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#define JSON_MAX_SAFE 9007199254740992.0 /* 2^53: beyond it a double skips integers */

__attribute__((constructor)) static void install_hooks(void)
{
    cJSON_Hooks hooks = {.malloc_fn = xmalloc, .free_fn = free};

    cJSON_InitHooks(&hooks);
}

/* Parsing */

static void line_and_column(const char *text, const char *at, unsigned *ret_line, unsigned *ret_column)
{
    unsigned line = 1;
    const char *start = text;

    for (const char *p = text; p < at; p++) {
        if (*p == '\n') {
            line++;
            start = p + 1;
        }
    }
    *ret_line = line;
    *ret_column = (unsigned)(at - start) + 1;
}

/* Nesting is counted beforehand: cJSON's own limit is a compile-time constant of the library. */
static const char *too_deep(const char *text, size_t len)
{
    int depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_MAX_DEPTH)
                return text + i;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return NULL;
}

static void drop_duplicate_keys(cJSON *o)
{
    /* The last wins: an earlier member of the same name is removed. Only small objects are compared pair by
     * pair. */
    for (cJSON *child = o->child; child; child = child->next)
        if (child->type & (cJSON_Object | cJSON_Array))
            drop_duplicate_keys(child);
    if (!cJSON_IsObject(o) || !o->child || !o->child->next)
        return;
    size_t n = (size_t)cJSON_GetArraySize(o);
    if (n <= 16) {
        for (cJSON *a = o->child; a;) {
            cJSON *next = a->next;
            for (const cJSON *b = next; b; b = b->next) {
                if (streq(a->string, b->string)) {
                    cJSON_Delete(cJSON_DetachItemViaPointer(o, a));
                    break;
                }
            }
            a = next;
        }
        return;
    }
    _cleanup_map_ struct map *seen = map_new(NULL);
    for (cJSON *c = o->child; c; c = c->next) {
        cJSON *earlier = map_get(seen, c->string);
        if (earlier)
            cJSON_Delete(cJSON_DetachItemViaPointer(o, earlier));
        map_set(seen, c->string, c);
    }
}

int json_parse(const char *text, size_t len, const char *what, cJSON **ret, struct err **err)
{
    unsigned line, column;
    const char *end = NULL;
    const char *deep = too_deep(text, len);

    if (deep) {
        line_and_column(text, deep, &line, &column);
        return err_set(err, ERR_TOO_LARGE, "%s:%u:%u: nested more than %d levels deep", what, line, column,
                       JSON_MAX_DEPTH);
    }
    if (memchr(text, '\0', len))
        return err_set(err, ERR_INVALID, "%s: holds a NUL byte", what);
    cJSON *root = cJSON_ParseWithLengthOpts(text, len, &end, false);
    if (root) {
        while (end < text + len && (*end == ' ' || *end == '\t' || *end == '\n' || *end == '\r'))
            end++;
        if (end == text + len) {
            drop_duplicate_keys(root);
            *ret = root;
            return 0;
        }
        cJSON_Delete(root);
        line_and_column(text, end, &line, &column);
        return err_set(err, ERR_INVALID, "%s:%u:%u: text after the end of the JSON value", what, line,
                       column);
    }
    size_t blank = strspn(text, " \t\r\n");
    if (!len || blank >= len)
        return err_set(err, ERR_INVALID, "%s: is empty, not JSON", what);
    if (!end || end < text || end > text + len)
        end = text;
    line_and_column(text, end, &line, &column);
    return err_set(err, ERR_INVALID, "%s:%u:%u: is no valid JSON%s", what, line, column,
                   end >= text + len - 1 ? " (it ends too early)" : "");
}

/* Reading */

cJSON *json_get(const cJSON *o, const char *key)
{
    if (!cJSON_IsObject(o))
        return NULL;
    for (cJSON *c = o->child; c; c = c->next)
        if (streq(c->string, key))
            return c;
    return NULL;
}

static cJSON *member(const cJSON *o, const char *key, size_t len)
{
    if (!cJSON_IsObject(o))
        return NULL;
    for (cJSON *c = o->child; c; c = c->next)
        if (strncmp(c->string, key, len) == 0 && !c->string[len])
            return c;
    return NULL;
}

/* One step of a path; *path moves behind it. */
static cJSON *step(const cJSON *o, const char **path)
{
    const char *p = *path;

    if (*p == '[') {
        char *end;
        long i = strtol(p + 1, &end, 10);
        *path = *end == ']' ? end + 1 : end + strlen(end);
        if (**path == '.')
            (*path)++;
        return cJSON_IsArray(o) && i >= 0 && i <= 1 << 30 ? cJSON_GetArrayItem(o, (int)i) : NULL;
    }
    size_t len = strcspn(p, ".[");
    *path = p + len + (p[len] == '.');
    return member(o, p, len);
}

cJSON *json_at(const cJSON *o, const char *path)
{
    const cJSON *at = o;

    while (at && *path)
        at = step(at, &path);
    return (cJSON *)at;
}

cJSON *json_atv(const cJSON *o, ...)
{
    const cJSON *at = o;
    va_list ap;

    va_start(ap, o);
    for (const char *key; at && (key = va_arg(ap, const char *));)
        at = json_get(at, key);
    va_end(ap);
    return (cJSON *)at;
}

const char *json_str(const cJSON *o, const char *path)
{
    const cJSON *v = json_at(o, path);

    return cJSON_IsString(v) ? v->valuestring : NULL;
}

const char *json_str_or(const cJSON *o, const char *path, const char *fallback)
{
    const char *s = json_str(o, path);

    return s ? s : fallback;
}

int64_t json_int(const cJSON *o, const char *path, int64_t fallback)
{
    const cJSON *v = json_at(o, path);

    if (!cJSON_IsNumber(v) || v->valuedouble != floor(v->valuedouble) || fabs(v->valuedouble) >= 9.2e18)
        return fallback;
    return (int64_t)v->valuedouble;
}

double json_num(const cJSON *o, const char *path, double fallback)
{
    const cJSON *v = json_at(o, path);

    return cJSON_IsNumber(v) ? v->valuedouble : fallback;
}

bool json_bool(const cJSON *o, const char *path, bool fallback)
{
    const cJSON *v = json_at(o, path);

    return cJSON_IsBool(v) ? cJSON_IsTrue(v) : fallback;
}

/* Writing */

void json_put(cJSON *o, const char *key, cJSON *value)
{
    cJSON *old = json_get(o, key);

    if (old == value)
        return;
    if (old) {
        char *name = xstrdup(key);
        if (value->string && !(value->type & cJSON_StringIsConst))
            free(value->string);
        value->string = name;
        value->type &= ~cJSON_StringIsConst;
        cJSON_ReplaceItemViaPointer(o, old, value);
        return;
    }
    cJSON_AddItemToObject(o, key, value);
}

void json_put_str(cJSON *o, const char *key, const char *value)
{
    json_put(o, key, cJSON_CreateString(value));
}

/* The object that holds the last key of the path, made on the way when `make`. */
static cJSON *holder(cJSON *o, const char *path, bool make, const char **ret_key)
{
    for (;;) {
        const char *dot = strchr(path, '.');
        if (!dot) {
            *ret_key = path;
            return o;
        }
        cJSON *next = member(o, path, (size_t)(dot - path));
        if (!cJSON_IsObject(next)) {
            if (!make)
                return NULL;
            _cleanup_free_ char *key = xstrndup(path, (size_t)(dot - path));
            next = cJSON_CreateObject();
            json_put(o, key, next);
        }
        o = next;
        path = dot + 1;
    }
}

void json_set(cJSON *o, const char *path, cJSON *value)
{
    const char *key;
    cJSON *in = holder(o, path, true, &key);

    json_put(in, key, value);
}

void json_set_str(cJSON *o, const char *path, const char *value)
{
    if (value)
        json_set(o, path, cJSON_CreateString(value));
    else
        json_del(o, path);
}

void json_set_int(cJSON *o, const char *path, int64_t value)
{
    json_set(o, path, cJSON_CreateNumber((double)value));
}

void json_set_bool(cJSON *o, const char *path, bool value)
{
    json_set(o, path, cJSON_CreateBool(value));
}

void json_del(cJSON *o, const char *path)
{
    const char *key;
    cJSON *in = holder(o, path, false, &key);
    cJSON *old = in ? json_get(in, key) : NULL;

    if (old)
        cJSON_Delete(cJSON_DetachItemViaPointer(in, old));
}

cJSON *json_object(const char *key, ...)
{
    cJSON *o = cJSON_CreateObject();
    va_list ap;

    va_start(ap, key);
    while (key) {
        const char *value = va_arg(ap, const char *);
        if (value)
            json_put_str(o, key, value);
        key = va_arg(ap, const char *);
    }
    va_end(ap);
    return o;
}

/* Comparing */

bool json_equal(const cJSON *a, const cJSON *b)
{
    if (!a || !b)
        return a == b;
    if (cJSON_IsBool(a) && cJSON_IsBool(b))
        return cJSON_IsTrue(a) == cJSON_IsTrue(b);
    if ((a->type & 0xff) != (b->type & 0xff))
        return false;
    if (cJSON_IsNumber(a))
        return a->valuedouble == b->valuedouble;
    if (cJSON_IsString(a) || cJSON_IsRaw(a))
        return streq(a->valuestring, b->valuestring);
    if (cJSON_IsArray(a)) {
        const cJSON *x = a->child, *y = b->child;
        for (; x && y; x = x->next, y = y->next)
            if (!json_equal(x, y))
                return false;
        return !x && !y;
    }
    if (cJSON_IsObject(a)) {
        if (cJSON_GetArraySize(a) != cJSON_GetArraySize(b))
            return false;
        json_each(x, a) if (!json_equal(x, json_get(b, x->string))) return false;
    }
    return true;
}

void json_merge_patch(cJSON **target, const cJSON *patch)
{
    if (!cJSON_IsObject(patch)) {
        cJSON_Delete(*target);
        *target = cJSON_Duplicate(patch, true);
        return;
    }
    if (!cJSON_IsObject(*target)) {
        cJSON_Delete(*target);
        *target = cJSON_CreateObject();
    }
    json_each(p, patch)
    {
        cJSON *old = json_get(*target, p->string);
        if (cJSON_IsNull(p)) {
            if (old)
                cJSON_Delete(cJSON_DetachItemViaPointer(*target, old));
            continue;
        }
        cJSON *value = old && cJSON_IsObject(p) ? cJSON_Duplicate(old, true) : NULL;
        json_merge_patch(&value, p);
        json_put(*target, p->string, value);
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(cJSON *const *)a)->string, (*(cJSON *const *)b)->string);
}

static uint64_t hash_node(const cJSON *o, uint64_t h)
{
    unsigned char type = cJSON_IsBool(o) ? (cJSON_IsTrue(o) ? 1 : 0) : (unsigned char)(o->type & 0xff);

    h = str_hash64(&type, 1, h);
    if (cJSON_IsNumber(o)) {
        double d = o->valuedouble == 0 ? 0 : o->valuedouble;
        return str_hash64(&d, sizeof(d), h);
    }
    if (cJSON_IsString(o))
        return str_hash64(o->valuestring, strlen(o->valuestring) + 1, h);
    if (cJSON_IsArray(o)) {
        json_each(c, o) h = hash_node(c, h);
        return str_hash64("]", 1, h);
    }
    if (!cJSON_IsObject(o))
        return h;
    size_t n = (size_t)cJSON_GetArraySize(o);
    _cleanup_free_ cJSON **members = xcalloc(n, sizeof(*members));
    size_t i = 0;
    json_each(c, o) members[i++] = c;
    qsort(members, n, sizeof(*members), compare_names);
    for (i = 0; i < n; i++) {
        h = str_hash64(members[i]->string, strlen(members[i]->string) + 1, h);
        h = hash_node(members[i], h);
    }
    return str_hash64("}", 1, h);
}

uint64_t json_hash(const cJSON *o)
{
    return o ? hash_node(o, STR_HASH64_INIT) : 0;
}

/* Printing */

static void print_string(struct buf *out, const char *s)
{
    buf_addc(out, '"');
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        switch (*p) {
        case '"':
            buf_adds(out, "\\\"");
            break;
        case '\\':
            buf_adds(out, "\\\\");
            break;
        case '\n':
            buf_adds(out, "\\n");
            break;
        case '\r':
            buf_adds(out, "\\r");
            break;
        case '\t':
            buf_adds(out, "\\t");
            break;
        default:
            if (*p < 0x20 || *p == 0x7f)
                buf_addf(out, "\\u%04x", *p);
            else
                buf_addc(out, (char)*p);
        }
    }
    buf_addc(out, '"');
}

static void print_number(struct buf *out, double d)
{
    if (!isfinite(d)) {
        buf_adds(out, "null");
        return;
    }
    if (d == floor(d) && fabs(d) <= JSON_MAX_SAFE) {
        buf_addf(out, "%.0f", d == 0 ? 0.0 : d);
        return;
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    buf_adds(out, text);
}

static void new_line(struct buf *out, bool pretty, int depth)
{
    if (!pretty)
        return;
    buf_addc(out, '\n');
    buf_fill(out, ' ', (size_t)depth * 4);
}

static void print_node(struct buf *out, const cJSON *o, bool pretty, int depth)
{
    if (cJSON_IsString(o)) {
        print_string(out, o->valuestring);
    } else if (cJSON_IsNumber(o)) {
        print_number(out, o->valuedouble);
    } else if (cJSON_IsBool(o)) {
        buf_adds(out, cJSON_IsTrue(o) ? "true" : "false");
    } else if (cJSON_IsArray(o) || cJSON_IsObject(o)) {
        bool is_object = cJSON_IsObject(o);
        buf_addc(out, is_object ? '{' : '[');
        json_each(c, o)
        {
            new_line(out, pretty, depth + 1);
            if (is_object) {
                print_string(out, c->string);
                buf_adds(out, pretty ? ": " : ":");
            }
            print_node(out, c, pretty, depth + 1);
            if (c->next)
                buf_addc(out, ',');
        }
        if (o->child)
            new_line(out, pretty, depth);
        buf_addc(out, is_object ? '}' : ']');
    } else {
        buf_adds(out, "null");
    }
}

void json_print_to(struct buf *out, const cJSON *o, bool pretty)
{
    if (o)
        print_node(out, o, pretty, 0);
}

char *json_print(const cJSON *o)
{
    struct buf b = BUF_INIT;

    json_print_to(&b, o, false);
    return buf_take(&b);
}

char *json_print_pretty(const cJSON *o)
{
    struct buf b = BUF_INIT;

    json_print_to(&b, o, true);
    return buf_take(&b);
}
