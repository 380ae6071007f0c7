/*
 * YAML to JSON with Kubernetes' rules (those of sigs.k8s.io/yaml, YAML 1.1 scalars: yes/no/on/off are
 * booleans, 0o17 and 017 octal, duplicate keys refused), several documents in one stream, over libyaml; and
 * JSON to YAML as kubectl prints it.
 *
 * Stricter than kubectl where it would lose something silently: integers past 2^53, tags of no known meaning,
 * keys given twice and NUL characters are errors.
 */
#ifndef WASMCTL_DATA_YAML_H
#define WASMCTL_DATA_YAML_H

#include "data/json.h"

struct yaml_doc {
    cJSON *root;   /* owned; never NULL: empty documents are left out */
    unsigned line; /* first line of the document, from 1 */
};
struct yaml_docs {
    struct yaml_doc *items;
    size_t len;
};
void yaml_docs_release(struct yaml_docs *d);

enum {
    YAML_MAX_DEPTH = 200,
    YAML_MAX_NODES = 2 * 1000 * 1000,   /* after alias expansion: a "billion laughs" file is refused */
    YAML_MAX_COPIED = 64 * 1024 * 1024, /* bytes of text that anchors and aliases may copy */
};

/* text needs no NUL at its end. ERR_INVALID, or ERR_TOO_LARGE past one of the limits. name is used in
 * messages: "hello.yaml:12:5: ..." (line:column from 1). JSON is YAML, so JSON files (also several values in
 * a row) are read by the same call. */
int yaml_parse(const char *text, size_t len, const char *name, struct yaml_docs *ret, struct err **err);

/* The line (from 1) on which the value at a path of the first document begins, or as much of the path as there
 * is: keys of mappings, numbers of list members; NULL-ended. For texts that yaml_parse() has read. */
unsigned yaml_line(const char *text, size_t len, const char *const *path);

/* kubectl's form to the letter: members sorted by key (numbers in keys by value), lists not indented under
 * their key, strings quoted where YAML 1.1 needs it, block literals for multi-line strings, plain text folded
 * past column 80. Invalid UTF-8 is replaced. Appends, ends with a newline. */
void yaml_print_to(struct buf *out, const cJSON *o);

#endif
