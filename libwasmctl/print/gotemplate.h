/*
 * Go templates (text/template), the part people use with kubectl:
 *
 *   {{.a.b}} {{$x.b}} {{(index .a 0).b}}   fields; what is not there prints <no value>
 *   {{range .items}}..{{else}}..{{end}}    arrays, maps (by key), whole numbers; {{break}} {{continue}}
 *   {{range $i, $e := .items}}, {{$x := .a}}, {{$x = .b}}, {{with .a}}, {{if}} {{else if}} {{else with}}
 *   {{.a | printf "%s"}}  {{- trim -}}  {{/ * comment * /}}  "text" `text` 'c' 1 1.5 true nil
 *   and or not len index slice print printf println eq ne lt le gt ge html urlquery, and kubectl's exists and
 *   base64decode
 *
 * define, template, block, js, call and complex numbers are refused by name. Whole numbers and others compare
 * as numbers (Go calls them incompatible).
 */
#ifndef WASMCTL_PRINT_GOTEMPLATE_H
#define WASMCTL_PRINT_GOTEMPLATE_H

#include "data/json.h"

enum {
    PRINT_GT_MAX_TEXT = 1024 * 1024,
    PRINT_GT_MAX_NESTING = 200,              /* of actions, and of parentheses */
    PRINT_GT_MAX_STEPS = 20 * 1000 * 1000,   /* of one run */
    PRINT_GT_MAX_MEMORY = 256 * 1024 * 1024, /* of values made by functions */
};

struct print_gotemplate;

/* ERR_INVALID in Go's words ("template: output:1: unclosed action"), ERR_UNSUPPORTED for what is refused.
 * missing_is_error: a member that is not there is an error instead of <no value>. */
int print_gotemplate_parse(const char *text, bool missing_is_error, struct print_gotemplate **ret,
                           struct err **err);
void print_gotemplate_free(struct print_gotemplate *t);
DEFINE_CLEANUP(struct print_gotemplate *, print_gotemplate_free)

/* The same with functions of the caller's (print/gotemplate_tree.h), before those that are built in. The
 * table is borrowed, and ended by one without a name; may be NULL. */
struct print_gt_function;
int print_gotemplate_parse_with(const char *text, bool missing_is_error,
                                const struct print_gt_function *functions, struct print_gotemplate **ret,
                                struct err **err);

/* Appends what the template prints for root; nothing on failure. safe: control characters of values are made
 * visible. */
int print_gotemplate_run(const struct print_gotemplate *t, const cJSON *root, bool safe, struct buf *out,
                         struct err **err);
/* user: for functions of the caller's (run->user). */
int print_gotemplate_run_with(const struct print_gotemplate *t, const cJSON *root, bool safe, void *user,
                              struct buf *out, struct err **err);

#endif
