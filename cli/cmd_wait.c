#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/await.h"
#include "cli/manifest.h"
#include "cli/progress.h"
#include "cli/result.h"
#include "data/gotext.h"
#include "data/jsonpath.h"
#include "kube/watch.h"

struct wait_options {
    char **files, **conditions;
    const char *selector, *field_selector;
    struct cli_output output;
    bool recursive, all, all_namespaces;
    int64_t timeout_ns;
};

#define O(member) offsetof(struct wait_options, member)

static const struct cmd_opt wait_opts[] = {
    {"all", 0, OPT_FLAG, O(all), NULL, NULL, "Every object of the kind in the namespace"},
    {"all-namespaces", 'A', OPT_FLAG, O(all_namespaces), NULL, NULL, "In every namespace (with --all or -l)"},
    {"field-selector", 0, OPT_STRING, O(field_selector), "SELECTOR", NULL, "Only objects whose fields match"},
    {"filename", 'f', OPT_CSV, O(files), "FILE", NULL,
     "The objects of a file, a folder or standard input (-)"},
    {"for", 0, OPT_LIST, O(conditions), "WHAT", NULL,
     "create, delete, condition=NAME[=VALUE] or jsonpath={.path}[=VALUE]; repeatable: all must hold, in this "
     "order"},
    CLI_OPTS_OUTPUT(O(output)),
    {"recursive", 'R', OPT_FLAG, O(recursive), NULL, NULL, "With -f: also the folders below"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL, "Every object whose labels match"},
    {"timeout", 0, OPT_DURATION, O(timeout_ns), NULL, "30s",
     "How long to wait, for all objects together; 0 = look once, negative = a week", .negative = true},
    OPT_TABLE_END,
};

enum goal_kind { GOAL_CREATE, GOAL_DELETE, GOAL_CONDITION, GOAL_PATH };

struct goal {
    enum goal_kind kind;
    char *name; /* condition type; GOAL_PATH: the path as it was given */
    struct jsonpath *path;
    char *value;     /* NULL: GOAL_PATH with any value */
    char *state;     /* what was seen last, for the message after the timeout */
    struct err *err; /* it can never hold */
    bool keeps;      /* the object is to be printed: keep the one that was looked at last */
    cJSON *last;
    char *uid; /* GOAL_DELETE: of the object that is to go; another one of its name may come */
};

/* For the time of waiting. */
struct look {
    struct goal *goal;
    struct progress *progress;
    const char *target;
};

static void goal_release(struct goal *g)
{
    free(g->name);
    jsonpath_free(g->path);
    free(g->value);
    free(g->state);
    err_free(g->err);
    cJSON_Delete(g->last);
    free(g->uid);
}

/* Splits "PATH=VALUE" at the one '=' that is not part of a "==". */
static int split_path(const char *text, char **ret_path, char **ret_value, struct err **err)
{
    const char *equals = NULL;

    for (const char *p = text; *p; p++) {
        if (p[0] == '=' && p[1] == '=') {
            p++;
        } else if (*p == '=') {
            if (equals)
                return err_set(err, ERR_INVALID,
                               "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or "
                               "--for=jsonpath='{.status.readyReplicas}'");
            equals = p;
        }
    }
    if (equals) {
        size_t from = strspn(equals + 1, "'\""), len = strlen(equals + 1 + from);
        while (len && strchr("'\"", equals[from + len]))
            len--;
        if (!len)
            return err_set(err, ERR_INVALID,
                           "jsonpath wait has to have a value after equal sign, like "
                           "--for=jsonpath='{.status.readyReplicas}'=3");
        *ret_value = xstrndup(equals + 1 + from, len);
    }
    *ret_path = equals ? xstrndup(text, (size_t)(equals - text)) : xstrdup(text);
    return 0;
}

static int parse_path_goal(const char *text, struct goal *g, struct err **err)
{
    int r = split_path(text, &g->name, &g->value, err);

    if (r < 0)
        return r;
    g->kind = GOAL_PATH;
    if (!*g->name)
        return err_set(err, ERR_INVALID, "jsonpath expression cannot be empty");
    return jsonpath_parse_relaxed(g->name, &g->path, err);
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
        return parse_path_goal(text + strlen("jsonpath="), g, err);
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

/* Blanks at both ends do not count. */
static bool same_text(const char *a, const char *b)
{
    a += strspn(a, " \t\r\n");
    b += strspn(b, " \t\r\n");
    size_t n = strlen(a), m = strlen(b);
    while (n && strchr(" \t\r\n", a[n - 1]))
        n--;
    while (m && strchr(" \t\r\n", b[m - 1]))
        m--;
    return n == m && memcmp(a, b, n) == 0;
}

/* What is not there yet, an element past the end of its list too, may come. */
static bool check_path(struct goal *g, const cJSON *object)
{
    _cleanup_found_ struct jsonpath_found found = {0};
    _cleanup_err_ struct err *e = NULL;
    _cleanup_buf_ struct buf text = BUF_INIT;

    free(g->state);
    g->state = NULL;
    if (jsonpath_find(g->path, object, &found, &e) < 0) {
        g->state = xstrdup(err_text(e));
        return false;
    }
    if (!found.len) {
        g->state = xasprintf("%s is not set", g->name);
        return false;
    }
    if (found.len > 1) {
        err_set(&g->err, ERR_INVALID, "given jsonpath expression matches more than one value");
        return true;
    }
    if (!g->value)
        return true;
    if (cJSON_IsObject(found.items[0]) || cJSON_IsArray(found.items[0])) {
        err_set(&g->err, ERR_INVALID, "jsonpath leads to a nested object or list which is not supported");
        return true;
    }
    gotext_value(&text, found.items[0]);
    g->state = xasprintf("%s is %s", g->name, buf_str(&text));
    return same_text(buf_str(&text), g->value);
}

static bool check_goal(struct goal *g, const cJSON *object)
{
    if (g->keeps && object) {
        cJSON_Delete(g->last);
        g->last = cJSON_Duplicate(object, true);
    }
    if (g->kind == GOAL_DELETE)
        return !object || (g->uid && !streq(json_str_or(object, "metadata.uid", ""), g->uid));
    if (!object)
        return false;
    if (g->kind == GOAL_CREATE)
        return true;
    return g->kind == GOAL_CONDITION ? check_condition(g, object) : check_path(g, object);
}

static bool look_at_goal(void *arg, const cJSON *object)
{
    struct look *l = arg;
    bool met = check_goal(l->goal, object);

    progress_set(l->progress, "waiting for %s%s%s", l->target, l->goal->state ? ": " : "",
                 l->goal->state ? l->goal->state : "");
    return met;
}

struct waits {
    struct cmd_ctx *c;
    const struct wait_options *o;
    struct goal *goals;
    size_t ngoals;
    int64_t end_ms;
    struct cli_results results;
};

static int not_met(const struct waits *w, const struct goal *g, const char *target, struct err **err)
{
    const char *what =
        w->o->timeout_ns == 0 ? "condition not met for" : "timed out waiting for the condition on";

    return err_set(err, ERR_FAILED, "%s %s%s%s%s", what, target, g->state ? " (" : "",
                   g->state ? g->state : "", g->state ? ")" : "");
}

/* Prints the object as the last goal saw it. */
static void print_met(struct waits *w, const struct cli_target *t)
{
    _cleanup_json_ cJSON *object = TAKE_PTR(w->goals[w->ngoals - 1].last);

    if (!object)
        object = cJSON_CreateObject();
    json_set_str(object, "metadata.name", t->name);
    cli_complete_item(object, t->resource);
    cli_result(&w->results, t->resource, object, "condition met");
}

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
        xstr_replace(&g->uid, now ? json_str(now, "metadata.uid") : NULL);
        if (check_goal(g, now)) {
            if (g->err)
                return err_move(err, TAKE_PTR(g->err));
            continue;
        }
        _cleanup_progress_ struct progress *progress = w->o->timeout_ns ? progress_new(w->c) : NULL;
        struct look look = {.goal = g, .progress = progress, .target = target};
        progress_set(progress, "waiting for %s", target);
        struct cli_await await = {
            .resource = t->resource,
            .namespace = t->namespace,
            .name = t->name,
            .timeout_ms = left > 0 ? left : 0,
            .check = look_at_goal,
            .arg = &look,
        };
        r = w->o->timeout_ns == 0 ? ERR_TIMEOUT : cli_await(w->c, &await, "the condition", &e);
        if (r == 0 && g->err)
            return err_move(err, TAKE_PTR(g->err));
        if (r == 0)
            continue;
        if (r != ERR_TIMEOUT)
            return err_move(err, e);
        err_free(e);
        return not_met(w, g, target, err);
    }
    print_met(w, t);
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
        if (wait_for_one(w, &all.items[i], &e) < 0 && !cmd_report_one(w->c, &e))
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

    if (!o->conditions)
        return cmd_usage(
            c, err,
            "say what to wait for: --for=condition=Ready, --for=delete, --for=create or --for=jsonpath=...");
    int r = cli_results_format(&w.results, c, &o->output, false, err);
    if (r < 0)
        return r;
    w.goals = xcalloc(strv_len(o->conditions), sizeof(*w.goals));
    for (char **p = o->conditions; *p && r == 0; p++)
        r = parse_goal(*p, &w.goals[w.ngoals++], err);
    w.end_ms = time_mono_ms() + (timeout < 0 ? week_ms : timeout);
    for (size_t i = 0; i < w.ngoals; i++)
        w.goals[i].keeps = w.results.format != PRINT_TABLE && w.results.format != PRINT_NAME;
    if (r == 0)
        r = wait_for_all(&w, err);
    if (r == 0)
        cli_results_finish(&w.results);
    cli_results_release(&w.results);
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
                "# Until a host serves it (quotes for the shell)\n"
                "%P wait '--for=jsonpath={.status.placements[?(@.host==\"h1\")].state}=Running' wa/hello\n"
                "# Until it is gone\n%P wait --for=delete wasmactor/hello",
    .opts = wait_opts,
    .options_size = sizeof(struct wait_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_wait,
};
