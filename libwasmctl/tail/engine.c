#include "tail/engine.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "tail/join.h"

enum {
    BATCH_MOST = 64 * 1024,
    LOOK_AGAIN_MS = 50,
    BURST = 1024 * 1024,      /* of lines that wait: memory worth giving back, */
    GIVE_BACK_MS = 10 * 1000, /* but not all the time */
};

/* What is counted for each context. */
struct tally {
    char *context;
    struct tail_engine_stats stats;
    size_t silent;
};

struct tail_source {
    struct tail_engine *engine;
    struct tail_lane *lane; /* NULL once it is gone */
    struct tail_info info;
    struct tail_style *style;
    struct tally *tally;
    bool silent;
    void (*room)(void *arg);
    void *arg;
    bool ended;
    struct tail_source *full_next;
    bool full;
    struct tail_join *join;
    struct tail_source *open_next; /* of those with a record that has not ended */
    bool open;
};

struct tail_engine {
    struct tail_engine_options options;
    struct tail_merge *merge;
    struct loop_defer *defer;
    struct loop_timer *timer;
    struct buf out;
    struct tail_source *full; /* those that hold back */
    struct tail_source *open; /* those with a record that has not ended */
    struct loop_timer *ends;  /* of such records */
    struct tail_engine_stats stats;
    VEC(struct tally *) tallies;
    /* The last lines of before the start (options.total), formatted: a ring. */
    char **held;
    size_t nheld, held_first;
    bool holding, begun;
    struct loop_defer *tell_over;
    bool handed;           /* to line(), since write() was called */
    bool over;             /* the last line was given out */
    bool enough;           /* the output takes no more for now */
    size_t peak;           /* of bytes that waited since memory was given back */
    int64_t given_back_ms; /* 0 = never */
};

/* Lines of the source in it. */
static size_t lines_of(const struct tail_line *line)
{
    size_t n = 1;

    for (const char *p = line->text, *end = p + line->len; line->flags & TAIL_RECORD; n++) {
        p = memchr(p, '\n', (size_t)(end - p));
        if (!p++)
            break;
    }
    return n;
}

static bool write_out(struct tail_engine *e)
{
    if (!e->out.len && !e->handed)
        return true;
    e->handed = false;
    bool more = e->options.write(e->options.arg, buf_str(&e->out), e->out.len);
    buf_truncate(&e->out, 0);
    return more;
}

/* A line from before the start, of which only the last ones are wanted. */
static void hold(struct tail_engine *e, struct tail_source *s, const struct tail_line *line)
{
    struct buf text = BUF_INIT;

    tail_format_line(e->options.format, &text, s->style, line);
    if (e->nheld == e->options.total) {
        free(e->held[e->held_first]);
        e->held[e->held_first] = buf_take(&text);
        e->held_first = (e->held_first + 1) % e->options.total;
        return;
    }
    e->held[(e->held_first + e->nheld++) % e->options.total] = buf_take(&text);
}

static void release_held(struct tail_engine *e)
{
    e->holding = false;
    for (size_t i = 0; i < e->nheld; i++) {
        char *text = e->held[(e->held_first + i) % e->options.total];
        buf_adds(&e->out, text);
        free(text);
    }
    e->stats.shown += e->nheld;
    e->nheld = 0;
}

static void on_over(void *arg)
{
    struct tail_engine *e = arg;

    e->tell_over = NULL;
    if (e->options.over)
        e->options.over(e->options.arg);
}

static bool on_emit(void *arg, void *owner, const struct tail_line *line)
{
    struct tail_engine *e = arg;
    struct tail_source *s = owner;
    const struct tail_engine_options *o = &e->options;
    bool own = !(line->flags & (TAIL_GAP | TAIL_NOTICE));

    if (e->over || (o->until_ns && line->ns >= o->until_ns))
        return true;
    if (e->holding && line->ns < o->total_ns && own) {
        hold(e, s, line);
        s->tally->stats.shown++;
        return true;
    }
    if (e->holding && line->ns >= o->total_ns)
        release_held(e);
    size_t n = lines_of(line);
    if (o->line) {
        o->line(o->arg, &s->info, line);
        e->handed = true;
    }
    if (o->format)
        tail_format_line(o->format, &e->out, s->style, line);
    e->stats.shown += n;
    e->stats.late += !!(line->flags & TAIL_LATE);
    s->tally->stats.shown += n;
    s->tally->stats.late += !!(line->flags & TAIL_LATE);
    if (o->until && own && tail_filter_passes(o->until, line->text, line->len)) {
        e->over = true;
        e->tell_over = loop_defer(o->loop, on_over, e);
    }
    if (e->out.len < BATCH_MOST)
        return true;
    e->enough = !write_out(e);
    return !e->enough;
}

static void leave_open(struct tail_source *s)
{
    for (struct tail_source **at = &s->engine->open; s->open; at = &(*at)->open_next)
        if (*at == s) {
            *at = s->open_next;
            s->open = false;
            return;
        }
}

static void source_free(struct tail_source *s)
{
    struct tail_engine *e = s->engine;

    leave_open(s);
    tail_join_free(s->join);

    for (struct tail_source **at = &e->full; s->full; at = &(*at)->full_next)
        if (*at == s) {
            *at = s->full_next;
            break;
        }
    tail_style_free(s->style);
    tail_info_release(&s->info);
    s->tally->stats.sources--;
    s->tally->silent -= s->silent;
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

/* History comes in a burst, and what follows it for days needs little: the heap would stay as large. */
static void give_back(struct tail_engine *e)
{
    size_t waiting = tail_merge_stats(e->merge).bytes;
    int64_t now = loop_now_ms(e->options.loop);

    if (waiting > e->peak)
        e->peak = waiting;
    if (e->peak < BURST || waiting > e->peak / 4 ||
        (e->given_back_ms && now - e->given_back_ms < GIVE_BACK_MS))
        return;
    e->peak = waiting;
    e->given_back_ms = now;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static void run(struct tail_engine *e)
{
    int64_t wait = 0;

    give_back(e);
    while (!e->enough && wait == 0)
        wait = tail_merge_run(e->merge, loop_now_ms(e->options.loop));
    if (e->holding && e->begun && !tail_merge_in_past(e->merge, loop_now_ms(e->options.loop)))
        release_held(e);
    if (e->holding && (wait < 0 || wait > LOOK_AGAIN_MS))
        wait = LOOK_AGAIN_MS;
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

static bool put(struct tail_source *s, const struct tail_line *line)
{
    struct tail_engine *e = s->engine;
    bool own = !(line->flags & (TAIL_GAP | TAIL_NOTICE));
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

static void on_record(void *arg, const struct tail_line *record)
{
    put(arg, record);
}

/* Records that nothing was added to for a while have ended. */
static void on_records_end(void *arg)
{
    struct tail_engine *e = arg;
    int64_t now = loop_now_ms(e->options.loop), next = -1;

    for (struct tail_source **at = &e->open; *at;) {
        struct tail_source *s = *at;
        int64_t due = tail_join_due(s->join);
        if (due > now) {
            next = next < 0 || due < next ? due : next;
            at = &s->open_next;
            continue;
        }
        *at = s->open_next;
        s->open = false;
        tail_join_flush(s->join);
    }
    if (next >= 0)
        loop_timer_start(e->ends, next - now);
}

struct tail_engine *tail_engine_new(const struct tail_engine_options *options)
{
    struct tail_engine *e = xcalloc(1, sizeof(*e));
    /* A record comes so much later than its first line. */
    int64_t joining_ms = options->join && options->window_ms ? TAIL_JOIN_MS : 0;
    struct tail_merge_options merge = {.window_ms = options->window_ms + joining_ms,
                                       .patience_ms = options->patience_ms,
                                       .max_bytes = options->max_bytes,
                                       .emit = on_emit,
                                       .gone = on_gone,
                                       .arg = e};

    e->options = *options;
    e->merge = tail_merge_new(&merge);
    e->timer = loop_timer_new(options->loop, on_timer, e);
    e->ends = loop_timer_new(options->loop, on_records_end, e);
    e->holding = options->total > 0;
    e->held = xcalloc(options->total, sizeof(*e->held));
    return e;
}

void tail_engine_free(struct tail_engine *e)
{
    if (!e)
        return;
    tail_merge_free(e->merge);
    for (size_t i = 0; i < e->nheld; i++)
        free(e->held[(e->held_first + i) % e->options.total]);
    free(e->held);
    for (size_t i = 0; i < e->tallies.len; i++) {
        free(e->tallies.items[i]->context);
        free(e->tallies.items[i]);
    }
    free(e->tallies.items);
    loop_defer_cancel(e->tell_over);
    loop_defer_cancel(e->defer);
    loop_timer_free(e->timer);
    loop_timer_free(e->ends);
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
    while (e->open) {
        struct tail_source *s = e->open;
        leave_open(s);
        tail_join_flush(s->join);
    }
    tail_merge_flush(e->merge);
    if (e->holding)
        release_held(e);
    e->enough = !write_out(e);
}

void tail_engine_begun(struct tail_engine *e)
{
    e->begun = true;
    soon(e);
}

bool tail_engine_context(const struct tail_engine *e, size_t i, struct tail_context_stats *ret)
{
    if (i >= e->tallies.len)
        return false;
    const struct tally *t = e->tallies.items[i];
    *ret = (struct tail_context_stats){t->context, t->stats, t->silent};
    return true;
}

static struct tally *tally_of(struct tail_engine *e, const char *context)
{
    for (size_t i = 0; i < e->tallies.len; i++)
        if (streq(e->tallies.items[i]->context, context))
            return e->tallies.items[i];
    struct tally *t = xcalloc(1, sizeof(*t));
    t->context = xstrdup(context);
    vec_push(&e->tallies, t);
    return t;
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
    if (e->options.format)
        s->style = tail_style_new(e->options.format, &s->info, siblings);
    if (e->options.join) {
        struct tail_join_options join = {.begins = e->options.begins, .record = on_record, .arg = s};
        s->join = tail_join_new(&join);
    }
    s->lane = tail_lane_new(e->merge, s, past, loop_now_ms(e->options.loop));
    s->tally = tally_of(e, s->info.context ? s->info.context : "");
    s->silent = true;
    s->tally->silent++;
    s->tally->stats.sources++;
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
    s->tally->stats.lines += own;
    s->tally->stats.bytes += own ? line->len : 0;
    s->tally->stats.gaps += !!(line->flags & TAIL_GAP);
    s->tally->silent -= s->silent;
    s->silent = false;
    if (!s->join)
        return put(s, line);
    int64_t now = loop_now_ms(e->options.loop);
    if (!own) {
        tail_join_flush(s->join);
        return put(s, line);
    }
    tail_join_line(s->join, line, now);
    if (!s->open) {
        s->open = true;
        s->open_next = e->open;
        e->open = s;
    }
    if (!loop_timer_active(e->ends))
        loop_timer_start(e->ends, TAIL_JOIN_MS);
    tail_lane_heard(s->lane, 0, now, 0);
    return !s->full;
}

void tail_source_heard(struct tail_source *s, int64_t ns)
{
    tail_lane_heard(s->lane, ns, loop_now_ms(s->engine->options.loop), time_now_ns());
}

void tail_source_end(struct tail_source *s)
{
    struct tail_engine *e = s->engine;

    if (s->join)
        tail_join_flush(s->join);
    leave_open(s);
    s->ended = true;
    tail_lane_end(s->lane);
    soon(e);
}
