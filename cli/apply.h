/* Server-side apply of a set of objects: what `apply` and `install` share. */
#ifndef WASMCTL_CLI_APPLY_H
#define WASMCTL_CLI_APPLY_H

#include "cli/manifest.h"
#include "cli/result.h"

struct apply_how {
    const char *field_manager;
    bool force; /* take fields over from other managers */
    enum cli_dry_run dry_run;
    int validate;           /* index into cli_validate_choices */
    int64_t crd_timeout_ms; /* how long to wait for a CRD of the set before its objects */
};

/* Applies every object in order. A failing one is reported (cmd_report) and the rest goes on. Objects whose
 * CRD is in the same set wait until the server serves it. */
void apply_all(struct cmd_ctx *c, struct manifests *set, const struct apply_how *how,
               struct cli_results *results);

/* Explains a conflict of field managers: who owns which field and what can be done. NULL when e is no such
 * conflict; caller frees. */
char *apply_conflict_text(const struct err *e);

#endif
