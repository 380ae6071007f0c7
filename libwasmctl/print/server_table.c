#include "print/server_table.h"

#include <stdlib.h>
#include <string.h>
#include <ctype.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "print/csv.h"
#include "print/table.h"

struct print_server_table {
    struct print_server_table_options options;
    struct print_table *table;
    struct buf csv; /* lines that wait, instead of table */
    bool in_line;
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
    print_table_set_colour(t->table, options->colour);
    return t;
}

void print_server_table_free(struct print_server_table *t)
{
    if (!t)
        return;
    print_table_free(t->table);
    buf_release(&t->csv);
    cJSON_Delete(t->columns);
    free(t);
}

static bool column_shown(const struct print_server_table *t, const cJSON *column)
{
    return t->options.wide || t->options.csv || json_int(column, "priority", 0) == 0;
}

static void add_text(struct print_server_table *t, const char *text)
{
    if (t->options.csv)
        print_csv_field(&t->csv, text ? text : "", !t->in_line);
    else
        print_table_cell(t->table, text);
    t->in_line = true;
}

static void end_row(struct print_server_table *t, bool header)
{
    if (t->options.csv)
        print_csv_end(&t->csv);
    else if (header)
        print_table_end_header(t->table);
    else
        print_table_end_row(t->table);
    t->in_line = false;
}

static void add_title(struct print_server_table *t, const char *text)
{
    _cleanup_free_ char *upper = xstrdup(text);

    for (char *p = upper; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    add_text(t, upper);
}

static void add_header(struct print_server_table *t)
{
    const struct print_server_table_options *o = &t->options;

    if (o->context)
        add_title(t, "CONTEXT");
    if (o->events)
        add_title(t, "EVENT");
    if (o->namespaces)
        add_title(t, "NAMESPACE");
    json_each (column, t->columns)
        if (column_shown(t, column))
            add_title(t, json_str_or(column, "name", ""));
    for (char *const *label = o->label_columns; label && *label; label++) {
        const char *slash = strrchr(*label, '/');
        add_title(t, slash ? slash + 1 : *label);
    }
    if (o->show_labels)
        add_title(t, "LABELS");
    end_row(t, true);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_labels(struct print_server_table *t, const cJSON *labels)
{
    _cleanup_strv_ char **pairs = strv_new();

    json_each (label, labels) {
        _cleanup_free_ char *pair = xasprintf("%s=%s", label->string ? label->string : "",
                                              cJSON_IsString(label) ? label->valuestring : "");
        strv_push(&pairs, pair);
    }
    if (!*pairs) {
        add_text(t, "<none>");
        return;
    }
    qsort(pairs, strv_len(pairs), sizeof(*pairs), by_text);
    _cleanup_free_ char *joined = strv_join(pairs, ",");
    add_text(t, joined);
}

static void add_label_columns(struct print_server_table *t, const cJSON *metadata)
{
    const cJSON *labels = json_get(metadata, "labels");

    for (char *const *name = t->options.label_columns; name && *name; name++) {
        const cJSON *value = json_get(labels, *name);
        add_text(t, cJSON_IsString(value) ? value->valuestring : "");
    }
    if (t->options.show_labels)
        add_labels(t, labels);
}

static void add_first_cells(struct print_server_table *t, const cJSON *metadata, const char *event)
{
    if (t->options.context)
        add_text(t, t->options.context);
    if (t->options.events)
        add_text(t, event);
    if (t->options.namespaces)
        add_text(t, json_str(metadata, "namespace"));
}

static void add_name(struct print_server_table *t, const char *prefix, const char *name)
{
    _cleanup_free_ char *full = prefix ? xasprintf("%s/%s", prefix, name) : NULL;

    add_text(t, full ? full : name);
}

/* A cell's value as Go's fmt.Sprint shows it for the types a Table may hold. */
static void add_cell(struct print_server_table *t, const cJSON *cell, const char *prefix)
{
    if (!cell || cJSON_IsNull(cell)) {
        add_text(t, "");
    } else if (cJSON_IsString(cell)) {
        add_name(t, prefix, cell->valuestring);
    } else {
        _cleanup_free_ char *text = json_print(cell);
        add_text(t, text);
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
            add_cell(t, cell, prefix);
        }
        cell = cell ? cell->next : NULL;
    }
    add_label_columns(t, metadata);
    end_row(t, false);
}

static void add_object(struct print_server_table *t, const cJSON *object, const char *event)
{
    const cJSON *metadata = json_get(object, "metadata");
    const char *name = json_str_or(metadata, "name", "");
    char age[TIME_AGE_LEN];
    int64_t created = 0;

    add_first_cells(t, metadata, event);
    add_name(t, t->options.name_prefix, name);
    if (time_parse_rfc3339(json_str_or(metadata, "creationTimestamp", ""), &created, NULL) == 0)
        add_text(t, time_age(time_now_ns() - created, age));
    else
        add_text(t, "<unknown>");
    add_label_columns(t, metadata);
    end_row(t, false);
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
    if (is_table && rows && !cJSON_IsArray(rows) && !cJSON_IsNull(rows))
        return err_set(err, ERR_PROTOCOL, "the server answered with a table without a list of rows");
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
    buf_add(out, buf_str(&t->csv), t->csv.len);
    buf_truncate(&t->csv, 0);
    print_table_flush(t->table, out, 0);
    return n;
}
