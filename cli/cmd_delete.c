#include <limits.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/await.h"
#include "cli/manifest.h"
#include "cli/progress.h"
#include "cli/result.h"
#include "kube/watch.h"

struct delete_options {
    char **files;
    const char *output, *selector, *field_selector;
    bool recursive, all, all_namespaces, ignore_not_found, now, wait, force;
    int64_t grace_period, timeout_ns;
    int cascade, dry_run;
};

enum { CASCADE_BACKGROUND, CASCADE_FOREGROUND, CASCADE_ORPHAN };
static const char *const cascade_choices[] = {"background", "foreground", "orphan", NULL};
static const char *const propagation[] = {"Background", "Foreground", "Orphan"};

#define O(member) offsetof(struct delete_options, member)

static const struct cmd_opt delete_opts[] = {
    {"all", 0, OPT_FLAG, O(all), NULL, NULL, "Every object of the kind in the namespace"},
    {"all-namespaces", 'A', OPT_FLAG, O(all_namespaces), NULL, NULL, "In every namespace (with --all or -l)"},
    {"cascade", 0, OPT_ENUM, O(cascade), NULL, "background",
     "What happens to objects owned by the deleted one: deleted after it, before it, or kept",
     .choices = cascade_choices, .bare = "background"},
    CLI_OPT_DRY_RUN(O(dry_run)),
    {"field-selector", 0, OPT_STRING, O(field_selector), "SELECTOR", NULL, "Only objects whose fields match"},
    {"filename", 'f', OPT_LIST, O(files), "FILE", NULL,
     "The objects of a file, a folder or standard input (-); repeatable"},
    {"force", 0, OPT_FLAG, O(force), NULL, NULL,
     "With --grace-period=0: do not wait for the object to end orderly"},
    {"grace-period", 0, OPT_INT, O(grace_period), "SECONDS", "-1",
     "Time the object gets to end orderly; negative = what it asks for", .min = INT_MIN, .max = INT_MAX},
    {"ignore-not-found", 0, OPT_FLAG, O(ignore_not_found), NULL, NULL, "An absent object is no error"},
    {"now", 0, OPT_FLAG, O(now), NULL, NULL, "As --grace-period=1"},
    {"output", 'o', OPT_STRING, O(output), "name", NULL, "Print kind/name only"},
    {"recursive", 'R', OPT_FLAG, O(recursive), NULL, NULL, "With -f: also the folders below"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL, "Every object whose labels match"},
    {"timeout", 0, OPT_DURATION, O(timeout_ns), NULL, "0",
     "How long to wait for the objects to be gone; 0 = for ever", .negative = true},
    {"wait", 0, OPT_FLAG, O(wait), NULL, "true", "Wait until the objects (and their finalizers) are gone"},
    OPT_TABLE_END,
};

/* One deleted object to wait for. */
struct gone {
    const struct kube_resource *resource;
    char *namespace, *name, *uid;
};

struct deleting {
    struct cmd_ctx *c;
    const struct delete_options *o;
    int64_t grace; /* seconds, < 0: the object's own */
    size_t found;
    VEC(struct gone) gone;
};

static void deleting_release(struct deleting *d)
{
    for (size_t i = 0; i < d->gone.len; i++) {
        free(d->gone.items[i].namespace);
        free(d->gone.items[i].name);
        free(d->gone.items[i].uid);
    }
    free(d->gone.items);
}

static void print_deleted(const struct deleting *d, const struct kube_resource *r, const char *namespace,
                          const char *name)
{
    static const char *const suffixes[] = {"", " (dry run)", " (server dry run)"};
    _cleanup_free_ char *kind = kube_resource_display(r);
    _cleanup_free_ char *shown = str_escape_control(name, false);

    if (d->o->output)
        cmd_out("%s/%s\n", kind, shown);
    else if (namespace)
        cmd_out("%s \"%s\" %s from %s namespace%s\n", kind, shown,
                d->grace == 0 ? "force deleted" : "deleted", namespace, suffixes[d->o->dry_run]);
    else
        cmd_out("%s \"%s\" %s%s\n", kind, shown, d->grace == 0 ? "force deleted" : "deleted",
                suffixes[d->o->dry_run]);
    cmd_flush();
}

static char *delete_body(const struct deleting *d)
{
    _cleanup_json_ cJSON *body = json_object("apiVersion", "v1", "kind", "DeleteOptions", "propagationPolicy",
                                             propagation[d->o->cascade], NULL);

    if (d->grace >= 0)
        json_set_int(body, "gracePeriodSeconds", d->grace);
    if (d->o->dry_run == DRY_SERVER) {
        cJSON *all = cJSON_CreateArray();
        cJSON_AddItemToArray(all, cJSON_CreateString("All"));
        json_put(body, "dryRun", all);
    }
    return json_print(body);
}

static int delete_one(struct deleting *d, const struct kube_resource *r, const char *namespace,
                      const char *name, struct err **err)
{
    _cleanup_json_ cJSON *answer = NULL;
    _cleanup_free_ char *body = NULL;
    struct err *e = NULL;

    if (d->o->dry_run == DRY_CLIENT) {
        d->found++;
        print_deleted(d, r, namespace, name);
        return 0;
    }
    body = delete_body(d);
    struct cli_request request = {
        .method = "DELETE", .resource = r, .namespace = namespace, .name = name, .body = body};
    if (cli_request(d->c, &request, &answer, &e) < 0) {
        if (e->http == 404 && (d->o->ignore_not_found || d->o->all)) {
            err_free(e);
            return 0;
        }
        return err_move(err, e);
    }
    d->found++;
    print_deleted(d, r, namespace, name);
    /* The answer is the object while it is ending, a Status once it is gone. */
    if (d->o->wait && d->o->dry_run == DRY_NONE && !streq(json_str_or(answer, "kind", ""), "Status"))
        vec_push(&d->gone, ((struct gone){r, xstrdup_null(namespace), xstrdup(name),
                                          xstrdup_null(json_str(answer, "metadata.uid"))}));
    return 0;
}

/* Lists */

struct listed {
    VEC(char *) names;
    VEC(char *) namespaces;
};

static int take_page(void *arg, cJSON *page, struct err **err _unused_)
{
    struct listed *l = arg;

    json_each (item, json_get(page, "items")) {
        vec_push(&l->names, xstrdup(json_str_or(item, "metadata.name", "")));
        vec_push(&l->namespaces, xstrdup_null(json_str(item, "metadata.namespace")));
    }
    return 0;
}

static int delete_list(struct deleting *d, const struct cli_target *t, struct err **err)
{
    _cleanup_free_ char *path = kube_path(t->resource, t->namespace, NULL, NULL);
    _cleanup_buf_ struct buf query = BUF_INIT;
    struct listed l = {0};
    struct kube_client *client;
    int r = cmd_client(d->c, &client, err);

    if (r < 0)
        return r;
    cli_query_add(&query, "labelSelector", d->o->selector);
    cli_query_add(&query, "fieldSelector", d->o->field_selector);
    r = kube_list_wait(client, path, buf_str(&query), CLI_AS_METADATA_LIST, 0, take_page, &l, NULL, err);
    r = cli_explain_missing(d->c, t->resource, r, err);
    for (size_t i = 0; i < l.names.len; i++) {
        struct err *e = NULL;
        if (r == 0 && delete_one(d, t->resource, l.namespaces.items[i], l.names.items[i], &e) < 0)
            cmd_report(d->c, &e);
        free(l.names.items[i]);
        free(l.namespaces.items[i]);
    }
    free(l.names.items);
    free(l.namespaces.items);
    return r;
}

/* Waiting */

static bool is_gone(void *arg, const cJSON *object)
{
    const struct gone *g = arg;

    /* Another object of the same name may have been made since. */
    return !object || (g->uid && !streq(json_str_or(object, "metadata.uid", g->uid), g->uid));
}

static void wait_for_end(struct deleting *d)
{
    const int64_t week_ms = INT64_C(7) * 86400 * 1000;
    int64_t timeout = d->o->timeout_ns / 1000000;
    int64_t end = time_mono_ms() + (timeout > 0 ? timeout : week_ms);
    _cleanup_progress_ struct progress *progress = d->gone.len ? progress_new(d->c) : NULL;

    for (size_t i = 0; i < d->gone.len; i++) {
        struct gone *g = &d->gone.items[i];
        struct err *e = NULL;
        int64_t left = end - time_mono_ms();
        struct cli_await await = {
            .resource = g->resource,
            .namespace = g->namespace,
            .name = g->name,
            .timeout_ms = left > 0 ? left : 0,
            .check = is_gone,
            .arg = g,
        };
        progress_set(progress, "waiting for %s/%s to be gone, %zu of %zu", g->resource->singular, g->name,
                     i + 1, d->gone.len);
        int r = cli_await(d->c, &await, "the condition", &e);
        if (r == 0)
            continue;
        /* The kind itself may be gone: its CRD was deleted. */
        if (e->http == 404) {
            err_free(e);
            continue;
        }
        if (r == ERR_TIMEOUT) {
            err_free(e);
            e = NULL;
            err_set(&e, ERR_FAILED, "timed out waiting for the condition on %s/%s", g->resource->resource,
                    g->name);
        }
        cmd_report(d->c, &e);
    }
}

/* A short deletion needs no watch: one question may be enough. */
static void drop_those_gone(struct deleting *d)
{
    size_t kept = 0;

    for (size_t i = 0; i < d->gone.len; i++) {
        struct gone *g = &d->gone.items[i];
        _cleanup_json_ cJSON *object = NULL;
        struct err *e = NULL;
        struct cli_request request = {
            .resource = g->resource, .namespace = g->namespace, .name = g->name, .accept = CLI_AS_METADATA};
        int r = cli_request(d->c, &request, &object, &e);
        bool over = r == 0 ? is_gone(g, object) : e->http == 404;
        err_free(e);
        if (!over) {
            d->gone.items[kept++] = *g;
            continue;
        }
        free(g->namespace);
        free(g->name);
        free(g->uid);
    }
    d->gone.len = kept;
}

static int check_options(struct cmd_ctx *c, struct delete_options *o, struct err **err)
{
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
    if (o->files && (c->argc || o->all || o->selector))
        return cmd_usage(c, err, "-f goes with neither kinds and names nor --all nor a selector");
    return 0;
}

static int64_t grace_of(const struct delete_options *o)
{
    if (o->now)
        return 1;
    if (o->force)
        return o->grace_period < 0 ? 0 : o->grace_period;
    /* Without --force, 0 would skip the orderly end by accident: kubectl takes 1 then. */
    return o->grace_period == 0 ? 1 : o->grace_period;
}

static int delete_files(struct deleting *d, struct err **err)
{
    _cleanup_manifests_ struct manifests set = {0};

    manifests_load(d->c, d->o->files, d->o->recursive, &set);
    if (set.len == 0 && !d->c->failed)
        return err_set(err, ERR_INVALID, "no objects passed to delete");
    /* Set before the first deletion: once a CRD is gone its kind is not found any more. */
    for (size_t i = 0; i < set.len; i++) {
        int r = manifest_resolve(d->c, &set, &set.items[i], err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < set.len; i++) {
        const struct manifest *m = &set.items[i];
        struct err *e = NULL;
        if (delete_one(d, m->resource, manifest_namespace(m), manifest_name(m), &e) == 0)
            continue;
        bool over = cmd_hopeless(e);
        cmd_report(d->c, &e);
        if (over)
            break;
    }
    drop_those_gone(d);
    wait_for_end(d);
    return 0;
}

static int delete_targets(struct deleting *d, struct err **err)
{
    const struct delete_options *o = d->o;
    _cleanup_targets_ struct cli_targets targets = {0};
    struct cli_target_options how = {.verb = "delete",
                                     .all_namespaces = o->all_namespaces,
                                     .selector = o->selector || o->field_selector || o->all};
    int r = cli_targets_parse(d->c, &how, &targets, err);

    if (r < 0)
        return r;
    if (!how.selector && !targets.named)
        return cmd_usage(d->c, err, "resource(s) were provided, but no name was specified");
    for (size_t i = 0; i < targets.len; i++) {
        const struct cli_target *t = &targets.items[i];
        struct err *e = NULL;
        r = t->name ? delete_one(d, t->resource, t->namespace, t->name, &e) : delete_list(d, t, &e);
        if (r == 0)
            continue;
        bool over = cmd_hopeless(e);
        cmd_report(d->c, &e);
        if (over)
            break;
    }
    drop_those_gone(d);
    wait_for_end(d);
    return 0;
}

static int run_delete(struct cmd_ctx *c, struct err **err)
{
    struct delete_options *o = c->options;
    _cleanup_(deleting_release) struct deleting d = {.c = c, .o = o};
    int r = check_options(c, o, err);

    if (r < 0)
        return r;
    d.grace = grace_of(o);
    if (d.grace == 0)
        cmd_note("Warning: Immediate deletion does not wait for confirmation that the running resource has "
                 "been terminated. "
                 "The resource may continue to run on the cluster indefinitely.");
    r = o->files ? delete_files(&d, err) : delete_targets(&d, err);
    if (r == 0 && d.found == 0 && !c->failed && !o->ignore_not_found)
        cmd_out("No resources found\n");
    return r;
}

const struct cmd_entry cmd_delete = {
    .name = "delete",
    .group = CMD_GROUP_BASIC,
    .brief = "Delete objects by file, name or label, and wait until they are gone",
    .usage = "(-f FILE... | KIND NAME... | KIND/NAME... | KIND (-l SELECTOR | --all)) [options]",
    .examples = "# One actor; returns when nothing of it runs any more\n%P delete wasmactor hello\n"
                "# All that a file describes\n%P delete -f hello.yaml\n"
                "# By label, without waiting\n%P delete wa -l app=todo --wait=false",
    .opts = delete_opts,
    .options_size = sizeof(struct delete_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_delete,
};
