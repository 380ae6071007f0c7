#include "unit/unit.h"

#include "base/mem.h"
#include "base/process.h"
#include "base/str.h"

struct told {
    struct process_result result;
    char *output, *errors;
    bool done;
};

static void on_done(void *arg, const struct process_result *result)
{
    struct told *t = arg;

    assert_false(t->done);
    t->result = *result;
    t->output = xstrdup(result->output);
    t->errors = xstrdup(result->errors);
    t->done = true;
}

static void run(struct loop *l, const char *script, struct process_options options, struct told *t)
{
    char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)script, NULL};
    struct process *p;

    *t = (struct told){0};
    options.loop = l;
    options.argv = argv;
    options.done = on_done;
    options.arg = t;
    assert_int_equal(process_start(&options, &p, NULL), 0);
    loop_wait(l, &t->done);
    process_free(p);
}

static void forget(struct told *t)
{
    free(t->output);
    free(t->errors);
}

static void test_output_and_code(void **state _unused_)
{
    _cleanup_loop_ struct loop *l = loop_new();
    struct told t;

    run(l, "echo out; echo err >&2; exit 3", (struct process_options){0}, &t);
    assert_int_equal(t.result.code, 3);
    assert_string_equal(t.output, "out\n");
    assert_string_equal(t.errors, "err\n");
    forget(&t);
    /* Standard input is empty: nothing waits for us. */
    run(l, "cat; kill -9 $$", (struct process_options){0}, &t);
    assert_int_equal(t.result.code, 128 + 9);
    forget(&t);
}

static void test_much_output(void **state _unused_)
{
    _cleanup_loop_ struct loop *l = loop_new();
    struct told t;

    run(l, "head -c 3000000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero | tr '\\0' y >&2; echo z >&2",
        (struct process_options){0}, &t);
    assert_int_equal(t.result.output_len, 3000000);
    assert_false(t.result.cut);
    assert_true(strlen(t.errors) <= PROCESS_ERRORS_MOST);
    assert_true(str_ends(t.errors, "yz\n"));
    forget(&t);
    run(l, "while :; do echo more and more; done", (struct process_options){.output_most = 100000}, &t);
    assert_true(t.result.cut);
    assert_true(t.result.code > 128);
    forget(&t);
}

static void test_time_limit(void **state _unused_)
{
    _cleanup_loop_ struct loop *l = loop_new();
    struct told t;

    run(l, "trap '' TERM; exec tail -f /dev/null", (struct process_options){.limit_ms = 50}, &t);
    assert_true(t.result.late);
    assert_int_equal(t.result.code, 128 + 9);
    forget(&t);
}

static void test_not_there(void **state _unused_)
{
    _cleanup_loop_ struct loop *l = loop_new();
    _cleanup_err_ struct err *err = NULL;
    char *argv[] = {(char *)(uintptr_t) "no-such-program-anywhere", NULL};
    struct process_options options = {.loop = l, .argv = argv, .done = on_done};
    struct process *p = NULL;

    assert_int_equal(process_start(&options, &p, &err), ERR_NOT_FOUND);
    assert_null(p);
    assert_non_null(strstr(err_text(err), "no-such-program-anywhere"));
}

/* It is ended, and nothing is told any more. */
static void test_freed_while_it_runs(void **state _unused_)
{
    struct loop *l = loop_new();
    char *argv[] = {(char *)(uintptr_t) "tail", (char *)(uintptr_t) "-f", (char *)(uintptr_t) "/dev/null",
                    NULL};
    struct told t = {0};
    struct process_options options = {.loop = l, .argv = argv, .done = on_done, .arg = &t};
    struct process *p;

    assert_int_equal(process_start(&options, &p, NULL), 0);
    process_free(p);
    loop_free(l); /* comes back when the program is reaped */
    assert_false(t.done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_and_code),     cmocka_unit_test(test_much_output),
        cmocka_unit_test(test_time_limit),          cmocka_unit_test(test_not_there),
        cmocka_unit_test(test_freed_while_it_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
