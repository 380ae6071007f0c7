#include "base/process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop_uv.h"
#include "base/mem.h"

enum { PIECE = 64 * 1024 };

struct output {
    uv_pipe_t pipe;
    struct process *process;
    struct buf text;
    char piece[PIECE];
    bool open; /* it was not read to its end yet */
};

/* libuv wants its handles until it has called back that they are closed: the memory lives that long. */
struct process {
    struct process_options options;
    uv_process_t child;
    struct output out, errors;
    struct loop_timer *limit;
    int64_t code;
    int signal;
    int handles; /* not closed yet */
    bool running, freed, cut, late, told;
};

static void on_closed(uv_handle_t *handle)
{
    struct process *p = handle->data;

    if (--p->handles || !p->freed)
        return;
    buf_release(&p->out.text);
    buf_release(&p->errors.text);
    free(p);
}

static void close_handle(void *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

/* The program's handle stays until it has ended, or nobody would reap it. */
static void close_all(struct process *p)
{
    close_handle(&p->out.pipe);
    close_handle(&p->errors.pipe);
    if (!p->running)
        close_handle(&p->child);
}

static void maybe_tell(struct process *p)
{
    if (p->running || p->out.open || p->errors.open || p->freed || p->told)
        return;
    struct process_result result = {
        .code = p->signal ? 128 + p->signal : (int)p->code,
        .output = buf_str(&p->out.text),
        .output_len = p->out.text.len,
        .errors = buf_str(&p->errors.text),
        .cut = p->cut,
        .late = p->late,
    };
    p->told = true;
    loop_timer_stop(p->limit);
    p->options.done(p->options.arg, &result);
}

static void end_it(struct process *p)
{
    if (p->running)
        uv_process_kill(&p->child, SIGTERM);
}

static void on_limit(void *arg)
{
    struct process *p = arg;

    p->late = true;
    if (p->running)
        uv_process_kill(&p->child, SIGKILL);
}

static void on_exit_of(uv_process_t *child, int64_t code, int signum)
{
    struct process *p = child->data;

    p->running = false;
    p->code = code;
    p->signal = signum;
    if (p->freed)
        close_all(p);
    else
        maybe_tell(p);
}

static void on_room(uv_handle_t *handle, size_t suggested _unused_, uv_buf_t *ret)
{
    struct process *p = handle->data;
    struct output *o = handle == (uv_handle_t *)&p->out.pipe ? &p->out : &p->errors;

    *ret = uv_buf_init(o->piece, sizeof(o->piece));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *piece)
{
    struct process *p = stream->data;
    bool is_output = stream == (uv_stream_t *)&p->out.pipe;
    struct output *o = is_output ? &p->out : &p->errors;

    if (n < 0) {
        o->open = false;
        uv_read_stop(stream);
        maybe_tell(p);
        return;
    }
    if (!is_output && o->text.len + (size_t)n > PROCESS_ERRORS_MOST)
        buf_consume(&o->text, o->text.len + (size_t)n - PROCESS_ERRORS_MOST);
    if (buf_add(&o->text, piece->base, (size_t)n) < 0 && !p->cut) {
        p->cut = true;
        end_it(p);
    }
}

int process_start(const struct process_options *options, struct process **ret, struct err **err)
{
    struct process *p = xcalloc(1, sizeof(*p));
    uv_loop_t *loop = loop_uv(options->loop);
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&p->out.pipe},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&p->errors.pipe},
    };
    uv_process_options_t spawn = {.exit_cb = on_exit_of,
                                  .file = options->argv[0],
                                  .args = (char **)(uintptr_t)options->argv,
                                  .stdio_count = 3,
                                  .stdio = stdio};

    p->options = *options;
    if (options->terminal)
        for (int i = 0; i < 3; i++)
            stdio[i] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = i};
    p->handles = 3;
    buf_init(&p->out.text, options->output_most ? options->output_most : PROCESS_OUTPUT_MOST);
    buf_init(&p->errors.text, 0);
    uv_pipe_init(loop, &p->out.pipe, 0);
    uv_pipe_init(loop, &p->errors.pipe, 0);
    p->child.data = p->out.pipe.data = p->errors.pipe.data = p;
    int r = uv_spawn(loop, &p->child, &spawn);
    p->child.data = p;
    if (r < 0) {
        p->freed = true;
        close_all(p);
        return err_set(err, r == UV_ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "%s cannot be run: %s",
                       options->argv[0], uv_strerror(r));
    }
    p->running = true;
    p->out.open = p->errors.open = !options->terminal;
    if (!options->terminal) {
        uv_read_start((uv_stream_t *)&p->out.pipe, on_room, on_read);
        uv_read_start((uv_stream_t *)&p->errors.pipe, on_room, on_read);
    }
    p->limit = loop_timer_new(options->loop, on_limit, p);
    if (options->limit_ms)
        loop_timer_start(p->limit, options->limit_ms);
    *ret = p;
    return 0;
}

void process_free(struct process *p)
{
    if (!p)
        return;
    if (p->running)
        uv_process_kill(&p->child, SIGKILL);
    loop_timer_free(p->limit);
    p->limit = NULL;
    p->freed = true;
    close_all(p);
}
