/* Programs of others that a command needs: editors, diff programs, kustomize. Nothing else stops meanwhile.
 */
#ifndef WASMCTL_CLI_CHILD_H
#define WASMCTL_CLI_CHILD_H

#include "base/buf.h"
#include "cli/cmd.h"

struct child {
    char *const *argv; /* NULL-ended; argv[0] is looked for in PATH */
    /* What it prints to stdout is appended here, at most out->max bytes (ERR_TOO_LARGE); NULL: it has our
     * stdout. */
    struct buf *out;
    bool terminal; /* it talks with the person: it has our stdin, and Ctrl-C is for it alone */
};

/* Runs it to its end. *ret_code: its exit code, 128 + the signal that ended it. ERR_NOT_FOUND when there is
 * no such program; ERR_CANCELLED (the program was ended) when the run over several contexts was. */
int child_run(struct cmd_ctx *c, const struct child *child, int *ret_code, struct err **err);

#endif
