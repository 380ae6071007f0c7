/*
 * Log files of one container as container runtimes write them (CRI): <folder>/<instance>.log, a line of which
 * is "<RFC 3339 time with nanoseconds> stdout|stderr F|P <text>". P: the line goes on in the next one. The
 * instance is the restart count. A full file is renamed to <instance>.log.<20 digits> and begun anew; beside
 * it <instance>.json tells of the process.
 */
#ifndef WASMCTL_DEV_NODE_CRILOG_H
#define WASMCTL_DEV_NODE_CRILOG_H

#include "base/buf.h"
#include "dev/proc.h"

enum {
    DEV_CRI_TEXT_MOST = 16 * 1024,      /* longer lines are cut into pieces */
    DEV_CRI_LINE_MOST = 16 * 1024 + 64, /* with what stands in front */
};

struct dev_cri_line {
    int64_t ns; /* since 1970 */
    bool is_stderr, partial;
    const char *text; /* borrowed, not NUL-terminated */
    size_t len;
};
/* One line without its newline. false: it is none. */
bool dev_cri_parse(const char *line, size_t len, struct dev_cri_line *ret);
/* Appends the line with a newline. */
void dev_cri_format(struct buf *out, const struct dev_cri_line *line);
/* "2026-01-02T03:04:05.678901234Z", as it stands in front of lines; appended. */
void dev_cri_stamp(struct buf *out, int64_t ns);

/* Takes from each line of a text what stands in front of it; what is none stays as it is. In place; returns
 * the new length. */
size_t dev_cri_strip(char *text, size_t len);

/* What is known of the process of an instance. */
struct dev_cri_meta {
    struct dev_proc proc, keeper;
    char *id;            /* of the container: 64 hexadecimal digits */
    int64_t started_ns;  /* since 1970 */
    int64_t finished_ns; /* 0: not known to have ended */
    int exit_code, signum;
    bool closed; /* nothing will be added to the log */
};
void dev_cri_meta_release(struct dev_cri_meta *m);
int dev_cri_meta_save(const char *folder, int64_t instance, const struct dev_cri_meta *m, struct err **err);
int dev_cri_meta_load(const char *folder, int64_t instance, struct dev_cri_meta *ret, struct err **err);

/* "<folder>/<instance>.log"; caller frees. */
char *dev_cri_path(const char *folder, int64_t instance);
/* The newest instance in the folder, -1 when there is none. */
int64_t dev_cri_newest(const char *folder);
/* Paths of the files of an instance that were put aside, the oldest first; NULL-ended, caller frees. */
char **dev_cri_rotated(const char *folder, int64_t instance);
/* Removes the files of instances before `first`. */
void dev_cri_prune(const char *folder, int64_t first);

/* The file that follows the one with this inode (which was put aside since) in an instance: the one put aside
 * next, or the one written now. NULL: the inode is the one written now. Caller frees. */
char *dev_cri_after(const char *folder, int64_t instance, ino_t inode);

/* Has the keeper put the file aside. ERR_NOT_FOUND: it has ended. */
int dev_cri_ask_rotation(const char *folder, int64_t instance, struct err **err);
/* Where the last `lines` lines of a file begin (< 0: 0, all of them). */
int64_t dev_cri_tail_start(int fd, int64_t lines);

/* Held, shared, by the keeper of an instance while it works. Waits at most timeout_ms for all of them to end.
 */
char *dev_cri_lock_path(const char *folder);
bool dev_cri_wait_keepers(const char *folder, int64_t timeout_ms);

#endif
