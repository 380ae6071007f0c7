#include "unit/unit.h"

#include <string.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/str.h"
#include "cli/fleet_out.h"

#define HEADER                                                                                               \
    "\x1dNAME\x1f"                                                                                           \
    "AGE\n"
#define ROW(name, age) "\x1e" name "\x1f" age "\n"

static char **names;
static struct loop *loop;
static struct fleet_out *out;
static struct buf printed = BUF_INIT;

static void take(void *arg _unused_, const char *text, size_t len)
{
    buf_add(&printed, text, len);
}

static int set_up(void **state _unused_)
{
    loop = loop_new();
    loop_fake_clock(loop, 1000);
    names = strv_split("aws,azure,x", ',', false);
    out = fleet_out_new(loop, names, 3, take, NULL);
    return 0;
}

static int tear_down(void **state _unused_)
{
    fleet_out_free(out);
    loop_free(loop);
    strv_free(names);
    buf_release(&printed);
    return 0;
}

static void add(size_t i, const char *text)
{
    fleet_out_add(out, i, text, strlen(text));
}

static void end_all(void)
{
    for (size_t i = 0; i < 3; i++)
        fleet_out_end(out, i);
}

/* What was printed since the last look. */
static void expect(const char *text)
{
    fleet_out_pump(out);
    assert_string_equal(buf_str(&printed), text);
    buf_truncate(&printed, 0);
}

static void test_one_table_in_order(void **state _unused_)
{
    add(2, HEADER ROW("a-long-name", "1m"));
    expect("");
    add(1, HEADER ROW("b", "2m"));
    expect("");
    add(0, HEADER ROW("c", "3m"));
    /* Nobody is missing any more; the rows of aws may go on. */
    expect("CONTEXT   NAME          AGE\n"
           "aws       c             3m\n");
    fleet_out_end(out, 0);
    expect("azure     b             2m\n");
    fleet_out_end(out, 1);
    expect("x         a-long-name   1m\n");
}

static void test_the_first_answers_are_held_for_moments(void **state _unused_)
{
    add(1, HEADER ROW("b", "2m"));
    expect("");
    loop_advance(loop, FLEET_FIRST_MS - 1);
    expect("");
    loop_advance(loop, 1);
    expect("CONTEXT   NAME   AGE\nazure     b      2m\n");
    /* Who is late is shown when it is there, and waited for no more. */
    add(1, ROW("c", "2m"));
    expect("azure     c      2m\n");
    add(0, HEADER ROW("a", "1m"));
    expect("aws       a      1m\n");
}

static void test_a_gap_lets_the_others_go_on(void **state _unused_)
{
    add(0, HEADER ROW("a", "1m"));
    add(1, HEADER ROW("b", "2m"));
    fleet_out_end(out, 1);
    fleet_out_end(out, 2);
    /* azure's rows come after all of aws's. */
    expect("CONTEXT   NAME   AGE\naws       a      1m\n");
    loop_advance(loop, FLEET_GAP_MS - 1);
    add(0, ROW("a2", "1m"));
    expect("aws       a2     1m\n");
    loop_advance(loop, FLEET_GAP_MS - 1);
    expect("");
    loop_advance(loop, 1);
    expect("azure     b      2m\n");
    add(0, ROW("a3", "1m"));
    expect("aws       a3     1m\n");
}

static void test_the_end_releases(void **state _unused_)
{
    add(2, "done\n");
    fleet_out_end(out, 2);
    fleet_out_end(out, 1);
    expect("");
    fleet_out_end(out, 0);
    expect("x       done\n");
}

static void test_tables_follow_each_other(void **state _unused_)
{
    add(0, HEADER ROW("a", "1m"));
    add(0, "\n\x1dKIND\n\x1ek\n");
    add(1, HEADER ROW("b", "1m"));
    add(1, "\n\x1dKIND\n\x1el\n");
    end_all();
    expect("CONTEXT   NAME   AGE\naws       a      1m\nazure     b      1m\n"
           "\nCONTEXT   KIND\naws       k\nazure     l\n");
}

static void test_rows_without_header(void **state _unused_)
{
    add(0, ROW("a", "1m"));
    add(1, ROW("bbbbbbbbb", "1m"));
    end_all();
    expect("aws     a           1m\nazure   bbbbbbbbb   1m\n");
}

static void test_lines_in_pieces(void **state _unused_)
{
    add(0, "one");
    add(1, "two\n");
    add(0, " line\nrest");
    end_all();
    expect("aws     one line\naws     rest\nazure   two\n");
}

static void test_blocks_and_titles(void **state _unused_)
{
    fleet_out_block(out, 1, "second\n", 7, "---\n");
    fleet_out_block(out, 0, "first\n", 6, "---\n");
    fleet_out_plain_rows(out, 2, "C,N\nx,1\n", 8, true);
    fleet_out_plain_rows(out, 2, "x,2\n", 4, false);
    end_all();
    expect("first\n---\nsecond\nC,N\nx,1\nx,2\n");
}

static void test_the_title_comes_first_whoever_is_first(void **state _unused_)
{
    fleet_out_plain_rows(out, 1, "C,N\nazure,1\n", 12, true);
    fleet_out_plain_rows(out, 0, "C,N\naws,1\n", 10, true);
    end_all();
    expect("C,N\naws,1\nazure,1\n");
}

static void test_items_keep_the_order_of_the_contexts(void **state _unused_)
{
    fleet_out_item(out, 1, "b", 1, "[", ",");
    loop_advance(loop, 60 * 1000);
    expect("");
    fleet_out_item(out, 0, "a", 1, "[", ",");
    expect("[a");
    loop_advance(loop, 60 * 1000);
    fleet_out_item(out, 0, "aa", 2, "[", ",");
    expect(",aa");
    assert_true(fleet_out_has_items(out));
    fleet_out_end(out, 0);
    expect(",b");
    fleet_out_item(out, 2, "c", 1, "[", ",");
    expect("");
    end_all();
    expect(",c");
}

static void test_live_output_is_not_held(void **state _unused_)
{
    for (size_t i = 0; i < 3; i++)
        fleet_out_live(out, i);
    add(2, HEADER ROW("a", "1m"));
    expect("CONTEXT   NAME   AGE\nx         a      1m\n");
    add(1, HEADER ROW("b", "1m"));
    expect("azure     b      1m\n");
}

static void test_much_that_waits_makes_full(void **state _unused_)
{
    static char text[FLEET_QUEUE_MOST + 2];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 2] = '\n';
    assert_false(fleet_out_used(out, 1));
    for (size_t n = 0; n * (sizeof(text) - 1) <= FLEET_QUEUES_MOST; n++) {
        assert_false(fleet_out_full(out, 1));
        fleet_out_add(out, 1, text, sizeof(text) - 1);
    }
    assert_true(fleet_out_full(out, 1));
    assert_false(fleet_out_full(out, 0)); /* the one that is waited for goes on */
    assert_true(fleet_out_used(out, 1));
    fleet_out_drain(out);
    assert_false(fleet_out_full(out, 1));
    buf_truncate(&printed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_table_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_first_answers_are_held_for_moments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_gap_lets_the_others_go_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_end_releases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tables_follow_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rows_without_header, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lines_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_blocks_and_titles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_title_comes_first_whoever_is_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_items_keep_the_order_of_the_contexts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_live_output_is_not_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_much_that_waits_makes_full, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
