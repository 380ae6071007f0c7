/*
 * Cuts a stream into whole lines and reads the timestamp in front of each (`timestamps=true` of the log API:
 * RFC 3339 with up to nine fractional digits, one blank, the line).
 */
#ifndef WASMCTL_TAIL_SPLIT_H
#define WASMCTL_TAIL_SPLIT_H

#include <stdbool.h>
#include "base/buf.h"
#include "tail/line.h"

enum { TAIL_LINE_MOST = 1 << 20 }; /* bytes of a line; what is longer is cut */

struct tail_split {
    bool stamped;    /* lines carry a timestamp; one that has none is given as it is, with ns 0 */
    size_t most;     /* 0 = TAIL_LINE_MOST */
    struct buf part; /* of the line that has not ended yet */
    bool cut;        /* it is longer than that: dropped up to its end */
    char second[20]; /* the last timestamp's text up to the second, and what it is */
    int64_t second_ns;
};

/* text is valid during the call. False: take no more of this piece. */
typedef bool (*tail_split_fn)(void *arg, const struct tail_line *line);

/* Zero-initialise, then set stamped and most. */
void tail_split_release(struct tail_split *s);
/* Every line that ends in this piece. False when fn has returned false: the rest of the piece is dropped. */
bool tail_split_feed(struct tail_split *s, const char *data, size_t len, tail_split_fn fn, void *arg);
/* The stream has ended as a whole: a last line without an end counts. */
void tail_split_end(struct tail_split *s, tail_split_fn fn, void *arg);
/* The stream was cut: half a line is no line. */
void tail_split_drop(struct tail_split *s);

/* Reads "2026-01-02T03:04:05.123456789Z " at the start; the bytes it takes with its blank, 0 when there is
 * none. second/second_ns: see above. */
size_t tail_stamp_read(struct tail_split *s, const char *text, size_t len, int64_t *ret_ns);

#endif
