#include "tui/object.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "model/interface.h"

const char *const tui_kind_names[TUI_KINDS] = {"wasmactor", "wasmprovider", "latticehost", "lattice",
                                               "event"};
const char *const tui_kind_plurals[TUI_KINDS] = {"wasmactors", "wasmproviders", "latticehosts", "lattices",
                                                 "events"};

enum tui_kind tui_kind_of(const char *word)
{
    static const char *const others[TUI_KINDS][3] = {{"wa", "WasmActor"},
                                                     {"wp", "WasmProvider"},
                                                     {"lh", "LatticeHost"},
                                                     {"lat", "Lattice"},
                                                     {"ev", "Event"}};

    for (int k = 0; k < TUI_KINDS; k++) {
        if (streq(word, tui_kind_names[k]) || streq(word, tui_kind_plurals[k]))
            return (enum tui_kind)k;
        for (int i = 0; others[k][i]; i++)
            if (streq(word, others[k][i]))
                return (enum tui_kind)k;
    }
    return TUI_KINDS;
}

static char *text_at(const cJSON *o, const char *path)
{
    const cJSON *item = json_at(o, path);

    return xstrdup(cJSON_IsString(item) ? item->valuestring : "");
}

static int32_t number_at(const cJSON *o, const char *path, int32_t otherwise)
{
    const cJSON *item = json_at(o, path);

    return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < INT32_MAX
               ? (int32_t)item->valuedouble
               : otherwise;
}

static int64_t time_at(const cJSON *o, const char *path)
{
    const cJSON *item = json_at(o, path);
    int64_t ns = 0;

    if (cJSON_IsString(item))
        time_parse_rfc3339(item->valuestring, &ns, NULL);
    return ns;
}

static struct map *labels_of(const cJSON *o)
{
    const cJSON *labels = json_at(o, "metadata.labels");
    struct map *map = labels && labels->child ? map_new(free) : NULL;

    json_each (label, labels)
        if (map && cJSON_IsString(label))
            map_set(map, label->string, xstrdup(label->valuestring));
    return map;
}

static char *label_of(const struct tui_object *o, const char *const *keys)
{
    for (; *keys; keys++) {
        const char *value = o->labels ? map_get(o->labels, *keys) : NULL;
        if (value)
            return xstrdup(value);
    }
    return xstrdup("");
}

static const cJSON *condition(const cJSON *o, const char *type)
{
    json_each (c, json_at(o, "status.conditions"))
        if (streq(json_str_or(c, "type", ""), type))
            return c;
    return NULL;
}

/* Health, reason and message out of the condition Ready. */
static void judge(struct tui_object *o, const cJSON *object)
{
    const cJSON *ready = condition(object, "Ready");
    const char *status = json_str_or(ready, "status", "");

    o->reason = xstrdup(json_str_or(ready, "reason", ""));
    o->message = xstrdup(json_str_or(ready, "message", ""));
    if (streq(status, "True"))
        o->health = TUI_HEALTH_GOOD;
    else if (streq(status, "False"))
        o->health = TUI_HEALTH_BAD;
    else
        o->health = TUI_HEALTH_UNKNOWN;
}

static void read_links(struct tui_workload *w, const cJSON *capabilities)
{
    w->links = xcalloc((size_t)cJSON_GetArraySize(capabilities) + 1, sizeof(*w->links));
    json_each (c, capabilities) {
        const char *name = json_str_or(c, "interface", ""), *provider = json_str_or(c, "provider", ""),
                   *actor = json_str_or(c, "actor", "");
        struct model_interface interface = {0};
        if (!*provider && !*actor)
            continue;
        struct tui_link *link = &w->links[w->nlinks++];
        link->interface = xstrdup(name);
        link->actor = !*provider;
        link->peer = xstrdup(*provider ? provider : actor);
        if (model_interface_parse(name, &interface, NULL) == 0)
            link->inward = model_interface_is_export(&interface);
        model_interface_release(&interface);
    }
}

static void read_workload(struct tui_object *o, const cJSON *object)
{
    struct tui_workload *w = &o->workload;
    const cJSON *progressing = condition(object, "Progressing"), *list = json_at(object, "status.placements");

    judge(o, object);
    w->lattice = text_at(object, "spec.lattice");
    w->image = text_at(object, "spec.image");
    w->id = text_at(object, o->kind == TUI_ACTOR ? "status.componentID" : "status.providerID");
    w->daemon = streq(json_str_or(json_at(object, "spec.placement"), "mode", ""), "Daemon");
    w->paused = cJSON_IsTrue(json_at(object, "spec.paused"));
    w->desired = w->daemon ? number_at(object, "status.replicas", -1) : number_at(object, "spec.replicas", 1);
    w->ready = number_at(object, "status.readyReplicas", 0);
    w->updated = number_at(object, "status.updatedReplicas", -1);
    const cJSON *address =
        json_at(object, o->kind == TUI_ACTOR ? "status.url" : "spec.config.default_address");
    w->address = cJSON_IsString(address) ? xstrdup(address->valuestring) : NULL;
    w->placements = xcalloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*w->placements));
    json_each (p, list)
        w->placements[w->nplacements++] = (struct tui_placement){
            .host = xstrdup(json_str_or(p, "host", "")),
            .state = xstrdup(json_str_or(p, "state", "")),
            .replicas = number_at(p, "replicas", 0),
            .ready = cJSON_IsTrue(json_get(p, "ready")),
        };
    read_links(w, json_at(object, "spec.capabilities"));
    if (o->health == TUI_HEALTH_BAD &&
        (w->ready > 0 || streq(json_str_or(progressing, "status", ""), "True") || streq(o->reason, "")))
        o->health = TUI_HEALTH_BUSY;
    if (!condition(object, "Ready"))
        o->health = TUI_HEALTH_BUSY;
}

static void read_host(struct tui_object *o, const cJSON *object)
{
    static const char *const clouds[] = {"cloud", "topology.kubernetes.io/region", "region", NULL};
    static const char *const zones[] = {"zone", "topology.kubernetes.io/zone", NULL};
    struct tui_host *h = &o->host;

    judge(o, object);
    h->lattice = text_at(object, "spec.lattice");
    h->friendly = text_at(object, "status.friendlyName");
    h->version = text_at(object, "status.version");
    h->hostname = text_at(object, "status.hostname");
    h->cloud = label_of(o, clouds);
    h->zone = label_of(o, zones);
    h->actors = number_at(object, "status.actorCount", 0);
    h->providers = number_at(object, "status.providerCount", 0);
    h->cordoned = cJSON_IsTrue(json_at(object, "spec.unschedulable"));
    h->lost = o->health == TUI_HEALTH_BAD;
    h->seen_ns = time_at(object, "status.lastSeen");
    if (o->health == TUI_HEALTH_GOOD &&
        (h->cordoned || streq(json_str_or(condition(object, "Synced"), "status", ""), "False")))
        o->health = TUI_HEALTH_WARN;
}

static void read_lattice(struct tui_object *o, const cJSON *object)
{
    struct tui_lattice *l = &o->lattice;
    const cJSON *rtt = json_at(object, "status.rttMillis");

    judge(o, object);
    l->driver = text_at(object, "spec.driver");
    l->id = text_at(object, "spec.id");
    l->hosts_ready = number_at(object, "status.hosts.ready", 0);
    l->hosts_total = number_at(object, "status.hosts.total", 0);
    l->rtt_ms = cJSON_IsNumber(rtt) && rtt->valuedouble >= 0 && rtt->valuedouble < 1e9
                    ? (int64_t)rtt->valuedouble
                    : -1;
    l->connected = cJSON_IsTrue(json_at(object, "status.connected"));
    if (!l->connected)
        o->health = TUI_HEALTH_BAD;
}

static void read_event(struct tui_object *o, const cJSON *object)
{
    struct tui_event *e = &o->event;
    int64_t series = time_at(object, "series.lastObservedTime"), last = time_at(object, "lastTimestamp"),
            once = time_at(object, "eventTime"), first = time_at(object, "firstTimestamp");

    o->reason = text_at(object, "reason");
    o->message = text_at(object, "message");
    e->type = text_at(object, "type");
    e->warning = streq(e->type, "Warning");
    o->health = e->warning ? TUI_HEALTH_WARN : TUI_HEALTH_GOOD;
    e->object_kind = text_at(object, "involvedObject.kind");
    e->object_name = text_at(object, "involvedObject.name");
    e->source = text_at(object, "reportingComponent");
    if (!*e->source) {
        free(e->source);
        e->source = text_at(object, "source.component");
    }
    e->last_ns = series ? series : last ? last : once ? once : o->created_ns;
    e->first_ns = first ? first : once ? once : o->created_ns;
    e->count = number_at(object, "series.count", number_at(object, "count", 1));
    if (!e->count)
        e->count = 1;
}

static uint64_t id_of(const struct tui_object *o)
{
    const unsigned char where[] = {(unsigned char)o->kind, (unsigned char)o->cluster,
                                   (unsigned char)(o->cluster >> 8)};
    uint64_t h = str_hash64(o->key, strlen(o->key), STR_HASH64_INIT);

    h = str_hash64(where, sizeof(where), h);
    return h ? h : 1;
}

struct tui_object *tui_object_new(enum tui_kind kind, unsigned cluster, const cJSON *object, bool keep_json)
{
    const cJSON *meta = json_get(object, "metadata");
    const char *name = json_str_or(meta, "name", ""), *namespace = json_str_or(meta, "namespace", "");

    if (!*name)
        return NULL;
    struct tui_object *o = xcalloc(1, sizeof(*o));
    o->refs = 1;
    o->kind = kind;
    o->cluster = cluster;
    o->name = xstrdup(name);
    o->namespace = *namespace ? xstrdup(namespace) : NULL;
    o->key = *namespace ? xasprintf("%s/%s", namespace, name) : xstrdup(name);
    o->id = id_of(o);
    const char *version = json_str_or(meta, "resourceVersion", "");
    o->version = *version ? str_hash64(version, strlen(version), STR_HASH64_INIT) : 0;
    o->labels = labels_of(object);
    o->created_ns = time_at(object, "metadata.creationTimestamp");
    o->deleting = json_get(meta, "deletionTimestamp") != NULL;
    o->json = keep_json ? json_print(object) : NULL;
    if (kind == TUI_ACTOR || kind == TUI_PROVIDER)
        read_workload(o, object);
    else if (kind == TUI_HOST)
        read_host(o, object);
    else if (kind == TUI_LATTICE)
        read_lattice(o, object);
    else
        read_event(o, object);
    if (o->deleting && o->health == TUI_HEALTH_GOOD)
        o->health = TUI_HEALTH_BUSY;
    return o;
}

struct tui_object *tui_object_ref(struct tui_object *o)
{
    if (o)
        o->refs++;
    return o;
}

static void release_workload(struct tui_workload *w)
{
    for (size_t i = 0; i < w->nplacements; i++) {
        free(w->placements[i].host);
        free(w->placements[i].state);
    }
    for (size_t i = 0; i < w->nlinks; i++) {
        free(w->links[i].interface);
        free(w->links[i].peer);
    }
    free(w->links);
    free(w->placements);
    free(w->lattice);
    free(w->image);
    free(w->id);
    free(w->address);
}

static void release_host(struct tui_host *h)
{
    free(h->lattice);
    free(h->friendly);
    free(h->version);
    free(h->hostname);
    free(h->cloud);
    free(h->zone);
}

static void release_event(struct tui_event *e)
{
    free(e->type);
    free(e->object_kind);
    free(e->object_name);
    free(e->source);
}

void tui_object_unref(struct tui_object *o)
{
    if (!o || --o->refs)
        return;
    if (o->kind == TUI_ACTOR || o->kind == TUI_PROVIDER) {
        release_workload(&o->workload);
    } else if (o->kind == TUI_HOST) {
        release_host(&o->host);
    } else if (o->kind == TUI_LATTICE) {
        free(o->lattice.driver);
        free(o->lattice.id);
    } else {
        release_event(&o->event);
    }
    map_free(o->labels);
    free(o->key);
    free(o->namespace);
    free(o->name);
    free(o->reason);
    free(o->message);
    free(o->json);
    free(o);
}
