/*
 * Lines of `tail` through templates of the user (--template), with the fields and the functions stern has:
 * Message, Timestamp, NodeName, Namespace, PodName, ContainerName, Labels, Annotations, PodColor,
 * ContainerColor, and Context; json, parseJSON, extractJSONParts, toTimestamp, color... (docs/tail.md lists
 * them).
 */
#ifndef WASMCTL_CLI_TAIL_TEMPLATE_H
#define WASMCTL_CLI_TAIL_TEMPLATE_H

#include "tail/format.h"

struct tail_template;

/* colour: functions that colour do. namespaces: extjson names the namespace. ERR_INVALID says what is wrong.
 */
int tail_template_new(const char *text, bool colour, bool namespaces, struct tail_template **ret,
                      struct err **err);
void tail_template_free(struct tail_template *t);
DEFINE_CLEANUP(struct tail_template *, tail_template_free)
/* As tail_format_options.render. */
int tail_template_render(void *template, const struct tail_render *what, struct buf *out, struct err **err);

#endif
