#include "unit/unit.h"

#include "base/timefmt.h"

#define SECOND INT64_C(1000000000)

static void test_rfc3339(void **state _unused_)
{
    static const struct {
        const char *in, *out;
        int digits;
    } rows[] = {
        {"2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", 0},
        {"2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z", 3},
        {"2026-01-02T03:04:05.123456789+02:00", "2026-01-02T01:04:05.123456789Z", 9},
        {"1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z", 3},
        {"2024-02-29T00:00:00-00:30", "2024-02-29T00:30:00Z", 0},
        {"2026-01-02T03:04:05.1234567891234Z", "2026-01-02T03:04:05.123456Z", 6},
    };
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-13-01T00:00:00Z",
                                      "2026-01-02T25:00:00Z",
                                      "2026-01-02T03:04:05",
                                      "2026-01-02T03:04:05Zx",
                                      "2026-01-02T03:04:05+2:00",
                                      "x026-01-02T03:04:05Z",
                                      "1899-12-31T23:59:59Z",
                                      "2191-01-01T00:00:00Z"};
    char text[TIME_RFC3339_LEN];
    int64_t ns;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(time_parse_rfc3339(rows[i].in, &ns, NULL), 0);
        assert_string_equal(time_rfc3339(ns, rows[i].digits, text), rows[i].out);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        _cleanup_err_ struct err *e = NULL;
        assert_int_equal(time_parse_rfc3339(bad[i], &ns, &e), ERR_INVALID);
        assert_non_null(e);
    }
    int64_t first, last, span;
    assert_int_equal(time_parse_rfc3339("1900-01-01T00:00:00+23:59", &first, NULL), 0);
    assert_int_equal(time_parse_rfc3339("2190-12-31T23:59:60.999999999-23:59", &last, NULL), 0);
    assert_false(__builtin_sub_overflow(last, first, &span) || __builtin_sub_overflow(first, last, &span));
}

static void test_durations(void **state _unused_)
{
    static const struct {
        const char *in;
        int64_t ns;
    } rows[] = {{"500ms", SECOND / 2},    {"3s", 3 * SECOND},
                {"1h30m", 5400 * SECOND}, {"0", 0},
                {"1.5s", 3 * SECOND / 2}, {"100ns", 100},
                {"-2s", -2 * SECOND},     {"2m0.5s", 120 * SECOND + SECOND / 2}};
    static const char *const bad[] = {"", "3", "s", "3x", "1h 30m", "-", "1000000h", "3sx", ".s", "1..5s"};
    int64_t ns;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(time_parse_duration(rows[i].in, &ns, NULL), 0);
        assert_int_equal(ns, rows[i].ns);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(time_parse_duration(bad[i], &ns, NULL), ERR_INVALID);
}

static void test_ages(void **state _unused_)
{
    static const struct {
        int64_t s;
        const char *text;
    } rows[] = {{0, "0s"},
                {5, "5s"},
                {119, "119s"},
                {200, "3m20s"},
                {600, "10m"},
                {3 * 3600, "3h"},
                {3 * 3600 + 60, "3h1m"},
                {47 * 3600, "47h"},
                {5 * 86400 + 3 * 3600, "5d3h"},
                {340 * 86400LL, "340d"},
                {740 * 86400LL, "2y10d"},
                {3000 * 86400LL, "8y"},
                {-10, "<invalid>"}};
    char text[TIME_AGE_LEN];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(time_age(rows[i].s * SECOND, text), rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rfc3339), cmocka_unit_test(test_durations),
                                       cmocka_unit_test(test_ages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
