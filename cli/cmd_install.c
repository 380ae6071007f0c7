#include "base/str.h"
#include "base/timefmt.h"
#include "cli/apply.h"
#include "cli/await.h"
#include "cli/crds.h"

struct install_options {
    bool crds, wait;
    int dry_run;
    int64_t timeout_ns;
};

#define O(member) offsetof(struct install_options, member)

static const struct cmd_opt install_opts[] = {
    {"crds", 0, OPT_FLAG, O(crds), NULL, NULL,
     "Install the kinds WasmActor, WasmProvider, Lattice and LatticeHost (CustomResourceDefinitions)"},
    {"dry-run", 0, OPT_ENUM, O(dry_run), "none|client|server", "none",
     "client: print the YAML and send nothing; server: let the server check it without keeping it",
     .choices = cli_dry_run_choices, .bare = "client"},
    {"timeout", 0, OPT_DURATION, O(timeout_ns), NULL, "1m",
     "How long to wait for the server to serve the kinds"},
    {"wait", 0, OPT_FLAG, O(wait), NULL, "true", "Wait until the server serves the kinds"},
    OPT_TABLE_END,
};

static void print_crds(void)
{
    for (const struct cli_crd *crd = cli_crds; crd->name; crd++) {
        const char *text = crd->text;
        size_t len = *crd->len;
        if (crd != cli_crds && !str_starts(text, "---"))
            cmd_out("---\n");
        cmd_out("%s%s", text, len && text[len - 1] == '\n' ? "" : "\n");
    }
}

static void await_crds(struct cmd_ctx *c, const struct manifests *set, int64_t timeout_ms)
{
    int64_t end = time_mono_ms() + timeout_ms;

    for (size_t i = 0; i < set->len; i++) {
        struct err *e = NULL;
        int64_t left = end - time_mono_ms();
        if (!manifest_is_crd(&set->items[i]))
            continue;
        if (cli_await_established(c, manifest_name(&set->items[i]), left > 0 ? left : 0, &e) < 0)
            cmd_report(c, &e);
    }
}

static int run_install(struct cmd_ctx *c, struct err **err)
{
    const struct install_options *o = c->options;
    _cleanup_manifests_ struct manifests set = {0};
    struct cli_results results = {.dry_run = (enum cli_dry_run)o->dry_run};
    struct apply_how how = {
        .field_manager = "wasmctl",
        .force = true, /* the definitions are ours: an older copy applied by another tool gives way */
        .dry_run = (enum cli_dry_run)o->dry_run,
    };

    if (!o->crds)
        return cmd_usage(c, err, "say what to install: --crds");
    if (o->dry_run == DRY_CLIENT) {
        print_crds();
        return 0;
    }
    for (const struct cli_crd *crd = cli_crds; crd->name; crd++) {
        int r = manifests_parse(&set, crd->text, *crd->len, crd->name, err);
        if (r < 0)
            return r;
    }
    apply_all(c, &set, &how, &results);
    if (o->wait && o->dry_run == DRY_NONE && !c->failed)
        await_crds(c, &set, o->timeout_ns / 1000000);
    return 0;
}

const struct cmd_entry cmd_install = {
    .name = "install",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Install what wasmctl needs in the cluster",
    .help = "Install what wasmctl needs in the cluster: with --crds the CustomResourceDefinitions of its "
            "kinds, by server-side apply. It may be repeated at any time, also to bring an older "
            "installation up to date.",
    .usage = "--crds [options]",
    .examples = "%P install --crds\n# Look at them first\n%P install --crds --dry-run",
    .opts = install_opts,
    .options_size = sizeof(struct install_options),
    .run = run_install,
};
