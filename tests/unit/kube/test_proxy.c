#include "base/mem.h"
#include "base/str.h"
#include "kube/proxy.h"
#include "unit/unit.h"

static void test_exceptions(void **state _unused_)
{
    static const struct {
        const char *list, *host_port;
        bool covered;
    } rows[] = {
        {"example.com", "example.com:443", true},
        {"example.com", "api.example.com:443", true},
        {"example.com", "badexample.com:443", false},
        {".example.com", "api.example.com:443", true},
        {".example.com", "example.com:443", false},
        {"*.example.com", "api.example.com:443", true},
        {"EXAMPLE.com", "Api.Example.COM:443", true},
        {"example.com:443", "example.com:443", true},
        {"example.com:443", "example.com:6443", false},
        {"10.0.0.1", "10.0.0.1:443", true},
        {"10.0.0.1", "10.0.0.11:443", false},
        {"10.0.0.1:443", "10.0.0.1:6443", false},
        {"10.0.0.0/8", "10.200.0.1:443", true},
        {"10.0.0.0/8", "11.0.0.1:443", false},
        {"10.0.0.0/13", "10.7.255.255:443", true},
        {"10.0.0.0/13", "10.8.0.0:443", false},
        {"10.0.0.0/0", "1.2.3.4:443", true},
        {"10.0.0.0/33", "10.0.0.0:443", false},
        {"10.0.0.0/8", "10.example.com:443", false},
        {"fd00::/8", "[fd12::1]:443", true},
        {"fd00::/8", "10.0.0.1:443", false},
        {"::1", "[::1]:443", true},
        {"[fd00::1]:443", "[fd00::1]:443", true},
        {"a, b,,  c.example ", "c.example:443", true},
        {"*", "anything:1", true},
        {"", "example.com:443", false},
        {".", "example.com:443", false},
        {",", "example.com:443", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (kube_proxy_excluded(rows[i].list, rows[i].host_port) != rows[i].covered)
            fail_msg("NO_PROXY=%s %s", rows[i].list, rows[i].host_port);
}

static void assert_proxy(bool https, const char *host_port, const char *expected, const char *from)
{
    const char *set_by;
    _cleanup_free_ char *proxy = kube_proxy_of_environment(https, host_port, &set_by);

    assert_string_equal(proxy, expected);
    assert_true(streq_null(set_by, from));
}

static void test_environment(void **state _unused_)
{
    static const char *const names[] = {"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy",
                                        "NO_PROXY",    "no_proxy",    "ALL_PROXY"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unsetenv(names[i]);
    setenv("ALL_PROXY", "http://all:1", 1);
    assert_proxy(true, "api.example:443", "", NULL);
    setenv("https_proxy", "http://small:1", 1);
    assert_proxy(true, "api.example:443", "http://small:1", "https_proxy");
    setenv("HTTPS_PROXY", "socks5://large:1", 1);
    assert_proxy(true, "api.example:443", "socks5h://large:1", "HTTPS_PROXY");
    assert_proxy(false, "api.example:80", "", NULL);
    setenv("HTTP_PROXY", "http://plain:1", 1);
    assert_proxy(false, "api.example:80", "http://plain:1", "HTTP_PROXY");
    assert_proxy(false, "localhost:80", "", NULL);
    assert_proxy(false, "127.1.2.3:80", "", NULL);
    assert_proxy(false, "[::1]:80", "", NULL);
    setenv("no_proxy", "example", 1);
    assert_proxy(false, "api.example:80", "", NULL);
    setenv("NO_PROXY", "other", 1);
    assert_proxy(false, "api.example:80", "http://plain:1", "HTTP_PROXY");
}

static void test_urls(void **state _unused_)
{
    static const char *const good[] = {"http://p", "https://u:p@p:1/", "socks5://[::1]:1", "HTTP://p",
                                       "socks5h://p"};
    static const char *const bad[] = {"p:3128", "ftp://p", "http://", "http://u:p@", "http:///x", ""};

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_int_equal(kube_proxy_check(good[i], NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(kube_proxy_check(bad[i], NULL), ERR_INVALID);
    _cleanup_free_ char *a = kube_url_shown("https://joe:se@cret@host:1/a@b"),
                        *b = kube_url_shown("host:1/a@b");
    assert_string_equal(a, "https://host:1/a@b");
    assert_string_equal(b, "host:1/a@b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exceptions), cmocka_unit_test(test_environment),
                                       cmocka_unit_test(test_urls)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
