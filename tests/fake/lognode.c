/*
 * lognode: a node of an API server whose Pods write numbered lines "<pod> <seq> <ns>" (ns: the line's time),
 * for checks that nothing is lost or repeated. Lines are not stored: which there are is a matter of
 * arithmetic, so hundreds of Pods with hundreds of lines a second cost nothing until somebody reads them.
 *
 * Needs a kubeconfig that may do everything. First line out, once the Pods are there:
 * {"ready":true,"port":N,"control":N}. Ends at the end of its stdin, or by SIGTERM, deleting its Pods.
 *
 * Control: dev/node/node.h says what the port knows; further
 *   GET  /pods                [{"pod", "restarts", "first", "lines", "ended"}]: first, lines: the numbers of
 * the first line that can be read and of the last one written by the running container POST /stop?pod=GLOB
 * the containers write no more (their numbers stay as they are); {"pods": N} POST /restart?pod=GLOB    the
 * containers end and are started anew; numbers begin at 1 again POST /end?pod=GLOB        the containers end,
 * and are not started again POST /clock?pod=GLOB&back_ms=N   from the next line on the times of the running
 * containers are so much earlier GET  /ended               short-lived Pods that are over: [{"pod",
 * "lines"}], at most the last 10,000
 *
 * Exit: 0 ended, 1 failed, 2 wrong use.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "dev/ca.h"
#include "dev/node/node.h"
#include "kube/kubeconfig.h"

enum {
    TICK_MS = 20,
    NS_PER_S = 1000000000,
    ENDED_MOST = 10000,
    LINE_MOST = 8192,
    PEM_MAX = 64 * 1024,
    CONTAINER_ID_LEN = 64,
};
/* For so long a log is there after its Pod is not. */
static const int64_t READ_ON_NS = INT64_C(10) * NS_PER_S;

struct program;

/* One run of a container. */
struct script {
    struct dev_log log;
    struct program *program;
    char *name;
    int64_t t0, t1;           /* t1: when it stopped writing; 0 = it goes on */
    int64_t first;            /* lines before it were put aside */
    int64_t jump_at, jump_ns; /* the node's clock was set by so much before this line; 0 = it was not */
    bool over;                /* the container has ended */
};

struct reader {
    struct script *script;
    int64_t next;
    struct buf text;
};

/* What owns the runs of a Pod. */
struct box {
    struct dev_pod *pod; /* NULL: it was deleted, and somebody still reads the log */
    struct script *now, *last;
    int64_t end_ns, remove_ns; /* short-lived ones; else 0 */
};

struct program {
    struct loop *loop;
    struct dev_node *node;
    struct kube_client *client;
    VEC(struct box *) boxes;
    VEC(cJSON *) ended;
    struct loop_timer *tick;
    struct loop_io *in;
    const char *ns;
    int64_t pods, rate, bytes, short_per_minute, short_ms, linger_ms;
    int64_t jump_ns;      /* of the request that is being answered */
    int64_t shorts;       /* made so far */
    int64_t shorts_since; /* ns */
    bool told;
};

/* Lines */

static int64_t written(const struct script *s)
{
    int64_t end = s->t1 ? s->t1 : time_now_ns();

    if (end < s->t0)
        return 0;
    /* A number a line: the product would not fit otherwise. */
    int64_t seconds = (end - s->t0) / NS_PER_S, rest = (end - s->t0) % NS_PER_S;
    return seconds * s->program->rate + rest * s->program->rate / NS_PER_S + 1;
}

static int64_t time_of(const struct script *s, int64_t seq)
{
    int64_t rate = s->program->rate, n = seq - 1;

    return s->t0 + n / rate * NS_PER_S + (n % rate * NS_PER_S + rate - 1) / rate +
           (s->jump_at && seq >= s->jump_at ? s->jump_ns : 0);
}

static void *script_open(struct dev_log *log, int64_t tail)
{
    struct script *s = (struct script *)log;
    struct reader *r = xcalloc(1, sizeof(*r));
    int64_t n = written(s);

    r->script = s;
    r->next = s->first;
    if (tail >= 0 && n + 1 - tail > r->next)
        r->next = n + 1 - tail;
    buf_init(&r->text, LINE_MOST);
    return r;
}

static int script_next(void *reader, struct dev_cri_line *ret)
{
    struct reader *r = reader;
    const struct script *s = r->script;
    bool over = s->over;

    /* As with files: who is in the middle of one reads it to its end. */
    if (r->next > written(s))
        return over ? DEV_LOG_END : DEV_LOG_NOTHING_YET;
    int64_t ns = time_of(s, r->next);
    buf_truncate(&r->text, 0);
    buf_addf(&r->text, "%s %lld %lld", s->name, (long long)r->next, (long long)ns);
    if ((int64_t)r->text.len < s->program->bytes) {
        buf_addc(&r->text, ' ');
        buf_fill(&r->text, 'x', (size_t)s->program->bytes - r->text.len);
    }
    *ret = (struct dev_cri_line){.ns = ns, .text = r->text.data, .len = r->text.len};
    r->next++;
    return DEV_LOG_LINE;
}

static void script_close(void *reader)
{
    struct reader *r = reader;

    buf_release(&r->text);
    free(r);
}

static void script_rotate(struct dev_log *log)
{
    struct script *s = (struct script *)log;

    s->first = written(s) + 1;
}

static const struct dev_log_ops script_ops = {
    .open = script_open, .next = script_next, .close = script_close, .rotate = script_rotate};

static void script_free(struct script *s)
{
    if (!s)
        return;
    dev_log_release(&s->log);
    free(s->name);
    free(s);
}

/* Pods */

static void start_run(struct program *p, struct box *b)
{
    static int64_t number;
    _cleanup_free_ char *id = xasprintf("%0*llx", CONTAINER_ID_LEN, (unsigned long long)++number);

    b->now = xcalloc(1, sizeof(*b->now));
    b->now->log.ops = &script_ops;
    b->now->program = p;
    b->now->name = xstrdup(b->pod->name);
    b->now->t0 = time_now_ns();
    b->now->first = 1;
    b->pod->now =
        (struct dev_run){.container_id = TAKE_PTR(id), .started_ns = b->now->t0, .log = &b->now->log};
}

static void end_run(struct box *b)
{
    if (b->now->over)
        return;
    if (!b->now->t1)
        b->now->t1 = time_now_ns();
    b->now->over = true;
    b->pod->now.finished_ns = time_now_ns();
    dev_log_wake(&b->now->log);
}

static struct box *box_new(struct program *p, const char *name, bool once)
{
    struct box *b = xcalloc(1, sizeof(*b));

    b->pod = dev_node_pod_add(p->node, p->ns, name);
    b->pod->container = xstrdup("main");
    b->pod->image = xstrdup("lognode");
    b->pod->labels = json_object("app", "lognode", "kind", once ? "short" : "long", NULL);
    b->pod->once = once;
    b->pod->owner = b;
    vec_push(&p->boxes, b);
    start_run(p, b);
    return b;
}

static void box_free(struct box *b)
{
    script_free(b->now);
    script_free(b->last);
    free(b);
}

static void restart(void *arg, struct dev_pod *pod)
{
    struct program *p = arg;
    struct box *b = pod->owner;

    if (pod->once)
        return;
    end_run(b);
    script_free(b->last);
    dev_run_release(&pod->last);
    b->last = b->now;
    pod->last = pod->now;
    pod->restarts++;
    start_run(p, b);
    dev_node_pod_changed(p->node, pod);
}

static void end(void *arg, struct dev_pod *pod)
{
    struct program *p = arg;

    end_run(pod->owner);
    dev_node_pod_changed(p->node, pod);
}

static void stop(void *arg _unused_, struct dev_pod *pod)
{
    struct box *b = pod->owner;

    if (!b->now->t1)
        b->now->t1 = time_now_ns();
}

/* One jump of a run is remembered. */
static void set_clock(void *arg, struct dev_pod *pod)
{
    const struct program *p = arg;
    struct box *b = pod->owner;

    b->now->jump_at = written(b->now) + 1;
    b->now->jump_ns = p->jump_ns;
}

static cJSON *short_story(const struct box *b)
{
    cJSON *o = json_object("pod", b->pod->name, NULL);

    json_set_int(o, "lines", written(b->now));
    return o;
}

static void add_shorts(struct program *p, int64_t now)
{
    if (!p->short_per_minute)
        return;
    int64_t wanted = (now - p->shorts_since) / 1000000 * p->short_per_minute / 60000 + 1;
    for (; p->shorts < wanted; p->shorts++) {
        _cleanup_free_ char *name = xasprintf("short-%lld", (long long)p->shorts);
        struct box *b = box_new(p, name, true);
        b->end_ns = now + p->short_ms * 1000000;
        dev_node_pod_changed(p->node, b->pod);
    }
}

static void on_tick(void *arg)
{
    struct program *p = arg;
    int64_t now = time_now_ns();

    if (!p->told && dev_node_is_settled(p->node)) {
        p->told = true;
        p->shorts_since = now;
        printf("{\"ready\":true,\"port\":%d,\"control\":%d}\n", dev_node_port(p->node),
               dev_node_control_port(p->node));
        fflush(stdout);
    }
    if (p->told)
        add_shorts(p, now);
    for (size_t i = p->boxes.len; i-- > 0;) {
        struct box *b = p->boxes.items[i];
        if (b->end_ns && now >= b->end_ns && !b->now->over) {
            end(p, b->pod);
            b->remove_ns = now + p->linger_ms * 1000000;
            vec_push(&p->ended, short_story(b));
            if (p->ended.len > ENDED_MOST) {
                cJSON_Delete(p->ended.items[0]);
                vec_remove(&p->ended, 0);
            }
        } else if (b->remove_ns && now >= b->remove_ns) {
            /* Who reads the log may do so to its end, as with a file that is unlinked. */
            if (b->pod)
                dev_node_pod_remove(p->node, b->pod);
            b->pod = NULL;
            if (!b->now->log.streams.len || now >= b->remove_ns + READ_ON_NS) {
                box_free(b);
                vec_remove(&p->boxes, i);
            } else {
                dev_log_wake(&b->now->log);
            }
        } else if (b->now->log.streams.len) {
            dev_log_wake(&b->now->log);
        }
    }
    loop_timer_start(p->tick, TICK_MS);
}

/* Control */

static cJSON *pods_json(const struct program *p)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < p->boxes.len; i++) {
        const struct box *b = p->boxes.items[i];
        if (!b->pod)
            continue;
        cJSON *o = short_story(b);
        json_set_int(o, "restarts", b->pod->restarts);
        json_set_int(o, "first", b->now->first);
        json_set_bool(o, "ended", b->now->over);
        cJSON_AddItemToArray(list, o);
    }
    return list;
}

static cJSON *ended_json(const struct program *p)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < p->ended.len; i++)
        cJSON_AddItemToArray(list, cJSON_Duplicate(p->ended.items[i], true));
    return list;
}

static bool on_control(void *arg, struct dev_exchange *x)
{
    static const struct {
        const char *path;
        void (*fn)(void *arg, struct dev_pod *pod);
    } deeds[] = {{"/stop", stop}, {"/restart", restart}, {"/end", end}, {"/clock", set_clock}};
    struct program *p = arg;
    const char *path = dev_exchange_path(x);
    _cleanup_free_ char *pattern = dev_query_get(dev_exchange_query(x), "pod"),
                        *back = dev_query_get(dev_exchange_query(x), "back_ms");
    int64_t ms = 0;

    if (streq(dev_exchange_method(x), "GET") && streq(path, "/pods")) {
        dev_exchange_json(x, 200, pods_json(p));
        return true;
    }
    if (streq(dev_exchange_method(x), "GET") && streq(path, "/ended")) {
        dev_exchange_json(x, 200, ended_json(p));
        return true;
    }
    if (back && !str_to_i64(back, 0, 3600 * 1000, &ms))
        return false;
    p->jump_ns = -ms * 1000000;
    for (size_t i = 0; i < ARRAY_LEN(deeds) && streq(dev_exchange_method(x), "POST"); i++)
        if (streq(path, deeds[i].path)) {
            cJSON *o = cJSON_CreateObject();
            json_set_int(o, "pods", (int64_t)dev_node_each(p->node, pattern ? pattern : "*", deeds[i].fn, p));
            dev_exchange_json(x, 200, o);
            return true;
        }
    return false;
}

/* Running */

struct settings {
    const char *kubeconfig, *context, *name, *cert, *key, *ca, *client_name;
    int64_t port, control_port;
};

static int read_pem(const char *path, char **ret, struct err **err)
{
    return path ? file_read(path, PEM_MAX, ret, NULL, err) : 0;
}

/* A certificate of its own when none is given: an API server that was told of no authority takes any. */
static int identity(const struct settings *s, char **ret_cert, char **ret_key, struct err **err)
{
    _cleanup_(dev_pair_release) struct dev_pair ca = {0}, pair = {0};
    const struct dev_cert_request request = {.common_name = "lognode", .alt_names = "IP:127.0.0.1"};
    int r;

    if (s->cert || s->key) {
        r = read_pem(s->cert, ret_cert, err);
        return r < 0 ? r : read_pem(s->key, ret_key, err);
    }
    r = dev_ca_new("lognode", &ca, err);
    if (r == 0)
        r = dev_ca_issue(&ca, &request, &pair, err);
    if (r < 0)
        return r;
    *ret_cert = TAKE_PTR(pair.cert);
    *ret_key = TAKE_PTR(pair.key);
    return 0;
}

static int connect_api(struct program *p, const struct settings *s, struct err **err)
{
    const struct kube_overrides overrides = {.context = s->context};
    const struct kube_client_options options = {.user_agent = "lognode", .timeout_ms = 10000};
    _cleanup_(kubeconfig_freep) struct kubeconfig *file = NULL;
    _cleanup_(kube_config_freep) struct kube_config *config = NULL;
    int r = kubeconfig_load(s->kubeconfig, &file, err);

    if (r == 0)
        r = kubeconfig_resolve(file, &overrides, &config, err);
    return r < 0 ? r : kube_client_new(p->loop, config, &options, &p->client, err);
}

static int make_node(struct program *p, const struct settings *s, struct err **err)
{
    _cleanup_free_ char *cert = NULL, *key = NULL, *ca = NULL;
    int r = identity(s, &cert, &key, err);

    if (r == 0)
        r = read_pem(s->ca, &ca, err);
    if (r < 0)
        return r;
    const struct dev_node_options o = {.name = s->name,
                                       .version = "v0.0.0-lognode",
                                       .port = (int)s->port,
                                       .control_port = (int)s->control_port,
                                       .cert = cert,
                                       .key = key,
                                       .client_ca = ca,
                                       .client_name = s->client_name,
                                       .client = p->client,
                                       .control = on_control,
                                       .arg = p};
    return dev_node_new(p->loop, &o, &p->node, err);
}

static void on_signal(void *arg, int signum _unused_)
{
    loop_stop(arg);
}

static void on_input(void *arg, int events _unused_, bool error)
{
    struct program *p = arg;
    char skip[256];
    ssize_t n = read(STDIN_FILENO, skip, sizeof(skip));

    if (error || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        loop_stop(p->loop);
}

static void on_farewell(void *arg)
{
    loop_stop(arg);
}

/* Deletes Pods and Node, as far as the API server takes it within two seconds. */
static void farewell(struct program *p)
{
    struct loop_timer *limit = loop_timer_new(p->loop, on_farewell, p->loop);

    loop_timer_stop(p->tick);
    while (p->boxes.len) {
        struct box *b = p->boxes.items[--p->boxes.len];
        end_run(b);
        if (b->pod)
            dev_node_pod_remove(p->node, b->pod);
        box_free(b);
    }
    dev_node_leave(p->node);
    loop_timer_start(limit, 2000);
    loop_run(p->loop);
    loop_timer_free(limit);
}

static int run(struct program *p, const struct settings *s, struct err **err)
{
    int r = connect_api(p, s, err);

    if (r == 0)
        r = make_node(p, s, err);
    if (r < 0)
        return r;
    for (int64_t i = 0; i < p->pods; i++) {
        _cleanup_free_ char *name = xasprintf("pod-%lld", (long long)i);
        box_new(p, name, false);
    }
    dev_node_complete(p->node);
    p->tick = loop_timer_new(p->loop, on_tick, p);
    loop_timer_start(p->tick, TICK_MS);
    struct loop_signal *terminate = loop_signal_new(p->loop, SIGTERM, on_signal, p->loop);
    struct loop_signal *interrupt = loop_signal_new(p->loop, SIGINT, on_signal, p->loop);
    p->in = loop_io_new(p->loop, STDIN_FILENO, on_input, p);
    loop_io_set(p->in, LOOP_READ);
    loop_run(p->loop);
    loop_io_free(p->in);
    farewell(p);
    loop_signal_free(terminate);
    loop_signal_free(interrupt);
    return 0;
}

static const char usage[] =
    "Usage: lognode --kubeconfig FILE [OPTION]...\n"
    "  --context NAME        of the kubeconfig\n"
    "  --node NAME           of the Node (lognode)\n"
    "  --namespace NAME      of the Pods (lognode); made when it is missing\n"
    "  --pods N              long-lived Pods pod-0... (1)\n"
    "  --rate N              lines a second of each (10)\n"
    "  --bytes N             length lines are filled up to (0: as they are)\n"
    "  --short N             short-lived Pods short-0... a minute (0)\n"
    "  --short-ms N          how long they run (5000)\n"
    "  --linger-ms N         how long their objects stay afterwards (2000)\n"
    "  --port N, --control-port N   (free ones)\n"
    "  --cert FILE --key FILE       of the node (made up)\n"
    "  --client-ca FILE             clients must show a certificate of it (anybody may read)\n"
    "  --client-name NAME           and bear this common name\n";

static bool take_number(const char *text, int64_t most, int64_t *ret)
{
    return str_to_i64(text, 0, most, ret);
}

int main(int argc, char **argv)
{
    struct program p = {.ns = "lognode", .pods = 1, .rate = 10, .short_ms = 5000, .linger_ms = 2000};
    struct settings s = {.name = "lognode"};
    const struct {
        const char *name;
        const char **text;
        int64_t *number, most;
    } options[] = {
        {"kubeconfig", &s.kubeconfig, NULL, 0},
        {"context", &s.context, NULL, 0},
        {"node", &s.name, NULL, 0},
        {"namespace", &p.ns, NULL, 0},
        {"cert", &s.cert, NULL, 0},
        {"key", &s.key, NULL, 0},
        {"client-ca", &s.ca, NULL, 0},
        {"client-name", &s.client_name, NULL, 0},
        {"pods", NULL, &p.pods, 5000},
        {"rate", NULL, &p.rate, 1000000},
        {"bytes", NULL, &p.bytes, LINE_MOST / 2},
        {"short", NULL, &p.short_per_minute, 60000},
        {"short-ms", NULL, &p.short_ms, 3600000},
        {"linger-ms", NULL, &p.linger_ms, 3600000},
        {"port", NULL, &s.port, 65535},
        {"control-port", NULL, &s.control_port, 65535},
    };
    struct option longs[ARRAY_LEN(options) + 1] = {0};
    _cleanup_err_ struct err *problem = NULL;
    int c, which = 0;

    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        longs[i] = (struct option){options[i].name, required_argument, NULL, 0};
    while ((c = getopt_long(argc, argv, "", longs, &which)) == 0) {
        if (options[which].text)
            *options[which].text = optarg;
        else if (!take_number(optarg, options[which].most, options[which].number)) {
            fprintf(stderr, "lognode: --%s=%s: a number up to %lld is wanted\n", options[which].name, optarg,
                    (long long)options[which].most);
            return 2;
        }
    }
    if (c != -1 || optind != argc || !s.kubeconfig || !p.rate || !s.cert != !s.key) {
        fputs(usage, stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    log_setup(LOG_WARN, LOG_TEXT);
    p.loop = loop_new();
    int r = run(&p, &s, &problem);
    dev_node_free(p.node);
    for (size_t i = 0; i < p.boxes.len; i++)
        box_free(p.boxes.items[i]);
    for (size_t i = 0; i < p.ended.len; i++)
        cJSON_Delete(p.ended.items[i]);
    free(p.boxes.items);
    free(p.ended.items);
    loop_timer_free(p.tick);
    kube_client_free(p.client);
    loop_free(p.loop);
    if (r < 0)
        fprintf(stderr, "lognode: %s\n", err_text(problem));
    return r < 0 ? 1 : 0;
}
