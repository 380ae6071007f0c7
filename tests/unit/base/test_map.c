#include "unit/unit.h"

#include "base/map.h"
#include "base/mem.h"

static void test_order_and_replace(void **state _unused_)
{
    _cleanup_map_ struct map *m = map_new(free);
    const char *const expected[] = {"b", "a", "c"};
    size_t n = 0;

    map_set(m, "b", xstrdup("1"));
    map_set(m, "a", xstrdup("2"));
    map_set(m, "c", xstrdup("3"));
    map_set(m, "b", xstrdup("4"));
    assert_int_equal(map_len(m), 3);
    assert_string_equal(map_get(m, "b"), "4");
    for (struct map_iter it = {0}; map_next(m, &it);)
        assert_string_equal(it.key, expected[n++]);
    assert_int_equal(n, 3);
}

static void test_many(void **state _unused_)
{
    _cleanup_map_ struct map *m = map_new(free);
    char key[32];

    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof(key), "key-%d", i);
        map_set(m, key, xstrdup(key));
    }
    for (int i = 0; i < 10000; i += 2) {
        snprintf(key, sizeof(key), "key-%d", i);
        assert_true(map_del(m, key));
        assert_false(map_del(m, key));
    }
    assert_int_equal(map_len(m), 5000);
    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof(key), "key-%d", i);
        if (i % 2)
            assert_string_equal(map_get(m, key), key);
        else
            assert_null(map_get(m, key));
    }
    /* Churn must not grow the table without bound or lose entries. */
    for (int i = 0; i < 100000; i++) {
        map_set(m, "churn", xstrdup("x"));
        map_del(m, "churn");
    }
    assert_int_equal(map_len(m), 5000);
}

static void test_delete_while_iterating(void **state _unused_)
{
    _cleanup_map_ struct map *m = map_new(NULL);
    char key[16];
    size_t seen = 0;

    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "%d", i);
        map_set(m, key, m);
    }
    for (struct map_iter it = {0}; map_next(m, &it); seen++)
        map_del(m, it.key);
    assert_int_equal(seen, 100);
    assert_int_equal(map_len(m), 0);
}

static void test_take_and_null(void **state _unused_)
{
    _cleanup_map_ struct map *m = map_new(free);

    map_set(m, "k", xstrdup("v"));
    map_set(m, "empty", NULL);
    _cleanup_free_ char *v = map_take(m, "k");
    assert_string_equal(v, "v");
    assert_false(map_has(m, "k"));
    assert_true(map_has(m, "empty"));
    assert_null(map_get(NULL, "k"));
    assert_int_equal(map_len(NULL), 0);
    map_clear(m);
    assert_int_equal(map_len(m), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order_and_replace), cmocka_unit_test(test_many),
                                       cmocka_unit_test(test_delete_while_iterating),
                                       cmocka_unit_test(test_take_and_null)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
