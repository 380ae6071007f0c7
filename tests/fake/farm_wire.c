/* The requests of the control protocol, as a v1 host answers them. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "fake/farm_internal.h"

void farm_count_request(struct farm *f, const char *verb)
{
    uint64_t *n = map_get(f->requests, verb);

    if (!n) {
        n = xcalloc(1, sizeof(*n));
        map_set(f->requests, verb, n);
    }
    ++*n;
}

/* Answers. Taking response, which may be NULL. */
static void answer(struct farm *f, const char *reply, bool success, const char *message, cJSON *response)
{
    _cleanup_json_ cJSON *o = cJSON_CreateObject();

    json_set_bool(o, "success", success);
    json_set_str(o, "message", message);
    if (response)
        json_put(o, "response", response);
    if (!reply)
        return;
    _cleanup_free_ char *text = json_print(o);
    farm_publish(f, reply, text, strlen(text));
}

static void refuse(struct farm *f, const char *reply, const char *message)
{
    answer(f, reply, false, message, NULL);
}

static cJSON *parse(const char *data, size_t len)
{
    cJSON *o = NULL;

    json_parse(data, len, "request", &o, NULL);
    return o;
}

/* Inventory */

cJSON *farm_labels(const struct farm_host *h)
{
    cJSON *o = cJSON_CreateObject();

    for (struct map_iter it = {0}; map_next(h->labels, &it);)
        json_put_str(o, it.key, it.value);
    return o;
}

static int64_t uptime(const struct farm_host *h)
{
    return (loop_now_ms(h->farm->loop) - h->started_ms) / 1000;
}

cJSON *farm_inventory(const struct farm_host *h)
{
    cJSON *o = json_object("host_id", h->id, "friendly_name", h->name, "version", FARM_VERSION, NULL);
    cJSON *components = cJSON_CreateArray(), *providers = cJSON_CreateArray();

    json_put(o, "labels", farm_labels(h));
    json_set_int(o, "uptime_seconds", uptime(h));
    for (struct map_iter it = {0}; map_next(h->components, &it);) {
        const struct farm_component *c = it.value;
        cJSON *item = json_object("id", it.key, "image_ref", c->image, NULL);
        json_set_int(item, "revision", 0);
        json_set_int(item, "max_instances", c->count);
        json_put(item, "limits", cJSON_CreateNull());
        if (c->annotations)
            json_put(item, "annotations", cJSON_Duplicate(c->annotations, true));
        cJSON_AddItemToArray(components, item);
    }
    for (struct map_iter it = {0}; map_next(h->providers, &it);) {
        const struct farm_provider *p = it.value;
        cJSON *item = json_object("id", it.key, "image_ref", p->image, NULL);
        json_set_int(item, "revision", 0);
        if (p->annotations)
            json_put(item, "annotations", cJSON_Duplicate(p->annotations, true));
        cJSON_AddItemToArray(providers, item);
    }
    json_put(o, "components", components);
    json_put(o, "providers", providers);
    return o;
}

/* Asked twice a second of each host: all but the time is kept as text until something changes. */
static void answer_inventory(struct farm_host *h, const char *reply)
{
    if (!h->inventory) {
        _cleanup_json_ cJSON *o = farm_inventory(h);
        json_del(o, "uptime_seconds");
        h->inventory = json_print(o);
    }
    _cleanup_free_ char *text =
        xasprintf("{\"success\":true,\"message\":\"\",\"response\":{\"uptime_seconds\":%lld,%s}",
                  (long long)uptime(h), h->inventory + 1);
    farm_publish(h->farm, reply, text, strlen(text));
}

static void changed(struct farm_host *h)
{
    xstr_replace(&h->inventory, NULL);
}

/* Components and providers */

static void say_component(struct farm_host *h, const char *name, const cJSON *request, const char *error)
{
    const cJSON *annotations = json_get(request, "annotations");
    cJSON *data = json_object("host_id", h->id, "image_ref", json_str_or(request, "component_ref", ""),
                              "component_id", json_str_or(request, "component_id", ""), "error", error, NULL);

    json_set_int(data, "max_instances", json_int(request, "count", 0));
    json_put(data, "annotations",
             cJSON_IsObject(annotations) ? cJSON_Duplicate(annotations, true) : cJSON_CreateObject());
    farm_event(h->farm, h->id, name, data);
}

/* The first configuration the request names that does not exist. */
static const char *missing_config(const struct farm *f, const cJSON *request)
{
    json_each (name, json_get(request, "config")) {
        if (cJSON_IsString(name) && !map_has(f->configs, name->valuestring))
            return name->valuestring;
    }
    return NULL;
}

static void run_scale(struct farm_host *h, const cJSON *request)
{
    const char *id = json_str_or(request, "component_id", "");
    const char *ref = json_str_or(request, "component_ref", "");
    const cJSON *annotations = json_get(request, "annotations");
    uint32_t count = (uint32_t)json_int(request, "count", 0);
    struct farm_component *c = map_get(h->components, id);

    if (!count) {
        map_del(h->components, id);
        changed(h);
        say_component(h, "component_scaled", request, NULL);
        return;
    }
    const char *missing = missing_config(h->farm, request);
    if (missing || !*ref) {
        _cleanup_free_ char *error =
            missing ? xasprintf("failed to get config: Config %s does not exist", missing)
                    : xstrdup("failed to fetch component: empty reference");
        say_component(h, "component_scale_failed", request, error);
        return;
    }
    bool fresh = !c;
    if (fresh) {
        c = xcalloc(1, sizeof(*c));
        map_set(h->components, id, c);
    }
    /* A running one that keeps its count is not touched, one that gets another count takes the name over. */
    if (c->count != count) {
        xstr_replace(&c->image, ref);
        c->count = count;
        cJSON_Delete(c->annotations);
        c->annotations = cJSON_IsObject(annotations) ? cJSON_Duplicate(annotations, true) : NULL;
    }
    changed(h);
    if (fresh)
        say_component(h, "component_scaled", request, NULL);
    say_component(h, "component_scaled", request, NULL);
}

static void run_start(struct farm_host *h, const cJSON *request)
{
    const char *id = json_str_or(request, "provider_id", "");
    const char *ref = json_str_or(request, "provider_ref", "");
    const cJSON *annotations = json_get(request, "annotations");
    const char *missing = missing_config(h->farm, request);

    if (missing || !*ref || map_has(h->providers, id)) {
        _cleanup_free_ char *error = missing ? xasprintf("Config %s does not exist", missing)
                                     : *ref  ? xstrdup("provider is already running")
                                             : xstrdup("failed to fetch provider: empty reference");
        farm_event(h->farm, h->id, "provider_start_failed",
                   json_object("host_id", h->id, "provider_id", id, "provider_ref", ref, "link_name",
                               "default", "error", error, NULL));
        return;
    }
    struct farm_provider *p = xcalloc(1, sizeof(*p));
    /* Hosts show a file as its plain path. */
    p->image = xstrdup(str_starts(ref, "file://") ? ref + strlen("file://") : ref);
    p->annotations = cJSON_IsObject(annotations) ? cJSON_Duplicate(annotations, true) : NULL;
    map_set(h->providers, id, p);
    changed(h);
    cJSON *data = json_object("host_id", h->id, "provider_id", id, "image_ref", p->image, NULL);
    if (p->annotations)
        json_put(data, "annotations", cJSON_Duplicate(p->annotations, true));
    farm_event(h->farm, h->id, "provider_started", data);
}

void farm_run_task(struct farm_host *h, bool provider, const cJSON *request)
{
    if (provider)
        run_start(h, request);
    else
        run_scale(h, request);
}

static void scale(struct farm_host *h, const char *data, size_t len, const char *reply)
{
    cJSON *request = parse(data, len);

    if (!json_str(request, "component_id")) {
        cJSON_Delete(request);
        refuse(h->farm, reply, "failed to deserialize component scale command");
        return;
    }
    answer(h->farm, reply, true, "", NULL);
    farm_task(h, false, request);
}

static void start(struct farm_host *h, const char *data, size_t len, const char *reply)
{
    cJSON *request = parse(data, len);
    const char *id = json_str(request, "provider_id");

    if (!id || map_has(h->providers, id)) {
        refuse(h->farm, reply,
               id ? "provider with that ID is already running"
                  : "failed to deserialize provider start command");
        cJSON_Delete(request);
        return;
    }
    answer(h->farm, reply, true, "successfully started provider", NULL);
    farm_task(h, true, request);
}

static void stop(struct farm_host *h, const char *data, size_t len, const char *reply)
{
    _cleanup_json_ cJSON *request = parse(data, len);
    const char *id = json_str_or(request, "provider_id", json_str_or(request, "provider_ref", ""));

    if (!map_has(h->providers, id)) {
        refuse(h->farm, reply, "provider with that ID is not running");
        return;
    }
    map_del(h->providers, id);
    changed(h);
    farm_event(h->farm, h->id, "provider_stopped",
               json_object("host_id", h->id, "provider_id", id, "reason", "stop", NULL));
    answer(h->farm, reply, true, "successfully stopped provider", NULL);
}

/* Labels */

static void label(struct farm_host *h, bool put, const char *data, size_t len, const char *reply)
{
    _cleanup_json_ cJSON *request = parse(data, len);
    const char *key = json_str(request, "key"), *value = json_str_or(request, "value", "");

    if (!key || strncasecmp(key, "hostcore.", strlen("hostcore.")) == 0) {
        refuse(h->farm, reply, "hostcore.* labels cannot be set dynamically");
        return;
    }
    bool there = map_has(h->labels, key);
    if (put)
        map_set(h->labels, key, xstrdup(value));
    else
        map_del(h->labels, key);
    changed(h);
    if (put || there) {
        cJSON *event = json_object("host_id", h->id, NULL);
        json_put(event, "labels", farm_labels(h));
        farm_event(h->farm, h->id, "labels_changed", event);
    }
    answer(h->farm, reply, true, "", NULL);
}

void farm_answer_host(struct farm_host *h, const char *verb, const char *data, size_t len, const char *reply)
{
    if (streq(verb, "host.get")) {
        if (reply)
            answer_inventory(h, reply);
    } else if (streq(verb, "component.scale")) {
        scale(h, data, len, reply);
    } else if (streq(verb, "provider.start")) {
        start(h, data, len, reply);
    } else if (streq(verb, "provider.stop")) {
        stop(h, data, len, reply);
    } else if (streq(verb, "label.put") || streq(verb, "label.del")) {
        label(h, streq(verb, "label.put"), data, len, reply);
    } else if (streq(verb, "host.stop")) {
        answer(h->farm, reply, true, "", NULL);
        farm_host_end(h, true);
    } else {
        refuse(h->farm, reply, "unsupported subject");
    }
}

/* Requests every host answers */

void farm_on_ping(void *arg, const struct bus_message *m)
{
    struct farm *f = arg;

    farm_count_request(f, "host.ping");
    for (size_t i = 0; i < f->nhosts; i++) {
        const struct farm_host *h = &f->hosts[i];
        if (h->state != HOST_UP)
            continue;
        cJSON *o = json_object("id", h->id, "friendly_name", h->name, "lattice", f->lattice, "version",
                               FARM_VERSION, NULL);
        json_put(o, "labels", farm_labels(h));
        json_set_int(o, "uptime_seconds", uptime(h));
        answer(f, m->reply, true, "", o);
    }
}

void farm_on_registry(void *arg, const struct bus_message *m)
{
    farm_count_request(arg, "registry.put");
    answer(arg, m->reply, true, "", NULL);
}

/* Links: one of all hosts answers */

static char *link_key(const cJSON *link)
{
    return xasprintf("%s\n%s\n%s\n%s", json_str_or(link, "source_id", ""),
                     json_str_or(link, "wit_namespace", ""), json_str_or(link, "wit_package", ""),
                     json_str_or(link, "name", "default"));
}

/* Whoever answers for the lattice: the first that is up. */
static const char *speaker(const struct farm *f)
{
    for (size_t i = 0; i < f->nhosts; i++)
        if (f->hosts[i].state == HOST_UP)
            return f->hosts[i].id;
    return "";
}

static bool lacks_config(const struct farm *f, const cJSON *names)
{
    json_each (name, names) {
        if (cJSON_IsString(name) && !map_has(f->configs, name->valuestring))
            return true;
    }
    return false;
}

static void link_put(struct farm *f, const struct bus_message *m)
{
    cJSON *link = parse(m->data, m->len);

    if (!json_str(link, "source_id") || !json_str(link, "target")) {
        refuse(f, m->reply, "failed to deserialize link");
        cJSON_Delete(link);
        return;
    }
    _cleanup_free_ char *key = link_key(link);
    const cJSON *old = map_get(f->links, key);
    const char *problem = NULL;
    if (lacks_config(f, json_get(link, "source_config")) || lacks_config(f, json_get(link, "target_config")))
        problem = "Failed to validate configuration and secrets.";
    else if (old && !streq(json_str_or(old, "target", ""), json_str_or(link, "target", "")))
        problem = "link already exists with different target, consider deleting the existing link or using a "
                  "different link name";
    cJSON *event = cJSON_Duplicate(link, true);
    if (problem)
        json_set_str(event, "error", problem);
    farm_event(f, speaker(f), problem ? "linkdef_set_failed" : "linkdef_set", event);
    answer(f, m->reply, !problem, problem ? problem : "", NULL);
    if (problem)
        cJSON_Delete(link);
    else
        map_set(f->links, key, link);
}

static void link_del(struct farm *f, const struct bus_message *m)
{
    cJSON *link = parse(m->data, m->len);
    _cleanup_free_ char *key = link_key(link);

    map_del(f->links, key);
    farm_event(f, speaker(f), "linkdef_deleted", link ? link : cJSON_CreateObject());
    answer(f, m->reply, true, "", NULL);
}

static void link_get(struct farm *f, const struct bus_message *m)
{
    cJSON *list = cJSON_CreateArray();

    for (struct map_iter it = {0}; map_next(f->links, &it);)
        cJSON_AddItemToArray(list, cJSON_Duplicate(it.value, true));
    answer(f, m->reply, true, "", list);
}

void farm_on_link(void *arg, const struct bus_message *m)
{
    struct farm *f = arg;
    const char *verb = m->subject + strlen(f->prefix);

    farm_count_request(f, verb);
    if (streq(verb, "link.put"))
        link_put(f, m);
    else if (streq(verb, "link.del"))
        link_del(f, m);
    else if (streq(verb, "link.get"))
        link_get(f, m);
    else
        refuse(f, m->reply, "unsupported subject");
}

/* Configuration */

static bool only_strings(const cJSON *o)
{
    json_each (item, o) {
        if (!cJSON_IsString(item))
            return false;
    }
    return cJSON_IsObject(o);
}

void farm_on_config(void *arg, const struct bus_message *m)
{
    struct farm *f = arg;
    const char *tail = m->subject + strlen(f->prefix), *dot = strrchr(tail, '.');
    _cleanup_free_ char *verb = xstrndup(tail, (size_t)(dot - tail));
    const char *name = dot + 1;

    farm_count_request(f, verb);
    if (streq(verb, "config.put")) {
        cJSON *values = parse(m->data, m->len);
        if (!only_strings(values)) {
            cJSON_Delete(values);
            refuse(f, m->reply, "config data should be a map of string -> string");
            return;
        }
        map_set(f->configs, name, values);
        farm_event(f, speaker(f), "config_set", json_object("config_name", name, NULL));
        answer(f, m->reply, true, "", NULL);
    } else if (streq(verb, "config.del")) {
        map_del(f->configs, name);
        farm_event(f, speaker(f), "config_deleted", json_object("config_name", name, NULL));
        answer(f, m->reply, true, "", NULL);
    } else if (streq(verb, "config.get")) {
        const cJSON *values = map_get(f->configs, name);
        answer(f, m->reply, true, values ? "" : "Configuration not found",
               values ? cJSON_Duplicate(values, true) : NULL);
    } else {
        refuse(f, m->reply, "unsupported subject");
    }
}
