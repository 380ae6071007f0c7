/*
 * What the contexts of one command print, put together: each line behind the name of its context, tables
 * lined up as one.
 *
 * Order: table by table, and in each the contexts as they were chosen. What would come earlier but is not
 * there yet is waited for only for moments: FLEET_FIRST_MS from the first output of all, FLEET_GAP_MS in the
 * middle of what a context prints. Then the others go on, and nobody waits for that context again.
 *
 * Nothing is kept but what waits for its turn. A context with much of that is full: whoever runs it lets it
 * stand still until fleet_out_full() is false again.
 */
#ifndef WASMCTL_CLI_FLEET_OUT_H
#define WASMCTL_CLI_FLEET_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include "base/loop.h"

enum {
    FLEET_FIRST_MS = 50,
    FLEET_GAP_MS = 200,
    FLEET_QUEUE_MOST = 64 * 1024,        /* bytes a context may have waiting whatever the others have */
    FLEET_QUEUES_MOST = 4 * 1024 * 1024, /* all contexts together, above that the former counts */
};

struct fleet_out;

/* write: prints finished text. names: borrowed. */
struct fleet_out *fleet_out_new(struct loop *l, char *const *names, size_t n,
                                void (*write)(void *arg, const char *text, size_t len), void *arg);
void fleet_out_free(struct fleet_out *o);
/* Tables in colour (print/colour.h). */
void fleet_out_set_colour(struct fleet_out *o, bool on);

/* Text of context i: lines, or records of a table (print/table.h). A line may come in pieces. */
void fleet_out_add(struct fleet_out *o, size_t i, const char *text, size_t len);
/* Text that is printed as it is and in one piece; `between` goes before it when something was printed
 * already. */
void fleet_out_block(struct fleet_out *o, size_t i, const char *text, size_t len, const char *between);
/* The same for rows that need no lining up (CSV). titled: the first line names the columns; it is printed
 * only where they change. */
void fleet_out_plain_rows(struct fleet_out *o, size_t i, const char *text, size_t len, bool titled);
/* An item of one document of all contexts, which is printed in their order however long that takes. begin
 * goes before the first item of all, between before each other one. */
void fleet_out_item(struct fleet_out *o, size_t i, const char *text, size_t len, const char *begin,
                    const char *between);
/* Whether an item was printed. */
bool fleet_out_has_items(const struct fleet_out *o);
/* From now on it prints when something happens: nobody waits for it. */
void fleet_out_live(struct fleet_out *o, size_t i);
/* It prints nothing more. */
void fleet_out_end(struct fleet_out *o, size_t i);
bool fleet_out_full(const struct fleet_out *o, size_t i);
/* Whether it printed something, or has something waiting. */
bool fleet_out_used(const struct fleet_out *o, size_t i);

/* Prints what may be printed now; to be called after every turn of the loop. */
void fleet_out_pump(struct fleet_out *o);
/* Prints everything. */
void fleet_out_drain(struct fleet_out *o);

#endif
