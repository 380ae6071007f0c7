/* What the fault tests share: a loop, a scripted server, a client, and waiting for a condition. */
#ifndef WASMCTL_TESTS_FAKE_FAULT_H
#define WASMCTL_TESTS_FAKE_FAULT_H

#include "unit/unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "fake/http_fake.h"
#include "kube/client.h"

struct fault {
    struct loop *loop;
    struct http_fake *server;
    struct kube_client *client;
    bool fake_clock; /* time passes only in fault_turn(): 50 ms a turn */
};

/* cmocka set-up and tear-down: *state is a struct fault. The tear-down fails the test when the server has
 * complaints. */
int fault_setup(void **state);
int fault_setup_fake_clock(void **state);
int fault_teardown(void **state);
/* Replaces the client by one with these settings; config.server is filled in. NULL options: defaults. */
void fault_client(struct fault *t, struct kube_config config, const struct kube_client_options *options);

/* One turn of the loop, at most some milliseconds long. */
void fault_turn(struct fault *t);
/* Turns until nothing happens any more that does not wait for time. */
void fault_settle(struct fault *t);
/* False after 20 s since *since (0 = from now) without success. */
bool fault_patient(int64_t *since);

#define WAIT_FOR(t, condition)                                                                               \
    do {                                                                                                     \
        int64_t since_ = 0;                                                                                  \
        while (!(condition)) {                                                                               \
            if (!fault_patient(&since_))                                                                     \
                fail_msg("waited in vain for: %s", #condition);                                              \
            fault_turn(t);                                                                                   \
        }                                                                                                    \
    } while (0)

/* What a request brought. */
struct outcome {
    unsigned done, opened, chunks;
    int status;
    char *body;
    struct buf stream;
    struct err *err;
};
void outcome_release(struct outcome *o);
#define _cleanup_outcome_ _cleanup_(outcome_release)
void outcome_done(void *arg, const struct kube_response *response, const struct err *err);
bool outcome_chunk(void *arg, const char *data, size_t len);
void outcome_opened(void *arg);
/* Sends it with done and arg set, and waits for the outcome. */
void fault_call(struct fault *t, struct kube_call call, struct outcome *o);
/* kube_err_text() of its error equals text; caller need not free. */
void assert_told(const struct outcome *o, const char *text);

#endif
