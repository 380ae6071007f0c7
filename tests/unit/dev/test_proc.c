#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/str.h"
#include "base/timefmt.h"
#include "dev/dev.h"
#include "dev/proc.h"
#include "dev/session.h"
#include "tests/unit/dev/scratch.h"

enum { LIMIT_MS = 10000 };

static void stat_lines_are_read(void **state _unused_)
{
    static const struct {
        const char *text;
        bool good;
        struct dev_stat stat;
    } cases[] = {
        {"42 (cat) S 1 42 41 0 -1 4194560 105 0 0 0 0 0 0 0 20 0 1 0 987654 2 3",
         true,
         {.pid = 42, .session = 41, .state = 'S', .start = 987654}},
        {"7 (a ) R 1 (x) Z 1 7 7 0 -1 1 1 0 0 0 0 0 0 0 20 0 1 0 5 2 3",
         true,
         {.pid = 7, .session = 7, .state = 'Z', .start = 5}},
        {"42 (cat S 1 42", false, {0}},
        {"42 (cat) S 1 42 41 0 -1 4194560", false, {0}},
        {"", false, {0}},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dev_stat s = {0};
        assert_int_equal(dev_stat_parse(cases[i].text, &s), cases[i].good);
        if (!cases[i].good)
            continue;
        assert_int_equal(s.pid, cases[i].stat.pid);
        assert_int_equal(s.session, cases[i].stat.session);
        assert_int_equal(s.state, cases[i].stat.state);
        assert_int_equal(s.start, cases[i].stat.start);
    }
}

static struct dev_proc myself(void)
{
    struct dev_proc p = {.pid = getpid()};
    struct dev_stat s;

    assert_true(dev_stat_read(getpid(), &s));
    p.start = s.start;
    dev_boot_id(p.boot);
    return p;
}

static void a_process_is_known_by_start_and_boot(void **state _unused_)
{
    struct dev_proc me = myself(), other = me, older = me;

    assert_int_equal(dev_proc_state(&me), DEV_PROC_ALIVE);
    assert_true(dev_proc_rss(&me) > 0);
    /* The pid of another program by now. */
    other.start++;
    assert_int_equal(dev_proc_state(&other), DEV_PROC_GONE);
    assert_int_equal(dev_proc_signal(&other, SIGKILL, NULL), ERR_NOT_FOUND);
    assert_int_equal(dev_proc_rss(&other), 0);
    /* Started before the machine booted. */
    memcpy(older.boot, "another", sizeof("another"));
    assert_int_equal(dev_proc_state(&older), DEV_PROC_STALE);
    assert_int_equal(dev_proc_signal(&older, SIGKILL, NULL), ERR_NOT_FOUND);
}

static void a_zombie_is_gone(void **state _unused_)
{
    struct dev_proc p = {0};
    struct dev_stat s;
    siginfo_t info;
    int wait_pipe[2];

    assert_int_equal(pipe(wait_pipe), 0);
    p.pid = fork();
    if (p.pid == 0) {
        char c;
        close(wait_pipe[1]);
        _exit(read(wait_pipe[0], &c, 1) < 0);
    }
    assert_true(dev_stat_read(p.pid, &s));
    p.start = s.start;
    dev_boot_id(p.boot);
    assert_int_equal(dev_proc_state(&p), DEV_PROC_ALIVE);
    close(wait_pipe[0]);
    close(wait_pipe[1]);
    assert_int_equal(waitid(P_PID, (id_t)p.pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(dev_proc_state(&p), DEV_PROC_GONE);
    assert_int_equal(waitpid(p.pid, NULL, 0), p.pid);
    assert_int_equal(dev_proc_state(&p), DEV_PROC_GONE);
}

static void pid_files_come_back_as_they_were(void **state _unused_)
{
    _cleanup_free_ char *path = scratch_path("a.pid");
    struct dev_proc p = myself(), back = {0};

    p.start = UINT64_MAX;
    p.command_hash = UINT64_C(0xfedcba9876543210);
    assert_int_equal(dev_proc_save(path, &p, NULL), 0);
    assert_int_equal(dev_proc_load(path, &back, NULL), 0);
    assert_int_equal(back.pid, p.pid);
    assert_int_equal(back.start, p.start);
    assert_int_equal(back.command_hash, p.command_hash);
    assert_string_equal(back.boot, p.boot);
}

static void damaged_pid_files_are_refused(void **state _unused_)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"pid\":1,\"start\":\"5\",\"boot\":\"x\"}",
        "{\"pid\":-5,\"start\":\"5\",\"boot\":\"x\"}",
        "{\"pid\":99999999999,\"start\":\"5\",\"boot\":\"x\"}",
        "{\"pid\":50,\"start\":\"5x\",\"boot\":\"x\"}",
        "{\"pid\":50,\"start\":\"\",\"boot\":\"x\"}",
        "{\"pid\":50,\"start\":\"5\",\"boot\":\"0123456789012345678901234567890123456789\"}",
        "{\"pid\":50,\"start\":\"5\",\"boot\":\"x\",\"command\":\"zz\"}",
    };
    _cleanup_free_ char *path = scratch_path("b.pid"), *none = scratch_path("none.pid");
    struct dev_proc p;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        _cleanup_err_ struct err *err = NULL;
        scratch_write(path, texts[i]);
        assert_int_equal(dev_proc_load(path, &p, &err), ERR_INVALID);
        assert_non_null(strstr(err_text(err), path));
    }
    assert_int_equal(dev_proc_load(none, &p, NULL), ERR_NOT_FOUND);
}

static void add_words(char ***list, const char *first, va_list ap)
{
    for (const char *word = first; word; word = va_arg(ap, const char *))
        strv_push(list, word);
}

static struct dev_command command(const char *program, ...) __attribute__((sentinel));
static struct dev_command command(const char *program, ...)
{
    struct dev_command c = {.folder = xstrdup(scratch), .log = scratch_path("log")};
    va_list ap;

    va_start(ap, program);
    add_words(&c.argv, program, ap);
    va_end(ap);
    return c;
}

static void wait_gone(const struct dev_proc *p)
{
    struct pollfd fd = {.events = POLLIN};

    if (dev_proc_open(p, &fd.fd, NULL) == 0) {
        assert_int_equal(poll(&fd, 1, LIMIT_MS), 1);
        close(fd.fd);
    }
}

static void a_child_is_on_its_own(void **state _unused_)
{
    static const char script[] =
        "pwd; echo $WORD $$; cut -d' ' -f6 /proc/$$/stat; ls /proc/$$/fd | wc -l; cat nats.conf; read x; "
        "echo end=$?";
    _cleanup_free_ char *pid_path = scratch_path("c.pid"), *text = NULL;
    _cleanup_(dev_command_release) struct dev_command c = command("/bin/sh", "-c", script, NULL);
    struct dev_proc p, loaded;
    int open_fds[2];

    /* Two descriptors without close-on-exec, as a caller may leave them. */
    assert_int_equal(pipe(open_fds), 0);
    assert_int_equal(setenv("WORD", "old", 1), 0);
    strv_push(&c.env, "WORD=new");
    c.config_path = scratch_path("nats.conf");
    c.config_text = xstrdup("configured\n");
    assert_int_equal(dev_proc_spawn(&c, pid_path, &p, NULL), 0);
    assert_int_equal(dev_proc_load(pid_path, &loaded, NULL), 0);
    assert_int_equal(loaded.pid, p.pid);
    assert_int_equal(loaded.command_hash, dev_command_hash(&c));
    wait_gone(&p);
    assert_int_equal(waitpid(p.pid, NULL, 0), p.pid);
    assert_int_equal(file_read(c.log, 65536, &text, NULL, NULL), 0);
    /* 0, 1, 2 and what the shell opens for itself and for ls. */
    _cleanup_strv_ char **lines = strv_split(text, '\n', false);
    _cleanup_free_ char *second = xasprintf("new %ld", (long)p.pid);
    assert_int_equal(strv_len(lines), 6);
    assert_string_equal(lines[0], scratch);
    assert_string_equal(lines[1], second);
    assert_int_equal(strtol(lines[2], NULL, 10), p.pid);
    assert_true(strtol(lines[3], NULL, 10) <= 4);
    assert_string_equal(lines[4], "configured");
    /* Its stdin has nothing to read. */
    assert_string_equal(lines[5], "end=1");
    close(open_fds[0]);
    close(open_fds[1]);
    unlink(c.log);
}

static void a_program_that_cannot_start_leaves_nothing(void **state _unused_)
{
    _cleanup_(dev_command_release) struct dev_command none = command("/nonexistent/program", NULL);
    _cleanup_(dev_command_release) struct dev_command no_log = command("/bin/true", NULL);
    _cleanup_(dev_command_release) struct dev_command no_folder = command("/bin/true", NULL);
    _cleanup_free_ char *pid_path = scratch_path("d.pid");
    _cleanup_err_ struct err *err = NULL, *log_err = NULL, *folder_err = NULL;
    struct dev_proc p;

    assert_int_equal(dev_proc_spawn(&none, pid_path, &p, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err_text(err), "/nonexistent/program"));
    assert_int_equal(access(pid_path, F_OK), -1);
    xstr_replace(&no_log.log, "/nonexistent/log");
    assert_int_equal(dev_proc_spawn(&no_log, pid_path, &p, &log_err), ERR_NOT_FOUND);
    assert_non_null(strstr(err_text(log_err), "/nonexistent/log"));
    xstr_replace(&no_folder.folder, "/nonexistent/folder");
    assert_int_equal(dev_proc_spawn(&no_folder, pid_path, &p, &folder_err), ERR_NOT_FOUND);
    assert_non_null(strstr(err_text(folder_err), "/nonexistent/folder"));
    assert_int_equal(access(pid_path, F_OK), -1);
    /* No child is left. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void frozen_and_what_is_left_of_a_session(void **state _unused_)
{
    _cleanup_(dev_command_release) struct dev_command c =
        command("/bin/sh", "-c", "sleep 1000 & sleep 1000 & echo up; wait", NULL);
    _cleanup_free_ char *pid_path = scratch_path("e.pid"), *text = NULL;
    int64_t deadline = time_mono_ms() + LIMIT_MS;
    struct dev_proc p, other;
    int status;

    assert_int_equal(dev_proc_spawn(&c, pid_path, &p, NULL), 0);
    while (!text || !strstr(text, "up")) {
        assert_true(time_mono_ms() < deadline);
        xstr_replace(&text, NULL);
        assert_int_equal(file_read(c.log, 65536, &text, NULL, NULL), 0);
    }
    assert_int_equal(dev_proc_signal(&p, SIGSTOP, NULL), 0);
    assert_int_equal(waitpid(p.pid, &status, WUNTRACED), p.pid);
    assert_int_equal(dev_proc_state(&p), DEV_PROC_FROZEN);
    assert_int_equal(dev_proc_signal(&p, SIGKILL, NULL), 0);
    assert_int_equal(waitpid(p.pid, &status, 0), p.pid);
    assert_int_equal(dev_proc_state(&p), DEV_PROC_GONE);
    /* Of another boot, or younger than what is there: not ours. */
    other = p;
    memcpy(other.boot, "another", sizeof("another"));
    assert_int_equal(dev_session_signal(&other, SIGKILL), 0);
    other = p;
    other.start = UINT64_MAX;
    assert_int_equal(dev_session_signal(&other, SIGKILL), 0);
    assert_int_equal(dev_session_signal(&p, SIGCONT), 2);
    assert_true(dev_session_clear(&p, LIMIT_MS));
    assert_int_equal(dev_session_signal(&p, SIGCONT), 0);
}

static void the_hash_tells_commands_apart(void **state _unused_)
{
    _cleanup_(dev_command_release) struct dev_command a = command("x", "ab", "c", NULL),
                                                      b = command("x", "a", "bc", NULL);
    _cleanup_(dev_command_release) struct dev_command d = command("x", "ab", "c", NULL),
                                                      e = command("x", "ab", NULL);

    assert_int_equal(dev_command_hash(&a), dev_command_hash(&d));
    assert_int_not_equal(dev_command_hash(&a), dev_command_hash(&b));
    strv_push(&e.env, "c");
    assert_int_not_equal(dev_command_hash(&a), dev_command_hash(&e));
    d.config_text = xstrdup("port 1");
    assert_int_not_equal(dev_command_hash(&a), dev_command_hash(&d));
}

static void short_runs(void **state _unused_)
{
    char *echo[] = {(char[]){"/bin/echo"}, (char[]){"hello"}, NULL};
    char *fail[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, (char[]){"exit 3"}, NULL};
    char *slow[] = {(char[]){"/bin/sleep"}, (char[]){"1000"}, NULL};
    char *loud[] = {(char[]){"/usr/bin/yes"}, NULL};
    _cleanup_err_ struct err *failed = NULL, *late = NULL, *large = NULL;
    _cleanup_free_ char *out = NULL;

    assert_int_equal(dev_proc_capture(echo, LIMIT_MS, &out, NULL), 0);
    assert_string_equal(out, "hello\n");
    assert_int_equal(dev_proc_capture(fail, LIMIT_MS, &out, &failed), ERR_FAILED);
    assert_string_equal(err_text(failed), "/bin/sh ended with status 3");
    assert_int_equal(dev_proc_capture(slow, 1, &out, &late), ERR_TIMEOUT);
    assert_int_equal(dev_proc_capture(loud, LIMIT_MS, &out, &large), ERR_TOO_LARGE);
    assert_string_equal(out, "hello\n");
}

static void signals_by_name_and_number(void **state _unused_)
{
    assert_int_equal(dev_signal_parse("KILL"), SIGKILL);
    assert_int_equal(dev_signal_parse("SIGTERM"), SIGTERM);
    assert_int_equal(dev_signal_parse("stop"), SIGSTOP);
    assert_int_equal(dev_signal_parse("9"), SIGKILL);
    assert_int_equal(dev_signal_parse("0"), 0);
    assert_int_equal(dev_signal_parse("1000"), 0);
    assert_int_equal(dev_signal_parse("nothing"), 0);
    assert_int_equal(dev_signal_parse(""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stat_lines_are_read),
        cmocka_unit_test(a_process_is_known_by_start_and_boot),
        cmocka_unit_test(a_zombie_is_gone),
        cmocka_unit_test(pid_files_come_back_as_they_were),
        cmocka_unit_test(damaged_pid_files_are_refused),
        cmocka_unit_test(a_child_is_on_its_own),
        cmocka_unit_test(a_program_that_cannot_start_leaves_nothing),
        cmocka_unit_test(frozen_and_what_is_left_of_a_session),
        cmocka_unit_test(the_hash_tells_commands_apart),
        cmocka_unit_test(short_runs),
        cmocka_unit_test(signals_by_name_and_number),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
