/* One object: described, or as YAML; asked for again when it changes. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/yaml.h"
#include "tui/app.h"
#include "tui/text.h"

enum { AGAIN_MS = 1000 };

struct state {
    struct text *text;
    bool yaml;
    char *resource, *name, *namespace; /* namespace NULL if none */
    struct app_child *child;
    bool again; /* it changed while it was asked for */
    bool failed, here;
};

static struct text *text_of(struct pane *p)
{
    struct state *s = p->state;

    return s->text;
}

static int make(struct pane *p, const char *argument, struct err **err)
{
    struct state *s = p->state;
    _cleanup_strv_ char **words = strv_split(argument, ' ', false);
    size_t n = strv_len(words);

    s->text = text_new();
    if (p->cluster < 0 || n < 3 || n > 4 || (!streq(words[0], "describe") && !streq(words[0], "yaml")))
        return err_set(err, ERR_INVALID,
                       "object[%s]: \"@CLUSTER describe|yaml KIND NAME [NAMESPACE]\" is wanted", argument);
    s->yaml = streq(words[0], "yaml");
    s->resource = xstrdup(words[1]);
    s->name = xstrdup(words[2]);
    s->namespace = n > 3 ? xstrdup(words[3]) : NULL;
    return 0;
}

static void release(struct pane *p)
{
    struct state *s = p->state;

    app_child_free(s->child);
    text_free(s->text);
    free(s->resource);
    free(s->name);
    free(s->namespace);
}

static const struct tui_object *object_of(struct pane *p)
{
    const struct state *s = p->state;
    enum tui_kind kind = tui_kind_of(s->resource);
    _cleanup_free_ char *key = s->namespace ? xasprintf("%s/%s", s->namespace, s->name) : xstrdup(s->name);

    return kind == TUI_KINDS ? NULL : store_get(app_store(p->app), (unsigned)p->cluster, kind, key);
}

/* What a recording has kept. */
static void show_kept(struct pane *p)
{
    struct state *s = p->state;
    const struct tui_object *o = object_of(p);
    _cleanup_json_ cJSON *object = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;

    s->here = true;
    s->failed = !o || !o->json || json_parse(o->json, strlen(o->json), "recording", &object, NULL) < 0;
    if (s->failed) {
        text_set(s->text,
                 o ? "the object as a whole is not kept for the past" : "it was not there at this time",
                 false);
        return;
    }
    yaml_print_to(&out, object);
    text_set(s->text, buf_str(&out), true);
}

static void ask(struct pane *p);

static void on_answer(void *arg, int code, const char *output, const char *errors)
{
    struct pane *p = arg;
    struct state *s = p->state;

    s->child = NULL;
    s->here = true;
    s->failed = code != 0;
    text_set(s->text, code ? errors : output, s->yaml && !code);
    if (s->again) {
        s->again = false;
        p->stale = true;
    }
}

static void ask(struct pane *p)
{
    struct state *s = p->state;
    _cleanup_strv_ char **argv = strv_new();

    strv_push(&argv, s->yaml ? "get" : "describe");
    strv_push(&argv, s->resource);
    strv_push(&argv, s->name);
    if (s->namespace) {
        strv_push(&argv, "-n");
        strv_push(&argv, s->namespace);
    }
    if (s->yaml) {
        strv_push(&argv, "-o");
        strv_push(&argv, "yaml");
    }
    s->child = app_run_child(p->app, (unsigned)p->cluster, argv, on_answer, p);
}

static void refresh(struct pane *p)
{
    struct state *s = p->state;
    struct app *a = p->app;

    if (!app_is_now(a)) {
        show_kept(p);
        return;
    }
    if (s->child) {
        s->again = true;
        return;
    }
    ask(p);
    p->fresh_until_ms = loop_now_ms(app_loop(a)) + AGAIN_MS;
}

static void draw(struct pane *p, struct canvas *c, struct box box)
{
    struct state *s = p->state;

    if (!s->here)
        canvas_text(c, box.x, box.y, box.w, "asking...", TUI_DIM, 0);
    else
        text_draw(s->text, c, box);
    if (s->failed)
        canvas_flag(c, box, TUI_BAD, 0);
}

static void title_more(struct pane *p, struct buf *out)
{
    const struct state *s = p->state;

    buf_addf(out, " %s %s/%s%s%s", s->yaml || !app_is_now(p->app) ? "YAML of" : "describe", s->resource,
             s->namespace ? s->namespace : "", s->namespace ? "/" : "", s->name);
    text_where(s->text, out);
}

static bool selection(struct pane *p, struct selection *ret)
{
    const struct state *s = p->state;

    *ret = (struct selection){(unsigned)p->cluster, s->resource, s->namespace, s->name, object_of(p)};
    return true;
}

static void other(struct pane *p)
{
    struct state *s = p->state;

    s->yaml = !s->yaml;
    s->here = false;
    p->stale = true;
    p->fresh_until_ms = 0;
    app_child_free(TAKE_PTR(s->child));
}

static const struct action actions[] = {
    {"other-form", "y d enter", "YAML or description", ACTION_HINT, other},
    ACTIONS_END,
};

const struct pane_class pane_object = {
    .name = "object",
    .title = "",
    .help = "One object: [@CLUSTER describe|yaml KIND NAME NAMESPACE]",
    .follows = STORE_CHANGED_ALL & ~STORE_CHANGED_SOURCES,
    .state_size = sizeof(struct state),
    .actions = actions,
    .make = make,
    .release = release,
    .refresh = refresh,
    .draw = draw,
    .text = text_of,
    .selection = selection,
    .title_more = title_more,
};

/* What commands said */

static int make_output(struct pane *p, const char *argument _unused_, struct err **err _unused_)
{
    struct state *s = p->state;

    s->text = text_new();
    return 0;
}

static void release_output(struct pane *p)
{
    struct state *s = p->state;

    text_free(s->text);
}

static void refresh_output(struct pane *p)
{
    struct state *s = p->state;

    text_set(s->text, app_output(p->app), false);
}

static void draw_output(struct pane *p, struct canvas *c, struct box box)
{
    struct state *s = p->state;

    if (!*app_output(p->app))
        canvas_text(c, box.x, box.y, box.w, "no command was run yet", TUI_DIM, 0);
    else
        text_draw(s->text, c, box);
}

const struct pane_class pane_output = {
    .name = "output",
    .title = "Output",
    .help = "The last command that was run for an action, and what it said",
    .follows = STORE_CHANGED_TIME,
    .state_size = sizeof(struct state),
    .make = make_output,
    .release = release_output,
    .refresh = refresh_output,
    .draw = draw_output,
    .text = text_of,
};
