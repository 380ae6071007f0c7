#include "tui/keymap.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct keymap {
    struct map *keys; /* "scope.action" -> text */
};

struct keymap *keymap_new(void)
{
    struct keymap *k = xcalloc(1, sizeof(*k));

    k->keys = map_new(free);
    return k;
}

void keymap_free(struct keymap *k)
{
    if (!k)
        return;
    map_free(k->keys);
    free(k);
}

int keymap_set(struct keymap *k, const char *scope, const char *action, const char *keys, struct err **err)
{
    _cleanup_strv_ char **words = strv_split(keys, ' ', false);

    for (size_t i = 0; words && words[i]; i++)
        if (!tui_key_parse(words[i]))
            return err_set(
                err, ERR_INVALID,
                "\"%s\" is no key: a letter, or one of space, enter, esc, tab, up, f1, ctrl-x, ...",
                words[i]);
    _cleanup_free_ char *name = xasprintf("%s.%s", scope, action);
    map_set(k->keys, name, xstrdup(keys));
    return 0;
}

const char *keymap_keys(const struct keymap *k, const char *scope, const struct action *a)
{
    char name[128];

    snprintf(name, sizeof(name), "%s.%s", scope, a->name);
    const char *own = k ? map_get(k->keys, name) : NULL;
    return own ? own : a->keys;
}

static bool holds(const char *keys, uint32_t key)
{
    char word[TUI_KEY_NAME_LEN];

    while (*keys) {
        size_t n = strcspn(keys, " ");
        if (n && n < sizeof(word)) {
            memcpy(word, keys, n);
            word[n] = '\0';
            if (tui_key_parse(word) == key)
                return true;
        }
        keys += n + strspn(keys + n, " ");
    }
    return false;
}

const struct action *keymap_find(const struct keymap *k, const char *scope, const struct action *table,
                                 uint32_t key)
{
    for (const struct action *a = table; a && a->name; a++)
        if (holds(keymap_keys(k, scope, a), key))
            return a;
    return NULL;
}
