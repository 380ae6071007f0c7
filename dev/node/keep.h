/*
 * The keeper of a process: starts it, writes what it says into the log files of a container (crilog.h), each
 * line with its time, and notes how it ended. One keeper a process, in a session of its own, so that the
 * process can be killed like a machine while its last words are still kept; it ends when the process and
 * everything that holds its output have ended.
 *
 * A file past 10 MB is put aside; four of those are kept. SIGHUP puts the file aside at once. When the disk
 * is full, lines are dropped and the next one that fits says how many.
 */
#ifndef WASMCTL_DEV_NODE_KEEP_H
#define WASMCTL_DEV_NODE_KEEP_H

#include <stdint.h>
#include "base/err.h"
#include "base/loop.h"

enum { DEV_KEEP_SYNC_FD = 3 };

/* What the keeper, then the process before it becomes the program, write to DEV_KEEP_SYNC_FD: a socket whose
 * other end gives a byte when the program may run, and closes when nobody wants it any more. */
struct dev_keep_word {
    int what; /* DEV_KEEP_PID, or DEV_KEEP_FAILED with an errno */
    int value;
};
enum { DEV_KEEP_PID = 1, DEV_KEEP_FAILED };

struct dev_keep_options {
    const char *folder; /* of the log files */
    int64_t instance;
    char **argv;          /* the program; its environment and working directory are the keeper's */
    int64_t rotate_bytes; /* 0 = 10 MB */
};
/* Runs until the process has ended. */
int dev_keep(struct loop *l, const struct dev_keep_options *o, struct err **err);

#endif
