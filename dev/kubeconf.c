#include "dev/kubeconf.h"

#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "data/yaml.h"
#include "dev/children.h"
#include "dev/pki.h"

static void add_named(cJSON *doc, const char *list, const char *name, const char *key, cJSON *value)
{
    cJSON *items = cJSON_CreateArray(), *item = cJSON_CreateObject();

    json_put_str(item, "name", name);
    json_put(item, key, value);
    cJSON_AddItemToArray(items, item);
    json_put(doc, list, items);
}

static void put_data(cJSON *o, const char *key, const char *pem)
{
    _cleanup_free_ char *text = str_base64_encode(pem, strlen(pem));

    json_put_str(o, key, text);
}

/* A kubeconfig with one context; takes user. */
static int one_context(const struct dev_env *e, const char *ns, cJSON *user, cJSON **ret, struct err **err)
{
    _cleanup_free_ char *ca = NULL, *server = dev_api_url(e);
    cJSON *cluster, *context, *doc;
    int r = dev_pki_read(e, "ca.crt", &ca, err);

    if (r < 0) {
        cJSON_Delete(user);
        return r;
    }
    cluster = cJSON_CreateObject();
    json_put_str(cluster, "server", server);
    put_data(cluster, "certificate-authority-data", ca);
    context = cJSON_CreateObject();
    json_put_str(context, "cluster", e->context);
    json_put_str(context, "user", e->context);
    json_put_str(context, "namespace", ns);
    doc = cJSON_CreateObject();
    json_put_str(doc, "apiVersion", "v1");
    json_put_str(doc, "kind", "Config");
    add_named(doc, "clusters", e->context, "cluster", cluster);
    add_named(doc, "users", e->context, "user", user);
    add_named(doc, "contexts", e->context, "context", context);
    json_put_str(doc, "current-context", e->context);
    *ret = doc;
    return 0;
}

static int write_yaml(const char *path, const cJSON *doc, struct err **err)
{
    _cleanup_buf_ struct buf text = BUF_INIT;

    yaml_print_to(&text, doc);
    return file_write(path, buf_str(&text), text.len, 0600, err);
}

int dev_kubeconf_write_admin(const struct dev_env *e, struct err **err)
{
    _cleanup_free_ char *cert = NULL, *key = NULL;
    _cleanup_json_ cJSON *doc = NULL;
    int r = dev_pki_read(e, "admin.crt", &cert, err);

    if (r == 0)
        r = dev_pki_read(e, "admin.key", &key, err);
    if (r < 0)
        return r;
    cJSON *user = cJSON_CreateObject();
    put_data(user, "client-certificate-data", cert);
    put_data(user, "client-key-data", key);
    r = one_context(e, "default", user, &doc, err);
    return r < 0 ? r : write_yaml(e->kubeconfig, doc, err);
}

int dev_kubeconf_write_operator(const struct dev_env *e, const char *ns, const char *token, struct err **err)
{
    _cleanup_free_ char *token_path = dev_path(e, "operator.token"),
                        *path = dev_path(e, "operator.kubeconfig");
    _cleanup_json_ cJSON *doc = NULL;
    int r = file_write(token_path, token, strlen(token), 0600, err);

    if (r < 0)
        return r;
    cJSON *user = cJSON_CreateObject();
    json_put_str(user, "tokenFile", token_path);
    r = one_context(e, ns, user, &doc, err);
    return r < 0 ? r : write_yaml(path, doc, err);
}
