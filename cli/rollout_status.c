#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/await.h"
#include "cli/progress.h"
#include "cli/rollout.h"

struct status_options {
    struct rollout_select select;
    bool watch;
    int64_t timeout_ns, revision;
};

static const struct cmd_opt status_opts[] = {
    ROLLOUT_SELECT_OPTS(struct status_options, select),
    {"revision", 0, OPT_INT, offsetof(struct status_options, revision), "N", "0",
     "Fail when another revision than this one is the newest", .min = 0, .max = INT64_MAX},
    {"timeout", 0, OPT_DURATION, offsetof(struct status_options, timeout_ns), NULL, "0",
     "How long to wait, for all objects together; 0 = for ever"},
    {"watch", 'w', OPT_FLAG, offsetof(struct status_options, watch), NULL, "true",
     "Wait until the rollout is complete"},
    OPT_TABLE_END,
};

/* The rollout of one object, as far as it was told. */
struct progress {
    const struct cli_target *t;
    char *line, *trouble; /* told last */
    bool gone, done;
};

static const cJSON *find_condition(const cJSON *object, const char *type)
{
    json_each (c, json_at(object, "status.conditions"))
        if (streq(json_str_or(c, "type", ""), type))
            return c;
    return NULL;
}

static bool condition_is(const cJSON *condition, const char *status, const char *reason)
{
    return streq(json_str_or(condition, "status", ""), status) &&
           (!reason || streq(json_str_or(condition, "reason", ""), reason));
}

static bool is_observed(const cJSON *object)
{
    return json_int(object, "status.observedGeneration", 0) >= json_int(object, "metadata.generation", 0);
}

static bool is_complete(const cJSON *object)
{
    return is_observed(object) && condition_is(find_condition(object, "Progressing"), "False", "Complete");
}

/* In kubectl's words; caller frees. */
static char *describe(const struct cli_target *t, const cJSON *object)
{
    const char *kind = t->resource->singular;
    int64_t desired = json_int(object, "spec.replicas", 1),
            updated = json_int(object, "status.updatedReplicas", 0);
    int64_t replicas = json_int(object, "status.replicas", 0),
            ready = json_int(object, "status.readyReplicas", 0);

    if (!is_observed(object))
        return xasprintf("Waiting for %s spec update to be observed...", kind);
    if (is_complete(object))
        return xasprintf("%s \"%s\" successfully rolled out", kind, t->name);
    if (streq(json_str_or(object, "spec.placement.mode", ""), "Daemon"))
        desired = replicas;
    if (updated < desired)
        return xasprintf("Waiting for %s \"%s\" rollout to finish: %lld out of %lld new replicas have been "
                         "updated...",
                         kind, t->name, (long long)updated, (long long)desired);
    if (replicas > desired)
        return xasprintf(
            "Waiting for %s \"%s\" rollout to finish: %lld old replicas are pending termination...", kind,
            t->name, (long long)(replicas - desired));
    if (ready < desired)
        return xasprintf(
            "Waiting for %s \"%s\" rollout to finish: %lld of %lld updated replicas are available...", kind,
            t->name, (long long)ready, (long long)desired);
    return xasprintf("Waiting for %s \"%s\" rollout to finish: %s...", kind, t->name,
                     json_str_or(find_condition(object, "Ready"), "message", "its status is being written"));
}

/* Why it does not go on, NULL if it does; caller frees. */
static char *find_trouble(const cJSON *object)
{
    static const char *const passing[] = {"Starting",       "Linking",       "Updating",          "Ready",
                                          "LatticeSyncing", "ConfigPending", "CapabilityNotReady"};
    const cJSON *progressing = find_condition(object, "Progressing"),
                *ready = find_condition(object, "Ready");

    if (!is_observed(object) || is_complete(object))
        return NULL;
    if (condition_is(progressing, "False", "Paused"))
        return xstrdup("it is paused: resume it with `rollout resume`");
    const char *reason = json_str_or(ready, "reason", "");
    if (!ready || condition_is(ready, "True", NULL))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(passing); i++)
        if (streq(reason, passing[i]))
            return NULL;
    return xasprintf("%s: %s", reason, json_str_or(ready, "message", ""));
}

static bool look(void *arg, const cJSON *object)
{
    struct progress *p = arg;

    if (!object) {
        p->gone = true;
        return true;
    }
    _cleanup_free_ char *line = describe(p->t, object), *trouble = find_trouble(object);
    if (!streq_null(line, p->line)) {
        cmd_out("%s\n", line);
        cmd_flush();
        xstr_replace(&p->line, line);
    }
    if (trouble && !streq_null(trouble, p->trouble))
        cmd_note("%s", trouble);
    xstr_replace(&p->trouble, trouble);
    p->done = is_complete(object);
    return p->done;
}

static int check_revision(struct cmd_ctx *c, const struct cli_target *t, const cJSON *object, int64_t wanted,
                          struct err **err)
{
    _cleanup_history_ struct rollout_history h = {0};

    if (!wanted)
        return 0;
    int r = rollout_history_read(c, t, object, &h, err);
    if (r < 0)
        return r;
    int64_t newest = h.len ? h.items[h.len - 1].number : 0;
    return newest == wanted ? 0
                            : err_set(err, ERR_CONFLICT,
                                      "desired revision (%lld) is different from the running revision (%lld)",
                                      (long long)wanted, (long long)newest);
}

struct status_run {
    const struct status_options *o;
    int64_t end_ms; /* 0 = none */
};

static int status_one(struct cmd_ctx *c, const struct cli_target *t, const cJSON *object, void *arg,
                      struct err **err)
{
    const struct status_run *run = arg;
    struct progress p = {.t = t};
    int64_t left = run->end_ms ? run->end_ms - time_mono_ms() : -1;
    struct cli_await await = {
        .resource = t->resource,
        .namespace = t->namespace,
        .name = t->name,
        .timeout_ms = run->end_ms && left < 0 ? 0 : left,
        .check = look,
        .arg = &p,
    };

    int r = check_revision(c, t, object, run->o->revision, err);
    if (r == 0 && !look(&p, object) && run->o->watch) {
        struct err *e = NULL;
        _cleanup_progress_ struct progress *shown = progress_new(c);
        progress_set(shown, "%s/%s is being rolled out", t->resource->singular, t->name);
        r = cli_await(c, &await, "the condition", &e);
        if (r == ERR_TIMEOUT) {
            err_free(e);
            r = err_set(err, ERR_FAILED, "timed out waiting for the condition%s%s", p.trouble ? ": " : "",
                        p.trouble ? p.trouble : "");
        } else {
            err_move(err, e);
        }
        if (r == 0 && p.gone)
            r = err_set(err, ERR_NOT_FOUND, "object has been deleted");
    }
    free(p.line);
    free(p.trouble);
    return r;
}

static int run_status(struct cmd_ctx *c, struct err **err)
{
    const struct status_options *o = c->options;
    struct status_run run = {.o = o, .end_ms = o->timeout_ns ? time_mono_ms() + o->timeout_ns / 1000000 : 0};

    return rollout_each(c, "status", &o->select, status_one, &run, err);
}

const struct cmd_entry cmd_rollout_status = {
    .name = "status",
    .brief = "Wait for a rollout and tell how far it is",
    .help =
        "Wait for a rollout and tell how far it is. What keeps it from going on is told in the host's own "
        "words, "
        "on standard error. The exit code is 0 when the rollout is complete (or, with --watch=false, in any "
        "case), 1 after the timeout.",
    .usage = "(KIND NAME... | KIND/NAME... | KIND -l SELECTOR | -f FILE) [options]",
    .examples = "%P rollout status wasmactor/hello\n%P rollout status wasmactors -l app=shop --timeout=1m",
    .opts = status_opts,
    .options_size = sizeof(struct status_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_status,
};
