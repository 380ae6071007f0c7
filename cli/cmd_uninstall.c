#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/await.h"
#include "cli/install.h"
#include "cli/progress.h"
#include "cli/result.h"

struct uninstall_options {
    bool keep_crds, delete_objects, delete_namespace, wait;
    int dry_run;
    int64_t timeout_ns;
};

#define O(member) offsetof(struct uninstall_options, member)

static const char *const dry_run_choices[] = {"none", "server", NULL};

static const struct cmd_opt uninstall_opts[] = {
    {"delete-namespace", 0, OPT_FLAG, O(delete_namespace), NULL, NULL,
     "Also the operator's namespace, with everything in it"},
    {"delete-objects", 0, OPT_FLAG, O(delete_objects), NULL, NULL,
     "First every WasmActor, WasmProvider and Lattice: what they run is stopped"},
    {"dry-run", 0, OPT_ENUM, O(dry_run), NULL, "none", "server: ask, but change nothing",
     .choices = dry_run_choices},
    {"keep-crds", 0, OPT_FLAG, O(keep_crds), NULL, NULL,
     "Only the operator: kinds and objects stay, and what runs goes on running"},
    {"timeout", 0, OPT_DURATION, O(timeout_ns), NULL, "2m", "How long to wait"},
    {"wait", 0, OPT_FLAG, O(wait), NULL, "true", "Wait until everything is gone"},
    OPT_TABLE_END,
};

/* In the order of deletion: a Lattice stays until nothing uses it. */
static const char *const object_kinds[] = {"wasmactors", "wasmproviders", "lattices"};

struct removal {
    struct cmd_ctx *c;
    const struct uninstall_options *o;
    int64_t end_ms;
};

static int list_kind(struct removal *u, const char *kind, struct cli_targets *ret, struct err **err)
{
    _cleanup_targets_ struct cli_targets given = {0};
    struct err *e = NULL;

    cli_targets_add(&given, kube_builtin_find(kind), NULL, NULL);
    int r = cli_targets_expand(u->c, &given, NULL, NULL, ret, &e);
    /* The kind is not installed: there are none. */
    if (r < 0 && (r == ERR_NOT_FOUND || e->http == 404)) {
        err_free(e);
        return 0;
    }
    return err_move(err, e);
}

static bool is_gone(void *arg _unused_, const cJSON *object)
{
    return !object;
}

static int await_gone(struct removal *u, const struct cli_target *t, struct err **err)
{
    int64_t left = u->end_ms - time_mono_ms();
    struct cli_await await = {
        .resource = t->resource,
        .namespace = t->namespace,
        .name = t->name,
        .timeout_ms = left > 0 ? left : 0,
        .check = is_gone,
    };
    _cleanup_progress_ struct progress *progress = progress_new(u->c);
    _cleanup_free_ char *text = cli_target_text(t->resource, t->name);
    struct err *e = NULL;

    progress_set(progress, "waiting for %s to be gone", text);
    int r = cli_await(u->c, &await, "it to be gone", &e);
    if (r != ERR_TIMEOUT)
        return err_move(err, e);
    err_free(e);
    return err_set(err, ERR_FAILED,
                   "timed out waiting until %s is gone: does the operator run? It removes the finalizers",
                   text);
}

static int delete_all(struct removal *u, const struct cli_targets *list, bool wait, struct err **err)
{
    bool dry_run = u->o->dry_run != 0;

    for (size_t i = 0; i < list->len; i++) {
        int r = install_delete(u->c, &list->items[i], dry_run, err);
        if (r < 0)
            return r;
        install_say_deleted(&list->items[i], dry_run);
    }
    for (size_t i = 0; wait && !dry_run && i < list->len; i++) {
        int r = await_gone(u, &list->items[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* With the kinds their objects go, and nobody would stop what they run. */
static int settle_objects(struct removal *u, struct err **err)
{
    size_t n[ARRAY_LEN(object_kinds)], all = 0;

    for (size_t i = 0; i < ARRAY_LEN(object_kinds); i++) {
        _cleanup_targets_ struct cli_targets list = {0};
        int r = list_kind(u, object_kinds[i], &list, err);
        if (r == 0 && u->o->delete_objects)
            r = delete_all(u, &list, true, err);
        if (r < 0)
            return r;
        n[i] = list.len;
        all += list.len;
    }
    if (!all || u->o->delete_objects)
        return 0;
    return err_set(
        err, ERR_CONFLICT,
        "there are %zu %s, %zu %s and %zu %s: delete them first (or let --delete-objects do it), or keep "
        "them and what they run with --keep-crds",
        n[0], object_kinds[0], n[1], object_kinds[1], n[2], object_kinds[2]);
}

static int delete_named(struct removal *u, const char *kind, const char *name, struct err **err)
{
    _cleanup_targets_ struct cli_targets one = {0};
    const struct kube_resource *r = kube_builtin_find(kind);
    struct cli_request request = {.resource = r, .name = name};
    struct err *e = NULL;

    if (cli_request(u->c, &request, NULL, &e) < 0) {
        if (e->http != 404)
            return err_move(err, e);
        err_free(e);
        return 0;
    }
    cli_targets_add(&one, r, NULL, name);
    return delete_all(u, &one, u->o->wait, err);
}

static int delete_crds(struct removal *u, struct err **err)
{
    _cleanup_manifests_ struct manifests crds = {0};
    struct install_settings settings = {.namespace = INSTALL_NAMESPACE};
    int r = install_load(cli_crds, &settings, &crds, err);

    for (size_t i = 0; r == 0 && i < crds.len; i++)
        r = delete_named(u, "customresourcedefinitions.apiextensions.k8s.io", manifest_name(&crds.items[i]),
                         err);
    return r;
}

static int run_uninstall(struct cmd_ctx *c, struct err **err)
{
    const struct uninstall_options *o = c->options;
    const char *namespace = c->globals.namespace ? c->globals.namespace : INSTALL_NAMESPACE;
    struct removal u = {.c = c, .o = o, .end_ms = time_mono_ms() + o->timeout_ns / 1000000};
    _cleanup_targets_ struct cli_targets found = {0};
    int r = 0;

    if (o->keep_crds && o->delete_objects)
        return cmd_usage(c, err, "--keep-crds and --delete-objects exclude each other");
    if (!o->keep_crds)
        r = settle_objects(&u, err);
    if (r == 0)
        r = install_find(c, namespace, &found, err);
    if (r == 0)
        r = delete_all(&u, &found, o->wait, err);
    if (r == 0 && !o->keep_crds)
        r = delete_crds(&u, err);
    if (r == 0 && o->delete_namespace)
        r = delete_named(&u, "namespaces", namespace, err);
    else if (r == 0)
        cmd_note("Namespace %s is kept, with what else is in it (--delete-namespace removes it).", namespace);
    return r;
}

const struct cmd_entry cmd_uninstall = {
    .name = "uninstall",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Remove the operator and its kinds from the cluster",
    .help =
        "Remove the operator and its kinds from the cluster. While there are WasmActors, WasmProviders or "
        "Lattices it refuses: with their kinds they would go too, and what they run would be left to "
        "itself.\n\n"
        "With --keep-crds only the operator goes: actors keep running, and an operator that is installed "
        "later "
        "takes them over.",
    .usage = "[--keep-crds | --delete-objects] [options]",
    .examples = "%P uninstall\n%P uninstall --keep-crds\n%P uninstall --delete-objects --delete-namespace",
    .opts = uninstall_opts,
    .options_size = sizeof(struct uninstall_options),
    .run = run_uninstall,
};
