#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/timefmt.h"

static enum log_level log_max = LOG_WARN;
static enum log_format log_form = LOG_TEXT;
static const char *const level_names[] = {"error", "warn", "info", "debug", "trace"};

void log_setup(enum log_level max, enum log_format format)
{
    log_max = max;
    log_form = format;
}

bool log_enabled(enum log_level level)
{
    return level <= log_max;
}

int log_level_parse(const char *s)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
        if (streq(s, level_names[i]))
            return (int)i;
    return -1;
}

static void add_json_string(struct buf *b, const char *s)
{
    buf_addc(b, '"');
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_addf(b, "\\%c", *p);
        else if (*p < 0x20 || *p == 0x7f)
            buf_addf(b, "\\u%04x", *p);
        else
            buf_addc(b, (char)*p);
    }
    buf_addc(b, '"');
}

static bool needs_quotes(const char *s)
{
    return !*s || strpbrk(s, " \t\"=\\\n") != NULL;
}

static bool is_secret(const char *key)
{
    static const char *const secret[] = {"token", "password", "authorization", "secret"};

    for (size_t i = 0; i < ARRAY_LEN(secret); i++)
        if (strcasecmp(key, secret[i]) == 0)
            return true;
    return false;
}

void log_kv(enum log_level level, const char *message, ...)
{
    if (!log_enabled(level))
        return;

    _cleanup_buf_ struct buf b = BUF_INIT;
    char stamp[TIME_RFC3339_LEN];
    time_rfc3339(time_now_ns(), 3, stamp);
    if (log_form == LOG_JSON) {
        buf_addf(&b, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":", stamp, level_names[level]);
        add_json_string(&b, message);
    } else {
        buf_addf(&b, "%s %-5s %s", stamp, level_names[level], message);
    }

    va_list ap;
    va_start(ap, message);
    for (const char *key; (key = va_arg(ap, const char *));) {
        const char *value = va_arg(ap, const char *);
        if (!value)
            value = "";
        if (is_secret(key))
            value = "<redacted>";
        if (log_form == LOG_JSON) {
            buf_addc(&b, ',');
            add_json_string(&b, key);
            buf_addc(&b, ':');
            add_json_string(&b, value);
        } else {
            buf_addf(&b, " %s=", key);
            if (needs_quotes(value)) {
                add_json_string(&b, value);
            } else {
                _cleanup_free_ char *safe = str_escape_control(value, false);
                buf_adds(&b, safe);
            }
        }
    }
    va_end(ap);
    buf_adds(&b, log_form == LOG_JSON ? "}\n" : "\n");
    for (size_t done = 0; done < b.len;) {
        ssize_t n = write(STDERR_FILENO, b.data + done, b.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
}
