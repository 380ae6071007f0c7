/* WIT interface names as written in capabilities: "wasi:http/incoming-handler",
 * "wasi:keyvalue/store,atomics@0.2.0-draft". */
#ifndef WASMCTL_MODEL_INTERFACE_H
#define WASMCTL_MODEL_INTERFACE_H

#include <stdbool.h>
#include "base/err.h"

struct model_interface {
    char *namespace, *package;
    char **interfaces; /* NULL-ended, sorted, at least one */
    char *version;     /* NULL if none */
};
int model_interface_parse(const char *text, struct model_interface *ret, struct err **err);
void model_interface_release(struct model_interface *i);
/* True when the other side calls the component through it (incoming-handler, messaging handler): the link
 * then goes from the provider to the component. */
bool model_interface_is_export(const struct model_interface *i);
bool model_interface_is_http(const struct model_interface *i);

#endif
