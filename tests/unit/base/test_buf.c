#include "unit/unit.h"

#include "base/buf.h"
#include "base/err.h"

static void test_grow(void **state _unused_)
{
    _cleanup_buf_ struct buf b = BUF_INIT;

    assert_string_equal(buf_str(&b), "");
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buf_addf(&b, "%d,", i), 0);
    assert_memory_equal(b.data, "0,1,2,3,", 8);
    assert_int_equal(b.len, strlen(b.data));
}

static void test_limit(void **state _unused_)
{
    _cleanup_buf_ struct buf b = BUF_INIT_MAX(10);

    assert_int_equal(buf_adds(&b, "0123456789"), 0);
    assert_int_equal(buf_addc(&b, 'x'), ERR_TOO_LARGE);
    assert_int_equal(buf_addf(&b, "%s", "x"), ERR_TOO_LARGE);
    assert_string_equal(buf_str(&b), "0123456789");
    assert_int_equal(buf_add(&b, "", SIZE_MAX), ERR_TOO_LARGE);
}

static void test_consume_and_take(void **state _unused_)
{
    struct buf b = BUF_INIT;

    buf_adds(&b, "hello world");
    buf_consume(&b, 6);
    assert_string_equal(buf_str(&b), "world");
    buf_truncate(&b, 3);
    assert_string_equal(buf_str(&b), "wor");
    buf_consume(&b, 100);
    assert_int_equal(b.len, 0);
    buf_fill(&b, '-', 3);
    _cleanup_free_ char *s = buf_take(&b);
    assert_string_equal(s, "---");
    assert_null(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_grow), cmocka_unit_test(test_limit),
                                       cmocka_unit_test(test_consume_and_take)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
