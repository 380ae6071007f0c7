#include "data/quantity.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const struct {
    const char *suffix;
    int decimal; /* power of ten */
    int binary;  /* power of two */
} suffixes[] = {
    {"", 0, 0},    {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"k", 3, 0},   {"M", 6, 0},
    {"G", 9, 0},   {"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
    {"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60},
};

#define LARGEST ((unsigned __int128)1 << 62)

static int too_large(const char *s, struct err **err)
{
    return err_set(err, ERR_INVALID, "\"%s\" is too large (at most 4Ei)", s);
}

/* The power of ten and of two that the text behind the number stands for. */
static bool read_unit(const char *p, int *ret_decimal, int *ret_binary)
{
    int64_t exponent;

    if ((*p == 'e' || *p == 'E') && p[1] && str_to_i64(p + 1 + (p[1] == '+'), -99, 99, &exponent)) {
        *ret_decimal = (int)exponent;
        *ret_binary = 0;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (!streq(p, suffixes[i].suffix))
            continue;
        *ret_decimal = suffixes[i].decimal;
        *ret_binary = suffixes[i].binary;
        return true;
    }
    return false;
}

/* In integers, so that what is exact stays exact: value = digits * 10^decimal * 2^binary. */
int quantity_parse(const char *s, int64_t *ret_value, struct err **err)
{
    const char *p = s;
    unsigned __int128 v = 0;
    int digits = 0, fraction = 0, decimal, binary;
    bool more = false; /* digits cut off that were not 0 */

    if (*p == '-')
        return err_set(err, ERR_INVALID, "\"%s\" is negative", s);
    if (*p == '+')
        p++;
    for (bool behind_point = false; isdigit((unsigned char)*p) || (*p == '.' && !behind_point); p++) {
        if (*p == '.') {
            behind_point = true;
            continue;
        }
        digits++;
        if (behind_point && (fraction == 18 || v > LARGEST)) {
            more = more || *p != '0';
            continue;
        }
        fraction += behind_point;
        v = v * 10 + (unsigned)(*p - '0');
        if (!behind_point && v > LARGEST)
            return too_large(s, err);
    }
    if (!digits)
        return err_set(err, ERR_INVALID, "\"%s\" is not a quantity like 64Mi or 1.5G", s);
    if (!read_unit(p, &decimal, &binary))
        return err_set(err, ERR_INVALID, "\"%s\" has an unknown unit \"%s\" (want Ki, Mi, Gi, k, M, G...)", s,
                       p);

    /* Trailing zeros of the fraction first, so that the products below stay small. */
    for (; fraction && v % 10 == 0; fraction--)
        v /= 10;
    for (decimal -= fraction; decimal > 0 && v; decimal--)
        if ((v *= 10) > LARGEST)
            return too_large(s, err);
    for (; binary; binary--) {
        if (v >> 126)
            return too_large(s, err);
        v *= 2;
    }
    for (; decimal < 0; decimal++) {
        more = more || v % 10;
        v /= 10;
    }
    v += more;
    if (v > LARGEST)
        return too_large(s, err);
    *ret_value = (int64_t)v;
    return 0;
}

const char *quantity_text(int64_t bytes, char out[QUANTITY_TEXT_LEN])
{
    static const char *const units[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    double value = (double)bytes;
    size_t unit = 0;

    /* 1023.95 would be printed as 1024.0. */
    while (value >= (unit ? 1023.95 : 1024) && unit + 1 < ARRAY_LEN(units)) {
        value /= 1024;
        unit++;
    }
    value = round(value * 10) / 10;
    snprintf(out, QUANTITY_TEXT_LEN, value == floor(value) ? "%.0f%s" : "%.1f%s", value, units[unit]);
    return out;
}
