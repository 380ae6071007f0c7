/* What is read of JetStream and of the server's connections; the texts are shortened answers of
 * nats-server 2.15. */
#include "unit/unit.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "lattice/wire_js.h"

static void test_stream_info(void **state _unused_)
{
    static const char good[] =
        "{\"type\":\"io.nats.jetstream.api.v1.stream_info_response\",\"state\":{\"messages\":3,"
        "\"consumer_count\":6}}";
    static const char none[] =
        "{\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"stream not found\"}}";
    static const char later[] = "{\"error\":{\"code\":503,\"err_code\":10008,\"description\":\"JetStream "
                                "system temporarily unavailable\"}}";
    static const struct {
        const char *text;
        int code;
    } bad[] = {{none, ERR_NOT_FOUND},
               {later, ERR_UNAVAILABLE},
               {"{\"state\":{}}", ERR_PROTOCOL},
               {"{\"state\":{\"consumer_count\":-1}}", ERR_PROTOCOL},
               {"{", ERR_PROTOCOL},
               {"", ERR_PROTOCOL}};
    uint64_t n = 0;

    assert_int_equal(js_stream_info(good, strlen(good), &n, NULL), 0);
    assert_int_equal(n, 6);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        n = 7;
        assert_int_equal(js_stream_info(bad[i].text, strlen(bad[i].text), &n, NULL), bad[i].code);
        assert_int_equal(n, 7);
    }
}

static void test_subjects(void **state _unused_)
{
    static const char answer[] =
        "{\"state\":{\"subjects\":{\"$KV.C_x.one\":1,\"$KV.C_x.two\":1,\"other\":1}}}";
    static const char empty[] = "{\"state\":{}}";
    static const char none[] = "{\"error\":{\"code\":404,\"description\":\"stream not found\"}}";
    _cleanup_strv_ char **names = NULL, **nothing = NULL, **unset = NULL;

    assert_int_equal(js_stream_subjects(answer, strlen(answer), "$KV.C_x.", &names, NULL), 0);
    _cleanup_free_ char *joined = strv_join(names, " ");
    assert_string_equal(joined, "one two");
    assert_int_equal(js_stream_subjects(empty, strlen(empty), "$KV.C_x.", &nothing, NULL), 0);
    assert_int_equal(strv_len(nothing), 0);
    assert_int_equal(js_stream_subjects(none, strlen(none), "$KV.C_x.", &unset, NULL), ERR_NOT_FOUND);
    assert_null(unset);
}

static void test_consumers(void **state _unused_)
{
    static const char page[] =
        "{\"total\":9,\"offset\":0,\"limit\":256,\"consumers\":["
        "{\"name\":\"a\",\"push_bound\":true,\"config\":{\"deliver_subject\":\"_INBOX."
        "wFIGrtQbNtH7cWkzo6SKny\"}},"
        "{\"name\":\"b\",\"config\":{\"deliver_subject\":\"_INBOX.krJOtubxQux3U2SqsIxeGp\"}}," /* nobody there
                                                                                                */
        "{\"name\":\"c\",\"push_bound\":true,\"config\":{\"headers_only\":true,"
        "\"deliver_subject\":\"_INBOX.5vqBGcqsZ9MlU2SqsIxeGp\"}},"
        "{\"name\":\"d\",\"config\":{}}," /* pull */
        "{\"name\":\"e\",\"push_bound\":true,\"config\":{\"deliver_subject\":\"plain.subject\"}}]}";
    static const char none[] = "{\"total\":0,\"consumers\":null}";
    _cleanup_map_ struct map *keys = map_new(NULL);
    uint64_t seen = 0, total = 0;

    assert_int_equal(js_consumers(page, strlen(page), keys, &seen, &total, NULL), 0);
    assert_int_equal(seen, 5);
    assert_int_equal(total, 9);
    assert_int_equal(map_len(keys), 1);
    assert_true(map_has(keys, "_INBOX.wFIGrtQbNtH7"));

    assert_int_equal(js_consumers(none, strlen(none), keys, &seen, &total, NULL), 0);
    assert_int_equal(seen, 0);
    assert_int_equal(js_consumers("[", 1, keys, &seen, &total, NULL), ERR_PROTOCOL);
}

static void test_inbox_key(void **state _unused_)
{
    static const struct {
        const char *subject, *key;
    } cases[] = {
        {"_INBOX.wFIGrtQbNtH7cWkzo6SKny", "_INBOX.wFIGrtQbNtH7"},
        {"_INBOX.wFIGrtQbNtH7cWkzo6SKgU.*", "_INBOX.wFIGrtQbNtH7"},
        {"_INBOX_team.wFIGrtQbNtH7cWkzo6SKny", "_INBOX_team.wFIGrtQbNtH7"},
        {"_INBOX.short", NULL},
        {"wasmbus.ctl.v1.default.host.ping", NULL},
        {".wFIGrtQbNtH7cWkzo6SKny", NULL},
        {".*", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *key = js_inbox_key(cases[i].subject);
        assert_true(streq_null(key, cases[i].key));
    }
}

static void on_host(void *arg, const char *host, char *const *keys)
{
    struct buf *b = arg;
    _cleanup_free_ char *joined = strv_join(keys, "+");

    buf_addf(b, "%s=%s;", host, joined);
}

static void test_connections(void **state _unused_)
{
    static const char answer[] =
        "{\"server\":{\"name\":\"hub\"},\"data\":{\"connections\":["
        "{\"kind\":\"Leafnode\",\"name\":\"gcp\",\"subscriptions_list\":[\"wasmbus.ctl.v1.default.host.*."
        "NA\","
        "\"_INBOX.wFIGrtQbNtH7cWkzo6SKny\"]},"
        "{\"kind\":\"Client\",\"subscriptions_list\":[\"_INBOX.wFIGrtQbNtH7cWkzo6SKny\","
        "\"wasmbus.ctl.v1.default.host.*.NB\",\"_INBOX.wFIGrtQbNtH7cWkzo6SKgU.*\",\"wasmbus.ctl.v1.default."
        "host.ping\"]},"
        "{\"kind\":\"Client\",\"subscriptions_list\":[\"wasmbus.ctl.v1.other.host.*.NC\"]},"
        "{\"kind\":\"Client\"}]}}";
    struct buf b = BUF_INIT;

    assert_int_equal(js_connections(answer, strlen(answer), "wasmbus.ctl.v1.default", on_host, &b, NULL), 0);
    assert_string_equal(buf_str(&b), "NB=_INBOX.wFIGrtQbNtH7;");
    assert_int_equal(js_connections("x", 1, "p", on_host, &b, NULL), ERR_PROTOCOL);
    assert_int_equal(js_connections("{}", 2, "p", on_host, &b, NULL), 0);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_info), cmocka_unit_test(test_subjects),
        cmocka_unit_test(test_consumers),   cmocka_unit_test(test_inbox_key),
        cmocka_unit_test(test_connections),
    };

    return cmocka_run_group_tests_name("wire_js", tests, NULL, NULL);
}
