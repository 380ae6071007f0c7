/*
 * Messages of structured logs, for people: "LEVEL text key=value ...". JSON objects are taken apart; lines of
 * logfmt (level=info msg="...") and klog (I0102 15:04:05.6 ...) are shown as they are behind their level.
 */
#ifndef WASMCTL_TAIL_READABLE_H
#define WASMCTL_TAIL_READABLE_H

#include <stdbool.h>
#include "base/buf.h"

struct tail_readable {
    bool colour;
    /* Members to show behind level and text, in this order: names, or paths ("http.status"); NULL-ended,
     * borrowed. NULL = all but the time. */
    char *const *fields;
    /* Appends a message: for what stands out in it, and what is not safe. */
    void (*text)(void *arg, struct buf *out, const char *text, size_t len);
    void *arg;
};

/* False: it is none of these, nothing was appended. */
bool tail_readable(const struct tail_readable *r, struct buf *out, const char *text, size_t len);

#endif
