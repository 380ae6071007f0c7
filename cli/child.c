#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "base/str.h"

enum { LOOK_MS = 20 };

struct run {
    pid_t pid;
    int pid_fd, out_fd;
    struct loop_io *pid_io, *out_io;
    struct loop_timer *look; /* where processes have no descriptors */
    struct buf *out;
    int status;
    bool exited, closed, too_large, done;
};

static void settle(struct run *r)
{
    r->done = r->exited && r->closed;
}

static void on_end(void *arg, int events _unused_, bool error _unused_)
{
    struct run *r = arg;

    if (r->exited || waitpid(r->pid, &r->status, WNOHANG) == 0)
        return;
    r->exited = true;
    if (r->pid_io)
        loop_io_set(r->pid_io, 0);
    settle(r);
}

/* Kernels before 5.3 have no descriptor for a process. */
static void on_look(void *arg)
{
    struct run *r = arg;

    on_end(r, 0, false);
    if (!r->exited)
        loop_timer_start(r->look, LOOK_MS);
}

static void on_output(void *arg, int events _unused_, bool error _unused_)
{
    struct run *r = arg;
    char piece[16384];
    ssize_t n = read(r->out_fd, piece, sizeof(piece));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0 && buf_add(r->out, piece, (size_t)n) == 0)
        return;
    if (n > 0) {
        r->too_large = true;
        kill(r->pid, SIGTERM);
    }
    loop_io_set(r->out_io, 0);
    r->closed = true;
    settle(r);
}

/* 0, or an errno. */
static int spawn(struct run *r, const struct child *child, int out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;

    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGQUIT);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!child->terminal)
        posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    int e = posix_spawnp(&r->pid, child->argv[0], &files, &attributes, child->argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return e;
}

static void release(struct run *r)
{
    loop_io_free(r->pid_io);
    loop_io_free(r->out_io);
    loop_timer_free(r->look);
    closep(&r->pid_fd);
    closep(&r->out_fd);
}

static int start(struct cmd_ctx *c, struct run *r, const struct child *child, struct err **err)
{
    struct loop *l = cmd_loop(c);
    _cleanup_close_ int write_end = -1;
    int fds[2];

    r->closed = !child->out;
    if (child->out) {
        if (pipe2(fds, O_CLOEXEC) < 0)
            return err_set_os(err, errno, "cannot run %s", child->argv[0]);
        r->out_fd = fds[0];
        write_end = fds[1];
        fcntl(r->out_fd, F_SETFL, O_NONBLOCK);
    }
    int e = spawn(r, child, write_end);
    if (e)
        return err_set_os(err, e, "cannot run %s", child->argv[0]);
    if (child->out) {
        r->out_io = loop_io_new(l, r->out_fd, on_output, r);
        loop_io_set(r->out_io, LOOP_READ);
    }
    r->pid_fd = pidfd_open(r->pid, 0);
    if (r->pid_fd >= 0) {
        r->pid_io = loop_io_new(l, r->pid_fd, on_end, r);
        loop_io_set(r->pid_io, LOOP_READ);
    } else {
        r->look = loop_timer_new(l, on_look, r);
        loop_timer_start(r->look, LOOK_MS);
    }
    return 0;
}

/* What it has started itself may hold the other end of the pipe for longer than it lives. */
static void give_up(struct run *r)
{
    if (r->exited)
        return;
    kill(r->pid, SIGTERM);
    waitpid(r->pid, &r->status, 0);
}

int child_run(struct cmd_ctx *c, const struct child *child, int *ret_code, struct err **err)
{
    _cleanup_(release) struct run r = {.pid_fd = -1, .out_fd = -1, .out = child->out};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;

    cmd_flush();
    if (child->terminal) {
        sigaction(SIGINT, &ignore, &interrupt);
        sigaction(SIGQUIT, &ignore, &quit);
    }
    int code = start(c, &r, child, err);
    if (code == 0 && !loop_wait(cmd_loop(c), &r.done)) {
        give_up(&r);
        code = err_set(err, ERR_CANCELLED, "%s was ended", child->argv[0]);
    }
    if (child->terminal) {
        sigaction(SIGINT, &interrupt, NULL);
        sigaction(SIGQUIT, &quit, NULL);
    }
    if (code < 0)
        return code;
    if (r.too_large)
        return err_set(err, ERR_TOO_LARGE, "%s prints more than %zu bytes", child->argv[0], child->out->max);
    *ret_code = WIFSIGNALED(r.status) ? 128 + WTERMSIG(r.status) : WEXITSTATUS(r.status);
    return 0;
}
