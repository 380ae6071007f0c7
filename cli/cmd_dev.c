#include <signal.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/cmd.h"
#include "cli/crds.h"
#include "data/quantity.h"
#include "dev/dev.h"
#include "print/object.h"
#include "print/table.h"

/* Every options struct of this file begins with it. */
struct dev_common {
    const char *name;
};

#define NAME_OPT                                                                                             \
    {                                                                                                        \
        "name", 0, OPT_STRING, offsetof(struct dev_common, name), "ENV", DEV_DEFAULT_NAME,                   \
            "Name of the environment"                                                                        \
    }
#define TIMEOUT_OPT(type)                                                                                    \
    {                                                                                                        \
        "timeout", 0, OPT_DURATION, offsetof(type, timeout_ns), NULL, "2m", "How long a start may take"      \
    }

enum { NS_PER_MS = 1000000 };

static void say(void *arg _unused_, const char *text)
{
    cmd_note("%s", text);
}

static const struct dev_talk talk = {.line = say};

/* What fails here is no answer of an API server: it is printed as any other error, whatever its code. */
static int own_failure(int r, struct err **err)
{
    if (r >= 0 || !err || !*err)
        return r;
    return (*err)->code = ERR_FAILED;
}

static int open_env(struct cmd_ctx *c, bool damaged_ok, struct dev_env **ret, struct err **err)
{
    const struct dev_common *o = c->options;

    return dev_open(cmd_loop(c), o->name, &talk, damaged_ok, ret, err);
}

/* " --name x" for hints, "" for the default one; caller frees. */
static char *name_hint(const struct dev_env *e)
{
    return streq(dev_name(e), DEV_DEFAULT_NAME) ? xstrdup("") : xasprintf(" --name %s", dev_name(e));
}

static int no_env(struct cmd_ctx *c, const struct dev_env *e, struct err **err)
{
    _cleanup_free_ char *hint = name_hint(e);

    return err_set(err, ERR_NOT_FOUND, "there is no environment \"%s\"; \"%s dev up%s\" starts one",
                   dev_name(e), c->program, hint);
}

/* Opens one that must exist, with its lock. */
static int open_locked(struct cmd_ctx *c, struct dev_env **ret, struct err **err)
{
    _cleanup_dev_ struct dev_env *e = NULL;
    int r = open_env(c, false, &e, err);

    if (r < 0)
        return r;
    if (!dev_exists(e))
        return no_env(c, e, err);
    r = dev_lock(e, false, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(e);
    return 0;
}

/* up */

struct up_options {
    struct dev_common common;
    int64_t hosts, api_port, nats_port, timeout_ns;
    char **host_labels;
    bool no_operator, no_lattice, no_node, audit, merge, use;
};

#define O(member) offsetof(struct up_options, member)

static const struct cmd_opt up_opts[] = {
    NAME_OPT,
    {"hosts", 0, OPT_INT, O(hosts), "N", NULL,
     "How many wasmCloud hosts to run (a new environment has 1); adds those that are missing", .min = 0,
     .max = DEV_MAX_HOSTS},
    {"host-label", 0, OPT_LIST, O(host_labels), "[I:]KEY=VALUE", NULL,
     "Label of all new hosts, or of host-I alone; repeatable"},
    {"no-operator", 0, OPT_FLAG, O(no_operator), NULL, NULL, "Do not run wasm-operator"},
    {"no-lattice", 0, OPT_FLAG, O(no_lattice), NULL, NULL, "Do not apply the Lattice object \"default\""},
    {"no-node", 0, OPT_FLAG, O(no_node), NULL, NULL,
     "Do not run the stand-in node, which shows hosts, NATS and the operator as Pods with logs"},
    {"audit", 0, OPT_FLAG, O(audit), NULL, NULL, "Let the API server write an audit log"},
    {"api-port", 0, OPT_INT, O(api_port), "PORT", NULL,
     "Port of the API server (a free one, then the same again)", .min = 1, .max = 65535},
    {"nats-port", 0, OPT_INT, O(nats_port), "PORT", NULL, "Port of NATS (a free one, then the same again)",
     .min = 1, .max = 65535},
    {"merge", 0, OPT_FLAG, O(merge), NULL, NULL,
     "Also write the context into your kubeconfig ($KUBECONFIG, ~/.kube/config)"},
    {"use", 0, OPT_FLAG, O(use), NULL, NULL, "With --merge: make it the current context"},
    TIMEOUT_OPT(struct up_options),
    OPT_TABLE_END,
};

#undef O

/* A flag that was not given leaves the environment as it is. */
static enum dev_choice choice(const struct cmd_ctx *c, const char *flag, bool yes)
{
    return !cmd_given(c, flag) ? DEV_KEEP : yes ? DEV_YES : DEV_NO;
}

static int start_env(struct cmd_ctx *c, struct dev_env *e, struct err **err)
{
    const struct up_options *o = c->options;
    size_t n = 0;

    while (cli_crds[n].name)
        n++;
    _cleanup_free_ struct dev_manifest *manifests = xcalloc(n + 1, sizeof(*manifests));
    for (size_t i = 0; i < n; i++)
        manifests[i] = (struct dev_manifest){
            .name = cli_crds[i].name, .text = cli_crds[i].text, .len = *cli_crds[i].len};
    const struct dev_up_options options = {
        .hosts = o->hosts,
        .host_labels = o->host_labels,
        .operator= choice(c, "no-operator", !o->no_operator),
        .lattice = choice(c, "no-lattice", !o->no_lattice),
        .node = choice(c, "no-node", !o->no_node),
        .audit = choice(c, "audit", o->audit),
        .api_port = (int)o->api_port,
        .nats_port = (int)o->nats_port,
        .timeout_ms = o->timeout_ns / NS_PER_MS,
        .manifests = manifests,
        .nmanifests = n,
    };
    return dev_up(e, &options, err);
}

static int merge(struct dev_env *e, bool use, struct err **err)
{
    _cleanup_free_ char *path = NULL;
    int r = dev_merge(e, use, &path, err);

    if (r == 0)
        cmd_note("context %s written into %s%s", dev_context(e), path, use ? " and made current" : "");
    return r;
}

static int run_up(struct cmd_ctx *c, struct err **err)
{
    const struct up_options *o = c->options;
    _cleanup_dev_ struct dev_env *e = NULL;

    if (o->use && !o->merge)
        return cmd_usage(c, err, "--use needs --merge");
    int r = open_env(c, false, &e, err);
    if (r == 0)
        r = dev_lock(e, true, err);
    if (r == 0)
        r = start_env(c, e, err);
    if (r == ERR_CANCELLED && err && *err) {
        cmd_note("error: %s", err_text(*err));
        err_free(*err);
        *err = NULL;
        return 128 + SIGINT;
    }
    if (r == 0 && o->merge)
        r = merge(e, o->use, err);
    if (r < 0)
        return own_failure(r, err);
    if (o->merge)
        cmd_note("environment %s is up; use it with: %s --context %s get lattices", dev_name(e), c->program,
                 dev_context(e));
    else
        cmd_note("environment %s is up; use it with: export KUBECONFIG=%s", dev_name(e),
                 dev_kubeconfig_path(e));
    return 0;
}

static const struct cmd_entry cmd_dev_up = {
    .name = "up",
    .brief = "Start the local environment",
    .help = "Start the local environment in the background: etcd, kube-apiserver, nats-server, wasmCloud "
            "hosts, wasm-operator and a stand-in node, as "
            "processes of your own on 127.0.0.1.\n\n"
            "May be repeated at any time: it starts what is missing, adds hosts, and restarts what is to run "
            "with other settings. "
            "Options that are not given keep what they were.",
    .examples = "%P dev up\n"
                "%P dev up --hosts 3 --host-label intention=actor --host-label 0:intention=ingress\n"
                "# A second environment beside the first\n"
                "%P dev up --name other --no-operator",
    .opts = up_opts,
    .options_size = sizeof(struct up_options),
    .run = run_up,
};

/* down */

struct down_options {
    struct dev_common common;
    bool purge;
};

static const struct cmd_opt down_opts[] = {
    NAME_OPT,
    {"purge", 0, OPT_FLAG, offsetof(struct down_options, purge), NULL, NULL,
     "Also remove everything the environment keeps on disk, and its context from your kubeconfig"},
    OPT_TABLE_END,
};

static int run_down(struct cmd_ctx *c, struct err **err)
{
    const struct down_options *o = c->options;
    _cleanup_err_ struct err *problem = NULL;
    _cleanup_dev_ struct dev_env *e = NULL;
    int r = open_env(c, o->purge, &e, err);

    if (r < 0)
        return r;
    r = dev_lock(e, false, &problem);
    if (r == ERR_NOT_FOUND) {
        cmd_note("there is no environment \"%s\"", dev_name(e));
        return 0;
    }
    if (r < 0)
        return err_move(err, TAKE_PTR(problem));
    r = dev_down(e, o->purge, err);
    if (r == 0)
        cmd_note("environment %s is down", dev_name(e));
    return own_failure(r, err);
}

static const struct cmd_entry cmd_dev_down = {
    .name = "down",
    .brief = "Stop the local environment",
    .help = "Stop every process of the local environment. What it keeps on disk stays for the next start; "
            "--purge removes it.",
    .opts = down_opts,
    .options_size = sizeof(struct down_options),
    .examples = "%P dev down\n# With all that was kept on disk\n%P dev down --purge",
    .run = run_down,
};

/* status */

struct show_options {
    struct dev_common common;
    const char *output;
};

#define OUTPUT_OPT                                                                                           \
    {                                                                                                        \
        "output", 'o', OPT_STRING, offsetof(struct show_options, output), "FORMAT", NULL,                    \
            "json, yaml, name or wide"                                                                       \
    }

static const struct cmd_opt show_opts[] = {NAME_OPT, OUTPUT_OPT, OPT_TABLE_END};

static void add_number(struct print_table *t, const cJSON *child, const char *key)
{
    int64_t n = json_int(child, key, 0);

    if (n)
        print_table_cellf(t, "%lld", (long long)n);
    else
        print_table_cell(t, "<none>");
}

static void add_ports(struct print_table *t, const cJSON *child)
{
    _cleanup_buf_ struct buf text = BUF_INIT;

    json_each (port, json_get(child, "ports"))
        buf_addf(&text, "%s%.0f", text.len ? "," : "", port->valuedouble);
    print_table_cell(t, text.len ? buf_str(&text) : "<none>");
}

static void add_usage(struct print_table *t, const cJSON *child)
{
    char age[TIME_AGE_LEN], size[QUANTITY_TEXT_LEN];

    if (!json_get(child, "uptimeSeconds")) {
        print_table_cell(t, "<none>");
        print_table_cell(t, "<none>");
        return;
    }
    print_table_cell(t, time_age(json_int(child, "uptimeSeconds", 0) * 1000000000, age));
    print_table_cell(t, quantity_text(json_int(child, "rssBytes", 0), size));
}

static void add_labels(struct print_table *t, const cJSON *child)
{
    _cleanup_buf_ struct buf text = BUF_INIT;

    json_each (label, json_get(child, "labels"))
        buf_addf(&text, "%s%s=%s", text.len ? "," : "", label->string,
                 cJSON_IsString(label) ? label->valuestring : "");
    print_table_cell(t, text.len ? buf_str(&text) : "<none>");
}

static void status_table(struct buf *out, const cJSON *children, bool hosts_only, bool wide)
{
    _cleanup_(print_table_freep) struct print_table *t = print_table_new();
    const char *const heads[] = {"NAME", "STATE", "PID", "PORTS", "UPTIME", "RSS"};

    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        print_table_cell(t, heads[i]);
    if (hosts_only || wide) {
        print_table_cell(t, "HOST ID");
        print_table_cell(t, "LABELS");
    }
    if (wide)
        print_table_cell(t, "LOG");
    print_table_end_row(t);
    json_each (child, children) {
        if (hosts_only && !streq(json_str_or(child, "kind", ""), "host"))
            continue;
        print_table_cell(t, json_str(child, "name"));
        print_table_cell(t, json_str(child, "state"));
        add_number(t, child, "pid");
        add_ports(t, child);
        add_usage(t, child);
        if (hosts_only || wide) {
            print_table_cell(t, json_str_or(child, "hostID", "<none>"));
            add_labels(t, child);
        }
        if (wide)
            print_table_cell(t, json_str(child, "log"));
        print_table_end_row(t);
    }
    print_table_flush(t, out, 0);
}

static void status_tails(struct buf *out, const cJSON *children)
{
    json_each (child, children) {
        if (!streq(json_str_or(child, "state", ""), "crashed"))
            continue;
        buf_addf(out, "\n%s has ended; the end of %s:\n", json_str_or(child, "name", ""),
                 json_str_or(child, "log", ""));
        json_each (line, json_get(child, "logTail"))
            buf_addf(out, "  %s\n", line->valuestring);
    }
}

static int show(struct cmd_ctx *c, bool hosts_only, struct err **err)
{
    const struct show_options *o = c->options;
    _cleanup_dev_ struct dev_env *e = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_json_ cJSON *status = NULL;
    enum print_format format;
    int r = print_format_parse(o->output, &format, err);

    if (r == 0)
        r = open_env(c, false, &e, err);
    if (r < 0)
        return r;
    if (!dev_exists(e))
        return no_env(c, e, err);
    status = dev_status(e);
    const cJSON *children = json_get(status, "children");
    if (format == PRINT_NAME) {
        json_each (child, children)
            if (!hosts_only || streq(json_str_or(child, "kind", ""), "host"))
                buf_addf(&out, "%s\n", json_str_or(child, "name", ""));
    } else if (format == PRINT_JSON || format == PRINT_YAML) {
        for (int i = cJSON_GetArraySize(children); hosts_only && i-- > 0;)
            if (!streq(json_str_or(cJSON_GetArrayItem(children, i), "kind", ""), "host"))
                cJSON_DeleteItemFromArray(json_get(status, "children"), i);
        print_object(&out, format, hosts_only ? json_get(status, "children") : status);
    } else {
        status_table(&out, children, hosts_only, format == PRINT_WIDE);
        if (!hosts_only)
            status_tails(&out, children);
    }
    cmd_out_buf(&out);
    return 0;
}

static int run_status(struct cmd_ctx *c, struct err **err)
{
    return show(c, false, err);
}

static const struct cmd_entry cmd_dev_status = {
    .name = "status",
    .brief = "Show the processes of the local environment",
    .help = "Show the processes of the local environment. States:\n"
            "  running  it runs\n"
            "  frozen   it was stopped by a signal\n"
            "  crashed  it ended by itself, or was killed; the end of its log follows the table\n"
            "  stopped  it was not started, or was stopped by this program\n"
            "  stale    the machine was restarted since it was started",
    .opts = show_opts,
    .options_size = sizeof(struct show_options),
    .examples = "%P dev status\n%P dev status -o json",
    .run = run_status,
};

/* logs */

struct logs_options {
    struct dev_common common;
    bool follow;
    int64_t tail;
};

static const struct cmd_opt logs_opts[] = {
    NAME_OPT,
    {"follow", 'f', OPT_FLAG, offsetof(struct logs_options, follow), NULL, NULL,
     "Go on with what is added, until Ctrl-C"},
    {"tail", 0, OPT_INT, offsetof(struct logs_options, tail), "N", "-1",
     "Only the last N lines of each; -1 means all", .min = -1, .max = INT32_MAX},
    OPT_TABLE_END,
};

struct log_out {
    bool prefix;
};

static bool log_line(void *arg, const char *child, const char *text, size_t len)
{
    const struct log_out *out = arg;

    /* Log lines are given as they are: what colours a program writes is its own matter. */
    if (out->prefix)
        cmd_out("%-10s | %.*s\n", child, (int)len, text);
    else
        cmd_out("%.*s\n", (int)len, text);
    return true;
}

static void log_idle(void *arg _unused_)
{
    cmd_flush();
}

static int run_logs(struct cmd_ctx *c, struct err **err)
{
    const struct logs_options *o = c->options;
    _cleanup_dev_ struct dev_env *e = NULL;
    _cleanup_strv_ char **names = NULL;
    int r = open_env(c, false, &e, err);

    if (r < 0)
        return r;
    if (!dev_exists(e))
        return no_env(c, e, err);
    if (c->argc)
        r = dev_resolve(e, c->argv, false, &names, err);
    if (r < 0)
        return r;
    struct log_out out = {.prefix = strv_len(names) != 1};
    const struct dev_logs_options options = {.names = names,
                                             .tail = o->tail,
                                             .follow = o->follow,
                                             .line = log_line,
                                             .idle = log_idle,
                                             .arg = &out};
    return dev_logs(e, &options, err);
}

static const struct cmd_entry cmd_dev_logs = {
    .name = "logs",
    .brief = "Print the logs of the local environment",
    .usage = "[CHILD ...] [options]",
    .examples = "%P dev logs operator -f\n%P dev logs --tail 20",
    .opts = logs_opts,
    .options_size = sizeof(struct logs_options),
    .max_args = -1,
    .run = run_logs,
};

/* kubeconfig */

struct kubeconfig_options {
    struct dev_common common;
    bool print, merge, use;
};

static const struct cmd_opt kubeconfig_opts[] = {
    NAME_OPT,
    {"print", 0, OPT_FLAG, offsetof(struct kubeconfig_options, print), NULL, NULL,
     "Print the content instead of the path"},
    {"merge", 0, OPT_FLAG, offsetof(struct kubeconfig_options, merge), NULL, NULL,
     "Write the context into your kubeconfig ($KUBECONFIG, ~/.kube/config)"},
    {"use", 0, OPT_FLAG, offsetof(struct kubeconfig_options, use), NULL, NULL,
     "With --merge: make it the current context"},
    OPT_TABLE_END,
};

enum { KUBECONFIG_MAX = 1024 * 1024 };

static int run_kubeconfig(struct cmd_ctx *c, struct err **err)
{
    const struct kubeconfig_options *o = c->options;
    _cleanup_dev_ struct dev_env *e = NULL;
    _cleanup_free_ char *text = NULL;

    if (o->use && !o->merge)
        return cmd_usage(c, err, "--use needs --merge");
    int r = o->merge ? open_locked(c, &e, err) : open_env(c, false, &e, err);
    if (r < 0)
        return r;
    if (!dev_exists(e))
        return no_env(c, e, err);
    if (o->merge)
        return merge(e, o->use, err);
    if (!o->print) {
        cmd_out("%s\n", dev_kubeconfig_path(e));
        return 0;
    }
    r = file_read(dev_kubeconfig_path(e), KUBECONFIG_MAX, &text, NULL, err);
    if (r == 0)
        cmd_out("%s", text);
    return r;
}

static const struct cmd_entry cmd_dev_kubeconfig = {
    .name = "kubeconfig",
    .brief = "Print where the kubeconfig of the local environment is",
    .examples = "export KUBECONFIG=$(%P dev kubeconfig)",
    .opts = kubeconfig_opts,
    .options_size = sizeof(struct kubeconfig_options),
    .run = run_kubeconfig,
};

/* child and host */

struct act_options {
    struct dev_common common;
    const char *signal;
    int64_t timeout_ns;
};

static const struct cmd_opt start_opts[] = {NAME_OPT, TIMEOUT_OPT(struct act_options), OPT_TABLE_END};
static const struct cmd_opt stop_opts[] = {NAME_OPT, OPT_TABLE_END};
static const struct cmd_opt kill_opts[] = {
    NAME_OPT,
    {"signal", 's', OPT_STRING, offsetof(struct act_options, signal), "SIGNAL", "KILL",
     "Signal by name or number; KILL, STOP and CONT also go to the processes it has started"},
    OPT_TABLE_END,
};

static int act(struct cmd_ctx *c, enum dev_action action, bool host_only, struct err **err)
{
    const struct act_options *o = c->options;
    _cleanup_dev_ struct dev_env *e = NULL;
    _cleanup_strv_ char **names = NULL;
    int signum = o->signal ? dev_signal_parse(o->signal) : 0;

    if (action == DEV_SIGNAL && !signum)
        return cmd_usage(c, err, "--signal: \"%s\" is no signal (KILL, TERM, STOP, CONT, 9, ...)", o->signal);
    int r = open_locked(c, &e, err);
    if (r == 0)
        r = dev_resolve(e, c->argv, host_only, &names, err);
    if (r == 0)
        r = dev_act(e, action, names, signum, o->timeout_ns / NS_PER_MS, err);
    return own_failure(r, err);
}

static int run_child_start(struct cmd_ctx *c, struct err **err)
{
    return act(c, DEV_START, false, err);
}

static int run_child_stop(struct cmd_ctx *c, struct err **err)
{
    return act(c, DEV_STOP, false, err);
}

static int run_child_restart(struct cmd_ctx *c, struct err **err)
{
    return act(c, DEV_RESTART, false, err);
}

static int run_child_kill(struct cmd_ctx *c, struct err **err)
{
    return act(c, DEV_SIGNAL, false, err);
}

static int run_host_start(struct cmd_ctx *c, struct err **err)
{
    return act(c, DEV_START, true, err);
}

static int run_host_kill(struct cmd_ctx *c, struct err **err)
{
    return act(c, DEV_SIGNAL, true, err);
}

static int run_host_list(struct cmd_ctx *c, struct err **err)
{
    return show(c, true, err);
}

#define ACTION(variable, word, text, options, words, function, line)                                         \
    static const struct cmd_entry variable = {                                                               \
        .name = word,                                                                                        \
        .brief = text,                                                                                       \
        .usage = words " ... [options]",                                                                     \
        .examples = "%P dev " line,                                                                          \
        .opts = options,                                                                                     \
        .options_size = sizeof(struct act_options),                                                          \
        .min_args = 1,                                                                                       \
        .max_args = -1,                                                                                      \
        .run = function,                                                                                     \
    }

ACTION(cmd_child_start, "start", "Start children that do not run", start_opts, "CHILD", run_child_start,
       "child start operator");
ACTION(cmd_child_stop, "stop", "Stop children in order", stop_opts, "CHILD", run_child_stop,
       "child stop operator");
ACTION(cmd_child_restart, "restart", "Stop children and start them again, on the same ports", start_opts,
       "CHILD", run_child_restart, "child restart nats");
ACTION(cmd_child_kill, "kill", "Send children a signal", kill_opts, "CHILD", run_child_kill,
       "child kill operator --signal TERM");
ACTION(cmd_host_start, "start", "Start hosts that do not run, with the identity they had", start_opts,
       "(NAME | ID | INDEX)", run_host_start, "host start host-1");
ACTION(cmd_host_kill, "kill", "Kill hosts as if their machine died, or send them another signal", kill_opts,
       "(NAME | ID | INDEX)", run_host_kill, "host kill host-1");

static const struct cmd_entry *const child_subs[] = {&cmd_child_start, &cmd_child_stop, &cmd_child_restart,
                                                     &cmd_child_kill, NULL};

static const struct cmd_entry cmd_dev_child = {
    .name = "child",
    .brief = "Start, stop, restart or kill single processes of the local environment",
    .help = "Start, stop, restart or kill single processes of the local environment: etcd, nats, apiserver, "
            "host-0 (-1, ...), operator.",
    .examples = "%P dev child restart nats\n%P dev child kill operator --signal TERM",
    .subs = child_subs,
};

struct host_add_options {
    struct dev_common common;
    char **labels;
    int64_t count, timeout_ns;
};

static const struct cmd_opt host_add_opts[] = {
    NAME_OPT,
    {"label", 'l', OPT_LIST, offsetof(struct host_add_options, labels), "KEY=VALUE", NULL,
     "Label of the host; repeatable"},
    {"count", 0, OPT_INT, offsetof(struct host_add_options, count), "N", "1", "How many to add", .min = 1,
     .max = DEV_MAX_HOSTS},
    TIMEOUT_OPT(struct host_add_options),
    OPT_TABLE_END,
};

static int run_host_add(struct cmd_ctx *c, struct err **err)
{
    const struct host_add_options *o = c->options;
    _cleanup_dev_ struct dev_env *e = NULL;
    _cleanup_strv_ char **names = NULL;
    int r = open_locked(c, &e, err);

    if (r == 0)
        r = dev_host_add(e, o->count, o->labels, o->timeout_ns / NS_PER_MS, &names, err);
    for (char **n = names; r == 0 && *n; n++)
        cmd_out("%s\n", *n);
    return own_failure(r, err);
}

static const struct cmd_entry cmd_host_add = {
    .name = "add",
    .brief = "Add and start a host",
    .help = "Add and start a host; its name is printed.",
    .examples = "%P dev host add --label cloud=aws --label intention=actor",
    .opts = host_add_opts,
    .options_size = sizeof(struct host_add_options),
    .run = run_host_add,
};

static const char *const list_aliases[] = {"ls", NULL};

static const struct cmd_entry cmd_host_list = {
    .name = "list",
    .aliases = list_aliases,
    .brief = "List the hosts with their ids and labels",
    .opts = show_opts,
    .options_size = sizeof(struct show_options),
    .examples = "%P dev host list",
    .run = run_host_list,
};

static const struct cmd_entry *const host_subs[] = {&cmd_host_add, &cmd_host_list, &cmd_host_kill,
                                                    &cmd_host_start, NULL};

static const struct cmd_entry cmd_dev_host = {
    .name = "host",
    .brief = "Add, list, kill and restart wasmCloud hosts",
    .examples = "%P dev host add --label cloud=gcp\n%P dev host kill host-1\n%P dev host kill 1 --signal "
                "STOP\n%P dev host start host-1",
    .subs = host_subs,
};

/* What children are started with; not for people. */

struct node_options {
    struct dev_common common;
    int64_t port, control_port;
};

static const struct cmd_opt node_opts[] = {
    NAME_OPT,
    {"port", 0, OPT_INT, offsetof(struct node_options, port), "PORT", NULL, "Port of the kubelet's endpoints",
     .min = 1, .max = 65535},
    {"control-port", 0, OPT_INT, offsetof(struct node_options, control_port), "PORT", NULL,
     "Port of the control of faults", .min = 1, .max = 65535},
    OPT_TABLE_END,
};

static int run_node(struct cmd_ctx *c, struct err **err)
{
    const struct node_options *o = c->options;
    _cleanup_dev_ struct dev_env *e = NULL;
    int r = open_env(c, false, &e, err);

    if (r < 0)
        return r;
    return own_failure(dev_node_serve(e, (int)o->port, (int)o->control_port, err), err);
}

static const struct cmd_entry cmd_dev_node = {
    .name = "node",
    .group = CMD_GROUP_HIDDEN,
    .brief = "Be the stand-in node of a local environment",
    .opts = node_opts,
    .options_size = sizeof(struct node_options),
    .run = run_node,
};

static int run_keep(struct cmd_ctx *c, struct err **err)
{
    int64_t instance;

    if (c->argc < 3 || !str_to_i64(c->argv[1], 0, INT32_MAX, &instance))
        return cmd_usage(c, err, "FOLDER INSTANCE PROGRAM [ARGUMENT...] are wanted");
    return own_failure(dev_keep_serve(cmd_loop(c), c->argv[0], instance, c->argv + 2, err), err);
}

static const struct cmd_entry cmd_dev_keep = {
    .name = "keep",
    .group = CMD_GROUP_HIDDEN,
    .brief = "Start a process of a local environment and keep what it says",
    .max_args = -1,
    .flags = CMD_RAW_ARGS,
    .run = run_keep,
};

/* list */

static int run_list(struct cmd_ctx *c _unused_, struct err **err)
{
    _cleanup_strv_ char **names = NULL;
    int r = dev_list(&names, err);

    for (char **n = names; r == 0 && *n; n++)
        cmd_out("%s\n", *n);
    return r;
}

static const struct cmd_entry cmd_dev_list = {
    .name = "list",
    .aliases = list_aliases,
    .brief = "List the names of all local environments",
    .examples = "%P dev list",
    .run = run_list,
};

static const struct cmd_entry *const dev_subs[] = {
    &cmd_dev_up,   &cmd_dev_down,  &cmd_dev_status, &cmd_dev_logs, &cmd_dev_kubeconfig,
    &cmd_dev_host, &cmd_dev_child, &cmd_dev_list,   &cmd_dev_node, &cmd_dev_keep,
    NULL,
};

extern const struct cmd_entry cmd_dev;
const struct cmd_entry cmd_dev = {
    .name = "dev",
    .group = CMD_GROUP_DEV,
    .brief = "Run a local environment with an API server, NATS and wasmCloud hosts",
    .subs = dev_subs,
};
