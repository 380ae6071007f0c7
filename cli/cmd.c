#include "cli/cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/fleet.h"
#include "cli/progress.h"
#include "cli/suggest.h"
#include "kube/kubeconfig.h"
#include "print/colour.h"

#define G(member) offsetof(struct cmd_globals, member)

/* Whose output is printed; NULL while nobody's in particular is. */
static struct cmd_ctx *current;

const struct cmd_opt cmd_global_opts[] = {
    {"all-contexts", 0, OPT_FLAG, G(all_contexts), NULL, NULL,
     "Run on every context of the kubeconfig at once"},
    {"allow-partial", 0, OPT_FLAG, G(allow_partial), NULL, NULL,
     "With several contexts: exit code 0 when at least one succeeded"},
    {"as", 0, OPT_STRING, G(as), "USER", NULL, "Act as this user (impersonation)"},
    {"as-group", 0, OPT_LIST, G(as_groups), "GROUP", NULL, "Act as a member of this group; repeatable"},
    {"as-uid", 0, OPT_STRING, G(as_uid), "UID", NULL, "Act with this user id"},
    {"as-user-extra", 0, OPT_LIST, G(as_extra), "KEY=VALUE", NULL,
     "Act with this extra of the user; repeatable"},
    {"cache-dir", 0, OPT_STRING, G(cache_dir), "DIR", NULL,
     "Where is kept what servers say about themselves; else $KUBECACHEDIR, else ~/.kube/cache"},
    {"certificate-authority", 0, OPT_STRING, G(certificate_authority), "FILE", NULL,
     "Certificate file of the authority that signed the server's certificate"},
    {"client-certificate", 0, OPT_STRING, G(client_certificate), "FILE", NULL, "Client certificate file"},
    {"client-key", 0, OPT_STRING, G(client_key), "FILE", NULL, "Client key file"},
    {"cluster", 0, OPT_STRING, G(cluster), "NAME", NULL, "Cluster entry of the kubeconfig to use"},
    {"color", 0, OPT_ENUM, G(colour), "auto|always|never", "auto",
     "Colour in tables; auto = on a terminal, unless NO_COLOR is set", .choices = print_colour_choices,
     .bare = "always"},
    {"context", 0, OPT_STRING, G(context), "NAME", NULL, "Context of the kubeconfig to use"},
    {"contexts", 0, OPT_STRING, G(contexts), "NAME,/REGEX/,^NAME,...", NULL,
     "Run on several contexts at once: names, expressions, and with ^ those to leave out"},
    {"disable-compression", 0, OPT_FLAG, G(disable_compression), NULL, NULL,
     "Ask for answers that are not compressed"},
    {"fail-fast", 0, OPT_FLAG, G(fail_fast), NULL, NULL,
     "With several contexts: stop all at the first failure"},
    {"help", 'h', OPT_FLAG, G(help), NULL, NULL, "Show the help of the command"},
    {"insecure-skip-tls-verify", 0, OPT_FLAG, G(insecure), NULL, NULL,
     "Do not check the server's certificate: the connection is not safe"},
    {"kubeconfig", 0, OPT_STRING, G(kubeconfig), "FILE", NULL,
     "The kubeconfig file; else $KUBECONFIG, else ~/.kube/config"},
    {"namespace", 'n', OPT_STRING, G(namespace), "NAME", NULL,
     "Namespace to work in; else the one of the context"},
    {"request-timeout", 0, OPT_DURATION, G(request_timeout_ns), NULL, NULL,
     "How long one request may take (\"5s\"); 0 = no limit", .seconds = true},
    {"server", 's', OPT_STRING, G(server), "URL", NULL, "Address of the Kubernetes API server"},
    {"tls-server-name", 0, OPT_STRING, G(tls_server_name), "NAME", NULL,
     "Name the server's certificate must be made out to"},
    {"token", 0, OPT_STRING, G(token), "TOKEN", NULL, "Bearer token for the API server"},
    {"user", 0, OPT_STRING, G(user), "NAME", NULL, "User entry of the kubeconfig to use"},
    {"v", 'v', OPT_INT, G(verbosity), "LEVEL", "0",
     "How much to tell about requests: 6 lines, 7 headers, 8 bodies, 9 whole bodies", .min = 0, .max = 10},
    {"warnings-as-errors", 0, OPT_FLAG, G(warnings_as_errors), NULL, NULL,
     "Exit code 1 when the server gave a warning"},
    OPT_TABLE_END,
};

bool cmd_given(const struct cmd_ctx *c, const char *name)
{
    return c->given && strv_has(c->given, name);
}

struct loop *cmd_loop(struct cmd_ctx *c)
{
    if (!c->loop)
        c->loop = loop_new();
    return c->loop;
}

int cmd_config(struct cmd_ctx *c, const struct kube_config **ret, struct err **err)
{
    const struct cmd_globals *g = &c->globals;
    const struct kube_overrides overrides = {
        .context = g->context,
        .cluster = g->cluster,
        .user = g->user,
        .namespace = g->namespace,
        .server = g->server,
        .token = g->token,
        .certificate_authority = g->certificate_authority,
        .client_certificate = g->client_certificate,
        .client_key = g->client_key,
        .tls_server_name = g->tls_server_name,
        .as = g->as,
        .as_uid = g->as_uid,
        .as_groups = g->as_groups,
        .as_extra = g->as_extra,
        .insecure = g->insecure,
        .disable_compression = g->disable_compression,
    };

    if (!c->kubeconfig) {
        int r = kubeconfig_load(g->kubeconfig, &c->kubeconfig, err);
        if (r < 0)
            return r;
    }
    if (!c->config) {
        int r = kubeconfig_resolve(c->kubeconfig, &overrides, &c->config, err);
        if (r < 0)
            return r;
    }
    if (ret)
        *ret = c->config;
    return 0;
}

struct cmd_ctx *cmd_enter(struct cmd_ctx *c)
{
    struct cmd_ctx *before = current;

    current = c;
    return before;
}

struct cmd_ctx *cmd_current(void)
{
    return current;
}

static void print_trace(void *arg, const char *line)
{
    struct cmd_ctx *before = cmd_enter(arg);

    cmd_note("%s", line);
    cmd_enter(before);
}

static void print_warning(void *arg, const char *text)
{
    struct cmd_ctx *c = arg, *before = cmd_enter(c);

    cmd_note("Warning: %s", text);
    c->warnings++;
    c->failed = c->failed || c->globals.warnings_as_errors;
    cmd_enter(before);
}

static void note_answer(void *arg, const char *method _unused_, int status, int64_t took_ms _unused_)
{
    struct cmd_ctx *c = arg;

    fleet_heard(c->member, status);
}

char *cmd_cache_dir(const struct cmd_ctx *c)
{
    const char *variable = getenv("KUBECACHEDIR"), *home = getenv("HOME");

    if (!str_empty(c->globals.cache_dir))
        return xstrdup(c->globals.cache_dir);
    if (!str_empty(variable))
        return xstrdup(variable);
    return str_empty(home) ? NULL : xasprintf("%s/.kube/cache", home);
}

int cmd_client(struct cmd_ctx *c, struct kube_client **ret, struct err **err)
{
    if (!c->client) {
        int64_t ms = c->globals.request_timeout_ns / 1000000;
        _cleanup_free_ char *cache = cmd_cache_dir(c);
        struct kube_client_options options = {
            .timeout_ms =
                cmd_given(c, "request-timeout") ? (c->globals.request_timeout_ns ? (ms ? ms : 1) : -1) : 0,
            .verbosity = (int)c->globals.verbosity,
            .cache_dir = cache,
            .trace = c->globals.verbosity ? print_trace : NULL,
            .trace_arg = c,
            .warning = print_warning,
            .warning_arg = c,
            .talk = print_trace,
            .talk_arg = c,
            .login_ms = ms > 0 ? ms : 0,
            .observe = c->member ? note_answer : NULL,
            .observe_arg = c,
        };
        int r = cmd_config(c, NULL, err);
        if (r < 0)
            return r;
        r = kube_client_new(cmd_loop(c), c->config, &options, &c->client, err);
        if (r < 0)
            return r;
    }
    if (ret)
        *ret = c->client;
    return 0;
}

const char *cmd_namespace(const struct cmd_ctx *c)
{
    if (!str_empty(c->globals.namespace))
        return c->globals.namespace;
    return c->config && !str_empty(c->config->namespace) ? c->config->namespace : "default";
}

int cmd_usage(struct cmd_ctx *c, struct err **err, const char *fmt, ...)
{
    va_list ap;

    c->usage = true;
    va_start(ap, fmt);
    err_setv(err, ERR_INVALID, fmt, ap);
    va_end(ap);
    return ERR_INVALID;
}

/* Text on stderr, for one context of several behind its name. */
static void talk(const struct cmd_ctx *c, const char *text)
{
    if (c && c->member) {
        fleet_note(c->member, text);
        return;
    }
    _cleanup_free_ char *shown = str_escape_control(text, true);
    progress_wipe();
    cmd_flush();
    fprintf(stderr, "%s\n", shown);
}

void cmd_report(struct cmd_ctx *c, struct err **e)
{
    _cleanup_free_ char *text = kube_err_text(*e);

    if (!c->member || !fleet_keep_error(c->member, *e))
        talk(c, text);
    suggest_name(c, *e);
    err_free(*e);
    *e = NULL;
    c->failed = true;
}

bool cmd_report_one(struct cmd_ctx *c, struct err **e)
{
    bool over = cmd_hopeless(*e);

    cmd_report(c, e);
    return !over;
}

bool cmd_hopeless(const struct err *e)
{
    return e->http == 401 || (!e->http && (e->code == ERR_UNAVAILABLE || e->code == ERR_UNAUTHORIZED ||
                                           e->code == ERR_CANCELLED));
}

/* Output */

/* What a program killed by SIGPIPE leaves behind: whoever reads our output has gone, nobody wants to hear
 * more. */
enum { EXIT_BROKEN_PIPE = 128 + 13 };

void cmd_stdout_failed(void)
{
    if (errno == EPIPE)
        _exit(EXIT_BROKEN_PIPE);
    fprintf(stderr, "error: cannot write to standard output: %s\n", strerror(errno));
    _exit(1);
}

static void check_stdout(bool failed)
{
    if (failed)
        cmd_stdout_failed();
}

void cmd_out(const char *fmt, ...)
{
    va_list ap;

    if (current && current->member) {
        va_start(ap, fmt);
        _cleanup_free_ char *text = xvasprintf(fmt, ap);
        va_end(ap);
        fleet_print(current->member, text, strlen(text));
        return;
    }
    progress_wipe();
    va_start(ap, fmt);
    int r = vfprintf(stdout, fmt, ap);
    va_end(ap);
    check_stdout(r < 0);
}

void cmd_out_buf(const struct buf *b)
{
    progress_wipe();
    if (current && current->member)
        fleet_print(current->member, b->data, b->len);
    else if (b->len)
        check_stdout(fwrite(b->data, 1, b->len, stdout) != b->len);
}

void cmd_flush(void)
{
    check_stdout(fflush(stdout) != 0);
}

bool cmd_terminal(void)
{
    return isatty(STDOUT_FILENO) == 1;
}

bool cmd_colour(const struct cmd_ctx *c)
{
    return print_colour_wanted((enum print_colour)c->globals.colour, cmd_terminal());
}

void cmd_note(const char *fmt, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    talk(current, text);
}
