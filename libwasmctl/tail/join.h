/*
 * Lines that belong together as one record: stack traces and what else is written over several lines. A
 * record is one tail_line with newlines in it (TAIL_RECORD), with the time of its first line.
 *
 * Which lines go on a record is told by a pattern of what begins one, or by rules for what languages print:
 * indented lines, lone closing brackets, "Caused by:" and exception names of the JVM, tracebacks of Python,
 * panics and goroutines of Go, panics of Rust.
 *
 * A record ends with the line that does not belong to it, after TAIL_JOIN_MS without a line, or when it is
 * full: what follows is then a record of its own. Nothing is dropped.
 */
#ifndef WASMCTL_TAIL_JOIN_H
#define WASMCTL_TAIL_JOIN_H

#include <stdbool.h>
#include "tail/filter.h"
#include "tail/line.h"

struct tail_join;

enum { TAIL_JOIN_MS = 250, TAIL_JOIN_LINES = 1000, TAIL_JOIN_BYTES = 256 * 1024 };

struct tail_join_options {
    struct tail_filter *begins; /* a line that passes begins a record; borrowed; NULL = the rules */
    /* The text is valid during the call; must not call the join. */
    void (*record)(void *arg, const struct tail_line *record);
    void *arg;
};

struct tail_join *tail_join_new(const struct tail_join_options *options);
/* What is held is dropped: see tail_join_flush(). */
void tail_join_free(struct tail_join *j);
DEFINE_CLEANUP(struct tail_join *, tail_join_free)
void tail_join_line(struct tail_join *j, const struct tail_line *line, int64_t now_ms);
/* The record ends here. */
void tail_join_flush(struct tail_join *j);
/* When the record that is held ends by itself; -1 when none is held. */
int64_t tail_join_due(const struct tail_join *j);

#endif
