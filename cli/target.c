#include "cli/target.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "kube/discovery.h"
#include "kube/watch.h"

void cli_targets_release(struct cli_targets *t)
{
    for (size_t i = 0; i < t->len; i++) {
        free(t->items[i].name);
        free(t->items[i].namespace);
    }
    free(t->items);
    *t = (struct cli_targets){0};
}

void cli_targets_add(struct cli_targets *t, const struct kube_resource *resource, const char *namespace,
                     const char *name)
{
    t->items = xreallocarray(t->items, t->len + 1, sizeof(*t->items));
    t->items[t->len++] = (struct cli_target){resource, xstrdup_null(name), xstrdup_null(namespace)};
    if (t->len == 1)
        t->named = true;
    t->named = t->named && name;
    if (t->items[0].resource != resource)
        t->several_kinds = true;
}

const char *cli_namespace_for(const struct cmd_ctx *c, const struct kube_resource *r, bool all_namespaces)
{
    return r->namespaced && !all_namespaces ? cmd_namespace(c) : NULL;
}

char *cli_target_text(const struct kube_resource *r, const char *name)
{
    return *r->group ? xasprintf("%s.%s/%s", r->resource, r->group, name)
                     : xasprintf("%s/%s", r->resource, name);
}

void cli_query_add(struct buf *query, const char *key, const char *value)
{
    _cleanup_free_ char *escaped = NULL;

    if (str_empty(value))
        return;
    escaped = kube_query_escape(value);
    buf_addf(query, "%s%s=%s", query->len ? "&" : "", key, escaped);
}

int cli_request(struct cmd_ctx *c, const struct cli_request *q, cJSON **ret, struct err **err)
{
    _cleanup_free_ char *path = kube_path(q->resource, q->namespace, q->name, q->sub);
    _cleanup_json_ cJSON *answer = NULL;
    struct kube_client *client;
    int r = cmd_client(c, &client, err);

    if (r < 0)
        return r;
    struct kube_call call = {
        .method = q->method ? q->method : "GET",
        .path = path,
        .query = str_empty(q->query) ? NULL : q->query,
        .body = q->body,
        .content_type = q->content_type,
        .accept = q->accept,
    };
    r = kube_json_wait(client, &call, &answer, err);
    if (r == 0 && q->name && !q->sub && !q->method) {
        const char *kind = json_str_or(answer, "kind", "");
        if (!*kind || streq(kind, "Status"))
            return err_set(err, ERR_PROTOCOL, "the answer to GET %s is no object of the API (kind \"%s\")",
                           path, kind);
    }
    if (r == 0 && ret)
        *ret = TAKE_PTR(answer);
    if (r < 0 && q->sub)
        return cli_explain_path(err);
    return cli_explain_missing(c, q->resource, r, err);
}

/* A Status about an object (or about its namespace) names it. */
static bool names_object(const struct err *e)
{
    _cleanup_json_ cJSON *status = NULL;

    return e->details && json_parse(e->details, strlen(e->details), "status", &status, NULL) == 0 &&
           json_str(status, "details.name");
}

int cli_explain_path(struct err **err)
{
    if (!err || !*err || (*err)->http != 404 || names_object(*err))
        return err && *err ? (*err)->code : ERR_FAILED;
    xstr_replace(&(*err)->reason, "NotFound");
    xstr_replace(&(*err)->message, "the server could not find the requested resource");
    return (*err)->code;
}

int cli_explain_missing(struct cmd_ctx *c, const struct kube_resource *resource, int r, struct err **err)
{
    if (r == 0 || !err || !*err || (*err)->http != 404 || names_object(*err))
        return r;
    const char *hint = streq(resource->group, "wasmctl.dev") ? c->program : NULL;
    err_free(*err);
    *err = NULL;
    return err_set(err, ERR_NOT_FOUND, "the server doesn't have a resource type \"%s\"%s%s%s",
                   resource->resource, hint ? "; install the kinds of wasmctl first: " : "", hint ? hint : "",
                   hint ? " install --crds" : "");
}

void cli_complete_item(cJSON *item, const struct kube_resource *r)
{
    _cleanup_free_ char *version = NULL;

    if (json_str(item, "kind") && json_str(item, "apiVersion"))
        return;
    version = kube_api_version(r);
    json_set_str(item, "kind", r->kind);
    json_set_str(item, "apiVersion", version);
}

/* Arguments */

/* A word may be a kind or a category; categories only count when no kind has that name. */
static int add_word(struct cmd_ctx *c, const struct cli_target_options *o, const char *word, const char *name,
                    struct cli_targets *t, struct err **err)
{
    const struct kube_resource *resource = kube_builtin_find(word);
    struct kube_client *client;
    int r;

    if (!resource) {
        _cleanup_free_ const struct kube_resource **category = NULL;
        r = cmd_client(c, &client, err);
        if (r < 0)
            return r;
        if (!name) {
            r = kube_find_category(client, word, &category, NULL);
            for (size_t i = 0; r == 0 && category && category[i]; i++)
                cli_targets_add(t, category[i], cli_namespace_for(c, category[i], o->all_namespaces), NULL);
            if (r == 0 && category && category[0])
                return 0;
        }
        r = kube_find_resource(client, word, &resource, err);
        if (r < 0)
            return r;
    }
    cli_targets_add(t, resource, cli_namespace_for(c, resource, o->all_namespaces), name);
    return 0;
}

static int add_slash_form(struct cmd_ctx *c, const struct cli_target_options *o, char **argv,
                          struct cli_targets *t, struct err **err)
{
    for (; *argv; argv++) {
        const char *slash = strchr(*argv, '/');
        if (!slash)
            return cmd_usage(
                c, err,
                "there is no need to specify a resource type as a separate argument when passing arguments "
                "in resource/name form (e.g. '%s %s resource/<resource_name>' instead of '%s %s resource "
                "resource/<resource_name>')",
                c->program, o->verb, c->program, o->verb);
        if (strchr(slash + 1, '/'))
            return cmd_usage(c, err, "arguments in resource/name form may not have more than one slash");
        _cleanup_free_ char *kind = xstrndup(*argv, (size_t)(slash - *argv));
        if (!*kind || !slash[1] || strchr(kind, ',') || strchr(slash, ','))
            return cmd_usage(c, err, "arguments in resource/name form must have a single resource and name");
        int r = add_word(c, o, kind, slash + 1, t, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int parse_targets(struct cmd_ctx *c, const struct cli_target_options *o, struct cli_targets *t,
                         struct err **err)
{
    _cleanup_strv_ char **kinds = NULL;
    bool slashes = false;
    int r;

    if (c->argc == 0)
        return cmd_usage(c, err,
                         "you must specify the type of resource to %s, like '%s %s wasmactors'\n"
                         "Use \"%s api-resources\" for a complete list of supported resources",
                         o->verb, c->program, o->verb, c->program);
    /* The namespace of the targets comes from the configuration. */
    r = cmd_config(c, NULL, err);
    if (r < 0)
        return r;
    for (int i = 0; i < c->argc; i++)
        slashes = slashes || strchr(c->argv[i], '/');
    if (slashes) {
        r = add_slash_form(c, o, c->argv, t, err);
        if (r < 0)
            return r;
    } else {
        kinds = strv_split(c->argv[0], ',', true);
        for (char **kind = kinds; *kind; kind++) {
            if (!**kind)
                return cmd_usage(c, err, "empty resource type in \"%s\"", c->argv[0]);
            for (int i = 1; i < c->argc || i == 1; i++) {
                r = add_word(c, o, *kind, i < c->argc ? c->argv[i] : NULL, t, err);
                if (r < 0)
                    return r;
            }
        }
    }
    if (o->selector && t->len && t->items[0].name)
        return cmd_usage(c, err, "name cannot be provided when a selector is specified");
    if (o->all_namespaces && t->len && t->items[0].name)
        return cmd_usage(c, err, "a resource cannot be retrieved by name across all namespaces");
    if (o->need_names && !o->selector && !t->named)
        return cmd_usage(c, err, "resource(s) were provided, but no name was specified");
    return 0;
}

int cli_targets_parse(struct cmd_ctx *c, const struct cli_target_options *options, struct cli_targets *ret,
                      struct err **err)
{
    _cleanup_targets_ struct cli_targets t = {0};
    int r = parse_targets(c, options, &t, err);

    if (r < 0)
        return r;
    *ret = t;
    t = (struct cli_targets){0};
    return 0;
}

/* Selectors */

struct listed {
    const struct cli_target *target;
    struct cli_targets *all;
};

static int take_page(void *arg, cJSON *page, struct err **err _unused_)
{
    struct listed *l = arg;

    json_each (item, json_get(page, "items"))
        cli_targets_add(l->all, l->target->resource, json_str(item, "metadata.namespace"),
                        json_str_or(item, "metadata.name", ""));
    return 0;
}

int cli_targets_expand(struct cmd_ctx *c, const struct cli_targets *given, const char *label_selector,
                       const char *field_selector, struct cli_targets *all, struct err **err)
{
    for (size_t i = 0; i < given->len; i++) {
        const struct cli_target *t = &given->items[i];
        struct listed l = {t, all};
        struct kube_client *client;
        if (t->name) {
            cli_targets_add(all, t->resource, t->namespace, t->name);
            continue;
        }
        _cleanup_free_ char *path = kube_path(t->resource, t->namespace, NULL, NULL);
        _cleanup_buf_ struct buf query = BUF_INIT;
        int r = cmd_client(c, &client, err);
        if (r < 0)
            return r;
        cli_query_add(&query, "labelSelector", label_selector);
        cli_query_add(&query, "fieldSelector", field_selector);
        r = kube_list_wait(client, path, buf_str(&query), CLI_AS_METADATA_LIST, 0, take_page, &l, NULL, err);
        r = cli_explain_missing(c, t->resource, r, err);
        if (r < 0)
            return r;
    }
    return 0;
}
