#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "dev/env.h"
#include "dev/run.h"
#include "tests/unit/dev/scratch.h"

struct taker {
    struct buf text;
    const char *log;
    int idles;
};

static bool take(void *arg, const char *child, const char *text, size_t len)
{
    struct taker *t = arg;

    buf_addf(&t->text, "%s:%.*s\n", child, (int)len, text);
    return !strstr(buf_str(&t->text), "last");
}

static void append(const char *path, const char *text)
{
    FILE *f = fopen(path, "a");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* Each time there is nothing more, something happens to the log. */
static void on_idle(void *arg)
{
    struct taker *t = arg;

    switch (t->idles++) {
    case 1:
        append(t->log, "half ");
        break;
    case 2:
        append(t->log, "done\n");
        break;
    case 3: {
        _cleanup_free_ char *old = xasprintf("%s.1", t->log);
        assert_int_equal(rename(t->log, old), 0);
        append(t->log, "new file\n");
        break;
    }
    case 4:
        append(t->log, "last\n");
        break;
    default:
        break;
    }
}

static struct dev_env *with_logs(struct loop *l)
{
    struct dev_env *e = NULL;

    assert_int_equal(dev_open(l, "logs", NULL, false, &e, NULL), 0);
    _cleanup_free_ char *folder = dev_path(e, "logs");
    assert_int_equal(file_mkdirs(folder, 0700, NULL), 0);
    dev_child_add(e, DEV_ETCD, 0);
    dev_child_add(e, DEV_NATS, 0);
    _cleanup_free_ char *etcd = dev_log_path(e, "etcd"), *nats = dev_log_path(e, "nats");
    scratch_write(etcd, "e1\ne2\n\ne4\n");
    scratch_write(nats, "n1\nn2 without end");
    return e;
}

static void tails_count_lines(void **state _unused_)
{
    static const struct {
        int64_t tail;
        const char *text;
    } cases[] = {
        {-1, "etcd:e1\netcd:e2\netcd:\netcd:e4\nnats:n1\nnats:n2 without end\n"},
        {0, ""},
        {1, "etcd:e4\nnats:n2 without end\n"},
        {2, "etcd:\netcd:e4\nnats:n1\nnats:n2 without end\n"},
        {100, "etcd:e1\netcd:e2\netcd:\netcd:e4\nnats:n1\nnats:n2 without end\n"},
    };
    _cleanup_dev_ struct dev_env *e = with_logs(NULL);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct taker t = {.text = BUF_INIT};
        const struct dev_logs_options o = {.tail = cases[i].tail, .line = take, .arg = &t};
        assert_int_equal(dev_logs(e, &o, NULL), 0);
        assert_string_equal(buf_str(&t.text), cases[i].text);
        buf_release(&t.text);
    }
}

static void following_survives_a_new_file(void **state _unused_)
{
    _cleanup_loop_ struct loop *l = loop_new();
    _cleanup_dev_ struct dev_env *e = with_logs(l);
    _cleanup_free_ char *log = dev_log_path(e, "etcd");
    struct taker t = {.text = BUF_INIT, .log = log};
    char *names[] = {(char[]){"etcd"}, NULL};
    const struct dev_logs_options o = {
        .names = names, .tail = 1, .follow = true, .line = take, .idle = on_idle, .arg = &t};

    assert_int_equal(dev_logs(e, &o, NULL), 0);
    assert_string_equal(buf_str(&t.text), "etcd:e4\netcd:half done\netcd:new file\netcd:last\n");
    buf_release(&t.text);
}

static void the_end_of_a_log(void **state _unused_)
{
    _cleanup_dev_ struct dev_env *e = with_logs(NULL);
    _cleanup_free_ char *two = dev_log_tail(e, "etcd", 0, 2), *all = dev_log_tail(e, "etcd", 0, 50);
    _cleanup_free_ char *late = dev_log_tail(e, "etcd", 7, 50), *none = dev_log_tail(e, "host-7", 0, 5);
    _cleanup_free_ char *end = dev_log_tail(e, "etcd", 10, 5);

    assert_string_equal(two, "\ne4");
    assert_string_equal(all, "e1\ne2\n\ne4");
    assert_string_equal(late, "e4");
    assert_string_equal(none, "");
    assert_string_equal(end, "");
}

static void last_words_come_before_stack_traces(void **state _unused_)
{
    static const struct {
        const char *log, *text;
    } cases[] = {
        {"a\nb\nc\n", "b\nc"},
        {"a\n{\"level\":\"panic\",\"msg\":\"full\"}\nt1\nt2\nt3\n",
         "{\"level\":\"panic\",\"msg\":\"full\"}\nt1"},
        {"a\nF1123 no port\nt1\nt2\nt3\n", "F1123 no port\nt1"},
        {"panic: x\n", "panic: x"},
        {"", ""},
        {"\n\n", ""},
    };
    _cleanup_dev_ struct dev_env *e = with_logs(NULL);
    _cleanup_free_ char *log = dev_log_path(e, "etcd");

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        scratch_write(log, cases[i].log);
        _cleanup_free_ char *text = dev_log_death(e, "etcd", 0, 2);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tails_count_lines),
        cmocka_unit_test(following_survives_a_new_file),
        cmocka_unit_test(the_end_of_a_log),
        cmocka_unit_test(last_words_come_before_stack_traces),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
