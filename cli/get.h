/* Parts of `get`: what is asked for, and the watch. */
#ifndef WASMCTL_CLI_GET_H
#define WASMCTL_CLI_GET_H

#include "cli/manifest.h"
#include "print/output.h"
#include "print/server_table.h"

struct get_options {
    const char *output, *selector, *field_selector, *raw, *sort_by;
    const char *template;
    struct manifest_from from;
    char **label_columns;
    bool all_namespaces, watch, watch_only, watch_events, no_headers, show_labels, show_kind,
        ignore_not_found, managed_fields, allow_missing_keys;
    int64_t chunk_size;
    /* from output, template, ... */
    struct print_output *print;
    enum print_format format;
    bool table, colour; /* rows of server tables are printed; with colour */
};

/* A table printer for one kind. *ret_prefix is what the table borrows; the caller frees it after the table.
 */
struct print_server_table *get_table_new(const struct cmd_ctx *c, const struct get_options *o,
                                         const struct kube_resource *r, bool with_kind, char **ret_prefix);

/* Lists, prints, then prints every change until it is interrupted. Never returns 0 by itself. */
int get_watch(struct cmd_ctx *c, const struct get_options *o, const struct cli_targets *targets,
              struct err **err);

#endif
