#include "unit/unit.h"

#include "base/buf.h"
#include "base/loop.h"

struct note {
    struct buf *log;
    char letter;
    struct loop_timer *timer, *other;
    struct loop_defer *defer;
    struct loop *loop;
};

static void write_letter(void *arg)
{
    struct note *n = arg;

    buf_addc(n->log, n->letter);
}

static void write_and_free(void *arg)
{
    struct note *n = arg;

    buf_addc(n->log, n->letter);
    loop_timer_free(n->timer);
    if (n->other)
        loop_timer_stop(n->other);
}

static void test_timer_order(void **state _unused_)
{
    _cleanup_loop_ struct loop *l = loop_new();
    _cleanup_buf_ struct buf log = BUF_INIT;
    struct note notes[4] = {{&log, 'a'}, {&log, 'b'}, {&log, 'c'}, {&log, 'd'}};
    static const int64_t due[] = {30, 10, 20, 10};

    loop_fake_clock(l, 1000);
    for (int i = 0; i < 4; i++) {
        notes[i].timer = loop_timer_new(l, write_letter, &notes[i]);
        loop_timer_start(notes[i].timer, due[i]);
    }
    loop_advance(l, 9);
    assert_string_equal(buf_str(&log), "");
    loop_advance(l, 1);
    assert_string_equal(buf_str(&log), "bd");
    loop_advance(l, 100);
    assert_string_equal(buf_str(&log), "bdca");
    assert_int_equal(loop_now_ms(l), 1110);
    for (int i = 0; i < 4; i++)
        loop_timer_free(notes[i].timer);
}

static void test_free_and_stop_inside(void **state _unused_)
{
    _cleanup_loop_ struct loop *l = loop_new();
    _cleanup_buf_ struct buf log = BUF_INIT;
    struct note a = {&log, 'a'}, b = {&log, 'b'};

    loop_fake_clock(l, 0);
    a.timer = loop_timer_new(l, write_and_free, &a);
    b.timer = loop_timer_new(l, write_letter, &b);
    a.other = b.timer;
    loop_timer_start(a.timer, 5);
    loop_timer_start(b.timer, 5);
    loop_advance(l, 10);
    assert_string_equal(buf_str(&log), "a");
    loop_timer_start(b.timer, 1);
    assert_true(loop_timer_active(b.timer));
    loop_advance(l, 1);
    assert_string_equal(buf_str(&log), "ab");
    assert_false(loop_timer_active(b.timer));
    loop_timer_free(b.timer);
}

static void again(void *arg)
{
    struct note *n = arg;

    buf_addc(n->log, n->letter);
    if (n->log->len < 5)
        loop_defer(n->loop, again, n);
}

static void cancel_other(void *arg)
{
    struct note *n = arg;

    buf_addc(n->log, n->letter);
    loop_defer_cancel(n->defer);
}

static void test_defer(void **state _unused_)
{
    _cleanup_loop_ struct loop *l = loop_new();
    _cleanup_buf_ struct buf log = BUF_INIT;
    struct note a = {&log, 'a', .loop = l}, b = {&log, 'b'}, c = {&log, 'c'};

    loop_defer(l, cancel_other, &b);
    b.defer = loop_defer(l, write_letter, &c);
    assert_string_equal(buf_str(&log), "");
    loop_turn(l, false);
    assert_string_equal(buf_str(&log), "b");
    buf_truncate(&log, 0);
    loop_defer(l, again, &a);
    loop_run(l);
    assert_string_equal(buf_str(&log), "aaaaa");
    loop_defer(l, write_letter, &c); /* freed with the loop, never called */
}

static void stop(void *arg)
{
    loop_stop(arg);
}

static void test_real_clock_and_stop(void **state _unused_)
{
    _cleanup_loop_ struct loop *l = loop_new();
    struct loop_timer *t = loop_timer_new(l, stop, l), *never = loop_timer_new(l, stop, NULL);
    int64_t before = loop_now_ms(l);

    loop_timer_start(never, 3600 * 1000);
    loop_timer_start(t, 20);
    loop_run(l);
    assert_true(loop_now_ms(l) - before >= 19);
    loop_timer_free(t);
    loop_timer_free(never);
}

static void restart_at_once(void *arg)
{
    struct note *n = arg;

    buf_addc(n->log, n->letter);
    if (n->log->len < 50)
        loop_timer_start(n->timer, 0);
    else
        loop_stop(n->loop);
}

static void test_stop_with_due_timers(void **state _unused_)
{
    _cleanup_loop_ struct loop *l = loop_new();
    _cleanup_buf_ struct buf log = BUF_INIT;
    struct note a = {&log, 'a', .loop = l}, b = {&log, 'b', .loop = l};

    /* The first stops the loop while the second is due: it must neither fire nor keep the loop spinning. */
    a.timer = loop_timer_new(l, stop, l);
    b.timer = loop_timer_new(l, write_letter, &b);
    loop_timer_start(a.timer, 1);
    loop_timer_start(b.timer, 1);
    loop_run(l);
    assert_string_equal(buf_str(&log), "");
    while (!log.len)
        loop_turn(l, true);
    assert_string_equal(buf_str(&log), "b");
    loop_timer_free(a.timer);
    loop_timer_free(b.timer);
}

static void test_timer_that_restarts_itself(void **state _unused_)
{
    _cleanup_loop_ struct loop *l = loop_new();
    _cleanup_buf_ struct buf log = BUF_INIT;
    struct note a = {&log, 'a', .loop = l};

    a.timer = loop_timer_new(l, restart_at_once, &a);
    loop_timer_start(a.timer, 0);
    loop_run(l);
    assert_int_equal(log.len, 50);
    loop_timer_free(a.timer);
}

static void on_io(void *arg, int events, bool error)
{
    struct note *n = arg;

    assert_false(error);
    if (events & LOOP_READ)
        buf_addc(n->log, 'r');
    loop_stop(n->loop);
}

static void test_io(void **state _unused_)
{
    _cleanup_loop_ struct loop *l = loop_new();
    _cleanup_buf_ struct buf log = BUF_INIT;
    struct note n = {&log, 0, .loop = l};
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    struct loop_io *io = loop_io_new(l, fds[0], on_io, &n);
    loop_io_set(io, LOOP_READ);
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_run(l);
    assert_string_equal(buf_str(&log), "r");
    loop_io_free(io);
    loop_turn(l, false);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_timer_order),
                                       cmocka_unit_test(test_free_and_stop_inside),
                                       cmocka_unit_test(test_defer),
                                       cmocka_unit_test(test_real_clock_and_stop),
                                       cmocka_unit_test(test_io),
                                       cmocka_unit_test(test_stop_with_due_timers),
                                       cmocka_unit_test(test_timer_that_restarts_itself)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
