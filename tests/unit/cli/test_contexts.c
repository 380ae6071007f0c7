#include "unit/unit.h"

#include "base/str.h"
#include "cli/contexts.h"

static char **names; /* of the kubeconfig */

static void expect(const char *text, const char *wanted)
{
    _cleanup_strv_ char **got = NULL;
    _cleanup_err_ struct err *err = NULL;

    if (contexts_select(text, names, &got, &err) < 0)
        fail_msg("%s: %s", text, err_text(err));
    _cleanup_free_ char *joined = strv_join(got, " ");
    assert_string_equal(joined, wanted);
}

static void refuse(const char *text, int code, const char *part)
{
    char **got = NULL;
    _cleanup_err_ struct err *err = NULL;

    assert_int_equal(contexts_select(text, names, &got, &err), code);
    assert_null(got);
    if (!strstr(err_text(err), part))
        fail_msg("%s: \"%s\" does not say \"%s\"", text, err_text(err), part);
}

static void test_names(void **state _unused_)
{
    expect("gcp", "gcp");
    expect("gcp,aws-eu", "gcp aws-eu");
    expect("gcp,aws-eu,gcp", "gcp aws-eu");
    expect("arn:aws:eks:eu-west-1:1:cluster/prod,gcp", "arn:aws:eks:eu-west-1:1:cluster/prod gcp");
}

static void test_expressions(void **state _unused_)
{
    expect("/aws-/", "aws-eu aws-us");
    expect("/-us$/,/^aws-/", "aws-us aws-eu");
    expect("gcp,/aws-/", "gcp aws-eu aws-us");
    expect("/n,p/", "on,prem");
    expect("/a{1,2}ws-/,gcp", "aws-eu aws-us gcp");
    expect("/cluster\\/prod/", "arn:aws:eks:eu-west-1:1:cluster/prod");
    expect("/cluster/prod/", "arn:aws:eks:eu-west-1:1:cluster/prod");
    expect("/(?i)GCP/", "gcp");
}

static void test_exclusions(void **state _unused_)
{
    expect("^gcp", "aws-eu aws-us arn:aws:eks:eu-west-1:1:cluster/prod on,prem");
    expect("^/aws/,^/,/", "gcp");
    expect("^aws-eu,/aws-/", "aws-us");
    expect("/aws-/,^aws-eu", "aws-us");
    expect("^/nothing at all/,gcp", "gcp");
}

static void test_all(void **state _unused_)
{
    _cleanup_strv_ char **got = NULL;

    assert_int_equal(contexts_select(NULL, names, &got, NULL), 0);
    assert_int_equal(strv_len(got), 5);
    assert_string_equal(got[0], "aws-eu");
}

static void test_mistakes(void **state _unused_)
{
    char *const none[] = {NULL};
    char **got = NULL;

    refuse("gcpp", ERR_NOT_FOUND, "did you mean \"gcp\"");
    refuse("zzz,gcp", ERR_NOT_FOUND, "context \"zzz\" does not exist; there are aws-eu, ");
    refuse("^zzz,gcp", ERR_NOT_FOUND, "\"zzz\" does not exist");
    refuse("/zzz/,gcp", ERR_NOT_FOUND, "/zzz/ matches none");
    refuse("gcp,^gcp", ERR_NOT_FOUND, "leaves no context");
    refuse("^/./", ERR_NOT_FOUND, "leaves no context");
    refuse("", ERR_INVALID, "empty");
    refuse("gcp,", ERR_INVALID, "empty");
    refuse(",gcp", ERR_INVALID, "empty");
    refuse("^", ERR_INVALID, "empty");
    refuse("//", ERR_INVALID, "empty");
    refuse("/", ERR_INVALID, "no closing slash");
    refuse("/aws", ERR_INVALID, "no closing slash");
    refuse("/aws\\/", ERR_INVALID, "no closing slash");
    refuse("/(/", ERR_INVALID, "is no regular expression");
    assert_int_equal(contexts_select("gcp", none, &got, NULL), ERR_NOT_FOUND);
    assert_int_equal(contexts_select(NULL, none, &got, NULL), ERR_NOT_FOUND);
}

/* An expression that would take for ever on a long name ends and matches nothing. */
static void test_expensive_expression(void **state _unused_)
{
    _cleanup_strv_ char **long_names = NULL;
    char **got = NULL;

    strv_push(&long_names,
              "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
    assert_int_equal(contexts_select("/^(a+)+$/", long_names, &got, NULL), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),      cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_exclusions), cmocka_unit_test(test_all),
        cmocka_unit_test(test_mistakes),   cmocka_unit_test(test_expensive_expression),
    };
    names = strv_split("aws-eu\naws-us\ngcp\narn:aws:eks:eu-west-1:1:cluster/prod\non,prem", '\n', false);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    strv_free(names);
    return failed;
}
