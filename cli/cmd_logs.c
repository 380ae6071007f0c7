#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/fleet.h"
#include "cli/logs.h"
#include "cli/outlet.h"
#include "cli/tail.h"
#include "kube/gvr.h"
#include "tail/pod_stream.h"

#define O(member) offsetof(struct logs_options, member)

enum { SELECTED_LINES = 10 }; /* of each container, with -l */

static const struct cmd_opt logs_opts[] = {
    {"all-containers", 0, OPT_FLAG, O(all_containers), NULL, NULL, "The logs of all containers of the Pods"},
    {"all-pods", 0, OPT_FLAG, O(all_pods), NULL, NULL,
     "Of a KIND/NAME that selects Pods all of them, each line behind its source"},
    {"container", 'c', OPT_STRING, O(container), "CONTAINER", NULL, "The log of this container"},
    {"follow", 'f', OPT_FLAG, O(follow), NULL, NULL,
     "Go on until the container ends; broken streams are read on"},
    {"ignore-errors", 0, OPT_FLAG, O(ignore_errors), NULL, NULL,
     "A log that cannot be read is told and does not count as failure"},
    {"limit-bytes", 0, OPT_INT, O(limit_bytes), "BYTES", NULL, "So many bytes of each log at most", .min = 1,
     .max = INT64_MAX},
    {"max-log-requests", 0, OPT_INT, O(streams_most), "N", "5",
     "With -f: refuse to follow more logs at a time", .min = 1, .max = 10000},
    {"prefix", 0, OPT_FLAG, O(prefix), NULL, NULL,
     "Put the source in front of each line: [pod/NAME/CONTAINER]"},
    {"previous", 'p', OPT_FLAG, O(previous), NULL, NULL, "The log of the container's previous instance"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL,
     "The logs of all Pods whose labels match, the last 10 lines of each unless --tail is given"},
    {"since", 0, OPT_STRING, O(since), "SPAN", NULL, "Only lines of the last while, like 5m or 2h"},
    {"since-time", 0, OPT_STRING, O(since_time), "TIME", NULL,
     "Only lines from this time on, like 2026-01-02T03:04:05Z"},
    {"tail", 0, OPT_INT, O(lines), "LINES", "-1", "So many of the last lines; -1 = all", .min = -1,
     .max = 1000000000},
    {"timestamps", 0, OPT_FLAG, O(timestamps), NULL, NULL, "Put its time in front of each line"},
    OPT_TABLE_END,
};

struct logs {
    struct cmd_ctx *c;
    const struct logs_options *o;
    struct outlet *outlet; /* NULL with several contexts: their output is put together elsewhere */
    struct loop_defer *flush;
    struct reader {
        struct logs *all;
        const struct logs_source *source;
        struct tail_pod_stream *stream;
        struct kube_req *look; /* at the Pod, whether the container has ended */
        struct loop_defer *enough;
        char *prefix;
        int64_t left; /* bytes that may still be printed, < 0 = any number */
        bool away_told, over;
        struct err *err;
    } * readers;
    size_t len, running;
    struct buf line;
    int64_t since_ns, lines;
    bool turn_over; /* a reader has ended */
};

static void finish_reader(struct reader *r, const struct err *err)
{
    if (r->over)
        return;
    r->over = true;
    r->err = err ? err_copy(err) : NULL;
    r->all->running--;
    r->all->turn_over = true;
}

static void on_enough(void *arg)
{
    struct reader *r = arg;

    r->enough = NULL;
    tail_pod_stream_free(TAKE_PTR(r->stream));
    finish_reader(r, NULL);
}

static void on_flush(void *arg)
{
    struct logs *all = arg;

    all->flush = NULL;
    cmd_flush();
}

static bool print_line(struct logs *all, const struct buf *text)
{
    if (all->outlet)
        return outlet_write(all->outlet, text->data, text->len);
    struct cmd_ctx *was = cmd_enter(all->c);
    cmd_out_buf(text);
    cmd_enter(was);
    if (!all->flush)
        all->flush = loop_defer(cmd_loop(all->c), on_flush, all);
    return true;
}

static bool on_line(void *arg, const struct tail_line *line)
{
    struct reader *r = arg;
    struct logs *all = r->all;
    char stamp[TIME_RFC3339_LEN];

    if (line->flags & (TAIL_GAP | TAIL_NOTICE)) {
        struct cmd_ctx *was = cmd_enter(all->c);
        cmd_note("%s/%s: %.*s", r->source->pod, r->source->container, (int)line->len, line->text);
        cmd_enter(was);
        return true;
    }
    if (r->left == 0)
        return true;
    buf_truncate(&all->line, 0);
    size_t prefix = 0;
    if (r->prefix) {
        buf_adds(&all->line, r->prefix);
        prefix = all->line.len;
    }
    if (all->o->timestamps && line->ns) {
        buf_adds(&all->line, time_rfc3339(line->ns, 9, stamp));
        buf_addc(&all->line, ' ');
    }
    buf_add(&all->line, line->text, line->len);
    buf_addc(&all->line, '\n');
    if (r->left > 0) {
        /* The limit counts what the log holds, not who says it. */
        if ((int64_t)(all->line.len - prefix) >= r->left) {
            buf_truncate(&all->line, prefix + (size_t)r->left);
            r->left = 0;
            r->enough = loop_defer(cmd_loop(all->c), on_enough, r);
        } else {
            r->left -= (int64_t)(all->line.len - prefix);
        }
    }
    return print_line(all, &all->line);
}

static void on_room(void *arg)
{
    struct logs *all = arg;

    for (size_t i = 0; i < all->len; i++)
        if (all->readers[i].stream)
            tail_pod_stream_more(all->readers[i].stream);
}

/* A stream has ended: kubelets do that when a log is rotated, and when the container has ended. */
static void on_looked(void *arg, const struct kube_response *response, const struct err *err)
{
    struct reader *r = arg;
    _cleanup_json_ cJSON *pod = NULL;

    r->look = NULL;
    if (!r->stream)
        return;
    if (err) {
        if (err->http == 404)
            tail_pod_stream_container_ended(r->stream, false);
        return;
    }
    if (json_parse(response->body, response->len, "pod", &pod, NULL) < 0)
        return;
    const cJSON *status = logs_container_status(pod, r->source->container);
    const char *phase = json_str_or(pod, "status.phase", ""), *id = json_str_or(status, "containerID", "");
    bool restarted = *r->source->container_id && *id && !streq(r->source->container_id, id);
    if (restarted || json_at(status, "state.terminated") || streq(phase, "Succeeded") ||
        streq(phase, "Failed"))
        tail_pod_stream_container_ended(r->stream, restarted);
}

static void look_at_pod(struct reader *r)
{
    if (r->look)
        return;
    _cleanup_free_ char *path =
        kube_path(kube_builtin_find("pods"), r->source->namespace, r->source->pod, NULL);
    struct kube_call call = {.method = "GET", .path = path, .done = on_looked, .arg = r};

    r->look = kube_do(r->all->c->client, &call);
}

static void on_state(void *arg, enum tail_stream_state state, const struct err *err)
{
    struct reader *r = arg;
    struct cmd_ctx *was = cmd_enter(r->all->c);

    if (state == TAIL_STREAM_OPENED) {
        r->away_told = false;
    } else if (state == TAIL_STREAM_ENDED) {
        finish_reader(r, err);
    } else {
        if (err && !r->away_told)
            cmd_note("%s/%s: %s; trying again", r->source->pod, r->source->container, err_text(err));
        r->away_told = r->away_told || err;
        if (r->all->o->follow)
            look_at_pod(r);
    }
    cmd_enter(was);
}

static void start_reader(struct reader *r)
{
    struct logs *all = r->all;
    struct tail_pod_stream_options options = {
        .client = all->c->client,
        .namespace = r->source->namespace,
        .pod = r->source->pod,
        .container = r->source->container,
        .follow = all->o->follow && !all->o->previous,
        .previous = all->o->previous,
        .since_ns = all->since_ns,
        .tail_lines = all->lines,
        .line = on_line,
        .state = on_state,
        .arg = r,
    };

    all->running++;
    r->stream = tail_pod_stream_new(&options);
}

/* Tells how it ended. False: the others are not read any more. */
static bool reap_reader(struct reader *r)
{
    tail_pod_stream_free(TAKE_PTR(r->stream));
    kube_req_cancel(TAKE_PTR(r->look));
    if (!r->err)
        return true;
    if (r->all->outlet)
        outlet_drain(r->all->outlet);
    if (r->all->o->ignore_errors) {
        cmd_note("error: %s/%s: %s", r->source->pod, r->source->container, err_text(r->err));
        err_free(TAKE_PTR(r->err));
        return true;
    }
    return false;
}

/* Followed logs side by side, others one after another. */
static int read_logs(struct logs *all, struct err **err)
{
    bool together = all->o->follow && !all->o->previous;
    size_t started = 0, reaped = 0;

    while (reaped < all->len) {
        while (started < all->len && (together || started == reaped))
            start_reader(&all->readers[started++]);
        all->turn_over = false;
        if (!loop_wait(cmd_loop(all->c), &all->turn_over))
            return err_set(err, ERR_CANCELLED, "cancelled");
        for (size_t i = 0; i < started; i++) {
            struct reader *r = &all->readers[i];
            if (!r->over || !r->stream)
                continue;
            if (!reap_reader(r))
                return err_move(err, TAKE_PTR(r->err));
        }
        reaped = 0;
        for (size_t i = 0; i < started; i++)
            reaped += all->readers[i].over;
    }
    return 0;
}

static void logs_release(struct logs *all)
{
    for (size_t i = 0; i < all->len; i++) {
        struct reader *r = &all->readers[i];
        tail_pod_stream_free(r->stream);
        kube_req_cancel(r->look);
        loop_defer_cancel(r->enough);
        free(r->prefix);
        err_free(r->err);
    }
    if (all->outlet)
        outlet_drain(all->outlet);
    outlet_free(all->outlet);
    loop_defer_cancel(all->flush);
    cmd_flush();
    free(all->readers);
    buf_release(&all->line);
}

static int check_options(struct cmd_ctx *c, const struct logs_options *o, struct err **err)
{
    if (!c->argc && !o->selector)
        return cmd_usage(c, err,
                         "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a "
                         "required argument for the logs command");
    if (c->argc && o->selector)
        return cmd_usage(c, err, "only a selector (-l) or a POD name is allowed");
    if (c->argc > 1 && o->container)
        return cmd_usage(c, err, "only one of -c or an inline [CONTAINER] arg is allowed");
    if (o->all_containers && (o->container || c->argc > 1))
        return cmd_usage(c, err, "--all-containers=true should not be specified with container name %s",
                         o->container ? o->container : c->argv[1]);
    return 0;
}

static int run_logs(struct cmd_ctx *c, struct err **err)
{
    const struct logs_options *o = c->options;
    _cleanup_logs_sources_ struct logs_sources sources = {0};
    const struct tail_options since = {.since = o->since, .since_time = o->since_time};
    struct logs all = {.c = c, .o = o, .lines = o->lines};
    int r = check_options(c, o, err);

    if (r == 0)
        r = tail_since(c, &since, &all.since_ns, err);
    if (r == 0)
        r = cmd_client(c, NULL, err);
    if (r == 0)
        r = logs_find(c, o, &sources, err);
    if (r < 0)
        return r;
    if (o->selector && !cmd_given(c, "tail"))
        all.lines = SELECTED_LINES;
    if (o->follow && sources.len > (size_t)o->streams_most)
        return err_set(err, ERR_INVALID,
                       "you are attempting to follow %zu log streams, but maximum allowed concurrency is "
                       "%" PRId64 ", use --max-log-requests to increase the limit; '%s tail' follows any "
                       "number",
                       sources.len, o->streams_most, c->program);
    if (o->follow && fleet_is(c))
        fleet_live(c);
    if (!fleet_is(c))
        all.outlet = outlet_new(cmd_loop(c), on_room, &all);
    all.readers = xcalloc(sources.len + 1, sizeof(*all.readers));
    all.len = sources.len;
    for (size_t i = 0; i < sources.len; i++) {
        const struct logs_source *s = &sources.items[i];
        all.readers[i] = (struct reader){
            .all = &all,
            .source = s,
            .prefix = o->prefix || o->all_pods ? xasprintf("[pod/%s/%s] ", s->pod, s->container) : NULL,
            .left = o->limit_bytes > 0 ? o->limit_bytes : -1,
        };
    }
    r = read_logs(&all, err);
    logs_release(&all);
    return r;
}

const struct cmd_entry cmd_logs = {
    .name = "logs",
    .group = CMD_GROUP_WATCH,
    .brief = "Print the log of a container",
    .help =
        "Print the log of a container in a Pod. With -f it goes on until the container ends: a stream "
        "that breaks, or that is ended because the log was rotated, is read on where it was, without a line "
        "lost or printed twice.\n\n"
        "wasmactor/NAME, wasmprovider/NAME and latticehost/NAME mean the hosts that run them, as far as "
        "these are Pods: wasmCloud hosts write what components log into their own logs.\n\n"
        "Many Pods and clusters in the order of time: see tail.",
    .usage = "(POD | KIND/NAME) [CONTAINER] [options]",
    .examples = "# The log of a Pod with one container\n%P logs web-1\n"
                "# The last 20 lines of a Pod of a Deployment, and what follows\n"
                "%P logs -f --tail=20 deployment/web\n"
                "# What the container said before it was restarted\n%P logs -p web-1 -c app\n"
                "# All Pods with a label, each line with its source and time\n"
                "%P logs -l app=web --prefix --timestamps",
    .opts = logs_opts,
    .options_size = sizeof(struct logs_options),
    .max_args = 2,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_logs,
};
