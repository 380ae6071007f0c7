/* Whose logs `tail` is asked for. */
#include "cli/tail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/target.h"
#include "cli/when.h"
#include "kube/discovery.h"
#include "tail/split.h"

void tail_query_release(struct tail_query *q)
{
    free(q->pattern);
    free(q->label_selector);
}

static void add_term(struct buf *out, const char *fmt, const char *a, const char *b)
{
    if (out->len)
        buf_addc(out, ',');
    /* Both formats have their arguments in this order. */
    if (strchr(fmt, '='))
        buf_addf(out, "%s=%s", a, b);
    else
        buf_addf(out, "%s%s", a, b);
}

/* A LabelSelector in its text form; a plain map of labels too. */
static char *selector_text(const cJSON *selector)
{
    struct buf out = BUF_INIT;
    const cJSON *labels = json_get(selector, "matchLabels"), *terms = json_get(selector, "matchExpressions");

    json_each (label, labels || terms ? labels : selector)
        if (cJSON_IsString(label))
            add_term(&out, "=", label->string, label->valuestring);
    json_each (term, terms) {
        const char *key = json_str_or(term, "key", ""), *operator= json_str_or(term, "operator", "");
        if (streq(operator, "Exists") || streq(operator, "DoesNotExist")) {
            add_term(&out, "", streq(operator, "Exists") ? "" : "!", key);
            continue;
        }
        struct buf values = BUF_INIT;
        json_each (value, json_get(term, "values"))
            if (cJSON_IsString(value))
                buf_addf(&values, "%s%s", values.len ? "," : "", value->valuestring);
        _cleanup_free_ char *list = buf_take(&values);
        _cleanup_free_ char *text = xasprintf(" %s (%s)", streq(operator, "In") ? "in" : "notin", list);
        add_term(&out, "", key, text);
    }
    return out.len ? buf_take(&out) : NULL;
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
    const cJSON *selector = json_at(object, "spec.selector");
    if (streq(resource->resource, "cronjobs")) {
        /* The Jobs are named after it, and their Pods after them. */
        ret->pattern = xasprintf("^\\Q%s\\E-\\d+-", name);
        ret->label_selector = xstrdup("batch.kubernetes.io/job-name");
        return 0;
    }
    ret->label_selector = cJSON_IsObject(selector) ? selector_text(selector) : NULL;
    if (!ret->label_selector)
        return err_set(err, ERR_INVALID,
                       "%s/%s selects no Pods: tail a Pod, or a Deployment, ReplicaSet, StatefulSet, "
                       "DaemonSet, Job, CronJob or Service",
                       resource->resource, name);
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
    struct buf out;
};

static void write_batch(struct stdin_lines *s)
{
    cmd_out_buf(&s->out);
    cmd_flush();
    buf_truncate(&s->out, 0);
}

static bool on_stdin_line(void *arg, const struct tail_line *line)
{
    struct stdin_lines *s = arg;

    if (tail_filter_passes(s->filter, line->text, line->len))
        tail_format_line(s->format, &s->out, s->style, line);
    if (s->out.len > 64 * 1024)
        write_batch(s);
    return true;
}

int tail_stdin(struct tail_filter *filter, struct tail_format *format, struct err **err)
{
    enum { PIECE = 128 * 1024 };
    struct stdin_lines s = {.filter = filter, .format = format};
    struct tail_split split = {0};
    struct tail_info nobody = {0};
    _cleanup_free_ char *piece = xmalloc(PIECE);
    ssize_t n;

    s.style = tail_style_new(format, &nobody, 0);
    while ((n = read(STDIN_FILENO, piece, PIECE)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        tail_split_feed(&split, piece, (size_t)n, on_stdin_line, &s);
        write_batch(&s);
    }
    int os = n < 0 ? errno : 0;
    tail_split_end(&split, on_stdin_line, &s);
    write_batch(&s);
    tail_split_release(&split);
    tail_style_free(s.style);
    buf_release(&s.out);
    return os ? err_set_os(err, os, "read standard input") : 0;
}
