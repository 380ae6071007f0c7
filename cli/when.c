#include "cli/when.h"

#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/timefmt.h"

#define SECOND_NS INT64_C(1000000000)

static bool parse_local(const char *text, int64_t now_ns, int64_t *ret_ns)
{
    static const char *const formats[] = {
        "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
        "%Y-%m-%d",          "%H:%M:%S",          "%H:%M"};
    time_t now = (time_t)(now_ns / SECOND_NS);
    struct tm today;

    localtime_r(&now, &today);
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        struct tm t = {.tm_isdst = -1};
        if (formats[i][1] == 'H') {
            t.tm_year = today.tm_year;
            t.tm_mon = today.tm_mon;
            t.tm_mday = today.tm_mday;
        }
        const char *end = strptime(text, formats[i], &t);
        if (!end || *end)
            continue;
        t.tm_isdst = -1;
        time_t at = mktime(&t);
        if (at == (time_t)-1)
            continue;
        *ret_ns = (int64_t)at * SECOND_NS;
        return true;
    }
    return false;
}

int when_parse(const char *text, bool future, int64_t now_ns, int64_t *ret_ns, struct err **err)
{
    int64_t span;

    if (time_parse_duration(text, &span, NULL) == 0) {
        if (span <= 0)
            return err_set(err, ERR_INVALID, "\"%s\": a time span above zero is wanted, like 5m or 2h", text);
        *ret_ns = future ? now_ns + span : now_ns - span;
        return 0;
    }
    if (time_parse_rfc3339(text, ret_ns, NULL) == 0 || parse_local(text, now_ns, ret_ns))
        return 0;
    return err_set(err, ERR_INVALID,
                   "\"%s\" is no time: a span like 10m, a time like 2026-01-02T03:04:05Z, a local one like "
                   "\"2026-01-02 15:04\" or 15:04 is wanted",
                   text);
}
