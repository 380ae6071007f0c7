#include "base/str.h"
#include "cli/top.h"

static const char *const sort_choices[TOP_KEYS + 1] = {
    [TOP_BY_NAME] = "name",           [TOP_BY_CPU] = "cpu",
    [TOP_BY_MEMORY] = "memory",       [TOP_BY_ACTORS] = "actors",
    [TOP_BY_PROVIDERS] = "providers",
};

#define O(member) offsetof(struct top_options, member)

static const struct cmd_opt top_opts[] = {
    {"all-namespaces", 'A', OPT_FLAG, O(all_namespaces), NULL, NULL, "The objects of all namespaces"},
    {"field-selector", 0, OPT_STRING, O(field_selector), "SELECTOR", NULL, "Only objects whose fields match"},
    {"no-headers", 0, OPT_FLAG, O(no_headers), NULL, NULL, "Do not print the headers of the table"},
    {"selector", 'l', OPT_STRING, O(selector), "SELECTOR", NULL, "Only objects whose labels match"},
    {"sort-by", 0, OPT_ENUM, O(sort_by), NULL, "name", "Sort by this; the largest number first",
     .choices = sort_choices},
    OPT_TABLE_END,
};

static int run_top(struct cmd_ctx *c, struct err **err)
{
    static const struct {
        const char *group, *resource;
        int (*run)(struct cmd_ctx *c, const struct top_options *o, const char *name, struct err **err);
    } kinds[] = {
        {"wasmctl.dev", "wasmactors", top_actors},
        {"wasmctl.dev", "latticehosts", top_hosts},
        {"", "nodes", top_nodes},
        {"", "pods", top_pods},
    };
    const struct kube_resource *r = kube_builtin_find(c->argv[0]);
    const struct top_options *o = c->options;
    const char *name = c->argc > 1 ? c->argv[1] : NULL;

    if (name && !str_empty(o->selector))
        return cmd_usage(c, err, "only one of NAME or --selector can be provided");
    if (name && o->all_namespaces)
        return cmd_usage(c, err, "a resource cannot be retrieved by name across all namespaces");
    for (size_t i = 0; r && i < ARRAY_LEN(kinds); i++)
        if (streq(kinds[i].group, r->group) && streq(kinds[i].resource, r->resource))
            return kinds[i].run(c, o, name, err);
    return cmd_usage(c, err, "there is no top of \"%s\": latticehosts, wasmactors, nodes and pods have one",
                     c->argv[0]);
}

const struct cmd_entry cmd_top = {
    .name = "top",
    .group = CMD_GROUP_WATCH,
    .brief = "Show what hosts report of their load, and how busy the hosts of actors are",
    .help = "Show what hosts report of their load (latticehosts), and how busy the hosts are on which actors "
            "run (wasmactors): their busiest host's processor and the fullest one's memory. Nodes and pods "
            "come from the metrics API of the cluster.\n\n"
            "<unknown>: the host reports no such number. REPORTED: how long ago its report last changed, "
            "or, of a host that does not answer, how long ago it was heard.",
    .usage = "(latticehosts | wasmactors | nodes | pods) [NAME] [options]",
    .examples = "%P top latticehosts --sort-by=cpu\n%P top lh -l cloud=gcp\n%P top wasmactors -A\n"
                "%P top pods -n kube-system",
    .opts = top_opts,
    .options_size = sizeof(struct top_options),
    .min_args = 1,
    .max_args = 2,
    .args = CMD_ARGS_OBJECTS,
    .flags = CMD_FLEET,
    .run = run_top,
};
