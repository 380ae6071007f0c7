#include "base/mem.h"
#include "base/str.h"
#include "cli/manifest.h"
#include "cli/result.h"
#include "cli/target.h"

struct scale_options {
    char **files;
    struct cli_output output;
    bool recursive;
    int64_t replicas, current;
    int dry_run;
};

#define O(member) offsetof(struct scale_options, member)

static const struct cmd_opt scale_opts[] = {
    {"current-replicas", 0, OPT_INT, O(current), "N", "-1", "Only when the object asks for so many now",
     .min = -1, .max = INT32_MAX},
    CLI_OPT_DRY_RUN(O(dry_run)),
    {"filename", 'f', OPT_LIST, O(files), "FILE", NULL,
     "The objects of a file, a folder or standard input (-)"},
    CLI_OPTS_OUTPUT(O(output)),
    {"recursive", 'R', OPT_FLAG, O(recursive), NULL, NULL, "With -f: also the folders below"},
    {"replicas", 0, OPT_INT, O(replicas), "N", NULL, "How many replicas there shall be (required)",
     .max = INT32_MAX},
    OPT_TABLE_END,
};

static int scale_one(struct cmd_ctx *c, const struct scale_options *o, const struct cli_target *t,
                     struct cli_results *results, struct err **err)
{
    _cleanup_json_ cJSON *answer = NULL, *patch = cJSON_CreateObject();
    _cleanup_buf_ struct buf query = BUF_INIT;
    _cleanup_free_ char *body = NULL;
    struct cli_request request = {
        .resource = t->resource, .namespace = t->namespace, .name = t->name, .sub = "scale"};
    int r;

    if (o->current >= 0) {
        _cleanup_json_ cJSON *now = NULL;
        r = cli_request(c, &request, &now, err);
        if (r < 0)
            return r;
        int64_t replicas = json_int(now, "spec.replicas", 0);
        if (replicas != o->current)
            return err_set(err, ERR_CONFLICT, "Expected replicas to be %lld, was %lld", (long long)o->current,
                           (long long)replicas);
        /* Nobody else may have changed it in between. */
        json_set_str(patch, "metadata.resourceVersion", json_str(now, "metadata.resourceVersion"));
    }
    json_set_int(patch, "spec.replicas", o->replicas);
    body = json_print(patch);
    cli_query_add(&query, "fieldManager", "wasmctl");
    if (o->dry_run == DRY_SERVER)
        cli_query_add(&query, "dryRun", "All");
    if (o->dry_run == DRY_CLIENT) {
        r = cli_request(c, &request, &answer, err);
    } else {
        request.method = "PATCH";
        request.query = buf_str(&query);
        request.body = body;
        request.content_type = KUBE_MERGE_PATCH;
        r = cli_request(c, &request, &answer, err);
    }
    if (r == 0)
        cli_result(results, t->resource, answer, "scaled");
    return r;
}

static int run_scale(struct cmd_ctx *c, struct err **err)
{
    const struct scale_options *o = c->options;
    _cleanup_results_ struct cli_results results = {.dry_run = (enum cli_dry_run)o->dry_run};
    struct cli_target_options how = {.verb = "scale", .need_names = true};
    _cleanup_manifests_ struct manifests files = {0};
    _cleanup_targets_ struct cli_targets targets = {0};
    int r = cli_results_format(&results, c, &o->output, false, err);

    if (r < 0)
        return r;
    if (!cmd_given(c, "replicas"))
        return cmd_usage(c, err, "required flag(s) \"replicas\" not set");
    r = o->files ? manifest_targets(c, o->files, o->recursive, &files, &targets, err)
                 : cli_targets_parse(c, &how, &targets, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < targets.len; i++) {
        struct err *e = NULL;
        if (scale_one(c, o, &targets.items[i], &results, &e) < 0)
            cmd_report(c, &e);
    }
    cli_results_finish(&results);
    return 0;
}

const struct cmd_entry cmd_scale = {
    .name = "scale",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Set how many replicas of an actor there shall be",
    .usage = "--replicas=N (KIND NAME... | KIND/NAME... | -f FILE) [options]",
    .examples = "%P scale --replicas=3 wasmactor/hello\n"
                "# Only if there are two now\n%P scale --current-replicas=2 --replicas=3 wasmactor hello",
    .opts = scale_opts,
    .options_size = sizeof(struct scale_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_scale,
};
