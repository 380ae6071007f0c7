#include "operator/lattices.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/gvr.h"
#include "operator/heal.h"
#include "operator/links.h"
#include "operator/metrics.h"
#include "operator/rec.h"
#include "operator/sweep.h"
#include "operator/table.h"
#include "operator/unit.h"

enum {
    LINKS_REFRESH_MS = 60 * 1000,
    LINKS_RETRY_MS = 5 * 1000,
    FIRST_CONNECT_MS = 3000,
    REOPEN_MS = 10 * 1000,
    /* Changes of many hosts at a time are one reason to look at all units, and to write the Lattice's status.
     */
    ALL_UNITS_MS = 100,
    LATTICE_MS = 100,
};

struct op_lattice *op_lattice_get(const struct op *op, const char *name)
{
    return map_get(op->lats, name);
}

bool op_lattice_usable(const struct op_lattice *l)
{
    return l && l->lat && l->connected && lat_synced(l->lat);
}

bool op_lattice_connecting(const struct op_lattice *l)
{
    return l && l->lat && !l->ever_connected && loop_now_ms(l->op->loop) - l->opened_ms < FIRST_CONNECT_MS;
}

const struct op_host *op_lattice_host(const struct op_lattice *l, const char *host_id)
{
    return map_get(l->hosts, host_id);
}

void op_lattice_starting(struct op_lattice *l, const char *host_id, int delta)
{
    struct op_host *h = l ? map_get(l->hosts, host_id) : NULL;

    if (!h || (delta < 0 && !h->starting))
        return;
    h->starting = (uint32_t)((int)h->starting + delta);
    table_load_changed(l, h);
}

static void host_free(void *p)
{
    struct op_host *h = p;

    map_free(h->labels);
    map_free(h->units);
    free(h->id);
    free(h);
}

static struct op_host *host_get(struct op_lattice *l, const char *id)
{
    struct op_host *h = map_get(l->hosts, id);

    if (h)
        return h;
    h = xcalloc(1, sizeof(*h));
    h->id = xstrdup(id);
    h->slot = SIZE_MAX;
    h->units = map_new(free);
    h->labels = map_new(free);
    map_set(l->hosts, id, h);
    return h;
}

void op_lattice_drop_host(struct op_lattice *l, const char *host_id)
{
    struct op_host *h = map_get(l->hosts, host_id);

    if (!h)
        return;
    table_invalidate(l);
    table_units_changed(l, h, h->units, NULL);
    map_del(l->hosts, host_id);
}

/* Labels */

static bool rule_matches(const struct model_label_rule *r, const struct lat_host *h)
{
    if (r->host_id && strcasecmp(r->host_id, h->id) != 0)
        return false;
    if (r->friendly_name && !streq(r->friendly_name, h->friendly_name))
        return false;
    if (r->hostname_regex && !links_regex_matches(r->hostname_regex, h->hostname))
        return false;
    if (r->label_key) {
        const char *value = map_get(h->labels, r->label_key);
        if (!value || (r->label_value && !streq(value, r->label_value)))
            return false;
    }
    return true;
}

static void add_label(struct map *labels, const char *key, const char *value)
{
    _cleanup_free_ char *legal = model_label_key(key);

    if (legal)
        map_set(labels, legal, model_label_value(value));
}

static struct map *merged_labels(const struct lat_host *h, const struct model_lattice *object)
{
    struct map *labels = map_new(free);

    for (struct map_iter it = {0}; map_next(h->labels, &it);)
        add_label(labels, it.key, it.value ? it.value : "");
    for (size_t i = 0; object && i < object->nrules; i++) {
        if (!rule_matches(&object->rules[i], h))
            continue;
        for (struct map_iter it = {0}; map_next(object->rules[i].labels, &it);)
            add_label(labels, it.key, it.value);
    }
    return labels;
}

static uint64_t hash_labels(const struct map *labels)
{
    cJSON *o = model_string_map_json(labels);
    uint64_t hash = json_hash(o);

    cJSON_Delete(o);
    return hash;
}

/* Host changes */

static uint64_t hash_unit(const char *image, uint32_t count, bool healthy, const struct map *annotations)
{
    uint64_t h = str_hash64(image, strlen(image), STR_HASH64_INIT);
    const char *owner = map_get(annotations, MODEL_OWNER), *revision = map_get(annotations, MODEL_REVISION);

    h = str_hash64(&count, sizeof(count), h);
    h = str_hash64(&healthy, sizeof(healthy), h);
    if (owner)
        h = str_hash64(owner, strlen(owner), h);
    return revision ? str_hash64(revision, strlen(revision), h) : h;
}

static void set_hash(struct map *m, const char *id, uint64_t hash)
{
    uint64_t *p = xmalloc(sizeof(*p));

    *p = hash;
    map_set(m, id, p);
}

static struct map *unit_hashes(const struct lat_host *h, uint32_t *ret_load)
{
    struct map *m = map_new(free);

    *ret_load = 0;
    for (size_t i = 0; i < h->ncomponents; i++) {
        const struct lat_component *c = &h->components[i];
        set_hash(m, c->id, hash_unit(c->image, c->count, true, c->annotations));
        *ret_load += 1;
    }
    for (size_t i = 0; i < h->nproviders; i++) {
        const struct lat_provider *p = &h->providers[i];
        set_hash(m, p->id, hash_unit(p->image, 1, p->healthy, p->annotations));
    }
    return m;
}

/* Units whose id appeared, went or changed on this host. */
static void enqueue_changed_units(struct op_lattice *l, const struct map *before, const struct map *after)
{
    for (struct map_iter it = {0}; map_next(after, &it);) {
        const uint64_t *old = map_get(before, it.key), *now = it.value;
        if (!old || *old != *now)
            sweep_enqueue_id(l, it.key);
    }
    for (struct map_iter it = {0}; map_next(before, &it);)
        if (!map_has(after, it.key))
            sweep_enqueue_id(l, it.key);
}

/* True when they have changed. */
static bool relabel(struct op_lattice *l, struct op_host *mine, const struct lat_host *h,
                    const struct model_lattice *object)
{
    struct map *labels = merged_labels(h, object);
    uint64_t hash = hash_labels(labels);

    if (hash == mine->labels_hash) {
        map_free(labels);
        return false;
    }
    map_free(mine->labels);
    mine->labels = labels;
    mine->labels_hash = hash;
    table_invalidate(l);
    return true;
}

static void look_at_all_units(void *arg)
{
    struct op_lattice *l = arg;

    op_enqueue_lattice(l->op, l->name);
}

static void look_at_all_units_soon(struct op_lattice *l)
{
    if (!loop_timer_active(l->all_units))
        loop_timer_start(l->all_units, ALL_UNITS_MS);
}

static void note_loss(struct op *op, const struct lat_host *h, const struct map *annotations)
{
    const char *owner = map_get(annotations, MODEL_OWNER);
    enum model_kind kind;
    _cleanup_free_ char *key = NULL;

    if (!owner || !op_owner_parse(op, owner, &kind, &key))
        return;
    struct op_unit *u = unit_find(op, kind, key);
    if (u)
        tally_lost(&u->tally, h->last_seen_ms, h->state);
}

/* Everything of ours that ran there has to be replaced: from its last sign of life on it is missed. */
static void note_losses(struct op *op, const struct lat_host *h)
{
    for (size_t i = 0; i < h->ncomponents; i++)
        note_loss(op, h, h->components[i].annotations);
    for (size_t i = 0; i < h->nproviders; i++)
        note_loss(op, h, h->providers[i].annotations);
}

static void on_host_changed(void *arg, const struct lat_host *h)
{
    struct op_lattice *l = arg;
    bool is_new = !map_has(l->hosts, h->id);
    struct op_host *mine = host_get(l, h->id);

    bool relabelled = relabel(l, mine, h, op_lattice_object(l->op, l->name));
    bool state_changed = is_new || lat_host_alive(mine->state) != lat_host_alive(h->state) ||
                         (mine->state == LAT_HOST_SUSPECT) != (h->state == LAT_HOST_SUSPECT);
    state_changed |= (mine->hearing == LAT_DEAF) != (h->hearing == LAT_DEAF) ||
                     (mine->hearing == LAT_HEARS) != (h->hearing == LAT_HEARS);
    if (!is_new && mine->hearing != h->hearing && h->hearing == LAT_DEAF)
        log_warn("the host no longer sees changes of links and configuration", "lattice", l->name, "host",
                 h->id, NULL);
    if (is_new || mine->state != h->state || mine->has_inventory != h->has_inventory ||
        mine->hearing != h->hearing)
        table_invalidate(l);
    mine->has_inventory = h->has_inventory;
    mine->hearing = h->hearing;
    /* Hosts keep registry credentials in memory: one that starts has none. */
    if (is_new || (lat_host_alive(h->state) && !lat_host_alive(mine->state)))
        map_clear(l->logins);
    if (lat_host_dead(h->state)) {
        if (!is_new && !mine->dead_since_ms)
            note_losses(l->op, h);
        if (!mine->dead_since_ms)
            mine->dead_since_ms = loop_now_ms(l->op->loop);
    } else {
        mine->dead_since_ms = 0;
    }
    struct map *units = unit_hashes(h, &mine->load);
    struct map *before = mine->units;
    mine->units = units;
    table_units_changed(l, mine, before, units);
    table_load_changed(l, mine);
    /* What runs there first: it may be lost. Others may want to move here, or must not any more. */
    enqueue_changed_units(l, state_changed ? NULL : before, units);
    if (state_changed || relabelled)
        look_at_all_units_soon(l);
    map_free(before);
    if (h->has_inventory && lat_host_alive(h->state) && lat_synced(l->lat))
        sweep_host(l, h);

    if (!is_new && mine->state != h->state)
        log_info("host state changed", "lattice", l->name, "host", h->id, "reason", lat_host_reason(h->state),
                 NULL);
    mine->state = h->state;
    _cleanup_free_ char *key = xasprintf("%s/%s", l->name, h->id);
    wq_add(l->op->q_host, key);
    wq_add_after(l->op->q_lattice, l->name, LATTICE_MS);
}

void op_lattice_relabel(struct op_lattice *l, const struct model_lattice *object)
{
    /* The rules are all that matters here; the hosts' own labels are looked at when they change. */
    if (!l->lat || l->labelled_generation == object->meta.generation)
        return;
    l->labelled_generation = object->meta.generation;
    for (struct map_iter it = {0}; lat_host_next(l->lat, &it);) {
        const struct lat_host *h = it.value;
        struct op_host *mine = map_get(l->hosts, h->id);
        if (!mine || !relabel(l, mine, h, object))
            continue;
        _cleanup_free_ char *key = xasprintf("%s/%s", l->name, h->id);
        wq_add(l->op->q_host, key);
        op_enqueue_lattice(l->op, l->name);
    }
}

/* Connection */

static void on_connection(void *arg, bool connected, const struct err *err)
{
    struct op_lattice *l = arg;

    l->connected = connected;
    l->ever_connected = l->ever_connected || connected;
    xstr_replace(&l->disconnected_why, connected ? NULL : err_text(err));
    l->refused = !connected && err && err->code == ERR_UNAUTHORIZED;
    if (connected)
        log_info("lattice connected", "lattice", l->name, NULL);
    else
        log_warn("lattice is not connected", "lattice", l->name, "error", err_text(err), NULL);
    if (!connected)
        l->links_known = false;
    wq_add(l->op->q_lattice, l->name);
    op_enqueue_lattice(l->op, l->name);
}

static void on_synced(void *arg)
{
    struct op_lattice *l = arg;

    log_info("lattice synced", "lattice", l->name, NULL);
    l->synced_ms = loop_now_ms(l->op->loop);
    /* Config may have been lost with the server's storage: it is put again where it is needed. */
    map_clear(l->configs);
    map_clear(l->logins);
    op_lattice_refresh_links(l);
    wq_add(l->op->q_lattice, l->name);
    for (struct map_iter it = {0}; lat_host_next(l->lat, &it);) {
        const struct lat_host *h = it.value;
        if (h->has_inventory && lat_host_alive(h->state))
            sweep_host(l, h);
    }
    op_enqueue_lattice(l->op, l->name);
}

static void on_store_changed(void *arg)
{
    struct op_lattice *l = arg;

    wq_add(l->op->q_lattice, l->name);
    op_enqueue_lattice(l->op, l->name);
}

static void on_event(void *arg, const struct lat_event *e)
{
    struct op_lattice *l = arg;

    switch (e->kind) {
    case LAT_EVENT_LINK_SET:
    case LAT_EVENT_LINK_DELETED:
    case LAT_EVENT_LINK_FAILED:
        op_lattice_refresh_links(l);
        break;
    case LAT_EVENT_CONFIG_DELETED:
        if (map_del(l->configs, e->subject))
            op_enqueue_lattice(l->op, l->name);
        break;
    default:
        break;
    }
}

static void on_operation(void *arg, const char *operation, const struct err *err, int64_t waited_ms,
                         int64_t took_ms)
{
    const struct op_lattice *l = arg;

    op_metrics_operation(l->op->metrics, l->name, operation, err, waited_ms, took_ms);
}

static bool everyone_hears(const struct op_lattice *l)
{
    for (struct map_iter it = {0}; lat_host_next(l->lat, &it);) {
        const struct lat_host *h = it.value;
        if (lat_host_alive(h->state) && (h->hearing == LAT_DEAF || h->hearing == LAT_DOUBTFUL))
            return false;
    }
    return true;
}

static void on_links(void *arg, const struct lat_link *links, size_t n, const struct err *err)
{
    struct op_lattice *l = arg;

    l->links_op = NULL;
    if (err) {
        log_debug("cannot read links", "lattice", l->name, "error", err_text(err), NULL);
        loop_timer_start(l->links_timer, LINKS_RETRY_MS);
        return;
    }
    struct lat_link *now = links_copy(links, n);
    links_correct(l, &now, &n, !everyone_hears(l));
    bool changed = !l->links_known || !links_equal(l->links, l->nlinks, now, n);
    links_free(l->links, l->nlinks);
    l->links = now;
    l->nlinks = n;
    l->links_known = true;
    if (l->links_stale) {
        l->links_stale = false;
        op_lattice_refresh_links(l);
    } else {
        loop_timer_start(l->links_timer, LINKS_REFRESH_MS);
    }
    if (changed) {
        sweep_links(l);
        op_enqueue_lattice(l->op, l->name);
    }
}

static void refresh_links_now(void *arg)
{
    op_lattice_refresh_links(arg);
}

void op_lattice_refresh_links(struct op_lattice *l)
{
    if (!l->lat || !l->connected)
        return;
    if (l->links_op) {
        l->links_stale = true;
        return;
    }
    loop_timer_stop(l->links_timer);
    l->links_op = lat_links(l->lat, on_links, l);
}

/* Secrets of the connection */

static char *secret_value(const cJSON *secret, const char *key)
{
    const cJSON *value = json_get(json_get(secret, "data"), key);
    char *data = NULL;
    size_t len;

    if (!cJSON_IsString(value) || str_base64_decode(value->valuestring, &data, &len) < 0)
        return NULL;
    return data;
}

/* Takes value. */
static void set_value(struct op_lattice *l, char **at, char *value)
{
    if (l->lat && !streq_null(*at, value))
        l->secrets_changed = true;
    free(*at);
    *at = value;
}

static void on_secret(void *arg, const struct kube_response *response, const struct err *err)
{
    struct op_secret_wait *wait = arg;
    struct op_lattice *l = wait->lattice;
    bool tls = wait->tls;
    _cleanup_json_ cJSON *secret = NULL;
    struct err *e = NULL;

    l->secret_requests[tls] = NULL;
    const struct model_lattice *object = op_lattice_object(l->op, l->name);
    if (!object)
        return;
    const struct model_secret_ref *ref = tls ? &object->tls : &object->credentials;
    if (err)
        e = err_copy(err);
    else
        json_parse(response->body, response->len, "secret", &secret, &e);
    if (secret && tls) {
        set_value(l, &l->tls_ca, secret_value(secret, "ca.crt"));
        set_value(l, &l->tls_cert, secret_value(secret, "tls.crt"));
        set_value(l, &l->tls_key, secret_value(secret, "tls.key"));
        if (!l->tls_ca && !l->tls_cert)
            err_set(&e, ERR_INVALID, "it has neither ca.crt nor tls.crt");
    } else if (secret) {
        const char *key = ref->key ? ref->key : "user.creds";
        set_value(l, &l->credentials, secret_value(secret, key));
        if (!l->credentials)
            err_set(&e, ERR_INVALID, "it has no key \"%s\"", key);
    }
    if (e && l->lat) {
        log_debug("cannot read a secret again", "lattice", l->name, "error", err_text(e), NULL);
        err_free(e);
    } else if (e) {
        xstr_replace(&l->problem, NULL);
        l->problem = xasprintf("Secret %s/%s, named in spec.nats.%s: %s; it is read again every 10 s",
                               ref->namespace ? ref->namespace : "default", ref->name,
                               tls ? "tlsSecret" : "credentialsSecret", err_text(e));
        err_free(e);
        l->retry_ms = loop_now_ms(l->op->loop) + REOPEN_MS;
    }
    wq_add(l->op->q_lattice, l->name);
}

static void read_secret(struct op_lattice *l, const struct model_secret_ref *ref, bool tls)
{
    if (!ref->name || l->secret_requests[tls])
        return;
    const struct kube_resource *secrets = kube_builtin_find("secrets");
    _cleanup_free_ char *path =
        kube_path(secrets, ref->namespace ? ref->namespace : "default", ref->name, NULL);
    l->secret_waits[tls] = (struct op_secret_wait){.lattice = l, .tls = tls};
    struct kube_call call = {.method = "GET", .path = path, .done = on_secret, .arg = &l->secret_waits[tls]};
    l->secret_requests[tls] = kube_do(l->op->client, &call);
}

/* True when the secret is here or not needed. */
static bool have_secret(struct op_lattice *l, const struct model_secret_ref *ref, bool tls)
{
    if (!ref->name || (tls ? l->tls_ca || l->tls_cert : l->credentials != NULL))
        return true;
    read_secret(l, ref, tls);
    return false;
}

static bool has_secrets(const struct model_lattice *object)
{
    return object->credentials.name || object->tls.name;
}

/* What a server refuses may have been mended in the Secret meanwhile. */
static void look_at_secrets(struct op_lattice *l, const struct model_lattice *object)
{
    int64_t now = loop_now_ms(l->op->loop);

    if (l->connected || now < l->retry_ms || !has_secrets(object))
        return;
    l->retry_ms = now + REOPEN_MS;
    read_secret(l, &object->credentials, false);
    read_secret(l, &object->tls, true);
}

int64_t op_lattice_due(const struct op_lattice *l)
{
    const struct model_lattice *object = op_lattice_object(l->op, l->name);
    int64_t now = loop_now_ms(l->op->loop), at = l->retry_ms;

    if (op_lattice_connecting(l))
        at = l->opened_ms + FIRST_CONNECT_MS;
    else if (l->connected || (l->lat && !(object && has_secrets(object))))
        return 0;
    return at > now ? at - now : 0;
}

static void try_open(struct op_lattice *l, const struct model_lattice *object)
{
    struct err *e = NULL;
    struct lat_options options = {
        .driver = object->driver,
        .name = object->meta.name,
        .id = object->id,
        .bus = {.servers = object->servers,
                .name = "wasm-operator",
                .credentials = l->credentials,
                .ca_pem = l->tls_ca,
                .cert_pem = l->tls_cert,
                .key_pem = l->tls_key},
        .js_domain = object->js_domain,
        .probe_interval_ms = object->probe_interval_ms,
        .unreachable_after_ms = object->unreachable_after_ms,
        .connection = on_connection,
        .synced = on_synced,
        .host_changed = on_host_changed,
        .event = on_event,
        .observe = on_operation,
        .store_changed = on_store_changed,
        .arg = l,
    };

    if (lat_open(l->op->loop, &options, &l->lat, &e) < 0) {
        free(l->problem);
        l->problem = xstrdup(err_text(e));
        err_free(e);
        /* Secrets are read anew for the next try: the reason may lie in them. */
        xstr_replace(&l->credentials, NULL);
        xstr_replace(&l->tls_ca, NULL);
        xstr_replace(&l->tls_cert, NULL);
        xstr_replace(&l->tls_key, NULL);
        l->retry_ms = loop_now_ms(l->op->loop) + REOPEN_MS;
        return;
    }
    xstr_replace(&l->problem, NULL);
    l->opened_ms = loop_now_ms(l->op->loop);
    l->retry_ms = l->opened_ms + REOPEN_MS;
    if (!l->disconnected_why)
        l->disconnected_why = xstrdup("connecting");
}

struct op_lattice *op_lattice_open(struct op *op, const struct model_lattice *object)
{
    struct op_lattice *l = op_lattice_get(op, object->meta.name);

    if (l && (l->connection_hash != object->connection_hash || l->secrets_changed)) {
        log_info(l->secrets_changed ? "credentials of the lattice changed"
                                    : "lattice connection settings changed",
                 "lattice", l->name, NULL);
        op_lattice_close(op, object->meta.name);
        l = NULL;
    }
    if (!l) {
        l = xcalloc(1, sizeof(*l));
        l->op = op;
        l->name = xstrdup(object->meta.name);
        l->connection_hash = object->connection_hash;
        l->hosts = map_new(host_free);
        l->configs = map_new(NULL);
        l->own_links = map_new(links_own_free);
        l->logins = map_new(free);
        l->operations = map_new(links_task_free);
        l->links_timer = loop_timer_new(op->loop, refresh_links_now, l);
        l->all_units = loop_timer_new(op->loop, look_at_all_units, l);
        map_set(op->lats, l->name, l);
    }
    if (l->lat)
        look_at_secrets(l, object);
    if (l->lat || object->problem || loop_now_ms(op->loop) < l->retry_ms)
        return l;
    bool credentials = have_secret(l, &object->credentials, false), tls = have_secret(l, &object->tls, true);
    if (credentials && tls)
        try_open(l, object);
    return l;
}

void op_lattice_free(void *p)
{
    struct op_lattice *l = p;

    for (size_t i = 0; i < ARRAY_LEN(l->secret_requests); i++)
        kube_req_cancel(l->secret_requests[i]);
    map_free(l->operations);
    heal_release(l);
    lat_op_cancel(l->links_op);
    loop_timer_free(l->links_timer);
    loop_timer_free(l->all_units);
    lat_close(l->lat);
    links_free(l->links, l->nlinks);
    map_free(l->hosts);
    map_free(l->where);
    free(l->table);
    map_free(l->configs);
    map_free(l->own_links);
    map_free(l->logins);
    free(l->credentials);
    free(l->tls_ca);
    free(l->tls_cert);
    free(l->tls_key);
    free(l->problem);
    free(l->disconnected_why);
    free(l->name);
    free(l);
}

void op_lattice_close(struct op *op, const char *name)
{
    rec_units_cancel_lattice(op, name);
    map_del(op->lats, name);
}
