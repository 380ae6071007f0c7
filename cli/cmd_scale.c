#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/manifest.h"
#include "cli/result.h"
#include "cli/target.h"

struct scale_options {
    struct manifest_from from;
    struct cli_output output;
    const char *selector, *resource_version;
    bool all;
    int64_t replicas, current, timeout_ns;
    int dry_run;
};

enum { LOOK_MS = 500, MAX_TRIES = 5 };

#define O(member) offsetof(struct scale_options, member)

static const struct cmd_opt scale_opts[] = {
    {"all", 0, OPT_FLAG, O(all), NULL, NULL, "Every object of the kind in the namespace"},
    {"current-replicas", 0, OPT_INT, O(current), "N", "-1", "Only when the object asks for so many now",
     .min = -1, .max = INT32_MAX},
    CLI_OPT_DRY_RUN(O(dry_run)),
    MANIFEST_OPTS(O(from)),
    CLI_OPTS_OUTPUT(O(output)),
    {"replicas", 0, OPT_INT, O(replicas), "N", NULL, "How many replicas there shall be (required)",
     .max = INT32_MAX},
    {"resource-version", 0, OPT_STRING, O(resource_version), "VERSION", NULL,
     "Only if the object still is of this version"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL, "Every object whose labels match"},
    {"timeout", 0, OPT_DURATION, O(timeout_ns), NULL, "0",
     "Wait so long until there are as many as asked for; 0 = do not wait", .negative = true},
    OPT_TABLE_END,
};

static int change_once(struct cmd_ctx *c, const struct scale_options *o, struct cli_request request,
                       cJSON **ret, struct err **err)
{
    _cleanup_json_ cJSON *patch = cJSON_CreateObject();
    _cleanup_buf_ struct buf query = BUF_INIT;
    _cleanup_free_ char *body = NULL;

    if (o->current >= 0 || o->resource_version) {
        _cleanup_json_ cJSON *now = NULL;
        int r = cli_request(c, &request, &now, err);
        if (r < 0)
            return r;
        const char *version = json_str_or(now, "metadata.resourceVersion", "");
        int64_t replicas = json_int(now, "spec.replicas", 0);
        if (o->current >= 0 && replicas != o->current)
            return err_set(err, ERR_CONFLICT, "Expected replicas to be %lld, was %lld", (long long)o->current,
                           (long long)replicas);
        if (o->resource_version && !streq(version, o->resource_version))
            return err_set(err, ERR_CONFLICT, "Expected resource version to be %s, was %s",
                           o->resource_version, version);
        /* Nobody else may have changed it in between. */
        json_set_str(patch, "metadata.resourceVersion", version);
    }
    json_set_int(patch, "spec.replicas", o->replicas);
    body = json_print(patch);
    cli_query_add(&query, "fieldManager", "wasmctl");
    if (o->dry_run == DRY_SERVER)
        cli_query_add(&query, "dryRun", "All");
    if (o->dry_run == DRY_CLIENT)
        return cli_request(c, &request, ret, err);
    request.method = "PATCH";
    request.query = buf_str(&query);
    request.body = body;
    request.content_type = KUBE_MERGE_PATCH;
    return cli_request(c, &request, ret, err);
}

static void on_time(void *arg)
{
    *(bool *)arg = true;
}

/* The operator of the kind writes how many there are; only /scale says where, whatever the kind. */
static int wait_for_replicas(struct cmd_ctx *c, const struct scale_options *o,
                             const struct cli_request *request, struct err **err)
{
    _cleanup_(loop_timer_freep) struct loop_timer *timer = NULL;
    int64_t end = time_mono_ms() + o->timeout_ns / 1000000;
    bool due;

    timer = loop_timer_new(cmd_loop(c), on_time, &due);
    for (;;) {
        _cleanup_json_ cJSON *now = NULL;
        int r = cli_request(c, request, &now, err);
        if (r < 0)
            return r;
        /* Somebody else asks for another number meanwhile: what they want is not waited for. */
        if (json_int(now, "status.replicas", 0) == o->replicas ||
            json_int(now, "spec.replicas", 0) != o->replicas)
            return 0;
        if (time_mono_ms() >= end)
            return err_set(err, ERR_FAILED, "timed out waiting for %s/%s to be scaled",
                           request->resource->resource, request->name);
        due = false;
        loop_timer_start(timer, LOOK_MS);
        if (!loop_wait(cmd_loop(c), &due))
            return err_set(err, ERR_CANCELLED, "cancelled");
    }
}

static int scale_one(struct cmd_ctx *c, const struct scale_options *o, const struct cli_target *t,
                     struct cli_results *results, struct err **err)
{
    _cleanup_json_ cJSON *answer = NULL;
    struct cli_request request = {
        .resource = t->resource, .namespace = t->namespace, .name = t->name, .sub = "scale"};

    for (int tries = 1;; tries++) {
        struct err *e = NULL;
        int r = change_once(c, o, request, &answer, &e);
        if (r == 0)
            break;
        /* Some other field was changed between reading and writing. */
        if (e->http != 409 || o->resource_version || tries == MAX_TRIES)
            return err_move(err, e);
        err_free(e);
    }
    cli_result(results, t->resource, answer, "scaled");
    return o->timeout_ns > 0 && o->dry_run == DRY_NONE ? wait_for_replicas(c, o, &request, err) : 0;
}

static int run_scale(struct cmd_ctx *c, struct err **err)
{
    const struct scale_options *o = c->options;
    _cleanup_results_ struct cli_results results = {.dry_run = (enum cli_dry_run)o->dry_run};
    struct cli_target_options how = {
        .verb = "scale", .need_names = true, .selector = o->all || !str_empty(o->selector)};
    _cleanup_manifests_ struct manifests files = {0};
    _cleanup_targets_ struct cli_targets given = {0}, targets = {0};
    int r = cli_results_format(&results, c, &o->output, false, err);

    if (r < 0)
        return r;
    if (!cmd_given(c, "replicas"))
        return cmd_usage(c, err, "required flag(s) \"replicas\" not set");
    if (manifest_from_any(&o->from) && how.selector)
        return cmd_usage(c, err, "-f goes with neither --all nor a selector");
    r = manifest_from_any(&o->from) ? manifest_targets_from(c, &o->from, &files, &given, err)
                                    : cli_targets_parse(c, &how, &given, err);
    if (r == 0)
        r = cli_targets_expand(c, &given, o->selector, NULL, &targets, err);
    if (r < 0)
        return r;
    if (targets.len == 0 && !c->failed)
        return err_set(err, ERR_NOT_FOUND, "no objects passed to scale");
    for (size_t i = 0; i < targets.len; i++) {
        struct err *e = NULL;
        if (scale_one(c, o, &targets.items[i], &results, &e) < 0 && !cmd_report_one(c, &e))
            break;
    }
    cli_results_finish(&results);
    return 0;
}

const struct cmd_entry cmd_scale = {
    .name = "scale",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Set how many replicas of an actor there shall be",
    .usage = "--replicas=N (KIND NAME... | KIND/NAME... | KIND (-l SELECTOR | --all) | -f FILE) [options]",
    .examples = "%P scale --replicas=3 wasmactor/hello\n"
                "# Only if there are two now\n%P scale --current-replicas=2 --replicas=3 wasmactor hello\n"
                "# All actors of an application, back when they run\n"
                "%P scale --replicas=0 wa -l app=todo --timeout=1m",
    .opts = scale_opts,
    .options_size = sizeof(struct scale_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_scale,
};
