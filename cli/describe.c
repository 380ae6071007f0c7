#include "cli/describe.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "data/selector.h"

/* Writer */

static void flush_lines(struct describe *d)
{
    size_t width = 0;

    for (size_t i = 0; i < d->lines.len; i++) {
        size_t w = str_width(d->lines.items[i].key) + 2;
        width = w > width ? w : width;
    }
    for (size_t i = 0; i < d->lines.len; i++) {
        struct describe_line *l = &d->lines.items[i];
        const char *p = l->value;
        buf_adds(&d->out, l->key);
        size_t at = str_width(l->key);
        for (;;) {
            size_t n = strcspn(p, "\n");
            buf_fill(&d->out, ' ', width - at);
            buf_add(&d->out, p, n);
            buf_addc(&d->out, '\n');
            p += n;
            if (!*p || !p[1])
                break;
            p++;
            at = 0;
        }
        free(l->key);
        free(l->value);
    }
    d->lines.len = 0;
}

void describe_release(struct describe *d)
{
    flush_lines(d);
    free(d->lines.items);
    buf_release(&d->out);
}

void describe_kv(struct describe *d, int level, const char *key, const char *fmt, ...)
{
    _cleanup_free_ char *text = NULL, *shown_key = str_escape_control(key, false);
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    vec_push(&d->lines, ((struct describe_line){xasprintf("%*s%s:", level * 2, "", shown_key),
                                                str_escape_control(text, true)}));
}

void describe_opt(struct describe *d, int level, const char *key, const char *value)
{
    if (!str_empty(value))
        describe_kv(d, level, key, "%s", value);
}

void describe_head(struct describe *d, int level, const char *key)
{
    _cleanup_free_ char *shown = str_escape_control(key, false);

    flush_lines(d);
    buf_addf(&d->out, "%*s%s:\n", level * 2, "", shown);
}

void describe_none(struct describe *d, int level, const char *key)
{
    describe_kv(d, level, key, "<none>");
}

void describe_table(struct describe *d, int level, struct print_table *t)
{
    flush_lines(d);
    print_table_flush(t, &d->out, (size_t)level * 2);
    print_table_reset(t);
}

void describe_end(struct describe *d)
{
    flush_lines(d);
}

/* Sections */

const char *describe_age(const char *when, char out[24])
{
    int64_t ns;

    _Static_assert(TIME_AGE_LEN <= 24, "ages fit");
    if (str_empty(when) || time_parse_rfc3339(when, &ns, NULL) < 0)
        return "<unknown>";
    return time_age(time_now_ns() - ns, out);
}

void describe_map(struct describe *d, int level, const char *key, const cJSON *map, const char *sep)
{
    const char *title = key;

    if (!map || !map->child) {
        describe_none(d, level, key);
        return;
    }
    json_each (item, map) {
        _cleanup_free_ char *text = cJSON_IsString(item) ? xstrdup(item->valuestring) : json_print(item);
        if (*title)
            describe_kv(d, level, title, "%s%s%s", item->string, sep, text);
        else
            vec_push(&d->lines,
                     ((struct describe_line){xstrdup(""), xasprintf("%s%s%s", item->string, sep, text)}));
        title = "";
    }
}

void describe_metadata(struct describe *d, const cJSON *o)
{
    const char *deleted = json_str(o, "metadata.deletionTimestamp");
    char age[24];

    describe_kv(d, 0, "Name", "%s", json_str_or(o, "metadata.name", ""));
    describe_opt(d, 0, "Namespace", json_str(o, "metadata.namespace"));
    describe_map(d, 0, "Labels", json_at(o, "metadata.labels"), "=");
    describe_map(d, 0, "Annotations", json_at(o, "metadata.annotations"), ": ");
    const char *created = json_str(o, "metadata.creationTimestamp");
    if (created)
        describe_kv(d, 0, "Created", "%s (%s ago)", created, describe_age(created, age));
    if (deleted)
        describe_kv(d, 0, "Deleting", "since %s (%s)", deleted, describe_age(deleted, age));
}

void describe_conditions(struct describe *d, const cJSON *o)
{
    _cleanup_(print_table_freep) struct print_table *t = print_table_new();
    const cJSON *conditions = json_at(o, "status.conditions");
    char age[24];

    if (!conditions || !conditions->child) {
        describe_none(d, 0, "Conditions");
        return;
    }
    describe_head(d, 0, "Conditions");
    print_table_row(t, "Type", "Status", "Since", "Reason", "Message", NULL);
    print_table_row(t, "----", "------", "-----", "------", "-------", NULL);
    json_each (c, conditions)
        print_table_row(t, json_str_or(c, "type", ""), json_str_or(c, "status", ""),
                        describe_age(json_str(c, "lastTransitionTime"), age), json_str_or(c, "reason", ""),
                        json_str_or(c, "message", ""), NULL);
    describe_table(d, 1, t);
}

char *describe_selector(const cJSON *selector)
{
    _cleanup_(selector_freep) struct selector *s = NULL;

    if (!selector || !selector->child)
        return xstrdup("<every host>");
    if (selector_from_json(selector, &s, NULL) < 0)
        return json_print(selector);
    return selector_text(s);
}

static const char *event_time(const cJSON *e, const char *first_choice)
{
    static const char *const fallbacks[] = {"series.lastObservedTime", "lastTimestamp", "eventTime",
                                            "metadata.creationTimestamp"};
    const char *t = first_choice ? json_str(e, first_choice) : NULL;

    for (size_t i = 0; !t && i < ARRAY_LEN(fallbacks); i++)
        t = json_str(e, fallbacks[i]);
    return t;
}

void describe_events(struct describe *d, const cJSON *events)
{
    _cleanup_(print_table_freep) struct print_table *t = print_table_new();
    const cJSON *items = json_get(events, "items");
    char age[24], first[24];

    flush_lines(d);
    if (!items || !items->child) {
        describe_none(d, 0, "Events");
        return;
    }
    describe_head(d, 0, "Events");
    print_table_row(t, "Type", "Reason", "Age", "From", "Message", NULL);
    print_table_row(t, "----", "------", "---", "----", "-------", NULL);
    json_each (e, items) {
        int64_t count = json_int(e, "series.count", json_int(e, "count", 1));
        const char *from = json_str_or(e, "source.component", "");
        print_table_cell(t, json_str(e, "type"));
        print_table_cell(t, json_str(e, "reason"));
        if (count > 1)
            print_table_cellf(
                t, "%s (x%lld over %s)", describe_age(event_time(e, NULL), age), (long long)count,
                describe_age(event_time(e, json_str(e, "firstTimestamp") ? "firstTimestamp" : "eventTime"),
                             first));
        else
            print_table_cell(t, describe_age(event_time(e, NULL), age));
        print_table_cell(t, *from ? from : json_str(e, "reportingComponent"));
        print_table_cell(t, json_str(e, "message"));
        print_table_end_row(t);
    }
    describe_table(d, 1, t);
}

/* Any object */

/* "creationTimestamp" -> "Creation Timestamp", "uid" -> "UID"; caller frees. */
static char *title_of(const char *key)
{
    static const char *const upper[] = {"UID", "API", "URL", "CIDR", "OSB"};
    struct buf out = BUF_INIT;
    bool start = true;

    for (const char *p = key; *p; p++) {
        bool up = isupper((unsigned char)*p);
        bool next_low = islower((unsigned char)p[1]);
        bool prev_up = p > key && isupper((unsigned char)p[-1]);
        /* "clusterIPs" ends in a plural, not in a word "Ps". */
        if (next_low && p[1] == 's' && (!p[2] || isupper((unsigned char)p[2])) && prev_up)
            next_low = false;
        if (p > key && up && (!prev_up || next_low))
            buf_addc(&out, ' ');
        buf_addc(&out, start ? (char)toupper((unsigned char)*p) : *p);
        start = false;
    }
    char *text = buf_take(&out);
    for (size_t i = 0; i < ARRAY_LEN(upper); i++) {
        size_t n = strlen(upper[i]);
        if (strncasecmp(text, upper[i], n) == 0 && (text[n] == '\0' || text[n] == ' '))
            memcpy(text, upper[i], n);
    }
    return text;
}

static char *scalar_text(const cJSON *v)
{
    return cJSON_IsString(v) ? xstrdup(v->valuestring) : json_print(v);
}

static bool skipped(int level, const char *path, const char *key)
{
    static const char *const top[] = {"managedFields", "name",        "namespace",
                                      "labels",        "annotations", "selfLink"};

    if (level != 1 || !streq(path, "metadata"))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(top); i++)
        if (streq(key, top[i]))
            return true;
    return false;
}

static void add_value(struct describe *d, int level, const char *title, const cJSON *v, const char *path);

static void add_members(struct describe *d, int level, const cJSON *o, const char *path)
{
    size_t n = 0;

    json_each (item, o)
        n++;
    const cJSON **items = xcalloc(n + 1, sizeof(*items));
    n = 0;
    json_each (item, o)
        items[n++] = item;
    /* By name, as kubectl. */
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j > 0 && strcmp(items[j - 1]->string, items[j]->string) > 0; j--) {
            const cJSON *swap = items[j];
            items[j] = items[j - 1];
            items[j - 1] = swap;
        }
    for (size_t i = 0; i < n; i++) {
        if (skipped(level, path, items[i]->string))
            continue;
        _cleanup_free_ char *title = title_of(items[i]->string);
        add_value(d, level, title, items[i], items[i]->string);
    }
    free(items);
}

static void add_value(struct describe *d, int level, const char *title, const cJSON *v, const char *path)
{
    if (cJSON_IsObject(v)) {
        describe_head(d, level, title);
        add_members(d, level + 1, v, path);
    } else if (cJSON_IsArray(v)) {
        describe_head(d, level, title);
        json_each (item, v) {
            if (cJSON_IsObject(item)) {
                add_members(d, level + 1, item, "");
            } else {
                _cleanup_free_ char *text = scalar_text(item), *shown = str_escape_control(text, false);
                flush_lines(d);
                buf_addf(&d->out, "%*s%s\n", (level + 1) * 2, "", shown);
            }
        }
    } else {
        _cleanup_free_ char *text = scalar_text(v);
        describe_kv(d, level, title, "%s", text);
    }
}

/* What kubectl keeps of an applied manifest: all of it again, and of a Secret its values. */
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

static void describe_head_of(struct describe *d, const cJSON *o)
{
    _cleanup_json_ cJSON *annotations = cJSON_Duplicate(json_at(o, "metadata.annotations"), true);

    cJSON_DeleteItemFromObjectCaseSensitive(annotations, LAST_APPLIED);
    describe_kv(d, 0, "Name", "%s", json_str_or(o, "metadata.name", ""));
    describe_kv(d, 0, "Namespace", "%s", json_str_or(o, "metadata.namespace", ""));
    describe_map(d, 0, "Labels", json_at(o, "metadata.labels"), "=");
    describe_map(d, 0, "Annotations", annotations, ": ");
}

static void describe_sizes(struct describe *d, const char *title, const cJSON *data)
{
    describe_head(d, 0, title);
    json_each (value, data) {
        _cleanup_free_ char *plain = NULL;
        size_t len = 0;
        if (cJSON_IsString(value) && str_base64_decode(value->valuestring, &plain, &len) == 0)
            describe_kv(d, 1, value->string, "%zu bytes", len);
        else
            describe_kv(d, 1, value->string, "<not readable>");
    }
}

/* Keys are the user's own and stay as they are. A Secret's values are not shown. */
static bool describe_data(struct describe *d, const cJSON *o)
{
    const char *kind = json_str_or(o, "kind", "");
    bool secret = streq(kind, "Secret");

    if (!streq(json_str_or(o, "apiVersion", ""), "v1") || (!secret && !streq(kind, "ConfigMap")))
        return false;
    describe_head_of(d, o);
    describe_opt(d, 0, "Type", json_str(o, "type"));
    if (json_bool(o, "immutable", false))
        describe_kv(d, 0, "Immutable", "true");
    const cJSON *data = json_get(o, "data"), *binary = json_get(o, "binaryData");
    if (!cJSON_GetArraySize(data)) {
        describe_none(d, 0, "Data");
    } else if (secret) {
        describe_sizes(d, "Data", data);
    } else {
        describe_head(d, 0, "Data");
        json_each (value, data)
            describe_kv(d, 1, value->string, "%s", cJSON_IsString(value) ? value->valuestring : "");
    }
    if (cJSON_GetArraySize(binary))
        describe_sizes(d, "Binary Data", binary);
    return true;
}

void describe_any(struct describe *d, const cJSON *o)
{
    if (describe_data(d, o))
        return;
    describe_head_of(d, o);
    describe_kv(d, 0, "API Version", "%s", json_str_or(o, "apiVersion", ""));
    describe_kv(d, 0, "Kind", "%s", json_str_or(o, "kind", ""));
    json_each (item, o) {
        if (streq(item->string, "apiVersion") || streq(item->string, "kind"))
            continue;
        _cleanup_free_ char *title = title_of(item->string);
        add_value(d, 0, title, item, item->string);
    }
}
