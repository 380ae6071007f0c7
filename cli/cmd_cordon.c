#include "cli/hosts.h"

struct cordon_options {
    const char *selector;
    int dry_run;
};

static const char *const dry_run_choices[] = {"none", "server", NULL};

static const struct cmd_opt cordon_opts[] = {
    {"dry-run", 0, OPT_ENUM, offsetof(struct cordon_options, dry_run), NULL, "none",
     "server: ask, but change nothing", .choices = dry_run_choices},
    {"selector", 'l', OPT_STRING, offsetof(struct cordon_options, selector), "SELECTOR", NULL,
     "All hosts with these labels, like cloud=gcp"},
    OPT_TABLE_END,
};

/* One implementation: the two differ in what they ask for. */
static int run(struct cmd_ctx *c, bool cordon, struct err **err)
{
    const struct cordon_options *o = c->options;
    _cleanup_hosts_ struct cli_hosts hosts = {0};
    struct cli_host_mark mark = {.unschedulable = cordon};

    if (!c->argc && !o->selector)
        return cmd_usage(c, err, "name a host, or give --selector");
    int r = cli_hosts_find(c, c->argv, o->selector, &hosts, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < hosts.len; i++) {
        struct err *e = NULL;
        bool changed = false;
        if (cli_host_mark(c, hosts.items[i], &mark, o->dry_run, &changed, &e) < 0) {
            cmd_report(c, &e);
            continue;
        }
        cmd_out("latticehost.wasmctl.dev/%s %s%s%s\n", cli_host_name(hosts.items[i]),
                changed ? "" : "already ", cordon ? "cordoned" : "uncordoned",
                o->dry_run ? " (server dry run)" : "");
    }
    return 0;
}

static int run_cordon(struct cmd_ctx *c, struct err **err)
{
    return run(c, true, err);
}

static int run_uncordon(struct cmd_ctx *c, struct err **err)
{
    return run(c, false, err);
}

const struct cmd_entry cmd_cordon = {
    .name = "cordon",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Give a lattice host no new work",
    .help =
        "Give a lattice host no new work. What runs there stays; `drain` moves it away as well.\n\n"
        "Hosts go by their name, their friendly name, or six characters of the name that fit one host only.",
    .usage = "(HOST... | -l SELECTOR) [options]",
    .examples = "%P cordon lucky-name-1234\n# All hosts of one cloud\n%P cordon -l cloud=gcp",
    .opts = cordon_opts,
    .options_size = sizeof(struct cordon_options),
    .max_args = -1,
    .args = CMD_ARGS_HOSTS,
    .flags = CMD_FLEET,
    .run = run_cordon,
};

const struct cmd_entry cmd_uncordon = {
    .name = "uncordon",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Give a lattice host work again, after cordon or drain",
    .usage = "(HOST... | -l SELECTOR) [options]",
    .examples = "%P uncordon lucky-name-1234",
    .opts = cordon_opts,
    .options_size = sizeof(struct cordon_options),
    .max_args = -1,
    .args = CMD_ARGS_HOSTS,
    .flags = CMD_FLEET,
    .run = run_uncordon,
};
