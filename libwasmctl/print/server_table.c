#include "print/server_table.h"

#include <stdlib.h>
#include <string.h>
#include <ctype.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "print/table.h"

struct print_server_table {
    struct print_server_table_options options;
    struct print_table *table;
    cJSON *columns; /* columnDefinitions, NULL until known */
    bool header_done;
};

struct print_server_table *print_server_table_new(const struct print_server_table_options *options)
{
    struct print_server_table *t = xcalloc(1, sizeof(*t));

    t->options = *options;
    t->table = print_table_new();
    if (options->records)
        print_table_as_records(t->table);
    return t;
}

void print_server_table_free(struct print_server_table *t)
{
    if (!t)
        return;
    print_table_free(t->table);
    cJSON_Delete(t->columns);
    free(t);
}

static bool column_shown(const struct print_server_table *t, const cJSON *column)
{
    return t->options.wide || json_int(column, "priority", 0) == 0;
}

static void add_upper(struct print_table *table, const char *text)
{
    _cleanup_free_ char *upper = xstrdup(text);

    for (char *p = upper; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    print_table_cell(table, upper);
}

static void add_header(struct print_server_table *t)
{
    const struct print_server_table_options *o = &t->options;

    if (o->events)
        print_table_cell(t->table, "EVENT");
    if (o->namespaces)
        print_table_cell(t->table, "NAMESPACE");
    json_each (column, t->columns)
        if (column_shown(t, column))
            add_upper(t->table, json_str_or(column, "name", ""));
    for (char *const *label = o->label_columns; label && *label; label++) {
        const char *slash = strrchr(*label, '/');
        add_upper(t->table, slash ? slash + 1 : *label);
    }
    if (o->show_labels)
        print_table_cell(t->table, "LABELS");
    print_table_end_header(t->table);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_labels(struct print_table *table, const cJSON *labels)
{
    _cleanup_strv_ char **pairs = strv_new();

    json_each (label, labels) {
        _cleanup_free_ char *pair = xasprintf("%s=%s", label->string ? label->string : "",
                                              cJSON_IsString(label) ? label->valuestring : "");
        strv_push(&pairs, pair);
    }
    if (!*pairs) {
        print_table_cell(table, "<none>");
        return;
    }
    qsort(pairs, strv_len(pairs), sizeof(*pairs), by_text);
    _cleanup_free_ char *joined = strv_join(pairs, ",");
    print_table_cell(table, joined);
}

static void add_label_columns(struct print_server_table *t, const cJSON *metadata)
{
    const cJSON *labels = json_get(metadata, "labels");

    for (char *const *name = t->options.label_columns; name && *name; name++) {
        const cJSON *value = json_get(labels, *name);
        print_table_cell(t->table, cJSON_IsString(value) ? value->valuestring : "");
    }
    if (t->options.show_labels)
        add_labels(t->table, labels);
}

static void add_first_cells(struct print_server_table *t, const cJSON *metadata, const char *event)
{
    if (t->options.events)
        print_table_cell(t->table, event);
    if (t->options.namespaces)
        print_table_cell(t->table, json_str(metadata, "namespace"));
}

/* A cell's value as Go's fmt.Sprint shows it for the types a Table may hold. */
static void add_cell(struct print_table *table, const cJSON *cell, const char *prefix)
{
    if (!cell || cJSON_IsNull(cell)) {
        print_table_cell(table, "");
    } else if (cJSON_IsString(cell)) {
        if (prefix)
            print_table_cellf(table, "%s/%s", prefix, cell->valuestring);
        else
            print_table_cell(table, cell->valuestring);
    } else {
        _cleanup_free_ char *text = json_print(cell);
        print_table_cell(table, text);
    }
}

static bool is_name(const cJSON *column)
{
    return streq(json_str_or(column, "format", ""), "name");
}

static void add_row(struct print_server_table *t, const cJSON *row, const char *event)
{
    const cJSON *metadata = json_at(row, "object.metadata");
    const cJSON *cells = json_get(row, "cells");
    const cJSON *cell = cells ? cells->child : NULL;
    bool named = false;

    add_first_cells(t, metadata, event);
    json_each (column, t->columns) {
        if (column_shown(t, column)) {
            const char *prefix = !named && is_name(column) ? t->options.name_prefix : NULL;
            named = named || is_name(column);
            add_cell(t->table, cell, prefix);
        }
        cell = cell ? cell->next : NULL;
    }
    add_label_columns(t, metadata);
    print_table_end_row(t->table);
}

static void add_object(struct print_server_table *t, const cJSON *object, const char *event)
{
    const cJSON *metadata = json_get(object, "metadata");
    const char *name = json_str_or(metadata, "name", "");
    char age[TIME_AGE_LEN];
    int64_t created = 0;

    add_first_cells(t, metadata, event);
    if (t->options.name_prefix)
        print_table_cellf(t->table, "%s/%s", t->options.name_prefix, name);
    else
        print_table_cell(t->table, name);
    if (time_parse_rfc3339(json_str_or(metadata, "creationTimestamp", ""), &created, NULL) == 0)
        print_table_cell(t->table, time_age(time_now_ns() - created, age));
    else
        print_table_cell(t->table, "<unknown>");
    add_label_columns(t, metadata);
    print_table_end_row(t->table);
}

static cJSON *plain_columns(void)
{
    cJSON *columns = cJSON_CreateArray();

    cJSON_AddItemToArray(columns, json_object("name", "Name", "format", "name", NULL));
    cJSON_AddItemToArray(columns, json_object("name", "Age", NULL));
    return columns;
}

static void header_once(struct print_server_table *t)
{
    if (!t->header_done && !t->options.no_headers)
        add_header(t);
    t->header_done = true;
}

int print_server_table_add(struct print_server_table *t, struct buf *out, const cJSON *answer,
                           const char *event, struct err **err)
{
    const cJSON *rows = json_get(answer, "rows"), *items = json_get(answer, "items");
    const cJSON *columns = json_get(answer, "columnDefinitions");
    const char *kind = json_str_or(answer, "kind", "");
    bool is_table = streq(kind, "Table");
    bool is_list = cJSON_IsArray(items) ||
                   (str_ends(kind, "List") && cJSON_IsNull(items)); /* Go writes null for no items */
    int n = 0;

    if (!is_table && !is_list && !cJSON_IsObject(json_get(answer, "metadata")))
        return err_set(err, ERR_PROTOCOL, "the server answered with neither a table nor an object");
    if (!t->columns && is_table && cJSON_IsArray(columns) && columns->child)
        t->columns = cJSON_Duplicate(columns, true);
    if (!t->columns && !is_table)
        t->columns = plain_columns();
    if (is_table) {
        json_each (row, rows) {
            header_once(t);
            add_row(t, row, event);
            n++;
        }
    } else if (is_list) {
        json_each (item, items) {
            header_once(t);
            add_object(t, item, event);
            n++;
        }
    } else {
        header_once(t);
        add_object(t, answer, event);
        n++;
    }
    print_table_flush(t->table, out, 0);
    return n;
}
