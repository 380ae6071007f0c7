#include "tail/resume.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SECOND_NS INT64_C(1000000000)

struct tail_seen {
    int64_t ns;
    uint32_t hash;
    bool matched; /* came again in this replay */
};

void tail_resume_release(struct tail_resume *r)
{
    free(r->seen);
    *r = (struct tail_resume){0};
}

static int64_t floor_second(int64_t ns)
{
    int64_t rest = ns % SECOND_NS;

    return ns - (rest < 0 ? rest + SECOND_NS : rest);
}

static int64_t since(const struct tail_resume *r)
{
    return floor_second(r->latest_ns - TAIL_RESUME_SLACK_NS);
}

/* Two lines of one nanosecond, one length and the same ends are one. */
static uint32_t hash_of(const struct tail_line *line)
{
    uint64_t a = 0, b = 0, h;
    size_t n = line->len < sizeof(a) ? line->len : sizeof(a);

    memcpy(&a, line->text, n);
    memcpy(&b, line->text + line->len - n, n);
    h = (a ^ (b * UINT64_C(0x9e3779b97f4a7c15)) ^ line->len) * UINT64_C(0xff51afd7ed558ccd);
    return (uint32_t)(h >> 32);
}

/* Room for one more: what lies before the time that would be asked for is not needed any more. In a replay
 * everything that was seen must stay until it has come again. */
static void forget(struct tail_resume *r)
{
    int64_t from = since(r);

    while (!r->replay && r->start < r->len && r->seen[r->start].ns < from)
        r->start++;
    if (r->len - r->start >= TAIL_RESUME_MOST) {
        r->unmatched -= !r->seen[r->start].matched;
        r->start++;
    }
    if (r->len == r->cap && r->start * 2 >= r->len && r->start) {
        memmove(r->seen, r->seen + r->start, (r->len - r->start) * sizeof(*r->seen));
        r->len -= r->start;
        r->at = r->at > r->start ? r->at - r->start : 0;
        r->start = 0;
    }
}

static void remember(struct tail_resume *r, int64_t ns, uint32_t hash)
{
    if (r->len && ns < r->latest_ns - TAIL_RESUME_SLACK_NS) {
        if (r->latest_ns > r->before_jump_ns)
            r->before_jump_ns = r->latest_ns;
        r->len = r->start = r->at = r->unmatched = 0;
        r->replay = false;
    }
    if (ns > r->latest_ns || !r->len)
        r->latest_ns = ns;
    if (since(r) > r->before_jump_ns)
        r->before_jump_ns = 0;
    forget(r);
    if (r->len == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 16;
        r->seen = xreallocarray(r->seen, r->cap, sizeof(*r->seen));
    }
    r->seen[r->len++] = (struct tail_seen){.ns = ns, .hash = hash, .matched = true};
}

/* Lines come again in the order they came: the next one is nearly always where the last one was found. */
static struct tail_seen *find(struct tail_resume *r, int64_t ns, uint32_t hash)
{
    size_t n = r->len - r->start;

    if (r->at < r->start)
        r->at = r->start;
    for (size_t i = 0; i < n; i++) {
        size_t at = r->at + i;
        if (at >= r->len)
            at -= n;
        struct tail_seen *s = &r->seen[at];
        if (s->ns == ns && s->hash == hash && !s->matched) {
            r->at = at + 1;
            return s;
        }
    }
    return NULL;
}

static bool latest_is_missing(const struct tail_resume *r)
{
    for (size_t i = r->len; i-- > r->start;)
        if (r->seen[i].ns == r->latest_ns)
            return !r->seen[i].matched;
    return false;
}

enum tail_resume_verdict tail_resume_line(struct tail_resume *r, const struct tail_line *line,
                                          int64_t *ret_gap_ns)
{
    enum tail_resume_verdict verdict = TAIL_RESUME_NEW;
    uint32_t hash = hash_of(line);

    /* Without a time it belongs to the line in front of it. */
    if (!line->ns)
        return r->replay ? TAIL_RESUME_SEEN : TAIL_RESUME_NEW;
    if (r->replay) {
        /* More than is remembered comes again when there was too much to remember. */
        bool known = line->ns <= r->latest_ns && line->ns >= r->seen[r->start].ns - TAIL_RESUME_SLACK_NS;
        struct tail_seen *s = known ? find(r, line->ns, hash) : NULL;
        if (s) {
            s->matched = true;
            r->replay = --r->unmatched > 0;
            return TAIL_RESUME_SEEN;
        }
        if (tail_resume_unproven(r) && (line->ns <= r->latest_ns || line->ns <= r->before_jump_ns))
            return TAIL_RESUME_SEEN;
        if (line->ns > r->latest_ns) {
            if (latest_is_missing(r)) {
                if (!r->accept_gap)
                    return TAIL_RESUME_DOUBT;
                r->accept_gap = false;
                *ret_gap_ns = line->ns - r->latest_ns;
                verdict = TAIL_RESUME_AFTER_GAP;
            }
            r->replay = false;
        }
    }
    remember(r, line->ns, hash);
    return verdict;
}

bool tail_resume_unproven(const struct tail_resume *r)
{
    return r->replay && r->unmatched == r->len - r->start;
}

int64_t tail_resume_again(struct tail_resume *r)
{
    if (r->start == r->len)
        return 0;
    for (size_t i = r->start; i < r->len; i++)
        r->seen[i].matched = false;
    r->unmatched = r->len - r->start;
    r->at = r->start;
    r->replay = true;
    return since(r);
}
