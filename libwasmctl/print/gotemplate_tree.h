/* A parsed Go template, and what its functions and its runner share. */
#ifndef WASMCTL_PRINT_GOTEMPLATE_TREE_H
#define WASMCTL_PRINT_GOTEMPLATE_TREE_H

#include "base/mem.h"
#include "print/gotemplate.h"

struct print_gt_pipe;

enum print_gt_operand_type {
    PRINT_GT_DOT,
    PRINT_GT_NIL,
    PRINT_GT_LITERAL,
    PRINT_GT_VARIABLE,
    PRINT_GT_FUNCTION,
    PRINT_GT_PIPE,
};

struct print_gt_operand {
    enum print_gt_operand_type type;
    char *name; /* VARIABLE ("$x"), FUNCTION */
    const struct print_gt_function *function;
    cJSON *literal;
    struct print_gt_pipe *pipe; /* in parentheses */
    VEC(char *) fields;         /* .a.b behind it */
    size_t start, end;          /* in the text, for messages */
};

struct print_gt_command {
    VEC(struct print_gt_operand) operands;
};

struct print_gt_pipe {
    VEC(char *) variables; /* declared, or assigned */
    bool assigns;
    VEC(struct print_gt_command) commands;
    size_t start;
};

enum print_gt_node_type {
    PRINT_GT_TEXT,
    PRINT_GT_ACTION,
    PRINT_GT_IF,
    PRINT_GT_WITH,
    PRINT_GT_RANGE,
    PRINT_GT_BREAK,
    PRINT_GT_CONTINUE,
};

struct print_gt_node;
struct print_gt_list {
    struct print_gt_node *items;
    size_t len, cap;
};

struct print_gt_node {
    enum print_gt_node_type type;
    char *text;
    size_t len;
    struct print_gt_pipe *pipe;
    struct print_gt_list body, otherwise;
};

struct print_gotemplate {
    char *text;
    bool missing_is_error;
    struct print_gt_list root;
};

void print_gt_pipe_free(struct print_gt_pipe *p);

/* One run */

struct print_gt_variable {
    const char *name;
    const cJSON *value;
};

struct print_gt_run {
    void *user; /* of print_gotemplate_run_with() */
    const struct print_gotemplate *template;
    struct buf *out;
    bool safe;
    VEC(struct print_gt_variable) variables;
    VEC(cJSON *) made; /* values of functions; freed at the end */
    size_t memory, steps;
    enum { PRINT_GT_ON, PRINT_GT_BREAKING, PRINT_GT_CONTINUING } flow;
};

/* Functions. A value is NULL when there is none (a missing member, nil). */

struct print_gt_function {
    const char *name;
    int min, max; /* arguments; max -1 = any number */
    /* NULL: the runner does it itself (and, or: they need not look at all arguments) */
    int (*call)(struct print_gt_run *run, const cJSON *const *args, size_t n, const cJSON **ret,
                struct err **err);
};
const struct print_gt_function *print_gt_function(const char *name);
/* Keeps a new value until the end of the run. */
int print_gt_keep(struct print_gt_run *run, cJSON *value, const cJSON **ret, struct err **err);
bool print_gt_truth(const cJSON *v);
/* fmt.Sprintf. */
void print_gt_printf(struct buf *out, const char *format, const cJSON *const *args, size_t n);

#endif
