#include "dev/objects.h"

#include <string.h>

#include "base/str.h"
#include "data/yaml.h"
#include "dev/children.h"
#include "dev/kubeconf.h"
#include "dev/pki.h"
#include "kube/gvr.h"

enum { RETRY_MS = 100, TOKEN_SECONDS = 365 * 24 * 3600 };

struct dev_objects {
    struct dev_env *env;
    struct kube_client *client;
    dev_objects_fn fn;
    void *arg;
    cJSON *items; /* array: what is to be applied, in order */
    int at;
    bool token_wanted;
    char *sa_namespace, *sa_name;
    struct kube_req *req;
    struct loop_timer *retry;
};

static void step(void *arg);

void dev_objects_free(struct dev_objects *o)
{
    if (!o)
        return;
    kube_req_cancel(o->req);
    loop_timer_free(o->retry);
    cJSON_Delete(o->items);
    free(o->sa_namespace);
    free(o->sa_name);
    free(o);
}

/* What is to be applied */

static int add_manifest(struct dev_objects *o, const char *name, const char *text, size_t len,
                        struct err **err)
{
    _cleanup_(yaml_docs_release) struct yaml_docs docs = {0};
    int r = yaml_parse(text, len, name, &docs, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < docs.len; i++) {
        const char *kind = json_str_or(docs.items[i].root, "kind", "");
        const char *version = json_str_or(docs.items[i].root, "apiVersion", "");
        if (!kube_builtin_kind(version, kind) || !json_str(docs.items[i].root, "metadata.name"))
            return err_set(err, ERR_INVALID, "%s:%u: cannot apply a %s of %s without name or of unknown kind",
                           name, docs.items[i].line, *kind ? kind : "object",
                           *version ? version : "no version");
        if (streq(kind, "ServiceAccount")) {
            xstr_replace(&o->sa_namespace, json_str_or(docs.items[i].root, "metadata.namespace", "default"));
            xstr_replace(&o->sa_name, json_str(docs.items[i].root, "metadata.name"));
        }
        cJSON_AddItemToArray(o->items, TAKE_PTR(docs.items[i].root));
    }
    return 0;
}

static void add_lattice(struct dev_objects *o)
{
    _cleanup_free_ char *url = dev_nats_url(o->env);
    cJSON *lattice = cJSON_CreateObject(), *servers = cJSON_CreateArray();

    json_set_str(lattice, "apiVersion", "wasmctl.dev/v1alpha1");
    json_set_str(lattice, "kind", "Lattice");
    json_set_str(lattice, "metadata.name", DEV_LATTICE_ID);
    json_set_str(lattice, "spec.driver", "wasmcloud.v1");
    json_set_str(lattice, "spec.id", DEV_LATTICE_ID);
    cJSON_AddItemToArray(servers, cJSON_CreateString(url));
    json_set(lattice, "spec.nats.servers", servers);
    cJSON_AddItemToArray(o->items, lattice);
}

/* Sending */

static void finish(struct dev_objects *o, const struct err *e)
{
    o->fn(o->arg, e);
}

/* A kind is served a moment after its CRD was accepted; a server that has just become ready may still refuse.
 */
static bool is_passing(const struct err *e)
{
    return e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT || e->code == ERR_THROTTLED ||
           e->http == 404 || e->http >= 500 || (e->http == 403 && strstr(e->message, "not yet ready"));
}

static void on_applied(void *arg, const struct kube_response *response _unused_, const struct err *e)
{
    struct dev_objects *o = arg;
    const cJSON *item = cJSON_GetArrayItem(o->items, o->at);

    o->req = NULL;
    if (e && is_passing(e)) {
        loop_timer_start(o->retry, RETRY_MS);
        return;
    }
    if (e) {
        struct err *own = err_copy(e);
        err_wrap(&own, "apply %s %s", json_str_or(item, "kind", ""), json_str_or(item, "metadata.name", ""));
        finish(o, own);
        err_free(own);
        return;
    }
    o->at++;
    step(o);
}

static void send_apply(struct dev_objects *o, const cJSON *item)
{
    const struct kube_resource *resource =
        kube_builtin_kind(json_str_or(item, "apiVersion", ""), json_str_or(item, "kind", ""));
    const char *ns = resource->namespaced ? json_str_or(item, "metadata.namespace", "default") : NULL;
    _cleanup_free_ char *path = kube_path(resource, ns, json_str(item, "metadata.name"), NULL);
    _cleanup_free_ char *body = json_print(item);
    struct kube_call call = {
        .method = "PATCH",
        .path = path,
        .query = "fieldManager=wasmctl&force=true",
        .body = body,
        .content_type = KUBE_APPLY_YAML,
        .done = on_applied,
        .arg = o,
    };

    o->req = kube_do(o->client, &call);
}

static void on_token(void *arg, const struct kube_response *response, const struct err *e)
{
    struct dev_objects *o = arg;
    _cleanup_json_ cJSON *answer = NULL;
    _cleanup_err_ struct err *own = NULL;

    o->req = NULL;
    if (e && is_passing(e)) {
        loop_timer_start(o->retry, RETRY_MS);
        return;
    }
    if (e)
        own = err_copy(e);
    else if (json_parse(response->body, response->len, "answer to a token request", &answer, &own) == 0) {
        const char *token = json_str(answer, "status.token");
        if (token)
            dev_kubeconf_write_operator(o->env, o->sa_namespace, token, &own);
        else
            err_set(&own, ERR_PROTOCOL, "the answer holds no token");
    }
    if (own)
        err_wrap(&own, "get a token for service account %s/%s", o->sa_namespace, o->sa_name);
    finish(o, own);
}

static void send_token_request(struct dev_objects *o)
{
    const struct kube_resource *resource = kube_builtin_kind("v1", "ServiceAccount");
    _cleanup_free_ char *path = kube_path(resource, o->sa_namespace, o->sa_name, "token");
    _cleanup_free_ char *body =
        xasprintf("{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\","
                  "\"spec\":{\"expirationSeconds\":%d}}",
                  TOKEN_SECONDS);
    struct kube_call call = {.method = "POST", .path = path, .body = body, .done = on_token, .arg = o};

    o->req = kube_do(o->client, &call);
}

static void step(void *arg)
{
    struct dev_objects *o = arg;
    const cJSON *item = cJSON_GetArrayItem(o->items, o->at);

    if (item)
        send_apply(o, item);
    else if (o->token_wanted)
        send_token_request(o);
    else
        finish(o, NULL);
}

int dev_objects_new(struct dev_env *e, struct kube_client *client, const struct dev_manifest *manifests,
                    size_t n, dev_objects_fn fn, void *arg, struct dev_objects **ret, struct err **err)
{
    struct dev_objects *o = xcalloc(1, sizeof(*o));
    int r = 0;

    o->env = e;
    o->client = client;
    o->fn = fn;
    o->arg = arg;
    o->items = cJSON_CreateArray();
    o->retry = loop_timer_new(e->loop, step, o);
    for (size_t i = 0; i < n && r == 0; i++)
        r = add_manifest(o, manifests[i].name, manifests[i].text, manifests[i].len, err);
    for (const struct dev_deploy_file *f = dev_deploy_files; f->name && r == 0; f++)
        r = add_manifest(o, f->name, f->text, *f->len, err);
    if (r == 0 && e->with_operator && !o->sa_name)
        r = err_set(err, ERR_INVALID, "the manifests of the operator hold no ServiceAccount");
    if (r < 0) {
        dev_objects_free(o);
        return r;
    }
    if (e->with_lattice)
        add_lattice(o);
    o->token_wanted = e->with_operator;
    loop_timer_start(o->retry, 0);
    *ret = o;
    return 0;
}

int dev_admin_client(const struct dev_env *e, int64_t timeout_ms, struct kube_client **ret, struct err **err)
{
    struct kube_config config = {0};
    struct kube_client_options options = {.timeout_ms = timeout_ms,
                                          .user_agent = "wasmctl-dev/" WASMCTL_VERSION};
    _cleanup_free_ char *server = dev_api_url(e), *ca = NULL, *cert = NULL, *key = NULL;
    int r = dev_pki_read(e, "ca.crt", &ca, err);

    if (r == 0)
        r = dev_pki_read(e, "admin.crt", &cert, err);
    if (r == 0)
        r = dev_pki_read(e, "admin.key", &key, err);
    if (r < 0)
        return r;
    config.server = server;
    config.ca_pem = ca;
    config.client_cert_pem = cert;
    config.client_key_pem = key;
    config.context = e->context;
    config.namespace = (char[]){"default"};
    return kube_client_new(e->loop, &config, &options, ret, err);
}
