#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/await.h"
#include "cli/manifest.h"
#include "kube/watch.h"

struct wait_options {
    char **files, **conditions;
    const char *selector, *field_selector, *output;
    bool recursive, all, all_namespaces;
    int64_t timeout_ns;
};

#define O(member) offsetof(struct wait_options, member)

static const struct cmd_opt wait_opts[] = {
    {"all", 0, OPT_FLAG, O(all), NULL, NULL, "Every object of the kind in the namespace"},
    {"all-namespaces", 'A', OPT_FLAG, O(all_namespaces), NULL, NULL, "In every namespace (with --all or -l)"},
    {"field-selector", 0, OPT_STRING, O(field_selector), "SELECTOR", NULL, "Only objects whose fields match"},
    {"filename", 'f', OPT_LIST, O(files), "FILE", NULL,
     "The objects of a file, a folder or standard input (-)"},
    {"for", 0, OPT_LIST, O(conditions), "WHAT", NULL,
     "create, delete, condition=NAME[=VALUE] or jsonpath={.path}[=VALUE]; repeatable: all must hold, in this "
     "order"},
    {"output", 'o', OPT_STRING, O(output), "name", NULL, "Print kind/name only"},
    {"recursive", 'R', OPT_FLAG, O(recursive), NULL, NULL, "With -f: also the folders below"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL, "Every object whose labels match"},
    {"timeout", 0, OPT_DURATION, O(timeout_ns), NULL, "30s",
     "How long to wait, for all objects together; 0 = look once, negative = a week", .negative = true},
    OPT_TABLE_END,
};

enum goal_kind { GOAL_CREATE, GOAL_DELETE, GOAL_CONDITION, GOAL_PATH };

struct goal {
    enum goal_kind kind;
    char *name;  /* condition type, or path for json_at() */
    char *value; /* NULL: GOAL_PATH with any value */
    char *state; /* what was seen last, for the message after the timeout */
};

static void goal_release(struct goal *g)
{
    free(g->name);
    free(g->value);
    free(g->state);
}

/* "{.status.placements[0].host}", ".status.x" or "status.x" -> "status.placements[0].host". Filters, ranges
 * and wildcards are refused. */
static int parse_path(const char *text, char **ret, struct err **err)
{
    size_t len = strlen(text);
    const char *start = text;

    if (len >= 2 && text[0] == '{' && text[len - 1] == '}') {
        start++;
        len -= 2;
    }
    if (len && *start == '$') {
        start++;
        len--;
    }
    if (len && *start == '.') {
        start++;
        len--;
    }
    _cleanup_free_ char *path = xstrndup(start, len);
    if (!*path || strpbrk(path, "{}?*@:,'\"\\") || strstr(path, ".."))
        return err_set(
            err, ERR_UNSUPPORTED,
            "--for=jsonpath: \"%s\" is no plain path; only fields and indexes are understood, like "
            "{.status.placements[0].state}",
            text);
    *ret = TAKE_PTR(path);
    return 0;
}

static int parse_goal(const char *text, struct goal *g, struct err **err)
{
    if (strcasecmp(text, "create") == 0) {
        g->kind = GOAL_CREATE;
    } else if (strcasecmp(text, "delete") == 0) {
        g->kind = GOAL_DELETE;
    } else if (str_starts(text, "condition=")) {
        const char *name = text + strlen("condition="), *equals = strchr(name, '=');
        g->kind = GOAL_CONDITION;
        g->name = equals ? xstrndup(name, (size_t)(equals - name)) : xstrdup(name);
        g->value = xstrdup(equals ? equals + 1 : "True");
        if (!*g->name || !*g->value)
            return err_set(err, ERR_INVALID, "unrecognized condition: \"%s\"", text);
    } else if (str_starts(text, "jsonpath=")) {
        const char *path = text + strlen("jsonpath="), *end = *path == '{' ? strchr(path, '}') : NULL;
        const char *equals = strchr(end ? end : path, '=');
        _cleanup_free_ char *raw = equals ? xstrndup(path, (size_t)(equals - path)) : xstrdup(path);
        g->kind = GOAL_PATH;
        g->value = equals ? xstrdup(equals + 1) : NULL;
        return parse_path(raw, &g->name, err);
    } else {
        return err_set(err, ERR_INVALID, "unrecognized condition: \"%s\"", text);
    }
    return 0;
}

/* A controller that has not seen the newest spec speaks of an older one. */
static bool outdated(const cJSON *object, const cJSON *condition)
{
    int64_t generation = json_int(object, "metadata.generation", 0);
    int64_t observed =
        json_int(condition, "observedGeneration", json_int(object, "status.observedGeneration", -1));

    return observed >= 0 && observed < generation;
}

static bool check_condition(struct goal *g, const cJSON *object)
{
    free(g->state);
    g->state = NULL;
    json_each (condition, json_at(object, "status.conditions")) {
        if (strcasecmp(json_str_or(condition, "type", ""), g->name) != 0)
            continue;
        const char *status = json_str_or(condition, "status", "");
        g->state =
            xasprintf("%s is %s: %s: %s", g->name, status, json_str_or(condition, "reason", "no reason"),
                      json_str_or(condition, "message", "no message"));
        return strcasecmp(status, g->value) == 0 && !outdated(object, condition);
    }
    g->state = xasprintf("there is no condition %s yet", g->name);
    return false;
}

static bool check_path(struct goal *g, const cJSON *object)
{
    const cJSON *v = json_at(object, g->name);
    _cleanup_free_ char *text = NULL;

    free(g->state);
    g->state = NULL;
    if (!v) {
        g->state = xasprintf("%s is not set", g->name);
        return false;
    }
    text = cJSON_IsString(v) ? xstrdup(v->valuestring) : json_print(v);
    g->state = xasprintf("%s is %s", g->name, text);
    return !g->value || streq(text, g->value);
}

static bool check_goal(void *arg, const cJSON *object)
{
    struct goal *g = arg;

    if (g->kind == GOAL_DELETE)
        return !object;
    if (!object)
        return false;
    if (g->kind == GOAL_CREATE)
        return true;
    return g->kind == GOAL_CONDITION ? check_condition(g, object) : check_path(g, object);
}

struct waits {
    struct cmd_ctx *c;
    const struct wait_options *o;
    struct goal *goals;
    size_t ngoals;
    int64_t end_ms;
    size_t met;
};

static int wait_for_one(struct waits *w, const struct cli_target *t, struct err **err)
{
    _cleanup_free_ char *target = xasprintf("%s/%s", t->resource->resource, t->name);

    for (size_t i = 0; i < w->ngoals; i++) {
        struct goal *g = &w->goals[i];
        int64_t left = w->end_ms - time_mono_ms();
        struct err *e = NULL;
        _cleanup_json_ cJSON *now = NULL;
        struct cli_request request = {.resource = t->resource, .namespace = t->namespace, .name = t->name};
        int r = cli_request(w->c, &request, &now, &e);
        if (r < 0 && !(e->http == 404 && (g->kind == GOAL_DELETE || g->kind == GOAL_CREATE)))
            return err_move(err, e);
        /* As kubectl: an object that is not there at all gives no line. */
        bool absent = r < 0;
        err_free(e);
        e = NULL;
        if (absent && g->kind == GOAL_DELETE && w->ngoals == 1)
            return 0;
        if (check_goal(g, now))
            continue;
        struct cli_await await = {
            .resource = t->resource,
            .namespace = t->namespace,
            .name = t->name,
            .timeout_ms = left > 0 ? left : 0,
            .check = check_goal,
            .arg = g,
        };
        r = w->o->timeout_ns == 0 ? ERR_TIMEOUT : cli_await(w->c, &await, "the condition", &e);
        if (r == 0)
            continue;
        if (r != ERR_TIMEOUT)
            return err_move(err, e);
        err_free(e);
        if (w->o->timeout_ns == 0)
            return err_set(err, ERR_FAILED, "condition not met for %s%s%s%s", target, g->state ? " (" : "",
                           g->state ? g->state : "", g->state ? ")" : "");
        return err_set(err, ERR_FAILED, "timed out waiting for the condition on %s%s%s%s", target,
                       g->state ? " (" : "", g->state ? g->state : "", g->state ? ")" : "");
    }
    _cleanup_free_ char *kind = kube_resource_display(t->resource);
    cmd_out(w->o->output ? "%s/%s\n" : "%s/%s condition met\n", kind, t->name);
    cmd_flush();
    w->met++;
    return 0;
}

static int wait_for_all(struct waits *w, struct err **err)
{
    const struct wait_options *o = w->o;
    _cleanup_manifests_ struct manifests files = {0};
    _cleanup_targets_ struct cli_targets given = {0}, all = {0};
    struct cli_target_options how = {.verb = "wait",
                                     .all_namespaces = o->all_namespaces,
                                     .selector = o->selector || o->field_selector || o->all};
    int r = o->files ? manifest_targets(w->c, o->files, o->recursive, &files, &given, err)
                     : cli_targets_parse(w->c, &how, &given, err);

    if (r < 0)
        return r;
    if (!how.selector && !given.named && given.len)
        return cmd_usage(w->c, err, "resource(s) were provided, but no name was specified");
    r = cli_targets_expand(w->c, &given, o->selector, o->field_selector, &all, err);
    if (r < 0)
        return r;
    if (all.len == 0 && w->goals[0].kind != GOAL_DELETE && !w->c->failed)
        return err_set(err, ERR_NOT_FOUND, "no matching resources found");
    for (size_t i = 0; i < all.len; i++) {
        struct err *e = NULL;
        if (wait_for_one(w, &all.items[i], &e) == 0)
            continue;
        bool over = cmd_hopeless(e);
        cmd_report(w->c, &e);
        if (over)
            break;
    }
    return 0;
}

static int run_wait(struct cmd_ctx *c, struct err **err)
{
    const int64_t week_ms = INT64_C(7) * 86400 * 1000;
    const struct wait_options *o = c->options;
    struct waits w = {.c = c, .o = o};
    int64_t timeout = o->timeout_ns / 1000000;
    int r = 0;

    if (!o->conditions)
        return cmd_usage(
            c, err,
            "say what to wait for: --for=condition=Ready, --for=delete, --for=create or --for=jsonpath=...");
    if (o->output && !streq(o->output, "name"))
        return err_set(err, ERR_INVALID, "unexpected -o output mode: %s. We only support '-o name'.",
                       o->output);
    w.goals = xcalloc(strv_len(o->conditions), sizeof(*w.goals));
    for (char **p = o->conditions; *p && r == 0; p++)
        r = parse_goal(*p, &w.goals[w.ngoals++], err);
    w.end_ms = time_mono_ms() + (timeout < 0 ? week_ms : timeout);
    if (r == 0)
        r = wait_for_all(&w, err);
    for (size_t i = 0; i < w.ngoals; i++)
        goal_release(&w.goals[i]);
    free(w.goals);
    return r;
}

const struct cmd_entry cmd_wait = {
    .name = "wait",
    .group = CMD_GROUP_WATCH,
    .brief = "Wait until objects are created, deleted, or in a state",
    .help = "Wait until objects are created, deleted, or in a state. After the timeout the exit code is "
            "1 and the message says what was seen last.",
    .usage = "--for=WHAT (KIND NAME... | KIND/NAME... | KIND (-l SELECTOR | --all) | -f FILE) [options]",
    .examples = "# Until the actor serves\n%P wait --for=condition=Ready wasmactor/hello\n"
                "# Until three replicas are ready\n%P wait --for=jsonpath={.status.readyReplicas}=3 wa/hello "
                "--timeout=1m\n"
                "# Until it is gone\n%P wait --for=delete wasmactor/hello",
    .opts = wait_opts,
    .options_size = sizeof(struct wait_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_wait,
};
