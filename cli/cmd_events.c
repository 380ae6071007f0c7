#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/describe.h"
#include "cli/fleet.h"
#include "cli/result.h"
#include "cli/trouble.h"
#include "kube/discovery.h"
#include "kube/watch.h"

struct events_options {
    const char *about;
    char **types;
    bool all_namespaces, watch, no_headers;
    struct cli_output output;
    struct print_output *print;
    enum print_format format; /* of print */
};

#define O(member) offsetof(struct events_options, member)

static const struct cmd_opt events_opts[] = {
    {"all-namespaces", 'A', OPT_FLAG, O(all_namespaces), NULL, NULL, "The Events of all namespaces"},
    {"for", 0, OPT_STRING, O(about), "KIND/NAME", NULL, "Only Events about this object"},
    {"no-headers", 0, OPT_FLAG, O(no_headers), NULL, NULL, "No line with the names of the columns"},
    CLI_OPTS_OUTPUT(O(output)),
    {"types", 0, OPT_CSV, O(types), "TYPE,...", NULL, "Only these types: Normal, Warning"},
    {"watch", 'w', OPT_FLAG, O(watch), NULL, NULL, "Go on with every new Event; ends with Ctrl-C only"},
    OPT_TABLE_END,
};

struct events {
    struct cmd_ctx *c;
    const struct events_options *o;
    const struct kube_resource *resource;
    const char *namespace; /* NULL = all */
    char *field_selector;  /* NULL = all */
    struct print_table *table;
    cJSON *waiting;    /* collected for sorting */
    struct map *shown; /* watch: uid -> resourceVersion */
    bool synced, listed, unreached, header_done, printed;
    struct cli_trouble trouble;
    bool over; /* err is set */
    struct err *err;
};

static const char *last_seen(const cJSON *e)
{
    static const char *const places[] = {"series.lastObservedTime", "lastTimestamp", "eventTime",
                                         "metadata.creationTimestamp"};

    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (json_str(e, places[i]))
            return json_str(e, places[i]);
    return "";
}

static bool wanted(const struct events *v, const cJSON *e)
{
    if (!v->o->types)
        return true;
    for (char **t = v->o->types; *t; t++)
        if (strcasecmp(*t, json_str_or(e, "type", "")) == 0)
            return true;
    return false;
}

static void add_row(struct events *v, const cJSON *e)
{
    const char *kind = json_str_or(e, "involvedObject.kind", "");
    char age[24];

    if (!v->header_done && !v->o->no_headers) {
        if (v->o->all_namespaces)
            print_table_cell(v->table, "NAMESPACE");
        print_table_cell(v->table, "LAST SEEN");
        print_table_cell(v->table, "TYPE");
        print_table_cell(v->table, "REASON");
        print_table_cell(v->table, "OBJECT");
        print_table_cell(v->table, "MESSAGE");
        print_table_end_header(v->table);
    }
    v->header_done = true;
    if (v->o->all_namespaces)
        print_table_cell(v->table, json_str(e, "metadata.namespace"));
    int64_t count = json_int(e, "series.count", json_int(e, "count", 1));
    if (count > 1)
        print_table_cellf(v->table, "%s (x%lld)", describe_age(last_seen(e), age), (long long)count);
    else
        print_table_cell(v->table, describe_age(last_seen(e), age));
    print_table_cell(v->table, json_str(e, "type"));
    print_table_cell(v->table, json_str(e, "reason"));
    print_table_cellf(v->table, "%s/%s", kind, json_str_or(e, "involvedObject.name", ""));
    print_table_cell(v->table, json_str(e, "message"));
    print_table_end_row(v->table);
}

static int by_time(const void *a, const void *b)
{
    return strcmp(last_seen(*(cJSON *const *)a), last_seen(*(cJSON *const *)b));
}

static void fail(struct events *v, struct err *e)
{
    if (v->err)
        err_free(e);
    else
        v->err = e;
    v->over = true;
}

/* Takes the Event. */
static void add_object(struct events *v, cJSON *event, struct buf *out)
{
    enum print_format format = v->o->format;
    struct err *e = NULL;

    fleet_mark(v->c, event);
    if (print_output_add(v->o->print, event, "event", out, &e) < 0)
        fail(v, e);
    if (fleet_is(v->c) && (format == PRINT_YAML || format == PRINT_JSON || format == PRINT_NDJSON)) {
        fleet_block(v->c, out, format == PRINT_YAML ? "---\n" : NULL);
        buf_truncate(out, 0);
    }
}

/* Prints and drops what waits, oldest first. RFC 3339 in UTC sorts as text. */
static void print_waiting(struct events *v)
{
    _cleanup_buf_ struct buf out = BUF_INIT;
    size_t n = (size_t)cJSON_GetArraySize(v->waiting), i = 0;
    _cleanup_free_ cJSON **sorted = xcalloc(n + 1, sizeof(*sorted));

    json_each (e, v->waiting)
        sorted[i++] = e;
    qsort(sorted, n, sizeof(*sorted), by_time);
    for (i = 0; i < n; i++) {
        cJSON *e = cJSON_DetachItemViaPointer(v->waiting, sorted[i]);
        cli_complete_item(e, v->resource);
        if (v->o->format == PRINT_TABLE) {
            add_row(v, e);
            cJSON_Delete(e);
        } else {
            add_object(v, e, &out);
        }
        v->printed = true;
    }
    print_table_flush(v->table, &out, 0);
    cmd_out_buf(&out);
    cmd_flush();
}

static int take_page(void *arg, cJSON *page, struct err **err _unused_)
{
    struct events *v = arg;
    cJSON *items = json_get(page, "items");

    while (items && items->child) {
        cJSON *e = cJSON_DetachItemViaPointer(items, items->child);
        if (wanted(v, e))
            cJSON_AddItemToArray(v->waiting, e);
        else
            cJSON_Delete(e);
    }
    return 0;
}

static int list_events(struct events *v, struct err **err)
{
    _cleanup_free_ char *path = kube_path(v->resource, v->namespace, NULL, NULL);
    _cleanup_buf_ struct buf query = BUF_INIT;
    struct kube_client *client;
    int r = cmd_client(v->c, &client, err);

    if (r < 0)
        return r;
    cli_query_add(&query, "fieldSelector", v->field_selector);
    r = kube_list_wait(client, path, buf_str(&query), NULL, 0, take_page, v, NULL, err);
    if (r < 0)
        return r;
    if (fleet_is(v->c) && (v->o->format == PRINT_JSON || v->o->format == PRINT_YAML)) {
        json_each (e, v->waiting) {
            cli_complete_item(e, v->resource);
            print_drop_managed_fields(e);
        }
        fleet_collect(v->c, v->o->format, TAKE_PTR(v->waiting));
    } else if (v->o->format != PRINT_TABLE && (v->waiting->child || v->o->format != PRINT_NAME)) {
        _cleanup_buf_ struct buf out = BUF_INIT;
        struct err *e = NULL;
        print_output_shape(v->o->print, PRINT_LIST);
        print_waiting(v);
        if (!v->err && print_output_finish(v->o->print, &out, &e) < 0)
            fail(v, e);
        cmd_out_buf(&out);
        return err_move(err, TAKE_PTR(v->err));
    } else if (v->waiting->child) {
        print_waiting(v);
    } else if (v->namespace) {
        _cleanup_free_ char *text = xasprintf("No events found in %s namespace.", v->namespace);
        fleet_nothing(v->c, text);
    } else {
        fleet_nothing(v->c, "No events found.");
    }
    return 0;
}

/* Watch */

static void on_event(void *arg, enum kube_event type, cJSON *e)
{
    struct events *v = arg;
    const char *uid = json_str_or(e, "metadata.uid", ""),
               *version = json_str_or(e, "metadata.resourceVersion", "");
    const char *known = map_get(v->shown, uid);

    /* Events are forgotten by the server after a time; that is no news. */
    if (type == KUBE_DELETED) {
        map_del(v->shown, uid);
        return;
    }
    if (!wanted(v, e) || (known && streq(known, version)))
        return;
    map_set(v->shown, uid, xstrdup(version));
    cJSON_AddItemToArray(v->waiting, cJSON_Duplicate(e, true));
    struct cmd_ctx *before = cmd_enter(v->c);
    if (v->synced)
        print_waiting(v);
    cmd_enter(before);
}

static void on_relist(void *arg)
{
    ((struct events *)arg)->synced = false;
}

static void on_synced(void *arg)
{
    struct events *v = arg;

    struct cmd_ctx *before = cmd_enter(v->c);
    v->synced = v->listed = true;
    print_waiting(v);
    if (v->unreached)
        cmd_note("watching events now");
    v->unreached = false;
    fleet_live(v->c);
    cmd_enter(before);
}

static void on_state(void *arg, const struct err *e)
{
    struct events *v = arg;
    struct cmd_ctx *before = cmd_enter(v->c);

    if (v->listed) {
        cli_trouble_state(&v->trouble, e);
    } else if (e && fleet_keeps_trying(v->c, e)) {
        v->unreached = true;
    } else if (e) {
        fail(v, err_copy(e));
    }
    cmd_enter(before);
}

static int watch_events(struct events *v, struct err **err)
{
    struct kube_watch_options options = {
        .resource = v->resource,
        .namespace = v->namespace,
        .field_selector = v->field_selector,
        .event = on_event,
        .relist = on_relist,
        .synced = on_synced,
        .state = on_state,
        .arg = v,
    };
    struct kube_client *client;
    int r = cmd_client(v->c, &client, err);

    if (r < 0)
        return r;
    v->shown = map_new(free);
    cli_trouble_init(&v->trouble, v->c, "watch of events", &v->over);
    struct kube_watch *watch = kube_watch_new(client, &options);
    bool over = loop_wait(cmd_loop(v->c), &v->over);
    kube_watch_free(watch);
    map_free(v->shown);
    if (!v->err)
        v->err = TAKE_PTR(v->trouble.err);
    cli_trouble_release(&v->trouble);
    return over ? err_move(err, v->err) : err_set(err, ERR_CANCELLED, "the watch was given up");
}

/* "KIND/NAME" -> the field selector of its Events */
static int parse_about(struct events *v, struct err **err)
{
    const char *about = v->o->about, *slash = strchr(about, '/');
    const struct kube_resource *r;
    struct kube_client *client;

    if (!slash || slash == about || !slash[1] || strchr(slash + 1, '/'))
        return cmd_usage(v->c, err, "--for must be in resource/name form");
    _cleanup_free_ char *kind = xstrndup(about, (size_t)(slash - about));
    r = kube_builtin_find(kind);
    if (!r) {
        int n = cmd_client(v->c, &client, err);
        if (n == 0)
            n = kube_find_resource(client, kind, &r, err);
        if (n < 0)
            return n;
    }
    v->field_selector = xasprintf("involvedObject.kind=%s,involvedObject.name=%s", r->kind, slash + 1);
    /* Events about cluster-scoped objects live in "default", whatever the namespace of the context. */
    if (!r->namespaced && !v->c->globals.namespace)
        v->namespace = "default";
    return 0;
}

static int run_events(struct cmd_ctx *c, struct err **err)
{
    struct events_options *o = c->options;
    struct events v = {.c = c, .o = o, .resource = kube_builtin_find("events")};

    if (!v.resource)
        return err_set(err, ERR_UNSUPPORTED, "Events are not among the built-in kinds");
    int r = cmd_config(c, NULL, err);
    if (r < 0)
        return r;
    for (char **t = o->types; t && *t; t++)
        if (strcasecmp(*t, "Normal") != 0 && strcasecmp(*t, "Warning") != 0)
            return cmd_usage(c, err, "valid --types are Normal or Warning");
    v.namespace = o->all_namespaces ? NULL : cmd_namespace(c);
    if (o->about) {
        r = parse_about(&v, err);
        if (r < 0)
            return r;
    }
    /* A table has no more columns to show. */
    if (o->output.format && streq(o->output.format, "wide"))
        o->output.format = NULL;
    r = cli_output_new(c, &o->output, &o->print, err);
    if (r < 0) {
        free(v.field_selector);
        return r;
    }
    o->format = print_output_format(o->print);
    v.table = fleet_table_new(c);
    v.waiting = cJSON_CreateArray();
    r = o->watch ? watch_events(&v, err) : list_events(&v, err);
    print_table_free(v.table);
    print_output_free(o->print);
    o->print = NULL;
    cJSON_Delete(v.waiting);
    free(v.field_selector);
    return r;
}

const struct cmd_entry cmd_events = {
    .name = "events",
    .group = CMD_GROUP_WATCH,
    .brief = "List Events: what controllers say about objects",
    .usage = "[options]",
    .examples = "# Of the namespace, newest last\n%P events\n"
                "# About one actor, and go on\n%P events --for wasmactor/hello -w\n"
                "# Everything that went wrong anywhere\n%P events -A --types=Warning",
    .opts = events_opts,
    .options_size = sizeof(struct events_options),
    .flags = CMD_FLEET,
    .run = run_events,
};
