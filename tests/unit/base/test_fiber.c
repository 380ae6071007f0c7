#include "unit/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fiber.h"
#include "base/loop.h"
#include "base/mem.h"

struct walker {
    char *trail; /* shared: who was where */
    size_t *len;
    char name;
    int steps;
};

static void walk(void *arg)
{
    struct walker *w = arg;
    volatile char own[4096];

    memset((void *)own, w->name, sizeof(own));
    for (int i = 0; i < w->steps; i++) {
        w->trail[(*w->len)++] = w->name;
        assert_ptr_not_equal(fiber_current(), NULL);
        fiber_yield();
        /* Its stack is as it left it. */
        for (size_t k = 0; k < sizeof(own); k++)
            assert_int_equal(own[k], w->name);
    }
}

static void test_side_by_side(void **state _unused_)
{
    char trail[16] = "";
    size_t len = 0;
    struct walker a = {trail, &len, 'a', 3}, b = {trail, &len, 'b', 2};
    struct fiber *fa = fiber_new(walk, &a), *fb = fiber_new(walk, &b);
    bool more_a = true, more_b = true;

    while (more_a || more_b) {
        assert_null(fiber_current());
        more_a = fiber_resume(fa);
        assert_null(fiber_current());
        more_b = fiber_resume(fb);
    }
    assert_string_equal(trail, "ababa");
    assert_false(fiber_is_due(fa));
    assert_false(fiber_resume(fa));
    fiber_free(fa);
    fiber_free(fb);
    fiber_free(NULL);
    fiber_free(fiber_new(walk, &a)); /* never ran */
}

struct patient {
    struct loop *loop;
    bool flag, got, ended;
};

static void wait_once(void *arg)
{
    struct patient *p = arg;

    p->got = loop_wait(p->loop, &p->flag);
    p->ended = true;
}

static void test_waits_for_its_flag(void **state _unused_)
{
    struct patient p = {.loop = loop_new()};
    struct fiber *f = fiber_new(wait_once, &p);

    assert_true(fiber_is_due(f));
    assert_false(fiber_has_flag(f));
    assert_true(fiber_resume(f));
    assert_true(fiber_has_flag(f));
    assert_false(fiber_is_due(f));
    /* Resumed without reason it goes on waiting. */
    assert_true(fiber_resume(f));
    assert_false(p.ended);
    p.flag = true;
    assert_true(fiber_is_due(f));
    assert_false(fiber_resume(f));
    assert_true(p.ended);
    assert_true(p.got);
    fiber_free(f);
    loop_free(p.loop);
}

static void test_cancel(void **state _unused_)
{
    struct patient p = {.loop = loop_new()}, done = {.loop = p.loop, .flag = true};
    struct fiber *f = fiber_new(wait_once, &p), *g = fiber_new(wait_once, &done);

    assert_false(fiber_cancelled());
    fiber_resume(f);
    fiber_cancel(f);
    assert_true(fiber_is_due(f));
    assert_false(fiber_resume(f));
    assert_true(p.ended);
    assert_false(p.got);
    /* What is there already is taken all the same. */
    fiber_cancel(g);
    assert_false(fiber_resume(g));
    assert_true(done.got);
    fiber_free(f);
    fiber_free(g);
    loop_free(p.loop);
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

/* The same code waits on the main stack by turning the loop. */
static void test_wait_without_a_fiber(void **state _unused_)
{
    struct loop *l = loop_new();
    bool flag = false;
    struct loop_timer *t = loop_timer_new(l, set_flag, &flag);

    loop_timer_start(t, 1);
    assert_true(loop_wait(l, &flag));
    loop_timer_free(t);
    loop_free(l);
}

struct turner {
    struct loop *loop;
    bool fired;
    int turns;
};

static void turn_until_fired(void *arg)
{
    struct turner *t = arg;

    while (!t->fired) {
        loop_turn(t->loop, true);
        t->turns++;
    }
}

static void test_turn_gives_way(void **state _unused_)
{
    struct turner t = {.loop = loop_new()};
    struct loop_timer *timer = loop_timer_new(t.loop, set_flag, &t.fired);
    struct fiber *f = fiber_new(turn_until_fired, &t);

    loop_timer_start(timer, 1);
    assert_true(fiber_resume(f));
    assert_false(t.fired);
    assert_int_equal(t.turns, 0);
    while (!t.fired)
        loop_turn(t.loop, true);
    assert_false(fiber_resume(f));
    assert_int_equal(t.turns, 1);
    loop_timer_free(timer);
    fiber_free(f);
    loop_free(t.loop);
}

static void nothing(void *arg)
{
    ++*(int *)arg;
}

static void test_many(void **state _unused_)
{
    enum { MANY = 1000 };
    struct fiber **all = xcalloc(MANY, sizeof(*all));
    int ran = 0;

    for (size_t i = 0; i < MANY; i++)
        all[i] = fiber_new(nothing, &ran);
    for (size_t i = 0; i < MANY; i++)
        assert_false(fiber_resume(all[i]));
    for (size_t i = 0; i < MANY; i++)
        fiber_free(all[i]);
    free(all);
    assert_int_equal(ran, MANY);
}

#if !defined(__SANITIZE_ADDRESS__)
static int eat(int depth)
{
    volatile char frame[16384];

    frame[0] = (char)depth;
    return depth < 100000 ? eat(depth + 1) + frame[0] : 0;
}

static void overflow(void *arg)
{
    *(int *)arg = eat(0);
}

/* An overflow ends the program instead of writing into somebody else's memory. */
static void test_overflow_is_caught(void **state _unused_)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        int result = 0;
        signal(SIGSEGV, SIG_DFL);
        fiber_resume(fiber_new(overflow, &result));
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_waits_for_its_flag),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_wait_without_a_fiber),
        cmocka_unit_test(test_turn_gives_way),
        cmocka_unit_test(test_many),
#if !defined(__SANITIZE_ADDRESS__)
        cmocka_unit_test(test_overflow_is_caught),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
