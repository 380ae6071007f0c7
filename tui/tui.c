#include "tui/tui.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "tui/app.h"
#include "tui/config.h"
#include "tui/live.h"
#include "tui/record.h"
#include "tui/terminal.h"

enum { FRAME_MS = 33 };

struct dashboard {
    const struct tui_options *o;
    struct loop *loop;
    struct app *app;
    struct terminal *term;
    struct record *record;
    struct tui_config *config;
    VEC(struct kube_client *) clients;
    VEC(struct live *) lives;
    struct loop_io *input, *output;
    struct loop_timer *frame;
    int64_t drawn_ms, due_ms; /* due 0: nothing is */
    bool over, away, waits;   /* away: a command has the terminal; waits: it has not taken the last frame */
    int killed_by;            /* a signal; 0 = none */
    struct loop_signal *suspends;
};

/* Frames: at once when the last one is long enough ago, never more than 30 a second. */

static void plan_frame(struct dashboard *d, int64_t in_ms)
{
    int64_t now = loop_now_ms(d->loop), at = now + in_ms, earliest = d->drawn_ms + FRAME_MS;

    at = at > earliest ? at : earliest;
    if (!d->frame || (d->due_ms && d->due_ms <= at))
        return;
    d->due_ms = at;
    loop_timer_start(d->frame, at > now ? at - now : 0);
}

static void after_sending(struct dashboard *d, enum terminal_sent sent)
{
    d->waits = sent == TERMINAL_BUSY;
    d->over = d->over || sent == TERMINAL_GONE;
    loop_io_set(d->output, d->waits ? LOOP_WRITE : 0);
}

static void on_frame(void *arg)
{
    struct dashboard *d = arg;
    int64_t next;

    d->due_ms = 0;
    if (d->away || d->waits)
        return;
    d->drawn_ms = loop_now_ms(d->loop);
    after_sending(d, terminal_show(d->term, app_frame(d->app, &next)));
    if (next >= 0)
        plan_frame(d, next);
}

/* The terminal takes more. */
static void on_output(void *arg, int events _unused_, bool error)
{
    struct dashboard *d = arg;

    after_sending(d, error ? TERMINAL_GONE : terminal_send(d->term));
    if (!d->waits)
        plan_frame(d, 0);
}

static void on_wake(void *arg)
{
    plan_frame(arg, 0);
}

static void on_quit(void *arg)
{
    struct dashboard *d = arg;

    d->over = true;
}

static void on_size(struct dashboard *d)
{
    int w, h;

    terminal_size(d->term, &w, &h);
    app_resize(d->app, w, h);
}

static void set_aside(void *arg, bool away)
{
    struct dashboard *d = arg;

    d->away = away;
    if (away) {
        loop_io_set(d->input, 0);
        after_sending(d, TERMINAL_SENT);
        terminal_leave(d->term);
    } else {
        terminal_return(d->term);
        on_size(d);
        loop_io_set(d->input, LOOP_READ);
        plan_frame(d, 0);
    }
}

static void on_signal(void *arg, int signum);

/* Stops as programs do that know nothing of it: with all of the job, and not at all where no shell could go
 * on with it (an orphaned group). */
static void suspend(struct dashboard *d)
{
    bool was_away = d->away;

    if (!was_away)
        set_aside(d, true);
    loop_signal_free(d->suspends);
    signal(SIGTSTP, SIG_DFL);
    kill(0, SIGTSTP);
    d->suspends = loop_signal_new(d->loop, SIGTSTP, on_signal, d);
    if (!was_away)
        set_aside(d, false);
}

static void on_signal(void *arg, int signum)
{
    struct dashboard *d = arg;

    if (signum == SIGWINCH) {
        on_size(d);
    } else if (signum == SIGTSTP) {
        suspend(d);
    } else if (signum == SIGCONT) {
        /* After SIGSTOP the terminal may be in any state. */
        if (!d->away)
            set_aside(d, false);
    } else if (signum != SIGINT || !d->away) { /* Ctrl-C is for the command that has the terminal */
        d->over = true;
        d->killed_by = signum;
    }
}

static void on_input(void *arg, int events _unused_, bool error)
{
    struct dashboard *d = arg;
    struct terminal_mouse mouse = {0};
    uint32_t key;
    int n = 0;

    if (error) {
        d->over = true; /* the terminal is gone */
        return;
    }
    while (!d->over && (key = terminal_key(d->term, &mouse)) != TUI_KEY_NONE) {
        n++;
        if (key == TUI_KEY_MOUSE)
            app_mouse(d->app, mouse.x, mouse.y, mouse.wheel);
        else if (key == TUI_KEY_RESIZE)
            on_size(d);
        else if (key == ('z' | TUI_KEY_CTRL))
            suspend(d);
        else
            app_key(d->app, key);
    }
    /* Readable without anything to read: the other end has gone. */
    char c;
    if (!n && !isatty(STDIN_FILENO) && read(STDIN_FILENO, &c, 0) <= 0)
        d->over = true;
}

static void on_heard(void *arg, unsigned cluster, enum tui_kind kind, const char *key, const cJSON *object,
                     int64_t now_ns)
{
    struct dashboard *d = arg;

    record_object(d->record, store_cluster_name(app_store(d->app), cluster), kind, key, object, now_ns);
}

static int connect_all(struct dashboard *d, struct err **err)
{
    for (size_t i = 0; i < d->o->nclusters; i++) {
        const struct tui_cluster *cluster = &d->o->clusters[i];
        struct kube_client_options options = {.cache_dir = d->o->cache_dir, .no_terminal = true};
        struct kube_client *client;
        int r = kube_client_new(d->loop, cluster->config, &options, &client, err);
        if (r < 0)
            return err_wrap(err, "context %s", cluster->name);
        vec_push(&d->clients, client);
        unsigned index = store_add_cluster(app_store(d->app), cluster->name);
        vec_push(&d->lives,
                 live_new(app_store(d->app), index, client, d->o->namespace, d->record ? on_heard : NULL, d));
    }
    return 0;
}

static int run(struct dashboard *d, struct err **err)
{
    static const int signals[] = {SIGWINCH, SIGCONT, SIGTERM, SIGHUP, SIGINT};
    struct loop_signal *handlers[ARRAY_LEN(signals)] = {0};
    struct terminal_options term = {
        .theme = &d->config->theme, .mouse = d->o->mouse || d->config->mouse, .no_colour = d->o->no_colour};
    int r = 0;

    /* What is wrong with the layout is told before the screen is taken. */
    if ((r = app_start(d->app, err)) < 0 || (r = terminal_open(&term, &d->term, err)) < 0)
        return r;
    d->frame = loop_timer_new(d->loop, on_frame, d);
    d->input = loop_io_new(d->loop, terminal_in(d->term), on_input, d);
    loop_io_set(d->input, LOOP_READ);
    d->output = loop_io_new(d->loop, terminal_out(d->term), on_output, d);
    d->suspends = loop_signal_new(d->loop, SIGTSTP, on_signal, d);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        handlers[i] = loop_signal_new(d->loop, signals[i], on_signal, d);
    on_size(d);
    plan_frame(d, 0);
    loop_wait(d->loop, &d->over);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        loop_signal_free(handlers[i]);
    loop_signal_free(d->suspends);
    loop_io_free(d->input);
    loop_io_free(d->output);
    loop_timer_free(d->frame);
    d->frame = NULL;
    terminal_close(d->term);
    return 0;
}

/* The user's settings */

static int save_layout(void *arg, const char *name, const char *text, char **ret_said, struct err **err)
{
    struct dashboard *d = arg;
    int r = tui_config_save_layout(d->config, name, text, err);

    if (r == 0)
        *ret_said = xasprintf("layout %s is kept in %s%s", name, d->config->path,
                              d->config->comments ? "; the comments that were there are lost" : "");
    return r;
}

static int set_theme(void *arg, const char *name, struct err **err)
{
    struct dashboard *d = arg;
    int r = tui_config_theme(d->config, name, &d->config->theme, err);

    if (r == 0)
        terminal_set_theme(d->term, &d->config->theme);
    return r;
}

static char **themes(void *arg)
{
    const struct dashboard *d = arg;

    return tui_config_themes(d->config);
}

static void copy(void *arg, const char *text)
{
    struct dashboard *d = arg;

    terminal_copy(d->term, text);
    plan_frame(d, 0);
}

static const char *layout_of(const struct dashboard *d)
{
    _cleanup_free_ const char **names = xcalloc(d->o->nclusters + 1, sizeof(*names));

    for (size_t i = 0; i < d->o->nclusters; i++)
        names[i] = d->o->clusters[i].name;
    return d->o->layout ? d->o->layout : tui_config_layout(d->config, names, d->o->nclusters);
}

int tui_run(struct loop *loop, const struct tui_options *options, struct err **err)
{
    struct dashboard d = {.o = options, .loop = loop};
    int r = tui_config_load(options->config, options->theme, &d.config, err);

    if (r < 0)
        return r;
    struct app_options app = {
        .loop = loop,
        .layout = layout_of(&d),
        .layouts = d.config->layouts,
        .keymap = d.config->keys,
        .namespace = options->namespace,
        .read_only = options->read_only,
        .ascii = options->ascii || !terminal_utf8(),
        .replay = options->replay != NULL,
        .width = 80,
        .height = 24,
        .program = options->program,
        .kubeconfig = options->kubeconfig,
        .wake = on_wake,
        .quit = on_quit,
        .suspend = set_aside,
        .copy = copy,
        .save_layout = save_layout,
        .set_theme = set_theme,
        .themes = themes,
        .arg = &d,
    };

    d.app = app_new(&app);
    if (options->record)
        r = record_new(options->record, &d.record, err);
    if (r == 0)
        r = options->replay ? replay_load(options->replay, app_store(d.app), err) : connect_all(&d, err);
    if (r == 0)
        r = run(&d, err);
    for (size_t i = 0; i < d.lives.len; i++)
        live_free(d.lives.items[i]);
    for (size_t i = 0; i < d.clients.len; i++)
        kube_client_free(d.clients.items[i]);
    free(d.lives.items);
    free(d.clients.items);
    app_free(d.app);
    tui_config_free(d.config);
    int closed = record_close(d.record, r == 0 ? err : NULL);
    /* Who waits for us is to see what ended us. */
    if (d.killed_by) {
        signal(d.killed_by, SIG_DFL);
        raise(d.killed_by);
    }
    return r < 0 ? r : closed;
}
