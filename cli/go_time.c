#include "cli/go_time.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

#define SECOND_NS INT64_C(1000000000)

static void set_local(struct go_time *t)
{
    time_t s = (time_t)(t->ns / SECOND_NS - (t->ns % SECOND_NS < 0));
    struct tm tm;

    localtime_r(&s, &tm);
    t->offset = (int)tm.tm_gmtoff;
    snprintf(t->zone, sizeof(t->zone), "%s", tm.tm_zone ? tm.tm_zone : "");
}

/* "1700000000.25", exact to the nanosecond. */
static bool parse_unix(const char *text, struct go_time *ret)
{
    size_t whole = strcspn(text, ".");
    char seconds[24], fraction[10] = "000000000";
    int64_t s, ns;

    if (whole == 0 || whole >= sizeof(seconds) || strchr(text + whole + (text[whole] != '\0'), '.'))
        return false;
    memcpy(seconds, text, whole);
    seconds[whole] = '\0';
    for (size_t i = 0; text[whole] && text[whole + 1 + i]; i++) {
        if (!isdigit((unsigned char)text[whole + 1 + i]))
            return false;
        if (i < 9)
            fraction[i] = text[whole + 1 + i];
    }
    if (!str_to_i64(seconds[0] == '-' ? seconds + 1 : seconds, 0, INT64_MAX / SECOND_NS - 1, &s) ||
        !str_to_i64(fraction, 0, SECOND_NS, &ns))
        return false;
    ret->ns = (s * SECOND_NS + ns) * (seconds[0] == '-' ? -1 : 1);
    set_local(ret);
    return true;
}

/* The offset at the end of RFC 3339: "Z", "+02:00". */
static int offset_of(const char *text)
{
    size_t len = strlen(text);
    unsigned hours, minutes;

    if (len < 6 || sscanf(text + len - 5, "%2u:%2u", &hours, &minutes) != 2)
        return 0;
    int offset = (int)(hours * 3600 + minutes * 60);
    return text[len - 6] == '-' ? -offset : offset;
}

/* "2026-01-02 15:04:05.25 +0100 CET" as RFC 3339; NULL if it is none. */
static char *from_go(const char *text)
{
    char date[16], clock[32], offset[8];

    if (sscanf(text, "%15[0-9-] %31[0-9:.] %7[0-9+-]", date, clock, offset) != 3 || strlen(offset) != 5)
        return NULL;
    return xasprintf("%sT%s%.3s:%s", date, clock, offset, offset + 3);
}

int go_time_parse(const char *text, struct go_time *ret, struct err **err)
{
    struct go_time t = {0};
    _cleanup_free_ char *stamp = from_go(text);

    if (parse_unix(text, &t)) {
        *ret = t;
        return 0;
    }
    int r = time_parse_rfc3339(stamp ? stamp : text, &t.ns, err);
    if (r < 0)
        return r;
    t.offset = offset_of(stamp ? stamp : text);
    snprintf(t.zone, sizeof(t.zone), "%s", t.offset ? "" : "UTC");
    *ret = t;
    return 0;
}

static bool zone_exists(const char *zone)
{
    _cleanup_free_ char *path = xasprintf("/usr/share/zoneinfo/%s", zone);

    return !strstr(zone, "..") && *zone != '/' && access(path, R_OK) == 0;
}

int go_time_in(struct go_time *t, const char *zone, struct err **err)
{
    if (!*zone || streq(zone, "UTC")) {
        t->offset = 0;
        snprintf(t->zone, sizeof(t->zone), "UTC");
        return 0;
    }
    if (streq(zone, "Local")) {
        set_local(t);
        return 0;
    }
    if (!zone_exists(zone))
        return err_set(err, ERR_INVALID, "unknown time zone %s", zone);
    _cleanup_free_ char *before = xstrdup_null(getenv("TZ"));
    setenv("TZ", zone, 1);
    tzset();
    set_local(t);
    if (before)
        setenv("TZ", before, 1);
    else
        unsetenv("TZ");
    tzset();
    return 0;
}

/* What a layout can hold; of those with a common beginning the longer one first, as they are tried in this
 * order. */
enum element {
    LONG_MONTH,
    MONTH,
    LONG_DAY,
    DAY,
    YEAR,
    SHORT_YEAR_2,
    ZERO_MONTH,
    ZERO_DAY,
    HOUR,
    ZERO_HOUR_12,
    ZERO_MINUTE,
    ZERO_SECOND,
    DAY_OF_YEAR,
    SPACE_DAY,
    PM,
    SMALL_PM,
    ZONE,
    ISO_COLON,
    ISO,
    ISO_SHORT,
    OFFSET_COLON,
    OFFSET,
    OFFSET_SHORT,
    NUM_MONTH,
    NUM_DAY,
    HOUR_12,
    MINUTE,
    SECOND,
    ELEMENTS
};
static const char *const elements[ELEMENTS] = {
    "January", "Jan",   "Monday", "Mon", "2006", "06", "01",  "02",     "15",    "03",
    "04",      "05",    "002",    "_2",  "PM",   "pm", "MST", "Z07:00", "Z0700", "Z07",
    "-07:00",  "-0700", "-07",    "1",   "2",    "3",  "4",   "5",
};

static enum element find_element(const char *at)
{
    enum element e = LONG_MONTH;

    while (e < ELEMENTS && !str_starts(at, elements[e]))
        e++;
    return e;
}

static void add_offset(struct buf *out, int offset, bool colon, bool minutes)
{
    int minutes_off = abs(offset) / 60;

    buf_addf(out, "%c%02d", offset < 0 ? '-' : '+', minutes_off / 60);
    if (minutes)
        buf_addf(out, "%s%02d", colon ? ":" : "", minutes_off % 60);
}

static void add_element(struct buf *out, enum element e, const struct tm *tm, const struct go_time *t)
{
    char name[64] = "";
    int hour_12 = tm->tm_hour % 12 ? tm->tm_hour % 12 : 12;

    switch (e) {
    case LONG_MONTH:
        strftime(name, sizeof(name), "%B", tm);
        break;
    case MONTH:
        strftime(name, sizeof(name), "%b", tm);
        break;
    case LONG_DAY:
        strftime(name, sizeof(name), "%A", tm);
        break;
    case DAY:
        strftime(name, sizeof(name), "%a", tm);
        break;
    case YEAR:
        buf_addf(out, "%04d", tm->tm_year + 1900);
        break;
    case SHORT_YEAR_2:
        buf_addf(out, "%02d", (tm->tm_year + 1900) % 100);
        break;
    case ZERO_MONTH:
    case NUM_MONTH:
        buf_addf(out, e == NUM_MONTH ? "%d" : "%02d", tm->tm_mon + 1);
        break;
    case ZERO_DAY:
    case NUM_DAY:
        buf_addf(out, e == NUM_DAY ? "%d" : "%02d", tm->tm_mday);
        break;
    case SPACE_DAY:
        buf_addf(out, "%2d", tm->tm_mday);
        break;
    case DAY_OF_YEAR:
        buf_addf(out, "%03d", tm->tm_yday + 1);
        break;
    case HOUR:
        buf_addf(out, "%02d", tm->tm_hour);
        break;
    case ZERO_HOUR_12:
    case HOUR_12:
        buf_addf(out, e == HOUR_12 ? "%d" : "%02d", hour_12);
        break;
    case ZERO_MINUTE:
    case MINUTE:
        buf_addf(out, e == MINUTE ? "%d" : "%02d", tm->tm_min);
        break;
    case ZERO_SECOND:
    case SECOND:
        buf_addf(out, e == SECOND ? "%d" : "%02d", tm->tm_sec);
        break;
    case PM:
        buf_adds(out, tm->tm_hour >= 12 ? "PM" : "AM");
        break;
    case SMALL_PM:
        buf_adds(out, tm->tm_hour >= 12 ? "pm" : "am");
        break;
    case ZONE:
        if (*t->zone)
            buf_adds(out, t->zone);
        else
            add_offset(out, t->offset, false, t->offset % 3600 != 0);
        break;
    case ISO_COLON:
    case ISO:
    case ISO_SHORT:
        if (!t->offset)
            buf_addc(out, 'Z');
        else
            add_offset(out, t->offset, e == ISO_COLON, e != ISO_SHORT);
        break;
    case OFFSET_COLON:
    case OFFSET:
    case OFFSET_SHORT:
        add_offset(out, t->offset, e == OFFSET_COLON, e != OFFSET_SHORT);
        break;
    case ELEMENTS:
        break;
    }
    buf_adds(out, name);
}

/* ".000" keeps its zeros, ".999" does not; both only when no digit follows. Returns what was read. */
static size_t add_fraction(struct buf *out, const char *at, int64_t ns)
{
    char digits[10];
    size_t n = 1;

    if ((*at != '.' && *at != ',') || (at[1] != '0' && at[1] != '9'))
        return 0;
    while (at[n] == at[1])
        n++;
    if (isdigit((unsigned char)at[n]))
        return 0;
    snprintf(digits, sizeof(digits), "%09lld", (long long)ns);
    size_t keep = n - 1 < 9 ? n - 1 : 9;
    while (at[1] == '9' && keep && digits[keep - 1] == '0')
        keep--;
    if (keep)
        buf_addf(out, "%c%.*s", *at, (int)keep, digits);
    return n;
}

void go_time_format(const struct go_time *t, const char *layout, struct buf *out)
{
    int64_t rest = t->ns % SECOND_NS < 0 ? t->ns % SECOND_NS + SECOND_NS : t->ns % SECOND_NS;
    time_t s = (time_t)((t->ns - rest) / SECOND_NS + t->offset);
    struct tm tm;

    gmtime_r(&s, &tm);
    while (*layout) {
        size_t n = add_fraction(out, layout, rest);
        enum element e = n ? ELEMENTS : find_element(layout);
        if (e != ELEMENTS) {
            add_element(out, e, &tm, t);
            n = strlen(elements[e]);
        } else if (!n) {
            buf_addc(out, *layout);
            n = 1;
        }
        layout += n;
    }
}
