#include "dev/node/stream.h"

#include <string.h>

#include "base/str.h"
#include "base/timefmt.h"

enum {
    WINDOW = 256 * 1024, /* more waits until the client has taken it */
    TURN_LINES = 2000,   /* then others have their turn */
    NS_PER_MS = 1000000,
};

/* A rule that concerns a stream. */
struct hit {
    int64_t id, lines; /* lines: how many had been given when it began to count */
    int64_t since_ms;
};

struct dev_stream {
    struct dev_streams *all;
    struct dev_log *log;
    char *name;
    struct dev_exchange *x;
    void *reader;
    struct dev_stream_request request;
    int64_t left_lines; /* of a request for the last lines that does not follow; -1 = all */
    struct dev_cri_line line;
    bool held, begun, stalled, hanging, in_line;
    int64_t lines, bytes;
    int64_t begin_ms; /* when the answer is due */
    VEC(struct hit) hits;
    struct loop_timer *timer;
    struct loop_defer *again;
    struct buf out;
};

static void pump(struct dev_stream *s);

/* Requests */

static bool flag(const char *query, const char *key)
{
    _cleanup_free_ char *text = dev_query_get(query, key);

    return text && !streq(text, "0") && strcasecmp(text, "false") != 0;
}

static bool integer(const char *query, const char *key, int64_t *ret, bool *ret_given)
{
    _cleanup_free_ char *text = dev_query_get(query, key);
    const char *digits = text;

    *ret_given = text != NULL;
    if (!text)
        return true;
    bool negative = *text == '-';
    digits += negative;
    if (!str_to_i64(digits, 0, INT64_MAX, ret))
        return false;
    if (negative)
        *ret = -*ret;
    return true;
}

int dev_stream_parse(const char *query, int64_t now_ns, struct dev_stream_request *ret, int *ret_status,
                     struct err **err)
{
    struct dev_stream_request q = {.tail = -1, .limit = -1};
    _cleanup_free_ char *time = dev_query_get(query, "sinceTime"), *stream = dev_query_get(query, "stream");
    bool has_tail, has_limit, has_seconds;
    int64_t seconds = 0;

    *ret_status = 400;
    if (!integer(query, "tailLines", &q.tail, &has_tail) ||
        !integer(query, "limitBytes", &q.limit, &has_limit) ||
        !integer(query, "sinceSeconds", &seconds, &has_seconds) ||
        (time && time_parse_rfc3339(time, &q.since_ns, NULL) < 0))
        return err_set(err, ERR_INVALID, "{\"message\": \"Unable to decode query.\"}");
    *ret_status = 422;
    if ((has_tail && q.tail < 0) || (has_limit && q.limit < 1) || (has_seconds && (seconds < 1 || time)) ||
        (stream && !streq(stream, "All") && !streq(stream, "Stdout") && !streq(stream, "Stderr")))
        return err_set(err, ERR_INVALID, "{\"message\": \"Invalid request.\"}");
    q.follow = flag(query, "follow");
    q.timestamps = flag(query, "timestamps");
    q.previous = flag(query, "previous");
    q.without_stdout = stream && streq(stream, "Stderr");
    q.without_stderr = stream && streq(stream, "Stdout");
    if (has_seconds)
        q.since_ns = seconds < now_ns / 1000000000 ? now_ns - seconds * 1000000000 : 0;
    *ret = q;
    return 0;
}

/* Streams */

static void stream_free(struct dev_stream *s)
{
    for (size_t i = 0; i < s->all->list.len; i++)
        if (s->all->list.items[i] == s) {
            vec_remove(&s->all->list, i);
            break;
        }
    for (size_t i = 0; i < s->log->streams.len; i++)
        if (s->log->streams.items[i] == s) {
            vec_remove(&s->log->streams, i);
            break;
        }
    if (s->reader)
        s->log->ops->close(s->reader);
    if (s->again)
        loop_defer_cancel(s->again);
    loop_timer_free(s->timer);
    buf_release(&s->out);
    free(s->hits.items);
    free(s->name);
    free(s);
}

static void flush(struct dev_stream *s)
{
    dev_exchange_write(s->x, s->out.data, s->out.len);
    s->bytes += (int64_t)s->out.len;
    s->all->bytes += s->out.len;
    buf_truncate(&s->out, 0);
}

void dev_stream_end(struct dev_stream *s)
{
    struct dev_exchange *x = s->x;

    if (s->begun) {
        flush(s);
        dev_exchange_end(x);
    } else {
        dev_exchange_cut(x);
    }
    stream_free(s);
}

static void on_gone(void *arg)
{
    stream_free(arg);
}

static void on_room(void *arg)
{
    pump(arg);
}

static void on_timer(void *arg)
{
    pump(arg);
}

static void on_again(void *arg)
{
    struct dev_stream *s = arg;

    s->again = NULL;
    pump(s);
}

void dev_stream_wake(struct dev_stream *s)
{
    if (!s->again && s->begun && !s->stalled)
        pump(s);
}

/* Faults */

static void drop_fault(struct dev_streams *all, struct dev_fault *f);

static void strike(struct dev_stream *s, struct dev_fault *f)
{
    f->struck++;
    if (f->times && f->struck >= f->times)
        drop_fault(s->all, f);
}

/* The next line comes in half, as when a connection breaks. */
static void render(struct dev_stream *s, bool half);

static void wake_at(struct dev_stream *s, int64_t ms, int64_t *soonest)
{
    if (*soonest < 0 || ms < *soonest) {
        *soonest = ms;
        loop_timer_start(s->timer, ms > 0 ? ms : 0);
    }
}

/* Whether the stream is over. Sets s->stalled. */
static bool suffer(struct dev_stream *s, int64_t *soonest)
{
    int64_t now = loop_now_ms(s->all->loop);
    bool stalled = false;

    for (size_t i = 0; i < s->hits.len; i++) {
        const struct hit *h = &s->hits.items[i];
        struct dev_fault *f = dev_fault_find(&s->all->faults, h->id);
        if (!f || f->what >= DEV_FAULT_DELAY || s->lines - h->lines < f->lines)
            continue;
        if (now - h->since_ms < f->ms) {
            wake_at(s, f->ms - (now - h->since_ms), soonest);
            continue;
        }
        if (f->what == DEV_FAULT_STALL) {
            if (!s->stalled)
                f->struck++;
            stalled = true;
            continue;
        }
        bool cut = f->what == DEV_FAULT_CUT;
        strike(s, f);
        if (!cut) {
            dev_stream_end(s);
            return true;
        }
        if (s->held || s->log->ops->next(s->reader, &s->line) == DEV_LOG_LINE)
            render(s, true);
        flush(s);
        dev_exchange_cut(s->x);
        stream_free(s);
        return true;
    }
    s->stalled = stalled;
    return false;
}

static int64_t delay_of(const struct dev_stream *s)
{
    int64_t ms = 0;

    for (size_t i = 0; i < s->hits.len; i++) {
        const struct dev_fault *f = dev_fault_find(&s->all->faults, s->hits.items[i].id);
        if (f && f->what == DEV_FAULT_DELAY && f->ms > ms)
            ms = f->ms;
    }
    return ms;
}

static void concern(struct dev_stream *s, const struct dev_fault *f)
{
    if (dev_fault_matches(f, s->name))
        vec_push(&s->hits,
                 ((struct hit){.id = f->id, .lines = s->lines, .since_ms = loop_now_ms(s->all->loop)}));
}

/* Lines */

static bool is_wanted(const struct dev_stream *s)
{
    const struct dev_stream_request *q = &s->request;

    return s->line.ns >= q->since_ns && !(s->line.is_stderr ? q->without_stderr : q->without_stdout);
}

static void render(struct dev_stream *s, bool half)
{
    size_t before = s->out.len;

    /* What follows a piece of a long line belongs to that line. */
    if (s->request.timestamps && !s->in_line) {
        dev_cri_stamp(&s->out, s->line.ns);
        buf_addc(&s->out, ' ');
    }
    buf_add(&s->out, s->line.text, s->line.len);
    if (!s->line.partial)
        buf_addc(&s->out, '\n');
    size_t len = s->out.len - before;
    if (half)
        buf_truncate(&s->out, before + len / 2);
    else if (s->request.limit >= 0 && (int64_t)len > s->request.limit)
        buf_truncate(&s->out, before + (size_t)s->request.limit);
    if (s->request.limit >= 0)
        s->request.limit -= (int64_t)(s->out.len - before);
    s->in_line = s->line.partial;
    s->lines++;
    s->all->lines++;
}

/* Whether the line that is held may be given out now. */
static bool is_due(struct dev_stream *s, int64_t delay, int64_t *soonest)
{
    if (!delay)
        return true;
    int64_t left = s->line.ns + delay * NS_PER_MS - time_now_ns();
    if (left <= 0)
        return true;
    wake_at(s, (left + NS_PER_MS - 1) / NS_PER_MS, soonest);
    return false;
}

/* Gives out lines until there are none, or enough for now. Ends the stream when there will be none. */
static bool give_lines(struct dev_stream *s)
{
    int64_t delay = delay_of(s), soonest = -1;

    for (int n = 0; n < TURN_LINES; n++) {
        if (s->hits.len && suffer(s, &soonest))
            return false;
        if (s->stalled || dev_exchange_pending(s->x) + s->out.len >= WINDOW)
            return true;
        if (s->left_lines == 0 || s->request.limit == 0) {
            dev_stream_end(s);
            return false;
        }
        if (!s->held) {
            int r = s->log->ops->next(s->reader, &s->line);
            if (r == DEV_LOG_END || (r == DEV_LOG_NOTHING_YET && !s->request.follow)) {
                dev_stream_end(s);
                return false;
            }
            if (r == DEV_LOG_NOTHING_YET)
                return true;
        }
        s->held = true;
        if (is_wanted(s)) {
            if (!is_due(s, delay, &soonest))
                return true;
            render(s, false);
        }
        s->held = false;
        if (s->left_lines > 0)
            s->left_lines--;
    }
    if (!s->again)
        s->again = loop_defer(s->all->loop, on_again, s);
    return true;
}

static void pump(struct dev_stream *s)
{
    if (s->hanging)
        return;
    if (!s->begun) {
        int64_t left = s->begin_ms - loop_now_ms(s->all->loop);
        if (left > 0) {
            loop_timer_start(s->timer, left);
            return;
        }
        dev_exchange_begin(s->x, 200, "text/plain");
        s->begun = true;
    }
    if (give_lines(s) && s->out.len)
        flush(s);
}

/* Faults that strike when a request comes. Whether it is over. */
static bool suffer_at_once(struct dev_stream *s)
{
    for (size_t i = 0; i < s->hits.len; i++) {
        struct dev_fault *f = dev_fault_find(&s->all->faults, s->hits.items[i].id);
        struct dev_exchange *x = s->x;
        switch (f ? f->what : DEV_FAULT_KINDS) {
        case DEV_FAULT_REFUSE:
            strike(s, f);
            stream_free(s);
            dev_exchange_cut(x);
            return true;
        case DEV_FAULT_STATUS: {
            static const char body[] = "the log cannot be read: a fault was asked for\n";
            int status = f->status;
            strike(s, f);
            stream_free(s);
            dev_exchange_reply(x, status, "text/plain", body, sizeof(body) - 1);
            return true;
        }
        case DEV_FAULT_HANG:
            f->struck++;
            s->hanging = true;
            break;
        default:
            break;
        }
    }
    return false;
}

void dev_stream_start(struct dev_streams *all, const char *name, struct dev_log *log,
                      const struct dev_stream_request *request, struct dev_exchange *x)
{
    struct dev_stream *s = xcalloc(1, sizeof(*s));

    s->all = all;
    s->log = log;
    s->name = xstrdup(name);
    s->x = x;
    s->request = *request;
    s->left_lines = request->follow || request->tail < 0 ? -1 : request->tail;
    s->timer = loop_timer_new(all->loop, on_timer, s);
    vec_push(&all->list, s);
    vec_push(&log->streams, s);
    all->opened++;
    for (size_t i = 0; i < all->faults.list.len; i++)
        concern(s, all->faults.list.items[i]);
    if (suffer_at_once(s))
        return;
    s->reader = log->ops->open(log, request->tail);
    if (!s->reader) {
        static const char none[] = "the container has no log\n";
        stream_free(s);
        dev_exchange_reply(x, 400, "text/plain", none, sizeof(none) - 1);
        return;
    }
    s->begin_ms = loop_now_ms(all->loop) + delay_of(s);
    dev_exchange_watch(x, on_room, on_gone, s);
    pump(s);
}

/* All of them */

void dev_streams_init(struct dev_streams *s, struct loop *l)
{
    *s = (struct dev_streams){.loop = l};
}

void dev_streams_release(struct dev_streams *s)
{
    while (s->list.len)
        dev_stream_end(s->list.items[s->list.len - 1]);
    free(s->list.items);
    dev_faults_release(&s->faults);
}

int64_t dev_streams_add_fault(struct dev_streams *s, struct dev_fault *fault)
{
    fault->id = ++s->faults.last_id;
    vec_push(&s->faults.list, fault);
    for (size_t i = s->list.len; i-- > 0;) {
        concern(s->list.items[i], fault);
        if (s->list.items[i]->begun && !s->list.items[i]->again)
            s->list.items[i]->again = loop_defer(s->loop, on_again, s->list.items[i]);
    }
    return s->faults.last_id;
}

static void drop_fault(struct dev_streams *all, struct dev_fault *f)
{
    for (size_t i = 0; i < all->list.len; i++) {
        struct dev_stream *s = all->list.items[i];
        for (size_t j = s->hits.len; j-- > 0;)
            if (s->hits.items[j].id == f->id) {
                vec_remove(&s->hits, j);
                /* It goes on, or (hanging) is closed, in a turn of its own. */
                s->stalled = false;
                if (!s->again)
                    s->again = loop_defer(all->loop, on_again, s);
            }
    }
    for (size_t i = 0; i < all->faults.list.len; i++)
        if (all->faults.list.items[i] == f) {
            vec_remove(&all->faults.list, i);
            break;
        }
    dev_fault_free(f);
}

void dev_streams_drop_faults(struct dev_streams *s, int64_t id)
{
    for (size_t i = s->faults.list.len; i-- > 0;)
        if (id == 0 || s->faults.list.items[i]->id == id)
            drop_fault(s, s->faults.list.items[i]);
    for (size_t i = s->list.len; i-- > 0;) {
        struct dev_stream *stream = s->list.items[i];
        if (stream->hanging && stream->hits.len == 0)
            dev_stream_end(stream);
    }
}

cJSON *dev_streams_json(const struct dev_streams *s)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < s->list.len; i++) {
        const struct dev_stream *stream = s->list.items[i];
        cJSON *o = json_object("pod", stream->name, NULL);
        json_set_int(o, "lines", stream->lines);
        json_set_int(o, "bytes", stream->bytes);
        json_set_bool(o, "stalled", stream->stalled || stream->hanging);
        cJSON_AddItemToArray(list, o);
    }
    return list;
}
