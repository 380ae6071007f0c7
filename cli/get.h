/* Parts of `get`: what is asked for, and the watch. */
#ifndef WASMCTL_CLI_GET_H
#define WASMCTL_CLI_GET_H

#include "cli/target.h"
#include "print/object.h"
#include "print/server_table.h"

struct get_options {
    const char *output, *selector, *field_selector, *raw;
    char **files;
    char **label_columns;
    bool recursive, all_namespaces, watch, watch_only, watch_events, no_headers, show_labels, show_kind,
        ignore_not_found, managed_fields;
    int64_t chunk_size;
    enum print_format format; /* from output */
};

/* A table printer for one kind. *ret_prefix is what the table borrows; the caller frees it after the table.
 */
struct print_server_table *get_table_new(const struct cmd_ctx *c, const struct get_options *o,
                                         const struct kube_resource *r, bool with_kind, char **ret_prefix);

/* Lists, prints, then prints every change until it is interrupted. Never returns 0 by itself. */
int get_watch(struct cmd_ctx *c, const struct get_options *o, const struct cli_targets *targets,
              struct err **err);

#endif
