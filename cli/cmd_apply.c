#include "base/str.h"
#include "cli/apply.h"
#include "cli/prune.h"

struct apply_options {
    struct manifest_from from;
    struct cli_output output;
    const char *field_manager, *selector, *subresource;
    char **prune_allowlist;
    bool force_conflicts, server_side, prune, all, force, wait;
    int64_t timeout_ns;
    int dry_run, validate, cascade;
};

#define O(member) offsetof(struct apply_options, member)

static const struct cmd_opt apply_opts[] = {
    {"all", 0, OPT_FLAG, O(all), NULL, NULL, "With --prune: whatever the labels are"},
    DELETE_OPT_CASCADE(O(cascade)),
    CLI_OPT_DRY_RUN(O(dry_run)),
    {"field-manager", 0, OPT_STRING, O(field_manager), "NAME", "wasmctl",
     "Name under which the server notes who set a field"},
    {"force", 0, OPT_FLAG, O(force), NULL, NULL, "Refused: see replace --force", .hidden = true},
    {"force-conflicts", 0, OPT_FLAG, O(force_conflicts), NULL, NULL,
     "Take over fields that somebody else manages, instead of failing"},
    MANIFEST_OPTS(O(from)),
    CLI_OPTS_OUTPUT(O(output)),
    {"prune", 0, OPT_FLAG, O(prune), NULL, NULL,
     "Afterwards delete what was applied before and is not in the manifests; with -l or --all"},
    {"prune-allowlist", 0, OPT_LIST, O(prune_allowlist), "GROUP/VERSION/KIND", NULL,
     "Prune this kind instead of the usual ones; repeatable (core/v1/ConfigMap)"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL,
     "Only the objects of the manifests whose labels match"},
    {"server-side", 0, OPT_FLAG, O(server_side), NULL, "true",
     "Accepted for kubectl's sake: apply is always server-side"},
    {"subresource", 0, OPT_STRING, O(subresource), "NAME", NULL,
     "Apply to this part of the objects (status)"},
    {"timeout", 0, OPT_DURATION, O(timeout_ns), NULL, "0",
     "With --prune and --wait: how long to wait; 0 = for ever", .negative = true},
    CLI_OPT_VALIDATE(O(validate)),
    {"wait", 0, OPT_FLAG, O(wait), NULL, NULL, "With --prune: wait until the pruned objects are gone"},
    OPT_TABLE_END,
};

static int check_args(struct cmd_ctx *c, struct err **err)
{
    if (c->argc == 0)
        return 0;
    if (str_ends(c->argv[0], "-last-applied"))
        return cmd_usage(
            c, err,
            "%s: apply is server-side and keeps no copy of the last manifest in an annotation. The "
            "server notes who set which field: see %s get KIND NAME -o yaml --show-managed-fields",
            c->argv[0], c->program);
    return cmd_usage(c, err, "unexpected arguments: %s", c->argv[0]);
}

static int check_options(struct cmd_ctx *c, const struct apply_options *o, struct err **err)
{
    if (!o->server_side)
        return cmd_usage(c, err, "--server-side=false is not supported: apply is always server-side");
    if (o->force)
        return cmd_usage(c, err, "--force cannot be used with --server-side: see %s replace --force",
                         c->program);
    if (str_empty(o->field_manager))
        return cmd_usage(c, err, "--field-manager must not be empty");
    if (o->all && o->selector)
        return cmd_usage(c, err, "cannot set --all and --selector at the same time");
    if (o->prune && !o->all && str_empty(o->selector))
        return cmd_usage(
            c, err,
            "all resources selected for prune without explicitly passing --all. To prune all "
            "resources, pass the --all flag. If you did not mean to prune all resources, specify a "
            "label selector");
    if (o->prune && o->subresource)
        return cmd_usage(c, err, "--prune cannot be used with --subresource");
    if (o->prune_allowlist && !o->prune)
        return cmd_usage(c, err, "--prune-allowlist goes with --prune");
    return 0;
}

static int prune(struct cmd_ctx *c, const struct manifests *set, const struct prune_kinds *kinds,
                 struct cli_results *results, struct err **err)
{
    const struct apply_options *o = c->options;
    const struct prune_how how = {o->selector, o->field_manager};
    _cleanup_(prune_list_release) struct prune_list list = {0};
    _cleanup_deleting_ struct deleting d = {.c = c};
    int r = prune_find(c, &how, kinds, set, &list, err);

    if (r < 0)
        return r;
    d.how = (struct delete_how){.grace = -1,
                                .cascade = o->cascade,
                                .dry_run = (enum cli_dry_run)o->dry_run,
                                .wait = o->wait,
                                .ignore_not_found = true,
                                .timeout_ns = o->timeout_ns};
    for (size_t i = 0; i < list.found.len; i++) {
        const struct prune_found *f = &list.found.items[i];
        _cleanup_free_ char *version = kube_api_version(f->resource);
        _cleanup_json_ cJSON *object = json_object("apiVersion", version, "kind", f->resource->kind, NULL);
        struct err *e = NULL;
        json_set_str(object, "metadata.name", f->name);
        json_set_str(object, "metadata.namespace", f->namespace);
        if (delete_one(&d, f->resource, f->namespace, f->name, f->uid, &e) < 0)
            cmd_report(c, &e);
        else if (results->format == PRINT_TABLE || results->format == PRINT_NAME)
            cli_result(results, f->resource, object, "pruned");
    }
    delete_wait(&d);
    return 0;
}

static int run_apply(struct cmd_ctx *c, struct err **err)
{
    const struct apply_options *o = c->options;
    _cleanup_results_ struct cli_results results = {.dry_run = (enum cli_dry_run)o->dry_run};
    _cleanup_manifests_ struct manifests set = {0}, rest = {0};
    _cleanup_(prune_kinds_release) struct prune_kinds kinds = {0};
    struct apply_how how = {
        .field_manager = o->field_manager,
        .force = o->force_conflicts,
        .dry_run = (enum cli_dry_run)o->dry_run,
        .validate = o->validate,
        .subresource = o->subresource,
        .crd_timeout_ms = 60 * 1000,
    };
    int r = cli_results_format(&results, c, &o->output, true, err);

    if (r == 0)
        r = check_args(c, err);
    if (r == 0)
        r = check_options(c, o, err);
    if (r == 0)
        r = manifests_load_from(c, &o->from, &set, err);
    if (r == 0 && !str_empty(o->selector))
        r = manifests_select(&set, o->selector, &rest, err);
    /* What is wrong with the kinds is known before anything is changed. */
    if (r == 0 && o->prune)
        r = prune_kinds_find(c, o->prune_allowlist, &kinds, err);
    if (r < 0)
        return r;
    if (set.len == 0 && !c->failed)
        return err_set(err, ERR_INVALID, "no objects passed to apply");
    apply_all(c, &set, &how, &results);
    /* A manifest that could not be read or applied says nothing about what is to go. */
    if (o->prune && c->failed)
        cmd_note("Nothing was pruned, because not everything could be applied");
    else if (o->prune && (r = manifests_add_rest(c, &set, &rest, err)) == 0)
        r = prune(c, &set, &kinds, &results, err);
    cli_results_finish(&results);
    return r;
}

const struct cmd_entry cmd_apply = {
    .name = "apply",
    .group = CMD_GROUP_BASIC,
    .brief = "Make the cluster hold what the manifests say",
    .help =
        "Make the cluster hold what the manifests say (server-side apply: one request an object, the "
        "server merges and notes who set which field).\n\n"
        "The result line is \"serverside-applied\" as with kubectl apply --server-side: the server "
        "does not tell whether an object was new or changed. Objects are applied in the order of the "
        "files; an object whose CustomResourceDefinition stands before it waits until the server "
        "serves it. An object that fails is reported, the others are applied, and the exit code is 1.\n\n"
        "--prune deletes objects that were applied before and are in the manifests no more. An object goes "
        "only if its labels match -l (--all: whatever they are), the server notes that this field manager "
        "applied it, and it is in a namespace of the manifests. Nothing goes when something could not be "
        "applied. Kinds: WasmActor, WasmProvider, ConfigMap, Secret, Service, Pod, Deployment, StatefulSet, "
        "DaemonSet, ReplicaSet, Job, CronJob and Ingress, or those of --prune-allowlist. --dry-run shows "
        "what would go.",
    .usage = "(-f FILE... | -k DIR) [options]",
    .examples =
        "# Apply a file\n%P apply -f hello.yaml\n"
        "# A folder with all below it\n%P apply -R -f deploy/\n"
        "# What the server would make of it\n%P apply -f hello.yaml --dry-run=server -o yaml\n"
        "# From a program\ncat hello.yaml | %P apply -f -\n"
        "# Straight from where it is published\n%P apply -f https://example.com/hello.yaml\n"
        "# See what would go, then let it go\n%P apply -f deploy/ --prune -l app=todo --dry-run=server\n"
        "%P apply -f deploy/ --prune -l app=todo",
    .opts = apply_opts,
    .options_size = sizeof(struct apply_options),
    .max_args = -1,
    .args = CMD_ARGS_FILES,
    .flags = CMD_FLEET,
    .run = run_apply,
};
