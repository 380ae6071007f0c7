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
    _cleanup_free_ char *ca = NULL, *server = NULL, *admin = NULL, *rest = NULL;
    int64_t later = time_now_ns() / 1000000000 + RENEW_DAYS * INT64_C(86400);

    for (const char *const *f = (const char *const[]){"server.key", "admin.key", "sa.key", "sa.pub", NULL};
         *f; f++) {
        if (dev_pki_read(e, *f, &rest, NULL) < 0)
            return false;
        xstr_replace(&rest, NULL);
    }
    return dev_pki_read(e, "ca.crt", &ca, NULL) == 0 && dev_pki_read(e, "server.crt", &server, NULL) == 0 &&
           dev_pki_read(e, "admin.crt", &admin, NULL) == 0 &&
           dev_ca_verify(ca, server, true, later, NULL) == 0 &&
           dev_ca_verify(ca, admin, false, later, NULL) == 0;
}

static int put(const struct dev_env *e, const char *file, const char *text, struct err **err)
{
    _cleanup_free_ char *path = dev_path(e, "pki/%s", file);

    return file_write(path, text, strlen(text), 0600, err);
}

static int put_all(const struct dev_env *e, const struct dev_pair *ca, const struct dev_pair *server,
                   const struct dev_pair *admin, const char *sa_key, const char *sa_pub, struct err **err)
{
    /* The key of the authority is not kept: nobody is to sign with it later. */
    const char *const files[][2] = {
        {"ca.crt", ca->cert},       {"server.crt", server->cert}, {"server.key", server->key},
        {"admin.crt", admin->cert}, {"admin.key", admin->key},    {"sa.key", sa_key},
        {"sa.pub", sa_pub},
    };

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        int r = put(e, files[i][0], files[i][1], err);
        if (r < 0)
            return r;
    }
    return 0;
}

int dev_pki_ensure(const struct dev_env *e, bool *ret_new, struct err **err)
{
    _cleanup_(dev_pair_release) struct dev_pair ca = {0}, server = {0}, admin = {0};
    _cleanup_free_ char *folder = dev_pki_folder(e), *sa_key = NULL, *sa_pub = NULL;
    _cleanup_free_ char *ca_name = xasprintf("%s-ca", e->context);
    const struct dev_cert_request server_request = {.common_name = "kube-apiserver",
                                                    .alt_names = SERVER_NAMES};
    const struct dev_cert_request admin_request = {.common_name = e->context,
                                                   .organization = "system:masters"};

    if (is_good(e)) {
        *ret_new = false;
        return 0;
    }
    int r = file_mkdirs(folder, 0700, err);
    if (r == 0)
        r = dev_ca_new(ca_name, &ca, err);
    if (r == 0)
        r = dev_ca_issue(&ca, &server_request, &server, err);
    if (r == 0)
        r = dev_ca_issue(&ca, &admin_request, &admin, err);
    if (r == 0)
        r = dev_key_new(&sa_key, &sa_pub, err);
    if (r == 0)
        r = put_all(e, &ca, &server, &admin, sa_key, sa_pub, err);
    if (r < 0)
        return r;
    *ret_new = true;
    return 0;
}
