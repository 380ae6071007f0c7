/*
 * What is done with objects. Everything is a wasmctl command, which is shown before and after; several marked
 * objects are worked on one after the other.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "tui/app.h"

enum { NAMED_MOST = 3 };

struct target {
    unsigned cluster;
    char *resource, *namespace, *name;
};

/* One action on one or more objects. */
struct batch {
    struct app *app;
    VEC(struct target) targets;
    char **before, **behind; /* words of the command before and behind "kind/name" */
    size_t at, failed;
    struct buf output;
    char *last; /* the last line something said */
};

static void batch_free(void *arg)
{
    struct batch *b = arg;

    for (size_t i = 0; i < b->targets.len; i++) {
        free(b->targets.items[i].resource);
        free(b->targets.items[i].namespace);
        free(b->targets.items[i].name);
    }
    free(b->targets.items);
    strv_free(b->before);
    strv_free(b->behind);
    buf_release(&b->output);
    free(b->last);
    free(b);
}

static void add_target(void *arg, const struct selection *s)
{
    struct batch *b = arg;

    vec_push(&b->targets, ((struct target){s->cluster, xstrdup(s->resource), xstrdup_null(s->namespace),
                                           xstrdup(s->name)}));
}

/* Of the marked objects, or the selected one. NULL: there is none, which was said. words: of the command. */
static struct batch *batch_new(struct pane *p, const char *verb)
{
    struct batch *b = xcalloc(1, sizeof(*b));
    struct selection selection;

    b->app = p->app;
    b->before = strv_split(verb, ' ', false);
    b->behind = strv_new();
    if (p->class->chosen)
        p->class->chosen(p, add_target, b);
    else if (p->class->selection(p, &selection))
        add_target(b, &selection);
    if (!b->targets.len) {
        batch_free(b);
        app_say(p->app, TUI_WARN, "nothing is selected");
        return NULL;
    }
    return b;
}

static char **command_of(const struct batch *b, const struct target *t)
{
    char **argv = strv_copy(b->before);
    _cleanup_free_ char *what = xasprintf("%s/%s", t->resource, t->name);

    strv_push(&argv, what);
    for (size_t i = 0; b->behind[i]; i++)
        strv_push(&argv, b->behind[i]);
    if (t->namespace) {
        strv_push(&argv, "-n");
        strv_push(&argv, t->namespace);
    }
    return argv;
}

static void last_line(struct batch *b, const char *text)
{
    size_t len = strlen(text);

    while (len && text[len - 1] == '\n')
        len--;
    size_t from = len;
    while (from && text[from - 1] != '\n')
        from--;
    if (len > from) {
        free(b->last);
        b->last = xstrndup(text + from, len - from);
    }
}

static void next(struct batch *b);

static void on_done(void *arg, int code, const char *output, const char *errors)
{
    struct batch *b = arg;

    buf_addf(&b->output, "%s%s", output, errors);
    if (code) {
        b->failed++;
        buf_addf(&b->output, "(status %d)\n", code);
    }
    last_line(b, code ? errors : output);
    b->at++;
    next(b);
}

static void next(struct batch *b)
{
    struct app *a = b->app;

    if (b->at < b->targets.len) {
        const struct target *t = &b->targets.items[b->at];
        _cleanup_strv_ char **argv = command_of(b, t);
        _cleanup_free_ char *text = app_command_text(a, t->cluster, argv);
        buf_addf(&b->output, "$ %s\n", text);
        app_say(a, TUI_BUSY, "%s", text);
        app_run_child(a, t->cluster, argv, on_done, b);
        return;
    }
    app_set_output(a, buf_str(&b->output));
    if (b->failed && b->targets.len > 1)
        app_say(a, TUI_BAD, "%zu of %zu failed: %s (\":output\" shows all)", b->failed, b->targets.len,
                b->last ? b->last : "");
    else if (b->failed)
        app_say(a, TUI_BAD, "%s (\":output\" shows all)", b->last ? b->last : "it failed");
    else if (b->targets.len > 1)
        app_say(a, TUI_GOOD, "%zu done: %s", b->targets.len, b->last ? b->last : "");
    else
        app_say(a, TUI_GOOD, "%s", b->last ? b->last : "done");
    batch_free(b);
}

/* "wasmactor/web, wasmactor/queue and 3 more" */
static char *targets_text(const struct batch *b)
{
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < b->targets.len && i < NAMED_MOST; i++)
        buf_addf(&out, "%s%s/%s", i ? ", " : "", b->targets.items[i].resource, b->targets.items[i].name);
    if (b->targets.len > NAMED_MOST)
        buf_addf(&out, " and %zu more", b->targets.len - NAMED_MOST);
    return buf_take(&out);
}

static void go(struct app *a _unused_, void *arg)
{
    struct batch **b = arg;

    next(TAKE_PTR(*b));
}

static void drop(void *arg)
{
    struct batch **b = arg;

    if (*b)
        batch_free(*b);
    free(b);
}

/* Asks, showing the command (of the first of them). */
static void confirm(struct batch *b, const char *what)
{
    _cleanup_strv_ char **argv = command_of(b, &b->targets.items[0]);
    _cleanup_free_ char *command = app_command_text(b->app, b->targets.items[0].cluster, argv);
    _cleanup_free_ char *targets = targets_text(b);
    _cleanup_free_ char *question =
        xasprintf("%s %s? (%s%s)", what, targets, command, b->targets.len > 1 ? ", ..." : "");
    struct batch **held = xmemdup(&b, sizeof(b));

    app_confirm(b->app, question, go, drop, held);
}

/* Looking */

static void open_object(struct pane *p, const char *mode)
{
    struct selection s;

    if (!p->class->selection(p, &s)) {
        app_say(p->app, TUI_DIM, "nothing is selected");
        return;
    }
    _cleanup_free_ char *argument =
        xasprintf("@%s %s %s %s%s%s", store_cluster_name(app_store(p->app), s.cluster), mode, s.resource,
                  s.name, s.namespace ? " " : "", s.namespace ? s.namespace : "");
    app_push(p->app, p, "object", argument);
}

static void describe(struct pane *p)
{
    open_object(p, "describe");
}

static void yaml(struct pane *p)
{
    open_object(p, "yaml");
}

static void logs(struct pane *p)
{
    struct selection s;

    if (!p->class->selection(p, &s)) {
        app_say(p->app, TUI_DIM, "nothing is selected");
        return;
    }
    _cleanup_free_ char *argument =
        xasprintf("@%s %s/%s%s%s", store_cluster_name(app_store(p->app), s.cluster), s.resource, s.name,
                  s.namespace ? " -n " : "", s.namespace ? s.namespace : "");
    if (pane_class_find("logs"))
        app_push(p->app, p, "logs", argument);
    else
        app_say(p->app, TUI_WARN, "wasmctl tail %s/%s", s.resource, s.name);
}

/* Changing */

static bool is_kind(struct pane *p, const char *const *kinds, const char *what)
{
    struct selection s;

    if (!p->class->selection(p, &s)) {
        app_say(p->app, TUI_DIM, "nothing is selected");
        return false;
    }
    for (; *kinds; kinds++)
        if (streq(s.resource, *kinds))
            return true;
    app_say(p->app, TUI_WARN, "%s cannot be %s", s.resource, what);
    return false;
}

static const char *const workloads[] = {"wasmactor", "wasmprovider", NULL};
static const char *const hosts[] = {"latticehost", NULL};

static void scale_to(struct app *a, void *arg, const char *text)
{
    struct batch **held = arg;
    int64_t replicas;

    if (!text)
        return;
    if (!str_to_i64(text, 0, 1000000, &replicas)) {
        app_say(a, TUI_BAD, "\"%s\" is no number of replicas", text);
        return;
    }
    struct batch *b = TAKE_PTR(*held);
    _cleanup_free_ char *option = xasprintf("--replicas=%lld", (long long)replicas);
    strv_push(&b->behind, option);
    /* What stops everything is asked for once more. */
    if (replicas == 0)
        confirm(b, "stop all replicas of");
    else
        next(b);
}

static void scale(struct pane *p)
{
    struct selection s;
    struct batch *b = is_kind(p, workloads, "scaled") ? batch_new(p, "scale") : NULL;
    char now[24] = "";

    if (!b)
        return;
    if (b->targets.len == 1 && p->class->selection(p, &s) && s.object && s.object->workload.desired >= 0)
        snprintf(now, sizeof(now), "%d", s.object->workload.desired);
    _cleanup_free_ char *targets = targets_text(b);
    _cleanup_free_ char *label = xasprintf("replicas of %s: ", targets);
    app_ask(
        p->app,
        &(struct app_ask){
            .label = label, .text = now, .done = scale_to, .release = drop, .arg = xmemdup(&b, sizeof(b))});
}

static void simple(struct pane *p, const char *const *kinds, const char *done, const char *verb,
                   const char *question)
{
    struct batch *b = is_kind(p, kinds, done) ? batch_new(p, verb) : NULL;

    if (b && question)
        confirm(b, question);
    else if (b)
        next(b);
}

static void restart(struct pane *p)
{
    simple(p, workloads, "restarted", "rollout restart", "restart");
}

static void undo(struct pane *p)
{
    simple(p, workloads, "rolled back", "rollout undo", "roll back");
}

static void pause_or_resume(struct pane *p)
{
    struct selection s;
    bool paused = p->class->selection(p, &s) && s.object && tui_kind_of(s.resource) <= TUI_PROVIDER &&
                  s.object->workload.paused;

    simple(p, workloads, "paused", paused ? "rollout resume" : "rollout pause", NULL);
}

static void cordon(struct pane *p)
{
    struct selection s;
    bool cordoned =
        p->class->selection(p, &s) && s.object && streq(s.resource, "latticehost") && s.object->host.cordoned;

    simple(p, hosts, "cordoned", cordoned ? "uncordon" : "cordon", NULL);
}

static void drain(struct pane *p)
{
    simple(p, hosts, "drained", "drain", "drain");
}

static void delete (struct pane *p)
{
    struct batch *b = batch_new(p, "delete");

    if (!b)
        return;
    strv_push(&b->behind, "--wait=false");
    confirm(b, "DELETE");
}

static void edit(struct pane *p)
{
    struct batch *b = batch_new(p, "edit");

    if (!b)
        return;
    _cleanup_strv_ char **argv = command_of(b, &b->targets.items[0]);
    app_run_in_terminal(p->app, b->targets.items[0].cluster, argv);
    batch_free(b);
}

static void image_done(struct app *a _unused_, void *arg, const char *text)
{
    struct batch **held = arg;

    if (!text || !*text)
        return;
    struct batch *b = TAKE_PTR(*held);
    strv_push(&b->behind, text);
    next(b);
}

static void set_image(struct pane *p)
{
    struct selection s;
    struct batch *b = is_kind(p, workloads, "given an image") ? batch_new(p, "set image") : NULL;

    if (!b)
        return;
    const char *now = p->class->selection(p, &s) && s.object ? s.object->workload.image : "";
    app_ask(p->app, &(struct app_ask){.label = "image: ",
                                      .text = now,
                                      .done = image_done,
                                      .release = drop,
                                      .arg = xmemdup(&b, sizeof(b))});
}

/* Where an actor is answered for: the address of the provider that calls it over HTTP. */
static void address(struct pane *p)
{
    struct selection s;

    if (!is_kind(p, workloads, "asked over HTTP") || !p->class->selection(p, &s) || !s.object)
        return;
    const struct tui_workload *w = &s.object->workload;
    const char *found = w->address;
    for (size_t i = 0; !found && i < w->nlinks; i++) {
        if (!w->links[i].inward || w->links[i].actor || !strstr(w->links[i].interface, "http"))
            continue;
        _cleanup_free_ char *key = xasprintf("%s/%s", s.namespace ? s.namespace : "", w->links[i].peer);
        const struct tui_object *provider = store_get(app_store(p->app), s.cluster, TUI_PROVIDER, key);
        found = provider ? provider->workload.address : NULL;
    }
    if (!found) {
        app_say(p->app, TUI_DIM, "%s/%s is not reached over HTTP, or nobody says where", s.resource, s.name);
        return;
    }
    _cleanup_free_ char *url = strstr(found, "://") ? xstrdup(found) : xasprintf("http://%s/", found);
    app_copy(p->app, url);
    app_say(p->app, TUI_GOOD, "%s (copied)", url);
}

static void output(struct pane *p)
{
    app_push(p->app, p, "output", NULL);
}

const struct action object_actions[] = {
    {"describe", "enter d", "Describe it", ACTION_HINT, describe},
    {"yaml", "y", "Show its YAML", ACTION_HINT, yaml},
    {"logs", "l", "Follow the logs of what it stands for", ACTION_HINT, logs},
    {"scale", "s", "Set the number of replicas", ACTION_HINT | ACTION_CHANGES, scale},
    {"edit", "e", "Edit it in $EDITOR", ACTION_HINT | ACTION_CHANGES, edit},
    {"restart", "R", "Restart all replicas, one after the other", ACTION_CHANGES, restart},
    {"undo", "U", "Go back to the revision before", ACTION_CHANGES, undo},
    {"pause", "alt-p", "Pause the rollout, or go on with it", ACTION_CHANGES, pause_or_resume},
    {"set-image", "i", "Set another image", ACTION_CHANGES, set_image},
    {"cordon", "C", "Keep new work from a host, or let it in again", ACTION_CHANGES, cordon},
    {"drain", "D", "Move all work from a host", ACTION_CHANGES, drain},
    {"delete", "ctrl-d", "Delete it", ACTION_HINT | ACTION_CHANGES, delete},
    {"address", "u", "Where it is answered over HTTP", 0, address},
    {"output", "alt-o", "What the last command said", 0, output},
    ACTIONS_END,
};
