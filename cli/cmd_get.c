#include "cli/get.h"

#include <limits.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/fleet.h"
#include "cli/manifest.h"
#include "kube/watch.h"

#define O(member) offsetof(struct get_options, member)

static const struct cmd_opt get_opts[] = {
    {"all-namespaces", 'A', OPT_FLAG, O(all_namespaces), NULL, NULL, "List the objects of all namespaces"},
    {"chunk-size", 0, OPT_INT, O(chunk_size), NULL, "500",
     "Fetch long lists in pieces of so many objects; 0 = in one", .min = 0, .max = 1000000},
    {"field-selector", 0, OPT_STRING, O(field_selector), "SELECTOR", NULL,
     "Only objects whose fields match, like metadata.name=hello"},
    {"filename", 'f', OPT_LIST, O(files), "FILE", NULL,
     "The objects of a file, a folder or standard input (-)"},
    {"ignore-not-found", 0, OPT_FLAG, O(ignore_not_found), NULL, NULL, "An absent object is no error"},
    {"label-columns", 'L', OPT_CSV, O(label_columns), "LABEL,...", NULL, "Labels to show as columns"},
    {"no-headers", 0, OPT_FLAG, O(no_headers), NULL, NULL, "No line with the names of the columns"},
    {"output", 'o', OPT_STRING, O(output), "wide|yaml|json|name", NULL, "Form of the output"},
    {"output-watch-events", 0, OPT_FLAG, O(watch_events), NULL, NULL,
     "With -w: say for each line whether the object was ADDED, MODIFIED or DELETED"},
    {"raw", 0, OPT_STRING, O(raw), "PATH", NULL,
     "Ask for this path of the server and print the answer as it is"},
    {"recursive", 'R', OPT_FLAG, O(recursive), NULL, NULL, "With -f: also the folders below"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL,
     "Only objects whose labels match: a=b, a!=b, a, !a, 'a in (b,c)'"},
    {"show-kind", 0, OPT_FLAG, O(show_kind), NULL, NULL, "Put the kind in front of the name"},
    {"show-labels", 0, OPT_FLAG, O(show_labels), NULL, NULL, "All labels as the last column"},
    {"show-managed-fields", 0, OPT_FLAG, O(managed_fields), NULL, NULL,
     "Keep metadata.managedFields in YAML and JSON"},
    {"watch", 'w', OPT_FLAG, O(watch), NULL, NULL,
     "After the list, print every change; ends with Ctrl-C only"},
    {"watch-only", 0, OPT_FLAG, O(watch_only), NULL, NULL, "Only the changes, without the list"},
    OPT_TABLE_END,
};

struct print_server_table *get_table_new(const struct cmd_ctx *c, const struct get_options *o,
                                         const struct kube_resource *r, bool with_kind, char **ret_prefix)
{
    struct print_server_table_options options = {
        .wide = o->format == PRINT_WIDE,
        .no_headers = o->no_headers,
        .records = fleet_is(c),
        .namespaces = o->all_namespaces && r->namespaced,
        .events = o->watch_events,
        .show_labels = o->show_labels,
        .label_columns = o->label_columns,
    };

    *ret_prefix = with_kind || o->show_kind ? kube_resource_display(r) : NULL;
    options.name_prefix = *ret_prefix;
    return print_server_table_new(&options);
}

/* State of one run */
struct getting {
    struct cmd_ctx *c;
    const struct get_options *o;
    const struct cli_target *targets, *target;
    cJSON **held; /* named objects of several kinds: the answer for each target, shown when all are there */
    const struct kube_resource *kind; /* of the table that is open */
    bool with_kind;
    struct print_server_table *table;
    char *prefix;
    bool fresh;   /* the open table has no rows yet */
    bool printed; /* some row was printed */
    cJSON *items; /* json, yaml: collected objects */
    VEC(struct err *) errors;
};

static void close_table(struct getting *g)
{
    print_server_table_free(g->table);
    free(g->prefix);
    g->table = NULL;
    g->prefix = NULL;
}

static int show_rows(struct getting *g, const cJSON *answer, struct err **err)
{
    _cleanup_buf_ struct buf out = BUF_INIT;

    if (g->kind != g->target->resource) {
        close_table(g);
        g->kind = g->target->resource;
        g->table = get_table_new(g->c, g->o, g->kind, g->with_kind, &g->prefix);
        g->fresh = true;
    }
    int n = print_server_table_add(g->table, &out, answer, NULL, err);
    if (n > 0) {
        /* A blank line stands between the tables of several kinds. */
        if (g->fresh && g->printed && !g->o->no_headers)
            cmd_out("\n");
        g->fresh = false;
        cmd_out_buf(&out);
        g->printed = true;
    }
    return n < 0 ? n : 0;
}

static void show_name(struct getting *g, const cJSON *object)
{
    _cleanup_free_ char *kind = kube_resource_display(g->target->resource);
    _cleanup_free_ char *name = str_escape_control(json_str_or(object, "metadata.name", ""), false);

    cmd_out("%s/%s\n", kind, name);
}

/* One answer: a table, a list or an object, by the format asked for. */
static int show(void *arg, cJSON *answer, struct err **err)
{
    struct getting *g = arg;
    cJSON *items = json_get(answer, "items");

    if (g->o->format == PRINT_TABLE || g->o->format == PRINT_WIDE)
        return show_rows(g, answer, err);
    if (g->o->format == PRINT_NAME) {
        if (!g->target->name) {
            json_each (item, items)
                show_name(g, item);
        } else {
            show_name(g, answer);
        }
        return 0;
    }
    if (g->target->name) {
        cli_complete_item(answer, g->target->resource);
        cJSON_AddItemToArray(g->items, cJSON_Duplicate(answer, true));
        return 0;
    }
    while (items && items->child) {
        cJSON *item = cJSON_DetachItemViaPointer(items, items->child);
        cli_complete_item(item, g->target->resource);
        cJSON_AddItemToArray(g->items, item);
    }
    return 0;
}

static int get_target(struct getting *g, struct err **err)
{
    const struct cli_target *t = g->target;
    bool table = g->o->format == PRINT_TABLE || g->o->format == PRINT_WIDE;
    const char *accept = table ? KUBE_AS_TABLE : NULL;
    int r;

    if (t->name) {
        _cleanup_json_ cJSON *answer = NULL;
        struct cli_request request = {.resource = t->resource, .namespace = t->namespace, .name = t->name};
        request.accept = g->o->format == PRINT_NAME ? CLI_AS_METADATA : accept;
        r = cli_request(g->c, &request, &answer, err);
        if (r < 0)
            return r;
        if (!g->held)
            return show(g, answer, err);
        g->held[t - g->targets] = TAKE_PTR(answer);
        return 0;
    }
    _cleanup_free_ char *path = kube_path(t->resource, t->namespace, NULL, NULL);
    _cleanup_buf_ struct buf query = BUF_INIT;
    struct kube_client *client;
    r = cmd_client(g->c, &client, err);
    if (r < 0)
        return r;
    cli_query_add(&query, "labelSelector", g->o->selector);
    cli_query_add(&query, "fieldSelector", g->o->field_selector);
    if (g->o->format == PRINT_NAME)
        accept = CLI_AS_METADATA_LIST;
    r = kube_list_wait(client, path, buf_str(&query), accept,
                       g->o->chunk_size ? (int)g->o->chunk_size : INT_MAX, show, g, NULL, err);
    return cli_explain_missing(g->c, t->resource, r, err);
}

static void print_collected(struct getting *g, bool single)
{
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_json_ cJSON *object = NULL;

    if (fleet_is(g->c)) {
        json_each (item, g->items)
            if (!g->o->managed_fields)
                print_drop_managed_fields(item);
        fleet_collect(g->c, g->o->format, TAKE_PTR(g->items));
        return;
    }
    if (single) {
        if (!g->items->child)
            return;
        object = cJSON_DetachItemViaPointer(g->items, g->items->child);
        cJSON_Delete(g->items);
    } else {
        object = print_list_object(g->items);
    }
    g->items = NULL;
    if (!g->o->managed_fields)
        print_drop_managed_fields(object);
    print_object(&out, g->o->format, object);
    cmd_out_buf(&out);
}

static void note_nothing(struct getting *g, const struct cli_targets *targets)
{
    bool namespaced = false;

    for (size_t i = 0; i < targets->len; i++)
        namespaced = namespaced || targets->items[i].namespace;
    if (namespaced) {
        _cleanup_free_ char *text = xasprintf("No resources found in %s namespace.", cmd_namespace(g->c));
        fleet_nothing(g->c, text);
    } else {
        fleet_nothing(g->c, "No resources found");
    }
}

static void get_all(struct getting *g, const struct cli_targets *targets)
{
    for (size_t i = 0; i < targets->len; i++) {
        struct err *e = NULL;
        g->target = &targets->items[i];
        if (get_target(g, &e) == 0)
            continue;
        if (g->o->ignore_not_found && e->http == 404) {
            err_free(e);
            continue;
        }
        vec_push(&g->errors, e);
        if (cmd_hopeless(e))
            break;
    }
}

/* Names carry their kind only when objects of more than one kind were found. */
static void show_held(struct getting *g, const struct cli_targets *targets)
{
    const struct kube_resource *first = NULL;

    g->with_kind = false;
    for (size_t i = 0; i < targets->len; i++) {
        if (!g->held[i])
            continue;
        if (!first)
            first = targets->items[i].resource;
        g->with_kind = g->with_kind || targets->items[i].resource != first;
    }
    for (size_t i = 0; i < targets->len; i++) {
        struct err *e = NULL;
        g->target = &targets->items[i];
        if (g->held[i] && show(g, g->held[i], &e) < 0)
            vec_push(&g->errors, e);
        cJSON_Delete(g->held[i]);
    }
    free(g->held);
    g->held = NULL;
}

static int get_list(struct cmd_ctx *c, const struct get_options *o, const struct cli_targets *targets)
{
    bool collects = o->format == PRINT_JSON || o->format == PRINT_YAML;
    struct getting g = {
        .c = c,
        .o = o,
        .targets = targets->items,
        .with_kind = targets->several_kinds,
        .items = collects ? cJSON_CreateArray() : NULL,
    };

    if (targets->several_kinds && targets->named)
        g.held = xcalloc(targets->len, sizeof(*g.held));
    get_all(&g, targets);
    if (g.held)
        show_held(&g, targets);
    if (collects) {
        bool single = targets->len == 1 && targets->named;
        if (!g.errors.len || g.items->child)
            print_collected(&g, single);
        cJSON_Delete(g.items);
    } else if (!g.printed && !g.errors.len && !c->failed && !o->ignore_not_found && o->format != PRINT_NAME) {
        note_nothing(&g, targets);
    }
    close_table(&g);
    cmd_flush();
    for (size_t i = 0; i < g.errors.len; i++)
        cmd_report(c, &g.errors.items[i]);
    free(g.errors.items);
    return 0;
}

static int get_raw(struct cmd_ctx *c, const struct get_options *o, struct err **err)
{
    _cleanup_free_ char *body = NULL;
    struct kube_client *client;

    if (o->raw[0] != '/')
        return cmd_usage(c, err, "--raw needs a path that starts with '/', like /version");
    if (c->argc || o->files || o->selector || o->watch || o->output)
        return cmd_usage(c, err, "--raw goes with no other argument");
    int r = cmd_client(c, &client, err);
    if (r < 0)
        return r;
    struct kube_call call = {.method = "GET", .path = o->raw, .accept = "application/json, */*"};
    r = kube_call_wait(client, &call, &body, err);
    if (r < 0)
        return cli_explain_path(err);
    cmd_out("%s", body);
    return 0;
}

static int run_get(struct cmd_ctx *c, struct err **err)
{
    struct get_options *o = c->options;
    _cleanup_manifests_ struct manifests files = {0};
    _cleanup_targets_ struct cli_targets targets = {0};
    struct cli_target_options how = {
        .verb = "get", .all_namespaces = o->all_namespaces, .selector = o->selector || o->field_selector};
    int r = print_format_parse(o->output, &o->format, err);

    if (r < 0)
        return r;
    if (o->raw)
        return get_raw(c, o, err);
    r = o->files ? manifest_targets(c, o->files, o->recursive, &files, &targets, err)
                 : cli_targets_parse(c, &how, &targets, err);
    if (r < 0)
        return r;
    if (o->watch_events && !o->watch && !o->watch_only)
        return cmd_usage(c, err, "--output-watch-events goes with --watch or --watch-only");
    if (targets.len && (o->watch || o->watch_only))
        return get_watch(c, o, &targets, err);
    return get_list(c, o, &targets);
}

const struct cmd_entry cmd_get = {
    .name = "get",
    .group = CMD_GROUP_BASIC,
    .brief = "Show one or many objects",
    .help = "Show one or many objects as a table, or whole as YAML or JSON.\n\n"
            "Kinds go by their plural, singular or short name (wasmactors, wasmactor, wa), several with "
            "commas (wa,lh), or by category (wasm, all). A watch (-w) goes on by itself when the server "
            "closes it, restarts or forgets the history: no change is lost or printed twice.",
    .usage = "(KIND[,KIND...] [NAME...] | KIND/NAME... | -f FILE) [options]",
    .examples = "# All actors of the namespace\n%P get wasmactors\n"
                "# Actors and hosts, with more columns\n%P get wa,lh -o wide\n"
                "# Hosts of one cloud\n%P get latticehosts -l cloud=gcp\n"
                "# One actor, whole\n%P get wasmactor hello -o yaml\n"
                "# Every change in all namespaces\n%P get wa -A -w",
    .opts = get_opts,
    .options_size = sizeof(struct get_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_get,
};
