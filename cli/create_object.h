/* Objects that `create` makes without a manifest: namespace, configmap, secret generic. */
#ifndef WASMCTL_CLI_CREATE_OBJECT_H
#define WASMCTL_CLI_CREATE_OBJECT_H

#include "cli/cmd.h"
#include "data/json.h"

struct create_from {
    char **literals;  /* KEY=VALUE */
    char **files;     /* FILE, KEY=FILE or a folder */
    char **env_files; /* files of KEY=VALUE lines */
    const char *type; /* of a Secret */
};

/* words: "namespace NAME", "configmap NAME", "secret generic NAME" and their short names. Usage errors name
 * what there is. */
int create_object(struct cmd_ctx *c, int nwords, char *const *words, const struct create_from *from,
                  cJSON **ret, struct err **err);

#endif
