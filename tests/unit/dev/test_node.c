#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/str.h"
#include "dev/node/crilog.h"
#include "dev/node/fault.h"
#include "dev/node/keep.h"
#include "dev/node/stream.h"
#include "tests/unit/dev/scratch.h"

#define STAMP    "2026-01-02T03:04:05.678901234Z"
#define STAMP_NS INT64_C(1767323045678901234)

static void lines_are_read_and_written(void **state _unused_)
{
    static const struct {
        const char *line;
        bool good, is_stderr, partial;
        const char *text;
    } cases[] = {
        {STAMP " stdout F hello world", true, false, false, "hello world"},
        {STAMP " stderr P ", true, true, true, ""},
        {STAMP " stdout F", false, false, false, ""},
        {STAMP " stdlog F x", false, false, false, ""},
        {STAMP " stdout X x", false, false, false, ""},
        {STAMP "stdout F x", false, false, false, ""},
        {"yesterday stdout F x", false, false, false, ""},
        {"", false, false, false, ""},
        {" ", false, false, false, ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        /* Without a NUL behind it: reading past the end is seen by the sanitizer. */
        size_t len = strlen(cases[i].line);
        _cleanup_free_ char *line = xmemdup(cases[i].line, len ? len : 1);
        struct dev_cri_line l;
        assert_int_equal(dev_cri_parse(line, len, &l), cases[i].good);
        if (!cases[i].good)
            continue;
        assert_int_equal(l.ns, STAMP_NS);
        assert_int_equal(l.is_stderr, cases[i].is_stderr);
        assert_int_equal(l.partial, cases[i].partial);
        assert_int_equal(l.len, strlen(cases[i].text));
        assert_memory_equal(l.text, cases[i].text, l.len);
        _cleanup_buf_ struct buf out = BUF_INIT;
        dev_cri_format(&out, &l);
        assert_int_equal(out.len, len + 1);
        assert_memory_equal(out.data, line, len);
    }
}

static void stamps_are_taken_off(void **state _unused_)
{
    char text[] = "cut in the middle\n" STAMP " stdout F one\n" STAMP " stdout P tw\n" STAMP
                  " stdout F o\n" STAMP " stderr F three";
    size_t len = dev_cri_strip(text, strlen(text));

    text[len] = '\0';
    assert_string_equal(text, "cut in the middle\none\ntwo\nthree");
}

static void the_last_lines_are_found(void **state _unused_)
{
    static const struct {
        int64_t lines, start;
    } cases[] = {{-1, 0}, {0, 9}, {1, 6}, {2, 3}, {3, 0}, {4, 0}};
    _cleanup_free_ char *path = scratch_path("tail");

    scratch_write(path, "a1\nb2\nc3\n");
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(dev_cri_tail_start(fd, cases[i].lines), cases[i].start);
}

static void requests_mean_what_the_kubelet_says(void **state _unused_)
{
    static const struct {
        const char *query;
        int status; /* 0: good */
        struct dev_stream_request q;
    } cases[] = {
        {"", 0, {.tail = -1, .limit = -1}},
        {"follow=true&timestamps=1&previous=false",
         0,
         {.follow = true, .timestamps = true, .tail = -1, .limit = -1}},
        {"tailLines=0&limitBytes=7", 0, {.tail = 0, .limit = 7}},
        {"sinceSeconds=5", 0, {.tail = -1, .limit = -1, .since_ns = 95 * INT64_C(1000000000)}},
        {"sinceSeconds=500", 0, {.tail = -1, .limit = -1}},
        {"sinceTime=1970-01-01T00%3A00%3A01Z", 0, {.tail = -1, .limit = -1, .since_ns = 1000000000}},
        {"stream=Stderr", 0, {.tail = -1, .limit = -1, .without_stdout = true}},
        {"tailLines=-1", 422, {0}},
        {"limitBytes=0", 422, {0}},
        {"sinceSeconds=0", 422, {0}},
        {"sinceSeconds=1&sinceTime=1970-01-01T00:00:01Z", 422, {0}},
        {"stream=both", 422, {0}},
        {"tailLines=many", 400, {0}},
        {"tailLines=99999999999999999999", 400, {0}},
        {"sinceTime=now", 400, {0}},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dev_stream_request q = {0};
        int status = 0, r = dev_stream_parse(cases[i].query, 100 * INT64_C(1000000000), &q, &status, NULL);
        if (cases[i].status) {
            assert_int_equal(r, ERR_INVALID);
            assert_int_equal(status, cases[i].status);
        } else {
            assert_int_equal(r, 0);
            assert_memory_equal(&q, &cases[i].q, sizeof(q));
        }
    }
}

static void queries_are_unescaped(void **state _unused_)
{
    static const struct {
        const char *query, *key, *value;
    } cases[] = {{"a=1&b=x%20y+z", "b", "x y z"},
                 {"ab=1", "a", NULL},
                 {"a", "a", ""},
                 {"a=%", "a", NULL},
                 {"a=%4", "a", NULL},
                 {"a=%00", "a", NULL},
                 {"a=%zz", "a", NULL},
                 {"a=%41", "a", "A"}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *value = dev_query_get(cases[i].query, cases[i].key);
        if (cases[i].value)
            assert_string_equal(value, cases[i].value);
        else
            assert_null(value);
    }
}

static void faults_are_read(void **state _unused_)
{
    struct dev_fault *f = NULL;

    assert_int_equal(dev_fault_parse("what=cut&pod=web-*&lines=5&times=2", &f, NULL), 0);
    assert_int_equal(f->what, DEV_FAULT_CUT);
    assert_int_equal(f->lines, 5);
    assert_int_equal(f->times, 2);
    assert_true(dev_fault_matches(f, "web-1"));
    assert_false(dev_fault_matches(f, "db-1"));
    dev_fault_free(f);
    for (const char *const *bad = (const char *const[]){"", "what=", "what=cut&lines=x", "what=cut&ms=-1",
                                                        "what=status&status=200", NULL};
         *bad; bad++)
        assert_int_equal(dev_fault_parse(*bad, &f, NULL), ERR_INVALID);
}

/* Runs a keeper in a process of its own, as the environment does, until it has ended. */
static int keep(const char *folder, int64_t rotate_bytes, int64_t disk_bytes, const char *script)
{
    int pair[2], status = 0;
    struct dev_keep_word word = {0};

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, (char *)(uintptr_t)script, NULL};
        const struct dev_keep_options o = {.folder = folder, .argv = argv, .rotate_bytes = rotate_bytes};
        if (dup2(pair[1], DEV_KEEP_SYNC_FD) < 0)
            _exit(1);
        for (int fd = DEV_KEEP_SYNC_FD + 1; fd < 64; fd++)
            close(fd);
        /* As good as a disk that is full. */
        const struct rlimit limit = {.rlim_cur = (rlim_t)disk_bytes, .rlim_max = (rlim_t)disk_bytes};
        signal(SIGXFSZ, SIG_IGN);
        if (disk_bytes && setrlimit(RLIMIT_FSIZE, &limit) < 0)
            _exit(1);
        struct loop *l = loop_new();
        int r = dev_keep(l, &o, NULL);
        loop_free(l);
        _exit(r < 0 ? 1 : 0);
    }
    close(pair[1]);
    assert_int_equal(read(pair[0], &word, sizeof(word)), sizeof(word));
    assert_int_equal(word.what, DEV_KEEP_PID);
    assert_int_equal(send(pair[0], "g", 1, MSG_NOSIGNAL), 1);
    assert_int_equal(read(pair[0], &word, sizeof(word)), 0);
    close(pair[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static char *new_folder(const char *name)
{
    char *folder = scratch_path(name);

    assert_int_equal(file_mkdirs(folder, 0700, NULL), 0);
    return folder;
}

static void a_keeper_keeps_every_line_and_the_end(void **state _unused_)
{
    _cleanup_free_ char *folder = new_folder("kept"), *path = dev_cri_path(folder, 0), *text = NULL;
    _cleanup_(dev_cri_meta_release) struct dev_cri_meta m = {0};
    size_t len = 0;

    assert_int_equal(keep(folder, 0, 0, "echo one; printf 'two\\n\\nhalf'; exit 3"), 0);
    assert_int_equal(file_read(path, 1 << 20, &text, &len, NULL), 0);
    len = dev_cri_strip(text, len);
    assert_int_equal(len, strlen("one\ntwo\n\nhalf\n"));
    assert_memory_equal(text, "one\ntwo\n\nhalf\n", len);
    assert_int_equal(dev_cri_meta_load(folder, 0, &m, NULL), 0);
    assert_int_equal(m.exit_code, 3);
    assert_int_equal(m.signum, 0);
    assert_true(m.closed && m.started_ns && m.finished_ns >= m.started_ns && strlen(m.id) == 64);
    assert_true(dev_cri_wait_keepers(folder, 0));
}

static void a_keeper_tells_of_a_signal_and_of_both_streams(void **state _unused_)
{
    _cleanup_free_ char *folder = new_folder("killed"), *path = dev_cri_path(folder, 0), *text = NULL;
    _cleanup_(dev_cri_meta_release) struct dev_cri_meta m = {0};

    assert_int_equal(keep(folder, 0, 0, "echo out; echo err >&2; kill -9 $$"), 0);
    assert_int_equal(file_read(path, 1 << 20, &text, NULL, NULL), 0);
    assert_non_null(strstr(text, " stdout F out\n"));
    assert_non_null(strstr(text, " stderr F err\n"));
    assert_int_equal(dev_cri_meta_load(folder, 0, &m, NULL), 0);
    assert_int_equal(m.signum, 9);
    assert_int_equal(m.exit_code, 137);
}

static void a_keeper_cuts_long_lines_and_puts_full_files_aside(void **state _unused_)
{
    _cleanup_free_ char *folder = new_folder("long"), *path = dev_cri_path(folder, 0);
    struct stat st;
    size_t n = 0, len = 0;

    /* 100 lines of 3,000 bytes in files of 100 kB: every one is kept. */
    assert_int_equal(keep(folder, 100000, 0,
                          "i=0; while [ $i -lt 100 ]; do printf '%03000d\\n' $i; i=$((i+1)); done; "
                          "printf '%040000d\\n' 7"),
                     0);
    _cleanup_strv_ char **files = dev_cri_rotated(folder, 0);
    assert_true(strv_len(files) >= 1 && strv_len(files) <= 4);
    assert_int_equal(stat(*files, &st), 0);
    /* What follows the one put aside is found by who was reading it. */
    _cleanup_free_ char *after = dev_cri_after(folder, 0, st.st_ino);
    assert_string_equal(after, files[1] ? files[1] : path);
    strv_push(&files, path);
    int64_t last_ns = 0;
    for (char **f = files; *f; f++) {
        _cleanup_free_ char *text = NULL;
        assert_int_equal(file_read(*f, 1 << 20, &text, &len, NULL), 0);
        for (char *line = text; *line; line = strchr(line, '\n') + 1) {
            struct dev_cri_line l;
            assert_true(dev_cri_parse(line, strcspn(line, "\n"), &l));
            assert_true(l.ns > last_ns);
            last_ns = l.ns;
            if (n < 100) {
                _cleanup_free_ char *wanted = xasprintf("%03000d", (int)n);
                assert_true(!l.partial && l.len == 3000);
                assert_memory_equal(l.text, wanted, 3000);
            }
            n++;
        }
    }
    /* The long one came in three pieces. */
    assert_int_equal(n, 103);
}

static void a_full_disk_costs_whole_lines_only(void **state _unused_)
{
    _cleanup_free_ char *folder = new_folder("full"), *path = dev_cri_path(folder, 0), *text = NULL;
    _cleanup_(dev_cri_meta_release) struct dev_cri_meta m = {0};
    size_t len = 0, n = 0;

    assert_int_equal(
        keep(folder, 0, 50000, "i=0; while [ $i -lt 200 ]; do printf '%01000d\\n' $i; i=$((i+1)); done"), 0);
    assert_int_equal(dev_cri_meta_load(folder, 0, &m, NULL), 0);
    assert_int_equal(m.exit_code, 0);
    assert_true(m.closed);
    assert_int_equal(file_read(path, 1 << 20, &text, &len, NULL), 0);
    for (char *line = text; *line; line = strchr(line, '\n') + 1, n++) {
        struct dev_cri_line l;
        assert_true(dev_cri_parse(line, strcspn(line, "\n"), &l));
        /* The last one that found room may tell how many did not. */
        assert_true(l.len == 1000 || memmem(l.text, l.len, "could not be written", 20));
    }
    assert_in_range(n, 10, 49);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_and_written),
        cmocka_unit_test(stamps_are_taken_off),
        cmocka_unit_test(the_last_lines_are_found),
        cmocka_unit_test(requests_mean_what_the_kubelet_says),
        cmocka_unit_test(queries_are_unescaped),
        cmocka_unit_test(faults_are_read),
        cmocka_unit_test(a_keeper_keeps_every_line_and_the_end),
        cmocka_unit_test(a_keeper_tells_of_a_signal_and_of_both_streams),
        cmocka_unit_test(a_full_disk_costs_whole_lines_only),
        cmocka_unit_test(a_keeper_cuts_long_lines_and_puts_full_files_aside),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
