/* A parsed template: between jsonpath_parse.c, which builds it, and jsonpath.c, which runs it. */
#ifndef WASMCTL_DATA_JSONPATH_TREE_H
#define WASMCTL_DATA_JSONPATH_TREE_H

#include "base/mem.h"
#include "data/jsonpath.h"

enum jsonpath_type {
    JSONPATH_LITERAL, /* text, number or bool */
    JSONPATH_FIELD,
    JSONPATH_ARRAY,
    JSONPATH_WILDCARD,
    JSONPATH_RECURSIVE,
    JSONPATH_FILTER,
    JSONPATH_UNION,
    JSONPATH_MEMBER, /* ['a.b'] */
    JSONPATH_WORD,   /* an identifier that means nothing: an error when it is run */
};

struct jsonpath_bound {
    bool known, derived;
    int value;
};

struct jsonpath_node;
struct jsonpath_list {
    struct jsonpath_node *items;
    size_t len, cap;
};

struct jsonpath_node {
    enum jsonpath_type type;
    char *text;                      /* FIELD, MEMBER, WORD: name; FILTER: operator, "" = exists */
    cJSON *literal;                  /* LITERAL; a string ends at its first NUL */
    struct buf raw;                  /* LITERAL string: all of it */
    struct jsonpath_bound slice[3];  /* ARRAY: from, to, step */
    VEC(struct jsonpath_list) lists; /* UNION: the alternatives; FILTER: left, right; MEMBER: the path */
};

/* A stretch of text or one action */
enum { JSONPATH_NO_END = -1 };
struct jsonpath_part {
    bool range, end;
    bool matched;        /* end: of a range */
    ptrdiff_t range_end; /* range: index of its end, or JSONPATH_NO_END */
    struct jsonpath_list list;
};

struct jsonpath {
    char *text;
    bool missing_is_error;
    VEC(struct jsonpath_part) parts;
};

#endif
