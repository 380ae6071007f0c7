/* Pieces of a stream become whole lines with their times. */
#include "unit/unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "tail/split.h"

struct got {
    struct buf text;
    size_t lines, stop_after;
    int64_t ns;
    unsigned flags;
};

static bool on_line(void *arg, const struct tail_line *line)
{
    struct got *g = arg;

    buf_addf(&g->text, "[%.*s]", (int)line->len, line->text);
    g->ns = line->ns;
    g->flags |= line->flags;
    return ++g->lines != g->stop_after;
}

static void test_pieces(void **state _unused_)
{
    static const char text[] = "one\n\ntwo\r\nthree, long\nrest";
    size_t len = sizeof(text) - 1;

    for (size_t piece = 1; piece <= len; piece++) {
        struct tail_split s = {0};
        struct got g = {0};
        for (size_t at = 0; at < len; at += piece)
            assert_true(tail_split_feed(&s, text + at, len - at < piece ? len - at : piece, on_line, &g));
        assert_string_equal(buf_str(&g.text), "[one][][two\r][three, long]");
        tail_split_end(&s, on_line, &g);
        assert_string_equal(buf_str(&g.text), "[one][][two\r][three, long][rest]");
        assert_int_equal(g.flags, 0);
        tail_split_end(&s, on_line, &g);
        assert_int_equal(g.lines, 5);
        tail_split_release(&s);
        buf_release(&g.text);
    }
}

static void test_half_a_line_is_dropped(void **state _unused_)
{
    struct tail_split s = {0};
    struct got g = {0};

    tail_split_feed(&s, "a\nhalf", 6, on_line, &g);
    tail_split_drop(&s);
    tail_split_feed(&s, "b\n", 2, on_line, &g);
    assert_string_equal(buf_str(&g.text), "[a][b]");
    tail_split_release(&s);
    buf_release(&g.text);
}

static void test_enough(void **state _unused_)
{
    struct tail_split s = {0};
    struct got g = {.stop_after = 2};

    assert_false(tail_split_feed(&s, "a\nb\nc\n", 6, on_line, &g));
    assert_string_equal(buf_str(&g.text), "[a][b]");
    tail_split_release(&s);
    buf_release(&g.text);
}

static void test_long_lines_are_cut(void **state _unused_)
{
    struct tail_split s = {.most = 10};
    struct got g = {0};
    _cleanup_free_ char *huge = xcalloc(1, 100000);

    memset(huge, 'x', 99999);
    for (int i = 0; i < 20; i++)
        tail_split_feed(&s, huge, 99999, on_line, &g);
    assert_true(s.part.cap < 1000);
    tail_split_feed(&s, "\nok\n", 4, on_line, &g);
    assert_string_equal(buf_str(&g.text), "[xxxxxxxxxx][ok]");
    assert_int_equal(g.flags, TAIL_CUT);
    tail_split_release(&s);
    buf_release(&g.text);
}

static void test_timestamps(void **state _unused_)
{
    static const struct {
        const char *line, *text;
        const char *time; /* NULL: none */
    } cases[] = {
        {"2026-01-02T03:04:05.123456789Z hello there\n", "[hello there]", "2026-01-02T03:04:05.123456789Z"},
        {"2026-01-02T03:04:05.5Z x\n", "[x]", "2026-01-02T03:04:05.500000000Z"},
        {"2026-01-02T03:04:05Z x\n", "[x]", "2026-01-02T03:04:05.000000000Z"},
        {"2026-01-02T03:04:05.000000001Z \n", "[]", "2026-01-02T03:04:05.000000001Z"},
        {"2026-01-02T03:04:05.123+02:00 x\n", "[x]", "2026-01-02T01:04:05.123000000Z"},
        {"2026-01-02T03:04:05.1234567891234Z x\n", "[x]", "2026-01-02T03:04:05.123456789Z"},
        {"no stamp at all, but long enough\n", "[no stamp at all, but long enough]", NULL},
        {"2026-01-02T03:04:05.Z x\n", "[2026-01-02T03:04:05.Z x]", NULL},
        {"2026-13-02T03:04:05.1Z x\n", "[2026-13-02T03:04:05.1Z x]", NULL},
        {"2026-01-02T03:04:05.123456789Z\n", "[2026-01-02T03:04:05.123456789Z]", NULL},
        {"2026-01-02T03:04:05\n", "[2026-01-02T03:04:05]", NULL},
        {"\n", "[]", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tail_split s = {.stamped = true};
        struct got g = {0};
        char stamp[TIME_RFC3339_LEN];
        /* Twice: the second time from what was remembered of the second. */
        for (int again = 0; again < 2; again++) {
            buf_truncate(&g.text, 0);
            tail_split_feed(&s, cases[i].line, strlen(cases[i].line), on_line, &g);
            assert_string_equal(buf_str(&g.text), cases[i].text);
            if (cases[i].time)
                assert_string_equal(time_rfc3339(g.ns, 9, stamp), cases[i].time);
            else
                assert_int_equal(g.ns, 0);
        }
        tail_split_release(&s);
        buf_release(&g.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),     cmocka_unit_test(test_half_a_line_is_dropped),
        cmocka_unit_test(test_enough),     cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_timestamps),
    };

    return cmocka_run_group_tests_name("tail split", tests, NULL, NULL);
}
