#include "cli/fleet.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/fiber.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/contexts.h"
#include "cli/fleet_out.h"
#include "data/yaml.h"
#include "kube/kubeconfig.h"

enum {
    TELL_AWAITED_MS = 2000, /* on a terminal: who has not answered by then */
    GIVE_UP_MS = 3000,      /* after Ctrl-C: how long the contexts may take to end their work */
    FILES_PER_CONTEXT = 16,
};

struct fleet;

struct fleet_member {
    struct cmd_ctx ctx;
    struct fleet *fleet;
    size_t index;
    const char *name;
    struct fiber *fiber;
    int code;
    struct err *err;    /* what its body returned */
    struct err *reason; /* why nothing came from its server */
    char *nothing;      /* "No resources found" */
    cJSON *value;       /* for the object of all */
    bool waited;        /* it stood still at least once: something was sent */
    bool answered;      /* the server said something */
    bool listed;        /* it has its part in the List of all, if an empty one */
    bool done, live, told, retrying, given_up;
};

struct shared {
    const void *key;
    void *value;
    void (*release)(void *);
    struct shared *next;
};

struct fleet {
    struct cmd_ctx *base;
    char **names;
    struct fleet_member *members;
    size_t n, running;
    struct fleet_out *out;
    struct shared *shared;
    enum print_format list_format;
    bool any_live, stopping;
    int signal;
    struct loop_timer *slow;
    struct loop_timer *patience; /* after a signal */
};

bool fleet_wanted(const struct cmd_globals *g)
{
    return g->contexts || g->all_contexts;
}

bool fleet_is(const struct cmd_ctx *c)
{
    return c && c->member;
}

size_t fleet_size(const struct cmd_ctx *c)
{
    return c && c->member ? c->member->fleet->n : 0;
}

const char *fleet_context(const struct cmd_ctx *c)
{
    return c->member ? c->member->name : NULL;
}

/* For the bodies of commands */

struct print_table *fleet_table_new(const struct cmd_ctx *c)
{
    struct print_table *t = print_table_new();

    if (c->member)
        print_table_as_records(t);
    else
        print_table_set_colour(t, cmd_colour(c));
    return t;
}

void fleet_mark(const struct cmd_ctx *c, cJSON *object)
{
    cJSON *metadata = json_get(object, "metadata");

    if (!c->member || !cJSON_IsObject(metadata))
        return;
    cJSON *annotations = json_get(metadata, "annotations");
    if (!cJSON_IsObject(annotations)) {
        annotations = cJSON_CreateObject();
        json_put(metadata, "annotations", annotations);
    }
    json_put(annotations, FLEET_ANNOTATION, cJSON_CreateString(c->member->name));
}

bool fleet_collect(struct cmd_ctx *c, enum print_format format, cJSON *items)
{
    struct fleet_member *m = c->member;

    if (!m)
        return false;
    m->fleet->list_format = format;
    m->listed = true;
    _cleanup_buf_ struct buf begin = BUF_INIT, between = BUF_INIT;
    print_list_begin(&begin, format);
    print_list_next(&between, format);
    json_each (item, items) {
        _cleanup_buf_ struct buf text = BUF_INIT;
        fleet_mark(c, item);
        print_list_item(&text, format, item);
        fleet_out_item(m->fleet->out, m->index, buf_str(&text), text.len, buf_str(&begin), buf_str(&between));
    }
    cJSON_Delete(items);
    return true;
}

void fleet_block(struct cmd_ctx *c, const struct buf *text, const char *between)
{
    if (c->member)
        fleet_out_block(c->member->fleet->out, c->member->index, buf_str(text), text->len, between);
    else
        cmd_out_buf(text);
}

void fleet_plain_rows(struct cmd_ctx *c, const struct buf *text, bool titled)
{
    if (c->member)
        fleet_out_plain_rows(c->member->fleet->out, c->member->index, buf_str(text), text->len, titled);
    else
        cmd_out_buf(text);
}

bool fleet_value(struct cmd_ctx *c, enum print_format format, cJSON *value)
{
    struct fleet_member *m = c->member;

    if (!m)
        return false;
    m->fleet->list_format = format;
    cJSON_Delete(m->value);
    m->value = value;
    return true;
}

void fleet_nothing(struct cmd_ctx *c, const char *text)
{
    if (c->member)
        xstr_replace(&c->member->nothing, text);
    else
        cmd_note("%s", text);
}

void **fleet_shared(struct cmd_ctx *c, const void *key, void (*release)(void *))
{
    if (!c->member)
        return NULL;
    struct fleet *f = c->member->fleet;
    for (struct shared *s = f->shared; s; s = s->next)
        if (s->key == key)
            return &s->value;
    struct shared *s = xcalloc(1, sizeof(*s));
    *s = (struct shared){.key = key, .release = release, .next = f->shared};
    f->shared = s;
    return &s->value;
}

/* Telling */

static void tell(const char *name, const char *text)
{
    _cleanup_free_ char *shown = str_escape_control(text, true);

    for (const char *line = shown; *line;) {
        size_t n = strcspn(line, "\n");
        fprintf(stderr, "%s: %.*s\n", name, (int)n, line);
        line += n + (line[n] == '\n');
    }
}

void fleet_print(struct fleet_member *m, const char *text, size_t len)
{
    fleet_out_add(m->fleet->out, m->index, text, len);
}

void fleet_note(struct fleet_member *m, const char *text)
{
    tell(m->name, text);
}

void fleet_heard(struct fleet_member *m, int status)
{
    m->answered = m->answered || status > 0;
}

bool fleet_keep_error(struct fleet_member *m, const struct err *e)
{
    if (e->code == ERR_CANCELLED && !e->http)
        return true;
    bool silent = cmd_hopeless(e) || (!e->http && e->code == ERR_TIMEOUT);
    if (!silent || m->live)
        return false;
    if (!m->reason)
        m->reason = err_copy(e);
    return true;
}

/* In a watch, what keeps a context away is told when it happens: there is no end with a summary. */
static void tell_reasons(struct fleet *f)
{
    for (size_t i = 0; i < f->n; i++) {
        struct fleet_member *m = &f->members[i];
        const struct err *e = m->reason ? m->reason : m->err;
        if (!m->done || m->told || !e || !f->any_live || f->stopping)
            continue;
        _cleanup_free_ char *text = kube_err_text(e);
        m->told = true;
        tell(m->name, text);
    }
}

void fleet_live(struct cmd_ctx *c)
{
    if (!c->member)
        return;
    c->member->live = true;
    c->member->retrying = false;
    err_free(TAKE_PTR(c->member->reason));
    c->member->fleet->any_live = true;
    fleet_out_live(c->member->fleet->out, c->member->index);
    tell_reasons(c->member->fleet);
}

bool fleet_keeps_trying(struct cmd_ctx *c, const struct err *e)
{
    struct fleet_member *m = c->member;
    bool hope = false;

    if (!m || e->http == 401 || e->http == 403 || (e->code != ERR_UNAVAILABLE && e->code != ERR_TIMEOUT))
        return false;
    bool first = !m->retrying;
    m->retrying = true;
    if (!m->reason)
        m->reason = err_copy(e);
    for (size_t i = 0; i < m->fleet->n; i++) {
        const struct fleet_member *other = &m->fleet->members[i];
        hope = hope || (!other->done && !other->retrying);
    }
    if (!hope && !m->fleet->any_live) {
        for (size_t i = 0; i < m->fleet->n; i++)
            if (m->fleet->members[i].retrying)
                fiber_cancel(m->fleet->members[i].fiber);
        return false;
    }
    if (first) {
        _cleanup_free_ char *text = kube_err_text(e);
        _cleanup_free_ char *line = xasprintf("%s; trying again", text);
        tell(m->name, line);
    }
    return true;
}

static void on_slow(void *arg)
{
    struct fleet *f = arg;
    _cleanup_strv_ char **waiting = strv_new();

    for (size_t i = 0; i < f->n; i++)
        if (!f->members[i].done && !f->members[i].answered)
            strv_push(&waiting, f->members[i].name);
    if (!*waiting)
        return;
    _cleanup_free_ char *list = strv_join(waiting, ", ");
    tell("still waiting for", list);
}

/* Ends */

static void stop_all(struct fleet *f)
{
    f->stopping = true;
    for (size_t i = 0; i < f->n; i++) {
        struct fleet_member *m = &f->members[i];
        if (m->done)
            continue;
        m->given_up = true;
        fiber_cancel(m->fiber);
    }
}

static void on_signal(void *arg, int signum)
{
    struct fleet *f = arg;

    /* A second one ends the program at once. */
    signal(signum, SIG_DFL);
    f->signal = signum;
    stop_all(f);
    loop_timer_start(f->patience, GIVE_UP_MS);
}

static void on_patience(void *arg)
{
    struct fleet *f = arg;

    fleet_out_drain(f->out);
    fflush(stdout);
    signal(f->signal, SIG_DFL);
    raise(f->signal);
}

static bool is_failed(const struct fleet_member *m)
{
    return m->code < 0 || m->ctx.failed;
}

/* Nothing came from its server, or nothing that could be used. */
static const struct err *reason_of(const struct fleet_member *m)
{
    if (m->reason)
        return m->reason;
    return m->code < 0 && m->err && !m->err->http ? m->err : NULL;
}

static void on_end(struct fleet_member *m)
{
    struct fleet *f = m->fleet;

    m->done = true;
    f->running--;
    fleet_out_end(f->out, m->index);
    if (m->code < 0 && m->err && (m->err->http || m->live) && !fleet_keep_error(m, m->err)) {
        _cleanup_free_ char *text = kube_err_text(m->err);
        tell(m->name, text);
        m->told = true;
    }
    tell_reasons(f);
}

/* Running */

static void body(void *arg)
{
    struct fleet_member *m = arg;

    if (fiber_cancelled()) {
        m->code = ERR_CANCELLED;
        return;
    }
    m->code = cmd_client(&m->ctx, NULL, &m->err);
    if (m->code < 0) {
        m->waited = true; /* a mistake in this context's settings, not in the command */
        if (!m->reason)
            m->reason = err_copy(m->err);
        return;
    }
    m->code = m->ctx.entry->run(&m->ctx, &m->err);
}

static void resume(struct fleet_member *m)
{
    struct cmd_ctx *before = cmd_enter(&m->ctx);
    bool more = fiber_resume(m->fiber);

    cmd_enter(before);
    if (more)
        m->waited = true;
    else
        on_end(m);
    if (is_failed(m) && m->fleet->base->globals.fail_fast && !m->fleet->stopping)
        stop_all(m->fleet);
}

/* A mistake in the command line or in its files: it is the same for all, and was found before anything was
 * sent. */
static bool is_mistake(const struct fleet_member *m)
{
    return m->index == 0 && m->done && !m->waited && is_failed(m);
}

static void run_all(struct fleet *f)
{
    struct loop *l = cmd_loop(f->base);

    while (f->running) {
        bool again = false;
        for (size_t i = 0; i < f->n; i++) {
            struct fleet_member *m = &f->members[i];
            if (m->done || !fiber_is_due(m->fiber) || (fleet_out_full(f->out, i) && !f->stopping))
                continue;
            resume(m);
            if (is_mistake(m))
                return;
        }
        fleet_out_pump(f->out);
        cmd_flush();
        for (size_t i = 0; i < f->n; i++) {
            const struct fleet_member *m = &f->members[i];
            again = again || (!m->done && fiber_has_flag(m->fiber) && fiber_is_due(m->fiber) &&
                              !fleet_out_full(f->out, i));
        }
        if (f->running)
            loop_turn(l, !again);
    }
}

/* Ends the List that the items of all contexts make. */
static void end_list(struct fleet *f)
{
    _cleanup_buf_ struct buf out = BUF_INIT;
    bool listed = false;

    for (size_t i = 0; i < f->n; i++)
        listed = listed || f->members[i].listed;
    if (fleet_out_has_items(f->out)) {
        print_list_end(&out, f->list_format);
    } else if (listed) {
        _cleanup_json_ cJSON *list = print_list_object(cJSON_CreateArray());
        print_object(&out, f->list_format, list);
    }
    cmd_out_buf(&out);
}

static void print_values(struct fleet *f)
{
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_json_ cJSON *all = cJSON_CreateObject();

    for (size_t i = 0; i < f->n; i++)
        if (f->members[i].value)
            json_put(all, f->names[i], TAKE_PTR(f->members[i].value));
    if (!all->child)
        return;
    /* In the order of the contexts, not of their names. */
    if (f->list_format == PRINT_YAML) {
        yaml_print_to(&out, all);
    } else {
        json_print_to(&out, all, true);
        buf_addc(&out, '\n');
    }
    cmd_out_buf(&out);
}

static void tell_nothing(const struct fleet *f)
{
    const char *text = NULL;

    for (size_t i = 0; i < f->n; i++) {
        const struct fleet_member *m = &f->members[i];
        if (fleet_out_used(f->out, i))
            return;
        text = text ? text : m->nothing;
    }
    if (text)
        cmd_note("%s", text);
}

/* How many answered; why the others did not. */
static void tell_summary(const struct fleet *f)
{
    _cleanup_buf_ struct buf text = BUF_INIT;
    size_t answered = 0, silent = 0;

    for (size_t i = 0; i < f->n; i++) {
        const struct fleet_member *m = &f->members[i];
        bool reason = reason_of(m) != NULL;
        answered += !reason && !m->given_up;
        silent += reason;
    }
    if (answered == f->n)
        return;
    buf_addf(&text, "%zu of %zu contexts answered", answered, f->n);
    for (size_t i = 0; i < f->n; i++) {
        const struct fleet_member *m = &f->members[i];
        const struct err *e = reason_of(m);
        if (!e && m->given_up)
            buf_addf(&text, silent > 1 ? "\n  %s: given up" : "; %s: given up", m->name);
        if (!e)
            continue;
        _cleanup_free_ char *why = kube_err_text(e);
        buf_addf(&text, silent > 1 ? "\n  %s: %s" : "; %s: %s", m->name, why);
    }
    cmd_note("%s", buf_str(&text));
}

static int failure_code(const struct fleet *f)
{
    return f->base->entry->failure ? f->base->entry->failure : 1;
}

static int exit_code(const struct fleet *f)
{
    size_t failed = 0;
    int most = 0;

    for (size_t i = 0; i < f->n; i++) {
        const struct fleet_member *m = &f->members[i];
        if (is_failed(m) || m->given_up)
            failed++;
        else if (m->code > most)
            most = m->code;
    }
    if (failed == 0 || (failed < f->n && f->base->globals.allow_partial))
        return most;
    return most > failure_code(f) ? most : failure_code(f);
}

/* Setting up */

static int check(struct cmd_ctx *c, struct err **err)
{
    static const char *const others[] = {"context", "cluster", "server"};

    if (!(c->entry->flags & CMD_FLEET))
        return cmd_usage(c, err,
                         "%s works on one cluster at a time: choose it with --context, not with --contexts",
                         c->path);
    if (c->globals.contexts && c->globals.all_contexts)
        return cmd_usage(c, err, "--contexts and --all-contexts cannot be given together");
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (cmd_given(c, others[i]))
            return cmd_usage(c, err, "--%s cannot be given together with --contexts or --all-contexts",
                             others[i]);
    return 0;
}

/* Every context has a connection or more. */
static void allow_files(size_t contexts)
{
    struct rlimit limit;
    rlim_t wanted = 64 + (rlim_t)contexts * FILES_PER_CONTEXT;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void print_finished(void *arg _unused_, const char *text, size_t len)
{
    struct buf b = {.data = (char *)(uintptr_t)text, .len = len};

    cmd_out_buf(&b);
}

static void set_up(struct fleet *f)
{
    const struct cmd_ctx *c = f->base;
    size_t size = c->entry->options_size ? c->entry->options_size : 1;

    f->n = f->running = strv_len(f->names);
    f->members = xcalloc(f->n, sizeof(*f->members));
    f->out = fleet_out_new(cmd_loop(f->base), f->names, f->n, print_finished, NULL);
    fleet_out_set_colour(f->out, cmd_colour(c));
    for (size_t i = 0; i < f->n; i++) {
        struct fleet_member *m = &f->members[i];
        m->fleet = f;
        m->index = i;
        m->name = f->names[i];
        m->ctx = *c;
        m->ctx.member = m;
        m->ctx.globals.context = m->name;
        /* Bodies settle things in their options. */
        m->ctx.options = c->options ? xmemdup(c->options, size) : NULL;
        m->fiber = fiber_new(body, m);
    }
}

static void release(struct fleet *f)
{
    for (size_t i = 0; i < f->n; i++) {
        struct fleet_member *m = &f->members[i];
        fiber_free(m->fiber);
        kube_client_free(m->ctx.client);
        kube_config_free(m->ctx.config);
        free(m->ctx.options);
        err_free(m->err);
        err_free(m->reason);
        free(m->nothing);
        cJSON_Delete(m->value);
    }
    while (f->shared) {
        struct shared *s = f->shared;
        f->shared = s->next;
        if (s->value)
            s->release(s->value);
        free(s);
    }
    fleet_out_free(f->out);
    loop_timer_free(f->slow);
    loop_timer_free(f->patience);
    free(f->members);
    strv_free(f->names);
}

static int finish(struct fleet *f, struct err **err)
{
    struct fleet_member *first = &f->members[0];

    fleet_out_drain(f->out);
    if (is_mistake(first)) {
        f->base->usage = first->ctx.usage;
        return first->code < 0 ? err_move(err, TAKE_PTR(first->err)) : failure_code(f);
    }
    end_list(f);
    print_values(f);
    cmd_flush();
    tell_nothing(f);
    tell_summary(f);
    return exit_code(f);
}

int fleet_run(struct cmd_ctx *c, struct err **err)
{
    _cleanup_(release) struct fleet f = {.base = c};
    int r = check(c, err);

    if (r == 0)
        r = kubeconfig_load(c->globals.kubeconfig, &c->kubeconfig, err);
    if (r == 0)
        r = contexts_select(c->globals.contexts, kubeconfig_contexts(c->kubeconfig), &f.names, err);
    if (r < 0)
        return r;
    set_up(&f);
    allow_files(f.n);
    struct loop *l = cmd_loop(c);
    struct loop_signal *interrupt = loop_signal_new(l, SIGINT, on_signal, &f);
    struct loop_signal *end = loop_signal_new(l, SIGTERM, on_signal, &f);
    f.slow = loop_timer_new(l, on_slow, &f);
    f.patience = loop_timer_new(l, on_patience, &f);
    if (isatty(STDERR_FILENO))
        loop_timer_start(f.slow, TELL_AWAITED_MS);
    run_all(&f);
    loop_signal_free(interrupt);
    loop_signal_free(end);
    int code = finish(&f, err);
    if (f.signal) {
        /* Whoever started us is to see what ended us. */
        cmd_flush();
        signal(f.signal, SIG_DFL);
        raise(f.signal);
    }
    return code;
}
