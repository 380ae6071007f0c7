#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/fleet.h"
#include "kube/discovery.h"
#include "print/object.h"
#include "print/table.h"

struct api_resources_options {
    const char *api_group, *output, *sort_by;
    char **verbs, **categories;
    bool cached, namespaced, no_headers;
};

#define O(member) offsetof(struct api_resources_options, member)

static const struct cmd_opt api_resources_opts[] = {
    {"api-group", 0, OPT_STRING, O(api_group), "GROUP", NULL, "Only resources of this API group"},
    {"cached", 0, OPT_FLAG, O(cached), NULL, NULL,
     "Take what was learnt in the last six hours, without asking the server"},
    {"categories", 0, OPT_CSV, O(categories), "NAMES", NULL, "Only resources of all these categories"},
    {"namespaced", 0, OPT_FLAG, O(namespaced), NULL, "true",
     "Given as true: only resources of namespaces; as false: only those of the cluster"},
    {"no-headers", 0, OPT_FLAG, O(no_headers), NULL, NULL, "Do not print the headers of the table"},
    {"output", 'o', OPT_STRING, O(output), "wide|name|json|yaml", NULL, "How to print them"},
    {"sort-by", 0, OPT_STRING, O(sort_by), "name|kind", NULL, "Sort by this instead of by group"},
    {"verbs", 0, OPT_CSV, O(verbs), "VERBS", NULL, "Only resources that know all these verbs"},
    OPT_TABLE_END,
};

struct listed {
    const struct kube_resource *r;
    const char *key; /* what it is sorted by, before its name */
    size_t place;    /* before that */
};

static int compare(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    int r = strcmp(x->key, y->key);

    if (!r)
        r = strcmp(x->r->resource, y->r->resource);
    return r ? r : x->place < y->place ? -1 : x->place > y->place;
}

static bool has_all(char *const *have, char *const *wanted)
{
    for (; wanted && *wanted; wanted++)
        if (!have || !strv_has(have, *wanted))
            return false;
    return true;
}

static bool is_wanted(const struct cmd_ctx *c, const struct kube_resource *r)
{
    const struct api_resources_options *o = c->options;

    return r->verbs && *r->verbs && (!cmd_given(c, "api-group") || streq(o->api_group, r->group)) &&
           (!cmd_given(c, "namespaced") || o->namespaced == r->namespaced) && has_all(r->verbs, o->verbs) &&
           has_all(r->categories, o->categories);
}

static void print_rows(struct cmd_ctx *c, const struct listed *list, size_t n)
{
    const struct api_resources_options *o = c->options;
    struct print_table *t = fleet_table_new(c);
    _cleanup_buf_ struct buf out = BUF_INIT;
    bool wide = o->output && streq(o->output, "wide");

    if (!o->no_headers) {
        static const char *const headers[] = {"NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED",
                                              "KIND", "VERBS",      "CATEGORIES"};
        for (size_t i = 0; i < ARRAY_LEN(headers) - (wide ? 0 : 2); i++)
            print_table_cell(t, headers[i]);
        print_table_end_header(t);
    }
    for (size_t i = 0; i < n; i++) {
        const struct kube_resource *r = list[i].r;
        _cleanup_free_ char *shorts = strv_join(r->short_names, ","), *version = kube_api_version(r),
                            *verbs = strv_join(r->verbs, ","), *categories = strv_join(r->categories, ",");
        print_table_cell(t, r->resource);
        print_table_cell(t, shorts);
        print_table_cell(t, version);
        print_table_cell(t, r->namespaced ? "true" : "false");
        print_table_cell(t, r->kind);
        if (wide) {
            print_table_cell(t, verbs);
            print_table_cell(t, categories);
        }
        print_table_end_row(t);
    }
    print_table_flush(t, &out, 0);
    print_table_free(t);
    cmd_out_buf(&out);
}

static void put_strings(cJSON *o, const char *name, char *const *v)
{
    if (!v || !*v)
        return;
    cJSON *list = cJSON_CreateArray();
    for (; *v; v++)
        cJSON_AddItemToArray(list, cJSON_CreateString(*v));
    json_put(o, name, list);
}

/* An APIResourceList, its members in the order of Kubernetes' own type. */
static cJSON *to_json(const struct listed *list, size_t n)
{
    cJSON *o = json_object("kind", "APIResourceList", "apiVersion", "v1", "groupVersion", "", NULL);
    cJSON *resources = n ? cJSON_CreateArray() : cJSON_CreateNull();

    for (size_t i = 0; i < n; i++) {
        const struct kube_resource *r = list[i].r;
        cJSON *one = json_object("name", r->resource, "singularName", r->singular, NULL);
        json_set_bool(one, "namespaced", r->namespaced);
        if (*r->group)
            json_set_str(one, "group", r->group);
        json_set_str(one, "version", r->version);
        json_set_str(one, "kind", r->kind);
        put_strings(one, "verbs", r->verbs);
        put_strings(one, "shortNames", r->short_names);
        put_strings(one, "categories", r->categories);
        cJSON_AddItemToArray(resources, one);
    }
    json_put(o, "resources", resources);
    return o;
}

static void print_list(struct cmd_ctx *c, const struct listed *list, size_t n)
{
    const struct api_resources_options *o = c->options;
    const char *format = o->output ? o->output : "";

    if (streq(format, "name")) {
        for (size_t i = 0; i < n; i++)
            cmd_out("%s%s%s\n", list[i].r->resource, *list[i].r->group ? "." : "", list[i].r->group);
    } else if (fleet_is(c) && (streq(format, "json") || streq(format, "yaml"))) {
        fleet_value(c, streq(format, "json") ? PRINT_JSON : PRINT_YAML, to_json(list, n));
    } else if (streq(format, "json")) {
        _cleanup_json_ cJSON *all = to_json(list, n);
        _cleanup_free_ char *text = json_print_pretty(all);
        cmd_out("%s\n", text);
    } else if (streq(format, "yaml")) {
        _cleanup_json_ cJSON *all = to_json(list, n);
        _cleanup_buf_ struct buf out = BUF_INIT;
        print_object(&out, PRINT_YAML, all);
        cmd_out_buf(&out);
    } else {
        print_rows(c, list, n);
    }
}

static int stale_error(const struct kube_apis *apis, struct err **err)
{
    _cleanup_buf_ struct buf b = BUF_INIT;

    for (char **v = apis->stale; *v; v++)
        buf_addf(&b, "%s%s: its own server does not answer", b.len ? ", " : "", *v);
    return err_set(err, ERR_FAILED, "unable to retrieve the complete list of server APIs: %s", buf_str(&b));
}

static int run_api_resources(struct cmd_ctx *c, struct err **err)
{
    const struct api_resources_options *o = c->options;
    const struct kube_apis *apis;
    struct kube_client *client;

    if (!str_empty(o->sort_by) && !streq(o->sort_by, "name") && !streq(o->sort_by, "kind"))
        return err_set(err, ERR_INVALID, "--sort-by accepts only name or kind");
    if (!str_empty(o->output) && !streq(o->output, "wide") && !streq(o->output, "name") &&
        !streq(o->output, "json") && !streq(o->output, "yaml"))
        return err_set(err, ERR_INVALID,
                       "unable to match a printer suitable for the output format \"%s\", allowed formats "
                       "are: json,name,wide,yaml",
                       o->output);
    int r = cmd_client(c, &client, err);
    if (r == 0)
        r = kube_find_apis(client, o->cached, &apis, err);
    if (r < 0)
        return r;
    _cleanup_free_ struct listed *list = xcalloc(apis->len + 1, sizeof(*list));
    size_t n = 0;
    for (size_t i = 0; i < apis->len; i++) {
        const struct kube_resource *one = apis->items[i];
        if (!kube_apis_is_preferred(apis, i) || !is_wanted(c, one))
            continue;
        const char *key = str_empty(o->sort_by)       ? one->group
                          : streq(o->sort_by, "name") ? one->resource
                                                      : one->kind;
        list[n++] = (struct listed){.r = one, .key = key, .place = i};
    }
    qsort(list, n, sizeof(*list), compare);
    print_list(c, list, n);
    return *apis->stale ? stale_error(apis, err) : 0;
}

const struct cmd_entry cmd_api_resources = {
    .name = "api-resources",
    .group = CMD_GROUP_OTHER,
    .brief = "List the kinds of objects the server knows",
    .examples = "%P api-resources\n"
                "# The kinds of wasmctl, with their verbs and categories\n"
                "%P api-resources --api-group=wasmctl.dev -o wide\n"
                "# What lies in namespaces and can be listed and deleted\n"
                "%P api-resources --namespaced=true --verbs=list,delete -o name",
    .opts = api_resources_opts,
    .options_size = sizeof(struct api_resources_options),
    .flags = CMD_FLEET,
    .run = run_api_resources,
};
