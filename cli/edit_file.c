#include "cli/edit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/child.h"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

struct edit_file {
    struct cmd_ctx *c;
    char *path;
    struct loop_signal *watched[ARRAY_LEN(signals)];
    bool opened; /* it may hold something that was typed */
    bool dropped;
};

static void on_signal(void *arg, int signum)
{
    struct edit_file *f = arg;

    if (f->opened)
        edit_file_tell(f);
    else
        edit_file_drop(f);
    cmd_flush();
    signal(signum, SIG_DFL);
    raise(signum);
}

/* While the editor runs Ctrl-C is for the editor: the others are watched all the time. */
static void watch(struct edit_file *f, bool interrupt)
{
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        bool wanted = signals[i] != SIGINT || interrupt;
        if (wanted && !f->watched[i])
            f->watched[i] = loop_signal_new(cmd_loop(f->c), signals[i], on_signal, f);
        if (!wanted && f->watched[i]) {
            loop_signal_free(f->watched[i]);
            f->watched[i] = NULL;
        }
    }
}

int edit_file_new(struct cmd_ctx *c, const char *suffix, struct edit_file **ret, struct err **err)
{
    const char *top = getenv("TMPDIR");
    _cleanup_free_ char *path = xasprintf("%s/wasmctl-edit-XXXXXX%s", str_empty(top) ? "/tmp" : top, suffix);
    _cleanup_close_ int fd = mkostemps(path, (int)strlen(suffix), O_CLOEXEC);

    if (fd < 0)
        return err_set_os(err, errno, "cannot make a file to edit (%s)", path);
    struct edit_file *f = xcalloc(1, sizeof(*f));
    f->c = c;
    f->path = TAKE_PTR(path);
    watch(f, true);
    *ret = f;
    return 0;
}

void edit_file_free(struct edit_file *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        loop_signal_free(f->watched[i]);
    free(f->path);
    free(f);
}

const char *edit_file_path(const struct edit_file *f)
{
    return f->path;
}

void edit_file_drop(struct edit_file *f)
{
    if (!f->dropped)
        unlink(f->path);
    f->dropped = true;
}

void edit_file_tell(const struct edit_file *f)
{
    cmd_note("A copy of your changes has been stored to \"%s\"", f->path);
}

int edit_file_write(struct edit_file *f, const struct buf *text, struct err **err)
{
    return file_write(f->path, buf_str(text), text->len, 0600, err);
}

static const char *editor_of(void)
{
    const char *editor = getenv("KUBE_EDITOR");

    if (str_empty(editor))
        editor = getenv("EDITOR");
    return str_empty(editor) ? "vi" : editor;
}

/* When and as which file it was written. */
static void stamp_of(const char *path, struct stat *ret)
{
    if (stat(path, ret) < 0)
        *ret = (struct stat){0};
}

int edit_file_open(struct edit_file *f, struct buf *text, bool *ret_saved, struct err **err)
{
    const char *editor = editor_of();
    /* The variable may hold words and quotes of its own. */
    _cleanup_free_ char *script = xasprintf("%s \"$1\"", editor);
    char *const argv[] = {
        (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", script, (char *)(uintptr_t) "sh", f->path, NULL};
    const struct child child = {.argv = argv, .terminal = true};
    _cleanup_free_ char *content = NULL;
    struct timespec past[2] = {{.tv_sec = time(NULL) - 10}, {.tv_sec = time(NULL) - 10}};
    struct stat before, after;
    size_t len = 0;
    int code = 0;

    /* So that a change within one tick of the clock is seen too. */
    utimensat(AT_FDCWD, f->path, past, 0);
    stamp_of(f->path, &before);
    f->opened = true;
    watch(f, false);
    int r = child_run(f->c, &child, &code, err);
    watch(f, true);
    stamp_of(f->path, &after);
    *ret_saved = before.st_ino != after.st_ino || before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
                 before.st_mtim.tv_nsec != after.st_mtim.tv_nsec;
    if (r < 0)
        return r;
    if (code)
        return err_set(err, ERR_FAILED, "there was a problem with the editor \"%s\" (exit code %d)", editor,
                       code);
    r = file_read(f->path, EDIT_FILE_MOST, &content, &len, err);
    if (r == 0 && buf_add(text, content, len) < 0)
        r = err_set(err, ERR_TOO_LARGE, "%s is too large", f->path);
    return r;
}
