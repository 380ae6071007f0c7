#include "base/mem.h"
#include "base/str.h"
#include "kube/watch_stream.h"
#include "unit/unit.h"

struct taken {
    struct buf text;
    struct kube_lines *release; /* and end, at the first line */
};

static bool take(void *arg, const char *line, size_t len)
{
    struct taken *t = arg;

    buf_add(&t->text, line, len);
    buf_addc(&t->text, '|');
    if (t->release)
        kube_lines_release(t->release);
    return !t->release;
}

static void test_lines(void **state _unused_)
{
    static const char stream[] = "one\n\ntwo three\nfour";

    for (size_t piece = 1; piece <= sizeof(stream); piece++) {
        struct kube_lines l;
        struct taken t = {.text = BUF_INIT};
        kube_lines_init(&l, 64);
        for (size_t at = 0; at < sizeof(stream) - 1; at += piece) {
            size_t left = sizeof(stream) - 1 - at;
            assert_int_equal(kube_lines_add(&l, stream + at, left < piece ? left : piece, take, &t), 0);
        }
        assert_string_equal(buf_str(&t.text), "one|two three|");
        assert_int_equal(kube_lines_add(&l, "\n", 1, take, &t), 0);
        assert_string_equal(buf_str(&t.text), "one|two three|four|");
        kube_lines_release(&l);
        buf_release(&t.text);
    }
}

/* A limit for a line, not for what arrives at once. */
static void test_limit(void **state _unused_)
{
    struct kube_lines l;
    struct taken t = {.text = BUF_INIT};

    kube_lines_init(&l, 8);
    assert_int_equal(kube_lines_add(&l, "1234567\n1234567\n1234567\n12", 26, take, &t), 0);
    assert_string_equal(buf_str(&t.text), "1234567|1234567|1234567|");
    assert_int_equal(kube_lines_add(&l, "3456789", 7, take, &t), ERR_TOO_LARGE);
    kube_lines_release(&l);
    t.release = &l;
    buf_truncate(&t.text, 0);
    kube_lines_init(&l, 8);
    assert_int_equal(kube_lines_add(&l, "a", 1, take, &t), 0);
    assert_int_equal(kube_lines_add(&l, "b\nc\n", 4, take, &t), 1);
    assert_string_equal(buf_str(&t.text), "ab|");
    buf_release(&t.text);
}

static int read_item(const char *line, struct kube_watch_item *item, struct err **err)
{
    return kube_watch_item_read(line, strlen(line), "/things", item, err);
}

static void test_items(void **state _unused_)
{
    static const struct {
        const char *line;
        int code;
    } bad[] = {
        {"{", ERR_INVALID},
        {"[]", ERR_PROTOCOL},
        {"{\"type\":\"ADDED\"}", ERR_PROTOCOL},
        {"{\"type\":\"ADDED\",\"object\":[]}", ERR_PROTOCOL},
        {"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}}",
         ERR_GONE},
        {"{\"type\":\"ERROR\",\"object\":{\"code\":99999999999}}", ERR_SERVER},
    };
    struct kube_watch_item item = {0};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        _cleanup_err_ struct err *err = NULL;
        assert_int_equal(read_item(bad[i].line, &item, &err), bad[i].code);
        assert_non_null(err);
    }
    assert_int_equal(
        read_item("{\"type\":\"DELETED\",\"object\":{\"kind\":\"Table\",\"rows\":[{\"object\":{\"metadata\":"
                  "{\"resourceVersion\":\"7\"}}}]}}",
                  &item, NULL),
        0);
    assert_true(item.change && item.type == KUBE_DELETED);
    assert_string_equal(item.version, "7");
    kube_watch_item_release(&item);
    assert_int_equal(
        read_item("{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"8\"}}}", &item,
                  NULL),
        0);
    assert_false(item.change);
    assert_string_equal(item.version, "8");
    kube_watch_item_release(&item);
    assert_int_equal(read_item("{\"type\":\"NEW\",\"object\":{}}", &item, NULL), 0);
    assert_false(item.change);
    assert_null(item.version);
    kube_watch_item_release(&item);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_limit),
                                       cmocka_unit_test(test_items)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
