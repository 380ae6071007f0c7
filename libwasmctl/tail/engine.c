#include "tail/engine.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/timefmt.h"

enum { BATCH_MOST = 64 * 1024 };

struct tail_source {
    struct tail_engine *engine;
    struct tail_lane *lane; /* NULL once it is gone */
    struct tail_info info;
    struct tail_style *style;
    void (*room)(void *arg);
    void *arg;
    bool ended;
    struct tail_source *full_next;
    bool full;
};

struct tail_engine {
    struct tail_engine_options options;
    struct tail_merge *merge;
    struct loop_defer *defer;
    struct loop_timer *timer;
    struct buf out;
    struct tail_source *full; /* those that hold back */
    struct tail_engine_stats stats;
    bool enough; /* the output takes no more for now */
};

static bool write_out(struct tail_engine *e)
{
    if (!e->out.len)
        return true;
    bool more = e->options.write(e->options.arg, e->out.data, e->out.len);
    buf_truncate(&e->out, 0);
    return more;
}

static bool on_emit(void *arg, void *owner, const struct tail_line *line)
{
    struct tail_engine *e = arg;
    struct tail_source *s = owner;

    tail_format_line(e->options.format, &e->out, s->style, line);
    e->stats.shown++;
    e->stats.late += !!(line->flags & TAIL_LATE);
    if (e->out.len < BATCH_MOST)
        return true;
    e->enough = !write_out(e);
    return !e->enough;
}

static void source_free(struct tail_source *s)
{
    struct tail_engine *e = s->engine;

    for (struct tail_source **at = &e->full; s->full; at = &(*at)->full_next)
        if (*at == s) {
            *at = s->full_next;
            break;
        }
    tail_style_free(s->style);
    tail_info_release(&s->info);
    e->stats.sources--;
    free(s);
}

static void on_gone(void *arg _unused_, void *owner)
{
    source_free(owner);
}

/* Sources that held back and have room again are told, each once. */
static void make_room(struct tail_engine *e)
{
    struct tail_source **at = &e->full;

    while (*at) {
        struct tail_source *s = *at;
        if (!s->ended && tail_lane_full(s->lane)) {
            at = &s->full_next;
            continue;
        }
        *at = s->full_next;
        s->full = false;
        if (!s->ended)
            s->room(s->arg);
    }
}

static void run(struct tail_engine *e)
{
    int64_t wait = 0;

    while (!e->enough && wait == 0)
        wait = tail_merge_run(e->merge, loop_now_ms(e->options.loop));
    if (!e->enough)
        e->enough = !write_out(e);
    if (!e->enough && wait > 0)
        loop_timer_start(e->timer, wait);
    make_room(e);
}

static void on_timer(void *arg)
{
    run(arg);
}

static void on_defer(void *arg)
{
    struct tail_engine *e = arg;

    e->defer = NULL;
    run(e);
}

static void soon(struct tail_engine *e)
{
    if (!e->defer && !e->enough)
        e->defer = loop_defer(e->options.loop, on_defer, e);
}

struct tail_engine *tail_engine_new(const struct tail_engine_options *options)
{
    struct tail_engine *e = xcalloc(1, sizeof(*e));
    struct tail_merge_options merge = {.window_ms = options->window_ms,
                                       .patience_ms = options->patience_ms,
                                       .max_bytes = options->max_bytes,
                                       .emit = on_emit,
                                       .gone = on_gone,
                                       .arg = e};

    e->options = *options;
    e->merge = tail_merge_new(&merge);
    e->timer = loop_timer_new(options->loop, on_timer, e);
    return e;
}

void tail_engine_free(struct tail_engine *e)
{
    if (!e)
        return;
    tail_merge_free(e->merge);
    loop_defer_cancel(e->defer);
    loop_timer_free(e->timer);
    buf_release(&e->out);
    free(e);
}

void tail_engine_more(struct tail_engine *e)
{
    e->enough = false;
    soon(e);
}

void tail_engine_flush(struct tail_engine *e)
{
    tail_merge_flush(e->merge);
    e->enough = !write_out(e);
}

bool tail_engine_idle(const struct tail_engine *e)
{
    return !e->enough && !e->out.len && !tail_merge_stats(e->merge).waiting;
}

struct tail_engine_stats tail_engine_stats(const struct tail_engine *e)
{
    struct tail_engine_stats s = e->stats;

    s.waiting_bytes = tail_merge_stats(e->merge).bytes;
    return s;
}

struct tail_source *tail_source_new(struct tail_engine *e, struct tail_info *info, unsigned siblings,
                                    bool past, void (*room)(void *arg), void *arg)
{
    struct tail_source *s = xcalloc(1, sizeof(*s));

    *s = (struct tail_source){.engine = e, .info = *info, .room = room, .arg = arg};
    *info = (struct tail_info){0};
    s->style = tail_style_new(e->options.format, &s->info, siblings);
    s->lane = tail_lane_new(e->merge, s, past, loop_now_ms(e->options.loop));
    e->stats.sources++;
    return s;
}

const struct tail_info *tail_source_info(const struct tail_source *s)
{
    return &s->info;
}

void tail_source_opened(struct tail_source *s)
{
    tail_lane_opened(s->lane, loop_now_ms(s->engine->options.loop));
    soon(s->engine);
}

void tail_source_away(struct tail_source *s)
{
    tail_lane_away(s->lane);
    soon(s->engine);
}

bool tail_source_line(struct tail_source *s, const struct tail_line *line)
{
    struct tail_engine *e = s->engine;
    bool own = !(line->flags & (TAIL_GAP | TAIL_NOTICE));

    e->stats.lines += own;
    e->stats.bytes += own ? line->len : 0;
    e->stats.gaps += !!(line->flags & TAIL_GAP);
    int64_t now = loop_now_ms(e->options.loop), wall = time_now_ns();
    if (own && e->options.filter && !tail_filter_passes(e->options.filter, line->text, line->len)) {
        tail_lane_heard(s->lane, line->ns, now, wall);
        return true;
    }
    tail_lane_put(s->lane, line, now, wall);
    soon(e);
    if (!tail_lane_full(s->lane))
        return true;
    if (!s->full) {
        s->full = true;
        s->full_next = e->full;
        e->full = s;
    }
    return false;
}

void tail_source_end(struct tail_source *s)
{
    struct tail_engine *e = s->engine;

    s->ended = true;
    tail_lane_end(s->lane);
    soon(e);
}
