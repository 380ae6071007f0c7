#include "cli/pairs.h"

static int run_label(struct cmd_ctx *c, struct err **err)
{
    static const struct pairs_words words = {.verb = "label", .noun = "label", .plural = "labels"};

    return pairs_run(c, &words, err);
}

const struct cmd_entry cmd_label = {
    .name = "label",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Set and remove labels of objects",
    .help =
        "Set (KEY=VALUE) and remove (KEY-) labels of objects.\n\n"
        "A label that has another value already is only replaced with --overwrite. Without it the server "
        "is told which version of the object was read: a label that somebody else sets at the same time is "
        "not replaced either.",
    .usage =
        "(-f FILE | KIND NAME... | KIND/NAME... | KIND (-l SELECTOR | --all)) KEY=VALUE... KEY-... [options]",
    .examples = "# Set one label and remove another\n%P label wasmactor hello tier=web stage-\n"
                "# Replace a value\n%P label --overwrite wa/hello tier=backend\n"
                "# All actors of an application\n%P label wa -l app=todo stage=test\n"
                "# What an object carries\n%P label --list wa hello",
    .opts = pairs_opts,
    .options_size = sizeof(struct pairs_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_label,
};
