#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/manifest.h"
#include "cli/result.h"
#include "cli/target.h"
#include "data/yaml.h"

struct patch_options {
    struct manifest_from from;
    const char *patch, *patch_file, *subresource, *field_manager;
    struct cli_output output;
    int type, dry_run;
};

enum { PATCH_JSON, PATCH_MERGE, PATCH_STRATEGIC };
static const char *const type_choices[] = {"json", "merge", "strategic", NULL};
static const char *const content_types[] = {KUBE_JSON_PATCH, KUBE_MERGE_PATCH,
                                            "application/strategic-merge-patch+json"};

#define O(member) offsetof(struct patch_options, member)

static const struct cmd_opt patch_opts[] = {
    CLI_OPT_DRY_RUN(O(dry_run)),
    {"field-manager", 0, OPT_STRING, O(field_manager), "NAME", "wasmctl",
     "Name under which the server notes who set a field"},
    MANIFEST_OPTS(O(from)),
    CLI_OPTS_OUTPUT(O(output)),
    {"patch", 'p', OPT_STRING, O(patch), "PATCH", NULL, "The patch as JSON or YAML"},
    {"patch-file", 0, OPT_STRING, O(patch_file), "FILE", NULL, "A file with the patch"},
    {"subresource", 0, OPT_STRING, O(subresource), "status|scale|resize", NULL,
     "Patch this part of the object"},
    {"type", 0, OPT_ENUM, O(type), NULL, "strategic", "How the patch is meant", .choices = type_choices},
    OPT_TABLE_END,
};

/* *ret: the patch as JSON text; caller frees. */
static int read_patch(const struct patch_options *o, char **ret, struct err **err)
{
    _cleanup_(yaml_docs_release) struct yaml_docs docs = {0};
    _cleanup_free_ char *text = NULL;
    const char *source = o->patch_file ? o->patch_file : "the patch";
    size_t len = 0;
    int r = 0;

    if (o->patch_file) {
        r = file_read(o->patch_file, MANIFEST_MAX_FILE, &text, &len, err);
        if (r < 0)
            return r;
    } else {
        text = xstrdup(o->patch);
        len = strlen(text);
    }
    r = yaml_parse(text, len, source, &docs, err);
    if (r < 0)
        return r;
    if (docs.len != 1)
        return err_set(err, ERR_INVALID, "%s holds %zu documents, a patch is one", source, docs.len);
    if (o->type == PATCH_JSON ? !cJSON_IsArray(docs.items[0].root) : !cJSON_IsObject(docs.items[0].root))
        return err_set(err, ERR_INVALID, "%s: a %s patch is %s", source, type_choices[o->type],
                       o->type == PATCH_JSON ? "a list of operations ([{op: replace, path: ..., value: ...}])"
                                             : "an object with the fields to change");
    *ret = json_print(docs.items[0].root);
    return 0;
}

/* A strategic merge needs the types of Go: the server refuses it for custom resources. Takes e. */
static int explain(const struct patch_options *o, const struct kube_resource *r, struct err *e,
                   struct err **err)
{
    _cleanup_free_ char *version = NULL;
    _cleanup_err_ struct err *refused = e;

    if (e->http != 415 || o->type != PATCH_STRATEGIC)
        return err_move(err, TAKE_PTR(refused));
    version = kube_api_version(r);
    return err_set(err, ERR_INVALID,
                   "%s is not supported by %s, Kind=%s: %s; use --type=merge or --type=json",
                   content_types[o->type], version, r->kind, e->message);
}

static void print_patched(const struct patch_options *o, const struct kube_resource *r, const cJSON *before,
                          const cJSON *after, struct cli_results *results)
{
    struct kube_resource shown = *r;
    _cleanup_free_ char *group = xstrdup(json_str_or(after, "apiVersion", ""));
    _cleanup_free_ char *kind = str_lower(json_str_or(after, "kind", r->kind));
    char *slash = strchr(group, '/');

    /* The answer may be of another kind: that of /scale is a Scale. */
    if (o->subresource) {
        if (slash)
            *slash = '\0';
        shown.group = slash ? group : group + strlen(group);
        shown.singular = kind;
    }
    cli_result(results, &shown, after, json_equal(before, after) ? "patched (no change)" : "patched");
}

static int patch_one(struct cmd_ctx *c, const struct patch_options *o, const struct cli_target *t,
                     const char *body, struct cli_results *results, struct err **err)
{
    _cleanup_json_ cJSON *before = NULL, *after = NULL;
    _cleanup_buf_ struct buf query = BUF_INIT;
    struct cli_request request = {
        .resource = t->resource, .namespace = t->namespace, .name = t->name, .sub = o->subresource};
    int r = cli_request(c, &request, &before, err);

    if (r < 0)
        return r;
    /* Only the server knows the schema: a dry run of the client is the server's, which keeps nothing either.
     */
    cli_query_add(&query, "fieldManager", o->field_manager);
    if (o->dry_run != DRY_NONE)
        cli_query_add(&query, "dryRun", "All");
    request.method = "PATCH";
    request.query = buf_str(&query);
    request.body = body;
    request.content_type = content_types[o->type];
    struct err *e = NULL;
    r = cli_request(c, &request, &after, &e);
    if (r < 0)
        return explain(o, t->resource, e, err);
    print_patched(o, t->resource, before, after, results);
    return 0;
}

static int check_options(struct cmd_ctx *c, const struct patch_options *o, struct err **err)
{
    if (o->patch && o->patch_file)
        return cmd_usage(c, err, "cannot specify --patch and --patch-file together");
    if (str_empty(o->patch) && str_empty(o->patch_file))
        return cmd_usage(c, err, "must specify --patch or --patch-file containing the contents of the patch");
    if (str_empty(o->field_manager))
        return cmd_usage(c, err, "--field-manager must not be empty");
    return 0;
}

static int run_patch(struct cmd_ctx *c, struct err **err)
{
    const struct patch_options *o = c->options;
    _cleanup_results_ struct cli_results results = {.dry_run = (enum cli_dry_run)o->dry_run};
    struct cli_target_options how = {.verb = "patch", .need_names = true};
    _cleanup_manifests_ struct manifests files = {0};
    _cleanup_targets_ struct cli_targets targets = {0};
    _cleanup_free_ char *body = NULL;
    int r = cli_results_format(&results, c, &o->output, false, err);

    if (r == 0)
        r = check_options(c, o, err);
    if (r == 0)
        r = read_patch(o, &body, err);
    if (r < 0)
        return r;
    r = manifest_from_any(&o->from) ? manifest_targets_from(c, &o->from, &files, &targets, err)
                                    : cli_targets_parse(c, &how, &targets, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < targets.len; i++) {
        struct err *e = NULL;
        if (patch_one(c, o, &targets.items[i], body, &results, &e) < 0 && !cmd_report_one(c, &e))
            break;
    }
    cli_results_finish(&results);
    return 0;
}

const struct cmd_entry cmd_patch = {
    .name = "patch",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Change some fields of objects",
    .help = "Change some fields of objects.\n\n"
            "--type=merge: an object with the fields to change (null removes one, lists are replaced). "
            "--type=json: a list of operations (RFC 6902). --type=strategic, the default as with kubectl: "
            "merges lists by key, and is refused by the server for custom resources such as WasmActors.\n\n"
            "Only the server can tell what a patch does: --dry-run=client asks it too, and keeps nothing.",
    .usage = "(-f FILE | KIND NAME... | KIND/NAME...) (-p PATCH | --patch-file FILE) [options]",
    .examples =
        "# Another image\n%P patch wa hello --type=merge -p "
        "'{\"spec\":{\"image\":\"ghcr.io/example/hello:2\"}}'\n"
        "# The same as YAML\n%P patch wa/hello --type=merge -p 'spec: {image: ghcr.io/example/hello:2}'\n"
        "# One operation, only if the test holds\n%P patch wa hello --type=json "
        "-p '[{\"op\":\"test\",\"path\":\"/spec/replicas\",\"value\":1},"
        "{\"op\":\"replace\",\"path\":\"/spec/replicas\",\"value\":2}]'",
    .opts = patch_opts,
    .options_size = sizeof(struct patch_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_patch,
};
