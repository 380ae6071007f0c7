/*
 * JSON over cJSON: parsing with limits and positions, typed reading by path, comparing, merging, printing.
 *
 * Trees are owned by whoever holds the root; free with cJSON_Delete() (cleanup attribute _cleanup_json_).
 * Reading functions take NULL for an absent node and return the default. Allocation failure aborts: json.c
 * installs cJSON's hooks before main() runs.
 */
#ifndef WASMCTL_DATA_JSON_H
#define WASMCTL_DATA_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

DEFINE_CLEANUP(cJSON *, cJSON_Delete)
#define _cleanup_json_ _cleanup_(cJSON_Deletep)

enum { JSON_MAX_DEPTH = 200 };
#define JSON_MAX_SAFE 9007199254740992.0 /* 2^53: past it a double skips integers */

/* Parses exactly one value (white space around it allowed). text needs no NUL at its end. Errors: ERR_INVALID
 * with line and column; ERR_TOO_LARGE for nesting past JSON_MAX_DEPTH. Duplicate keys keep the last. A string
 * with a NUL character is refused. `what` names the text in messages ("answer of /api/v1"). */
int json_parse(const char *text, size_t len, const char *what, cJSON **ret, struct err **err);
/* The first of several values that stand one after another in a file people wrote. *ret_used: how much of
 * text it and the white space behind it take. first_line: what messages call the first line of text. Stricter
 * than json_parse(): duplicate keys and integers past 2^53 are ERR_INVALID, for they would be lost silently.
 */
int json_parse_next(const char *text, size_t len, const char *what, unsigned first_line, cJSON **ret,
                    size_t *ret_used, struct err **err);

/* Member by path: json_at(o, "metadata.labels"). Dots separate; json_atv takes the keys one by one for keys
 * with dots, ended by NULL. "[3]" picks an array element ("items[0].name"). NULL when absent. */
cJSON *json_at(const cJSON *o, const char *path);
cJSON *json_atv(const cJSON *o, ...) __attribute__((sentinel));
/* One member, case-sensitive, no path. */
cJSON *json_get(const cJSON *o, const char *key);

/* The string at path, NULL when absent or no string. Belongs to the tree. */
const char *json_str(const cJSON *o, const char *path);
/* The string at path, or fallback. */
const char *json_str_or(const cJSON *o, const char *path, const char *fallback);
int64_t json_int(const cJSON *o, const char *path,
                 int64_t fallback); /* out of int64 range or fraction: fallback */
double json_num(const cJSON *o, const char *path, double fallback);
bool json_bool(const cJSON *o, const char *path, bool fallback);

/* Setters create objects on the way ("metadata.labels" then key); they replace what is there. */
void json_set(cJSON *o, const char *path, cJSON *value);          /* takes value */
void json_set_str(cJSON *o, const char *path, const char *value); /* NULL: removes the key */
void json_set_int(cJSON *o, const char *path, int64_t value);
void json_set_bool(cJSON *o, const char *path, bool value);
void json_del(cJSON *o, const char *path);
/* Sets a member whose key may hold dots. */
void json_put(cJSON *o, const char *key, cJSON *value);
void json_put_str(cJSON *o, const char *key, const char *value);

/* Same value: order of members does not matter, order of elements does; numbers by value. NULL equals NULL.
 */
bool json_equal(const cJSON *a, const cJSON *b);
/* RFC 7386. *target may be NULL. */
void json_merge_patch(cJSON **target, const cJSON *patch);
/* Members sorted by key, recursively: the form to hash. Returns a 64-bit FNV hash, stable between runs. */
uint64_t json_hash(const cJSON *o);

/* Compact / pretty (4 spaces, as kubectl -o json). Integers up to 2^53 print without exponent. Caller frees.
 */
char *json_print(const cJSON *o);
char *json_print_pretty(const cJSON *o);
void json_print_to(struct buf *out, const cJSON *o, bool pretty);

/* {"a":"b"} object from a NULL-ended list key, value, ...; NULL values are left out. */
cJSON *json_object(const char *key, ...) __attribute__((sentinel));
/* Object of strings -> iteration helper: true for every member that is a string. */
#define json_each(item, container)                                                                           \
    for (cJSON *item = (container) ? (container)->child : NULL; item; item = item->next)

#endif
