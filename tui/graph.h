/*
 * A layered picture of nodes and directed edges: nodes as boxes in columns, edges from left to right with
 * their labels, drawn with lines. Cycles are allowed (an edge that goes back is drawn the other way round,
 * with its arrow at its head).
 */
#ifndef WASMCTL_TUI_GRAPH_H
#define WASMCTL_TUI_GRAPH_H

#include "tui/canvas.h"

struct graph;

enum { GRAPH_NODES_MOST = 2000, GRAPH_EDGES_MOST = 10000 };

struct graph *graph_new(void);
void graph_free(struct graph *g);
DEFINE_CLEANUP(struct graph *, graph_free)

/* Texts are copied. Returns its number; what is too many is left out (SIZE_MAX). */
size_t graph_node(struct graph *g, const char *title, const char *text, enum tui_role role, uint64_t id);
void graph_edge(struct graph *g, size_t from, size_t to, const char *label, enum tui_role role);
size_t graph_nodes(const struct graph *g);
uint64_t graph_id(const struct graph *g, size_t node);

/* Gives nodes their places for a picture so wide; again after changes. Returns its height. */
int graph_place(struct graph *g, int width);
/* The node's box, in the picture. */
struct box graph_box(const struct graph *g, size_t node);
/* Draws the picture with its upper left corner at x, y (may be outside of the canvas). selected: SIZE_MAX for
 * none; its edges stand out. */
void graph_draw(const struct graph *g, struct canvas *c, int x, int y, size_t selected, bool focus);
/* The node next to this one in a direction; the same when there is none. */
size_t graph_beside(const struct graph *g, size_t node, int dx, int dy);

#endif
