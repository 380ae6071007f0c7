/* fmt.Sprintf for the values JSON has. A verb that does not fit its value shows both, as Go does:
 * "%!d(string=x)". */
#include <ctype.h>
#include <stdlib.h>

#include "base/str.h"
#include "data/gotext.h"
#include "print/gotemplate_tree.h"

enum { MAX_WIDTH = 10 * 1000 };

struct verb {
    bool minus, plus, sharp, zero, space;
    int width, precision; /* -1 = none */
    char verb;
};

/* Pads to the width, by characters. */
static void add_padded(struct buf *out, const struct verb *v, const char *text, size_t len, bool number)
{
    _cleanup_free_ char *copy = xstrndup(text, len);
    size_t width = 0, wanted = v->width > 0 ? (size_t)v->width : 0;
    bool zeros = v->zero && !v->minus;

    for (const char *p = copy; *p; p++)
        width += ((unsigned char)*p & 0xc0) != 0x80;
    size_t pad = wanted > width ? wanted - width : 0;
    if (!v->minus && !zeros)
        buf_fill(out, ' ', pad);
    if (zeros && pad) {
        /* Zeros stand behind the sign. */
        if (number && strchr("+- ", *copy) && *copy) {
            buf_addc(out, *text++);
            len--;
        }
        buf_fill(out, '0', pad);
    }
    buf_add(out, text, len);
    if (v->minus)
        buf_fill(out, ' ', pad);
}

static void add_value(struct buf *out, const struct verb *v, const cJSON *value);

static void bad_verb(struct buf *out, const struct verb *v, const cJSON *value)
{
    if (!value || cJSON_IsNull(value)) {
        buf_addf(out, "%%!%c(<nil>)", v->verb);
        return;
    }
    buf_addf(out, "%%!%c(%s=", v->verb, gotext_is_int(value) ? "int64" : gotext_type(value));
    gotext_value(out, value);
    buf_addc(out, ')');
}

static void add_integer(struct buf *out, const struct verb *v, double value)
{
    _cleanup_buf_ struct buf text = BUF_INIT;
    unsigned long long n = (unsigned long long)(value < 0 ? -value : value);

    if (value < 0 || v->plus || v->space)
        buf_addc(&text, value < 0 ? '-' : v->plus ? '+' : ' ');
    switch (v->verb) {
    case 'x':
        buf_addf(&text, v->sharp ? "0x%llx" : "%llx", n);
        break;
    case 'X':
        buf_addf(&text, v->sharp ? "0X%llX" : "%llX", n);
        break;
    case 'o':
        buf_addf(&text, v->sharp ? "0%llo" : "%llo", n);
        break;
    case 'b':
        for (int bit = 63 - (n ? __builtin_clzll(n) : 63); bit >= 0; bit--)
            buf_addc(&text, n >> bit & 1 ? '1' : '0');
        break;
    default:
        buf_addf(&text, "%.*llu", v->precision > 0 ? v->precision : 1, n);
    }
    add_padded(out, v, buf_str(&text), text.len, true);
}

static void add_number(struct buf *out, const struct verb *v, const cJSON *value)
{
    _cleanup_buf_ struct buf text = BUF_INIT;

    if (strchr("dxXobv", v->verb) && gotext_is_int(value)) {
        add_integer(out, v, value->valuedouble);
        return;
    }
    if (!strchr("eEfFgGv", v->verb) || gotext_is_int(value)) {
        bad_verb(out, v, value);
        return;
    }
    if (v->plus && value->valuedouble >= 0)
        buf_addc(&text, '+');
    if (strchr("gGv", v->verb) && v->precision < 0)
        gotext_value(&text, value);
    else if (v->verb == 'e' || v->verb == 'E')
        buf_addf(&text, v->verb == 'e' ? "%.*e" : "%.*E", v->precision < 0 ? 6 : v->precision,
                 value->valuedouble);
    else if (v->verb == 'f' || v->verb == 'F')
        buf_addf(&text, "%.*f", v->precision < 0 ? 6 : v->precision, value->valuedouble);
    else
        buf_addf(&text, "%.*g", v->precision, value->valuedouble);
    add_padded(out, v, buf_str(&text), text.len, true);
}

static void add_string(struct buf *out, const struct verb *v, const char *s)
{
    _cleanup_buf_ struct buf text = BUF_INIT;
    size_t len = strlen(s), end = 0;

    /* The precision counts characters. */
    for (int n = 0; v->precision >= 0 && end < len; n++) {
        if (n == v->precision) {
            len = end;
            break;
        }
        for (end++; ((unsigned char)s[end] & 0xc0) == 0x80; end++)
            ;
    }
    if (v->verb == 'q' || (v->verb == 'v' && v->sharp)) {
        gotext_quote(&text, s, len);
    } else if (v->verb == 'x' || v->verb == 'X') {
        for (size_t i = 0; i < len; i++)
            buf_addf(&text, v->verb == 'x' ? "%02x" : "%02X", (unsigned char)s[i]);
    } else {
        buf_add(&text, s, len);
    }
    add_padded(out, v, buf_str(&text), text.len, false);
}

/* Every element by the same verb. */
static void add_composite(struct buf *out, const struct verb *v, const cJSON *value)
{
    struct verb key = *v;

    buf_adds(out, cJSON_IsObject(value) ? "map[" : "[");
    json_each (item, value) {
        if (item != value->child)
            buf_addc(out, ' ');
        if (cJSON_IsObject(value)) {
            _cleanup_json_ cJSON *name = cJSON_CreateString(item->string);
            add_value(out, &key, name);
            buf_addc(out, ':');
        }
        add_value(out, v, item);
    }
    buf_addc(out, ']');
}

static void add_value(struct buf *out, const struct verb *v, const cJSON *value)
{
    if (v->verb == 'T') {
        const char *type = gotext_type(value);
        add_padded(out, v, type, strlen(type), false);
    } else if (!value || cJSON_IsNull(value)) {
        if (v->verb == 'v')
            add_padded(out, v, "<nil>", 5, false);
        else
            bad_verb(out, v, value);
    } else if (cJSON_IsArray(value) || cJSON_IsObject(value)) {
        add_composite(out, v, value);
    } else if (cJSON_IsBool(value) && strchr("tv", v->verb)) {
        add_padded(out, v, cJSON_IsTrue(value) ? "true" : "false", cJSON_IsTrue(value) ? 4 : 5, false);
    } else if (cJSON_IsNumber(value)) {
        add_number(out, v, value);
    } else if (cJSON_IsString(value) && strchr("svqxX", v->verb)) {
        add_string(out, v, value->valuestring);
    } else {
        bad_verb(out, v, value);
    }
}

static int read_size(const char **p)
{
    int n = 0;

    for (; isdigit((unsigned char)**p); ++*p)
        n = n < MAX_WIDTH ? n * 10 + (**p - '0') : MAX_WIDTH;
    return n < MAX_WIDTH ? n : MAX_WIDTH;
}

static const char *read_verb(const char *p, struct verb *v)
{
    *v = (struct verb){.width = -1, .precision = -1};
    for (;; p++) {
        if (*p == '-')
            v->minus = true;
        else if (*p == '+')
            v->plus = true;
        else if (*p == '#')
            v->sharp = true;
        else if (*p == '0')
            v->zero = true;
        else if (*p == ' ')
            v->space = true;
        else
            break;
    }
    if (isdigit((unsigned char)*p))
        v->width = read_size(&p);
    if (*p == '.') {
        p++;
        v->precision = read_size(&p);
    }
    v->verb = *p;
    return *p ? p + 1 : p;
}

void print_gt_printf(struct buf *out, const char *format, const cJSON *const *args, size_t n)
{
    size_t used = 0;

    while (*format) {
        struct verb v;
        size_t plain = strcspn(format, "%");
        buf_add(out, format, plain);
        format += plain;
        if (!*format)
            break;
        format = read_verb(format + 1, &v);
        if (!v.verb)
            buf_adds(out, "%!(NOVERB)");
        else if (v.verb == '%')
            buf_addc(out, '%');
        else if (used >= n)
            buf_addf(out, "%%!%c(MISSING)", v.verb);
        else
            add_value(out, &v, args[used++]);
    }
    if (used >= n)
        return;
    buf_adds(out, "%!(EXTRA ");
    for (size_t i = used; i < n; i++) {
        buf_addf(out, "%s%s", i > used ? ", " : "", gotext_type(args[i]));
        if (args[i] && !cJSON_IsNull(args[i])) {
            buf_addc(out, '=');
            gotext_value(out, args[i]);
        }
    }
    buf_addc(out, ')');
}
