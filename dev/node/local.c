#include "dev/node/local.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdalign.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "dev/children.h"
#include "dev/node/node.h"
#include "dev/objects.h"
#include "dev/pki.h"

enum { EVENTS = 16 * 1024, LOOK_MS = 1000, LABEL_MOST = 63, EXIT_UNKNOWN = 137, CALL_MS = 10 * 1000 };

/* A child whose output is kept. */
struct source {
    struct dev_pod *pod;
    char *child, *folder;
    int watch;
    int64_t instance; /* -1: none yet */
    struct dev_cri_meta meta;
    struct dev_file_log *now, *last;
    bool seen, stirred;
};

struct local {
    struct dev_env *env;
    struct kube_client *client;
    struct dev_node *node;
    VEC(struct source *) sources;
    int notify, env_watch;
    struct loop_io *io;
    struct loop_timer *look;
};

/* Names and labels */

char *dev_node_pod_name(const struct dev_child *c)
{
    return c->kind == DEV_OPERATOR ? xstrdup("wasm-operator") : xasprintf("wasmcloud-%s", c->name);
}

static bool is_label_word(const char *s, size_t len)
{
    if (len > LABEL_MOST)
        return false;
    if (len && (!isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[len - 1])))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)s[i]) && !strchr("-_.", s[i]))
            return false;
    return true;
}

static bool is_label_key(const char *s)
{
    const char *slash = strchr(s, '/');

    for (const char *p = s; slash && p < slash; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && !strchr("-.", *p))
            return false;
    const char *name = slash ? slash + 1 : s;
    return slash != s && *name && is_label_word(name, strlen(name));
}

cJSON *dev_node_pod_labels(const struct dev_child *c)
{
    cJSON *o = json_object("app", dev_kind_spec(c->kind)->program, NULL);

    for (char **l = c->labels; l && *l; l++) {
        size_t n = strcspn(*l, "=");
        _cleanup_free_ char *key = xstrndup(*l, n);
        const char *value = *l + n + 1;
        if (is_label_key(key) && is_label_word(value, strlen(value)) && !json_get(o, key))
            json_put_str(o, key, value);
    }
    if (c->id)
        json_put_str(o, "wasmctl.dev/host-id", c->id);
    return o;
}

/* Sources */

static void source_free(struct local *n, struct source *s)
{
    if (n->notify >= 0)
        inotify_rm_watch(n->notify, s->watch);
    dev_file_log_free(s->now);
    dev_file_log_free(s->last);
    dev_cri_meta_release(&s->meta);
    free(s->child);
    free(s->folder);
    free(s);
}

static void set_run(struct dev_run *r, const struct dev_cri_meta *m, struct dev_file_log *log)
{
    xstr_replace(&r->container_id, m->id);
    r->started_ns = m->started_ns;
    r->finished_ns = m->finished_ns;
    r->exit_code = m->exit_code;
    r->signum = m->signum;
    r->log = log ? &log->log : NULL;
}

/* Neither the process nor its keeper are there to tell how it ended: the machine went down, or somebody
 * killed both. */
static void note_vanished(struct dev_cri_meta *m)
{
    enum dev_proc_state process = dev_proc_state(&m->proc), keeper = dev_proc_state(&m->keeper);

    if (m->closed || keeper == DEV_PROC_ALIVE || keeper == DEV_PROC_FROZEN || process == DEV_PROC_ALIVE ||
        process == DEV_PROC_FROZEN)
        return;
    if (!m->finished_ns) {
        m->finished_ns = time_now_ns();
        m->exit_code = EXIT_UNKNOWN;
    }
    m->closed = true;
}

static void load_last(struct source *s)
{
    _cleanup_(dev_cri_meta_release) struct dev_cri_meta m = {0};

    dev_file_log_free(TAKE_PTR(s->last));
    if (s->instance < 1 || dev_cri_meta_load(s->folder, s->instance - 1, &m, NULL) < 0) {
        dev_run_release(&s->pod->last);
        return;
    }
    /* What holds its output still may go on for a while; nobody follows it here. */
    note_vanished(&m);
    if (!m.finished_ns)
        m.finished_ns = s->meta.started_ns;
    s->last = dev_file_log_new(s->folder, s->instance - 1);
    s->last->closed = true;
    set_run(&s->pod->last, &m, s->last);
}

/* Looks what became of the process. */
static void look(struct local *n, struct source *s)
{
    struct dev_cri_meta m = {0};
    int64_t newest = dev_cri_newest(s->folder);

    if (newest < 0 || dev_cri_meta_load(s->folder, newest, &m, NULL) < 0)
        return;
    note_vanished(&m);
    /* Told once: the time does not move. */
    if (newest == s->instance && s->meta.finished_ns && s->meta.closed) {
        dev_cri_meta_release(&m);
        return;
    }
    dev_cri_meta_release(&s->meta);
    s->meta = m;
    if (newest != s->instance) {
        if (s->now) {
            s->now->closed = true;
            dev_log_wake(&s->now->log);
        }
        dev_file_log_free(TAKE_PTR(s->now));
        s->instance = newest;
        s->now = dev_file_log_new(s->folder, newest);
        load_last(s);
    }
    s->now->closed = m.closed;
    s->pod->restarts = newest;
    set_run(&s->pod->now, &m, s->now);
    dev_node_pod_changed(n->node, s->pod);
    if (m.closed)
        dev_log_wake(&s->now->log);
}

static void on_look(void *arg)
{
    struct local *n = arg;

    for (size_t i = 0; i < n->sources.len; i++)
        if (n->sources.items[i]->instance >= 0 && !n->sources.items[i]->meta.closed)
            look(n, n->sources.items[i]);
    loop_timer_start(n->look, LOOK_MS);
}

static struct source *source_of(struct local *n, const char *child)
{
    for (size_t i = 0; i < n->sources.len; i++)
        if (streq(n->sources.items[i]->child, child))
            return n->sources.items[i];
    return NULL;
}

static void source_add(struct local *n, const struct dev_child *c)
{
    struct source *s = xcalloc(1, sizeof(*s));
    _cleanup_free_ char *name = dev_node_pod_name(c);
    _cleanup_err_ struct err *problem = NULL;

    s->child = xstrdup(c->name);
    s->folder = dev_keep_folder(n->env, c->name);
    s->instance = -1;
    if (file_mkdirs(s->folder, 0700, &problem) == 0)
        s->watch = inotify_add_watch(n->notify, s->folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
    if (problem || s->watch < 0)
        log_warn("cannot watch the log of a process", "child", c->name, "why",
                 problem ? err_text(problem) : strerror(errno), NULL);
    s->pod = dev_node_pod_add(n->node, DEV_NODE_NAMESPACE, name);
    s->pod->container = xstrdup(dev_kind_spec(c->kind)->name);
    s->pod->image = xstrdup(dev_kind_spec(c->kind)->program);
    s->pod->owner = s;
    vec_push(&n->sources, s);
}

static void describe(struct source *s, const struct dev_child *c)
{
    _cleanup_free_ char *labels = c->labels ? strv_join(c->labels, ",") : NULL;

    cJSON_Delete(s->pod->labels);
    cJSON_Delete(s->pod->annotations);
    s->pod->labels = dev_node_pod_labels(c);
    s->pod->annotations = json_object("wasmctl.dev/child", c->name, "wasmctl.dev/host-id", c->id,
                                      "wasmctl.dev/host-labels", str_empty(labels) ? NULL : labels, NULL);
}

/* Brings the sources in line with the children of the environment. */
static void read_env(struct local *n)
{
    _cleanup_err_ struct err *problem = NULL;

    if (dev_state_load(n->env, &problem) < 0) {
        log_warn("cannot read the state of the environment", "why", err_text(problem), NULL);
        return;
    }
    for (size_t i = 0; i < n->sources.len; i++)
        n->sources.items[i]->seen = false;
    for (size_t i = 0; i < n->env->children.len; i++) {
        const struct dev_child *c = n->env->children.items[i];
        if (!dev_kind_spec(c->kind)->kept)
            continue;
        if (!source_of(n, c->name))
            source_add(n, c);
        struct source *s = source_of(n, c->name);
        s->seen = true;
        describe(s, c);
        look(n, s);
        dev_node_pod_changed(n->node, s->pod);
    }
    for (size_t i = n->sources.len; i-- > 0;) {
        struct source *s = n->sources.items[i];
        if (s->seen)
            continue;
        dev_node_pod_remove(n->node, s->pod);
        source_free(n, s);
        vec_remove(&n->sources, i);
    }
}

/* Changes of files */

static void on_event(struct local *n, const struct inotify_event *e, bool *env_changed)
{
    bool all = (e->mask & IN_Q_OVERFLOW) != 0;

    if (all || (e->wd == n->env_watch && e->len && streq(e->name, "env.json")))
        *env_changed = true;
    for (size_t i = 0; i < n->sources.len; i++) {
        struct source *s = n->sources.items[i];
        if (!all && e->wd != s->watch)
            continue;
        s->stirred = true;
        s->seen |= all || (e->len && str_ends(e->name, ".json"));
    }
}

static void on_notify(void *arg, int events _unused_, bool error _unused_)
{
    struct local *n = arg;
    alignas(struct inotify_event) char data[EVENTS];
    bool env_changed = false;
    ssize_t len;

    for (size_t i = 0; i < n->sources.len; i++)
        n->sources.items[i]->seen = n->sources.items[i]->stirred = false;
    while ((len = read(n->notify, data, sizeof(data))) > 0)
        for (char *p = data; p < data + len;) {
            const struct inotify_event *e = (const struct inotify_event *)p;
            on_event(n, e, &env_changed);
            p += sizeof(*e) + e->len;
        }
    for (size_t i = 0; i < n->sources.len; i++) {
        struct source *s = n->sources.items[i];
        if (s->seen)
            look(n, s);
        if (s->stirred && s->now)
            dev_log_wake(&s->now->log);
    }
    if (env_changed)
        read_env(n);
}

static void on_signal(void *arg, int signum _unused_)
{
    loop_stop(arg);
}

static void release(struct local *n)
{
    loop_io_free(n->io);
    loop_timer_free(n->look);
    dev_node_free(n->node);
    for (size_t i = 0; i < n->sources.len; i++)
        source_free(n, n->sources.items[i]);
    free(n->sources.items);
    if (n->notify >= 0)
        close(n->notify);
    kube_client_free(n->client);
}

static int start(struct local *n, int port, int control_port, struct err **err)
{
    struct dev_env *e = n->env;
    _cleanup_free_ char *ca = NULL, *cert = NULL, *key = NULL;
    _cleanup_free_ char *version = xasprintf("v%s", WASMCTL_VERSION);
    int r = dev_pki_read(e, "ca.crt", &ca, err);

    if (r == 0)
        r = dev_pki_read(e, "node.crt", &cert, err);
    if (r == 0)
        r = dev_pki_read(e, "node.key", &key, err);
    if (r == 0)
        r = dev_admin_client(e, CALL_MS, &n->client, err);
    if (r < 0)
        return r;
    const struct dev_node_options o = {.name = e->context,
                                       .version = version,
                                       .port = port,
                                       .control_port = control_port,
                                       .cert = cert,
                                       .key = key,
                                       .client_ca = ca,
                                       .client_name = DEV_PKI_KUBELET_CLIENT,
                                       .client = n->client};
    n->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (n->notify < 0)
        return err_set_os(err, errno, "watch the logs");
    n->env_watch = inotify_add_watch(n->notify, e->dir, IN_MOVED_TO | IN_ONLYDIR);
    if (n->env_watch < 0)
        return err_set_os(err, errno, "watch folder %s", e->dir);
    return dev_node_new(e->loop, &o, &n->node, err);
}

int dev_node_run(struct dev_env *e, int port, int control_port, struct err **err)
{
    struct local n = {.env = e, .notify = -1};
    int r = start(&n, port, control_port, err);

    /* A client that goes away is no reason to end. */
    signal(SIGPIPE, SIG_IGN);
    if (r == 0) {
        struct loop_signal *terminate = loop_signal_new(e->loop, SIGTERM, on_signal, e->loop);
        struct loop_signal *interrupt = loop_signal_new(e->loop, SIGINT, on_signal, e->loop);
        read_env(&n);
        dev_node_complete(n.node);
        n.io = loop_io_new(e->loop, n.notify, on_notify, &n);
        loop_io_set(n.io, LOOP_READ);
        n.look = loop_timer_new(e->loop, on_look, &n);
        loop_timer_start(n.look, LOOK_MS);
        loop_run(e->loop);
        loop_signal_free(terminate);
        loop_signal_free(interrupt);
    }
    release(&n);
    return r;
}
