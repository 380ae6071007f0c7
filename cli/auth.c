#include "cli/auth.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "print/table.h"

struct rule {
    const char *group, *resource, *name, *url; /* resource NULL: a URL */
    char **verbs;
    char *key; /* it is sorted by this */
    size_t place;
};
struct rules {
    VEC(struct rule) list;
    struct map *index; /* of those for resources: place + 1 */
    bool full;
};

static struct rule *add_rule(struct rules *all, struct rule r)
{
    if (all->list.len >= AUTH_RULES_MOST) {
        all->full = true;
        return NULL;
    }
    r.verbs = strv_new();
    r.place = all->list.len;
    vec_push(&all->list, r);
    return &all->list.items[r.place];
}

static void add_resource(struct rules *all, const char *group, const char *resource, const char *name,
                         const cJSON *verbs)
{
    _cleanup_free_ char *key = xasprintf("%s\n%s\n%s%s", group, resource, name ? "=" : "", name ? name : "");
    size_t at = (size_t)(uintptr_t)map_get(all->index, key);
    struct rule *r = at ? &all->list.items[at - 1]
                        : add_rule(all, (struct rule){.group = group, .resource = resource, .name = name});

    if (!r)
        return;
    if (!at)
        map_set(all->index, key, (void *)(uintptr_t)(r->place + 1));
    json_each (v, verbs)
        if (cJSON_IsString(v) && !strv_has(r->verbs, v->valuestring))
            strv_push(&r->verbs, v->valuestring);
}

static const char *text(const cJSON *v)
{
    return cJSON_IsString(v) ? v->valuestring : "";
}

static void read_resources(struct rules *all, const cJSON *rule)
{
    const cJSON *names = json_get(rule, "resourceNames"), *verbs = json_get(rule, "verbs");

    json_each (group, json_get(rule, "apiGroups")) {
        json_each (resource, json_get(rule, "resources")) {
            if (!names || !names->child)
                add_resource(all, text(group), text(resource), NULL, verbs);
            json_each (name, names)
                add_resource(all, text(group), text(resource), text(name), verbs);
            if (all->full)
                return;
        }
    }
}

static void read_urls(struct rules *all, const cJSON *rule)
{
    json_each (url, json_get(rule, "nonResourceURLs")) {
        json_each (verb, json_get(rule, "verbs")) {
            struct rule *r = add_rule(all, (struct rule){.url = text(url)});
            if (!r)
                return;
            strv_push(&r->verbs, text(verb));
        }
    }
}

static int compare(const void *a, const void *b)
{
    const struct rule *x = a, *y = b;
    int r = strcmp(x->key, y->key);

    return r ? r : x->place < y->place ? -1 : x->place > y->place;
}

/* "pods", "deployments.apps/scale"; nothing for a URL. */
static char *resource_text(const struct rule *r)
{
    if (!r->resource)
        return xstrdup("");
    size_t plain = strcspn(r->resource, "/");
    return xasprintf("%.*s%s%s%s", (int)plain, r->resource, *r->group ? "." : "", r->group,
                     r->resource + plain);
}

bool auth_print_rules(struct buf *out, const cJSON *status, bool headers)
{
    struct rules all = {.index = map_new(NULL)};
    struct print_table *t = print_table_new();

    json_each (rule, json_get(status, "resourceRules"))
        read_resources(&all, rule);
    json_each (rule, json_get(status, "nonResourceRules"))
        read_urls(&all, rule);
    for (size_t i = 0; i < all.list.len; i++) {
        struct rule *r = &all.list.items[i];
        _cleanup_free_ char *verbs = strv_join(r->verbs, " ");
        r->key =
            xasprintf("Verbs:[%s],APIGroups:[%s],Resources:[%s],ResourceNames:[%s],NonResourceURLs:[%s],",
                      verbs, r->group ? r->group : "", r->resource ? r->resource : "", r->name ? r->name : "",
                      r->url ? r->url : "");
    }
    if (all.list.len)
        qsort(all.list.items, all.list.len, sizeof(*all.list.items), compare);
    if (headers)
        print_table_row(t, "Resources", "Non-Resource URLs", "Resource Names", "Verbs", NULL);
    for (size_t i = 0; i < all.list.len; i++) {
        struct rule *r = &all.list.items[i];
        _cleanup_free_ char *resource = resource_text(r), *verbs = strv_join(r->verbs, " ");
        print_table_cell(t, resource);
        print_table_cellf(t, "[%s]", r->url ? r->url : "");
        print_table_cellf(t, "[%s]", r->name ? r->name : "");
        print_table_cellf(t, "[%s]", verbs);
        print_table_end_row(t);
        strv_free(r->verbs);
        free(r->key);
    }
    print_table_flush(t, out, 0);
    print_table_free(t);
    map_free(all.index);
    free(all.list.items);
    return !all.full;
}
