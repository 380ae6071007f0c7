#include "unit/unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "data/selector.h"

static struct map *labels_of(const char *text)
{
    struct map *m = map_new(free);
    _cleanup_strv_ char **pairs = strv_split(text, ' ', false);

    for (size_t i = 0; pairs[i]; i++) {
        char *equals = strchr(pairs[i], '=');
        *equals = '\0';
        map_set(m, pairs[i], xstrdup(equals + 1));
    }
    return m;
}

static void test_text(void **state _unused_)
{
    static const struct {
        const char *selector, *labels;
        bool matches;
        const char *printed;
    } rows[] = {
        {"", "a=1", true, "<everything>"},
        {"a=1", "a=1 b=2", true, "a=1"},
        {"a==1", "a=2", false, "a=1"},
        {"a!=1", "b=1", true, "a!=1"},
        {"a!=1", "a=1", false, "a!=1"},
        {"cloud in (gcp, aws)", "cloud=aws", true, "cloud in (aws,gcp)"},
        {"cloud notin (gcp,aws)", "cloud=aws", false, "cloud notin (aws,gcp)"},
        {"cloud notin (gcp)", "x=y", true, "cloud!=gcp"},
        {"a", "a=", true, "a"},
        {"!a", "a=", false, "!a"},
        {"!a,b=2", "b=2", true, "!a,b=2"},
        {" a = 1 , b ", "a=1 b=x", true, "a=1,b"},
        {"example.com/x=y", "example.com/x=y", true, "example.com/x=y"},
        {"a=", "a=", true, "a="},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(selector_freep) struct selector *s = NULL;
        _cleanup_map_ struct map *labels = labels_of(rows[i].labels);
        assert_int_equal(selector_parse(rows[i].selector, &s, NULL), 0);
        if (selector_matches(s, labels) != rows[i].matches)
            fail_msg("%s on %s", rows[i].selector, rows[i].labels);
        _cleanup_free_ char *text = selector_text(s), *mismatch = selector_first_mismatch(s, labels);
        assert_string_equal(text, rows[i].printed);
        assert_int_equal(mismatch == NULL, rows[i].matches);
    }
}

static void test_errors(void **state _unused_)
{
    static const char *const bad[] = {"a b",  "=x",    "a in", "a in (", "a in (x", "a,,b",
                                      "a=1,", "a=x y", "-a",   "a=-",    "a in x"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct selector *s = NULL;
        _cleanup_err_ struct err *e = NULL;
        assert_int_equal(selector_parse(bad[i], &s, &e), ERR_INVALID);
        assert_non_null(strstr(e->message, bad[i]));
        assert_null(s);
    }
}

static int from(const char *text, struct selector **ret, struct err **err)
{
    _cleanup_json_ cJSON *o = NULL;

    assert_int_equal(json_parse(text, strlen(text), "t", &o, NULL), 0);
    return selector_from_json(o, ret, err);
}

static void test_objects(void **state _unused_)
{
    _cleanup_(selector_freep) struct selector *s = NULL, *none = NULL;
    _cleanup_map_ struct map *labels = labels_of("a=1 cloud=gcp");

    assert_int_equal(
        from("{\"matchLabels\":{\"a\":\"1\"},\"matchExpressions\":[{\"key\":\"cloud\",\"operator\":\"In\","
             "\"values\":[\"gcp\",\"aws\"]},{\"key\":\"gone\",\"operator\":\"DoesNotExist\"}]}",
             &s, NULL),
        0);
    assert_true(selector_matches(s, labels));
    _cleanup_free_ char *text = selector_text(s);
    assert_string_equal(text, "a=1,cloud in (aws,gcp),!gone");
    assert_int_equal(from("{}", &none, NULL), 0);
    assert_true(selector_matches(none, labels));
    assert_true(selector_matches(NULL, NULL));
}

static void test_object_errors(void **state _unused_)
{
    static const char *const bad[] = {
        "{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Near\"}]}",
        "{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\"}]}",
        "{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\",\"values\":[\"x\"]}]}",
        "{\"matchExpressions\":[{\"key\":\"\",\"operator\":\"Exists\"}]}",
        "{\"matchLabels\":{\"a\":1}}",
        "{\"matchLabels\":[\"a\"]}",
        "{\"matchExpressions\":{\"key\":\"a\"}}",
        "{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"x\",1]}]}",
        "\"a=b\"",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct selector *s = NULL;
        _cleanup_err_ struct err *e = NULL;
        assert_int_equal(from(bad[i], &s, &e), ERR_INVALID);
        assert_non_null(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_objects), cmocka_unit_test(test_object_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
