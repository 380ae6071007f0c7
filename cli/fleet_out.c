#include "cli/fleet_out.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "print/table.h"

enum { PIECE_MOST = 64 * 1024 };

enum piece_kind { PIECE_ROWS, PIECE_LINES, PIECE_BLOCK, PIECE_ITEM };

/* A run of rows of one table, of lines, or one block. */
struct piece {
    struct piece *next;
    enum piece_kind kind;
    unsigned table; /* which table of the context it belongs to, counted from 0 */
    char *header;   /* rows: record of the header without its first byte, or their title; NULL: none */
    struct buf text;
    bool measured;
    char *between;
    char *begin; /* of an item */
};

struct queue {
    struct piece *first, *last;
    size_t bytes;
    struct buf line; /* begun, without its end */
    char *header;    /* of the table it is at */
    unsigned table;
    bool begun, ended;
    bool late; /* nobody waits for it any more */
};

struct fleet_out {
    struct loop *loop;
    char *const *names;
    struct queue *queues;
    size_t n, bytes;
    size_t width; /* of the longest name */
    void (*write)(void *arg, const char *text, size_t len);
    void *arg;
    struct loop_timer *timer;
    int64_t hold_until_ms; /* 0: nothing is held */
    bool open;             /* the first hold is over */
    bool printed;
    size_t items; /* printed */
    struct print_table *table;
    char *header; /* of the table that is being printed */
    bool header_known;
    char *title; /* of plain rows */
};

static void on_timer(void *arg _unused_)
{
    /* It ends the turn of the loop: fleet_out_pump() is called then. */
}

struct fleet_out *fleet_out_new(struct loop *l, char *const *names, size_t n,
                                void (*write)(void *arg, const char *text, size_t len), void *arg)
{
    struct fleet_out *o = xcalloc(1, sizeof(*o));

    o->loop = l;
    o->names = names;
    o->n = n;
    o->queues = xcalloc(n, sizeof(*o->queues));
    o->write = write;
    o->arg = arg;
    o->timer = loop_timer_new(l, on_timer, o);
    o->table = print_table_new();
    for (size_t i = 0; i < n; i++) {
        size_t width = str_width(names[i]);
        o->width = width > o->width ? width : o->width;
    }
    return o;
}

static void free_piece(struct piece *p)
{
    buf_release(&p->text);
    free(p->header);
    free(p->between);
    free(p->begin);
    free(p);
}

void fleet_out_set_colour(struct fleet_out *o, bool on)
{
    print_table_set_colour(o->table, on);
}

void fleet_out_free(struct fleet_out *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->n; i++) {
        struct queue *q = &o->queues[i];
        while (q->first) {
            struct piece *p = q->first;
            q->first = p->next;
            free_piece(p);
        }
        buf_release(&q->line);
        free(q->header);
    }
    loop_timer_free(o->timer);
    print_table_free(o->table);
    free(o->header);
    free(o->title);
    free(o->queues);
    free(o);
}

/* Filling */

static struct piece *piece_for(struct queue *q, enum piece_kind kind)
{
    struct piece *p = q->last;

    if (p && p->kind == kind && kind < PIECE_BLOCK && p->table == q->table && p->text.len < PIECE_MOST &&
        !p->measured)
        return p;
    p = xcalloc(1, sizeof(*p));
    p->kind = kind;
    p->table = q->table;
    p->header = kind == PIECE_ROWS ? xstrdup_null(q->header) : NULL;
    if (q->last)
        q->last->next = p;
    else
        q->first = p;
    q->last = p;
    q->begun = true;
    return p;
}

static void add_text(struct fleet_out *o, struct queue *q, struct piece *p, const char *text, size_t len)
{
    buf_add(&p->text, text, len);
    q->bytes += len;
    o->bytes += len;
}

/* A whole line with its line break, or the last one without. */
static void add_line(struct fleet_out *o, struct queue *q, const char *line, size_t len)
{
    if (line[0] == PRINT_RECORD_HEADER) {
        /* The empty line above a table is ours to print. */
        struct piece *p = q->last;
        if (p && p->kind == PIECE_LINES &&
            (streq(buf_str(&p->text), "\n") || str_ends(buf_str(&p->text), "\n\n"))) {
            buf_truncate(&p->text, p->text.len - 1);
            q->bytes--;
            o->bytes--;
        }
        q->table++;
        free(q->header);
        q->header = xstrndup(line + 1, len - 1);
        return;
    }
    if (line[0] == PRINT_RECORD_ROW) {
        add_text(o, q, piece_for(q, PIECE_ROWS), line, len);
        return;
    }
    struct piece *p = piece_for(q, PIECE_LINES);
    add_text(o, q, p, line, len);
    if (line[len - 1] != '\n')
        add_text(o, q, p, "\n", 1);
}

void fleet_out_add(struct fleet_out *o, size_t i, const char *text, size_t len)
{
    struct queue *q = &o->queues[i];

    while (len) {
        const char *end = memchr(text, '\n', len);
        size_t n = end ? (size_t)(end - text) + 1 : len;
        if (!end || q->line.len) {
            buf_add(&q->line, text, n);
            if (end) {
                add_line(o, q, q->line.data, q->line.len);
                buf_truncate(&q->line, 0);
            }
        } else {
            add_line(o, q, text, n);
        }
        text += n;
        len -= n;
    }
}

static void end_line(struct fleet_out *o, struct queue *q)
{
    if (q->line.len)
        add_line(o, q, q->line.data, q->line.len);
    buf_truncate(&q->line, 0);
}

void fleet_out_block(struct fleet_out *o, size_t i, const char *text, size_t len, const char *between)
{
    struct queue *q = &o->queues[i];

    end_line(o, q);
    struct piece *p = piece_for(q, PIECE_BLOCK);
    p->between = xstrdup_null(between);
    add_text(o, q, p, text, len);
}

void fleet_out_plain_rows(struct fleet_out *o, size_t i, const char *text, size_t len, bool titled)
{
    struct queue *q = &o->queues[i];
    const char *end = titled ? memchr(text, '\n', len) : NULL;
    size_t title = end ? (size_t)(end - text) + 1 : 0;

    if (title) {
        q->table++;
        free(q->header);
        q->header = xstrndup(text, title);
    }
    if (title == len)
        return;
    struct piece *p = piece_for(q, PIECE_BLOCK);
    p->header = xstrdup_null(q->header);
    add_text(o, q, p, text + title, len - title);
}

void fleet_out_item(struct fleet_out *o, size_t i, const char *text, size_t len, const char *begin,
                    const char *between)
{
    struct queue *q = &o->queues[i];

    end_line(o, q);
    struct piece *p = piece_for(q, PIECE_ITEM);
    p->begin = xstrdup(begin);
    p->between = xstrdup(between);
    add_text(o, q, p, text, len);
}

bool fleet_out_has_items(const struct fleet_out *o)
{
    return o->items > 0;
}

void fleet_out_live(struct fleet_out *o, size_t i)
{
    o->queues[i].late = true;
}

void fleet_out_end(struct fleet_out *o, size_t i)
{
    end_line(o, &o->queues[i]);
    o->queues[i].ended = true;
}

bool fleet_out_full(const struct fleet_out *o, size_t i)
{
    return o->queues[i].bytes > FLEET_QUEUE_MOST && o->bytes > FLEET_QUEUES_MOST;
}

bool fleet_out_used(const struct fleet_out *o, size_t i)
{
    return o->queues[i].begun || o->queues[i].line.len;
}

/* Printing */

static bool same_table(const struct fleet_out *o, const struct piece *p)
{
    return p->kind == PIECE_ROWS && o->header_known && streq_null(o->header, p->header);
}

static void begin_table(struct fleet_out *o, const struct piece *p)
{
    if (p->header && o->printed)
        o->write(o->arg, "\n", 1);
    print_table_reset(o->table);
    xstr_replace(&o->header, p->header);
    o->header_known = true;
    for (size_t i = 0; i < o->n; i++)
        print_table_measure(o->table, o->names[i], "", 0);
    if (!p->header)
        return;
    _cleanup_free_ char *record = xasprintf("%c%s", PRINT_RECORD_HEADER, p->header);
    print_table_measure(o->table, "CONTEXT", record, strlen(record));
}

static void print_header(struct fleet_out *o)
{
    _cleanup_free_ char *record = xasprintf("%c%s", PRINT_RECORD_HEADER, o->header);
    _cleanup_buf_ struct buf out = BUF_INIT;

    print_table_lines(o->table, &out, "CONTEXT", record, strlen(record));
    o->write(o->arg, out.data, out.len);
}

/* All rows of the table that are there decide on the widths. */
static void measure(struct fleet_out *o)
{
    for (size_t i = 0; i < o->n; i++) {
        for (struct piece *p = o->queues[i].first; p; p = p->next) {
            if (p->measured || !same_table(o, p))
                continue;
            print_table_measure(o->table, o->names[i], buf_str(&p->text), p->text.len);
            p->measured = true;
        }
    }
}

static void print_rows(struct fleet_out *o, const struct piece *p, const char *name)
{
    _cleanup_buf_ struct buf out = BUF_INIT;
    bool begins = !same_table(o, p);

    if (begins)
        begin_table(o, p);
    measure(o);
    if (begins && p->header)
        print_header(o);
    print_table_lines(o->table, &out, name, buf_str(&p->text), p->text.len);
    o->write(o->arg, out.data, out.len);
}

static void print_lines(struct fleet_out *o, const struct piece *p, const char *name)
{
    _cleanup_buf_ struct buf out = BUF_INIT;
    const char *text = buf_str(&p->text);

    while (*text) {
        size_t n = strcspn(text, "\n") + 1;
        buf_adds(&out, name);
        if (n > 1)
            buf_fill(&out, ' ', o->width + PRINT_PADDING - str_width(name));
        buf_add(&out, text, n);
        text += n;
    }
    if (out.len)
        o->write(o->arg, out.data, out.len);
}

static void print_first(struct fleet_out *o, size_t i)
{
    struct queue *q = &o->queues[i];
    struct piece *p = q->first;

    if (p->kind == PIECE_ROWS) {
        print_rows(o, p, o->names[i]);
    } else if (p->kind == PIECE_LINES) {
        print_lines(o, p, o->names[i]);
    } else if (p->kind == PIECE_ITEM) {
        const char *before = o->items++ ? p->between : p->begin;
        o->write(o->arg, before, strlen(before));
        o->write(o->arg, buf_str(&p->text), p->text.len);
    } else {
        if (p->between && o->printed)
            o->write(o->arg, p->between, strlen(p->between));
        if (p->header && !streq_null(p->header, o->title)) {
            xstr_replace(&o->title, p->header);
            o->write(o->arg, p->header, strlen(p->header));
        }
        o->write(o->arg, buf_str(&p->text), p->text.len);
    }
    o->printed = o->printed || p->text.len;
    o->hold_until_ms = 0;
    q->first = p->next;
    if (!q->first)
        q->last = NULL;
    q->bytes -= p->text.len;
    o->bytes -= p->text.len;
    free_piece(p);
}

/* The queue whose turn it is: the table that is being printed is finished first. */
static bool next_queue(const struct fleet_out *o, size_t *ret)
{
    bool found = false, found_same = false;

    for (size_t i = 0; i < o->n; i++) {
        const struct piece *p = o->queues[i].first;
        if (!p)
            continue;
        bool same = same_table(o, p);
        if (!found || (same && !found_same) ||
            (same == found_same && p->table < o->queues[*ret].first->table)) {
            *ret = i;
            found_same = same;
        }
        found = true;
    }
    return found;
}

static bool is_awaited(const struct queue *q)
{
    return !q->first && !q->ended && !q->late;
}

/* Whether i may still print something that belongs before the first piece of `turn`. */
static bool comes_before(const struct fleet_out *o, size_t i, size_t turn)
{
    const struct queue *q = &o->queues[i];
    unsigned table = o->queues[turn].first->table;
    /* One that has printed nothing begins where the others began: with a table, if they have any. */
    unsigned at = q->begun ? q->table : table ? 1 : 0;

    if (!is_awaited(q))
        return false;
    return !o->open || at < table || (at == table && i < turn);
}

/* Whether the turn has to wait for somebody; those waited for too long are late. */
static bool held(struct fleet_out *o, size_t turn)
{
    int64_t now = loop_now_ms(o->loop);
    bool waits = false;

    /* A document is complete when the last one has come: its order is worth more than moments. */
    if (o->queues[turn].first->kind == PIECE_ITEM) {
        for (size_t i = 0; i < turn; i++)
            waits = waits || (!o->queues[i].first && !o->queues[i].ended);
        return waits;
    }
    for (size_t i = 0; i < o->n; i++)
        waits = waits || comes_before(o, i, turn);
    if (!waits)
        return false;
    if (!o->hold_until_ms) {
        int64_t ms = o->open ? FLEET_GAP_MS : FLEET_FIRST_MS;
        o->hold_until_ms = now + ms;
        loop_timer_start(o->timer, ms);
        return true;
    }
    if (now < o->hold_until_ms)
        return true;
    for (size_t i = 0; i < o->n; i++)
        if (comes_before(o, i, turn))
            o->queues[i].late = true;
    return false;
}

void fleet_out_pump(struct fleet_out *o)
{
    size_t turn = 0;

    while (next_queue(o, &turn)) {
        if (held(o, turn))
            return;
        o->open = true;
        print_first(o, turn);
    }
}

void fleet_out_drain(struct fleet_out *o)
{
    size_t turn = 0;

    for (size_t i = 0; i < o->n; i++)
        end_line(o, &o->queues[i]);
    while (next_queue(o, &turn))
        print_first(o, turn);
}
