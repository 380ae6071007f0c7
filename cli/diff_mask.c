#include "cli/diff_mask.h"

#include "base/str.h"

#define MASK        "***"
#define MASK_BEFORE "*** (before)"
#define MASK_AFTER  "*** (after)"

/* Made by a client-side apply: holds the values once more. */
static const char last_applied[] = "kubectl.kubernetes.io/last-applied-configuration";

static bool is_secret(const cJSON *o)
{
    return o && streq(json_str_or(o, "kind", ""), "Secret") && streq(json_str_or(o, "apiVersion", ""), "v1");
}

static void hide(cJSON *from, cJSON *to, const char *key)
{
    const cJSON *before = json_get(from, key), *after = json_get(to, key);
    bool differ = before && after && !json_equal(before, after);

    if (before)
        json_put_str(from, key, differ ? MASK_BEFORE : MASK);
    if (after)
        json_put_str(to, key, differ ? MASK_AFTER : MASK);
}

static void hide_all(cJSON *from, cJSON *to)
{
    cJSON *sides[] = {from, to};

    for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
        /* Masks are put in place of values, so the keys are gathered first. What both have was hidden with
         * the first side: its values are masks by then and must not be compared again. */
        _cleanup_strv_ char **keys = strv_new();
        json_each (item, sides[i])
            if (i == 0 || !json_get(from, item->string))
                strv_push(&keys, item->string);
        for (char **key = keys; *key; key++)
            hide(from, to, *key);
    }
}

void diff_mask(cJSON *from, cJSON *to)
{
    static const char *const members[] = {"data", "stringData"};

    if (!is_secret(from) && !is_secret(to))
        return;
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        hide_all(json_get(from, members[i]), json_get(to, members[i]));
    hide(json_at(from, "metadata.annotations"), json_at(to, "metadata.annotations"), last_applied);
}
