#include "unit/unit.h"

#include "base/str.h"
#include "operator/registry.h"

static void test_registry_of(void **state _unused_)
{
    static const char *const rows[][2] = {
        {"registry.example.com/a/b:1", "registry.example.com"},
        {"127.0.0.1:5000/a@sha256:00", "127.0.0.1:5000"},
        {"localhost/a", "localhost"},
        {"oci://ghcr.io/a/b:1", "ghcr.io"},
        {"library/a:1", "docker.io"},
        {"a", "docker.io"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *registry = registry_of(rows[i][0]);
        assert_string_equal(registry, rows[i][1]);
    }
    assert_null(registry_of("file:///x/y.wasm"));
    assert_null(registry_of("wasmcloud+builtin://http-server"));
}

static void test_mirrored(void **state _unused_)
{
    static const char *const rows[][2] = {
        {"a.example/team/x:1", "mirror.example/copy/x:1"},
        {"oci://a.example/team/x:1", "oci://mirror.example/copy/x:1"},
        {"a.example/team:1", "mirror.example/copy:1"},
        {"a.example/teams/x:1", "b.example/teams/x:1"}, /* only the shorter prefix ends at a part */
        {"a.example/team/deep/x@sha256:00", "deep.example/x@sha256:00"},
        {"c.example/x:1", "c.example/x:1"},
        {"file:///a.example/team/x.wasm", "file:///a.example/team/x.wasm"},
        {"wasmcloud+builtin://http-server", "wasmcloud+builtin://http-server"},
    };
    _cleanup_map_ struct map *mirrors = map_new(NULL);

    map_set(mirrors, "a.example", (char *)"b.example");
    map_set(mirrors, "a.example/team", (char *)"mirror.example/copy/");
    map_set(mirrors, "a.example/team/deep/", (char *)"deep.example");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *image = registry_mirrored(rows[i][0], mirrors);
        assert_string_equal(image, rows[i][1]);
    }
    _cleanup_free_ char *same = registry_mirrored("a.example/x:1", NULL);
    assert_string_equal(same, "a.example/x:1");
}

static void test_find(void **state _unused_)
{
    static const char config[] =
        "{\"auths\":{\"a.example\":{\"username\":\"u\",\"password\":\"p:w\"},"
        "\"https://b.example/v1/\":{\"auth\":\"dXNlcjpwYXNzOndvcmQ=\"},"
        "\"https://index.docker.io/v1/\":{\"auth\":\"ZDpk\"},\"bad.example\":{\"auth\":\"!\"},"
        "\"empty.example\":{},\"nocolon.example\":{\"auth\":\"eA==\"}}}";
    static const struct {
        const char *registry, *username, *password;
    } rows[] = {{"a.example", "u", "p:w"}, {"b.example", "user", "pass:word"}, {"docker.io", "d", "d"}};
    static const char *const bad[] = {"bad.example", "empty.example", "nocolon.example", "absent.example"};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct registry_login l = {0};
        assert_int_equal(registry_login_find(config, rows[i].registry, &l, NULL), 0);
        assert_string_equal(l.username, rows[i].username);
        assert_string_equal(l.password, rows[i].password);
        registry_login_release(&l);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct registry_login l = {0};
        _cleanup_err_ struct err *e = NULL;
        assert_true(registry_login_find(config, bad[i], &l, &e) < 0);
        assert_non_null(strstr(e->message, bad[i]));
        assert_null(l.registry);
    }
    struct registry_login l = {0};
    assert_int_equal(registry_login_find("not json", "a", &l, NULL), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry_of),
        cmocka_unit_test(test_mirrored),
        cmocka_unit_test(test_find),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
