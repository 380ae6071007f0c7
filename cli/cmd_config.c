#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/config.h"
#include "print/output.h"
#include "print/table.h"

enum { LARGEST_PEM = 4 * 1024 * 1024 };

static int open_files(struct cmd_ctx *c, struct kubeconfig_files **ret, struct err **err)
{
    return kubeconfig_files_open(c->globals.kubeconfig, false, ret, err);
}

/* view */

struct view_options {
    bool raw, minify, flatten, merge;
    const char *output;
};

static const struct cmd_opt view_opts[] = {
    {"flatten", 0, OPT_FLAG, offsetof(struct view_options, flatten), NULL, NULL,
     "Put the contents of certificate and key files in place of their names; shows secrets"},
    {"merge", 0, OPT_FLAG, offsetof(struct view_options, merge), NULL, "true",
     "All files of $KUBECONFIG together; false goes with --kubeconfig"},
    {"minify", 0, OPT_FLAG, offsetof(struct view_options, minify), NULL, NULL,
     "Only what the current context (or --context) uses"},
    {"output", 'o', OPT_STRING, offsetof(struct view_options, output), "FORMAT", "yaml",
     "yaml, json, jsonpath=, jsonpath-as-json=, jsonpath-file=, custom-columns=, custom-columns-file=, "
     "go-template= or go-template-file="},
    {"raw", 0, OPT_FLAG, offsetof(struct view_options, raw), NULL, NULL, "Show secrets and certificates"},
    OPT_TABLE_END,
};

static void keep_only(cJSON *all, const char *list, const char *name)
{
    cJSON *entries = json_get(all, list), *next;

    for (cJSON *e = entries ? entries->child : NULL; e; e = next) {
        next = e->next;
        if (!streq(json_str_or(e, "name", ""), name))
            cJSON_Delete(cJSON_DetachItemViaPointer(entries, e));
    }
    if (entries && !entries->child)
        json_put(all, list, cJSON_CreateNull());
}

static int minify(const struct kubeconfig_files *k, cJSON *all, const char *context, struct err **err)
{
    const char *name = context ? context : kubeconfig_files_current(k);
    const cJSON *o = kubeconfig_files_get(k, KUBECONFIG_CONTEXTS, name);

    if (!*name)
        return err_set(err, ERR_INVALID, "current-context must exist in order to minify");
    if (!o)
        return err_set(err, ERR_NOT_FOUND, "cannot locate context %s", name);
    const char *cluster = json_str_or(o, "cluster", ""), *user = json_str_or(o, "user", "");
    if (*cluster && !kubeconfig_files_get(k, KUBECONFIG_CLUSTERS, cluster))
        return err_set(err, ERR_NOT_FOUND, "cannot locate cluster %s", cluster);
    if (*user && !kubeconfig_files_get(k, KUBECONFIG_USERS, user))
        return err_set(err, ERR_NOT_FOUND, "cannot locate user %s", user);
    keep_only(all, "contexts", name);
    keep_only(all, "clusters", cluster);
    keep_only(all, "users", user);
    json_put_str(all, "current-context", name);
    return 0;
}

/* The content of the file that `key` names, as "<key>-data". */
static int embed(const struct kubeconfig_files *k, enum kubeconfig_list list, const char *name, cJSON *o,
                 const char *key, struct err **err)
{
    _cleanup_free_ char *data_key = xasprintf("%s-data", key), *folder = NULL, *path = NULL, *text = NULL,
                        *data = NULL;
    const char *file = json_str(json_get(o, key), "");
    size_t len;

    if (str_empty(file) || !str_empty(json_str(json_get(o, data_key), "")))
        return 0;
    folder = kubeconfig_files_folder(k, list, name);
    path = *file == '/' ? xstrdup(file) : xasprintf("%s/%s", folder, file);
    int r = file_read(path, LARGEST_PEM, &text, &len, err);
    if (r < 0)
        return r;
    data = str_base64_encode(text, len);
    if (*data)
        json_put_str(o, data_key, data);
    json_del(o, key);
    return 0;
}

static int flatten(const struct kubeconfig_files *k, cJSON *all, struct err **err)
{
    int r = 0;

    json_each (e, json_get(all, "clusters"))
        if (r == 0)
            r = embed(k, KUBECONFIG_CLUSTERS, json_str_or(e, "name", ""), json_get(e, "cluster"),
                      "certificate-authority", err);
    json_each (e, json_get(all, "users")) {
        const char *name = json_str_or(e, "name", "");
        if (r == 0)
            r = embed(k, KUBECONFIG_USERS, name, json_get(e, "user"), "client-certificate", err);
        if (r == 0)
            r = embed(k, KUBECONFIG_USERS, name, json_get(e, "user"), "client-key", err);
    }
    return r;
}

static void hide(cJSON *o, const char *key, const char *with)
{
    if (!str_empty(json_str(json_get(o, key), "")))
        json_put_str(o, key, with);
}

static void redact(cJSON *all)
{
    json_each (e, json_get(all, "clusters"))
        hide(json_get(e, "cluster"), "certificate-authority-data", "DATA+OMITTED");
    json_each (e, json_get(all, "users")) {
        cJSON *user = json_get(e, "user");
        hide(user, "client-certificate-data", "DATA+OMITTED");
        hide(user, "client-key-data", "DATA+OMITTED");
        hide(user, "token", "REDACTED");
        hide(user, "password", "REDACTED");
    }
}

static bool says_nothing(const cJSON *v)
{
    return cJSON_IsNull(v) || cJSON_IsFalse(v) || (cJSON_IsString(v) && !*v->valuestring) ||
           ((cJSON_IsArray(v) || cJSON_IsObject(v)) && !v->child);
}

/* As kubectl shows entries: what says nothing is left out, what every entry has stands there. */
static void tidy(cJSON *o, const char *const *always)
{
    cJSON *next;

    for (cJSON *m = o->child; m; m = next) {
        next = m->next;
        if (says_nothing(m))
            cJSON_Delete(cJSON_DetachItemViaPointer(o, m));
    }
    for (; *always; always++)
        if (!json_get(o, *always))
            json_put_str(o, *always, "");
}

static void tidy_all(cJSON *all)
{
    static const char *const server[] = {"server", NULL}, *const context[] = {"cluster", "user", NULL},
                             *const nothing[] = {NULL};

    json_each (e, json_get(all, "clusters"))
        tidy(json_get(e, "cluster"), server);
    json_each (e, json_get(all, "contexts"))
        tidy(json_get(e, "context"), context);
    json_each (e, json_get(all, "users")) {
        cJSON *exec = json_get(json_get(e, "user"), "exec");
        tidy(json_get(e, "user"), nothing);
        if (!cJSON_IsObject(exec))
            continue;
        if (!json_get(exec, "args"))
            json_put(exec, "args", cJSON_CreateNull());
        if (!json_get(exec, "env"))
            json_put(exec, "env", cJSON_CreateNull());
        if (!json_get(exec, "provideClusterInfo"))
            json_put(exec, "provideClusterInfo", cJSON_CreateFalse());
    }
}

static int run_view(struct cmd_ctx *c, struct err **err)
{
    const struct view_options *o = c->options;
    _cleanup_(kubeconfig_files_freep) struct kubeconfig_files *k = NULL;
    _cleanup_(print_output_freep) struct print_output *print = NULL;
    _cleanup_json_ cJSON *all = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;
    const struct print_output_options how = {
        .format = str_empty(o->output) ? "yaml" : o->output,
        .terminal = isatty(STDOUT_FILENO),
    };
    int r = print_output_new(&how, &print, err);

    if (r < 0)
        return r;
    if (print_output_format(print) == PRINT_NAME)
        return cmd_usage(c, err, "--output: a configuration has no name to print");
    if (!o->merge && !c->globals.kubeconfig)
        return err_set(err, ERR_INVALID, "if merge==false a precise file must be specified");
    r = open_files(c, &k, err);
    if (r < 0)
        return r;
    all = kubeconfig_files_merged(k);
    if (o->minify)
        r = minify(k, all, c->globals.context, err);
    if (r == 0 && o->flatten)
        r = flatten(k, all, err);
    if (r < 0)
        return r;
    if (!o->flatten && !o->raw)
        redact(all);
    tidy_all(all);
    print_output_shape(print, PRINT_SINGLE);
    r = print_output_add(print, TAKE_PTR(all), NULL, &out, err);
    if (r == 0)
        r = print_output_finish(print, &out, err);
    if (r == 0)
        cmd_out_buf(&out);
    return r;
}

static const struct cmd_entry cmd_config_view = {
    .name = "view",
    .brief = "Show the merged configuration",
    .help = "Show the merged configuration. Secrets and certificates are left out unless --raw or --flatten "
            "is given.",
    .usage = "[options]",
    .examples =
        "%P config view\n# What the current context uses, in one file for somebody else\n"
        "%P config view --minify --flatten\n# Another context\n%P config view --minify --context prod",
    .opts = view_opts,
    .options_size = sizeof(struct view_options),
    .run = run_view,
};

/* get-contexts, get-clusters, get-users, current-context */

struct contexts_options {
    bool no_headers;
    const char *output;
};

static const struct cmd_opt contexts_opts[] = {
    {"no-headers", 0, OPT_FLAG, offsetof(struct contexts_options, no_headers), NULL, NULL,
     "No line with the names of the columns"},
    {"output", 'o', OPT_STRING, offsetof(struct contexts_options, output), "name", NULL, "Print names only"},
    OPT_TABLE_END,
};

static void add_context(struct print_table *t, const struct kubeconfig_files *k, const char *name)
{
    const cJSON *o = kubeconfig_files_get(k, KUBECONFIG_CONTEXTS, name);

    print_table_row(t, streq(name, kubeconfig_files_current(k)) ? "*" : "", name,
                    json_str_or(o, "cluster", ""), json_str_or(o, "user", ""),
                    json_str_or(o, "namespace", ""), NULL);
}

static int run_get_contexts(struct cmd_ctx *c, struct err **err)
{
    const struct contexts_options *o = c->options;
    _cleanup_(kubeconfig_files_freep) struct kubeconfig_files *k = NULL;
    _cleanup_(print_table_freep) struct print_table *t = print_table_new();
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_strv_ char **all = NULL;

    if (o->output && *o->output && !streq(o->output, "name"))
        return err_set(err, ERR_INVALID, "--output %s is not available in %s; -o name is", o->output,
                       c->path);
    int r = open_files(c, &k, err);
    if (r < 0)
        return r;
    all = kubeconfig_files_names(k, KUBECONFIG_CONTEXTS);
    if (str_empty(o->output) && !o->no_headers)
        print_table_row(t, "CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE", NULL);
    for (char **name = c->argc ? c->argv : all; *name; name++) {
        if (!strv_has(all, *name)) {
            struct err *e = NULL;
            err_set(&e, ERR_NOT_FOUND, "context %s not found", *name);
            cmd_report(c, &e);
        } else if (!str_empty(o->output)) {
            print_table_row(t, *name, NULL);
        } else {
            add_context(t, k, *name);
        }
    }
    print_table_flush(t, &out, 0);
    cmd_out_buf(&out);
    return 0;
}

static const char *const get_contexts_aliases[] = {"get-context", NULL};

static const struct cmd_entry cmd_config_get_contexts = {
    .name = "get-contexts",
    .aliases = get_contexts_aliases,
    .brief = "List the contexts",
    .usage = "[CONTEXT...] [options]",
    .examples = "%P config get-contexts\n# Names only, for scripts\n%P config get-contexts -o name",
    .opts = contexts_opts,
    .options_size = sizeof(struct contexts_options),
    .max_args = -1,
    .args = CMD_ARGS_CONTEXT,
    .run = run_get_contexts,
};

static int list_names(struct cmd_ctx *c, enum kubeconfig_list list, struct err **err)
{
    _cleanup_(kubeconfig_files_freep) struct kubeconfig_files *k = NULL;
    _cleanup_strv_ char **names = NULL;
    int r = open_files(c, &k, err);

    if (r < 0)
        return r;
    names = kubeconfig_files_names(k, list);
    cmd_out("NAME\n");
    for (char **name = names; *name; name++) {
        _cleanup_free_ char *shown = str_escape_control(*name, false);
        cmd_out("%s\n", shown);
    }
    return 0;
}

static int run_get_clusters(struct cmd_ctx *c, struct err **err)
{
    return list_names(c, KUBECONFIG_CLUSTERS, err);
}

static const struct cmd_entry cmd_config_get_clusters = {
    .name = "get-clusters",
    .brief = "List the clusters",
    .usage = "",
    .examples = "%P config get-clusters",
    .run = run_get_clusters,
};

static int run_get_users(struct cmd_ctx *c, struct err **err)
{
    return list_names(c, KUBECONFIG_USERS, err);
}

static const struct cmd_entry cmd_config_get_users = {
    .name = "get-users",
    .brief = "List the users",
    .usage = "",
    .examples = "%P config get-users",
    .run = run_get_users,
};

static int run_current_context(struct cmd_ctx *c, struct err **err)
{
    _cleanup_(kubeconfig_files_freep) struct kubeconfig_files *k = NULL;
    int r = open_files(c, &k, err);

    if (r < 0)
        return r;
    if (!*kubeconfig_files_current(k))
        return err_set(err, ERR_NOT_FOUND, "current-context is not set");
    _cleanup_free_ char *shown = str_escape_control(kubeconfig_files_current(k), false);
    cmd_out("%s\n", shown);
    return 0;
}

static const struct cmd_entry cmd_config_current_context = {
    .name = "current-context",
    .brief = "Print the name of the current context",
    .usage = "",
    .examples = "%P config current-context",
    .run = run_current_context,
};

static const struct cmd_entry *const config_subs[] = {
    &cmd_config_view,
    &cmd_config_get_contexts,
    &cmd_config_current_context,
    &cmd_config_use_context,
    &cmd_config_set_context,
    &cmd_config_rename_context,
    &cmd_config_delete_context,
    &cmd_config_get_clusters,
    &cmd_config_set_cluster,
    &cmd_config_delete_cluster,
    &cmd_config_get_users,
    &cmd_config_set_credentials,
    &cmd_config_delete_user,
    &cmd_config_set,
    &cmd_config_unset,
    NULL,
};

const struct cmd_entry cmd_kubeconfig = {
    .name = "config",
    .group = CMD_GROUP_OTHER,
    .brief = "Show and change kubeconfig files",
    .help = "Show and change kubeconfig files: --kubeconfig FILE alone, or the files of $KUBECONFIG merged "
            "(the first that "
            "defines an entry owns it), or ~/.kube/config.\n\n" CONFIG_HELP_WHERE,
    .usage = "COMMAND [options]",
    .examples = "%P config get-contexts\n%P config use-context prod\n"
                "%P config set-context --current --namespace=shop",
    .subs = config_subs,
};
