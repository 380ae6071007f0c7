/* What is understood everywhere, and the command line. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "tui/app_internal.h"

/* Focus and layout */

static void go_to(struct app *a, struct layout_leaf *leaf)
{
    if (leaf)
        a->focus = leaf;
}

static void cycle(struct app *a, size_t step)
{
    size_t n = layout_leaves(a->layout);

    for (size_t i = 0; i < n; i++)
        if (layout_leaf(a->layout, i) == a->focus) {
            go_to(a, layout_leaf(a->layout, (i + step) % n));
            return;
        }
}

static void next_pane(struct pane *p)
{
    cycle(p->app, 1);
}

static void previous_pane(struct pane *p)
{
    cycle(p->app, layout_leaves(p->app->layout) - 1);
}

static void beside(struct pane *p, int dx, int dy)
{
    go_to(p->app, layout_beside(p->app->layout, p->app->focus, dx, dy));
}

static void focus_left(struct pane *p)
{
    beside(p, -1, 0);
}

static void focus_right(struct pane *p)
{
    beside(p, 1, 0);
}

static void focus_up(struct pane *p)
{
    beside(p, 0, -1);
}

static void focus_down(struct pane *p)
{
    beside(p, 0, 1);
}

static void changed_layout(struct app *a)
{
    xstr_replace(&a->layout_name, NULL);
}

static void wider(struct pane *p)
{
    layout_resize(p->app->layout, p->app->focus, 4, 0);
    changed_layout(p->app);
}

static void narrower(struct pane *p)
{
    layout_resize(p->app->layout, p->app->focus, -4, 0);
    changed_layout(p->app);
}

static void higher(struct pane *p)
{
    layout_resize(p->app->layout, p->app->focus, 0, 2);
    changed_layout(p->app);
}

static void lower(struct pane *p)
{
    layout_resize(p->app->layout, p->app->focus, 0, -2);
    changed_layout(p->app);
}

static void move_pane(struct pane *p)
{
    struct app *a = p->app;

    layout_swap(a->layout, a->focus, true);
    cycle(a, 1);
    changed_layout(a);
}

static void zoom(struct pane *p)
{
    p->app->zoomed = !p->app->zoomed;
}

static void split(struct pane *p, bool below)
{
    _cleanup_err_ struct err *err = NULL;
    struct app *a = p->app;
    struct pane *second;

    if (pane_new(a, p->class->name, p->argument, &second, &err) < 0) {
        app_say(a, TUI_BAD, "%s", err_text(err));
        return;
    }
    struct layout_leaf *leaf = layout_split(a->layout, a->focus, below, p->class->name, p->argument);
    if (!leaf) {
        pane_free(second);
        app_say(a, TUI_WARN, "there are %d panes already", LAYOUT_LEAVES_MOST);
        return;
    }
    struct stack *s = xcalloc(1, sizeof(*s));
    vec_push(&s->panes, second);
    leaf->pane = s;
    a->focus = leaf;
    changed_layout(a);
}

static void split_right(struct pane *p)
{
    split(p, false);
}

static void split_below(struct pane *p)
{
    split(p, true);
}

static void close_pane(struct pane *p)
{
    struct app *a = p->app;
    struct layout_leaf *leaf = a->focus;
    struct stack *s = leaf->pane;

    if (layout_leaves(a->layout) == 1) {
        app_say(a, TUI_WARN, "this is the last pane; :q ends the dashboard");
        return;
    }
    for (size_t i = 0; i < s->panes.len; i++)
        vec_push(&a->old_panes, s->panes.items[i]);
    s->panes.len = 0;
    cycle(a, 1);
    layout_close(a->layout, leaf);
    a->zoomed = false;
    changed_layout(a);
}

static void back(struct pane *p)
{
    struct app *a = p->app;
    struct stack *s = a->focus->pane;

    if (s->panes.len > 1)
        vec_push(&a->old_panes, s->panes.items[--s->panes.len]);
    else if (a->zoomed)
        a->zoomed = false;
    else if (a->filter)
        app_set_filter(a, "");
}

/* Asking */

static void filter_changed(struct app *a, const char *text)
{
    _cleanup_err_ struct err *err = NULL;
    _cleanup_(tui_filter_freep) struct tui_filter *f = NULL;

    /* What is half typed need not be right yet. */
    if (tui_filter_new(text, &f, &err) == 0)
        app_set_filter(a, text);
}

static void filter_done(struct app *a, void *arg, const char *text)
{
    app_set_filter(a, text ? text : arg);
}

static void ask_filter(struct pane *p)
{
    char *before = xstrdup(tui_filter_text(p->app->filter));

    app_ask(p->app, &(struct app_ask){.label = "/",
                                      .text = before,
                                      .history = "filter",
                                      .changed = filter_changed,
                                      .done = filter_done,
                                      .release = free,
                                      .arg = before});
}

static void command_done(struct app *a, void *arg _unused_, const char *text)
{
    if (text)
        app_command(a, text);
}

static void ask_command(struct pane *p)
{
    app_ask(p->app, &(struct app_ask){.label = ":",
                                      .history = "command",
                                      .complete = app_command_candidates,
                                      .done = command_done});
}

/* The rest */

static void faults(struct pane *p)
{
    p->app->faults_only = !p->app->faults_only;
    app_stale(p->app, STORE_CHANGED_ALL);
}

static void look_back(struct pane *p)
{
    struct app *a = p->app;
    int64_t from = store_looks_at(a->store) ? store_looks_at(a->store) : INT64_MAX,
            to = store_step(a->store, from, false);

    if (!to)
        app_say(a, TUI_DIM, "nothing is known of what was before");
    else
        store_look_at(a->store, to);
}

static void look_forward(struct pane *p)
{
    struct app *a = p->app;
    int64_t from = store_looks_at(a->store), to = from ? store_step(a->store, from, true) : 0;

    store_look_at(a->store, to);
}

static void look_now(struct pane *p)
{
    store_look_at(p->app->store, 0);
}

static void help(struct pane *p)
{
    app_push(p->app, p, "help", p->class->name);
}

static void quit(struct pane *p)
{
    app_quit(p->app);
}

static void redraw(struct pane *p)
{
    app_stale(p->app, STORE_CHANGED_ALL);
}

const struct action app_actions[] = {
    {"help", "? f1", "All keys of this pane", ACTION_HINT, help},
    {"filter", "/", "Filter all panes: a pattern, !pattern, -l labels, -f fuzzy", ACTION_HINT, ask_filter},
    {"command", ":", "A pane, a kind or a command by its name", ACTION_HINT, ask_command},
    {"next-pane", "tab", "Go to the next pane", ACTION_HINT, next_pane},
    {"previous-pane", "backtab", "Go to the previous pane", 0, previous_pane},
    {"focus-left", "alt-h", "Go to the pane on the left", 0, focus_left},
    {"focus-down", "alt-j", "Go to the pane below", 0, focus_down},
    {"focus-up", "alt-k", "Go to the pane above", 0, focus_up},
    {"focus-right", "alt-l", "Go to the pane on the right", 0, focus_right},
    {"zoom", "z", "This pane alone, or all of them again", ACTION_HINT, zoom},
    {"split-right", "|", "Another pane beside this one", 0, split_right},
    {"split-below", "_", "Another pane below this one", 0, split_below},
    {"close-pane", "X", "Close this pane", 0, close_pane},
    {"wider", "alt-right", "Make the pane wider", 0, wider},
    {"narrower", "alt-left", "Make the pane narrower", 0, narrower},
    {"higher", "alt-down", "Make the pane higher", 0, higher},
    {"lower", "alt-up", "Make the pane lower", 0, lower},
    {"move-pane", "alt-m", "Change places with the next pane", 0, move_pane},
    {"back", "esc", "Back: to the pane below, all panes, no filter", 0, back},
    {"faults", "F", "Only what is not right", ACTION_HINT, faults},
    {"look-back", "<", "Back in time to the change before", ACTION_HINT, look_back},
    {"look-forward", ">", "Forward in time to the next change", 0, look_forward},
    {"look-now", ".", "Back to now", 0, look_now},
    {"redraw", "ctrl-l ctrl-r", "Draw everything again", 0, redraw},
    {"quit", "q ctrl-c", "End the dashboard", ACTION_HINT, quit},
    ACTIONS_END,
};

/* The command line */

static const struct {
    const char *name, *help;
} commands[] = {
    {"layout", "a layout by name, or its text; \"save NAME\" keeps what is on the screen"},
    {"theme", "other colours"},
    {"namespace", "only this namespace; \"all\" for all"},
    {"ns", "the same"},
    {"filter", "as /"},
    {"quit", "end the dashboard"},
    {"q", "the same"},
};

static void save_layout(struct app *a, const char *name, const char *text)
{
    _cleanup_err_ struct err *err = NULL;
    _cleanup_free_ char *said = NULL;

    if (a->o.save_layout(a->o.arg, name, text, &said, &err) < 0) {
        app_say(a, TUI_BAD, "%s", err_text(err));
        return;
    }
    xstr_replace(&a->layout_name, name);
    app_say(a, TUI_GOOD, "%s", said);
}

static void set_theme(struct app *a, const char *name)
{
    _cleanup_err_ struct err *err = NULL;

    if (a->o.set_theme(a->o.arg, name, &err) < 0)
        app_say(a, TUI_BAD, "%s", err_text(err));
    app_dirty(a);
}

static void set_layout(struct app *a, const char *text)
{
    _cleanup_err_ struct err *err = NULL;
    _cleanup_free_ char *now = app_layout_text(a);

    if (a->o.save_layout && str_starts(text, "save "))
        save_layout(a, text + strlen("save ") + strspn(text + strlen("save "), " "), now);
    else if (!*text)
        app_say(a, TUI_TEXT, "%s", now);
    else if (app_set_layout(a, text, &err) < 0)
        app_say(a, TUI_BAD, "%s", err_text(err));
}

static void set_namespace(struct app *a, const char *text)
{
    static char *own; /* what options point to; one app a process */

    free(own);
    own = streq(text, "all") || !*text ? NULL : xstrdup(text);
    a->o.namespace = own;
    app_stale(a, STORE_CHANGED_ALL);
}

void app_command(struct app *a, const char *text)
{
    while (*text == ' ')
        text++;
    size_t n = strcspn(text, " ");
    _cleanup_free_ char *word = xstrndup(text, n);
    const char *rest = text + n + strspn(text + n, " ");
    struct pane *p = app_focus(a);

    if (!*word)
        return;
    if (streq(word, "q") || streq(word, "quit") || streq(word, "q!"))
        app_quit(a);
    else if (streq(word, "layout"))
        set_layout(a, rest);
    else if (streq(word, "theme") && a->o.set_theme)
        set_theme(a, rest);
    else if (streq(word, "ns") || streq(word, "namespace"))
        set_namespace(a, rest);
    else if (streq(word, "filter"))
        app_set_filter(a, rest);
    else if (pane_class_find(word))
        app_replace(a, p, word, *rest ? rest : p->argument && *p->argument == '@' ? p->argument : NULL);
    else
        app_say(a, TUI_BAD, "there is no pane and no command \"%s\": see ?", word);
}

static void add_candidate(char ***list, const char *begun, const char *command, const char *name)
{
    _cleanup_free_ char *one = xasprintf("%s %s", command, name);

    if (str_starts(one, begun))
        strv_push(list, one);
}

char **app_command_candidates(struct app *a, const char *text)
{
    char **list = strv_new();

    if (str_starts(text, "layout ")) {
        add_candidate(&list, text, "layout", "default");
        add_candidate(&list, text, "layout", "clouds");
        for (struct map_iter it = {0}; a->o.layouts && map_next(a->o.layouts, &it);)
            add_candidate(&list, text, "layout", it.key);
        return list;
    }
    if (str_starts(text, "theme ") && a->o.themes) {
        _cleanup_strv_ char **names = a->o.themes(a->o.arg);
        for (size_t i = 0; names[i]; i++)
            add_candidate(&list, text, "theme", names[i]);
        return list;
    }
    for (size_t i = 0; pane_classes[i]; i++)
        if (str_starts(pane_classes[i]->name, text))
            strv_push(&list, pane_classes[i]->name);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (str_starts(commands[i].name, text))
            strv_push(&list, commands[i].name);
    return list;
}
