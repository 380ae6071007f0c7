/* Registry credentials from a Secret of type kubernetes.io/dockerconfigjson. */
#ifndef WASMCTL_OPERATOR_REGISTRY_H
#define WASMCTL_OPERATOR_REGISTRY_H

#include "base/err.h"
#include "base/map.h"

struct registry_login {
    char *registry, *username, *password; /* registry: "host[:port]" */
};
void registry_login_release(struct registry_login *l);

/* "host[:port]" of an image reference ("docker.io" when it names none); NULL for file:// and built-in ones.
 * Caller frees. */
char *registry_of(const char *image);
/* The image with the longest source prefix that fits replaced by its mirror (prefix -> prefix; NULL: no
 * mirrors). A prefix ends where a part of the name ends: "a.io/x" fits a.io/x/y and a.io/x:1, not a.io/xy.
 * The scheme stays. Caller frees. */
char *registry_mirrored(const char *image, const struct map *mirrors);
/* The entry of a .dockerconfigjson text for a registry. ERR_NOT_FOUND, ERR_INVALID; messages never hold what
 * the text holds. */
int registry_login_find(const char *docker_config, const char *registry, struct registry_login *ret,
                        struct err **err);

#endif
