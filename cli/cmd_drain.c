#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/await.h"
#include "cli/hosts.h"
#include "cli/progress.h"

struct drain_options {
    const char *selector;
    int64_t timeout_ns;
    bool no_wait;
};

static const struct cmd_opt drain_opts[] = {
    {"no-wait", 0, OPT_FLAG, offsetof(struct drain_options, no_wait), NULL, NULL,
     "Do not wait until the hosts are empty"},
    {"selector", 'l', OPT_STRING, offsetof(struct drain_options, selector), "SELECTOR", NULL,
     "All hosts with these labels, like cloud=gcp"},
    {"timeout", 0, OPT_DURATION, offsetof(struct drain_options, timeout_ns), NULL, "5m",
     "How long to wait; 0 = for ever"},
    OPT_TABLE_END,
};

/* What the operator has started there and has not moved away yet. */
static void list_left(const cJSON *host, struct buf *out)
{
    static const char *const lists[][2] = {{"status.actors", "componentID"},
                                           {"status.providers", "providerID"}};

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        json_each (one, json_at(host, lists[i][0]))
            if (json_str(one, "owner"))
                buf_addf(out, "%s%s", out->len ? ", " : "", json_str_or(one, lists[i][1], "?"));
}

struct waiting {
    struct buf left; /* as last seen */
    struct progress *progress;
    const char *host;
};

static bool is_empty(void *arg, const cJSON *host)
{
    struct waiting *w = arg;

    buf_truncate(&w->left, 0);
    if (!host)
        return true;
    list_left(host, &w->left);
    progress_set(w->progress, "host %s still runs %s", w->host, buf_str(&w->left));
    /* A host that is dead runs nothing any more. */
    const char *ready = cli_condition(host, "Ready");
    return !w->left.len || (ready && streq(ready, "False"));
}

static int wait_until_empty(struct cmd_ctx *c, const cJSON *host, int64_t timeout_ns, struct err **err)
{
    _cleanup_free_ char *text = cli_host_text(host);
    _cleanup_progress_ struct progress *progress = progress_new(c);
    struct waiting w = {.progress = progress, .host = text};
    struct cli_await await = {
        .resource = kube_builtin_find("latticehosts"),
        .name = cli_host_name(host),
        .timeout_ms = timeout_ns ? timeout_ns / 1000000 : -1,
        .check = is_empty,
        .arg = &w,
    };
    int r = cli_await(c, &await, "the host to be empty", err);

    if (r < 0 && w.left.len)
        r = err_wrap(err, "host %s still runs %s (see `wasmctl describe wasmactor` for why it cannot move)",
                     text, buf_str(&w.left));
    buf_release(&w.left);
    return r;
}

static int run_drain(struct cmd_ctx *c, struct err **err)
{
    const struct drain_options *o = c->options;
    _cleanup_hosts_ struct cli_hosts hosts = {0};
    struct cli_host_mark mark = {.unschedulable = true, .drain = true};

    if (!c->argc && !o->selector)
        return cmd_usage(c, err, "name a host, or give --selector");
    int r = cli_hosts_find(c, c->argv, o->selector, &hosts, err);
    if (r < 0)
        return r;
    /* All are marked before the first is waited for: nothing moves from one to the next. */
    for (size_t i = 0; i < hosts.len; i++) {
        bool changed = false;
        r = cli_host_mark(c, hosts.items[i], &mark, false, &changed, err);
        if (r < 0)
            return r;
        cmd_out("latticehost.wasmctl.dev/%s %s\n", cli_host_name(hosts.items[i]),
                changed ? "draining" : "already draining");
        cmd_flush();
    }
    for (size_t i = 0; i < hosts.len && !o->no_wait; i++) {
        struct err *e = NULL;
        if (wait_until_empty(c, hosts.items[i], o->timeout_ns, &e) < 0)
            cmd_report(c, &e);
        else
            cmd_out("latticehost.wasmctl.dev/%s drained\n", cli_host_name(hosts.items[i]));
    }
    return 0;
}

const struct cmd_entry cmd_drain = {
    .name = "drain",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Move all work off a lattice host, so that it can be stopped",
    .help = "Move all work off a lattice host, so that it can be stopped. The host is cordoned, and each "
            "actor and provider there is "
            "stopped once its replacement serves on another host. `uncordon` gives the host work again.\n\n"
            "What the operator has not started (no owner annotation) stays.",
    .usage = "(HOST... | -l SELECTOR) [options]",
    .examples = "%P drain lucky-name-1234\n# A whole cloud\n%P drain -l cloud=gcp --timeout 10m",
    .opts = drain_opts,
    .options_size = sizeof(struct drain_options),
    .max_args = -1,
    .args = CMD_ARGS_HOSTS,
    .flags = CMD_FLEET,
    .run = run_drain,
};
