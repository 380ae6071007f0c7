#include "cli/tail.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/fleet.h"
#include "cli/outlet.h"

#define O(member) offsetof(struct tail_options, member)

enum { HISTORY_PATIENCE_MS = 10 * 1000 };

static const char *const times_choices[] = {"none", "default", "short", NULL};
static const char *const state_choices[] = {"all", "running", "waiting", "terminated", NULL};
static const unsigned states[] = {TAIL_ANY_STATE, TAIL_RUNNING, TAIL_WAITING, TAIL_TERMINATED};

static const struct cmd_opt tail_opts[] = {
    {"all-namespaces", 'A', OPT_FLAG, O(all_namespaces), NULL, NULL, "Pods of all namespaces"},
    {"container", 'c', OPT_STRING, O(container), "REGEX", NULL, "Only containers whose names match"},
    {"container-state", 0, OPT_ENUM, O(state), "all|running|waiting|terminated", "all",
     "Of the containers that are there at the start only those in this state", .choices = state_choices},
    {"diff-container", 'd', OPT_FLAG, O(by_container), NULL, NULL,
     "A colour for each container, not for each Pod"},
    {"ephemeral-containers", 0, OPT_FLAG, O(ephemeral_containers), NULL, "true", "Also ephemeral containers"},
    {"exclude", 'e', OPT_LIST, O(exclude), "REGEX", NULL,
     "No lines that match; repeatable; goes before --include"},
    {"exclude-container", 'E', OPT_LIST, O(exclude_containers), "REGEX", NULL,
     "No containers whose names match; repeatable"},
    {"exclude-pod", 0, OPT_LIST, O(exclude_pods), "REGEX", NULL, "No Pods whose names match; repeatable"},
    {"field-selector", 0, OPT_STRING, O(field_selector), "SELECTOR", NULL, "Only Pods whose fields match"},
    {"highlight", 'H', OPT_LIST, O(highlight), "REGEX", NULL, "Make what matches stand out; repeatable"},
    {"ignore-case", 0, OPT_FLAG, O(ignore_case), NULL, NULL,
     "Upper and lower case are the same in --include, --exclude and --highlight"},
    {"include", 'i', OPT_LIST, O(include), "REGEX", NULL,
     "Only lines that match, and make it stand out; repeatable: any of them"},
    {"init-containers", 0, OPT_FLAG, O(init_containers), NULL, "true", "Also init containers"},
    {"max-log-requests", 0, OPT_INT, O(streams_most), NULL, "1000",
     "Logs read at the same time from one context; more wait for their turn; 0 = any number", .min = 0,
     .max = 100000},
    {"no-follow", 0, OPT_FLAG, O(no_follow), NULL, NULL, "Print what there is and end"},
    {"node", 0, OPT_STRING, O(node), "NODE", NULL, "Only Pods of this node"},
    {"only-log-lines", 0, OPT_FLAG, O(only_lines), NULL, NULL,
     "Do not tell on stderr which containers come and go"},
    {"order-window", 0, OPT_DURATION, O(window_ns), NULL, "250ms",
     "How long a line may wait for earlier ones of other sources; 0 = print as they arrive"},
    {"output", 'o', OPT_ENUM, O(output), "default|raw|json|ndjson|pretty", "default",
     "Form of the lines; pretty shows JSON messages readably", .choices = tail_output_choices},
    {"previous", 'p', OPT_FLAG, O(previous), NULL, NULL, "The logs of the containers' previous instances"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL, "Only Pods whose labels match"},
    {"since", 0, OPT_STRING, O(since), "SPAN", NULL, "Only lines of the last while, like 5m or 2h"},
    {"since-time", 0, OPT_STRING, O(since_time), "TIME", NULL,
     "Only lines from this time on, like 2026-01-02T03:04:05Z"},
    {"stdin", 0, OPT_FLAG, O(from_stdin), NULL, NULL, "Lines of standard input instead of Pods"},
    {"tail", 0, OPT_INT, O(lines), "LINES", "-1",
     "So many of the last lines of each container that is there at the start; -1 = all, 0 = only new ones",
     .min = -1, .max = 1000000000},
    {"timestamps", 't', OPT_ENUM, O(times), "default|short", "none", "Put the time in front of the line",
     .choices = times_choices, .bare = "default"},
    {"timezone", 0, OPT_STRING, O(timezone), "ZONE", NULL,
     "Zone of the times, like UTC or Europe/Paris; else the local one"},
    OPT_TABLE_END,
};

/* What all contexts of a run have in common. */
struct tailing {
    const struct tail_options *o;
    struct tail_filter *filter;
    struct tail_format *format;
    struct tail_engine *engine;
    struct outlet *outlet;
    struct tail_pattern *container;
    struct tail_pattern **exclude_pods, **exclude_containers;
    size_t contexts;
    bool summary;
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

/* "1234567" as "1,234,567". */
static const char *grouped(uint64_t n, char out[32])
{
    char digits[24];
    size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;

    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

static void tell_summary(const struct tailing *t)
{
    struct tail_engine_stats s = tail_engine_stats(t->engine);
    char a[32], b[32], c[32];

    fprintf(stderr, "%s lines (%s bytes), %s shown", grouped(s.lines, a), grouped(s.bytes, b),
            grouped(s.shown, c));
    if (s.gaps)
        fprintf(stderr, ", %s gaps", grouped(s.gaps, a));
    if (s.late)
        fprintf(stderr, ", %s late", grouped(s.late, a));
    fprintf(stderr, ", %zu containers still followed\n", s.sources);
}

static void tailing_free(void *arg)
{
    struct tailing *t = arg;

    if (!t)
        return;
    if (t->engine) {
        tail_engine_flush(t->engine);
        outlet_drain(t->outlet);
    }
    tail_engine_free(t->engine);
    outlet_free(t->outlet);
    tail_format_free(t->format);
    tail_filter_free(t->filter);
    tail_pattern_free(t->container);
    patterns_free(t->exclude_pods);
    patterns_free(t->exclude_containers);
    free(t);
}

static bool on_write(void *arg, const char *text, size_t len)
{
    struct tailing *t = arg;

    return outlet_write(t->outlet, text, len);
}

static void on_outlet_room(void *arg)
{
    struct tailing *t = arg;

    tail_engine_more(t->engine);
}

static int tailing_new(struct cmd_ctx *c, struct tailing **ret, struct err **err)
{
    const struct tail_options *o = c->options;
    struct tail_filter_options filter = {.include = o->include,
                                         .exclude = o->exclude,
                                         .highlight = o->highlight,
                                         .ignore_case = o->ignore_case};
    struct tailing *t = xcalloc(1, sizeof(*t));

    t->o = o;
    int r = tail_filter_new(&filter, &t->filter, err);
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
        .output = (enum tail_output)o->output,
        .times = (enum tail_times)o->times,
        .colour = cmd_colour(c),
        .contexts = fleet_is(c),
        .namespaces = o->all_namespaces || strchr(cmd_namespace(c), ','),
        .by_container = o->by_container,
        .filter = tail_filter_highlights(t->filter) ? t->filter : NULL,
    };
    t->format = tail_format_new(&format);
    if (o->from_stdin) {
        *ret = t;
        return 0;
    }
    t->outlet = outlet_new(cmd_loop(c), on_outlet_room, t);
    struct tail_engine_options engine = {
        .loop = cmd_loop(c),
        .window_ms = (o->window_ns + 999999) / 1000000,
        .patience_ms = o->no_follow ? HISTORY_PATIENCE_MS : 0,
        .filter = o->include || o->exclude ? t->filter : NULL,
        .format = t->format,
        .write = on_write,
        .arg = t,
    };
    t->engine = tail_engine_new(&engine);
    *ret = t;
    return 0;
}

/* One context of the run. */
struct context {
    struct cmd_ctx *c;
    struct tailing *shared;
    struct tail_query query;
    struct tail_pattern *pod;
    VEC(struct tail_pods *) pods;
    size_t reading; /* namespaces that are not done (without follow) */
    size_t found;
    size_t unlisted;
    struct err *err; /* of the first list, for the end without follow */
    bool over;
};

static void on_note(void *arg, bool chatter, const char *text)
{
    struct context *x = arg;
    struct cmd_ctx *was = cmd_enter(x->c);

    if (!chatter || !x->shared->o->only_lines)
        cmd_note("%s", text);
    cmd_enter(was);
}

static void on_listed(void *arg, size_t found, const struct err *err)
{
    struct context *x = arg;
    struct cmd_ctx *was = cmd_enter(x->c);

    x->found += found;
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
    tail_query_release(&x->query);
    tail_pattern_free(x->pod);
    err_free(x->err);
}

static void watch_namespace(struct context *x, const char *namespace, const char *labels, const char *fields,
                            int64_t since_ns)
{
    const struct tail_options *o = x->shared->o;
    const char *name = fleet_is(x->c) ? fleet_context(x->c) : x->c->config->context;
    struct tail_pods_options options = {
        .engine = x->shared->engine,
        .client = x->c->client,
        .context = name ? name : "",
        .namespace = namespace,
        .label_selector = labels,
        .field_selector = fields,
        .pod = x->pod,
        .container = x->shared->container,
        .exclude_pods = x->shared->exclude_pods,
        .exclude_containers = x->shared->exclude_containers,
        .no_init_containers = !o->init_containers,
        .no_ephemeral_containers = !o->ephemeral_containers,
        .states = states[o->state],
        .follow = !o->no_follow,
        .previous = o->previous,
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

static char *joined(const char *a, const char *b)
{
    return a && b ? xasprintf("%s,%s", a, b) : xstrdup_null(a ? a : b);
}

static int context_start(struct context *x, struct err **err)
{
    const struct tail_options *o = x->shared->o;
    _cleanup_strv_ char **namespaces = o->all_namespaces ? NULL : strv_split(cmd_namespace(x->c), ',', false);
    const char *one = strv_len(namespaces) == 1 ? namespaces[0] : NULL;
    _cleanup_free_ char *node = o->node ? xasprintf("spec.nodeName=%s", o->node) : NULL;
    _cleanup_free_ char *fields = joined(o->field_selector, node);
    int64_t since_ns = 0;
    int r = tail_since(x->c, o, &since_ns, err);

    if (r == 0)
        r = tail_query_resolve(x->c, x->c->argc ? x->c->argv[0] : NULL, one, &x->query, err);
    if (r == 0 && x->query.pattern)
        r = tail_pattern_new(x->query.pattern, "the query", &x->pod, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *labels = joined(o->selector, x->query.label_selector);
    x->reading = x->unlisted = namespaces ? strv_len(namespaces) : 1;
    if (!namespaces)
        watch_namespace(x, NULL, labels, fields, since_ns);
    for (size_t i = 0; namespaces && namespaces[i]; i++)
        watch_namespace(x, namespaces[i], labels, fields, since_ns);
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

static int tail_context(struct cmd_ctx *c, struct tailing *shared, struct err **err)
{
    struct context x = {.c = c, .shared = shared};
    struct interrupt interrupt = {.shared = shared, .over = &x.over};
    struct loop_signal *sigint = NULL, *sigterm = NULL;
    int r = context_start(&x, err);

    if (r < 0) {
        context_release(&x);
        return r;
    }
    if (fleet_is(c)) {
        fleet_live(c);
    } else {
        sigint = loop_signal_new(cmd_loop(c), SIGINT, on_signal, &interrupt);
        sigterm = loop_signal_new(cmd_loop(c), SIGTERM, on_signal, &interrupt);
    }
    if (!loop_wait(cmd_loop(c), &x.over) && !shared->summary && !shared->o->no_follow) {
        shared->summary = true;
        tell_summary(shared);
    }
    if (interrupt.signum)
        tell_summary(shared);
    loop_signal_free(sigint);
    loop_signal_free(sigterm);
    r = err_move(err, TAKE_PTR(x.err));
    context_release(&x);
    if (interrupt.signum) {
        tailing_free(shared);
        signal(interrupt.signum, SIG_DFL);
        raise(interrupt.signum);
    }
    return r;
}

static int run_tail(struct cmd_ctx *c, struct err **err)
{
    static const char key;
    const struct tail_options *o = c->options;
    struct tailing *own = NULL;
    int r;

    if (o->previous && !o->no_follow)
        return cmd_usage(c, err, "--previous goes with --no-follow: what has ended does not go on");
    if (o->no_follow && o->lines == 0)
        return cmd_usage(c, err, "--no-follow with --tail=0 would print nothing");
    if (o->timezone && (setenv("TZ", o->timezone, 1) < 0))
        return err_set(err, ERR_INVALID, "--timezone=%s cannot be set", o->timezone);
    if (!o->from_stdin && (r = cmd_client(c, NULL, err)) < 0)
        return r;
    void **place = fleet_shared(c, &key, tailing_free);
    struct tailing **shared = place ? (struct tailing **)place : &own;
    if (!*shared && (r = tailing_new(c, shared, err)) < 0)
        return r;
    if (o->from_stdin)
        r = tail_stdin((*shared)->filter, (*shared)->format, err);
    else
        r = tail_context(c, *shared, err);
    if (!place)
        tailing_free(own);
    return r;
}

const struct cmd_entry cmd_tail = {
    .name = "tail",
    .group = CMD_GROUP_WATCH,
    .brief = "Follow the logs of many Pods, in time order",
    .help =
        "Follow the logs of all Pods whose names match, of one cluster or many, as one stream in the order "
        "of "
        "time. Pods that come, restart or go are followed; a stream that breaks is read on where it broke, "
        "without a line lost or printed twice.\n\n"
        "The query is a regular expression for names of Pods, or KIND/NAME of something that selects Pods. "
        "With "
        "--contexts the logs of several clusters are merged. -n takes several namespaces with commas.",
    .usage = "[QUERY] [options]",
    .examples =
        "# Everything whose name begins with web\n%P tail '^web'\n"
        "# A Deployment, the last 20 lines of each container and what follows\n%P tail deployment/web "
        "--tail=20\n"
        "# Errors of two clouds, with their times\n%P tail --contexts gcp,aws web -i 'error|panic' -t\n"
        "# What was logged in the last ten minutes, as JSON\n%P tail web --since=10m --no-follow -o json",
    .opts = tail_opts,
    .options_size = sizeof(struct tail_options),
    .max_args = 1,
    .flags = CMD_FLEET,
    .run = run_tail,
};
