#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/apply.h"
#include "cli/child.h"
#include "cli/diff_mask.h"
#include "cli/fleet.h"
#include "cli/prune.h"
#include "cli/scratch.h"

/* Exit codes: 0 the same, 1 different, above a failure. */
enum { EXIT_SAME = 0, EXIT_DIFFERENT = 1, EXIT_FAILED = 2 };
/* How often an object is read again because it changed while it was compared. */
enum { MAX_TRIES = 4, OUTPUT_MOST = 256 * 1024 * 1024 };

struct diff_options {
    struct manifest_from from;
    const char *field_manager, *selector;
    char **prune_allowlist;
    bool force_conflicts, server_side, managed_fields, show_secrets, prune;
    int64_t concurrency;
};

#define O(member) offsetof(struct diff_options, member)

static const struct cmd_opt diff_opts[] = {
    {"concurrency", 0, OPT_INT, O(concurrency), "N", "1", "Accepted for kubectl's sake", .min = 1,
     .max = 1000000},
    {"field-manager", 0, OPT_STRING, O(field_manager), "NAME", "wasmctl",
     "Name under which apply would note who set a field"},
    {"force-conflicts", 0, OPT_FLAG, O(force_conflicts), NULL, NULL,
     "Also fields that somebody else manages, as apply --force-conflicts would take them over"},
    MANIFEST_OPTS(O(from)),
    {"prune", 0, OPT_FLAG, O(prune), NULL, NULL, "Also what apply --prune would delete"},
    {"prune-allowlist", 0, OPT_LIST, O(prune_allowlist), "GROUP/VERSION/KIND", NULL,
     "Prune this kind instead of the usual ones; repeatable (core/v1/ConfigMap)"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL,
     "Only the objects of the manifests whose labels match"},
    {"server-side", 0, OPT_FLAG, O(server_side), NULL, "true",
     "Accepted for kubectl's sake: apply is always server-side"},
    {"show-managed-fields", 0, OPT_FLAG, O(managed_fields), NULL, NULL, "Compare metadata.managedFields too"},
    {"show-secrets", 0, OPT_FLAG, O(show_secrets), NULL, NULL, "Do not hide the values of Secrets"},
    OPT_TABLE_END,
};

struct differ {
    struct cmd_ctx *c;
    const struct diff_options *o;
    struct scratch *live, *merged;
};

/* "apps.v1.Deployment.default.hello", as kubectl has it. */
static char *file_name(const struct kube_resource *r, const char *namespace, const char *name)
{
    return xasprintf("%s%s%s.%s.%s.%s", r->group, *r->group ? "." : "", r->version, r->kind,
                     namespace ? namespace : "", name);
}

/* Each of live and merged may be NULL: that side has no file then. */
static int write_both(const struct differ *d, const struct kube_resource *r, cJSON *live, cJSON *merged,
                      struct err **err)
{
    const cJSON *any = live ? live : merged;
    _cleanup_free_ char *name =
        file_name(r, json_str(any, "metadata.namespace"), json_str_or(any, "metadata.name", ""));
    cJSON *sides[] = {live, merged};
    const struct scratch *folders[] = {d->live, d->merged};

    if (!d->o->show_secrets)
        diff_mask(live, merged);
    for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
        _cleanup_buf_ struct buf text = BUF_INIT;
        if (!sides[i])
            continue;
        if (!d->o->managed_fields)
            print_drop_managed_fields(sides[i]);
        print_object(&text, PRINT_YAML, sides[i]);
        int code = scratch_write(folders[i], name, &text, err);
        if (code < 0)
            return code;
    }
    return 0;
}

/* *ret stays NULL when there is no such object. */
static int get_live(const struct differ *d, const struct kube_resource *r, const char *namespace,
                    const char *name, cJSON **ret, struct err **err)
{
    struct cli_request request = {.resource = r, .namespace = namespace, .name = name};
    struct err *e = NULL;
    int code = cli_request(d->c, &request, ret, &e);

    if (code < 0 && e->http == 404) {
        err_free(e);
        return 0;
    }
    return code < 0 ? err_move(err, e) : 0;
}

static int compare(const struct differ *d, const struct manifests *set, struct manifest *m, struct err **err)
{
    const struct apply_how how = {
        .field_manager = d->o->field_manager, .force = d->o->force_conflicts, .dry_run = DRY_SERVER};
    int r = manifest_resolve(d->c, set, m, err);

    if (r < 0)
        return r;
    if (!*manifest_name(m))
        return err_set(err, ERR_INVALID, "%s:%u: the %s has no metadata.name", m->source, m->line,
                       m->resource->kind);
    for (int tries = 1;; tries++) {
        _cleanup_json_ cJSON *live = NULL, *merged = NULL;
        r = get_live(d, m->resource, manifest_namespace(m), manifest_name(m), &live, err);
        if (r == 0)
            r = apply_send(d->c, m, &how, &merged, err);
        if (r < 0)
            return r;
        /* A dry run leaves the version as it is: another one means that somebody changed the object between
         * the two requests. Their change is not ours. */
        if (live && tries < MAX_TRIES &&
            !streq(json_str_or(live, "metadata.resourceVersion", ""),
                   json_str_or(merged, "metadata.resourceVersion", "")))
            continue;
        return write_both(d, m->resource, live, merged, err);
    }
}

static int compare_pruned(const struct differ *d, const struct prune_kinds *kinds,
                          const struct manifests *set, struct err **err)
{
    const struct prune_how how = {d->o->selector, d->o->field_manager};
    _cleanup_(prune_list_release) struct prune_list list = {0};
    int r = prune_find(d->c, &how, kinds, set, &list, err);

    for (size_t i = 0; r == 0 && i < list.found.len; i++) {
        const struct prune_found *f = &list.found.items[i];
        _cleanup_json_ cJSON *live = NULL;
        r = get_live(d, f->resource, f->namespace, f->name, &live, err);
        if (r == 0 && live)
            r = write_both(d, f->resource, live, NULL, err);
    }
    return r;
}

/* Words of KUBECTL_EXTERNAL_DIFF that could mean something to a shell are left out, as kubectl does. */
static bool is_plain(const char *word)
{
    return strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-=") == strlen(word);
}

static char **diff_command(const struct differ *d)
{
    const char *variable = getenv("KUBECTL_EXTERNAL_DIFF");
    char **argv = strv_new();

    if (str_empty(variable)) {
        strv_push(&argv, "diff");
        strv_push(&argv, "-u");
        strv_push(&argv, "-N");
        strv_push(&argv, scratch_path(d->live));
        strv_push(&argv, scratch_path(d->merged));
        return argv;
    }
    _cleanup_strv_ char **words = strv_split(variable, ' ', false);
    strv_push(&argv, words[0] ? words[0] : "diff");
    strv_push(&argv, scratch_path(d->live));
    strv_push(&argv, scratch_path(d->merged));
    for (size_t i = 1; words[0] && words[i]; i++)
        if (is_plain(words[i]))
            strv_push(&argv, words[i]);
    return argv;
}

/* The exit code of the command, or an error. */
static int show(const struct differ *d, struct err **err)
{
    _cleanup_strv_ char **argv = diff_command(d);
    _cleanup_buf_ struct buf out = BUF_INIT_MAX(OUTPUT_MOST);
    /* It may look whether it prints to a terminal; what several print at a time is put together. */
    struct child child = {.argv = argv, .out = fleet_is(d->c) ? &out : NULL};
    int code = 0;
    int r = child_run(d->c, &child, &code, err);

    if (r < 0)
        return r;
    cmd_out_buf(&out);
    if (code > EXIT_DIFFERENT)
        return err_set(err, ERR_FAILED, "%s failed (exit code %d)", argv[0], code);
    return code;
}

static int run_in(struct differ *d, struct manifests *set, struct manifests *rest,
                  const struct prune_kinds *kinds, struct err **err)
{
    int r = scratch_new(d->c, "LIVE-", &d->live, err);

    if (r == 0)
        r = scratch_new(d->c, "MERGED-", &d->merged, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < set->len; i++) {
        struct err *e = NULL;
        if (compare(d, set, &set->items[i], &e) == 0)
            continue;
        /* Half a comparison must not look like a whole one. */
        if (cmd_hopeless(e) || e->os)
            return err_move(err, e);
        cmd_report(d->c, &e);
    }
    if (d->o->prune && !d->c->failed) {
        r = manifests_add_rest(d->c, set, rest, err);
        if (r == 0)
            r = compare_pruned(d, kinds, set, err);
        if (r < 0)
            return r;
    }
    return show(d, err);
}

static int run_diff(struct cmd_ctx *c, struct err **err)
{
    const struct diff_options *o = c->options;
    struct differ d = {.c = c, .o = o};
    _cleanup_manifests_ struct manifests set = {0}, rest = {0};
    _cleanup_(prune_kinds_release) struct prune_kinds kinds = {0};

    if (!o->server_side)
        return cmd_usage(c, err, "--server-side=false is not supported: apply is always server-side");
    if (str_empty(o->field_manager))
        return cmd_usage(c, err, "--field-manager must not be empty");
    if (o->prune_allowlist && !o->prune)
        return cmd_usage(c, err, "--prune-allowlist goes with --prune");
    int r = manifests_load_from(c, &o->from, &set, err);
    if (r == 0 && !str_empty(o->selector))
        r = manifests_select(&set, o->selector, &rest, err);
    if (r == 0 && o->prune)
        r = prune_kinds_find(c, o->prune_allowlist, &kinds, err);
    if (r < 0)
        return r;
    r = run_in(&d, &set, &rest, &kinds, err);
    scratch_free(d.live);
    scratch_free(d.merged);
    return r;
}

const struct cmd_entry cmd_diff = {
    .name = "diff",
    .group = CMD_GROUP_BASIC,
    .brief = "Show what apply would change",
    .help = "Compare the live objects with what the server would make of them if the manifests were applied "
            "(a server-side apply that is not kept).\n\n"
            "The objects are written as YAML into two folders that are compared by \"diff -u -N\", or by the "
            "program "
            "in KUBECTL_EXTERNAL_DIFF, which is given both folders and words of its own. The values of "
            "Secrets are "
            "shown as ***, and metadata.managedFields is left out.\n\n"
            "Exit code: 0 nothing would change, 1 something would, more than 1 a failure.",
    .usage = "(-f FILE... | -k DIR) [options]",
    .examples = "# What would change\n%P diff -f hello.yaml\n"
                "# Also what apply --prune would delete\n%P diff -f deploy/ --prune -l app=todo\n"
                "# With colours\nKUBECTL_EXTERNAL_DIFF='diff -u -N --color=always' %P diff -f hello.yaml",
    .opts = diff_opts,
    .options_size = sizeof(struct diff_options),
    .args = CMD_ARGS_FILES,
    .flags = CMD_FLEET,
    .failure = EXIT_FAILED,
    .run = run_diff,
};
