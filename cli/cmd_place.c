#include "base/mem.h"
#include "base/str.h"
#include "cli/fleet.h"
#include "cli/manifest.h"
#include "cli/place.h"
#include "kube/watch.h"
#include "print/object.h"

struct place_options {
    char **files, **without;
    const char *output, *selector;
    bool recursive, all_namespaces;
};

#define O(member) offsetof(struct place_options, member)

static const struct cmd_opt place_opts[] = {
    {"all-namespaces", 'A', OPT_FLAG, O(all_namespaces), NULL, NULL, "The objects of all namespaces"},
    {"filename", 'f', OPT_CSV, O(files), "FILE", NULL,
     "The actors and providers of a file, a folder or standard input (-), applied or not"},
    {"output", 'o', OPT_STRING, O(output), "table|json|yaml", NULL, "How to print it"},
    {"recursive", 'R', OPT_FLAG, O(recursive), NULL, NULL, "With -f: also the folders below"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL, "Only objects whose labels match"},
    {"without", 0, OPT_LIST, O(without), "HOSTS", NULL,
     "Also tell what becomes of it when these die: host/NAME, or LABEL=VALUE for all that have it; "
     "repeatable"},
    OPT_TABLE_END,
};

struct placing {
    struct cmd_ctx *c;
    const struct place_options *o;
    enum print_format format;
    struct cli_place place;
    cJSON *items;
    size_t done;
    bool missing;
};

static bool kind_of(const struct kube_resource *r, enum model_kind *ret)
{
    *ret = streq(r->kind, "WasmProvider") ? MODEL_PROVIDER : MODEL_ACTOR;
    return streq(r->group, "wasmctl.dev") && (*ret == MODEL_PROVIDER || streq(r->kind, "WasmActor"));
}

static cJSON *unit_json(const struct placing *g, const struct model_workload *w, const struct cli_forecast *f)
{
    cJSON *j = json_object("kind", "Placement", "of", model_kind_name(w->kind), "lattice", w->lattice, NULL);
    cJSON *forecast = cli_forecast_json(&g->place, f);

    while (forecast->child) {
        cJSON *member = cJSON_DetachItemViaPointer(forecast, forecast->child);
        char *name = member->string;
        member->string = NULL;
        json_put(j, name, member);
        free(name);
    }
    cJSON_Delete(forecast);
    json_put(j, "metadata", json_object("namespace", w->meta.namespace, "name", w->meta.name, NULL));
    return j;
}

static void print_forecast(const struct placing *g, const struct cli_forecast *f, const char *title)
{
    _cleanup_free_ char *summary = cli_forecast_summary(f);
    _cleanup_buf_ struct buf out = BUF_INIT;

    buf_addf(&out, "%s: %s\n", title, summary);
    cli_forecast_print(&g->place, f, &out);
    cmd_out_buf(&out);
}

/* What is lost is what was planned there. */
static int without(struct placing *g, const struct model_workload *w, const struct cli_forecast *before,
                   cJSON *json, struct err **err)
{
    _cleanup_forecast_ struct cli_forecast after = {0};
    _cleanup_free_ char *words = strv_join(g->o->without, ", ");
    int32_t lost = 0;

    for (char **what = g->o->without; *what; what++) {
        int r = cli_place_without(&g->place, w->lattice, *what, err);
        if (r < 0)
            return r;
    }
    cli_forecast_keep(&g->place, before);
    for (size_t i = 0; i < g->place.n; i++)
        lost += g->place.objects[i].gone && before->given[i] > 0 ? before->given[i] : 0;
    cli_forecast_make(&g->place, w, &after);
    g->missing = g->missing || after.plan.missing > 0;
    if (json) {
        cJSON *j = cli_forecast_json(&g->place, &after), *gone = cJSON_CreateArray();
        for (size_t i = 0; i < g->place.n; i++)
            if (g->place.objects[i].gone)
                cJSON_AddItemToArray(gone, cJSON_CreateString(g->place.objects[i].host->meta.name));
        json_put(j, "gone", gone);
        json_set_int(j, "lost", lost);
        json_put(json, "without", j);
        return 0;
    }
    _cleanup_free_ char *title =
        xasprintf("\nWithout %s (%d %s lost)", words, lost, lost == 1 ? "replica is" : "replicas are");
    print_forecast(g, &after, title);
    return 0;
}

static int place_one(struct placing *g, enum model_kind kind, const cJSON *object, struct err **err)
{
    struct model_workload *w _cleanup_(model_workload_freep) = model_workload_new(kind, object);
    _cleanup_forecast_ struct cli_forecast f = {0};
    cJSON *json = NULL;
    int r = 0;

    if (w->problem)
        return err_set(err, ERR_INVALID, "%s %s cannot be placed: %s", model_kind_name(kind), w->key,
                       w->problem);
    _cleanup_free_ char *warning = cli_place_warning(&g->place, w->lattice);
    if (warning)
        cmd_note("Warning: %s", warning);
    cli_forecast_make(&g->place, w, &f);
    g->missing = g->missing || f.plan.missing > 0;
    if (g->format == PRINT_TABLE) {
        _cleanup_free_ char *title = xasprintf("%s%s %s in lattice %s", g->done ? "\n" : "",
                                               model_kind_name(kind), w->key, w->lattice);
        print_forecast(g, &f, title);
    } else {
        json = unit_json(g, w, &f);
        cJSON_AddItemToArray(g->items, json);
    }
    g->done++;
    if (g->o->without)
        r = without(g, w, &f, json, err);
    cli_forecast_load(&g->place, w, &f);
    return r;
}

struct page {
    struct placing *g;
    enum model_kind kind;
};

static int take_page(void *arg, cJSON *list, struct err **err _unused_)
{
    struct page *p = arg;

    json_each (object, json_get(list, "items")) {
        struct err *e = NULL;
        if (place_one(p->g, p->kind, object, &e) < 0)
            cmd_report(p->g->c, &e);
    }
    return 0;
}

static int place_target(struct placing *g, const struct cli_target *t, struct err **err)
{
    struct page page = {.g = g};
    struct kube_client *client;

    kind_of(t->resource, &page.kind);
    if (t->name) {
        struct cli_request request = {.resource = t->resource, .namespace = t->namespace, .name = t->name};
        _cleanup_json_ cJSON *object = NULL;
        int r = cli_request(g->c, &request, &object, err);
        return r < 0 ? r : place_one(g, page.kind, object, err);
    }
    _cleanup_free_ char *path = kube_path(t->resource, t->namespace, NULL, NULL);
    _cleanup_buf_ struct buf query = BUF_INIT;
    int r = cmd_client(g->c, &client, err);
    if (r < 0)
        return r;
    cli_query_add(&query, "labelSelector", g->o->selector);
    r = kube_list_wait(client, path, buf_str(&query), NULL, 0, take_page, &page, NULL, err);
    return cli_explain_missing(g->c, t->resource, r, err);
}

static int place_targets(struct placing *g, struct err **err)
{
    _cleanup_targets_ struct cli_targets targets = {0};
    struct cli_target_options how = {
        .verb = "place", .all_namespaces = g->o->all_namespaces, .selector = !str_empty(g->o->selector)};
    int r = cli_targets_parse(g->c, &how, &targets, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < targets.len; i++) {
        enum model_kind kind;
        if (!kind_of(targets.items[i].resource, &kind))
            return err_set(err, ERR_INVALID, "%s are not placed on hosts: wasmactors and wasmproviders are",
                           targets.items[i].resource->resource);
    }
    for (size_t i = 0; i < targets.len; i++) {
        struct err *e = NULL;
        if (place_target(g, &targets.items[i], &e) < 0 && !cmd_report_one(g->c, &e))
            break;
    }
    return 0;
}

/* The status of what is there already says since when its replicas are where they are. */
static int place_manifest(struct placing *g, struct manifest *m, enum model_kind kind, struct err **err)
{
    _cleanup_json_ cJSON *live = NULL, *object = cJSON_Duplicate(m->object, true);
    struct cli_request request = {
        .resource = m->resource, .namespace = manifest_namespace(m), .name = manifest_name(m)};
    struct err *e = NULL;

    json_set_str(object, "metadata.namespace", manifest_namespace(m));
    if (cli_request(g->c, &request, &live, &e) == 0) {
        cJSON *status = json_get(live, "status");
        if (status)
            json_put(object, "status", cJSON_Duplicate(status, true));
    } else if (e->code != ERR_NOT_FOUND) {
        return err_move(err, e);
    }
    err_free(e);
    return place_one(g, kind, object, err);
}

static int place_files(struct placing *g, struct err **err)
{
    _cleanup_manifests_ struct manifests files = {0};
    const struct manifest_from from = {.files = g->o->files, .recursive = g->o->recursive};
    bool any = false;
    int loaded = manifests_load_from(g->c, &from, &files, err);

    if (loaded < 0)
        return loaded;
    for (size_t i = 0; i < files.len; i++) {
        struct manifest *m = &files.items[i];
        const struct kube_resource *known =
            kube_builtin_kind(json_str_or(m->object, "apiVersion", ""), json_str_or(m->object, "kind", ""));
        enum model_kind kind;
        struct err *e = NULL;
        /* What else is in the files needs no place. */
        if (!known || !kind_of(known, &kind))
            continue;
        any = true;
        int r = manifest_resolve(g->c, &files, m, &e);
        if (r == 0)
            r = place_manifest(g, m, kind, &e);
        if (r < 0) {
            bool over = cmd_hopeless(e);
            err_wrap(&e, "%s", m->source);
            cmd_report(g->c, &e);
            if (over)
                break;
        }
    }
    if (!any && !g->c->failed)
        return err_set(err, ERR_NOT_FOUND, "there is no WasmActor and no WasmProvider in the files");
    return 0;
}

static void print_items(struct placing *g)
{
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_json_ cJSON *all = NULL;

    if (!g->items || fleet_collect(g->c, g->format, g->items)) {
        cJSON_Delete(g->items);
        return;
    }
    if (g->done == 1) {
        all = cJSON_DetachItemFromArray(g->items, 0);
        cJSON_Delete(g->items);
    } else {
        all = print_list_object(g->items);
    }
    print_object(&out, g->format, all);
    cmd_out_buf(&out);
}

static int run_place(struct cmd_ctx *c, struct err **err)
{
    const struct place_options *o = c->options;
    struct placing g = {.c = c, .o = o, .format = PRINT_TABLE};

    if (!str_empty(o->output) && !streq(o->output, "table")) {
        if (!streq(o->output, "json") && !streq(o->output, "yaml"))
            return err_set(err, ERR_INVALID, "--output must be 'table', 'json' or 'yaml'");
        g.format = streq(o->output, "json") ? PRINT_JSON : PRINT_YAML;
        g.items = cJSON_CreateArray();
    }
    if (o->files && c->argc) {
        cJSON_Delete(g.items);
        return cmd_usage(c, err, "give either names or files");
    }
    int r = cli_place_load(c, &g.place, err);
    if (r == 0)
        r = o->files ? place_files(&g, err) : place_targets(&g, err);
    if (r == 0 && !g.done && !c->failed)
        fleet_nothing(c, "No resources found");
    if (g.done)
        print_items(&g);
    else
        cJSON_Delete(g.items);
    cli_place_release(&g.place);
    return r < 0 ? r : g.missing;
}

const struct cmd_entry cmd_place = {
    .name = "place",
    .group = CMD_GROUP_BASIC,
    .brief = "Explain where replicas are placed, and what becomes of them when hosts die",
    .help = "Explain which host gets how many replicas of an actor or provider, and why, and why the others "
            "get none: with the rules the operator goes by, and the hosts as they are now. NOW is what runs, "
            "THEN what the operator makes of it. With -f also before anything is applied.\n\n"
            "--without thinks hosts away, by name or by label, and shows where their replicas go.\n\n"
            "Exit code 1 when not all replicas find a host.",
    .usage = "(KIND/NAME... | KIND [NAME...] | -f FILE) [options]",
    .examples = "# Why an actor is where it is\n%P place wasmactor/hello\n"
                "# Before it is applied\n%P place -f hello.yaml\n"
                "# When a cloud fails; when two hosts die\n%P place wasmactor/hello --without cloud=aws\n"
                "%P place wasmactor/hello --without host/lucky-fog-1234 --without host/nd2qrs\n"
                "# For programs\n%P place wasmactors -o json",
    .opts = place_opts,
    .options_size = sizeof(struct place_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_place,
};
