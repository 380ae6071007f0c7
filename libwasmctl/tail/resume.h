/*
 * Reading on where a stream of log lines broke off, without losing or repeating a line.
 *
 * The log API can only be asked for lines since a whole second (sinceTime), so what was seen of that second
 * comes again. Remembered is every line from tail_resume_since() on, by its time and a hash; when the stream
 * is opened again, lines that are remembered are dropped, whatever their order, and also when the stream
 * breaks again in the middle of that. When the last line seen does not come again, the log was rotated
 * meanwhile, and what lies between is a gap - or these are lines of another run of the container: the API
 * does not say whose they are. The caller is to find out before it takes them (TAIL_RESUME_DOUBT).
 *
 * Logs are files: what comes again comes in the order it came the first time. So what stands in front of the
 * first line that is recognised was seen before (or not wanted), whatever its time.
 *
 * Lines of one container may be out of order by at most TAIL_RESUME_SLACK_NS (standard output and standard
 * error are written by two hands). A time further back is that of a clock that was set back: from there on is
 * remembered and asked for. Only when that happens while nobody reads, the API gives no way to ask for the
 * lines until the clock has caught up.
 */
#ifndef WASMCTL_TAIL_RESUME_H
#define WASMCTL_TAIL_RESUME_H

#include <stdbool.h>
#include "tail/line.h"

#define TAIL_RESUME_SLACK_NS INT64_C(100000000)
enum { TAIL_RESUME_MOST = 1 << 16 }; /* lines remembered; at higher rates the oldest are forgotten */

struct tail_seen;

struct tail_resume {
    struct tail_seen *seen; /* in the order they came */
    size_t len, cap, start; /* start: forgotten ones in front */
    size_t at;              /* replay: where the next one is looked for */
    size_t unmatched;       /* replay: remembered lines that did not come again yet */
    int64_t latest_ns;
    int64_t before_jump_ns; /* the clock was set back: latest time before that, while it has not caught up */
    bool replay;
    bool accept_gap; /* set by the caller: it is the same run of the container; lasts until the next gap */
};

enum tail_resume_verdict {
    TAIL_RESUME_NEW,
    TAIL_RESUME_SEEN,
    TAIL_RESUME_DOUBT,     /* a gap, or not of this log. The line was not taken: open the stream again */
    TAIL_RESUME_AFTER_GAP, /* new, and lines between the last one seen and this one are gone */
};

/* Zero-initialise. */
void tail_resume_release(struct tail_resume *r);
/* What to do with a line. *ret_gap_ns (TAIL_RESUME_AFTER_GAP): the time between the two. */
enum tail_resume_verdict tail_resume_line(struct tail_resume *r, const struct tail_line *line,
                                          int64_t *ret_gap_ns);
/* The stream was opened again, and nothing has shown yet that it is the same log. */
bool tail_resume_unproven(const struct tail_resume *r);
/* The stream is about to be opened again. Returns the time to ask for (a whole second), or 0 when no line was
 * seen yet. */
int64_t tail_resume_again(struct tail_resume *r);

#endif
