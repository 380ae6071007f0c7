#include "base/str.h"
#include "cli/complete.h"

extern const char cli_completion_bash[], cli_completion_zsh[], cli_completion_fish[];

static int run_bash(struct cmd_ctx *c _unused_, struct err **err _unused_)
{
    cmd_out("%s", cli_completion_bash);
    return 0;
}

static int run_zsh(struct cmd_ctx *c _unused_, struct err **err _unused_)
{
    cmd_out("%s", cli_completion_zsh);
    return 0;
}

static int run_fish(struct cmd_ctx *c _unused_, struct err **err _unused_)
{
    cmd_out("%s", cli_completion_fish);
    return 0;
}

static const struct cmd_entry cmd_completion_bash = {
    .name = "bash",
    .brief = "Print the completion for bash",
    .usage = "",
    .examples = "# For this shell\nsource <(%P completion bash)\n# For every shell from now on\n"
                "%P completion bash >~/.local/share/bash-completion/completions/wasmctl",
    .run = run_bash,
};

static const struct cmd_entry cmd_completion_zsh = {
    .name = "zsh",
    .brief = "Print the completion for zsh",
    .usage = "",
    .examples = "# For this shell (after compinit)\nsource <(%P completion zsh)\n"
                "# For every shell from now on\n%P completion zsh >\"${fpath[1]}/_wasmctl\"",
    .run = run_zsh,
};

static const struct cmd_entry cmd_completion_fish = {
    .name = "fish",
    .brief = "Print the completion for fish",
    .usage = "",
    .examples = "# For this shell\n%P completion fish | source\n# For every shell from now on\n"
                "%P completion fish >~/.config/fish/completions/wasmctl.fish",
    .run = run_fish,
};

static const struct cmd_entry *const completion_subs[] = {&cmd_completion_bash, &cmd_completion_zsh,
                                                          &cmd_completion_fish, NULL};

const struct cmd_entry cmd_completion = {
    .name = "completion",
    .group = CMD_GROUP_OTHER,
    .brief = "Print the completion script of a shell",
    .help = "Print the script that makes a shell complete the words of wasmctl: commands, options and their "
            "values, kinds, "
            "contexts, namespaces and the names of objects. What the cluster says is kept for 15 seconds; a "
            "cluster that "
            "does not answer within a second is left alone for a while.",
    .usage = "(bash | zsh | fish)",
    .examples = "source <(%P completion bash)\n%P completion fish | source",
    .subs = completion_subs,
};

static int run_complete(struct cmd_ctx *c, struct err **err _unused_)
{
    return complete_run(c, true);
}

const struct cmd_entry cmd_complete = {
    .name = "__complete",
    .group = CMD_GROUP_HIDDEN,
    .brief = "Candidates for the last of the words",
    .usage = "[WORD...]",
    .flags = CMD_RAW_ARGS,
    .max_args = -1,
    .run = run_complete,
};

static int run_complete_plain(struct cmd_ctx *c, struct err **err _unused_)
{
    return complete_run(c, false);
}

const struct cmd_entry cmd_complete_plain = {
    .name = "__completeNoDesc",
    .group = CMD_GROUP_HIDDEN,
    .brief = "Candidates for the last of the words, without descriptions",
    .usage = "[WORD...]",
    .flags = CMD_RAW_ARGS,
    .max_args = -1,
    .run = run_complete_plain,
};
