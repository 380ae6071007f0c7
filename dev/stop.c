#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/str.h"
#include "base/timefmt.h"
#include "dev/children.h"
#include "dev/node/crilog.h"
#include "dev/run.h"
#include "dev/session.h"

enum { KILL_MS = 5000, CLEAR_MS = 3000, KEEPER_MS = 1000, STAGES = 5 };

struct stopper;

struct victim {
    struct stopper *stopper;
    char *name;
    struct dev_proc proc;
    int64_t stop_ms, t0;
    int fd;
    struct loop_io *io;
    struct loop_timer *timer;
    bool killed, gone;
};

struct stopper {
    struct dev_env *env;
    VEC(struct victim *) victims;
    size_t waiting;
    struct err *err; /* the first problem */
};

static void victim_free(struct victim *v)
{
    loop_io_free(v->io);
    loop_timer_free(v->timer);
    if (v->fd >= 0)
        close(v->fd);
    free(v->name);
    free(v);
}

static void one_less(struct stopper *s)
{
    if (--s->waiting == 0)
        loop_stop(s->env->loop);
}

/* It is gone: its rest goes too. */
static void bury(struct victim *v)
{
    struct dev_env *e = v->stopper->env;
    _cleanup_free_ char *path = dev_pid_path(e, v->name), *logs = dev_keep_folder(e, v->name);

    /* Only if this program has started it. */
    waitpid(v->proc.pid, NULL, WNOHANG);
    if (!dev_session_clear(&v->proc, CLEAR_MS) && !v->stopper->err) {
        err_set(&v->stopper->err, ERR_TIMEOUT, "processes that %s has started do not end (session %ld)",
                v->name, (long)v->proc.pid);
        return;
    }
    /* How it ended is written down, and nobody writes into its folder any more. */
    dev_cri_wait_keepers(logs, KEEPER_MS);
    if (unlink(path) < 0 && errno != ENOENT && !v->stopper->err)
        err_set_os(&v->stopper->err, errno, "remove %s", path);
    v->gone = true;
}

static void on_exit_seen(void *arg, int events _unused_, bool error _unused_)
{
    struct victim *v = arg;
    double seconds = (double)(time_mono_ms() - v->t0) / 1000;

    loop_io_set(v->io, 0);
    loop_timer_stop(v->timer);
    bury(v);
    if (v->gone)
        dev_say(v->stopper->env, "%s ... stopped (%.1fs%s)", v->name, seconds, v->killed ? ", killed" : "");
    one_less(v->stopper);
}

static void on_limit(void *arg)
{
    struct victim *v = arg;

    if (!v->killed) {
        v->killed = true;
        dev_proc_signal(&v->proc, SIGKILL, NULL);
        loop_timer_start(v->timer, KILL_MS);
        return;
    }
    if (!v->stopper->err)
        err_set(&v->stopper->err, ERR_TIMEOUT, "%s (process %ld) does not end, not even when killed", v->name,
                (long)v->proc.pid);
    loop_io_set(v->io, 0);
    one_less(v->stopper);
}

/* Whether there is something to wait for. */
static bool begin(struct victim *v)
{
    struct loop *l = v->stopper->env->loop;
    _cleanup_err_ struct err *problem = NULL;

    v->t0 = time_mono_ms();
    if (dev_proc_open(&v->proc, &v->fd, &problem) < 0) {
        if (problem->code == ERR_NOT_FOUND)
            bury(v);
        else if (!v->stopper->err)
            v->stopper->err = TAKE_PTR(problem);
        return false;
    }
    v->io = loop_io_new(l, v->fd, on_exit_seen, v);
    v->timer = loop_timer_new(l, on_limit, v);
    loop_io_set(v->io, LOOP_READ);
    loop_timer_start(v->timer, v->stop_ms);
    dev_proc_signal(&v->proc, SIGTERM, NULL);
    /* A frozen one would not hear it. */
    dev_proc_signal(&v->proc, SIGCONT, NULL);
    dev_session_signal(&v->proc, SIGCONT);
    return true;
}

static int add_victim(struct stopper *s, const char *name, int64_t stop_ms, struct err **err)
{
    _cleanup_free_ char *path = dev_pid_path(s->env, name);
    _cleanup_err_ struct err *problem = NULL;
    struct dev_proc proc;
    int r = dev_proc_load(path, &proc, &problem);

    if (r == ERR_NOT_FOUND)
        return 0;
    if (r < 0)
        return err_move(err, TAKE_PTR(problem));
    struct victim *v = xcalloc(1, sizeof(*v));
    v->stopper = s;
    v->name = xstrdup(name);
    v->proc = proc;
    v->stop_ms = stop_ms;
    v->fd = -1;
    vec_push(&s->victims, v);
    return 0;
}

/* Stops those collected, all at once. */
static int run_stage(struct stopper *s, struct err **err)
{
    for (size_t i = 0; i < s->victims.len; i++)
        s->waiting += begin(s->victims.items[i]);
    if (s->waiting)
        loop_run(s->env->loop);
    for (size_t i = 0; i < s->victims.len; i++)
        victim_free(s->victims.items[i]);
    s->victims.len = 0;
    return s->err ? err_move(err, TAKE_PTR(s->err)) : 0;
}

int dev_stop_set(struct dev_env *e, const bool *set, struct err **err)
{
    struct stopper s = {.env = e};
    _cleanup_err_ struct err *first = NULL;

    for (int stage = 0; stage < STAGES; stage++) {
        for (size_t i = 0; i < e->children.len; i++) {
            const struct dev_child *c = e->children.items[i];
            const struct dev_kind_spec *spec = dev_kind_spec(c->kind);
            if (set[i] && spec->stop_stage == stage)
                add_victim(&s, c->name, spec->stop_ms, first ? NULL : &first);
        }
        /* One that does not end is no reason to leave the others running. */
        run_stage(&s, first ? NULL : &first);
    }
    free(s.victims.items);
    return first ? err_move(err, TAKE_PTR(first)) : 0;
}
