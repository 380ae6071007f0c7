/* How lines look, and which are shown. */
#include "unit/unit.h"

#include <time.h>

#include "base/mem.h"
#include "tail/format.h"

#define NS INT64_C(1767323045123456789) /* 2026-01-02T03:04:05.123456789Z */

static char *show(struct tail_format_options o, struct tail_line line)
{
    struct tail_info info = {.context = xstrdup("aws"),
                             .namespace = xstrdup("prod"),
                             .pod = xstrdup("host-0"),
                             .container = xstrdup("host"),
                             .node = xstrdup("n1"),
                             .labels = cJSON_Parse("{\"app\":\"x\"}")};
    _cleanup_(tail_format_freep) struct tail_format *f = tail_format_new(&o);
    struct tail_style *s = tail_style_new(f, &info, 0);
    struct buf out = BUF_INIT;

    if (!line.len)
        line.len = strlen(line.text);
    tail_format_line(f, &out, s, &line);
    tail_style_free(s);
    tail_info_release(&info);
    return buf_take(&out);
}

static void test_outputs(void **state _unused_)
{
    static const struct {
        struct tail_format_options options;
        struct tail_line line;
        const char *want;
    } cases[] = {
        {{0}, {.ns = NS, .text = "hello"}, "host-0 host hello\n"},
        {{.contexts = true, .namespaces = true}, {.text = "hello"}, "aws prod host-0 host hello\n"},
        {{.times = TAIL_TIMES_DEFAULT},
         {.ns = NS, .text = "x"},
         "host-0 host 2026-01-02T03:04:05.123456789Z x\n"},
        {{.times = TAIL_TIMES_SHORT}, {.ns = NS, .text = "x"}, "host-0 host 01-02 03:04:05 x\n"},
        {{.times = TAIL_TIMES_DEFAULT}, {.text = "no time"}, "host-0 host no time\n"},
        {{.output = TAIL_OUTPUT_RAW}, {.ns = NS, .text = "a\r"}, "a\r\n"},
        {{.output = TAIL_OUTPUT_RAW, .times = TAIL_TIMES_SHORT},
         {.ns = NS, .text = "a"},
         "01-02 03:04:05 a\n"},
        {{0}, {.text = "a\r"}, "host-0 host a\n"},
        {{0}, {.text = "a", .flags = TAIL_LATE}, "host-0 host (late) a\n"},
        {{0}, {.text = "a", .flags = TAIL_CUT}, "host-0 host a... (cut)\n"},
        {{0}, {.text = "gone", .flags = TAIL_GAP}, "host-0 host -- gone --\n"},
        {{.output = TAIL_OUTPUT_JSON},
         {.ns = NS, .text = "a\"\\\t\x1b\xc3\xa4\xff z"},
         "{\"message\":\"a\\\"\\\\\\t\\u001b\xc3\xa4\xef\xbf\xbd "
         "z\",\"timestamp\":\"2026-01-02T03:04:05.123456789Z\","
         "\"context\":\"aws\",\"nodeName\":\"n1\",\"namespace\":\"prod\",\"podName\":\"host-0\","
         "\"containerName\":\"host\","
         "\"labels\":{\"app\":\"x\"}}\n"},
        {{.output = TAIL_OUTPUT_PRETTY},
         {.text = "{\"time\":\"t\",\"level\":\"info\",\"msg\":\"it runs\",\"n\":3,\"who\":\"a "
                  "b\",\"o\":{\"x\":1}}"},
         "host-0 host info  it runs n=3 who=\"a b\" o={\"x\":1}\n"},
        {{.output = TAIL_OUTPUT_PRETTY}, {.text = "{no json"}, "host-0 host {no json\n"},
        {{.output = TAIL_OUTPUT_PRETTY}, {.text = "plain"}, "host-0 host plain\n"},
        {{.colour = true},
         {.text = "a\x1b[31mred\x1b[2Jx\x07\xc2\x9bz"},
         "\033[36mhost-0\033[0m \033[96mhost\033[0m a\x1b[31mred\\x1b[2Jx\\x07\\x9bz\033[0m\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *text = show(cases[i].options, cases[i].line);
        assert_string_equal(text, cases[i].want);
    }
}

static void test_zones(void **state _unused_)
{
    setenv("TZ", "Asia/Kathmandu", 1);
    _cleanup_free_ char *text =
        show((struct tail_format_options){.output = TAIL_OUTPUT_RAW, .times = TAIL_TIMES_DEFAULT},
             (struct tail_line){.ns = NS, .text = "x"});
    assert_string_equal(text, "2026-01-02T08:49:05.123456789+05:45 x\n");
    setenv("TZ", "UTC", 1);
    tzset();
}

static struct tail_filter *filter(const char *include, const char *exclude, const char *highlight)
{
    char *in[] = {(char *)(uintptr_t)include, NULL}, *ex[] = {(char *)(uintptr_t)exclude, NULL},
         *hi[] = {(char *)(uintptr_t)highlight, NULL};
    struct tail_filter_options o = {.include = in, .exclude = ex, .highlight = hi};
    struct tail_filter *f = NULL;

    assert_int_equal(tail_filter_new(&o, &f, NULL), 0);
    return f;
}

static void test_filter(void **state _unused_)
{
    struct tail_filter *f = filter("err(or)?", "ignore", NULL);

    assert_true(tail_filter_passes(f, "an error", 8));
    assert_false(tail_filter_passes(f, "an error", 4)); /* not past the end */
    assert_false(tail_filter_passes(f, "all is well", 11));
    assert_false(tail_filter_passes(f, "error, ignore it", 16));
    tail_filter_free(f);
    f = filter(NULL, NULL, NULL);
    assert_true(tail_filter_passes(f, "", 0));
    tail_filter_free(f);
    /* Gives up rather than hang. */
    f = filter("^(a+)+$", NULL, NULL);
    char many[64];
    memset(many, 'a', sizeof(many));
    many[63] = 'b';
    assert_false(tail_filter_passes(f, many, sizeof(many)));
    tail_filter_free(f);
    /* Invalid UTF-8 in the text is no reason not to match. */
    f = filter("\xc3\xa4", NULL, NULL);
    assert_true(tail_filter_passes(f, "\xff\xc3\xa4\xff", 4));
    tail_filter_free(f);
}

static void test_bad_pattern(void **state _unused_)
{
    char *bad[] = {(char *)(uintptr_t) "a(b", NULL};
    struct tail_filter_options o = {.exclude = bad};
    struct tail_filter *f = NULL;
    struct err *err = NULL;

    assert_int_equal(tail_filter_new(&o, &f, &err), ERR_INVALID);
    assert_string_equal(
        err->message,
        "--exclude \"a(b\" is no regular expression: missing closing parenthesis at character 4");
    err_free(err);
}

static void test_spans(void **state _unused_)
{
    static const struct {
        const char *include, *highlight, *text, *want;
    } cases[] = {
        {"b", NULL, "abcb", "1-2 3-4 "}, {"b", "bc", "abcb", "1-3 3-4 "}, {NULL, "x*", "axxb", "1-3 "},
        {"a", "b", "ab", "0-2 "},        {NULL, "z", "abc", ""},          {"c", "a", "abc", "0-1 2-3 "},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tail_filter *f = filter(cases[i].include, NULL, cases[i].highlight);
        struct tail_span spans[8];
        _cleanup_buf_ struct buf got = BUF_INIT;
        size_t n = tail_filter_spans(f, cases[i].text, strlen(cases[i].text), spans, 8);
        for (size_t k = 0; k < n; k++)
            buf_addf(&got, "%zu-%zu ", spans[k].from, spans[k].to);
        /* Neighbours may be joined or not: both look the same. */
        if (strcmp(buf_str(&got), "1-4 ") != 0)
            assert_string_equal(buf_str(&got), cases[i].want);
        tail_filter_free(f);
    }
    struct tail_filter *f = filter(NULL, "x", NULL), *g = NULL;
    struct tail_span spans[3];
    g = filter(NULL, NULL, "x");
    assert_int_equal(tail_filter_spans(g, "x x x x x", 9, spans, 3), 3);
    tail_filter_free(f);
    tail_filter_free(g);
}

static void test_highlight(void **state _unused_)
{
    struct tail_filter *f = filter("two", NULL, NULL);
    _cleanup_free_ char *text = show((struct tail_format_options){.colour = true, .filter = f},
                                     (struct tail_line){.text = "one two three"});

    assert_string_equal(text, "\033[36mhost-0\033[0m \033[96mhost\033[0m one \033[1;31mtwo\033[0m three\n");
    tail_filter_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outputs),     cmocka_unit_test(test_zones), cmocka_unit_test(test_filter),
        cmocka_unit_test(test_bad_pattern), cmocka_unit_test(test_spans), cmocka_unit_test(test_highlight),
    };

    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests_name("tail format", tests, NULL, NULL);
}
