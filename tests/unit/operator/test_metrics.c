/* What /metrics says: the rules of the text format, and the sums the objects make. */
#include "unit/unit.h"

#include <math.h>
#include <time.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "operator/tally.h"

static char *printed(struct op_metrics *m)
{
    struct buf b = BUF_INIT;

    op_metrics_print(m, &b);
    return buf_take(&b);
}

static double value_of(struct op_metrics *m, const char *series)
{
    _cleanup_free_ char *text = printed(m);
    _cleanup_strv_ char **lines = strv_split(text, '\n', false);

    for (char **l = lines; *l; l++)
        if (str_starts(*l, series) && (*l)[strlen(series)] == ' ')
            return strtod(*l + strlen(series) + 1, NULL);
    return NAN;
}

#define assert_series(m, series, expected)                                                                   \
    do {                                                                                                     \
        double is = value_of(m, series);                                                                     \
        if (!(fabs(is - (expected)) < 1e-9))                                                                 \
            fail_msg("%s is %g, expected %g", series, is, (double)(expected));                               \
    } while (0)

/* The family of a sample: the name, without the suffix of histograms. */
static char *family_of(const char *line, const struct map *kinds)
{
    static const char *const suffixes[] = {"_bucket", "_sum", "_count"};
    char *name = xstrndup(line, strcspn(line, "{ "));

    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (!str_ends(name, suffixes[i]))
            continue;
        _cleanup_free_ char *base = xstrndup(name, strlen(name) - strlen(suffixes[i]));
        if (streq_null(map_get(kinds, base), "histogram"))
            xstr_replace(&name, base);
    }
    return name;
}

static bool name_is_legal(const char *s)
{
    return strspn(s, "abcdefghijklmnopqrstuvwxyz_0123456789") == strlen(s) && !(*s >= '0' && *s <= '9');
}

static void check_names(const char *name, const char *kind)
{
    assert_true(name_is_legal(name));
    if (streq(kind, "counter") && !str_ends(name, "_total"))
        fail_msg("counter %s does not end in _total", name);
    if (!streq(kind, "counter") && str_ends(name, "_total"))
        fail_msg("%s %s ends in _total", kind, name);
    if (strstr(name, "_ms") || strstr(name, "milli") || strstr(name, "_kb"))
        fail_msg("%s is not in base units", name);
    if (streq(kind, "histogram") && !str_ends(name, "_seconds"))
        fail_msg("histogram %s does not name its unit", name);
}

/* Buckets of one histogram series: ascending bounds and counts, +Inf equals _count. */
struct buckets {
    char *series;
    double bound, count;
    bool ended;
};

static void check_bucket(struct buckets *b, const char *line)
{
    const char *le = strstr(line, "le=\"");

    assert_non_null(le);
    _cleanup_free_ char *series = xstrndup(line, (size_t)(le - line));
    double bound = strtod(le + 4, NULL), count = strtod(strrchr(line, ' '), NULL);
    if (!streq_null(b->series, series)) {
        assert_true(!b->series || b->ended);
        xstr_replace(&b->series, series);
        b->bound = -1;
        b->count = 0;
    }
    assert_true(bound > b->bound);
    assert_true(count >= b->count);
    b->bound = bound;
    b->count = count;
    b->ended = isinf(bound);
}

static void check_text(const char *text)
{
    struct map *kinds = map_new(free), *series = map_new(NULL);
    struct buckets b = {0};
    _cleanup_free_ char *current = xstrdup("");
    char *helped = NULL;

    assert_true(str_ends(text, "\n"));
    _cleanup_strv_ char **lines = strv_split(text, '\n', true);
    for (char **l = lines; l[0] && l[1]; l++) {
        _cleanup_strv_ char **words = strv_split(*l, ' ', false);
        if (str_starts(*l, "# HELP ")) {
            assert_true(strv_len(words) > 3);
            xstr_replace(&helped, words[2]);
        } else if (str_starts(*l, "# TYPE ")) {
            assert_int_equal(strv_len(words), 4);
            assert_string_equal(words[2], helped);
            if (map_has(kinds, words[2]))
                fail_msg("%s is there twice", words[2]);
            map_set(kinds, words[2], xstrdup(words[3]));
            xstr_replace(&current, words[2]);
            check_names(words[2], words[3]);
        } else {
            _cleanup_free_ char *family = family_of(*l, kinds);
            assert_string_equal(family, current);
            char *space = strrchr(*l, ' ');
            assert_non_null(space);
            char *end = NULL;
            strtod(space + 1, &end);
            assert_true(end != space + 1 && !*end);
            _cleanup_free_ char *key = xstrndup(*l, (size_t)(space - *l));
            if (map_has(series, key))
                fail_msg("%s is there twice", key);
            map_set(series, key, kinds);
            if (strstr(*l, "_bucket{"))
                check_bucket(&b, *l);
        }
    }
    assert_true(map_len(kinds) > 20);
    free(helped);
    free(b.series);
    map_free(kinds);
    map_free(series);
}

static void test_rules_of_the_format(void **state _unused_)
{
    struct op_metrics *m = op_metrics_new();
    _cleanup_err_ struct err *err = NULL;

    err_set(&err, ERR_FAILED, "no");
    for (int i = 0; i < 3; i++) {
        op_metrics_handled(m, "actor", 20000, 1500000);
        op_metrics_handled(m, "host", 0, 70000000000);
        op_metrics_request(m, "PATCH", 200, 3);
        op_metrics_request(m, "WATCH", 410, -1);
        op_metrics_request(m, "GET", 0, 30000);
        op_metrics_operation(m, "a \"lattice\"\n", "component-set", i ? err : NULL, 0, 140);
        op_metrics_error(m, "actor");
        op_metrics_retry(m, MODEL_ACTOR);
        op_metrics_failover(m, MODEL_PROVIDER, "gone", 0.4);
        op_metrics_objects(m, MODEL_ACTOR, "True", "Ready", 1);
    }
    _cleanup_free_ char *text = printed(m);
    check_text(text);
    _cleanup_free_ char *again = printed(m);
    check_text(again);
    assert_series(m, "wasm_operator_api_requests_total{method=\"PATCH\",code=\"2xx\"}", 3);
    assert_series(m, "wasm_operator_api_requests_total{method=\"GET\",code=\"none\"}", 3);
    assert_series(m, "wasm_operator_api_request_duration_seconds_count{method=\"GET\"}", 3);
    assert_null(strstr(text, "wasm_operator_api_request_duration_seconds_count{method=\"WATCH\"}"));
    assert_series(m, "wasm_operator_reconcile_duration_seconds_sum{name=\"actor\"}", 0.0045);
    assert_series(m, "wasm_operator_reconcile_duration_seconds_bucket{name=\"actor\",le=\"0.001\"}", 0);
    assert_series(m, "wasm_operator_reconcile_duration_seconds_bucket{name=\"actor\",le=\"0.0025\"}", 3);
    assert_series(
        m,
        "wasm_operator_lattice_operations_total{lattice=\"a \\\"lattice\\\"\\n\",operation=\"component-set\""
        ",result=\"failed\"}",
        2);
    op_metrics_free(m);
}

static void test_process(void **state _unused_)
{
    struct op_metrics *m = op_metrics_new();

    assert_true(value_of(m, "process_resident_memory_bytes") > 100000);
    assert_true(value_of(m, "process_virtual_memory_bytes") >= value_of(m, "process_resident_memory_bytes"));
    assert_true(value_of(m, "process_cpu_seconds_total") >= 0);
    assert_true(value_of(m, "process_open_fds") >= 3);
    assert_true(value_of(m, "process_max_fds") >= value_of(m, "process_open_fds"));
    /* After 2020, and not in the future. */
    assert_true(value_of(m, "process_start_time_seconds") > 1577836800);
    assert_true(value_of(m, "process_start_time_seconds") < (double)time(NULL) + 2);
    op_metrics_free(m);
}

/* Without metrics nothing is counted and nothing happens. */
static void test_none(void **state _unused_)
{
    struct unit_tally t = {0};
    static const int32_t one[TALLY_REPLICAS_COUNT] = {1, 1, 1, 1};

    op_metrics_handled(NULL, "actor", 1, 1);
    op_metrics_request(NULL, "GET", 200, 1);
    op_metrics_operation(NULL, "l", "links", NULL, 1, 1);
    tally_replicas(NULL, MODEL_ACTOR, &t, one, 5, true);
    tally_release(NULL, MODEL_ACTOR, &t);
}

static cJSON *status(const char *ready, const char *reason, const char *const *states)
{
    cJSON *o = cJSON_CreateObject(), *placements = cJSON_CreateArray(), *conditions = cJSON_CreateArray();

    for (; *states; states++)
        cJSON_AddItemToArray(placements, json_object("host", "h", "state", *states, NULL));
    cJSON_AddItemToArray(conditions,
                         json_object("type", "Placed", "status", "True", "reason", "Placed", NULL));
    cJSON_AddItemToArray(conditions, json_object("type", "Ready", "status", ready, "reason", reason, NULL));
    json_set(o, "placements", placements);
    json_set(o, "conditions", conditions);
    return o;
}

static void tell(struct op_metrics *m, struct unit_tally *t, const char *ready, const char *reason,
                 const char *const *states)
{
    _cleanup_json_ cJSON *o = status(ready, reason, states);

    tally_status(m, MODEL_ACTOR, t, o);
}

static void test_sums_of_objects(void **state _unused_)
{
    static const char *const two[] = {"Running", "Starting", NULL}, *const three[] = {"Running", "Running",
                                                                                      "Lost", NULL};
    struct op_metrics *m = op_metrics_new();
    struct unit_tally a = {0}, b = {0};
    const int32_t n[TALLY_REPLICAS_COUNT] = {3, 2, 1, 1};

    tell(m, &a, "False", "Starting", two);
    tell(m, &b, "True", "Ready", three);
    tally_replicas(m, MODEL_ACTOR, &a, n, 1, true);
    tally_replicas(m, MODEL_ACTOR, &b, n, 1, true);
    assert_series(m, "wasm_operator_placements{kind=\"actor\",state=\"Running\"}", 3);
    assert_series(m, "wasm_operator_placements{kind=\"actor\",state=\"Lost\"}", 1);
    assert_series(m, "wasm_operator_objects{kind=\"actor\",ready=\"False\",reason=\"Starting\"}", 1);
    assert_series(m, "wasm_operator_replicas{kind=\"actor\",state=\"desired\"}", 6);
    assert_series(m, "wasm_operator_replicas{kind=\"actor\",state=\"ready\"}", 2);
    tell(m, &a, "True", "Ready", three);
    assert_series(m, "wasm_operator_placements{kind=\"actor\",state=\"Running\"}", 4);
    assert_series(m, "wasm_operator_placements{kind=\"actor\",state=\"Starting\"}", 0);
    assert_series(m, "wasm_operator_objects{kind=\"actor\",ready=\"False\",reason=\"Starting\"}", 0);
    assert_series(m, "wasm_operator_objects{kind=\"actor\",ready=\"True\",reason=\"Ready\"}", 2);
    tally_release(m, MODEL_ACTOR, &a);
    tally_release(m, MODEL_ACTOR, &b);
    assert_series(m, "wasm_operator_placements{kind=\"actor\",state=\"Running\"}", 0);
    assert_series(m, "wasm_operator_objects{kind=\"actor\",ready=\"True\",reason=\"Ready\"}", 0);
    assert_series(m, "wasm_operator_replicas{kind=\"actor\",state=\"desired\"}", 0);
    op_metrics_free(m);
}

static void has(struct op_metrics *m, struct unit_tally *t, int32_t desired, int32_t ready, int64_t now_ms)
{
    const int32_t n[TALLY_REPLICAS_COUNT] = {desired, ready, ready, ready};

    tally_replicas(m, MODEL_ACTOR, t, n, now_ms, true);
}

static void test_failover(void **state _unused_)
{
#define GONE        "wasm_operator_failover_seconds_count{kind=\"actor\",cause=\"gone\"}"
#define GONE_SUM    "wasm_operator_failover_seconds_sum{kind=\"actor\",cause=\"gone\"}"
#define UNREACHABLE "wasm_operator_failover_seconds_count{kind=\"actor\",cause=\"unreachable\"}"
    struct op_metrics *m = op_metrics_new();
    struct unit_tally t = {0};

    has(m, &t, 3, 3, 900);
    tally_lost(&t, 1000, LAT_HOST_GONE);
    has(m, &t, 3, 2, 1200);
    /* A second host goes while the first is not made good: one failover, from the first on. */
    tally_lost(&t, 1300, LAT_HOST_UNREACHABLE);
    has(m, &t, 3, 1, 1350);
    has(m, &t, 3, 2, 1400);
    assert_true(isnan(value_of(m, GONE)));
    has(m, &t, 3, 3, 1500);
    assert_series(m, GONE, 1);
    assert_series(m, GONE_SUM, 0.5);
    assert_true(isnan(value_of(m, UNREACHABLE)));
    has(m, &t, 3, 3, 9000);
    assert_series(m, GONE, 1);

    /* One that was short before is made good when it is as short as before. */
    has(m, &t, 5, 3, 10000);
    tally_lost(&t, 10000, LAT_HOST_GONE);
    has(m, &t, 5, 2, 10100);
    has(m, &t, 5, 3, 11000);
    assert_series(m, GONE, 2);
    assert_series(m, GONE_SUM, 1.5);

    /* Scaled down meanwhile: what it asks for now is enough. Nothing served before: nothing is measured. */
    tally_lost(&t, 20000, LAT_HOST_UNREACHABLE);
    has(m, &t, 1, 1, 24000);
    assert_series(m, UNREACHABLE, 1);
    has(m, &t, 1, 0, 25000);
    tally_lost(&t, 25000, LAT_HOST_UNREACHABLE);
    has(m, &t, 1, 1, 26000);
    assert_series(m, UNREACHABLE, 1);

    /* Daemon mode has no replacement elsewhere. */
    tally_lost(&t, 30000, LAT_HOST_GONE);
    const int32_t n[TALLY_REPLICAS_COUNT] = {0, 0, 0, 0};
    tally_replicas(m, MODEL_ACTOR, &t, n, 31000, false);
    has(m, &t, 1, 1, 32000);
    assert_series(m, GONE, 2);
    tally_release(m, MODEL_ACTOR, &t);
    op_metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_of_the_format),
        cmocka_unit_test(test_process),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_sums_of_objects),
        cmocka_unit_test(test_failover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
