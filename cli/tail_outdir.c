#include "cli/tail_outdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

/* Files that are open at the same time, and what a file may hold back. */
enum { OPEN_MOST = 200, WAITING_MOST = 64 * 1024, NAME_MOST = 200 };

struct file {
    char *path;
    int fd; /* -1: closed for now */
    struct buf waiting;
    bool dirty;
    struct file *dirty_next;
    uint64_t used; /* when */
};

struct tail_outdir {
    char *dir;
    bool contexts, times;
    struct map *files; /* source -> struct file */
    struct file *dirty;
    size_t nopen;
    uint64_t turn;
    struct err *trouble;
};

static void file_free(void *arg)
{
    struct file *f = arg;

    if (f->fd >= 0)
        close(f->fd);
    buf_release(&f->waiting);
    free(f->path);
    free(f);
}

int tail_outdir_new(const char *dir, bool contexts, bool times, struct tail_outdir **ret, struct err **err)
{
    struct stat st;

    if (!*dir)
        return err_set(err, ERR_INVALID, "--out-dir wants the name of a folder");
    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "--out-dir: %s cannot be made: %s", dir, strerror(errno));
    if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode) || access(dir, W_OK) < 0)
        return err_set(err, ERR_IO, "--out-dir: %s is no folder that can be written to", dir);
    struct tail_outdir *d = xcalloc(1, sizeof(*d));
    *d = (struct tail_outdir){
        .dir = xstrdup(dir), .contexts = contexts, .times = times, .files = map_new(file_free)};
    *ret = d;
    return 0;
}

void tail_outdir_free(struct tail_outdir *d)
{
    if (!d)
        return;
    tail_outdir_flush(d, NULL);
    map_free(d->files);
    err_free(d->trouble);
    free(d->dir);
    free(d);
}

/* A name that is one folder or file, whatever it is the name of. What had to be changed gets a number, so
 * that it is taken for no other. */
static char *safe(const char *name)
{
    struct buf out = BUF_INIT;
    bool changed = strlen(name) > NAME_MOST;

    for (const char *p = name; *p && out.len < NAME_MOST; p++) {
        bool fine = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
                    strchr("-_@+", *p) || (*p == '.' && p != name);
        buf_addc(&out, fine ? *p : '_');
        changed |= !fine;
    }
    if (changed)
        buf_addf(&out, "-%08x", (unsigned)str_hash64(name, strlen(name), STR_HASH64_INIT));
    return buf_take(&out);
}

static void add_folder(struct buf *path, const char *name)
{
    if (str_empty(name))
        return;
    _cleanup_free_ char *folder = safe(name);
    buf_addf(path, "/%s", folder);
}

static struct file *file_of(struct tail_outdir *d, const struct tail_info *info)
{
    _cleanup_free_ char *key = xasprintf("%s\n%s\n%s\n%s", info->context ? info->context : "",
                                         info->namespace ? info->namespace : "", info->pod ? info->pod : "",
                                         info->container ? info->container : "");
    struct file *f = map_get(d->files, key);

    if (f)
        return f;
    struct buf path = BUF_INIT;
    buf_adds(&path, d->dir);
    if (d->contexts)
        add_folder(&path, info->context);
    add_folder(&path, info->namespace);
    if (!str_empty(info->container))
        add_folder(&path, info->pod);
    add_folder(&path, !str_empty(info->container) ? info->container
                      : str_empty(info->pod)      ? "lines"
                                                  : info->pod);
    buf_adds(&path, ".log");
    f = xcalloc(1, sizeof(*f));
    f->path = buf_take(&path);
    f->fd = -1;
    map_set(d->files, key, f);
    return f;
}

/* The folders above a file, below the one that was asked for. */
static int make_folders(struct tail_outdir *d, const char *path)
{
    for (const char *p = strchr(path + strlen(d->dir) + 1, '/'); p; p = strchr(p + 1, '/')) {
        _cleanup_free_ char *folder = xstrndup(path, (size_t)(p - path));
        if (mkdir(folder, 0755) < 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

static void close_oldest(struct tail_outdir *d)
{
    struct file *oldest = NULL;

    for (struct map_iter it = {0}; map_next(d->files, &it);) {
        struct file *f = it.value;
        if (f->fd >= 0 && (!oldest || f->used < oldest->used))
            oldest = f;
    }
    if (!oldest)
        return;
    close(oldest->fd);
    oldest->fd = -1;
    d->nopen--;
}

static int open_file(struct tail_outdir *d, struct file *f)
{
    if (f->fd >= 0)
        return 0;
    if (d->nopen >= OPEN_MOST)
        close_oldest(d);
    int r = make_folders(d, f->path);
    if (r < 0)
        return r;
    f->fd = open(f->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (f->fd < 0)
        return -errno;
    d->nopen++;
    return 0;
}

static int write_file(struct tail_outdir *d, struct file *f)
{
    int r = open_file(d, f);
    off_t before = r < 0 ? 0 : lseek(f->fd, 0, SEEK_END);

    f->used = d->turn;
    for (size_t at = 0; r == 0 && at < f->waiting.len;) {
        ssize_t n = write(f->fd, f->waiting.data + at, f->waiting.len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            r = n < 0 ? -errno : -EIO;
        else
            at += (size_t)n;
    }
    /* No half line stays. */
    if (r < 0 && f->fd >= 0 && before >= 0 && ftruncate(f->fd, before) < 0)
        before = 0; /* no file on a disk */
    buf_truncate(&f->waiting, 0);
    if (f->waiting.cap > WAITING_MOST)
        buf_release(&f->waiting);
    if (r < 0 && !d->trouble)
        err_set(&d->trouble, ERR_IO, "--out-dir: %s cannot be written: %s", f->path, strerror(-r));
    return r;
}

void tail_outdir_line(struct tail_outdir *d, const struct tail_info *info, const struct tail_line *line)
{
    struct file *f = file_of(d, info);
    char stamp[TIME_RFC3339_LEN];
    bool told = line->flags & (TAIL_GAP | TAIL_NOTICE);

    if (d->trouble)
        return;
    if (d->times && line->ns)
        buf_addf(&f->waiting, "%s ", time_rfc3339(line->ns, 9, stamp));
    if (told)
        buf_adds(&f->waiting, "-- ");
    buf_add(&f->waiting, line->text, line->len);
    buf_adds(&f->waiting, told ? " --\n" : "\n");
    if (!f->dirty) {
        f->dirty = true;
        f->dirty_next = d->dirty;
        d->dirty = f;
    }
    if (f->waiting.len > WAITING_MOST)
        write_file(d, f);
}

int tail_outdir_flush(struct tail_outdir *d, struct err **err)
{
    d->turn++;
    while (d->dirty) {
        struct file *f = d->dirty;
        d->dirty = f->dirty_next;
        f->dirty = false;
        if (!d->trouble && f->waiting.len)
            write_file(d, f);
    }
    return d->trouble ? err_move(err, err_copy(d->trouble)) : 0;
}
