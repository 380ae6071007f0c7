/* What undo writes. */
#include "unit/unit.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/rollout.h"

static void check(const char *spec, const char *data, const char *want)
{
    _cleanup_json_ cJSON *object = cJSON_CreateObject(), *revision = cJSON_CreateObject();
    cJSON *now = NULL, *then = NULL;

    assert_int_equal(json_parse(spec, strlen(spec), "spec", &now, NULL), 0);
    assert_int_equal(json_parse(data, strlen(data), "data", &then, NULL), 0);
    json_set(object, "spec", now);
    json_set(revision, "data.spec", then);
    _cleanup_json_ cJSON *patch = rollout_undo_patch(object, revision);
    _cleanup_free_ char *text = patch ? json_print(patch) : NULL;
    assert_true(streq_null(text, want));
    /* Applied, it makes the revision's members what they were, and touches no other. */
    if (patch)
        json_merge_patch(&object, patch);
    _cleanup_json_ cJSON *again = rollout_undo_patch(object, revision);
    assert_null(again);
}

static void test_undo_patch(void **state _unused_)
{
    check("{\"image\":\"a\",\"replicas\":3}", "{\"image\":\"a\"}", NULL);
    check("{\"image\":\"b\",\"replicas\":3}", "{\"image\":\"a\"}", "{\"spec\":{\"image\":\"a\"}}");
    check("{\"image\":\"a\",\"config\":{\"x\":\"1\"}}", "{\"image\":\"a\"}", "{\"spec\":{\"config\":null}}");
    check("{\"image\":\"a\",\"config\":{\"x\":\"1\",\"y\":\"2\"}}",
          "{\"image\":\"a\",\"config\":{\"y\":\"3\"}}", "{\"spec\":{\"config\":{\"y\":\"3\",\"x\":null}}}");
    check("{\"image\":\"a\",\"capabilities\":[{\"name\":\"x\"}]}", "{\"image\":\"a\",\"capabilities\":[]}",
          "{\"spec\":{\"capabilities\":[]}}");
    check("{\"image\":\"a\"}", "{\"image\":\"a\",\"limits\":{\"memory\":\"1Mi\"},\"concurrency\":5}",
          "{\"spec\":{\"limits\":{\"memory\":\"1Mi\"},\"concurrency\":5}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_undo_patch)};

    return cmocka_run_group_tests_name("rollout", tests, NULL, NULL);
}
