#include "kube/openapi.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "kube/discovery_cache.h"

#define INDEX_PATH "/openapi/v3"

/* Where the document is, and the hash of its content ("" if the server names none). */
static int find_document(struct kube_client *c, const char *api_version, char **ret_url, char **ret_hash,
                         struct err **err)
{
    _cleanup_free_ char *key = xasprintf("%s/%s", strchr(api_version, '/') ? "apis" : "api", api_version);
    _cleanup_json_ cJSON *index = NULL;
    struct kube_call call = {.method = "GET", .path = INDEX_PATH};
    struct err *e = NULL;

    if (kube_json_wait(c, &call, &index, &e) < 0) {
        if (e->http != 404)
            return err_move(err, e);
        err_free(e);
        return err_set(err, ERR_UNSUPPORTED,
                       "the server has no OpenAPI v3 documents (Kubernetes has them since 1.24)");
    }
    const char *url = json_str(json_get(json_get(index, "paths"), key), "serverRelativeURL");
    if (!url)
        return err_set(err, ERR_NOT_FOUND, "the server has no API version \"%s\"", api_version);
    const char *hash = strstr(url, "hash=");
    /* Only ever a path of this server. */
    *ret_url = *url == '/' && url[1] != '/' ? xstrdup(url) : xasprintf(INDEX_PATH "/%s", key);
    *ret_hash = hash ? xstrndup(hash + 5, strcspn(hash + 5, "&")) : xstrdup("");
    return 0;
}

static bool recall(const struct kube_client *c, const char *file, const char *hash, cJSON **ret)
{
    _cleanup_cache_entry_ struct kube_cache_entry entry = {0};
    _cleanup_json_ cJSON *o = NULL;

    if (!*hash || !kube_cache_read(c, file, &entry) || !streq(entry.tag, hash) ||
        json_parse(entry.body, entry.len, "OpenAPI", &o, NULL) < 0 || !cJSON_IsObject(o))
        return false;
    *ret = TAKE_PTR(o);
    return true;
}

int kube_openapi_wait(struct kube_client *c, const char *api_version, cJSON **ret_schemas, struct err **err)
{
    _cleanup_free_ char *url = NULL, *hash = NULL, *file = xasprintf("openapi-%s.json", api_version);
    _cleanup_json_ cJSON *document = NULL;
    int r = find_document(c, api_version, &url, &hash, err);

    if (r < 0)
        return r;
    if (recall(c, file, hash, ret_schemas))
        return 0;
    struct kube_call call = {.method = "GET", .path = url};
    r = kube_json_wait(c, &call, &document, err);
    if (r < 0)
        return r;
    cJSON *components = json_get(document, "components"), *schemas = json_get(components, "schemas");
    if (!cJSON_IsObject(schemas))
        return err_set(err, ERR_PROTOCOL, "the OpenAPI document of %s has no schemas", api_version);
    schemas = cJSON_DetachItemViaPointer(components, schemas);
    if (*hash) {
        _cleanup_free_ char *text = json_print(schemas);
        kube_cache_write(c, file, hash, text, strlen(text));
    }
    *ret_schemas = schemas;
    return 0;
}
