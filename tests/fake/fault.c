#include "fake/fault.h"

#include <poll.h>

#include "base/timefmt.h"

static int setup(void **state, bool fake_clock)
{
    struct fault *t = xcalloc(1, sizeof(*t));

    t->loop = loop_new();
    t->fake_clock = fake_clock;
    if (fake_clock)
        loop_fake_clock(t->loop, 1000000);
    t->server = http_fake_new(t->loop);
    fault_client(t, (struct kube_config){0}, NULL);
    *state = t;
    return 0;
}

int fault_setup(void **state)
{
    return setup(state, false);
}

int fault_setup_fake_clock(void **state)
{
    return setup(state, true);
}

int fault_teardown(void **state)
{
    struct fault *t = *state;
    _cleanup_free_ char *complaints = http_fake_complaints(t->server);

    kube_client_free(t->client);
    http_fake_free(t->server);
    loop_free(t->loop);
    free(t);
    if (!*complaints)
        return 0;
    print_error("%s", complaints);
    return -1;
}

void fault_client(struct fault *t, struct kube_config config, const struct kube_client_options *options)
{
    _cleanup_err_ struct err *err = NULL;

    kube_client_free(t->client);
    t->client = NULL;
    config.server = (char *)(uintptr_t)http_fake_url(t->server);
    if (kube_client_new(t->loop, &config, options, &t->client, &err) < 0)
        fail_msg("%s", err_text(err));
}

static void on_tick(void *arg _unused_)
{
}

void fault_turn(struct fault *t)
{
    enum { STEP_FAKE_MS = 50, TICK_MS = 20 };

    if (t->fake_clock) {
        /* curl looks at the real clock: its shortest timers (1 ms) must have run out when they fire. */
        poll(NULL, 0, 1);
        loop_advance(t->loop, STEP_FAKE_MS);
        fault_settle(t);
        return;
    }
    struct loop_timer *tick = loop_timer_new(t->loop, on_tick, NULL);
    loop_timer_start(tick, TICK_MS);
    loop_turn(t->loop, true);
    loop_timer_free(tick);
}

void fault_settle(struct fault *t)
{
    enum { QUIET_TURNS = 8 };

    for (int i = 0; i < QUIET_TURNS; i++) {
        if (t->fake_clock)
            loop_advance(t->loop, 0);
        else
            loop_turn(t->loop, false);
    }
}

bool fault_patient(int64_t *since)
{
    enum { PATIENCE_MS = 20 * 1000 };
    int64_t now = time_mono_ms();

    if (!*since)
        *since = now;
    return now - *since < PATIENCE_MS;
}

void outcome_release(struct outcome *o)
{
    free(o->body);
    buf_release(&o->stream);
    err_free(o->err);
    *o = (struct outcome){0};
}

void outcome_done(void *arg, const struct kube_response *response, const struct err *err)
{
    struct outcome *o = arg;

    o->done++;
    o->status = response->status;
    free(o->body);
    o->body = xstrdup(response->body);
    err_free(o->err);
    o->err = err_copy(err);
}

bool outcome_chunk(void *arg, const char *data, size_t len)
{
    struct outcome *o = arg;

    o->chunks++;
    buf_add(&o->stream, data, len);
    return true;
}

void outcome_opened(void *arg)
{
    struct outcome *o = arg;

    o->opened++;
}

void fault_call(struct fault *t, struct kube_call call, struct outcome *o)
{
    call.done = outcome_done;
    call.arg = o;
    kube_do(t->client, &call);
    WAIT_FOR(t, o->done);
}

void assert_told(const struct outcome *o, const char *text)
{
    assert_non_null(o->err);
    _cleanup_free_ char *told = kube_err_text(o->err);
    assert_string_equal(told, text);
}
