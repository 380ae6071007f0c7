/*
 * Credential plugins (user.exec of a kubeconfig, client.authentication.k8s.io/v1 and v1beta1): a program
 * whose output is a token or a client certificate. It runs as a child without stopping the loop, at most once
 * at a time for one command line, also when several clients use it; what it gave is kept until it expires.
 *
 * For kube/auth.c only.
 */
#ifndef WASMCTL_KUBE_EXEC_H
#define WASMCTL_KUBE_EXEC_H

#include "base/loop.h"
#include "kube/kubeconfig.h"

struct kube_exec;

struct kube_credential {
    char *token, *cert_pem, *key_pem; /* NULL if not given */
    int64_t expires_ns;               /* wall clock; INT64_MAX = never */
    unsigned serial;                  /* of this run, from 1 */
};

/* Embedded in whoever waits. */
struct kube_exec_waiter {
    /* In a later turn; err is NULL when a credential is there now. */
    void (*done)(void *arg, const struct err *err);
    /* A line for the person: what the plugin says on its stderr, and that it is still waited for. May be
     * NULL; only one of those who wait is told. */
    void (*talk)(void *arg, const char *line);
    void *arg;
    struct kube_exec_waiter *next;
    bool waiting;
};

/* Checks the settings; nothing is run yet. may_ask: the plugin may talk to the person at the terminal.
 * limit_ms: how long a plugin that has no terminal may take; 0 = KUBE_EXEC_ALONE_MS, or KUBE_EXEC_WATCHED_MS
 * where a person reads what it says (a login in a browser takes its time). One that has the terminal may take
 * as long as it likes. ERR_INVALID names the user and what is wrong. */
enum { KUBE_EXEC_ALONE_MS = 60 * 1000, KUBE_EXEC_WATCHED_MS = 5 * 60 * 1000, KUBE_EXEC_SLOW_MS = 2000 };
int kube_exec_get(struct loop *l, const struct kube_config *config, bool may_ask, int64_t limit_ms,
                  struct kube_exec **ret, struct err **err);
/* The last one ends a running plugin. */
void kube_exec_put(struct kube_exec *e);

/* What the last run gave, NULL if there was none; it may have expired. Borrowed until the next turn. */
const struct kube_credential *kube_exec_last(const struct kube_exec *e);
/* True when the plugin asks the person at the terminal: not to be run without need. */
bool kube_exec_interactive(const struct kube_exec *e);
/* True when kube_exec_last() is usable now. */
bool kube_exec_fresh(const struct kube_exec *e);
/* Runs the plugin unless it is running already. */
void kube_exec_run(struct kube_exec *e, struct kube_exec_waiter *w);
void kube_exec_forget(struct kube_exec *e, struct kube_exec_waiter *w);
/* The server refused the credential of that run: it counts as expired. */
void kube_exec_distrust(struct kube_exec *e, unsigned serial);

#endif
