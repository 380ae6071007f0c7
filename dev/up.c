#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "dev/children.h"
#include "dev/kubeconf.h"
#include "dev/pki.h"
#include "dev/plan.h"
#include "dev/run.h"

/* Labels: "k=v" for every host, "2:k=v" for host-2. */

static const char *label_for(const char *spec, int64_t index)
{
    size_t digits = strspn(spec, "0123456789");
    int64_t wanted;

    if (digits == 0 || spec[digits] != ':')
        return spec;
    _cleanup_free_ char *number = xstrndup(spec, digits);
    return str_to_i64(number, 0, INT32_MAX, &wanted) && wanted == index ? spec + digits + 1 : NULL;
}

static int check_labels(char *const *specs, struct err **err)
{
    for (; specs && *specs; specs++) {
        size_t digits = strspn(*specs, "0123456789");
        int r = dev_label_check(digits && (*specs)[digits] == ':' ? *specs + digits + 1 : *specs, err);
        if (r < 0)
            return err_wrap(err, "--host-label");
    }
    return 0;
}

/* The last value of a key counts. Caller frees. */
static char **labels_of(char *const *specs, int64_t index)
{
    char **labels = strv_new();

    for (; specs && *specs; specs++) {
        const char *label = label_for(*specs, index);
        bool replaced = false;
        if (!label)
            continue;
        size_t key = strcspn(label, "=") + 1;
        for (char **l = labels; *l && !replaced; l++)
            if (strncmp(*l, label, key) == 0) {
                xstr_replace(l, label);
                replaced = true;
            }
        if (!replaced)
            strv_push(&labels, label);
    }
    return labels;
}

void dev_plan_hosts(struct dev_env *e, size_t count, char *const *labels)
{
    for (int64_t index = 0; dev_count_hosts(e) < count; index++) {
        _cleanup_free_ char *name = xasprintf("host-%lld", (long long)index);
        if (dev_child_find(e, name))
            continue;
        struct dev_child *c = dev_child_add(e, DEV_HOST, index);
        c->labels = labels_of(labels, index);
    }
}

/* Ports */

static bool is_pinned(const struct dev_env *e, const struct dev_child *c, int i)
{
    return i == 0 && ((c->kind == DEV_APISERVER && e->api_pinned) || (c->kind == DEV_NATS && e->nats_pinned));
}

int dev_plan_ports(struct dev_env *e, struct dev_child *c, bool may_move, struct err **err)
{
    const struct dev_kind_spec *spec = dev_kind_spec(c->kind);

    if (dev_child_runs(e, c, NULL))
        return 0;
    for (int i = 0; i < DEV_PORTS && spec->ports[i]; i++) {
        _cleanup_err_ struct err *taken = NULL;
        int *port = &c->ports[i], old = *port;
        int r = old ? dev_port_take(&e->reserved, old, &taken) : ERR_ALREADY_EXISTS;
        if (r == 0)
            continue;
        if (old && (r != ERR_ALREADY_EXISTS || !may_move || is_pinned(e, c, i))) {
            err_move(err, TAKE_PTR(taken));
            return err_wrap(err, "%s", c->name);
        }
        r = dev_port_pick(&e->reserved, port, err);
        if (r < 0)
            return err_wrap(err, "%s", c->name);
        if (old)
            dev_say(e, "%s: port %d is taken by another program; it moves to %d", c->name, old, *port);
    }
    return 0;
}

static void pin(struct dev_env *e, enum dev_kind kind, int port, bool *pinned)
{
    struct dev_child *c = dev_child_of(e, kind);

    if (!port || !c)
        return;
    c->ports[0] = port;
    *pinned = true;
}

/* A child that has to move to a port pinned now must let its old one go first. */
static bool must_move(const struct dev_env *e, enum dev_kind kind, int port)
{
    const struct dev_child *c = dev_child_of(e, kind);

    return port && c && c->ports[0] && c->ports[0] != port && dev_child_runs(e, c, NULL);
}

/* Folders */

int dev_plan_folders(struct dev_env *e, struct err **err)
{
    for (const char *const *f = (const char *const[]){"run", "logs", "data", NULL}; *f; f++) {
        _cleanup_free_ char *folder = dev_path(e, "%s", *f);
        int r = file_mkdirs(folder, 0700, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Left over by a power cut */

static bool is_stale(const struct dev_env *e)
{
    for (size_t i = 0; i < e->children.len; i++) {
        struct dev_proc p;
        if (dev_child_proc(e, e->children.items[i], &p, NULL) == 0 && dev_proc_state(&p) == DEV_PROC_STALE)
            return true;
    }
    return false;
}

static int clean_stale(struct dev_env *e, struct err **err)
{
    _cleanup_free_ char *run = dev_path(e, "run");
    int r = 0;

    dev_say(
        e,
        "environment %s was up when the machine went down: what etcd and nats kept without fsync is dropped",
        e->name);
    for (size_t i = 0; i < e->children.len && r == 0; i++) {
        const struct dev_child *c = e->children.items[i];
        /* A host's identity was written with fsync and stays. */
        _cleanup_free_ char *data = dev_path(e, c->kind == DEV_HOST ? "data/%s/tmp" : "data/%s", c->name);
        r = file_remove_tree(data, err);
    }
    /* Last: as long as the pid files are there, it is recognised again. */
    return r == 0 ? file_remove_tree(run, err) : r;
}

/* Up */

static int check_options(const struct dev_env *e, const struct dev_up_options *o, struct err **err)
{
    int64_t most = (int64_t)dev_count_hosts(e) > o->hosts ? (int64_t)dev_count_hosts(e) : o->hosts;

    if (o->hosts < 0 || most > DEV_MAX_HOSTS)
        return err_set(err, ERR_INVALID, "an environment has 0 to %d hosts, not %lld", DEV_MAX_HOSTS,
                       (long long)o->hosts);
    if (o->api_port && o->api_port == o->nats_port)
        return err_set(err, ERR_INVALID, "the API server and NATS cannot share port %d", o->api_port);
    return check_labels(o->host_labels, err);
}

static void say_kept_labels(const struct dev_env *e, char *const *specs)
{
    for (size_t i = 0; specs && *specs && i < e->children.len; i++) {
        const struct dev_child *c = e->children.items[i];
        if (c->kind != DEV_HOST)
            continue;
        _cleanup_strv_ char **wanted = labels_of(specs, c->index);
        bool missing = false;
        for (char **w = wanted; *w; w++)
            missing |= !c->labels || !strv_has(c->labels, *w);
        if (missing)
            dev_say(e, "%s exists already and keeps its labels", c->name);
    }
}

static int drop_child(struct dev_env *e, enum dev_kind kind, struct err **err)
{
    struct dev_child *c = dev_child_of(e, kind);
    _cleanup_free_ bool *set = xcalloc(e->children.len + 1, sizeof(*set));

    for (size_t i = 0; i < e->children.len; i++)
        set[i] = e->children.items[i] == c;
    int r = dev_stop_set(e, set, err);
    if (r == 0)
        dev_child_drop(e, c);
    return r;
}

static bool choose(enum dev_choice choice, bool now)
{
    return choice == DEV_KEEP ? now : choice == DEV_YES;
}

static int plan_children(struct dev_env *e, const struct dev_up_options *o, struct err **err)
{
    bool fresh = !dev_child_of(e, DEV_APISERVER);
    size_t hosts = o->hosts ? (size_t)o->hosts : fresh ? 1 : dev_count_hosts(e);
    int r = 0;

    e->with_operator = choose(o->operator, e->with_operator);
    e->with_lattice = choose(o->lattice, e->with_lattice);
    e->with_audit = choose(o->audit, e->with_audit);
    e->with_node = choose(o->node, e->with_node);
    for (int kind = 0; kind < DEV_KINDS && r == 0; kind++) {
        bool wanted = kind == DEV_OPERATOR ? e->with_operator : kind == DEV_NODE ? e->with_node : true;
        bool there = dev_child_of(e, (enum dev_kind)kind) != NULL;
        if (kind == DEV_HOST)
            continue;
        if (wanted && !there)
            dev_child_add(e, (enum dev_kind)kind, 0);
        else if (!wanted && there)
            r = drop_child(e, (enum dev_kind)kind, err);
    }
    say_kept_labels(e, o->host_labels);
    dev_plan_hosts(e, hosts, o->host_labels);
    return r;
}

static int check_programs(const struct dev_env *e, struct err **err)
{
    bool seen[DEV_KINDS] = {false};

    for (size_t i = 0; i < e->children.len; i++) {
        enum dev_kind kind = e->children.items[i]->kind;
        _cleanup_free_ char *program = NULL;
        int r = seen[kind] ? 0 : dev_child_program(kind, &program, err);
        if (r < 0)
            return r;
        seen[kind] = true;
    }
    return 0;
}

int dev_plan_changed(struct dev_env *e, bool *set, struct err **err)
{
    for (size_t i = 0; i < e->children.len; i++) {
        struct dev_child *c = e->children.items[i];
        _cleanup_(dev_command_release) struct dev_command command = {0};
        struct dev_proc p;
        set[i] = false;
        if (!dev_child_runs(e, c, &p))
            continue;
        int r = dev_child_command(e, c, &command, err);
        if (r < 0)
            return r;
        set[i] = dev_command_hash(&command) != p.command_hash;
        if (set[i])
            dev_say(e, "%s is restarted: what it is started with has changed", c->name);
    }
    return 0;
}

/* Everything but processes: children, ports, keys, files. */
static int plan(struct dev_env *e, const struct dev_up_options *o, struct err **err)
{
    bool new_pki, move_api, move_nats;
    int r = plan_children(e, o, err);

    if (r == 0)
        r = check_programs(e, err);
    if (r == 0)
        r = dev_plan_folders(e, err);
    if (r < 0)
        return r;
    move_api = must_move(e, DEV_APISERVER, o->api_port);
    move_nats = must_move(e, DEV_NATS, o->nats_port);
    pin(e, DEV_APISERVER, o->api_port, &e->api_pinned);
    pin(e, DEV_NATS, o->nats_port, &e->nats_pinned);
    if (move_api)
        r = dev_port_take(&e->reserved, o->api_port, err);
    if (r == 0 && move_nats)
        r = dev_port_take(&e->reserved, o->nats_port, err);
    for (size_t i = 0; i < e->children.len && r == 0; i++)
        r = dev_plan_ports(e, e->children.items[i], true, err);
    if (r == 0)
        r = dev_pki_ensure(e, &new_pki, err);
    for (size_t i = 0; i < e->children.len && r == 0; i++)
        r = dev_child_prepare(e, e->children.items[i], err);
    if (r == 0)
        r = dev_kubeconf_write_admin(e, err);
    return r == 0 ? dev_state_save(e, err) : r;
}

static int start_all(struct dev_env *e, const struct dev_up_options *o, struct err **err)
{
    _cleanup_free_ bool *set = xcalloc(e->children.len + 1, sizeof(*set));
    const struct dev_start_options start = {
        .set = set,
        .objects = true,
        .timeout_ms = o->timeout_ms ? o->timeout_ms : DEV_START_TIMEOUT_MS,
        .manifests = o->manifests,
        .nmanifests = o->nmanifests,
    };
    int r = dev_plan_changed(e, set, err);

    if (r == 0)
        r = dev_stop_set(e, set, err);
    memset(set, true, e->children.len * sizeof(*set));
    return r == 0 ? dev_start_set(e, &start, err) : r;
}

int dev_up(struct dev_env *e, const struct dev_up_options *o, struct err **err)
{
    int r = check_options(e, o, err);

    if (r == 0 && is_stale(e))
        r = clean_stale(e, err);
    if (r == 0) {
        r = plan(e, o, err);
        /* Nothing was started: one that could not even be planned leaves nothing behind. */
        if (r < 0 && !e->exists)
            file_remove_tree(e->dir, NULL);
    }
    if (r == 0)
        r = start_all(e, o, err);
    dev_ports_release(&e->reserved);
    return r;
}
