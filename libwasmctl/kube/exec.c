#include "kube/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

#define API_GROUP "client.authentication.k8s.io/"

enum {
    OUTPUT_MOST = 1024 * 1024,
    COMPLAINT_MOST = 64 * 1024,
    LINE_MOST = 4096, /* of what it says */
    SAID_MOST = 256 * 1024,
    LOOK_MS = 20,
};

struct kube_exec {
    struct kube_exec *next;
    unsigned refs;
    struct loop *loop;
    char *key; /* equal for equal command lines */
    char *command, *hint, *api_version;
    char **argv, **envp;
    bool interactive;
    int64_t limit_ms;
    struct kube_credential last;
    bool distrusted;
    unsigned runs;

    pid_t pid; /* 0 when not running */
    int pid_fd, out_fd, err_fd;
    struct loop_io *pid_io, *out_io, *err_io;
    struct loop_timer *limit, *look, *slow;
    struct buf out, complaint, line;
    bool talked; /* what it said was passed on */
    size_t said;
    bool too_long, out_of_time;
    struct loop_defer *failed; /* could not even be started */
    struct err *failure;
    struct kube_exec_waiter *waiters, *told;
};

/* One for each command line in use. */
static struct kube_exec *plugins;

static void stop(struct kube_exec *e);
static void on_look(void *arg);
static void on_slow(void *arg);

/* Settings */

static void add_env(char ***env, const char *name, const char *value)
{
    _cleanup_free_ char *entry = xasprintf("%s=%s", name, value);
    size_t n = strlen(name) + 1;

    for (size_t i = 0; *env && (*env)[i]; i++) {
        if (strncmp((*env)[i], entry, n) == 0) {
            xstr_replace(&(*env)[i], entry);
            return;
        }
    }
    strv_push(env, entry);
}

static cJSON *cluster_info(const struct kube_config *config)
{
    cJSON *o = json_object("server", config->server, "tls-server-name", config->tls_server_name, "proxy-url",
                           config->proxy_url, NULL);

    if (config->insecure)
        json_put(o, "insecure-skip-tls-verify", cJSON_CreateTrue());
    if (config->disable_compression)
        json_put(o, "disable-compression", cJSON_CreateTrue());
    if (config->ca_pem) {
        _cleanup_free_ char *data = str_base64_encode(config->ca_pem, strlen(config->ca_pem));
        json_put_str(o, "certificate-authority-data", data);
    }
    if (config->exec_cluster_config)
        json_put(o, "config", cJSON_Duplicate(config->exec_cluster_config, true));
    return o;
}

/* What the plugin is told about its task. */
static char *exec_info(const struct kube_exec *e, const struct kube_config *config)
{
    _cleanup_json_ cJSON *o = json_object("apiVersion", e->api_version, "kind", "ExecCredential", NULL);
    cJSON *spec = cJSON_CreateObject();

    json_put(o, "spec", spec);
    json_put(spec, "interactive", cJSON_CreateBool(e->interactive));
    if (json_bool(config->exec, "provideClusterInfo", false))
        json_put(spec, "cluster", cluster_info(config));
    return json_print(o);
}

static int read_mode(struct kube_exec *e, const struct kube_config *config, bool may_ask, struct err **err)
{
    const char *mode = json_str(config->exec, "interactiveMode"), *user = config->user_name;
    bool terminal = may_ask && isatty(STDIN_FILENO);

    if (str_empty(mode)) {
        if (!streq(e->api_version, API_GROUP "v1beta1"))
            return err_set(err, ERR_INVALID, "user \"%s\": exec: interactiveMode is missing", user);
        mode = "IfAvailable";
    }
    if (streq(mode, "Never")) {
        e->interactive = false;
    } else if (streq(mode, "IfAvailable")) {
        e->interactive = terminal;
    } else if (streq(mode, "Always")) {
        if (!terminal)
            return err_set(err, ERR_UNAUTHORIZED,
                           "user \"%s\": the credential plugin %s wants to ask questions, but standard input "
                           "is not a terminal",
                           user, e->command);
        e->interactive = true;
    } else {
        return err_set(err, ERR_INVALID,
                       "user \"%s\": exec: interactiveMode \"%s\" is none of Never, IfAvailable, Always",
                       user, mode);
    }
    return 0;
}

static int read_settings(struct kube_exec *e, const struct kube_config *config, bool may_ask,
                         struct err **err)
{
    const cJSON *o = config->exec;
    const char *command = json_str(o, "command"), *version = json_str(o, "apiVersion");
    const char *user = config->user_name ? config->user_name : "";

    if (str_empty(command))
        return err_set(err, ERR_INVALID, "user \"%s\": exec: command is missing", user);
    if (str_empty(version))
        return err_set(err, ERR_INVALID, "user \"%s\": exec: apiVersion is missing", user);
    if (!streq(version, API_GROUP "v1") && !streq(version, API_GROUP "v1beta1"))
        return err_set(err, ERR_INVALID,
                       "user \"%s\": exec: apiVersion \"%s\" is not supported: " API_GROUP "v1 and " API_GROUP
                       "v1beta1 are; update the plugin %s",
                       user, version, command);
    /* A name without a slash is looked up in PATH, another is relative to the file that holds it. */
    bool relative = strchr(command, '/') && *command != '/' && config->exec_dir;
    e->command = relative ? xasprintf("%s/%s", config->exec_dir, command) : xstrdup(command);
    e->api_version = xstrdup(version);
    e->hint = xstrdup_null(json_str(o, "installHint"));
    strv_push(&e->argv, e->command);
    json_each (a, json_get(o, "args"))
        if (cJSON_IsString(a))
            strv_push(&e->argv, a->valuestring);
    int r = read_mode(e, config, may_ask, err);
    if (r < 0)
        return r;
    e->envp = strv_copy(environ);
    json_each (v, json_get(o, "env")) {
        const char *name = json_str(v, "name"), *value = json_str(v, "value");
        if (str_empty(name) || strchr(name, '=') || !value)
            return err_set(err, ERR_INVALID, "user \"%s\": exec: every env needs a name and a value", user);
        add_env(&e->envp, name, value);
    }
    _cleanup_free_ char *info = exec_info(e, config);
    add_env(&e->envp, "KUBERNETES_EXEC_INFO", info);
    return 0;
}

static char *key_of(const struct kube_exec *e, const struct kube_config *config)
{
    _cleanup_free_ char *settings = json_print(config->exec), *info = exec_info(e, config);

    return xasprintf("%p %s %s %s", (void *)e->loop, e->command, settings, info);
}

static void free_credential(struct kube_credential *c)
{
    if (c->token)
        explicit_bzero(c->token, strlen(c->token));
    if (c->key_pem)
        explicit_bzero(c->key_pem, strlen(c->key_pem));
    free(c->token);
    free(c->cert_pem);
    free(c->key_pem);
    *c = (struct kube_credential){0};
}

static void destroy(struct kube_exec *e)
{
    stop(e);
    loop_defer_cancel(e->failed);
    loop_timer_free(e->limit);
    loop_timer_free(e->look);
    loop_timer_free(e->slow);
    free_credential(&e->last);
    err_free(e->failure);
    strv_free(e->argv);
    strv_free(e->envp);
    free(e->key);
    free(e->command);
    free(e->hint);
    free(e->api_version);
    free(e);
}
DEFINE_CLEANUP(struct kube_exec *, destroy)

static void on_limit(void *arg)
{
    struct kube_exec *e = arg;

    /* Its end is then noticed as any other. */
    e->out_of_time = true;
    kill(e->pid, SIGKILL);
}

int kube_exec_get(struct loop *l, const struct kube_config *config, bool may_ask, int64_t limit_ms,
                  struct kube_exec **ret, struct err **err)
{
    _cleanup_(destroyp) struct kube_exec *e = xcalloc(1, sizeof(*e));

    e->loop = l;
    e->pid_fd = e->out_fd = e->err_fd = -1;
    buf_init(&e->out, OUTPUT_MOST);
    buf_init(&e->complaint, COMPLAINT_MOST);
    buf_init(&e->line, LINE_MOST);
    bool watched = may_ask && isatty(STDERR_FILENO);
    e->limit_ms = limit_ms > 0 ? limit_ms : watched ? KUBE_EXEC_WATCHED_MS : KUBE_EXEC_ALONE_MS;
    int r = read_settings(e, config, may_ask, err);
    if (r < 0)
        return r;
    e->key = key_of(e, config);
    for (struct kube_exec *p = plugins; p; p = p->next) {
        if (streq(p->key, e->key)) {
            p->refs++;
            *ret = p;
            return 0;
        }
    }
    e->refs = 1;
    e->limit = loop_timer_new(l, on_limit, e);
    e->look = loop_timer_new(l, on_look, e);
    e->slow = loop_timer_new(l, on_slow, e);
    e->next = plugins;
    plugins = e;
    *ret = TAKE_PTR(e);
    return 0;
}

void kube_exec_put(struct kube_exec *e)
{
    if (!e || --e->refs)
        return;
    for (struct kube_exec **p = &plugins; *p; p = &(*p)->next) {
        if (*p == e) {
            *p = e->next;
            break;
        }
    }
    destroy(e);
}

/* Outcome */

static int bad(const struct kube_exec *e, int code, struct err **err, const char *what)
{
    return err_set(err, code, "Unable to connect to the server: getting credentials: exec: %s %s", e->command,
                   what);
}

static char *not_found(const struct kube_exec *e)
{
    return xasprintf("not found: the kubeconfig's user logs in by this program; %s",
                     e->hint ? e->hint : "install it");
}

static int read_answer(struct kube_exec *e, struct kube_credential *c, struct err **err)
{
    _cleanup_json_ cJSON *o = NULL;
    _cleanup_err_ struct err *syntax = NULL;

    if (json_parse(buf_str(&e->out), e->out.len, "output", &o, &syntax) < 0) {
        _cleanup_free_ char *what = xasprintf("printed no ExecCredential: %s", syntax->message);
        return bad(e, ERR_PROTOCOL, err, what);
    }
    if (!streq(json_str_or(o, "kind", ""), "ExecCredential"))
        return bad(e, ERR_PROTOCOL, err, "printed no ExecCredential");
    if (!streq(json_str_or(o, "apiVersion", ""), e->api_version)) {
        _cleanup_free_ char *what = xasprintf("is configured to use API version %s, but gave version %s",
                                              e->api_version, json_str_or(o, "apiVersion", "none"));
        return bad(e, ERR_PROTOCOL, err, what);
    }
    const char *token = json_str(o, "status.token"), *cert = json_str(o, "status.clientCertificateData"),
               *key = json_str(o, "status.clientKeyData"),
               *expires = json_str(o, "status.expirationTimestamp");
    if (str_empty(cert) != str_empty(key))
        return bad(e, ERR_PROTOCOL, err, "gave only one of clientCertificateData and clientKeyData");
    if (str_empty(token) && str_empty(cert))
        return bad(e, ERR_PROTOCOL, err, "gave neither a token nor a client certificate");
    int64_t when = INT64_MAX;
    /* What is given out for longer than times are read does not expire. */
    bool far = !str_empty(expires) && strspn(expires, "0123456789") == 4 && strncmp(expires, "2191", 4) >= 0;
    if (!str_empty(expires) && time_parse_rfc3339(expires, &when, NULL) < 0 && !far)
        return bad(e, ERR_PROTOCOL, err, "gave an expirationTimestamp that is no time");
    *c = (struct kube_credential){
        .token = str_empty(token) ? NULL : xstrdup(token),
        .cert_pem = str_empty(cert) ? NULL : xstrdup(cert),
        .key_pem = str_empty(key) ? NULL : xstrdup(key),
        .expires_ns = when,
        .serial = ++e->runs,
    };
    return 0;
}

/* The end of what it said on stderr, on one line. */
static char *complaint(const struct kube_exec *e)
{
    enum { SHOWN = 400 };
    size_t len = e->complaint.len, from = len > SHOWN ? len - SHOWN : 0;
    _cleanup_free_ char *text = xstrdup(buf_str(&e->complaint) + from);

    for (char *p = text; *p; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
    for (size_t n = strlen(text); n && text[n - 1] == ' '; n--)
        text[n - 1] = '\0';
    return str_escape_control(text, false);
}

static void tell(struct kube_exec *e, const struct err *err)
{
    /* Whoever is told may let go of the plugin, and ask again. */
    e->refs++;
    e->told = TAKE_PTR(e->waiters);
    while (e->told) {
        struct kube_exec_waiter *w = e->told;
        e->told = w->next;
        w->next = NULL;
        w->waiting = false;
        w->done(w->arg, err);
    }
    kube_exec_put(e);
}

/* What the plugin says */

static void talk(struct kube_exec *e, const char *line)
{
    for (struct kube_exec_waiter *w = e->waiters; w; w = w->next) {
        if (!w->talk)
            continue;
        w->talk(w->arg, line);
        e->talked = true;
        return;
    }
}

static void end_line(struct kube_exec *e)
{
    bool fits = e->said <= SAID_MOST;

    e->said += e->line.len;
    if (e->line.len && fits)
        talk(e, e->said <= SAID_MOST ? buf_str(&e->line) : "(the rest of what the plugin says is not shown)");
    buf_truncate(&e->line, 0);
}

static void hear(struct kube_exec *e, const char *data, size_t len)
{
    if (buf_add(&e->complaint, data, len) < 0) {
        buf_consume(&e->complaint, e->complaint.len);
        buf_add(&e->complaint, data, len);
    }
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n' || e->line.len == LINE_MOST - 1)
            end_line(e);
        if (data[i] != '\n' && data[i] != '\r')
            buf_addc(&e->line, data[i]);
    }
}

/* What is left in the pipes when it has ended; a child of its own may hold them open. */
static void read_rest(struct kube_exec *e)
{
    char piece[4096];
    ssize_t n;

    while (!e->too_long && e->out_fd >= 0 && (n = read(e->out_fd, piece, sizeof(piece))) != 0) {
        if (n < 0 && errno != EINTR)
            break;
        e->too_long = n > 0 && buf_add(&e->out, piece, (size_t)n) < 0;
    }
    for (size_t total = 0; total < COMPLAINT_MOST && e->err_fd >= 0; total += n > 0 ? (size_t)n : 0) {
        n = read(e->err_fd, piece, sizeof(piece));
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        if (n > 0)
            hear(e, piece, (size_t)n);
    }
}

static void on_slow(void *arg)
{
    struct kube_exec *e = arg;
    bool talked = e->talked;
    _cleanup_free_ char *line = xasprintf("waiting for the credential plugin %s (for at most %lld s)",
                                          e->command, (long long)((e->limit_ms + 999) / 1000));

    talk(e, line);
    e->talked = talked;
}

static void ended(struct kube_exec *e, int status)
{
    _cleanup_err_ struct err *err = NULL;
    struct kube_credential now = {0};

    read_rest(e);
    end_line(e);
    e->pid = 0;
    bool failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    /* What was passed on is not told twice. */
    _cleanup_free_ char *said = e->talked ? xstrdup("") : complaint(e), *how = NULL;
    if (e->out_of_time)
        how = xasprintf("did not end within %lld ms: run it by hand to see what it waits for",
                        (long long)e->limit_ms);
    else if (e->too_long)
        how = xasprintf("printed more than %d KiB", OUTPUT_MOST / 1024);
    else if (failed && WIFEXITED(status) && WEXITSTATUS(status) == 127 && !e->complaint.len)
        how = not_found(e); /* where the failed start shows only in the child */
    else if (failed && WIFSIGNALED(status))
        how = xasprintf("was ended by signal %d", WTERMSIG(status));
    else if (failed)
        how = xasprintf("failed with exit code %d", WEXITSTATUS(status));
    if (how) {
        _cleanup_free_ char *what = xasprintf("%s%s%s", how, *said ? ": " : "", said);
        bad(e, e->out_of_time ? ERR_TIMEOUT : ERR_UNAUTHORIZED, &err, what);
    } else if (read_answer(e, &now, &err) == 0) {
        free_credential(&e->last);
        e->last = now;
        e->distrusted = false;
    }
    stop(e);
    tell(e, err);
}

/* Running */

static void stop(struct kube_exec *e)
{
    if (e->pid > 0) {
        kill(e->pid, SIGKILL);
        while (waitpid(e->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    loop_io_free(TAKE_PTR(e->pid_io));
    loop_io_free(TAKE_PTR(e->out_io));
    loop_io_free(TAKE_PTR(e->err_io));
    closep(&e->pid_fd);
    closep(&e->out_fd);
    closep(&e->err_fd);
    e->pid = 0;
    e->pid_fd = e->out_fd = e->err_fd = -1;
    if (e->limit)
        loop_timer_stop(e->limit);
    if (e->look)
        loop_timer_stop(e->look);
    if (e->slow)
        loop_timer_stop(e->slow);
    if (e->out.data)
        explicit_bzero(e->out.data, e->out.cap);
    buf_release(&e->out);
    buf_release(&e->complaint);
    buf_release(&e->line);
    e->too_long = e->out_of_time = e->talked = false;
    e->said = 0;
}

static void on_pid(void *arg, int events _unused_, bool error _unused_)
{
    struct kube_exec *e = arg;
    int status = 0;

    pid_t pid = waitpid(e->pid, &status, WNOHANG);
    if (pid == 0 || (pid < 0 && errno == EINTR))
        return;
    ended(e, pid < 0 ? 0 : status);
}

static void on_output(void *arg, int events _unused_, bool error _unused_)
{
    struct kube_exec *e = arg;
    char piece[4096];

    ssize_t n = read(e->out_fd, piece, sizeof(piece));
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        loop_io_set(e->out_io, 0); /* the end of the process is what counts */
        return;
    }
    if (n > 0 && buf_add(&e->out, piece, (size_t)n) < 0) {
        e->too_long = true;
        kill(e->pid, SIGKILL);
    }
}

static void on_complaint(void *arg, int events _unused_, bool error _unused_)
{
    struct kube_exec *e = arg;
    char piece[4096];

    ssize_t n = read(e->err_fd, piece, sizeof(piece));
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        loop_io_set(e->err_io, 0);
    else if (n > 0)
        hear(e, piece, (size_t)n);
}

/* Kernels before 5.3 have no descriptor for a process. */
static void on_look(void *arg)
{
    struct kube_exec *e = arg;

    loop_timer_start(e->look, LOOK_MS);
    on_pid(e, 0, false);
}

/* Both ends: [0] ours, without blocking. */
static int make_pipe(int fds[2])
{
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    return 0;
}

/* 0, or a negative errno. */
static int spawn(struct kube_exec *e, int out, int complaints)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;

    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGINT);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!e->interactive)
        posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    if (complaints >= 0)
        posix_spawn_file_actions_adddup2(&files, complaints, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    int r = posix_spawnp(&e->pid, e->command, &files, &attributes, e->argv, e->envp);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (r)
        e->pid = 0;
    return -r;
}

static int start(struct kube_exec *e)
{
    int out[2] = {-1, -1}, complaints[2] = {-1, -1};
    int r = make_pipe(out);

    /* A plugin that may talk to the person keeps the terminal. */
    if (r == 0 && !e->interactive)
        r = make_pipe(complaints);
    if (r == 0)
        r = spawn(e, out[1], complaints[1]);
    closep(&out[1]);
    closep(&complaints[1]);
    e->out_fd = out[0];
    e->err_fd = complaints[0];
    if (r < 0)
        return r;
    e->pid_fd = pidfd_open(e->pid, 0); /* is close-on-exec */
    if (e->pid_fd >= 0) {
        e->pid_io = loop_io_new(e->loop, e->pid_fd, on_pid, e);
        loop_io_set(e->pid_io, LOOP_READ);
    } else {
        loop_timer_start(e->look, LOOK_MS);
    }
    e->out_io = loop_io_new(e->loop, e->out_fd, on_output, e);
    loop_io_set(e->out_io, LOOP_READ);
    if (e->err_fd >= 0) {
        e->err_io = loop_io_new(e->loop, e->err_fd, on_complaint, e);
        loop_io_set(e->err_io, LOOP_READ);
        loop_timer_start(e->limit, e->limit_ms);
        loop_timer_start(e->slow, KUBE_EXEC_SLOW_MS);
    }
    return 0;
}

static void on_failed(void *arg)
{
    struct kube_exec *e = arg;
    _cleanup_err_ struct err *err = TAKE_PTR(e->failure);

    e->failed = NULL;
    tell(e, err);
}

void kube_exec_run(struct kube_exec *e, struct kube_exec_waiter *w)
{
    if (!w->waiting) {
        w->waiting = true;
        w->next = e->waiters;
        e->waiters = w;
    }
    if (e->pid || e->failed)
        return;
    int r = start(e);
    if (r == 0)
        return;
    stop(e);
    _cleanup_free_ char *what = NULL;
    if (r == -ENOENT)
        what = not_found(e);
    else
        what = xasprintf("cannot be run: %s", strerror(-r));
    bad(e, ERR_UNAUTHORIZED, &e->failure, what);
    e->failed = loop_defer(e->loop, on_failed, e);
}

void kube_exec_forget(struct kube_exec *e, struct kube_exec_waiter *w)
{
    struct kube_exec_waiter **lists[] = {&e->waiters, &e->told};

    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (struct kube_exec_waiter **p = lists[i]; *p; p = &(*p)->next) {
            if (*p == w) {
                *p = w->next;
                break;
            }
        }
    }
    w->next = NULL;
    w->waiting = false;
}

/* Credentials */

const struct kube_credential *kube_exec_last(const struct kube_exec *e)
{
    return e->last.serial ? &e->last : NULL;
}

bool kube_exec_interactive(const struct kube_exec *e)
{
    return e->interactive;
}

bool kube_exec_fresh(const struct kube_exec *e)
{
    return e->last.serial && !e->distrusted && time_now_ns() < e->last.expires_ns;
}

void kube_exec_distrust(struct kube_exec *e, unsigned serial)
{
    if (serial == e->last.serial)
        e->distrusted = true;
}
