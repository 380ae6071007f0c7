#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/auth.h"
#include "cli/cmd.h"
#include "cli/fleet.h"
#include "kube/discovery.h"
#include "print/object.h"
#include "print/table.h"

#define AUTHORIZATION "/apis/authorization.k8s.io/v1"

static int post(struct kube_client *client, const char *path, const cJSON *body, cJSON **ret,
                struct err **err)
{
    _cleanup_free_ char *text = json_print(body);
    struct kube_call call = {.method = "POST", .path = path, .body = text};

    return kube_json_wait(client, &call, ret, err);
}

/* can-i */

struct can_i_options {
    const char *subresource;
    bool all_namespaces, list, no_headers, quiet;
};

#define O(member) offsetof(struct can_i_options, member)

static const struct cmd_opt can_i_opts[] = {
    {"all-namespaces", 'A', OPT_FLAG, O(all_namespaces), NULL, NULL, "Ask about all namespaces"},
    {"list", 0, OPT_FLAG, O(list), NULL, NULL, "List all that is allowed in the namespace"},
    {"no-headers", 0, OPT_FLAG, O(no_headers), NULL, NULL, "With --list: do not print the headers"},
    {"quiet", 'q', OPT_FLAG, O(quiet), NULL, NULL, "Print nothing: the exit code tells"},
    {"subresource", 0, OPT_STRING, O(subresource), "NAME", NULL, "Ask about a subresource, such as scale"},
    OPT_TABLE_END,
};

/* What is asked about. */
struct question {
    char *verb, *group, *resource, *sub, *name, *url;
};

static void question_release(struct question *q)
{
    free(q->verb);
    free(q->group);
    free(q->resource);
    free(q->sub);
    free(q->name);
    free(q->url);
}

static void warn_of_verb(const char *verb, const char *const *known, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (streq(verb, known[i]))
            return;
    cmd_note("Warning: verb '%s' is not a known verb", verb);
}

/* What exists for authorization only. */
static bool is_virtual(const char *word)
{
    return streq(word, "users") || streq(word, "groups");
}

static int find_resource(struct cmd_ctx *c, struct question *q, char *word, struct err **err)
{
    static const char *const verbs[] = {
        "get",  "list",    "watch", "create", "update",      "patch",    "delete", "use", "deletecollection",
        "bind", "approve", "sign",  "attest", "impersonate", "escalate", "*"};
    const struct can_i_options *o = c->options;
    const struct kube_resource *r = NULL;
    struct kube_client *client;
    struct err *e = NULL;
    int code = cmd_client(c, &client, err);

    if (code < 0)
        return code;
    if (!streq(word, "*") && kube_find_resource(client, word, &r, &e) < 0) {
        if (cmd_hopeless(e))
            return err_move(err, e);
        if (!is_virtual(word))
            cmd_note("Warning: %s", err_text(e));
        err_free(e);
    }
    q->group = xstrdup(r ? r->group : "");
    q->resource = xstrdup(r ? r->resource : word);
    if (o->all_namespaces)
        return 0;
    if (r && !r->namespaced)
        cmd_note("Warning: resource '%s' is not namespace scoped%s%s%s", r->resource,
                 *r->group ? " in group '" : "", r->group, *r->group ? "'" : "");
    warn_of_verb(q->verb, verbs, ARRAY_LEN(verbs));
    return 0;
}

static int read_question(struct cmd_ctx *c, struct question *q, struct err **err)
{
    static const char *const url_verbs[] = {"get", "put", "post", "head", "options", "delete", "patch", "*"};
    const struct can_i_options *o = c->options;

    if (c->argc < 2 || c->argc > 3)
        return cmd_usage(c, err,
                         "you must specify two arguments: verb resource or verb resource/resourceName");
    q->verb = xstrdup(c->argv[0]);
    if (*c->argv[1] == '/') {
        if (!str_empty(o->subresource) || c->argc > 2)
            return err_set(err, ERR_INVALID, "--subresource and a name cannot be used with a URL");
        q->url = xstrdup(c->argv[1]);
        warn_of_verb(q->verb, url_verbs, ARRAY_LEN(url_verbs));
        return 0;
    }
    _cleanup_free_ char *word = xstrdup(c->argv[1]);
    char *slash = strchr(word, '/');
    if (slash)
        *slash++ = '\0';
    if (c->argc == 3) {
        /* With a name of its own, what follows the slash is a subresource. */
        q->name = xstrdup(c->argv[2]);
        q->sub = xstrdup_null(slash);
    } else {
        q->name = xstrdup_null(slash);
    }
    if (!str_empty(o->subresource))
        xstr_replace(&q->sub, o->subresource);
    return find_resource(c, q, word, err);
}

static cJSON *make_review(struct cmd_ctx *c, const struct question *q)
{
    const struct can_i_options *o = c->options;
    cJSON *review =
        json_object("apiVersion", "authorization.k8s.io/v1", "kind", "SelfSubjectAccessReview", NULL);

    if (q->url) {
        json_set(review, "spec.nonResourceAttributes", json_object("verb", q->verb, "path", q->url, NULL));
    } else {
        json_set(review, "spec.resourceAttributes",
                 json_object("namespace", o->all_namespaces ? NULL : cmd_namespace(c), "verb", q->verb,
                             "group", q->group, "resource", q->resource, "subresource", q->sub, "name",
                             q->name, NULL));
    }
    return review;
}

static int list_rules(struct cmd_ctx *c, struct err **err)
{
    const struct can_i_options *o = c->options;
    _cleanup_json_ cJSON *review = NULL, *answer = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct kube_client *client;

    if (c->argc)
        return err_set(err, ERR_INVALID, "list option must be specified with no arguments");
    if (o->quiet || o->all_namespaces || !str_empty(o->subresource))
        return err_set(err, ERR_INVALID,
                       "list option can't be specified with neither quiet, all-namespaces nor subresource "
                       "options");
    int r = cmd_client(c, &client, err);
    if (r < 0)
        return r;
    review = json_object("apiVersion", "authorization.k8s.io/v1", "kind", "SelfSubjectRulesReview", NULL);
    json_set_str(review, "spec.namespace", cmd_namespace(c));
    r = post(client, AUTHORIZATION "/selfsubjectrulesreviews", review, &answer, err);
    if (r < 0)
        return r;
    if (json_bool(answer, "status.incomplete", false))
        cmd_note("Warning: the list may be incomplete: %s",
                 json_str_or(answer, "status.evaluationError", ""));
    if (!auth_print_rules(&out, json_get(answer, "status"), !o->no_headers))
        cmd_note("Warning: the list is incomplete: it is longer than %d lines", AUTH_RULES_MOST);
    cmd_out_buf(&out);
    return 0;
}

static int run_can_i(struct cmd_ctx *c, struct err **err)
{
    const struct can_i_options *o = c->options;
    _cleanup_(question_release) struct question q = {0};
    _cleanup_json_ cJSON *review = NULL, *answer = NULL;
    struct kube_client *client;

    if (o->list)
        return list_rules(c, err);
    int r = read_question(c, &q, err);
    if (r < 0)
        return r;
    if (o->no_headers)
        return err_set(err, ERR_INVALID, "--no-headers cannot be set without --list specified");
    r = cmd_client(c, &client, err);
    if (r < 0)
        return r;
    review = make_review(c, &q);
    r = post(client, AUTHORIZATION "/selfsubjectaccessreviews", review, &answer, err);
    if (r < 0)
        return r;
    bool allowed = json_bool(answer, "status.allowed", false);
    const char *reason = json_str_or(answer, "status.reason", ""),
               *problem = json_str_or(answer, "status.evaluationError", "");
    if (!o->quiet && allowed)
        cmd_out("yes\n");
    else if (!o->quiet)
        cmd_out("no%s%s%s%s\n", *reason ? " - " : "", reason, *problem ? " - " : "", problem);
    return allowed ? 0 : 1;
}

static const struct cmd_entry cmd_auth_can_i = {
    .name = "can-i",
    .brief = "Ask whether an action is allowed",
    .help = "Ask whether an action is allowed: \"yes\" and exit code 0, or \"no\" and exit code 1.\n\n"
            "VERB is one of the API's (get, list, watch, create, update, patch, delete...). TYPE is a kind; "
            "names, short names and groups are resolved. With --as it is asked about somebody else.",
    .usage = "VERB (TYPE | TYPE/NAME | TYPE[/SUBRESOURCE] NAME | URL) [options]",
    .examples = "%P auth can-i create wasmactors\n"
                "# One object, in another namespace\n%P auth can-i delete wasmactor/hello -n prod\n"
                "# What a service account may do\n"
                "%P auth can-i list secrets --as=system:serviceaccount:wasmctl-system:wasm-operator\n"
                "# A subresource, a URL of the server\n%P auth can-i patch wasmactors --subresource=scale\n"
                "%P auth can-i get /metrics\n"
                "# Everything that is allowed here\n%P auth can-i --list",
    .opts = can_i_opts,
    .options_size = sizeof(struct can_i_options),
    .max_args = -1,
    .flags = CMD_FLEET,
    .run = run_can_i,
};

/* whoami */

struct whoami_options {
    const char *output;
};

static const struct cmd_opt whoami_opts[] = {
    {"output", 'o', OPT_STRING, offsetof(struct whoami_options, output), "json|yaml|name", NULL,
     "Print the whole answer of the server"},
    OPT_TABLE_END,
};

static char *list_text(const cJSON *list)
{
    struct buf b = BUF_INIT;

    buf_addc(&b, '[');
    json_each (v, list)
        if (cJSON_IsString(v))
            buf_addf(&b, "%s%s", b.len > 1 ? " " : "", v->valuestring);
    buf_addc(&b, ']');
    return buf_take(&b);
}

static void print_user(struct cmd_ctx *c, const cJSON *user)
{
    struct print_table *t = fleet_table_new(c);
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_json_ cJSON *extra = cJSON_Duplicate(json_get(user, "extra"), true);

    print_table_cell(t, "ATTRIBUTE");
    print_table_cell(t, "VALUE");
    print_table_end_header(t);
    if (json_str(user, "username"))
        print_table_row(t, "Username", json_str(user, "username"), NULL);
    if (json_str(user, "uid"))
        print_table_row(t, "UID", json_str(user, "uid"), NULL);
    if (json_get(user, "groups")) {
        _cleanup_free_ char *groups = list_text(json_get(user, "groups"));
        print_table_row(t, "Groups", groups, NULL);
    }
    if (extra)
        print_sort_members(extra);
    json_each (v, extra) {
        _cleanup_free_ char *values = list_text(v);
        print_table_cellf(t, "Extra: %s", v->string ? v->string : "");
        print_table_cell(t, values);
        print_table_end_row(t);
    }
    print_table_flush(t, &out, 0);
    print_table_free(t);
    cmd_out_buf(&out);
}

static int ask_who(struct kube_client *client, cJSON **ret, struct err **err)
{
    static const char *const versions[] = {"v1", "v1beta1", "v1alpha1"};
    struct err *e = NULL;

    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        _cleanup_free_ char *path =
            xasprintf("/apis/authentication.k8s.io/%s/selfsubjectreviews", versions[i]);
        _cleanup_free_ char *version = xasprintf("authentication.k8s.io/%s", versions[i]);
        _cleanup_json_ cJSON *body = json_object("apiVersion", version, "kind", "SelfSubjectReview", NULL);
        err_free(e);
        e = NULL;
        if (post(client, path, body, ret, &e) == 0)
            return 0;
        if (e->http != 404)
            break;
    }
    if (e->http == 404 || e->http == 403) {
        const char *more = e->http == 403 ? " or you do not have permission to call it" : "";
        err_free(e);
        return err_set(err, ERR_UNSUPPORTED, "the selfsubjectreviews API is not enabled in the cluster%s",
                       more);
    }
    return err_move(err, e);
}

static int run_whoami(struct cmd_ctx *c, struct err **err)
{
    const struct whoami_options *o = c->options;
    const char *format = o->output ? o->output : "";
    _cleanup_json_ cJSON *answer = NULL;
    struct kube_client *client;

    if (*format && !streq(format, "json") && !streq(format, "yaml") && !streq(format, "name"))
        return err_set(err, ERR_INVALID,
                       "unable to match a printer suitable for the output format \"%s\", allowed formats "
                       "are: json,name,yaml",
                       format);
    int r = cmd_client(c, &client, err);
    if (r == 0)
        r = ask_who(client, &answer, err);
    if (r < 0)
        return r;
    if (!*format) {
        print_user(c, json_at(answer, "status.userInfo"));
    } else if (streq(format, "name")) {
        cmd_out("selfsubjectreview.authentication.k8s.io/<unknown>\n");
    } else if (fleet_value(c, streq(format, "json") ? PRINT_JSON : PRINT_YAML, answer)) {
        answer = NULL;
    } else if (streq(format, "json")) {
        _cleanup_free_ char *text = json_print_pretty(answer);
        cmd_out("%s\n", text);
    } else {
        _cleanup_buf_ struct buf out = BUF_INIT;
        print_object(&out, PRINT_YAML, answer);
        cmd_out_buf(&out);
    }
    return 0;
}

static const struct cmd_entry cmd_auth_whoami = {
    .name = "whoami",
    .brief = "Show who the server takes you for: name, groups and more",
    .examples = "%P auth whoami\n%P auth whoami -o json\n%P auth whoami --context=west",
    .opts = whoami_opts,
    .options_size = sizeof(struct whoami_options),
    .flags = CMD_FLEET,
    .run = run_whoami,
};

static const struct cmd_entry *const auth_subs[] = {&cmd_auth_can_i, &cmd_auth_whoami, NULL};

const struct cmd_entry cmd_auth = {
    .name = "auth",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Ask what is allowed, and who you are",
    .examples = "%P auth can-i create wasmactors\n%P auth whoami",
    .subs = auth_subs,
};
