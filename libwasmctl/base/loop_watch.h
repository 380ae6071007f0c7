/* Changes in a folder or of a file, told by the system (inotify through libuv). */
#ifndef WASMCTL_BASE_LOOP_WATCH_H
#define WASMCTL_BASE_LOOP_WATCH_H

#include "base/loop.h"

struct loop_watch;

/* fn(arg): something in the folder was written, made, renamed or removed, or the folder itself was: look.
 * Several changes may be told by one call. ERR_NOT_FOUND, ERR_UNAVAILABLE (the system has no more watches to
 * give), ERR_IO. */
int loop_watch_new(struct loop *l, const char *path, loop_fn fn, void *arg, struct loop_watch **ret,
                   struct err **err);
void loop_watch_free(struct loop_watch *w);
DEFINE_CLEANUP(struct loop_watch *, loop_watch_free)

#endif
