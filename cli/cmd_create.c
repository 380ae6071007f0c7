#include "base/mem.h"
#include "base/str.h"
#include "cli/create_object.h"
#include "cli/manifest.h"
#include "cli/result.h"
#include "cli/target.h"

struct create_options {
    struct manifest_from from;
    struct create_from data;
    struct cli_output output;
    const char *field_manager;
    bool save_config;
    int dry_run, validate;
};

#define O(member) offsetof(struct create_options, member)

static const struct cmd_opt create_opts[] = {
    CLI_OPT_DRY_RUN(O(dry_run)),
    {"field-manager", 0, OPT_STRING, O(field_manager), "NAME", "wasmctl",
     "Name under which the server notes who set a field"},
    MANIFEST_OPTS(O(from)),
    {"from-env-file", 0, OPT_LIST, O(data.env_files), "FILE", NULL,
     "Data of a configmap or secret: the lines KEY=VALUE of a file; repeatable"},
    {"from-file", 0, OPT_LIST, O(data.files), "[KEY=]FILE", NULL,
     "Data of a configmap or secret: a file, or each file of a folder; repeatable"},
    {"from-literal", 0, OPT_LIST, O(data.literals), "KEY=VALUE", NULL,
     "Data of a configmap or secret; repeatable"},
    CLI_OPTS_OUTPUT(O(output)),
    {"save-config", 0, OPT_FLAG, O(save_config), NULL, NULL,
     "Ignored: apply is server-side and needs no annotation"},
    {"type", 0, OPT_STRING, O(data.type), "TYPE", NULL, "Type of a secret"},
    CLI_OPT_VALIDATE(O(validate)),
    OPT_TABLE_END,
};

static int create_one(struct cmd_ctx *c, const struct create_options *o, const struct manifests *set,
                      struct manifest *m, struct cli_results *results, struct err **err)
{
    _cleanup_json_ cJSON *answer = NULL;
    _cleanup_free_ char *body = NULL;
    _cleanup_buf_ struct buf query = BUF_INIT;
    int r = manifest_resolve(c, set, m, err);

    if (r < 0)
        return r;
    if (!*manifest_name(m) && !json_str(m->object, "metadata.generateName"))
        return err_set(err, ERR_INVALID, "%s:%u: the %s has neither metadata.name nor metadata.generateName",
                       m->source, m->line, m->resource->kind);
    if (o->dry_run == DRY_CLIENT) {
        cli_result(results, m->resource, m->object, "created");
        return 0;
    }
    cli_query_add(&query, "fieldManager", o->field_manager);
    cli_write_query(&query, (enum cli_dry_run)o->dry_run, o->validate);
    body = json_print(m->object);
    struct cli_request request = {
        .method = "POST",
        .resource = m->resource,
        .namespace = manifest_namespace(m),
        .query = buf_str(&query),
        .body = body,
    };
    r = cli_request(c, &request, &answer, err);
    if (r == 0)
        cli_result(results, m->resource, answer, "created");
    else if (err && !c->argc && (*err)->http && !streq((*err)->reason ? (*err)->reason : "", "Invalid"))
        err_wrap(err, "error when creating \"%s\"", m->source);
    return r;
}

/* From manifests, or the one object that the words describe. */
static int load(struct cmd_ctx *c, const struct create_options *o, struct manifests *set, struct err **err)
{
    bool data = o->data.literals || o->data.files || o->data.env_files || o->data.type;
    cJSON *object = NULL;

    if (c->argc && manifest_from_any(&o->from))
        return cmd_usage(c, err, "unexpected arguments beside -f: %s", c->argv[0]);
    if (!c->argc && data)
        return cmd_usage(c, err, "--from-... and --type go with configmap NAME and secret generic NAME");
    if (!c->argc)
        return manifests_load_from(c, &o->from, set, err);
    int r = create_object(c, c->argc, c->argv, &o->data, &object, err);
    if (r < 0)
        return r;
    set->items = xcalloc(1, sizeof(*set->items));
    set->items[set->len++] = (struct manifest){.object = object, .source = xstrdup("the command line")};
    return 0;
}

static int run_create(struct cmd_ctx *c, struct err **err)
{
    const struct create_options *o = c->options;
    _cleanup_results_ struct cli_results results = {.dry_run = (enum cli_dry_run)o->dry_run};
    _cleanup_manifests_ struct manifests set = {0};
    int r = cli_results_format(&results, c, &o->output, false, err);

    if (r < 0)
        return r;
    r = load(c, o, &set, err);
    if (r < 0)
        return r;
    if (set.len == 0 && !c->failed)
        return err_set(err, ERR_INVALID, "no objects passed to create");
    if (o->save_config)
        cmd_note(
            "Warning: --save-config is ignored: apply is server-side, the server itself notes who set which "
            "field");
    for (size_t i = 0; i < set.len; i++) {
        struct err *e = NULL;
        if (create_one(c, o, &set, &set.items[i], &results, &e) < 0 && !cmd_report_one(c, &e))
            break;
    }
    cli_results_finish(&results);
    return 0;
}

const struct cmd_entry cmd_create = {
    .name = "create",
    .group = CMD_GROUP_BASIC,
    .brief = "Create the objects of manifests; an error if one exists",
    .usage = "(-f FILE... | -k DIR | namespace NAME | configmap NAME | secret generic NAME) [options]",
    .examples = "# Create what a file describes\n%P create -f hello.yaml\n"
                "# From a program\ncat hello.yaml | %P create -f -\n"
                "# Without a manifest\n%P create namespace shop\n"
                "%P create configmap settings --from-literal=mode=fast --from-file=rules.json\n"
                "%P create secret generic login --from-literal=password=s3cret\n"
                "# Only print what would be created\n"
                "%P create configmap settings --from-literal=mode=fast --dry-run=client -o yaml",
    .opts = create_opts,
    .options_size = sizeof(struct create_options),
    .max_args = -1,
    .flags = CMD_FLEET,
    .run = run_create,
};
