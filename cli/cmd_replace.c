#include <limits.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/delete.h"
#include "cli/manifest.h"
#include "cli/result.h"

/* How often a replacement is tried again because the object changed between reading and writing. */
enum { MAX_TRIES = 5 };

struct replace_options {
    struct manifest_from from;
    struct cli_output output;
    const char *field_manager, *subresource, *raw;
    bool force, save_config, wait;
    int64_t grace_period, timeout_ns;
    int dry_run, validate, cascade;
};

#define O(member) offsetof(struct replace_options, member)

static const struct cmd_opt replace_opts[] = {
    DELETE_OPT_CASCADE(O(cascade)),
    CLI_OPT_DRY_RUN(O(dry_run)),
    {"field-manager", 0, OPT_STRING, O(field_manager), "NAME", "wasmctl",
     "Name under which the server notes who set a field"},
    {"force", 0, OPT_FLAG, O(force), NULL, NULL,
     "Delete the objects, wait until they are gone, create them anew"},
    DELETE_OPT_GRACE(O(grace_period)),
    MANIFEST_OPTS(O(from)),
    CLI_OPTS_OUTPUT(O(output)),
    {"raw", 0, OPT_STRING, O(raw), "PATH", NULL,
     "Send PUT to this path of the server, -f FILE as the body, and print the answer"},
    {"save-config", 0, OPT_FLAG, O(save_config), NULL, NULL,
     "Ignored: apply is server-side and needs no annotation"},
    {"subresource", 0, OPT_STRING, O(subresource), "status|scale", NULL, "Replace this part of the objects"},
    {"timeout", 0, OPT_DURATION, O(timeout_ns), NULL, "0",
     "With --force: how long to wait for the objects to be gone; 0 = for ever", .negative = true},
    CLI_OPT_VALIDATE(O(validate)),
    {"wait", 0, OPT_FLAG, O(wait), NULL, NULL, "Accepted for kubectl's sake: --force always waits"},
    OPT_TABLE_END,
};

static int check_options(struct cmd_ctx *c, const struct replace_options *o, struct err **err)
{
    if (!o->force && o->grace_period >= 0)
        return cmd_usage(c, err, "--grace-period must have --force specified");
    if (!o->force && o->timeout_ns != 0)
        return cmd_usage(c, err, "--timeout must have --force specified");
    if (o->force && o->dry_run != DRY_NONE)
        return cmd_usage(c, err, "--dry-run can not be used when --force is set");
    if (o->force && o->subresource)
        return cmd_usage(c, err, "--subresource can not be used when --force is set");
    if (str_empty(o->field_manager))
        return cmd_usage(c, err, "--field-manager must not be empty");
    if (o->save_config)
        cmd_note(
            "Warning: --save-config is ignored: apply is server-side, the server itself notes who set which "
            "field");
    return 0;
}

static struct cli_request request_for(const struct replace_options *o, const struct manifest *m)
{
    return (struct cli_request){.resource = m->resource,
                                .namespace = manifest_namespace(m),
                                .name = manifest_name(m),
                                .sub = o->subresource};
}

/* The object of the file in place of the live one. Without a resourceVersion in the file that is meant for
 * whatever version there is; the server wants one all the same. */
static int put(struct cmd_ctx *c, const struct replace_options *o, const struct manifest *m, bool any_version,
               cJSON **ret, struct err **err)
{
    struct cli_request request = request_for(o, m);
    _cleanup_buf_ struct buf query = BUF_INIT;
    _cleanup_free_ char *body = NULL;

    if (any_version) {
        _cleanup_json_ cJSON *live = NULL;
        int r = cli_request(c, &request, &live, err);
        if (r < 0)
            return r;
        json_set_str(m->object, "metadata.resourceVersion", json_str(live, "metadata.resourceVersion"));
    }
    cli_query_add(&query, "fieldManager", o->field_manager);
    cli_write_query(&query, (enum cli_dry_run)o->dry_run, o->validate);
    body = json_print(m->object);
    request.method = "PUT";
    request.query = buf_str(&query);
    request.body = body;
    return cli_request(c, &request, ret, err);
}

static int replace_one(struct cmd_ctx *c, const struct replace_options *o, const struct manifest *m,
                       struct cli_results *results, struct err **err)
{
    bool any_version = str_empty(json_str(m->object, "metadata.resourceVersion"));
    _cleanup_json_ cJSON *answer = NULL;

    if (!*manifest_name(m))
        return err_set(err, ERR_INVALID, "%s:%u: the %s has no metadata.name", m->source, m->line,
                       m->resource->kind);
    if (o->dry_run == DRY_CLIENT) {
        cli_result(results, m->resource, m->object, "replaced");
        return 0;
    }
    for (int tries = 1;; tries++) {
        struct err *e = NULL;
        if (put(c, o, m, any_version, &answer, &e) == 0)
            break;
        if (e->http == 409 && any_version && tries < MAX_TRIES) {
            err_free(e);
            continue;
        }
        if (e->http && !streq(e->reason ? e->reason : "", "Invalid"))
            err_wrap(&e, "error when replacing \"%s\"", m->source);
        return err_move(err, e);
    }
    cli_result(results, m->resource, answer, "replaced");
    return 0;
}

static int create_one(struct cmd_ctx *c, const struct replace_options *o, const struct manifest *m,
                      struct cli_results *results, struct err **err)
{
    _cleanup_json_ cJSON *answer = NULL;
    _cleanup_buf_ struct buf query = BUF_INIT;
    _cleanup_free_ char *body = NULL;

    /* What names the old object would be refused for the new one. */
    json_del(m->object, "metadata.resourceVersion");
    json_del(m->object, "metadata.uid");
    cli_query_add(&query, "fieldManager", o->field_manager);
    cli_write_query(&query, DRY_NONE, o->validate);
    body = json_print(m->object);
    struct cli_request request = {.method = "POST",
                                  .resource = m->resource,
                                  .namespace = manifest_namespace(m),
                                  .query = buf_str(&query),
                                  .body = body};
    int r = cli_request(c, &request, &answer, err);
    if (r < 0) {
        err_wrap(err, "%s from \"%s\" was deleted and could not be created anew", manifest_name(m),
                 m->source);
        return r;
    }
    cli_result(results, m->resource, answer, "replaced");
    return 0;
}

static void print_deleted(void *arg, const struct kube_resource *r, const char *namespace, const char *name)
{
    _cleanup_free_ char *kind = kube_resource_display(r);
    _cleanup_free_ char *shown = str_escape_control(name, false);

    const struct cli_results *results = arg;
    if (results->format == PRINT_NAME)
        cmd_out("%s/%s\n", kind, shown);
    else if (results->format != PRINT_TABLE)
        return;
    else if (namespace)
        cmd_out("%s \"%s\" deleted from %s namespace\n", kind, shown, namespace);
    else
        cmd_out("%s \"%s\" deleted\n", kind, shown);
    cmd_flush();
}

static void force_all(struct cmd_ctx *c, const struct replace_options *o, const struct manifests *set,
                      struct cli_results *results)
{
    _cleanup_deleting_ struct deleting d = {.c = c};
    struct err *e = NULL;

    d.how = (struct delete_how){.grace = delete_grace(false, false, o->grace_period),
                                .cascade = o->cascade,
                                .wait = true,
                                .ignore_not_found = true,
                                .timeout_ns = o->timeout_ns,
                                .deleted = print_deleted,
                                .arg = results};
    for (size_t i = 0; i < set->len; i++) {
        const struct manifest *m = &set->items[i];
        if (delete_one(&d, m->resource, manifest_namespace(m), manifest_name(m), NULL, &e) < 0)
            cmd_report(c, &e);
    }
    delete_wait(&d);
    /* What is still there could not be created: then nothing is, and the same command can be given again. */
    if (c->failed)
        return;
    for (size_t i = 0; i < set->len; i++)
        if (create_one(c, o, &set->items[i], results, &e) < 0)
            cmd_report(c, &e);
}

static int put_raw(struct cmd_ctx *c, const struct replace_options *o, struct err **err)
{
    _cleanup_manifests_ struct manifests set = {0};
    _cleanup_free_ char *body = NULL, *answer = NULL;
    struct kube_client *client;
    int r = manifests_load_from(c, &o->from, &set, err);

    if (r < 0 || c->failed)
        return r;
    if (o->raw[0] != '/')
        return cmd_usage(c, err, "--raw must be a path of the server (\"/api/v1/...\")");
    if (set.len != 1)
        return cmd_usage(c, err, "--raw takes one object as the body, not %zu", set.len);
    r = cmd_client(c, &client, err);
    if (r < 0)
        return r;
    body = json_print(set.items[0].object);
    struct kube_call call = {.method = "PUT", .path = o->raw, .body = body};
    r = kube_call_wait(client, &call, &answer, err);
    if (r < 0)
        return cli_explain_path(err);
    cmd_out("%s", answer);
    return 0;
}

static int run_replace(struct cmd_ctx *c, struct err **err)
{
    const struct replace_options *o = c->options;
    _cleanup_results_ struct cli_results results = {.dry_run = (enum cli_dry_run)o->dry_run};
    _cleanup_manifests_ struct manifests set = {0};
    int r = cli_results_format(&results, c, &o->output, false, err);

    if (r == 0)
        r = check_options(c, o, err);
    if (r == 0 && o->raw)
        return put_raw(c, o, err);
    if (r == 0)
        r = manifests_load_from(c, &o->from, &set, err);
    /* A file that could not be read was told: then nothing is replaced, and with --force nothing deleted. */
    if (r < 0 || c->failed)
        return r;
    if (set.len == 0)
        return err_set(err, ERR_INVALID, "no objects passed to replace");
    for (size_t i = 0; i < set.len; i++) {
        r = manifest_resolve(c, &set, &set.items[i], err);
        if (r < 0)
            return r;
    }
    if (o->force)
        force_all(c, o, &set, &results);
    for (size_t i = 0; !o->force && i < set.len; i++) {
        struct err *e = NULL;
        if (replace_one(c, o, &set.items[i], &results, &e) < 0 && !cmd_report_one(c, &e))
            break;
    }
    cli_results_finish(&results);
    return 0;
}

const struct cmd_entry cmd_replace = {
    .name = "replace",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Put objects as files have them in place of the live ones",
    .help = "Put objects as files have them in place of the live ones: what a file does not hold is gone "
            "afterwards. An object that does not exist is an error.\n\n"
            "A file that names a resourceVersion replaces only that version (\"conflict\" otherwise); a file "
            "without "
            "one replaces whatever is there. --force deletes the objects first and waits until they are "
            "gone: for "
            "changes of fields that cannot be changed.",
    .usage = "(-f FILE... | -k DIR) [options]",
    .examples = "# The object as the file has it\n%P replace -f hello.yaml\n"
                "# Change an object with a program of your own\n"
                "%P get wa hello -o yaml | sed 's/replicas: 1/replicas: 2/' | %P replace -f -\n"
                "# Delete it and create it anew\n%P replace --force -f hello.yaml",
    .opts = replace_opts,
    .options_size = sizeof(struct replace_options),
    .args = CMD_ARGS_FILES,
    .flags = CMD_FLEET,
    .run = run_replace,
};
