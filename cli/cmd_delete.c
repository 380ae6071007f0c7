#include <limits.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/delete.h"
#include "cli/fleet.h"
#include "cli/manifest.h"

struct delete_options {
    struct manifest_from from;
    const char *output, *selector, *field_selector, *raw;
    bool all, all_namespaces, ignore_not_found, now, wait, force, interactive;
    int64_t grace_period, timeout_ns;
    int cascade, dry_run;
};

#define O(member) offsetof(struct delete_options, member)

static const struct cmd_opt delete_opts[] = {
    {"all", 0, OPT_FLAG, O(all), NULL, NULL, "Every object of the kind in the namespace"},
    {"all-namespaces", 'A', OPT_FLAG, O(all_namespaces), NULL, NULL, "In every namespace (with --all or -l)"},
    DELETE_OPT_CASCADE(O(cascade)),
    CLI_OPT_DRY_RUN(O(dry_run)),
    {"field-selector", 0, OPT_STRING, O(field_selector), "SELECTOR", NULL, "Only objects whose fields match"},
    {"force", 0, OPT_FLAG, O(force), NULL, NULL,
     "With --grace-period=0: do not wait for the object to end orderly"},
    DELETE_OPT_GRACE(O(grace_period)),
    {"ignore-not-found", 0, OPT_FLAG, O(ignore_not_found), NULL, NULL, "An absent object is no error"},
    {"interactive", 'i', OPT_FLAG, O(interactive), NULL, NULL, "Show what will be deleted and ask first"},
    MANIFEST_OPTS(O(from)),
    {"now", 0, OPT_FLAG, O(now), NULL, NULL, "As --grace-period=1"},
    {"output", 'o', OPT_STRING, O(output), "name", NULL, "Print kind/name only"},
    {"raw", 0, OPT_STRING, O(raw), "PATH", NULL,
     "Send DELETE to this path of the server, -f FILE as the body, and print the answer"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL, "Every object whose labels match"},
    {"timeout", 0, OPT_DURATION, O(timeout_ns), NULL, "0",
     "How long to wait for the objects to be gone; 0 = for ever", .negative = true},
    {"wait", 0, OPT_FLAG, O(wait), NULL, "true", "Wait until the objects (and their finalizers) are gone"},
    OPT_TABLE_END,
};

static void print_deleted(void *arg, const struct kube_resource *r, const char *namespace, const char *name)
{
    static const char *const suffixes[] = {"", " (dry run)", " (server dry run)"};
    const struct deleting *d = arg;
    const struct delete_options *o = d->c->options;
    _cleanup_free_ char *kind = kube_resource_display(r);
    _cleanup_free_ char *shown = str_escape_control(name, false);
    const char *verb = d->how.grace == 0 ? "force deleted" : "deleted";

    if (o->output)
        cmd_out("%s/%s\n", kind, shown);
    else if (namespace)
        cmd_out("%s \"%s\" %s from %s namespace%s\n", kind, shown, verb, namespace, suffixes[o->dry_run]);
    else
        cmd_out("%s \"%s\" %s%s\n", kind, shown, verb, suffixes[o->dry_run]);
    cmd_flush();
}

static int check_options(struct cmd_ctx *c, const struct delete_options *o, struct err **err)
{
    bool files = manifest_from_any(&o->from);

    if (o->output && !streq(o->output, "name"))
        return err_set(err, ERR_INVALID, "unexpected -o output mode: %s. We only support '-o name'.",
                       o->output);
    if (o->now && o->grace_period != -1)
        return cmd_usage(c, err, "--now and --grace-period cannot be specified together");
    if (o->all && o->selector)
        return cmd_usage(c, err, "cannot set --all and --selector at the same time");
    if (o->all && o->field_selector)
        return cmd_usage(c, err, "cannot set --all and --field-selector at the same time");
    if (o->force && o->grace_period > 0)
        return cmd_usage(c, err, "--force and --grace-period greater than 0 cannot be specified together");
    if (files && (c->argc || o->all || o->field_selector))
        return cmd_usage(c, err, "-f goes with neither kinds and names nor --all nor --field-selector");
    if (o->interactive && fleet_is(c))
        return cmd_usage(c, err, "--interactive asks for one cluster at a time: choose it with --context");
    return 0;
}

static int files_matching(struct cmd_ctx *c, const struct delete_options *o, struct manifests *files,
                          struct cli_targets *ret, struct err **err)
{
    _cleanup_manifests_ struct manifests rest = {0};
    int r = manifests_load_from(c, &o->from, files, err);

    if (r == 0 && !str_empty(o->selector))
        r = manifests_select(files, o->selector, &rest, err);
    for (size_t i = 0; r == 0 && i < files->len; i++) {
        struct manifest *m = &files->items[i];
        r = manifest_resolve(c, files, m, err);
        if (r == 0)
            cli_targets_add(ret, m->resource, manifest_namespace(m), manifest_name(m));
    }
    return r;
}

/* Kinds are found before the first deletion: once a CRD is gone its kind is not known any more. */
static int find_targets(struct cmd_ctx *c, const struct delete_options *o, struct manifests *files,
                        struct cli_targets *ret, struct err **err)
{
    _cleanup_targets_ struct cli_targets given = {0};
    struct cli_target_options how = {.verb = "delete",
                                     .all_namespaces = o->all_namespaces,
                                     .selector = o->selector || o->field_selector || o->all};
    int r;

    if (manifest_from_any(&o->from)) {
        r = files_matching(c, o, files, ret, err);
        return r == 0 && ret->len == 0 && !c->failed && !o->selector
                   ? err_set(err, ERR_INVALID, "no objects passed to delete")
                   : r;
    }
    r = cli_targets_parse(c, &how, &given, err);
    if (r < 0)
        return r;
    if (!how.selector && !given.named)
        return cmd_usage(c, err, "resource(s) were provided, but no name was specified");
    return cli_targets_expand(c, &given, o->selector, o->field_selector, ret, err);
}

static bool confirmed(const struct cli_targets *targets)
{
    char answer[16] = "";

    cmd_out("You are about to delete the following %zu resource(s):\n", targets->len);
    for (size_t i = 0; i < targets->len; i++) {
        _cleanup_free_ char *kind = kube_resource_display(targets->items[i].resource);
        _cleanup_free_ char *name = str_escape_control(targets->items[i].name, false);
        cmd_out("%s/%s\n", kind, name);
    }
    cmd_out("Do you want to continue? (y/N): ");
    cmd_flush();
    bool yes = fgets(answer, sizeof(answer), stdin) && (streq(answer, "y\n") || streq(answer, "Y\n"));
    if (!yes)
        cmd_out("deletion is cancelled\n");
    return yes;
}

static int delete_raw(struct cmd_ctx *c, const struct delete_options *o, struct err **err)
{
    _cleanup_manifests_ struct manifests files = {0};
    _cleanup_free_ char *answer = NULL, *body = NULL;
    struct kube_client *client;

    if (c->argc || o->all || o->selector || o->field_selector)
        return cmd_usage(c, err, "--raw goes with neither kinds and names nor selectors");
    if (o->raw[0] != '/')
        return cmd_usage(c, err, "--raw must be a path of the server (\"/api/v1/...\")");
    if (manifest_from_any(&o->from)) {
        int loaded = manifests_load_from(c, &o->from, &files, err);
        if (loaded < 0 || c->failed)
            return loaded;
        if (files.len != 1)
            return cmd_usage(c, err, "--raw takes one object as the body, not %zu", files.len);
        body = json_print(files.items[0].object);
    }
    int r = cmd_client(c, &client, err);
    if (r < 0)
        return r;
    struct kube_call call = {.method = "DELETE", .path = o->raw, .body = body};
    r = kube_call_wait(client, &call, &answer, err);
    if (r == 0)
        cmd_out("%s", answer);
    return r < 0 ? cli_explain_path(err) : 0;
}

static int run_delete(struct cmd_ctx *c, struct err **err)
{
    const struct delete_options *o = c->options;
    _cleanup_manifests_ struct manifests files = {0};
    _cleanup_targets_ struct cli_targets targets = {0};
    _cleanup_deleting_ struct deleting d = {.c = c};
    int r = check_options(c, o, err);

    if (r == 0 && o->raw)
        return delete_raw(c, o, err);
    if (r == 0)
        r = find_targets(c, o, &files, &targets, err);
    if (r < 0)
        return r;
    d.how = (struct delete_how){
        .grace = delete_grace(o->now, o->force, o->grace_period),
        .cascade = o->cascade,
        .dry_run = (enum cli_dry_run)o->dry_run,
        .wait = o->wait,
        .ignore_not_found = o->ignore_not_found || o->all || o->selector || o->field_selector,
        .timeout_ns = o->timeout_ns,
        .deleted = print_deleted,
        .arg = &d,
    };
    if (o->interactive && targets.len && !confirmed(&targets))
        return 0;
    delete_warn_of_force(d.how.grace);
    for (size_t i = 0; i < targets.len; i++) {
        const struct cli_target *t = &targets.items[i];
        struct err *e = NULL;
        if (delete_one(&d, t->resource, t->namespace, t->name, NULL, &e) < 0 && !cmd_report_one(c, &e))
            break;
    }
    delete_wait(&d);
    if (targets.len == 0 && !c->failed)
        cmd_out("No resources found\n");
    return 0;
}

const struct cmd_entry cmd_delete = {
    .name = "delete",
    .group = CMD_GROUP_BASIC,
    .brief = "Delete objects by file, name or label, and wait until they are gone",
    .usage = "(-f FILE... | -k DIR | KIND NAME... | KIND/NAME... | KIND (-l SELECTOR | --all)) [options]",
    .examples = "# One actor; returns when nothing of it runs any more\n%P delete wasmactor hello\n"
                "# All that a file describes\n%P delete -f hello.yaml\n"
                "# By label, without waiting\n%P delete wa -l app=todo --wait=false\n"
                "# See first what it would be, and answer y\n%P delete wa --all -i",
    .opts = delete_opts,
    .options_size = sizeof(struct delete_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_delete,
};
