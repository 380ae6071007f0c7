/*
 * kubectl's JSONPath templates (client-go/util/jsonpath): text with actions in braces.
 *
 *   {.a.b}  {['a']}  {.a\.b}      fields; a backslash before a character that would end the name
 *   {.l[0]} {.l[-1]} {.l[0:4:2]} {.l[*]} {.l[0,2]} {['a','b']}    elements, slices, unions
 *   {.*}    {..name}              every member, every depth
 *   {.l[?(@.x=="y")]}             elements for which == != < <= > >= holds, or the path exists
 *   {range .items[*]}...{end}     once for each result; may be nested
 *   {"\t"}  {'text'}              literal text
 *   {@} {$}                       the current value
 *
 * Differences from kubectl, all where it does nothing useful: members are visited in the order of the tree
 * (kubectl's order is random); ['a.b'], which is .a.b, is the member "a.b" when there is no .a.b; numbers
 * are compared as numbers, whole or not; a string has no elements for {.*}; a literal may hold a NUL.
 *
 * What is found points into the tree or into the template; both must stay while it is used. Maps print in the
 * order of the tree: sort it by name for kubectl's output.
 */
#ifndef WASMCTL_DATA_JSONPATH_H
#define WASMCTL_DATA_JSONPATH_H

#include "data/json.h"

enum {
    JSONPATH_MAX_TEXT = 1024 * 1024,
    JSONPATH_MAX_VALUES = 20 * 1000 * 1000, /* one run may visit; `{..*..*}` multiplies */
};

struct jsonpath;

/* A template. missing_is_error: a field that no value has is an error, else it gives nothing. ERR_INVALID in
 * kubectl's words without the text ("unclosed action"), ERR_TOO_LARGE past JSONPATH_MAX_TEXT. */
int jsonpath_parse(const char *text, bool missing_is_error, struct jsonpath **ret, struct err **err);
/* One path as columns and --sort-by take it: a.b, .a.b, {a.b} or {.a.b}; missing fields give nothing. */
int jsonpath_parse_relaxed(const char *text, struct jsonpath **ret, struct err **err);
void jsonpath_free(struct jsonpath *p);
DEFINE_CLEANUP(struct jsonpath *, jsonpath_free)
#define _cleanup_jsonpath_ _cleanup_(jsonpath_freep)

/* The text between the braces, for messages: "{.a.b}" (of a relaxed one: as kubectl completes it). */
const char *jsonpath_text(const struct jsonpath *p);

/* Appends what the template prints for root: values of one action with a blank between, maps and arrays as
 * compact JSON. safe: control characters of values are made visible (for a terminal). Nothing is appended on
 * failure. */
int jsonpath_print(const struct jsonpath *p, const cJSON *root, bool safe, struct buf *out, struct err **err);
/* The same as JSON: one array an action (jsonpath-as-json). */
int jsonpath_print_json(const struct jsonpath *p, const cJSON *root, struct buf *out, struct err **err);

struct jsonpath_found {
    const cJSON **items;
    size_t len, cap;
};
void jsonpath_found_release(struct jsonpath_found *f);
#define _cleanup_found_ _cleanup_(jsonpath_found_release)

/* Every value the template finds, appended to *ret. */
int jsonpath_find(const struct jsonpath *p, const cJSON *root, struct jsonpath_found *ret, struct err **err);

#endif
