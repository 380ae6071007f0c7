#include "tail/merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    BLOCK_BYTES = 2048,     /* of the smallest block of a lane: hundreds of quiet ones have one each */
    BLOCK_MOST = 64 * 1024, /* of one that holds several lines */
    LANE_LEAST = 8 * 1024,  /* share of a lane at least */
    OPENING_MS = 100,       /* what is being opened is waited for so long */
    EMPTY_MS = 60,          /* what was opened and has brought nothing for so long has no past */
    PRESENT_MS = 2000,      /* a line younger than this is no past */
};
enum { ENTRY_PAST = 1u << 31 }; /* in entry.flags: put while its lane delivered its past */

/* Lines of a lane stand in blocks, each behind its header. */
struct entry {
    int64_t ns, key; /* key: ns, but never before the line in front of it */
    int64_t arrived_ms;
    uint32_t len, flags;
};

struct block {
    struct block *next;
    size_t used, cap;
    char data[];
};

enum phase {
    LANE_OPENING, /* waited for, until hold_ms */
    LANE_PAST,    /* delivers what lies behind, until it is silent */
    LANE_PRESENT,
    LANE_AWAY,
};

struct tail_lane {
    struct tail_merge *merge;
    struct tail_lane *prev, *next;
    void *owner;
    enum phase phase;
    bool past_first, brought, ended; /* brought: a line since it was opened */
    int64_t active_ms;               /* last sign of life; LANE_OPENING: when that began */
    int64_t last_key;
    struct block *head, *tail;
    size_t at; /* of the first line in head */
    size_t bytes, lines;
    size_t by_key, by_age; /* places in the heaps, valid while there are lines */
};

/* Lanes that have lines; the two orders of their first lines. */
struct heap {
    struct tail_lane **items;
    size_t len, cap;
    bool by_age;
};

struct tail_merge {
    struct tail_merge_options options;
    struct tail_lane *lanes;
    size_t nlanes;
    size_t nblank; /* lanes without lines that may bring some: not ended, not away */
    struct heap keys, ages;
    size_t bytes;
    int64_t given; /* the latest key given out */
    struct tail_merge_stats stats;
    struct block *spare;
};

static struct entry *first(const struct tail_lane *l)
{
    return (struct entry *)(void *)(l->head->data + l->at);
}

/* Heaps */

static bool before(const struct heap *h, const struct tail_lane *a, const struct tail_lane *b)
{
    const struct entry *x = first(a), *y = first(b);

    if (h->by_age)
        return x->arrived_ms < y->arrived_ms;
    if (x->key != y->key)
        return x->key < y->key;
    return x->arrived_ms < y->arrived_ms;
}

static void place(struct heap *h, size_t i, struct tail_lane *l)
{
    h->items[i] = l;
    if (h->by_age)
        l->by_age = i;
    else
        l->by_key = i;
}

static void sift_up(struct heap *h, size_t i)
{
    struct tail_lane *l = h->items[i];

    while (i && before(h, l, h->items[(i - 1) / 2])) {
        place(h, i, h->items[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(h, i, l);
}

static void sift_down(struct heap *h, size_t i)
{
    struct tail_lane *l = h->items[i];

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->len)
            break;
        if (child + 1 < h->len && before(h, h->items[child + 1], h->items[child]))
            child++;
        if (!before(h, h->items[child], l))
            break;
        place(h, i, h->items[child]);
        i = child;
    }
    place(h, i, l);
}

static void heap_add(struct heap *h, struct tail_lane *l)
{
    if (h->len == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 64;
        h->items = xreallocarray(h->items, h->cap, sizeof(struct tail_lane *));
    }
    place(h, h->len, l);
    sift_up(h, h->len++);
}

static void heap_remove(struct heap *h, size_t i)
{
    struct tail_lane *last = h->items[--h->len];

    if (i == h->len)
        return;
    place(h, i, last);
    sift_up(h, i);
    sift_down(h, h->by_age ? last->by_age : last->by_key);
}

/* Blocks */

static struct block *block_new(struct tail_merge *m, size_t need)
{
    size_t cap = BLOCK_BYTES;
    struct block *b;

    while (cap < need && cap < BLOCK_MOST)
        cap *= 2;
    if (cap < need)
        cap = need;
    if (cap == BLOCK_BYTES && m->spare) {
        b = TAKE_PTR(m->spare);
    } else {
        b = xmalloc(sizeof(*b) + cap);
        b->cap = cap;
    }
    b->next = NULL;
    b->used = 0;
    return b;
}

static void block_free(struct tail_merge *m, struct block *b)
{
    if (!m->spare && b->cap == BLOCK_BYTES)
        m->spare = b;
    else
        free(b);
}

static size_t entry_size(size_t len)
{
    const size_t align = _Alignof(struct entry);

    return (sizeof(struct entry) + len + align - 1) / align * align;
}

static void append(struct tail_lane *l, const struct entry *e, const char *text)
{
    size_t need = entry_size(e->len);

    if (!l->tail || l->tail->cap - l->tail->used < need) {
        struct block *b = block_new(l->merge, need);
        if (l->tail)
            l->tail->next = b;
        else
            l->head = b;
        l->tail = b;
    }
    memcpy(l->tail->data + l->tail->used, e, sizeof(*e));
    memcpy(l->tail->data + l->tail->used + sizeof(*e), text, e->len);
    l->tail->used += need;
    l->bytes += need;
    l->merge->bytes += need;
    l->lines++;
}

static void drop_first(struct tail_lane *l)
{
    size_t size = entry_size(first(l)->len);

    l->at += size;
    l->bytes -= size;
    l->merge->bytes -= size;
    l->lines--;
    if (l->at < l->head->used)
        return;
    struct block *b = l->head;
    l->head = b->next;
    if (!l->head)
        l->tail = NULL;
    l->at = 0;
    block_free(l->merge, b);
}

/* Lanes */

struct tail_merge *tail_merge_new(const struct tail_merge_options *options)
{
    struct tail_merge *m = xcalloc(1, sizeof(*m));

    m->options = *options;
    if (!m->options.max_bytes)
        m->options.max_bytes = TAIL_MERGE_BYTES;
    m->ages.by_age = true;
    m->given = INT64_MIN;
    return m;
}

static void lane_free(struct tail_lane *l)
{
    struct tail_merge *m = l->merge;

    while (l->head) {
        struct block *b = l->head;
        l->head = b->next;
        free(b);
    }
    if (l->prev)
        l->prev->next = l->next;
    else
        m->lanes = l->next;
    if (l->next)
        l->next->prev = l->prev;
    m->nlanes--;
    if (m->options.gone)
        m->options.gone(m->options.arg, l->owner);
    free(l);
}

void tail_merge_free(struct tail_merge *m)
{
    if (!m)
        return;
    while (m->lanes)
        lane_free(m->lanes);
    free(m->keys.items);
    free(m->ages.items);
    free(m->spare);
    free(m);
}

static bool is_blank(const struct tail_lane *l)
{
    return !l->lines && !l->ended && l->phase != LANE_AWAY;
}

static void set_phase(struct tail_lane *l, enum phase phase)
{
    l->merge->nblank -= is_blank(l);
    l->phase = phase;
    l->merge->nblank += is_blank(l);
}

struct tail_lane *tail_lane_new(struct tail_merge *m, void *owner, bool past, int64_t now_ms)
{
    struct tail_lane *l = xcalloc(1, sizeof(*l));

    *l = (struct tail_lane){.merge = m,
                            .next = m->lanes,
                            .owner = owner,
                            .phase = LANE_OPENING,
                            .past_first = past,
                            .active_ms = now_ms,
                            .last_key = INT64_MIN};
    if (m->lanes)
        m->lanes->prev = l;
    m->lanes = l;
    m->nlanes++;
    m->nblank++;
    return l;
}

void tail_lane_opened(struct tail_lane *l, int64_t now_ms)
{
    set_phase(l, l->past_first ? LANE_PAST : LANE_PRESENT);
    l->past_first = true; /* a stream that is opened again begins where the last one ended */
    l->brought = false;
    l->active_ms = now_ms;
}

void tail_lane_away(struct tail_lane *l)
{
    set_phase(l, LANE_AWAY);
}

void tail_lane_heard(struct tail_lane *l, int64_t ns, int64_t now_ms, int64_t wall_ns)
{
    l->active_ms = now_ms;
    l->brought = true;
    if (l->phase == LANE_PAST && ns && wall_ns - ns < PRESENT_MS * INT64_C(1000000))
        set_phase(l, LANE_PRESENT);
}

void tail_lane_put(struct tail_lane *l, const struct tail_line *line, int64_t now_ms, int64_t wall_ns)
{
    struct tail_merge *m = l->merge;
    struct entry e = {.ns = line->ns, .arrived_ms = now_ms, .len = (uint32_t)line->len, .flags = line->flags};

    tail_lane_heard(l, line->ns, now_ms, wall_ns);
    if (l->phase == LANE_PAST)
        e.flags |= ENTRY_PAST;
    /* What has no time goes with the line in front of it. */
    e.key = line->ns > l->last_key ? line->ns : l->last_key;
    l->last_key = e.key;
    m->nblank -= is_blank(l);
    append(l, &e, line->text);
    if (l->lines == 1) {
        heap_add(&m->keys, l);
        heap_add(&m->ages, l);
    }
}

bool tail_lane_full(const struct tail_lane *l)
{
    size_t share = l->merge->options.max_bytes / (l->merge->nlanes ? l->merge->nlanes : 1);

    return l->bytes > (share < LANE_LEAST ? LANE_LEAST : share);
}

void tail_lane_end(struct tail_lane *l)
{
    l->merge->nblank -= is_blank(l);
    l->ended = true;
    if (!l->lines)
        lane_free(l);
}

/* Giving out */

/* Gives out the first line of the lane, which may be freed then; false when the receiver has enough. */
static bool give(struct tail_merge *m, struct tail_lane *l)
{
    struct entry *e = first(l);
    struct tail_line line = {
        .ns = e->ns, .text = (const char *)(e + 1), .len = e->len, .flags = e->flags & ~ENTRY_PAST};

    if (e->key < m->given) {
        line.flags |= TAIL_LATE;
        m->stats.late++;
    } else {
        m->given = e->key;
    }
    m->stats.lines++;
    bool more = m->options.emit(m->options.arg, l->owner, &line);
    if (l->lines > 1) {
        drop_first(l);
        /* The next line comes later in both orders. */
        sift_down(&m->keys, l->by_key);
        sift_down(&m->ages, l->by_age);
        return more;
    }
    heap_remove(&m->keys, l->by_key);
    heap_remove(&m->ages, l->by_age);
    drop_first(l);
    m->nblank += is_blank(l);
    if (l->ended)
        lane_free(l);
    return more;
}

/* Until when a blank lane keeps the others waiting for its past; 0 = it does not. */
static int64_t past_until(const struct tail_merge *m, const struct tail_lane *l)
{
    int64_t most = m->options.window_ms;

    if (!is_blank(l) || (l->phase != LANE_PAST && !(l->phase == LANE_OPENING && l->past_first)))
        return 0;
    if (m->options.patience_ms)
        return l->active_ms + m->options.patience_ms;
    if (l->phase == LANE_OPENING && most > OPENING_MS)
        most = OPENING_MS;
    if (l->phase == LANE_PAST && !l->brought && most > EMPTY_MS)
        most = EMPTY_MS;
    return l->active_ms + most;
}

/* When there may be fewer lanes to wait for than now; 0 = there are none. Those that have been silent for
 * long enough have come to the present. */
static int64_t wait_for_past(struct tail_merge *m, int64_t now_ms)
{
    int64_t until = 0;

    if (!m->nblank)
        return 0;
    for (struct tail_lane *l = m->lanes; l; l = l->next) {
        int64_t t = past_until(m, l);
        if (t && t <= now_ms && l->phase == LANE_PAST)
            set_phase(l, LANE_PRESENT);
        if (t > now_ms && (!until || t < until))
            until = t;
    }
    return until;
}

int64_t tail_merge_run(struct tail_merge *m, int64_t now_ms)
{
    int64_t window = m->options.window_ms;
    int64_t until = window ? wait_for_past(m, now_ms) : 0;

    while (m->keys.len) {
        struct tail_lane *l = window ? m->keys.items[0] : m->ages.items[0];
        if (window && m->nblank) {
            int64_t due = first(m->ages.items[0])->arrived_ms + window;
            if (until)
                return until - now_ms;
            if (!(first(l)->flags & ENTRY_PAST) && due > now_ms)
                return due - now_ms;
        }
        bool last = l->lines == 1 && !l->ended;
        if (!give(m, l))
            return 0;
        if (last && window && l->phase == LANE_PAST) {
            until = past_until(m, l);
            if (until <= now_ms)
                until = wait_for_past(m, now_ms);
        }
    }
    return -1;
}

bool tail_merge_in_past(struct tail_merge *m, int64_t now_ms)
{
    if (m->keys.len || wait_for_past(m, now_ms))
        return true;
    for (const struct tail_lane *l = m->lanes; l; l = l->next)
        if (l->phase == LANE_PAST)
            return true;
    return false;
}

void tail_merge_flush(struct tail_merge *m)
{
    while (m->keys.len)
        give(m, m->keys.items[0]);
}

struct tail_merge_stats tail_merge_stats(const struct tail_merge *m)
{
    struct tail_merge_stats s = m->stats;

    s.lanes = m->nlanes;
    s.bytes = m->bytes;
    s.waiting = m->keys.len;
    return s;
}
