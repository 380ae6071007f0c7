/*
 * `get -w`: the list, then every change, for ever.
 *
 * kube/watch.h reports everything anew after the server has forgotten the history (410). What was printed is
 * remembered per object with its resourceVersion, so that nothing is printed twice then, and an object that
 * vanished in between is printed as deleted.
 */
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/fleet.h"
#include "cli/get.h"
#include "cli/trouble.h"
#include "kube/watch.h"

static const char *const event_names[] = {
    [KUBE_ADDED] = "ADDED", [KUBE_MODIFIED] = "MODIFIED", [KUBE_DELETED] = "DELETED"};

struct known {
    char *version, *uid;
    cJSON *last; /* what to print when it is found to be gone: its table row, or its name */
    bool seen;   /* in the list that is being read */
};

struct watching;

struct source {
    struct watching *w;
    const struct cli_target *target;
    struct kube_watch *watch;
    struct print_server_table *table;
    char *prefix;
    struct map *known; /* "namespace/name" -> struct known */
    cJSON *first;      /* rows of the first list: printed together, so that they line up */
    bool synced, unreached;
    char *what; /* for trouble */
    struct cli_trouble trouble;
};

struct watching {
    struct cmd_ctx *c;
    const struct get_options *o;
    struct source *sources;
    size_t nsources;
    bool over; /* err is set */
    struct err *err;
};

static void free_known(void *p)
{
    struct known *k = p;

    free(k->version);
    free(k->uid);
    cJSON_Delete(k->last);
    free(k);
}

static char *key_of(const cJSON *metadata)
{
    return xasprintf("%s/%s", json_str_or(metadata, "namespace", ""), json_str_or(metadata, "name", ""));
}

static void fail(struct watching *w, struct err *e)
{
    if (w->err)
        err_free(e);
    else
        w->err = e;
    w->over = true;
}

/* Prints one object or a table of one row. */
static void print_change(struct source *s, enum kube_event type, cJSON *what)
{
    struct watching *w = s->w;
    const struct get_options *o = w->o;
    _cleanup_buf_ struct buf out = BUF_INIT;

    if (!s->synced && o->watch_only)
        return;
    struct err *e = NULL;
    if (o->table) {
        if (print_server_table_add(s->table, &out, what, o->watch_events ? event_names[type] : NULL, &e) < 0)
            fail(w, e);
        cmd_out_buf(&out);
        return;
    }
    _cleanup_free_ char *kind = kube_resource_display(s->target->resource);
    cJSON *object = cJSON_Duplicate(what, true);
    cli_complete_item(object, s->target->resource);
    fleet_mark(w->c, object);
    if (o->watch_events && o->format != PRINT_NAME) {
        cJSON *event = json_object("type", event_names[type], NULL);
        json_put(event, "object", object);
        object = event;
    }
    if (print_output_add(o->print, object, kind, &out, &e) < 0)
        fail(w, e);
    if (o->format == PRINT_JSON || o->format == PRINT_YAML || o->format == PRINT_NDJSON)
        fleet_block(w->c, &out, o->format == PRINT_YAML ? "---\n" : NULL);
    else
        cmd_out_buf(&out);
}

/* The part of a change that is kept to tell of its end. */
static cJSON *remember(const struct source *s, const cJSON *metadata, const cJSON *row)
{
    cJSON *keep;

    if (s->w->o->table && row) {
        keep = json_object("kind", "Table", NULL);
        cJSON *rows = cJSON_CreateArray();
        cJSON_AddItemToArray(rows, cJSON_Duplicate(row, true));
        json_put(keep, "rows", rows);
        json_del(keep, "rows[0].object.metadata.managedFields");
        return keep;
    }
    keep = cJSON_CreateObject();
    json_set_str(keep, "metadata.name", json_str(metadata, "name"));
    json_set_str(keep, "metadata.namespace", json_str(metadata, "namespace"));
    json_set_str(keep, "metadata.uid", json_str(metadata, "uid"));
    return keep;
}

/* Whether the change is news; keeps the book. What is listed anew is told as what became of it: *type. */
static bool note_change(struct source *s, enum kube_event *type, const cJSON *metadata, const cJSON *row)
{
    _cleanup_free_ char *key = key_of(metadata);
    const char *version = json_str_or(metadata, "resourceVersion", ""),
               *uid = json_str_or(metadata, "uid", "");
    struct known *k = map_get(s->known, key);

    if (*type == KUBE_DELETED) {
        map_del(s->known, key);
        return true;
    }
    if (k && *version && streq(k->version, version)) {
        k->seen = true;
        return false;
    }
    if (k && s->synced && !streq(k->uid, uid)) {
        /* Another one of this name: the one that was shown has gone unseen. */
        print_change(s, KUBE_DELETED, k->last);
        map_del(s->known, key);
        k = NULL;
    }
    *type = k ? KUBE_MODIFIED : KUBE_ADDED;
    if (!k) {
        k = xcalloc(1, sizeof(*k));
        map_set(s->known, key, k);
    }
    xstr_replace(&k->version, version);
    xstr_replace(&k->uid, uid);
    cJSON_Delete(k->last);
    k->last = remember(s, metadata, row);
    k->seen = true;
    return true;
}

/* A page of a list after the first one: rows of it may be new, changed or known. */
static void print_rows(struct source *s, enum kube_event type, cJSON *table)
{
    cJSON *rows = json_get(table, "rows"), *one = cJSON_CreateArray();

    cJSON *all = cJSON_DetachItemViaPointer(table, rows);
    json_put(table, "rows", one);
    while (all->child) {
        cJSON *row = cJSON_DetachItemViaPointer(all, all->child);
        enum kube_event kind = type;
        if (note_change(s, &kind, json_at(row, "object.metadata"), row)) {
            cJSON_AddItemToArray(one, row);
            print_change(s, kind, table);
            cJSON_DetachItemViaPointer(one, row);
        }
        cJSON_Delete(row);
    }
    cJSON_Delete(all);
}

static void on_table(struct source *s, enum kube_event type, cJSON *table)
{
    cJSON *rows = json_get(table, "rows");
    enum kube_event listed = type;

    if (!cJSON_IsArray(rows))
        return;
    if (s->synced) {
        print_rows(s, type, table);
        return;
    }
    json_each (row, rows)
        note_change(s, &listed, json_at(row, "object.metadata"), row);
    if (!rows->child || s->w->o->watch_only)
        return;
    if (!s->first) {
        s->first = cJSON_Duplicate(table, true);
    } else {
        while (rows->child)
            cJSON_AddItemToArray(json_get(s->first, "rows"), cJSON_DetachItemViaPointer(rows, rows->child));
    }
}

static void on_event(void *arg, enum kube_event type, cJSON *object)
{
    struct source *s = arg;
    struct cmd_ctx *before = cmd_enter(s->w->c);

    if (s->w->o->table && streq(json_str_or(object, "kind", ""), "Table"))
        on_table(s, type, object);
    else if (note_change(s, &type, json_get(object, "metadata"), NULL))
        print_change(s, type, object);
    if (s->synced)
        cmd_flush();
    cmd_enter(before);
}

static void on_relist(void *arg)
{
    struct source *s = arg;
    struct map_iter it = {0};

    /* The first list began anew: nothing of its rows was printed yet. */
    cJSON_Delete(s->first);
    s->first = NULL;
    if (!s->synced && s->w->o->table)
        map_clear(s->known);
    while (map_next(s->known, &it))
        ((struct known *)it.value)->seen = false;
}

static void on_synced(void *arg)
{
    struct source *s = arg;
    struct map_iter it = {0};
    struct cmd_ctx *before = cmd_enter(s->w->c);

    while (map_next(s->known, &it)) {
        struct known *k = it.value;
        if (k->seen)
            continue;
        print_change(s, KUBE_DELETED, k->last);
        map_del(s->known, it.key);
    }
    s->synced = true;
    if (s->first)
        print_change(s, KUBE_ADDED, s->first);
    cJSON_Delete(s->first);
    s->first = NULL;
    if (s->unreached)
        cmd_note("watching %s now", s->target->resource->resource);
    s->unreached = false;
    fleet_live(s->w->c);
    cmd_flush();
    cmd_enter(before);
}

/* A server that cannot be asked at all is an error; once the list was there, we come back to it by ourselves
 * and say so. */
static void on_state(void *arg, const struct err *e)
{
    struct source *s = arg;
    struct cmd_ctx *before = cmd_enter(s->w->c);

    if (s->synced)
        cli_trouble_state(&s->trouble, e);
    else if (e && fleet_keeps_trying(s->w->c, e))
        s->unreached = true;
    else if (e)
        fail(s->w, err_copy(e));
    cmd_enter(before);
}

static int start_source(struct watching *w, struct source *s, bool with_kind, struct err **err)
{
    const struct cli_target *t = s->target;
    _cleanup_free_ char *field = NULL;
    struct kube_client *client;
    int r = cmd_client(w->c, &client, err);

    if (r < 0)
        return r;
    if (t->name) {
        /* A watch of what does not exist would stay silent. */
        struct cli_request request = {
            .resource = t->resource, .namespace = t->namespace, .name = t->name, .accept = CLI_AS_METADATA};
        struct err *e = NULL;
        r = cli_request(w->c, &request, NULL, &e);
        if (r < 0 && !(w->o->ignore_not_found && e->http == 404))
            return err_move(err, e);
        err_free(e);
        field = xasprintf("metadata.name=%s", t->name);
    }
    s->what = xasprintf("watch of %s", t->resource->resource);
    cli_trouble_init(&s->trouble, w->c, s->what, &w->over);
    s->known = map_new(free_known);
    s->table = get_table_new(w->c, w->o, t->resource, with_kind, &s->prefix);
    struct kube_watch_options options = {
        .resource = t->resource,
        .namespace = t->namespace,
        .label_selector = w->o->selector,
        .field_selector = field ? field : w->o->field_selector,
        .accept = w->o->table ? KUBE_AS_TABLE : NULL,
        .page_size = (int)w->o->chunk_size,
        .event = on_event,
        .relist = on_relist,
        .synced = on_synced,
        .state = on_state,
        .arg = s,
    };
    s->watch = kube_watch_new(client, &options);
    return 0;
}

int get_watch(struct cmd_ctx *c, const struct get_options *o, const struct cli_targets *targets,
              struct err **err)
{
    struct watching w = {.c = c, .o = o, .nsources = targets->len};
    int r = 0;

    w.sources = xcalloc(targets->len, sizeof(*w.sources));
    for (size_t i = 0; i < targets->len && r == 0; i++) {
        w.sources[i] = (struct source){.w = &w, .target = &targets->items[i]};
        r = start_source(&w, &w.sources[i], targets->several_kinds, err);
    }
    if (r == 0 && !loop_wait(cmd_loop(c), &w.over))
        r = err_set(err, ERR_CANCELLED, "the watch was given up");
    for (size_t i = 0; i < targets->len; i++) {
        struct source *s = &w.sources[i];
        kube_watch_free(s->watch);
        if (s->trouble.err && !w.err)
            w.err = TAKE_PTR(s->trouble.err);
        cli_trouble_release(&s->trouble);
        free(s->what);
        print_server_table_free(s->table);
        free(s->prefix);
        cJSON_Delete(s->first);
        map_free(s->known);
    }
    free(w.sources);
    if (r < 0) {
        err_free(w.err);
        return r;
    }
    return err_move(err, w.err);
}
