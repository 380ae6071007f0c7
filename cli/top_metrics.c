/* Nodes and pods, from the metrics API of the cluster where there is one. */
#include <math.h>
#include <string.h>

#include "base/map.h"
#include "base/str.h"
#include "cli/top.h"
#include "data/quantity.h"

#define METRICS_GROUP "metrics.k8s.io"

enum { NODE_CPU, NODE_CPU_PERCENT, NODE_MEMORY, NODE_MEMORY_PERCENT };
enum { POD_CPU, POD_MEMORY };

static const struct kube_resource node_metrics = {
    .group = (char *)METRICS_GROUP,
    .version = (char *)"v1beta1",
    .resource = (char *)"nodes",
    .kind = (char *)"NodeMetrics",
    .singular = (char *)"node",
};
static const struct kube_resource pod_metrics = {
    .group = (char *)METRICS_GROUP,
    .version = (char *)"v1beta1",
    .resource = (char *)"pods",
    .kind = (char *)"PodMetrics",
    .singular = (char *)"pod",
    .namespaced = true,
};

/* "123456789n", "250m", "2" -> thousandths of a core, rounded up; -1 when it is none. */
static double milli_cores(const char *text)
{
    char *end;
    double n = text ? strtod(text, &end) : -1;

    if (!text || end == text || n < 0 || !isfinite(n))
        return -1;
    double factor = streq(end, "n")   ? 1e-6
                    : streq(end, "u") ? 1e-3
                    : streq(end, "m") ? 1
                    : streq(end, "k") ? 1e6
                    : streq(end, "")  ? 1e3
                                      : -1;
    return factor < 0 ? -1 : ceil(n * factor - 1e-9);
}

static double bytes(const char *text)
{
    int64_t n;

    return text && quantity_parse(text, &n, NULL) == 0 ? (double)n : -1;
}

static char *cores_text(double milli)
{
    return milli < 0 ? NULL : xasprintf("%.0fm", milli);
}

static char *mebibytes_text(double n)
{
    return n < 0 ? NULL : xasprintf("%.0fMi", floor(n / (1024 * 1024)));
}

static char *percent_text(double part, double whole)
{
    return part < 0 || whole <= 0 ? NULL : xasprintf("%.0f%%", floor(part * 100 / whole));
}

/* A server without the metrics API answers 404 for its path. */
static int explain_absence(int r, const char *name, struct err **err)
{
    if (r == 0 || !err || !*err || (*err)->http == 401 || (*err)->http == 403)
        return r;
    if ((*err)->http != 404 && (*err)->http != 503 && (*err)->code != ERR_NOT_FOUND)
        return r;
    if (name && strstr(err_text(*err), name))
        return r;
    err_free(*err);
    *err = NULL;
    return err_set(err, ERR_UNSUPPORTED, "Metrics API not available");
}

struct usage {
    struct top_table table;
    struct map *metrics; /* name -> cJSON *: usage */
};

static void free_json(void *p)
{
    cJSON_Delete(p);
}

static void add_usage(void *arg, const cJSON *object)
{
    const cJSON *usage = json_get(object, "usage");

    if (usage)
        map_set(arg, json_str_or(object, "metadata.name", ""), cJSON_Duplicate(usage, true));
}

static void add_node(void *arg, const cJSON *node)
{
    struct usage *all = arg;
    const char *name = json_str_or(node, "metadata.name", "");
    const cJSON *usage = map_get(all->metrics, name);
    double cpu = milli_cores(json_str(usage, "cpu")), memory = bytes(json_str(usage, "memory"));
    struct top_row r = {
        .name = xstrdup(name),
        .cells =
            {
                [NODE_CPU] = cores_text(cpu),
                [NODE_CPU_PERCENT] = percent_text(cpu, milli_cores(json_str(node, "status.allocatable.cpu"))),
                [NODE_MEMORY] = mebibytes_text(memory),
                [NODE_MEMORY_PERCENT] =
                    percent_text(memory, bytes(json_str(node, "status.allocatable.memory"))),
            },
        .keys = {[TOP_BY_CPU] = cpu, [TOP_BY_MEMORY] = memory, [TOP_BY_ACTORS] = -1, [TOP_BY_PROVIDERS] = -1},
    };

    vec_push(&all->table.rows, r);
}

int top_nodes(struct cmd_ctx *c, const struct top_options *o, const char *name, struct err **err)
{
    struct usage all = {
        .table = {.headers = {"CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"}, .ncolumns = 4},
        .metrics = map_new(free_json),
    };
    int r = explain_absence(top_each(c, o, &node_metrics, name, add_usage, all.metrics, err), name, err);

    if (r == 0)
        r = top_each(c, o, kube_builtin_find("nodes"), name, add_node, &all, err);
    if (r == 0) {
        struct top_options whole = *o;
        whole.all_namespaces = true;
        top_print(c, &whole, &all.table);
    }
    top_release(&all.table);
    map_free(all.metrics);
    return r;
}

static void add_pod(void *arg, const cJSON *pod)
{
    struct top_table *t = arg;
    double cpu = 0, memory = 0;

    json_each (container, json_get(pod, "containers")) {
        double one = milli_cores(json_str(container, "usage.cpu")),
               held = bytes(json_str(container, "usage.memory"));
        cpu += one < 0 ? 0 : one;
        memory += held < 0 ? 0 : held;
    }
    struct top_row r = {
        .namespace = xstrdup(json_str_or(pod, "metadata.namespace", "")),
        .name = xstrdup(json_str_or(pod, "metadata.name", "")),
        .cells = {[POD_CPU] = cores_text(cpu), [POD_MEMORY] = mebibytes_text(memory)},
        .keys = {[TOP_BY_CPU] = cpu, [TOP_BY_MEMORY] = memory, [TOP_BY_ACTORS] = -1, [TOP_BY_PROVIDERS] = -1},
    };
    vec_push(&t->rows, r);
}

int top_pods(struct cmd_ctx *c, const struct top_options *o, const char *name, struct err **err)
{
    struct top_table table = {.headers = {"CPU(cores)", "MEMORY(bytes)"}, .ncolumns = 2};
    int r = explain_absence(top_each(c, o, &pod_metrics, name, add_pod, &table, err), name, err);

    if (r == 0)
        top_print(c, o, &table);
    top_release(&table);
    return r;
}
