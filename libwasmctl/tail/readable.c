#include "tail/readable.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/json.h"

#define RESET "\033[0m"
#define FAINT "\033[2m"

enum { LEVEL_MOST = 16 };

struct level {
    const char *name, *shown, *colour;
};

/* The usual names; numbers are those of bunyan and pino. */
static const struct level levels[] = {
    {"trace", NULL, FAINT},
    {"debug", NULL, FAINT},
    {"info", NULL, "\033[32m"},
    {"information", "info", "\033[32m"},
    {"notice", NULL, "\033[36m"},
    {"warn", NULL, "\033[33m"},
    {"warning", "warn", "\033[33m"},
    {"error", NULL, "\033[31m"},
    {"err", "error", "\033[31m"},
    {"critical", NULL, "\033[1;31m"},
    {"crit", NULL, "\033[1;31m"},
    {"alert", NULL, "\033[1;31m"},
    {"emergency", NULL, "\033[1;31m"},
    {"fatal", NULL, "\033[1;31m"},
    {"panic", NULL, "\033[1;31m"},
    {"dpanic", NULL, "\033[1;31m"},
    {"10", "trace", FAINT},
    {"20", "debug", FAINT},
    {"30", "info", "\033[32m"},
    {"40", "warn", "\033[33m"},
    {"50", "error", "\033[31m"},
    {"60", "fatal", "\033[1;31m"},
};

static const struct level *level_of(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (strcasecmp(levels[i].name, word) == 0)
            return &levels[i];
    return NULL;
}

static void add_level(const struct tail_readable *r, struct buf *out, const char *word)
{
    const struct level *level = level_of(word);
    _cleanup_free_ char *shown = str_escape_control(level && level->shown ? level->shown : word, false);

    if (r->colour && level)
        buf_addf(out, "%s%-5s" RESET " ", level->colour, shown);
    else
        buf_addf(out, "%-5s ", shown);
}

/* JSON */

static const cJSON *member_of(const cJSON *o, const char *const *names)
{
    for (; *names; names++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(o, *names);
        if (value && !cJSON_IsObject(value) && !cJSON_IsArray(value))
            return value;
    }
    return NULL;
}

static char *value_text(const cJSON *value)
{
    return cJSON_IsString(value) ? xstrdup(value->valuestring) : json_print(value);
}

static void add_field(const struct tail_readable *r, struct buf *out, const char *name, const cJSON *value)
{
    _cleanup_free_ char *key = str_escape_control(name, false);
    _cleanup_free_ char *word = value_text(value);
    _cleanup_free_ char *shown = str_escape_control(word, false);
    bool quoted = cJSON_IsString(value) && (!*shown || strpbrk(shown, " =\""));

    buf_addf(out, r->colour ? " " FAINT "%s=" RESET : " %s=", key);
    buf_addf(out, quoted ? "\"%s\"" : "%s", shown);
}

/* A member by its name, or down a path of names. */
static const cJSON *at_path(const cJSON *o, const char *path)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(o, path);

    for (const char *dot = strchr(path, '.'); !value && dot; dot = strchr(dot + 1, '.')) {
        _cleanup_free_ char *head = xstrndup(path, (size_t)(dot - path));
        const cJSON *inner = cJSON_GetObjectItemCaseSensitive(o, head);
        if (cJSON_IsObject(inner))
            value = at_path(inner, dot + 1);
    }
    return value;
}

static bool add_json(const struct tail_readable *r, struct buf *out, const char *text, size_t len)
{
    static const char *const names[] = {"level", "severity", "lvl", "levelname", "log.level", NULL};
    static const char *const texts[] = {"msg", "message", "event", NULL};
    static const char *const times[] = {"time", "ts", "timestamp", "@timestamp", "t", NULL};
    _cleanup_json_ cJSON *o = NULL;

    if (json_parse(text, len, "line", &o, NULL) < 0 || !cJSON_IsObject(o))
        return false;
    const cJSON *level = member_of(o, names), *message = member_of(o, texts), *time = member_of(o, times);
    if (level) {
        _cleanup_free_ char *word = value_text(level);
        add_level(r, out, word);
    }
    if (message) {
        _cleanup_free_ char *word = value_text(message);
        r->text(r->arg, out, word, strlen(word));
    }
    for (char *const *field = r->fields; field && *field; field++) {
        const cJSON *value = at_path(o, *field);
        if (value && value != level && value != message)
            add_field(r, out, *field, value);
    }
    if (r->fields)
        return true;
    json_each (value, o)
        if (value != level && value != message && value != time)
            add_field(r, out, value->string, value);
    return true;
}

/* logfmt and klog */

/* The word behind "level=" or the like, at the begin of a word. */
static bool logfmt_level(const char *text, size_t len, char word[LEVEL_MOST])
{
    static const char *const keys[] = {"level=", "lvl=", "severity="};

    for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
        size_t n = strlen(keys[k]);
        const char *at = memmem(text, len, keys[k], n), *end = text + len;
        if (!at || (at > text && at[-1] != ' '))
            continue;
        at += n;
        at += at < end && *at == '"';
        size_t size = 0;
        while (at + size < end && isalpha((unsigned char)at[size]) && size < LEVEL_MOST - 1)
            size++;
        memcpy(word, at, size);
        word[size] = '\0';
        return level_of(word) != NULL;
    }
    return false;
}

/* "E0102 15:04:05.678901    1234 file.go:56] ..." */
static const char *klog_level(const char *text, size_t len)
{
    static const struct {
        char letter;
        const char *level;
    } rows[] = {{'I', "info"}, {'W', "warn"}, {'E', "error"}, {'F', "fatal"}};

    if (len < 15 || text[5] != ' ' || text[8] != ':' || text[11] != ':')
        return NULL;
    for (int i = 1; i < 5; i++)
        if (!isdigit((unsigned char)text[i]))
            return NULL;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (text[0] == rows[i].letter)
            return rows[i].level;
    return NULL;
}

bool tail_readable(const struct tail_readable *r, struct buf *out, const char *text, size_t len)
{
    char word[LEVEL_MOST];

    if (len && text[0] == '{')
        return add_json(r, out, text, len);
    const char *level = klog_level(text, len);
    if (!level && logfmt_level(text, len, word))
        level = word;
    if (!level)
        return false;
    add_level(r, out, level);
    r->text(r->arg, out, text, len);
    return true;
}
