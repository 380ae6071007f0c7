#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "dev/parts.h"

extern const char dev_parts_versions[];

static void a_table_is_read(void **state _unused_)
{
    _cleanup_(dev_parts_release) struct dev_parts p = {0};
    _cleanup_err_ struct err *err = NULL;

    assert_int_equal(dev_parts_parse("# part version programs\n\n"
                                     "etcd\t3.7.3   etcd\r\n"
                                     "host  0.1-1   host  http-server.par.gz",
                                     &p, &err),
                     0);
    assert_int_equal(p.len, 2);
    const struct dev_part *host = dev_parts_find(&p, "host");
    assert_non_null(host);
    assert_string_equal(host->version, "0.1-1");
    assert_int_equal(strv_len(host->programs), 2);
    assert_string_equal(host->programs[1], "http-server.par.gz");
    assert_string_equal(dev_parts_find(&p, "etcd")->programs[0], "etcd");
    assert_null(dev_parts_find(&p, "nothing"));
}

static void a_wrong_line_is_named(void **state _unused_)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"etcd 3.7.3\n", "line 1 of the table of parts: needs part, version and programs"},
        {"a 1 a\n\nb 1 ../../etc/passwd\n", "line 3 of the table of parts: \"../../etc/passwd\" is no name"},
        {"a 1 a\n.. 1 a\n", "line 2 of the table of parts: \"..\" is no name"},
        {"a 1 a\na 2 a\n", "line 2 of the table of parts: a stands there twice"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_err_ struct err *err = NULL;
        struct dev_parts p = {0};
        assert_int_equal(dev_parts_parse(cases[i].text, &p, &err), ERR_INVALID);
        assert_string_equal(err_text(err), cases[i].message);
        assert_null(p.items);
    }
}

static void the_built_in_table_has_all_parts(void **state _unused_)
{
    static const char *const wanted[] = {"etcd", "kube-apiserver", "nats-server", "wasmcloud-host"};
    _cleanup_(dev_parts_release) struct dev_parts p = {0};

    assert_int_equal(dev_parts_parse(dev_parts_versions, &p, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        assert_non_null(dev_parts_find(&p, wanted[i]));
}

static void a_missing_part_says_how_to_get_it(void **state _unused_)
{
    _cleanup_err_ struct err *err = NULL;
    _cleanup_free_ char *path = NULL;

    assert_int_equal(setenv("WASMCTL_CACHE", "/nonexistent", 1), 0);
    assert_int_equal(dev_part_program("etcd", "etcd", &path, &err), ERR_NOT_FOUND);
    assert_null(path);
    assert_non_null(strstr(err_text(err), "etcd"));
    assert_non_null(strstr(err_text(err), "/nonexistent/etcd-"));
    assert_non_null(strstr(err_text(err), "./install.sh parts"));
}

static void a_program_beside_or_in_path_is_found(void **state _unused_)
{
    _cleanup_err_ struct err *err = NULL;
    _cleanup_free_ char *beside = NULL, *in_path = NULL, *none = NULL;

    assert_int_equal(dev_program_beside("test_dev_parts", &beside, &err), 0);
    assert_true(str_ends(beside, "/test_dev_parts"));
    assert_int_equal(setenv("PATH", "relative:/nonexistent:/bin:/usr/bin", 1), 0);
    assert_int_equal(dev_program_beside("sh", &in_path, &err), 0);
    assert_true(in_path[0] == '/');
    assert_int_equal(dev_program_beside("no-such-program-here", &none, &err), ERR_NOT_FOUND);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_read),
        cmocka_unit_test(a_wrong_line_is_named),
        cmocka_unit_test(the_built_in_table_has_all_parts),
        cmocka_unit_test(a_missing_part_says_how_to_get_it),
        cmocka_unit_test(a_program_beside_or_in_path_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
