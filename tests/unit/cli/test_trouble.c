/* When a command that watches gives up. */
#include "cli/trouble.h"
#include "unit/unit.h"

static struct err refusal = {.code = ERR_FORBIDDEN, .http = 403, .message = (char *)"no"};
static struct err absence = {.code = ERR_UNAVAILABLE, .message = (char *)"away"};

struct watched {
    struct cmd_ctx c;
    bool over;
    struct cli_trouble trouble;
};

static void begin(struct watched *w)
{
    *w = (struct watched){.c = {.loop = loop_new()}};
    loop_fake_clock(w->c.loop, 1000);
    cli_trouble_init(&w->trouble, &w->c, "watch of things", &w->over);
}

static void end(struct watched *w)
{
    cli_trouble_release(&w->trouble);
    loop_free(w->c.loop);
}

static void test_refusal_that_lasts(void **state _unused_)
{
    struct watched w;

    begin(&w);
    cli_trouble_state(&w.trouble, &refusal);
    loop_advance(w.c.loop, CLI_REFUSED_MOST_MS - 1);
    assert_false(w.over);
    loop_advance(w.c.loop, 2);
    assert_true(w.over);
    assert_int_equal(w.trouble.err->http, 403);
    end(&w);
}

static void test_refusal_that_passes(void **state _unused_)
{
    struct watched w;

    begin(&w);
    for (int i = 0; i < 3; i++) {
        cli_trouble_state(&w.trouble, &refusal);
        loop_advance(w.c.loop, CLI_REFUSED_MOST_MS - 1);
        cli_trouble_state(&w.trouble, i ? NULL : &absence);
        loop_advance(w.c.loop, (int64_t)CLI_REFUSED_MOST_MS * 10);
        assert_false(w.over);
    }
    end(&w);
}

static void test_short_breaks_are_not_told(void **state _unused_)
{
    struct watched w;

    begin(&w);
    cli_trouble_state(&w.trouble, &absence);
    loop_advance(w.c.loop, CLI_BREAK_QUIET_MS - 1);
    cli_trouble_state(&w.trouble, NULL);
    loop_advance(w.c.loop, CLI_BREAK_QUIET_MS * 2);
    assert_false(w.trouble.away);
    cli_trouble_state(&w.trouble, &absence);
    loop_advance(w.c.loop, CLI_BREAK_QUIET_MS + 1);
    assert_true(w.trouble.away);
    cli_trouble_state(&w.trouble, NULL);
    assert_false(w.trouble.away);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refusal_that_lasts),
                                       cmocka_unit_test(test_refusal_that_passes),
                                       cmocka_unit_test(test_short_breaks_are_not_told)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
