#include "unit/unit.h"

#include "base/str.h"
#include "operator/options.h"

static int parse(struct op_options *o, struct err **err, const char *a, const char *b, const char *c)
{
    char *argv[] = {(char *)"wasm-operator", (char *)(uintptr_t)a, (char *)(uintptr_t)b, (char *)(uintptr_t)c,
                    NULL};
    int argc = 1;

    while (argv[argc])
        argc++;
    return op_options_parse(argc, argv, o, err);
}

static void test_defaults_and_flags(void **state _unused_)
{
    struct op_options o;

    unsetenv("KUBECONFIG");
    assert_int_equal(parse(&o, NULL, NULL, NULL, NULL), 0);
    assert_null(o.kubeconfig);
    assert_string_equal(o.health_address, ":8081");
    assert_int_equal(o.forget_host_ms, 600000);
    assert_int_equal(parse(&o, NULL, "--kubeconfig=x", "--log-level", "debug"), 0);
    assert_string_equal(o.kubeconfig, "x");
    assert_string_equal(o.log_level, "debug");
    assert_int_equal(parse(&o, NULL, "--health-address=", NULL, NULL), 0);
    assert_string_equal(o.health_address, "");
    assert_int_equal(parse(&o, NULL, "-h", NULL, NULL), 0);
    assert_true(o.help);
}

static void test_environment(void **state _unused_)
{
    struct op_options o;

    setenv("WASM_OPERATOR_RESYNC", "30s", 1);
    assert_int_equal(parse(&o, NULL, NULL, NULL, NULL), 0);
    assert_int_equal(o.resync_ms, 30000);
    assert_int_equal(parse(&o, NULL, "--resync=1m", NULL, NULL), 0);
    assert_int_equal(o.resync_ms, 60000);
    unsetenv("WASM_OPERATOR_RESYNC");
}

static void test_errors(void **state _unused_)
{
    static const struct {
        const char *arg, *text;
    } rows[] = {
        {"--no-such", "--no-such"},
        {"x", "\"x\""},
        {"--log-level=loud", "loud"},
        {"--log-format=xml", "xml"},
        {"--resync=soon", "soon"},
        {"--resync=0", "at least"},
        {"--kubeconfig", "needs a value"},
        {"--help=yes", "takes no value"},
        {"--leader-election=maybe", "maybe"},
        {"--lease-duration=1s", "at least 3s"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct op_options o;
        _cleanup_err_ struct err *e = NULL;
        assert_true(parse(&o, &e, rows[i].arg, NULL, NULL) < 0);
        assert_non_null(strstr(err_text(e), rows[i].text));
    }
}

static void test_help_names_every_flag(void **state _unused_)
{
    static const char *const flags[] = {"--kubeconfig", "--log-level", "--watch-namespaces",
                                        "--lease-namespace", "WASM_OPERATOR_RESYNC"};
    _cleanup_free_ char *help = op_options_help();

    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        assert_non_null(strstr(help, flags[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_defaults_and_flags),
                                       cmocka_unit_test(test_environment), cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_help_names_every_flag)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
