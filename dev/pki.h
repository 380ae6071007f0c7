/* The keys and certificates of an environment on disk: made once, checked at each start. */
#ifndef WASMCTL_DEV_PKI_H
#define WASMCTL_DEV_PKI_H

#include "dev/env.h"

/* Common name of the certificate with which the API server asks nodes for logs. */
#define DEV_PKI_KUBELET_CLIENT "kube-apiserver-kubelet-client"

/* Folder of ca.crt, server.crt, server.key, sa.key, sa.pub, admin.crt, admin.key, node.crt, node.key
 * (serving), kubelet-client.crt, kubelet-client.key (DEV_PKI_KUBELET_CLIENT); caller frees. */
char *dev_pki_folder(const struct dev_env *e);
/* Makes what is missing. When something is damaged or about to expire, everything is made anew (*ret_new is
 * true then). */
int dev_pki_ensure(const struct dev_env *e, bool *ret_new, struct err **err);
/* Content of one of the files; caller frees. */
int dev_pki_read(const struct dev_env *e, const char *file, char **ret, struct err **err);

#endif
