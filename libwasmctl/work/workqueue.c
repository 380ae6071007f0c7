#include "work/workqueue.h"

#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

enum {
    SLICE_MS = 10,
    DEFAULT_CONCURRENCY = 64,
    DEFAULT_BACKOFF_MIN_MS = 50,
    DEFAULT_BACKOFF_MAX_MS = 5 * 60 * 1000
};

struct item {
    struct workqueue *queue;
    char *key;
    struct item *next; /* in the line of waiting keys */
    bool waiting, active, again;
    bool forget; /* drop it when it is done */
    unsigned failures;
    struct loop_timer *timer; /* delayed add; NULL when never delayed */
    int64_t due_ms;
    int64_t added_ns, began_ns; /* to the line, with the handler; kept when somebody observes */
    int64_t waited_ns;
};

struct workqueue {
    struct loop *loop;
    struct wq_options options;
    char *name;
    struct map *items; /* key -> struct item * */
    struct item *head, **tail;
    size_t waiting, active;
    struct loop_defer *run;
    uint64_t totals[2];
    int64_t unpaused_ns;
    bool paused;
    bool running, freed; /* freed by its own handler: run() ends it */
};

static void item_free(void *p)
{
    struct item *i = p;

    loop_timer_free(i->timer);
    free(i->key);
    free(i);
}

struct workqueue *wq_new(struct loop *l, const struct wq_options *options)
{
    struct workqueue *q = xcalloc(1, sizeof(*q));

    q->loop = l;
    q->options = *options;
    q->name = xstrdup(options->name ? options->name : "");
    q->options.name = q->name;
    if (!q->options.concurrency)
        q->options.concurrency = DEFAULT_CONCURRENCY;
    if (!q->options.backoff_min_ms)
        q->options.backoff_min_ms = DEFAULT_BACKOFF_MIN_MS;
    if (!q->options.backoff_max_ms)
        q->options.backoff_max_ms = DEFAULT_BACKOFF_MAX_MS;
    q->items = map_new(item_free);
    q->tail = &q->head;
    return q;
}

void wq_free(struct workqueue *q)
{
    if (!q)
        return;
    q->freed = true;
    if (q->running)
        return;
    loop_defer_cancel(q->run);
    map_free(q->items);
    free(q->name);
    free(q);
}

static void run(void *arg);

static void schedule(struct workqueue *q)
{
    if (!q->run && q->head && !q->paused && q->active < q->options.concurrency)
        q->run = loop_defer(q->loop, run, q);
}

static void begin(struct workqueue *q, struct item *i)
{
    i->waiting = false;
    i->active = true;
    q->waiting--;
    q->active++;
    if (!q->options.observe)
        return;
    i->began_ns = time_mono_ns();
    i->waited_ns = i->began_ns - (i->added_ns > q->unpaused_ns ? i->added_ns : q->unpaused_ns);
}

static void run(void *arg)
{
    struct workqueue *q = arg;

    q->run = NULL;
    q->running = true;
    /* Only the keys that waited when the turn began, and only for a while: neither work that adds itself
     * again nor a long line of keys keeps the rest of the loop waiting. */
    int64_t end = time_mono_ms() + SLICE_MS;
    for (size_t n = q->waiting; n && q->head && !q->paused && q->active < q->options.concurrency; n--) {
        struct item *i = q->head;
        q->head = i->next;
        if (!q->head)
            q->tail = &q->head;
        i->next = NULL;
        begin(q, i);
        /* The handler may finish the key at once and then forget it: it gets a copy. */
        _cleanup_free_ char *key = xstrdup(i->key);
        q->options.handler(q->options.arg, key);
        if (q->freed || time_mono_ms() >= end)
            break;
    }
    q->running = false;
    if (q->freed)
        wq_free(q);
    else
        schedule(q);
}

static struct item *item_get(struct workqueue *q, const char *key)
{
    struct item *i = map_get(q->items, key);

    if (i)
        return i;
    i = xcalloc(1, sizeof(*i));
    i->queue = q;
    i->key = xstrdup(key);
    map_set(q->items, key, i);
    return i;
}

static void stop_timer(struct item *i)
{
    if (i->timer)
        loop_timer_stop(i->timer);
}

void wq_add(struct workqueue *q, const char *key)
{
    struct item *i = item_get(q, key);

    stop_timer(i);
    i->forget = false;
    if (i->waiting)
        return;
    if (i->active) {
        i->again = true;
        return;
    }
    i->waiting = true;
    if (q->options.observe)
        i->added_ns = time_mono_ns();
    *q->tail = i;
    q->tail = &i->next;
    q->waiting++;
    schedule(q);
}

static void on_due(void *arg)
{
    struct item *i = arg;

    wq_add(i->queue, i->key);
}

static void delay(struct workqueue *q, struct item *i, int64_t ms)
{
    int64_t due = loop_now_ms(q->loop) + (ms > 0 ? ms : 0);

    if (i->waiting || i->again)
        return;
    if (!i->timer)
        i->timer = loop_timer_new(q->loop, on_due, i);
    else if (loop_timer_active(i->timer) && i->due_ms <= due)
        return;
    i->due_ms = due;
    loop_timer_start(i->timer, ms);
}

void wq_add_after(struct workqueue *q, const char *key, int64_t ms)
{
    struct item *i = item_get(q, key);

    i->forget = false;
    delay(q, i, ms);
}

static bool is_idle(const struct item *i)
{
    return !i->waiting && !i->active && !(i->timer && loop_timer_active(i->timer));
}

/* A key with nothing to remember takes no memory. */
static void drop_if_idle(struct workqueue *q, struct item *i)
{
    if (!is_idle(i) || (i->failures && !i->forget))
        return;
    _cleanup_free_ char *key = xstrdup(i->key);
    map_del(q->items, key);
}

static struct item *finish(struct workqueue *q, const char *key, enum wq_result result)
{
    struct item *i = map_get(q->items, key);

    if (!i || !i->active)
        return NULL;
    i->active = false;
    q->active--;
    q->totals[result]++;
    if (q->options.observe)
        q->options.observe(q->options.observe_arg, q->name, i->waited_ns, time_mono_ns() - i->began_ns);
    if (result == WQ_OK)
        i->failures = 0;
    return i;
}

/* Adds again what was added while it was handled. True if so. */
static bool add_again(struct workqueue *q, struct item *i)
{
    if (!i->again)
        return false;
    i->again = false;
    wq_add(q, i->key);
    return true;
}

static int64_t backoff_of(const struct workqueue *q, const struct item *i)
{
    int64_t ms = q->options.backoff_min_ms;

    for (unsigned n = 0; n < i->failures && ms < q->options.backoff_max_ms; n++)
        ms *= 2;
    if (ms > q->options.backoff_max_ms)
        ms = q->options.backoff_max_ms;
    /* The same key and count give the same jitter, different keys spread. */
    uint64_t h = str_hash64(i->key, strlen(i->key), STR_HASH64_INIT + i->failures);
    return ms * 9 / 10 + (int64_t)(h % (uint64_t)(ms / 5 + 1));
}

void wq_done(struct workqueue *q, const char *key, enum wq_result result)
{
    struct item *i = finish(q, key, result);

    if (!i)
        return;
    if (result == WQ_RETRY && !i->forget) {
        int64_t ms = backoff_of(q, i);
        i->failures++;
        if (!add_again(q, i))
            delay(q, i, ms);
    } else if (!add_again(q, i)) {
        drop_if_idle(q, i);
    }
    schedule(q);
}

void wq_done_after(struct workqueue *q, const char *key, int64_t ms)
{
    struct item *i = finish(q, key, WQ_OK);

    if (!i)
        return;
    if (i->forget)
        drop_if_idle(q, i);
    else if (!add_again(q, i))
        delay(q, i, ms);
    schedule(q);
}

void wq_pause(struct workqueue *q, bool paused)
{
    if (q->paused && !paused)
        q->unpaused_ns = time_mono_ns();
    q->paused = paused;
    schedule(q);
}

void wq_forget(struct workqueue *q, const char *key)
{
    struct item *i = map_get(q->items, key);

    if (!i)
        return;
    stop_timer(i);
    i->again = false;
    i->failures = 0;
    if (i->waiting) {
        struct item **p = &q->head;
        while (*p != i)
            p = &(*p)->next;
        *p = i->next;
        if (!*p)
            q->tail = p;
        i->next = NULL;
        i->waiting = false;
        q->waiting--;
    }
    i->forget = true;
    drop_if_idle(q, i);
}

size_t wq_depth(const struct workqueue *q)
{
    return q->waiting;
}

size_t wq_active(const struct workqueue *q)
{
    return q->active;
}

unsigned wq_failures(const struct workqueue *q, const char *key)
{
    const struct item *i = map_get(q->items, key);

    return i ? i->failures : 0;
}

uint64_t wq_total(const struct workqueue *q, enum wq_result result)
{
    return q->totals[result];
}
