/* Manifests that are in no file: behind an address (-f https://...) or made by kustomize (-k). */
#ifndef WASMCTL_CLI_MANIFEST_FETCH_H
#define WASMCTL_CLI_MANIFEST_FETCH_H

#include "cli/cmd.h"

enum { MANIFEST_FETCH_TIMEOUT_S = 60, MANIFEST_FETCH_TRIES = 3 };

bool manifest_is_url(const char *path);
/* GET without any credentials of the cluster, redirects followed, at most MANIFEST_MAX_FILE bytes. Errors of
 * the server (5xx) are tried again. Appended to text. */
int manifest_fetch(struct cmd_ctx *c, const char *url, struct buf *text, struct err **err);
/* `kustomize build DIR`, or `kubectl kustomize DIR` where there is no kustomize. Its messages go to stderr.
 */
int manifest_kustomize(struct cmd_ctx *c, const char *dir, struct buf *text, struct err **err);

#endif
