/* What `tail` reads besides the logs of Pods: Events, lattices, files. See cli/tail_query.h. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/fleet.h"
#include "cli/tail.h"
#include "cli/tail_query.h"
#include "model/lattice_object.h"
#include "tail/events_source.h"
#include "tail/file_source.h"
#include "tail/lattice_source.h"

enum { REFUSED_MS = 10 * 1000 };

/* Events and lattices of one cluster */

/* A lattice: its object, the Secrets that it names, its connection. */
struct lattice_link {
    struct tail_extras *extras;
    char *name;
    struct model_lattice *object;
    cJSON *secrets[2]; /* credentials, TLS */
    bool asked[2];
    int asking; /* which Secret the request is for; -1: the object */
    struct kube_req *request;
    struct loop_timer *retry;
    struct tail_lattice *source;
    bool told;
};

struct tail_extras {
    struct tail_extras_options options;
    char *context;
    VEC(struct tail_events *) events;
    struct map *lattices; /* name -> struct lattice_link */
};

static void link_step(void *arg);

static void link_failed(struct lattice_link *k, const char *what, const struct err *err)
{
    struct tail_extras *x = k->extras;
    _cleanup_free_ char *text =
        xasprintf("lattice %s of context %s: %s: %s; its events are missing until that works, trying again",
                  k->name, x->context, what, err_text(err));

    if (!k->told)
        x->options.note(x->options.arg, false, text);
    k->told = true;
    /* All is asked for anew: what is wrong may have been mended anywhere. */
    model_lattice_free(TAKE_PTR(k->object));
    for (size_t i = 0; i < ARRAY_LEN(k->secrets); i++) {
        cJSON_Delete(TAKE_PTR(k->secrets[i]));
        k->asked[i] = false;
    }
    loop_timer_start(k->retry, REFUSED_MS);
}

static const struct model_secret_ref *ref_of(const struct lattice_link *k, int i)
{
    return i ? &k->object->tls : &k->object->credentials;
}

static char *secret_value(const cJSON *secret, const char *key)
{
    const cJSON *value = json_get(json_get(secret, "data"), key);
    char *data = NULL;
    size_t len;

    if (!cJSON_IsString(value) || str_base64_decode(value->valuestring, &data, &len) < 0)
        return NULL;
    return data;
}

static bool wants_lattice(void *arg, const char *host, const char *subject)
{
    struct lattice_link *k = arg;
    char *const *ids = tail_queries_lattice_ids(k->extras->options.queries, k->name);

    return !ids || strv_has(ids, host) || (*subject && strv_has(ids, subject));
}

static void on_lattice_note(void *arg, bool chatter, const char *text)
{
    struct lattice_link *k = arg;

    k->extras->options.note(k->extras->options.arg, chatter, text);
}

static void link_open(struct lattice_link *k)
{
    struct tail_extras *x = k->extras;
    const struct model_lattice *o = k->object;
    _cleanup_err_ struct err *e = NULL;
    const char *key = o->credentials.key ? o->credentials.key : "user.creds";
    _cleanup_free_ char *credentials = secret_value(k->secrets[0], key),
                        *ca = secret_value(k->secrets[1], "ca.crt"),
                        *cert = secret_value(k->secrets[1], "tls.crt"),
                        *private = secret_value(k->secrets[1], "tls.key");

    if (k->secrets[0] && !credentials) {
        err_set(&e, ERR_INVALID, "it has no key \"%s\"", key);
        link_failed(k, "the Secret of spec.nats.credentialsSecret", e);
        return;
    }
    struct lat_options lattice = {
        .driver = o->driver,
        .id = o->id,
        .bus = {.servers = o->servers,
                .name = "wasmctl-tail",
                .credentials = credentials,
                .ca_pem = ca,
                .cert_pem = cert,
                .key_pem = private},
        .js_domain = o->js_domain,
        .unreachable_after_ms = o->unreachable_after_ms,
    };
    struct tail_lattice_options options = {
        .engine = x->options.engine,
        .loop = cmd_loop(x->options.c),
        .context = x->context,
        .name = k->name,
        .lattice = &lattice,
        .wants = wants_lattice,
        .note = on_lattice_note,
        .arg = k,
    };
    if (tail_lattice_new(&options, &k->source, &e) < 0)
        link_failed(k, "spec.nats", e);
}

static void on_answer(void *arg, const struct kube_response *response, const struct err *err)
{
    struct lattice_link *k = arg;
    _cleanup_json_ cJSON *object = NULL;
    _cleanup_err_ struct err *e = NULL;
    const char *what = k->asking < 0 ? "its object"
                       : k->asking   ? "the Secret of spec.nats.tlsSecret"
                                     : "the Secret of spec.nats.credentialsSecret";

    k->request = NULL;
    if (!err)
        json_parse(response->body, response->len, what, &object, &e);
    if (err || e) {
        link_failed(k, what, err ? err : e);
        return;
    }
    if (k->asking < 0)
        k->object = model_lattice_new(object);
    else
        k->secrets[k->asking] = TAKE_PTR(object);
    link_step(k);
}

static void ask(struct lattice_link *k, const char *word, const char *namespace, const char *name)
{
    _cleanup_free_ char *path = kube_path(kube_builtin_find(word), namespace, name, NULL);
    struct kube_call call = {.method = "GET", .path = path, .done = on_answer, .arg = k};

    k->request = kube_do(k->extras->options.c->client, &call);
}

static void link_step(void *arg)
{
    struct lattice_link *k = arg;

    if (!k->object) {
        k->asking = -1;
        ask(k, "lattices", NULL, k->name);
        return;
    }
    for (int i = 0; i < (int)ARRAY_LEN(k->secrets); i++) {
        const struct model_secret_ref *ref = ref_of(k, i);
        if (!ref->name || k->asked[i])
            continue;
        k->asked[i] = true;
        k->asking = i;
        ask(k, "secrets", ref->namespace ? ref->namespace : "default", ref->name);
        return;
    }
    link_open(k);
}

static void link_free(void *arg)
{
    struct lattice_link *k = arg;

    tail_lattice_free(k->source);
    kube_req_cancel(k->request);
    loop_timer_free(k->retry);
    model_lattice_free(k->object);
    for (size_t i = 0; i < ARRAY_LEN(k->secrets); i++)
        cJSON_Delete(k->secrets[i]);
    free(k->name);
    free(k);
}

/* Those that are meant; one that is not any more stays, silent, for its events are narrowed. */
static void add_lattices(struct tail_extras *x)
{
    for (char *const *l = tail_queries_lattices(x->options.queries); l && *l; l++) {
        if (map_has(x->lattices, *l))
            continue;
        struct lattice_link *k = xcalloc(1, sizeof(*k));
        k->extras = x;
        k->name = xstrdup(*l);
        k->retry = loop_timer_new(cmd_loop(x->options.c), link_step, k);
        map_set(x->lattices, *l, k);
        link_step(k);
    }
}

static bool wants_event(void *arg, const char *kind, const char *namespace, const char *name)
{
    struct tail_extras *x = arg;

    return tail_queries_object(x->options.queries, kind, namespace, name);
}

static void on_event_note(void *arg, bool chatter, const char *text)
{
    struct tail_extras *x = arg;

    x->options.note(x->options.arg, chatter, text);
}

static void on_events_done(void *arg, const struct err *err)
{
    struct tail_extras *x = arg;

    x->options.done(x->options.arg, err);
}

static void add_events(struct tail_extras *x, const char *namespace)
{
    struct tail_events_options options = {
        .engine = x->options.engine,
        .client = x->options.c->client,
        .context = x->context,
        .namespace = namespace,
        .wants = wants_event,
        .follow = !x->options.o->no_follow,
        .since_ns = x->options.since_ns,
        .tail_lines = x->options.o->lines,
        .note = on_event_note,
        .done = on_events_done,
        .arg = x,
    };
    struct tail_events *events = tail_events_new(&options);

    vec_push(&x->events, events);
}

struct tail_extras *tail_extras_new(const struct tail_extras_options *options)
{
    struct tail_extras *x = xcalloc(1, sizeof(*x));
    const struct tail_options *o = options->o;

    x->options = *options;
    x->context = xstrdup(options->context);
    x->lattices = map_new(link_free);
    if (o->events && !options->namespaces)
        add_events(x, NULL);
    for (char *const *n = o->events ? options->namespaces : NULL; n && *n; n++)
        add_events(x, *n);
    if (o->lattice_events)
        add_lattices(x);
    return x;
}

size_t tail_extras_pending(const struct tail_extras *x)
{
    return x->events.len;
}

void tail_extras_changed(struct tail_extras *x)
{
    if (x->options.o->lattice_events)
        add_lattices(x);
    tail_extras_again(x);
}

void tail_extras_known(struct tail_extras *x)
{
    for (size_t i = 0; i < x->events.len; i++)
        tail_events_known(x->events.items[i]);
}

void tail_extras_again(struct tail_extras *x)
{
    for (size_t i = 0; i < x->events.len; i++)
        tail_events_again(x->events.items[i]);
}

void tail_extras_free(struct tail_extras *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < x->events.len; i++)
        tail_events_free(x->events.items[i]);
    free(x->events.items);
    map_free(x->lattices);
    free(x->context);
    free(x);
}

/* Files */

struct tail_files {
    struct tail_file **items;
    size_t len;
};

int tail_files_new(const struct tail_options *o, const struct tail_file_options *each,
                   struct tail_files **ret, struct err **err)
{
    size_t n = strv_len(o->files) + o->from_stdin;
    struct tail_files *f = xcalloc(1, sizeof(*f));

    f->items = xcalloc(n, sizeof(struct tail_file *));
    for (size_t i = 0; i < n; i++) {
        struct tail_file_options one = *each;
        one.path = i < strv_len(o->files) ? o->files[i] : "-";
        int r = tail_file_new(&one, &f->items[f->len], err);
        if (r < 0) {
            tail_files_free(f);
            return r;
        }
        f->len++;
    }
    *ret = f;
    return 0;
}

size_t tail_files_len(const struct tail_files *f)
{
    return f ? f->len : 0;
}

void tail_files_free(struct tail_files *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->len; i++)
        tail_file_free(f->items[i]);
    free(f->items);
    free(f);
}
