#include "model/host_report.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static uint32_t count_of(const cJSON *o)
{
    int64_t n = json_int(o, "concurrency", 1);

    return n < 1 ? 1 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static int64_t not_negative(const cJSON *o, const char *path, int64_t fallback)
{
    int64_t n = json_int(o, path, fallback);

    return n < 0 ? fallback : n;
}

void model_host_report_read(const cJSON *object, struct model_host_report *ret)
{
    const cJSON *status = json_get(object, "status");
    VEC(struct model_running) v = {0};

    for (enum model_kind kind = MODEL_ACTOR; kind <= MODEL_PROVIDER; kind++) {
        bool provider = kind == MODEL_PROVIDER;
        json_each (o, json_get(status, provider ? "providers" : "actors")) {
            struct model_running one = {
                .kind = kind,
                .id = xstrdup(json_str_or(o, provider ? "providerID" : "componentID", "")),
                .image = xstrdup(json_str_or(o, "image", "")),
                .owner = xstrdup_null(json_str(o, "owner")),
                .revision = xstrdup_null(json_str(o, "revision")),
                .count = provider ? 1 : count_of(o),
                .healthy = json_bool(o, "healthy", true),
            };
            vec_push(&v, one);
        }
    }
    *ret = (struct model_host_report){
        .friendly_name = xstrdup(json_str_or(status, "friendlyName", "")),
        .version = xstrdup(json_str_or(status, "version", "")),
        .running = v.items,
        .nrunning = v.len,
        .actors = not_negative(status, "actorCount", 0),
        .providers = not_negative(status, "providerCount", 0),
        .cpu_percent = json_num(status, "resources.cpuPercent", -1),
        .memory_total = not_negative(status, "resources.memoryTotal", -1),
        .memory_free = not_negative(status, "resources.memoryFree", -1),
    };
}

void model_host_report_release(struct model_host_report *r)
{
    for (size_t i = 0; i < r->nrunning; i++) {
        free(r->running[i].id);
        free(r->running[i].image);
        free(r->running[i].owner);
        free(r->running[i].revision);
    }
    free(r->running);
    free(r->friendly_name);
    free(r->version);
    *r = (struct model_host_report){0};
}

const struct model_running *model_host_running(const struct model_host_report *r, enum model_kind kind,
                                               const char *id)
{
    for (size_t i = 0; i < r->nrunning; i++)
        if (r->running[i].kind == kind && streq(r->running[i].id, id))
            return &r->running[i];
    return NULL;
}

bool model_host_is_alive(const struct model_host *h)
{
    const struct model_condition *ready = model_condition_find(&h->conditions, "Ready");

    return !ready || !streq(ready->status, "False");
}

bool model_host_is_ready(const struct model_host *h)
{
    const struct model_condition *ready = model_condition_find(&h->conditions, "Ready");

    return ready && streq(ready->status, "True");
}

bool model_host_is_deaf(const struct model_host *h, bool *ret_restarting)
{
    const struct model_condition *synced = model_condition_find(&h->conditions, "Synced");
    bool deaf = synced && streq(synced->status, "False");

    *ret_restarting = deaf && streq(synced->reason, "Restarting");
    return deaf;
}

int32_t model_replicas_of(const struct model_workload *w, uint32_t count)
{
    if (w->kind == MODEL_PROVIDER)
        return 1;
    uint32_t n = (uint32_t)(((uint64_t)count + w->concurrency / 2) / w->concurrency);
    return n ? (int32_t)n : 1;
}
