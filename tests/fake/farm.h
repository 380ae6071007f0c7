/*
 * Simulated wasmCloud v1 hosts: any number of them in one process on one NATS connection, speaking the
 * control protocol of wasmcloud-host 0.27.1 as far as a controller uses it: host.ping, host.get, host.stop,
 * component.scale, provider.start and .stop, label.put and .del, link.*, config.*, registry.put, and the
 * events these cause. Auctions, claims and component.update are left out.
 *
 * What is simulated of a real host: a scale is acknowledged at once and takes its time; a fresh start emits
 * component_scaled twice; a missing configuration makes a start fail; a running component that is scaled
 * under another reference goes on under the new name; links and configuration belong to the lattice, not to
 * a host.
 *
 * A host is subscribed for itself, so that one that is gone leaves the server without a responder (503).
 */
#ifndef WASMCTL_TESTS_FAKE_FARM_H
#define WASMCTL_TESTS_FAKE_FARM_H

#include "base/loop.h"
#include "data/json.h"

enum { FARM_HOSTS_MOST = 10000 };

struct farm_options {
    const char *server;  /* "nats://host:port" */
    const char *lattice; /* NULL = "default" */
    size_t hosts;        /* 1 to FARM_HOSTS_MOST */
    char *const *clouds; /* NULL-ended; host i has the label cloud=clouds[i % n]; NULL: no such label */
    int64_t start_ms;    /* from a scale request to its event */
    int64_t heartbeat_ms;
    bool jetstream; /* make the lattice's buckets, and for each host the consumers that watch them */
    /* All hosts are there (again): the first time, and after each reconnect. */
    void (*ready)(void *arg);
    void *arg;
};

struct farm;
int farm_new(struct loop *l, const struct farm_options *options, struct farm **ret, struct err **err);
void farm_free(struct farm *f);
DEFINE_CLEANUP(struct farm *, farm_free)

/* What can be done to hosts. */
#define FARM_DEEDS(X)                                                                                        \
    X(KILL, "kill")     /* kill -9: no responders, what ran is gone */                                       \
    X(START, "start")   /* a killed or stopped one comes back, empty */                                      \
    X(CUT, "cut")       /* the network is gone: no responders, what runs goes on */                          \
    X(HEAL, "heal")     /* the network is back */                                                            \
    X(FREEZE, "freeze") /* SIGSTOP: nothing is answered, requests wait */                                    \
    X(THAW, "thaw")     /* SIGCONT: what waited is done now */                                               \
    X(STOP, "stop")     /* SIGTERM: says goodbye */
enum farm_deed {
#define X(name, text) FARM_##name,
    FARM_DEEDS(X)
#undef X
        FARM_DEED_COUNT
};

/* Does it to the hosts chosen by "all", "7", "3-9" or "cloud=a" (any label); returns to how many. A deed that
 * makes no sense for a host (start of one that is up) leaves it alone. ERR_INVALID for another word. */
int farm_do(struct farm *f, enum farm_deed deed, const char *which, size_t *ret_n, struct err **err);

/* {"hosts":{"up":n,"frozen":n,"cut":n,"down":n},"components":n,"distinct":n,"providers":n,
 *  "requests":{"host.get":n,...},"events":n}: components and providers of hosts that are up or frozen. */
cJSON *farm_count(const struct farm *f);
/* [{"id","name","labels","state","components":{id:count},"providers":[id]}] */
cJSON *farm_state(const struct farm *f);

#endif
