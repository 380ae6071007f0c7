/*
 * The event loop of a process: timers, descriptors, signals, child processes and deferred calls over libuv.
 * One loop, one thread; everything here is called on that thread only. Foreign threads use base/mailbox.h.
 *
 * Handles are created stopped where that makes sense and freed with their free function, which may be called
 * at any time, also inside their own callback; after it returns the callback never runs again. loop_free()
 * wants every handle freed before it.
 */
#ifndef WASMCTL_BASE_LOOP_H
#define WASMCTL_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

struct loop;
struct loop_timer;
struct loop_io;
struct loop_signal;
struct loop_defer;

struct loop *loop_new(void);
void loop_free(struct loop *l);
DEFINE_CLEANUP(struct loop *, loop_free)
#define _cleanup_loop_ _cleanup_(loop_freep)

/* Runs until loop_stop() or until nothing is left to wait for. May be nested only when re-entered from no
 * callback. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* One turn; waits for an event when `wait`. Returns whether anything is left to wait for. Inside a fiber
 * (base/fiber.h) it gives way instead and returns once the loop has turned. */
bool loop_turn(struct loop *l, bool wait);
/* Turns until *flag is true: for code that waits for an answer. Inside a fiber only this fiber waits, and
 * false is returned when it was cancelled before the flag was set; what was begun is then to be given up. */
bool loop_wait(struct loop *l, const bool *flag);
/* Monotonic milliseconds; follows the fake clock when one is set. */
int64_t loop_now_ms(const struct loop *l);

/* Tests: from now on time stands still and moves only by loop_advance(), which fires the timers that fall
 * due, in order. Descriptors and mailboxes go on working. */
void loop_fake_clock(struct loop *l, int64_t start_ms);
void loop_advance(struct loop *l, int64_t ms);

typedef void (*loop_fn)(void *arg);

/* One-shot timer; start again in the callback for a period. Starting a running timer moves it. */
struct loop_timer *loop_timer_new(struct loop *l, loop_fn fn, void *arg);
void loop_timer_start(struct loop_timer *t, int64_t ms);
void loop_timer_stop(struct loop_timer *t);
bool loop_timer_active(const struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);
DEFINE_CLEANUP(struct loop_timer *, loop_timer_free)

/* Calls fn once in the next turn, not from within the caller. The handle is gone after the call; cancel
 * before that. */
struct loop_defer *loop_defer(struct loop *l, loop_fn fn, void *arg);
void loop_defer_cancel(struct loop_defer *d);

enum { LOOP_READ = 1, LOOP_WRITE = 2 };
/* events: what is ready; error is true when the descriptor failed (then events may be 0). */
typedef void (*loop_io_fn)(void *arg, int events, bool error);
/* The descriptor stays the caller's and must outlive the handle's free by nothing: free first, then close. */
struct loop_io *loop_io_new(struct loop *l, int fd, loop_io_fn fn, void *arg);
/* 0 stops. */
void loop_io_set(struct loop_io *io, int events);
void loop_io_free(struct loop_io *io);

typedef void (*loop_signal_fn)(void *arg, int signum);
/* Does not keep loop_run() alive. */
struct loop_signal *loop_signal_new(struct loop *l, int signum, loop_signal_fn fn, void *arg);
void loop_signal_free(struct loop_signal *s);

#endif
