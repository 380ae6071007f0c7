#include "base/timefmt.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

#define NS_PER_SEC INT64_C(1000000000)
/* 291 years, where int64_t holds 292 of nanoseconds. */
enum { FIRST_YEAR = 1900, LAST_YEAR = 2190 };

static int64_t pinned;

void time_pin(int64_t ns)
{
    pinned = ns;
}

int64_t time_now_ns(void)
{
    struct timespec ts;

    if (pinned)
        return pinned;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

int64_t time_mono_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t time_mono_ms(void)
{
    return time_mono_ns() / 1000000;
}

const char *time_rfc3339(int64_t ns, int digits, char out[TIME_RFC3339_LEN])
{
    time_t sec = (time_t)(ns / NS_PER_SEC);
    int64_t frac = ns % NS_PER_SEC;
    struct tm tm;

    if (frac < 0) {
        frac += NS_PER_SEC;
        sec--;
    }
    gmtime_r(&sec, &tm);
    size_t n = strftime(out, TIME_RFC3339_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
    if (digits > 0 && digits <= 9) {
        char fraction[16];
        snprintf(fraction, sizeof(fraction), "%09u", (unsigned)(frac % NS_PER_SEC));
        snprintf(out + n, TIME_RFC3339_LEN - n, ".%.*sZ", digits, fraction);
    } else {
        snprintf(out + n, TIME_RFC3339_LEN - n, "Z");
    }
    return out;
}

/* Reads exactly n digits. */
static bool read_digits(const char **p, int n, int *ret)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        if (!isdigit((unsigned char)(*p)[i]))
            return false;
        v = v * 10 + ((*p)[i] - '0');
    }
    *p += n;
    *ret = v;
    return true;
}

int time_parse_rfc3339(const char *s, int64_t *ret_ns, struct err **err)
{
    struct tm tm = {0};
    const char *p = s;
    int year, month;

    bool ok = read_digits(&p, 4, &year) && *p++ == '-' && read_digits(&p, 2, &month) && *p++ == '-' &&
              read_digits(&p, 2, &tm.tm_mday) && (*p == 'T' || *p == 't' || *p == ' ') && p++ &&
              read_digits(&p, 2, &tm.tm_hour) && *p++ == ':' && read_digits(&p, 2, &tm.tm_min) &&
              *p++ == ':' && read_digits(&p, 2, &tm.tm_sec);
    if (!ok || month < 1 || month > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
        tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return err_set(err, ERR_INVALID, "\"%s\" is not a time like 2026-01-02T03:04:05Z", s);
    if (year < FIRST_YEAR || year > LAST_YEAR)
        return err_set(err, ERR_INVALID, "\"%s\" is not in the years %d to %d", s, FIRST_YEAR, LAST_YEAR);
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;

    int64_t frac = 0, scale = NS_PER_SEC;
    if (*p == '.' || *p == ',') {
        for (p++; isdigit((unsigned char)*p); p++) {
            if (scale > 1) {
                scale /= 10;
                frac += (*p - '0') * scale;
            }
        }
    }
    int64_t offset = 0;
    if (*p == 'Z' || *p == 'z') {
        p++;
    } else if (*p == '+' || *p == '-') {
        int sign = *p++ == '-' ? -1 : 1, hours, minutes;
        if (!read_digits(&p, 2, &hours) || *p++ != ':' || !read_digits(&p, 2, &minutes) || hours > 23 ||
            minutes > 59)
            return err_set(err, ERR_INVALID, "\"%s\" has a bad time zone offset (want Z or +hh:mm)", s);
        offset = sign * (hours * 3600 + minutes * 60);
    } else {
        return err_set(err, ERR_INVALID, "\"%s\" has no time zone (want Z or +hh:mm)", s);
    }
    if (*p)
        return err_set(err, ERR_INVALID, "\"%s\" has text after the time", s);
    *ret_ns = ((int64_t)timegm(&tm) - offset) * NS_PER_SEC + frac;
    return 0;
}

int time_parse_duration(const char *s, int64_t *ret_ns, struct err **err)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"ns", 1},  {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"ms", 1e6},
                 {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    const double longest = 100.0 * 365 * 86400 * 1e9;
    const char *p = s;
    double total = 0;

    if (streq(s, "0")) {
        *ret_ns = 0;
        return 0;
    }
    int sign = 1;
    if (*p == '-') {
        sign = -1;
        p++;
    }
    if (!*p)
        goto bad;
    while (*p) {
        double number = 0, scale = 1;
        const char *start = p;
        for (; isdigit((unsigned char)*p); p++)
            number = number * 10 + (*p - '0');
        if (*p == '.')
            for (p++; isdigit((unsigned char)*p); p++)
                number += (*p - '0') * (scale /= 10);
        if (p == start || (p == start + 1 && *start == '.'))
            goto bad;
        size_t i = 0, best = ARRAY_LEN(units), best_len = 0;
        for (; i < ARRAY_LEN(units); i++) {
            size_t len = strlen(units[i].unit);
            if (len > best_len && strncmp(p, units[i].unit, len) == 0) {
                best = i;
                best_len = len;
            }
        }
        if (best == ARRAY_LEN(units))
            goto bad;
        p += best_len;
        total += number * units[best].ns;
        if (total > longest)
            return err_set(err, ERR_INVALID, "duration \"%s\" is too long", s);
    }
    *ret_ns = sign * (int64_t)(total + 0.5);
    return 0;
bad:
    return err_set(err, ERR_INVALID, "\"%s\" is not a duration like 500ms, 3s or 1h30m", s);
}

const char *time_age(int64_t ns, char out[TIME_AGE_LEN])
{
    int64_t s = ns / NS_PER_SEC, m = s / 60, h = m / 60, d = h / 24, y = d / 365;

    if (s < -1)
        snprintf(out, TIME_AGE_LEN, "<invalid>");
    else if (s < 0)
        snprintf(out, TIME_AGE_LEN, "0s");
    else if (s < 60 * 2)
        snprintf(out, TIME_AGE_LEN, "%llds", (long long)s);
    else if (m < 10 && s % 60)
        snprintf(out, TIME_AGE_LEN, "%lldm%llds", (long long)m, (long long)(s % 60));
    else if (m < 60 * 3)
        snprintf(out, TIME_AGE_LEN, "%lldm", (long long)m);
    else if (h < 8 && m % 60)
        snprintf(out, TIME_AGE_LEN, "%lldh%lldm", (long long)h, (long long)(m % 60));
    else if (h < 48)
        snprintf(out, TIME_AGE_LEN, "%lldh", (long long)h);
    else if (h < 24 * 8 && h % 24)
        snprintf(out, TIME_AGE_LEN, "%lldd%lldh", (long long)d, (long long)(h % 24));
    else if (d < 365 * 2)
        snprintf(out, TIME_AGE_LEN, "%lldd", (long long)d);
    else if (y < 8 && d % 365)
        snprintf(out, TIME_AGE_LEN, "%lldy%lldd", (long long)y, (long long)(d % 365));
    else
        snprintf(out, TIME_AGE_LEN, "%lldy", (long long)y);
    return out;
}
