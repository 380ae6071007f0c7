/* Parts of `tail`: its options, what is shared by all contexts of a run, and whose logs a query asks for. */
#ifndef WASMCTL_CLI_TAIL_H
#define WASMCTL_CLI_TAIL_H

#include "cli/cmd.h"
#include "tail/pods.h"

struct tail_options {
    char **include, **exclude, **highlight;
    char **exclude_pods, **exclude_containers;
    const char *container, *selector, *field_selector, *node, *since, *since_time, *timezone;
    const char *until, *until_match, *template, *template_file;
    char **pod_colours, **container_colours;
    int64_t lines, total, window_ns, streams_most, ignored;
    int64_t until_ns; /* of until; 0 = none */
    int output, times, state;
    bool all_namespaces, ignore_case, no_follow, previous, by_container, only_lines, from_stdin;
    bool init_containers, ephemeral_containers, until_complete, show_skew;
    char **files, **fields;
    const char *multiline, *out_dir, *config, *condition;
    bool prompt;
    bool events, lattice_events, host_lines;
};

/* Choices of --output: those of tail/format.h, and these, which are templates. */
enum { TAIL_OUTPUT_EXTJSON = TAIL_OUTPUT_PRETTY + 1, TAIL_OUTPUT_PPEXTJSON };

/* What the query means on one cluster: selectors and a pattern of Pod names. */
struct tail_query {
    char *pattern;        /* of Pod names, NULL = any */
    char *label_selector; /* NULL = any */
};
void tail_query_release(struct tail_query *q);

/* "web.*", or KIND/NAME: a Pod, or what has Pods by a selector (asked of the server). */
int tail_query_resolve(struct cmd_ctx *c, const char *text, const char *namespace, struct tail_query *ret,
                       struct err **err);

/* --since and --since-time as a time of the wall clock; 0 = none. */
int tail_since(struct cmd_ctx *c, const struct tail_options *o, int64_t *ret_ns, struct err **err);

/* What all contexts of a run have in common. */
struct tailing;
int tailing_new(struct cmd_ctx *c, struct tailing **ret, struct err **err);
void tailing_free(void *t);
struct tail_filter *tailing_filter(struct tailing *t);
struct tail_filter *tailing_begins(struct tailing *t); /* of --multiline=REGEX; NULL */
struct tail_format *tailing_format(struct tailing *t);
/* Whether Pods are asked for; whether nothing but standard input is, which is then written straight through.
 */
bool tail_wants_pods(const struct cmd_ctx *c);
bool tail_is_filter(const struct cmd_ctx *c);
/* Follows one context until it ends. */
int tail_context(struct cmd_ctx *c, struct tailing *shared, struct err **err);

/* On stderr, when it has ended: lines, bytes, gaps, what is still followed; by cluster when there are
 * several. */
void tail_summary(const struct tail_engine *e);

/* Lines of standard input, filtered and formatted; join, begins: tail/join.h. */
int tail_stdin(struct tail_filter *filter, struct tail_format *format, bool join, struct tail_filter *begins,
               struct err **err);

#endif
