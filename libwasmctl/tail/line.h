/* One line of a log on its way from a source to the output. */
#ifndef WASMCTL_TAIL_LINE_H
#define WASMCTL_TAIL_LINE_H

#include <stddef.h>
#include <stdint.h>

enum {
    TAIL_LATE = 1 << 0,   /* its time is before that of a line already given out */
    TAIL_GAP = 1 << 1,    /* no line of the source: says that some are missing */
    TAIL_NOTICE = 1 << 2, /* no line of the source: says what became of it */
    TAIL_CUT = 1 << 3,    /* longer than the limit: the rest was dropped */
    TAIL_STDERR = 1 << 4, /* the source says that it was written to standard error */
    TAIL_RECORD = 1 << 5, /* several lines of the source, with newlines between them (tail/join.h) */
};

struct tail_line {
    int64_t ns;       /* since 1970; 0 = the source gives no time */
    const char *text; /* without the line's end; not NUL-terminated; any bytes */
    size_t len;
    unsigned flags; /* TAIL_* */
};

#endif
