#include "tail/split.h"

#include <string.h>

#include "base/timefmt.h"

enum { SECOND_LEN = 19, NS_DIGITS = 9, STAMP_MOST = 40 };

void tail_split_release(struct tail_split *s)
{
    buf_release(&s->part);
}

static bool read_second(struct tail_split *s, const char *text)
{
    char whole[SECOND_LEN + 2];

    if (s->second[0] && memcmp(s->second, text, SECOND_LEN) == 0)
        return true;
    if (text[4] != '-' || text[10] != 'T' || text[13] != ':')
        return false;
    memcpy(whole, text, SECOND_LEN);
    memcpy(whole + SECOND_LEN, "Z", 2);
    if (time_parse_rfc3339(whole, &s->second_ns, NULL) < 0)
        return false;
    memcpy(s->second, text, SECOND_LEN);
    return true;
}

/* Times with an offset ("+02:00") are rare enough for the long way. */
static size_t read_slowly(const char *text, size_t len, int64_t *ret_ns)
{
    char stamp[STAMP_MOST + 1];
    const char *blank = memchr(text, ' ', len < STAMP_MOST ? len : STAMP_MOST);

    if (!blank)
        return 0;
    memcpy(stamp, text, (size_t)(blank - text));
    stamp[blank - text] = '\0';
    if (time_parse_rfc3339(stamp, ret_ns, NULL) < 0)
        return 0;
    return (size_t)(blank - text) + 1;
}

size_t tail_stamp_read(struct tail_split *s, const char *text, size_t len, int64_t *ret_ns)
{
    size_t i = SECOND_LEN;
    int64_t ns = 0;
    int digits = 0;

    if (len < SECOND_LEN + 2 || !read_second(s, text))
        return 0;
    if (text[i] == '.') {
        for (i++; i < len && text[i] >= '0' && text[i] <= '9'; i++)
            if (digits < NS_DIGITS) {
                ns = ns * 10 + (text[i] - '0');
                digits++;
            }
        if (!digits)
            return 0;
        for (; digits < NS_DIGITS; digits++)
            ns *= 10;
    }
    if (i + 1 < len && text[i] == 'Z' && text[i + 1] == ' ') {
        *ret_ns = s->second_ns + ns;
        return i + 2;
    }
    return read_slowly(text, len, ret_ns);
}

static bool give(struct tail_split *s, const char *text, size_t len, tail_split_fn fn, void *arg)
{
    struct tail_line line = {.text = text, .len = len};
    size_t most = s->most ? s->most : TAIL_LINE_MOST;

    if (s->stamped) {
        size_t skip = tail_stamp_read(s, text, len, &line.ns);
        line.text += skip;
        line.len -= skip;
    }
    if (s->cut || line.len > most)
        line.flags |= TAIL_CUT;
    if (line.len > most)
        line.len = most;
    return fn(arg, &line);
}

/* Keeps a piece of a line that has not ended, as far as there is room. */
static void keep(struct tail_split *s, const char *data, size_t len)
{
    size_t most = (s->most ? s->most : TAIL_LINE_MOST) + STAMP_MOST, room = most - s->part.len;

    if (len > room) {
        s->cut = true;
        len = room;
    }
    buf_add(&s->part, data, len);
}

bool tail_split_feed(struct tail_split *s, const char *data, size_t len, tail_split_fn fn, void *arg)
{
    const char *end = data + len, *nl;

    while (data < end && (nl = memchr(data, '\n', (size_t)(end - data)))) {
        bool more;
        if (s->part.len) {
            keep(s, data, (size_t)(nl - data));
            more = give(s, s->part.data, s->part.len, fn, arg);
            buf_truncate(&s->part, 0);
        } else {
            more = give(s, data, (size_t)(nl - data), fn, arg);
        }
        s->cut = false;
        data = nl + 1;
        if (!more)
            return false;
    }
    if (data < end)
        keep(s, data, (size_t)(end - data));
    return true;
}

void tail_split_end(struct tail_split *s, tail_split_fn fn, void *arg)
{
    if (s->part.len)
        give(s, s->part.data, s->part.len, fn, arg);
    tail_split_drop(s);
}

void tail_split_drop(struct tail_split *s)
{
    buf_release(&s->part);
    s->cut = false;
}
