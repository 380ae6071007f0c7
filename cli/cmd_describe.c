#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/describe.h"
#include "cli/fleet.h"
#include "cli/manifest.h"
#include "kube/watch.h"

struct describe_options {
    char **files;
    const char *selector;
    bool recursive, all_namespaces, show_events;
};

#define O(member) offsetof(struct describe_options, member)

static const struct cmd_opt describe_opts[] = {
    {"all-namespaces", 'A', OPT_FLAG, O(all_namespaces), NULL, NULL, "The objects of all namespaces"},
    {"filename", 'f', OPT_CSV, O(files), "FILE", NULL,
     "The objects of a file, a folder or standard input (-)"},
    {"recursive", 'R', OPT_FLAG, O(recursive), NULL, NULL, "With -f: also the folders below"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL, "Only objects whose labels match"},
    {"show-events", 0, OPT_FLAG, O(show_events), NULL, "true", "Show the Events of the object at the end"},
    OPT_TABLE_END,
};

struct describing {
    struct cmd_ctx *c;
    const struct describe_options *o;
    const struct kube_resource *resource;
    cJSON *actors, *providers; /* what runs on hosts: read once, when the first host is described */
    bool running_read;
    size_t done;
};

/* Events are an addition: when they cannot be read, the description says so and stands. */
static void add_events(struct describing *g, struct describe *d, const cJSON *o)
{
    const struct kube_resource *events = kube_builtin_find("events");
    _cleanup_free_ char *selector = NULL;
    _cleanup_buf_ struct buf query = BUF_INIT;
    _cleanup_json_ cJSON *list = NULL;
    _cleanup_err_ struct err *e = NULL;
    const char *namespace = json_str(o, "metadata.namespace");

    if (!events || !g->o->show_events)
        return;
    selector = xasprintf("involvedObject.name=%s,involvedObject.kind=%s,involvedObject.uid=%s",
                         json_str_or(o, "metadata.name", ""), json_str_or(o, "kind", ""),
                         json_str_or(o, "metadata.uid", ""));
    cli_query_add(&query, "fieldSelector", selector);
    cli_query_add(&query, "limit", "500");
    struct cli_request request = {.resource = events, .namespace = namespace, .query = buf_str(&query)};
    if (cli_request(g->c, &request, &list, &e) < 0)
        describe_kv(d, 0, "Events", "<cannot be read: %s>", err_text(e));
    else
        describe_events(d, list);
}

static cJSON *list_all(struct describing *g, const char *kind)
{
    const struct kube_resource *r = kube_builtin_find(kind);
    cJSON *list = NULL;
    struct err *e = NULL;
    struct cli_request request = {.resource = r};

    if (r && cli_request(g->c, &request, &list, &e) < 0) {
        cmd_note("Warning: what runs on the host is not shown: %s", err_text(e));
        err_free(e);
    }
    return list;
}

static void describe_object(struct describing *g, cJSON *o)
{
    _cleanup_(describe_release) struct describe d = {0};

    cli_complete_item(o, g->resource);
    if (streq(json_str_or(o, "kind", ""), "LatticeHost") && !g->running_read) {
        g->running_read = true;
        g->actors = list_all(g, "wasmactors.wasmctl.dev");
        g->providers = list_all(g, "wasmproviders.wasmctl.dev");
    }
    if (fleet_is(g->c))
        describe_kv(&d, 0, "Context", "%s", fleet_context(g->c));
    if (!describe_wasm(&d, o, g->actors, g->providers))
        describe_any(&d, o);
    add_events(g, &d, o);
    describe_end(&d);
    if (g->done++ && !fleet_is(g->c))
        cmd_out("\n\n");
    fleet_block(g->c, &d.out, "\n\n");
}

/* kube_list_wait() runs the loop: no request may be made from its callback, so the objects wait. */
static int take_page(void *arg, cJSON *page, struct err **err _unused_)
{
    cJSON *all = arg, *items = json_get(page, "items");

    while (items && items->child)
        cJSON_AddItemToArray(all, cJSON_DetachItemViaPointer(items, items->child));
    return 0;
}

static int list_target(struct describing *g, const struct cli_target *t, cJSON *all, struct err **err)
{
    _cleanup_free_ char *path = kube_path(t->resource, t->namespace, NULL, NULL);
    _cleanup_buf_ struct buf query = BUF_INIT;
    struct kube_client *client;
    int r = cmd_client(g->c, &client, err);

    if (r < 0)
        return r;
    cli_query_add(&query, "labelSelector", g->o->selector);
    r = kube_list_wait(client, path, buf_str(&query), NULL, 0, take_page, all, NULL, err);
    return cli_explain_missing(g->c, t->resource, r, err);
}

/* No object has the name: those whose names begin with it are meant. False when there are none. */
static bool describe_by_prefix(struct describing *g, const struct cli_target *t)
{
    _cleanup_json_ cJSON *all = cJSON_CreateArray();
    bool found = false;

    if (g->o->files || list_target(g, t, all, NULL) < 0)
        return false;
    json_each (o, all)
        if (str_starts(json_str_or(o, "metadata.name", ""), t->name)) {
            describe_object(g, o);
            found = true;
        }
    return found;
}

static int describe_target(struct describing *g, const struct cli_target *t, struct err **err)
{
    _cleanup_json_ cJSON *all = cJSON_CreateArray();
    int r;

    g->resource = t->resource;
    if (t->name) {
        _cleanup_json_ cJSON *o = NULL;
        _cleanup_err_ struct err *e = NULL;
        struct cli_request request = {.resource = t->resource, .namespace = t->namespace, .name = t->name};
        r = cli_request(g->c, &request, &o, &e);
        if (r == 0)
            describe_object(g, o);
        else if (e->http == 404 && describe_by_prefix(g, t))
            return 0;
        return r < 0 ? err_move(err, TAKE_PTR(e)) : 0;
    }
    r = list_target(g, t, all, err);
    json_each (o, all)
        describe_object(g, o);
    return r;
}

static int run_describe(struct cmd_ctx *c, struct err **err)
{
    const struct describe_options *o = c->options;
    _cleanup_manifests_ struct manifests files = {0};
    _cleanup_targets_ struct cli_targets targets = {0};
    struct describing g = {.c = c, .o = o};
    struct cli_target_options how = {
        .verb = "describe", .all_namespaces = o->all_namespaces, .selector = o->selector};
    int r;

    r = o->files ? manifest_targets(c, o->files, o->recursive, &files, &targets, err)
                 : cli_targets_parse(c, &how, &targets, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < targets.len; i++) {
        struct err *e = NULL;
        if (describe_target(&g, &targets.items[i], &e) < 0 && !cmd_report_one(c, &e))
            break;
    }
    if (g.done == 0 && !c->failed) {
        bool in_namespace = targets.len && targets.items[0].namespace;
        _cleanup_free_ char *text =
            in_namespace ? xasprintf("No resources found in %s namespace.", cmd_namespace(c)) : NULL;
        fleet_nothing(c, text ? text : "No resources found");
    }
    cJSON_Delete(g.actors);
    cJSON_Delete(g.providers);
    return 0;
}

const struct cmd_entry cmd_describe = {
    .name = "describe",
    .group = CMD_GROUP_BASIC,
    .brief = "Tell about objects: state, reasons, placements, Events",
    .usage = "(KIND [NAME...] | KIND/NAME... | -f FILE) [options]",
    .examples = "# Why an actor does not run\n%P describe wasmactor hello\n"
                "# What a host does\n%P describe latticehost nabc...\n"
                "# Everything whose name begins with web\n%P describe pod web\n"
                "# All actors of an application\n%P describe wa -l app=todo",
    .opts = describe_opts,
    .options_size = sizeof(struct describe_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_describe,
};
