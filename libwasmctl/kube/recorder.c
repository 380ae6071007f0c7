#include "kube/recorder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/gvr.h"

enum {
    SERIES_MS = 6 * 60 * 1000,
    SERIES_WRITE_MS = 10 * 1000,
    REMEMBERED_MOST = 4096,
    WAITING_MOST = 1000,
    IN_FLIGHT_MOST = 8, /* Events give way to writes that something waits for */
    NORMAL_WAIT_MS = 1000,
    NOTE_MOST = 1024, /* the API's limit */
};

struct series {
    char *namespace, *name;
    int count;
    int64_t first_ms, last_ms, written_ms;
};

struct kube_recorder {
    struct kube_client *client;
    char *component, *instance;
    struct map *series; /* "uid|type|reason|note" -> struct series * */
    struct sending *in_flight;
    struct sending *urgent, **urgent_end;   /* Warnings: to be sent as soon as there is room */
    struct sending *waiting, **waiting_end; /* Normal ones, in the order of their time */
    struct loop_timer *timer;               /* for the first of those */
    size_t nin_flight, nwaiting;            /* nwaiting: of both lists */
    uint64_t next;                          /* makes names unique */
    struct kube_recorder_stats stats;
};

struct sending {
    struct sending *next;
    struct kube_recorder *recorder;
    struct kube_req *request; /* NULL while it waits */
    const char *method, *content_type;
    char *path, *body;
    int64_t due_ms; /* loop clock */
};

static void series_free(void *p)
{
    struct series *s = p;

    free(s->namespace);
    free(s->name);
    free(s);
}

static void sending_free(struct sending *s)
{
    kube_req_cancel(s->request);
    free(s->path);
    free(s->body);
    free(s);
}

static void sendings_free(struct sending *list)
{
    while (list) {
        struct sending *next = list->next;
        sending_free(list);
        list = next;
    }
}

static void send_waiting(void *arg);

struct kube_recorder *kube_recorder_new(struct kube_client *c, const char *component, const char *instance)
{
    struct kube_recorder *r = xcalloc(1, sizeof(*r));
    char host[128] = "localhost";

    gethostname(host, sizeof(host) - 1);
    r->client = c;
    r->component = xstrdup(component);
    r->instance = instance ? xstrdup(instance) : xasprintf("%s-%s", component, host);
    if (strlen(r->instance) > 128)
        r->instance[128] = '\0';
    r->series = map_new(series_free);
    r->urgent_end = &r->urgent;
    r->waiting_end = &r->waiting;
    r->timer = loop_timer_new(kube_client_loop(c), send_waiting, r);
    return r;
}

void kube_recorder_free(struct kube_recorder *r)
{
    if (!r)
        return;
    sendings_free(r->in_flight);
    sendings_free(r->urgent);
    sendings_free(r->waiting);
    loop_timer_free(r->timer);
    map_free(r->series);
    free(r->component);
    free(r->instance);
    free(r);
}

struct kube_recorder_stats kube_recorder_stats(const struct kube_recorder *r)
{
    return r->stats;
}

static void on_sent(void *arg, const struct kube_response *response _unused_, const struct err *err)
{
    struct sending *s = arg, **at;
    struct kube_recorder *r = s->recorder;

    if (err) {
        r->stats.dropped++;
        log_debug("cannot write an Event", "error", err_text(err), NULL);
    }
    s->request = NULL;
    for (at = &r->in_flight; *at != s; at = &(*at)->next)
        ;
    *at = s->next;
    r->nin_flight--;
    sending_free(s);
    send_waiting(r);
}

static struct sending *take(struct sending **list, struct sending ***end)
{
    struct sending *s = *list;

    *list = s->next;
    if (!*list)
        *end = list;
    return s;
}

static struct sending *take_due(struct kube_recorder *r)
{
    if (r->urgent)
        return take(&r->urgent, &r->urgent_end);
    if (!r->waiting)
        return NULL;
    int64_t left = r->waiting->due_ms - loop_now_ms(kube_client_loop(r->client));
    if (left > 0) {
        loop_timer_start(r->timer, left);
        return NULL;
    }
    return take(&r->waiting, &r->waiting_end);
}

static void send_waiting(void *arg)
{
    struct kube_recorder *r = arg;
    struct sending *s;

    while (r->nin_flight < IN_FLIGHT_MOST && (s = take_due(r))) {
        r->nwaiting--;
        s->next = r->in_flight;
        r->in_flight = s;
        r->nin_flight++;
        struct kube_call call = {.method = s->method,
                                 .path = s->path,
                                 .body = s->body,
                                 .content_type = s->content_type,
                                 .done = on_sent,
                                 .arg = s};
        s->request = kube_do(r->client, &call);
    }
}

void kube_recorder_flush(struct kube_recorder *r)
{
    for (struct sending *s = r->waiting; s; s = s->next)
        s->due_ms = 0;
    send_waiting(r);
}

/* method and content_type are not copied. */
static void send_object(struct kube_recorder *r, const char *method, const char *path, const cJSON *object,
                        const char *content_type, bool urgent)
{
    if (r->nin_flight + r->nwaiting >= WAITING_MOST) {
        r->stats.dropped++;
        log_debug("too many Events wait, one is dropped", NULL);
        return;
    }
    struct sending *s = xcalloc(1, sizeof(*s));
    *s = (struct sending){.recorder = r,
                          .method = method,
                          .content_type = content_type,
                          .path = xstrdup(path),
                          .body = json_print(object),
                          .due_ms = loop_now_ms(kube_client_loop(r->client)) + NORMAL_WAIT_MS};
    struct sending ***end = urgent ? &r->urgent_end : &r->waiting_end;
    **end = s;
    *end = &s->next;
    r->nwaiting++;
    send_waiting(r);
}

static void write_series(struct kube_recorder *r, struct series *s, int64_t now_ms)
{
    const struct kube_resource *events = kube_builtin_find("events.events.k8s.io");
    _cleanup_free_ char *path = kube_path(events, s->namespace, s->name, NULL);
    _cleanup_json_ cJSON *o = cJSON_CreateObject();
    char stamp[TIME_RFC3339_LEN];

    json_set_int(o, "series.count", s->count);
    json_set_str(o, "series.lastObservedTime", time_rfc3339(time_now_ns(), 6, stamp));
    s->written_ms = now_ms;
    send_object(r, "PATCH", path, o, KUBE_MERGE_PATCH, false);
}

static void write_event(struct kube_recorder *r, const struct kube_ref *ref, const char *type,
                        const char *reason, const char *action, const char *note, struct series *s)
{
    const struct kube_resource *events = kube_builtin_find("events.events.k8s.io");
    _cleanup_free_ char *path = kube_path(events, s->namespace, NULL, NULL);
    _cleanup_json_ cJSON *o = json_object(
        "apiVersion", "events.k8s.io/v1", "kind", "Event", "type", type, "reason", reason, "action", action,
        "note", note, "reportingController", r->component, "reportingInstance", r->instance, NULL);
    char stamp[TIME_RFC3339_LEN];

    json_set_str(o, "metadata.name", s->name);
    json_set_str(o, "metadata.namespace", s->namespace);
    json_set_str(o, "eventTime", time_rfc3339(time_now_ns(), 6, stamp));
    json_put(o, "regarding",
             json_object("apiVersion", ref->api_version, "kind", ref->kind, "namespace", ref->namespace,
                         "name", ref->name, "uid", ref->uid, NULL));
    send_object(r, "POST", path, o, NULL, streq(type, "Warning"));
}

void kube_record(struct kube_recorder *r, const struct kube_ref *ref, const char *type, const char *reason,
                 const char *action, const char *note_fmt, ...)
{
    int64_t now = loop_now_ms(kube_client_loop(r->client));
    va_list ap;

    va_start(ap, note_fmt);
    _cleanup_free_ char *note = xvasprintf(note_fmt, ap);
    va_end(ap);
    if (strlen(note) > NOTE_MOST) {
        size_t end = NOTE_MOST - 3;
        while (end && ((unsigned char)note[end] & 0xc0) == 0x80)
            end--;
        memcpy(note + end, "...", 4);
    }
    _cleanup_free_ char *key = xasprintf("%s|%s|%s|%s", ref->uid ? ref->uid : ref->name, type, reason, note);
    struct series *s = map_get(r->series, key);
    r->stats.recorded++;
    if (s && now - s->last_ms < SERIES_MS) {
        r->stats.repeated++;
        s->count++;
        s->last_ms = now;
        if (now - s->written_ms >= SERIES_WRITE_MS)
            write_series(r, s, now);
        return;
    }
    if (map_len(r->series) >= REMEMBERED_MOST)
        map_clear(r->series);
    s = xcalloc(1, sizeof(*s));
    uint64_t unique = (uint64_t)time_now_ns() + r->next++;
    *s = (struct series){
        .namespace = xstrdup(ref->namespace ? ref->namespace : "default"),
        .name = xasprintf("%.200s.%" PRIx64, ref->name, unique),
        .count = 1,
        .first_ms = now,
        .last_ms = now,
        .written_ms = now,
    };
    map_set(r->series, key, s);
    write_event(r, ref, type, reason, action, note, s);
}
