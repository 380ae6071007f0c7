/*
 * A workqueue as controllers use it: string keys, each at most once in the queue, never handled twice at the
 * same time; a key added while it is handled is handled again afterwards. Failed keys come back with
 * exponential back-off. A turn of the loop hands out keys for some milliseconds at most.
 */
#ifndef WASMCTL_WORK_WORKQUEUE_H
#define WASMCTL_WORK_WORKQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/loop.h"

struct workqueue;

/* Starts the work on a key; the handler must call wq_done() for it, now or later (from another turn). */
typedef void (*wq_handler)(void *arg, const char *key);

struct wq_options {
    const char *name;       /* for metrics and logs */
    size_t concurrency;     /* keys handled at once, 0 = 64 */
    int64_t backoff_min_ms; /* first retry, 0 = 50 ms; doubles with each failure, +-10 % jitter */
    int64_t backoff_max_ms; /* 0 = 5 minutes */
    wq_handler handler;
    /* A key is done: how long it stood in line (while the queue was not paused), and from the call of the
     * handler to wq_done(); real time, nanoseconds. May be NULL. Must not call the queue. */
    void (*observe)(void *arg, const char *name, int64_t waited_ns, int64_t took_ns);
    void *observe_arg;
    void *arg;
};

struct workqueue *wq_new(struct loop *l, const struct wq_options *options);
/* Nothing may call the queue afterwards, so cancel the work on keys being handled first. May be called by the
 * handler itself. */
void wq_free(struct workqueue *q);

/* Now, ahead of nothing: order of adding. Cancels a waiting back-off or delay of the key. */
void wq_add(struct workqueue *q, const char *key);
/* After ms; an earlier time already planned for the key wins. */
void wq_add_after(struct workqueue *q, const char *key, int64_t ms);

enum wq_result {
    WQ_OK,    /* forget the failures of the key */
    WQ_RETRY, /* come back with back-off */
};
void wq_done(struct workqueue *q, const char *key, enum wq_result result);
/* As wq_done(WQ_OK), and again after ms unless something adds it earlier. */
void wq_done_after(struct workqueue *q, const char *key, int64_t ms);

/* While paused nothing is handed to the handler; adds are kept. A queue starts unpaused. */
void wq_pause(struct workqueue *q, bool paused);
/* Forgets the key: queued, delayed, failures. A key being handled stays until its wq_done(), which then does
 * not bring it back whatever its result; adding the key again takes the forgetting back. */
void wq_forget(struct workqueue *q, const char *key);

size_t wq_depth(const struct workqueue *q);  /* waiting now, without delayed */
size_t wq_active(const struct workqueue *q); /* being handled */
unsigned wq_failures(const struct workqueue *q, const char *key);
uint64_t wq_total(const struct workqueue *q, enum wq_result result); /* since the start */

#endif
