/* The stream of a watch, cut anywhere: the same lines come out as when it arrives in one piece, and each is
 * an event or an error. */
#include "base/str.h"
#include "kube/watch_stream.h"
#include "tests/fuzz/fuzz.h"

struct taken {
    struct buf lines;
    size_t n;
};

static bool take(void *arg, const char *line, size_t len)
{
    struct taken *t = arg;
    struct kube_watch_item item = {0};
    _cleanup_err_ struct err *err = NULL;

    FUZZ_CHECK(len && !memchr(line, '\n', len));
    buf_add(&t->lines, line, len);
    buf_addc(&t->lines, '\n');
    t->n++;
    int r = kube_watch_item_read(line, len, "/api/v1/things", &item, &err);
    FUZZ_CHECK((r < 0) == (err != NULL));
    if (r == 0)
        FUZZ_CHECK(cJSON_IsObject(item.object));
    kube_watch_item_release(&item);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kube_lines pieces = {0}, whole = {0};
    struct taken in_pieces = {.lines = BUF_INIT}, at_once = {.lines = BUF_INIT};

    if (size < 2)
        return 0;
    size_t most = (size_t)data[0] % 61 + 1, step = data[1];
    const char *text = (const char *)data + 2;
    size -= 2;
    kube_lines_init(&pieces, 1 << 20);
    kube_lines_init(&whole, 1 << 20);
    for (size_t at = 0, n; at < size; at += n) {
        n = step % most + 1;
        step = step * 31 + 7;
        if (n > size - at)
            n = size - at;
        /* An exact copy: reading past the end is seen. */
        _cleanup_free_ char *piece = xmemdup(text + at, n);
        FUZZ_CHECK(kube_lines_add(&pieces, piece, n, take, &in_pieces) == 0);
    }
    FUZZ_CHECK(kube_lines_add(&whole, text, size, take, &at_once) == 0);
    FUZZ_CHECK(in_pieces.n == at_once.n);
    FUZZ_CHECK(streq(buf_str(&in_pieces.lines), buf_str(&at_once.lines)) ||
               (in_pieces.lines.len == at_once.lines.len &&
                memcmp(in_pieces.lines.data, at_once.lines.data, at_once.lines.len) == 0));
    kube_lines_release(&pieces);
    kube_lines_release(&whole);
    buf_release(&in_pieces.lines);
    buf_release(&at_once.lines);
    return 0;
}
