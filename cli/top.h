/* Tables of `top`: rows with what they can be sorted by. */
#ifndef WASMCTL_CLI_TOP_H
#define WASMCTL_CLI_TOP_H

#include "base/mem.h"
#include "cli/target.h"

struct top_options {
    const char *selector, *field_selector;
    int sort_by; /* enum top_key */
    bool all_namespaces, no_headers;
};
enum top_key { TOP_BY_NAME, TOP_BY_CPU, TOP_BY_MEMORY, TOP_BY_ACTORS, TOP_BY_PROVIDERS, TOP_KEYS };

enum { TOP_COLUMNS_MOST = 10 };
struct top_row {
    char *namespace, *name;        /* namespace NULL for cluster-scoped kinds */
    char *cells[TOP_COLUMNS_MOST]; /* after the name; NULL = "<unknown>" */
    double keys[TOP_KEYS];         /* of the numbers; -1 = unknown, comes last */
};
struct top_table {
    const char *headers[TOP_COLUMNS_MOST]; /* after NAME */
    size_t ncolumns;
    VEC(struct top_row) rows;
};
void top_release(struct top_table *t);
/* Sorts and prints; without rows says that there are none. */
void top_print(struct cmd_ctx *c, const struct top_options *o, struct top_table *t);

/* One function a kind. name: NULL = all. */
int top_hosts(struct cmd_ctx *c, const struct top_options *o, const char *name, struct err **err);
int top_actors(struct cmd_ctx *c, const struct top_options *o, const char *name, struct err **err);
int top_nodes(struct cmd_ctx *c, const struct top_options *o, const char *name, struct err **err);
int top_pods(struct cmd_ctx *c, const struct top_options *o, const char *name, struct err **err);

/* Lists a kind, or gets one object: calls add for each. */
int top_each(struct cmd_ctx *c, const struct top_options *o, const struct kube_resource *r, const char *name,
             void (*add)(void *arg, const cJSON *object), void *arg, struct err **err);

#endif
