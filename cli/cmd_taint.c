#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/hosts.h"
#include "cli/result.h"

/* How often a change is tried again because the object changed between reading and writing. */
enum { MAX_TRIES = 5 };

struct taint_options {
    struct cli_output output;
    const char *selector, *field_manager;
    bool all, overwrite;
    int dry_run, validate;
};

#define O(member) offsetof(struct taint_options, member)

static const struct cmd_opt taint_opts[] = {
    {"all", 0, OPT_FLAG, O(all), NULL, NULL, "All hosts"},
    CLI_OPT_DRY_RUN(O(dry_run)),
    {"field-manager", 0, OPT_STRING, O(field_manager), "NAME", "wasmctl",
     "Name under which the server notes who set a field"},
    CLI_OPTS_OUTPUT(O(output)),
    {"overwrite", 0, OPT_FLAG, O(overwrite), NULL, NULL, "Replace taints of the same key and effect"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL, "Every host whose labels match"},
    CLI_OPT_VALIDATE(O(validate)),
    OPT_TABLE_END,
};

static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute", NULL};

struct tainting {
    struct cmd_ctx *c;
    const struct taint_options *o;
    const struct kube_resource *kind;
    cJSON *add, *remove; /* arrays of {key, value, effect}; remove: without value, effect may be absent */
    struct cli_results results;
};

/* Arguments */

static bool is_taint(const char *word)
{
    return strchr(word, '=') || strchr(word, ':') || str_ends(word, "-");
}

static bool same(const cJSON *a, const cJSON *b)
{
    return streq(json_str_or(a, "key", ""), json_str_or(b, "key", "")) &&
           streq(json_str_or(a, "effect", ""), json_str_or(b, "effect", ""));
}

static const cJSON *find(const cJSON *list, const cJSON *taint)
{
    json_each (item, list)
        if (same(item, taint))
            return item;
    return NULL;
}

/* KEY- means every effect. */
static bool clashes(const cJSON *list, const cJSON *taint)
{
    json_each (item, list) {
        const char *a = json_str(item, "effect"), *b = json_str(taint, "effect");
        if (streq(json_str_or(item, "key", ""), json_str_or(taint, "key", "")) && (!a || !b || streq(a, b)))
            return true;
    }
    return false;
}

/* KEY[=VALUE][:EFFECT]; the server checks key and value more closely. */
static int parse_taint(const char *word, size_t len, cJSON **ret, struct err **err)
{
    _cleanup_free_ char *text = xstrndup(word, len);
    char *effect = strchr(text, ':'), *value;

    if (effect)
        *effect++ = '\0';
    value = strchr(text, '=');
    if (value)
        *value++ = '\0';
    if (!*text || (effect && strchr(effect, ':')) || (value && strchr(value, '=')) || (value && !effect))
        return err_set(err, ERR_INVALID, "invalid taint spec: %s (KEY=VALUE:EFFECT, KEY:EFFECT-, KEY-)",
                       word);
    if (effect && !strv_has((char *const *)effects, effect))
        return err_set(
            err, ERR_INVALID,
            "invalid taint effect: %s, unsupported taint effect (NoSchedule, PreferNoSchedule, NoExecute)",
            effect);
    *ret = json_object("key", text, "value", value && *value ? value : NULL, "effect", effect, NULL);
    return 0;
}

static int add_taint(struct tainting *t, const char *word, struct err **err)
{
    _cleanup_json_ cJSON *taint = NULL;
    bool removed = str_ends(word, "-");
    int r = parse_taint(word, strlen(word) - removed, &taint, err);

    if (r < 0)
        return r;
    if (!removed && !json_str(taint, "effect"))
        return err_set(err, ERR_INVALID, "invalid taint spec: %s (it needs an effect: KEY=VALUE:NoSchedule)",
                       word);
    if (!removed && find(t->add, taint))
        return err_set(err, ERR_INVALID, "duplicated taints with the same key and effect: %s", word);
    if (clashes(removed ? t->add : t->remove, taint))
        return err_set(err, ERR_INVALID,
                       "can not both modify and remove the following taint(s) in the same command: %s", word);
    cJSON_AddItemToArray(removed ? t->remove : t->add, TAKE_PTR(taint));
    return 0;
}

static int parse_args(struct tainting *t, char ***ret_names, struct err **err)
{
    struct cmd_ctx *c = t->c;
    bool met = false;

    for (int i = 0; i < c->argc; i++) {
        const char *word = c->argv[i];
        if (is_taint(word)) {
            met = true;
            int r = add_taint(t, word, err);
            if (r < 0)
                return r;
        } else if (met) {
            return err_set(err, ERR_INVALID, "all resources must be specified before taint changes: %s",
                           word);
        } else {
            strv_push(ret_names, word);
        }
    }
    if (strv_len(*ret_names) < 1)
        return cmd_usage(c, err, "one or more resources must be specified as <resource> <name>");
    if (!met)
        return cmd_usage(c, err, "at least one taint update is required");
    return 0;
}

/* *names: the kind, then names. */
static int find_targets(struct tainting *t, char *const *names, struct cli_targets *ret, struct err **err)
{
    bool selected = t->o->all || !str_empty(t->o->selector);
    _cleanup_hosts_ struct cli_hosts hosts = {0};

    if (t->o->all && !str_empty(t->o->selector))
        return cmd_usage(t->c, err, "cannot set --all and --selector at the same time");
    t->kind = kube_builtin_find(names[0]);
    bool is_host = t->kind && streq(t->kind->kind, "LatticeHost");
    if (!is_host && (!t->kind || !streq(t->kind->kind, "Node") || *t->kind->group))
        return cmd_usage(t->c, err, "invalid resource type %s: only latticehosts and nodes have taints",
                         names[0]);
    if (selected && names[1])
        return cmd_usage(t->c, err, "names cannot be given together with --all or a selector");
    if (!selected && !names[1])
        return cmd_usage(t->c, err,
                         "at least one resource name must be specified since 'all' parameter is not set");
    if (is_host && !selected) {
        int r = cli_hosts_find(t->c, names + 1, NULL, &hosts, err);
        for (size_t i = 0; r == 0 && i < hosts.len; i++)
            cli_targets_add(ret, t->kind, NULL, cli_host_name(hosts.items[i]));
        return r;
    }
    for (char *const *name = names + 1; *name; name++)
        cli_targets_add(ret, t->kind, NULL, *name);
    if (!selected)
        return 0;
    struct cli_targets all = {.items = &(struct cli_target){.resource = t->kind}, .len = 1};
    return cli_targets_expand(t->c, &all, t->o->selector, NULL, ret, err);
}

/* One host */

/* Drops what the taint names; a taint without effect names all of its key. Whether there was any. */
static bool drop(cJSON *list, const cJSON *taint)
{
    bool any = false;

    for (cJSON *item = list->child, *next; item; item = next) {
        next = item->next;
        bool fits = json_str(taint, "effect")
                        ? same(item, taint)
                        : streq(json_str_or(item, "key", ""), json_str_or(taint, "key", ""));
        if (fits)
            cJSON_Delete(cJSON_DetachItemViaPointer(list, item));
        any = any || fits;
    }
    return any;
}

/* The taints as they shall be, and what is said of the change. */
static int reorganize(const struct tainting *t, const cJSON *object, cJSON **ret, const char **ret_verb,
                      struct err **err)
{
    _cleanup_json_ cJSON *list = cJSON_Duplicate(t->add, true);
    _cleanup_buf_ struct buf there = BUF_INIT;
    const cJSON *old = json_at(object, "spec.taints");
    int before = old ? cJSON_GetArraySize(old) : 0;
    bool removed = false;

    json_each (taint, t->add)
        if (find(old, taint))
            buf_addf(&there, "%s%s", there.len ? "," : "", json_str_or(taint, "key", ""));
    if (there.len && !t->o->overwrite)
        return err_set(err, ERR_CONFLICT,
                       "%s %s already has %s taint(s) with same effect(s) and --overwrite is false",
                       t->kind->singular, json_str_or(object, "metadata.name", ""), buf_str(&there));
    json_each (taint, old)
        if (!find(t->add, taint))
            cJSON_AddItemToArray(list, cJSON_Duplicate(taint, true));
    bool added = cJSON_GetArraySize(list) != before;
    json_each (taint, t->remove) {
        removed = drop(list, taint);
        if (!removed) {
            const char *effect = json_str(taint, "effect");
            return err_set(err, ERR_NOT_FOUND, "taint \"%s%s%s\" not found", json_str_or(taint, "key", ""),
                           effect ? ":" : "", effect ? effect : "");
        }
    }
    *ret_verb = (added && removed) || t->o->overwrite ? "modified" : added ? "tainted" : "untainted";
    *ret = TAKE_PTR(list);
    return 0;
}

static int write_taints(struct tainting *t, struct cli_request *request, const cJSON *object, cJSON *taints,
                        cJSON **ret, struct err **err)
{
    _cleanup_json_ cJSON *patch = cJSON_CreateObject();
    _cleanup_buf_ struct buf query = BUF_INIT;
    _cleanup_free_ char *body = NULL;

    /* A taint that somebody else sets in between must not be lost. */
    json_set_str(patch, "metadata.resourceVersion", json_str(object, "metadata.resourceVersion"));
    json_set(patch, "spec.taints", taints->child ? cJSON_Duplicate(taints, true) : cJSON_CreateNull());
    body = json_print(patch);
    cli_query_add(&query, "fieldManager", t->o->field_manager);
    cli_write_query(&query, (enum cli_dry_run)t->o->dry_run, t->o->validate);
    request->method = "PATCH";
    request->query = buf_str(&query);
    request->body = body;
    request->content_type = KUBE_MERGE_PATCH;
    return cli_request(t->c, request, ret, err);
}

static int try_one(struct tainting *t, const char *name, struct err **err)
{
    _cleanup_json_ cJSON *object = NULL, *taints = NULL, *answer = NULL;
    struct cli_request request = {.resource = t->kind, .name = name};
    const char *verb = NULL;
    int r = cli_request(t->c, &request, &object, err);

    if (r == 0)
        r = reorganize(t, object, &taints, &verb, err);
    if (r < 0)
        return r;
    if (t->o->dry_run == DRY_CLIENT) {
        json_set(object, "spec.taints", TAKE_PTR(taints));
        cli_result(&t->results, t->kind, object, verb);
        return 0;
    }
    r = write_taints(t, &request, object, taints, &answer, err);
    if (r == 0)
        cli_result(&t->results, t->kind, answer, verb);
    return r;
}

static int taint_one(struct tainting *t, const char *name, struct err **err)
{
    for (int tries = 1;; tries++) {
        struct err *e = NULL;
        if (try_one(t, name, &e) == 0)
            return 0;
        if (e->http != 409 || tries == MAX_TRIES)
            return err_move(err, e);
        err_free(e);
    }
}

static void release(struct tainting *t)
{
    cJSON_Delete(t->add);
    cJSON_Delete(t->remove);
}

static int run_taint(struct cmd_ctx *c, struct err **err)
{
    const struct taint_options *o = c->options;
    _cleanup_(release) struct tainting t = {
        .c = c, .o = o, .add = cJSON_CreateArray(), .remove = cJSON_CreateArray()};
    _cleanup_strv_ char **names = strv_new();
    _cleanup_targets_ struct cli_targets targets = {0};
    int r = cli_results_format(&t.results, c, &o->output, false, err);

    t.results.dry_run = (enum cli_dry_run)o->dry_run;
    if (r == 0 && str_empty(o->field_manager))
        return cmd_usage(c, err, "--field-manager must not be empty");
    if (r == 0)
        r = parse_args(&t, &names, err);
    if (r == 0)
        r = find_targets(&t, names, &targets, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < targets.len; i++) {
        struct err *e = NULL;
        if (taint_one(&t, targets.items[i].name, &e) < 0 && !cmd_report_one(c, &e))
            break;
    }
    cli_results_finish(&t.results);
    return 0;
}

const struct cmd_entry cmd_taint = {
    .name = "taint",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Keep actors away from hosts that they do not tolerate",
    .help =
        "Set and remove taints of hosts (LatticeHosts; nodes too).\n\n"
        "Effects: NoSchedule (nothing new is placed there), PreferNoSchedule (only where there is no other "
        "host), "
        "NoExecute (what runs there is moved away too). An actor is placed there all the same when its "
        "placement.tolerations say so.\n\n"
        "A LatticeHost is named by its name, its friendly name, or a part of its name that fits it alone.",
    .usage = "(latticehosts | nodes) (NAME... | -l SELECTOR | --all) KEY[=VALUE]:EFFECT... KEY[:EFFECT]-... "
             "[options]",
    .examples =
        "# Only for what tolerates it\n%P taint latticehost lucky-name-1234 dedicated=video:NoSchedule\n"
        "# All hosts of a cloud, moving away what runs there\n%P taint lh -l cloud=aws leaving:NoExecute\n"
        "# Take it off again, whatever its effect\n%P taint lh --all leaving-",
    .opts = taint_opts,
    .options_size = sizeof(struct taint_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_taint,
};
