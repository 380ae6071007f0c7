#include "cli/get.h"

#include <limits.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/fleet.h"
#include "kube/watch.h"
#include "print/sort.h"

#define O(member) offsetof(struct get_options, member)

static const struct cmd_opt get_opts[] = {
    {"allow-missing-template-keys", 0, OPT_FLAG, O(allow_missing_keys), NULL, "true",
     "A field that a template names and an object has not is no error"},
    {"all-namespaces", 'A', OPT_FLAG, O(all_namespaces), NULL, NULL, "List the objects of all namespaces"},
    {"chunk-size", 0, OPT_INT, O(chunk_size), NULL, "500",
     "Fetch long lists in pieces of so many objects; 0 = in one", .min = 0, .max = 1000000},
    {"field-selector", 0, OPT_STRING, O(field_selector), "SELECTOR", NULL,
     "Only objects whose fields match, like metadata.name=hello"},
    MANIFEST_OPTS(O(from)),
    {"ignore-not-found", 0, OPT_FLAG, O(ignore_not_found), NULL, NULL, "An absent object is no error"},
    {"label-columns", 'L', OPT_CSV, O(label_columns), "LABEL,...", NULL, "Labels to show as columns"},
    {"no-headers", 0, OPT_FLAG, O(no_headers), NULL, NULL, "No line with the names of the columns"},
    {"output", 'o', OPT_STRING, O(output), "FORMAT", NULL,
     "wide, csv, json, yaml, ndjson, name, jsonpath=, jsonpath-as-json=, jsonpath-file=, custom-columns=, "
     "custom-columns-file=, go-template= or go-template-file="},
    {"output-watch-events", 0, OPT_FLAG, O(watch_events), NULL, NULL,
     "With -w: say for each line whether the object was ADDED, MODIFIED or DELETED"},
    {"raw", 0, OPT_STRING, O(raw), "PATH", NULL,
     "Ask for this path of the server and print the answer as it is"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL,
     "Only objects whose labels match: a=b, a!=b, a, !a, 'a in (b,c)'"},
    {"show-kind", 0, OPT_FLAG, O(show_kind), NULL, NULL, "Put the kind in front of the name"},
    {"show-labels", 0, OPT_FLAG, O(show_labels), NULL, NULL, "All labels as the last column"},
    {"show-managed-fields", 0, OPT_FLAG, O(managed_fields), NULL, NULL,
     "Keep metadata.managedFields in YAML and JSON"},
    {"sort-by", 0, OPT_STRING, O(sort_by), "PATH", NULL,
     "Sort by this field, like .metadata.creationTimestamp or {.status.readyReplicas}"},
    {"template", 0, OPT_STRING, O(template), "TEMPLATE", NULL,
     "The template (or its file) of -o jsonpath, custom-columns or go-template; a Go template without -o"},
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
        .csv = o->format == PRINT_CSV,
        .context = o->format == PRINT_CSV ? fleet_context(c) : NULL,
        .colour = o->colour,
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
    bool fresh;                          /* the open table has no rows yet */
    bool printed;                        /* some row was printed */
    struct print_sorter *sorter;         /* --sort-by */
    const struct kube_resource *sorting; /* of the rows it holds */
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
    const cJSON *rows = json_get(answer, "rows");

    if (cJSON_IsArray(rows) && !rows->child)
        return 0;

    if (g->kind != g->target->resource) {
        close_table(g);
        g->kind = g->target->resource;
        g->table = get_table_new(g->c, g->o, g->kind, g->with_kind, &g->prefix);
        g->fresh = true;
    }
    int n = print_server_table_add(g->table, &out, answer, NULL, err);
    if (n > 0) {
        /* A blank line stands between the tables of several kinds. */
        bool titled = g->fresh && !g->o->no_headers, csv = g->o->format == PRINT_CSV;
        if (titled && g->printed && !(csv && fleet_is(g->c)))
            cmd_out("\n");
        g->fresh = false;
        if (csv)
            fleet_plain_rows(g->c, &out, titled);
        else
            cmd_out_buf(&out);
        g->printed = true;
    }
    return n < 0 ? n : 0;
}

/* Templates give text for each context; where the text is JSON, the contexts together are to be JSON too. */
static void show_text(struct getting *g, const struct buf *text)
{
    cJSON *value = NULL;

    if (fleet_is(g->c) && g->o->format == PRINT_JSONPATH_JSON && text->len &&
        json_parse(buf_str(text), text->len, "values", &value, NULL) == 0)
        fleet_value(g->c, PRINT_JSON, value);
    else
        cmd_out_buf(text);
}

static int show_object(struct getting *g, cJSON *object, const char *kind, struct err **err)
{
    _cleanup_buf_ struct buf out = BUF_INIT;
    int r;

    /* Objects of all contexts make one List. */
    if (fleet_is(g->c) && (g->o->format == PRINT_JSON || g->o->format == PRINT_YAML)) {
        cJSON *items = cJSON_CreateArray();
        if (!g->o->managed_fields)
            print_drop_managed_fields(object);
        cJSON_AddItemToArray(items, object);
        fleet_collect(g->c, g->o->format, items);
        return 0;
    }
    fleet_mark(g->c, object);
    r = print_output_add(g->o->print, object, kind, &out, err);
    if (g->o->format == PRINT_NDJSON)
        fleet_block(g->c, &out, NULL);
    else
        show_text(g, &out);
    return r;
}

static int show_objects(struct getting *g, cJSON *answer, struct err **err)
{
    const struct kube_resource *resource = g->target ? g->target->resource : NULL;
    _cleanup_free_ char *kind = resource ? kube_resource_display(resource) : NULL;
    cJSON *items = json_get(answer, "items");
    int r = 0;

    if (g->target && g->target->name) {
        cli_complete_item(answer, resource);
        return show_object(g, cJSON_Duplicate(answer, true), kind, err);
    }
    while (items && items->child && r == 0) {
        cJSON *item = cJSON_DetachItemViaPointer(items, items->child);
        if (resource)
            cli_complete_item(item, resource);
        r = show_object(g, item, kind, err);
    }
    return r;
}

/* Prints what was sorted so far: of tables one kind, of objects everything. */
static int show_sorted(struct getting *g, struct err **err)
{
    _cleanup_json_ cJSON *answer = NULL;
    const struct cli_target *target = g->target;
    int r = g->sorter ? print_sorter_finish(g->sorter, &answer, err) : 0;

    if (r < 0 || !answer)
        return r;
    if (g->o->table)
        return show_rows(g, answer, err);
    g->target = NULL; /* objects of any kind; each knows its own */
    r = show_objects(g, answer, err);
    g->target = target;
    return r;
}

static int sort_answer(struct getting *g, cJSON *answer, struct err **err)
{
    const struct cli_target *target = g->target, before = {.resource = g->sorting};

    if (g->o->table && g->sorting && g->sorting != target->resource) {
        g->target = &before;
        int r = show_sorted(g, err);
        g->target = target;
        if (r < 0)
            return r;
    }
    if (!g->o->table) {
        if (g->target->name)
            cli_complete_item(answer, g->target->resource);
        json_each (item, json_get(answer, "items"))
            cli_complete_item(item, g->target->resource);
    }
    g->sorting = g->target->resource;
    return print_sorter_take(g->sorter, answer, err);
}

/* One answer: a table, a list or an object, by the format asked for. */
static int show(void *arg, cJSON *answer, struct err **err)
{
    struct getting *g = arg;

    if (g->sorter)
        return sort_answer(g, answer, err);
    return g->o->table ? show_rows(g, answer, err) : show_objects(g, answer, err);
}

/* Rows need the metadata of their objects for some columns only; without it an answer is a fifth as long. */
static bool rows_suffice(const struct getting *g)
{
    const struct get_options *o = g->o;

    return !(o->all_namespaces && g->target->resource->namespaced) && !o->show_labels && !o->label_columns;
}

static int get_target(struct getting *g, struct err **err)
{
    const struct cli_target *t = g->target;
    const char *accept = g->o->table ? KUBE_AS_TABLE : NULL;
    bool names_only = g->o->format == PRINT_NAME && !g->sorter;
    int r;

    if (t->name) {
        _cleanup_json_ cJSON *answer = NULL;
        struct cli_request request = {.resource = t->resource, .namespace = t->namespace, .name = t->name};
        request.accept = names_only ? CLI_AS_METADATA : accept;
        if (g->o->table && g->sorter)
            request.query = "includeObject=Object";
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
    /* What is sorted by must come with the rows. */
    if (g->o->table && g->sorter)
        cli_query_add(&query, "includeObject", "Object");
    else if (g->o->table && rows_suffice(g))
        cli_query_add(&query, "includeObject", "None");
    if (names_only)
        accept = CLI_AS_METADATA_LIST;
    r = kube_list_wait(client, path, buf_str(&query), accept,
                       g->o->chunk_size ? (int)g->o->chunk_size : INT_MAX, show, g, NULL, err);
    return cli_explain_missing(g->c, t->resource, r, err);
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

/* What waits to be printed: sorted rows, the end of a list. */
static void finish(struct getting *g, const struct cli_targets *targets)
{
    const struct cli_target last = {.resource = g->sorting};
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct err *e = NULL;

    g->target = &last;
    if (show_sorted(g, &e) < 0) {
        vec_push(&g->errors, e);
        return;
    }
    if (g->o->table)
        return;
    if (fleet_is(g->c) && (g->o->format == PRINT_JSON || g->o->format == PRINT_YAML)) {
        if (!g->errors.len)
            fleet_collect(g->c, g->o->format, cJSON_CreateArray());
        return;
    }
    /* Nothing but errors, or nothing and that is fine: then there is no empty list either. */
    if (!print_output_count(g->o->print) && (g->errors.len || g->o->ignore_not_found || targets->named))
        return;
    if (print_output_finish(g->o->print, &out, &e) < 0)
        vec_push(&g->errors, e);
    else
        show_text(g, &out);
}

static int get_list(struct cmd_ctx *c, const struct get_options *o, const struct cli_targets *targets,
                    struct err **err)
{
    struct getting g = {
        .c = c,
        .o = o,
        .targets = targets->items,
        .with_kind = targets->several_kinds,
    };
    int r = o->sort_by ? print_sorter_new(o->sort_by, &g.sorter, err) : 0;

    if (r < 0)
        return r;
    print_output_shape(o->print, targets->len == 1 && targets->named ? PRINT_SINGLE : PRINT_LIST);
    if (targets->several_kinds && targets->named)
        g.held = xcalloc(targets->len, sizeof(*g.held));
    get_all(&g, targets);
    if (g.held)
        show_held(&g, targets);
    finish(&g, targets);
    if (o->table && !g.printed && !g.errors.len && !c->failed && !o->ignore_not_found)
        note_nothing(&g, targets);
    close_table(&g);
    print_sorter_free(g.sorter);
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
    if (c->argc || manifest_from_any(&o->from) || o->selector || o->watch || o->output)
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

static int check_options(struct get_options *o, struct err **err)
{
    bool watches = o->watch || o->watch_only;

    if (o->show_labels && !o->table)
        return err_set(err, ERR_INVALID, "--show-labels option cannot be used with %s printer",
                       o->output ? o->output : "template");
    if (o->label_columns && o->format == PRINT_COLUMNS)
        return err_set(err, ERR_INVALID, "--label-columns option cannot be used with %s printer", o->output);
    if (o->watch_events && !watches)
        return err_set(err, ERR_INVALID,
                       "--output-watch-events option can only be used with --watch or --watch-only");
    if (str_empty(o->sort_by))
        o->sort_by = NULL;
    if (o->sort_by && watches)
        cmd_note("warning: --watch requested, --sort-by will be ignored for watch events received");
    return 0;
}

static int get_objects(struct cmd_ctx *c, struct get_options *o, struct err **err)
{
    _cleanup_manifests_ struct manifests files = {0};
    _cleanup_targets_ struct cli_targets targets = {0};
    struct cli_target_options how = {
        .verb = "get", .all_namespaces = o->all_namespaces, .selector = o->selector || o->field_selector};
    int r = check_options(o, err);

    if (r < 0)
        return r;
    r = manifest_from_any(&o->from) ? manifest_targets_from(c, &o->from, &files, &targets, err)
                                    : cli_targets_parse(c, &how, &targets, err);
    if (r < 0)
        return r;
    if (targets.len && (o->watch || o->watch_only))
        return get_watch(c, o, &targets, err);
    return get_list(c, o, &targets, err);
}

static int run_get(struct cmd_ctx *c, struct err **err)
{
    struct get_options *o = c->options;
    const struct print_output_options output = {
        .format = o->output,
        .template = o->template,
        .tables = true,
        .missing_keys_are_errors = !o->allow_missing_keys,
        .no_headers = o->no_headers,
        .managed_fields = o->managed_fields,
        .records = fleet_is(c),
        .terminal = cmd_terminal(),
        .colour = cmd_colour(c),
    };

    if (o->raw)
        return get_raw(c, o, err);
    int r = print_output_new(&output, &o->print, err);
    if (r < 0)
        return r;
    o->format = print_output_format(o->print);
    o->table = print_output_is_table(o->print);
    o->colour = output.colour;
    r = get_objects(c, o, err);
    print_output_free(o->print);
    o->print = NULL;
    return r;
}

const struct cmd_entry cmd_get = {
    .name = "get",
    .group = CMD_GROUP_BASIC,
    .brief = "Show one or many objects",
    .help =
        "Show one or many objects as a table, whole as YAML or JSON, or what a template takes of them.\n\n"
        "Kinds go by their plural, singular or short name (wasmactors, wasmactor, wa), several with "
        "commas (wa,lh), or by category (wasm, all). A watch (-w) goes on by itself when the server "
        "closes it, restarts or forgets the history: no change is lost or printed twice.",
    .usage = "(KIND[,KIND...] [NAME...] | KIND/NAME... | -f FILE) [options]",
    .examples = "# All actors of the namespace\n%P get wasmactors\n"
                "# Actors and hosts, with more columns\n%P get wa,lh -o wide\n"
                "# Hosts of one cloud\n%P get latticehosts -l cloud=gcp\n"
                "# One actor, whole\n%P get wasmactor hello -o yaml\n"
                "# The hosts of one actor, one a line\n%P get wa hello "
                "-o jsonpath='{range .status.placements[*]}{.host}{\"\\n\"}{end}'\n"
                "# Columns of one's own, the newest last\n%P get wa -o custom-columns=NAME:.metadata.name,"
                "IMAGE:.spec.image --sort-by=.metadata.creationTimestamp\n"
                "# For a spreadsheet\n%P get latticehosts -o csv\n"
                "# Every change in all namespaces\n%P get wa -A -w",
    .opts = get_opts,
    .options_size = sizeof(struct get_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_get,
};
