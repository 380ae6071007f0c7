/*
 * Standard output for what comes without end: written when it can be, so that neither a slow terminal nor a
 * pipe nobody reads holds up the loop. Whoever fills it stops when it is full and is told when there is room.
 */
#ifndef WASMCTL_CLI_OUTLET_H
#define WASMCTL_CLI_OUTLET_H

#include <stdbool.h>
#include "base/cleanup.h"
#include "base/loop.h"

struct outlet;

/* room(arg): after outlet_write() has returned false, there is room again. */
struct outlet *outlet_new(struct loop *l, void (*room)(void *arg), void *arg);
/* What waits is dropped: see outlet_drain(). */
void outlet_free(struct outlet *o);
DEFINE_CLEANUP(struct outlet *, outlet_free)
/* Takes it all; false when it is full now. A closed or failing stdout ends the program as in cli/cmd.h. */
bool outlet_write(struct outlet *o, const char *text, size_t len);
/* Writes what waits, however long that takes. */
void outlet_drain(struct outlet *o);
/* Nothing waits. */
bool outlet_empty(const struct outlet *o);

#endif
