#include "dev/ca.h"

#include <limits.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/mem.h"

enum { SERIAL_BYTES = 16, SKEW_SECONDS = 3600, PEM_MAX = 1024 * 1024, X509_V3 = 2 };

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(X509_STORE *, X509_STORE_free)
DEFINE_CLEANUP(X509_STORE_CTX *, X509_STORE_CTX_free)
DEFINE_CLEANUP(BIGNUM *, BN_free)
DEFINE_CLEANUP(X509_EXTENSION *, X509_EXTENSION_free)

static inline void bio_free(BIO *b)
{
    BIO_free(b);
}
DEFINE_CLEANUP(BIO *, bio_free)

void dev_pair_release(struct dev_pair *p)
{
    free(p->cert);
    free(p->key);
    *p = (struct dev_pair){0};
}

/* What OpenSSL complained about last. */
static int failed(struct err **err, const char *what)
{
    char text[256] = "unknown reason";
    unsigned long code = ERR_get_error();

    if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return err_set(err, ERR_FAILED, "%s: %s", what, text);
}

/* Texts */

static char *bio_text(BIO *b)
{
    char *data;
    long len = BIO_get_mem_data(b, &data);

    return xstrndup(data, (size_t)len);
}

static int cert_text(X509 *cert, char **ret, struct err **err)
{
    _cleanup_(bio_freep) BIO *b = BIO_new(BIO_s_mem());

    if (!b || !PEM_write_bio_X509(b, cert))
        return failed(err, "write a certificate");
    *ret = bio_text(b);
    return 0;
}

static int key_text(EVP_PKEY *key, bool private, char **ret, struct err **err)
{
    _cleanup_(bio_freep) BIO *b = BIO_new(BIO_s_secmem());

    if (!b || !(private ? PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL)
                        : PEM_write_bio_PUBKEY(b, key)))
        return failed(err, "write a key");
    *ret = bio_text(b);
    return 0;
}

static int parse_cert(const char *pem, X509 **ret, struct err **err)
{
    _cleanup_(bio_freep) BIO *b = BIO_new_mem_buf(pem, -1);
    X509 *cert = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;

    if (!cert)
        return failed(err, "read a certificate");
    *ret = cert;
    return 0;
}

static int no_password(char *buf _unused_, int size _unused_, int writing _unused_, void *arg _unused_)
{
    return 0;
}

static int parse_key(const char *pem, EVP_PKEY **ret, struct err **err)
{
    _cleanup_(bio_freep) BIO *b = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, no_password, NULL) : NULL;

    if (!key)
        return failed(err, "read a key");
    *ret = key;
    return 0;
}

/* Certificates */

static int new_key(EVP_PKEY **ret, struct err **err)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    if (!key)
        return failed(err, "make a key");
    *ret = key;
    return 0;
}

static bool set_serial(X509 *cert)
{
    unsigned char bytes[SERIAL_BYTES];

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] &= 0x7f;
    _cleanup_(BN_freep) BIGNUM *n = BN_bin2bn(bytes, sizeof(bytes), NULL);
    return n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
}

static bool add_name(X509_NAME *name, const char *field, const char *value)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0) ==
           1;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    _cleanup_(X509_EXTENSION_freep) X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    return ext && X509_add_ext(cert, ext, -1) == 1;
}

static bool add_validity(X509 *cert)
{
    /* A little earlier: clocks of containers and machines differ. */
    return X509_gmtime_adj(X509_getm_notBefore(cert), -SKEW_SECONDS) &&
           X509_time_adj_ex(X509_getm_notAfter(cert), DEV_CERT_DAYS, 0, NULL);
}

/* issuer NULL: self-signed authority. */
static bool fill(X509 *cert, EVP_PKEY *key, X509 *issuer, const struct dev_cert_request *request)
{
    X509_NAME *name = X509_get_subject_name(cert);

    if (!X509_set_version(cert, X509_V3) || !set_serial(cert) || !add_validity(cert) ||
        !X509_set_pubkey(cert, key))
        return false;
    if (request->organization && !add_name(name, "O", request->organization))
        return false;
    if (!add_name(name, "CN", request->common_name))
        return false;
    if (!X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : name))
        return false;
    if (!issuer)
        return add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE") &&
               add_extension(cert, cert, NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign") &&
               add_extension(cert, cert, NID_subject_key_identifier, "hash");
    return add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, issuer, NID_ext_key_usage, request->alt_names ? "serverAuth" : "clientAuth") &&
           add_extension(cert, issuer, NID_authority_key_identifier, "keyid") &&
           (!request->alt_names || add_extension(cert, issuer, NID_subject_alt_name, request->alt_names));
}

static int make(X509 *issuer, EVP_PKEY *issuer_key, const struct dev_cert_request *request,
                struct dev_pair *ret, struct err **err)
{
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
    _cleanup_(X509_freep) X509 *cert = X509_new();
    _cleanup_(dev_pair_release) struct dev_pair pair = {0};
    int r = new_key(&key, err);

    if (r < 0)
        return r;
    if (!cert || !fill(cert, key, issuer, request) ||
        !X509_sign(cert, issuer_key ? issuer_key : key, EVP_sha256()))
        return failed(err, "make a certificate");
    r = cert_text(cert, &pair.cert, err);
    if (r == 0)
        r = key_text(key, true, &pair.key, err);
    if (r < 0)
        return r;
    *ret = pair;
    pair = (struct dev_pair){0};
    return 0;
}

int dev_ca_new(const char *common_name, struct dev_pair *ret, struct err **err)
{
    const struct dev_cert_request request = {.common_name = common_name};

    return make(NULL, NULL, &request, ret, err);
}

int dev_ca_issue(const struct dev_pair *ca, const struct dev_cert_request *request, struct dev_pair *ret,
                 struct err **err)
{
    _cleanup_(X509_freep) X509 *cert = NULL;
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
    int r = parse_cert(ca->cert, &cert, err);

    if (r == 0)
        r = parse_key(ca->key, &key, err);
    if (r == 0)
        r = make(cert, key, request, ret, err);
    return r < 0 ? err_wrap(err, "certificate of %s", request->common_name) : 0;
}

int dev_key_new(char **ret_private, char **ret_public, struct err **err)
{
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
    _cleanup_free_ char *private = NULL, *public = NULL;
    int r = new_key(&key, err);

    if (r == 0)
        r = key_text(key, true, &private, err);
    if (r == 0)
        r = key_text(key, false, &public, err);
    if (r < 0)
        return r;
    *ret_private = TAKE_PTR(private);
    *ret_public = TAKE_PTR(public);
    return 0;
}

int dev_ca_verify(const char *ca_cert, const char *cert, bool serving, int64_t when, struct err **err)
{
    _cleanup_(X509_freep) X509 *root = NULL, *leaf = NULL;
    _cleanup_(X509_STORE_freep) X509_STORE *store = X509_STORE_new();
    _cleanup_(X509_STORE_CTX_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int r = parse_cert(ca_cert, &root, err);

    if (r == 0)
        r = parse_cert(cert, &leaf, err);
    if (r < 0)
        return r;
    if (!store || !ctx || !X509_STORE_add_cert(store, root) || !X509_STORE_CTX_init(ctx, store, leaf, NULL))
        return failed(err, "verify a certificate");
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)when);
    X509_VERIFY_PARAM_set_purpose(param, serving ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT);
    if (serving && !X509_VERIFY_PARAM_set1_ip_asc(param, "127.0.0.1"))
        return failed(err, "verify a certificate");
    if (X509_verify_cert(ctx) != 1)
        return err_set(err, ERR_UNAUTHORIZED, "the certificate does not verify: %s",
                       X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    return 0;
}
