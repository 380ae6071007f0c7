#include "cli/edit_patch.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

enum { VALUE_MOST = 60 };

cJSON *edit_patch_make(const cJSON *from, const cJSON *to)
{
    cJSON *patch = cJSON_CreateObject();

    json_each (after, to) {
        const cJSON *before = json_get(from, after->string);
        if (json_equal(before, after))
            continue;
        if (cJSON_IsObject(before) && cJSON_IsObject(after))
            json_put(patch, after->string, edit_patch_make(before, after));
        else
            json_put(patch, after->string, cJSON_Duplicate(after, true));
    }
    json_each (before, from)
        if (!json_get(to, before->string))
            json_put(patch, before->string, cJSON_CreateNull());
    return patch;
}

static char *value_text(const cJSON *value, bool secret)
{
    _cleanup_free_ char *text = NULL;

    if (!value)
        return xstrdup("absent");
    if (secret)
        return xstrdup("***");
    text = json_print(value);
    return strlen(text) > VALUE_MOST ? xasprintf("%.*s...", VALUE_MOST - 3, text) : xstrdup(text);
}

/* A null of the patch removes the field. */
static bool is_so(const cJSON *wanted, const cJSON *now)
{
    return cJSON_IsNull(wanted) ? now == NULL : json_equal(wanted, now);
}

static int clashes(const char *path, const cJSON *patch, const cJSON *before, const cJSON *now, bool secret,
                   struct buf *out)
{
    int n = 0;

    json_each (wanted, patch) {
        const cJSON *was = json_get(before, wanted->string), *is = json_get(now, wanted->string);
        _cleanup_free_ char *field = xasprintf("%s%s%s", path, *path ? "." : "", wanted->string);
        if (json_equal(was, is) || is_so(wanted, is))
            continue;
        if (cJSON_IsObject(wanted) && (!was || cJSON_IsObject(was)) && (!is || cJSON_IsObject(is))) {
            n += clashes(field, wanted, was, is, secret, out);
            continue;
        }
        _cleanup_free_ char *old = value_text(was, secret), *current = value_text(is, secret);
        buf_addf(out, "* %s: was %s, is now %s\n", field, old, current);
        n++;
    }
    return n;
}

int edit_patch_clashes(const cJSON *patch, const cJSON *before, const cJSON *now, bool secret,
                       struct buf *out)
{
    return clashes("", patch, before, now, secret, out);
}
