/*
 * The tail engine: sources put lines in, the output gets them filtered, in order (tail/merge.h) and
 * formatted, in batches of whole lines, once a turn of the loop.
 *
 * When the output has enough, nothing more is given out, lanes fill up, and their sources hold back.
 */
#ifndef WASMCTL_TAIL_ENGINE_H
#define WASMCTL_TAIL_ENGINE_H

#include "base/loop.h"
#include "tail/filter.h"
#include "tail/format.h"
#include "tail/merge.h"

struct tail_engine;
struct tail_source;

struct tail_engine_options {
    struct loop *loop;
    int64_t window_ms;          /* tail/merge.h; 0 = order of arrival */
    int64_t patience_ms;        /* tail/merge.h */
    size_t max_bytes;           /* of lines that wait; 0 = TAIL_MERGE_BYTES */
    struct tail_filter *filter; /* borrowed; NULL = every line */
    struct tail_format *format; /* borrowed; NULL = lines are not written, but handed out by line() */
    bool join;                  /* lines that belong together stay together (tail/join.h) */
    struct tail_filter *begins; /* of join; borrowed, may be NULL */
    /* Every line that is given out, besides or in place of write(). Must not call the engine. May be NULL. */
    void (*line)(void *arg, const struct tail_info *info, const struct tail_line *line);
    /* Of the lines from before `total_ns` only so many last ones of all sources together are shown; 0 = all.
     * They are kept back until tail_engine_begun() was called and no source delivers its past any more. */
    size_t total;
    int64_t total_ns;
    int64_t until_ns; /* lines from then on are not shown; 0 = none */
    struct tail_filter
        *until; /* the first line it passes is the last one that is shown; borrowed, may be NULL */
    void (*over)(void *arg); /* that line was given out; in a later turn. May be NULL */
    /* Whole lines; none (len 0) after lines that were only handed out. False: enough until
     * tail_engine_more(). Must not call the engine. */
    bool (*write)(void *arg, const char *text, size_t len);
    void *arg;
};

struct tail_engine *tail_engine_new(const struct tail_engine_options *options);
/* Frees the sources too. What waits is dropped: see tail_engine_flush(). */
void tail_engine_free(struct tail_engine *e);
DEFINE_CLEANUP(struct tail_engine *, tail_engine_free)
/* The output takes more. */
void tail_engine_more(struct tail_engine *e);
/* Gives out everything that waits, whatever the window: write() must take it all. */
void tail_engine_flush(struct tail_engine *e);
/* All sources of the start are known: see `total`. */
void tail_engine_begun(struct tail_engine *e);
/* Nothing waits to be given out. */
bool tail_engine_idle(const struct tail_engine *e);

struct tail_engine_stats {
    uint64_t lines, shown, bytes, gaps, late; /* lines and bytes: taken from sources */
    size_t sources, waiting_bytes;
};
struct tail_engine_stats tail_engine_stats(const struct tail_engine *e);
/* The same by context, in the order in which they appeared; false past the last one. late counts what was
 * shown as such; waiting_bytes is not told. silent: sources of now that have not brought a line. */
struct tail_context_stats {
    const char *context;
    struct tail_engine_stats stats;
    size_t silent;
};
bool tail_engine_context(const struct tail_engine *e, size_t i, struct tail_context_stats *ret);

/* info is moved into the source. siblings: see tail_style_new(). past: see tail_lane_new(). room(arg) is
 * called after tail_source_line() has returned false, when there is room again. */
struct tail_source *tail_source_new(struct tail_engine *e, struct tail_info *info, unsigned siblings,
                                    bool past, void (*room)(void *arg), void *arg);
const struct tail_info *tail_source_info(const struct tail_source *s);
void tail_source_opened(struct tail_source *s);
void tail_source_away(struct tail_source *s);
/* False: hold back until room() is called. */
bool tail_source_line(struct tail_source *s, const struct tail_line *line);
/* A line of this time (0 = unknown) came that the source keeps to itself. */
void tail_source_heard(struct tail_source *s, int64_t ns);
/* No line will follow and room() is not called any more; the source frees itself when its last line is out.
 */
void tail_source_end(struct tail_source *s);

#endif
