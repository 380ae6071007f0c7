#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

int file_read(const char *path, size_t max, char **ret_data, size_t *ret_len, struct err **err)
{
    bool from_stdin = streq(path, "-");
    int opened = from_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int fd = opened;

    if (!from_stdin && fd < 0)
        return err_set_os(err, errno, "open %s", path);
    _cleanup_buf_ struct buf b = BUF_INIT_MAX(max);
    char chunk[16384];
    for (;;) {
        ssize_t n = read(from_stdin ? STDIN_FILENO : fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_os(err, errno, "read %s", from_stdin ? "standard input" : path);
        if (n == 0)
            break;
        if (buf_add(&b, chunk, (size_t)n) < 0)
            return err_set(err, ERR_TOO_LARGE, "%s is larger than the limit of %zu bytes",
                           from_stdin ? "standard input" : path, max);
    }
    if (ret_len)
        *ret_len = b.len;
    *ret_data = buf_take(&b);
    return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

int file_write(const char *path, const void *data, size_t len, mode_t mode, struct err **err)
{
    _cleanup_free_ char *tmp = xasprintf("%s.XXXXXX", path);
    _cleanup_close_ int fd = mkostemp(tmp, O_CLOEXEC);

    if (fd < 0)
        return err_set_os(err, errno, "create a file beside %s", path);
    int r = write_all(fd, data, len);
    if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(tmp, path) < 0))
        r = -errno;
    if (r < 0) {
        unlink(tmp);
        return err_set_os(err, -r, "write %s", path);
    }
    return 0;
}

int file_mkdirs(const char *path, mode_t mode, struct err **err)
{
    _cleanup_free_ char *copy = xstrdup(path);

    for (char *p = copy + 1; *copy; p++) {
        char was = *p;
        if (was && was != '/')
            continue;
        *p = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return err_set_os(err, errno, "create folder %s", copy);
        *p = was;
        if (!was)
            break;
    }
    return 0;
}

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_,
                      struct FTW *ftw _unused_)
{
    return remove(path);
}

int file_remove_tree(const char *path, struct err **err)
{
    if (nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
        return err_set_os(err, errno, "remove %s", path);
    return 0;
}

static char *xdg_dir(const char *variable, const char *below_home)
{
    const char *base = getenv(variable), *home = getenv("HOME");

    if (base && *base == '/')
        return xasprintf("%s/wasmctl", base);
    if (!str_empty(home))
        return xasprintf("%s/%s/wasmctl", home, below_home);
    return xasprintf("/tmp/wasmctl-%u", (unsigned)getuid());
}

char *file_state_dir(void)
{
    return xdg_dir("XDG_STATE_HOME", ".local/state");
}

char *file_cache_dir(void)
{
    const char *own = getenv("WASMCTL_CACHE");

    return own && *own == '/' ? xstrdup(own) : xdg_dir("XDG_CACHE_HOME", ".cache");
}

char *file_config_dir(void)
{
    return xdg_dir("XDG_CONFIG_HOME", ".config");
}
