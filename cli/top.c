#include "cli/top.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/fleet.h"
#include "data/quantity.h"
#include "kube/watch.h"
#include "model/host_report.h"
#include "print/table.h"

#define UNKNOWN "<unknown>"

void top_release(struct top_table *t)
{
    for (size_t i = 0; i < t->rows.len; i++) {
        struct top_row *r = &t->rows.items[i];
        free(r->namespace);
        free(r->name);
        for (size_t k = 0; k < TOP_COLUMNS_MOST; k++)
            free(r->cells[k]);
    }
    free(t->rows.items);
    *t = (struct top_table){0};
}

struct order {
    enum top_key key;
};

/* Numbers: the largest first. */
static int compare(const void *a, const void *b, void *arg)
{
    const struct top_row *x = a, *y = b;
    const struct order *o = arg;

    if (o->key != TOP_BY_NAME && x->keys[o->key] != y->keys[o->key])
        return x->keys[o->key] > y->keys[o->key] ? -1 : 1;
    int r = x->namespace && y->namespace ? strcmp(x->namespace, y->namespace) : 0;
    return r ? r : strcmp(x->name, y->name);
}

void top_print(struct cmd_ctx *c, const struct top_options *o, struct top_table *t)
{
    struct order order = {(enum top_key)o->sort_by};
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct print_table *p;
    bool namespaces = o->all_namespaces && t->rows.len && t->rows.items[0].namespace;

    if (!t->rows.len) {
        _cleanup_free_ char *text =
            o->all_namespaces ? NULL : xasprintf("No resources found in %s namespace.", cmd_namespace(c));
        fleet_nothing(c, text ? text : "No resources found");
        return;
    }
    qsort_r(t->rows.items, t->rows.len, sizeof(*t->rows.items), compare, &order);
    p = fleet_table_new(c);
    if (!o->no_headers) {
        if (namespaces)
            print_table_cell(p, "NAMESPACE");
        print_table_cell(p, "NAME");
        for (size_t k = 0; k < t->ncolumns; k++)
            print_table_cell(p, t->headers[k]);
        print_table_end_header(p);
    }
    for (size_t i = 0; i < t->rows.len; i++) {
        const struct top_row *r = &t->rows.items[i];
        if (namespaces)
            print_table_cell(p, r->namespace);
        print_table_cell(p, r->name);
        for (size_t k = 0; k < t->ncolumns; k++)
            print_table_cell(p, r->cells[k] ? r->cells[k] : UNKNOWN);
        print_table_end_row(p);
    }
    print_table_flush(p, &out, 0);
    print_table_free(p);
    cmd_out_buf(&out);
}

struct each {
    void (*add)(void *arg, const cJSON *object);
    void *arg;
};

static int take_page(void *arg, cJSON *page, struct err **err _unused_)
{
    struct each *e = arg;

    json_each (o, json_get(page, "items"))
        e->add(e->arg, o);
    return 0;
}

int top_each(struct cmd_ctx *c, const struct top_options *o, const struct kube_resource *r, const char *name,
             void (*add)(void *arg, const cJSON *object), void *arg, struct err **err)
{
    struct each each = {add, arg};
    struct kube_client *client;
    int code = cmd_client(c, &client, err);

    if (code < 0)
        return code;
    const char *ns = cli_namespace_for(c, r, o->all_namespaces);
    if (name) {
        _cleanup_json_ cJSON *object = NULL;
        struct cli_request request = {.resource = r, .namespace = ns, .name = name};
        code = cli_request(c, &request, &object, err);
        if (code == 0)
            add(arg, object);
        return code;
    }
    _cleanup_free_ char *path = kube_path(r, ns, NULL, NULL);
    _cleanup_buf_ struct buf query = BUF_INIT;
    cli_query_add(&query, "labelSelector", o->selector);
    cli_query_add(&query, "fieldSelector", o->field_selector);
    code = kube_list_wait(client, path, buf_str(&query), NULL, 0, take_page, &each, NULL, err);
    return cli_explain_missing(c, r, code, err);
}

/* Hosts */

enum {
    HOST_CLOUD,
    HOST_FRIENDLY,
    HOST_CPU,
    HOST_MEMORY,
    HOST_ACTORS,
    HOST_PROVIDERS,
    HOST_READY,
    HOST_REPORTED
};

static char *cpu_text(double percent)
{
    return percent < 0 ? NULL : xasprintf("%.0f%%", percent);
}

static char *memory_text(const struct model_host_report *r)
{
    char used[QUANTITY_TEXT_LEN], total[QUANTITY_TEXT_LEN];

    if (r->memory_total < 0 || r->memory_free < 0 || r->memory_free > r->memory_total)
        return NULL;
    return xasprintf("%s/%s", quantity_text(r->memory_total - r->memory_free, used),
                     quantity_text(r->memory_total, total));
}

static double memory_used(const struct model_host_report *r)
{
    return r->memory_total < 0 || r->memory_free < 0 ? -1 : (double)(r->memory_total - r->memory_free);
}

/* When the status was written last, or, of a host that is silent, when it was heard last. */
static char *report_age(const cJSON *object)
{
    const char *newest = json_str(object, "status.lastSeen");
    char out[TIME_AGE_LEN];
    int64_t at;

    if (!newest) {
        json_each (f, json_at(object, "metadata.managedFields")) {
            const char *when = json_str(f, "time");
            if (when && streq(json_str_or(f, "subresource", ""), "status") &&
                (!newest || strcmp(when, newest) > 0))
                newest = when;
        }
    }
    if (!newest || time_parse_rfc3339(newest, &at, NULL) < 0)
        return NULL;
    int64_t age = time_now_ns() - at;
    return xstrdup(time_age(age < 0 ? 0 : age, out));
}

static char *ready_text(const struct model_host *h)
{
    const struct model_condition *ready = model_condition_find(&h->conditions, "Ready");

    if (!ready)
        return NULL;
    return streq(ready->status, "True") ? xstrdup("True")
                                        : xasprintf("%s (%s)", ready->status, ready->reason);
}

struct hosts {
    struct top_table table;
    bool clouds;
};

static void add_host(void *arg, const cJSON *object)
{
    struct hosts *all = arg;
    struct model_host *h = model_host_new(object);
    struct model_host_report report;
    const char *cloud = map_get(h->labels, "cloud");

    model_host_report_read(object, &report);
    struct top_row r = {
        .name = xstrdup(h->meta.name),
        .cells =
            {
                [HOST_CLOUD] = xstrdup(cloud ? cloud : "<none>"),
                [HOST_FRIENDLY] = xstrdup(report.friendly_name),
                [HOST_CPU] = cpu_text(report.cpu_percent),
                [HOST_MEMORY] = memory_text(&report),
                [HOST_ACTORS] = xasprintf("%lld", (long long)report.actors),
                [HOST_PROVIDERS] = xasprintf("%lld", (long long)report.providers),
                [HOST_READY] = ready_text(h),
                [HOST_REPORTED] = report_age(object),
            },
        .keys =
            {
                [TOP_BY_CPU] = report.cpu_percent,
                [TOP_BY_MEMORY] = memory_used(&report),
                [TOP_BY_ACTORS] = (double)report.actors,
                [TOP_BY_PROVIDERS] = (double)report.providers,
            },
    };
    vec_push(&all->table.rows, r);
    all->clouds = all->clouds || cloud;
    model_host_report_release(&report);
    model_host_free(h);
}

/* Without a cloud anywhere there is no column for it. */
static void drop_clouds(struct top_table *t)
{
    t->ncolumns--;
    memmove(t->headers, t->headers + 1, t->ncolumns * sizeof(*t->headers));
    for (size_t i = 0; i < t->rows.len; i++) {
        char **cells = t->rows.items[i].cells;
        free(cells[0]);
        memmove(cells, cells + 1, t->ncolumns * sizeof(*cells));
        cells[t->ncolumns] = NULL;
    }
}

int top_hosts(struct cmd_ctx *c, const struct top_options *o, const char *name, struct err **err)
{
    struct hosts all = {.table = {.headers = {"CLOUD", "FRIENDLY-NAME", "CPU%", "MEMORY", "ACTORS",
                                              "PROVIDERS", "READY", "REPORTED"},
                                  .ncolumns = 8}};
    int r = top_each(c, o, kube_builtin_find("latticehosts"), name, add_host, &all, err);

    if (r == 0) {
        struct top_options whole = *o;
        whole.all_namespaces = true; /* they lie in none */
        if (!all.clouds)
            drop_clouds(&all.table);
        top_print(c, &whole, &all.table);
    }
    top_release(&all.table);
    return r;
}

/* Actors: how many, and how busy their hosts are. Hosts do not tell what each actor takes. */

enum { ACTOR_READY, ACTOR_HOSTS, ACTOR_CPU, ACTOR_MEMORY, ACTOR_BUSIEST };

struct actors {
    struct top_table table;
    struct map *reports; /* host -> struct model_host_report * */
};

static void report_free(void *p)
{
    model_host_report_release(p);
    free(p);
}

static void add_report(void *arg, const cJSON *object)
{
    struct model_host_report *report = xmalloc(sizeof(*report));

    model_host_report_read(object, report);
    map_set(arg, json_str_or(object, "metadata.name", ""), report);
}

static double memory_percent(const struct model_host_report *r)
{
    return r->memory_total <= 0 ? -1 : memory_used(r) * 100 / (double)r->memory_total;
}

static void add_actor(void *arg, const cJSON *object)
{
    struct actors *all = arg;
    struct model_workload *w = model_workload_new(MODEL_ACTOR, object);
    const struct model_host_report *busiest = NULL;
    const char *busiest_name = NULL;
    double cpu = -1, memory = -1;
    size_t hosts = 0;

    for (size_t i = 0; i < w->nplacements; i++) {
        const struct model_placement_status *p = &w->placements[i];
        const struct model_host_report *report = map_get(all->reports, p->host);
        if (!streq(p->state, "Running"))
            continue;
        hosts++;
        if (!report)
            continue;
        if (!busiest || report->cpu_percent > cpu) {
            busiest = report;
            busiest_name = p->host;
            cpu = report->cpu_percent;
        }
        if (memory_percent(report) > memory)
            memory = memory_percent(report);
    }
    int64_t desired = json_int(object, "status.replicas", w->replicas);
    struct top_row r = {
        .namespace = xstrdup(w->meta.namespace ? w->meta.namespace : ""),
        .name = xstrdup(w->meta.name),
        .cells =
            {
                [ACTOR_READY] = xasprintf("%lld/%lld", (long long)json_int(object, "status.readyReplicas", 0),
                                          (long long)desired),
                [ACTOR_HOSTS] = xasprintf("%zu", hosts),
                [ACTOR_CPU] = cpu_text(cpu),
                [ACTOR_MEMORY] = cpu_text(memory),
                [ACTOR_BUSIEST] = xstrdup(!busiest_name             ? "<none>"
                                          : *busiest->friendly_name ? busiest->friendly_name
                                                                    : busiest_name),
            },
        .keys = {[TOP_BY_CPU] = cpu,
                 [TOP_BY_MEMORY] = memory,
                 [TOP_BY_ACTORS] = (double)hosts,
                 [TOP_BY_PROVIDERS] = -1},
    };
    vec_push(&all->table.rows, r);
    model_workload_free(w);
}

int top_actors(struct cmd_ctx *c, const struct top_options *o, const char *name, struct err **err)
{
    struct actors all = {
        .table = {.headers = {"READY", "HOSTS", "HOST-CPU%", "HOST-MEMORY%", "BUSIEST-HOST"}, .ncolumns = 5},
        .reports = map_new(report_free),
    };
    struct top_options every_host = {0};
    int r = top_each(c, &every_host, kube_builtin_find("latticehosts"), NULL, add_report, all.reports, err);

    if (r == 0)
        r = top_each(c, o, kube_builtin_find("wasmactors"), name, add_actor, &all, err);
    if (r == 0)
        top_print(c, o, &all.table);
    top_release(&all.table);
    map_free(all.reports);
    return r;
}
