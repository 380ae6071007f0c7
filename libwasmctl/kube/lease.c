#include "kube/lease.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/gvr.h"
#include "kube/watch.h"

enum { DURATION_MS = 15000, RENEW_DEADLINE_MS = 10000, RETRY_MS = 2000, RELEASE_WAIT_MS = 1000 };

struct kube_lease {
    struct kube_client *client;
    struct kube_lease_options options;
    char *namespace, *name, *identity;
    struct kube_watch *watch;
    struct kube_req *request;
    struct loop_timer *timer, *release_timer;
    cJSON *seen;        /* the Lease as last seen, NULL when there is none */
    bool known;         /* seen is up to date: the watch has synced */
    int64_t seen_ms;    /* loop clock when the holder last showed itself by a renewal */
    int64_t renewed_ms; /* loop clock of our last successful renewal's start */
    int64_t asked_ms;
    bool leading, releasing;
    void (*released)(void *arg);
    void *released_arg;
};

static int64_t now_ms(const struct kube_lease *l)
{
    return loop_now_ms(kube_client_loop(l->client));
}

static const char *holder_of(const cJSON *lease)
{
    return json_str_or(lease, "spec.holderIdentity", "");
}

const char *kube_lease_holder(const struct kube_lease *l)
{
    return l->seen ? holder_of(l->seen) : "";
}

bool kube_lease_leading(const struct kube_lease *l)
{
    return l->leading;
}

static void set_leading(struct kube_lease *l, bool leading, const char *why)
{
    if (l->leading == leading)
        return;
    l->leading = leading;
    l->options.changed(l->options.arg, leading, why);
}

/* Remembers a version of the Lease; a renewal seen for the first time starts the holder's time anew. */
static void see(struct kube_lease *l, const cJSON *lease)
{
    const char *before = json_str_or(l->seen, "spec.renewTime", ""),
               *now = json_str_or(lease, "spec.renewTime", "");

    if (!l->seen || !streq(before, now) || !streq(holder_of(l->seen), holder_of(lease)))
        l->seen_ms = now_ms(l);
    cJSON *copy = cJSON_Duplicate(lease, true);
    cJSON_Delete(l->seen);
    l->seen = copy;
}

static cJSON *make_lease(struct kube_lease *l, bool give_up)
{
    char stamp[TIME_RFC3339_LEN];
    int64_t transitions = json_int(l->seen, "spec.leaseTransitions", 0);
    bool ours = l->seen && streq(holder_of(l->seen), l->identity);
    cJSON *o = json_object("apiVersion", "coordination.k8s.io/v1", "kind", "Lease", NULL);

    time_rfc3339(time_now_ns(), 6, stamp);
    json_set_str(o, "metadata.name", l->name);
    json_set_str(o, "metadata.namespace", l->namespace);
    if (l->seen)
        json_set_str(o, "metadata.resourceVersion", json_str(l->seen, "metadata.resourceVersion"));
    json_set_str(o, "spec.holderIdentity", give_up ? "" : l->identity);
    json_set_int(o, "spec.leaseDurationSeconds", give_up ? 1 : (l->options.duration_ms + 999) / 1000);
    json_set_str(o, "spec.renewTime", stamp);
    json_set_str(o, "spec.acquireTime", ours ? json_str_or(l->seen, "spec.acquireTime", stamp) : stamp);
    json_set_int(o, "spec.leaseTransitions", transitions + (l->seen && !ours && !give_up ? 1 : 0));
    return o;
}

static void look(void *arg);

static void finish_release(void *arg)
{
    struct kube_lease *l = arg;
    void (*fn)(void *) = l->released;

    l->released = NULL;
    loop_timer_stop(l->release_timer);
    if (fn)
        fn(l->released_arg);
}

static void on_written(void *arg, const struct kube_response *response, const struct err *err)
{
    struct kube_lease *l = arg;
    _cleanup_json_ cJSON *lease = NULL;

    l->request = NULL;
    if (l->releasing) {
        finish_release(l);
        return;
    }
    if (err) {
        /* A conflict means that somebody was faster: the watch tells who. */
        if (err->code != ERR_CONFLICT && err->code != ERR_ALREADY_EXISTS)
            log_warn("cannot write the lease", "lease", l->name, "error", err_text(err), NULL);
        loop_timer_start(l->timer, l->leading ? l->options.retry_ms / 2 : l->options.retry_ms);
        if (l->leading && now_ms(l) - l->renewed_ms >= l->options.renew_deadline_ms)
            set_leading(l, false, "the lease could not be renewed in time");
        return;
    }
    if (json_parse(response->body, response->len, "lease", &lease, NULL) == 0)
        see(l, lease);
    l->renewed_ms = l->asked_ms;
    loop_timer_start(l->timer, l->options.retry_ms);
    set_leading(l, true, "the lease was acquired");
}

static void write_lease(struct kube_lease *l, bool give_up)
{
    const struct kube_resource *leases = kube_builtin_find("leases.coordination.k8s.io");
    _cleanup_json_ cJSON *o = make_lease(l, give_up);
    _cleanup_free_ char *body = json_print(o);
    _cleanup_free_ char *path = kube_path(leases, l->namespace, l->seen ? l->name : NULL, NULL);
    struct kube_call call = {
        .method = l->seen ? "PUT" : "POST",
        .path = path,
        .body = body,
        .timeout_ms = l->options.renew_deadline_ms / 2,
        .urgent = true,
        .done = on_written,
        .arg = l,
    };

    l->asked_ms = now_ms(l);
    l->request = kube_do(l->client, &call);
}

/* Decides what to do now: renew, take over, or wait. */
static void look(void *arg)
{
    struct kube_lease *l = arg;

    if (l->request || l->releasing)
        return;
    if (l->leading && now_ms(l) - l->renewed_ms >= l->options.renew_deadline_ms) {
        set_leading(l, false, "the lease could not be renewed in time");
        return;
    }
    if (!l->known) {
        loop_timer_start(l->timer, l->options.retry_ms);
        return;
    }
    const char *holder = kube_lease_holder(l);
    int64_t duration = json_int(l->seen, "spec.leaseDurationSeconds", l->options.duration_ms / 1000) * 1000;
    int64_t left = l->seen_ms + duration - now_ms(l);
    if (l->leading && l->seen && !streq(holder, l->identity)) {
        set_leading(l, false, "another candidate took the lease");
        return;
    }
    if (!l->seen || !*holder || streq(holder, l->identity) || left <= 0) {
        write_lease(l, false);
        return;
    }
    loop_timer_start(l->timer, left < l->options.retry_ms ? left + 1 : l->options.retry_ms);
}

static void on_event(void *arg, enum kube_event type, cJSON *lease)
{
    struct kube_lease *l = arg;

    if (!streq(json_str_or(lease, "metadata.name", ""), l->name))
        return;
    if (type == KUBE_DELETED) {
        cJSON_Delete(TAKE_PTR(l->seen));
    } else {
        see(l, lease);
    }
    /* A released lease is taken at once. */
    if (l->known && !l->leading)
        loop_timer_start(l->timer, 0);
}

static void on_synced(void *arg)
{
    struct kube_lease *l = arg;

    l->known = true;
    loop_timer_start(l->timer, 0);
}

struct kube_lease *kube_lease_new(struct kube_client *c, const struct kube_lease_options *options)
{
    struct kube_lease *l = xcalloc(1, sizeof(*l));
    struct loop *loop = kube_client_loop(c);

    l->client = c;
    l->options = *options;
    l->namespace = xstrdup(options->namespace);
    l->name = xstrdup(options->name);
    l->identity = xstrdup(options->identity);
    if (!l->options.duration_ms)
        l->options.duration_ms = DURATION_MS;
    if (!l->options.renew_deadline_ms)
        l->options.renew_deadline_ms = RENEW_DEADLINE_MS;
    if (!l->options.retry_ms)
        l->options.retry_ms = RETRY_MS;
    l->timer = loop_timer_new(loop, look, l);
    l->release_timer = loop_timer_new(loop, finish_release, l);
    _cleanup_free_ char *field = xasprintf("metadata.name=%s", l->name);
    struct kube_watch_options watch = {
        .resource = kube_builtin_find("leases.coordination.k8s.io"),
        .namespace = l->namespace,
        .field_selector = field,
        .event = on_event,
        .synced = on_synced,
        .arg = l,
    };
    l->watch = kube_watch_new(c, &watch);
    return l;
}

void kube_lease_release(struct kube_lease *l, void (*done)(void *arg), void *arg)
{
    bool was_leading = l->leading;

    l->releasing = true;
    l->leading = false;
    l->released = done;
    l->released_arg = arg;
    loop_timer_stop(l->timer);
    kube_req_cancel(l->request);
    l->request = NULL;
    if (!was_leading || !l->seen) {
        loop_timer_start(l->release_timer, 0);
        return;
    }
    write_lease(l, true);
    loop_timer_start(l->release_timer, RELEASE_WAIT_MS);
}

void kube_lease_free(struct kube_lease *l)
{
    if (!l)
        return;
    kube_watch_free(l->watch);
    kube_req_cancel(l->request);
    loop_timer_free(l->timer);
    loop_timer_free(l->release_timer);
    cJSON_Delete(l->seen);
    free(l->namespace);
    free(l->name);
    free(l->identity);
    free(l);
}
