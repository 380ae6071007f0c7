#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "dev/ca.h"

#define DAY INT64_C(86400)

static const struct dev_cert_request server = {.common_name = "server",
                                               .alt_names = "IP:127.0.0.1,DNS:localhost"};
static const struct dev_cert_request elsewhere = {.common_name = "server", .alt_names = "DNS:localhost"};
static const struct dev_cert_request client = {.common_name = "me", .organization = "system:masters"};

static int64_t now(void)
{
    return time_now_ns() / 1000000000;
}

static void what_was_issued_verifies(void **state _unused_)
{
    _cleanup_(dev_pair_release) struct dev_pair ca = {0}, other = {0}, s = {0}, c = {0}, e = {0};
    _cleanup_err_ struct err *err = NULL, *late = NULL, *foreign = NULL;

    assert_int_equal(dev_ca_new("test-ca", &ca, NULL), 0);
    assert_int_equal(dev_ca_new("test-ca", &other, NULL), 0);
    assert_int_equal(dev_ca_issue(&ca, &server, &s, &err), 0);
    assert_int_equal(dev_ca_issue(&ca, &client, &c, &err), 0);
    assert_int_equal(dev_ca_issue(&ca, &elsewhere, &e, &err), 0);
    assert_int_equal(dev_ca_verify(ca.cert, s.cert, true, now(), &err), 0);
    assert_int_equal(dev_ca_verify(ca.cert, c.cert, false, now(), &err), 0);
    assert_int_equal(dev_ca_verify(ca.cert, s.cert, true, now() + (DEV_CERT_DAYS - 1) * DAY, &err), 0);
    /* Neither for the other's work, nor with another authority, nor for ever, nor for another address. */
    assert_int_equal(dev_ca_verify(ca.cert, c.cert, true, now(), NULL), ERR_UNAUTHORIZED);
    assert_int_equal(dev_ca_verify(ca.cert, s.cert, false, now(), NULL), ERR_UNAUTHORIZED);
    assert_int_equal(dev_ca_verify(other.cert, s.cert, true, now(), &foreign), ERR_UNAUTHORIZED);
    assert_int_equal(dev_ca_verify(ca.cert, s.cert, true, now() + (DEV_CERT_DAYS + 1) * DAY, &late),
                     ERR_UNAUTHORIZED);
    assert_non_null(strstr(err_text(late), "expired"));
    assert_int_equal(dev_ca_verify(ca.cert, e.cert, true, now(), NULL), ERR_UNAUTHORIZED);
    assert_int_equal(dev_ca_verify(ca.cert, "no certificate", true, now(), NULL), ERR_FAILED);
}

static void a_wrong_authority_issues_nothing(void **state _unused_)
{
    struct dev_pair ca = {.cert = (char[]){"x"}, .key = (char[]){"y"}}, made = {0};
    _cleanup_err_ struct err *err = NULL;

    assert_int_equal(dev_ca_issue(&ca, &server, &made, &err), ERR_FAILED);
    assert_non_null(strstr(err_text(err), "certificate of server"));
    assert_null(made.cert);
}

static void a_key_pair_has_two_halves(void **state _unused_)
{
    _cleanup_free_ char *private = NULL, *public = NULL;

    assert_int_equal(dev_key_new(&private, &public, NULL), 0);
    assert_true(str_starts(private, "-----BEGIN PRIVATE KEY-----\n"));
    assert_true(str_starts(public, "-----BEGIN PUBLIC KEY-----\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_issued_verifies),
        cmocka_unit_test(a_wrong_authority_issues_nothing),
        cmocka_unit_test(a_key_pair_has_two_halves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
