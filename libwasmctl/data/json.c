#include "data/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/json_number.h"

__attribute__((constructor)) static void install_hooks(void)
{
    cJSON_Hooks hooks = {.malloc_fn = xmalloc, .free_fn = free};

    cJSON_InitHooks(&hooks);
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
        json_each (x, a)
            if (!json_equal(x, json_get(b, x->string)))
                return false;
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
    json_each (p, patch) {
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
        json_each (c, o)
            h = hash_node(c, h);
        return str_hash64("]", 1, h);
    }
    if (!cJSON_IsObject(o))
        return h;
    size_t n = (size_t)cJSON_GetArraySize(o);
    _cleanup_free_ cJSON **members = xcalloc(n, sizeof(*members));
    size_t i = 0;
    json_each (c, o)
        members[i++] = c;
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

/* As Go's encoding/json: <, > and & escaped, so that the text may stand in HTML; invalid UTF-8 replaced. */
static void print_string(struct buf *out, const char *s)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";

    buf_addc(out, '"');
    while (*s) {
        uint32_t cp = 0;
        size_t n = str_utf8_next(s, &cp);
        const char *named = cp && cp < 0x80 ? strchr(from, (int)cp) : NULL;
        if (!n)
            buf_adds(out, "\\ufffd");
        else if (named)
            buf_addf(out, "\\%c", to[named - from]);
        else if (cp < 0x20 || cp == 0x7f || cp == '<' || cp == '>' || cp == '&' || cp == 0x2028 ||
                 cp == 0x2029)
            buf_addf(out, "\\u%04x", (unsigned)cp);
        else
            buf_add(out, s, n);
        s += n ? n : 1;
    }
    buf_addc(out, '"');
}

int json_shortest_digits(double d, char out[JSON_DIGITS_LEN])
{
    char text[40];

    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*e", digits - 1, fabs(d));
        if (strtod(text, NULL) == fabs(d))
            break;
    }
    char *e = strchr(text, 'e');
    size_t n = 0;
    for (const char *p = text; p < e; p++)
        if (*p >= '0' && *p <= '9')
            out[n++] = *p;
    out[n] = '\0';
    return (int)strtol(e + 1, NULL, 10);
}

/* As Go: plain decimals up to 1e21, exponents without leading zeros. */
static void print_number(struct buf *out, double d)
{
    char digits[JSON_DIGITS_LEN];

    if (!isfinite(d)) {
        buf_adds(out, "null");
        return;
    }
    if (d == floor(d) && fabs(d) <= JSON_MAX_SAFE) {
        buf_addf(out, "%.0f", d == 0 ? 0.0 : d);
        return;
    }
    int e = json_shortest_digits(d, digits), n = (int)strlen(digits);
    if (d < 0)
        buf_addc(out, '-');
    if (e < -6 || e >= 21)
        buf_addf(out, "%c%s%se%+d", *digits, n > 1 ? "." : "", digits + 1, e);
    else if (e < 0)
        buf_addf(out, "0.%.*s%s", -e - 1, "00000", digits);
    else if (e < n - 1)
        buf_addf(out, "%.*s.%s", e + 1, digits, digits + e + 1);
    else
        buf_addf(out, "%s%.*s", digits, e - (n - 1), "00000000000000000000");
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
        json_each (c, o) {
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
