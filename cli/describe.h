/* Descriptions of objects for people: a writer of "Key:  value" lines, the sections all kinds share, and one
 * function a kind. */
#ifndef WASMCTL_CLI_DESCRIBE_H
#define WASMCTL_CLI_DESCRIBE_H

#include "base/mem.h"
#include "cli/target.h"
#include "print/table.h"

/* Lines with a value that follow each other are aligned, whatever their level; a line without one ends the
 * block. */
struct describe {
    struct buf out;
    VEC(struct describe_line {
        char *key; /* indentation and colon included */
        char *value;
    })
    lines;
};
void describe_release(struct describe *d);
/* level: two spaces each. Values of several lines are indented under their key. */
void describe_kv(struct describe *d, int level, const char *key, const char *fmt, ...) _printf_(4, 5);
/* The same, only when the value is there. */
void describe_opt(struct describe *d, int level, const char *key, const char *value);
/* "Key:" alone, for a section. */
void describe_head(struct describe *d, int level, const char *key);
/* A table of a section: its rows, under a row of dashes for the header (first row). Frees nothing. */
void describe_table(struct describe *d, int level, struct print_table *t);
/* "Key:  <none>" */
void describe_none(struct describe *d, int level, const char *key);
/* Everything to the buffer. */
void describe_end(struct describe *d);

/* Sections */
void describe_metadata(struct describe *d, const cJSON *o);
/* {"a":"b"} one pair a line after the key. sep: "=" or ": ". */
void describe_map(struct describe *d, int level, const char *key, const cJSON *map, const char *sep);
void describe_conditions(struct describe *d, const cJSON *o);
/* LabelSelector as text: "cloud in (aws,gcp),intention=actor", "<every host>" when empty; caller frees. */
char *describe_selector(const cJSON *selector);
/* "5m" since an RFC 3339 time, "<unknown>" when it is none. */
const char *describe_age(const char *when, char out[24]);
/* events: List of core/v1 Events. */
void describe_events(struct describe *d, const cJSON *events);

/* Any object, all fields; of a Secret no values. */
void describe_any(struct describe *d, const cJSON *o);
/* Our kinds; false when the kind is none of them. actors, providers: Lists of what may run on a host
 * (LatticeHost), may be NULL. */
bool describe_wasm(struct describe *d, const cJSON *o, const cJSON *actors, const cJSON *providers);

#endif
