#include "base/loop_watch.h"

#include <stdlib.h>

#include "base/loop_uv.h"
#include "base/mem.h"

struct loop_watch {
    uv_fs_event_t uv;
    loop_fn fn;
    void *arg;
};

static void on_change(uv_fs_event_t *uv, const char *name _unused_, int events _unused_, int status _unused_)
{
    struct loop_watch *w = uv->data;

    w->fn(w->arg);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int loop_watch_new(struct loop *l, const char *path, loop_fn fn, void *arg, struct loop_watch **ret,
                   struct err **err)
{
    struct loop_watch *w = xcalloc(1, sizeof(*w));
    int r = uv_fs_event_init(loop_uv(l), &w->uv);

    if (r < 0) {
        free(w);
        return err_set(err, ERR_UNAVAILABLE, "cannot watch %s: %s", path, uv_strerror(r));
    }
    w->uv.data = w;
    w->fn = fn;
    w->arg = arg;
    r = uv_fs_event_start(&w->uv, on_change, path, 0);
    if (r == 0) {
        *ret = w;
        return 0;
    }
    uv_close((uv_handle_t *)&w->uv, on_closed);
    return err_set(err,
                   r == UV_ENOENT                     ? ERR_NOT_FOUND
                   : r == UV_ENOSPC || r == UV_EMFILE ? ERR_UNAVAILABLE
                                                      : ERR_IO,
                   "cannot watch %s: %s", path, uv_strerror(r));
}

void loop_watch_free(struct loop_watch *w)
{
    if (!w)
        return;
    uv_fs_event_stop(&w->uv);
    uv_close((uv_handle_t *)&w->uv, on_closed);
}
