/* Keys and certificates: an own certificate authority on elliptic curves (P-256). All texts are PEM. The only
 * user of libcrypto. */
#ifndef WASMCTL_DEV_CA_H
#define WASMCTL_DEV_CA_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

struct dev_pair {
    char *cert, *key; /* owned */
};
void dev_pair_release(struct dev_pair *p);

enum { DEV_CERT_DAYS = 3650 };

/* A self-signed authority. */
int dev_ca_new(const char *common_name, struct dev_pair *ret, struct err **err);

struct dev_cert_request {
    const char *common_name;
    const char *organization; /* group of a client, NULL = none */
    const char
        *alt_names; /* "IP:127.0.0.1,DNS:localhost": a serving certificate; NULL: a client certificate */
};
/* A key and a certificate signed by the authority. */
int dev_ca_issue(const struct dev_pair *ca, const struct dev_cert_request *request, struct dev_pair *ret,
                 struct err **err);

/* A key pair without certificate: the private and the public half. */
int dev_key_new(char **ret_private, char **ret_public, struct err **err);

/* Whether cert was signed by ca and is valid at `when` (seconds since 1970); for a serving certificate also
 * for 127.0.0.1. An error says why not. */
int dev_ca_verify(const char *ca_cert, const char *cert, bool serving, int64_t when, struct err **err);

#endif
