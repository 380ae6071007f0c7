/* The lattice's buckets, and the consumers by which each host watches them, as async-nats makes them: ordered
 * push consumers with flow control and idle heartbeats, kept in the server's memory. A host that is gone does
 * not delete its consumers: the server drops them when nobody has listened for a while. */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "fake/farm_internal.h"

enum { JS_TIMEOUT_MS = 10000 };
#define IDLE_HEARTBEAT_NS (INT64_C(5) * 1000 * 1000 * 1000)
#define INACTIVE_NS       (INT64_C(30) * 1000 * 1000 * 1000)

static const char *const buckets[HOST_CONSUMERS] = {"LATTICEDATA", "CONFIGDATA"};

static void on_created(void *arg, const struct bus_message *reply, const struct err *err)
{
    struct farm *f = arg;
    _cleanup_json_ cJSON *o = NULL;

    if (reply)
        json_parse(reply->data, reply->len, "answer of JetStream", &o, NULL);
    const char *text = err ? err_text(err) : json_str(o, "error.description");
    if (text && !f->js_refused)
        log_warn("JetStream refuses a stream or consumer, told once", "error", text, NULL);
    f->js_refused = f->js_refused || text;
}

static void on_bucket(void *arg, const struct bus_message *reply, const struct err *err)
{
    struct farm *f = arg;

    on_created(arg, reply, err);
    if (!--f->buckets)
        farm_hosts_start(f);
}

static void ask(struct farm *f, const char *subject, const cJSON *body, bus_reply_fn done)
{
    _cleanup_free_ char *text = json_print(body);

    bus_request(f->bus, subject, text, strlen(text), JS_TIMEOUT_MS, done, f);
}

void farm_js_start(struct farm *f)
{
    for (size_t i = 0; i < HOST_CONSUMERS; i++) {
        _cleanup_free_ char *stream = xasprintf("KV_%s_%s", buckets[i], f->lattice);
        _cleanup_free_ char *subject = xasprintf("$JS.API.STREAM.CREATE.%s", stream);
        _cleanup_free_ char *keys = xasprintf("$KV.%s_%s.>", buckets[i], f->lattice);
        _cleanup_json_ cJSON *o =
            json_object("name", stream, "discard", "new", "storage", "file", "retention", "limits", NULL);
        cJSON *subjects = cJSON_CreateArray();
        cJSON_AddItemToArray(subjects, cJSON_CreateString(keys));
        json_put(o, "subjects", subjects);
        json_set_int(o, "max_msgs_per_subject", 1);
        json_set_int(o, "num_replicas", 1);
        json_set_bool(o, "allow_rollup_hdrs", true);
        json_set_bool(o, "deny_delete", true);
        json_set_bool(o, "allow_direct", true);
        f->buckets++;
        ask(f, subject, o, on_bucket);
    }
}

/* Flow control wants an answer, or the server holds back what comes after it. */
static void on_delivered(void *arg, const struct bus_message *m)
{
    struct farm_host *h = arg;

    if (m->reply && str_starts(m->reply, "$JS.FC.") && h->state == HOST_UP)
        farm_publish(h->farm, m->reply, "", 0);
}

static void make_consumer(struct farm_host *h, size_t i)
{
    struct farm *f = h->farm;
    _cleanup_free_ char *stream = xasprintf("KV_%s_%s", buckets[i], f->lattice);
    _cleanup_free_ char *subject = xasprintf("$JS.API.CONSUMER.CREATE.%s", stream);
    _cleanup_free_ char *keys = xasprintf("$KV.%s_%s.>", buckets[i], f->lattice);
    _cleanup_json_ cJSON *o = json_object("stream_name", stream, NULL);
    cJSON *config = json_object("deliver_subject", h->inboxes[i], "filter_subject", keys, "deliver_policy",
                                "last_per_subject", "ack_policy", "none", "replay_policy", "instant", NULL);

    json_set_bool(config, "flow_control", true);
    json_set_bool(config, "mem_storage", true);
    json_set_int(config, "max_deliver", 1);
    json_set_int(config, "num_replicas", 1);
    json_set_int(config, "idle_heartbeat", IDLE_HEARTBEAT_NS);
    json_set_int(config, "inactive_threshold", INACTIVE_NS);
    json_put(o, "config", config);
    ask(f, subject, o, on_created);
}

void farm_js_watch(struct farm_host *h)
{
    struct farm *f = h->farm;

    for (size_t i = 0; i < HOST_CONSUMERS; i++) {
        bool fresh = !h->inboxes[i];
        /* As async-nats names it: 12 characters of the connection and 10 that count up. */
        if (fresh)
            h->inboxes[i] =
                xasprintf("_INBOX.FARM%08x%010llu", (unsigned)getpid(), (unsigned long long)++f->next_inbox);
        h->deliveries[i] = bus_subscribe(f->bus, h->inboxes[i], on_delivered, h);
        if (fresh)
            make_consumer(h, i);
    }
}

void farm_js_unwatch(struct farm_host *h)
{
    for (size_t i = 0; i < HOST_CONSUMERS; i++)
        if (h->deliveries[i])
            bus_unsubscribe(TAKE_PTR(h->deliveries[i]));
}

void farm_js_forget(struct farm_host *h)
{
    for (size_t i = 0; i < HOST_CONSUMERS; i++)
        xstr_replace(&h->inboxes[i], NULL);
}
