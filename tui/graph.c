#include "tui/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum {
    NODE_H = 4, /* two lines of text in a frame */
    NODE_MIN = 12,
    NODE_MOST = 30,
    GAP_MIN = 8, /* between columns */
    GAP_MOST = 34,
    LANES_MOST = 4, /* in a gap, for lines that go up or down */
    SWEEPS = 4,
};
enum { NORTH = 1, EAST = 2, SOUTH = 4, WEST = 8 };

struct node {
    char *title, *text; /* NULL: a bend of an edge that goes past a column */
    enum tui_role role;
    uint64_t id;
    int layer, order;
    double weight; /* for sorting within the layer */
    struct box box;
    size_t ins, outs;
};

struct edge {
    size_t from, to;
    char *label;
    enum tui_role role;
    bool turned;      /* goes from right to left: drawn the other way round */
    VEC(size_t) path; /* from, bends, to */
};

struct graph {
    VEC(struct node) nodes;
    VEC(struct edge) edges;
    size_t own; /* nodes that were added; bends are behind them */
    int layers, width, height, gap, column;
};

struct graph *graph_new(void)
{
    return xcalloc(1, sizeof(struct graph));
}

void graph_free(struct graph *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->nodes.len; i++) {
        free(g->nodes.items[i].title);
        free(g->nodes.items[i].text);
    }
    for (size_t i = 0; i < g->edges.len; i++) {
        free(g->edges.items[i].label);
        free(g->edges.items[i].path.items);
    }
    free(g->nodes.items);
    free(g->edges.items);
    free(g);
}

size_t graph_node(struct graph *g, const char *title, const char *text, enum tui_role role, uint64_t id)
{
    struct node n = {.role = role, .id = id};

    if (g->own >= GRAPH_NODES_MOST)
        return SIZE_MAX;
    n.title = xstrdup(title);
    n.text = xstrdup(text);
    vec_push(&g->nodes, n);
    return g->own++;
}

void graph_edge(struct graph *g, size_t from, size_t to, const char *label, enum tui_role role)
{
    struct edge e = {.from = from, .to = to, .role = role};

    if (from >= g->own || to >= g->own || from == to || g->edges.len >= GRAPH_EDGES_MOST)
        return;
    e.label = xstrdup(label);
    vec_push(&g->edges, e);
}

size_t graph_nodes(const struct graph *g)
{
    return g->own;
}

uint64_t graph_id(const struct graph *g, size_t node)
{
    return g->nodes.items[node].id;
}

/* Layers: by the longest way from a node that nothing points to. An edge that would go back is turned. */

enum { UNSEEN, OPEN, DONE };

static void turn_cycles(struct graph *g, size_t node, char *seen, size_t *stack)
{
    size_t depth = 0;

    stack[depth++] = node;
    while (depth) {
        size_t at = stack[depth - 1];
        bool deeper = false;
        seen[at] = OPEN;
        for (size_t i = 0; i < g->edges.len && !deeper; i++) {
            struct edge *e = &g->edges.items[i];
            if (e->from != at || e->turned || seen[e->to] == DONE)
                continue;
            if (seen[e->to] == OPEN) {
                e->turned = true;
            } else {
                stack[depth++] = e->to;
                deeper = true;
            }
        }
        if (!deeper) {
            seen[at] = DONE;
            depth--;
        }
    }
}

static void find_layers(struct graph *g)
{
    _cleanup_free_ char *seen = xcalloc(g->own + 1, 1);
    _cleanup_free_ size_t *stack = xcalloc(g->own + 1, sizeof(*stack));
    bool moved = true;

    for (size_t i = 0; i < g->own; i++)
        if (seen[i] == UNSEEN)
            turn_cycles(g, i, seen, stack);
    for (size_t turn = 0; moved && turn <= g->own; turn++) {
        moved = false;
        for (size_t i = 0; i < g->edges.len; i++) {
            const struct edge *e = &g->edges.items[i];
            struct node *from = &g->nodes.items[e->turned ? e->to : e->from],
                        *to = &g->nodes.items[e->turned ? e->from : e->to];
            if (to->layer <= from->layer) {
                to->layer = from->layer + 1;
                moved = true;
            }
        }
    }
    g->layers = 1;
    for (size_t i = 0; i < g->own; i++)
        if (g->nodes.items[i].layer >= g->layers)
            g->layers = g->nodes.items[i].layer + 1;
}

/* Edges over several layers get bends in those between. */
static void add_bends(struct graph *g)
{
    for (size_t i = 0; i < g->edges.len; i++) {
        struct edge *e = &g->edges.items[i];
        size_t from = e->turned ? e->to : e->from, to = e->turned ? e->from : e->to;
        e->path.len = 0;
        vec_push(&e->path, from);
        for (int layer = g->nodes.items[from].layer + 1; layer < g->nodes.items[to].layer; layer++) {
            struct node bend = {.layer = layer};
            vec_push(&g->nodes, bend);
            vec_push(&e->path, g->nodes.len - 1);
        }
        vec_push(&e->path, to);
    }
}

/* Order within layers: near to the neighbours, back and forth a few times. */

static int compare_nodes(const void *x, const void *y, void *arg)
{
    const struct graph *g = arg;
    size_t i = *(const size_t *)x, k = *(const size_t *)y;
    const struct node *a = &g->nodes.items[i], *b = &g->nodes.items[k];

    if (a->layer != b->layer)
        return a->layer < b->layer ? -1 : 1;
    if (a->weight < b->weight || a->weight > b->weight)
        return a->weight < b->weight ? -1 : 1;
    return i < k ? -1 : i > k;
}

static void number_layers(struct graph *g, size_t *sorted)
{
    int order = 0;

    qsort_r(sorted, g->nodes.len, sizeof(*sorted), compare_nodes, g);
    for (size_t i = 0; i < g->nodes.len; i++) {
        struct node *n = &g->nodes.items[sorted[i]];
        order = i && g->nodes.items[sorted[i - 1]].layer == n->layer ? order + 1 : 0;
        n->order = order;
    }
}

static void weigh(struct graph *g, bool forward)
{
    _cleanup_free_ double *sum = xcalloc(g->nodes.len + 1, sizeof(*sum));
    _cleanup_free_ unsigned *count = xcalloc(g->nodes.len + 1, sizeof(*count));

    for (size_t i = 0; i < g->edges.len; i++) {
        const struct edge *e = &g->edges.items[i];
        for (size_t k = 0; k + 1 < e->path.len; k++) {
            size_t near = e->path.items[forward ? k : k + 1], far = e->path.items[forward ? k + 1 : k];
            sum[far] += g->nodes.items[near].order;
            count[far]++;
        }
    }
    for (size_t i = 0; i < g->nodes.len; i++)
        g->nodes.items[i].weight = count[i] ? sum[i] / count[i] : g->nodes.items[i].order;
}

static void find_order(struct graph *g, size_t *sorted)
{
    for (size_t i = 0; i < g->nodes.len; i++) {
        sorted[i] = i;
        g->nodes.items[i].weight = (double)i;
    }
    number_layers(g, sorted);
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        weigh(g, sweep % 2 == 0);
        number_layers(g, sorted);
    }
}

static void find_boxes(struct graph *g, const size_t *sorted)
{
    int widest = NODE_MIN, y = 0;

    for (size_t i = 0; i < g->own; i++) {
        int a = (int)str_width(g->nodes.items[i].title) + 4, b = (int)str_width(g->nodes.items[i].text) + 4;
        widest = a > widest ? a : b > widest ? b : widest;
    }
    widest = widest > NODE_MOST ? NODE_MOST : widest;
    int gaps = g->layers - 1, room = g->width - gaps * GAP_MIN;
    g->column = g->layers * widest > room ? room / g->layers : widest;
    if (g->column < NODE_MIN)
        g->column = NODE_MIN;
    g->gap = gaps ? (g->width - g->layers * g->column) / gaps : 0;
    g->gap = g->gap < GAP_MIN ? GAP_MIN : g->gap > GAP_MOST ? GAP_MOST : g->gap;
    g->height = 0;
    for (size_t i = 0; i < g->nodes.len; i++) {
        struct node *n = &g->nodes.items[sorted[i]];
        y = n->order ? y : 0;
        n->box = (struct box){n->layer * (g->column + g->gap), y, g->column, n->title ? NODE_H : 1};
        y += n->box.h;
        g->height = y > g->height ? y : g->height;
    }
}

int graph_place(struct graph *g, int width)
{
    g->width = width;
    for (size_t i = 0; i < g->nodes.len; i++)
        g->nodes.items[i].layer = 0;
    g->nodes.len = g->own;
    for (size_t i = 0; i < g->edges.len; i++)
        g->edges.items[i].turned = false;
    find_layers(g);
    add_bends(g);
    _cleanup_free_ size_t *sorted = xcalloc(g->nodes.len + 1, sizeof(*sorted));
    find_order(g, sorted);
    find_boxes(g, sorted);
    return g->height;
}

struct box graph_box(const struct graph *g, size_t node)
{
    return g->nodes.items[node].box;
}

/* Lines: directions are collected in a grid, so that crossings and corners come out right. */

struct grid {
    int w, h;
    unsigned char *bits, *roles;
};

static void set_bits(struct grid *grid, int x, int y, int bits, enum tui_role role)
{
    if (x < 0 || y < 0 || x >= grid->w || y >= grid->h)
        return;
    size_t at = (size_t)y * (size_t)grid->w + (size_t)x;
    grid->bits[at] |= (unsigned char)bits;
    /* What stands out stays so where lines cross. */
    if (grid->roles[at] != TUI_FOCUS)
        grid->roles[at] = (unsigned char)role;
}

static void across(struct grid *grid, int x1, int x2, int y, enum tui_role role)
{
    for (int x = x1; x <= x2; x++)
        set_bits(grid, x, y, (x > x1 ? WEST : 0) | (x < x2 ? EAST : 0), role);
}

static void upright(struct grid *grid, int x, int y1, int y2, enum tui_role role)
{
    int from = y1 < y2 ? y1 : y2, to = y1 < y2 ? y2 : y1;

    for (int y = from; y <= to; y++)
        set_bits(grid, x, y, (y > from ? NORTH : 0) | (y < to ? SOUTH : 0), role);
}

static int lanes_of(const struct graph *g)
{
    int lanes = g->gap / 3;

    return lanes < 1 ? 1 : lanes > LANES_MOST ? LANES_MOST : lanes;
}

/* Where an edge leaves or meets a node: several share the rows of its text. */
static int row_of(const struct node *n, size_t which)
{
    return n->title ? n->box.y + 1 + (int)(which % 2) : n->box.y;
}

static bool concerns(const struct edge *e, size_t selected)
{
    return e->from == selected || e->to == selected;
}

/* One step of an edge's path, through the gap between two columns. */
static void draw_step(const struct graph *g, struct grid *grid, const struct edge *e, size_t index,
                      size_t step, enum tui_role role)
{
    const struct node *a = &g->nodes.items[e->path.items[step]],
                      *b = &g->nodes.items[e->path.items[step + 1]];
    int left = a->box.x + (a->title ? g->column : 0), right = b->box.x - 1, y1 = row_of(a, index),
        y2 = row_of(b, index);
    int lanes = lanes_of(g), lane = left + (a->title ? 0 : g->column) + 1 + (a->order + (int)index) % lanes;

    if (y1 == y2) {
        across(grid, left, right, y1, role);
        return;
    }
    across(grid, left, lane, y1, role);
    upright(grid, lane, y1, y2, role);
    across(grid, lane, right, y2, role);
}

static void draw_lines(const struct graph *g, struct grid *grid, size_t selected)
{
    /* Those of the selected node last: their colour wins. */
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < g->edges.len; i++) {
            const struct edge *e = &g->edges.items[i];
            if (concerns(e, selected) != (turn == 1))
                continue;
            for (size_t k = 0; k + 1 < e->path.len; k++)
                draw_step(g, grid, e, i, k, turn ? TUI_FOCUS : e->role);
        }
}

static void show_grid(const struct grid *grid, struct canvas *c, int x, int y)
{
    static const uint32_t shapes[16] = {' ',    0x2502, 0x2500, 0x2514, 0x2502, 0x2502, 0x250c, 0x251c,
                                        0x2500, 0x2518, 0x2500, 0x2534, 0x2510, 0x2524, 0x252c, 0x253c};

    for (int row = 0; row < grid->h; row++) {
        if (y + row < c->clip.y || y + row >= c->clip.y + c->clip.h)
            continue;
        for (int col = 0; col < grid->w; col++) {
            size_t at = (size_t)row * (size_t)grid->w + (size_t)col;
            if (grid->bits[at])
                canvas_put(c, x + col, y + row, shapes[grid->bits[at]], (enum tui_role)grid->roles[at],
                           grid->roles[at] == TUI_FOCUS ? CANVAS_BOLD : 0);
        }
    }
}

/* The label before the head, where there is room; and the head. */
static void draw_ends(const struct graph *g, struct canvas *c, int x, int y, size_t i, size_t selected)
{
    const struct edge *e = &g->edges.items[i];
    size_t last = e->path.items[e->path.len - 1], first = e->path.items[0];
    const struct node *a = &g->nodes.items[first], *b = &g->nodes.items[last];
    enum tui_role role = concerns(e, selected) ? TUI_FOCUS : e->role;
    int lanes = lanes_of(g), room = g->gap - lanes - 4, width = (int)str_width(e->label);

    if (room >= 6 && *e->label) {
        int used = width < room ? width : room;
        canvas_text(c, x + b->box.x - 2 - used, y + row_of(b, i), used, e->label,
                    role == TUI_FOCUS ? TUI_FOCUS : TUI_DIM, 0);
    }
    if (e->turned)
        canvas_put(c, x + a->box.x + g->column, y + row_of(a, i), 0x25c2, role, CANVAS_BOLD);
    else
        canvas_put(c, x + b->box.x - 1, y + row_of(b, i), 0x25b8, role, CANVAS_BOLD);
}

void graph_draw(const struct graph *g, struct canvas *c, int x, int y, size_t selected, bool focus)
{
    struct grid grid = {.w = g->layers * (g->column + g->gap), .h = g->height};

    if (!g->own)
        return;
    grid.bits = xcalloc((size_t)grid.w * (size_t)grid.h + 1, 1);
    grid.roles = xcalloc((size_t)grid.w * (size_t)grid.h + 1, 1);
    draw_lines(g, &grid, selected);
    show_grid(&grid, c, x, y);
    free(grid.bits);
    free(grid.roles);
    for (size_t i = 0; i < g->edges.len; i++)
        draw_ends(g, c, x, y, i, selected);
    for (size_t i = 0; i < g->own; i++) {
        const struct node *n = &g->nodes.items[i];
        struct box box = {x + n->box.x, y + n->box.y, n->box.w, n->box.h};
        canvas_clear(c, box);
        canvas_frame(c, box, i == selected ? TUI_FOCUS : TUI_BORDER);
        canvas_text(c, box.x + 2, box.y + 1, box.w - 4, n->title, TUI_TEXT, i == selected ? CANVAS_BOLD : 0);
        canvas_text(c, box.x + 2, box.y + 2, box.w - 4, n->text, n->role, 0);
        if (i == selected && focus)
            canvas_flag(c, box_inside(box), -1, CANVAS_CURSOR);
    }
}

size_t graph_beside(const struct graph *g, size_t node, int dx, int dy)
{
    const struct node *from = &g->nodes.items[node];
    size_t best = node;
    int best_distance = 0;

    for (size_t i = 0; i < g->own; i++) {
        const struct node *to = &g->nodes.items[i];
        int across_by = to->layer - from->layer, down_by = to->box.y - from->box.y;
        if (i == node || (dx ? across_by * dx <= 0 : across_by != 0 || down_by * dy <= 0))
            continue;
        int distance = dx ? abs(across_by) * 10000 + abs(down_by) : abs(down_by);
        if (best == node || distance < best_distance) {
            best = i;
            best_distance = distance;
        }
    }
    return best;
}
