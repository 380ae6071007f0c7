#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "kube/discovery.h"
#include "kube/openapi.h"

struct explain_options {
    const char *api_version, *output;
    int64_t max_depth;
    bool recursive;
};

#define O(member) offsetof(struct explain_options, member)

static const struct cmd_opt explain_opts[] = {
    {"api-version", 0, OPT_STRING, O(api_version), "GROUP/VERSION", NULL,
     "Explain this version of the kind instead of the preferred one"},
    {"max-depth", 0, OPT_INT, O(max_depth), "N", "0", "With --recursive: no deeper than this; 0 = no limit",
     .min = INT32_MIN, .max = INT32_MAX},
    {"output", 'o', OPT_STRING, O(output), "plaintext", "plaintext", "The form of the text"},
    {"recursive", 'R', OPT_FLAG, O(recursive), NULL, NULL, "The fields of fields too, one line each"},
    OPT_TABLE_END,
};

static int check_options(struct cmd_ctx *c, struct err **err)
{
    const struct explain_options *o = c->options;

    if (!c->argc)
        return err_set(err, ERR_INVALID,
                       "You must specify the type of resource to explain. Use \"%s api-resources\" for a "
                       "complete list of supported resources.",
                       c->program);
    if (c->argc > 1)
        return err_set(err, ERR_INVALID, "We accept only this format: explain RESOURCE");
    if (o->max_depth > 0 && !o->recursive)
        return err_set(err, ERR_INVALID, "--max-depth requires --recursive");
    if (o->max_depth < 0)
        return err_set(err, ERR_INVALID, "--max-depth must be non-negative");
    if (streq(o->output, "plaintext-openapiv2"))
        return err_set(err, ERR_UNSUPPORTED,
                       "the format plaintext-openapiv2 is not supported: leave --output away");
    if (!streq(o->output, "plaintext"))
        return err_set(err, ERR_INVALID, "unrecognized format: %s", o->output);
    return 0;
}

/* How many of the words are the group's. */
static size_t group_words(const char *group, char *const *words)
{
    _cleanup_strv_ char **parts = strv_split(group, '.', false);
    size_t n = 0;

    for (; parts[n]; n++)
        if (!words[n] || !streq(parts[n], words[n]))
            return 0;
    return n;
}

static int explain(struct cmd_ctx *c, struct kube_client *client, const struct kube_resource *r,
                   char *const *fields, size_t *ret_known, struct err **err)
{
    const struct explain_options *o = c->options;
    _cleanup_free_ char *own = kube_api_version(r), *group = NULL;
    const char *version = str_empty(o->api_version) ? own : o->api_version, *slash = strchr(version, '/');
    _cleanup_json_ cJSON *schemas = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;
    int code = kube_openapi_wait(client, version, &schemas, err);

    if (code < 0) {
        if (code == ERR_NOT_FOUND && streq(version, own) && streq(r->group, "wasmctl.dev")) {
            err_free(*err);
            *err = NULL;
            return err_set(err, ERR_NOT_FOUND,
                           "the server doesn't have a resource type \"%s\"; install the kinds of wasmctl "
                           "first: %s install --crds",
                           r->resource, c->program);
        }
        if (code == ERR_NOT_FOUND)
            err_wrap(err, "couldn't find resource for \"%s, Resource=%s\"", version, r->resource);
        return code;
    }
    group = slash ? xstrndup(version, (size_t)(slash - version)) : xstrdup("");
    struct kube_explain e = {
        .schemas = schemas,
        .group = group,
        .version = slash ? slash + 1 : version,
        .kind = r->kind,
        .fields = fields,
        .recursive = o->recursive,
        .max_depth = (int)o->max_depth,
    };
    code = kube_explain_text(&out, &e, ret_known, err);
    if (code == 0)
        cmd_out_buf(&out);
    return code;
}

/* The first word is the kind; its group may follow, written out: "events.events.k8s.io.note". */
static int run_explain(struct cmd_ctx *c, struct err **err)
{
    const struct kube_resource *r = NULL;
    struct kube_client *client;
    size_t known = 0;
    struct err *e = NULL;
    int code = check_options(c, err);

    if (code < 0)
        return code;
    _cleanup_strv_ char **words = strv_split(c->argv[0], '.', false);
    if (!*words)
        return err_set(err, ERR_INVALID, "\"%s\" names no resource", c->argv[0]);
    code = cmd_client(c, &client, err);
    if (code == 0)
        code = kube_find_resource(client, words[0], &r, err);
    if (code < 0)
        return code;
    char **fields = words + 1 + group_words(r->group, words + 1);
    code = explain(c, client, r, fields, &known, &e);
    if (code != ERR_NOT_FOUND || known || !*fields || fields != words + 1)
        return err_move(err, e);
    /* Another group has a resource of this name. */
    struct buf full = BUF_INIT;
    buf_adds(&full, words[0]);
    for (char **w = fields; *w; w++) {
        const struct kube_resource *other;
        buf_addf(&full, ".%s", *w);
        if (kube_find_resource(client, buf_str(&full), &other, NULL) < 0)
            continue;
        buf_release(&full);
        err_free(e);
        return explain(c, client, other, w + 1, &known, err);
    }
    buf_release(&full);
    return err_move(err, e);
}

const struct cmd_entry cmd_explain = {
    .name = "explain",
    .group = CMD_GROUP_BASIC,
    .brief = "Explain a kind and its fields",
    .help = "Explain a kind and its fields, as the server describes them: KIND[.FIELD[.FIELD]].\n\n"
            "What was read is kept until the server's description changes.",
    .usage = "KIND[.FIELD...] [options]",
    .examples = "# What an actor is made of\n%P explain wasmactor\n"
                "# One field\n%P explain wasmactor.spec.placement.spread\n"
                "# All fields below it, one line each\n%P explain wasmactor.spec --recursive\n"
                "# Another version of a kind\n%P explain hpa --api-version=autoscaling/v1",
    .opts = explain_opts,
    .options_size = sizeof(struct explain_options),
    .max_args = -1,
    .args = CMD_ARGS_KIND,
    .run = run_explain,
};
