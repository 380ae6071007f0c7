/* A real nats-server for a test: own port, own store, ended by pid. */
#ifndef WASMCTL_TESTS_NATS_PROC_H
#define WASMCTL_TESTS_NATS_PROC_H

#include <stdbool.h>
#include <sys/types.h>

struct loop;

struct nats_proc {
    pid_t pid; /* 0 = not running */
    int port;
    char url[64];
    char dir[64]; /* scratch folder, removed by nats_proc_release() */
    char config[128];
};

enum { NATS_PROC_SKIP = 77 };

/* Path of the server: $WASMCTL_NATS_SERVER, the cache, then PATH. Ends the test as skipped when there is
 * none. */
const char *nats_proc_binary(void);
/* Free port, empty folder. config: further lines of its configuration, may be NULL. */
void nats_proc_init(struct nats_proc *p, const char *config);
void nats_proc_start(struct nats_proc *p);
void nats_proc_signal(struct nats_proc *p, int sig);
/* Ends it and waits for its end. */
void nats_proc_stop(struct nats_proc *p);
void nats_proc_release(struct nats_proc *p);
int nats_proc_free_port(void);

/* Turns the loop until *flag, for at most 20 s of real time. Returns *flag. */
bool nats_proc_until(struct loop *l, const bool *flag);
/* The same for a function. */
bool nats_proc_until_fn(struct loop *l, bool (*done)(void *arg), void *arg);

#endif
