/* Which address a component is served at, and which of two gives way. */
#include "unit/unit.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "operator/clash.h"

static struct map *values(const char *key, const char *value)
{
    struct map *m = map_new(free);

    if (key)
        map_set(m, key, xstrdup(value));
    return m;
}

static void test_address(void **state _unused_)
{
    static const struct {
        const char *provider_key, *provider_value, *own_key, *own_value;
        size_t sources, provider_sources;
        const char *address;
    } rows[] = {
        {"default_address", "h:1", NULL, NULL, 0, 0, "h:1"},
        {"default_address", "h:1", "address", "h:2", 0, 0, "h:2"},
        {"routing_mode", "address", NULL, NULL, 0, 0, ""},
        {NULL, NULL, NULL, NULL, 0, 0, ""},
        {NULL, NULL, "timeout_ms", "1", 0, 0, ""},
        /* One address serves many there. */
        {"routing_mode", "path", "address", "h:2", 0, 0, NULL},
        {"routing_mode", "host", NULL, NULL, 0, 0, NULL},
        /* What a ConfigMap says is not looked at: nothing can be told. */
        {"default_address", "h:1", NULL, NULL, 1, 0, NULL},
        {"default_address", "h:1", NULL, NULL, 0, 1, NULL},
        {NULL, NULL, "address", "h:2", 0, 1, "h:2"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct model_workload provider = {
            .config = {.values = values(rows[i].provider_key, rows[i].provider_value),
                       .nsources = rows[i].provider_sources}};
        struct model_capability c = {
            .config = {.values = values(rows[i].own_key, rows[i].own_value), .nsources = rows[i].sources}};
        const char *is = clash_address(&provider, &c);
        if (!streq_null(is, rows[i].address))
            fail_msg("row %zu: %s, expected %s", i, is ? is : "none",
                     rows[i].address ? rows[i].address : "none");
        map_free(provider.config.values);
        map_free(c.config.values);
    }
}

static void test_gives_way(void **state _unused_)
{
    struct model_workload a = {.key = (char *)"n/a", .meta.created_ns = 1},
                          b = {.key = (char *)"n/b", .meta.created_ns = 2};

    assert_true(clash_gives_way(&b, &a));
    assert_false(clash_gives_way(&a, &b));
    a.meta.created_ns = 3;
    assert_true(clash_gives_way(&a, &b));
    /* Of one age it is always the same one, and never both. */
    a.meta.created_ns = b.meta.created_ns;
    assert_true(clash_gives_way(&b, &a));
    assert_false(clash_gives_way(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_address), cmocka_unit_test(test_gives_way)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
