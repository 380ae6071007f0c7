#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/apply.h"
#include "cli/await.h"
#include "cli/install.h"
#include "cli/progress.h"

struct install_options {
    bool crds, wait, service_monitor, network_policy;
    int dry_run;
    int64_t timeout_ns, replicas;
    const char *image, *pull_secret, *output;
};

#define O(member) offsetof(struct install_options, member)

static const struct cmd_opt install_opts[] = {
    {"crds", 0, OPT_FLAG, O(crds), NULL, NULL,
     "Only the kinds WasmActor, WasmProvider, Lattice and LatticeHost (CustomResourceDefinitions)"},
    {"dry-run", 0, OPT_ENUM, O(dry_run), "none|client|server", "none",
     "client: print the objects and send nothing; server: let the server check them without keeping them",
     .choices = cli_dry_run_choices, .bare = "client"},
    {"image", 0, OPT_STRING, O(image), "IMAGE", NULL,
     "The operator's image (default: wasm-operator of this version)"},
    {"image-pull-secret", 0, OPT_STRING, O(pull_secret), "NAME", NULL,
     "Secret in the namespace with the credentials of the image's registry"},
    {"network-policy", 0, OPT_FLAG, O(network_policy), NULL, "true",
     "With a NetworkPolicy: the API server, DNS and NATS on port 4222 only"},
    {"output", 'o', OPT_STRING, O(output), "yaml|json", NULL, "With --dry-run=client: the format"},
    {"replicas", 0, OPT_INT, O(replicas), "N", "2", "How many operators: one acts, the others stand by",
     .min = 1, .max = 100},
    {"service-monitor", 0, OPT_FLAG, O(service_monitor), NULL, NULL,
     "With a ServiceMonitor for the Prometheus operator"},
    {"timeout", 0, OPT_DURATION, O(timeout_ns), NULL, "2m", "How long to wait"},
    {"wait", 0, OPT_FLAG, O(wait), NULL, "true",
     "Wait until the server serves the kinds and the operator runs"},
    OPT_TABLE_END,
};

/* For people to read: the files with their comments, as they are built in. */
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

static void print_set(const struct manifests *set, enum print_format format)
{
    _cleanup_buf_ struct buf out = BUF_INIT;

    if (format == PRINT_JSON) {
        cJSON *items = cJSON_CreateArray();
        for (size_t i = 0; i < set->len; i++)
            cJSON_AddItemToArray(items, cJSON_Duplicate(set->items[i].object, true));
        _cleanup_json_ cJSON *list = print_list_object(items);
        print_object(&out, format, list);
    } else {
        for (size_t i = 0; i < set->len; i++)
            print_object_stream(&out, PRINT_YAML, set->items[i].object, i == 0);
    }
    cmd_out_buf(&out);
}

static void await_crds(struct cmd_ctx *c, const struct manifests *set, int64_t end_ms)
{
    for (size_t i = 0; i < set->len; i++) {
        struct err *e = NULL;
        int64_t left = end_ms - time_mono_ms();
        if (!manifest_is_crd(&set->items[i]))
            continue;
        if (cli_await_established(c, manifest_name(&set->items[i]), left > 0 ? left : 0, &e) < 0)
            cmd_report(c, &e);
    }
}

/* The operator */

struct start {
    char *told;
    char *why;
    struct progress *progress; /* NULL: each state is a line of its own */
};

static bool is_available(void *arg, const cJSON *object)
{
    struct start *s = arg;
    int64_t wanted = json_int(object, "spec.replicas", 1),
            updated = json_int(object, "status.updatedReplicas", 0);
    int64_t available = json_int(object, "status.availableReplicas", 0);

    if (!object)
        return false;
    bool observed =
        json_int(object, "status.observedGeneration", 0) >= json_int(object, "metadata.generation", 0);
    _cleanup_free_ char *line = xasprintf("Waiting for the operator: %lld of %lld replicas are available...",
                                          (long long)(observed ? available : 0), (long long)wanted);
    progress_set(s->progress, "%s", line);
    if (!s->progress && !streq_null(s->told, line))
        cmd_note("%s", line);
    xstr_replace(&s->told, line);
    json_each (condition, json_at(object, "status.conditions"))
        if (streq(json_str_or(condition, "type", ""), "ReplicaFailure"))
            xstr_replace(&s->why, json_str(condition, "message"));
    return observed && updated >= wanted && available >= wanted;
}

/* What the kubelets say of the Pods that do not run: "ErrImagePull: ...". NULL if nothing; caller frees. */
static char *pod_trouble(struct cmd_ctx *c, const char *namespace)
{
    _cleanup_json_ cJSON *pods = NULL;
    struct cli_request request = {
        .resource = kube_builtin_find("pods"),
        .namespace = namespace,
        .query = "labelSelector=app.kubernetes.io/name%3Dwasm-operator",
    };

    if (cli_request(c, &request, &pods, NULL) < 0)
        return NULL;
    json_each (pod, json_get(pods, "items")) {
        json_each (container, json_at(pod, "status.containerStatuses")) {
            const cJSON *waiting = json_at(container, "state.waiting");
            if (waiting)
                return xasprintf("Pod %s: %s: %s", json_str_or(pod, "metadata.name", ""),
                                 json_str_or(waiting, "reason", "waiting"),
                                 json_str_or(waiting, "message", ""));
        }
        json_each (condition, json_at(pod, "status.conditions"))
            if (streq(json_str_or(condition, "type", ""), "PodScheduled") &&
                streq(json_str_or(condition, "status", ""), "False"))
                return xasprintf("Pod %s: %s", json_str_or(pod, "metadata.name", ""),
                                 json_str_or(condition, "message", "not scheduled"));
    }
    return NULL;
}

static int await_operator(struct cmd_ctx *c, const char *namespace, int64_t end_ms, struct err **err)
{
    _cleanup_progress_ struct progress *progress = progress_new(c);
    struct start s = {.progress = progress};
    struct err *e = NULL;
    int64_t left = end_ms - time_mono_ms();
    struct cli_await await = {
        .resource = kube_builtin_find("deployments.apps"),
        .namespace = namespace,
        .name = INSTALL_OPERATOR,
        .timeout_ms = left > 0 ? left : 0,
        .check = is_available,
        .arg = &s,
    };
    int r = cli_await(c, &await, "the operator", &e);

    if (r == ERR_TIMEOUT) {
        err_free(e);
        _cleanup_free_ char *trouble = s.why ? xstrdup(s.why) : pod_trouble(c, namespace);
        r = err_set(err, ERR_FAILED, "timed out waiting for Deployment %s/%s: %s", namespace,
                    INSTALL_OPERATOR, trouble ? trouble : "its Pods do not run yet (no node? no kubelet?)");
    } else {
        err_move(err, e);
    }
    free(s.told);
    free(s.why);
    return r;
}

/* What an older version had installed and this one does not. */
static void prune(struct cmd_ctx *c, const struct manifests *set, const char *namespace, bool dry_run)
{
    _cleanup_targets_ struct cli_targets found = {0};
    struct err *e = NULL;

    if (install_find(c, namespace, &found, &e) < 0) {
        cmd_report(c, &e);
        return;
    }
    for (size_t i = 0; i < found.len; i++) {
        const struct cli_target *t = &found.items[i];
        bool wanted = false;
        for (size_t k = 0; k < set->len; k++)
            wanted = wanted || (streq(json_str_or(set->items[k].object, "kind", ""), t->resource->kind) &&
                                streq(manifest_name(&set->items[k]), t->name));
        if (wanted)
            continue;
        if (install_delete(c, t, dry_run, &e) < 0)
            cmd_report(c, &e);
        else
            install_say_deleted(t, dry_run);
        e = NULL;
    }
}

static int run_install(struct cmd_ctx *c, struct err **err)
{
    const struct install_options *o = c->options;
    _cleanup_manifests_ struct manifests set = {0};
    struct cli_results results = {.dry_run = (enum cli_dry_run)o->dry_run};
    struct install_settings settings = {
        .namespace = c->globals.namespace ? c->globals.namespace : INSTALL_NAMESPACE,
        .image = o->image,
        .pull_secret = o->pull_secret,
        .replicas = o->replicas,
        .service_monitor = o->service_monitor,
        .network_policy = o->network_policy,
    };
    int64_t end_ms = time_mono_ms() + o->timeout_ns / 1000000;
    struct apply_how how = {
        .field_manager = "wasmctl",
        .force = true, /* the objects are ours: an older copy applied by another tool gives way */
        .dry_run = (enum cli_dry_run)o->dry_run,
        .crd_timeout_ms = o->timeout_ns / 1000000,
    };
    enum print_format format = PRINT_YAML;

    if (o->image && (!*o->image || strpbrk(o->image, " \t\n")))
        return cmd_usage(c, err, "--image: \"%s\" is no image reference", o->image);
    int r = o->output ? print_format_parse(o->output, &format, err) : 0;
    if (r == 0 && o->output && (o->dry_run != DRY_CLIENT || (format != PRINT_YAML && format != PRINT_JSON)))
        return cmd_usage(c, err, "-o yaml or json goes with --dry-run=client");
    if (r < 0)
        return r;
    if (o->crds && o->dry_run == DRY_CLIENT && !o->output) {
        print_crds();
        return 0;
    }
    r = install_load(cli_crds, &settings, &set, err);
    if (r == 0 && !o->crds)
        r = install_load(cli_deploy, &settings, &set, err);
    if (r < 0)
        return r;
    if (o->dry_run == DRY_CLIENT) {
        print_set(&set, format);
        return 0;
    }
    apply_all(c, &set, &how, &results);
    if (c->failed)
        return 0;
    if (o->wait && o->dry_run == DRY_NONE)
        await_crds(c, &set, end_ms);
    if (o->crds || c->failed)
        return 0;
    prune(c, &set, settings.namespace, o->dry_run != DRY_NONE);
    if (!o->wait || o->dry_run != DRY_NONE || c->failed)
        return 0;
    r = await_operator(c, settings.namespace, end_ms, err);
    if (r == 0)
        cmd_note("The operator runs in namespace %s. Tell it of a lattice with a Lattice object (see `%s "
                 "explain`, "
                 "examples/).",
                 settings.namespace, c->program);
    return r;
}

const struct cmd_entry cmd_install = {
    .name = "install",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Install the operator and its kinds in the cluster",
    .help =
        "Install the operator and its kinds in the cluster, by server-side apply: CustomResourceDefinitions, "
        "namespace, ServiceAccount with the least rights, Service, PodDisruptionBudget, NetworkPolicy and "
        "the "
        "Deployment. It may be repeated at any time, also to bring an older installation up to date: what "
        "that "
        "had and this one has not is removed.",
    .usage = "[--crds] [options]",
    .examples = "%P install --image registry.example.com/team/wasm-operator:0.1.0\n"
                "# Look at everything first\n%P install --dry-run -o yaml\n"
                "# The kinds alone\n%P install --crds",
    .opts = install_opts,
    .options_size = sizeof(struct install_options),
    .run = run_install,
};
