#include "tui/layout.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct node {
    struct node *parent;
    VEC(struct node *) parts; /* none: a leaf */
    bool below;               /* parts one above the other */
    int weight;
    struct box box;
    struct layout_leaf leaf;
};

struct layout {
    struct node *root;
    size_t leaves;
    void (*free_pane)(void *pane);
};

struct parser {
    const char *text, *at;
    struct layout *l;
    int depth;
};

static void free_node(struct layout *l, struct node *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->parts.len; i++)
        free_node(l, n->parts.items[i]);
    if (!n->parts.len && n->leaf.pane && l->free_pane)
        l->free_pane(n->leaf.pane);
    free(n->parts.items);
    free(n->leaf.name);
    free(n->leaf.argument);
    free(n);
}

void layout_free(struct layout *l)
{
    if (!l)
        return;
    free_node(l, l->root);
    free(l);
}

static int fail(const struct parser *p, struct err **err, const char *what)
{
    return err_set(err, ERR_INVALID, "layout \"%s\", character %zu: %s", p->text,
                   (size_t)(p->at - p->text) + 1, what);
}

static void skip_blanks(struct parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || strchr("-_.", c);
}

static int parse_weight(struct parser *p, int *weight, struct err **err)
{
    char digits[8];
    size_t n = 0;
    int64_t value;

    skip_blanks(p);
    if (*p->at != ':')
        return 0;
    for (p->at++; isdigit((unsigned char)p->at[n]) && n < sizeof(digits) - 1; n++)
        digits[n] = p->at[n];
    digits[n] = '\0';
    if (!str_to_i64(digits, 1, 10000, &value))
        return fail(p, err, "a weight is a number from 1 to 10000");
    p->at += n;
    *weight = (int)value;
    return 0;
}

static int parse_node(struct parser *p, struct node **ret, struct err **err);

static int parse_parts(struct parser *p, struct node *n, struct err **err)
{
    do {
        struct node *part = NULL;
        p->at++; /* the parenthesis, or the comma */
        int r = parse_node(p, &part, err);
        if (r < 0)
            return r;
        part->parent = n;
        vec_push(&n->parts, part);
        skip_blanks(p);
    } while (*p->at == ',');
    if (*p->at != ')')
        return fail(p, err, "\",\" or \")\" is wanted");
    p->at++;
    return 0;
}

static int parse_leaf(struct parser *p, struct node *n, const char *name, size_t len, struct err **err)
{
    n->leaf.name = xstrndup(name, len);
    if (++p->l->leaves > LAYOUT_LEAVES_MOST)
        return fail(p, err, "there are too many panes");
    if (*p->at != '[')
        return 0;
    const char *end = strchr(p->at, ']');
    if (!end)
        return fail(p, err, "\"]\" is wanted");
    n->leaf.argument = xstrndup(p->at + 1, (size_t)(end - p->at) - 1);
    p->at = end + 1;
    return 0;
}

static int parse_node(struct parser *p, struct node **ret, struct err **err)
{
    struct node *n = xcalloc(1, sizeof(*n));
    size_t len = 0;
    int r;

    n->weight = LAYOUT_WEIGHT;
    skip_blanks(p);
    while (is_name(p->at[len]) && p->at[len])
        len++;
    const char *name = p->at;
    p->at += len;
    if (!len) {
        r = fail(p, err, "the name of a pane, h(...) or v(...) is wanted");
    } else if (*p->at == '(' && len == 1 && (*name == 'h' || *name == 'v')) {
        n->below = *name == 'v';
        r = ++p->depth > LAYOUT_DEPTH_MOST ? fail(p, err, "too many levels") : parse_parts(p, n, err);
        p->depth--;
    } else {
        r = parse_leaf(p, n, name, len, err);
    }
    if (r == 0)
        r = parse_weight(p, &n->weight, err);
    if (r < 0) {
        free_node(p->l, n);
        return r;
    }
    *ret = n;
    return 0;
}

int layout_parse(const char *text, void (*free_pane)(void *pane), struct layout **ret, struct err **err)
{
    struct layout *l = xcalloc(1, sizeof(*l));
    struct parser p = {.text = text, .at = text, .l = l};

    l->free_pane = free_pane;
    int r = parse_node(&p, &l->root, err);
    skip_blanks(&p);
    if (r == 0 && *p.at)
        r = fail(&p, err, "there is more than one layout");
    if (r < 0) {
        layout_free(l);
        return r;
    }
    *ret = l;
    return 0;
}

static void print_node(const struct node *n, struct buf *out)
{
    if (!n->parts.len) {
        buf_adds(out, n->leaf.name);
        if (n->leaf.argument)
            buf_addf(out, "[%s]", n->leaf.argument);
    } else {
        buf_adds(out, n->below ? "v(" : "h(");
        for (size_t i = 0; i < n->parts.len; i++) {
            buf_adds(out, i ? ", " : "");
            print_node(n->parts.items[i], out);
        }
        buf_addc(out, ')');
    }
    if (n->weight != LAYOUT_WEIGHT)
        buf_addf(out, ":%d", n->weight);
}

void layout_print(const struct layout *l, struct buf *out)
{
    print_node(l->root, out);
}

/* Leaves */

static struct node *nth_leaf(struct node *n, size_t *i)
{
    if (!n->parts.len)
        return (*i)-- == 0 ? n : NULL;
    for (size_t k = 0; k < n->parts.len; k++) {
        struct node *found = nth_leaf(n->parts.items[k], i);
        if (found)
            return found;
    }
    return NULL;
}

size_t layout_leaves(const struct layout *l)
{
    return l->leaves;
}

struct layout_leaf *layout_leaf(const struct layout *l, size_t i)
{
    struct node *n = i < l->leaves ? nth_leaf(l->root, &i) : NULL;

    return n ? &n->leaf : NULL;
}

static struct node *node_of(const struct layout_leaf *leaf)
{
    return (struct node *)(void *)((char *)(uintptr_t)leaf - offsetof(struct node, leaf));
}

/* Boxes */

static bool holds(const struct node *n, const struct layout_leaf *leaf)
{
    if (!n->parts.len)
        return &n->leaf == leaf;
    for (size_t i = 0; i < n->parts.len; i++)
        if (holds(n->parts.items[i], leaf))
            return true;
    return false;
}

static void hide(struct node *n)
{
    n->box = n->leaf.box = (struct box){0};
    for (size_t i = 0; i < n->parts.len; i++)
        hide(n->parts.items[i]);
}

static int smallest(const struct node *n, bool height)
{
    int sum = 0, most = 0;

    if (!n->parts.len)
        return height ? LAYOUT_MIN_H : LAYOUT_MIN_W;
    for (size_t i = 0; i < n->parts.len; i++) {
        int one = smallest(n->parts.items[i], height);
        sum += one;
        most = one > most ? one : most;
    }
    return n->below == height ? sum : most;
}

static void place(struct node *n, struct box box, const struct layout_leaf *keep)
{
    int room = n->below ? box.h : box.w, at = n->below ? box.y : box.x, weights = 0, needed = 0;

    n->box = n->leaf.box = box;
    if (!n->parts.len)
        return;
    /* Who has room at all: the part with `keep` first, then in order. */
    VEC(struct node *) shown = {0};
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < n->parts.len; i++) {
            struct node *part = n->parts.items[i];
            bool kept = keep && holds(part, keep);
            int least = smallest(part, n->below);
            least = least > room && !shown.len ? room : least;
            if (kept == (turn == 0) && needed + least <= room) {
                needed += least;
                vec_push(&shown, part);
            } else if (kept == (turn == 0)) {
                hide(part);
            }
        }
    for (size_t i = 0; i < shown.len; i++)
        weights += shown.items[i]->weight;
    size_t left = shown.len;
    for (size_t i = 0; i < n->parts.len; i++) {
        struct node *part = n->parts.items[i];
        bool is_shown = false;
        for (size_t k = 0; k < shown.len; k++)
            is_shown = is_shown || shown.items[k] == part;
        if (!is_shown)
            continue;
        int least = smallest(part, n->below);
        needed -= least;
        int size = --left ? (int)((int64_t)room * part->weight / weights) : room;
        if (left && size < least)
            size = least;
        if (size > room - needed)
            size = room - needed;
        if (size < 0)
            size = 0;
        place(part, n->below ? (struct box){box.x, at, box.w, size} : (struct box){at, box.y, size, box.h},
              keep);
        at += size;
        room -= size;
        weights -= part->weight;
    }
    free(shown.items);
}

void layout_place(struct layout *l, struct box box, const struct layout_leaf *keep)
{
    place(l->root, box, keep);
}

/* Changing it */

static size_t index_in_parent(const struct node *n)
{
    size_t i = 0;

    while (n->parent->parts.items[i] != n)
        i++;
    return i;
}

static void insert_part(struct node *parent, size_t at, struct node *n)
{
    n->parent = parent;
    vec_push(&parent->parts, n);
    memmove(&parent->parts.items[at + 1], &parent->parts.items[at],
            (parent->parts.len - 1 - at) * sizeof(*parent->parts.items));
    parent->parts.items[at] = n;
}

struct layout_leaf *layout_split(struct layout *l, struct layout_leaf *at, bool below, const char *name,
                                 const char *argument)
{
    struct node *n = node_of(at), *second = xcalloc(1, sizeof(*second));

    if (l->leaves >= LAYOUT_LEAVES_MOST) {
        free(second);
        return NULL;
    }
    second->weight = n->weight;
    second->leaf.name = xstrdup(name);
    second->leaf.argument = xstrdup_null(argument);
    if (!n->parent || n->parent->below != below) {
        struct node *split = xcalloc(1, sizeof(*split));
        split->weight = n->weight;
        split->below = below;
        split->parent = n->parent;
        if (n->parent)
            n->parent->parts.items[index_in_parent(n)] = split;
        else
            l->root = split;
        n->weight = second->weight = LAYOUT_WEIGHT;
        insert_part(split, 0, n);
        insert_part(split, 1, second);
    } else {
        insert_part(n->parent, index_in_parent(n) + 1, second);
    }
    l->leaves++;
    return &second->leaf;
}

bool layout_close(struct layout *l, struct layout_leaf *leaf)
{
    struct node *n = node_of(leaf), *parent = n->parent;

    if (!parent)
        return false;
    vec_remove(&parent->parts, index_in_parent(n));
    free_node(l, n);
    l->leaves--;
    if (parent->parts.len > 1)
        return true;
    /* A split of one is that one. */
    struct node *only = parent->parts.items[0];
    only->parent = parent->parent;
    only->weight = parent->weight;
    if (parent->parent)
        parent->parent->parts.items[index_in_parent(parent)] = only;
    else
        l->root = only;
    parent->parts.len = 0;
    free(parent->parts.items);
    free(parent);
    return true;
}

static void resize_along(struct node *n, bool height, int by)
{
    while (n->parent && n->parent->below != height)
        n = n->parent;
    if (!n->parent || !by)
        return;
    /* Weights become what the boxes are, then the neighbour gives. */
    struct node *p = n->parent;
    size_t i = index_in_parent(n);
    struct node *other = p->parts.items[i + 1 < p->parts.len ? i + 1 : i - 1];
    for (size_t k = 0; k < p->parts.len; k++) {
        int size = height ? p->parts.items[k]->box.h : p->parts.items[k]->box.w;
        p->parts.items[k]->weight = size > 0 ? size : 1;
    }
    int least = height ? LAYOUT_MIN_H : LAYOUT_MIN_W;
    if (n->weight + by < least)
        by = least - n->weight;
    if (other->weight - by < least)
        by = other->weight - least;
    if (n->weight + by < 1 || other->weight - by < 1)
        return;
    n->weight += by;
    other->weight -= by;
}

void layout_resize(struct layout *l _unused_, struct layout_leaf *leaf, int wider, int higher)
{
    resize_along(node_of(leaf), false, wider);
    resize_along(node_of(leaf), true, higher);
}

void layout_swap(struct layout *l, struct layout_leaf *leaf, bool forward)
{
    for (size_t i = 0; i < l->leaves; i++) {
        struct layout_leaf *at = layout_leaf(l, i);
        if (at != leaf)
            continue;
        struct layout_leaf *other = layout_leaf(l, (i + (forward ? 1 : l->leaves - 1)) % l->leaves);
        struct layout_leaf was = *at;
        at->name = other->name, at->argument = other->argument, at->pane = other->pane;
        other->name = was.name, other->argument = was.argument, other->pane = was.pane;
        return;
    }
}

static int overlap(int a, int a_len, int b, int b_len)
{
    int from = a > b ? a : b, to = a + a_len < b + b_len ? a + a_len : b + b_len;

    return to - from;
}

struct layout_leaf *layout_beside(const struct layout *l, const struct layout_leaf *leaf, int dx, int dy)
{
    struct layout_leaf *best = NULL;
    const struct box a = leaf->box;
    int best_overlap = 0;

    for (size_t i = 0; i < l->leaves; i++) {
        struct layout_leaf *other = layout_leaf(l, i);
        const struct box b = other->box;
        bool touches = dx > 0   ? b.x == a.x + a.w
                       : dx < 0 ? b.x + b.w == a.x
                       : dy > 0 ? b.y == a.y + a.h
                                : b.y + b.h == a.y;
        int common = dx ? overlap(a.y, a.h, b.y, b.h) : overlap(a.x, a.w, b.x, b.w);
        if (other != leaf && b.w && touches && common > best_overlap) {
            best = other;
            best_overlap = common;
        }
    }
    return best;
}
