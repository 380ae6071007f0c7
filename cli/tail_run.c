/* A run of `tail`: what its contexts share, following them, and how it ends. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/fleet.h"
#include "cli/outlet.h"
#include "cli/tail.h"
#include "cli/tail_outdir.h"
#include "cli/tail_query.h"
#include "cli/tail_skew.h"
#include "cli/tail_template.h"

enum { HISTORY_PATIENCE_MS = 10 * 1000, TOTAL_PATIENCE_MS = 2000, LAST_LINES_MS = 500 };

static const unsigned states[] = {TAIL_ANY_STATE, TAIL_RUNNING, TAIL_WAITING, TAIL_TERMINATED};

/* What all contexts of a run have in common. */
struct context;
struct tailing {
    const struct tail_options *o; /* of the first context */
    VEC(struct context *) running;
    struct tail_filter *until, *begins;
    struct tail_outdir *outdir;
    struct err *trouble; /* of outdir: ends the run */
    struct tail_template *template;
    char **troubles;             /* of the template, that were told */
    struct loop_timer *end;      /* --until */
    struct loop_timer *patience; /* for the lists of Pods, with --tail-total */
    bool matched;
    struct tail_filter *filter;
    struct tail_format *format;
    struct tail_engine *engine;
    struct outlet *outlet;
    struct tail_pattern *container;
    struct tail_pattern **exclude_pods, **exclude_containers;
    size_t contexts;
    struct tail_files *files;
    bool summary, files_taken; /* files_taken: a context waits for them */
};

static void patterns_free(struct tail_pattern **list)
{
    for (size_t i = 0; list && list[i]; i++)
        tail_pattern_free(list[i]);
    free(list);
}

static int patterns_new(char *const *texts, const char *what, struct tail_pattern ***ret, struct err **err)
{
    struct tail_pattern **list = xcalloc(strv_len(texts) + 1, sizeof(struct tail_pattern *));

    for (size_t i = 0; texts && texts[i]; i++) {
        int r = tail_pattern_new(texts[i], what, &list[i], err);
        if (r < 0) {
            patterns_free(list);
            return r;
        }
    }
    *ret = list;
    return 0;
}

void tailing_free(void *arg)
{
    struct tailing *t = arg;

    if (!t)
        return;
    if (t->engine) {
        tail_engine_flush(t->engine);
        outlet_drain(t->outlet);
    }
    tail_engine_free(t->engine);
    tail_outdir_free(t->outdir);
    loop_timer_free(t->end);
    loop_timer_free(t->patience);
    tail_filter_free(t->until);
    tail_filter_free(t->begins);
    err_free(t->trouble);
    tail_template_free(t->template);
    strv_free(t->troubles);
    free(t->running.items);
    outlet_free(t->outlet);
    tail_format_free(t->format);
    tail_filter_free(t->filter);
    tail_pattern_free(t->container);
    patterns_free(t->exclude_pods);
    patterns_free(t->exclude_containers);
    free(t);
}

static void end_all(struct tailing *t);

static bool on_write(void *arg, const char *text, size_t len)
{
    struct tailing *t = arg;

    if (t->outdir) {
        if (!t->trouble && tail_outdir_flush(t->outdir, &t->trouble) < 0)
            end_all(t);
        return true;
    }
    return outlet_write(t->outlet, text, len);
}

static void on_line(void *arg, const struct tail_info *info, const struct tail_line *line)
{
    struct tailing *t = arg;

    tail_outdir_line(t->outdir, info, line);
}

static void on_outlet_room(void *arg)
{
    struct tailing *t = arg;

    tail_engine_more(t->engine);
}

static void on_over(void *arg);
static void on_end(void *arg);
static void on_patience(void *arg);

/* SGR parameters: numbers with semicolons. */
static int check_colours(const struct tail_options *o, struct err **err)
{
    const struct {
        const char *option;
        char **list;
    } lists[] = {{"--pod-colors", o->pod_colours}, {"--container-colors", o->container_colours}};

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (char **word = lists[i].list; word && *word; word++)
            if (!**word || strspn(*word, "0123456789;") != strlen(*word) || strlen(*word) > 64)
                return err_set(
                    err, ERR_INVALID,
                    "%s: \"%s\" is no colour: numbers with semicolons are wanted, like 91 or 38;5;208",
                    lists[i].option, *word);
    if (strv_len(o->container_colours) && strv_len(o->container_colours) != strv_len(o->pod_colours))
        return err_set(err, ERR_INVALID,
                       "--container-colors has %zu colours and --pod-colors %zu: there must be as many",
                       strv_len(o->container_colours), strv_len(o->pod_colours));
    return 0;
}

static int make_template(struct cmd_ctx *c, struct tailing *t, bool namespaces, struct err **err)
{
    enum { TEMPLATE_MOST = 1024 * 1024 };
    const struct tail_options *o = t->o;
    _cleanup_free_ char *file = NULL;
    const char *text = o->template;

    if (o->template_file) {
        int r = file_read(o->template_file, TEMPLATE_MOST, &file, NULL, err);
        if (r < 0)
            return err_wrap(err, "--template-file");
        text = file;
    } else if (!text && o->output >= TAIL_OUTPUT_EXTJSON) {
        text = o->output == TAIL_OUTPUT_EXTJSON ? "{{extjson .}}\n" : "{{ppextjson .}}\n";
    }
    if (!text)
        return 0;
    int r = tail_template_new(text, cmd_colour(c), namespaces, &t->template, err);
    return r < 0 ? err_wrap(err, o->template_file ? "--template-file" : "--template") : 0;
}

/* A line of which the template makes nothing is shown as it is; why is told once. */
static void on_render_failed(void *arg, const struct tail_info *info, const struct err *err)
{
    enum { TOLD_MOST = 20 };
    struct tailing *t = arg;
    _cleanup_free_ char *where = xasprintf("%s/%s: %s", info->pod ? info->pod : "",
                                           info->container ? info->container : "", err_text(err));

    if (strv_has(t->troubles, where) || strv_len(t->troubles) >= TOLD_MOST)
        return;
    strv_push(&t->troubles, where);
    cmd_note("%s", where);
}

static int on_render(void *arg, const struct tail_render *what, struct buf *out, struct err **err)
{
    struct tailing *t = arg;

    return tail_template_render(t->template, what, out, err);
}

int tailing_new(struct cmd_ctx *c, struct tailing **ret, struct err **err)
{
    const struct tail_options *o = c->options;
    struct tail_filter_options filter = {.include = o->include,
                                         .exclude = o->exclude,
                                         .highlight = o->highlight,
                                         .ignore_case = o->ignore_case};
    struct tailing *t = xcalloc(1, sizeof(*t));

    t->o = o;
    bool namespaces = o->all_namespaces || strchr(cmd_namespace(c), ',');
    int r = check_colours(o, err);
    if (r == 0)
        r = make_template(c, t, namespaces, err);
    if (r == 0)
        r = tail_filter_new(&filter, &t->filter, err);
    if (r == 0 && o->until_match) {
        struct tail_filter_options until = {.include = (char *[]){(char *)(uintptr_t)o->until_match, NULL},
                                            .ignore_case = o->ignore_case};
        r = tail_filter_new(&until, &t->until, err);
        if (r < 0)
            err_wrap(err, "--until-match");
    }
    if (r == 0 && !str_empty(o->multiline)) {
        struct tail_filter_options begins = {.include = (char *[]){(char *)(uintptr_t)o->multiline, NULL}};
        r = tail_filter_new(&begins, &t->begins, err);
        if (r < 0)
            err_wrap(err, "--multiline");
    }
    if (r == 0 && o->out_dir)
        r = tail_outdir_new(o->out_dir, fleet_is(c), o->times != TAIL_TIMES_NONE, &t->outdir, err);
    if (r == 0 && o->container)
        r = tail_pattern_new(o->container, "--container", &t->container, err);
    if (r == 0)
        r = patterns_new(o->exclude_pods, "--exclude-pod", &t->exclude_pods, err);
    if (r == 0)
        r = patterns_new(o->exclude_containers, "--exclude-container", &t->exclude_containers, err);
    if (r < 0) {
        tailing_free(t);
        return r;
    }
    struct tail_format_options format = {
        .output = o->output >= TAIL_OUTPUT_EXTJSON ? TAIL_OUTPUT_DEFAULT : (enum tail_output)o->output,
        .times = (enum tail_times)o->times,
        .colour = cmd_colour(c),
        .contexts = fleet_is(c),
        .namespaces = namespaces,
        .pod_colours = o->pod_colours,
        .container_colours = o->container_colours,
        .render = t->template ? on_render : NULL,
        .render_failed = on_render_failed,
        .render_arg = t,
        .by_container = o->by_container,
        .fields = o->fields,
        .filter = tail_filter_highlights(t->filter) ? t->filter : NULL,
    };
    t->format = tail_format_new(&format);
    if (tail_is_filter(c)) {
        *ret = t;
        return 0;
    }
    t->outlet = outlet_new(cmd_loop(c), on_outlet_room, t);
    struct tail_engine_options engine = {
        .loop = cmd_loop(c),
        .window_ms = (o->window_ns + 999999) / 1000000,
        .patience_ms = o->no_follow ? HISTORY_PATIENCE_MS : 0,
        .filter = o->include || o->exclude ? t->filter : NULL,
        .format = t->outdir ? NULL : t->format,
        .join = o->multiline != NULL,
        .begins = t->begins,
        .line = t->outdir ? on_line : NULL,
        .total = (size_t)o->total,
        .total_ns = o->total ? time_now_ns() : 0,
        .until_ns = o->until_ns,
        .until = t->until,
        .over = on_over,
        .write = on_write,
        .arg = t,
    };
    t->engine = tail_engine_new(&engine);
    t->end = loop_timer_new(cmd_loop(c), on_end, t);
    if (o->until_ns && !o->no_follow)
        loop_timer_start(t->end, (o->until_ns - time_now_ns()) / 1000000 + engine.window_ms + LAST_LINES_MS);
    t->patience = loop_timer_new(cmd_loop(c), on_patience, t);
    if (o->total)
        loop_timer_start(t->patience, TOTAL_PATIENCE_MS);
    *ret = t;
    return 0;
}

/* One context of the run. */
struct context {
    struct cmd_ctx *c;
    struct tailing *shared;
    struct tail_queries *queries;
    struct tail_extras *extras;
    VEC(struct tail_pods *) pods;
    bool has_files; /* of the run */
    size_t reading; /* namespaces, Events and files that are not done */
    size_t found;
    size_t unlisted;
    bool troubled; /* it cannot be listed for now */
    struct tail_skew *skew;
    struct err *err; /* of the first list, for the end without follow */
    bool over;
};

/* All contexts come to their end. */
static void end_all(struct tailing *t)
{
    for (size_t i = 0; i < t->running.len; i++)
        t->running.items[i]->over = true;
}

static void on_over(void *arg)
{
    struct tailing *t = arg;

    t->matched = true;
    end_all(t);
}

static void on_end(void *arg)
{
    end_all(arg);
}

static void on_patience(void *arg)
{
    struct tailing *t = arg;

    tail_engine_begun(t->engine);
}

/* Every context has told what there is, or why it cannot. */
static void maybe_begun(struct tailing *t)
{
    for (size_t i = 0; i < t->running.len; i++)
        if (t->running.items[i]->unlisted && !t->running.items[i]->troubled)
            return;
    if (t->running.len == t->contexts)
        tail_engine_begun(t->engine);
}

static void on_note(void *arg, bool chatter, const char *text)
{
    struct context *x = arg;
    struct cmd_ctx *was = cmd_enter(x->c);

    if (!chatter || !x->shared->o->only_lines)
        cmd_note("%s", text);
    cmd_enter(was);
}

static void on_skew(void *arg, const char *text)
{
    struct context *x = arg;
    struct cmd_ctx *was = cmd_enter(x->c);

    cmd_note("%s", text);
    cmd_enter(was);
}

static void on_listed(void *arg, size_t found, const struct err *err)
{
    struct context *x = arg;
    struct cmd_ctx *was = cmd_enter(x->c);

    x->found += found;
    x->troubled = err != NULL;
    if (err && x->shared->o->no_follow) {
        if (!x->err)
            x->err = err_copy(err);
        x->over = true;
    } else if (err) {
        cmd_note("Pods cannot be listed (%s), trying again", err_text(err));
    } else if (--x->unlisted == 0 && !x->found) {
        cmd_note(x->shared->o->no_follow
                     ? "no containers found"
                     : "no containers found; waiting for some to come (Ctrl-C ends this)");
    }
    if (x->extras && (err || !x->unlisted))
        tail_extras_known(x->extras);
    maybe_begun(x->shared);
    cmd_enter(was);
}

static void on_done(void *arg)
{
    struct context *x = arg;

    if (--x->reading == 0)
        x->over = true;
}

static void context_release(struct context *x)
{
    for (size_t i = 0; i < x->pods.len; i++)
        tail_pods_free(x->pods.items[i]);
    free(x->pods.items);
    tail_skew_free(x->skew);
    if (x->has_files)
        tail_files_free(TAKE_PTR(x->shared->files));
    tail_extras_free(x->extras);
    tail_queries_free(x->queries);
    err_free(x->err);
}

static void on_part_done(void *arg, const struct err *err)
{
    struct context *x = arg;

    if (err && !x->err)
        x->err = err_copy(err);
    on_done(x);
}

static void on_file_done(void *arg, const struct err *err)
{
    struct context *x = arg;

    if (err && !x->shared->o->no_follow)
        on_note(x, false, err_text(err));
    on_part_done(x, x->shared->o->no_follow ? err : NULL);
}

/* "ready", "ready=false": names and states in any case. */
static bool has_condition(const cJSON *pod, const char *wanted)
{
    if (!wanted)
        return true;
    const char *equals = strchr(wanted, '=');
    size_t len = equals ? (size_t)(equals - wanted) : strlen(wanted);

    json_each (condition, json_at(pod, "status.conditions")) {
        const char *type = json_str_or(condition, "type", "");
        if (strlen(type) == len && strncasecmp(type, wanted, len) == 0)
            return strcasecmp(json_str_or(condition, "status", ""), equals ? equals + 1 : "true") == 0;
    }
    return false;
}

static bool on_pod(void *arg, const cJSON *pod, char ***ret_names)
{
    struct context *x = arg;

    if (!has_condition(pod, x->shared->o->condition) || !tail_queries_pod(x->queries, pod, ret_names))
        return false;
    if (x->extras)
        tail_extras_again(x->extras);
    return true;
}

static char *joined(const char *a, const char *b)
{
    return a && b ? xasprintf("%s,%s", a, b) : xstrdup_null(a ? a : b);
}

static void on_query_changed(void *arg)
{
    struct context *x = arg;
    _cleanup_free_ char *labels = joined(x->shared->o->selector, tail_queries_selector(x->queries));

    for (size_t i = 0; i < x->pods.len; i++)
        tail_pods_select(x->pods.items[i], labels);
    if (x->extras)
        tail_extras_changed(x->extras);
}

static const char *context_name(const struct context *x)
{
    const char *name = fleet_is(x->c) ? fleet_context(x->c) : x->c->config ? x->c->config->context : NULL;

    return name ? name : "";
}

static void watch_namespace(struct context *x, const char *namespace, const char *labels, const char *fields,
                            int64_t since_ns)
{
    const struct tail_options *o = x->shared->o;
    struct tail_pods_options options = {
        .engine = x->shared->engine,
        .client = x->c->client,
        .context = context_name(x),
        .namespace = namespace,
        .label_selector = labels,
        .field_selector = fields,
        .wants = on_pod,
        .container = x->shared->container,
        .exclude_pods = x->shared->exclude_pods,
        .exclude_containers = x->shared->exclude_containers,
        .no_init_containers = !o->init_containers,
        .no_ephemeral_containers = !o->ephemeral_containers,
        .states = states[o->state],
        .follow = !o->no_follow,
        .previous = o->previous,
        .until_complete = o->until_complete,
        .since_ns = since_ns,
        .tail_lines = o->lines,
        .streams_most = (size_t)o->streams_most,
        .note = on_note,
        .listed = on_listed,
        .done = on_done,
        .arg = x,
    };
    struct tail_pods *pods = tail_pods_new(&options);

    vec_push(&x->pods, pods);
}

static int files_start(struct context *x, int64_t since_ns, struct err **err)
{
    const struct tail_options *o = x->shared->o;
    struct tail_file_options file = {.engine = x->shared->engine,
                                     .loop = cmd_loop(x->c),
                                     .follow = !o->no_follow,
                                     .since_ns = since_ns,
                                     .tail_lines = o->lines,
                                     .note = on_note,
                                     .done = on_file_done,
                                     .arg = x};

    if (x->shared->files_taken || !(o->files || o->from_stdin))
        return 0;
    x->shared->files_taken = x->has_files = true;
    int r = tail_files_new(o, &file, &x->shared->files, err);
    x->reading += tail_files_len(x->shared->files);
    return r;
}

static void extras_start(struct context *x, char *const *namespaces, int64_t since_ns)
{
    const struct tail_options *o = x->shared->o;
    struct tail_extras_options extras = {.c = x->c,
                                         .engine = x->shared->engine,
                                         .queries = x->queries,
                                         .o = o,
                                         .context = context_name(x),
                                         .namespaces = namespaces,
                                         .since_ns = since_ns,
                                         .note = on_note,
                                         .done = on_part_done,
                                         .arg = x};

    x->extras = tail_extras_new(&extras);
    x->reading += o->no_follow ? tail_extras_pending(x->extras) : 0;
}

static int context_start(struct context *x, struct err **err)
{
    const struct tail_options *o = x->shared->o;
    _cleanup_strv_ char **namespaces = o->all_namespaces ? NULL : strv_split(cmd_namespace(x->c), ',', false);
    _cleanup_free_ char *node = o->node ? xasprintf("spec.nodeName=%s", o->node) : NULL;
    _cleanup_free_ char *fields = joined(o->field_selector, node);
    int64_t since_ns = 0;
    int r = tail_since(x->c, o, &since_ns, err);

    struct tail_queries_options queries = {.c = x->c,
                                           .texts = x->c->argv,
                                           .namespaces = namespaces,
                                           .follow = !o->no_follow,
                                           .whole_hosts = o->host_lines,
                                           .note = on_note,
                                           .changed = on_query_changed,
                                           .arg = x};

    if (r == 0)
        r = files_start(x, since_ns, err);
    if (r < 0)
        return r;
    if (!tail_wants_pods(x->c)) {
        x->over = !x->reading; /* another context has the files */
        maybe_begun(x->shared);
        return 0;
    }
    if ((r = tail_queries_new(&queries, &x->queries, err)) < 0)
        return r;
    if (o->lattice_events && !tail_queries_everywhere(x->queries))
        return cmd_usage(x->c, err,
                         "--lattice-events goes with lattice/NAME, latticehost/NAME, wasmactor/NAME or "
                         "wasmprovider/NAME");
    _cleanup_free_ char *labels = joined(o->selector, tail_queries_selector(x->queries));
    char **in = tail_queries_everywhere(x->queries) ? NULL : namespaces;
    if (o->show_skew)
        x->skew = tail_skew_new(x->c->client, on_skew, x);
    x->unlisted = in ? strv_len(in) : 1;
    x->reading += x->unlisted;
    if (!in)
        watch_namespace(x, NULL, labels, fields, since_ns);
    for (size_t i = 0; in && in[i]; i++)
        watch_namespace(x, in[i], labels, fields, since_ns);
    if (o->events || o->lattice_events)
        extras_start(x, in, since_ns);
    return 0;
}

struct interrupt {
    struct tailing *shared;
    bool *over;
    int signum;
};

static void on_signal(void *arg, int signum)
{
    struct interrupt *i = arg;

    signal(signum, SIG_DFL); /* a second one ends at once */
    i->signum = signum;
    *i->over = true;
}

static void leave(struct tailing *t, const struct context *x)
{
    for (size_t i = 0; i < t->running.len; i++)
        if (t->running.items[i] == x) {
            vec_remove(&t->running, i);
            break;
        }
}

struct tail_filter *tailing_filter(struct tailing *t)
{
    return t->filter;
}

struct tail_filter *tailing_begins(struct tailing *t)
{
    return t->begins;
}

struct tail_format *tailing_format(struct tailing *t)
{
    return t->format;
}

int tail_context(struct cmd_ctx *c, struct tailing *shared, struct err **err)
{
    struct context x = {.c = c, .shared = shared};
    struct interrupt interrupt = {.shared = shared, .over = &x.over};
    struct loop_signal *sigint = NULL, *sigterm = NULL;
    vec_push(&shared->running, &x);
    shared->contexts = fleet_is(c) ? fleet_size(c) : 1;
    int r = context_start(&x, err);

    if (r < 0) {
        leave(shared, &x);
        context_release(&x);
        return r;
    }
    if (fleet_is(c)) {
        fleet_live(c);
    } else {
        sigint = loop_signal_new(cmd_loop(c), SIGINT, on_signal, &interrupt);
        sigterm = loop_signal_new(cmd_loop(c), SIGTERM, on_signal, &interrupt);
    }
    bool whole = loop_wait(cmd_loop(c), &x.over);
    leave(shared, &x);
    if (!whole && !shared->summary && !shared->o->no_follow) {
        shared->summary = true;
        tail_summary(shared->engine);
    }
    if (interrupt.signum)
        tail_summary(shared->engine);
    loop_signal_free(sigint);
    loop_signal_free(sigterm);
    r = err_move(err, TAKE_PTR(x.err));
    if (shared->outdir && (!shared->running.len || interrupt.signum)) {
        tail_engine_flush(shared->engine);
        if (!shared->trouble)
            tail_outdir_flush(shared->outdir, &shared->trouble);
    }
    if (r == 0 && shared->trouble) {
        interrupt.signum = 0;
        r = err_move(err, TAKE_PTR(shared->trouble));
    }
    if (r == 0 && whole && !interrupt.signum && shared->until && !shared->matched && !shared->running.len)
        r = err_set(err, ERR_TIMEOUT, "no line matched --until-match \"%s\"", shared->o->until_match);
    context_release(&x);
    if (interrupt.signum) {
        tailing_free(shared);
        signal(interrupt.signum, SIG_DFL);
        raise(interrupt.signum);
    }
    return r;
}
