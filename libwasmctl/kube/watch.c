#include "kube/watch.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/watch_stream.h"

enum {
    PAGE_DEFAULT = 500,
    SILENCE_DEFAULT_MS = 5 * 60 * 1000,
    WATCH_LEAST_S = 300, /* how long the server is asked to keep a watch open; up to twice as long */
    EVENT_MOST = 32 * 1024 * 1024,
    BACKOFF_FIRST_MS = 200,
    BACKOFF_MOST_MS = 30 * 1000,
    DOWN_BROKEN = 1,  /* for kube_watch.down: no code, all of which are negative */
    STABLE_MS = 5000, /* a watch that lived so long was no failure */
};

struct kube_watch {
    struct kube_client *client;
    struct kube_watch_options options;
    struct kube_resource *resource;
    char *path, *selectors; /* "&labelSelector=..." or "" */
    char *accept;
    char *version; /* resourceVersion to watch from */
    char *next;    /* continue token while a list is under way */
    struct kube_req *request;
    struct loop_timer *timer;
    struct kube_lines lines;
    unsigned failures;
    int64_t opened_ms;
    bool listed;              /* the last list is complete; a watch can be resumed */
    bool must_list;           /* the version is too old */
    bool restarted;           /* the list under way began anew because its token expired */
    int down;                 /* code of what state() told, 0 = watching */
    struct err *stream_error; /* an ERROR event */
    int in_callback;
    bool freed;
};

static void start_list(struct kube_watch *w);
static void start_watch(struct kube_watch *w);

/* Calling out: the user may free the watch in any of these. True when it still lives. */

static void really_free(struct kube_watch *w);

static void enter(struct kube_watch *w)
{
    w->in_callback++;
}

static bool leave(struct kube_watch *w)
{
    w->in_callback--;
    if (!w->freed)
        return true;
    if (!w->in_callback)
        really_free(w);
    return false;
}

static bool tell_event(struct kube_watch *w, enum kube_event type, cJSON *object)
{
    enter(w);
    w->options.event(w->options.arg, type, object);
    return leave(w);
}

static bool tell(struct kube_watch *w, void (*fn)(void *arg))
{
    if (!fn)
        return true;
    enter(w);
    fn(w->options.arg);
    return leave(w);
}

static bool tell_state(struct kube_watch *w, const struct err *err)
{
    int code = err ? err->code : 0;

    /* A change is told, not each attempt. */
    if (code == w->down)
        return true;
    w->down = code;
    if (!w->options.state)
        return true;
    enter(w);
    w->options.state(w->options.arg, err);
    return leave(w);
}

/* Trying again */

static int64_t jittered(int64_t ms)
{
    uint64_t now = (uint64_t)time_now_ns();
    uint64_t h = str_hash64(&now, sizeof(now), STR_HASH64_INIT);

    return ms * 4 / 5 + (int64_t)(h % (uint64_t)(ms * 2 / 5 + 1));
}

static void go_on(void *arg)
{
    struct kube_watch *w = arg;

    if (w->listed && !w->must_list)
        start_watch(w);
    else
        start_list(w);
}

static void again_later(struct kube_watch *w, const struct err *err)
{
    int64_t wait = BACKOFF_FIRST_MS;

    for (unsigned i = 0; i < w->failures && wait < BACKOFF_MOST_MS; i++)
        wait *= 2;
    w->failures++;
    if (wait > BACKOFF_MOST_MS)
        wait = BACKOFF_MOST_MS;
    wait = jittered(wait);
    if (err && err->retry_ms > wait)
        wait = err->retry_ms;
    loop_timer_start(w->timer, wait);
}

/* Listing */

static void list_failed(struct kube_watch *w, const struct err *err)
{
    bool expired = err->code == ERR_GONE && w->next;

    free(w->next);
    w->next = NULL;
    if (expired && !w->restarted) {
        /* The token grew old between two pages: from the beginning. */
        w->restarted = true;
        start_list(w);
        return;
    }
    if (tell_state(w, err))
        again_later(w, err);
}

static bool give_page(struct kube_watch *w, cJSON *page)
{
    if (streq(json_str_or(page, "kind", ""), "Table"))
        return tell_event(w, KUBE_ADDED, page);
    cJSON *items = json_get(page, "items");
    for (cJSON *o = items ? items->child : NULL, *next; o; o = next) {
        next = o->next;
        if (cJSON_IsObject(o) && !tell_event(w, KUBE_ADDED, o))
            return false;
    }
    return true;
}

static void on_list(void *arg, const struct kube_response *response, const struct err *err)
{
    struct kube_watch *w = arg;
    _cleanup_json_ cJSON *page = NULL;
    _cleanup_err_ struct err *bad = NULL;

    w->request = NULL;
    if (!err && json_parse(response->body, response->len, w->path, &page, &bad) < 0)
        err = bad;
    if (!err && kube_list_check(page, w->path, &bad) < 0)
        err = bad;
    if (!err && str_empty(json_str(page, "metadata.resourceVersion"))) {
        err_set(&bad, ERR_PROTOCOL, "the answer to a list of %s has no resourceVersion", w->path);
        err = bad;
    }
    if (err) {
        list_failed(w, err);
        return;
    }
    if (!w->next && !tell(w, w->options.relist))
        return;
    const char *next = json_str(page, "metadata.continue");
    xstr_replace(&w->version, json_str_or(page, "metadata.resourceVersion", ""));
    xstr_replace(&w->next, str_empty(next) ? NULL : next);
    if (!give_page(w, page))
        return;
    if (w->next) {
        start_list(w);
        return;
    }
    w->restarted = false;
    w->listed = true;
    w->must_list = false;
    if (!tell(w, w->options.synced))
        return;
    start_watch(w);
}

static void start_list(struct kube_watch *w)
{
    _cleanup_free_ char *token = w->next ? kube_query_escape(w->next) : NULL;
    _cleanup_free_ char *query =
        xasprintf("limit=%d%s%s%s", w->options.page_size ? w->options.page_size : PAGE_DEFAULT,
                  token ? "&continue=" : "", token ? token : "", w->selectors);
    struct kube_call call = {
        .method = "GET", .path = w->path, .query = query, .accept = w->accept, .done = on_list, .arg = w};

    w->request = kube_do(w->client, &call);
}

/* Watching */

/* One line of the stream. False when the stream is of no more use, or the watch is gone (*ret_alive). */
static bool take_event(struct kube_watch *w, const char *line, size_t len, bool *ret_alive)
{
    _cleanup_(kube_watch_item_release) struct kube_watch_item item = {0};

    if (kube_watch_item_read(line, len, w->path, &item, &w->stream_error) < 0)
        return false;
    /* The receiver may take the object apart. */
    _cleanup_free_ char *version = xstrdup_null(item.version);
    w->failures = 0;
    if (item.change && !tell_event(w, item.type, item.object)) {
        *ret_alive = false;
        return false;
    }
    if (!str_empty(version))
        xstr_replace(&w->version, version);
    return true;
}

struct reading {
    struct kube_watch *watch;
    bool alive;
};

static bool on_line(void *arg, const char *line, size_t len)
{
    struct reading *r = arg;

    return take_event(r->watch, line, len, &r->alive);
}

static bool on_chunk(void *arg, const char *data, size_t len)
{
    struct kube_watch *w = arg;
    struct reading reading = {w, true};

    int r = kube_lines_add(&w->lines, data, len, on_line, &reading);
    /* A freed watch has cancelled its request itself. */
    if (!reading.alive)
        return true;
    if (r == ERR_TOO_LARGE)
        err_set(&w->stream_error, ERR_TOO_LARGE, "a watch event is larger than %d MiB", EVENT_MOST >> 20);
    return r == 0;
}

static void on_opened(void *arg)
{
    struct kube_watch *w = arg;

    w->opened_ms = loop_now_ms(kube_client_loop(w->client));
    tell_state(w, NULL);
}

static void on_watch_end(void *arg, const struct kube_response *response _unused_, const struct err *err)
{
    struct kube_watch *w = arg;
    _cleanup_err_ struct err *own = TAKE_PTR(w->stream_error);
    int64_t lived = w->opened_ms ? loop_now_ms(kube_client_loop(w->client)) - w->opened_ms : 0;

    w->request = NULL;
    /* Half a line at the end is asked for again: the version stands before it. */
    kube_lines_release(&w->lines);
    if (own)
        err = own;
    bool was_open = w->opened_ms != 0;
    w->opened_ms = 0;
    if (err && err->code == ERR_GONE) {
        w->must_list = true;
        again_later(w, NULL);
        return;
    }
    if (lived >= STABLE_MS)
        w->failures = 0;
    /* An end without an error, or after silence, is how watches are renewed. */
    bool renewed = !err || (was_open && err->code == ERR_TIMEOUT && !err->http);
    if (renewed && lived >= STABLE_MS) {
        start_watch(w);
        return;
    }
    if (err && !renewed && !tell_state(w, err))
        return;
    /* Why no other connection comes about is told too. */
    if (was_open && err && !renewed)
        w->down = DOWN_BROKEN;
    again_later(w, err);
}

static void start_watch(struct kube_watch *w)
{
    _cleanup_free_ char *version = kube_query_escape(w->version);
    int seconds = WATCH_LEAST_S + (int)(jittered(WATCH_LEAST_S * 1000) / 1000);
    _cleanup_free_ char *query =
        xasprintf("watch=true&allowWatchBookmarks=true&resourceVersion=%s&timeoutSeconds=%d%s", version,
                  seconds, w->selectors);
    struct kube_call call = {
        .method = "GET",
        .path = w->path,
        .query = query,
        .accept = w->accept,
        .timeout_ms = -1,
        .silence_ms = w->options.silence_ms ? w->options.silence_ms : SILENCE_DEFAULT_MS,
        .chunk = on_chunk,
        .opened = on_opened,
        .done = on_watch_end,
        .arg = w,
    };

    w->request = kube_do(w->client, &call);
}

/* Life */

static char *selectors_query(const struct kube_watch_options *o)
{
    _cleanup_free_ char *label =
        o->label_selector && *o->label_selector ? kube_query_escape(o->label_selector) : NULL;
    _cleanup_free_ char *field =
        o->field_selector && *o->field_selector ? kube_query_escape(o->field_selector) : NULL;

    return xasprintf("%s%s%s%s", label ? "&labelSelector=" : "", label ? label : "",
                     field ? "&fieldSelector=" : "", field ? field : "");
}

struct kube_watch *kube_watch_new(struct kube_client *c, const struct kube_watch_options *options)
{
    struct kube_watch *w = xcalloc(1, sizeof(*w));

    w->client = c;
    w->options = *options;
    w->resource = kube_resource_copy(options->resource);
    w->options.resource = w->resource;
    w->path = kube_path(w->resource, options->namespace, NULL, NULL);
    w->selectors = selectors_query(options);
    w->accept = xstrdup_null(options->accept);
    w->options.namespace = w->options.label_selector = w->options.field_selector = w->options.accept = NULL;
    kube_lines_init(&w->lines, EVENT_MOST);
    w->timer = loop_timer_new(kube_client_loop(c), go_on, w);
    start_list(w);
    return w;
}

static void really_free(struct kube_watch *w)
{
    kube_req_cancel(w->request);
    loop_timer_free(w->timer);
    kube_lines_release(&w->lines);
    err_free(w->stream_error);
    kube_resource_free(w->resource);
    free(w->path);
    free(w->selectors);
    free(w->accept);
    free(w->version);
    free(w->next);
    free(w);
}

void kube_watch_free(struct kube_watch *w)
{
    if (!w)
        return;
    kube_req_cancel(w->request);
    w->request = NULL;
    w->freed = true;
    if (!w->in_callback)
        really_free(w);
}
