/* Server-side apply of a set of objects: what `apply` and `install` share. */
#ifndef WASMCTL_CLI_APPLY_H
#define WASMCTL_CLI_APPLY_H

#include "cli/manifest.h"
#include "cli/result.h"

struct apply_how {
    const char *field_manager;
    bool force; /* take fields over from other managers */
    enum cli_dry_run dry_run;
    int validate;            /* index into cli_validate_choices */
    const char *subresource; /* NULL = the object itself */
    int64_t crd_timeout_ms;  /* how long to wait for a CRD of the set before its objects */
};

/* Applies every object in order. A failing one is reported (cmd_report) and the rest goes on. Objects whose
 * CRD is in the same set wait until the server serves it. */
void apply_all(struct cmd_ctx *c, struct manifests *set, const struct apply_how *how,
               struct cli_results *results);

/* One object whose kind was found (manifest_resolve()): *ret is what the server made of it. Conflicts of
 * field managers are explained. */
int apply_send(struct cmd_ctx *c, const struct manifest *m, const struct apply_how *how, cJSON **ret,
               struct err **err);

bool apply_is_conflict(const struct err *e);
/* All of its conflicts are with this field manager. */
bool apply_conflicts_only_with(const struct err *e, const char *field_manager);
/* Explains a conflict of field managers: who owns which field, what it is and what was wanted (live and ours
 * may be NULL), what can be done. NULL when e is no such conflict; caller frees. */
char *apply_conflict_text(const struct err *e, const cJSON *live, const cJSON *ours);

#endif
