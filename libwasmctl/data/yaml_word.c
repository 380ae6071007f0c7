#include "data/yaml_word.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const struct {
    const char *text;
    enum yaml_word_kind kind;
    double value; /* BOOL: 0 or 1 */
} words[] = {
    {"", YAML_WORD_NULL, 0},
    {"~", YAML_WORD_NULL, 0},
    {"null", YAML_WORD_NULL, 0},
    {"Null", YAML_WORD_NULL, 0},
    {"NULL", YAML_WORD_NULL, 0},
    {"y", YAML_WORD_BOOL, 1},
    {"Y", YAML_WORD_BOOL, 1},
    {"yes", YAML_WORD_BOOL, 1},
    {"Yes", YAML_WORD_BOOL, 1},
    {"YES", YAML_WORD_BOOL, 1},
    {"true", YAML_WORD_BOOL, 1},
    {"True", YAML_WORD_BOOL, 1},
    {"TRUE", YAML_WORD_BOOL, 1},
    {"on", YAML_WORD_BOOL, 1},
    {"On", YAML_WORD_BOOL, 1},
    {"ON", YAML_WORD_BOOL, 1},
    {"n", YAML_WORD_BOOL, 0},
    {"N", YAML_WORD_BOOL, 0},
    {"no", YAML_WORD_BOOL, 0},
    {"No", YAML_WORD_BOOL, 0},
    {"NO", YAML_WORD_BOOL, 0},
    {"false", YAML_WORD_BOOL, 0},
    {"False", YAML_WORD_BOOL, 0},
    {"FALSE", YAML_WORD_BOOL, 0},
    {"off", YAML_WORD_BOOL, 0},
    {"Off", YAML_WORD_BOOL, 0},
    {"OFF", YAML_WORD_BOOL, 0},
    {".inf", YAML_WORD_FLOAT, INFINITY},
    {".Inf", YAML_WORD_FLOAT, INFINITY},
    {".INF", YAML_WORD_FLOAT, INFINITY},
    {"+.inf", YAML_WORD_FLOAT, INFINITY},
    {"+.Inf", YAML_WORD_FLOAT, INFINITY},
    {"+.INF", YAML_WORD_FLOAT, INFINITY},
    {"-.inf", YAML_WORD_FLOAT, -INFINITY},
    {"-.Inf", YAML_WORD_FLOAT, -INFINITY},
    {"-.INF", YAML_WORD_FLOAT, -INFINITY},
    {".nan", YAML_WORD_FLOAT, NAN},
    {".NaN", YAML_WORD_FLOAT, NAN},
    {".NAN", YAML_WORD_FLOAT, NAN},
    {"<<", YAML_WORD_MERGE, 0},
};

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

/* A sign, then digits to base 10, 16 (0x), 8 (0 or 0o) or 2 (0b), within 64 bits. */
static bool read_int(const char *s, struct yaml_word *ret)
{
    bool has_sign = *s == '-' || *s == '+', negative = *s == '-';
    const char *p = s + has_sign;
    unsigned base = 10;
    uint64_t v = 0;

    if (p[0] == '0' && p[1]) {
        char kind = (char)tolower((unsigned char)p[1]);
        base = kind == 'x' ? 16 : kind == 'b' ? 2 : 8;
        p += kind == 'x' || kind == 'b' || kind == 'o' ? 2 : 1;
    }
    if (!*p)
        return false;
    for (; *p; p++) {
        unsigned digit = (unsigned)digit_of(*p);
        if (digit >= base || v > (UINT64_MAX - digit) / base)
            return false;
        v = v * base + digit;
    }
    if (has_sign && v > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = (struct yaml_word){.kind = YAML_WORD_INT, .negative = negative, .magnitude = v};
    ret->number = negative ? -(double)v : (double)v;
    return true;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool read_float(const char *s, struct yaml_word *ret)
{
    const char *p = s;
    size_t digits = 0;

    if (*p == '-' || *p == '+')
        p++;
    for (; isdigit((unsigned char)*p); p++)
        digits++;
    if (*p == '.')
        for (p++; isdigit((unsigned char)*p); p++)
            digits++;
    if (!digits)
        return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '-' || *p == '+')
            p++;
        if (!isdigit((unsigned char)*p))
            return false;
        while (isdigit((unsigned char)*p))
            p++;
    }
    if (*p)
        return false;
    double d = strtod(s, NULL);
    if (!isfinite(d))
        return false;
    *ret = (struct yaml_word){.kind = YAML_WORD_FLOAT, .number = d};
    return true;
}

/* One or two digits up to most. */
static bool read_part(const char **p, int most, int *ret)
{
    const char *s = *p;
    int v = 0, n = 0;

    for (; n < 2 && isdigit((unsigned char)s[n]); n++)
        v = v * 10 + (s[n] - '0');
    if (!n || v > most)
        return false;
    *p = s + n;
    *ret = v;
    return true;
}

static bool is_date(const char **p)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = 0, month, day;

    for (int i = 0; i < 4; i++) {
        if (!isdigit((unsigned char)(*p)[i]))
            return false;
        year = year * 10 + ((*p)[i] - '0');
    }
    *p += 4;
    bool leap = year % 4 == 0 && (year % 100 || year % 400 == 0);
    if (*(*p)++ != '-' || !read_part(p, 12, &month) || !month || *(*p)++ != '-')
        return false;
    return read_part(p, days[month - 1] + (month == 2 && leap), &day) && day;
}

/* 2006-1-2, 2006-1-2 15:4:5.9 and 2006-1-2T15:4:5.9+07:00 */
static bool is_time(const char *s)
{
    const char *p = s;
    int n;

    if (!is_date(&p))
        return false;
    if (!*p)
        return true;
    bool has_zone = *p != ' ';
    if (has_zone && *p != 'T' && *p != 't')
        return false;
    p++;
    if (!read_part(&p, 23, &n) || *p++ != ':' || !read_part(&p, 59, &n) || *p++ != ':' ||
        !read_part(&p, 59, &n))
        return false;
    if ((*p == '.' || *p == ',') && isdigit((unsigned char)p[1]))
        for (p++; isdigit((unsigned char)*p);)
            p++;
    if (!has_zone || *p == 'Z')
        return !p[has_zone];
    if (*p != '+' && *p != '-')
        return false;
    return isdigit((unsigned char)p[1]) && isdigit((unsigned char)p[2]) && p[3] == ':' &&
           isdigit((unsigned char)p[4]) && isdigit((unsigned char)p[5]) && !p[6];
}

/* Copy without "_". NULL when it is longer than any number. */
static char *without_underscores(const char *s)
{
    size_t len = strlen(s), n = 0;

    if (len > 400)
        return NULL;
    char *plain = xmalloc(len + 1);
    for (; *s; s++)
        if (*s != '_')
            plain[n++] = *s;
    plain[n] = '\0';
    return plain;
}

/* A fraction without a digit before the point may have "_" only between digits. */
static bool underscores_separate(const char *s)
{
    for (const char *p = s; *p; p++)
        if (*p == '_' && (p == s || !isdigit((unsigned char)p[-1]) || !isdigit((unsigned char)p[1])))
            return false;
    return true;
}

void yaml_word_read(const char *s, struct yaml_word *ret)
{
    *ret = (struct yaml_word){.kind = YAML_WORD_TEXT};
    if (*s && !strchr("+-.0123456789yYnNtTfFoO~<", *s))
        return;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!streq(s, words[i].text))
            continue;
        ret->kind = words[i].kind;
        ret->truth = words[i].kind == YAML_WORD_BOOL && words[i].value > 0;
        ret->number = words[i].value;
        return;
    }
    if (!strchr("+-.0123456789", *s))
        return;
    if (is_time(s)) {
        ret->kind = YAML_WORD_TIME;
        return;
    }
    if (*s == '.' && !underscores_separate(s))
        return;
    _cleanup_free_ char *plain = without_underscores(s);
    if (plain && *plain && (*s == '.' || !read_int(plain, ret)))
        read_float(plain, ret);
}

bool yaml_word_is_base60(const char *s)
{
    const char *p = s + (*s == '-' || *s == '+');
    size_t groups = 0;

    if (!isdigit((unsigned char)*p))
        return false;
    p += strspn(p, "0123456789_");
    for (; *p == ':'; groups++) {
        p++;
        if (!isdigit((unsigned char)*p))
            return false;
        /* Two digits only up to 59. */
        p += isdigit((unsigned char)p[1]) && *p <= '5' ? 2 : 1;
    }
    if (*p == '.')
        p += 1 + strspn(p + 1, "0123456789_");
    return groups && !*p;
}
