#include "operator/metrics.h"

#include "operator/lattices.h"
#include "serve/metrics.h"

static void add_queue(struct metrics *m, const char *name, const struct workqueue *q)
{
    static const char *const by_name[] = {"name", NULL}, *const by_result[] = {"name", "result", NULL};

    metric_set(metrics_add(m, METRIC_GAUGE, "wasm_operator_queue_depth", "Keys waiting in a workqueue",
                           by_name, NULL),
               (double)wq_depth(q), name);
    struct metric *total = metrics_add(m, METRIC_COUNTER, "wasm_operator_reconcile_total",
                                       "Reconciles by result", by_result, NULL);
    metric_add(total, (double)wq_total(q, WQ_OK), name, "ok");
    metric_add(total, (double)wq_total(q, WQ_RETRY), name, "retry");
}

static void add_lattice(struct metrics *m, const struct op_lattice *l)
{
    static const char *const by_lattice[] = {"lattice", NULL}, *const by_state[] = {"lattice", "state", NULL};
    static const struct {
        enum lat_host_state state;
        const char *name;
    } states[] = {{LAT_HOST_READY, "ready"},     {LAT_HOST_BUSY, "busy"},
                  {LAT_HOST_SUSPECT, "suspect"}, {LAT_HOST_UNREACHABLE, "unreachable"},
                  {LAT_HOST_GONE, "gone"},       {LAT_HOST_STOPPED, "stopped"}};

    metric_set(metrics_add(m, METRIC_GAUGE, "wasm_operator_lattice_connected",
                           "1 while connected to the lattice", by_lattice, NULL),
               l->lat && l->connected ? 1 : 0, l->name);
    if (!l->lat)
        return;
    metric_add(metrics_add(m, METRIC_COUNTER, "wasm_operator_lattice_requests_total", "NATS requests sent",
                           by_lattice, NULL),
               (double)lat_requests(l->lat), l->name);
    struct metric *hosts =
        metrics_add(m, METRIC_GAUGE, "wasm_operator_hosts", "Lattice hosts by state", by_state, NULL);
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        double n = 0;
        for (struct map_iter it = {0}; lat_host_next(l->lat, &it);)
            n += ((const struct lat_host *)it.value)->state == states[i].state;
        metric_set(hosts, n, l->name, states[i].name);
    }
}

int op_metrics_serve(void *arg, struct buf *body, const char **content_type)
{
    const struct op *op = arg;
    struct metrics *m = metrics_new();

    add_queue(m, "lattice", op->q_lattice);
    add_queue(m, "host", op->q_host);
    add_queue(m, "actor", op->q_unit[MODEL_ACTOR]);
    add_queue(m, "provider", op->q_unit[MODEL_PROVIDER]);
    metric_add(metrics_add(m, METRIC_COUNTER, "wasm_operator_api_requests_total",
                           "Requests sent to the API server", NULL, NULL),
               (double)kube_client_requests(op->client));
    for (struct map_iter it = {0}; map_next(op->lats, &it);)
        add_lattice(m, it.value);
    metrics_print(m, body);
    metrics_free(m);
    *content_type = "text/plain; version=0.0.4";
    return 200;
}
