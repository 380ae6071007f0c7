/*
 * How panes share the screen: a tree of splits with panes as leaves.
 *
 *   h(actors:60, v(hosts, logs))      h = side by side, v = one above the other; a weight after a colon
 *   v(hosts[@gcp], logs[@gcp web])    an argument in brackets, as it is given to the pane: tui/pane.h
 *   hosts                             one pane alone
 *
 * A layout knows no panes: leaves carry a name, an argument and whatever its user hangs on them.
 */
#ifndef WASMCTL_TUI_LAYOUT_H
#define WASMCTL_TUI_LAYOUT_H

#include "base/buf.h"
#include "base/err.h"
#include "tui/canvas.h"

enum {
    LAYOUT_LEAVES_MOST = 64,
    LAYOUT_DEPTH_MOST = 16,
    LAYOUT_WEIGHT = 100,
    LAYOUT_MIN_W = 12,
    LAYOUT_MIN_H = 3
};

struct layout;

struct layout_leaf {
    char *name, *argument; /* argument NULL if none */
    struct box box;        /* of the last layout_place(); w 0: it has no room */
    void *pane;            /* the user's */
};

/* ERR_INVALID says where and what. free_pane is called with each leaf's pane when the leaf goes; may be NULL.
 */
int layout_parse(const char *text, void (*free_pane)(void *pane), struct layout **ret, struct err **err);
void layout_free(struct layout *l);
DEFINE_CLEANUP(struct layout *, layout_free)
void layout_print(const struct layout *l, struct buf *out);

/* Leaves from the upper left to the lower right. */
size_t layout_leaves(const struct layout *l);
struct layout_leaf *layout_leaf(const struct layout *l, size_t i);

/* Gives each leaf its box. Where there is no room for all, leaves but `keep` are left out, the last ones
 * first. */
void layout_place(struct layout *l, struct box box, const struct layout_leaf *keep);
/* A second leaf beside (or below) this one; NULL when there are too many. */
struct layout_leaf *layout_split(struct layout *l, struct layout_leaf *at, bool below, const char *name,
                                 const char *argument);
/* False: it is the last one, and stays. */
bool layout_close(struct layout *l, struct layout_leaf *leaf);
/* Makes it wider or higher (by < 0: smaller), in cells of the boxes as placed. */
void layout_resize(struct layout *l, struct layout_leaf *leaf, int wider, int higher);
/* Changes places with the next or the previous leaf. */
void layout_swap(struct layout *l, struct layout_leaf *leaf, bool forward);
/* The leaf next to it in a direction (dx or dy is -1 or 1), NULL if there is none. */
struct layout_leaf *layout_beside(const struct layout *l, const struct layout_leaf *leaf, int dx, int dy);

#endif
