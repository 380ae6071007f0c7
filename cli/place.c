#include "cli/place.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/target.h"
#include "kube/watch.h"
#include "print/table.h"

enum { SHORTEST_PART = 6 };

void cli_place_release(struct cli_place *p)
{
    for (size_t i = 0; i < p->n; i++) {
        model_host_free(p->hosts[i].host);
        model_host_report_release(&p->hosts[i].report);
    }
    free(p->hosts);
    free(p->objects);
    free(p->cluster_uid);
    map_free(p->lattices);
    *p = (struct cli_place){0};
}

static int take_page(void *arg, cJSON *page, struct err **err _unused_)
{
    struct cli_place *p = arg;

    json_each (o, json_get(page, "items")) {
        p->hosts = xreallocarray(p->hosts, p->n + 1, sizeof(*p->hosts));
        struct cli_place_host *h = &p->hosts[p->n++];
        h->host = model_host_new(o);
        model_host_report_read(o, &h->report);
    }
    return 0;
}

/* The operator names what it starts after the cluster. Without the right to read it, names alone must do. */
static char *read_cluster_uid(struct cmd_ctx *c)
{
    const struct kube_resource *namespaces = kube_builtin_find("namespaces");
    _cleanup_json_ cJSON *o = NULL;
    struct cli_request request = {.resource = namespaces, .name = "kube-system", .accept = CLI_AS_METADATA};

    return cli_request(c, &request, &o, NULL) < 0 ? NULL : xstrdup_null(json_str(o, "metadata.uid"));
}

static struct map *read_lattices(struct cmd_ctx *c)
{
    struct cli_request request = {.resource = kube_builtin_find("lattices")};
    _cleanup_json_ cJSON *list = NULL;

    if (cli_request(c, &request, &list, NULL) < 0)
        return NULL;
    struct map *lattices = map_new(free);
    json_each (o, json_get(list, "items")) {
        struct model_conditions conditions;
        model_conditions_read(json_get(o, "status"), &conditions);
        const struct model_condition *connected = model_condition_find(&conditions, "Connected");
        bool away = connected && !streq(connected->status, "True");
        map_set(lattices, json_str_or(o, "metadata.name", ""), xstrdup(away ? connected->message : ""));
        model_conditions_release(&conditions);
    }
    return lattices;
}

char *cli_place_warning(const struct cli_place *p, const char *lattice)
{
    const char *why = map_get(p->lattices, lattice);

    if (!p->lattices || (why && !*why))
        return NULL;
    return why ? xasprintf("the operator is not connected to lattice %s, nothing is placed meanwhile: %s",
                           lattice, why)
               : xasprintf("there is no Lattice %s: nothing is placed before it is created", lattice);
}

int cli_place_load(struct cmd_ctx *c, struct cli_place *ret, struct err **err)
{
    const struct kube_resource *r = kube_builtin_find("latticehosts");
    _cleanup_free_ char *path = kube_path(r, NULL, NULL, NULL);
    _cleanup_place_ struct cli_place p = {0};
    struct kube_client *client;
    int code = cmd_client(c, &client, err);

    if (code < 0)
        return code;
    code = kube_list_wait(client, path, "", NULL, 0, take_page, &p, NULL, err);
    code = cli_explain_missing(c, r, code, err);
    if (code < 0)
        return code;
    p.objects = xcalloc(p.n + 1, sizeof(*p.objects));
    for (size_t i = 0; i < p.n; i++)
        p.objects[i] =
            (struct place_object){.host = p.hosts[i].host, .report = &p.hosts[i].report, .given = -1};
    p.cluster_uid = read_cluster_uid(c);
    p.lattices = read_lattices(c);
    *ret = p;
    p = (struct cli_place){0};
    return 0;
}

/* What is thought away */

static bool is_named(const struct place_object *o, const char *word, bool part)
{
    const char *name = o->host->meta.name;

    if (part)
        return strlen(word) >= SHORTEST_PART && strcasestr(name, word);
    return strcasecmp(name, word) == 0 || streq(o->report->friendly_name, word);
}

/* As the other commands find hosts: a name first, else a part of one name only. */
static int without_host(struct cli_place *p, const char *lattice, const char *word, struct err **err)
{
    for (int part = 0; part < 2; part++) {
        size_t found = SIZE_MAX, n = 0;
        for (size_t i = 0; i < p->n; i++) {
            if (streq(p->objects[i].host->lattice, lattice) && is_named(&p->objects[i], word, part)) {
                found = i;
                n++;
            }
        }
        if (n > 1)
            return err_set(err, ERR_INVALID, "--without: \"%s\" fits %zu hosts of lattice %s", word, n,
                           lattice);
        if (n) {
            p->objects[found].gone = true;
            return 0;
        }
    }
    return err_set(err, ERR_NOT_FOUND,
                   "--without: no host \"%s\" in lattice %s: give its name, its friendly name, or at least "
                   "%d characters of its name",
                   word, lattice, SHORTEST_PART);
}

int cli_place_without(struct cli_place *p, const char *lattice, const char *what, struct err **err)
{
    static const char *const kinds[] = {"host/", "latticehost/", "latticehosts/", "lh/"};
    const char *equal = strchr(what, '=');
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_starts(what, kinds[i]))
            return without_host(p, lattice, what + strlen(kinds[i]), err);
    if (!equal || equal == what || strchr(equal + 1, '='))
        return err_set(err, ERR_INVALID, "--without: \"%s\" is neither host/NAME nor LABEL=VALUE", what);
    _cleanup_free_ char *key = xstrndup(what, (size_t)(equal - what));
    for (size_t i = 0; i < p->n; i++) {
        struct place_object *o = &p->objects[i];
        const char *value = map_get(o->host->labels, key);
        if (streq(o->host->lattice, lattice) && value && streq(value, equal + 1)) {
            o->gone = true;
            n++;
        }
    }
    return n ? 0
             : err_set(err, ERR_NOT_FOUND, "--without: no host of lattice %s has the label %s", lattice,
                       what);
}

/* Forecasts */

void cli_forecast_make(const struct cli_place *p, const struct model_workload *w, struct cli_forecast *ret)
{
    *ret = (struct cli_forecast){
        .hosts = xcalloc(p->n + 1, sizeof(*ret->hosts)),
        .object = xcalloc(p->n + 1, sizeof(*ret->object)),
        .given = xcalloc(p->n + 1, sizeof(*ret->given)),
    };
    ret->in = (struct place_input){
        .hosts = ret->hosts,
        .rules = &w->placement,
        .replicas = w->replicas,
        .single = w->kind == MODEL_PROVIDER,
    };
    ret->in.nhosts =
        place_hosts_from(w, p->cluster_uid, p->objects, p->n, time_now_ns(), ret->hosts, ret->object);
    place_plan_make(&ret->in, &ret->plan);
    place_explain(&ret->in, &ret->plan, &ret->why);
    for (size_t i = 0; i < p->n; i++)
        ret->given[i] = -1;
    for (size_t i = 0; i < ret->in.nhosts; i++)
        ret->given[ret->object[i]] = ret->plan.wanted[i];
}

void cli_forecast_release(struct cli_forecast *f)
{
    place_explained_release(&f->why);
    place_plan_release(&f->plan);
    free(f->hosts);
    free(f->object);
    free(f->given);
    *f = (struct cli_forecast){0};
}

void cli_forecast_keep(struct cli_place *p, const struct cli_forecast *f)
{
    for (size_t i = 0; i < p->n; i++)
        p->objects[i].given = f->given[i];
}

void cli_forecast_load(struct cli_place *p, const struct model_workload *w, const struct cli_forecast *f)
{
    for (size_t i = 0; i < p->n; i++) {
        struct place_object *o = &p->objects[i];
        o->given = -1;
        o->gone = false;
        /* A unit is one component on a host, however many replicas of it lie there. */
        if (w->kind == MODEL_ACTOR && f->given[i] > 0 && !model_host_running(o->report, w->kind, w->id))
            o->more_load++;
    }
}

static int32_t desired(const struct cli_forecast *f)
{
    return f->in.rules->daemon ? f->plan.placed + f->plan.missing : f->in.replicas;
}

char *cli_forecast_summary(const struct cli_forecast *f)
{
    size_t used = 0;

    for (size_t i = 0; i < f->in.nhosts; i++)
        used += f->plan.wanted[i] > 0;
    return xasprintf("%d of %d replicas on %zu of %zu hosts%s%s", f->plan.placed, desired(f), used,
                     f->in.nhosts, f->plan.missing ? "; " : "",
                     f->plan.missing && f->plan.summary ? f->plan.summary : "");
}

static void add_host(struct print_table *t, const struct cli_place *p, const struct cli_forecast *f, size_t i)
{
    const struct place_object *o = &p->objects[f->object[i]];

    print_table_cell(t, o->host->meta.name);
    print_table_cell(t, o->report->friendly_name);
    for (size_t k = 0; k < f->why.nkeys; k++) {
        const char *value = map_get(o->host->labels, f->why.keys[k].rule->topology_key);
        print_table_cell(t, value ? value : "<none>");
    }
    print_table_cellf(t, "%d", f->hosts[i].current);
    print_table_cellf(t, "%d", f->plan.wanted[i]);
    print_table_cell(t, f->why.why[i]);
    print_table_end_row(t);
}

/* "aws=2 gcp=1/1.5": replicas, and the share where there are weights. */
static char *domains_text(const struct place_key *k)
{
    struct buf b = BUF_INIT;

    for (size_t d = 0; d < k->ndomains; d++) {
        const struct place_domain *one = &k->domains[d];
        buf_addf(&b, "%s%s=%d", b.len ? " " : "", one->value, one->replicas);
        if (one->share >= 0)
            buf_addf(&b, "/%.3g", one->share);
        else if (!one->open)
            buf_adds(&b, "(closed)");
    }
    return buf_take(&b);
}

static void print_constraints(const struct cli_forecast *f, struct buf *out)
{
    struct print_table *t = print_table_new();

    print_table_row(t, "SPREAD", "MAXSKEW", "SKEW", "OTHERWISE", "REPLICAS", NULL);
    for (size_t i = 0; i < f->why.nkeys; i++) {
        const struct place_key *k = &f->why.keys[i];
        _cleanup_free_ char *domains = domains_text(k);
        print_table_cell(t, k->rule->topology_key);
        print_table_cellf(t, "%d", k->rule->max_skew);
        print_table_cellf(t, "%.3g", k->skew);
        print_table_cell(t, k->rule->hard ? "DoNotSchedule" : "ScheduleAnyway");
        print_table_cell(t, *domains ? domains : "<no host has the label>");
        print_table_end_row(t);
    }
    buf_addc(out, '\n');
    print_table_flush(t, out, 2);
    print_table_free(t);
}

static char *upper(const char *s)
{
    char *copy = xstrdup(s);

    for (char *p = copy; *p; p++)
        *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
    return copy;
}

void cli_forecast_print(const struct cli_place *p, const struct cli_forecast *f, struct buf *out)
{
    struct print_table *t;

    if (!f->in.nhosts)
        return;
    t = print_table_new();
    print_table_cell(t, "HOST");
    print_table_cell(t, "NAME");
    for (size_t k = 0; k < f->why.nkeys; k++) {
        _cleanup_free_ char *key = upper(f->why.keys[k].rule->topology_key);
        print_table_cell(t, key);
    }
    print_table_row(t, "NOW", "THEN", "WHY", NULL);
    for (size_t i = 0; i < f->in.nhosts; i++)
        add_host(t, p, f, i);
    print_table_flush(t, out, 2);
    print_table_free(t);
    if (f->why.nkeys)
        print_constraints(f, out);
}

/* JSON */

static cJSON *host_json(const struct cli_place *p, const struct cli_forecast *f, size_t i)
{
    const struct place_object *o = &p->objects[f->object[i]];
    cJSON *j = json_object("host", o->host->meta.name, "friendlyName", o->report->friendly_name, NULL);

    if (f->why.nkeys) {
        cJSON *topology = cJSON_CreateObject();
        for (size_t k = 0; k < f->why.nkeys; k++) {
            const char *key = f->why.keys[k].rule->topology_key, *value = map_get(o->host->labels, key);
            if (value)
                json_put_str(topology, key, value);
        }
        json_put(j, "topology", topology);
    }
    json_set_int(j, "now", f->hosts[i].current);
    json_set_int(j, "then", f->plan.wanted[i]);
    json_set_str(j, "reason", place_reason_name(f->plan.verdicts[i].reason));
    json_set_str(j, "message", f->why.why[i]);
    return j;
}

static cJSON *key_json(const struct place_key *k)
{
    cJSON *j = json_object("topologyKey", k->rule->topology_key, "whenUnsatisfiable",
                           k->rule->hard ? "DoNotSchedule" : "ScheduleAnyway", NULL);
    cJSON *values = cJSON_CreateArray();

    json_set_int(j, "maxSkew", k->rule->max_skew);
    json_put(j, "skew", cJSON_CreateNumber(round(k->skew * 1000) / 1000));
    for (size_t d = 0; d < k->ndomains; d++) {
        const struct place_domain *one = &k->domains[d];
        cJSON *v = json_object("value", one->value, NULL);
        json_set_int(v, "replicas", one->replicas);
        if (one->share >= 0)
            json_put(v, "share", cJSON_CreateNumber(round(one->share * 1000) / 1000));
        json_set_bool(v, "open", one->open);
        cJSON_AddItemToArray(values, v);
    }
    json_put(j, "values", values);
    return j;
}

cJSON *cli_forecast_json(const struct cli_place *p, const struct cli_forecast *f)
{
    cJSON *j = cJSON_CreateObject(), *hosts = cJSON_CreateArray(), *keys = cJSON_CreateArray();

    json_set_int(j, "replicas", desired(f));
    json_set_int(j, "placed", f->plan.placed);
    json_set_int(j, "missing", f->plan.missing);
    if (f->plan.missing && f->plan.summary)
        json_set_str(j, "message", f->plan.summary);
    for (size_t i = 0; i < f->in.nhosts; i++)
        cJSON_AddItemToArray(hosts, host_json(p, f, i));
    json_put(j, "hosts", hosts);
    for (size_t i = 0; i < f->why.nkeys; i++)
        cJSON_AddItemToArray(keys, key_json(&f->why.keys[i]));
    if (f->why.nkeys)
        json_put(j, "spread", keys);
    else
        cJSON_Delete(keys);
    return j;
}
