#include "cli/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

#include "base/fiber.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

struct scratch {
    struct loop *loop;
    char *path;
    struct loop_signal *watched[ARRAY_LEN(signals)];
    struct loop_defer *ending;
    int signum;
};

static void end(void *arg)
{
    struct scratch *s = arg;

    signal(s->signum, SIG_DFL);
    raise(s->signum);
}

/* Everybody who has a folder gets the signal in the same turn of the loop: the program ends in the next. */
static void on_signal(void *arg, int signum)
{
    struct scratch *s = arg;

    file_remove_tree(s->path, NULL);
    s->signum = signum;
    if (!s->ending)
        s->ending = loop_defer(s->loop, end, s);
}

int scratch_new(struct cmd_ctx *c, const char *prefix, struct scratch **ret, struct err **err)
{
    const char *top = getenv("TMPDIR");
    _cleanup_free_ char *path = xasprintf("%s/%sXXXXXX", str_empty(top) ? "/tmp" : top, prefix);

    if (!mkdtemp(path))
        return err_set_os(err, errno, "cannot make a folder for temporary files (%s)", path);
    struct scratch *s = xcalloc(1, sizeof(*s));
    s->loop = cmd_loop(c);
    s->path = TAKE_PTR(path);
    /* A run over several contexts takes the signal itself and ends every command in order. */
    for (size_t i = 0; i < ARRAY_LEN(signals) && !fiber_current(); i++)
        s->watched[i] = loop_signal_new(s->loop, signals[i], on_signal, s);
    *ret = s;
    return 0;
}

void scratch_free(struct scratch *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        if (s->watched[i])
            loop_signal_free(s->watched[i]);
    if (s->ending)
        loop_defer_cancel(s->ending);
    file_remove_tree(s->path, NULL);
    /* The command came to its end before the loop turned again. */
    if (s->signum)
        end(s);
    free(s->path);
    free(s);
}

const char *scratch_path(const struct scratch *s)
{
    return s->path;
}

int scratch_write(const struct scratch *s, const char *name, const struct buf *text, struct err **err)
{
    _cleanup_free_ char *file = xstrdup(name);

    for (char *p = file; *p; p++)
        if (*p == '/')
            *p = '-';
    _cleanup_free_ char *path = xasprintf("%s/%s", s->path, file);
    _cleanup_(fclosep) FILE *f = fopen(path, "wxe");
    if (!f)
        return err_set_os(err, errno, "cannot write %s", path);
    if (fwrite(buf_str(text), 1, text->len, f) != text->len || fclose(TAKE_PTR(f)) != 0)
        return err_set_os(err, errno, "cannot write %s", path);
    return 0;
}
