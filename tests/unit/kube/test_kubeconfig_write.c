#include "unit/unit.h"

#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/kubeconfig_write.h"

static char *folder;

static int make_folder(void **state _unused_)
{
    folder = xstrdup("/tmp/wasmctl-test-kubeconfig-write-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state _unused_)
{
    int r = file_remove_tree(folder, NULL);

    free(folder);
    return r;
}

static char *path_of(const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

static char *put(const char *name, const char *text)
{
    char *path = path_of(name);

    assert_int_equal(file_write(path, text, strlen(text), 0600, NULL), 0);
    return path;
}

static void expect_file(const char *path, const char *text)
{
    _cleanup_free_ char *is = NULL;

    assert_int_equal(file_read(path, 1 << 20, &is, NULL, NULL), 0);
    assert_string_equal(is, text);
}

static struct kubeconfig_files *open_files(const char *path)
{
    struct kubeconfig_files *k = NULL;
    _cleanup_err_ struct err *err = NULL;

    if (kubeconfig_files_open(path, true, &k, &err) < 0)
        fail_msg("%s", err_text(err));
    return k;
}

static void commit(struct kubeconfig_files *k)
{
    assert_int_equal(kubeconfig_files_commit(k, NULL), 0);
    kubeconfig_files_free(k);
}

static const char one[] = "contexts:\n- context:\n    cluster: c\n  name: a\ncurrent-context: a\n";
static const char two[] = "contexts:\n- context: {}\n  name: a\n- context:\n    cluster: d\n  name: b\n";

static void entries_stay_in_their_file(void **state _unused_)
{
    _cleanup_free_ char *first = put("one", one), *second = put("two", two),
                        *list = xasprintf("%s/absent:%s:%s:%s", folder, first, second, first);
    _cleanup_strv_ char **names = NULL;

    setenv("KUBECONFIG", list, 1);
    struct kubeconfig_files *k = open_files(NULL);
    assert_string_equal(kubeconfig_files_default(k), first);
    names = kubeconfig_files_names(k, KUBECONFIG_CONTEXTS);
    assert_int_equal(strv_len(names), 2);
    assert_string_equal(json_str(kubeconfig_files_get(k, KUBECONFIG_CONTEXTS, "a"), "cluster"), "c");
    assert_null(kubeconfig_files_get(k, KUBECONFIG_CONTEXTS, "c"));
    assert_null(kubeconfig_files_get(k, KUBECONFIG_USERS, "a"));
    kubeconfig_files_put(k, KUBECONFIG_CONTEXTS, "b", json_object("cluster", "e", NULL));
    commit(k);
    expect_file(first, one);
    expect_file(second,
                "apiVersion: v1\ncontexts:\n- context: {}\n  name: a\n- context:\n    cluster: e\n  name: b\n"
                "kind: Config\n");
    k = open_files(NULL);
    assert_true(kubeconfig_files_remove(k, KUBECONFIG_CONTEXTS, "a"));
    assert_non_null(kubeconfig_files_get(k, KUBECONFIG_CONTEXTS, "a")); /* the second file's counts now */
    assert_true(kubeconfig_files_remove(k, KUBECONFIG_CONTEXTS, "a"));
    assert_false(kubeconfig_files_remove(k, KUBECONFIG_CONTEXTS, "a"));
    kubeconfig_files_set_current(k, "");
    assert_string_equal(kubeconfig_files_current(k), "");
    kubeconfig_files_free(k); /* nothing was committed */
    expect_file(first, one);
    unsetenv("KUBECONFIG");
}

static void locks_are_given_back(void **state _unused_)
{
    _cleanup_free_ char *path = put("locked", one), *lock = path_of("locked.lock");
    struct kubeconfig_files *k = open_files(path), *other = NULL;
    _cleanup_err_ struct err *err = NULL;

    assert_int_equal(access(lock, F_OK), 0);
    assert_int_equal(kubeconfig_files_open(path, true, &other, &err), ERR_CONFLICT);
    assert_null(other);
    /* Who only reads waits for nobody. */
    assert_int_equal(kubeconfig_files_open(path, false, &other, NULL), 0);
    kubeconfig_files_free(other);
    assert_int_equal(access(lock, F_OK), 0);
    kubeconfig_files_free(k);
    assert_int_not_equal(access(lock, F_OK), 0);
}

static void broken_files_do_not_open(void **state _unused_)
{
    static const char *const texts[] = {"a: [",         "- x",        "kind: Pod",
                                        "users: x",     "users: [1]", "a: b\n---\nc: d",
                                        "a: 1\na: 2\n", "x: \"\\0\"", "clusters: {}"};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        _cleanup_free_ char *path = put("broken", texts[i]), *lock = path_of("broken.lock");
        _cleanup_err_ struct err *err = NULL;
        struct kubeconfig_files *k = NULL;
        assert_int_equal(kubeconfig_files_open(path, true, &k, &err), ERR_INVALID);
        assert_null(k);
        assert_int_not_equal(access(lock, F_OK), 0);
    }
    _cleanup_free_ char *empty = put("empty", "");
    struct kubeconfig_files *k = open_files(empty);
    kubeconfig_files_put(k, KUBECONFIG_USERS, "u", json_object("token", "t", NULL));
    commit(k);
    expect_file(empty, "apiVersion: v1\nkind: Config\nusers:\n- name: u\n  user:\n    token: t\n");
}

static void paths_are_relative_below_the_file(void **state _unused_)
{
    _cleanup_free_ char *path = put("paths", one), *sub = path_of("sub"), *cert = NULL;
    _cleanup_free_ char *real = realpath(folder, NULL), *here = realpath(".", NULL);
    struct {
        const char *given;
        char *written;
    } cases[] = {
        {"", xstrdup("")},
        {"/etc/hostname-not-there", xstrdup("/etc/hostname-not-there")},
        {"not-there", xasprintf("%s/not-there", here)},
    };

    assert_int_equal(file_mkdirs(sub, 0700, NULL), 0);
    cert = put("sub/ca.crt", "x");
    struct kubeconfig_files *k = open_files(path);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *written = NULL;
        assert_int_equal(kubeconfig_files_path(k, KUBECONFIG_CLUSTERS, "c", cases[i].given, &written, NULL),
                         0);
        assert_string_equal(written, cases[i].written);
        free(cases[i].written);
    }
    _cleanup_free_ char *below = NULL, *around = NULL, *crooked = xasprintf("%s/sub/../sub/ca.crt", real);
    assert_int_equal(kubeconfig_files_path(k, KUBECONFIG_CLUSTERS, "c", cert, &below, NULL), 0);
    assert_string_equal(below, "sub/ca.crt");
    assert_int_equal(kubeconfig_files_path(k, KUBECONFIG_CLUSTERS, "c", crooked, &around, NULL), 0);
    assert_string_equal(around, "sub/ca.crt");
    kubeconfig_files_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_stay_in_their_file),
        cmocka_unit_test(locks_are_given_back),
        cmocka_unit_test(broken_files_do_not_open),
        cmocka_unit_test(paths_are_relative_below_the_file),
    };

    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
