/* Descriptions of our own kinds: what runs where, why not, and what it is connected to. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/describe.h"

#define _cleanup_table_ _cleanup_(print_table_freep)

static char *keys_text(const cJSON *map)
{
    struct buf b = BUF_INIT;

    json_each (item, map)
        buf_addf(&b, "%s%s", b.len ? ", " : "", item->string);
    return buf_take(&b);
}

static char *map_text(const cJSON *map)
{
    struct buf b = BUF_INIT;

    json_each (item, map) {
        _cleanup_free_ char *value = cJSON_IsString(item) ? xstrdup(item->valuestring) : json_print(item);
        buf_addf(&b, "%s%s=%s", b.len ? "," : "", item->string, value);
    }
    return buf_take(&b);
}

/* Names of ConfigMaps and Secrets of a configFrom list, in words. */
static char *sources_text(const cJSON *sources)
{
    struct buf b = BUF_INIT;

    json_each (source, sources) {
        const char *map = json_str(source, "configMapRef.name"), *secret = json_str(source, "secretRef.name");
        buf_addf(&b, "%s%s %s", b.len ? ", " : "", secret ? "Secret" : "ConfigMap",
                 secret ? secret
                 : map  ? map
                        : "?");
    }
    return buf_take(&b);
}

static void add_config(struct describe *d, const cJSON *spec)
{
    _cleanup_free_ char *sources = sources_text(json_get(spec, "configFrom"));
    const cJSON *config = json_get(spec, "config");

    if (config && config->child)
        describe_map(d, 0, "Config", config, "=");
    describe_opt(d, 0, "Config From", sources);
}

static void add_placement_rules(struct describe *d, const cJSON *spec)
{
    const cJSON *placement = json_get(spec, "placement");
    _cleanup_free_ char *selector = describe_selector(json_get(placement, "hostSelector"));

    describe_head(d, 0, "Placement");
    describe_kv(d, 1, "Mode", "%s", json_str_or(placement, "mode", "Spread"));
    describe_kv(d, 1, "Hosts", "%s", selector);
    json_each (spread, json_get(placement, "spread")) {
        _cleanup_free_ char *weights = map_text(json_get(spread, "weights"));
        describe_kv(d, 1, "Spread", "over %s, at most %lld apart, otherwise %s%s%s",
                    json_str_or(spread, "topologyKey", "?"), (long long)json_int(spread, "maxSkew", 1),
                    json_str_or(spread, "whenUnsatisfiable", "DoNotSchedule"), *weights ? ", weights " : "",
                    weights);
    }
    json_each (toleration, json_get(placement, "tolerations")) {
        const char *value = json_str(toleration, "value");
        describe_kv(d, 1, "Tolerates", "%s%s%s%s%s", json_str_or(toleration, "key", "every taint"),
                    value ? "=" : "", value ? value : "", json_str(toleration, "effect") ? ":" : "",
                    json_str_or(toleration, "effect", ""));
    }
}

static void add_capabilities(struct describe *d, const cJSON *spec)
{
    _cleanup_table_ struct print_table *t = print_table_new();
    const cJSON *capabilities = json_get(spec, "capabilities");

    if (!capabilities || !capabilities->child) {
        describe_none(d, 0, "Capabilities");
        return;
    }
    describe_head(d, 0, "Capabilities");
    print_table_row(t, "Interface", "Through", "Name", "Config", NULL);
    print_table_row(t, "---------", "-------", "----", "------", NULL);
    json_each (c, capabilities) {
        const char *provider = json_str(c, "provider"), *actor = json_str(c, "actor");
        _cleanup_free_ char *config = map_text(json_get(c, "config"));
        _cleanup_free_ char *sources = sources_text(json_get(c, "configFrom"));
        print_table_cell(t, json_str(c, "interface"));
        if (provider || actor)
            print_table_cellf(t, "%s %s", provider ? "provider" : "actor", provider ? provider : actor);
        else
            print_table_cell(t, "the host");
        print_table_cell(t, json_str_or(c, "name", "default"));
        print_table_cellf(t, "%s%s%s", config, *config && *sources ? " + " : "", sources);
        print_table_end_row(t);
    }
    describe_table(d, 1, t);
}

static void add_placements(struct describe *d, const cJSON *o)
{
    _cleanup_table_ struct print_table *t = print_table_new();
    const cJSON *placements = json_at(o, "status.placements");
    char age[24];

    if (!placements || !placements->child) {
        describe_none(d, 0, "Placements");
        return;
    }
    describe_head(d, 0, "Placements");
    print_table_row(t, "Host", "State", "Replicas", "Since", "Topology", "Image", "Message", NULL);
    print_table_row(t, "----", "-----", "--------", "-----", "--------", "-----", "-------", NULL);
    json_each (p, placements) {
        _cleanup_free_ char *topology = map_text(json_get(p, "topology"));
        print_table_cell(t, json_str(p, "host"));
        print_table_cell(t, json_str(p, "state"));
        print_table_cellf(t, "%lld", (long long)json_int(p, "replicas", 0));
        print_table_cell(t, describe_age(json_str(p, "since"), age));
        print_table_cell(t, *topology ? topology : "<none>");
        print_table_cell(t, json_str(p, "image"));
        print_table_cell(t, json_str(p, "message"));
        print_table_end_row(t);
    }
    describe_table(d, 1, t);
}

static void add_update(struct describe *d, const cJSON *spec)
{
    const cJSON *update = json_get(spec, "update");
    const char *strategy = json_str(update, "strategy");
    struct buf limits = BUF_INIT;

    if (!strategy)
        return;
    json_each (item, update) {
        if (streq(item->string, "strategy"))
            continue;
        _cleanup_free_ char *value = cJSON_IsString(item) ? xstrdup(item->valuestring) : json_print(item);
        buf_addf(&limits, ", %s %s", item->string, value);
    }
    describe_kv(d, 0, "Update", "%s%s", strategy, buf_str(&limits));
    buf_release(&limits);
}

static void describe_workload(struct describe *d, const cJSON *o, bool actor)
{
    const cJSON *spec = json_get(o, "spec"), *status = json_get(o, "status");

    describe_metadata(d, o);
    describe_kv(d, 0, "Lattice", "%s", json_str_or(spec, "lattice", "default"));
    describe_kv(d, 0, "Image", "%s", json_str_or(spec, "image", ""));
    describe_opt(d, 0, "Pull Secret", json_str(spec, "imagePullSecret"));
    if (streq(json_str_or(spec, "placement.mode", "Spread"), "Daemon"))
        describe_kv(d, 0, "Replicas", "one on each matching host | %lld placed | %lld ready | %lld updated",
                    (long long)json_int(status, "replicas", 0),
                    (long long)json_int(status, "readyReplicas", 0),
                    (long long)json_int(status, "updatedReplicas", 0));
    else
        describe_kv(d, 0, "Replicas", "%lld desired | %lld placed | %lld ready | %lld updated",
                    (long long)json_int(spec, "replicas", 1), (long long)json_int(status, "replicas", 0),
                    (long long)json_int(status, "readyReplicas", 0),
                    (long long)json_int(status, "updatedReplicas", 0));
    if (actor && json_get(spec, "concurrency"))
        describe_kv(d, 0, "Concurrency", "%lld calls a replica", (long long)json_int(spec, "concurrency", 0));
    describe_opt(d, 0, "Memory Limit", json_str(spec, "limits.memory"));
    describe_opt(d, 0, actor ? "Component ID" : "Provider ID",
                 json_str(spec, actor ? "componentID" : "providerID"));
    add_update(d, spec);
    if (json_bool(spec, "paused", false))
        describe_kv(d, 0, "Paused", "yes: changes are not rolled out");
    add_config(d, spec);
    add_placement_rules(d, spec);
    if (actor)
        add_capabilities(d, spec);
    describe_conditions(d, o);
    add_placements(d, o);
    int64_t seen = json_int(status, "observedGeneration", 0), now = json_int(o, "metadata.generation", 0);
    if (seen < now)
        describe_kv(d, 0, "Note", "the operator has not seen the newest change yet (generation %lld of %lld)",
                    (long long)seen, (long long)now);
}

static void describe_lattice(struct describe *d, const cJSON *o)
{
    _cleanup_table_ struct print_table *t = print_table_new();
    const cJSON *spec = json_get(o, "spec"), *status = json_get(o, "status");
    const cJSON *topology = json_get(status, "topology");
    struct buf servers = BUF_INIT;

    describe_metadata(d, o);
    describe_kv(d, 0, "Driver", "%s", json_str_or(spec, "driver", "wasmcloud.v1"));
    describe_kv(d, 0, "Lattice ID", "%s", json_str_or(spec, "id", "default"));
    json_each (s, json_at(spec, "nats.servers"))
        buf_addf(&servers, "%s%s", servers.len ? ", " : "", cJSON_IsString(s) ? s->valuestring : "?");
    describe_kv(d, 0, "NATS Servers", "%s", servers.len ? buf_str(&servers) : "<none>");
    buf_release(&servers);
    describe_opt(d, 0, "JetStream Domain", json_str(spec, "nats.jetStreamDomain"));
    if (json_str(spec, "nats.credentialsSecret.name"))
        describe_kv(d, 0, "Credentials", "Secret %s/%s",
                    json_str_or(spec, "nats.credentialsSecret.namespace", "default"),
                    json_str(spec, "nats.credentialsSecret.name"));
    if (json_str(spec, "nats.tlsSecret.name"))
        describe_kv(d, 0, "TLS", "Secret %s/%s", json_str_or(spec, "nats.tlsSecret.namespace", "default"),
                    json_str(spec, "nats.tlsSecret.name"));
    describe_kv(d, 0, "Connected", "%s%s%s", json_bool(status, "connected", false) ? "yes" : "no",
                json_str(status, "server") ? ", to " : "", json_str_or(status, "server", ""));
    if (json_get(status, "rttMillis")) {
        _cleanup_free_ char *rtt = json_print(json_get(status, "rttMillis"));
        describe_kv(d, 0, "Round Trip", "%s ms", rtt);
    }
    describe_kv(d, 0, "Hosts", "%lld ready of %lld", (long long)json_int(status, "hosts.ready", 0),
                (long long)json_int(status, "hosts.total", 0));
    describe_conditions(d, o);
    if (!topology || !topology->child)
        return;
    describe_head(d, 0, "Topology");
    print_table_row(t, "Key", "Value", "Hosts", "Ready", NULL);
    print_table_row(t, "---", "-----", "-----", "-----", NULL);
    json_each (row, topology) {
        print_table_cell(t, json_str(row, "key"));
        print_table_cell(t, json_str(row, "value"));
        print_table_cellf(t, "%lld", (long long)json_int(row, "hosts", 0));
        print_table_cellf(t, "%lld", (long long)json_int(row, "ready", 0));
        print_table_end_row(t);
    }
    describe_table(d, 1, t);
}

/* Rows of what is placed on the host; returns how many. */
static int add_running(struct print_table *t, const cJSON *list, const char *kind, const char *host)
{
    char age[24];
    int n = 0;

    json_each (o, json_get(list, "items"))
        json_each (p, json_at(o, "status.placements")) {
            if (!streq(json_str_or(p, "host", ""), host))
                continue;
            print_table_cell(t, kind);
            print_table_cell(t, json_str(o, "metadata.namespace"));
            print_table_cell(t, json_str(o, "metadata.name"));
            print_table_cell(t, json_str(p, "state"));
            print_table_cellf(t, "%lld", (long long)json_int(p, "replicas", 0));
            print_table_cell(t, describe_age(json_str(p, "since"), age));
            print_table_cell(t, json_str(p, "image"));
            print_table_end_row(t);
            n++;
        }
    return n;
}

static void describe_host(struct describe *d, const cJSON *o, const cJSON *actors, const cJSON *providers)
{
    _cleanup_table_ struct print_table *t = print_table_new();
    const cJSON *spec = json_get(o, "spec"), *status = json_get(o, "status"),
                *resources = json_get(status, "resources");
    const char *name = json_str_or(o, "metadata.name", "");
    char age[24];

    describe_metadata(d, o);
    describe_kv(d, 0, "Lattice", "%s", json_str_or(spec, "lattice", ""));
    describe_kv(d, 0, "Host ID", "%s", json_str_or(spec, "hostID", ""));
    describe_opt(d, 0, "Friendly Name", json_str(status, "friendlyName"));
    describe_opt(d, 0, "Hostname", json_str(status, "hostname"));
    describe_opt(d, 0, "Version", json_str(status, "version"));
    if (json_get(status, "httpPort"))
        describe_kv(d, 0, "HTTP Port", "%lld", (long long)json_int(status, "httpPort", 0));
    describe_kv(d, 0, "Unschedulable", "%s",
                json_bool(spec, "unschedulable", false) ? "yes (cordoned)" : "no");
    json_each (taint, json_get(spec, "taints"))
        describe_kv(d, 0, "Taint", "%s=%s:%s", json_str_or(taint, "key", ""), json_str_or(taint, "value", ""),
                    json_str_or(taint, "effect", ""));
    if (json_str(status, "lastSeen"))
        describe_kv(d, 0, "Last Seen", "%s ago", describe_age(json_str(status, "lastSeen"), age));
    json_each (item, resources) {
        _cleanup_free_ char *value = cJSON_IsString(item) ? xstrdup(item->valuestring) : json_print(item);
        _cleanup_free_ char *key = xasprintf("Resource %s", item->string);
        describe_kv(d, 0, key, "%s", value);
    }
    const cJSON *reported = json_get(status, "labels");
    if (reported && reported->child) {
        _cleanup_free_ char *labels = keys_text(reported);
        describe_kv(d, 0, "Reported Labels", "%s", labels);
    }
    describe_conditions(d, o);
    print_table_row(t, "Kind", "Namespace", "Name", "State", "Replicas", "Since", "Image", NULL);
    print_table_row(t, "----", "---------", "----", "-----", "--------", "-----", "-----", NULL);
    int n = add_running(t, actors, "WasmActor", name);
    n += add_running(t, providers, "WasmProvider", name);
    if (n == 0) {
        describe_none(d, 0, "Running Here");
        return;
    }
    describe_head(d, 0, "Running Here");
    describe_table(d, 1, t);
}

bool describe_wasm(struct describe *d, const cJSON *o, const cJSON *actors, const cJSON *providers)
{
    const char *kind = json_str_or(o, "kind", "");

    if (!str_starts(json_str_or(o, "apiVersion", ""), "wasmctl.dev/"))
        return false;
    if (streq(kind, "WasmActor") || streq(kind, "WasmProvider"))
        describe_workload(d, o, streq(kind, "WasmActor"));
    else if (streq(kind, "Lattice"))
        describe_lattice(d, o);
    else if (streq(kind, "LatticeHost"))
        describe_host(d, o, actors, providers);
    else
        return false;
    return true;
}
