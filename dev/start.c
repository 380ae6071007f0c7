#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "base/str.h"
#include "base/timefmt.h"
#include "dev/children.h"
#include "dev/node/crilog.h"
#include "dev/objects.h"
#include "dev/probe.h"
#include "dev/run.h"
#include "dev/session.h"

enum {
    RETRY_MS = 50,
    API_REQUEST_MS = 5000,
    DEATH_LINES = 15,
    CLEAR_MS = 3000,
    KEEPER_MS = 500,
    DISK_LEAST = 1024 * 1024,
    LOG_KEEP = 4 * 1024 * 1024, /* a larger log is put aside before the next start */
};

struct starter;

enum unit_state { UNIT_WAITING, UNIT_STARTING, UNIT_READY };

/* A child, or (child NULL) the objects of the API server. */
struct unit {
    struct starter *starter;
    struct dev_child *child;
    enum unit_state state;
    bool ours; /* started here */
    struct dev_proc proc;
    int64_t t0, log_offset;
    int fd;
    struct loop_io *io;       /* its end */
    struct loop_timer *timer; /* the next question */
    struct dev_probe *probe;
    struct kube_req *req;
    struct dev_objects *objects;
    char *trouble; /* why it was not ready when it was asked last */
};

struct starter {
    struct dev_env *env;
    const struct dev_start_options *options;
    VEC(struct unit *) units;
    struct kube_client *client;
    struct loop_timer *deadline;
    struct loop_signal *interrupt, *terminate;
    struct err *err;
    bool over;
};

static void advance(struct starter *s);
static void ask(void *arg);

static const char *unit_name(const struct unit *u)
{
    return u->child ? u->child->name : "objects";
}

/* From now on none of its callbacks runs. */
static void unit_silence(struct unit *u)
{
    loop_io_free(TAKE_PTR(u->io));
    loop_timer_free(TAKE_PTR(u->timer));
    dev_probe_free(TAKE_PTR(u->probe));
    kube_req_cancel(TAKE_PTR(u->req));
    dev_objects_free(TAKE_PTR(u->objects));
}

static void unit_free(struct unit *u)
{
    unit_silence(u);
    if (u->fd >= 0)
        close(u->fd);
    free(u->trouble);
    free(u);
}

/* Ends the whole start; takes problem. Only the first one counts. */
static void give_up(struct starter *s, struct err *problem)
{
    if (s->err)
        err_free(problem);
    else
        s->err = problem;
    s->over = true;
    loop_stop(s->env->loop);
}

static void ready(struct unit *u)
{
    double seconds = (double)(time_mono_ms() - u->t0) / 1000;

    u->state = UNIT_READY;
    loop_timer_stop(u->timer);
    if (!u->child)
        dev_say(u->starter->env, "objects ... applied (%.1fs)", seconds);
    else if (u->ours)
        dev_say(u->starter->env, "%s ... ready (%.1fs)", unit_name(u), seconds);
    advance(u->starter);
}

/* Asking whether it is ready */

static void not_ready(struct unit *u, const struct err *e)
{
    xstr_replace(&u->trouble, err_text(e));
    loop_timer_start(u->timer, RETRY_MS);
}

static void on_probe(void *arg, const struct err *e)
{
    struct unit *u = arg;
    struct dev_probe *probe = TAKE_PTR(u->probe);

    if (e)
        not_ready(u, e);
    else
        ready(u);
    dev_probe_free(probe);
}

static void on_api(void *arg, const struct kube_response *response _unused_, const struct err *e)
{
    struct unit *u = arg;

    u->req = NULL;
    if (e)
        not_ready(u, e);
    else
        ready(u);
}

static void ask(void *arg)
{
    struct unit *u = arg;
    struct starter *s = u->starter;
    const struct dev_kind_spec *spec = dev_kind_spec(u->child->kind);

    if (u->child->kind == DEV_APISERVER) {
        struct kube_call call = {
            .method = "GET",
            .path = spec->ready_path,
            .timeout_ms = API_REQUEST_MS,
            .done = on_api,
            .arg = u,
        };
        u->req = kube_do(s->client, &call);
        return;
    }
    u->probe = dev_probe_new(s->env->loop, u->child->ports[spec->ready_port], spec->ready_path, on_probe, u);
}

/* Starting */

/* A program seldom says plainly that there is no room. */
static const char *disk_text(const struct dev_env *e)
{
    struct statvfs st;

    if (statvfs(e->dir, &st) < 0 || (uint64_t)st.f_bavail * st.f_frsize >= DISK_LEAST)
        return "";
    return " (the disk that holds it is full)";
}

/* How it ended, as its keeper has it; once that is done there is nothing more to come in the log. */
static bool kept_end(const struct unit *u, int *ret_status)
{
    _cleanup_free_ char *folder = dev_keep_folder(u->starter->env, u->child->name);
    _cleanup_(dev_cri_meta_release) struct dev_cri_meta m = {0};

    dev_cri_wait_keepers(folder, KEEPER_MS);
    waitpid(u->proc.keeper, NULL, WNOHANG);
    if (dev_cri_meta_load(folder, dev_cri_newest(folder), &m, NULL) < 0 || !m.finished_ns)
        return false;
    *ret_status = m.signum ? m.signum : W_EXITCODE(m.exit_code, 0);
    return true;
}

static void on_end(void *arg, int events _unused_, bool error _unused_)
{
    struct unit *u = arg;
    struct dev_env *env = u->starter->env;
    struct err *e = NULL;
    int status = 0;
    bool known =
        u->proc.keeper ? kept_end(u, &status) : waitpid(u->proc.pid, &status, WNOHANG) == u->proc.pid;
    _cleanup_free_ char *end = known ? dev_wait_text(status) : xstrdup("ended");
    _cleanup_free_ char *tail = dev_log_death(env, u->child->name, u->log_offset, DEATH_LINES);
    _cleanup_free_ char *log = dev_log_path(env, u->child->name);

    if (u->io)
        loop_io_set(u->io, 0);
    err_set(&e, ERR_FAILED, "%s %s %s; %s %s%s%s%s", u->child->name, end,
            u->state == UNIT_READY ? "after it had been ready" : "before it was ready",
            *tail ? "the end of" : "nothing stands in", log, disk_text(env), *tail ? ":\n" : "", tail);
    give_up(u->starter, e);
}

/* Remembers where the log of this start begins. */
static int64_t prepare_log(const struct dev_env *e, const char *child)
{
    _cleanup_free_ char *path = dev_log_path(e, child), *old = xasprintf("%s.1", path);
    struct stat st;

    if (stat(path, &st) < 0)
        return 0;
    if (st.st_size <= LOG_KEEP)
        return st.st_size;
    return rename(path, old) < 0 ? st.st_size : 0;
}

static int spawn(struct unit *u, struct err **err)
{
    struct dev_env *e = u->starter->env;
    _cleanup_(dev_command_release) struct dev_command command = {0};
    _cleanup_free_ char *pid_path = dev_pid_path(e, u->child->name);
    struct dev_proc old;
    int r = dev_child_command(e, u->child, &command, err);

    if (r < 0)
        return r;
    /* One that crashed may have left processes that hold its ports. */
    if (dev_child_proc(e, u->child, &old, NULL) == 0)
        dev_session_clear(&old, CLEAR_MS);
    if (command.keeper)
        r = dev_keep_next(e, u->child, &command, err);
    else
        u->log_offset = prepare_log(e, u->child->name);
    if (r == 0)
        r = dev_proc_spawn(&command, pid_path, &u->proc, err);
    if (r < 0)
        return r;
    u->ours = true;
    return 0;
}

static int start_child(struct unit *u, struct err **err)
{
    struct starter *s = u->starter;
    int r = 0;

    if (!dev_child_runs(s->env, u->child, &u->proc))
        r = spawn(u, err);
    if (r == 0)
        r = dev_proc_open(&u->proc, &u->fd, err);
    if (r == ERR_NOT_FOUND && u->ours) {
        /* It ended already: on_end() finds out how. */
        err_free(*err);
        *err = NULL;
        on_end(u, 0, false);
        return 0;
    }
    if (r < 0)
        return r;
    u->io = loop_io_new(s->env->loop, u->fd, on_end, u);
    loop_io_set(u->io, LOOP_READ);
    if (u->child->kind == DEV_APISERVER && !s->client)
        r = dev_admin_client(s->env, API_REQUEST_MS, &s->client, err);
    if (r == 0)
        loop_timer_start(u->timer, 0);
    return r;
}

static void on_objects(void *arg, const struct err *e)
{
    struct unit *u = arg;

    if (e)
        give_up(u->starter, err_copy(e));
    else
        ready(u);
}

static int start_objects(struct unit *u, struct err **err)
{
    struct starter *s = u->starter;
    int r = s->client ? 0 : dev_admin_client(s->env, API_REQUEST_MS, &s->client, err);

    if (r < 0)
        return r;
    return dev_objects_new(s->env, s->client, s->options->manifests, s->options->nmanifests, on_objects, u,
                           &u->objects, err);
}

static void begin(struct unit *u)
{
    struct err *problem = NULL;

    u->state = UNIT_STARTING;
    u->t0 = time_mono_ms();
    if ((u->child ? start_child(u, &problem) : start_objects(u, &problem)) < 0)
        give_up(u->starter, problem);
}

static bool is_startable(const struct starter *s, const struct unit *u)
{
    unsigned needs = u->child ? dev_kind_spec(u->child->kind)->needs : 1u << DEV_APISERVER;
    bool objects = u->child && dev_kind_spec(u->child->kind)->needs_objects;

    for (size_t i = 0; i < s->units.len; i++) {
        const struct unit *other = s->units.items[i];
        if (other->state != UNIT_READY && (other->child ? (needs >> other->child->kind & 1) != 0 : objects))
            return false;
    }
    return true;
}

static void advance(struct starter *s)
{
    bool all = true;

    for (size_t i = 0; i < s->units.len && !s->over; i++) {
        struct unit *u = s->units.items[i];
        if (u->state == UNIT_WAITING && is_startable(s, u))
            begin(u);
        all &= u->state == UNIT_READY;
    }
    if (all && !s->over) {
        s->over = true;
        loop_stop(s->env->loop);
    }
}

/* Limits */

static void on_deadline(void *arg)
{
    struct starter *s = arg;
    struct buf late = BUF_INIT;
    struct err *e = NULL;

    for (size_t i = 0; i < s->units.len; i++) {
        const struct unit *u = s->units.items[i];
        if (u->state != UNIT_STARTING)
            continue;
        buf_addf(&late, "%s%s", late.len ? "; " : "", unit_name(u));
        if (u->trouble)
            buf_addf(&late, " (%s)", u->trouble);
    }
    err_set(&e, ERR_TIMEOUT, "not ready after %lld s: %s; the logs are in %s/logs",
            (long long)(s->options->timeout_ms / 1000), buf_str(&late), s->env->dir);
    buf_release(&late);
    give_up(s, e);
}

static void on_signal(void *arg, int signum)
{
    struct err *e = NULL;

    err_set(&e, ERR_CANCELLED, "interrupted by signal %d (%s)", signum, strsignal(signum));
    give_up(arg, e);
}

static void add_unit(struct starter *s, struct dev_child *child)
{
    struct unit *u = xcalloc(1, sizeof(*u));

    u->starter = s;
    u->child = child;
    u->fd = -1;
    u->timer = loop_timer_new(s->env->loop, ask, u);
    vec_push(&s->units, u);
}

static void stop_again(struct starter *s)
{
    _cleanup_free_ bool *set = xcalloc(s->env->children.len + 1, sizeof(*set));
    _cleanup_err_ struct err *problem = NULL;
    bool any = false;

    for (size_t i = 0; i < s->units.len; i++)
        for (size_t j = 0; j < s->env->children.len; j++)
            if (s->units.items[i]->ours && s->units.items[i]->child == s->env->children.items[j])
                any = set[j] = true;
    if (!any)
        return;
    dev_say(s->env, "the start failed: stopping what was started");
    if (dev_stop_set(s->env, set, &problem) < 0)
        dev_say(s->env, "%s", err_text(problem));
}

int dev_start_set(struct dev_env *e, const struct dev_start_options *o, struct err **err)
{
    struct starter s = {.env = e, .options = o};

    for (size_t i = 0; i < e->children.len; i++)
        if (o->set[i])
            add_unit(&s, e->children.items[i]);
    if (o->objects)
        add_unit(&s, NULL);
    s.deadline = loop_timer_new(e->loop, on_deadline, &s);
    s.interrupt = loop_signal_new(e->loop, SIGINT, on_signal, &s);
    s.terminate = loop_signal_new(e->loop, SIGTERM, on_signal, &s);
    loop_timer_start(s.deadline, o->timeout_ms);
    advance(&s);
    if (!s.over)
        loop_run(e->loop);
    loop_timer_free(s.deadline);
    loop_signal_free(s.interrupt);
    loop_signal_free(s.terminate);
    for (size_t i = 0; i < s.units.len; i++)
        unit_silence(s.units.items[i]);
    if (s.err)
        stop_again(&s);
    for (size_t i = 0; i < s.units.len; i++)
        unit_free(s.units.items[i]);
    free(s.units.items);
    kube_client_free(s.client);
    return s.err ? err_move(err, s.err) : 0;
}
