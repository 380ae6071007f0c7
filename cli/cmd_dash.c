#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/contexts.h"
#include "print/colour.h"
#include "tui/tui.h"

#define O(member) offsetof(struct dash_options, member)

enum { FILES_PER_CONTEXT = 8, FILES_OF_OURS = 256 };

struct dash_options {
    const char *layout, *theme, *config, *record, *replay;
    bool all_namespaces, read_only, ascii, mouse;
};

static const struct cmd_opt dash_opts[] = {
    {"all-namespaces", 'A', OPT_FLAG, O(all_namespaces), NULL, NULL,
     "Objects of all namespaces (what is shown unless -n is given)"},
    {"ascii", 0, OPT_FLAG, O(ascii), NULL, NULL, "Draw lines with plain characters"},
    {"config", 0, OPT_STRING, O(config), "FILE", NULL,
     "Layouts, theme, keys; else dash.yaml in $XDG_CONFIG_HOME/wasmctl or ~/.config/wasmctl"},
    {"layout", 0, OPT_STRING, O(layout), "LAYOUT", NULL,
     "Name of a layout (default, clouds, or one of your own), or its text: h(hosts, v(actors, events))"},
    {"mouse", 0, OPT_FLAG, O(mouse), NULL, NULL,
     "Click and scroll; the terminal's own selection then needs Shift"},
    {"read-only", 0, OPT_FLAG, O(read_only), NULL, NULL, "Refuse everything that would change a cluster"},
    {"record", 0, OPT_STRING, O(record), "FILE", NULL,
     "Also write what happens into a new file, for --replay"},
    {"replay", 0, OPT_STRING, O(replay), "FILE", NULL, "Show a recording instead of clusters"},
    {"theme", 0, OPT_STRING, O(theme), "NAME", NULL,
     "Colours: default, light, high-contrast, mono, or a theme of your own"},
    OPT_TABLE_END,
};

static void allow_files(size_t contexts)
{
    struct rlimit limit;
    rlim_t wanted = FILES_OF_OURS + (rlim_t)contexts * FILES_PER_CONTEXT;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

struct contexts {
    char **names;
    struct kube_config **configs;
    struct tui_cluster *clusters;
    size_t n;
};

static void contexts_release(struct contexts *x)
{
    for (size_t i = 0; x->configs && i < x->n; i++)
        kube_config_free(x->configs[i]);
    free(x->configs);
    free(x->clusters);
    strv_free(x->names);
}

static int find_contexts(struct cmd_ctx *c, struct contexts *x, struct err **err)
{
    const struct cmd_globals *g = &c->globals;
    bool several = g->contexts || g->all_contexts;
    int r = cmd_config(c, NULL, err);

    if (r < 0)
        return r;
    if (several && (r = contexts_select(g->contexts, kubeconfig_contexts(c->kubeconfig), &x->names, err)) < 0)
        return r;
    if (!several)
        strv_push(&x->names, c->config->context ? c->config->context : "cluster");
    x->n = strv_len(x->names);
    x->configs = xcalloc(x->n, sizeof(*x->configs));
    x->clusters = xcalloc(x->n, sizeof(*x->clusters));
    for (size_t i = 0; i < x->n; i++) {
        if (several) {
            kube_config_free(c->config);
            c->config = NULL;
            c->globals.context = x->names[i];
            if ((r = cmd_config(c, NULL, err)) < 0)
                return r;
        }
        x->configs[i] = TAKE_PTR(c->config);
        x->clusters[i] = (struct tui_cluster){x->names[i], x->configs[i]};
    }
    c->globals.context = g->context;
    return 0;
}

static int run_dash(struct cmd_ctx *c, struct err **err)
{
    const struct dash_options *o = c->options;
    _cleanup_(contexts_release) struct contexts contexts = {0};
    _cleanup_free_ char *cache = cmd_cache_dir(c);
    char program[PATH_MAX] = "";

    if (o->record && o->replay)
        return cmd_usage(c, err, "--record and --replay exclude each other");
    int r = o->replay ? 0 : find_contexts(c, &contexts, err);
    if (r < 0)
        return r;
    allow_files(contexts.n);
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    struct tui_options options = {
        .clusters = contexts.clusters,
        .nclusters = contexts.n,
        .layout = o->layout,
        .theme = o->theme,
        .config = o->config,
        .namespace = o->all_namespaces ? NULL : c->globals.namespace,
        .record = o->record,
        .replay = o->replay,
        .program = n > 0 ? program : NULL,
        .kubeconfig = c->globals.kubeconfig,
        .cache_dir = cache,
        .read_only = o->read_only,
        .ascii = o->ascii,
        .mouse = o->mouse,
        .no_colour = c->globals.colour == PRINT_COLOUR_NEVER,
    };
    return tui_run(cmd_loop(c), &options, err);
}

const struct cmd_entry cmd_dash = {
    .name = "dash",
    .group = CMD_GROUP_WATCH,
    .brief = "A full-screen dashboard of one cluster or many",
    .help = "Shows clusters, hosts, actors, providers, events and logs of one cluster or of many at once, "
            "live, in panes "
            "that are split, moved and zoomed as you like. \"?\" shows the keys; every action shows the "
            "wasmctl command "
            "that does the same.\n\n"
            "A cluster that cannot be reached is a red line; the others go on. \"<\" and \">\" go back and "
            "forth in what "
            "happened in the last hour.",
    .usage = "[options]",
    .examples =
        "# The current context\n%P dash\n# All clouds side by side\n%P dash --all-contexts --layout clouds\n"
        "# Record an incident, and look at it later\n%P dash --record incident.jsonl\n"
        "%P dash --replay incident.jsonl",
    .opts = dash_opts,
    .options_size = sizeof(struct dash_options),
    .max_args = 0,
    .flags = CMD_CONTEXTS,
    .run = run_dash,
};
