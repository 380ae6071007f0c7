#include "kube/tls.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

DEFINE_CLEANUP(BIO *, BIO_free)
DEFINE_CLEANUP(X509 *, X509_free)

enum { SUBJECT_MOST = 256, NAMES_MOST = 8 };

static char *name_text(const X509_NAME *name)
{
    char text[SUBJECT_MOST] = "";

    _cleanup_(BIO_freep) BIO *bio = BIO_new(BIO_s_mem());
    if (bio && name && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        int n = BIO_read(bio, text, sizeof(text) - 1);
        text[n > 0 ? n : 0] = '\0';
    }
    return *text ? str_escape_control(text, false) : xstrdup("(no subject)");
}

static char *time_text(const ASN1_TIME *t)
{
    struct tm tm;
    char text[TIME_RFC3339_LEN];

    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return xstrdup("an unknown date");
    return xstrdup(time_rfc3339((int64_t)timegm(&tm) * 1000000000, 0, text));
}

static char *trouble_with_time(const X509 *cert)
{
    const ASN1_TIME *from = X509_get0_notBefore(cert), *to = X509_get0_notAfter(cert);
    bool early = X509_cmp_current_time(from) > 0, late = X509_cmp_current_time(to) < 0;

    if (!early && !late)
        return NULL;
    _cleanup_free_ char *subject = name_text(X509_get_subject_name(cert)),
                        *when = time_text(late ? to : from);
    return xasprintf("the certificate of \"%s\" %s %s", subject, late ? "expired on" : "is not valid before",
                     when);
}

/* The names a certificate is made out to: "a, b, 10.0.0.1". */
static char *names_of(X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    struct buf b = BUF_INIT;

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < NAMES_MOST; i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        const unsigned char *data = n->type == GEN_DNS     ? ASN1_STRING_get0_data(n->d.dNSName)
                                    : n->type == GEN_IPADD ? ASN1_STRING_get0_data(n->d.iPAddress)
                                                           : NULL;
        if (!data)
            continue;
        const char *between = b.len ? ", " : "";
        if (n->type == GEN_DNS)
            buf_addf(&b, "%s%.*s", between, ASN1_STRING_length(n->d.dNSName), (const char *)data);
        else if (ASN1_STRING_length(n->d.iPAddress) == 4)
            buf_addf(&b, "%s%u.%u.%u.%u", between, data[0], data[1], data[2], data[3]);
        else
            buf_addf(&b, "%san IPv6 address", between);
    }
    GENERAL_NAMES_free(names);
    _cleanup_free_ char *text = buf_take(&b);
    return *text ? str_escape_control(text, false) : NULL;
}

static int story_index(void)
{
    static int index = -1;

    if (index < 0)
        index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return index;
}

static char *describe(X509_STORE_CTX *store, int error)
{
    X509 *cert = X509_STORE_CTX_get_current_cert(store);

    if (!cert)
        return NULL;
    if (error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID)
        return trouble_with_time(cert);
    _cleanup_free_ char *subject = name_text(X509_get_subject_name(cert));
    if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        _cleanup_free_ char *names = names_of(cert);
        return xasprintf("the certificate is made out to %s", names ? names : subject);
    }
    _cleanup_free_ char *issuer = name_text(X509_get_issuer_name(cert));
    return xasprintf("the certificate of \"%s\" is signed by \"%s\"", subject, issuer);
}

/* Decides nothing: what did not pass does not pass. */
static int on_verify(int ok, X509_STORE_CTX *store)
{
    if (ok)
        return ok;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    char **story = ssl ? SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), story_index()) : NULL;
    if (story) {
        free(*story);
        *story = describe(store, X509_STORE_CTX_get_error(store));
    }
    return ok;
}

/* Whether the name fits is checked by curl after the handshake: the names are kept for that. */
static int on_leaf(X509_STORE_CTX *store, void *arg)
{
    char **story = arg;
    X509 *leaf = X509_STORE_CTX_get0_cert(store);

    int ok = X509_verify_cert(store);
    if (ok == 1 && leaf && !*story) {
        _cleanup_free_ char *names = names_of(leaf), *subject = name_text(X509_get_subject_name(leaf));
        *story = xasprintf("the certificate is made out to %s", names ? names : subject);
    }
    return ok;
}

static CURLcode on_context(CURL *easy _unused_, void *context, void *arg)
{
    SSL_CTX *ssl = context;
    char **story = arg;

    free(*story);
    *story = NULL;
    if (SSL_CTX_get_verify_mode(ssl) == SSL_VERIFY_NONE)
        return CURLE_OK;
    SSL_CTX_set_ex_data(ssl, story_index(), story);
    SSL_CTX_set_verify(ssl, SSL_CTX_get_verify_mode(ssl), on_verify);
    SSL_CTX_set_cert_verify_callback(ssl, on_leaf, story);
    return CURLE_OK;
}

void kube_tls_watch(CURL *easy, char **story)
{
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, story);
}

char *kube_tls_cert_trouble(const char *pem)
{
    _cleanup_(BIO_freep) BIO *bio = BIO_new_mem_buf(pem, -1);
    _cleanup_(X509_freep) X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    return cert ? trouble_with_time(cert) : NULL;
}
