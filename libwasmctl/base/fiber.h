/*
 * Fibers: functions with a stack of their own that can stand still in the middle and go on later. They let
 * code that waits for an answer run several times side by side, unchanged, on one thread.
 *
 * Whoever made a fiber resumes it, from the main stack; it runs until it yields or ends. Inside a fiber
 * loop_turn() and loop_wait() (base/loop.h) do not turn the loop but yield, so only the main stack ever turns
 * it. Callbacks of the loop therefore never run on a fiber's stack.
 *
 * The stack lies below a page that must not be touched: an overflow ends the program and damages nothing.
 * Pages of it are taken as they are used, so many fibers cost little.
 */
#ifndef WASMCTL_BASE_FIBER_H
#define WASMCTL_BASE_FIBER_H

#include <stdbool.h>
#include <stddef.h>

struct fiber;

enum { FIBER_STACK = 1024 * 1024 }; /* address space, not memory */

typedef void (*fiber_fn)(void *arg);

/* Nothing runs before the first fiber_resume(). */
struct fiber *fiber_new(fiber_fn fn, void *arg);
/* Must have ended or never have run: what its stack holds would be lost otherwise (aborts). NULL is fine. */
void fiber_free(struct fiber *f);

/* Runs it until it yields or ends; whether it goes on later. From the main stack only. */
bool fiber_resume(struct fiber *f);
/* Whether resuming it can get it further: it never ran, waits for nothing certain, what it waits for is
 * there, or it was cancelled. False once it has ended. */
bool fiber_is_due(const struct fiber *f);
/* It waits for a flag (fiber_wait()) and not just for another turn. */
bool fiber_has_flag(const struct fiber *f);

/* From now on fiber_wait() returns false in it: the code on its stack ends its work in order. */
void fiber_cancel(struct fiber *f);
/* Whether the fiber that runs was cancelled; false on the main stack. */
bool fiber_cancelled(void);

/* The fiber that runs, NULL on the main stack. */
struct fiber *fiber_current(void);
/* Stands still until it is resumed. Inside a fiber only. */
void fiber_yield(void);
/* Stands still until *flag is true; false when it was cancelled before that. Inside a fiber only. */
bool fiber_wait(const bool *flag);

#endif
