#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/fleet.h"
#include "cli/result.h"
#include "cli/rollout.h"
#include "print/table.h"

/* What changes objects: pause, resume, restart, undo */

struct change_options {
    struct rollout_select select;
    struct cli_output output;
    int dry_run;
    int64_t to_revision;
};
struct change {
    const struct change_options *o;
    struct cli_results results;
};

#define CHANGE_OPTS                                                                                          \
    ROLLOUT_SELECT_OPTS(struct change_options, select),                                                      \
        CLI_OPTS_OUTPUT(offsetof(struct change_options, output))

static const struct cmd_opt change_opts[] = {CHANGE_OPTS, OPT_TABLE_END};

static const struct cmd_opt undo_opts[] = {
    CHANGE_OPTS,
    CLI_OPT_DRY_RUN(offsetof(struct change_options, dry_run)),
    {"to-revision", 0, OPT_INT, offsetof(struct change_options, to_revision), "N", "0",
     "The revision to go back to; 0 is the one before the newest", .min = 0, .max = INT64_MAX},
    OPT_TABLE_END,
};

static int run_change(struct cmd_ctx *c, const char *verb, rollout_fn fn, struct err **err)
{
    const struct change_options *o = c->options;
    struct change ch = {.o = o, .results = {.dry_run = (enum cli_dry_run)o->dry_run}};
    int r = cli_results_format(&ch.results, c, &o->output, false, err);

    if (r == 0)
        r = rollout_each(c, verb, &o->select, fn, &ch, err);
    if (r == 0)
        cli_results_finish(&ch.results);
    cli_results_release(&ch.results);
    return r;
}

static bool is_paused(const cJSON *object)
{
    return json_bool(object, "spec.paused", false);
}

/* Sends the patch and prints the outcome. */
static int change(struct cmd_ctx *c, const struct cli_target *t, struct change *ch, const cJSON *patch,
                  const char *verb, struct err **err)
{
    _cleanup_json_ cJSON *answer = NULL;

    int r = rollout_patch(c, t, patch, ch->o->dry_run, &answer, err);
    if (r == 0)
        cli_result(&ch->results, t->resource, answer, verb);
    return r;
}

static int set_paused(struct cmd_ctx *c, const struct cli_target *t, const cJSON *object, struct change *ch,
                      bool paused, struct err **err)
{
    _cleanup_json_ cJSON *patch = cJSON_CreateObject();

    if (is_paused(object) == paused)
        return err_set(err, ERR_CONFLICT, "%s.%s \"%s\" is %s paused", t->resource->resource,
                       t->resource->group, t->name, paused ? "already" : "not");
    json_set_bool(patch, "spec.paused", paused);
    return change(c, t, ch, patch, paused ? "paused" : "resumed", err);
}

static int pause_one(struct cmd_ctx *c, const struct cli_target *t, const cJSON *object, void *arg,
                     struct err **err)
{
    return set_paused(c, t, object, arg, true, err);
}

static int resume_one(struct cmd_ctx *c, const struct cli_target *t, const cJSON *object, void *arg,
                      struct err **err)
{
    return set_paused(c, t, object, arg, false, err);
}

static int restart_one(struct cmd_ctx *c, const struct cli_target *t, const cJSON *object, void *arg,
                       struct err **err)
{
    _cleanup_json_ cJSON *patch = cJSON_CreateObject();
    char stamp[TIME_RFC3339_LEN];

    if (is_paused(object))
        return err_set(err, ERR_CONFLICT,
                       "%s.%s \"%s\" can't restart while paused (run rollout resume first)",
                       t->resource->resource, t->resource->group, t->name);
    json_set_str(patch, "spec.restartedAt", time_rfc3339(time_now_ns(), 0, stamp));
    return change(c, t, arg, patch, "restarted", err);
}

static const struct rollout_revision *find_revision(const struct rollout_history *h, int64_t number)
{
    for (size_t i = 0; i < h->len; i++)
        if (h->items[i].number == number)
            return &h->items[i];
    return NULL;
}

static int choose_revision(const struct cli_target *t, const struct rollout_history *h, int64_t to,
                           const struct rollout_revision **ret, struct err **err)
{
    if (!h->len)
        return err_set(err, ERR_NOT_FOUND, "no rollout history found for %s \"%s\"", t->resource->singular,
                       t->name);
    if (to) {
        *ret = find_revision(h, to);
        return *ret ? 0
                    : err_set(err, ERR_NOT_FOUND, "unable to find specified revision %lld in history",
                              (long long)to);
    }
    if (h->len < 2)
        return err_set(err, ERR_NOT_FOUND,
                       "no rollout history found for %s \"%s\": there is no revision before",
                       t->resource->singular, t->name);
    *ret = &h->items[h->len - 2];
    return 0;
}

static int undo_one(struct cmd_ctx *c, const struct cli_target *t, const cJSON *object, void *arg,
                    struct err **err)
{
    struct change *ch = arg;
    _cleanup_history_ struct rollout_history h = {0};
    const struct rollout_revision *to = NULL;

    if (is_paused(object))
        return err_set(
            err, ERR_CONFLICT,
            "you cannot rollback a paused %s; resume it first with '%s rollout resume %s/%s' and try again",
            t->resource->singular, c->program, t->resource->singular, t->name);
    int r = rollout_history_read(c, t, object, &h, err);
    if (r == 0)
        r = choose_revision(t, &h, ch->o->to_revision, &to, err);
    if (r < 0)
        return r;
    _cleanup_json_ cJSON *patch = rollout_undo_patch(object, to->object);
    if (!patch) {
        _cleanup_free_ char *text = xasprintf(
            "skipped rollback (current template already matches revision %lld)", (long long)to->number);
        cli_result(&ch->results, t->resource, object, text);
        return 0;
    }
    if (ch->o->dry_run == DRY_CLIENT) {
        cli_result(&ch->results, t->resource, object, "rolled back");
        return 0;
    }
    return change(c, t, ch, patch, "rolled back", err);
}

static int run_pause(struct cmd_ctx *c, struct err **err)
{
    return run_change(c, "pause", pause_one, err);
}

static int run_resume(struct cmd_ctx *c, struct err **err)
{
    return run_change(c, "resume", resume_one, err);
}

static int run_restart(struct cmd_ctx *c, struct err **err)
{
    return run_change(c, "restart", restart_one, err);
}

static int run_undo(struct cmd_ctx *c, struct err **err)
{
    return run_change(c, "undo", undo_one, err);
}

/* history */

struct history_options {
    struct rollout_select select;
    const char *output;
    int64_t revision;
    enum print_format format;
};

static const struct cmd_opt history_opts[] = {
    ROLLOUT_SELECT_OPTS(struct history_options, select),
    {"output", 'o', OPT_STRING, offsetof(struct history_options, output), "yaml|json|name", NULL,
     "Print the ControllerRevision of --revision, or all of them"},
    {"revision", 0, OPT_INT, offsetof(struct history_options, revision), "N", "0",
     "Show what this revision holds", .min = 0, .max = INT64_MAX},
    OPT_TABLE_END,
};

static void print_revision_table(struct cmd_ctx *c, const struct rollout_history *h, struct buf *out)
{
    _cleanup_(print_table_freep) struct print_table *table = fleet_table_new(c);

    print_table_cell(table, "REVISION");
    print_table_cell(table, "CHANGE-CAUSE");
    print_table_end_header(table);
    for (size_t i = 0; i < h->len; i++) {
        const cJSON *cause =
            json_get(json_at(h->items[i].object, "metadata.annotations"), "kubernetes.io/change-cause");
        print_table_cellf(table, "%lld", (long long)h->items[i].number);
        print_table_cell(table, cJSON_IsString(cause) ? cause->valuestring : "<none>");
        print_table_end_row(table);
    }
    print_table_flush(table, out, 0);
}

static void print_objects(struct cmd_ctx *c, const struct history_options *o, const struct rollout_history *h,
                          struct buf *out)
{
    _cleanup_json_ cJSON *list = json_object("apiVersion", "v1", "kind", "List", NULL);
    cJSON *items = cJSON_CreateArray();

    json_set(list, "items", items);
    for (size_t i = 0; i < h->len; i++) {
        if (o->revision && h->items[i].number != o->revision)
            continue;
        cJSON *item = cJSON_Duplicate(h->items[i].object, true);
        cli_complete_item(item, kube_builtin_find("controllerrevisions"));
        json_del(item, "metadata.managedFields");
        cJSON_AddItemToArray(items, item);
    }
    if (o->format != PRINT_NAME && fleet_is(c))
        fleet_collect(c, o->format, cJSON_DetachItemViaPointer(list, items));
    else if (o->format == PRINT_NAME)
        json_each (item, items)
            buf_addf(out, "controllerrevision.apps/%s\n", json_str_or(item, "metadata.name", ""));
    else
        print_object(out, o->format, o->revision ? items->child : list);
}

static int history_one(struct cmd_ctx *c, const struct cli_target *t, const cJSON *object, void *arg,
                       struct err **err)
{
    const struct history_options *o = arg;
    _cleanup_history_ struct rollout_history h = {0};
    _cleanup_buf_ struct buf out = BUF_INIT;

    int r = rollout_history_read(c, t, object, &h, err);
    if (r < 0)
        return r;
    if (!h.len)
        return err_set(err, ERR_NOT_FOUND, "no rollout history found for %s \"%s\"", t->resource->singular,
                       t->name);
    const struct rollout_revision *one = o->revision ? find_revision(&h, o->revision) : NULL;
    if (o->revision && !one)
        return err_set(err, ERR_NOT_FOUND, "unable to find the specified revision");
    if (o->format != PRINT_TABLE) {
        print_objects(c, o, &h, &out);
    } else if (one) {
        _cleanup_json_ cJSON *spec = cJSON_Duplicate(json_at(one->object, "data.spec"), true);
        _cleanup_buf_ struct buf text = BUF_INIT;
        print_object(&text, PRINT_YAML, spec);
        _cleanup_strv_ char **lines = strv_split(buf_str(&text), '\n', false);
        buf_addf(&out, "%s.%s/%s with revision #%lld\nSpec:\n", t->resource->singular, t->resource->group,
                 t->name, (long long)one->number);
        for (char **line = lines; *line; line++)
            buf_addf(&out, "  %s\n", *line);
        buf_addc(&out, '\n');
    } else {
        buf_addf(&out, "%s.%s/%s \n", t->resource->singular, t->resource->group, t->name);
        print_revision_table(c, &h, &out);
        buf_addc(&out, '\n');
    }
    cmd_out_buf(&out);
    return 0;
}

static int run_history(struct cmd_ctx *c, struct err **err)
{
    struct history_options *o = c->options;
    int r = print_format_parse(o->output, &o->format, err);

    return r < 0 ? r : rollout_each(c, "history", &o->select, history_one, o, err);
}

/* The commands */

#define OBJECTS "(KIND NAME... | KIND/NAME... | KIND -l SELECTOR | -f FILE) [options]"

static const struct cmd_entry cmd_rollout_history = {
    .name = "history",
    .brief = "Show the revisions of an actor or provider",
    .help =
        "Show the revisions of an actor or provider. The annotation kubernetes.io/change-cause of the object "
        "is shown with the revision it was set with. Configuration from ConfigMaps and Secrets is shown by "
        "reference only.",
    .usage = OBJECTS,
    .examples =
        "%P rollout history wasmactor/hello\n# What revision 3 holds\n%P rollout history wasmactor/hello "
        "--revision=3",
    .opts = history_opts,
    .options_size = sizeof(struct history_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_history,
};

static const struct cmd_entry cmd_rollout_undo = {
    .name = "undo",
    .brief = "Go back to an earlier revision",
    .help = "Go back to an earlier revision: image, configuration, capabilities, limits and concurrency "
            "become what "
            "they were. Contents of ConfigMaps and Secrets are not kept: they are taken as they are now.",
    .usage = OBJECTS,
    .examples = "%P rollout undo wasmactor/hello\n%P rollout undo wasmactor/hello --to-revision=3",
    .opts = undo_opts,
    .options_size = sizeof(struct change_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_undo,
};

static const struct cmd_entry cmd_rollout_pause = {
    .name = "pause",
    .brief = "Hold new revisions back",
    .usage = OBJECTS,
    .examples = "%P rollout pause wasmactor/hello",
    .opts = change_opts,
    .options_size = sizeof(struct change_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_pause,
};

static const struct cmd_entry cmd_rollout_resume = {
    .name = "resume",
    .brief = "Roll out what was held back",
    .usage = OBJECTS,
    .examples = "%P rollout resume wasmactor/hello",
    .opts = change_opts,
    .options_size = sizeof(struct change_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_resume,
};

static const struct cmd_entry cmd_rollout_restart = {
    .name = "restart",
    .brief = "Restart every replica, within maxUnavailable and maxSurge",
    .usage = OBJECTS,
    .examples = "%P rollout restart wasmactor/hello\n%P rollout restart wasmactors -l app=shop",
    .opts = change_opts,
    .options_size = sizeof(struct change_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_restart,
};

static const struct cmd_entry *const subs[] = {
    &cmd_rollout_history,
    &cmd_rollout_pause,
    &cmd_rollout_restart,
    &cmd_rollout_resume,
    &cmd_rollout_status,
    &cmd_rollout_undo,
    NULL,
};

const struct cmd_entry cmd_rollout = {
    .name = "rollout",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Follow, hold, undo and repeat the rollout of actors and providers",
    .subs = subs,
};
