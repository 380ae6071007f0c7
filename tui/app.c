#include "tui/app.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/timefmt.h"
#include "tui/app_internal.h"

static void on_changed(void *arg, unsigned what)
{
    app_stale(arg, what);
}

/* The pane on top of a leaf. */
struct pane *stack_top(const struct layout_leaf *leaf)
{
    const struct stack *s = leaf ? leaf->pane : NULL;

    return s && s->panes.len ? s->panes.items[s->panes.len - 1] : NULL;
}

static void free_stack(void *p)
{
    struct stack *s = p;

    for (size_t i = 0; i < s->panes.len; i++)
        pane_free(s->panes.items[i]);
    free(s->panes.items);
    free(s);
}

struct app *app_new(const struct app_options *options)
{
    struct app *a = xcalloc(1, sizeof(*a));

    a->o = *options;
    a->store = store_new(on_changed, a);
    a->canvas = canvas_new(options->width, options->height, options->ascii);
    a->histories = map_new(NULL);
    return a;
}

static void confirm_release(struct app *a)
{
    if (a->confirm_yes && a->confirm_release)
        a->confirm_release(a->confirm_arg);
    a->confirm_yes = NULL;
}

void app_collect(struct app *a)
{
    while (a->old_layouts.len)
        layout_free(a->old_layouts.items[--a->old_layouts.len]);
    while (a->old_panes.len)
        pane_free(a->old_panes.items[--a->old_panes.len]);
}

void app_free(struct app *a)
{
    if (!a)
        return;
    app_ask_release(a);
    confirm_release(a);
    app_collect(a);
    a->started = false; /* nobody is to be woken any more */
    free(a->old_layouts.items);
    free(a->old_panes.items);
    layout_free(a->layout);
    app_children_free(a);
    for (struct map_iter it = {0}; map_next(a->histories, &it);)
        strv_free(it.value);
    map_free(a->histories);
    tui_filter_free(a->filter);
    canvas_free(a->canvas);
    store_free(a->store);
    free(a->layout_name);
    free(a->said);
    free(a->output);
    free(a);
}

struct store *app_store(struct app *a)
{
    return a->store;
}

struct loop *app_loop(struct app *a)
{
    return a->o.loop;
}

const struct app_options *app_options(struct app *a)
{
    return &a->o;
}

const struct keymap *app_keymap(struct app *a)
{
    return a->o.keymap;
}

struct tui_filter *app_filter(struct app *a)
{
    return a->filter;
}

bool app_faults_only(struct app *a)
{
    return a->faults_only;
}

const char *app_namespace(struct app *a)
{
    return a->o.namespace;
}

int64_t app_now(struct app *a)
{
    if (store_looks_at(a->store))
        return store_looks_at(a->store);
    return a->o.replay ? store_newest(a->store) : time_now_ns();
}

bool app_is_now(struct app *a)
{
    return !a->o.replay && !store_looks_at(a->store);
}

void app_dirty(struct app *a)
{
    if (!a->dirty && a->started && a->o.wake)
        a->o.wake(a->o.arg);
    a->dirty = true;
}

void app_stale(struct app *a, unsigned what)
{
    for (size_t i = 0; a->layout && i < layout_leaves(a->layout); i++) {
        const struct stack *s = layout_leaf(a->layout, i)->pane;
        for (size_t k = 0; s && k < s->panes.len; k++)
            if (s->panes.items[k]->class->follows & what)
                s->panes.items[k]->stale = true;
    }
    app_dirty(a);
}

void app_say(struct app *a, enum tui_role role, const char *fmt, ...)
{
    va_list ap;

    free(a->said);
    va_start(ap, fmt);
    a->said = xvasprintf(fmt, ap);
    va_end(ap);
    a->said_role = role;
    app_dirty(a);
}

void app_quit(struct app *a)
{
    if (a->o.quit)
        a->o.quit(a->o.arg);
}

struct pane *app_focus(struct app *a)
{
    return stack_top(a->focus);
}

/* Layouts */

static const char one_cluster[] = "h(v(clusters:30, hosts:70):45, v(actors:55, events:45):55)";

/* For each cloud its hosts, actors and events. */
static char *side_by_side(const struct store *s)
{
    struct buf b = BUF_INIT;
    size_t n = store_clusters(s);

    buf_adds(&b, "v(clusters:20, h(");
    for (unsigned i = 0; i < n && i < LAYOUT_LEAVES_MOST / 4; i++) {
        const char *name = store_cluster_name(s, i);
        buf_addf(&b, "%sv(hosts[@%s]:40, actors[@%s]:35, events[@%s]:25)", i ? ", " : "", name, name, name);
    }
    buf_adds(&b, "):80)");
    return buf_take(&b);
}

static char *layout_by_name(struct app *a, const char *name)
{
    const char *own = a->o.layouts ? map_get(a->o.layouts, name) : NULL;

    if (own)
        return xstrdup(own);
    if (streq(name, "clouds"))
        return side_by_side(a->store);
    if (streq(name, "default"))
        return store_clusters(a->store) > 1 ? xstrdup("v(clusters:25, h(hosts:45, actors:55):50, events:25)")
                                            : xstrdup(one_cluster);
    return NULL;
}

int app_set_layout(struct app *a, const char *name_or_text, struct err **err)
{
    _cleanup_free_ char *named = layout_by_name(a, name_or_text);
    _cleanup_(layout_freep) struct layout *layout = NULL;
    int r = layout_parse(named ? named : name_or_text, free_stack, &layout, err);

    if (r < 0)
        return named ? err_wrap(err, "layout %s", name_or_text) : r;
    for (size_t i = 0; i < layout_leaves(layout); i++) {
        struct layout_leaf *leaf = layout_leaf(layout, i);
        struct pane *p;
        if ((r = pane_new(a, leaf->name, leaf->argument, &p, err)) < 0)
            return r;
        struct stack *s = xcalloc(1, sizeof(*s));
        vec_push(&s->panes, p);
        leaf->pane = s;
    }
    if (a->layout)
        vec_push(&a->old_layouts, a->layout);
    a->layout = TAKE_PTR(layout);
    a->focus = layout_leaf(a->layout, 0);
    a->zoomed = false;
    xstr_replace(&a->layout_name, named ? name_or_text : NULL);
    app_dirty(a);
    return 0;
}

char *app_layout_text(struct app *a)
{
    struct buf b = BUF_INIT;

    layout_print(a->layout, &b);
    return buf_take(&b);
}

int app_start(struct app *a, struct err **err)
{
    int r = app_set_layout(a, a->o.layout ? a->o.layout : "default", err);

    a->started = r == 0;
    if (a->started && a->dirty && a->o.wake)
        a->o.wake(a->o.arg);
    return r;
}

static struct layout_leaf *leaf_of(struct app *a, const struct pane *p)
{
    for (size_t i = 0; i < layout_leaves(a->layout); i++) {
        struct layout_leaf *leaf = layout_leaf(a->layout, i);
        const struct stack *s = leaf->pane;
        for (size_t k = 0; s && k < s->panes.len; k++)
            if (s->panes.items[k] == p)
                return leaf;
    }
    return NULL;
}

static struct pane *make_pane(struct app *a, const char *name, const char *argument)
{
    _cleanup_err_ struct err *err = NULL;
    struct pane *p;

    if (pane_new(a, name, argument, &p, &err) < 0) {
        app_say(a, TUI_BAD, "%s", err_text(err));
        return NULL;
    }
    return p;
}

void app_push(struct app *a, struct pane *over, const char *name, const char *argument)
{
    struct layout_leaf *leaf = leaf_of(a, over);
    struct pane *p = leaf ? make_pane(a, name, argument) : NULL;

    if (!p)
        return;
    struct stack *s = leaf->pane;
    vec_push(&s->panes, p);
    app_dirty(a);
}

void app_replace(struct app *a, struct pane *was, const char *name, const char *argument)
{
    struct layout_leaf *leaf = leaf_of(a, was);
    struct pane *p = leaf ? make_pane(a, name, argument) : NULL;

    if (!p)
        return;
    struct stack *s = leaf->pane;
    for (size_t i = 0; i < s->panes.len; i++)
        vec_push(&a->old_panes, s->panes.items[i]);
    s->panes.len = 0;
    vec_push(&s->panes, p);
    xstr_replace(&leaf->name, name);
    xstr_replace(&leaf->argument, argument);
    app_dirty(a);
}

void app_set_filter(struct app *a, const char *text)
{
    _cleanup_err_ struct err *err = NULL;
    struct tui_filter *f;

    if (tui_filter_new(text, &f, &err) < 0) {
        app_say(a, TUI_BAD, "%s", err_text(err));
        return;
    }
    tui_filter_free(a->filter);
    a->filter = f;
    app_stale(a, STORE_CHANGED_ALL);
}

bool app_shows(struct app *a, const struct pane *p, const struct tui_object *o, const char *row)
{
    char text[1024];

    if (!pane_shows(p, o->cluster) ||
        (a->o.namespace && o->namespace && !streq(a->o.namespace, o->namespace)))
        return false;
    if (a->faults_only && o->health == TUI_HEALTH_GOOD)
        return false;
    if (!a->filter)
        return true;
    snprintf(text, sizeof(text), "%s %s %s %s %s", store_cluster_name(a->store, o->cluster), o->key,
             o->reason, row ? row : "", o->message);
    return tui_filter_matches(a->filter, text, o->labels);
}

/* Keys */

void app_confirm(struct app *a, const char *question, void (*yes)(struct app *a, void *arg),
                 void (*release)(void *arg), void *arg)
{
    confirm_release(a);
    a->confirm_yes = yes;
    a->confirm_release = release;
    a->confirm_arg = arg;
    app_say(a, TUI_WARN, "%s [y/N]", question);
}

static void answer(struct app *a, uint32_t key)
{
    void (*yes)(struct app *, void *) = TAKE_PTR(a->confirm_yes);
    void (*release)(void *) = a->confirm_release;
    void *arg = a->confirm_arg;

    xstr_replace(&a->said, NULL);
    if (key == 'y' || key == 'Y')
        yes(a, arg);
    else
        app_say(a, TUI_DIM, "not done");
    if (release)
        release(arg);
}

static void run_action(struct app *a, struct pane *p, const struct action *action)
{
    if ((action->flags & ACTION_CHANGES) && a->o.read_only)
        app_say(a, TUI_WARN, "read-only: %s is not done", action->name);
    else if ((action->flags & ACTION_CHANGES) && !app_is_now(a))
        app_say(a, TUI_WARN, "this is the past: %s is not done (\".\" goes back to now)", action->name);
    else
        action->run(p);
}

/* Whether the key was good for anything. */
static bool press(struct app *a, uint32_t key)
{
    struct pane *p = app_focus(a);
    const struct action *action = NULL;
    bool asks = a->confirm_yes || a->asking.on;

    if (asks && key & TUI_KEY_ALT)
        return false;
    if (a->confirm_yes) {
        answer(a, key);
        return true;
    }
    if (app_ask_key(a, key))
        return true;
    xstr_replace(&a->said, NULL);
    if (p)
        action = keymap_find(a->o.keymap, p->class->name, p->class->actions, key);
    if (!action && p && p->class->list)
        action = keymap_find(a->o.keymap, "list", list_actions, key);
    if (!action && p && p->class->text)
        action = keymap_find(a->o.keymap, "text", text_actions, key);
    if (!action && p && p->class->selection)
        action = keymap_find(a->o.keymap, "object", object_actions, key);
    if (!action && p && p->class->key && p->class->key(p, key))
        return true;
    if (!action)
        action = keymap_find(a->o.keymap, "global", app_actions, key);
    if (action)
        run_action(a, p, action);
    app_collect(a);
    return action != NULL;
}

void app_key(struct app *a, uint32_t key)
{
    app_dirty(a);
    /* Escape and a key right after it arrive as alt and that key. */
    if (!press(a, key) && key & TUI_KEY_ALT) {
        press(a, TUI_KEY_ESC);
        press(a, key & ~(uint32_t)TUI_KEY_ALT);
    }
}

void app_mouse(struct app *a, int x, int y, int wheel)
{
    for (size_t i = 0; i < layout_leaves(a->layout); i++) {
        struct layout_leaf *leaf = layout_leaf(a->layout, i);
        struct pane *p = stack_top(leaf);
        const struct box b = leaf->box;
        if (!p || x < b.x || y < b.y || x >= b.x + b.w || y >= b.y + b.h || (a->zoomed && leaf != a->focus))
            continue;
        if (!wheel)
            a->focus = leaf;
        if (p->class->list && wheel)
            list_go(p->class->list(p), wheel * 3);
        else if (p->class->list)
            list_click(p->class->list(p), x, y);
    }
    app_dirty(a);
}

void app_resize(struct app *a, int w, int h)
{
    canvas_resize(a->canvas, w, h);
    app_dirty(a);
}

struct canvas *app_frame(struct app *a, int64_t *ret_next_ms)
{
    a->dirty = false;
    app_draw(a, ret_next_ms);
    app_collect(a);
    return a->canvas;
}
