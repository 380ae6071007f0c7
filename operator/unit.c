#include "operator/unit.h"

#include "base/mem.h"
#include "base/str.h"

enum { BACKOFF_FIRST_MS = 1000, BACKOFF_MOST_MS = 5 * 60 * 1000, SETTLE_MS = 300 };

void unit_host_keep(struct unit_host *h, const char *image, const char *revision, const char *config,
                    int32_t replicas)
{
    xstr_replace(&h->good_image, image);
    xstr_replace(&h->good_revision, revision);
    xstr_replace(&h->good_config, config);
    h->good_replicas = replicas;
}

static void host_free(void *p)
{
    struct unit_host *h = p;

    lat_op_cancel(h->op);
    free(h->host);
    free(h->revision);
    free(h->error);
    free(h->failed_revision);
    unit_host_keep(h, NULL, NULL, NULL, 0);
    free(h);
}

struct op_unit *unit_find(const struct op *op, enum model_kind kind, const char *key)
{
    return map_get(op->units[kind], key);
}

struct op_unit *unit_get(struct op *op, enum model_kind kind, const char *key)
{
    struct op_unit *u = unit_find(op, kind, key);

    if (u)
        return u;
    u = xcalloc(1, sizeof(*u));
    *u = (struct op_unit){
        .op = op,
        .kind = kind,
        .key = xstrdup(key),
        .hosts = map_new(host_free),
        .calls = map_new(free),
        .old_configs = map_new(NULL),
    };
    map_set(op->units[kind], key, u);
    return u;
}

void unit_free(void *p)
{
    struct op_unit *u = p;

    kube_req_cancel(u->finalizer_request);
    kube_req_cancel(u->status_request);
    kube_req_cancel(u->revision_request);
    map_free(u->hosts);
    map_free(u->calls);
    map_free(u->old_configs);
    strv_free(u->config_names);
    tally_release(u->op->metrics, u->kind, &u->tally);
    free(u->key);
    free(u->lattice);
    free(u->id);
    free(u->finalizer_version);
    free(u->revision_made);
    free(u->draft.revision);
    free(u->draft.body);
    free(u->status_written_version);
    free(u->last_ready_reason);
    free(u->config);
    free(u);
}

void unit_forget(struct op *op, enum model_kind kind, const char *key)
{
    map_del(op->units[kind], key);
}

struct unit_host *unit_host_find(const struct op_unit *u, const char *host)
{
    return u ? map_get(u->hosts, host) : NULL;
}

struct unit_host *unit_host_get(struct op_unit *u, const char *host)
{
    struct unit_host *h = unit_host_find(u, host);

    if (h)
        return h;
    h = xcalloc(1, sizeof(*h));
    h->unit = u;
    h->host = xstrdup(host);
    map_set(u->hosts, host, h);
    return h;
}

static void forget_failure(struct unit_host *h)
{
    h->failures = 0;
    h->retry_ms = 0;
    xstr_replace(&h->error, NULL);
    xstr_replace(&h->failed_revision, NULL);
}

void unit_forget_failures(struct op_unit *u, const char *revision)
{
    for (struct map_iter it = {0}; map_next(u->hosts, &it);) {
        struct unit_host *h = it.value;
        if (!h->op && h->failures && !streq_null(h->failed_revision, revision))
            forget_failure(h);
    }
}

void unit_host_serves(struct unit_host *h)
{
    h->serves_ms = loop_now_ms(h->unit->op->loop) + SETTLE_MS;
}

void unit_host_done(struct unit_host *h, const struct err *err)
{
    if (!err && h->task == UNIT_SETTING)
        unit_host_serves(h);
    h->op = NULL;
    h->task = UNIT_IDLE;
    if (!err) {
        forget_failure(h);
        return;
    }
    int64_t wait = BACKOFF_FIRST_MS;
    for (unsigned i = 0; i < h->failures && wait < BACKOFF_MOST_MS; i++)
        wait *= 2;
    h->failures++;
    h->retry_ms = loop_now_ms(h->unit->op->loop) + (wait < BACKOFF_MOST_MS ? wait : BACKOFF_MOST_MS);
    xstr_replace(&h->error, err_text(err));
    xstr_replace(&h->failed_revision, h->revision);
}

void unit_status_again(struct op_unit *u)
{
    if (!u->status_again)
        return;
    u->status_again = false;
    wq_add(u->op->q_unit[u->kind], u->key);
}

void unit_note_call(struct op *op, enum model_kind kind, const char *key, const char *operation,
                    const struct err *err)
{
    struct op_unit *u = unit_find(op, kind, key);

    if (!u)
        return;
    if (err) {
        op_metrics_unit_error(op->metrics, kind);
        map_set(u->calls, operation, xstrdup(err_text(err)));
        wq_add_after(op->q_unit[kind], key, 2000);
    } else {
        map_del(u->calls, operation);
    }
}
