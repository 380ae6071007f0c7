/* Whose logs `tail` is asked for. */
#include "cli/tail.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/tail_query.h"
#include "cli/target.h"
#include "cli/when.h"
#include "kube/discovery.h"
#include "tail/join.h"
#include "tail/split.h"

void tail_query_release(struct tail_query *q)
{
    free(q->pattern);
    free(q->label_selector);
}

static int query_of_object(struct cmd_ctx *c, const char *word, const char *name, const char *namespace,
                           struct tail_query *ret, struct err **err)
{
    const struct kube_resource *resource;
    _cleanup_json_ cJSON *object = NULL;
    struct kube_client *client;
    int r = cmd_client(c, &client, err);

    if (r < 0)
        return r;
    if ((r = kube_find_resource(client, word, &resource, err)) < 0)
        return r;
    if (streq(resource->resource, "pods")) {
        ret->pattern = xasprintf("^\\Q%s\\E$", name);
        return 0;
    }
    struct cli_request request = {.resource = resource, .namespace = namespace, .name = name};
    if ((r = cli_request(c, &request, &object, err)) < 0)
        return r;
    if (streq(resource->resource, "cronjobs")) {
        /* The Jobs are named after it, and their Pods after them. */
        ret->pattern = xasprintf("^\\Q%s\\E-\\d+-", name);
        ret->label_selector = xstrdup("batch.kubernetes.io/job-name");
        return 0;
    }
    _cleanup_(selector_freep) struct selector *selector = NULL;
    if ((r = tail_query_selector(resource, name, object, &selector, err)) < 0)
        return r;
    ret->label_selector = selector_text(selector);
    return 0;
}

int tail_query_resolve(struct cmd_ctx *c, const char *text, const char *namespace, struct tail_query *ret,
                       struct err **err)
{
    const char *slash = text ? strchr(text, '/') : NULL;

    if (!text)
        return 0;
    if (!slash) {
        ret->pattern = xstrdup(text);
        return 0;
    }
    if (!namespace)
        return err_set(err, ERR_INVALID,
                       "%s is in one namespace: it does not go with --all-namespaces or several namespaces",
                       text);
    _cleanup_free_ char *word = xstrndup(text, (size_t)(slash - text));
    if (!slash[1] || strchr(slash + 1, '/'))
        return err_set(err, ERR_INVALID, "\"%s\" is no KIND/NAME", text);
    return query_of_object(c, word, slash + 1, namespace, ret, err);
}

bool tail_wants_pods(const struct cmd_ctx *c)
{
    const struct tail_options *o = c->options;

    return !(o->from_stdin || o->files) || c->argc || o->selector || o->field_selector || o->node ||
           o->events;
}

bool tail_is_filter(const struct cmd_ctx *c)
{
    const struct tail_options *o = c->options;

    return o->from_stdin && !o->files && !o->out_dir && !tail_wants_pods(c);
}

int tail_since(struct cmd_ctx *c, const struct tail_options *o, int64_t *ret_ns, struct err **err)
{
    *ret_ns = 0;
    if (o->since && o->since_time)
        return cmd_usage(c, err, "--since and --since-time exclude each other");
    if (o->since_time) {
        int r = time_parse_rfc3339(o->since_time, ret_ns, err);
        return r < 0 ? err_wrap(err, "--since-time") : 0;
    }
    if (o->since && when_parse(o->since, false, time_now_ns(), ret_ns, err) < 0)
        return err_wrap(err, "--since");
    return 0;
}

struct stdin_lines {
    struct tail_filter *filter;
    struct tail_format *format;
    struct tail_style *style;
    struct tail_join *join; /* NULL: a line is a record */
    struct buf out;
};

static void write_batch(struct stdin_lines *s)
{
    cmd_out_buf(&s->out);
    cmd_flush();
    buf_truncate(&s->out, 0);
}

static void on_stdin_record(void *arg, const struct tail_line *line)
{
    struct stdin_lines *s = arg;

    if (tail_filter_passes(s->filter, line->text, line->len))
        tail_format_line(s->format, &s->out, s->style, line);
    if (s->out.len > 64 * 1024)
        write_batch(s);
}

static bool on_stdin_line(void *arg, const struct tail_line *line)
{
    struct stdin_lines *s = arg;

    if (s->join)
        tail_join_line(s->join, line, time_mono_ms());
    else
        on_stdin_record(s, line);
    return true;
}

/* As read(); a record that has ended while nothing came is shown meanwhile. */
static ssize_t read_stdin(struct stdin_lines *s, char *piece, size_t size)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

    if (s->join && tail_join_due(s->join) >= 0 && poll(&in, 1, TAIL_JOIN_MS) == 0) {
        tail_join_flush(s->join);
        write_batch(s);
    }
    return read(STDIN_FILENO, piece, size);
}

int tail_stdin(struct tail_filter *filter, struct tail_format *format, bool join, struct tail_filter *begins,
               struct err **err)
{
    enum { PIECE = 128 * 1024 };
    struct stdin_lines s = {.filter = filter, .format = format};
    struct tail_split split = {0};
    struct tail_info nobody = {0};
    _cleanup_free_ char *piece = xmalloc(PIECE);
    ssize_t n;

    s.style = tail_style_new(format, &nobody, 0);
    struct tail_join_options records = {.begins = begins, .record = on_stdin_record, .arg = &s};
    s.join = join ? tail_join_new(&records) : NULL;
    while ((n = read_stdin(&s, piece, PIECE)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        tail_split_feed(&split, piece, (size_t)n, on_stdin_line, &s);
        write_batch(&s);
    }
    int os = n < 0 ? errno : 0;
    tail_split_end(&split, on_stdin_line, &s);
    if (s.join)
        tail_join_flush(s.join);
    tail_join_free(s.join);
    write_batch(&s);
    tail_split_release(&split);
    tail_style_free(s.style);
    buf_release(&s.out);
    return os ? err_set_os(err, os, "read standard input") : 0;
}
