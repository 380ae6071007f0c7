#include "unit/unit.h"

#include <math.h>

#include "base/mem.h"
#include "base/str.h"
#include "serve/metrics.h"

static char *printed(const struct metrics *m)
{
    struct buf b = BUF_INIT;

    metrics_print(m, &b);
    return buf_take(&b);
}

static void test_counter_and_gauge(void **state _unused_)
{
    static const char *const labels[] = {"kind", "result", NULL};
    struct metrics *m = metrics_new();
    struct metric *done = metrics_add(m, METRIC_COUNTER, "done_total", "Work done.", labels, NULL);
    struct metric *depth = metrics_add(m, METRIC_GAUGE, "depth", "Keys waiting.", NULL, NULL);

    metric_add(done, 1, "actor", "ok");
    metric_add(done, 2, "actor", "ok");
    metric_add(done, 1, "host", "failed");
    metric_add(done, -5, "actor", "ok");
    metric_add(done, NAN, "actor", "ok");
    metric_set(depth, 7);
    metric_add(depth, -2.5);
    metric_add(NULL, 1);
    assert_ptr_equal(metrics_add(m, METRIC_GAUGE, "depth", "Again.", NULL, NULL), depth);
    _cleanup_free_ char *text = printed(m);
    assert_string_equal(text, "# HELP done_total Work done.\n"
                              "# TYPE done_total counter\n"
                              "done_total{kind=\"actor\",result=\"ok\"} 3\n"
                              "done_total{kind=\"host\",result=\"failed\"} 1\n"
                              "# HELP depth Keys waiting.\n"
                              "# TYPE depth gauge\n"
                              "depth 4.5\n");
    metrics_free(m);
}

static void test_zero_from_the_start(void **state _unused_)
{
    struct metrics *m = metrics_new();

    metrics_add(m, METRIC_COUNTER, "errors_total", "Errors.", NULL, NULL);
    _cleanup_free_ char *text = printed(m);
    assert_non_null(strstr(text, "\nerrors_total 0\n"));
    metrics_free(m);
}

static void test_escaping(void **state _unused_)
{
    static const char *const labels[] = {"l", NULL};
    static const char *const rows[][2] = {
        {"a\"b", "m{l=\"a\\\"b\"} 1\n"},         {"a\\b", "m{l=\"a\\\\b\"} 1\n"},
        {"a\nb", "m{l=\"a\\nb\"} 1\n"},          {"\xc3\xa9", "m{l=\"\xc3\xa9\"} 1\n"},
        {"a\xff", "m{l=\"a\xef\xbf\xbd\"} 1\n"}, {NULL, "m{l=\"\"} 1\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct metrics *m = metrics_new();
        metric_set(metrics_add(m, METRIC_GAUGE, "m", "One \"line\"\nor \\two.", labels, NULL), 1, rows[i][0]);
        _cleanup_free_ char *text = printed(m);
        assert_non_null(strstr(text, "# HELP m One \"line\"\\nor \\\\two.\n"));
        if (!str_ends(text, rows[i][1]))
            fail_msg("%s", text);
        metrics_free(m);
    }
}

static void test_histogram(void **state _unused_)
{
    static const double buckets[] = {0.1, 1, 10, 0};
    static const char *const labels[] = {"op", NULL};
    struct metrics *m = metrics_new();
    struct metric *h = metrics_add(m, METRIC_HISTOGRAM, "seconds", "Time.", labels, buckets);

    metric_observe(h, 0.05, "start");
    metric_observe(h, 0.1, "start");
    metric_observe(h, 5, "start");
    metric_observe(h, 100, "start");
    _cleanup_free_ char *text = printed(m);
    assert_string_equal(text, "# HELP seconds Time.\n"
                              "# TYPE seconds histogram\n"
                              "seconds_bucket{op=\"start\",le=\"0.1\"} 2\n"
                              "seconds_bucket{op=\"start\",le=\"1\"} 2\n"
                              "seconds_bucket{op=\"start\",le=\"10\"} 3\n"
                              "seconds_bucket{op=\"start\",le=\"+Inf\"} 4\n"
                              "seconds_sum{op=\"start\"} 105.15\n"
                              "seconds_count{op=\"start\"} 4\n");
    metrics_free(m);
}

static void test_numbers(void **state _unused_)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0, "m 0\n"},           {1e9, "m 1000000000\n"}, {0.25, "m 0.25\n"},
                {INFINITY, "m +Inf\n"}, {-INFINITY, "m -Inf\n"}, {NAN, "m NaN\n"}};
    struct metrics *m = metrics_new();
    struct metric *g = metrics_add(m, METRIC_GAUGE, "m", "M.", NULL, NULL);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        metric_set(g, rows[i].value);
        _cleanup_free_ char *text = printed(m);
        assert_true(str_ends(text, rows[i].text));
    }
    metrics_free(m);
}

static void test_series_limit(void **state _unused_)
{
    static const char *const labels[] = {"id", "x", NULL};
    struct metrics *m = metrics_new();
    struct metric *c = metrics_add(m, METRIC_COUNTER, "c", "C.", labels, NULL);
    size_t lines = 0;

    for (int i = 0; i < 1500; i++) {
        _cleanup_free_ char *id = xasprintf("%d", i);
        metric_add(c, 1, id, "y");
    }
    metric_add(c, 1, "5", "y");
    _cleanup_free_ char *text = printed(m);
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, 2 + 1000 + 1);
    assert_non_null(strstr(text, "c{id=\"other\",x=\"other\"} 500\n"));
    assert_non_null(strstr(text, "c{id=\"5\",x=\"y\"} 2\n"));
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter_and_gauge), cmocka_unit_test(test_zero_from_the_start),
        cmocka_unit_test(test_escaping),          cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_numbers),           cmocka_unit_test(test_series_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
