/* A client and the server it talks to, on one loop, and ways to wait for what happens. */
#ifndef WASMCTL_TESTS_KUBE_FIXTURE_H
#define WASMCTL_TESTS_KUBE_FIXTURE_H

#include "kube/client.h"
#include "unit/kube/http_server.h"
#include "unit/unit.h"

struct fixture {
    struct loop *loop;
    struct http_server *server;
    struct kube_config config; /* of the client: fields may be set before fixture_client() */
    struct kube_client_options options;
    struct kube_client *client;
    http_handler handler;   /* may be changed by a test at any time */
    struct http_conn *held; /* the last connection fixture_hold() was called for */
    char *seen_method, *seen_target, *seen_head, *seen_body; /* of the last request */
};

/* cmocka's setup and teardown; *state is a struct fixture *. The clock is the loop's fake one if the test
 * calls loop_fake_clock() before fixture_client(). */
int fixture_setup(void **state);
int fixture_teardown(void **state);
struct kube_client *fixture_client(struct fixture *f);
/* A handler that answers nothing. */
void fixture_hold(void *arg, struct http_conn *c, const struct http_request *r);
/* A handler that answers 200 {"ok":true}. */
void fixture_ok(void *arg, struct http_conn *c, const struct http_request *r);
/* Value of a header of the last request, NULL when absent; caller frees. */
char *fixture_header(const struct fixture *f, const char *name);

/* Turns the loop until the condition holds; the test's own time limit ends it otherwise. With the fake clock
 * time stands still. */
#define turn_until(f, condition)                                                                             \
    while (!(condition))                                                                                     \
    fixture_turn(f)
void fixture_turn(struct fixture *f);
/* A few turns in which nothing should happen. */
void fixture_settle(struct fixture *f);

/* Outcome of one request. */
struct outcome {
    struct fixture *fixture;
    unsigned done; /* times */
    int status;
    char *body, *content_type;
    struct err *err;
    struct kube_req *req;
    /* streams */
    unsigned opened, chunks;
    struct buf stream;
    unsigned chunks_wanted; /* the receiver ends the stream after so many; 0 = never */
    void (*on_done)(struct outcome *o);
    void (*on_chunk)(struct outcome *o);
};

/* Starts call with done, chunk (if stream) and arg set. */
void outcome_start(struct fixture *f, struct outcome *o, struct kube_call call, bool stream);
void outcome_release(struct outcome *o);
/* Starts and waits. */
void outcome_get(struct fixture *f, struct outcome *o, struct kube_call call);
#define _cleanup_outcome_ _cleanup_(outcome_release)

#endif
