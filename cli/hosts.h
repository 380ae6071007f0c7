/* LatticeHosts as arguments of commands: found by what people can type, marked by one patch. */
#ifndef WASMCTL_CLI_HOSTS_H
#define WASMCTL_CLI_HOSTS_H

#include "cli/target.h"

/* Taint that moves all work off a host. */
#define CLI_DRAIN_TAINT "wasmctl.dev/drain"

struct cli_hosts {
    cJSON **items; /* whole objects */
    size_t len;
};
void cli_hosts_release(struct cli_hosts *h);
#define _cleanup_hosts_ _cleanup_(cli_hosts_release)

/* By words: name (any case), friendly name, or a part of the name of at least six characters that fits one
 * host only; or by label selector (words empty). ERR_NOT_FOUND, ERR_INVALID (fits several: names them). */
int cli_hosts_find(struct cmd_ctx *c, char *const *words, const char *selector, struct cli_hosts *ret,
                   struct err **err);
const char *cli_host_name(const cJSON *host);
/* "nabc... (lucky-name-1234)"; caller frees. */
char *cli_host_text(const cJSON *host);

/* What is asked of a host; written only when it differs (*ret_changed). */
struct cli_host_mark {
    bool unschedulable;
    bool drain; /* the drain taint; others stay */
};
int cli_host_mark(struct cmd_ctx *c, const cJSON *host, const struct cli_host_mark *mark, bool dry_run,
                  bool *ret_changed, struct err **err);

#endif
