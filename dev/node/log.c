#include "dev/node/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "dev/node/stream.h"

enum { CHUNK = 64 * 1024 };

void dev_log_wake(struct dev_log *log)
{
    for (size_t i = log->streams.len; i-- > 0;)
        dev_stream_wake(log->streams.items[i]);
}

void dev_log_release(struct dev_log *log)
{
    while (log->streams.len)
        dev_stream_end(log->streams.items[log->streams.len - 1]);
    free(log->streams.items);
}

/* Files */

struct reader {
    struct dev_file_log *log;
    int fd;
    ino_t inode;
    int64_t pos;
    size_t at; /* of data: what was given out */
    struct buf data;
};

static bool reader_open(struct reader *r, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    if (r->fd >= 0)
        close(r->fd);
    r->fd = fd;
    r->inode = fstat(fd, &st) == 0 ? st.st_ino : 0;
    r->pos = 0;
    return true;
}

static void *file_open(struct dev_log *log, int64_t tail)
{
    struct dev_file_log *f = (struct dev_file_log *)log;
    struct reader *r = xcalloc(1, sizeof(*r));
    _cleanup_free_ char *path = dev_cri_path(f->folder, f->instance);

    r->log = f;
    r->fd = -1;
    buf_init(&r->data, CHUNK + 2 * DEV_CRI_LINE_MOST);
    if (!reader_open(r, path)) {
        free(r);
        return NULL;
    }
    r->pos = dev_cri_tail_start(r->fd, tail);
    return r;
}

static bool reader_fill(struct reader *r)
{
    char chunk[CHUNK];
    ssize_t n;

    buf_consume(&r->data, r->at);
    r->at = 0;
    do
        n = pread(r->fd, chunk, sizeof(chunk), r->pos);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    /* No newline in so much: nothing the keeper has written. */
    if (buf_add(&r->data, chunk, (size_t)n) < 0) {
        buf_truncate(&r->data, 0);
        buf_add(&r->data, chunk, (size_t)n);
    }
    r->pos += n;
    return true;
}

static bool reader_line(struct reader *r, struct dev_cri_line *ret)
{
    while (r->at < r->data.len) {
        const char *line = r->data.data + r->at, *end = memchr(line, '\n', r->data.len - r->at);
        if (!end)
            return false;
        r->at += (size_t)(end - line) + 1;
        if (dev_cri_parse(line, (size_t)(end - line), ret))
            return true;
    }
    return false;
}

static int file_next(void *reader, struct dev_cri_line *ret)
{
    struct reader *r = reader;
    /* Asked before reading: what was written until then is read below. */
    bool closed = r->log->closed;

    for (;;) {
        if (reader_line(r, ret))
            return DEV_LOG_LINE;
        if (reader_fill(r))
            continue;
        _cleanup_free_ char *after = dev_cri_after(r->log->folder, r->log->instance, r->inode);
        if (after && reader_fill(r))
            continue;
        if (!after || !reader_open(r, after))
            return closed ? DEV_LOG_END : DEV_LOG_NOTHING_YET;
        buf_truncate(&r->data, 0);
    }
}

static void file_close(void *reader)
{
    struct reader *r = reader;

    close(r->fd);
    buf_release(&r->data);
    free(r);
}

static void file_rotate(struct dev_log *log)
{
    const struct dev_file_log *f = (const struct dev_file_log *)log;

    dev_cri_ask_rotation(f->folder, f->instance, NULL);
}

static const struct dev_log_ops file_ops = {
    .open = file_open, .next = file_next, .close = file_close, .rotate = file_rotate};

struct dev_file_log *dev_file_log_new(const char *folder, int64_t instance)
{
    struct dev_file_log *f = xcalloc(1, sizeof(*f));

    f->log.ops = &file_ops;
    f->folder = xstrdup(folder);
    f->instance = instance;
    return f;
}

void dev_file_log_free(struct dev_file_log *f)
{
    if (!f)
        return;
    dev_log_release(&f->log);
    free(f->folder);
    free(f);
}
