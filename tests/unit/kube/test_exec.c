/* Credential plugins: little shell scripts in a folder of the test's own. */
#include "unit/kube/fixture.h"

#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

#define GET(p)  ((struct kube_call){.method = "GET", .path = (p)})
#define V1      "client.authentication.k8s.io/v1"
#define V1BETA1 "client.authentication.k8s.io/v1beta1"

static char *folder;

static int make_folder(void **state _unused_)
{
    folder = xstrdup("/tmp/wasmctl-test-exec-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state _unused_)
{
    int r = file_remove_tree(folder, NULL);

    free(folder);
    return r;
}

/* A plugin "login" in the test's folder; its runs are counted in the file "runs". */
static void script(const char *body)
{
    _cleanup_free_ char *path = xasprintf("%s/login", folder), *runs = xasprintf("%s/runs", folder);
    _cleanup_free_ char *text = xasprintf("#!/bin/sh\necho run >> '%s'\n%s\n", runs, body);

    unlink(runs);
    assert_int_equal(file_write(path, text, strlen(text), 0700, NULL), 0);
}

static size_t runs(void)
{
    _cleanup_free_ char *path = xasprintf("%s/runs", folder), *text = NULL;
    size_t len;

    return file_read(path, 1 << 20, &text, &len, NULL) < 0 ? 0 : len / strlen("run\n");
}

/* Prints an ExecCredential with this status. */
static void prints(const char *status)
{
    _cleanup_free_ char *body = xasprintf(
        "cat <<'END'\n{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":%s}\nEND", status);

    script(body);
}

static struct kube_client *client(struct fixture *f)
{
    f->config.user_name = (char *)"joe";
    f->config.exec = json_object("command", "./login", "apiVersion", V1, "interactiveMode", "Never", NULL);
    f->config.exec_dir = folder;
    return fixture_client(f);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    cJSON_Delete(f->config.exec);
    return fixture_teardown(state);
}

static void expect_header(struct fixture *f, const char *value)
{
    _cleanup_free_ char *who = fixture_header(f, "Authorization");

    assert_true(streq_null(who, value));
}

static void test_token(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome a = {0}, b = {0}, again = {0};

    prints("{\"token\":\"t1\",\"expirationTimestamp\":\"2999-01-01T00:00:00Z\"}");
    client(f);
    /* Two that wait for the same run, and one that comes later. */
    outcome_start(f, &a, GET("/a"), false);
    outcome_start(f, &b, GET("/b"), false);
    turn_until(f, a.done && b.done);
    assert_string_equal(err_text(a.err), err_text(NULL));
    assert_null(b.err);
    expect_header(f, "Bearer t1");
    outcome_get(f, &again, GET("/c"));
    assert_null(again.err);
    assert_int_equal(runs(), 1);
}

static void test_shared_by_clients(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome a = {0}, b = {0};

    prints("{\"token\":\"t1\"}");
    struct kube_client *first = client(f);
    outcome_start(f, &a, GET("/a"), false);
    f->client = NULL;
    fixture_client(f);
    outcome_start(f, &b, GET("/b"), false);
    turn_until(f, a.done && b.done);
    assert_int_equal(runs(), 1);
    kube_client_free(first);
}

static void test_expiry(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome a = {0}, b = {0}, c = {0};

    prints("{\"token\":\"t1\",\"expirationTimestamp\":\"2030-01-01T00:00:00Z\"}");
    client(f);
    time_pin(INT64_C(1893455999) * 1000000000); /* one second before */
    outcome_get(f, &a, GET("/a"));
    outcome_get(f, &b, GET("/b"));
    assert_int_equal(runs(), 1);
    /* Its time is over; the next run says so again, and is used once all the same. */
    time_pin(INT64_C(1893456000) * 1000000000);
    outcome_get(f, &c, GET("/c"));
    time_pin(0);
    assert_null(c.err);
    assert_int_equal(runs(), 2);
}

static void want_t2(void *arg _unused_, struct http_conn *c, const struct http_request *r)
{
    _cleanup_free_ char *who = http_header(r, "Authorization");

    http_answer(c, who && streq(who, "Bearer t2") ? 200 : 401, NULL, "");
}

static void test_refused_token(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome a = {0}, b = {0};

    prints("{\"token\":\"t1\"}");
    f->handler = want_t2;
    client(f);
    outcome_get(f, &a, GET("/a"));
    assert_int_equal(a.err->code, ERR_UNAUTHORIZED);
    assert_int_equal(runs(), 2); /* asked once more, for nothing */
    assert_int_equal(http_server_requests(f->server), 2);
    prints("{\"token\":\"t2\"}");
    outcome_get(f, &b, GET("/b"));
    assert_null(b.err);
    assert_int_equal(runs(), 1);
}

static void fails(struct fixture *f, int code, const char *words)
{
    _cleanup_outcome_ struct outcome a = {0}, b = {0};

    if (!f->client)
        client(f);
    outcome_start(f, &a, GET("/a"), false);
    outcome_start(f, &b, GET("/b"), true);
    turn_until(f, a.done && b.done);
    assert_int_equal(a.err->code, code);
    assert_int_equal(b.err->code, code);
    if (!strstr(a.err->message, words) || !str_starts(a.err->message, "Unable to connect to the server: "))
        fail_msg("\"%s\" is not in \"%s\"", words, a.err->message);
    assert_int_equal(http_server_requests(f->server), 0);
}

static void test_failures(void **state)
{
    struct fixture *f = *state;

    script("echo first line >&2; printf 'sign \\033[1min first\\n\\n' >&2; exit 3");
    fails(f, ERR_UNAUTHORIZED, "failed with exit code 3: first line sign \\x1b[1min first");
    script("kill -9 $$");
    fails(f, ERR_UNAUTHORIZED, "ended by signal 9");
    script("echo nonsense");
    fails(f, ERR_PROTOCOL, "printed no ExecCredential");
    script("exit 0");
    fails(f, ERR_PROTOCOL, "printed no ExecCredential");
    script("echo '{\"kind\":\"Pod\"}'");
    fails(f, ERR_PROTOCOL, "printed no ExecCredential");
    script("echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1BETA1
           "\",\"status\":{\"token\":\"t\"}}'");
    fails(f, ERR_PROTOCOL, "is configured to use API version " V1 ", but gave version " V1BETA1);
    prints("{}");
    fails(f, ERR_PROTOCOL, "neither a token nor a client certificate");
    prints("{\"clientKeyData\":\"k\"}");
    fails(f, ERR_PROTOCOL, "only one of");
    prints("{\"token\":\"t\",\"expirationTimestamp\":\"1st of May\"}");
    fails(f, ERR_PROTOCOL, "expirationTimestamp");
    script("yes | head -c 3000000");
    fails(f, ERR_UNAUTHORIZED, "printed more than");
    script("head -c 300000 /dev/zero | tr '\\0' x >&2; exit 1");
    fails(f, ERR_UNAUTHORIZED, "exit code 1");
}

static void test_not_installed(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *path = xasprintf("%s/login", folder);

    unlink(path);
    client(f);
    fails(f, ERR_UNAUTHORIZED, "not found");
    fails(f, ERR_UNAUTHORIZED, "install it");
    kube_client_free(f->client);
    json_put_str(f->config.exec, "installHint", "get it from example.org");
    fixture_client(f);
    fails(f, ERR_UNAUTHORIZED, "; get it from example.org");
}

static void test_never_ends(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome a = {0};

    loop_fake_clock(f->loop, 1000);
    script("exec sleep 600");
    client(f);
    outcome_start(f, &a, GET("/a"), false);
    loop_advance(f->loop, 59 * 1000); /* the request's own limit does not count meanwhile */
    assert_int_equal(a.done, 0);
    loop_advance(f->loop, 1000);
    while (!a.done)
        loop_advance(f->loop, 1);
    assert_int_equal(a.err->code, ERR_TIMEOUT);
    assert_non_null(strstr(a.err->message, "did not end within 60000 ms"));
}

/* The script leaves its process id; after the client is gone, so is the process. */
static void test_free_while_running(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *path = xasprintf("%s/pid", folder), *text = NULL;
    /* What it prints wakes the loop. */
    _cleanup_free_ char *body = xasprintf("echo $$ > '%s'\necho ready\nexec sleep 600", path);
    _cleanup_outcome_ struct outcome a = {0}, b = {0};
    int64_t pid;

    script(body);
    client(f);
    outcome_start(f, &a, GET("/a"), false);
    outcome_start(f, &b, GET("/b"), false);
    kube_req_cancel(b.req);
    while (file_read(path, 100, &text, NULL, NULL) < 0 || !strchr(text, '\n')) {
        free(TAKE_PTR(text));
        fixture_turn(f);
    }
    kube_client_free(f->client);
    f->client = NULL;
    text[strcspn(text, "\n")] = '\0';
    assert_true(str_to_i64(text, 2, INT32_MAX, &pid));
    _cleanup_free_ char *proc = xasprintf("/proc/%d", (int)pid);
    assert_int_equal(access(proc, F_OK), -1);
    assert_int_equal(a.done + b.done, 0);
}

static void drop_client(struct outcome *o)
{
    kube_client_free(o->fixture->client);
    o->fixture->client = NULL;
}

static void test_free_in_callback(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome a = {.on_done = drop_client};

    script("exit 1");
    client(f);
    outcome_start(f, &a, GET("/a"), false);
    turn_until(f, a.done);
    fixture_settle(f);
    assert_int_equal(a.err->code, ERR_UNAUTHORIZED);
}

static void test_environment(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *path = xasprintf("%s/info", folder), *args = xasprintf("%s/args", folder);
    _cleanup_free_ char *body = xasprintf(
        "printf %%s \"$KUBERNETES_EXEC_INFO\" > '%s'; echo \"$1 $2 $FLAVOUR\" > '%s'\n"
        "if read line; then echo input >> '%s'; fi\n"
        "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1BETA1 "\",\"status\":{\"token\":\"t\"}}'",
        path, args, args);
    _cleanup_free_ char *info_text = NULL, *args_text = NULL;
    _cleanup_json_ cJSON *info = NULL, *extension = cJSON_Parse("{\"audience\":\"me\"}");
    _cleanup_outcome_ struct outcome a = {0};

    script(body);
    f->config.user_name = (char *)"joe";
    f->config.exec =
        cJSON_Parse("{\"command\":\"./login\",\"args\":[\"one\",\"two three\"],\"provideClusterInfo\":true,"
                    "\"env\":[{\"name\":\"FLAVOUR\",\"value\":\"sweet\"}],\"apiVersion\":\"" V1BETA1 "\"}");
    f->config.exec_dir = folder;
    f->config.exec_cluster_config = extension;
    f->options.no_terminal = true;
    setenv("FLAVOUR", "sour", 1);
    fixture_client(f);
    unsetenv("FLAVOUR");
    outcome_get(f, &a, GET("/a"));
    assert_null(a.err);
    assert_int_equal(file_read(path, 1 << 20, &info_text, NULL, NULL), 0);
    assert_int_equal(file_read(args, 1 << 20, &args_text, NULL, NULL), 0);
    assert_string_equal(args_text, "one two three sweet\n");
    assert_int_equal(json_parse(info_text, strlen(info_text), "info", &info, NULL), 0);
    assert_string_equal(json_str(info, "kind"), "ExecCredential");
    assert_string_equal(json_str(info, "apiVersion"), V1BETA1);
    assert_false(json_bool(info, "spec.interactive", true));
    assert_string_equal(json_str(info, "spec.cluster.server"), f->config.server);
    assert_string_equal(json_str(info, "spec.cluster.config.audience"), "me");
}

static void refuse(struct fixture *f, const char *exec, int code, const char *words)
{
    _cleanup_json_ cJSON *o = cJSON_Parse(exec);
    struct kube_config config = {.server = f->config.server, .user_name = (char *)"joe", .exec = o};
    _cleanup_err_ struct err *err = NULL;
    struct kube_client *c = NULL;

    assert_non_null(o);
    assert_int_equal(
        kube_client_new(f->loop, &config, &(struct kube_client_options){.no_terminal = true}, &c, &err),
        code);
    if (!strstr(err->message, words) || !strstr(err->message, "user \"joe\""))
        fail_msg("\"%s\" is not in \"%s\"", words, err->message);
}

static void test_settings(void **state)
{
    struct fixture *f = *state;

    refuse(f, "{}", ERR_INVALID, "command is missing");
    refuse(f, "{\"command\":\"x\"}", ERR_INVALID, "apiVersion is missing");
    refuse(f, "{\"command\":\"x\",\"apiVersion\":\"client.authentication.k8s.io/v1alpha1\"}", ERR_INVALID,
           "v1alpha1\" is not supported");
    refuse(f, "{\"command\":\"x\",\"apiVersion\":\"" V1 "\"}", ERR_INVALID, "interactiveMode is missing");
    refuse(f, "{\"command\":\"x\",\"apiVersion\":\"" V1 "\",\"interactiveMode\":\"Perhaps\"}", ERR_INVALID,
           "Perhaps");
    refuse(f, "{\"command\":\"x\",\"apiVersion\":\"" V1 "\",\"interactiveMode\":\"Always\"}",
           ERR_UNAUTHORIZED, "not a terminal");
    refuse(f,
           "{\"command\":\"x\",\"apiVersion\":\"" V1
           "\",\"interactiveMode\":\"Never\",\"env\":[{\"name\":\"a=b\"}]}",
           ERR_INVALID, "every env");
}

/* A token on the command line is used instead. */
static void test_token_wins(void **state)
{
    struct fixture *f = *state;
    _cleanup_outcome_ struct outcome a = {0};

    script("exit 1");
    f->config.token = (char *)"given";
    client(f);
    outcome_get(f, &a, GET("/a"));
    assert_null(a.err);
    expect_header(f, "Bearer given");
    assert_int_equal(runs(), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_token),         TEST(test_shared_by_clients),  TEST(test_expiry),
        TEST(test_refused_token), TEST(test_failures),           TEST(test_not_installed),
        TEST(test_never_ends),    TEST(test_free_while_running), TEST(test_free_in_callback),
        TEST(test_environment),   TEST(test_settings),           TEST(test_token_wins),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
