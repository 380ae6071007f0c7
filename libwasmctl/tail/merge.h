/*
 * The order of lines from many sources. Each source has a lane; its lines stay in the order in which they
 * were put. Lines of different lanes come out by their time, as far as the window allows.
 *
 * A line is given out
 *  - at once when every lane that has not ended has a line waiting: nothing earlier can come any more;
 *  - else when it has waited for the window, which is the longest that lanes may differ in delay;
 *  - a lane that is still delivering its past (after it was opened, until it falls silent or has caught up
 *    with the present) is waited for as long as it goes on delivering, so that history is in order however
 *    much there is. A lane that falls silent for the window keeps nobody waiting.
 * Lines of the past need not wait for lanes that have caught up: those can only bring later ones.
 *
 * A line whose time is before that of one given out already is marked TAIL_LATE and given out in its turn.
 *
 * Times of lines are the sources' (nanoseconds since 1970), everything else is one monotonic clock in
 * milliseconds that the caller brings. Memory: at most `max_bytes` in all, a share of it for each lane:
 * tail_lane_full() tells the source to hold back. Not for several threads.
 */
#ifndef WASMCTL_TAIL_MERGE_H
#define WASMCTL_TAIL_MERGE_H

#include <stdbool.h>
#include "base/cleanup.h"
#include "tail/line.h"

struct tail_merge;
struct tail_lane;

enum { TAIL_WINDOW_MS = 250, TAIL_MERGE_BYTES = 8 << 20 };

/* owner: as given to tail_lane_new(). The text is valid during the call. The function must not call the
 * merge. It returns false to have no more now: tail_merge_run() then ends, the line counts as taken. */
typedef bool (*tail_emit_fn)(void *arg, void *owner, const struct tail_line *line);

struct tail_merge_options {
    int64_t window_ms;   /* 0 = in the order of arrival */
    int64_t patience_ms; /* how long to wait for the past of a lane that is silent; 0 = moments (100 ms until
                            it is  open, 60 ms for its first line, the window for more): for what is read as
                            it comes. When  all is past, every lane comes to its end, and order is worth a
                            longer wait */
    size_t max_bytes;    /* 0 = TAIL_MERGE_BYTES */
    tail_emit_fn emit;
    void (*gone)(void *arg, void *owner); /* a lane was freed; may be NULL; must not call the merge */
    void *arg;
};

struct tail_merge *tail_merge_new(const struct tail_merge_options *options);
/* Drops what waits. */
void tail_merge_free(struct tail_merge *m);
DEFINE_CLEANUP(struct tail_merge *, tail_merge_free)

/* A lane that is being opened: waited for from now on, for the window at most. past: it will deliver lines
 * from before now first. */
struct tail_lane *tail_lane_new(struct tail_merge *m, void *owner, bool past, int64_t now_ms);
/* Its stream was opened (again): what comes first may be past. */
void tail_lane_opened(struct tail_lane *l, int64_t now_ms);
/* Its stream is away for now: nobody waits for it until it is opened again. */
void tail_lane_away(struct tail_lane *l);
/* A line, copied. wall_ns: the wall clock now, to tell past from present. */
void tail_lane_put(struct tail_lane *l, const struct tail_line *line, int64_t now_ms, int64_t wall_ns);
/* A line came that is not to be put: the source is alive, and this far. */
void tail_lane_heard(struct tail_lane *l, int64_t ns, int64_t now_ms, int64_t wall_ns);
/* True while the lane holds its share: its source should read no more until tail_merge_run() has made room.
 */
bool tail_lane_full(const struct tail_lane *l);
/* No line will follow: the lane is freed as soon as it is empty. */
void tail_lane_end(struct tail_lane *l);

/* Gives out what is due. Returns the milliseconds until there may be more to do, -1 when nothing waits. */
int64_t tail_merge_run(struct tail_merge *m, int64_t now_ms);
/* Some lane still delivers lines of before it was opened, or may be about to. */
bool tail_merge_in_past(struct tail_merge *m, int64_t now_ms);
/* Gives out everything, in order, whatever the receiver returns. */
void tail_merge_flush(struct tail_merge *m);

struct tail_merge_stats {
    uint64_t lines, late;
    size_t lanes, bytes, waiting; /* now */
};
struct tail_merge_stats tail_merge_stats(const struct tail_merge *m);

#endif
