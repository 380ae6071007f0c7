#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "base/str.h"
#include "dev/env.h"
#include "dev/kubeconf.h"
#include "tests/unit/dev/scratch.h"

static const char ours_text[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Config\",\"current-context\":\"wasm-dev\","
    "\"clusters\":[{\"name\":\"wasm-dev\",\"cluster\":{\"server\":\"https://127.0.0.1:1\"}}],"
    "\"users\":[{\"name\":\"wasm-dev\",\"user\":{}}],"
    "\"contexts\":[{\"name\":\"wasm-dev\",\"context\":{\"cluster\":\"wasm-dev\",\"user\":\"wasm-dev\"}}]}";

static cJSON *parse(const char *text)
{
    cJSON *o = NULL;

    assert_int_equal(json_parse(text, strlen(text), "test", &o, NULL), 0);
    return o;
}

static void merging_keeps_the_rest(void **state _unused_)
{
    _cleanup_json_ cJSON *ours = parse(ours_text);
    _cleanup_json_ cJSON *target =
        parse("{\"current-context\":\"prod\",\"preferences\":{\"x\":1},"
              "\"clusters\":[{\"name\":\"wasm-dev\",\"cluster\":{\"server\":\"old\"}},"
              "{\"name\":\"prod\",\"cluster\":{}}],\"users\":null}");

    assert_int_equal(dev_kubeconf_merge(target, ours, false, NULL), 0);
    assert_string_equal(json_str(target, "current-context"), "prod");
    assert_int_equal(json_int(target, "preferences.x", 0), 1);
    assert_int_equal(cJSON_GetArraySize(json_get(target, "clusters")), 2);
    assert_string_equal(json_str(target, "clusters[1].cluster.server"), "https://127.0.0.1:1");
    assert_string_equal(json_str(target, "clusters[0].name"), "prod");
    assert_int_equal(cJSON_GetArraySize(json_get(target, "users")), 1);
    assert_int_equal(dev_kubeconf_merge(target, ours, true, NULL), 0);
    assert_string_equal(json_str(target, "current-context"), "wasm-dev");
    assert_int_equal(cJSON_GetArraySize(json_get(target, "contexts")), 1);
    assert_true(dev_kubeconf_remove(target, "wasm-dev"));
    assert_false(dev_kubeconf_remove(target, "wasm-dev"));
    assert_string_equal(json_str(target, "current-context"), "");
    assert_int_equal(cJSON_GetArraySize(json_get(target, "clusters")), 1);
    assert_int_equal(cJSON_GetArraySize(json_get(target, "contexts")), 0);
}

static void what_is_no_kubeconfig_is_left_alone(void **state _unused_)
{
    _cleanup_json_ cJSON *ours = parse(ours_text), *list = parse("[]"), *odd = parse("{\"users\":{}}");

    assert_int_equal(dev_kubeconf_merge(list, ours, false, NULL), ERR_INVALID);
    assert_int_equal(dev_kubeconf_merge(odd, ours, false, NULL), ERR_INVALID);
    assert_int_equal(cJSON_GetArraySize(odd), 1);
}

static char *merge_into(struct dev_env *e, const char *kubeconfig)
{
    char *path = NULL;

    assert_int_equal(setenv("KUBECONFIG", kubeconfig, 1), 0);
    assert_int_equal(dev_merge(e, false, &path, NULL), 0);
    return path;
}

static void files_are_written_as_kubectl_would(void **state _unused_)
{
    _cleanup_free_ char *first = scratch_path("first"), *second = scratch_path("second"),
                        *link = scratch_path("link");
    _cleanup_free_ char *list = xasprintf("%s:%s", first, second), *text = NULL;
    _cleanup_dev_ struct dev_env *e = NULL;
    struct stat st;

    assert_int_equal(dev_open(NULL, "dev", NULL, false, &e, NULL), 0);
    assert_int_equal(file_mkdirs(dev_folder(e), 0700, NULL), 0);
    scratch_write(dev_kubeconfig_path(e), ours_text);
    /* None exists: the last one. One exists: that one, with its mode; a link stays a link. */
    _cleanup_free_ char *made = merge_into(e, list);
    assert_string_equal(made, second);
    assert_int_equal(stat(second, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(dev_unmerge(e, NULL), 0);
    scratch_write(first, "# mine\nusers: []\n");
    assert_int_equal(chmod(first, 0640), 0);
    assert_int_equal(symlink(first, link), 0);
    _cleanup_free_ char *linked = merge_into(e, link);
    assert_string_equal(linked, first);
    assert_string_equal(e->merged_into, first);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(first, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(dev_unmerge(e, NULL), 0);
    assert_int_equal(file_read(first, 65536, &text, NULL, NULL), 0);
    assert_null(strstr(text, "wasm-dev"));
}

static void a_file_in_use_or_damaged_is_not_touched(void **state _unused_)
{
    _cleanup_free_ char *path = scratch_path("busy"), *lock = scratch_path("busy.lock"), *text = NULL,
                        *merged = NULL;
    _cleanup_err_ struct err *busy = NULL, *damaged = NULL;
    _cleanup_dev_ struct dev_env *e = NULL;

    assert_int_equal(dev_open(NULL, "dev", NULL, false, &e, NULL), 0);
    assert_int_equal(setenv("KUBECONFIG", path, 1), 0);
    scratch_write(path, "users: [\n");
    scratch_write(lock, "");
    assert_int_equal(dev_merge(e, false, &merged, &busy), ERR_CONFLICT);
    assert_non_null(strstr(err_text(busy), lock));
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(dev_merge(e, false, &merged, &damaged), ERR_INVALID);
    assert_non_null(strstr(err_text(damaged), path));
    assert_int_equal(access(lock, F_OK), -1);
    assert_int_equal(file_read(path, 65536, &text, NULL, NULL), 0);
    assert_string_equal(text, "users: [\n");
    assert_null(merged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merging_keeps_the_rest),
        cmocka_unit_test(what_is_no_kubeconfig_is_left_alone),
        cmocka_unit_test(files_are_written_as_kubectl_would),
        cmocka_unit_test(a_file_in_use_or_damaged_is_not_touched),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
