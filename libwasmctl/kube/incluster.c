#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/kubeconfig.h"

#define POD_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

int kube_config_in_cluster(const char *dir, struct kube_config **ret, struct err **err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    _cleanup_(kube_config_freep) struct kube_config *c = xcalloc(1, sizeof(*c));

    if (str_empty(host) || str_empty(port))
        return err_set(err, ERR_NOT_FOUND,
                       "not in a Pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
    if (!dir)
        dir = POD_DIR;
    _cleanup_free_ char *ca = xasprintf("%s/ca.crt", dir), *ns = xasprintf("%s/namespace", dir);
    c->context = xstrdup("in-cluster");
    c->token_file = xasprintf("%s/token", dir);
    c->as_groups = strv_new();
    int r = file_read(ca, 1 << 20, &c->ca_pem, NULL, err);
    if (r < 0)
        return err_wrap(err, "service account of the Pod");
    if (file_read(ns, 4096, &c->namespace, NULL, NULL) < 0)
        c->namespace = xstrdup("default");
    c->namespace[strcspn(c->namespace, "\r\n ")] = '\0';
    /* An IPv6 address needs brackets. */
    c->server =
        strchr(host, ':') ? xasprintf("https://[%s]:%s", host, port) : xasprintf("https://%s:%s", host, port);
    *ret = TAKE_PTR(c);
    return 0;
}
