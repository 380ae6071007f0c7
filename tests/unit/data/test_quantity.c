#include "unit/unit.h"

#include "data/quantity.h"

static void test_parse(void **state _unused_)
{
    static const struct {
        const char *text;
        int64_t value;
    } rows[] = {{"0", 0},
                {"64Mi", 67108864},
                {"1.5G", 1500000000},
                {"1Ki", 1024},
                {"200m", 1},
                {"1e3", 1000},
                {"1E", INT64_C(1000000000000000000)},
                {"0.5Ki", 512},
                {"100k", 100000},
                {"+5", 5},
                {"1n", 1},
                {"0.1Gi", 107374183},
                {"9007199254740993", INT64_C(9007199254740993)},
                {"1.000000000000000000001", 2},
                {"0.0000000000000000000000000001", 1},
                {"3.999999999999999999Ei", INT64_C(4611686018427387903)},
                {"4Ei", INT64_C(4611686018427387904)},
                {"4611686018427387904", INT64_C(4611686018427387904)},
                {"5E-3", 1},
                {"12e6", 12000000},
                {"1500m", 2},
                {".5k", 500},
                {"5.", 5},
                {"0Ei", 0}};
    static const char *const bad[] = {"",
                                      "Mi",
                                      "-1",
                                      "1X",
                                      "1 Mi",
                                      "9Ei",
                                      "1e99",
                                      "0x10",
                                      "1Mib",
                                      "4611686018427387905",
                                      "4.1Ei",
                                      "5E",
                                      "1e19",
                                      "1.2.3",
                                      ".",
                                      "1e",
                                      "1ee3",
                                      "1KI",
                                      "99999999999999999999999999999999999999999999",
                                      "1e-"};
    int64_t value;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(quantity_parse(rows[i].text, &value, NULL), 0);
        assert_true(value == rows[i].value);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(quantity_parse(bad[i], &value, NULL), ERR_INVALID);
}

static void test_text(void **state _unused_)
{
    char out[QUANTITY_TEXT_LEN];

    assert_string_equal(quantity_text(512, out), "512");
    assert_string_equal(quantity_text(2048, out), "2Ki");
    assert_string_equal(quantity_text(101058054, out), "96.4Mi");
    assert_string_equal(quantity_text(0, out), "0");
    assert_string_equal(quantity_text(1023, out), "1023");
    assert_string_equal(quantity_text(1024 * 1024 - 1, out), "1Mi");
    assert_string_equal(quantity_text(INT64_C(1) << 62, out), "4Ei");
    assert_string_equal(quantity_text(1025, out), "1Ki");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse), cmocka_unit_test(test_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
