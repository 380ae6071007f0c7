/*
 * Which proxy a server is reached through. The rules are those of the other Kubernetes tools (Go's
 * net/http): HTTPS_PROXY for https:// servers, HTTP_PROXY for http:// ones, names in capitals before small
 * ones, never for this machine itself, and NO_PROXY as a list of names, suffixes, addresses and networks.
 *
 * For kube/client.c only.
 */
#ifndef WASMCTL_KUBE_PROXY_H
#define WASMCTL_KUBE_PROXY_H

#include <stdbool.h>
#include "base/err.h"

/* A proxy-url of a kubeconfig: http://, https:// and socks5:// are possible. ERR_INVALID says so. */
int kube_proxy_check(const char *url, struct err **err);
/* The URL for curl: names are looked up by a socks5 proxy, as they may be known there only. Caller frees. */
char *kube_proxy_normal(const char *url);
/* The proxy for this server; "" for none. *ret_from: name of the variable that set it, NULL if none did.
 * Caller frees. */
char *kube_proxy_of_environment(bool https, const char *host_port, const char **ret_from);
/* Whether a NO_PROXY list covers the server: "*", "example.com" (and all below), ".example.com" (only what is
 * below), addresses, networks ("10.0.0.0/8"), each also with ":port". */
bool kube_proxy_excluded(const char *no_proxy, const char *host_port);
/* For messages: without user and password. Caller frees. */
char *kube_url_shown(const char *url);

#endif
