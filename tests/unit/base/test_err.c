#include "unit/unit.h"

#include <errno.h>

#include "base/err.h"

static void test_set_and_wrap(void **state _unused_)
{
    struct err *e = NULL;

    assert_int_equal(err_set(&e, ERR_NOT_FOUND, "no %s", "file"), ERR_NOT_FOUND);
    assert_string_equal(err_text(e), "no file");
    assert_int_equal(err_wrap(&e, "load %d", 7), ERR_NOT_FOUND);
    assert_string_equal(err_text(e), "load 7: no file");
    /* The new message may be made of the old one. */
    err_set(&e, ERR_IO, "again: %s", e->message);
    assert_string_equal(err_text(e), "again: load 7: no file");
    err_free(e);
}

static void test_null_is_fine(void **state _unused_)
{
    assert_int_equal(err_set(NULL, ERR_IO, "x"), ERR_IO);
    err_wrap(NULL, "x");
    err_free(NULL);
    assert_int_equal(err_move(NULL, NULL), 0);
    assert_string_equal(err_text(NULL), "unknown error");
}

static void test_errno(void **state _unused_)
{
    static const struct {
        int os, code;
    } rows[] = {
        {ENOENT, ERR_NOT_FOUND}, {EACCES, ERR_FORBIDDEN}, {ECONNREFUSED, ERR_UNAVAILABLE}, {ENOSPC, ERR_IO}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err *e = NULL;
        assert_int_equal(err_set_os(&e, rows[i].os, "open %s", "x"), rows[i].code);
        assert_int_equal(e->os, rows[i].os);
        assert_non_null(strstr(e->message, "open x: "));
        err_free(e);
    }
}

static void test_move_and_copy(void **state _unused_)
{
    struct err *a = NULL, *b = NULL;

    err_set(&a, ERR_CONFLICT, "first");
    struct err *copy = err_copy(a);
    assert_int_equal(err_move(&b, a), ERR_CONFLICT);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(copy->message, b->message);
    assert_string_equal(copy->message, "first");
    err_free(copy);
    err_free(b);
}

static void test_names(void **state _unused_)
{
    assert_string_equal(err_code_name(ERR_GONE), "GONE");
    assert_string_equal(err_code_name(0), "OK");
    assert_string_equal(err_code_name(-999), "UNKNOWN");
    assert_string_equal(err_code_text(ERR_TIMEOUT), "timed out");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_wrap), cmocka_unit_test(test_null_is_fine),
        cmocka_unit_test(test_errno),        cmocka_unit_test(test_move_and_copy),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
