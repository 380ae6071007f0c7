#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/manifest.h"
#include "cli/result.h"
#include "cli/target.h"

/* How often a change is tried again because the object changed between reading and writing. */
enum { MAX_TRIES = 5 };

struct set_options {
    struct manifest_from from;
    struct cli_output output;
    const char *selector, *field_manager;
    bool all;
    int dry_run;
};

#define O(member) offsetof(struct set_options, member)

static const struct cmd_opt set_opts[] = {
    {"all", 0, OPT_FLAG, O(all), NULL, NULL, "Every object of the kind in the namespace"},
    CLI_OPT_DRY_RUN(O(dry_run)),
    {"field-manager", 0, OPT_STRING, O(field_manager), "NAME", "wasmctl",
     "Name under which the server notes who set a field"},
    MANIFEST_OPTS(O(from)),
    CLI_OPTS_OUTPUT(O(output)),
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL, "Every object whose labels match"},
    OPT_TABLE_END,
};

/* Where the Pod is in an object of the kind. */
static const struct {
    const char *kind, *pod;
} pods[] = {
    {"Pod", "spec"},
    {"Deployment", "spec.template.spec"},
    {"StatefulSet", "spec.template.spec"},
    {"DaemonSet", "spec.template.spec"},
    {"ReplicaSet", "spec.template.spec"},
    {"Job", "spec.template.spec"},
    {"CronJob", "spec.jobTemplate.spec.template.spec"},
};

struct setting {
    struct cmd_ctx *c;
    const struct set_options *o;
    char **images; /* "IMAGE" or "CONTAINER=IMAGE" */
    struct cli_results results;
};

/* The images of our kinds have one place; "*" stands for it, as for all containers. */
static int set_own(const struct setting *s, const struct kube_resource *r, cJSON *object, struct err **err)
{
    const char *image = s->images[0];

    if (str_starts(image, "*="))
        image += 2;
    if (s->images[1] || strchr(image, '='))
        return err_set(err, ERR_INVALID, "a %s has one image: give it alone (%s set image %s/NAME IMAGE)",
                       r->kind, s->c->program, r->singular);
    json_set_str(object, "spec.image", image);
    return 0;
}

static int set_containers(const struct setting *s, const char *path, cJSON *object, struct err **err)
{
    static const char *const lists[] = {"initContainers", "containers"};
    const cJSON *pod = json_at(object, path);

    for (char *const *pair = s->images; *pair; pair++) {
        const char *equals = strchr(*pair, '=');
        bool found = false;
        if (!equals)
            return err_set(err, ERR_INVALID,
                           "%s: which container? Give CONTAINER=IMAGE, or '*=IMAGE' for all", *pair);
        _cleanup_free_ char *name = xstrndup(*pair, (size_t)(equals - *pair));
        for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
            json_each (container, json_get(pod, lists[i])) {
                if (!streq(name, "*") && !streq(name, json_str_or(container, "name", "")))
                    continue;
                json_set_str(container, "image", equals + 1);
                found = true;
            }
        }
        if (!found)
            return err_set(err, ERR_NOT_FOUND, "unable to find container named \"%s\"", name);
    }
    return 0;
}

static int set_images(const struct setting *s, const struct kube_resource *r, cJSON *object, struct err **err)
{
    if (streq(r->group, "wasmctl.dev") && (streq(r->kind, "WasmActor") || streq(r->kind, "WasmProvider")))
        return set_own(s, r, object, err);
    for (size_t i = 0; i < ARRAY_LEN(pods); i++)
        if (streq(r->kind, pods[i].kind))
            return set_containers(s, pods[i].pod, object, err);
    return err_set(err, ERR_UNSUPPORTED, "%s/%s has no image that could be set", r->resource,
                   json_str_or(object, "metadata.name", ""));
}

static int try_one(struct setting *s, const struct cli_target *t, struct err **err)
{
    _cleanup_json_ cJSON *before = NULL, *after = NULL, *patch = cJSON_CreateObject(), *answer = NULL;
    _cleanup_buf_ struct buf query = BUF_INIT;
    _cleanup_free_ char *body = NULL;
    struct cli_request request = {.resource = t->resource, .namespace = t->namespace, .name = t->name};
    int r = cli_request(s->c, &request, &before, err);

    if (r < 0)
        return r;
    after = cJSON_Duplicate(before, true);
    r = set_images(s, t->resource, after, err);
    if (r < 0 || json_equal(before, after))
        return r;
    if (s->o->dry_run == DRY_CLIENT) {
        cli_result(&s->results, t->resource, after, "image updated");
        return 0;
    }
    json_set_str(patch, "metadata.resourceVersion", json_str(before, "metadata.resourceVersion"));
    json_put(patch, "spec", cJSON_Duplicate(json_get(after, "spec"), true));
    body = json_print(patch);
    cli_query_add(&query, "fieldManager", s->o->field_manager);
    if (s->o->dry_run == DRY_SERVER)
        cli_query_add(&query, "dryRun", "All");
    request.method = "PATCH";
    request.query = buf_str(&query);
    request.body = body;
    request.content_type = KUBE_MERGE_PATCH;
    r = cli_request(s->c, &request, &answer, err);
    if (r == 0)
        cli_result(&s->results, t->resource, answer, "image updated");
    return r;
}

static int set_one(struct setting *s, const struct cli_target *t, struct err **err)
{
    for (int tries = 1;; tries++) {
        struct err *e = NULL;
        if (try_one(s, t, &e) == 0)
            return 0;
        if (e->http != 409 || tries == MAX_TRIES)
            return err_move(err, e);
        err_free(e);
    }
}

static int find_targets(struct setting *s, struct manifests *files, struct cli_targets *ret, struct err **err)
{
    const struct set_options *o = s->o;
    _cleanup_targets_ struct cli_targets given = {0};
    struct cli_target_options how = {
        .verb = "set image", .selector = o->all || !str_empty(o->selector), .need_names = true};
    int r;

    if (o->all && !str_empty(o->selector))
        return cmd_usage(s->c, err, "cannot set --all and --selector at the same time");
    if (manifest_from_any(&o->from))
        return manifest_targets_from(s->c, &o->from, files, ret, err);
    r = cli_targets_parse(s->c, &how, &given, err);
    return r < 0 ? r : cli_targets_expand(s->c, &given, o->selector, NULL, ret, err);
}

/* What is an image: "c=img", or a last word that is one and no name of an object. */
static int split_args(struct setting *s, struct err **err)
{
    struct cmd_ctx *c = s->c;
    int kept = c->argc;

    while (kept > 0 && strchr(c->argv[kept - 1], '='))
        strv_push(&s->images, c->argv[--kept]);
    if (!s->images[0] && kept > 1)
        strv_push(&s->images, c->argv[--kept]);
    else if (!s->images[0] && kept == 1 && manifest_from_any(&s->o->from))
        strv_push(&s->images, c->argv[--kept]);
    if (!s->images[0])
        return cmd_usage(c, err, "at least one image update is required");
    c->argv[kept] = NULL;
    c->argc = kept;
    return 0;
}

static int run(struct setting *s, struct err **err)
{
    _cleanup_manifests_ struct manifests files = {0};
    _cleanup_targets_ struct cli_targets targets = {0};
    int r = split_args(s, err);

    if (r == 0)
        r = find_targets(s, &files, &targets, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < targets.len; i++) {
        struct err *e = NULL;
        if (set_one(s, &targets.items[i], &e) < 0 && !cmd_report_one(s->c, &e))
            break;
    }
    cli_results_finish(&s->results);
    return 0;
}

static int run_set_image(struct cmd_ctx *c, struct err **err)
{
    const struct set_options *o = c->options;
    struct setting s = {.c = c, .o = o, .images = strv_new()};
    /* The words belong to all contexts of a run: the images are left out in a copy. */
    _cleanup_free_ char **copy = xmemdup(c->argv, ((size_t)c->argc + 1) * sizeof(*copy));
    char **given = c->argv;
    int ngiven = c->argc;
    int r = cli_results_format(&s.results, c, &o->output, false, err);

    s.results.dry_run = (enum cli_dry_run)o->dry_run;
    if (r == 0 && str_empty(o->field_manager))
        r = cmd_usage(c, err, "--field-manager must not be empty");
    if (r == 0) {
        c->argv = copy;
        r = run(&s, err);
        c->argv = given;
        c->argc = ngiven;
    }
    strv_free(s.images);
    return r;
}

static const struct cmd_entry cmd_set_image = {
    .name = "image",
    .brief = "Set the image of actors, providers and Pods",
    .help = "Set the image of actors and providers, and of the containers of Pods and of what makes Pods. "
            "Nothing is "
            "printed for an object that has the image already.",
    .usage = "(KIND NAME | KIND/NAME... | KIND (-l SELECTOR | --all) | -f FILE) (IMAGE | CONTAINER=IMAGE...) "
             "[options]",
    .examples = "# Roll out another version\n%P set image wasmactor/hello ghcr.io/example/hello:2\n"
                "# All actors of an application\n%P set image wa -l app=todo ghcr.io/example/todo:7\n"
                "# A container of a Deployment\n%P set image deployment/web nginx=nginx:1.29",
    .opts = set_opts,
    .options_size = sizeof(struct set_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_set_image,
};

static const struct cmd_entry *const subs[] = {&cmd_set_image, NULL};

const struct cmd_entry cmd_set = {
    .name = "set",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Set one field of objects",
    .subs = subs,
};
