#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/gvr.h"
#include "operator/exec.h"
#include "operator/lattices.h"

enum { LOST_SHOWN_MOST = 16, HOLD_MS = 1000 };

/* One verdict: what a condition says. */
struct verdict {
    const char *status, *reason;
    char *message; /* owned */
};

static struct verdict verdict(const char *status, const char *reason, char *message)
{
    return (struct verdict){.status = status, .reason = reason, .message = message};
}

static const char *call_error(const struct op_unit *u, const char *prefix)
{
    for (struct map_iter it = {0}; map_next(u->calls, &it);)
        if (str_starts(it.key, prefix))
            return it.value;
    return NULL;
}

static const struct view_link *foreign_link(const struct view *v)
{
    for (size_t i = 0; i < v->nlinks; i++)
        if (v->links[i].present && v->links[i].foreign &&
            !lat_link_same(v->links[i].present, &v->links[i].link))
            return &v->links[i];
    return NULL;
}

/* A link that somebody else has made in the slot of one of ours. */
static struct verdict link_conflict(const struct op *op, const struct view *v, const struct view_link *l)
{
    const struct lat_link *theirs = l->present;
    const char *end = streq(theirs->source, l->link.source) ? theirs->target : theirs->source;
    _cleanup_free_ char *index = xasprintf("%s/%s", v->w->lattice, end);
    const char *owner = map_get(op->by_id[MODEL_ACTOR], index);
    const char *kind = owner ? "WasmActor " : "the component ";

    return verdict(
        "False", "LinkConflict",
        xasprintf("the link \"%s\" of %s for %s:%s leads to %s%s: give this capability another name, or "
                  "delete that link",
                  l->link.name, l->link.source, l->link.wit_namespace, l->link.wit_package, kind,
                  owner ? owner : end));
}

/* What a person can do so that a host fits, by what keeps hosts from it; NULL when only waiting helps. */
static char *placement_advice(const struct plan *p)
{
    static const char *const advice[PLACE_REASON_COUNT] = {
        [PLACE_SELECTOR] = "label a host, or change spec.placement.hostSelector",
        [PLACE_CORDONED] = "uncordon a host (wasmctl uncordon)",
        [PLACE_TAINT] = "tolerate the taint in spec.placement.tolerations, or take it off the LatticeHost",
        [PLACE_TOPOLOGY] = "label the hosts, or change spec.placement.spread",
        [PLACE_SKEW] = "add hosts where replicas are missing, or raise maxSkew in spec.placement.spread",
        [PLACE_FOREIGN] = "stop what runs under this id there, or choose another id in the spec",
    };
    _cleanup_strv_ char **said = strv_new();

    for (size_t i = 0; i < p->place.nhosts; i++) {
        const char *text = advice[p->place.verdicts[i].reason];
        if (text && !strv_has(said, text))
            strv_push(&said, text);
    }
    if (!p->place.nhosts)
        strv_push(&said, "start a host on this lattice");
    return *said ? strv_join(said, "; or ") : NULL;
}

static struct verdict no_fitting_host(const struct plan *p)
{
    _cleanup_free_ char *advice = placement_advice(p);

    return verdict("False", "NoFittingHost",
                   xasprintf("%d of %d replicas ready; %d cannot be placed: %s%s%s", p->ready, p->desired,
                             p->place.missing, p->place.summary, advice ? ". To place them: " : "",
                             advice ? advice : ""));
}

/* What to do about a start that a host refused, by the host's own words. */
static char *start_advice(const struct model_workload *w, const char *error)
{
    static const char *const refused[] = {"not authorized", "unauthorized", "forbidden", "denied"};
    static const char *const absent[] = {"manifest unknown", "not found", "no such file", "name unknown"};

    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (strcasestr(error, refused[i]))
            return w->pull_secret
                       ? xasprintf(
                             "Check the credentials for this registry in Secret %s/%s (spec.imagePullSecret)",
                             w->meta.namespace, w->pull_secret)
                       : xstrdup("Name a Secret with credentials for this registry in spec.imagePullSecret");
    for (size_t i = 0; i < ARRAY_LEN(absent); i++)
        if (strcasestr(error, absent[i]))
            return xstrdup("Check spec.image: there is no such image");
    if (strcasestr(error, "text file busy"))
        return xstrdup(
            "A host cannot start a provider archive again while it runs there: keep providers of one "
            "image on different hosts with spec.placement");
    return xstrdup("Check spec.image and the host's log");
}

static struct verdict start_failed(const struct view *v, const struct plan *p)
{
    _cleanup_free_ char *advice = start_advice(v->w, p->error);

    return verdict("False", "StartFailed",
                   xasprintf("%d of %d replicas ready; host %s: %s. %s; it is tried again", p->ready,
                             p->desired, p->failed_host, p->error, advice));
}

static struct verdict update_failed(const struct view *v, const struct plan *p)
{
    _cleanup_free_ char *advice = start_advice(v->w, p->error);

    return verdict(
        "False", "UpdateFailed",
        xasprintf("%d of %d replicas run revision %s, %d serve; host %s: %s. %s, or undo the update "
                  "(wasmctl rollout undo); it is tried again",
                  p->updated, p->desired, v->revision, p->ready, p->failed_host, p->error, advice));
}

static struct verdict ready_verdict(const struct op_unit *u, const struct view *v, const struct plan *p)
{
    const struct model_workload *w = v->w;
    const char *text;

    if (w->meta.deleted_ns)
        return verdict("False", "Deleting", xstrdup("being deleted: stopping what runs"));
    if (v->lattice == VIEW_LATTICE_MISSING)
        return verdict(
            "False", "LatticeNotFound",
            xasprintf("Lattice %s does not exist: create it, or correct spec.lattice", w->lattice));
    if (v->lattice == VIEW_LATTICE_DISCONNECTED)
        return verdict(
            "Unknown", "LatticeDisconnected",
            xasprintf("lattice %s is not connected (%s): nothing is judged or changed until it is; "
                      "see the Lattice's condition Connected",
                      w->lattice, v->lattice_why));
    if (v->lattice == VIEW_LATTICE_SYNCING)
        return verdict("Unknown", "LatticeSyncing",
                       xasprintf("waiting for the hosts of lattice %s to answer", w->lattice));
    if (v->lattice == VIEW_LATTICE_HELD && !p->complete)
        return verdict(
            "Unknown", "StoreUnreachable",
            xasprintf("%d of %d replicas ready; JetStream of lattice %s does not answer (%s): nothing is "
                      "started, moved or stopped until it does",
                      p->ready, p->desired, w->lattice, v->lattice_why));
    if (w->problem)
        return verdict("False", "InvalidSpec", xstrdup(w->problem));
    if (v->config_problem)
        return verdict("False", v->config_reason, xstrdup(v->config_problem));
    if ((text = call_error(u, "config/")))
        return verdict("False", "ConfigFailed",
                       xasprintf("a configuration cannot be written to lattice %s: %s; it is tried again",
                                 w->lattice, text));
    if (p->ready < p->desired && p->error)
        return start_failed(v, p);
    if (p->place.missing > 0)
        return no_fitting_host(p);
    if (p->ready < p->desired)
        return verdict("False", "Starting", xasprintf("%d of %d replicas ready", p->ready, p->desired));
    if (v->link_problem)
        return verdict("False", v->link_reason, xstrdup(v->link_problem));
    const struct view_link *conflict = foreign_link(v);
    if (conflict)
        return link_conflict(u->op, v, conflict);
    if ((text = call_error(u, "link/")))
        return verdict(
            "False", "LinkFailed",
            xasprintf("a link of spec.capabilities cannot be written to lattice %s: %s; it is tried again",
                      w->lattice, text));
    if (v->waits_for)
        return verdict("False", "CapabilityNotReady",
                       xasprintf("%s runs on no host yet: see its condition Ready", v->waits_for));
    if (p->links_held)
        return verdict(
            "False", "HostsDeaf",
            xasprintf("a link is to be changed, but host %s no longer sees links and would lose it: it "
                      "waits until the host is restarted (see its condition Synced)",
                      v->links_held));
    if (v->clash)
        return verdict("False", "AddressTaken", xstrdup(v->clash));
    if (!p->links_ready)
        return verdict("False", "Linking", xstrdup("links are being set"));
    if (v->held_back)
        return verdict("True", "Ready",
                       xasprintf("%d of %d replicas ready; revision %s is held back by spec.paused", p->ready,
                                 p->desired, v->held_back));
    if (p->updated < p->desired && p->error)
        return update_failed(v, p);
    if (p->updated < p->desired)
        return verdict("False", "Updating",
                       xasprintf("%d of %d replicas run revision %s; %d serve", p->updated, p->desired,
                                 v->revision, p->ready));
    if (p->running > p->desired)
        return verdict("True", "Ready",
                       xasprintf("%d of %d replicas ready, %d surplus being stopped", p->desired, p->desired,
                                 p->running - p->desired));
    return verdict("True", "Ready", xasprintf("%d of %d replicas ready", p->ready, p->desired));
}

static struct verdict placed_verdict(const struct view *v, const struct plan *p)
{
    if (!v->l || !p->place.wanted)
        return verdict("Unknown", "NotJudged",
                       xstrdup("the lattice is not known well enough to place anything"));
    if (p->place.missing > 0)
        return verdict("False", p->place.placed ? "PartlyPlaced" : "NoFittingHost",
                       xstrdup(p->place.summary));
    return verdict("True", "Placed", xasprintf("%d of %d replicas have a host", p->place.placed, p->desired));
}

static struct verdict progressing_verdict(const struct view *v, const struct plan *p)
{
    if (p->complete)
        return verdict("False", "Complete", xasprintf("revision %s is complete", v->revision));
    if (v->w->meta.deleted_ns)
        return verdict("True", "Deleting", xstrdup("being deleted"));
    if (v->lattice != VIEW_LATTICE_OK || v->w->problem || v->config_problem)
        return verdict("False", "Blocked", xstrdup("see the Ready condition"));
    if (v->w->paused && p->updated < p->desired)
        return verdict("False", "Paused", xstrdup("spec.paused is set: the new revision is not rolled out"));
    if (p->error && p->updated < p->desired)
        return verdict("False", p->ready < p->desired ? "StartFailed" : "UpdateFailed",
                       xasprintf("host %s: %s", p->failed_host, p->error));
    return verdict("True", "Reconciling",
                   xasprintf("%d of %d replicas run revision %s", p->updated, p->desired, v->revision));
}

static void add_condition(cJSON *list, const struct view *v, const char *type, struct verdict d)
{
    model_condition_add(list, &v->w->conditions, type, d.status, d.reason, d.message, v->w->meta.generation,
                        v->now_ns);
    free(d.message);
}

static void add_placement(cJSON *list, const struct view *v, const char *host, const struct map *labels,
                          int32_t replicas, bool ready, const char *image, const char *revision,
                          const char *state, const char *message)
{
    const struct model_placement_status *before = model_placement_of(v->w, host);
    int64_t since = before && streq(before->state, state) && before->since_ns ? before->since_ns : v->now_ns;
    char stamp[TIME_RFC3339_LEN];
    cJSON *o = json_object("host", host, "state", state, "image", image, "revision", revision, "since",
                           time_rfc3339(since, 0, stamp), NULL);

    if (message && *message)
        json_set_str(o, "message", message);
    json_set_int(o, "replicas", replicas);
    json_set_int(o, "ready", ready ? replicas : 0);
    cJSON *topology = cJSON_CreateObject();
    for (size_t i = 0; labels && i < v->w->placement.nspreads; i++) {
        const char *value = map_get(labels, v->w->placement.spreads[i].topology_key);
        if (value)
            json_put_str(topology, v->w->placement.spreads[i].topology_key, value);
    }
    if (topology->child)
        json_put(o, "topology", topology);
    else
        cJSON_Delete(topology);
    cJSON_AddItemToArray(list, o);
}

static void add_live_placement(cJSON *list, const struct view *v, const struct view_host *h, int32_t wanted)
{
    const struct unit_host *m = h->memory;
    int32_t running = plan_running_on(v, h);
    const char *state = "Running", *message = "", *image = h->image, *revision = h->revision;

    if (m && m->op && m->task == UNIT_SETTING) {
        state = "Starting";
        image = v->image;
        revision = m->revision;
    } else if (m && m->op) {
        state = "Stopping";
    } else if (running && m && m->error && m->failed_revision && !streq(m->failed_revision, h->revision)) {
        _cleanup_free_ char *text = xasprintf("revision %s failed here: %s", m->failed_revision, m->error);
        add_placement(list, v, h->object, h->labels, running, h->healthy, h->image, h->revision, state, text);
        return;
    } else if (!running && m && m->error) {
        state = "Failed";
        message = m->error;
        image = v->image;
        revision = m->failed_revision ? m->failed_revision : "";
    } else if (h->running && !h->ours) {
        return;
    } else if (!running && wanted > 0) {
        state = "Pending";
        image = v->image;
        revision = v->revision;
    } else if (!running) {
        return;
    } else if (!h->healthy) {
        message = "the host reports failed health checks";
    }
    bool ready = running > 0 && h->healthy;
    add_placement(list, v, h->object, h->labels,
                  running      ? running
                  : m && m->op ? m->replicas
                               : wanted,
                  ready, image ? image : "", revision ? revision : "", state, message);
}

static const struct view_host *find_by_object(const struct view *v, const char *object)
{
    for (size_t i = 0; i < v->nhosts; i++)
        if (streq(v->hosts[i].object, object))
            return &v->hosts[i];
    return NULL;
}

/* What ran on hosts that are dead now stays visible until the host is forgotten. */
static void add_lost_placements(cJSON *list, struct op *op, const struct op_unit *u _unused_,
                                const struct view *v)
{
    int shown = 0;

    for (size_t i = 0; i < v->w->nplacements && shown < LOST_SHOWN_MOST; i++) {
        const struct model_placement_status *before = &v->w->placements[i];
        if (find_by_object(v, before->host))
            continue;
        bool was_there = streq(before->state, "Running") || streq(before->state, "Lost") ||
                         streq(before->state, "Starting");
        const struct model_host *object = was_there ? op_host_object(op, before->host) : NULL;
        const struct lat_host *h = object ? lat_host_get(v->l->lat, object->host_id) : NULL;
        if (!object || !h || !lat_host_dead(h->state))
            continue;
        shown++;
        _cleanup_free_ char *message =
            xasprintf("host %s is lost (%s); its replicas are placed on other hosts", before->host,
                      lat_host_reason(h->state));
        if (!streq(before->state, "Lost"))
            op_event(op, v->w, "Warning", "ReplicaLost", "Replace", "%s", message);
        add_placement(list, v, before->host, NULL, before->replicas, false, before->image, before->revision,
                      "Lost", message);
    }
}

static int compare_placements(const void *a, const void *b)
{
    return strcmp(json_str_or(*(cJSON *const *)a, "host", ""), json_str_or(*(cJSON *const *)b, "host", ""));
}

/* By host name, so that the list does not change with the order in which hosts were found. */
static cJSON *sorted(cJSON *list)
{
    size_t n = (size_t)cJSON_GetArraySize(list);
    _cleanup_free_ cJSON **items = xcalloc(n, sizeof(*items));

    for (size_t i = 0; i < n; i++)
        items[i] = cJSON_DetachItemFromArray(list, 0);
    qsort(items, n, sizeof(*items), compare_placements);
    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToArray(list, items[i]);
    return list;
}

/* The last placements are kept while the lattice cannot be judged. */
static cJSON *placements_before(const struct view *v)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < v->w->nplacements; i++) {
        const struct model_placement_status *b = &v->w->placements[i];
        add_placement(list, v, b->host, NULL, b->replicas, b->ready, b->image, b->revision, b->state,
                      b->message);
    }
    return list;
}

static cJSON *make_status(struct op *op, const struct op_unit *u, const struct view *v, const struct plan *p,
                          struct verdict *ret_ready)
{
    const struct model_workload *w = v->w;
    cJSON *status = cJSON_CreateObject(), *conditions = cJSON_CreateArray();

    json_set_int(status, "observedGeneration", w->meta.generation);
    json_set_str(status, w->kind == MODEL_ACTOR ? "componentID" : "providerID", w->id);
    if (v->l) {
        cJSON *placements = cJSON_CreateArray();
        for (size_t i = 0; i < v->nhosts; i++)
            add_live_placement(placements, v, &v->hosts[i], p->place.wanted ? p->place.wanted[i] : 0);
        add_lost_placements(placements, op, u, v);
        json_set(status, "placements", sorted(placements));
        json_set_int(status, "replicas", p->running);
        json_set_int(status, "readyReplicas", p->ready);
        json_set_int(status, "updatedReplicas", p->updated);
    } else {
        int32_t running = 0;
        for (size_t i = 0; i < w->nplacements; i++)
            running += w->placements[i].ready ? w->placements[i].replicas : 0;
        json_set(status, "placements", placements_before(v));
        json_set_int(status, "replicas", running);
        json_set_int(status, "readyReplicas", running);
    }
    /* Of a configuration that cannot be read the revision is not known. */
    const char *current = p->complete ? v->history_revision : w->current_revision;
    if (!v->config_problem)
        json_set_str(status, "updateRevision", v->history_revision);
    if (current)
        json_set_str(status, "currentRevision", current);
    if (w->kind == MODEL_ACTOR) {
        _cleanup_free_ char *selector = xasprintf("wasmctl.dev/actor=%s", w->meta.name);
        json_set_str(status, "selector", selector);
    }
    *ret_ready = ready_verdict(u, v, p);
    struct verdict ready = *ret_ready;
    ready.message = xstrdup(ret_ready->message);
    add_condition(conditions, v, "Ready", ready);
    add_condition(conditions, v, "Progressing", progressing_verdict(v, p));
    add_condition(conditions, v, "Placed", placed_verdict(v, p));
    json_set(status, "conditions", conditions);
    return status;
}

/* What befalls a whole lattice is told by one Event about the Lattice, not by one about each of its objects.
 */
static bool is_trouble(const char *reason)
{
    static const char *const others[] = {"",
                                         "Ready",
                                         "Starting",
                                         "Linking",
                                         "Updating",
                                         "Deleting",
                                         "LatticeSyncing",
                                         "LatticeDisconnected",
                                         "StoreUnreachable",
                                         "ConfigPending",
                                         "CapabilityNotReady"};

    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (streq(reason, others[i]))
            return false;
    return true;
}

/* One Event each time Ready changes its reason for a bad one, and when all is well again, with the message of
 * that moment. That something new has become ready is told by the Events of its starts. */
static void tell_ready(struct op *op, struct op_unit *u, const struct view *v, const struct verdict *ready)
{
    const struct model_condition *before = model_condition_find(&v->w->conditions, "Ready");
    const char *last = u->last_ready_reason ? u->last_ready_reason : before ? before->reason : "";

    if (!u->last_ready_reason)
        u->troubled = is_trouble(last);
    if (streq(last, ready->reason))
        return;
    xstr_replace(&u->last_ready_reason, ready->reason);
    bool good = streq(ready->reason, "Ready");
    if (!is_trouble(ready->reason) && !(good && u->troubled))
        return;
    u->troubled = !good;
    op_event(op, v->w, streq(ready->status, "True") ? "Normal" : "Warning", ready->reason, "Reconcile", "%s",
             ready->message);
}

static void on_status_written(void *arg, const struct kube_response *response, const struct err *err)
{
    struct op_unit *u = arg;

    u->status_request = NULL;
    unit_status_again(u);
    if (!err)
        kube_informer_observe(u->op->workloads[u->kind], response->body, response->len);
    if (err && err->code != ERR_NOT_FOUND) {
        op_metrics_unit_error(u->op->metrics, u->kind);
        log_warn("cannot write status", "object", u->key, "error", err_text(err), NULL);
        u->status_written = 0;
        wq_add_after(u->op->q_unit[u->kind], u->key, 2000);
    }
}

/* While something is under way the next state follows soon: what lasts only for a moment is not written. It
 * would cost the API server as much as the outcome. */
static bool is_held(struct op_unit *u, const struct view *v, const struct plan *p)
{
    bool moving = p->nactions > 0;

    if (u->finalizer_request) {
        u->status_again = true;
        return true;
    }
    for (struct map_iter it = {0}; !moving && map_next(u->hosts, &it);)
        moving = ((const struct unit_host *)it.value)->op != NULL;
    if (p->complete || !moving) {
        u->hold_until_ms = 0;
        return false;
    }
    if (!u->hold_until_ms)
        u->hold_until_ms = v->now_ms + HOLD_MS;
    if (v->now_ms < u->hold_until_ms) {
        wq_add_after(u->op->q_unit[u->kind], u->key, u->hold_until_ms - v->now_ms);
        return true;
    }
    u->hold_until_ms = 0;
    return false;
}

void status_write(struct op *op, struct op_unit *u, const struct view *v, const struct plan *p)
{
    const struct model_workload *w = v->w;
    struct verdict ready = {0};

    if (u->status_request) {
        /* The newest status follows when this write has ended. */
        u->status_again = true;
        return;
    }
    if (is_held(u, v, p))
        return;
    cJSON *status = make_status(op, u, v, p, &ready);
    tally_status(op->metrics, u->kind, &u->tally, status);
    tell_ready(op, u, v, &ready);
    free(ready.message);
    uint64_t hash = json_hash(status);
    bool same = hash == w->status_hash || (hash == u->status_written &&
                                           streq_null(u->status_written_version, w->meta.resource_version));
    if (same) {
        cJSON_Delete(status);
        return;
    }
    u->status_written = hash;
    xstr_replace(&u->status_written_version, w->meta.resource_version);
    _cleanup_json_ cJSON *o =
        json_object("apiVersion", MODEL_API_VERSION, "kind", model_kind_name(w->kind), NULL);
    json_set_str(o, "metadata.name", w->meta.name);
    json_set_str(o, "metadata.namespace", w->meta.namespace);
    json_set(o, "status", status);
    const struct kube_resource *r = kube_builtin_kind(MODEL_API_VERSION, model_kind_name(w->kind));
    u->status_request = op_apply(op, r, w->meta.namespace, w->meta.name, "status", o, on_status_written, u);
}
