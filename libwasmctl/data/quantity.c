#include "data/quantity.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const struct {
    const char *suffix;
    double factor;
} suffixes[] = {
    {"", 1},        {"n", 1e-9},    {"u", 1e-6},    {"m", 1e-3},    {"k", 1e3},     {"M", 1e6},
    {"G", 1e9},     {"T", 1e12},    {"P", 1e15},    {"E", 1e18},    {"Ki", 0x1p10}, {"Mi", 0x1p20},
    {"Gi", 0x1p30}, {"Ti", 0x1p40}, {"Pi", 0x1p50}, {"Ei", 0x1p60},
};

int quantity_parse(const char *s, int64_t *ret_value, struct err **err)
{
    const char *p = s;
    double number = 0, scale = 1;
    int digits = 0;

    if (*p == '+')
        p++;
    for (; isdigit((unsigned char)*p); p++, digits++)
        number = number * 10 + (*p - '0');
    if (*p == '.')
        for (p++; isdigit((unsigned char)*p); p++, digits++)
            number += (*p - '0') * (scale /= 10);
    if (!digits)
        return err_set(err, ERR_INVALID, "\"%s\" is not a quantity like 64Mi or 1.5G", s);

    double factor = -1;
    int64_t exponent;
    if ((*p == 'e' || *p == 'E') && p[1] && str_to_i64(p + 1 + (p[1] == '+'), -18, 18, &exponent))
        factor = pow(10, (double)exponent);
    for (size_t i = 0; factor < 0 && i < ARRAY_LEN(suffixes); i++)
        if (streq(p, suffixes[i].suffix))
            factor = suffixes[i].factor;
    if (factor < 0)
        return err_set(err, ERR_INVALID, "\"%s\" has an unknown unit \"%s\" (want Ki, Mi, Gi, k, M, G...)", s,
                       p);
    /* Rounded up, but not for the noise of binary fractions. */
    double value = ceil(number * factor - 1e-9);
    if (value > 0x1p62)
        return err_set(err, ERR_INVALID, "\"%s\" is too large", s);
    *ret_value = (int64_t)value;
    return 0;
}

const char *quantity_text(int64_t bytes, char out[QUANTITY_TEXT_LEN])
{
    static const char *const units[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < ARRAY_LEN(units)) {
        value /= 1024;
        unit++;
    }
    if (value == floor(value) || unit == 0)
        snprintf(out, QUANTITY_TEXT_LEN, "%.0f%s", value, units[unit]);
    else
        snprintf(out, QUANTITY_TEXT_LEN, "%.1f%s", value, units[unit]);
    return out;
}
