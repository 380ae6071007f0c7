#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/apply.h"

enum { VALUE_MOST = 60 };

/* The quoted word after `intro`, NULL if there is none; caller frees. */
static char *quoted_after(const char *message, const char *intro)
{
    const char *at = strstr(message, intro);
    const char *start = at ? at + strlen(intro) : NULL;
    const char *end = start ? strchr(start, '"') : NULL;

    return end ? xstrndup(start, (size_t)(end - start)) : NULL;
}

/* Fields */

/* The member whose name stands at *p. Names are not quoted and may hold dots: the longest that fits. */
static const cJSON *member_at(const cJSON *o, const char **p)
{
    const cJSON *found = NULL;
    size_t longest = 0;

    if (!cJSON_IsObject(o))
        return NULL;
    json_each (member, o) {
        size_t len = strlen(member->string);
        char next = strncmp(*p, member->string, len) == 0 ? (*p)[len] : 'x';
        if (len >= longest && (next == '\0' || next == '.' || next == '[')) {
            found = member;
            longest = len;
        }
    }
    *p += longest;
    return found;
}

/* Where the value that begins at p ends: a JSON string, or a word. */
static const char *value_end(const char *p)
{
    if (*p != '"')
        return p + strcspn(p, ",]");
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

/* [key="value",key=1], [="value"] (the element itself) or [0]; *p stands behind it afterwards. */
static const cJSON *element_at(const cJSON *o, const char **p)
{
    _cleanup_json_ cJSON *keys = cJSON_CreateObject();
    size_t index_len = strspn(*p + 1, "0123456789");
    int64_t index = -1;

    if (index_len && (*p)[1 + index_len] == ']') {
        _cleanup_free_ char *digits = xstrndup(*p + 1, index_len);
        str_to_i64(digits, 0, INT32_MAX, &index);
        *p += index_len + 2;
        return cJSON_IsArray(o) ? cJSON_GetArrayItem(o, (int)index) : NULL;
    }
    do {
        size_t len = strcspn(++*p, "=]");
        _cleanup_free_ char *key = xstrndup(*p, len);
        cJSON *value = NULL;
        if ((*p)[len] != '=')
            return NULL;
        *p += len + 1;
        const char *end = value_end(*p);
        if (json_parse(*p, (size_t)(end - *p), "key", &value, NULL) < 0)
            return NULL;
        json_put(keys, key, value);
        *p = end;
    } while (**p == ',');
    if (**p != ']')
        return NULL;
    ++*p;
    const cJSON *itself = json_get(keys, "");
    json_each (element, cJSON_IsArray(o) ? (cJSON *)(uintptr_t)o : NULL) {
        bool fits = true;
        json_each (key, keys)
            fits = fits && json_equal(itself ? element : json_get(element, key->string), key);
        if (fits)
            return element;
    }
    return NULL;
}

/* The field as the server names it: .spec.containers[name="a"].image. NULL when there is none. */
static const cJSON *field_at(const cJSON *o, const char *path)
{
    while (o && *path) {
        if (*path == '[') {
            o = element_at(o, &path);
        } else if (*path == '.') {
            path++;
            o = member_at(o, &path);
        } else {
            return NULL;
        }
    }
    return o;
}

static char *value_text(const cJSON *value)
{
    if (!value)
        return xstrdup("nothing");
    char *text = json_print(value);
    if (strlen(text) > VALUE_MOST) {
        char *cut = xasprintf("%.*s...", VALUE_MOST - 3, text);
        free(text);
        return cut;
    }
    return text;
}

static void add_values(struct buf *out, const char *field, const cJSON *live, const cJSON *ours)
{
    _cleanup_free_ char *now = NULL, *wanted = NULL;
    const cJSON *mine = field_at(ours, field);

    if (!live || !mine || streq(json_str_or(ours, "kind", ""), "Secret"))
        return;
    now = value_text(field_at(live, field));
    wanted = value_text(mine);
    buf_addf(out, ": it is %s, your manifest says %s", now, wanted);
}

/* Conflicts */

static cJSON *causes_of(const struct err *e, cJSON **ret_status)
{
    if (e->http != 409 || !e->details ||
        json_parse(e->details, strlen(e->details), "status", ret_status, NULL) < 0)
        return NULL;
    return json_at(*ret_status, "details.causes");
}

static bool is_conflict(const cJSON *cause)
{
    return streq(json_str_or(cause, "reason", ""), "FieldManagerConflict");
}

bool apply_is_conflict(const struct err *e)
{
    _cleanup_json_ cJSON *status = NULL;
    const cJSON *causes = causes_of(e, &status);

    json_each (cause, causes)
        if (is_conflict(cause))
            return true;
    return false;
}

bool apply_conflicts_only_with(const struct err *e, const char *field_manager)
{
    _cleanup_json_ cJSON *status = NULL;
    const cJSON *causes = causes_of(e, &status);
    bool any = false;

    json_each (cause, causes) {
        _cleanup_free_ char *manager = quoted_after(json_str_or(cause, "message", ""), "conflict with \"");
        if (!is_conflict(cause) || !streq_null(manager, field_manager))
            return false;
        any = true;
    }
    return any;
}

char *apply_conflict_text(const struct err *e, const cJSON *live, const cJSON *ours)
{
    _cleanup_json_ cJSON *status = NULL;
    const cJSON *causes = causes_of(e, &status);
    _cleanup_buf_ struct buf out = BUF_INIT;
    int n = 0;

    json_each (cause, causes) {
        if (!is_conflict(cause))
            continue;
        /* conflict with "kubectl" with subresource "scale" using v1 */
        const char *message = json_str_or(cause, "message", ""),
                   *field = json_str_or(cause, "field", "a field");
        _cleanup_free_ char *manager = quoted_after(message, "conflict with \"");
        _cleanup_free_ char *sub = quoted_after(message, "with subresource \"");
        buf_addf(&out, "  %s is managed by \"%s\"%s%s", field, manager ? manager : "another manager",
                 sub ? " through " : "", sub ? sub : "");
        add_values(&out, field, live, ours);
        buf_addc(&out, '\n');
        n++;
    }
    if (n == 0)
        return NULL;
    buf_adds(&out, "What you can do:\n"
                   "* to take these fields over, apply again with --force-conflicts\n"
                   "* to leave them to their managers, remove them from your manifest\n"
                   "* to share them, write the values the object has now into your manifest");
    return xasprintf("Apply failed with %d conflict%s:\n%s", n, n == 1 ? "" : "s", buf_str(&out));
}
