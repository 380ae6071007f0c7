#include "base/str.h"
#include "cli/apply.h"

struct apply_options {
    char **files;
    const char *field_manager;
    struct cli_output output;
    bool recursive, force_conflicts, server_side;
    int dry_run, validate;
};

#define O(member) offsetof(struct apply_options, member)

static const struct cmd_opt apply_opts[] = {
    CLI_OPT_DRY_RUN(O(dry_run)),
    {"field-manager", 0, OPT_STRING, O(field_manager), "NAME", "wasmctl",
     "Name under which the server notes who set a field"},
    {"filename", 'f', OPT_LIST, O(files), "FILE", NULL, "A file, a folder or standard input (-); repeatable"},
    {"force-conflicts", 0, OPT_FLAG, O(force_conflicts), NULL, NULL,
     "Take over fields that somebody else manages, instead of failing"},
    CLI_OPTS_OUTPUT(O(output)),
    {"recursive", 'R', OPT_FLAG, O(recursive), NULL, NULL, "Also the folders below a folder"},
    {"server-side", 0, OPT_FLAG, O(server_side), NULL, "true",
     "Accepted for kubectl's sake: apply is always server-side"},
    CLI_OPT_VALIDATE(O(validate)),
    OPT_TABLE_END,
};

static int run_apply(struct cmd_ctx *c, struct err **err)
{
    const struct apply_options *o = c->options;
    _cleanup_results_ struct cli_results results = {.dry_run = (enum cli_dry_run)o->dry_run};
    _cleanup_manifests_ struct manifests set = {0};
    struct apply_how how = {
        .field_manager = o->field_manager,
        .force = o->force_conflicts,
        .dry_run = (enum cli_dry_run)o->dry_run,
        .validate = o->validate,
        .crd_timeout_ms = 60 * 1000,
    };
    int r = cli_results_format(&results, c, &o->output, true, err);

    if (r < 0)
        return r;
    if (!o->files)
        return cmd_usage(c, err, "must specify the manifests with -f FILE, -f FOLDER or -f -");
    if (!o->server_side)
        return cmd_usage(c, err, "--server-side=false is not supported: apply is always server-side");
    if (str_empty(o->field_manager))
        return cmd_usage(c, err, "--field-manager must not be empty");
    manifests_load(c, o->files, o->recursive, &set);
    if (set.len == 0 && !c->failed)
        return err_set(err, ERR_INVALID, "no objects passed to apply");
    apply_all(c, &set, &how, &results);
    cli_results_finish(&results);
    return 0;
}

const struct cmd_entry cmd_apply = {
    .name = "apply",
    .group = CMD_GROUP_BASIC,
    .brief = "Make the cluster hold what the manifests say",
    .help = "Make the cluster hold what the manifests say (server-side apply: one request an object, the "
            "server merges and notes who set which field).\n\n"
            "The result line is \"serverside-applied\" as with kubectl apply --server-side: the server "
            "does not tell whether an object was new or changed. Objects are applied in the order of the "
            "files; an object whose CustomResourceDefinition stands before it waits until the server "
            "serves it. An object that fails is reported, the others are applied, and the exit code is 1.",
    .usage = "-f FILE... [options]",
    .examples = "# Apply a file\n%P apply -f hello.yaml\n"
                "# A folder with all below it\n%P apply -R -f deploy/\n"
                "# What the server would make of it\n%P apply -f hello.yaml --dry-run=server -o yaml\n"
                "# From a program\ncat hello.yaml | %P apply -f -",
    .opts = apply_opts,
    .options_size = sizeof(struct apply_options),
    .flags = CMD_FLEET,
    .run = run_apply,
};
