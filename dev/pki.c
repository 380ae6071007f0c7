#include "dev/pki.h"

#include <string.h>

#include "base/file.h"
#include "base/timefmt.h"
#include "dev/ca.h"

enum { PKI_FILE_MAX = 64 * 1024, RENEW_DAYS = 7 };

#define SERVER_NAMES                                                                                         \
    "IP:127.0.0.1,IP:::1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"

char *dev_pki_folder(const struct dev_env *e)
{
    return dev_path(e, "pki");
}

int dev_pki_read(const struct dev_env *e, const char *file, char **ret, struct err **err)
{
    _cleanup_free_ char *path = dev_path(e, "pki/%s", file);

    return file_read(path, PKI_FILE_MAX, ret, NULL, err);
}

static bool is_good(const struct dev_env *e)
{
    _cleanup_free_ char *ca = NULL, *server = NULL, *admin = NULL, *node = NULL, *kubelet = NULL,
                        *rest = NULL;
    int64_t later = time_now_ns() / 1000000000 + RENEW_DAYS * INT64_C(86400);

    for (const char *const *f = (const char *const[]){"server.key", "admin.key", "node.key",
                                                      "kubelet-client.key", "sa.key", "sa.pub", NULL};
         *f; f++) {
        if (dev_pki_read(e, *f, &rest, NULL) < 0)
            return false;
        xstr_replace(&rest, NULL);
    }
    return dev_pki_read(e, "ca.crt", &ca, NULL) == 0 && dev_pki_read(e, "server.crt", &server, NULL) == 0 &&
           dev_pki_read(e, "admin.crt", &admin, NULL) == 0 && dev_pki_read(e, "node.crt", &node, NULL) == 0 &&
           dev_pki_read(e, "kubelet-client.crt", &kubelet, NULL) == 0 &&
           dev_ca_verify(ca, server, true, later, NULL) == 0 &&
           dev_ca_verify(ca, admin, false, later, NULL) == 0 &&
           dev_ca_verify(ca, node, true, later, NULL) == 0 &&
           dev_ca_verify(ca, kubelet, false, later, NULL) == 0;
}

static int put(const struct dev_env *e, const char *file, const char *text, struct err **err)
{
    _cleanup_free_ char *path = dev_path(e, "pki/%s", file);

    return file_write(path, text, strlen(text), 0600, err);
}

static int put_pair(const struct dev_env *e, const struct dev_pair *ca, const char *name,
                    const struct dev_cert_request *request, struct err **err)
{
    _cleanup_(dev_pair_release) struct dev_pair pair = {0};
    _cleanup_free_ char *cert = xasprintf("%s.crt", name), *key = xasprintf("%s.key", name);
    int r = dev_ca_issue(ca, request, &pair, err);

    if (r == 0)
        r = put(e, cert, pair.cert, err);
    return r < 0 ? r : put(e, key, pair.key, err);
}

int dev_pki_ensure(const struct dev_env *e, bool *ret_new, struct err **err)
{
    static const struct dev_cert_request server = {.common_name = "kube-apiserver",
                                                   .alt_names = SERVER_NAMES};
    static const struct dev_cert_request node = {.common_name = "system:node", .alt_names = "IP:127.0.0.1"};
    static const struct dev_cert_request kubelet_client = {.common_name = DEV_PKI_KUBELET_CLIENT};
    const struct dev_cert_request admin = {.common_name = e->context, .organization = "system:masters"};
    const struct {
        const char *name;
        const struct dev_cert_request *request;
    } pairs[] = {
        {"server", &server}, {"admin", &admin}, {"node", &node}, {"kubelet-client", &kubelet_client}};
    _cleanup_(dev_pair_release) struct dev_pair ca = {0};
    _cleanup_free_ char *folder = dev_pki_folder(e), *sa_key = NULL, *sa_pub = NULL;
    _cleanup_free_ char *ca_name = xasprintf("%s-ca", e->context);

    if (is_good(e)) {
        *ret_new = false;
        return 0;
    }
    int r = file_mkdirs(folder, 0700, err);
    if (r == 0)
        r = dev_ca_new(ca_name, &ca, err);
    /* The key of the authority is not kept: nobody is to sign with it later. */
    if (r == 0)
        r = put(e, "ca.crt", ca.cert, err);
    for (size_t i = 0; i < ARRAY_LEN(pairs) && r == 0; i++)
        r = put_pair(e, &ca, pairs[i].name, pairs[i].request, err);
    if (r == 0)
        r = dev_key_new(&sa_key, &sa_pub, err);
    if (r == 0)
        r = put(e, "sa.key", sa_key, err);
    if (r == 0)
        r = put(e, "sa.pub", sa_pub, err);
    if (r < 0)
        return r;
    *ret_new = true;
    return 0;
}
