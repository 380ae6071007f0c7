/* The other processes of a session: what a child of ours has started and may leave behind. */
#ifndef WASMCTL_DEV_SESSION_H
#define WASMCTL_DEV_SESSION_H

#include "dev/proc.h"

/* Sends the signal to every process of the session that `leader` led, except to the leader. Nothing is sent
 * when the leader's pid belongs to another process by now, or to another boot. Returns how many got it. */
size_t dev_session_signal(const struct dev_proc *leader, int signum);
/* Kills what is left of the session and waits up to timeout_ms until it is gone. Returns whether nothing is
 * left. */
bool dev_session_clear(const struct dev_proc *leader, int64_t timeout_ms);

#endif
