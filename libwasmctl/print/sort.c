#include "print/sort.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/gotext.h"
#include "data/jsonpath.h"
#include "data/quantity.h"

struct item {
    cJSON *node, *key; /* key NULL: the field is not there */
    size_t position;
};

struct print_sorter {
    struct jsonpath *path;
    VEC(struct item) items;
    cJSON *columns; /* of a Table */
    bool found, is_table;
};

int print_sorter_new(const char *path, struct print_sorter **ret, struct err **err)
{
    struct jsonpath *parsed = NULL;
    int r = jsonpath_parse_relaxed(path, &parsed, err);

    if (r < 0)
        return r;
    *ret = xcalloc(1, sizeof(**ret));
    (*ret)->path = parsed;
    return 0;
}

static void drop_items(struct print_sorter *s)
{
    for (size_t i = 0; i < s->items.len; i++) {
        cJSON_Delete(s->items.items[i].node);
        cJSON_Delete(s->items.items[i].key);
    }
    s->items.len = 0;
}

void print_sorter_free(struct print_sorter *s)
{
    if (!s)
        return;
    drop_items(s);
    free(s->items.items);
    cJSON_Delete(s->columns);
    jsonpath_free(s->path);
    free(s);
}

/* Maps have no order; nothing else is refused. */
static bool has_order(const cJSON *v)
{
    if (cJSON_IsObject(v))
        return false;
    json_each (element, v)
        if (!has_order(element))
            return false;
    return true;
}

/* Takes node, which is freed on failure; object, it or a part of it, holds the field. */
static int add(struct print_sorter *s, cJSON *node, const cJSON *object, struct err **err)
{
    _cleanup_found_ struct jsonpath_found found = {0};
    int r = jsonpath_find(s->path, object, &found, err);
    const cJSON *key = found.len ? found.items[0] : NULL;

    if (r == 0 && key && !has_order(key))
        r = err_set(err, ERR_INVALID, "cannot sort by %s: it is a %s", jsonpath_text(s->path),
                    gotext_type(key));
    if (r < 0) {
        cJSON_Delete(node);
        return r;
    }
    struct item one = {
        .node = node, .key = key ? cJSON_Duplicate(key, true) : NULL, .position = s->items.len};
    s->found = s->found || key;
    vec_push(&s->items, one);
    return 0;
}

/* Namespace and labels may be columns; the rest of the object has served. */
static void slim_row(cJSON *row)
{
    cJSON *metadata = cJSON_DetachItemFromObjectCaseSensitive(json_get(row, "object"), "metadata");
    cJSON *object = cJSON_CreateObject();

    json_del(metadata, "managedFields");
    json_del(metadata, "annotations");
    if (metadata)
        json_put(object, "metadata", metadata);
    json_put(row, "object", object);
}

int print_sorter_take(struct print_sorter *s, cJSON *answer, struct err **err)
{
    bool is_table = streq(json_str_or(answer, "kind", ""), "Table");
    cJSON *list = json_get(answer, is_table ? "rows" : "items"),
          *columns = json_get(answer, "columnDefinitions");
    int r = 0;

    if (!is_table && !list && cJSON_IsObject(json_get(answer, "metadata")) &&
        json_str(answer, "metadata.name"))
        return add(s, cJSON_Duplicate(answer, true), answer, err);
    s->is_table = s->is_table || is_table;
    if (is_table && !s->columns && cJSON_IsArray(columns))
        s->columns = cJSON_Duplicate(columns, true);
    while (r == 0 && list && list->child) {
        cJSON *node = cJSON_DetachItemViaPointer(list, list->child);
        r = add(s, node, is_table ? json_get(node, "object") : node, err);
        if (r == 0 && is_table)
            slim_row(node);
    }
    return r;
}

/* A quantity's size; quantity_parse() says whether it is one, but rounds to whole units. */
static bool quantity_size(const char *text, double *ret)
{
    static const char units[] = "num kMGTPE";
    int64_t whole;
    char *unit;

    if (quantity_parse(*text == '-' ? text + 1 : text, &whole, NULL) < 0)
        return false;
    *ret = strtod(text, &unit);
    const char *known = *unit ? strchr(units, *unit == 'K' ? 'k' : *unit) : NULL;
    for (int64_t power = known ? known - units - 3 : 0; power; power += power < 0 ? 1 : -1)
        *ret *= power < 0 ? 1e-3 : unit[1] == 'i' ? 1024 : 1e3;
    return true;
}

static int compare_texts(const char *a, const char *b)
{
    double x, y;

    if (quantity_size(a, &x) && quantity_size(b, &y))
        return (x > y) - (x < y);
    return strcmp(a, b);
}

static int rank(const cJSON *v)
{
    return !v || cJSON_IsNull(v) ? 0
           : cJSON_IsBool(v)     ? 1
           : cJSON_IsNumber(v)   ? 2
           : cJSON_IsString(v)   ? 3
                                 : 4;
}

static int compare_keys(const cJSON *a, const cJSON *b)
{
    if (rank(a) != rank(b))
        return rank(a) - rank(b);
    switch (rank(a)) {
    case 1:
        return cJSON_IsTrue(a) - cJSON_IsTrue(b);
    case 2:
        return (a->valuedouble > b->valuedouble) - (a->valuedouble < b->valuedouble);
    case 3:
        return compare_texts(a->valuestring, b->valuestring);
    case 4:
        for (a = a->child, b = b->child; a && b; a = a->next, b = b->next) {
            int order = compare_keys(a, b);
            if (order)
                return order;
        }
        return !!a - !!b;
    default:
        return 0;
    }
}

static int compare_items(const void *p, const void *q)
{
    const struct item *a = p, *b = q;
    int order = compare_keys(a->key, b->key);

    return order ? order : (a->position > b->position) - (a->position < b->position);
}

int print_sorter_finish(struct print_sorter *s, cJSON **ret, struct err **err)
{
    cJSON *answer, *array;

    if (!s->items.len) {
        *ret = NULL;
        return 0;
    }
    if (!s->found)
        return err_set(err, ERR_NOT_FOUND, "couldn't find any field with path \"%s\" in the list of objects",
                       jsonpath_text(s->path));
    qsort(s->items.items, s->items.len, sizeof(*s->items.items), compare_items);
    array = cJSON_CreateArray();
    for (size_t i = 0; i < s->items.len; i++)
        cJSON_AddItemToArray(array, TAKE_PTR(s->items.items[i].node));
    drop_items(s);
    s->found = false;
    answer = json_object("kind", s->is_table ? "Table" : "List", NULL);
    json_put(answer, s->is_table ? "rows" : "items", array);
    if (s->columns)
        json_put(answer, "columnDefinitions", TAKE_PTR(s->columns));
    s->is_table = false;
    *ret = answer;
    return 0;
}
