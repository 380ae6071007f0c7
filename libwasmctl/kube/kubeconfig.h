/*
 * kubeconfig files, merged with kubectl's rules, and the connection settings of one context. Also the
 * in-cluster settings of a Pod.
 */
#ifndef WASMCTL_KUBE_KUBECONFIG_H
#define WASMCTL_KUBE_KUBECONFIG_H

#include "data/json.h"

/* Everything needed to talk to one API server. All strings owned, NULL when unset. */
struct kube_config {
    char *context;   /* name of the context, "in-cluster" inside a Pod */
    char *namespace; /* of the context, "default" if it names none */
    char *cluster_name, *user_name;
    char *server;                                    /* "https://host:port[/prefix]" without a final slash */
    char *ca_pem, *client_cert_pem, *client_key_pem; /* PEM text (files are read, data decoded) */
    char *token;
    char *token_file; /* re-read by the client: it rotates */
    char *username, *password;
    char *tls_server_name, *proxy_url;
    bool insecure;
    bool disable_compression;
    cJSON *exec;                /* user.exec as given, NULL if none */
    char *exec_dir;             /* folder of the file that holds it: relative commands are relative to it */
    cJSON *exec_cluster_config; /* the cluster's extension for exec plugins, NULL if none */
    char *as, *as_uid;          /* impersonation */
    char **as_groups;
    cJSON *as_extra; /* {"key": ["value", ...]}, NULL if none */
};
void kube_config_free(struct kube_config *c);
DEFINE_CLEANUP(struct kube_config *, kube_config_free)

/* What the command line may override; NULL = not given. */
struct kube_overrides {
    const char *context, *cluster, *user, *namespace;
    const char *server, *token, *certificate_authority, *client_certificate, *client_key, *tls_server_name;
    const char *as, *as_uid;
    char *const *as_groups;
    char *const *as_extra; /* "KEY=VALUE", repeatable */
    bool insecure, disable_compression;
};

struct kubeconfig;

/* path: the --kubeconfig file (must exist), or NULL for $KUBECONFIG (list, missing files skipped) or
 * ~/.kube/config. An absent configuration gives an empty object: kubeconfig_resolve() then tells the user.
 * Errors name file and line. */
int kubeconfig_load(const char *path, struct kubeconfig **ret, struct err **err);
void kubeconfig_free(struct kubeconfig *k);
DEFINE_CLEANUP(struct kubeconfig *, kubeconfig_free)

const char *kubeconfig_current_context(const struct kubeconfig *k); /* NULL if none */
/* Names of all contexts in order; NULL-ended, borrowed until free. */
char *const *kubeconfig_contexts(const struct kubeconfig *k);
/* The merged document (apiVersion, kind, clusters, contexts, users, current-context); borrowed. */
const cJSON *kubeconfig_json(const struct kubeconfig *k);
/* True when no file gave anything. */
bool kubeconfig_empty(const struct kubeconfig *k);

/* Settings of one context. With an empty configuration and a Pod's service account present: the in-cluster
 * settings. Errors as kubectl says them: `context "x" does not exist`, cluster or user missing, unreadable
 * certificate file (its name). */
int kubeconfig_resolve(const struct kubeconfig *k, const struct kube_overrides *o, struct kube_config **ret,
                       struct err **err);
/* From KUBERNETES_SERVICE_HOST/PORT and /var/run/secrets/kubernetes.io/serviceaccount (folder can be
 * overridden for tests by dir, else NULL). ERR_NOT_FOUND outside a Pod. */
int kube_config_in_cluster(const char *dir, struct kube_config **ret, struct err **err);

#endif
