#include "data/gotext.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/json_number.h"

bool gotext_is_int(const cJSON *v)
{
    return cJSON_IsNumber(v) && v->valuedouble == floor(v->valuedouble) &&
           fabs(v->valuedouble) <= JSON_MAX_SAFE;
}

const char *gotext_type(const cJSON *v)
{
    if (cJSON_IsObject(v))
        return "map[string]interface {}";
    if (cJSON_IsArray(v))
        return "[]interface {}";
    if (cJSON_IsString(v))
        return "string";
    if (cJSON_IsBool(v))
        return "bool";
    if (cJSON_IsNumber(v))
        return gotext_is_int(v) ? "int64" : "float64";
    return "<nil>";
}

/* %v of a float64: the exponent form from 1e21 on and below 1e-4, at least two digits in the exponent. */
static void add_float(struct buf *out, double d)
{
    char digits[JSON_DIGITS_LEN];

    if (!isfinite(d)) {
        buf_adds(out, isnan(d) ? "NaN" : d > 0 ? "+Inf" : "-Inf");
        return;
    }
    int e = json_shortest_digits(d, digits), n = (int)strlen(digits);
    if (d < 0)
        buf_addc(out, '-');
    if (e < -4 || e >= 21)
        buf_addf(out, "%c%s%se%c%02d", *digits, n > 1 ? "." : "", digits + 1, e < 0 ? '-' : '+', abs(e));
    else if (e < 0)
        buf_addf(out, "0.%.*s%s", -e - 1, "00000", digits);
    else if (e < n - 1)
        buf_addf(out, "%.*s.%s", e + 1, digits, digits + e + 1);
    else
        buf_addf(out, "%s%.*s", digits, e - (n - 1), "00000000000000000000");
}

static int by_key(const void *a, const void *b)
{
    return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

static void add_map(struct buf *out, const cJSON *v)
{
    _cleanup_free_ const cJSON **members = NULL;
    size_t n = 0, i = 0;

    json_each (m, v)
        n++;
    members = xcalloc(n + 1, sizeof(*members));
    json_each (m, v)
        members[i++] = m;
    qsort(members, n, sizeof(*members), by_key);
    buf_adds(out, "map[");
    for (i = 0; i < n; i++) {
        buf_addf(out, "%s%s:", i ? " " : "", members[i]->string);
        gotext_value(out, members[i]);
    }
    buf_addc(out, ']');
}

void gotext_value(struct buf *out, const cJSON *v)
{
    if (cJSON_IsString(v)) {
        buf_adds(out, v->valuestring);
    } else if (cJSON_IsBool(v)) {
        buf_adds(out, cJSON_IsTrue(v) ? "true" : "false");
    } else if (gotext_is_int(v)) {
        buf_addf(out, "%.0f", v->valuedouble == 0 ? 0.0 : v->valuedouble);
    } else if (cJSON_IsNumber(v)) {
        add_float(out, v->valuedouble);
    } else if (cJSON_IsObject(v)) {
        add_map(out, v);
    } else if (cJSON_IsArray(v)) {
        buf_addc(out, '[');
        json_each (item, v) {
            if (item != v->child)
                buf_addc(out, ' ');
            gotext_value(out, item);
        }
        buf_addc(out, ']');
    } else {
        buf_adds(out, "<nil>");
    }
}

static bool is_printable(uint32_t cp)
{
    static const struct {
        uint32_t first, last;
    } hidden[] = {{0, 0x1f},        {0x7f, 0xa0},       {0xad, 0xad},     {0x2000, 0x200f},
                  {0x2028, 0x202f}, {0x205f, 0x206f},   {0x3000, 0x3000}, {0xd800, 0xf8ff},
                  {0xfeff, 0xfeff}, {0xe0000, 0x10ffff}};

    for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
        if (cp >= hidden[i].first && cp <= hidden[i].last)
            return false;
    return true;
}

void gotext_quote(struct buf *out, const char *text, size_t len)
{
    static const char from[] = "\"\\\a\b\f\n\r\t\v", to[] = "\"\\abfnrtv";
    _cleanup_free_ char *copy = xstrndup(text, len);

    buf_addc(out, '"');
    for (size_t i = 0; i < len;) {
        uint32_t cp = 0;
        size_t n = copy[i] ? str_utf8_next(copy + i, &cp) : 1;
        const char *named = cp && cp < 0x80 ? strchr(from, (int)cp) : NULL;
        if (!n)
            buf_addf(out, "\\x%02x", (unsigned char)copy[i]);
        else if (named)
            buf_addf(out, "\\%c", to[named - from]);
        else if (is_printable(cp))
            buf_add(out, copy + i, n);
        else if (cp < 0x80)
            buf_addf(out, "\\x%02x", (unsigned)cp);
        else
            buf_addf(out, cp < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)cp);
        i += n ? n : 1;
    }
    buf_addc(out, '"');
}

static void add_code_point(struct buf *out, uint32_t cp)
{
    int shift = cp < 0x80 ? 0 : cp < 0x800 ? 6 : cp < 0x10000 ? 12 : 18;
    static const unsigned char first[] = {[0] = 0, [6] = 0xc0, [12] = 0xe0, [18] = 0xf0};

    buf_addc(out, (char)(first[shift] | cp >> shift));
    while (shift) {
        shift -= 6;
        buf_addc(out, (char)(0x80 | (cp >> shift & 0x3f)));
    }
}

void gotext_rune(struct buf *out, uint32_t cp)
{
    buf_addf(out, "U+%04X", (unsigned)cp);
    if (!is_printable(cp))
        return;
    buf_adds(out, " '");
    add_code_point(out, cp);
    buf_addc(out, '\'');
}

/* n digits of the base at p; false when there are fewer, or the number passes max. */
static bool read_digits(const char *p, const char *end, int n, int base, uint32_t max, uint32_t *ret)
{
    static const char all_digits[] = "0123456789abcdef";
    uint32_t v = 0;

    if (end - p < n)
        return false;
    for (int i = 0; i < n; i++) {
        char c = p[i];
        const char *digit = c ? strchr(all_digits, tolower((unsigned char)c)) : NULL;
        int value = digit ? (int)(digit - all_digits) : base;
        if (value >= base || v > UINT32_MAX >> 4)
            return false;
        v = v * (uint32_t)base + (uint32_t)value;
    }
    *ret = v;
    return v <= max;
}

/* The escape behind the backslash; returns how long it is, 0 when it is none. */
static size_t add_escape(struct buf *out, const char *p, const char *end, char quote)
{
    static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
    uint32_t v = 0;

    if (p == end || !*p)
        return 0;
    const char *named = strchr(from, *p);
    if (named) {
        buf_addc(out, to[named - from]);
        return 1;
    }
    if (*p == quote) {
        buf_addc(out, quote);
        return 1;
    }
    if (*p >= '0' && *p <= '7' && read_digits(p, end, 3, 8, 0xff, &v)) {
        buf_addc(out, (char)v);
        return 3;
    }
    int n = *p == 'x' ? 2 : *p == 'u' ? 4 : *p == 'U' ? 8 : 0;
    if (!n || !read_digits(p + 1, end, n, 16, 0x10ffff, &v) || (n > 2 && v >= 0xd800 && v < 0xe000))
        return 0;
    if (n == 2)
        buf_addc(out, (char)v);
    else
        add_code_point(out, v);
    return (size_t)n + 1;
}

int gotext_unquote(struct buf *out, const char *text, size_t len, char quote, struct err **err)
{
    const char *p = text, *end = text + len;
    size_t before = out->len;

    while (p < end) {
        if (*p != '\\' && *p != quote) {
            buf_addc(out, *p++);
            continue;
        }
        size_t n = *p == '\\' ? add_escape(out, p + 1, end, quote) : 0;
        if (!n) {
            buf_truncate(out, before);
            return err_set(err, ERR_INVALID, "invalid syntax");
        }
        p += n + 1;
    }
    return 0;
}
