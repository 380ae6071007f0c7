/* Lines that belong together, and messages of structured logs. */
#include "unit/unit.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tail/join.h"
#include "tail/readable.h"

/* Records with their lines in brackets. */
static void on_record(void *arg, const struct tail_line *record)
{
    struct buf *out = arg;

    buf_addf(out, "[%.*s]", (int)record->len, record->text);
    assert_int_equal(!!(record->flags & TAIL_RECORD), memchr(record->text, '\n', record->len) != NULL);
}

static void expect(struct tail_filter *begins, const char *const *lines, const char *want)
{
    struct buf out = BUF_INIT;
    struct tail_join_options options = {.begins = begins, .record = on_record, .arg = &out};
    struct tail_join *j = tail_join_new(&options);

    for (int64_t ms = 0; *lines; lines++, ms++) {
        struct tail_line line = {.ns = ms + 1, .text = *lines, .len = strlen(*lines)};
        tail_join_line(j, &line, ms);
        assert_int_equal(tail_join_due(j), ms + TAIL_JOIN_MS);
    }
    tail_join_flush(j);
    assert_int_equal(tail_join_due(j), -1);
    assert_string_equal(buf_str(&out), want);
    tail_join_free(j);
    buf_release(&out);
}

#define EXPECT(want, ...) expect(NULL, (const char *const[]){__VA_ARGS__, NULL}, want)

static void test_rules(void **state _unused_)
{
    EXPECT("[a][b]", "a", "b");
    EXPECT("[a\n  b\n\tc][d]", "a", "  b", "\tc", "d");
    EXPECT("[a][][b]", "a", "", "b");
    /* The JVM */
    EXPECT("[ERROR failed\njava.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\nCaused by: "
           "java.io.IOException\n\t... 3 "
           "more][INFO next]",
           "ERROR failed", "java.lang.IllegalStateException: no", "\tat a.B.c(B.java:1)",
           "Caused by: java.io.IOException", "\t... 3 more", "INFO next");
    EXPECT("[a][Exception]", "a", "Exception");
    EXPECT("[a][my.Exceptional: x]", "a", "my.Exceptional: x");
    /* Python, with a cause */
    EXPECT("[Traceback (most recent call last):\n  File \"a\", line 1\n    f()\nKeyError: 'x'\n\nDuring "
           "handling of the above "
           "exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"a\", line "
           "2\nValueError: y][next]",
           "Traceback (most recent call last):", "  File \"a\", line 1", "    f()", "KeyError: 'x'", "",
           "During handling of the above exception, another exception occurred:", "",
           "Traceback (most recent call last):", "  File \"a\", line 2", "ValueError: y", "next");
    /* Go */
    EXPECT("[panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/a.go:3 +0x1\nexit status 2][next]",
           "panic: boom", "", "goroutine 1 [running]:", "main.main()", "\t/a.go:3 +0x1", "exit status 2",
           "next");
    /* Rust */
    EXPECT(
        "[thread 'main' panicked at src/main.rs:2:5:\nboom\nnote: run with `RUST_BACKTRACE=1`][next][more]",
        "thread 'main' panicked at src/main.rs:2:5:", "boom", "note: run with `RUST_BACKTRACE=1`", "next",
        "more");
    /* What is printed over several lines */
    EXPECT("[x = {\n  a: 1,\n}][y]", "x = {", "  a: 1,", "}", "y");
}

static void test_pattern(void **state _unused_)
{
    struct tail_filter *begins = NULL;
    struct tail_filter_options options = {.include = (char *[]){(char *)(uintptr_t) "^\\d", NULL}};

    assert_int_equal(tail_filter_new(&options, &begins, NULL), 0);
    expect(begins, (const char *const[]){"x", "y", "1 a", "b", "  c", "2 d", NULL},
           "[x\ny][1 a\nb\n  c][2 d]");
    tail_filter_free(begins);
}

static size_t records, most;

static void on_counted(void *arg _unused_, const struct tail_line *record)
{
    records++;
    most = record->len > most ? record->len : most;
}

/* However long a record goes on. */
static void test_limits(void **state _unused_)
{
    struct tail_join_options options = {.record = on_counted};
    struct tail_join *j = tail_join_new(&options);
    char text[1000];

    memset(text, ' ', sizeof(text));
    text[sizeof(text) - 1] = 'x';
    for (int i = 0; i < 5 * TAIL_JOIN_LINES; i++) {
        struct tail_line line = {.text = text, .len = i < 3 * TAIL_JOIN_LINES ? sizeof(text) : 2};
        tail_join_line(j, &line, i);
    }
    tail_join_flush(j);
    assert_true(most <= TAIL_JOIN_BYTES + sizeof(text));
    assert_true(records >= 3 * TAIL_JOIN_LINES * sizeof(text) / (TAIL_JOIN_BYTES + sizeof(text)) + 2);
    tail_join_free(j);
}

static void on_text(void *arg _unused_, struct buf *out, const char *text, size_t len)
{
    buf_add(out, text, len);
}

static void readable(char *const *fields, bool colour, const char *text, const char *want)
{
    const struct tail_readable r = {colour, fields, on_text, NULL};
    struct buf out = BUF_INIT;

    assert_int_equal(tail_readable(&r, &out, text, strlen(text)), want != NULL);
    assert_string_equal(buf_str(&out), want ? want : "");
    buf_release(&out);
}

static void test_readable(void **state _unused_)
{
    char *const two[] = {(char *)(uintptr_t) "http.status", (char *)(uintptr_t) "x", NULL};

    readable(NULL, false, "{\"level\":\"info\",\"msg\":\"m\",\"ts\":1,\"a\":\"b c\",\"d\":{\"e\":1}}",
             "info  m a=\"b c\" d={\"e\":1}");
    readable(two, false, "{\"level\":50,\"msg\":\"m\",\"x\":1,\"y\":2,\"http\":{\"status\":500}}",
             "error m http.status=500 x=1");
    readable(two, false, "{\"http.status\":404,\"msg\":\"m\"}", "m http.status=404");
    readable(NULL, true, "{\"severity\":\"WARNING\",\"message\":\"m\"}", "\033[33mwarn \033[0m m");
    readable(NULL, false, "{\"level\":\"info\",\"msg\":\"m\"", NULL);
    readable(NULL, false, "[1]", NULL);
    readable(NULL, false, "ts=1 level=warn msg=\"x\"", "warn  ts=1 level=warn msg=\"x\"");
    readable(NULL, false, "sublevel=warn", NULL);
    readable(NULL, false, "level=unheard-of", NULL);
    readable(NULL, false, "E0102 15:04:05.678901    1 f.go:5] bad",
             "error E0102 15:04:05.678901    1 f.go:5] bad");
    readable(NULL, false, "E01x2 15:04:05.678901    1 f.go:5] bad", NULL);
    readable(NULL, false, "", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules), cmocka_unit_test(test_pattern),
                                       cmocka_unit_test(test_limits), cmocka_unit_test(test_readable)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
