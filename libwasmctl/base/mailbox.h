/*
 * The only way from a foreign thread onto the loop: the thread posts a message, the loop's thread receives
 * it. mailbox_post() may be called from any thread; everything else on the loop's thread only.
 */
#ifndef WASMCTL_BASE_MAILBOX_H
#define WASMCTL_BASE_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include "base/loop.h"

struct mailbox;
/* Receives one message, in the order they were posted, and owns it. */
typedef void (*mailbox_fn)(void *arg, void *message);

/* limit: most messages waiting at once. free_message drops what is still waiting when the mailbox is freed. A
 * mailbox keeps loop_run() alive. */
struct mailbox *mailbox_new(struct loop *l, size_t limit, mailbox_fn fn, void (*free_message)(void *),
                            void *arg);
/* Takes the message and returns true; when the limit is reached returns false and the message stays the
 * caller's (it is counted in mailbox_dropped()). */
bool mailbox_post(struct mailbox *m, void *message);
/* Messages refused since the last call. */
size_t mailbox_dropped(struct mailbox *m);
/* No thread may post any more. Safe inside the mailbox's own callback. */
void mailbox_free(struct mailbox *m);

#endif
