#include "print/object.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/yaml.h"

int print_format_parse(const char *text, enum print_format *ret, struct err **err)
{
    static const struct {
        const char *name;
        enum print_format format;
    } formats[] = {{"", PRINT_TABLE},
                   {"wide", PRINT_WIDE},
                   {"json", PRINT_JSON},
                   {"yaml", PRINT_YAML},
                   {"name", PRINT_NAME}};

    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (streq(text ? text : "", formats[i].name)) {
            *ret = formats[i].format;
            return 0;
        }
    return err_set(err, ERR_INVALID,
                   "unable to match a printer suitable for the output format \"%s\", allowed formats are: "
                   "json,name,wide,yaml",
                   text);
}

static int by_name(const void *a, const void *b)
{
    const cJSON *x = *(cJSON *const *)a, *y = *(cJSON *const *)b;

    return strcmp(x->string ? x->string : "", y->string ? y->string : "");
}

void print_sort_members(cJSON *o)
{
    size_t n = 0;

    if (!o || !o->child)
        return;
    json_each (item, o) {
        print_sort_members(item);
        n++;
    }
    if (!cJSON_IsObject(o) || n < 2)
        return;
    _cleanup_free_ cJSON **items = xcalloc(n, sizeof(*items));
    n = 0;
    json_each (item, o)
        items[n++] = item;
    qsort(items, n, sizeof(*items), by_name);
    /* cJSON's list: next ends with NULL, prev of the first is the last. */
    for (size_t i = 0; i < n; i++) {
        items[i]->prev = items[i ? i - 1 : n - 1];
        items[i]->next = i + 1 < n ? items[i + 1] : NULL;
    }
    o->child = items[0];
}

void print_drop_managed_fields(cJSON *o)
{
    json_del(o, "metadata.managedFields");
    json_each (item, json_get(o, "items"))
        json_del(item, "metadata.managedFields");
}

void print_object(struct buf *out, enum print_format format, cJSON *o)
{
    print_sort_members(o);
    if (format == PRINT_YAML) {
        yaml_print_to(out, o);
        return;
    }
    json_print_to(out, o, format != PRINT_NDJSON);
    buf_addc(out, '\n');
}

void print_list_begin(struct buf *out, enum print_format format)
{
    buf_adds(out, format == PRINT_YAML ? "apiVersion: v1\nitems:\n"
                                       : "{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n");
}

/* In JSON: as it is alone, eight columns further right. */
static void add_json_item(struct buf *out, const cJSON *object)
{
    _cleanup_buf_ struct buf text = BUF_INIT;

    json_print_to(&text, object, true);
    for (const char *line = buf_str(&text), *end; *line; line = end) {
        end = strchrnul(line, '\n');
        end += *end == '\n';
        buf_fill(out, ' ', 8);
        buf_add(out, line, (size_t)(end - line));
    }
}

void print_list_item(struct buf *out, enum print_format format, cJSON *object)
{
    print_sort_members(object);
    if (format == PRINT_JSON) {
        add_json_item(out, object);
        return;
    }
    /* A list's items are not indented under their key: an array of one is a piece of it. */
    cJSON array = {.type = cJSON_Array, .child = object};
    cJSON *next = object->next, *prev = object->prev;
    object->next = NULL;
    object->prev = object;
    yaml_print_to(out, &array);
    object->next = next;
    object->prev = prev;
}

void print_list_next(struct buf *out, enum print_format format)
{
    if (format == PRINT_JSON)
        buf_adds(out, ",\n");
}

void print_list_end(struct buf *out, enum print_format format)
{
    buf_adds(out, format == PRINT_YAML ? "kind: List\nmetadata:\n  resourceVersion: \"\"\n"
                                       : "\n    ],\n    \"kind\": \"List\",\n    \"metadata\": {\n"
                                         "        \"resourceVersion\": \"\"\n    }\n}\n");
}

void print_object_stream(struct buf *out, enum print_format format, cJSON *o, bool first)
{
    if (format == PRINT_YAML && !first)
        buf_adds(out, "---\n");
    print_object(out, format, o);
}

cJSON *print_list_object(cJSON *items)
{
    cJSON *list = json_object("apiVersion", "v1", "kind", "List", NULL);

    json_put(list, "items", items);
    json_set_str(list, "metadata.resourceVersion", "");
    return list;
}
