#include "base/loop.h"

#include <stdio.h>
#include <uv.h>

#include "base/fiber.h"
#include "base/loop_uv.h"
#include "base/mem.h"

/*
 * All timers live in one binary heap ordered by (due, sequence) and one uv_timer wakes for the first: the
 * same code then serves the real and the fake clock. Handles that wrap a uv handle are freed in its close
 * callback.
 */
struct loop {
    uv_loop_t uv;
    uv_timer_t wake;
    uv_idle_t idle; /* active while deferred calls wait, so that a turn does not block */
    struct loop_timer **heap;
    size_t heap_len, heap_cap;
    uint64_t next_seq;
    struct loop_defer *defer_head, **defer_tail;
    int64_t fake_now;
    bool fake;
    bool stopped;
};

struct loop_timer {
    struct loop *loop;
    loop_fn fn;
    void *arg;
    int64_t due;
    uint64_t seq;
    size_t pos; /* place in the heap, SIZE_MAX when stopped */
};

struct loop_defer {
    struct loop_defer *next;
    loop_fn fn; /* NULL: cancelled */
    void *arg;
};

struct loop_io {
    uv_poll_t uv;
    loop_io_fn fn;
    void *arg;
    int events;
};

struct loop_signal {
    uv_signal_t uv;
    loop_signal_fn fn;
    void *arg;
};

static void run_deferred(uv_idle_t *idle);
static void on_wake(uv_timer_t *t);

static void must(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "%s: %s\n", what, uv_strerror(r));
        abort();
    }
}

struct loop *loop_new(void)
{
    struct loop *l = xcalloc(1, sizeof(*l));

    must(uv_loop_init(&l->uv), "event loop");
    must(uv_timer_init(&l->uv, &l->wake), "event loop timer");
    must(uv_idle_init(&l->uv, &l->idle), "event loop idle");
    l->wake.data = l;
    l->idle.data = l;
    l->defer_tail = &l->defer_head;
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    while (l->defer_head) {
        struct loop_defer *d = l->defer_head;
        l->defer_head = d->next;
        free(d);
    }
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->idle, NULL);
    /* Close callbacks of handles freed just before still have to run. */
    while (uv_run(&l->uv, UV_RUN_NOWAIT) != 0)
        ;
    must(uv_loop_close(&l->uv), "event loop closed with live handles");
    free(l->heap);
    free(l);
}

int64_t loop_now_ms(const struct loop *l)
{
    return l->fake ? l->fake_now : (int64_t)(uv_hrtime() / 1000000);
}

/* Timer heap */

static bool timer_before(const struct loop_timer *a, const struct loop_timer *b)
{
    return a->due != b->due ? a->due < b->due : a->seq < b->seq;
}

static void heap_put(struct loop *l, size_t i, struct loop_timer *t)
{
    l->heap[i] = t;
    t->pos = i;
}

static void heap_fix(struct loop *l, size_t i)
{
    struct loop_timer *t = l->heap[i];

    while (i && timer_before(t, l->heap[(i - 1) / 2])) {
        heap_put(l, i, l->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= l->heap_len)
            break;
        if (child + 1 < l->heap_len && timer_before(l->heap[child + 1], l->heap[child]))
            child++;
        if (!timer_before(l->heap[child], t))
            break;
        heap_put(l, i, l->heap[child]);
        i = child;
    }
    heap_put(l, i, t);
}

static void arm_wake(struct loop *l)
{
    if (l->fake || !l->heap_len) {
        uv_timer_stop(&l->wake);
        return;
    }
    int64_t wait = l->heap[0]->due - loop_now_ms(l);
    uv_update_time(&l->uv);
    uv_timer_start(&l->wake, on_wake, wait > 0 ? (uint64_t)wait : 0, 0);
}

static void heap_remove(struct loop *l, struct loop_timer *t)
{
    size_t i = t->pos;
    struct loop_timer *last = l->heap[--l->heap_len];

    t->pos = SIZE_MAX;
    if (last != t) {
        heap_put(l, i, last);
        heap_fix(l, i);
    }
}

static void fire_due(struct loop *l)
{
    int64_t now = loop_now_ms(l);

    /* Only what was due when this began: a timer restarted with 0 ms waits for the next turn. */
    uint64_t seq = l->next_seq;
    while (l->heap_len && l->heap[0]->due <= now && l->heap[0]->seq < seq && !l->stopped) {
        struct loop_timer *t = l->heap[0];
        heap_remove(l, t);
        t->fn(t->arg);
    }
}

static void on_wake(uv_timer_t *uv)
{
    struct loop *l = uv->data;

    fire_due(l);
    /* A stopped loop leaves due timers alone: they are armed again when it runs again. What is due at once,
     * because it was restarted in its own callback, waits a millisecond: libuv would otherwise serve timers
     * only, for ever. */
    if (l->stopped || l->fake || !l->heap_len)
        return;
    int64_t wait = l->heap[0]->due - loop_now_ms(l);
    uv_timer_start(&l->wake, on_wake, wait > 0 ? (uint64_t)wait : 1, 0);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_fn fn, void *arg)
{
    struct loop_timer *t = xcalloc(1, sizeof(*t));

    *t = (struct loop_timer){.loop = l, .fn = fn, .arg = arg, .pos = SIZE_MAX};
    return t;
}

void loop_timer_start(struct loop_timer *t, int64_t ms)
{
    struct loop *l = t->loop;

    if (t->pos != SIZE_MAX)
        heap_remove(l, t);
    t->due = loop_now_ms(l) + (ms > 0 ? ms : 0);
    t->seq = l->next_seq++;
    if (l->heap_len == l->heap_cap) {
        l->heap_cap = l->heap_cap ? l->heap_cap * 2 : 16;
        l->heap = xreallocarray(l->heap, l->heap_cap, sizeof(struct loop_timer *));
    }
    heap_put(l, l->heap_len, t);
    l->heap_len++;
    heap_fix(l, l->heap_len - 1);
    arm_wake(l);
}

void loop_timer_stop(struct loop_timer *t)
{
    if (t->pos == SIZE_MAX)
        return;
    heap_remove(t->loop, t);
    arm_wake(t->loop);
}

bool loop_timer_active(const struct loop_timer *t)
{
    return t->pos != SIZE_MAX;
}

void loop_timer_free(struct loop_timer *t)
{
    if (!t)
        return;
    loop_timer_stop(t);
    free(t);
}

void loop_fake_clock(struct loop *l, int64_t start_ms)
{
    l->fake = true;
    l->fake_now = start_ms;
    arm_wake(l);
}

void loop_advance(struct loop *l, int64_t ms)
{
    int64_t end = l->fake_now + ms;

    while (l->heap_len && l->heap[0]->due <= end) {
        if (l->heap[0]->due > l->fake_now)
            l->fake_now = l->heap[0]->due;
        fire_due(l);
        loop_turn(l, false);
    }
    l->fake_now = end;
    loop_turn(l, false);
}

/* Deferred calls */

struct loop_defer *loop_defer(struct loop *l, loop_fn fn, void *arg)
{
    struct loop_defer *d = xcalloc(1, sizeof(*d));

    *d = (struct loop_defer){.fn = fn, .arg = arg};
    *l->defer_tail = d;
    l->defer_tail = &d->next;
    uv_idle_start(&l->idle, run_deferred);
    return d;
}

void loop_defer_cancel(struct loop_defer *d)
{
    if (d)
        d->fn = NULL;
}

static void run_deferred(uv_idle_t *idle)
{
    struct loop *l = idle->data;
    struct loop_defer *list = l->defer_head;

    l->defer_head = NULL;
    l->defer_tail = &l->defer_head;
    while (list) {
        struct loop_defer *d = list;
        list = d->next;
        loop_fn fn = d->fn;
        void *arg = d->arg;
        free(d);
        if (fn)
            fn(arg);
        /* A handler may cancel a later entry: it is still on `list`, so the flag is seen. */
    }
    if (!l->defer_head)
        uv_idle_stop(idle);
}

/* Running */

void loop_run(struct loop *l)
{
    l->stopped = false;
    arm_wake(l);
    while (!l->stopped && uv_run(&l->uv, UV_RUN_ONCE) != 0)
        ;
}

void loop_stop(struct loop *l)
{
    l->stopped = true;
    uv_stop(&l->uv);
}

bool loop_turn(struct loop *l, bool wait)
{
    if (fiber_current()) {
        fiber_yield();
        return true;
    }
    if (l->stopped) {
        l->stopped = false;
        arm_wake(l);
    }
    return uv_run(&l->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0;
}

bool loop_wait(struct loop *l, const bool *flag)
{
    if (fiber_current())
        return fiber_wait(flag);
    while (!*flag)
        loop_turn(l, true);
    return true;
}

/* Descriptors */

static void free_handle(uv_handle_t *h)
{
    free(h->data);
}

static void on_poll(uv_poll_t *uv, int status, int events)
{
    struct loop_io *io = uv->data;
    int ready = (events & UV_READABLE ? LOOP_READ : 0) | (events & UV_WRITABLE ? LOOP_WRITE : 0);

    io->fn(io->arg, ready, status < 0);
}

struct loop_io *loop_io_new(struct loop *l, int fd, loop_io_fn fn, void *arg)
{
    struct loop_io *io = xcalloc(1, sizeof(*io));

    io->fn = fn;
    io->arg = arg;
    int r = uv_poll_init(&l->uv, &io->uv, fd);
    must(r, "watch a descriptor");
    io->uv.data = io;
    return io;
}

void loop_io_set(struct loop_io *io, int events)
{
    if (events == io->events)
        return;
    io->events = events;
    if (!events) {
        uv_poll_stop(&io->uv);
        return;
    }
    uv_poll_start(&io->uv, (events & LOOP_READ ? UV_READABLE : 0) | (events & LOOP_WRITE ? UV_WRITABLE : 0),
                  on_poll);
}

void loop_io_free(struct loop_io *io)
{
    if (!io)
        return;
    uv_poll_stop(&io->uv);
    uv_close((uv_handle_t *)&io->uv, free_handle);
}

/* Signals */

static void on_signal(uv_signal_t *uv, int signum)
{
    struct loop_signal *s = uv->data;

    s->fn(s->arg, signum);
}

struct loop_signal *loop_signal_new(struct loop *l, int signum, loop_signal_fn fn, void *arg)
{
    struct loop_signal *s = xcalloc(1, sizeof(*s));

    s->fn = fn;
    s->arg = arg;
    must(uv_signal_init(&l->uv, &s->uv), "watch a signal");
    s->uv.data = s;
    must(uv_signal_start(&s->uv, on_signal, signum), "watch a signal");
    uv_unref((uv_handle_t *)&s->uv);
    return s;
}

void loop_signal_free(struct loop_signal *s)
{
    if (!s)
        return;
    uv_signal_stop(&s->uv);
    uv_close((uv_handle_t *)&s->uv, free_handle);
}

uv_loop_t *loop_uv(struct loop *l)
{
    return &l->uv;
}
