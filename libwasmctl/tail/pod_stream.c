#include "tail/pod_stream.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "kube/gvr.h"
#include "tail/resume.h"
#include "tail/split.h"

enum {
    RETRY_FIRST_MS = 100,
    RETRY_MOST_MS = 5000,
    REFUSED_MS = 3000, /* after 401 and 403 */
    TRIES_MOST = 5,    /* without follow, in a row */
    DOUBT_MS = 2000,   /* kubelets tell of a restart within about a second */
};

struct tail_pod_stream {
    struct tail_pod_stream_options options;
    char *namespace, *pod, *container;
    struct kube_req *request;
    struct loop_timer *retry;
    struct tail_split split;
    struct tail_resume resume;
    int64_t opened_wall_ns; /* of the first opening: nothing before that is missing when tail_lines is 0 */
    int64_t retry_ms;
    unsigned tries;
    bool paused;
    bool opened;                     /* at least once */
    bool again;                      /* this is not the first opening */
    bool doubt;                      /* lines came that do not fit on */
    bool sure;                       /* the owner had its time to object */
    bool container_ended, last_open; /* last_open: the stream was opened after that: its end is the end */
    bool orphan, orphan_open;        /* orphan_open: opened after that: maybe somebody else's log */
    bool foreign;                    /* it is */
    bool unread;                     /* broke off, or was not read yet: there may be more */
    bool fresh;                      /* this opening has brought a line */
    unsigned looks;                  /* openings to make sure that the end was the end */
    struct buf half;                 /* what stood behind the last line's end at the end before this one */
};

static void query_time(struct buf *query, int64_t ns)
{
    char stamp[TIME_RFC3339_LEN];

    buf_addf(query, "&sinceTime=%s", time_rfc3339(ns, 0, stamp));
}

static char *make_query(struct tail_pod_stream *s)
{
    const struct tail_pod_stream_options *o = &s->options;
    _cleanup_free_ char *container = kube_query_escape(s->container);
    struct buf query = BUF_INIT;
    int64_t again = tail_resume_again(&s->resume);

    buf_addf(&query, "container=%s&timestamps=true", container);
    if (o->follow && !s->container_ended)
        buf_adds(&query, "&follow=true");
    if (o->previous)
        buf_adds(&query, "&previous=true");
    if (o->limit_bytes > 0)
        buf_addf(&query, "&limitBytes=%" PRId64, o->limit_bytes);
    if (again) {
        query_time(&query, again);
    } else if (o->tail_lines == 0 && s->opened_wall_ns) {
        query_time(&query, s->opened_wall_ns);
    } else {
        if (o->tail_lines >= 0)
            buf_addf(&query, "&tailLines=%" PRId64, o->tail_lines);
        if (o->since_ns)
            query_time(&query, o->since_ns);
    }
    return buf_take(&query);
}

static bool on_line(void *arg, const struct tail_line *line)
{
    struct tail_pod_stream *s = arg;
    int64_t gap_ns = 0;

    if (s->doubt || s->foreign || (line->ns && line->ns < s->options.since_ns))
        return true;
    /* The first lines of all, written since and read from a stream that was opened again, may be those of
     * another run just as well. */
    bool may_doubt = s->options.follow && !s->container_ended && !s->sure;
    if (may_doubt && s->again && !s->resume.len && line->ns > s->opened_wall_ns) {
        s->doubt = true;
        return true;
    }
    if (s->orphan_open && !s->resume.len) {
        s->foreign = true;
        return true;
    }
    s->resume.accept_gap = !may_doubt && !s->orphan_open;
    enum tail_resume_verdict verdict = tail_resume_line(&s->resume, line, &gap_ns);
    if (verdict == TAIL_RESUME_DOUBT) {
        s->foreign = s->orphan_open;
        s->doubt = !s->foreign;
        return true;
    }
    s->tries = 0;
    s->retry_ms = RETRY_FIRST_MS;
    if (verdict == TAIL_RESUME_SEEN)
        return true;
    s->fresh = true;
    if (verdict == TAIL_RESUME_AFTER_GAP) {
        _cleanup_free_ char *text =
            xasprintf("the log was rotated while it could not be read: lines of up to %.3f s are missing",
                      (double)gap_ns / 1e9);
        struct tail_line gap = {.ns = line->ns - 1, .text = text, .len = strlen(text), .flags = TAIL_GAP};
        s->paused = !s->options.line(s->options.arg, &gap) || s->paused;
    }
    s->paused = !s->options.line(s->options.arg, line) || s->paused;
    return true;
}

/* Asks the owner, and opens the stream again when it had time to answer. */
static void ask_owner(struct tail_pod_stream *s)
{
    kube_req_cancel(s->request);
    s->request = NULL;
    s->doubt = false;
    s->sure = true;
    tail_split_drop(&s->split);
    loop_timer_start(s->retry, DOUBT_MS);
    s->options.state(s->options.arg, TAIL_STREAM_DOUBT, NULL);
}

/* The end. What could not be read is told, what was not sure to be a line is one now. */
static void end(struct tail_pod_stream *s, const struct err *err)
{
    if (s->half.len && !s->foreign) {
        s->orphan_open = false;
        tail_split_drop(&s->split);
        tail_split_feed(&s->split, s->half.data, s->half.len, on_line, s);
        tail_split_end(&s->split, on_line, s);
    }
    if (s->unread && s->options.follow) {
        static const char text[] =
            "the end of the log could not be read before it was gone: lines may be missing";
        struct tail_line gap = {
            .ns = s->resume.latest_ns, .text = text, .len = sizeof(text) - 1, .flags = TAIL_GAP};
        s->options.line(s->options.arg, &gap);
    }
    s->options.state(s->options.arg, TAIL_STREAM_ENDED, err);
}

static bool on_chunk(void *arg, const char *data, size_t len)
{
    struct tail_pod_stream *s = arg;

    tail_split_feed(&s->split, data, len, on_line, s);
    if (s->foreign) {
        kube_req_cancel(s->request);
        s->request = NULL;
        end(s, NULL);
        return true;
    }
    if (s->doubt)
        ask_owner(s);
    else if (s->paused)
        kube_req_pause(s->request, true);
    return true;
}

static void on_opened(void *arg)
{
    struct tail_pod_stream *s = arg;

    s->opened = s->unread = true;
    if (!s->opened_wall_ns)
        s->opened_wall_ns = time_now_ns();
    s->options.state(s->options.arg, TAIL_STREAM_OPENED, NULL);
}

static void open_stream(void *arg);

static void try_later(struct tail_pod_stream *s, const struct err *err)
{
    int64_t ms = s->retry_ms;

    if (err && (err->code == ERR_FORBIDDEN || err->code == ERR_UNAUTHORIZED) && ms < REFUSED_MS)
        ms = REFUSED_MS;
    loop_timer_start(s->retry, ms);
    s->retry_ms = s->retry_ms * 2 > RETRY_MOST_MS ? RETRY_MOST_MS : s->retry_ms * 2;
    s->options.state(s->options.arg, TAIL_STREAM_AWAY, err);
}

/* What trying again cannot mend. Whoever follows waits for a server that is away, for a credential that is
 * renewed, and for a kubelet that does not know the Pod because it was started anew; not for an answer about
 * a container that has ended which stays the same. */
static bool is_final(const struct tail_pod_stream *s, const struct err *err)
{
    bool refused = err->http >= 400 && err->http < 500 && err->http != 408 && err->http != 429;

    if (!s->options.follow)
        return refused || s->tries >= TRIES_MOST;
    if (err->http == 404 && (s->orphan || !s->options.watched))
        return true;
    if (!s->container_ended || !err->http || err->http == 401 || err->http == 403)
        return false;
    return err->http == 400 || ((refused || err->http == 500) && s->tries >= TRIES_MOST);
}

/* Whether the end of a stream is the end of the log: a connection that breaks behind the API server ends the
 * answer like that too. Another look that brings nothing new makes sure. */
static bool is_whole(struct tail_pod_stream *s)
{
    const struct buf *part = &s->split.part;
    bool same = part->len == s->half.len && (!part->len || memcmp(part->data, s->half.data, part->len) == 0);

    if (s->options.limit_bytes > 0 || s->looks++ >= TRIES_MOST)
        return true;
    return same && !(s->options.follow && s->fresh);
}

static void on_done(void *arg, const struct kube_response *response _unused_, const struct err *err)
{
    struct tail_pod_stream *s = arg;

    s->request = NULL;
    s->sure = false;
    s->tries = err && !err->http && s->options.follow ? 0 : s->tries + 1;
    /* The end of an answer that was begun before the container's end was known may have come too early. */
    if (!err)
        s->unread = !s->last_open;
    if (!err && (!s->options.follow || s->last_open)) {
        bool whole = is_whole(s);
        buf_truncate(&s->half, 0);
        buf_add(&s->half, s->split.part.data, s->split.part.len);
        tail_split_drop(&s->split);
        if (whole)
            end(s, NULL);
        else
            open_stream(s);
        return;
    }
    tail_split_drop(&s->split);
    /* The stream's end and the news of the container's may come in either order: one more look is sure to
     * have seen all. */
    if (!err && s->container_ended)
        open_stream(s);
    else if (err && is_final(s, err))
        end(s, err);
    else
        try_later(s, err);
}

static void open_stream(void *arg)
{
    struct tail_pod_stream *s = arg;
    _cleanup_free_ char *path = kube_path(kube_builtin_find("pods"), s->namespace, s->pod, "log");
    _cleanup_free_ char *query = make_query(s);
    struct kube_call call = {
        .method = "GET",
        .path = path,
        .query = query,
        .accept = "*/*",
        .chunk = on_chunk,
        .opened = on_opened,
        .done = on_done,
        .arg = s,
    };

    s->last_open = s->container_ended;
    s->orphan_open = s->orphan;
    s->fresh = false;
    s->again = s->opened;
    s->request = kube_do(s->options.client, &call);
}

struct tail_pod_stream *tail_pod_stream_new(const struct tail_pod_stream_options *options)
{
    struct tail_pod_stream *s = xcalloc(1, sizeof(*s));

    s->options = *options;
    s->namespace = xstrdup(options->namespace);
    s->pod = xstrdup(options->pod);
    s->container = xstrdup(options->container);
    s->split.stamped = true;
    s->split.most = options->line_most;
    s->unread = true;
    s->retry_ms = RETRY_FIRST_MS;
    s->retry = loop_timer_new(kube_client_loop(options->client), open_stream, s);
    loop_timer_start(s->retry, 0);
    return s;
}

void tail_pod_stream_free(struct tail_pod_stream *s)
{
    if (!s)
        return;
    kube_req_cancel(s->request);
    loop_timer_free(s->retry);
    tail_split_release(&s->split);
    buf_release(&s->half);
    tail_resume_release(&s->resume);
    free(s->namespace);
    free(s->pod);
    free(s->container);
    free(s);
}

void tail_pod_stream_more(struct tail_pod_stream *s)
{
    if (!s->paused)
        return;
    s->paused = false;
    if (s->request)
        kube_req_pause(s->request, false);
}

void tail_pod_stream_container_ended(struct tail_pod_stream *s, bool restarted)
{
    s->container_ended = true;
    s->sure = false;
    if (restarted)
        s->options.previous = true;
    /* What has not shown whose it is, may be the new one's. */
    if (restarted && s->request && (!s->resume.len || (s->again && tail_resume_unproven(&s->resume)))) {
        kube_req_cancel(s->request);
        s->request = NULL;
        tail_split_drop(&s->split);
        loop_timer_start(s->retry, 0);
    }
    tail_pod_stream_retry(s);
}

void tail_pod_stream_orphan(struct tail_pod_stream *s)
{
    s->orphan = true;
    tail_pod_stream_container_ended(s, false);
}

void tail_pod_stream_retry(struct tail_pod_stream *s)
{
    if (!loop_timer_active(s->retry) || s->sure) /* sure: the time to object is not over */
        return;
    s->retry_ms = RETRY_FIRST_MS;
    loop_timer_start(s->retry, 0);
}
