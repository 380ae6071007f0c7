#include "tui/config.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/yaml.h"
#include "tui/app.h"
#include "tui/layout.h"

enum { INHERIT_MOST = 8, FILE_MODE = 0600, FOLDER_MODE = 0700 };

/* A file that was read, for messages that name its lines. */
struct source {
    const char *path;
    char *text;
    size_t len;
    cJSON *root;
};

static void source_release(struct source *s)
{
    free(s->text);
    cJSON_Delete(s->root);
}

static int wrong(const struct source *s, const char *const *path, struct err **err, const char *fmt, ...)
    _printf_(4, 5);

static int wrong(const struct source *s, const char *const *path, struct err **err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    return err_set(err, ERR_INVALID, "%s:%u: %s", s->path, yaml_line(s->text, s->len, path), text);
}

#define AT(...) ((const char *const[]){__VA_ARGS__, NULL})

static int read_source(const char *path, struct source *s, struct err **err)
{
    struct yaml_docs docs = {0};
    int r;

    s->path = path;
    if ((r = file_read(path, TUI_CONFIG_MOST, &s->text, &s->len, err)) < 0 ||
        (r = yaml_parse(s->text, s->len, path, &docs, err)) < 0)
        return r;
    s->root = docs.len ? TAKE_PTR(docs.items[0].root) : cJSON_CreateObject();
    size_t n = docs.len;
    yaml_docs_release(&docs);
    if (n > 1 || !cJSON_IsObject(s->root))
        return err_set(err, ERR_INVALID, "%s: one mapping of names to settings is wanted", path);
    return 0;
}

/* Themes */

static int role_of(const char *name)
{
    for (int i = 0; i < TUI_ROLES; i++)
        if (streq(name, tui_role_names[i]))
            return i;
    return -1;
}

static int set_role(const struct source *s, const char *const *path, const cJSON *value, struct theme *theme,
                    struct err **err)
{
    _cleanup_err_ struct err *why = NULL;
    const char *name = value->string;
    int role = role_of(name);

    if (role < 0 && !streq(name, "cursor"))
        return wrong(s, path, err, "there is no role \"%s\" (text, dim, title, good, bad, cursor...)", name);
    _cleanup_free_ char *text = cJSON_IsString(value)   ? xstrdup(value->valuestring)
                                : cJSON_IsNumber(value) ? json_print(value)
                                                        : NULL;
    if (!text)
        return wrong(s, path, err, "%s: colours and attributes are wanted, as in \"196 bold\"", name);
    if (theme_style_parse(text, role < 0 ? &theme->cursor : &theme->roles[role], &why) < 0)
        return wrong(s, path, err, "%s: %s", name, err_text(why));
    return 0;
}

static char *theme_file(const char *config, const char *name)
{
    const char *slash = strrchr(config, '/');
    size_t folder = slash ? (size_t)(slash - config) + 1 : 0;

    if (*name == '/')
        return xstrdup(name);
    if (strchr(name, '/') || str_ends(name, ".yaml"))
        return xasprintf("%.*s%s", (int)folder, config, name);
    return xasprintf("%.*sthemes/%s.yaml", (int)folder, config, name);
}

static int find_theme(const char *config, const char *name, int depth, struct theme *ret, struct err **err)
{
    _cleanup_(source_release) struct source s = {0};

    if (theme_builtin(name, ret))
        return 0;
    _cleanup_free_ char *path = theme_file(config, name);
    struct stat st;
    if (stat(path, &st) < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND,
                       "there is no theme \"%s\": none of default, light, high-contrast, mono, "
                       "and no file %s",
                       name, path);
    int r = read_source(path, &s, err);
    if (r < 0)
        return r;
    if (depth == INHERIT_MOST)
        return wrong(&s, AT("inherits"), err, "themes inherit from each other without end");
    struct theme theme;
    if ((r = find_theme(path, json_str_or(s.root, "inherits", "default"), depth + 1, &theme, err)) < 0)
        return r;
    json_each (value, s.root) {
        if (streq(value->string, "inherits"))
            continue;
        if ((r = set_role(&s, AT(value->string), value, &theme, err)) < 0)
            return r;
    }
    *ret = theme;
    return 0;
}

static int add_roles(const struct source *s, struct theme *theme, struct err **err)
{
    json_each (value, json_get(s->root, "roles")) {
        int r = set_role(s, AT("roles", value->string), value, theme, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int tui_config_theme(const struct tui_config *c, const char *name, struct theme *ret, struct err **err)
{
    struct source s = {.path = c->path, .text = (char[]){""}, .root = c->root};
    struct theme theme;
    int r = find_theme(c->path, name, 0, &theme, err);

    if (r == 0)
        r = add_roles(&s, &theme, err);
    if (r == 0)
        *ret = theme;
    return r;
}

char **tui_config_themes(const struct tui_config *c)
{
    const char *slash = strrchr(c->path, '/');
    _cleanup_free_ char *folder = xasprintf("%.*sthemes", (int)(slash ? slash - c->path + 1 : 0), c->path);
    char **names = strv_new();
    DIR *dir = opendir(folder);

    for (size_t i = 0; theme_names[i]; i++)
        strv_push(&names, theme_names[i]);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (*e->d_name == '.' || !str_ends(e->d_name, ".yaml"))
            continue;
        _cleanup_free_ char *name = xstrndup(e->d_name, strlen(e->d_name) - strlen(".yaml"));
        if (!strv_has(names, name))
            strv_push(&names, name);
    }
    if (dir)
        closedir(dir);
    return names;
}

/* Layouts */

static int check_layout(const char *text, struct err **err)
{
    struct layout *l;
    int r = layout_parse(text, NULL, &l, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < layout_leaves(l) && r == 0; i++) {
        const char *name = layout_leaf(l, i)->name;
        if (!pane_class_find(name))
            r = err_set(err, ERR_INVALID, "there is no pane \"%s\"", name);
    }
    layout_free(l);
    return r;
}

static int read_layouts(struct tui_config *c, const struct source *s, struct err **err)
{
    json_each (value, json_get(s->root, "layouts")) {
        _cleanup_err_ struct err *why = NULL;
        const char *const *at = AT("layouts", value->string);
        if (!cJSON_IsString(value))
            return wrong(s, at, err, "layout %s: a text like \"h(hosts, actors)\" is wanted", value->string);
        if (check_layout(value->valuestring, &why) < 0)
            return wrong(s, at, err, "layout %s: %s", value->string, err_text(why));
        map_set(c->layouts, value->string, xstrdup(value->valuestring));
    }
    return 0;
}

static int check_name(const struct tui_config *c, const struct source *s, const char *const *at,
                      const char *layout, struct err **err)
{
    _cleanup_err_ struct err *why = NULL;

    if (map_has(c->layouts, layout) || streq(layout, "default") || streq(layout, "clouds"))
        return 0;
    if (check_layout(layout, &why) < 0)
        return wrong(s, at, err, "there is no layout \"%s\", and as a text: %s", layout, err_text(why));
    return 0;
}

static int read_layout_rules(const struct tui_config *c, const struct source *s, struct err **err)
{
    char index[16];
    int i = 0;

    json_each (rule, json_get(s->root, "layoutFor")) {
        snprintf(index, sizeof(index), "%d", i++);
        const char *layout = json_str_or(rule, "layout", "");
        const cJSON *contexts = json_get(rule, "contexts");
        if (!*layout || !cJSON_IsArray(contexts) || !contexts->child)
            return wrong(s, AT("layoutFor", index), err, "contexts: [...] and layout: are wanted");
        json_each (one, contexts)
            if (!cJSON_IsString(one))
                return wrong(s, AT("layoutFor", index, "contexts"), err, "names of contexts are wanted");
        int r = check_name(c, s, AT("layoutFor", index, "layout"), layout, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool rule_is_for(const cJSON *rule, const char *context)
{
    json_each (pattern, json_get(rule, "contexts"))
        if (fnmatch(pattern->valuestring, context, 0) == 0)
            return true;
    return false;
}

const char *tui_config_layout(const struct tui_config *c, const char *const *contexts, size_t n)
{
    json_each (rule, json_get(c->root, "layoutFor")) {
        bool all = n > 0;
        for (size_t i = 0; i < n && all; i++)
            all = rule_is_for(rule, contexts[i]);
        if (all)
            return json_str_or(rule, "layout", NULL);
    }
    return c->layout;
}

/* Keys */

static const struct action *actions_of(const char *scope)
{
    if (streq(scope, "global"))
        return app_actions;
    if (streq(scope, "list"))
        return list_actions;
    const struct pane_class *class = pane_class_find(scope);
    return class ? class->actions : NULL;
}

static const struct action *find_action(const char *scope, const char *name)
{
    for (const struct action *a = actions_of(scope); a && a->name; a++)
        if (streq(a->name, name))
            return a;
    return NULL;
}

/* Of two actions of one table that share a key one could not be reached. */
static int check_conflicts(const struct tui_config *c, const struct source *s, const char *const *at,
                           const char *scope, const struct action *action, struct err **err)
{
    _cleanup_strv_ char **keys = strv_split(keymap_keys(c->keys, scope, action), ' ', false);

    for (size_t i = 0; keys && keys[i]; i++)
        for (const struct action *other = actions_of(scope); other->name; other++) {
            _cleanup_strv_ char **taken = strv_split(keymap_keys(c->keys, scope, other), ' ', false);
            for (size_t k = 0; other != action && taken && taken[k]; k++)
                if (tui_key_parse(taken[k]) == tui_key_parse(keys[i]))
                    return wrong(s, at, err, "the key \"%s\" is that of %s.%s too", keys[i], scope,
                                 other->name);
        }
    return 0;
}

static int read_keys(struct tui_config *c, const struct source *s, struct err **err)
{
    const cJSON *all = json_get(s->root, "keys");

    for (int turn = 0; turn < 2; turn++)
        json_each (value, all) {
            _cleanup_err_ struct err *why = NULL;
            _cleanup_free_ char *scope = xstrdup(value->string);
            const char *const *at = AT("keys", value->string);
            char *dot = strchr(scope, '.');
            if (dot)
                *dot = '\0';
            if (!dot || (!actions_of(scope) && !pane_class_find(scope)))
                return wrong(s, at, err,
                             "\"%s\": PANE.ACTION, list.ACTION or global.ACTION is wanted; \"?\" shows them",
                             value->string);
            const struct action *action = find_action(scope, dot + 1);
            if (!action)
                return wrong(s, at, err, "%s has no action \"%s\"", scope, dot + 1);
            int r = 0;
            if (turn)
                r = check_conflicts(c, s, at, scope, action, err);
            else if (!cJSON_IsString(value))
                r = wrong(s, at, err, "%s: names of keys are wanted, with blanks between them",
                          value->string);
            else if (keymap_set(c->keys, scope, dot + 1, value->valuestring, &why) < 0)
                r = wrong(s, at, err, "%s: %s", value->string, err_text(why));
            if (r < 0)
                return r;
        }
    return 0;
}

/* All of it */

static int check_shape(const struct source *s, struct err **err)
{
    static const struct {
        const char *name;
        int type;
        const char *wanted;
    } known[] = {
        {"theme", cJSON_String, "a name"},
        {"roles", cJSON_Object, "a mapping of roles to colours"},
        {"mouse", cJSON_True | cJSON_False, "true or false"},
        {"layout", cJSON_String, "a name or a text"},
        {"layouts", cJSON_Object, "a mapping of names to texts"},
        {"layoutFor", cJSON_Array, "a list of contexts and layout"},
        {"keys", cJSON_Object, "a mapping of SCOPE.ACTION to keys"},
    };

    json_each (value, s->root) {
        size_t i = 0;
        while (i < ARRAY_LEN(known) && !streq(known[i].name, value->string))
            i++;
        if (i == ARRAY_LEN(known))
            return wrong(s, AT(value->string), err,
                         "there is no setting \"%s\" (theme, roles, mouse, layout, layouts, layoutFor, keys)",
                         value->string);
        if (!((value->type & 0xff) & known[i].type))
            return wrong(s, AT(value->string), err, "%s: %s is wanted", value->string, known[i].wanted);
    }
    return 0;
}

static int read_all(struct tui_config *c, const struct source *s, struct err **err)
{
    int r = check_shape(s, err);

    if (r < 0 || (r = read_layouts(c, s, err)) < 0 || (r = read_layout_rules(c, s, err)) < 0 ||
        (r = read_keys(c, s, err)) < 0)
        return r;
    const char *layout = json_str_or(s->root, "layout", "");
    if (*layout && (r = check_name(c, s, AT("layout"), layout, err)) < 0)
        return r;
    c->layout = *layout ? xstrdup(layout) : NULL;
    c->mouse = cJSON_IsTrue(json_get(s->root, "mouse"));
    return 0;
}

static int read_theme(struct tui_config *c, const struct source *s, const char *theme, struct err **err)
{
    const char *own = json_str_or(s->root, "theme", "default");
    int r = find_theme(c->path, theme ? theme : own, 0, &c->theme, err);

    if (r == ERR_NOT_FOUND && !theme) {
        _cleanup_err_ struct err *why = TAKE_PTR(*err);
        return wrong(s, AT("theme"), err, "%s", err_text(why));
    }
    return r < 0 ? r : add_roles(s, &c->theme, err);
}

int tui_config_load(const char *path, const char *theme, struct tui_config **ret, struct err **err)
{
    _cleanup_(tui_config_freep) struct tui_config *c = xcalloc(1, sizeof(*c));
    _cleanup_(source_release) struct source s = {0};
    _cleanup_free_ char *folder = file_config_dir();
    struct stat st;
    int r = 0;

    c->path = path ? xstrdup(path) : xasprintf("%s/dash.yaml", folder);
    c->layouts = map_new(free);
    c->keys = keymap_new();
    if (path || stat(c->path, &st) == 0)
        r = read_source(c->path, &s, err);
    if (r == 0)
        r = read_all(c, &s, err);
    if (r == 0)
        r = read_theme(c, &s, theme, err);
    if (r < 0)
        return r;
    c->comments = s.text && (strstr(s.text, "\n#") || strstr(s.text, " #") || *s.text == '#');
    c->root = TAKE_PTR(s.root);
    *ret = TAKE_PTR(c);
    return 0;
}

void tui_config_free(struct tui_config *c)
{
    if (!c)
        return;
    map_free(c->layouts);
    keymap_free(c->keys);
    cJSON_Delete(c->root);
    free(c->layout);
    free(c->path);
    free(c);
}

static int write_config(const struct tui_config *c, const cJSON *root, struct err **err)
{
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_free_ char *folder = xstrdup(c->path);
    char *slash = strrchr(folder, '/');

    yaml_print_to(&out, root);
    if (slash && slash != folder) {
        *slash = '\0';
        int r = file_mkdirs(folder, FOLDER_MODE, err);
        if (r < 0)
            return r;
    }
    /* A link to a file kept elsewhere stays one. */
    _cleanup_free_ char *real = realpath(c->path, NULL);
    return file_write(real ? real : c->path, buf_str(&out), out.len, FILE_MODE, err);
}

int tui_config_save_layout(struct tui_config *c, const char *name, const char *text, struct err **err)
{
    struct stat st;

    if (!*name || strpbrk(name, " ():,[]") || streq(name, "default") || streq(name, "clouds") ||
        streq(name, "save"))
        return err_set(err, ERR_INVALID, "\"%s\" cannot be the name of a layout of yours", name);
    /* What somebody has written there meanwhile stays. */
    _cleanup_(tui_config_freep) struct tui_config *now = NULL;
    int r = stat(c->path, &st) == 0 ? tui_config_load(c->path, "default", &now, err) : 0;
    if (r < 0)
        return r;
    cJSON *root = now && now->root ? now->root : NULL;
    _cleanup_json_ cJSON *fresh = root ? NULL : cJSON_CreateObject();
    root = root ? root : fresh;
    cJSON *layouts = json_get(root, "layouts");
    if (!layouts)
        layouts = cJSON_AddObjectToObject(root, "layouts");
    cJSON_DeleteItemFromObjectCaseSensitive(layouts, name);
    cJSON_AddStringToObject(layouts, name, text);
    if ((r = write_config(c, root, err)) < 0)
        return r;
    c->comments = now && now->comments;
    map_set(c->layouts, name, xstrdup(text));
    return 0;
}
