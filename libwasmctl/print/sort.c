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
    bool found;
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

int print_sorter_add(struct print_sorter *s, cJSON *item, const cJSON *object, struct err **err)
{
    _cleanup_found_ struct jsonpath_found found = {0};
    int r = jsonpath_find(s->path, object, &found, err);
    const cJSON *key = found.len ? found.items[0] : NULL;

    if (r == 0 && key && !has_order(key))
        r = err_set(err, ERR_INVALID, "cannot sort by %s: it is a %s", jsonpath_text(s->path), gotext_type(key));
    if (r < 0) {
        cJSON_Delete(item);
        return r;
    }
    struct item one = {.node = item, .key = cJSON_Duplicate(key, true), .position = s->items.len};
    s->found = s->found || key;
    vec_push(&s->items, one);
    return 0;
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
    return !v || cJSON_IsNull(v) ? 0 : cJSON_IsBool(v) ? 1 : cJSON_IsNumber(v) ? 2 : cJSON_IsString(v) ? 3 : 4;
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
    cJSON *array;

    if (s->items.len && !s->found)
        return err_set(err, ERR_NOT_FOUND, "couldn't find any field with path \"%s\" in the list of objects",
                       jsonpath_text(s->path));
    qsort(s->items.items, s->items.len, sizeof(*s->items.items), compare_items);
    array = cJSON_CreateArray();
    for (size_t i = 0; i < s->items.len; i++)
        cJSON_AddItemToArray(array, TAKE_PTR(s->items.items[i].node));
    drop_items(s);
    *ret = array;
    return 0;
}
