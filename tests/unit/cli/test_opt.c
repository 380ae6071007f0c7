#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/opt.h"

struct options {
    bool all, watch;
    const char *output;
    char **files, **labels;
    int64_t count, timeout_ns;
    int mode;
};
static const char *const modes[] = {"none", "client", "server", NULL};

#define O(member) offsetof(struct options, member)
static const struct cmd_opt opts[] = {
    {"all", 'A', OPT_FLAG, O(all), NULL, NULL, "all"},
    {"watch", 'w', OPT_FLAG, O(watch), NULL, "true", "watch"},
    {"output", 'o', OPT_STRING, O(output), NULL, NULL, "output"},
    {"file", 'f', OPT_LIST, O(files), NULL, NULL, "file"},
    {"labels", 'L', OPT_CSV, O(labels), NULL, "x,y", "labels"},
    {"count", 'c', OPT_INT, O(count), NULL, "7", "count", .min = 0, .max = 100},
    {"timeout", 0, OPT_DURATION, O(timeout_ns), NULL, "30s", "timeout", .seconds = true},
    {"mode", 'm', OPT_ENUM, O(mode), NULL, "none", "mode", .choices = modes, .bare = "client"},
    OPT_TABLE_END,
};

struct parsed {
    struct options o;
    struct cmd_globals g;
    char *args[32];
    int nargs;
    char **given;
    struct err *err;
    int r;
};

static struct parsed *parse(char *first, ...)
{
    struct parsed *p = xcalloc(1, sizeof(*p));
    struct opt_group groups[] = {{opts, &p->o}, {cmd_global_opts, &p->g}};
    char *argv[31];
    int argc = 0;
    va_list ap;

    va_start(ap, first);
    for (char *word = first; word; word = va_arg(ap, char *))
        argv[argc++] = word;
    va_end(ap);
    opt_defaults(groups, 2);
    p->r = opt_parse(groups, 2, argc, argv, p->args, &p->nargs, &p->given, &p->err);
    return p;
}

static void parsed_free(struct parsed *p)
{
    struct opt_group groups[] = {{opts, &p->o}, {cmd_global_opts, &p->g}};

    opt_release(groups, 2);
    strv_free(p->given);
    err_free(p->err);
    free(p);
}
DEFINE_CLEANUP(struct parsed *, parsed_free)
#define PARSE(...) _cleanup_(parsed_freep) struct parsed *p = parse(__VA_ARGS__, (char *)NULL)
#define W(s)       ((char *)(s))

static void defaults(void **state _unused_)
{
    PARSE(W("x"));
    assert_int_equal(p->r, 0);
    assert_false(p->o.all);
    assert_true(p->o.watch);
    assert_null(p->o.output);
    assert_int_equal(p->o.count, 7);
    assert_int_equal(p->o.timeout_ns, INT64_C(30000000000));
    assert_int_equal(strv_len(p->o.labels), 2);
    assert_int_equal(p->nargs, 1);
    assert_null(p->given);
}

static void long_and_short_forms(void **state _unused_)
{
    PARSE(W("-nfoo"), W("pods"), W("--output=json"), W("-f"), W("a"), W("--file"), W("b"), W("x"), W("-c=9"));
    assert_int_equal(p->r, 0);
    assert_string_equal(p->g.namespace, "foo");
    assert_string_equal(p->o.output, "json");
    assert_int_equal(strv_len(p->o.files), 2);
    assert_string_equal(p->o.files[1], "b");
    assert_int_equal(p->o.count, 9);
    assert_int_equal(p->nargs, 2);
    assert_string_equal(p->args[1], "x");
    assert_true(strv_has(p->given, "namespace"));
    assert_false(strv_has(p->given, "all"));
}

static void combined_short_flags(void **state _unused_)
{
    PARSE(W("-Awoyaml"));
    assert_int_equal(p->r, 0);
    assert_true(p->o.all);
    assert_true(p->o.watch);
    assert_string_equal(p->o.output, "yaml");
}

static void flags_take_values_with_equals_only(void **state _unused_)
{
    PARSE(W("--watch=false"), W("--all"), W("false"), W("-A=0"));
    assert_int_equal(p->r, 0);
    assert_false(p->o.watch);
    assert_false(p->o.all);
    assert_int_equal(p->nargs, 1);
}

static void bare_value(void **state _unused_)
{
    PARSE(W("--mode"), W("server"));
    assert_int_equal(p->r, 0);
    assert_int_equal(p->o.mode, 1);
    assert_int_equal(p->nargs, 1);
}

static void dashes_end_options(void **state _unused_)
{
    PARSE(W("-A"), W("--"), W("--watch=false"), W("-"));
    assert_int_equal(p->r, 0);
    assert_int_equal(p->nargs, 2);
    assert_string_equal(p->args[0], "--watch=false");
    assert_string_equal(p->args[1], "-");
}

static void lists_replace_their_default(void **state _unused_)
{
    PARSE(W("-L"), W("a,b"), W("-L"), W("c"));
    assert_int_equal(p->r, 0);
    assert_int_equal(strv_len(p->o.labels), 3);
    assert_string_equal(p->o.labels[0], "a");
    assert_string_equal(p->o.labels[2], "c");
}

static void durations(void **state _unused_)
{
    PARSE(W("--timeout=1h30m"));
    assert_int_equal(p->o.timeout_ns, INT64_C(5400000000000));
}

static void bare_numbers_are_seconds_where_allowed(void **state _unused_)
{
    PARSE(W("--timeout"), W("5"));
    assert_int_equal(p->o.timeout_ns, INT64_C(5000000000));
}

static void expect_error(const char *message, struct parsed *p)
{
    assert_int_equal(p->r, ERR_INVALID);
    assert_string_equal(err_text(p->err), message);
    parsed_free(p);
}

static void errors_in_pflags_words(void **state _unused_)
{
    expect_error("unknown flag: --bogus", parse(W("--bogus=1"), NULL));
    expect_error("unknown flag: --outputt, did you mean --output?", parse(W("--outputt=1"), NULL));
    expect_error("unknown flag: --naemspace, did you mean --namespace?", parse(W("--naemspace"), NULL));
    expect_error("unknown shorthand flag: 'z' in -Az", parse(W("-Az"), NULL));
    expect_error("flag needs an argument: --output", parse(W("--output"), NULL));
    expect_error("flag needs an argument: 'o' in -Ao", parse(W("-Ao"), NULL));
    expect_error("bad flag syntax: --=x", parse(W("--=x"), NULL));
    expect_error("bad flag syntax: ---x", parse(W("---x"), NULL));
    expect_error("invalid argument \"maybe\" for \"-A, --all\" flag: must be true or false",
                 parse(W("--all=maybe"), NULL));
    expect_error("invalid argument \"x\" for \"-c, --count\" flag: must be a whole number from 0 to 100",
                 parse(W("-cx"), NULL));
    expect_error("invalid argument \"101\" for \"-c, --count\" flag: must be a whole number from 0 to 100",
                 parse(W("-c"), W("101"), NULL));
    expect_error("invalid argument \"-5s\" for \"--timeout\" flag: must not be negative",
                 parse(W("--timeout=-5s"), NULL));
    expect_error("invalid argument \"5 s\" for \"--timeout\" flag: must be a duration with a unit, like "
                 "500ms, 30s or 1h30m",
                 parse(W("--timeout=5 s"), NULL));
    expect_error("invalid argument \"all\" for \"-m, --mode\" flag: must be one of none, client, server",
                 parse(W("-m=all"), NULL));
}

static void takes_next(void **state _unused_)
{
    struct cmd_globals g = {0};
    struct opt_group groups[] = {{cmd_global_opts, &g}};

    assert_true(opt_takes_next(groups, 1, "-n"));
    assert_false(opt_takes_next(groups, 1, "-nfoo"));
    assert_true(opt_takes_next(groups, 1, "--context"));
    assert_false(opt_takes_next(groups, 1, "--context=x"));
    assert_false(opt_takes_next(groups, 1, "--insecure-skip-tls-verify"));
    assert_false(opt_takes_next(groups, 1, "--unknown"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(long_and_short_forms),
        cmocka_unit_test(combined_short_flags),
        cmocka_unit_test(flags_take_values_with_equals_only),
        cmocka_unit_test(bare_value),
        cmocka_unit_test(dashes_end_options),
        cmocka_unit_test(lists_replace_their_default),
        cmocka_unit_test(durations),
        cmocka_unit_test(bare_numbers_are_seconds_where_allowed),
        cmocka_unit_test(errors_in_pflags_words),
        cmocka_unit_test(takes_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
