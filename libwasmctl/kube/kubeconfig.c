#include "kube/kubeconfig.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/yaml.h"

enum { LARGEST_FILE = 16 * 1024 * 1024, LARGEST_PEM = 4 * 1024 * 1024 };

struct kubeconfig {
    cJSON *merged;
    struct map
        *dirs; /* "clusters/<name>", "users/<name>" -> char *: folder of the file that owns the entry */
    char **contexts;
    bool empty;
};

/* The folder that relative paths in a file are relative to. */
static char *dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

/* The first file that defines an entry owns the whole entry. */
static void merge_list(struct kubeconfig *k, const cJSON *file, const char *list, const char *dir)
{
    cJSON *into = json_get(k->merged, list);

    json_each (entry, json_get(file, list)) {
        const char *name = json_str(entry, "name");
        bool known = false;
        if (!name)
            continue;
        json_each (old, into)
            known = known || streq(json_str_or(old, "name", ""), name);
        if (known)
            continue;
        cJSON_AddItemToArray(into, cJSON_Duplicate(entry, true));
        _cleanup_free_ char *key = xasprintf("%s/%s", list, name);
        map_set(k->dirs, key, xstrdup(dir));
    }
}

static int check_lists(const cJSON *o, const char *path, struct err **err)
{
    static const char *const names[] = {"clusters", "contexts", "users"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const cJSON *list = json_get(o, names[i]);
        if (list && !cJSON_IsArray(list) && !cJSON_IsNull(list))
            return err_set(err, ERR_INVALID, "%s: is no kubeconfig: %s is no list", path, names[i]);
        json_each (e, list)
            if (!cJSON_IsObject(e))
                return err_set(err, ERR_INVALID, "%s: is no kubeconfig: %s holds something that is no entry",
                               path, names[i]);
    }
    return 0;
}

static int merge_file(struct kubeconfig *k, const char *path, bool must_exist, struct err **err)
{
    _cleanup_free_ char *text = NULL;
    size_t len;
    struct err *e = NULL;

    if (file_read(path, LARGEST_FILE, &text, &len, &e) < 0) {
        if (!must_exist && e->os == ENOENT) {
            err_free(e);
            return 0;
        }
        return err_move(err, e);
    }
    struct yaml_docs docs = {0};
    int r = yaml_parse(text, len, path, &docs, err);
    if (r < 0)
        return r;
    if (docs.len > 1) {
        r = err_set(err, ERR_INVALID, "%s: a kubeconfig holds one document, not %zu", path, docs.len);
        yaml_docs_release(&docs);
        return r;
    }
    if (docs.len) {
        const cJSON *o = docs.items[0].root;
        const char *kind = json_str(o, "kind"), *current = json_str(o, "current-context");
        if (!cJSON_IsObject(o) || (kind && !streq(kind, "Config"))) {
            r = err_set(err, ERR_INVALID, "%s: is no kubeconfig (%s%s)", path, kind ? "kind " : "",
                        kind ? kind : "it holds no object");
            yaml_docs_release(&docs);
            return r;
        }
        r = check_lists(o, path, err);
        if (r < 0) {
            yaml_docs_release(&docs);
            return r;
        }
        _cleanup_free_ char *dir = dir_of(path);
        merge_list(k, o, "clusters", dir);
        merge_list(k, o, "contexts", dir);
        merge_list(k, o, "users", dir);
        if (!str_empty(current) && !json_get(k->merged, "current-context"))
            json_put_str(k->merged, "current-context", current);
        k->empty = false;
    }
    yaml_docs_release(&docs);
    return 0;
}

int kubeconfig_load(const char *path, struct kubeconfig **ret, struct err **err)
{
    _cleanup_(kubeconfig_freep) struct kubeconfig *k = xcalloc(1, sizeof(*k));
    const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");
    int r = 0;

    k->merged = json_object("apiVersion", "v1", "kind", "Config", NULL);
    json_put(k->merged, "clusters", cJSON_CreateArray());
    json_put(k->merged, "contexts", cJSON_CreateArray());
    json_put(k->merged, "users", cJSON_CreateArray());
    k->dirs = map_new(free);
    k->empty = true;
    if (path) {
        r = merge_file(k, path, true, err);
    } else if (!str_empty(list)) {
        _cleanup_strv_ char **files = strv_split(list, ':', false);
        for (size_t i = 0; files[i] && r == 0; i++)
            r = merge_file(k, files[i], false, err);
    } else if (!str_empty(home)) {
        _cleanup_free_ char *usual = xasprintf("%s/.kube/config", home);
        r = merge_file(k, usual, false, err);
    }
    if (r < 0)
        return err_wrap(err, "load kubeconfig");
    k->contexts = strv_new();
    json_each (c, json_get(k->merged, "contexts"))
        strv_push(&k->contexts, json_str_or(c, "name", ""));
    *ret = TAKE_PTR(k);
    return 0;
}

void kubeconfig_free(struct kubeconfig *k)
{
    if (!k)
        return;
    cJSON_Delete(k->merged);
    map_free(k->dirs);
    strv_free(k->contexts);
    free(k);
}

const char *kubeconfig_current_context(const struct kubeconfig *k)
{
    return json_str(json_get(k->merged, "current-context"), "");
}

char *const *kubeconfig_contexts(const struct kubeconfig *k)
{
    return k->contexts;
}

const cJSON *kubeconfig_json(const struct kubeconfig *k)
{
    return k->merged;
}

bool kubeconfig_empty(const struct kubeconfig *k)
{
    return k->empty;
}

/* Resolving */

static const cJSON *entry(const struct kubeconfig *k, const char *list, const char *name)
{
    json_each (e, json_get(k->merged, list))
        if (streq(json_str_or(e, "name", ""), name))
            return e;
    return NULL;
}

static char *absolute(const char *dir, const char *path)
{
    return *path == '/' || !dir ? xstrdup(path) : xasprintf("%s/%s", dir, path);
}

/* PEM from "<key>-data" (base64) or from the file "<key>"; *ret stays NULL when neither is given. */
static int read_pem(const cJSON *o, const char *key, const char *dir, const char *owner, char **ret,
                    struct err **err)
{
    _cleanup_free_ char *data_key = xasprintf("%s-data", key);
    const cJSON *data = json_get(o, data_key), *file = json_get(o, key);
    size_t len;

    if (cJSON_IsString(data) && *data->valuestring) {
        if (str_base64_decode(data->valuestring, ret, &len) < 0)
            return err_set(err, ERR_INVALID, "kubeconfig: %s: %s is not valid base64", owner, data_key);
        return 0;
    }
    if (!cJSON_IsString(file) || !*file->valuestring)
        return 0;
    _cleanup_free_ char *path = absolute(dir, file->valuestring);
    if (file_read(path, LARGEST_PEM, ret, NULL, err) < 0)
        return err_wrap(err, "kubeconfig: %s: %s", owner, key);
    return 0;
}

static const char *own_str(const cJSON *o, const char *key)
{
    const cJSON *v = json_get(o, key);

    return cJSON_IsString(v) && *v->valuestring ? v->valuestring : NULL;
}

static int read_cluster(const struct kubeconfig *k, struct kube_config *c, struct err **err)
{
    const cJSON *e = entry(k, "clusters", c->cluster_name);

    if (!e)
        return err_set(err, ERR_NOT_FOUND, "cluster \"%s\" does not exist in the kubeconfig",
                       c->cluster_name);
    const cJSON *o = json_get(e, "cluster");
    _cleanup_free_ char *key = xasprintf("clusters/%s", c->cluster_name),
                        *owner = xasprintf("cluster \"%s\"", c->cluster_name);
    c->server = xstrdup_null(own_str(o, "server"));
    c->tls_server_name = xstrdup_null(own_str(o, "tls-server-name"));
    c->proxy_url = xstrdup_null(own_str(o, "proxy-url"));
    c->insecure = json_bool(json_get(o, "insecure-skip-tls-verify"), "", false);
    c->disable_compression = json_bool(json_get(o, "disable-compression"), "", false);
    json_each (x, json_get(o, "extensions")) {
        const cJSON *extension = json_get(x, "extension");
        if (extension && streq(json_str_or(x, "name", ""), "client.authentication.k8s.io/exec"))
            c->exec_cluster_config = cJSON_Duplicate(extension, true);
        if (c->exec_cluster_config)
            break;
    }
    return read_pem(o, "certificate-authority", map_get(k->dirs, key), owner, &c->ca_pem, err);
}

static int read_user(const struct kubeconfig *k, struct kube_config *c, struct err **err)
{
    const cJSON *e = entry(k, "users", c->user_name);

    if (!e)
        return err_set(err, ERR_NOT_FOUND, "user \"%s\" does not exist in the kubeconfig", c->user_name);
    const cJSON *o = json_get(e, "user");
    _cleanup_free_ char *key = xasprintf("users/%s", c->user_name),
                        *owner = xasprintf("user \"%s\"", c->user_name);
    const char *dir = map_get(k->dirs, key), *file = own_str(o, "tokenFile");
    const char *gone = json_str(json_get(o, "auth-provider"), "name");
    if (gone && !json_get(o, "exec"))
        return err_set(err, ERR_UNSUPPORTED,
                       "user \"%s\" logs in by the auth-provider \"%s\", which Kubernetes no longer has: "
                       "use a credential plugin (users[].user.exec)",
                       c->user_name, gone);
    c->token = xstrdup_null(own_str(o, "token"));
    c->token_file = file ? absolute(dir, file) : NULL;
    c->username = xstrdup_null(own_str(o, "username"));
    c->password = xstrdup_null(own_str(o, "password"));
    c->exec = json_get(o, "exec") ? cJSON_Duplicate(json_get(o, "exec"), true) : NULL;
    c->exec_dir = xstrdup_null(dir);
    c->as = xstrdup_null(own_str(o, "as"));
    c->as_uid = xstrdup_null(own_str(o, "as-uid"));
    c->as_extra = cJSON_IsObject(json_get(o, "as-user-extra"))
                      ? cJSON_Duplicate(json_get(o, "as-user-extra"), true)
                      : NULL;
    json_each (g, json_get(o, "as-groups"))
        if (cJSON_IsString(g))
            strv_push(&c->as_groups, g->valuestring);
    int r = read_pem(o, "client-certificate", dir, owner, &c->client_cert_pem, err);
    return r < 0 ? r : read_pem(o, "client-key", dir, owner, &c->client_key_pem, err);
}

static int override_pem(const char *path, char **pem, struct err **err)
{
    char *text = NULL;

    if (!path)
        return 0;
    int r = file_read(path, LARGEST_PEM, &text, NULL, err);
    if (r < 0)
        return r;
    free(*pem);
    *pem = text;
    return 0;
}

static void override(char **value, const char *with)
{
    if (!str_empty(with))
        xstr_replace(value, with);
}

/* Several values of one key come together. */
static int override_extra(struct kube_config *c, char *const *list, struct err **err)
{
    if (!list || !*list)
        return 0;
    _cleanup_json_ cJSON *extra = cJSON_CreateObject();
    for (; *list; list++) {
        const char *equals = strchr(*list, '=');
        if (!equals || equals == *list)
            return err_set(err, ERR_INVALID, "--as-user-extra: \"%s\" is not KEY=VALUE", *list);
        _cleanup_free_ char *key = xstrndup(*list, (size_t)(equals - *list));
        if (!json_get(extra, key))
            json_put(extra, key, cJSON_CreateArray());
        cJSON_AddItemToArray(json_get(extra, key), cJSON_CreateString(equals + 1));
    }
    cJSON_Delete(c->as_extra);
    c->as_extra = TAKE_PTR(extra);
    return 0;
}

static int apply_overrides(struct kube_config *c, const struct kube_overrides *o, struct err **err)
{
    override(&c->namespace, o->namespace);
    override(&c->server, o->server);
    /* The name belongs to the server that was replaced. */
    if (!str_empty(o->server))
        xstr_replace(&c->tls_server_name, NULL);
    override(&c->tls_server_name, o->tls_server_name);
    override(&c->as, o->as);
    override(&c->as_uid, o->as_uid);
    if (!str_empty(o->token)) {
        xstr_replace(&c->token, o->token);
        xstr_replace(&c->token_file, NULL);
        cJSON_Delete(TAKE_PTR(c->exec));
    }
    if (o->as_groups && *o->as_groups) {
        strv_free(c->as_groups);
        c->as_groups = strv_copy(o->as_groups);
    }
    /* Either given on the command line turns the file's other one off. */
    if (o->insecure)
        xstr_replace(&c->ca_pem, NULL);
    if (o->insecure || o->certificate_authority)
        c->insecure = o->insecure;
    c->disable_compression = c->disable_compression || o->disable_compression;
    int r = override_extra(c, o->as_extra, err);
    if (r == 0)
        r = override_pem(o->certificate_authority, &c->ca_pem, err);
    if (r == 0)
        r = override_pem(o->client_certificate, &c->client_cert_pem, err);
    if (r == 0)
        r = override_pem(o->client_key, &c->client_key_pem, err);
    return r;
}

static int check_server(struct kube_config *c, struct err **err)
{
    if (!c->server)
        return err_set(err, ERR_INVALID, "cluster \"%s\" of context \"%s\" names no server",
                       c->cluster_name ? c->cluster_name : "", c->context ? c->context : "");
    if (!strstr(c->server, "://")) {
        char *with = xasprintf("http://%s", c->server);
        free(c->server);
        c->server = with;
    }
    if (!str_starts(c->server, "https://") && !str_starts(c->server, "http://"))
        return err_set(err, ERR_INVALID, "server \"%s\" is neither an http:// nor an https:// address",
                       c->server);
    size_t len = strlen(c->server);
    while (len && c->server[len - 1] == '/')
        c->server[--len] = '\0';
    return 0;
}

int kubeconfig_resolve(const struct kubeconfig *k, const struct kube_overrides *o, struct kube_config **ret,
                       struct err **err)
{
    static const struct kube_overrides none = {0};
    _cleanup_(kube_config_freep) struct kube_config *c = xcalloc(1, sizeof(*c));
    int r = 0;

    if (!o)
        o = &none;
    const char *wanted = !str_empty(o->context) ? o->context : kubeconfig_current_context(k);
    if (str_empty(wanted) && k->empty && str_empty(o->server)) {
        struct kube_config *pod = NULL;
        if (kube_config_in_cluster(NULL, &pod, NULL) == 0) {
            if ((r = apply_overrides(pod, o, err)) < 0)
                kube_config_free(pod);
            else
                *ret = pod;
            return r;
        }
        return err_set(
            err, ERR_NOT_FOUND,
            "no configuration has been provided: set KUBECONFIG, give --kubeconfig, or start a local "
            "environment with `wasmctl dev up`");
    }
    const cJSON *context = NULL;
    if (!str_empty(wanted)) {
        const cJSON *e = entry(k, "contexts", wanted);
        if (!e)
            return err_set(err, ERR_NOT_FOUND, "context \"%s\" does not exist", wanted);
        context = json_get(e, "context");
    } else if (str_empty(o->server) && str_empty(o->cluster)) {
        return err_set(err, ERR_NOT_FOUND, "the kubeconfig has no current-context: give --context");
    }
    c->context = xstrdup(wanted ? wanted : "");
    c->as_groups = strv_new();
    c->namespace = xstrdup(own_str(context, "namespace") ? own_str(context, "namespace") : "default");
    c->cluster_name = xstrdup_null(!str_empty(o->cluster) ? o->cluster : own_str(context, "cluster"));
    c->user_name = xstrdup_null(!str_empty(o->user) ? o->user : own_str(context, "user"));
    if (c->cluster_name)
        r = read_cluster(k, c, err);
    if (r == 0 && c->user_name)
        r = read_user(k, c, err);
    if (r == 0)
        r = apply_overrides(c, o, err);
    if (r == 0)
        r = check_server(c, err);
    if (r == 0)
        *ret = TAKE_PTR(c);
    return r;
}

void kube_config_free(struct kube_config *c)
{
    if (!c)
        return;
    free(c->context);
    free(c->namespace);
    free(c->cluster_name);
    free(c->user_name);
    free(c->server);
    free(c->ca_pem);
    free(c->client_cert_pem);
    if (c->client_key_pem)
        explicit_bzero(c->client_key_pem, strlen(c->client_key_pem));
    free(c->client_key_pem);
    free(c->token);
    free(c->token_file);
    free(c->username);
    free(c->password);
    free(c->tls_server_name);
    free(c->proxy_url);
    cJSON_Delete(c->exec);
    free(c->exec_dir);
    free(c->as);
    free(c->as_uid);
    strv_free(c->as_groups);
    cJSON_Delete(c->exec_cluster_config);
    cJSON_Delete(c->as_extra);
    free(c);
}
