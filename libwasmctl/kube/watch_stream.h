/*
 * The body of a watch as it arrives: JSON objects, one a line, cut anywhere. Pure reading, for watch.c.
 *
 * Source: the watch endpoints of the Kubernetes API: {"type": ADDED | MODIFIED | DELETED | BOOKMARK | ERROR,
 * "object": ...}, where the object of an ERROR is a Status.
 */
#ifndef WASMCTL_KUBE_WATCH_STREAM_H
#define WASMCTL_KUBE_WATCH_STREAM_H

#include "base/buf.h"
#include "kube/watch.h"

/* Puts lines together. */
struct kube_lines {
    struct buf rest; /* the beginning of a line */
    size_t most;     /* longest line */
};
void kube_lines_init(struct kube_lines *l, size_t most);
void kube_lines_release(struct kube_lines *l);
/* One line without its end, never empty. Returning false ends the giving out; only then may the struct
 * kube_lines have been released meanwhile. */
typedef bool (*kube_line_fn)(void *arg, const char *line, size_t len);
/* 0; 1 when the function returned false (the rest of data is dropped then); ERR_TOO_LARGE past the longest
 * line, without a message. */
int kube_lines_add(struct kube_lines *l, const char *data, size_t len, kube_line_fn fn, void *arg);

struct kube_watch_item {
    bool change; /* false: a bookmark, or a type of the future */
    enum kube_event type;
    cJSON *root;         /* owned */
    cJSON *object;       /* in root */
    const char *version; /* resourceVersion to go on from, NULL if it has none; in root */
};
void kube_watch_item_release(struct kube_watch_item *i);
/* One line. ERR_INVALID for what is no JSON, ERR_PROTOCOL for what is no event of `what` (a path); for an
 * ERROR event the error its Status tells of. */
int kube_watch_item_read(const char *line, size_t len, const char *what, struct kube_watch_item *ret,
                         struct err **err);

#endif
