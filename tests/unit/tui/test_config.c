#include "unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "tui/config.h"

static char folder[] = "/tmp/dash-config-XXXXXX";

static char *path_of(const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

static char *write_file(const char *name, const char *text)
{
    char *path = path_of(name);

    assert_int_equal(file_write(path, text, strlen(text), 0600, NULL), 0);
    return path;
}

static struct tui_config *load(const char *text)
{
    _cleanup_free_ char *path = write_file("dash.yaml", text);
    _cleanup_err_ struct err *err = NULL;
    struct tui_config *c = NULL;

    if (tui_config_load(path, NULL, &c, &err) < 0)
        fail_msg("%s", err_text(err));
    return c;
}

static void test_all(void **state _unused_)
{
    _cleanup_(tui_config_freep) struct tui_config *c = load("theme: light\n"
                                                            "roles: {bad: \"196 bold\", dim: 8,\n"
                                                            "        cursor: reverse}\n"
                                                            "mouse: true\n"
                                                            "layout: night\n"
                                                            "layouts:\n"
                                                            "  night: v(clusters:20, h(hosts, actors))\n"
                                                            "layoutFor:\n"
                                                            "- contexts: [gcp, \"aws-*\"]\n"
                                                            "  layout: clouds\n"
                                                            "keys:\n"
                                                            "  list.down: j down ctrl-n\n"
                                                            "  global.quit: Q\n");
    struct theme light;

    assert_true(theme_builtin("light", &light));
    assert_int_equal(c->theme.roles[TUI_GOOD].fg, light.roles[TUI_GOOD].fg);
    assert_int_equal(c->theme.roles[TUI_BAD].fg, 196);
    assert_int_equal(c->theme.roles[TUI_DIM].fg, 8);
    assert_int_equal(c->theme.cursor.attributes, THEME_REVERSE);
    assert_true(c->mouse);
    assert_string_equal(map_get(c->layouts, "night"), "v(clusters:20, h(hosts, actors))");
    assert_string_equal(tui_config_layout(c, (const char *const[]){"gcp", "aws-1"}, 2), "clouds");
    assert_string_equal(tui_config_layout(c, (const char *const[]){"gcp", "azure"}, 2), "night");
    assert_string_equal(tui_config_layout(c, NULL, 0), "night");
    const struct action down = {.name = "down", .keys = "j"};
    assert_string_equal(keymap_keys(c->keys, "list", &down), "j down ctrl-n");
}

static void test_nothing(void **state _unused_)
{
    _cleanup_(tui_config_freep) struct tui_config *c = load("# nothing yet\n"), *usual = NULL;
    _cleanup_free_ char *absent = path_of("absent.yaml");
    _cleanup_err_ struct err *err = NULL;

    assert_null(tui_config_layout(c, (const char *const[]){"gcp"}, 1));
    setenv("XDG_CONFIG_HOME", folder, 1);
    assert_int_equal(tui_config_load(NULL, NULL, &usual, NULL), 0);
    assert_false(usual->mouse);
    assert_true(tui_config_load(absent, NULL, &usual, &err) < 0);
}

static void test_errors(void **state _unused_)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"mouse: true\ncolour: red\n", "dash.yaml:2: there is no setting \"colour\""},
        {"\nmouse: maybe\n", "dash.yaml:2: mouse: true or false is wanted"},
        {"roles:\n  good: blue\n  evil: red\n", "dash.yaml:3: there is no role \"evil\""},
        {"roles:\n  bad: crimson\n", "dash.yaml:2: bad: \"crimson\""},
        {"roles:\n  bad: 256\n", "dash.yaml:2: bad: \"256\""},
        {"roles:\n  bad: [red]\n", "dash.yaml:2: bad: colours and attributes are wanted"},
        {"theme: pink\n", "dash.yaml:1: there is no theme \"pink\""},
        {"layouts:\n  a: h(hosts\n", "dash.yaml:2: layout a: "},
        {"layouts:\n  a: hosts\n  b: h(hosts, nonsense)\n",
         "dash.yaml:3: layout b: there is no pane \"nonsense\""},
        {"layout: mine\n", "dash.yaml:1: there is no layout \"mine\""},
        {"layoutFor:\n- contexts: [a]\n  layout: clouds\n- layout: clouds\n", "dash.yaml:4: contexts: "},
        {"layoutFor:\n- contexts: [a]\n  layout: mine\n", "dash.yaml:3: there is no layout \"mine\""},
        {"layoutFor:\n- contexts: [1]\n  layout: clouds\n", "dash.yaml:2: names of contexts are wanted"},
        {"keys:\n  global.help: f1\n  down: j\n", "dash.yaml:3: \"down\": PANE.ACTION"},
        {"keys:\n  nonsense.down: j\n", "dash.yaml:2: \"nonsense.down\": PANE.ACTION"},
        {"keys:\n  list.fly: j\n", "dash.yaml:2: list has no action \"fly\""},
        {"keys:\n  list.down: j hyper-j\n", "dash.yaml:2: list.down: \"hyper-j\" is no key"},
        {"keys:\n  list.down: 5\n", "dash.yaml:2: list.down: names of keys are wanted"},
        {"keys:\n  global.zoom: z\n  global.quit: ctrl-l\n",
         "dash.yaml:3: the key \"ctrl-l\" is that of global.redraw too"},
        {"a: [\n", "dash.yaml:2:1: "},
        {"- a\n", "dash.yaml: one mapping"},
        {"mouse: true\n---\nmouse: false\n", "dash.yaml: one mapping"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *path = write_file("dash.yaml", rows[i].text);
        _cleanup_err_ struct err *err = NULL;
        struct tui_config *c = NULL;
        assert_true(tui_config_load(path, NULL, &c, &err) < 0);
        assert_null(c);
        if (!strstr(err_text(err), rows[i].message))
            fail_msg("%s: \"%s\" is not in it", err_text(err), rows[i].message);
    }
}

static void test_themes(void **state _unused_)
{
    _cleanup_free_ char *themes = path_of("themes"), *a = NULL, *b = NULL, *endless = NULL, *wrong = NULL;
    struct theme theme, light;

    mkdir(themes, 0700);
    theme_builtin("light", &light);
    a = write_file("themes/night.yaml", "inherits: light\ngood: \"#00ff00\"\n");
    b = write_file("themes/darker.yaml", "inherits: ./night.yaml\nbad: red\n");
    endless = write_file("themes/endless.yaml", "inherits: ./endless.yaml\n");
    wrong = write_file("themes/wrong.yaml", "good: blue\n\nbad: pinkish\n");
    _cleanup_(tui_config_freep) struct tui_config *c = load("theme: darker\nroles: {warn: 11}\n");
    assert_int_equal(c->theme.roles[TUI_GOOD].fg, 46);
    assert_int_equal(c->theme.roles[TUI_BAD].fg, 1);
    assert_int_equal(c->theme.roles[TUI_WARN].fg, 11);
    assert_int_equal(c->theme.roles[TUI_BUSY].fg, light.roles[TUI_BUSY].fg);
    assert_int_equal(tui_config_theme(c, "mono", &theme, NULL), 0);
    assert_int_equal(theme.roles[TUI_WARN].fg, 11);
    assert_int_equal(theme.roles[TUI_BAD].fg, THEME_DEFAULT_COLOUR);
    static const char *const bad[][2] = {{"endless", "inherit from each other without end"},
                                         {"wrong", "themes/wrong.yaml:3: bad: \"pinkish\""},
                                         {"pink", "there is no theme \"pink\""}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        _cleanup_err_ struct err *err = NULL;
        assert_true(tui_config_theme(c, bad[i][0], &theme, &err) < 0);
        if (!strstr(err_text(err), bad[i][1]))
            fail_msg("%s", err_text(err));
    }
    _cleanup_strv_ char **names = tui_config_themes(c);
    assert_true(strv_has(names, "mono") && strv_has(names, "night") && strv_has(names, "darker"));
}

static void test_save(void **state _unused_)
{
    _cleanup_(tui_config_freep) struct tui_config *c = load("# mine\nmouse: true\nlayouts: {a: hosts}\n"),
                                                  *again = NULL;

    assert_int_equal(tui_config_save_layout(c, "b", "h(hosts, actors)", NULL), 0);
    assert_true(c->comments);
    assert_string_equal(map_get(c->layouts, "b"), "h(hosts, actors)");
    assert_int_equal(tui_config_load(c->path, NULL, &again, NULL), 0);
    assert_true(again->mouse);
    assert_string_equal(map_get(again->layouts, "a"), "hosts");
    assert_string_equal(map_get(again->layouts, "b"), "h(hosts, actors)");
    assert_false(again->comments);
    static const char *const bad[] = {"", "default", "clouds", "a b", "h(x)"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(tui_config_save_layout(c, bad[i], "hosts", NULL), ERR_INVALID);
    /* What became wrong meanwhile is not written over. */
    _cleanup_free_ char *path = write_file("dash.yaml", "mouse: [\n");
    assert_true(tui_config_save_layout(c, "c", "hosts", NULL) < 0);
}

static void test_save_first(void **state _unused_)
{
    _cleanup_free_ char *home = path_of("new/home");
    _cleanup_(tui_config_freep) struct tui_config *c = NULL, *again = NULL;

    setenv("XDG_CONFIG_HOME", home, 1);
    assert_int_equal(tui_config_load(NULL, NULL, &c, NULL), 0);
    assert_int_equal(tui_config_save_layout(c, "b", "hosts", NULL), 0);
    assert_int_equal(tui_config_load(NULL, NULL, &again, NULL), 0);
    assert_string_equal(map_get(again->layouts, "b"), "hosts");
}

static void test_save_through_link(void **state _unused_)
{
    _cleanup_free_ char *real = write_file("real.yaml", "mouse: true\n"), *link = path_of("link.yaml");
    _cleanup_(tui_config_freep) struct tui_config *c = NULL;
    struct stat st;

    assert_int_equal(symlink(real, link), 0);
    assert_int_equal(tui_config_load(link, NULL, &c, NULL), 0);
    assert_int_equal(tui_config_save_layout(c, "b", "hosts", NULL), 0);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static int begin(void **state _unused_)
{
    return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state _unused_)
{
    return file_remove_tree(folder, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),        cmocka_unit_test(test_nothing), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_themes),     cmocka_unit_test(test_save),    cmocka_unit_test(test_save_first),
        cmocka_unit_test(test_save_through_link),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
