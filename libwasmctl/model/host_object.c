#include "model/host_object.h"

#include "base/mem.h"
#include "base/timefmt.h"

struct model_host *model_host_new(const cJSON *object)
{
    struct model_host *h = xcalloc(1, sizeof(*h));
    const cJSON *spec = json_get(object, "spec"), *status = json_get(object, "status");
    VEC(struct model_taint) taints = {0};

    model_meta_read(object, &h->meta);
    h->lattice = xstrdup(json_str_or(spec, "lattice", ""));
    h->host_id = xstrdup(json_str_or(spec, "hostID", ""));
    h->unschedulable = json_bool(spec, "unschedulable", false);
    json_each (t, json_get(spec, "taints")) {
        struct model_taint one = {
            .key = xstrdup(json_str_or(t, "key", "")),
            .value = xstrdup(json_str_or(t, "value", "")),
            .effect = xstrdup(json_str_or(t, "effect", "NoSchedule")),
        };
        vec_push(&taints, one);
    }
    h->taints = taints.items;
    h->ntaints = taints.len;
    h->labels = model_string_map(json_at(object, "metadata.labels"));
    model_conditions_read(status, &h->conditions);
    if (json_str(status, "lastSeen"))
        time_parse_rfc3339(json_str(status, "lastSeen"), &h->last_seen_ns, NULL);
    if (status) {
        cJSON *copy = cJSON_Duplicate(status, true);
        json_del(copy, "lastSeen");
        h->status_hash = json_hash(copy);
        cJSON_Delete(copy);
    }
    return h;
}

void model_host_free(struct model_host *h)
{
    if (!h)
        return;
    model_meta_release(&h->meta);
    free(h->lattice);
    free(h->host_id);
    for (size_t i = 0; i < h->ntaints; i++) {
        free(h->taints[i].key);
        free(h->taints[i].value);
        free(h->taints[i].effect);
    }
    free(h->taints);
    map_free(h->labels);
    model_conditions_release(&h->conditions);
    free(h);
}
