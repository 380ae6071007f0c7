/*
 * latctl: a lattice by hand, over the same library the operator uses; for end-to-end tests and for debugging.
 * One JSON object a line on stdout, talk on stderr.
 *
 * Exit: 0 done, 1 the host or the lattice refused, 2 wrong use, 3 not there (no connection, no such host, no
 * answer in time).
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "data/json.h"
#include "lattice/lattice.h"
#include "lattice/wire_v1.h"

enum { EXIT_OK, EXIT_REFUSED, EXIT_USAGE, EXIT_ABSENT };

struct command;

struct ctl {
    struct loop *loop;
    struct lattice *lat;
    struct bus *bus;
    struct loop_timer *timer;
    const struct command *command;
    const char *lattice_id;
    char **args;
    char **config;
    struct map *annotations;
    int nargs;
    int64_t count, memory, timeout_ms;
    int exit;
    bool started;
};

struct command {
    const char *name, *usage;
    int min, max;
    bool raw; /* over the bus alone */
    void (*run)(struct ctl *c);
};

static void finish(struct ctl *c, int code)
{
    c->exit = code;
    loop_stop(c->loop);
}

static void fail(struct ctl *c, const struct err *err)
{
    fprintf(stderr, "latctl: %s\n", err_text(err));
    bool absent = err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT || err->code == ERR_NOT_FOUND;
    finish(c, absent ? EXIT_ABSENT : EXIT_REFUSED);
}

/* Takes o. */
static void print(cJSON *o)
{
    char *text = json_print(o);

    printf("%s\n", text);
    fflush(stdout);
    free(text);
    cJSON_Delete(o);
}

static cJSON *object_of(const struct map *m)
{
    cJSON *o = cJSON_CreateObject();

    for (struct map_iter it = {0}; map_next(m, &it);)
        json_put_str(o, it.key, it.value);
    return o;
}

static cJSON *list_of(char *const *v)
{
    cJSON *a = cJSON_CreateArray();

    for (; v && *v; v++)
        cJSON_AddItemToArray(a, cJSON_CreateString(*v));
    return a;
}

static cJSON *host_json(const struct lat_host *h, bool inventory)
{
    cJSON *o = json_object("id", h->id, "name", h->friendly_name, "version", h->version, "state",
                           lat_host_reason(h->state), NULL);

    json_put(o, "labels", object_of(h->labels));
    json_set_int(o, "uptime", h->uptime_s);
    if (!inventory) {
        json_set_int(o, "components", (int64_t)h->ncomponents);
        json_set_int(o, "providers", (int64_t)h->nproviders);
        return o;
    }
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < h->ncomponents; i++) {
        cJSON *item = json_object("id", h->components[i].id, "image", h->components[i].image, NULL);
        json_set_int(item, "count", h->components[i].count);
        json_put(item, "annotations", object_of(h->components[i].annotations));
        cJSON_AddItemToArray(list, item);
    }
    json_put(o, "components", list);
    list = cJSON_CreateArray();
    for (size_t i = 0; i < h->nproviders; i++) {
        cJSON *item = json_object("id", h->providers[i].id, "image", h->providers[i].image, NULL);
        json_put(item, "annotations", object_of(h->providers[i].annotations));
        cJSON_AddItemToArray(list, item);
    }
    json_put(o, "providers", list);
    return o;
}

static void on_done(void *arg, const struct err *err)
{
    struct ctl *c = arg;

    if (err) {
        fail(c, err);
        return;
    }
    cJSON *o = json_object("done", c->command->name, NULL);
    print(o);
    finish(c, EXIT_OK);
}

static bool number(struct ctl *c, const char *text, int64_t min, int64_t max, int64_t *ret)
{
    if (str_to_i64(text, min, max, ret))
        return true;
    fprintf(stderr, "latctl: \"%s\": want a number from %lld to %lld\n", text, (long long)min,
            (long long)max);
    finish(c, EXIT_USAGE);
    return false;
}

/* Commands over the lattice */

static void run_hosts(struct ctl *c)
{
    for (struct map_iter it = {0}; lat_host_next(c->lat, &it);)
        print(host_json(it.value, false));
    finish(c, EXIT_OK);
}

static void run_inventory(struct ctl *c)
{
    const struct lat_host *h = lat_host_get(c->lat, c->args[0]);

    if (!h || !h->has_inventory) {
        fprintf(stderr, "latctl: host %s is not on lattice %s\n", c->args[0], c->lattice_id);
        finish(c, EXIT_ABSENT);
        return;
    }
    print(host_json(h, true));
    finish(c, EXIT_OK);
}

static void run_scale(struct ctl *c)
{
    int64_t n;

    if (!number(c, c->args[3], 1, UINT32_MAX, &n))
        return;
    lat_component_set(c->lat,
                      &(struct lat_component_spec){.host = c->args[0],
                                                   .id = c->args[1],
                                                   .image = c->args[2],
                                                   .count = (uint32_t)n,
                                                   .config = c->config,
                                                   .annotations = c->annotations,
                                                   .memory_limit = c->memory},
                      on_done, c);
}

static void run_stop(struct ctl *c)
{
    lat_component_stop(c->lat, c->args[0], c->args[1], on_done, c);
}

static void run_provider_start(struct ctl *c)
{
    lat_provider_start(c->lat,
                       &(struct lat_provider_spec){.host = c->args[0],
                                                   .id = c->args[1],
                                                   .image = c->args[2],
                                                   .config = c->config,
                                                   .annotations = c->annotations},
                       on_done, c);
}

static void run_provider_stop(struct ctl *c)
{
    lat_provider_stop(c->lat, c->args[0], c->args[1], on_done, c);
}

static void run_host_stop(struct ctl *c)
{
    lat_host_stop(c->lat, c->args[0], 5000, on_done, c);
}

static void on_links(void *arg, const struct lat_link *links, size_t n, const struct err *err)
{
    struct ctl *c = arg;

    if (err) {
        fail(c, err);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct lat_link *l = &links[i];
        cJSON *o = json_object("source", l->source, "target", l->target, "name", l->name, "namespace",
                               l->wit_namespace, "package", l->wit_package, NULL);
        json_put(o, "interfaces", list_of(l->interfaces));
        json_put(o, "sourceConfig", list_of(l->source_config));
        json_put(o, "targetConfig", list_of(l->target_config));
        print(o);
    }
    finish(c, EXIT_OK);
}

static void run_links(struct ctl *c)
{
    lat_links(c->lat, on_links, c);
}

static void link_change(struct ctl *c, bool put)
{
    _cleanup_strv_ char **interfaces = strv_split(put ? c->args[4] : "", ',', false);
    _cleanup_strv_ char **source = strv_split(put && c->nargs > 5 ? c->args[5] : "", ',', false);
    _cleanup_strv_ char **target = strv_split(put && c->nargs > 6 ? c->args[6] : "", ',', false);
    struct lat_link l = {.source = c->args[0],
                         .target = put ? c->args[1] : NULL,
                         .wit_namespace = c->args[put ? 2 : 1],
                         .wit_package = c->args[put ? 3 : 2],
                         .interfaces = interfaces,
                         .source_config = source,
                         .target_config = target};

    if (put)
        lat_link_put(c->lat, &l, on_done, c);
    else
        lat_link_del(c->lat, &l, on_done, c);
}

static void run_link_put(struct ctl *c)
{
    link_change(c, true);
}

static void run_link_del(struct ctl *c)
{
    link_change(c, false);
}

static void run_config_put(struct ctl *c)
{
    _cleanup_map_ struct map *values = map_new(free);

    for (int i = 1; i < c->nargs; i++) {
        char *eq = strchr(c->args[i], '=');
        if (!eq) {
            fprintf(stderr, "latctl: \"%s\": want KEY=VALUE\n", c->args[i]);
            finish(c, EXIT_USAGE);
            return;
        }
        _cleanup_free_ char *key = xstrndup(c->args[i], (size_t)(eq - c->args[i]));
        map_set(values, key, xstrdup(eq + 1));
    }
    lat_config_put(c->lat, c->args[0], values, on_done, c);
}

static void run_config_del(struct ctl *c)
{
    lat_config_del(c->lat, c->args[0], on_done, c);
}

/* Ends by signal, or after --count lines. */
static void run_watch(struct ctl *c)
{
    (void)c;
}

static void line_printed(struct ctl *c)
{
    if (c->count > 0 && --c->count == 0)
        finish(c, EXIT_OK);
}

static void on_host_changed(void *arg, const struct lat_host *h)
{
    struct ctl *c = arg;
    char time[TIME_RFC3339_LEN];

    if (c->command->run != run_watch)
        return;
    cJSON *o = host_json(h, true);
    json_put_str(o, "time", time_rfc3339(time_now_ns(), 3, time));
    print(o);
    line_printed(c);
}

static void on_synced(void *arg)
{
    struct ctl *c = arg;

    if (c->started)
        return;
    c->started = true;
    c->command->run(c);
}

static void on_connection(void *arg, bool connected, const struct err *err)
{
    struct ctl *c = arg;

    if (!connected)
        fprintf(stderr, "latctl: %s\n", err_text(err));
    else if (c->command->run == run_watch)
        fprintf(stderr, "latctl: connected\n");
}

/* Commands over the bus */

static void on_answer(void *arg, const struct bus_message *m, const struct err *err)
{
    struct ctl *c = arg;
    _cleanup_json_ cJSON *root = NULL;

    if (err) {
        fail(c, err);
        return;
    }
    printf("%s\n", m->data);
    bool refused =
        json_parse(m->data, m->len, "answer", &root, NULL) == 0 && cJSON_IsFalse(json_get(root, "success"));
    finish(c, refused ? EXIT_REFUSED : EXIT_OK);
}

static void run_raw(struct ctl *c)
{
    const char *data = c->nargs > 1 ? c->args[1] : "";

    bus_request(c->bus, c->args[0], data, strlen(data), c->timeout_ms, on_answer, c);
}

static void on_config(void *arg, const struct bus_message *m, const struct err *err)
{
    struct ctl *c = arg;
    _cleanup_json_ cJSON *root = NULL;
    const cJSON *response = NULL;
    _cleanup_map_ struct map *values = NULL;
    _cleanup_err_ struct err *e = NULL;

    if (err) {
        fail(c, err);
    } else if (lat_v1_answer(m->data, m->len, &root, &response, &e) < 0 ||
               lat_v1_config(response, &values, &e) < 0) {
        fail(c, e);
    } else if (!response) {
        fprintf(stderr, "latctl: no config \"%s\"\n", c->args[0]);
        finish(c, EXIT_ABSENT);
    } else {
        print(object_of(values));
        finish(c, EXIT_OK);
    }
}

static void run_config_get(struct ctl *c)
{
    _cleanup_free_ char *subject = xasprintf("wasmbus.ctl.v1.%s.config.get.%s", c->lattice_id, c->args[0]);

    bus_request(c->bus, subject, NULL, 0, c->timeout_ms, on_config, c);
}

static void on_event(void *arg, const struct bus_message *m)
{
    struct ctl *c = arg;
    _cleanup_json_ cJSON *root = NULL;

    if (json_parse(m->data, m->len, "event", &root, NULL) == 0) {
        print(TAKE_PTR(root));
        line_printed(c);
    }
}

static void run_events(struct ctl *c)
{
    _cleanup_free_ char *subject = xasprintf("wasmbus.evt.%s.*", c->lattice_id);

    bus_subscribe(c->bus, subject, on_event, c);
    fprintf(stderr, "latctl: listening on %s\n", subject);
}

static void on_bus(void *arg, bool connected, const struct err *err)
{
    struct ctl *c = arg;

    on_connection(arg, connected, err);
    if (connected)
        on_synced(c);
}

static const struct command commands[] = {
    {"hosts", "", 0, 0, false, run_hosts},
    {"inventory", "HOST", 1, 1, false, run_inventory},
    {"watch", "", 0, 0, false, run_watch},
    {"scale", "HOST ID IMAGE COUNT", 4, 4, false, run_scale},
    {"stop", "HOST ID", 2, 2, false, run_stop},
    {"provider-start", "HOST ID IMAGE", 3, 3, false, run_provider_start},
    {"provider-stop", "HOST ID", 2, 2, false, run_provider_stop},
    {"host-stop", "HOST", 1, 1, false, run_host_stop},
    {"links", "", 0, 0, false, run_links},
    {"link-put", "SOURCE TARGET NAMESPACE PACKAGE INTERFACES [SOURCE-CONFIGS [TARGET-CONFIGS]]", 5, 7, false,
     run_link_put},
    {"link-del", "SOURCE NAMESPACE PACKAGE", 3, 3, false, run_link_del},
    {"config-put", "NAME KEY=VALUE...", 1, 100, false, run_config_put},
    {"config-del", "NAME", 1, 1, false, run_config_del},
    {"config-get", "NAME", 1, 1, true, run_config_get},
    {"events", "", 0, 0, true, run_events},
    {"raw", "SUBJECT [DATA]", 1, 2, true, run_raw},
};

static int usage(void)
{
    fprintf(stderr, "usage: latctl [options] COMMAND ...\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(stderr, "  %s %s\n", commands[i].name, commands[i].usage);
    fprintf(stderr, "options:\n"
                    "  --server URL          NATS server, repeatable (default nats://127.0.0.1:4222)\n"
                    "  --creds FILE          NATS credentials\n"
                    "  --lattice ID          default \"default\"\n"
                    "  --config NAME         config of a component or provider, repeatable\n"
                    "  --annotation KEY=VAL  of a component or provider, repeatable\n"
                    "  --memory BYTES        memory limit of a component\n"
                    "  --count N             events, watch: end after N lines\n"
                    "  --timeout SECONDS     default 70\n"
                    "  --debug               log of the library\n");
    return EXIT_USAGE;
}

static void on_timeout(void *arg)
{
    struct ctl *c = arg;

    fprintf(stderr, "latctl: no result in time%s\n", c->started ? "" : " (never connected)");
    finish(c, EXIT_ABSENT);
}

static void on_signal(void *arg, int signum)
{
    (void)signum;
    finish(arg, EXIT_OK);
}

static int run(struct ctl *c, char **servers, const char *credentials)
{
    _cleanup_err_ struct err *err = NULL;
    struct bus_options bus = {
        .servers = servers, .credentials = credentials, .name = "latctl", .state = on_bus, .arg = c};
    int r;

    if (c->command->raw)
        r = bus_new(c->loop, &bus, &c->bus, &err);
    else
        r = lat_open(c->loop,
                     &(struct lat_options){.driver = "wasmcloud.v1",
                                           .name = "latctl",
                                           .id = c->lattice_id,
                                           .bus = bus,
                                           .connection = on_connection,
                                           .synced = on_synced,
                                           .host_changed = on_host_changed,
                                           .arg = c},
                     &c->lat, &err);
    if (r < 0) {
        fprintf(stderr, "latctl: %s\n", err_text(err));
        return EXIT_USAGE;
    }
    bool endless = c->command->run == run_watch || c->command->run == run_events;
    struct loop_signal *term = loop_signal_new(c->loop, SIGTERM, on_signal, c);
    struct loop_signal *intr = loop_signal_new(c->loop, SIGINT, on_signal, c);
    c->timer = loop_timer_new(c->loop, on_timeout, c);
    if (!endless || c->timeout_ms != 70000)
        loop_timer_start(c->timer, c->timeout_ms);
    c->exit = EXIT_ABSENT;
    loop_run(c->loop);
    loop_timer_free(c->timer);
    loop_signal_free(term);
    loop_signal_free(intr);
    lat_close(c->lat);
    bus_free(c->bus);
    return c->exit;
}

int main(int argc, char **argv)
{
    enum {
        OPT_SERVER = 256,
        OPT_CREDS,
        OPT_LATTICE,
        OPT_CONFIG,
        OPT_ANNOTATION,
        OPT_MEMORY,
        OPT_COUNT,
        OPT_TIMEOUT,
        OPT_DEBUG
    };
    static const struct option options[] = {
        {"server", required_argument, NULL, OPT_SERVER},
        {"creds", required_argument, NULL, OPT_CREDS},
        {"lattice", required_argument, NULL, OPT_LATTICE},
        {"config", required_argument, NULL, OPT_CONFIG},
        {"memory", required_argument, NULL, OPT_MEMORY},
        {"annotation", required_argument, NULL, OPT_ANNOTATION},
        {"count", required_argument, NULL, OPT_COUNT},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {"debug", no_argument, NULL, OPT_DEBUG},
        {0},
    };
    _cleanup_strv_ char **servers = strv_new();
    _cleanup_strv_ char **config = strv_new();
    _cleanup_map_ struct map *annotations = map_new(free);
    _cleanup_free_ char *credentials = NULL;
    _cleanup_err_ struct err *err = NULL;
    struct ctl c = {.lattice_id = "default", .timeout_ms = 70000};
    int64_t seconds;

    for (int o; (o = getopt_long(argc, argv, "+", options, NULL)) != -1;) {
        char *eq;
        switch (o) {
        case OPT_SERVER:
            strv_push(&servers, optarg);
            break;
        case OPT_CREDS:
            if (file_read(optarg, 1 << 20, &credentials, NULL, &err) < 0) {
                fprintf(stderr, "latctl: %s\n", err_text(err));
                return EXIT_USAGE;
            }
            break;
        case OPT_LATTICE:
            c.lattice_id = optarg;
            break;
        case OPT_CONFIG:
            strv_push(&config, optarg);
            break;
        case OPT_ANNOTATION:
            eq = strchr(optarg, '=');
            if (!eq)
                return usage();
            *eq = 0;
            map_set(annotations, optarg, xstrdup(eq + 1));
            break;
        case OPT_MEMORY:
            if (!str_to_i64(optarg, 1, INT64_MAX, &c.memory))
                return usage();
            break;
        case OPT_COUNT:
            if (!str_to_i64(optarg, 1, INT32_MAX, &c.count))
                return usage();
            break;
        case OPT_TIMEOUT:
            if (!str_to_i64(optarg, 1, 86400, &seconds))
                return usage();
            c.timeout_ms = seconds * 1000;
            break;
        case OPT_DEBUG:
            log_setup(LOG_DEBUG, LOG_TEXT);
            break;
        default:
            return usage();
        }
    }
    /* "config get" is "config-get". */
    _cleanup_free_ char *two = optind + 1 < argc ? xasprintf("%s-%s", argv[optind], argv[optind + 1]) : NULL;
    int used = 1;
    for (size_t i = 0; optind < argc && i < ARRAY_LEN(commands); i++) {
        bool both = two && streq(two, commands[i].name);
        if (!both && !streq(argv[optind], commands[i].name))
            continue;
        c.command = &commands[i];
        used = both ? 2 : 1;
    }
    c.args = argv + optind + used;
    c.nargs = argc - optind - used;
    if (!c.command || c.nargs < c.command->min || c.nargs > c.command->max)
        return usage();
    if (!servers[0])
        strv_push(&servers, "nats://127.0.0.1:4222");
    c.config = config;
    c.annotations = map_len(annotations) ? annotations : NULL;
    c.loop = loop_new();
    int code = run(&c, servers, credentials);
    loop_free(c.loop);
    return code;
}
