#include "base/mem.h"
#include "base/str.h"
#include "cli/help.h"

static int run_help(struct cmd_ctx *c, struct err **err)
{
    _cleanup_buf_ struct buf out = BUF_INIT, path = BUF_INIT;
    const struct cmd_entry *const *table = cmd_table();
    const struct cmd_entry *entry = NULL;

    buf_adds(&path, c->program);
    for (int i = 0; i < c->argc; i++) {
        entry = cmd_find(table, c->argv[i]);
        if (!entry)
            return cmd_usage(c, err, "unknown help topic \"%s\"", c->argv[i]);
        buf_addf(&path, " %s", entry->name);
        table = entry->subs;
    }
    if (entry)
        help_command(&out, c->program, buf_str(&path), entry);
    else
        help_program(&out, c->program, cmd_table());
    cmd_out_buf(&out);
    return 0;
}

const struct cmd_entry cmd_help = {
    .name = "help",
    .group = CMD_GROUP_OTHER,
    .brief = "Help about a command",
    .usage = "[COMMAND...]",
    .examples = "%P help get\n%P help rollout undo",
    .max_args = -1,
    .args = CMD_ARGS_COMMAND,
    .run = run_help,
};

static int run_options(struct cmd_ctx *c _unused_, struct err **err _unused_)
{
    _cleanup_buf_ struct buf out = BUF_INIT;

    buf_adds(&out, "These options can be passed to every command:\n\n");
    help_options(&out, cmd_global_opts);
    cmd_out_buf(&out);
    return 0;
}

const struct cmd_entry cmd_options = {
    .name = "options",
    .group = CMD_GROUP_OTHER,
    .brief = "List the options that every command takes",
    .usage = "",
    .examples = "%P options",
    .run = run_options,
};
