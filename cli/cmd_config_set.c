#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/config.h"

enum { LARGEST_PEM = 4 * 1024 * 1024 };

static int open_files(struct cmd_ctx *c, struct kubeconfig_files **ret, struct err **err)
{
    return kubeconfig_files_open(c->globals.kubeconfig, true, ret, err);
}

/* A copy of an entry's content to change, empty when there is none yet. */
static cJSON *content_of(const struct kubeconfig_files *k, enum kubeconfig_list list, const char *name)
{
    const cJSON *o = kubeconfig_files_get(k, list, name);

    return o ? cJSON_Duplicate(o, true) : cJSON_CreateObject();
}

/* An empty value takes the member away. */
static void set_member(cJSON *o, const char *key, const char *value)
{
    if (*value)
        json_put_str(o, key, value);
    else
        json_del(o, key);
}

static void set_flag(cJSON *o, const char *key, bool value)
{
    if (value)
        json_put(o, key, cJSON_CreateTrue());
    else
        json_del(o, key);
}

static void say(const char *fmt, ...) _printf_(1, 2);
static void say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    _cleanup_free_ char *shown = str_escape_control(text, false);
    cmd_out("%s\n", shown);
}

/* Contexts */

static int run_use_context(struct cmd_ctx *c, struct err **err)
{
    _cleanup_(kubeconfig_files_freep) struct kubeconfig_files *k = NULL;
    const char *name = c->argv[0];
    int r = open_files(c, &k, err);

    if (r < 0)
        return r;
    if (!kubeconfig_files_get(k, KUBECONFIG_CONTEXTS, name)) {
        _cleanup_strv_ char **names = kubeconfig_files_names(k, KUBECONFIG_CONTEXTS);
        const char *near = str_suggest(name, (const char *const *)names);
        return err_set(err, ERR_NOT_FOUND, "no context exists with the name: \"%s\"%s%s%s", name,
                       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    kubeconfig_files_set_current(k, name);
    r = kubeconfig_files_commit(k, err);
    if (r == 0)
        say("Switched to context \"%s\".", name);
    return r;
}

static const char *const use_context_aliases[] = {"use", NULL};

const struct cmd_entry cmd_config_use_context = {
    .name = "use-context",
    .aliases = use_context_aliases,
    .brief = "Make another context the current one",
    .help = "Make another context the current one, for every terminal that uses this kubeconfig. --context "
            "chooses one for "
            "a single command.\n\n" CONFIG_HELP_WHERE,
    .usage = "CONTEXT",
    .examples = "%P config use-context prod",
    .min_args = 1,
    .max_args = 1,
    .args = CMD_ARGS_CONTEXT,
    .run = run_use_context,
};

struct context_options {
    bool current;
    const char *cluster, *user, *namespace;
};

static const struct cmd_opt context_opts[] = {
    {"cluster", 0, OPT_STRING, offsetof(struct context_options, cluster), "NAME", NULL,
     "Cluster of the context"},
    {"current", 0, OPT_FLAG, offsetof(struct context_options, current), NULL, NULL,
     "Change the current context"},
    {"namespace", 'n', OPT_STRING, offsetof(struct context_options, namespace), "NAME", NULL,
     "Namespace of the context"},
    {"user", 0, OPT_STRING, offsetof(struct context_options, user), "NAME", NULL, "User of the context"},
    OPT_TABLE_END,
};

static int run_set_context(struct cmd_ctx *c, struct err **err)
{
    const struct context_options *o = c->options;
    _cleanup_(kubeconfig_files_freep) struct kubeconfig_files *k = NULL;
    const char *name = c->argc ? c->argv[0] : "";

    if (!*name && !o->current)
        return cmd_usage(c, err, "you must specify a non-empty context name or --current");
    if (c->argc && o->current)
        return cmd_usage(c, err, "you cannot specify both a context name and --current");
    int r = open_files(c, &k, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *chosen = xstrdup(o->current ? kubeconfig_files_current(k) : name);
    if (!*chosen)
        return err_set(err, ERR_NOT_FOUND, "no current context is set");
    bool existed = kubeconfig_files_get(k, KUBECONFIG_CONTEXTS, chosen);
    cJSON *content = content_of(k, KUBECONFIG_CONTEXTS, chosen);
    if (o->cluster)
        json_put_str(content, "cluster", o->cluster);
    if (o->user)
        json_put_str(content, "user", o->user);
    if (o->namespace)
        set_member(content, "namespace", o->namespace);
    kubeconfig_files_put(k, KUBECONFIG_CONTEXTS, chosen, content);
    r = kubeconfig_files_commit(k, err);
    if (r == 0)
        say("Context \"%s\" %s.", chosen, existed ? "modified" : "created");
    return r;
}

const struct cmd_entry cmd_config_set_context = {
    .name = "set-context",
    .brief = "Change a context, or make a new one",
    .help = "Change a context, or make a new one. What is not given stays.\n\n" CONFIG_HELP_WHERE,
    .usage = "(CONTEXT | --current) [options]",
    .examples = "# The namespace to work in from now on\n%P config set-context --current --namespace=shop\n"
                "%P config set-context prod --cluster=prod --user=me",
    .opts = context_opts,
    .options_size = sizeof(struct context_options),
    .max_args = 1,
    .args = CMD_ARGS_CONTEXT,
    .run = run_set_context,
};

static int run_rename_context(struct cmd_ctx *c, struct err **err)
{
    _cleanup_(kubeconfig_files_freep) struct kubeconfig_files *k = NULL;
    const char *from = c->argv[0], *to = c->argv[1];
    int r = open_files(c, &k, err);

    if (r < 0)
        return r;
    if (!kubeconfig_files_get(k, KUBECONFIG_CONTEXTS, from))
        return err_set(err, ERR_NOT_FOUND, "cannot rename the context \"%s\", it's not in %s", from,
                       kubeconfig_files_default(k));
    if (!*to)
        return cmd_usage(c, err, "the new name must not be empty");
    if (kubeconfig_files_get(k, KUBECONFIG_CONTEXTS, to))
        return err_set(err, ERR_ALREADY_EXISTS,
                       "cannot rename the context \"%s\", the context \"%s\" already exists in %s", from, to,
                       kubeconfig_files_default(k));
    cJSON *content = content_of(k, KUBECONFIG_CONTEXTS, from);
    bool current = streq(kubeconfig_files_current(k), from);
    kubeconfig_files_remove(k, KUBECONFIG_CONTEXTS, from);
    kubeconfig_files_put(k, KUBECONFIG_CONTEXTS, to, content);
    if (current)
        kubeconfig_files_set_current(k, to);
    r = kubeconfig_files_commit(k, err);
    if (r == 0)
        say("Context \"%s\" renamed to \"%s\".", from, to);
    return r;
}

const struct cmd_entry cmd_config_rename_context = {
    .name = "rename-context",
    .brief = "Give a context another name",
    .help = "Give a context another name; the current context stays current.\n\n" CONFIG_HELP_WHERE,
    .usage = "CONTEXT NEW-NAME",
    .examples = "%P config rename-context arn:aws:eks:eu-west-1:1:cluster/prod prod",
    .min_args = 2,
    .max_args = 2,
    .args = CMD_ARGS_CONTEXT,
    .run = run_rename_context,
};

/* Deleting */

static int delete_entry(struct cmd_ctx *c, enum kubeconfig_list list, const char *kind, struct err **err)
{
    _cleanup_(kubeconfig_files_freep) struct kubeconfig_files *k = NULL;
    const char *name = c->argv[0];
    int r = open_files(c, &k, err);

    if (r < 0)
        return r;
    if (!kubeconfig_files_remove(k, list, name))
        return err_set(err, ERR_NOT_FOUND, "cannot delete %s %s, not in %s", kind, name,
                       kubeconfig_files_default(k));
    r = kubeconfig_files_commit(k, err);
    if (r < 0)
        return r;
    say("deleted %s %s from %s", kind, name, kubeconfig_files_default(k));
    if (list == KUBECONFIG_CONTEXTS && streq(kubeconfig_files_current(k), name))
        cmd_note("warning: this removed your active context, use \"%s config use-context\" to select a "
                 "different one",
                 c->program);
    return 0;
}

static int run_delete_context(struct cmd_ctx *c, struct err **err)
{
    return delete_entry(c, KUBECONFIG_CONTEXTS, "context", err);
}

static int run_delete_cluster(struct cmd_ctx *c, struct err **err)
{
    return delete_entry(c, KUBECONFIG_CLUSTERS, "cluster", err);
}

static int run_delete_user(struct cmd_ctx *c, struct err **err)
{
    return delete_entry(c, KUBECONFIG_USERS, "user", err);
}

const struct cmd_entry cmd_config_delete_context = {
    .name = "delete-context",
    .brief = "Take a context out of the kubeconfig",
    .help = "Take a context out of the kubeconfig. Its cluster and user stay.\n\n" CONFIG_HELP_WHERE,
    .usage = "CONTEXT",
    .examples = "%P config delete-context test",
    .min_args = 1,
    .max_args = 1,
    .args = CMD_ARGS_CONTEXT,
    .run = run_delete_context,
};

const struct cmd_entry cmd_config_delete_cluster = {
    .name = "delete-cluster",
    .brief = "Take a cluster out of the kubeconfig",
    .help = "Take a cluster out of the kubeconfig. Contexts that name it stay.\n\n" CONFIG_HELP_WHERE,
    .usage = "CLUSTER",
    .examples = "%P config delete-cluster test",
    .min_args = 1,
    .max_args = 1,
    .args = CMD_ARGS_CLUSTER,
    .run = run_delete_cluster,
};

const struct cmd_entry cmd_config_delete_user = {
    .name = "delete-user",
    .brief = "Take a user out of the kubeconfig",
    .help = "Take a user out of the kubeconfig. Contexts that name it stay.\n\n" CONFIG_HELP_WHERE,
    .usage = "USER",
    .examples = "%P config delete-user test",
    .min_args = 1,
    .max_args = 1,
    .args = CMD_ARGS_USER,
    .run = run_delete_user,
};

/* Clusters and users */

/* "<key>-data" out of a file (embedded), or "<key>" with its name; each takes the place of the other. */
static int set_file(const struct kubeconfig_files *k, enum kubeconfig_list list, const char *name, cJSON *o,
                    const char *key, const char *path, bool embedded, struct err **err)
{
    _cleanup_free_ char *data_key = xasprintf("%s-data", key), *text = NULL, *written = NULL;
    size_t len;

    if (!path)
        return 0;
    if (embedded) {
        int r = file_read(path, LARGEST_PEM, &text, &len, err);
        if (r < 0)
            return err_wrap(err, "could not read %s data from %s", key, path);
        _cleanup_free_ char *data = str_base64_encode(text, len);
        explicit_bzero(text, len);
        json_del(o, key);
        set_member(o, data_key, data);
        return 0;
    }
    int r = kubeconfig_files_path(k, list, name, path, &written, err);
    if (r < 0)
        return r;
    if (*path)
        json_del(o, data_key);
    set_member(o, key, written);
    return 0;
}

struct cluster_options {
    const char *server, *certificate_authority, *tls_server_name, *proxy_url;
    bool insecure, embed;
};

#define C(member) offsetof(struct cluster_options, member)

static const struct cmd_opt cluster_opts[] = {
    {"certificate-authority", 0, OPT_STRING, C(certificate_authority), "FILE", NULL,
     "Certificate file of the authority that signed the server's certificate"},
    {"embed-certs", 0, OPT_FLAG, C(embed), NULL, NULL,
     "Keep the certificate itself instead of the name of its file"},
    {"insecure-skip-tls-verify", 0, OPT_FLAG, C(insecure), NULL, NULL,
     "Do not check the server's certificate: the connection is not safe"},
    {"proxy-url", 0, OPT_STRING, C(proxy_url), "URL", NULL, "Proxy on the way to the server"},
    {"server", 's', OPT_STRING, C(server), "URL", NULL, "Address of the Kubernetes API server"},
    {"tls-server-name", 0, OPT_STRING, C(tls_server_name), "NAME", NULL,
     "Name the server's certificate must be made out to"},
    OPT_TABLE_END,
};

static int change_cluster(struct cmd_ctx *c, const struct kubeconfig_files *k, cJSON *content,
                          struct err **err)
{
    const struct cluster_options *o = c->options;

    if (o->server) {
        json_put_str(content, "server", o->server);
        /* The name belonged to the server that was replaced. */
        json_del(content, "tls-server-name");
    }
    if (o->tls_server_name)
        set_member(content, "tls-server-name", o->tls_server_name);
    if (cmd_given(c, "insecure-skip-tls-verify")) {
        set_flag(content, "insecure-skip-tls-verify", o->insecure);
        if (o->insecure) {
            json_del(content, "certificate-authority");
            json_del(content, "certificate-authority-data");
        }
    }
    if (!str_empty(o->certificate_authority))
        json_del(content, "insecure-skip-tls-verify");
    if (o->proxy_url)
        set_member(content, "proxy-url", o->proxy_url);
    return set_file(k, KUBECONFIG_CLUSTERS, c->argv[0], content, "certificate-authority",
                    o->certificate_authority, o->embed, err);
}

static int run_set_cluster(struct cmd_ctx *c, struct err **err)
{
    const struct cluster_options *o = c->options;
    _cleanup_(kubeconfig_files_freep) struct kubeconfig_files *k = NULL;

    if (!*c->argv[0])
        return cmd_usage(c, err, "you must specify a non-empty cluster name");
    if (o->insecure && !str_empty(o->certificate_authority))
        return cmd_usage(c, err,
                         "you cannot specify a certificate authority and insecure mode at the same time");
    if (o->embed && str_empty(o->certificate_authority))
        return cmd_usage(c, err, "you must specify a --certificate-authority to embed");
    int r = open_files(c, &k, err);
    if (r < 0)
        return r;
    _cleanup_json_ cJSON *content = content_of(k, KUBECONFIG_CLUSTERS, c->argv[0]);
    r = change_cluster(c, k, content, err);
    if (r < 0)
        return r;
    kubeconfig_files_put(k, KUBECONFIG_CLUSTERS, c->argv[0], TAKE_PTR(content));
    r = kubeconfig_files_commit(k, err);
    if (r == 0)
        say("Cluster \"%s\" set.", c->argv[0]);
    return r;
}

const struct cmd_entry cmd_config_set_cluster = {
    .name = "set-cluster",
    .brief = "Change a cluster, or make a new one",
    .help = "Change a cluster, or make a new one. What is not given stays; an empty value takes a setting "
            "away.\n\n" CONFIG_HELP_WHERE,
    .usage = "CLUSTER [options]",
    .examples =
        "%P config set-cluster prod --server=https://prod.example.com:6443 --certificate-authority=ca.crt "
        "--embed-certs\n%P config set-cluster prod --proxy-url=socks5://localhost:1080",
    .opts = cluster_opts,
    .options_size = sizeof(struct cluster_options),
    .min_args = 1,
    .max_args = 1,
    .args = CMD_ARGS_CLUSTER,
    .run = run_set_cluster,
};

struct user_options {
    const char *client_certificate, *client_key, *token, *username, *password;
    const char *exec_command, *exec_api_version;
    char **exec_args, **exec_env;
    bool embed, provide_cluster_info;
    int interactive_mode;
};

#define U(member) offsetof(struct user_options, member)
static const char *const interactive_modes[] = {"Never", "IfAvailable", "Always", NULL};

static const struct cmd_opt user_opts[] = {
    {"client-certificate", 0, OPT_STRING, U(client_certificate), "FILE", NULL, "Client certificate file"},
    {"client-key", 0, OPT_STRING, U(client_key), "FILE", NULL, "Client key file"},
    {"embed-certs", 0, OPT_FLAG, U(embed), NULL, NULL,
     "Keep certificate and key themselves instead of the file names"},
    {"exec-api-version", 0, OPT_STRING, U(exec_api_version), "VERSION", NULL,
     "API version of the credential plugin, like client.authentication.k8s.io/v1"},
    {"exec-arg", 0, OPT_LIST, U(exec_args), "ARG", NULL, "Argument of the credential plugin; repeatable"},
    {"exec-command", 0, OPT_STRING, U(exec_command), "PROGRAM", NULL,
     "Credential plugin: the program to run"},
    {"exec-env", 0, OPT_LIST, U(exec_env), "NAME=VALUE", NULL,
     "Environment of the credential plugin; NAME- takes one away; repeatable"},
    {"exec-interactive-mode", 0, OPT_ENUM, U(interactive_mode), NULL, "IfAvailable",
     "Whether the credential plugin may ask questions", .choices = interactive_modes},
    {"exec-provide-cluster-info", 0, OPT_FLAG, U(provide_cluster_info), NULL, NULL,
     "Tell the credential plugin about the cluster"},
    {"password", 0, OPT_STRING, U(password), "PASSWORD", NULL, "Password, with --username"},
    {"token", 0, OPT_STRING, U(token), "TOKEN", NULL, "Bearer token"},
    {"username", 0, OPT_STRING, U(username), "NAME", NULL, "Name for basic authentication"},
    OPT_TABLE_END,
};

static int change_env(struct cmd_ctx *c, cJSON *exec, char *const *changes, struct err **err)
{
    if (!cJSON_IsArray(json_get(exec, "env")))
        json_put(exec, "env", cJSON_CreateArray());
    cJSON *env = json_get(exec, "env");
    for (; *changes; changes++) {
        const char *equals = strchr(*changes, '=');
        size_t len = strlen(*changes);
        bool removes = !equals && len > 1 && (*changes)[len - 1] == '-';
        cJSON *known = NULL;
        if (!removes && (!equals || equals == *changes))
            return cmd_usage(c, err, "--exec-env: \"%s\" is neither NAME=VALUE nor NAME-", *changes);
        _cleanup_free_ char *name = xstrndup(*changes, removes ? len - 1 : (size_t)(equals - *changes));
        json_each (v, env)
            if (streq(json_str_or(v, "name", ""), name))
                known = v;
        if (removes)
            cJSON_Delete(known ? cJSON_DetachItemViaPointer(env, known) : NULL);
        else if (known)
            json_put_str(known, "value", equals + 1);
        else
            cJSON_AddItemToArray(env, json_object("name", name, "value", equals + 1, NULL));
    }
    if (!env->child)
        json_del(exec, "env");
    return 0;
}

static int change_exec(struct cmd_ctx *c, cJSON *content, struct err **err)
{
    const struct user_options *o = c->options;
    bool mode = cmd_given(c, "exec-interactive-mode"), info = cmd_given(c, "exec-provide-cluster-info");
    cJSON *exec = json_get(content, "exec");

    if (!cJSON_IsObject(exec)) {
        bool more = o->exec_api_version || o->exec_args || o->exec_env || mode || info;
        if (!o->exec_command && more)
            return cmd_usage(c, err, "user \"%s\" has no credential plugin: --exec-command names one",
                             c->argv[0]);
        if (!o->exec_command)
            return 0;
        json_put(content, "exec", cJSON_CreateObject());
        exec = json_get(content, "exec");
        json_put_str(exec, "interactiveMode", "IfAvailable");
    }
    if (o->exec_command)
        json_put_str(exec, "command", o->exec_command);
    if (o->exec_api_version)
        json_put_str(exec, "apiVersion", o->exec_api_version);
    if (mode)
        json_put_str(exec, "interactiveMode", interactive_modes[o->interactive_mode]);
    if (info)
        json_put(exec, "provideClusterInfo", cJSON_CreateBool(o->provide_cluster_info));
    if (o->exec_args) {
        cJSON *args = cJSON_CreateArray();
        for (char **a = o->exec_args; *a; a++)
            cJSON_AddItemToArray(args, cJSON_CreateString(*a));
        json_put(exec, "args", args);
    }
    return o->exec_env ? change_env(c, exec, o->exec_env, err) : 0;
}

static int change_user(struct cmd_ctx *c, const struct kubeconfig_files *k, cJSON *content, struct err **err)
{
    const struct user_options *o = c->options;
    bool token = !str_empty(o->token), basic = !str_empty(o->username) || !str_empty(o->password);
    int r = set_file(k, KUBECONFIG_USERS, c->argv[0], content, "client-certificate", o->client_certificate,
                     o->embed, err);

    if (r == 0)
        r = set_file(k, KUBECONFIG_USERS, c->argv[0], content, "client-key", o->client_key, o->embed, err);
    if (r < 0)
        return r;
    if (o->token)
        set_member(content, "token", o->token);
    if (o->username)
        set_member(content, "username", o->username);
    if (o->password)
        set_member(content, "password", o->password);
    /* A user logs in by one of them. */
    if (basic && !token)
        json_del(content, "token");
    if (token && !basic) {
        json_del(content, "username");
        json_del(content, "password");
    }
    return change_exec(c, content, err);
}

static int run_set_credentials(struct cmd_ctx *c, struct err **err)
{
    const struct user_options *o = c->options;
    _cleanup_(kubeconfig_files_freep) struct kubeconfig_files *k = NULL;

    if (!*c->argv[0])
        return cmd_usage(c, err, "you must specify a non-empty user name");
    if (!str_empty(o->token) && (!str_empty(o->username) || !str_empty(o->password)))
        return cmd_usage(c, err,
                         "you cannot specify more than one authentication method at the same time: --token, "
                         "--username/--password");
    if (o->embed && str_empty(o->client_certificate) && str_empty(o->client_key))
        return cmd_usage(c, err, "you must specify a --client-certificate or --client-key to embed");
    int r = open_files(c, &k, err);
    if (r < 0)
        return r;
    _cleanup_json_ cJSON *content = content_of(k, KUBECONFIG_USERS, c->argv[0]);
    r = change_user(c, k, content, err);
    if (r < 0)
        return r;
    kubeconfig_files_put(k, KUBECONFIG_USERS, c->argv[0], TAKE_PTR(content));
    r = kubeconfig_files_commit(k, err);
    if (r == 0)
        say("User \"%s\" set.", c->argv[0]);
    return r;
}

const struct cmd_entry cmd_config_set_credentials = {
    .name = "set-credentials",
    .brief = "Change a user, or make a new one",
    .help = "Change a user, or make a new one. What is not given stays; an empty value takes a setting away. "
            "A token and a "
            "name with a password exclude each other. Secrets on a command line can be seen by other users "
            "of the "
            "machine.\n\n" CONFIG_HELP_WHERE,
    .usage = "USER [options]",
    .examples = "%P config set-credentials me --client-certificate=me.crt --client-key=me.key --embed-certs\n"
                "# A credential plugin\n%P config set-credentials me --exec-command=aws --exec-arg=eks "
                "--exec-arg=get-token --exec-api-version=client.authentication.k8s.io/v1",
    .opts = user_opts,
    .options_size = sizeof(struct user_options),
    .min_args = 1,
    .max_args = 1,
    .args = CMD_ARGS_USER,
    .run = run_set_credentials,
};
