#include "unit/unit.h"

#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

static char *folder;

static int make_folder(void **state _unused_)
{
    folder = xstrdup("/tmp/wasmctl-test-file-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state _unused_)
{
    int r = file_remove_tree(folder, NULL);

    free(folder);
    return r;
}

static void test_write_and_read(void **state _unused_)
{
    _cleanup_free_ char *deep = xasprintf("%s/a/b/c", folder), *path = xasprintf("%s/x", deep), *text = NULL;
    size_t len;
    struct stat st;

    assert_int_equal(file_mkdirs(deep, 0700, NULL), 0);
    assert_int_equal(file_mkdirs(deep, 0700, NULL), 0);
    assert_int_equal(file_write(path, "one", 3, 0600, NULL), 0);
    assert_int_equal(file_write(path, "two!", 4, 0600, NULL), 0);
    assert_int_equal(file_read(path, 100, &text, &len, NULL), 0);
    assert_int_equal(len, 4);
    assert_string_equal(text, "two!");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_errors(void **state _unused_)
{
    _cleanup_free_ char *path = xasprintf("%s/big", folder), *absent = xasprintf("%s/absent", folder);
    _cleanup_err_ struct err *large = NULL, *missing = NULL;
    char *text = NULL;

    assert_int_equal(file_write(path, "0123456789", 10, 0600, NULL), 0);
    assert_int_equal(file_read(path, 9, &text, NULL, &large), ERR_TOO_LARGE);
    assert_non_null(strstr(large->message, path));
    assert_int_equal(file_read(absent, 9, &text, NULL, &missing), ERR_NOT_FOUND);
    assert_non_null(strstr(missing->message, absent));
    assert_null(text);
    assert_int_equal(file_remove_tree(absent, NULL), 0);
}

static void test_folders_from_environment(void **state _unused_)
{
    setenv("XDG_STATE_HOME", "/s", 1);
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", "/h", 1);
    unsetenv("WASMCTL_CACHE");
    _cleanup_free_ char *state_dir = file_state_dir(), *cache = file_cache_dir();
    assert_string_equal(state_dir, "/s/wasmctl");
    assert_string_equal(cache, "/h/.cache/wasmctl");
    setenv("WASMCTL_CACHE", "/c", 1);
    _cleanup_free_ char *own = file_cache_dir();
    assert_string_equal(own, "/c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_write_and_read), cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_folders_from_environment)};
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
