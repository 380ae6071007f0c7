/* The order of lines from many sources: what comes out, when, and what is marked late. */
#include "unit/unit.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "tail/merge.h"

#define MS INT64_C(1000000)
#define T0 (INT64_C(1700000000) * 1000 * MS)

struct out {
    struct buf text; /* "owner:line" of each, separated by blanks */
    int64_t last_ns;
    size_t lines, late, wrong, stop_after;
};

static bool emit(void *arg, void *owner, const struct tail_line *line)
{
    struct out *o = arg;

    buf_addf(&o->text, "%s%s%.*s", o->lines ? " " : "", (const char *)owner, (int)line->len, line->text);
    if (line->flags & TAIL_LATE)
        buf_addc(&o->text, '!');
    o->late += !!(line->flags & TAIL_LATE);
    o->wrong += line->ns && line->ns < o->last_ns;
    if (line->ns)
        o->last_ns = line->ns;
    o->lines++;
    return o->lines != o->stop_after;
}

static struct tail_merge *merge_of(struct out *o, int64_t window_ms)
{
    struct tail_merge_options options = {.window_ms = window_ms, .emit = emit, .arg = o};

    return tail_merge_new(&options);
}

static struct tail_lane *lane(struct tail_merge *m, const char *name, bool past, int64_t now)
{
    return tail_lane_new(m, (void *)(uintptr_t)name, past, now);
}

static struct tail_lane *present_lane(struct tail_merge *m, const char *name, int64_t now)
{
    struct tail_lane *l = lane(m, name, false, now);

    tail_lane_opened(l, now);
    return l;
}

/* A line written at `at` ms that arrives at `now`. */
static void put(struct tail_lane *l, const char *text, int64_t at, int64_t now)
{
    struct tail_line line = {.ns = T0 + at * MS, .text = text, .len = strlen(text)};

    tail_lane_put(l, &line, now, T0 + now * MS);
}

#define assert_out(o, want) assert_string_equal(buf_str(&(o)->text), want)

static void test_one_lane_waits_for_nothing(void **state _unused_)
{
    struct out o = {0};
    struct tail_merge *m = merge_of(&o, 250);
    struct tail_lane *a = present_lane(m, "a", 0);

    put(a, "1", 0, 5);
    put(a, "2", 1, 5);
    assert_int_equal(tail_merge_run(m, 5), -1);
    assert_out(&o, "a1 a2");
    tail_merge_free(m);
    buf_release(&o.text);
}

static void test_window(void **state _unused_)
{
    struct out o = {0};
    struct tail_merge *m = merge_of(&o, 250);
    struct tail_lane *a = present_lane(m, "a", 0), *b = present_lane(m, "b", 0);

    put(a, "2", 20, 30);
    assert_int_equal(tail_merge_run(m, 40), 240);
    put(b, "1", 10, 200); /* earlier, and still within the window */
    assert_int_equal(tail_merge_run(m, 200), 80);
    assert_out(&o, "b1");
    assert_int_equal(tail_merge_run(m, 279), 1);
    assert_int_equal(tail_merge_run(m, 280), -1);
    assert_out(&o, "b1 a2");
    put(b, "0", 5, 300); /* too late: given out all the same, and marked */
    tail_merge_run(m, 550);
    assert_out(&o, "b1 a2 b0!");
    put(b, "x", 5, 560);
    put(a, "3", 600, 601);
    tail_merge_run(m, 860);
    assert_int_equal(o.lines, 5);
    tail_merge_free(m);
    buf_release(&o.text);
}

static void test_all_lanes_have_lines(void **state _unused_)
{
    struct out o = {0};
    struct tail_merge *m = merge_of(&o, 250);
    struct tail_lane *a = present_lane(m, "a", 0), *b = present_lane(m, "b", 0), *c = present_lane(m, "c", 0);

    put(a, "1", 1, 10);
    put(b, "2", 2, 10);
    put(c, "3", 3, 10);
    put(a, "4", 4, 10);
    assert_int_equal(tail_merge_run(m, 10), 250);
    assert_out(&o, "a1 b2");
    tail_lane_end(a); /* nothing will follow its last line */
    tail_lane_away(b);
    tail_merge_run(m, 10);
    assert_out(&o, "a1 b2 c3");
    assert_int_equal(tail_merge_run(m, 259), 1);
    assert_int_equal(tail_merge_run(m, 260), -1);
    assert_out(&o, "a1 b2 c3 a4");
    assert_int_equal(tail_merge_stats(m).lanes, 2);
    assert_int_equal(o.late, 0);
    tail_merge_free(m);
    buf_release(&o.text);
}

static void test_past_is_waited_for(void **state _unused_)
{
    struct out o = {0};
    struct tail_merge *m = merge_of(&o, 250);
    struct tail_lane *a = lane(m, "a", true, 0), *b = lane(m, "b", true, 0);

    tail_lane_opened(a, 10);
    put(a, "2", -5000, 10);
    put(a, "4", -3000, 10);
    assert_int_equal(tail_merge_run(m, 10), 90); /* b may open and bring something earlier */
    tail_lane_opened(b, 80);
    put(b, "1", -6000, 80);
    put(b, "3", -4000, 200);
    tail_merge_run(m, 200);
    assert_out(&o, "b1 a2 b3");
    assert_int_equal(tail_merge_run(m, 440), 10); /* silent for the window: nothing more of its past */
    assert_int_equal(tail_merge_run(m, 450), -1);
    assert_out(&o, "b1 a2 b3 a4");
    /* Lines of the past do not wait for those who have come to the present. */
    struct tail_lane *c = lane(m, "c", true, 500);
    tail_lane_opened(c, 510);
    put(c, "5", -2500, 511);
    put(c, "6", -2400, 511);
    tail_merge_run(m, 511);
    assert_out(&o, "b1 a2 b3 a4 c5 c6");
    assert_int_equal(o.late, 0);
    tail_merge_free(m);
    buf_release(&o.text);
}

static void test_silent_lanes_keep_nobody(void **state _unused_)
{
    struct out o = {0};
    struct tail_merge *m = merge_of(&o, 250);
    struct tail_lane *a = lane(m, "a", true, 0);

    lane(m, "never opens", true, 0);
    struct tail_lane *c = lane(m, "opens, no lines", true, 0);
    tail_lane_opened(a, 5);
    tail_lane_opened(c, 5);
    put(a, "1", -9000, 5);
    assert_int_equal(tail_merge_run(m, 5), 60); /* c first */
    assert_int_equal(tail_merge_run(m, 65), 35);
    assert_int_equal(tail_merge_run(m, 100), -1);
    assert_out(&o, "a1");
    tail_merge_free(m);
    buf_release(&o.text);
}

static void test_arrival_order(void **state _unused_)
{
    struct out o = {0};
    struct tail_merge *m = merge_of(&o, 0);
    struct tail_lane *a = lane(m, "a", true, 0), *b = lane(m, "b", true, 0);

    put(a, "1", 50, 1);
    put(b, "2", 10, 2);
    put(a, "3", 60, 3);
    assert_int_equal(tail_merge_run(m, 3), -1);
    assert_out(&o, "a1 b2! a3");
    tail_merge_free(m);
    buf_release(&o.text);
}

static void test_enough(void **state _unused_)
{
    struct out o = {.stop_after = 2};
    struct tail_merge *m = merge_of(&o, 250);
    struct tail_lane *a = present_lane(m, "a", 0);

    for (int i = 0; i < 5; i++)
        put(a, "x", i, 5);
    assert_int_equal(tail_merge_run(m, 5), 0);
    assert_int_equal(o.lines, 2);
    assert_int_equal(tail_merge_run(m, 5), -1);
    assert_int_equal(o.lines, 5);
    o.stop_after = 6;
    put(a, "x", 6, 6);
    put(a, "y", 7, 6);
    tail_merge_flush(m);
    assert_int_equal(o.lines, 7);
    tail_merge_free(m);
    buf_release(&o.text);
}

static void test_lines_without_time(void **state _unused_)
{
    struct out o = {0};
    struct tail_merge *m = merge_of(&o, 250);
    struct tail_lane *a = present_lane(m, "a", 0), *b = present_lane(m, "b", 0);
    struct tail_line line = {.text = "-", .len = 1};

    put(a, "1", 10, 20);
    tail_lane_put(a, &line, 20, T0);
    put(b, "2", 15, 20);
    tail_merge_run(m, 300);
    assert_out(&o, "a1 a- b2");
    tail_merge_free(m);
    buf_release(&o.text);
}

static void test_memory_is_bounded(void **state _unused_)
{
    struct out o = {0};
    struct tail_merge_options options = {.window_ms = 250, .max_bytes = 64 * 1024, .emit = emit, .arg = &o};
    struct tail_merge *m = tail_merge_new(&options);
    struct tail_lane *a = present_lane(m, "a", 0), *b = present_lane(m, "b", 0);
    _cleanup_free_ char *text = xcalloc(1, 1001);
    size_t n = 0;

    memset(text, 'x', 1000);
    for (; !tail_lane_full(a); n++)
        put(a, text, 1, 1);
    assert_in_range(n, 25, 35);
    assert_false(tail_lane_full(b));
    assert_in_range(tail_merge_stats(m).bytes, 25 * 1000, 40 * 1024);
    tail_merge_run(m, 300);
    assert_false(tail_lane_full(a));
    assert_int_equal(tail_merge_stats(m).bytes, 0);
    assert_int_equal(o.lines, n);
    /* One line may be larger than all that. */
    _cleanup_free_ char *huge = xcalloc(1, 300001);
    memset(huge, 'y', 300000);
    put(b, huge, 400, 400);
    assert_true(tail_lane_full(b));
    tail_merge_flush(m);
    assert_int_equal(o.lines, n + 1);
    tail_merge_free(m);
    buf_release(&o.text);
}

/* Property: lanes that differ in delay by less than the window come out in order, each line once, whatever
 * their rates and however their streams break off in between. */

enum { LANES = 40, RUN_MS = 20000, PAST_LINES = 500 };

struct sim {
    struct tail_lane *lane;
    int64_t delay, period, seq, away_until, next_ms, past;
};

struct check {
    int64_t last_ns;
    int64_t seq[LANES];
    size_t lines, late, wrong, missing;
};

static bool check_emit(void *arg, void *owner, const struct tail_line *line)
{
    struct check *c = arg;
    size_t lane = (size_t)(uintptr_t)owner;
    char text[32] = "";

    memcpy(text, line->text, line->len < 31 ? line->len : 31);
    int64_t seq = strtoll(text, NULL, 10);
    c->missing += seq != c->seq[lane] + 1;
    c->seq[lane] = seq;
    c->wrong += line->ns < c->last_ns;
    c->last_ns = line->ns;
    c->late += !!(line->flags & TAIL_LATE);
    c->lines++;
    return true;
}

static void sim_put(struct sim *s, int64_t at, int64_t now)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)++s->seq);
    put(s->lane, text, at, now);
}

/* Everything that was written while it was away or under way comes when it can. */
static void sim_step(struct sim *s, int64_t now, bool *opened)
{
    if (now < s->away_until)
        return;
    if (!*opened) {
        tail_lane_opened(s->lane, now);
        *opened = true;
    }
    /* The past arrives in pieces, with pauses below the window. */
    if (s->past > 0 && now % 7 == 0)
        for (int i = 0; i < 13 && s->past > 0; i++, s->past--)
            sim_put(s, -100000 - s->past * 100 + s->delay, now);
    if (s->past > 0)
        return;
    for (; s->next_ms + s->delay <= now; s->next_ms += s->period)
        sim_put(s, s->next_ms, now);
}

static void test_property(void **state _unused_)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct check c = {.last_ns = INT64_MIN};
        struct tail_merge_options options = {.window_ms = 250, .emit = check_emit, .arg = &c};
        struct tail_merge *m = tail_merge_new(&options);
        struct sim sims[LANES];
        bool opened[LANES] = {false};
        unsigned r = seed;
        int64_t total = 0;

        for (size_t i = 0; i < LANES; i++) {
            sims[i] = (struct sim){.lane = tail_lane_new(m, (void *)i, true, 0),
                                   .delay = rand_r(&r) % 240,
                                   .period = 1 + rand_r(&r) % (i % 5 ? 50 : 3000),
                                   .away_until = rand_r(&r) % 90,
                                   .past = rand_r(&r) % PAST_LINES};
        }
        for (int64_t now = 0; now < RUN_MS; now++) {
            for (size_t i = 0; i < LANES; i++)
                sim_step(&sims[i], now, &opened[i]);
            tail_merge_run(m, now);
            assert_true(tail_merge_stats(m).waiting <= LANES);
        }
        tail_merge_flush(m);
        for (size_t i = 0; i < LANES; i++)
            total += sims[i].seq;
        assert_int_equal(c.lines, total);
        assert_int_equal(c.missing, 0);
        assert_int_equal(c.wrong, 0);
        assert_int_equal(c.late, 0);
        tail_merge_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_lane_waits_for_nothing),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_all_lanes_have_lines),
        cmocka_unit_test(test_past_is_waited_for),
        cmocka_unit_test(test_silent_lanes_keep_nobody),
        cmocka_unit_test(test_arrival_order),
        cmocka_unit_test(test_enough),
        cmocka_unit_test(test_lines_without_time),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_property),
    };

    return cmocka_run_group_tests_name("tail merge", tests, NULL, NULL);
}
