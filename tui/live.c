#include "tui/live.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/timefmt.h"
#include "kube/informer.h"
#include "kube/watch.h"

struct feed {
    struct live *live;
    enum tui_kind kind;
    struct kube_watch *watch;
};

struct live {
    struct store *store;
    unsigned cluster;
    struct kube_client *client;
    live_heard_fn heard;
    void *arg;
    struct feed feeds[TUI_KINDS];
};

static void on_event(void *arg, enum kube_event type, cJSON *object)
{
    struct feed *f = arg;
    struct live *l = f->live;
    int64_t now = time_now_ns();

    if (type == KUBE_DELETED) {
        _cleanup_free_ char *key = kube_object_key(object);
        store_del(l->store, l->cluster, f->kind, key, now);
        if (l->heard)
            l->heard(l->arg, l->cluster, f->kind, key, NULL, now);
        return;
    }
    struct tui_object *o = tui_object_new(f->kind, l->cluster, object, false);
    if (!o)
        return;
    if (store_source(l->store, l->cluster, f->kind)->state == STORE_CONNECTING)
        store_set_source(l->store, l->cluster, f->kind, STORE_LISTING, NULL, now);
    if (l->heard)
        l->heard(l->arg, l->cluster, f->kind, o->key, object, now);
    store_put(l->store, o, now);
}

static void on_relist(void *arg)
{
    struct feed *f = arg;

    store_relist(f->live->store, f->live->cluster, f->kind);
}

static void on_synced(void *arg)
{
    struct feed *f = arg;
    struct live *l = f->live;

    store_listed(l->store, l->cluster, f->kind, time_now_ns());
    store_set_source(l->store, l->cluster, f->kind, STORE_LIVE, NULL, time_now_ns());
}

static void on_state(void *arg, const struct err *err)
{
    struct feed *f = arg;
    struct live *l = f->live;
    enum store_source_state state = STORE_LIVE;

    if (err)
        state = err->code == ERR_FORBIDDEN   ? STORE_FORBIDDEN
                : err->code == ERR_NOT_FOUND ? STORE_ABSENT
                                             : STORE_AWAY;
    else if (store_source(l->store, l->cluster, f->kind)->state <= STORE_LISTING)
        return; /* on_synced() will tell */
    store_set_source(l->store, l->cluster, f->kind, state, err ? err_text(err) : NULL, time_now_ns());
}

struct live *live_new(struct store *store, unsigned cluster, struct kube_client *client,
                      const char *namespace, live_heard_fn heard, void *arg)
{
    struct live *l = xcalloc(1, sizeof(*l));

    l->store = store;
    l->cluster = cluster;
    l->client = client;
    l->heard = heard;
    l->arg = arg;
    for (int k = 0; k < TUI_KINDS; k++) {
        struct feed *f = &l->feeds[k];
        const struct kube_resource *resource = kube_builtin_find(tui_kind_plurals[k]);
        f->live = l;
        f->kind = (enum tui_kind)k;
        struct kube_watch_options options = {
            .resource = resource,
            .namespace = resource->namespaced ? namespace : NULL,
            .event = on_event,
            .relist = on_relist,
            .synced = on_synced,
            .state = on_state,
            .arg = f,
        };
        f->watch = kube_watch_new(client, &options);
    }
    return l;
}

void live_free(struct live *l)
{
    if (!l)
        return;
    for (int k = 0; k < TUI_KINDS; k++)
        kube_watch_free(l->feeds[k].watch);
    free(l);
}

struct kube_client *live_client(const struct live *l)
{
    return l->client;
}
