/* Reading on after a break: no line lost, none repeated, gaps told. */
#include "unit/unit.h"

#include <stdio.h>

#include "base/mem.h"
#include "tail/resume.h"

#define SECOND INT64_C(1000000000)
#define T0     (INT64_C(1700000000) * SECOND)

struct logged {
    int64_t ns;
    char text[24];
};

static enum tail_resume_verdict take(struct tail_resume *r, const struct logged *l, int64_t *gap)
{
    struct tail_line line = {.ns = l->ns, .text = l->text, .len = strlen(l->text)};

    return tail_resume_line(r, &line, gap);
}

static struct logged at(int64_t ns, const char *text)
{
    struct logged l = {.ns = T0 + ns};

    snprintf(l.text, sizeof(l.text), "%s", text);
    return l;
}

static void test_one_second_comes_again(void **state _unused_)
{
    struct tail_resume r = {0};
    struct logged a = at(500 * 1000000, "a"), b = at(600 * 1000000, "b"), b2 = at(600 * 1000000, "b"),
                  c = at(600 * 1000000, "c"), d = at(2 * SECOND, "d");
    int64_t gap = -1;

    assert_int_equal(tail_resume_again(&r), 0);
    assert_int_equal(take(&r, &a, &gap), TAIL_RESUME_NEW);
    assert_int_equal(take(&r, &b, &gap), TAIL_RESUME_NEW);
    assert_int_equal(tail_resume_again(&r), T0);
    assert_int_equal(take(&r, &a, &gap), TAIL_RESUME_SEEN);
    assert_int_equal(take(&r, &b, &gap), TAIL_RESUME_SEEN);
    /* The same text at the same time, once more, is another line. */
    assert_int_equal(take(&r, &b2, &gap), TAIL_RESUME_NEW);
    assert_int_equal(take(&r, &c, &gap), TAIL_RESUME_NEW);
    /* Broken again, twice, in the middle of what comes again. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tail_resume_again(&r), T0);
        assert_int_equal(take(&r, &a, &gap), TAIL_RESUME_SEEN);
        assert_int_equal(take(&r, &b, &gap), TAIL_RESUME_SEEN);
    }
    assert_int_equal(tail_resume_again(&r), T0);
    assert_int_equal(take(&r, &a, &gap), TAIL_RESUME_SEEN);
    assert_int_equal(take(&r, &b, &gap), TAIL_RESUME_SEEN);
    assert_int_equal(take(&r, &b2, &gap), TAIL_RESUME_SEEN);
    assert_int_equal(take(&r, &c, &gap), TAIL_RESUME_SEEN);
    assert_int_equal(take(&r, &d, &gap), TAIL_RESUME_NEW);
    assert_int_equal(gap, -1);
    assert_int_equal(tail_resume_again(&r), T0 + SECOND);
    tail_resume_release(&r);
}

static void test_rotated_away(void **state _unused_)
{
    struct tail_resume r = {0};
    struct logged a = at(100, "a"), b = at(200, "b"), c = at(30 * SECOND, "c"), d = at(31 * SECOND, "d");
    int64_t gap = -1;

    take(&r, &a, &gap);
    take(&r, &b, &gap);
    tail_resume_again(&r);
    assert_true(tail_resume_unproven(&r));
    /* Whose line it is is to be found out first: it is not taken, and comes again. */
    assert_int_equal(take(&r, &c, &gap), TAIL_RESUME_DOUBT);
    assert_int_equal(gap, -1);
    assert_int_equal(tail_resume_again(&r), T0 - SECOND);
    r.accept_gap = true;
    assert_int_equal(take(&r, &c, &gap), TAIL_RESUME_AFTER_GAP);
    assert_false(r.accept_gap);
    assert_false(tail_resume_unproven(&r));
    assert_int_equal(gap, 30 * SECOND - 200);
    assert_int_equal(take(&r, &d, &gap), TAIL_RESUME_NEW);
    /* The older of two is gone, the last one is there: nothing is missing. */
    tail_resume_again(&r);
    assert_int_equal(take(&r, &d, &gap), TAIL_RESUME_SEEN);
    a = at(40 * SECOND, "e");
    assert_int_equal(take(&r, &a, &gap), TAIL_RESUME_NEW);
    tail_resume_release(&r);
}

/* The first line seen was in the middle of a second (--tail): what is before it stays unseen. */
static void test_begun_in_the_middle(void **state _unused_)
{
    struct tail_resume r = {0};
    struct logged a = at(100, "a"), b = at(200, "b"), c = at(300, "c");
    int64_t gap = -1;

    assert_int_equal(take(&r, &b, &gap), TAIL_RESUME_NEW);
    tail_resume_again(&r);
    assert_int_equal(take(&r, &a, &gap), TAIL_RESUME_SEEN);
    assert_int_equal(take(&r, &b, &gap), TAIL_RESUME_SEEN);
    assert_int_equal(take(&r, &c, &gap), TAIL_RESUME_NEW);
    tail_resume_release(&r);
}

/* The clock is set back: what comes again from before that was seen, however late its time, and what follows is
 * asked for by its own time. */
static void test_clock_set_back(void **state _unused_)
{
    struct tail_resume r = {0};
    struct logged before[] = {at(10 * SECOND, "a"), at(11 * SECOND, "b"), at(12 * SECOND, "c")};
    struct logged after[] = {at(10 * SECOND + 500000000, "d"), at(11 * SECOND + 1, "e"), at(11 * SECOND + 2, "f"),
                             at(14 * SECOND, "g")};
    int64_t gap = -1;

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(take(&r, &before[i], &gap), TAIL_RESUME_NEW);
    assert_int_equal(take(&r, &after[0], &gap), TAIL_RESUME_NEW);
    for (size_t n = 0; n < 3; n++) {
        assert_true(tail_resume_again(&r) <= after[n].ns);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(take(&r, &before[i], &gap), TAIL_RESUME_SEEN);
        for (size_t i = 0; i <= n; i++)
            if (after[i].ns >= (after[n].ns - TAIL_RESUME_SLACK_NS) / SECOND * SECOND)
                assert_int_equal(take(&r, &after[i], &gap), TAIL_RESUME_SEEN);
        assert_int_equal(take(&r, &after[n + 1], &gap), TAIL_RESUME_NEW);
    }
    assert_int_equal(gap, -1);
    /* Caught up. */
    assert_int_equal(tail_resume_again(&r), T0 + 13 * SECOND);
    assert_int_equal(take(&r, &after[3], &gap), TAIL_RESUME_SEEN);
    tail_resume_release(&r);
}

/* More lines within a second than are remembered. */
static void test_too_many_to_remember(void **state _unused_)
{
    enum { LINES = TAIL_RESUME_MOST + 5000 };
    struct tail_resume r = {0};
    int64_t gap = -1;

    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < LINES; i++) {
            struct logged l = at(i, "x");
            assert_int_equal(take(&r, &l, &gap), turn ? TAIL_RESUME_SEEN : TAIL_RESUME_NEW);
        }
        tail_resume_again(&r);
    }
    tail_resume_release(&r);
}

/* Lines of two hands, out of order by a little, read over and over with breaks anywhere. */
static void test_property(void **state _unused_)
{
    enum { LINES = 3000 };
    struct logged *log = xcalloc(LINES, sizeof(*log));

    for (unsigned seed = 1; seed <= 30; seed++) {
        struct tail_resume r = {0};
        unsigned random = seed;
        int64_t now = 0, gap = -1;
        size_t next = 0, repeated = 0;
        bool *seen = xcalloc(LINES, 1);
        for (size_t i = 0; i < LINES; i++) {
            now += rand_r(&random) % (seed % 3 ? 3000000 : 300000000);
            log[i].ns = T0 + now - (rand_r(&random) % 4 ? 0 : rand_r(&random) % 50000000);
            snprintf(log[i].text, sizeof(log[i].text), "%u", rand_r(&random) % 3);
        }
        while (next < LINES) {
            int64_t from = tail_resume_again(&r);
            size_t stop = next + (size_t)(rand_r(&random) % 40);
            /* The server gives every line of that time or later, in the order of its file. */
            for (size_t i = 0; i < LINES && i <= stop; i++) {
                if (log[i].ns < from)
                    continue;
                if (take(&r, &log[i], &gap) == TAIL_RESUME_SEEN)
                    continue;
                repeated += seen[i];
                seen[i] = true;
            }
            next = stop + 1;
            if (rand_r(&random) % 3 == 0)
                next -= (size_t)(rand_r(&random) % 30) < next ? 0 : 1;
        }
        for (size_t i = 0; i < LINES; i++)
            assert_true(seen[i]);
        assert_int_equal(repeated, 0);
        assert_int_equal(gap, -1);
        free(seen);
        tail_resume_release(&r);
    }
    free(log);
}

static void test_memory(void **state _unused_)
{
    struct tail_resume r = {0};
    int64_t gap;

    for (int64_t i = 0; i < 1000000; i++) {
        struct logged l = at(i * 1000000, "line");
        take(&r, &l, &gap);
    }
    assert_true(r.cap <= 4096);
    for (int64_t i = 0; i < 1000000; i++) {
        struct logged l = at(2000 * SECOND + i, "line");
        take(&r, &l, &gap);
    }
    assert_true(r.cap <= 4 * TAIL_RESUME_MOST);
    tail_resume_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_second_comes_again),
        cmocka_unit_test(test_rotated_away),
        cmocka_unit_test(test_begun_in_the_middle),
        cmocka_unit_test(test_clock_set_back),
        cmocka_unit_test(test_too_many_to_remember),
        cmocka_unit_test(test_property),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests_name("tail resume", tests, NULL, NULL);
}
