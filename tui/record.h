/*
 * Recordings: what a dashboard was told, as a file of JSON lines that another one shows (--record, --replay).
 *
 *   {"t":"2026-01-02T03:04:05.678901234Z","cluster":"gcp","kind":"wasmactor","put":{...object...}}
 *   {"t":...,"cluster":"gcp","kind":"wasmactor","del":"default/hello"}
 *   {"t":...,"cluster":"gcp","kind":"wasmactor","state":"away","why":"..."}
 *
 * The first line is {"recording":"wasmctl dash","version":1}. Lines are in the order of time. What is not
 * known is skipped, so that newer files can be read.
 */
#ifndef WASMCTL_TUI_RECORD_H
#define WASMCTL_TUI_RECORD_H

#include "tui/store.h"

struct record;

/* Creates the file (readable by its owner only: it holds what the API says); ERR_CONFLICT when it exists. */
int record_new(const char *path, struct record **ret, struct err **err);
/* Writes what waits; *err (may be NULL) says what could not be written. */
int record_close(struct record *r, struct err **err);
void record_object(struct record *r, const char *cluster, enum tui_kind kind, const char *key,
                   const cJSON *object, int64_t now_ns);
void record_source(struct record *r, const char *cluster, enum tui_kind kind,
                   const struct store_source *source);
/* Why nothing more is written (a full disk), NULL while it works. */
const struct err *record_failed(const struct record *r);

/* Reads a file into a store that has no clusters. ERR_INVALID names the line. A last line that was cut off is
 * left out. */
int replay_load(const char *path, struct store *store, struct err **err);

#endif
