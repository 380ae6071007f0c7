#include "cli/pairs.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/target.h"

/* How often a change is tried again because the object changed between reading and writing. */
enum { MAX_TRIES = 5, MAX_LABEL_VALUE = 63 };

#define O(member) offsetof(struct pairs_options, member)

const struct cmd_opt pairs_opts[] = {
    {"all", 0, OPT_FLAG, O(all), NULL, NULL, "Every object of the kind in the namespace"},
    {"all-namespaces", 'A', OPT_FLAG, O(all_namespaces), NULL, NULL, "In every namespace (with --all or -l)"},
    CLI_OPT_DRY_RUN(O(dry_run)),
    {"field-manager", 0, OPT_STRING, O(field_manager), "NAME", "wasmctl",
     "Name under which the server notes who set a field"},
    {"field-selector", 0, OPT_STRING, O(field_selector), "SELECTOR", NULL, "Only objects whose fields match"},
    MANIFEST_OPTS(O(from)),
    {"list", 0, OPT_FLAG, O(list), NULL, NULL, "Print what the objects carry (after the change, if any)"},
    CLI_OPTS_OUTPUT(O(output)),
    {"overwrite", 0, OPT_FLAG, O(overwrite), NULL, NULL, "Replace values that are set already"},
    {"resource-version", 0, OPT_STRING, O(resource_version), "VERSION", NULL,
     "Only if the object still is of this version; for a single object"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL, "Every object whose labels match"},
    OPT_TABLE_END,
};

struct pairs {
    struct cmd_ctx *c;
    const struct pairs_options *o;
    const struct pairs_words *words;
    cJSON *changes; /* key -> string, or null to remove it */
    struct cli_results results;
    bool several; /* more than one object: --list says which */
};

/* Arguments */

static bool is_pair(const char *word)
{
    return (strchr(word, '=') && word[0] != '=') || (str_ends(word, "-") && !streq(word, "-"));
}

static bool label_value_ok(const char *value)
{
    static const char ends[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t len = strlen(value);

    if (len == 0)
        return true;
    return len <= MAX_LABEL_VALUE && strchr(ends, value[0]) && strchr(ends, value[len - 1]) &&
           strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == len;
}

static int add_pair(struct pairs *p, const char *word, struct err **err)
{
    const char *equals = strchr(word, '=');
    _cleanup_free_ char *key = xstrndup(word, equals ? (size_t)(equals - word) : strlen(word) - 1);
    const cJSON *before = json_get(p->changes, key);

    if (before && cJSON_IsNull(before) != !equals) {
        if (p->words->annotation)
            return err_set(
                err, ERR_INVALID,
                "can not both modify and remove the following annotation(s) in the same command: %s", key);
        return err_set(err, ERR_INVALID, "can not both modify and remove a label in the same command");
    }
    if (!equals) {
        json_put(p->changes, key, cJSON_CreateNull());
        return 0;
    }
    if (!p->words->annotation && strchr(equals + 1, '='))
        return err_set(err, ERR_INVALID, "invalid label spec: %s", word);
    if (!p->words->annotation && !label_value_ok(equals + 1))
        return err_set(
            err, ERR_INVALID,
            "invalid label value: \"%s\": a value is empty or at most %d letters, digits, '-', '_' "
            "and '.', with a letter or digit at both ends",
            word, MAX_LABEL_VALUE);
    json_put_str(p->changes, key, equals + 1);
    return 0;
}

/* Kinds and names come first, then the changes. *ret_kept: how many words are kinds and names. */
static int take_pairs(struct pairs *p, int *ret_kept, struct err **err)
{
    const struct cmd_ctx *c = p->c;
    int kept = 0;

    while (kept < c->argc && !is_pair(c->argv[kept]))
        kept++;
    for (int i = kept; i < c->argc; i++) {
        int r = is_pair(c->argv[i])
                    ? add_pair(p, c->argv[i], err)
                    : err_set(err, ERR_INVALID, "all resources must be specified before %s changes: %s",
                              p->words->noun, c->argv[i]);
        if (r < 0)
            return r;
    }
    *ret_kept = kept;
    return 0;
}

/* One object */

static const cJSON *carried(const struct pairs *p, const cJSON *object)
{
    return json_get(json_get(object, "metadata"), p->words->plural);
}

/* The reason of a change may always be written anew. */
static bool always_free(const struct pairs *p, const char *key)
{
    return p->words->annotation && streq(key, "kubernetes.io/change-cause");
}

static int check_overwrite(const struct pairs *p, const cJSON *object, struct err **err)
{
    _cleanup_buf_ struct buf found = BUF_INIT;
    int n = 0;

    if (p->o->overwrite)
        return 0;
    json_each (change, p->changes) {
        const cJSON *now = json_get(carried(p, object), change->string);
        if (!cJSON_IsString(change) || !cJSON_IsString(now) || always_free(p, change->string) ||
            streq(change->valuestring, now->valuestring))
            continue;
        buf_addf(&found, "%s'%s' already has a value (%s)%s", n ? (p->words->annotation ? "; " : ", ") : "",
                 change->string, now->valuestring, p->words->annotation ? "" : ", and --overwrite is false");
        n++;
    }
    if (n == 0)
        return 0;
    if (p->words->annotation)
        return err_set(err, ERR_CONFLICT,
                       "--overwrite is false but found the following declared annotation(s): %s",
                       buf_str(&found));
    return err_set(err, ERR_CONFLICT, n > 1 ? "[%s]" : "%s", buf_str(&found));
}

static void print_list(const struct pairs *p, const struct kube_resource *r, const cJSON *object)
{
    if (p->several) {
        _cleanup_free_ char *name = str_escape_control(json_str_or(object, "metadata.name", ""), false);
        cmd_out("Listing %s for %s.%s/%s:\n", p->words->plural, r->kind, r->group, name);
    }
    json_each (item, carried(p, object)) {
        _cleanup_free_ char *key = str_escape_control(item->string, false);
        _cleanup_free_ char *value =
            str_escape_control(cJSON_IsString(item) ? item->valuestring : "", p->words->annotation);
        cmd_out("%s%s=%s\n", p->several ? " " : "", key, value);
    }
    cmd_flush();
}

/* "labeled", "unlabeled" or "not labeled": by what became of the labels as JSON, as kubectl decides it. */
static const char *outcome(const struct pairs *p, const cJSON *before, const cJSON *after)
{
    if (p->words->annotation)
        return "annotated";
    if (json_equal(carried(p, before), carried(p, after)))
        return "not labeled";
    _cleanup_free_ char *old_text = json_print(carried(p, before));
    _cleanup_free_ char *new_text = carried(p, after) ? json_print(carried(p, after)) : NULL;
    return !p->o->overwrite && strlen(new_text ? new_text : "") < strlen(old_text) ? "unlabeled" : "labeled";
}

/* The patch; metadata.resourceVersion makes the server refuse it when somebody was faster. */
static cJSON *patch_of(const struct pairs *p, const cJSON *object)
{
    cJSON *patch = cJSON_CreateObject();
    const char *version = p->o->resource_version;

    if (!version && !p->o->overwrite)
        version = json_str(object, "metadata.resourceVersion");
    json_set(patch, "metadata", cJSON_CreateObject());
    json_put(json_get(patch, "metadata"), p->words->plural, cJSON_Duplicate(p->changes, true));
    if (version)
        json_set_str(patch, "metadata.resourceVersion", version);
    return patch;
}

static int send_patch(struct pairs *p, struct cli_request *request, const cJSON *object, cJSON **ret,
                      struct err **err)
{
    _cleanup_json_ cJSON *patch = patch_of(p, object);
    _cleanup_free_ char *body = json_print(patch);
    _cleanup_buf_ struct buf query = BUF_INIT;

    cli_query_add(&query, "fieldManager", p->o->field_manager);
    if (p->o->dry_run == DRY_SERVER)
        cli_query_add(&query, "dryRun", "All");
    request->method = "PATCH";
    request->query = buf_str(&query);
    request->body = body;
    request->content_type = KUBE_MERGE_PATCH;
    return cli_request(p->c, request, ret, err);
}

/* A null for a key that is not there is no change; the server would accept it all the same. */
static void note_absent(const struct pairs *p, const cJSON *object)
{
    json_each (change, p->changes) {
        if (!cJSON_IsNull(change) || json_get(carried(p, object), change->string))
            continue;
        _cleanup_free_ char *key = str_escape_control(change->string, false);
        cmd_out("%s \"%s\" not found.\n", p->words->noun, key);
    }
}

static int try_one(struct pairs *p, const struct cli_target *t, bool first, struct err **err)
{
    _cleanup_json_ cJSON *before = NULL, *after = NULL;
    bool local = p->o->list || p->o->dry_run == DRY_CLIENT;
    bool whole = p->results.format != PRINT_TABLE && p->results.format != PRINT_NAME;
    struct cli_request request = {.resource = t->resource,
                                  .namespace = t->namespace,
                                  .name = t->name,
                                  .accept = whole ? NULL : CLI_AS_METADATA};
    int r = cli_request(p->c, &request, &before, err);

    if (r < 0)
        return r;
    if (!local && first && !p->words->annotation)
        note_absent(p, before);
    r = check_overwrite(p, before, err);
    if (r < 0)
        return r;
    if (local) {
        _cleanup_json_ cJSON *patch = patch_of(p, before);
        after = cJSON_Duplicate(before, true);
        json_merge_patch(&after, patch);
    } else {
        r = send_patch(p, &request, before, &after, err);
        if (r < 0)
            return r;
    }
    if (p->o->list)
        print_list(p, t->resource, after);
    else
        cli_result(&p->results, t->resource, after, outcome(p, before, after));
    return 0;
}

static int change_one(struct pairs *p, const struct cli_target *t, struct err **err)
{
    for (int tries = 1;; tries++) {
        struct err *e = NULL;
        int r = try_one(p, t, tries == 1, &e);
        if (r == 0)
            return 0;
        bool faster = e->http == 409 && !p->o->resource_version && tries < MAX_TRIES;
        if (!faster)
            return err_move(err, e);
        err_free(e);
    }
}

/* The command */

static int check_options(const struct pairs *p, struct err **err)
{
    const struct pairs_options *o = p->o;

    if (o->list && o->output.format)
        return err_set(err, ERR_INVALID, "--list and --output may not be specified together");
    if (o->all && o->selector)
        return err_set(err, ERR_INVALID, "cannot set --all and --selector at the same time");
    if (o->all && o->field_selector)
        return err_set(err, ERR_INVALID, "cannot set --all and --field-selector at the same time");
    if (str_empty(o->field_manager))
        return err_set(err, ERR_INVALID, "--field-manager must not be empty");
    if (manifest_from_any(&o->from) && (p->c->argc || o->all || o->selector || o->field_selector))
        return err_set(err, ERR_INVALID, "-f goes with neither kinds and names nor --all nor a selector");
    if (!manifest_from_any(&o->from) && p->c->argc == 0)
        return cmd_usage(p->c, err,
                         "one or more resources must be specified as <resource> <name> or <resource>/<name>");
    if (!p->changes->child && !o->list)
        return cmd_usage(p->c, err, "at least one %s update is required", p->words->noun);
    return 0;
}

static int find_targets(struct pairs *p, struct manifests *files, struct cli_targets *ret, struct err **err)
{
    const struct pairs_options *o = p->o;
    _cleanup_targets_ struct cli_targets given = {0};
    struct cli_target_options how = {.verb = p->words->verb,
                                     .all_namespaces = o->all_namespaces,
                                     .selector = o->all || o->selector || o->field_selector,
                                     .need_names = true};
    int r;

    if (manifest_from_any(&o->from))
        return manifest_targets_from(p->c, &o->from, files, ret, err);
    r = cli_targets_parse(p->c, &how, &given, err);
    if (r < 0)
        return r;
    return cli_targets_expand(p->c, &given, o->selector, o->field_selector, ret, err);
}

static int run(struct cmd_ctx *c, const struct pairs_words *words, struct err **err)
{
    const struct pairs_options *o = c->options;
    _cleanup_manifests_ struct manifests files = {0};
    _cleanup_targets_ struct cli_targets targets = {0};
    _cleanup_json_ cJSON *changes = cJSON_CreateObject();
    struct pairs p = {.c = c, .o = o, .words = words, .changes = changes};
    int r = cli_results_format(&p.results, c, &o->output, false, err);

    if (r < 0)
        return r;
    p.results.dry_run = (enum cli_dry_run)o->dry_run;
    int kept = 0;
    r = take_pairs(&p, &kept, err);
    if (r < 0)
        return r;
    c->argv[kept] = NULL;
    c->argc = kept;
    r = check_options(&p, err);
    if (r == 0)
        r = find_targets(&p, &files, &targets, err);
    if (r < 0)
        return r;
    if (o->resource_version && targets.len > 1)
        return err_set(err, ERR_INVALID, "--resource-version may only be used with a single resource");
    p.several = targets.len > 1;
    for (size_t i = 0; i < targets.len; i++) {
        struct err *e = NULL;
        if (change_one(&p, &targets.items[i], &e) < 0 && !cmd_report_one(c, &e))
            break;
    }
    cli_results_finish(&p.results);
    return 0;
}

int pairs_run(struct cmd_ctx *c, const struct pairs_words *words, struct err **err)
{
    /* The words belong to all contexts of a run: those of the changes are left out in a copy. */
    _cleanup_free_ char **copy = xmemdup(c->argv, ((size_t)c->argc + 1) * sizeof(*copy));
    char **given = c->argv;
    int ngiven = c->argc;

    c->argv = copy;
    int r = run(c, words, err);
    c->argv = given;
    c->argc = ngiven;
    return r;
}
