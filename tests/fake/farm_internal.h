/* What farm.c (hosts and what is done to them), farm_wire.c (the requests they answer) and farm_js.c (their
 * JetStream consumers) share. */
#ifndef WASMCTL_TESTS_FAKE_FARM_INTERNAL_H
#define WASMCTL_TESTS_FAKE_FARM_INTERNAL_H

#include "base/map.h"
#include "fake/farm.h"
#include "lattice/bus.h"

#define FARM_VERSION "1.9.2"

enum host_state { HOST_UP, HOST_FROZEN, HOST_CUT, HOST_DOWN };

/* "component.*", "provider.*", "label.*", "host.*", each followed by the host's id. */
enum { HOST_SUBJECTS = 4, HOST_CONSUMERS = 2 };

struct farm_component {
    char *image;
    uint32_t count;
    cJSON *annotations; /* NULL if none */
};
struct farm_provider {
    char *image;
    cJSON *annotations;
};

/* Something a host has been asked for and does a while later. */
struct task {
    struct task *next;
    struct farm_host *host;
    struct loop_timer *timer;
    bool provider;
    bool due; /* its time has come while the host was frozen */
    cJSON *request;
};

/* A request a frozen host has not read yet. */
struct held {
    char *verb, *data, *reply;
    size_t len;
};

struct farm_host {
    struct farm *farm;
    char *id, *name;
    enum host_state state;
    struct map *labels; /* char * */
    struct map *components, *providers;
    int64_t started_ms;
    char *inventory; /* end of the answer to host.get, NULL when something changed */
    struct bus_sub *subs[HOST_SUBJECTS];
    char *inboxes[HOST_CONSUMERS]; /* of its consumers; kept over a cut of the network */
    struct bus_sub *deliveries[HOST_CONSUMERS];
    struct loop_timer *heartbeat;
    struct task *tasks;
    VEC(struct held) held;
};

struct farm {
    struct loop *loop;
    struct farm_options options;
    char *lattice, *prefix; /* "wasmbus.ctl.v1.default." */
    char **clouds;
    struct bus *bus;
    struct bus_sub *ping, *registry, *link, *config;
    struct farm_host *hosts;
    size_t nhosts, serving; /* serving: up; the lattice's requests are answered while there is one */
    bool connected, announced;
    bool muted;           /* events go nowhere */
    bool js_refused;      /* that was told */
    size_t buckets;       /* that are being made */
    struct map *links;    /* "source\nnamespace\npackage\nname" -> cJSON * */
    struct map *configs;  /* name -> cJSON * */
    struct map *requests; /* verb -> uint64_t * */
    uint64_t events, next_inbox;
};

/* farm.c */
void farm_publish(struct farm *f, const char *subject, const char *data, size_t len);
/* Takes data. */
void farm_event(struct farm *f, const char *host, const char *name, cJSON *data);
/* The host is asked for something that takes its time; takes request. */
void farm_task(struct farm_host *h, bool provider, cJSON *request);
/* The bus is there, and what the hosts need on it: they come up, the first time. */
void farm_hosts_start(struct farm *f);
/* Ends the host: goodbye says so to the lattice. */
void farm_host_end(struct farm_host *h, bool goodbye);

/* farm_wire.c */
void farm_answer_host(struct farm_host *h, const char *verb, const char *data, size_t len, const char *reply);
void farm_run_task(struct farm_host *h, bool provider, const cJSON *request);
void farm_on_ping(void *arg, const struct bus_message *m);
void farm_on_registry(void *arg, const struct bus_message *m);
void farm_on_link(void *arg, const struct bus_message *m);
void farm_on_config(void *arg, const struct bus_message *m);
void farm_count_request(struct farm *f, const char *verb);
cJSON *farm_inventory(const struct farm_host *h);
cJSON *farm_labels(const struct farm_host *h);

/* farm_js.c */
/* Makes the buckets, then goes on with farm_hosts_start(). */
void farm_js_start(struct farm *f);
/* A process that starts makes consumers, one whose network is back listens to those it had. */
void farm_js_watch(struct farm_host *h);
void farm_js_unwatch(struct farm_host *h);
/* The process is gone: nobody listens to them any more. */
void farm_js_forget(struct farm_host *h);

#endif
