/* Logs of containers that the node serves: what is written where, and who reads it. */
#ifndef WASMCTL_DEV_NODE_LOG_H
#define WASMCTL_DEV_NODE_LOG_H

#include "base/mem.h"
#include "dev/node/crilog.h"

struct dev_log;
struct dev_stream;

enum { DEV_LOG_END = -1, DEV_LOG_NOTHING_YET, DEV_LOG_LINE };

struct dev_log_ops {
    /* A reader at the last `tail` lines of what was not put aside yet (< 0: at its beginning); NULL: there is
     * no log. */
    void *(*open)(struct dev_log *log, int64_t tail);
    /* DEV_LOG_LINE: *ret is borrowed until the next call. */
    int (*next)(void *reader, struct dev_cri_line *ret);
    void (*close)(void *reader);
    /* Puts aside what was written so far: new readers do not find it any more. */
    void (*rotate)(struct dev_log *log);
};

/* The first member of each kind of log. */
struct dev_log {
    const struct dev_log_ops *ops;
    VEC(struct dev_stream *) streams;
};

/* There may be more to read. */
void dev_log_wake(struct dev_log *log);
/* Ends all its streams; what the kind of log holds is its owner's. */
void dev_log_release(struct dev_log *log);

/* The files of one instance (crilog.h). wake() it when the folder changes. */
struct dev_file_log {
    struct dev_log log;
    char *folder;
    int64_t instance;
    bool closed; /* nothing will be added */
};
struct dev_file_log *dev_file_log_new(const char *folder, int64_t instance);
void dev_file_log_free(struct dev_file_log *f);

#endif
