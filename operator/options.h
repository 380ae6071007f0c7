/* Flags and environment of wasm-operator, one table. */
#ifndef WASMCTL_OPERATOR_OPTIONS_H
#define WASMCTL_OPERATOR_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

struct op_options {
    const char *kubeconfig, *context;
    const char *log_level, *log_format;
    const char *health_address, *metrics_address; /* "" = off */
    const char *watch_namespaces;                 /* comma list, "" = all */
    const char *host_forget_after;
    const char *resync;
    const char *leader_election; /* "auto", "on" or "off" */
    const char *lease_namespace; /* "" = the Pod's own */
    const char *lease_duration;
    bool help, version;

    /* derived */
    int64_t forget_host_ms, resync_ms, lease_ms;
};

/* Flags beat environment variables beat defaults. Strings belong to argv or the environment. */
int op_options_parse(int argc, char **argv, struct op_options *ret, struct err **err);
/* Help text; caller frees. */
char *op_options_help(void);

#endif
