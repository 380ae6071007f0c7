#include "cli/await.h"

#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/trouble.h"
#include "kube/watch.h"

struct waiting {
    const struct cli_await *await;
    struct cmd_ctx *c;
    struct loop *loop;
    bool seen, synced, done, timed_out, over;
    struct err *err;
    struct cli_trouble trouble;
};

static void check(struct waiting *w, const cJSON *object)
{
    if (w->done || w->err)
        return;
    struct cmd_ctx *before = cmd_enter(w->c);
    w->done = w->over = w->await->check(w->await->arg, object);
    cmd_enter(before);
}

static void on_event(void *arg, enum kube_event type, cJSON *object)
{
    struct waiting *w = arg;

    w->seen = true;
    check(w, type == KUBE_DELETED ? NULL : object);
}

static void on_relist(void *arg)
{
    ((struct waiting *)arg)->seen = false;
}

static void on_synced(void *arg)
{
    struct waiting *w = arg;

    w->synced = true;
    if (!w->seen)
        check(w, NULL);
}

/* Before the first list: what does not get better by trying again. */
static void on_state(void *arg, const struct err *e)
{
    struct waiting *w = arg;

    if (w->done || w->err)
        return;
    if (w->synced || !e) {
        cli_trouble_state(&w->trouble, e);
    } else if (e->code == ERR_FORBIDDEN || e->code == ERR_UNAUTHORIZED || e->http == 404 || e->http == 405) {
        w->err = err_copy(e);
        w->over = true;
    } else {
        cli_trouble_state(&w->trouble, e);
    }
}

static void on_timeout(void *arg)
{
    struct waiting *w = arg;

    w->timed_out = w->over = true;
}

int cli_await(struct cmd_ctx *c, const struct cli_await *await, const char *what, struct err **err)
{
    struct waiting w = {.await = await, .c = c, .loop = cmd_loop(c)};
    _cleanup_(loop_timer_freep) struct loop_timer *timer = NULL;
    _cleanup_(kube_watch_freep) struct kube_watch *watch = NULL;
    struct kube_client *client;
    int r = cmd_client(c, &client, err);

    if (r < 0)
        return r;
    _cleanup_free_ char *field = xasprintf("metadata.name=%s", await->name);
    struct kube_watch_options options = {
        .resource = await->resource,
        .namespace = await->namespace,
        .field_selector = field,
        .event = on_event,
        .relist = on_relist,
        .synced = on_synced,
        .state = on_state,
        .arg = &w,
    };
    cmd_flush();
    if (await->timeout_ms >= 0) {
        timer = loop_timer_new(w.loop, on_timeout, &w);
        loop_timer_start(timer, await->timeout_ms);
    }
    _cleanup_free_ char *watch_name = xasprintf("watch of %s/%s", await->resource->resource, await->name);
    cli_trouble_init(&w.trouble, c, watch_name, &w.over);
    watch = kube_watch_new(client, &options);
    loop_wait(w.loop, &w.over);
    kube_watch_free(TAKE_PTR(watch));
    /* Refused for so long that it is no server that is just starting. */
    bool refused = w.over && !w.done && !w.timed_out && !w.err;
    if (refused)
        w.err = TAKE_PTR(w.trouble.err);
    cli_trouble_release(&w.trouble);
    if (w.over && !w.done && w.err)
        return err_move(err, w.err);
    err_free(w.err);
    if (!w.over)
        return err_set(err, ERR_CANCELLED, "waiting for %s was given up", what);
    return w.done ? 0 : err_set(err, ERR_TIMEOUT, "timed out waiting for %s", what);
}

const char *cli_condition(const cJSON *object, const char *type)
{
    json_each (condition, json_at(object, "status.conditions")) {
        if (strcasecmp(json_str_or(condition, "type", ""), type) == 0)
            return json_str_or(condition, "status", "");
    }
    return NULL;
}

static bool is_established(void *arg _unused_, const cJSON *object)
{
    const char *status = cli_condition(object, "Established");

    return status && streq(status, "True");
}

int cli_await_established(struct cmd_ctx *c, const char *crd_name, int64_t timeout_ms, struct err **err)
{
    const struct kube_resource *crds = kube_builtin_find("customresourcedefinitions.apiextensions.k8s.io");
    struct cli_await await = {
        .resource = crds, .name = crd_name, .timeout_ms = timeout_ms, .check = is_established};

    if (!crds)
        return err_set(err, ERR_UNSUPPORTED, "CustomResourceDefinitions are not among the built-in kinds");
    struct err *e = NULL;
    int r = cli_await(c, &await, "it to be served", &e);
    if (r == ERR_TIMEOUT) {
        err_free(e);
        return err_set(err, ERR_FAILED,
                       "timed out waiting for the CustomResourceDefinition %s to be established", crd_name);
    }
    return err_move(err, e);
}
