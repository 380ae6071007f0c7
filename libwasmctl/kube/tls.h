/*
 * Certificates, for messages: what exactly is wrong with the one a server showed or the one we show. What is
 * trusted is decided by libcurl and OpenSSL alone.
 *
 * For kube/request.c and kube/status.c only.
 */
#ifndef WASMCTL_KUBE_TLS_H
#define WASMCTL_KUBE_TLS_H

#include <curl/curl.h>

/* Notes in *story (owned by the caller, replaced) which certificate did not pass and why, when one does not:
 * `certificate of "CN=x" expired on 2026-01-02T03:04:05Z`. story must outlive the transfer. */
void kube_tls_watch(CURL *easy, char **story);

/* What is wrong with the time of the first certificate in this PEM text: "expired on ..." or "is not valid
 * before ...", with the subject; NULL when nothing is. Caller frees. */
char *kube_tls_cert_trouble(const char *pem);

#endif
