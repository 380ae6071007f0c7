/* Waits for the state of one object, by watching it. */
#ifndef WASMCTL_CLI_AWAIT_H
#define WASMCTL_CLI_AWAIT_H

#include "cli/target.h"

struct cli_await {
    const struct kube_resource *resource;
    const char *namespace, *name;
    int64_t timeout_ms; /* < 0: for ever */
    /* The object as it is now, NULL when it does not exist. true ends the waiting. */
    bool (*check)(void *arg, const cJSON *object);
    void *arg;
};

/* 0 once check() said true; ERR_TIMEOUT (message without the object's name: "timed out waiting for ..."; what
 * = text after "for"). A server that is away is waited for, one that forbids watching is an error. */
int cli_await(struct cmd_ctx *c, const struct cli_await *await, const char *what, struct err **err);

/* Waits until a CRD serves its kind. */
int cli_await_established(struct cmd_ctx *c, const char *crd_name, int64_t timeout_ms, struct err **err);
/* Status of a condition of the object ("True"), NULL when it has none of that type (case does not matter). */
const char *cli_condition(const cJSON *object, const char *type);

#endif
