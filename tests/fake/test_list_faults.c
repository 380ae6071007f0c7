/* The list of a command line, when pages fail. */
#include "fake/fault.h"

#include "kube/watch.h"

#define MAPS "/api/v1/configmaps"
#define PAGE(version, next, name)                                                                            \
    "{\"kind\":\"ConfigMapList\",\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" next     \
    "\"},\"items\":[{\"metadata\":{\"name\":\"" name "\"}}]}"
#define GONE(next)                                                                                           \
    "{\"kind\":\"Status\",\"metadata\":{\"continue\":\"" next "\"},\"message\":\"too old\",\"reason\":"      \
    "\"Expired\",\"code\":410}"

struct pages {
    struct buf names;
    unsigned refuse_at, calls;
};

static int on_page(void *arg, cJSON *page, struct err **err)
{
    struct pages *p = arg;

    if (++p->calls == p->refuse_at)
        return err_set(err, ERR_INVALID, "enough");
    json_each (o, json_get(page, "items"))
        buf_addf(&p->names, "%s ", json_str_or(o, "metadata.name", "?"));
    return 0;
}

static int list(struct fault *t, struct pages *p, char **ret_version, struct err **err)
{
    return kube_list_wait(t->client, MAPS, "labelSelector=a", NULL, 2, on_page, p, ret_version, err);
}

static void expect(struct fault *t, const char *token, int status, const char *body)
{
    _cleanup_free_ char *target =
        xasprintf(MAPS "?labelSelector=a&limit=2%s%s", token ? "&continue=" : "", token ? token : "");
    http_fake_expect(t->server, "GET", target, (struct http_answer){.status = status, .body = body});
}

static void test_pages(void **state)
{
    struct fault *t = *state;
    struct pages p = {0};
    _cleanup_free_ char *version = NULL;
    _cleanup_err_ struct err *err = NULL;

    expect(t, NULL, 200, PAGE("7", "x y", "a"));
    expect(t, "x%20y", 200, PAGE("7", "", "b"));
    assert_int_equal(list(t, &p, &version, &err), 0);
    assert_string_equal(buf_str(&p.names), "a b ");
    assert_string_equal(version, "7");
    buf_release(&p.names);
}

/* The server offers to go on with what there is now. */
static void test_expired_goes_on(void **state)
{
    struct fault *t = *state;
    struct pages p = {0};
    _cleanup_free_ char *version = NULL;
    _cleanup_err_ struct err *err = NULL;

    expect(t, NULL, 200, PAGE("7", "x", "a"));
    expect(t, "x", 410, GONE("rest"));
    expect(t, "rest", 200, PAGE("9", "", "b"));
    assert_int_equal(list(t, &p, &version, &err), 0);
    assert_string_equal(buf_str(&p.names), "a b ");
    assert_string_equal(version, "9");
    buf_release(&p.names);
}

static void test_expired_ends(void **state)
{
    struct fault *t = *state;
    struct pages p = {0};
    char *version = NULL;
    _cleanup_err_ struct err *err = NULL;

    expect(t, NULL, 200, PAGE("7", "x", "a"));
    expect(t, "x", 410, GONE(""));
    assert_int_equal(list(t, &p, &version, &err), ERR_GONE);
    assert_null(version);
    buf_release(&p.names);
}

static void test_page_fails(void **state)
{
    struct fault *t = *state;
    struct pages p = {0};
    char *version = NULL;
    _cleanup_err_ struct err *err = NULL, *half = NULL;

    expect(t, NULL, 200, PAGE("7", "x", "a"));
    expect(t, "x", 403, "{\"kind\":\"Status\",\"message\":\"no\",\"reason\":\"Forbidden\",\"code\":403}");
    assert_int_equal(list(t, &p, &version, &err), ERR_FORBIDDEN);
    expect(t, NULL, 200, "{\"kind\":\"ConfigMapList\",\"items\":[{");
    assert_int_equal(list(t, &p, &version, &half), ERR_PROTOCOL);
    assert_null(version);
    buf_release(&p.names);
}

static void test_receiver_refuses(void **state)
{
    struct fault *t = *state;
    struct pages p = {.refuse_at = 2};
    _cleanup_err_ struct err *err = NULL;

    expect(t, NULL, 200, PAGE("7", "x", "a"));
    expect(t, "x", 200, PAGE("7", "y", "b"));
    assert_int_equal(list(t, &p, NULL, &err), ERR_INVALID);
    assert_string_equal(err->message, "enough");
    buf_release(&p.names);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fault_setup, fault_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pages),      TEST(test_expired_goes_on),  TEST(test_expired_ends),
        TEST(test_page_fails), TEST(test_receiver_refuses),
    };

    return cmocka_run_group_tests_name("list faults", tests, NULL, NULL);
}
