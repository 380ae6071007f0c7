#include "model/lattice_object.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

static struct model_secret_ref read_ref(const cJSON *o)
{
    return (struct model_secret_ref){
        .namespace = xstrdup_null(json_str(o, "namespace")),
        .name = xstrdup_null(json_str(o, "name")),
        .key = xstrdup_null(json_str(o, "key")),
    };
}

static void release_ref(struct model_secret_ref *r)
{
    free(r->namespace);
    free(r->name);
    free(r->key);
}

static int64_t read_duration_ms(struct model_lattice *l, const cJSON *spec, const char *path,
                                int64_t fallback)
{
    const char *text = json_str(spec, path);
    struct err *e = NULL;
    int64_t ns;

    if (!text)
        return fallback;
    if (time_parse_duration(text, &ns, &e) < 0) {
        if (!l->problem)
            l->problem = xasprintf("spec.%s: %s", path, err_text(e));
        err_free(e);
        return fallback;
    }
    return ns / 1000000 > 0 ? ns / 1000000 : fallback;
}

static struct model_label_rule read_rule(const cJSON *o)
{
    const cJSON *label = json_at(o, "match.label");

    return (struct model_label_rule){
        .host_id = xstrdup_null(json_str(o, "match.hostID")),
        .friendly_name = xstrdup_null(json_str(o, "match.friendlyName")),
        .hostname_regex = xstrdup_null(json_str(o, "match.hostname")),
        .label_key = xstrdup_null(json_str(label, "key")),
        .label_value = xstrdup_null(json_str(label, "value")),
        .labels = model_string_map(json_get(o, "labels")),
    };
}

struct model_lattice *model_lattice_new(const cJSON *object)
{
    struct model_lattice *l = xcalloc(1, sizeof(*l));
    const cJSON *spec = json_get(object, "spec"), *nats = json_get(spec, "nats");

    model_meta_read(object, &l->meta);
    l->driver = xstrdup(json_str_or(spec, "driver", "wasmcloud.v1"));
    l->id = xstrdup(json_str_or(spec, "id", "default"));
    l->servers = strv_new();
    json_each (s, json_get(nats, "servers"))
        if (cJSON_IsString(s))
            strv_push(&l->servers, s->valuestring);
    l->credentials = read_ref(json_get(nats, "credentialsSecret"));
    l->tls = read_ref(json_get(nats, "tlsSecret"));
    l->js_domain = xstrdup_null(json_str(nats, "jetStreamDomain"));
    l->probe_interval_ms = read_duration_ms(l, spec, "health.probeInterval", 500);
    l->unreachable_after_ms = read_duration_ms(l, spec, "health.unreachableAfter", 3000);
    l->heal_deaf = json_bool(spec, "health.healDeaf", true);

    VEC(struct model_label_rule) rules = {0};
    json_each (r, json_get(spec, "hostLabels"))
        vec_push(&rules, read_rule(r));
    l->rules = rules.items;
    l->nrules = rules.len;
    json_each (m, json_get(spec, "imageMirrors")) {
        if (!l->mirrors)
            l->mirrors = map_new(free);
        map_set(l->mirrors, json_str_or(m, "source", ""), xstrdup(json_str_or(m, "mirror", "")));
    }
    if (!strv_len(l->servers) && !l->problem)
        l->problem = xstrdup("spec.nats.servers is empty");

    cJSON *connection = cJSON_CreateObject();
    json_put_str(connection, "driver", l->driver);
    json_put_str(connection, "id", l->id);
    if (nats)
        json_put(connection, "nats", cJSON_Duplicate(nats, true));
    json_set_int(connection, "probe", l->probe_interval_ms);
    json_set_int(connection, "unreachable", l->unreachable_after_ms);
    l->connection_hash = json_hash(connection);
    cJSON_Delete(connection);

    const cJSON *status = json_get(object, "status");
    model_conditions_read(status, &l->conditions);
    l->status_hash = status ? json_hash(status) : 0;
    l->rtt_ms = json_int(status, "rttMillis", -1);
    return l;
}

void model_lattice_free(struct model_lattice *l)
{
    if (!l)
        return;
    model_meta_release(&l->meta);
    free(l->driver);
    free(l->id);
    strv_free(l->servers);
    release_ref(&l->credentials);
    release_ref(&l->tls);
    free(l->js_domain);
    for (size_t i = 0; i < l->nrules; i++) {
        free(l->rules[i].host_id);
        free(l->rules[i].friendly_name);
        free(l->rules[i].hostname_regex);
        free(l->rules[i].label_key);
        free(l->rules[i].label_value);
        map_free(l->rules[i].labels);
    }
    free(l->rules);
    map_free(l->mirrors);
    free(l->problem);
    model_conditions_release(&l->conditions);
    free(l);
}
