#include "tail/events_source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/informer.h"

#define SECOND_NS INT64_C(1000000000)
#define FRESH_NS  (2 * SECOND_NS) /* so long after its second an Event may arrive as one of now */

enum { NAMESPACES_MOST = 10000 };

struct event {
    int64_t ns, count, at_ms; /* at_ms: when it came, loop clock */
    char *kind, *namespace, *name, *text;
    bool coarse;
};

struct events {
    struct event *items;
    size_t len, cap;
};

struct tail_events {
    struct tail_events_options options;
    struct loop *loop;
    char *context, *namespace;
    struct kube_informer *informer;
    struct map *sources;        /* namespace -> struct tail_source */
    struct tail_source *coming; /* until the first list is here: others wait for it, as far as they do */
    struct events past, held;
    struct loop_defer *over;
    bool listed, known; /* by the server; what is wanted */
    bool synced, told, ended;
};

static void note(struct tail_events *t, const char *fmt, ...) _printf_(2, 3);
static void note(struct tail_events *t, const char *fmt, ...)
{
    va_list ap;

    if (!t->options.note)
        return;
    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    t->options.note(t->options.arg, false, text);
}

static void event_release(struct event *e)
{
    free(e->kind);
    free(e->namespace);
    free(e->name);
    free(e->text);
}

static void event_free(void *arg)
{
    if (arg)
        event_release(arg);
    free(arg);
}

static struct event event_copy(const struct event *e)
{
    struct event copy = *e;

    copy.kind = xstrdup(e->kind);
    copy.namespace = xstrdup(e->namespace);
    copy.name = xstrdup(e->name);
    copy.text = xstrdup(e->text);
    return copy;
}

static void events_add(struct events *list, const struct event *e)
{
    if (list->len == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 64;
        list->items = xreallocarray(list->items, list->cap, sizeof(*list->items));
    }
    list->items[list->len++] = event_copy(e);
}

static void events_drop(struct events *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        event_release(&list->items[i]);
    memmove(list->items, list->items + n, (list->len - n) * sizeof(*list->items));
    list->len -= n;
}

static void events_release(struct events *list)
{
    for (size_t i = 0; i < list->len; i++)
        event_release(&list->items[i]);
    free(list->items);
    *list = (struct events){0};
}

/* Reading */

static int64_t count_of(const cJSON *event)
{
    int64_t count = json_int(event, "series.count", json_int(event, "count", 1));

    return count > 0 ? count : 1;
}

char *tail_event_text(const cJSON *event, int64_t *ret_ns, bool *ret_coarse)
{
    static const char *const places[] = {"series.lastObservedTime", "lastTimestamp", "eventTime",
                                         "firstTimestamp", "metadata.creationTimestamp"};
    _cleanup_free_ char *kind = str_lower(json_str_or(event, "involvedObject.kind", "object"));
    _cleanup_free_ char *message = xstrdup(json_str_or(event, "message", ""));
    int64_t count = count_of(event);
    char times[32] = "";

    *ret_ns = 0;
    *ret_coarse = true;
    for (size_t i = 0; i < ARRAY_LEN(places) && !*ret_ns; i++) {
        const char *stamp = json_str(event, places[i]);
        if (stamp && time_parse_rfc3339(stamp, ret_ns, NULL) < 0)
            *ret_ns = 0;
        *ret_coarse = !stamp || !strchr(stamp, '.');
    }
    /* A line is a line, however many its message has. */
    for (char *p = message; *p; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
    if (count > 1)
        snprintf(times, sizeof(times), " (x%" PRId64 ")", count);
    return xasprintf("%s %s %s/%s: %s%s", json_str_or(event, "type", "Normal"),
                     json_str_or(event, "reason", "-"), kind, json_str_or(event, "involvedObject.name", ""),
                     message, times);
}

static void *on_transform(void *arg, cJSON *object)
{
    struct tail_events *t = arg;
    struct event *e = xcalloc(1, sizeof(*e));
    const char *own = json_str_or(object, "metadata.namespace", "");

    e->text = tail_event_text(object, &e->ns, &e->coarse);
    e->count = count_of(object);
    e->at_ms = loop_now_ms(t->loop);
    e->kind = xstrdup(json_str_or(object, "involvedObject.kind", ""));
    e->namespace = xstrdup(json_str_or(object, "involvedObject.namespace", own));
    e->name = xstrdup(json_str_or(object, "involvedObject.name", ""));
    return e;
}

/* Telling */

static void on_room(void *arg _unused_)
{
}

static struct tail_source *source_of(struct tail_events *t, const char *namespace)
{
    struct tail_source *s = map_get(t->sources, namespace);

    if (s)
        return s;
    /* One lane for the rest is better than any number. */
    if (map_len(t->sources) >= NAMESPACES_MOST)
    namespace = "";
    struct tail_info info = {
        .context = xstrdup(t->context), .namespace = xstrdup(namespace), .pod = xstrdup("events")};
    s = tail_source_new(t->options.engine, &info, 0, !t->synced, on_room, t);
    tail_source_opened(s);
    map_set(t->sources, namespace, s);
    return s;
}

static void tell(struct tail_events *t, const struct event *e, bool now)
{
    int64_t wall = time_now_ns();
    struct tail_line line = {.ns = e->ns ? e->ns : wall, .text = e->text, .len = strlen(e->text)};

    if (now && e->coarse && wall >= line.ns && wall - line.ns < FRESH_NS)
        line.ns = wall;
    tail_source_line(source_of(t, e->namespace), &line);
}

static bool wants(const struct tail_events *t, const struct event *e)
{
    return !t->options.wants || t->options.wants(t->options.arg, e->kind, e->namespace, e->name);
}

static void hold(struct tail_events *t, const struct event *e)
{
    int64_t now = loop_now_ms(t->loop);
    size_t old = t->held.len >= TAIL_EVENTS_HELD;

    while (old < t->held.len && now - t->held.items[old].at_ms > TAIL_EVENTS_HOLD_MS)
        old++;
    events_drop(&t->held, old);
    events_add(&t->held, e);
    t->held.items[t->held.len - 1].at_ms = now;
}

void tail_events_again(struct tail_events *t)
{
    int64_t now = loop_now_ms(t->loop);
    size_t kept = 0;

    for (size_t i = 0; t->synced && i < t->held.len; i++) {
        struct event *e = &t->held.items[i];
        bool wanted = wants(t, e);
        if (wanted && now - e->at_ms <= TAIL_EVENTS_HOLD_MS)
            tell(t, e, true);
        if (wanted || now - e->at_ms > TAIL_EVENTS_HOLD_MS)
            event_release(e);
        else
            t->held.items[kept++] = *e;
    }
    if (t->synced)
        t->held.len = kept;
}

static void on_changed(void *arg, const char *key _unused_, const void *old, const void *now)
{
    struct tail_events *t = arg;
    const struct event *was = old, *e = now;

    if (!e || (was && was->count == e->count && was->ns == e->ns && streq(was->text, e->text)))
        return;
    if (!t->synced)
        events_add(&t->past, e);
    else if (wants(t, e))
        tell(t, e, true);
    else
        hold(t, e);
}

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;

    return (x->ns > y->ns) - (x->ns < y->ns);
}

/* News of its object may be on their way. */
static bool is_recent(struct event *e)
{
    return time_now_ns() - e->ns < TAIL_EVENTS_HOLD_MS * INT64_C(1000000);
}

static void tell_past(struct tail_events *t)
{
    size_t most = TAIL_EVENTS_PAST_MOST, n = 0;

    if (t->options.tail_lines >= 0 && (size_t)t->options.tail_lines < most)
        most = (size_t)t->options.tail_lines;
    if (t->past.len)
        qsort(t->past.items, t->past.len, sizeof(*t->past.items), by_time);
    for (size_t i = t->past.len; i-- > 0;) {
        struct event *e = &t->past.items[i];
        bool wanted = e->ns >= t->options.since_ns && wants(t, e);
        if (wanted && n < most)
            n++;
        else
            e->at_ms = -1;
    }
    for (size_t i = 0; i < t->past.len; i++)
        if (t->past.items[i].at_ms >= 0)
            tell(t, &t->past.items[i], false);
        else if (t->options.follow && is_recent(&t->past.items[i]) && !wants(t, &t->past.items[i]))
            hold(t, &t->past.items[i]);
    events_release(&t->past);
}

static void end_sources(struct tail_events *t)
{
    for (struct map_iter it = {0}; !t->ended && map_next(t->sources, &it);)
        tail_source_end(it.value);
    t->ended = true;
    if (t->coming)
        tail_source_end(TAKE_PTR(t->coming));
}

/* Out of the informer's hands, which may be freed then. */
static void on_over(void *arg)
{
    struct tail_events *t = arg;

    t->over = NULL;
    end_sources(t);
    if (t->options.done)
        t->options.done(t->options.arg, NULL);
}

static void maybe_tell_past(struct tail_events *t)
{
    if (t->synced || !t->listed || !t->known)
        return;
    tell_past(t);
    tail_source_end(TAKE_PTR(t->coming));
    t->synced = true;
    if (!t->options.follow)
        t->over = loop_defer(t->loop, on_over, t);
}

static void on_synced(void *arg)
{
    struct tail_events *t = arg;

    t->listed = true;
    maybe_tell_past(t);
}

void tail_events_known(struct tail_events *t)
{
    t->known = true;
    maybe_tell_past(t);
}

static void on_state(void *arg, const struct err *err)
{
    struct tail_events *t = arg;

    if (err && !t->options.follow && !t->synced) {
        if (!t->told && t->options.done)
            t->options.done(t->options.arg, err);
    } else if (err && !t->told) {
        note(t, "Events of context %s cannot be watched (%s), trying again", t->context, err_text(err));
    } else if (!err && t->told) {
        note(t, "Events of context %s are watched again", t->context);
    }
    t->told = err != NULL;
}

struct tail_events *tail_events_new(const struct tail_events_options *options)
{
    struct tail_events *t = xcalloc(1, sizeof(*t));

    t->options = *options;
    t->loop = kube_client_loop(options->client);
    t->context = xstrdup(options->context);
    t->namespace = xstrdup_null(options->namespace);
    t->sources = map_new(NULL);
    struct tail_info info = {.context = xstrdup(options->context), .pod = xstrdup("events")};
    t->coming = tail_source_new(options->engine, &info, 0, options->tail_lines != 0, on_room, t);
    struct kube_informer_options informer = {
        .resource = kube_builtin_kind("v1", "Event"),
        .namespace = t->namespace,
        .transform = on_transform,
        .free_object = event_free,
        .changed = on_changed,
        .synced = on_synced,
        .state = on_state,
        .arg = t,
    };
    t->informer = kube_informer_new(options->client, &informer);
    return t;
}

void tail_events_free(struct tail_events *t)
{
    if (!t)
        return;
    kube_informer_free(t->informer);
    loop_defer_cancel(t->over);
    end_sources(t);
    map_free(t->sources);
    events_release(&t->past);
    events_release(&t->held);
    free(t->context);
    free(t->namespace);
    free(t);
}
