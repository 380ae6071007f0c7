#include <signal.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/fleet.h"
#include "cli/help.h"
#include "cli/opt.h"
#include "cli/plugin.h"
#include "cli/suggest.h"
#include "kube/kubeconfig.h"

static const struct cmd_entry *const *the_table;

const struct cmd_entry *const *cmd_table(void)
{
    return the_table;
}

const struct cmd_entry *cmd_find(const struct cmd_entry *const *table, const char *name)
{
    for (; table && *table; table++)
        if (streq((*table)->name, name) ||
            ((*table)->aliases && strv_has((char *const *)(*table)->aliases, name)))
            return *table;
    return NULL;
}

static int unknown_command(struct cmd_ctx *c, const struct cmd_entry *const *table, const char *word,
                           struct err **err)
{
    _cleanup_free_ const char **names = NULL;
    size_t n = 0;

    for (const struct cmd_entry *const *e = table; *e; e++)
        n++;
    names = xcalloc(n + 1, sizeof(*names));
    for (size_t i = 0; i < n; i++)
        names[i] = table[i]->group == CMD_GROUP_HIDDEN ? "" : table[i]->name;
    const char *near = str_suggest(word, names);
    if (near)
        return cmd_usage(c, err, "unknown command \"%s\" for \"%s\"\n\nDid you mean this?\n\t%s\n", word,
                         c->path, near);
    return cmd_usage(c, err, "unknown command \"%s\" for \"%s\"", word, c->path);
}

/* Takes the command's words out of argv; options (also before the command) stay for opt_parse(). c->entry is
 * NULL when no command was named. */
static int find_command(struct cmd_ctx *c, const struct cmd_entry *const *table, int *argc, char **argv,
                        struct err **err)
{
    const struct opt_group groups[] = {{cmd_global_opts, &c->globals}};
    int i = 0;

    while (table && i < *argc) {
        const char *word = argv[i];
        if (streq(word, "--"))
            break;
        if (word[0] == '-' && word[1]) {
            i += opt_takes_next(groups, 1, word) ? 2 : 1;
            continue;
        }
        const struct cmd_entry *entry = cmd_find(table, word);
        if (!entry && table == the_table && i == 0) {
            int r = plugin_exec(argv, err);
            if (r < 0)
                return r;
        }
        if (!entry)
            return unknown_command(c, table, word, err);
        char *longer = xasprintf("%s %s", c->path, entry->name);
        free(c->path);
        c->path = longer;
        c->entry = entry;
        memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i) * sizeof(*argv));
        (*argc)--;
        table = entry->subs;
        if (entry->flags & CMD_RAW_ARGS)
            break;
    }
    return 0;
}

static void show_help(struct cmd_ctx *c)
{
    _cleanup_buf_ struct buf out = BUF_INIT;

    if (c->entry)
        help_command(&out, c->program, c->path, c->entry);
    else
        help_program(&out, c->program, the_table);
    cmd_out_buf(&out);
}

static int check_args(struct cmd_ctx *c, struct err **err)
{
    const struct cmd_entry *e = c->entry;
    _cleanup_buf_ struct buf usage = BUF_INIT;

    if (c->argc >= e->min_args && (e->max_args < 0 || c->argc <= e->max_args))
        return 0;
    help_usage(&usage, c->path, e);
    if (e->max_args == 0)
        return cmd_usage(c, err, "unexpected arguments: %s", c->argv[0]);
    if (c->argc < e->min_args)
        return cmd_usage(c, err, "%s needs %s %d argument%s, got %d: %s", c->path,
                         e->min_args == e->max_args ? "exactly" : "at least", e->min_args,
                         e->min_args == 1 ? "" : "s", c->argc, buf_str(&usage));
    return cmd_usage(c, err, "unexpected argument: %s (usage: %s)", c->argv[e->max_args], buf_str(&usage));
}

static int run_alone(struct cmd_ctx *c, struct err **err)
{
    int r = 0;

    if (c->globals.allow_partial || c->globals.fail_fast)
        return cmd_usage(c, err, "--%s goes with --contexts or --all-contexts",
                         c->globals.fail_fast ? "fail-fast" : "allow-partial");
    if (c->entry->flags & CMD_NEEDS_CLUSTER)
        r = cmd_client(c, NULL, err);
    return r < 0 ? r : c->entry->run(c, err);
}

static int run(struct cmd_ctx *c, int argc, char **argv, struct err **err)
{
    struct opt_group groups[OPT_MAX_GROUPS] = {{cmd_global_opts, &c->globals}};
    size_t ngroups = 1;
    int r = find_command(c, the_table, &argc, argv, err);

    if (r < 0)
        return r;
    if (c->entry && c->entry->opts) {
        c->options = xcalloc(1, c->entry->options_size ? c->entry->options_size : 1);
        /* The command's own letters come before the shared ones. */
        groups[1] = groups[0];
        groups[0] = (struct opt_group){c->entry->opts, c->options};
        ngroups = 2;
    }
    opt_defaults(groups, ngroups);
    if (c->entry && (c->entry->flags & CMD_RAW_ARGS)) {
        memcpy(c->argv, argv, (size_t)argc * sizeof(*argv));
        c->argc = argc;
    } else {
        r = opt_parse(groups, ngroups, argc, argv, c->argv, &c->argc, &c->given, err);
    }
    if (r < 0) {
        c->usage = true;
    } else if (c->globals.help || !c->entry || c->entry->subs) {
        show_help(c);
    } else {
        r = check_args(c, err);
        if (r == 0 && fleet_wanted(&c->globals) && !(c->entry->flags & CMD_CONTEXTS))
            r = fleet_run(c, err);
        else if (r == 0)
            r = run_alone(c, err);
    }
    if (ngroups == 2)
        opt_release(groups, 1);
    opt_release(&groups[ngroups - 1], 1);
    return r;
}

static void print_failure(struct cmd_ctx *c, const struct err *e)
{
    _cleanup_free_ char *text = c->usage ? xasprintf("error: %s", err_text(e)) : kube_err_text(e);
    _cleanup_free_ char *shown = str_escape_control(text, true);

    fprintf(stderr, "%s\n", shown);
    if (c->usage)
        fprintf(stderr, "See '%s --help' for usage.\n", c->path);
    suggest_name(c, e);
}

int cmd_main(const struct cmd_entry *const *table, int argc, char **argv)
{
    _cleanup_err_ struct err *err = NULL;
    struct cmd_ctx c = {0};
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *self = slash ? slash + 1 : argc > 0 ? argv[0] : "wasmctl";

    the_table = table;
    /* A write to a closed pipe is an error to handle (check in cmd.c), not the end. */
    signal(SIGPIPE, SIG_IGN);
    c.program = str_starts(self, "kubectl") ? "kubectl wasm" : "wasmctl";
    c.path = xstrdup(c.program);
    c.argv = xcalloc((size_t)argc + 1, sizeof(*c.argv));
    /* find_command() takes words out: the caller's argv stays whole. */
    char **words = xmemdup(argv, ((size_t)argc + 1) * sizeof(*argv));
    int skipped = argc > 0;
    /* kubectl calls it to complete the words behind `kubectl wasm`. */
    if (str_starts(self, "kubectl_complete-")) {
        words[0] = (char *)"__complete";
        skipped = 0;
    }
    int code = run(&c, argc - skipped, words + skipped, &err);
    cmd_flush();
    int failure = c.entry && c.entry->failure ? c.entry->failure : 1;
    if (code < 0)
        print_failure(&c, err);
    if (code == 0 && c.globals.warnings_as_errors && c.warnings)
        cmd_note("error: %zu warning%s received", c.warnings, c.warnings == 1 ? "" : "s");
    if (code < 0 || (code < failure && c.failed))
        code = failure;
    kube_client_free(c.client);
    kube_config_free(c.config);
    kubeconfig_free(c.kubeconfig);
    loop_free(c.loop);
    strv_free(c.given);
    free(c.options);
    free(c.argv);
    free(words);
    free(c.path);
    return code;
}
