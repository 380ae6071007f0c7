#include "cli/pairs.h"

static int run_annotate(struct cmd_ctx *c, struct err **err)
{
    static const struct pairs_words words = {
        .verb = "annotate", .noun = "annotation", .plural = "annotations", .annotation = true};

    return pairs_run(c, &words, err);
}

const struct cmd_entry cmd_annotate = {
    .name = "annotate",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Set and remove annotations of objects",
    .help = "Set (KEY=VALUE) and remove (KEY-) annotations of objects. A value is any text.\n\n"
            "An annotation that has another value already is only replaced with --overwrite, but "
            "kubernetes.io/change-cause always is.",
    .usage =
        "(-f FILE | KIND NAME... | KIND/NAME... | KIND (-l SELECTOR | --all)) KEY=VALUE... KEY-... [options]",
    .examples =
        "# Note who to call\n%P annotate wasmactor hello example.com/owner='Team Web'\n"
        "# Why the next revision is made\n%P annotate wa/hello kubernetes.io/change-cause='new image'\n"
        "# Remove one everywhere\n%P annotate wa --all example.com/owner-",
    .opts = pairs_opts,
    .options_size = sizeof(struct pairs_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_annotate,
};
