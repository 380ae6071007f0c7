#include "unit/unit.h"

#include "base/buf.h"
#include "work/workqueue.h"

struct desk {
    struct loop *loop;
    struct workqueue *queue;
    struct buf log; /* keys in the order they were handled */
    int finish;     /* -1: the test calls wq_done() itself, else the result */
};

static void handle(void *arg, const char *key)
{
    struct desk *d = arg;

    buf_adds(&d->log, key);
    if (d->finish >= 0)
        wq_done(d->queue, key, (enum wq_result)d->finish);
}

static int setup_with(void **state, size_t concurrency)
{
    struct desk *d = calloc(1, sizeof(*d));
    struct wq_options o = {.name = "t",
                           .concurrency = concurrency,
                           .backoff_min_ms = 100,
                           .backoff_max_ms = 1000,
                           .handler = handle,
                           .arg = d};

    d->loop = loop_new();
    loop_fake_clock(d->loop, 1000);
    d->queue = wq_new(d->loop, &o);
    *state = d;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, 0);
}

static int setup_two(void **state)
{
    return setup_with(state, 2);
}

static int teardown(void **state)
{
    struct desk *d = *state;

    wq_free(d->queue);
    loop_free(d->loop);
    buf_release(&d->log);
    free(d);
    return 0;
}

/* Runs what is due and gives the keys handled since the last look. */
static const char *handled(struct desk *d)
{
    static char text[256];

    for (int i = 0; i < 5; i++)
        loop_turn(d->loop, false);
    snprintf(text, sizeof(text), "%s", buf_str(&d->log));
    buf_truncate(&d->log, 0);
    return text;
}

static void test_order_and_dedupe(void **state)
{
    struct desk *d = *state;

    wq_add(d->queue, "b");
    wq_add(d->queue, "a");
    wq_add(d->queue, "b");
    assert_int_equal(wq_depth(d->queue), 2);
    assert_string_equal(handled(d), "ba");
    assert_string_equal(handled(d), "");
    assert_int_equal(wq_total(d->queue, WQ_OK), 2);
}

static void test_added_while_active(void **state)
{
    struct desk *d = *state;

    d->finish = -1;
    wq_add(d->queue, "a");
    assert_string_equal(handled(d), "a");
    wq_add(d->queue, "a");
    wq_add(d->queue, "a");
    assert_string_equal(handled(d), "");
    assert_int_equal(wq_active(d->queue), 1);
    wq_done(d->queue, "a", WQ_OK);
    assert_string_equal(handled(d), "a");
    wq_done(d->queue, "a", WQ_OK);
    assert_string_equal(handled(d), "");
    wq_done(d->queue, "a", WQ_OK); /* of a key that is not active: nothing */
    assert_int_equal(wq_active(d->queue), 0);
}

static void test_backoff(void **state)
{
    struct desk *d = *state;
    int64_t expected = 100;

    d->finish = WQ_RETRY;
    wq_add(d->queue, "a");
    assert_string_equal(handled(d), "a");
    for (int i = 0; i < 6; i++) {
        loop_advance(d->loop, expected * 9 / 10 - 1);
        assert_string_equal(handled(d), "");
        loop_advance(d->loop, expected / 5 + 2);
        assert_string_equal(handled(d), "a");
        expected = expected * 2 > 1000 ? 1000 : expected * 2;
    }
    assert_int_equal(wq_failures(d->queue, "a"), 7);
    d->finish = WQ_OK;
    wq_add(d->queue, "a");
    assert_string_equal(handled(d), "a");
    assert_int_equal(wq_failures(d->queue, "a"), 0);
    loop_advance(d->loop, 10000);
    assert_string_equal(handled(d), "");
}

static void test_delays(void **state)
{
    struct desk *d = *state;

    wq_add_after(d->queue, "a", 500);
    wq_add_after(d->queue, "a", 100);
    wq_add_after(d->queue, "a", 900);
    loop_advance(d->loop, 99);
    assert_string_equal(handled(d), "");
    loop_advance(d->loop, 1);
    assert_string_equal(handled(d), "a");
    loop_advance(d->loop, 5000);
    assert_string_equal(handled(d), "");
    wq_add_after(d->queue, "a", 100);
    wq_add(d->queue, "a");
    assert_string_equal(handled(d), "a");
    loop_advance(d->loop, 5000);
    assert_string_equal(handled(d), "");
    d->finish = -1;
    wq_add(d->queue, "a");
    assert_string_equal(handled(d), "a");
    wq_done_after(d->queue, "a", 50);
    loop_advance(d->loop, 49);
    assert_string_equal(handled(d), "");
    loop_advance(d->loop, 1);
    assert_string_equal(handled(d), "a");
    wq_done(d->queue, "a", WQ_OK);
}

static void test_concurrency(void **state)
{
    struct desk *d = *state;

    d->finish = -1;
    wq_add(d->queue, "a");
    wq_add(d->queue, "b");
    wq_add(d->queue, "c");
    assert_string_equal(handled(d), "ab");
    wq_done(d->queue, "b", WQ_OK);
    assert_string_equal(handled(d), "c");
    wq_done(d->queue, "a", WQ_OK);
    wq_done(d->queue, "c", WQ_OK);
}

static void test_pause_and_forget(void **state)
{
    struct desk *d = *state;

    wq_pause(d->queue, true);
    wq_add(d->queue, "a");
    wq_add(d->queue, "b");
    wq_add(d->queue, "c");
    assert_string_equal(handled(d), "");
    wq_forget(d->queue, "b");
    wq_forget(d->queue, "none");
    wq_pause(d->queue, false);
    assert_string_equal(handled(d), "ac");
    wq_add_after(d->queue, "x", 10);
    wq_forget(d->queue, "x");
    loop_advance(d->loop, 100);
    assert_string_equal(handled(d), "");
    d->finish = -1;
    wq_add(d->queue, "y");
    assert_string_equal(handled(d), "y");
    wq_add(d->queue, "y");
    wq_forget(d->queue, "y");
    wq_done(d->queue, "y", WQ_RETRY);
    loop_advance(d->loop, 5000);
    assert_string_equal(handled(d), "");
}

static void test_many_and_free_in_flight(void **state)
{
    struct desk *d = *state;
    char key[32];

    for (int i = 0; i < 100000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        wq_add(d->queue, key);
    }
    while (wq_depth(d->queue))
        loop_turn(d->loop, false);
    assert_int_equal(wq_total(d->queue, WQ_OK), 100000);
    d->finish = -1;
    wq_add(d->queue, "active");
    handled(d);
    wq_add_after(d->queue, "delayed", 100);
    wq_add(d->queue, "waiting");
}

static void test_forget_while_active(void **state)
{
    struct desk *d = *state;

    d->finish = -1;
    wq_add(d->queue, "a");
    assert_string_equal(handled(d), "a");
    wq_forget(d->queue, "a");
    wq_done_after(d->queue, "a", 10);
    loop_advance(d->loop, 100);
    assert_string_equal(handled(d), "");
    /* Adding it again takes the forgetting back. */
    wq_add(d->queue, "a");
    assert_string_equal(handled(d), "a");
    wq_forget(d->queue, "a");
    wq_add(d->queue, "a");
    wq_done(d->queue, "a", WQ_OK);
    assert_string_equal(handled(d), "a");
    wq_done(d->queue, "a", WQ_RETRY);
    assert_int_equal(wq_failures(d->queue, "a"), 1);
    wq_forget(d->queue, "a");
    assert_int_equal(wq_failures(d->queue, "a"), 0);
    loop_advance(d->loop, 100000);
    assert_string_equal(handled(d), "");
    assert_int_equal(wq_active(d->queue), 0);
}

/* Work that adds itself again at once leaves room for everything else on the loop. */
static void add_itself(void *arg, const char *key)
{
    struct desk *d = arg;

    buf_adds(&d->log, key);
    wq_done(d->queue, key, WQ_OK);
    wq_add(d->queue, key);
}

static void test_turns_are_short(void **state)
{
    struct desk *d = *state;
    struct wq_options o = {.name = "busy", .handler = add_itself, .arg = d};

    wq_free(d->queue);
    d->queue = wq_new(d->loop, &o);
    wq_add(d->queue, "a");
    wq_add(d->queue, "b");
    loop_turn(d->loop, false);
    assert_string_equal(buf_str(&d->log), "ab");
    loop_turn(d->loop, false);
    assert_string_equal(buf_str(&d->log), "abab");
}

static void free_queue(void *arg, const char *key)
{
    struct desk *d = arg;

    buf_adds(&d->log, key);
    wq_free(d->queue);
    d->queue = NULL;
}

static void test_free_in_handler(void **state)
{
    struct desk *d = *state;
    struct wq_options o = {.name = "short", .handler = free_queue, .arg = d};

    wq_free(d->queue);
    d->queue = wq_new(d->loop, &o);
    wq_add(d->queue, "a");
    wq_add(d->queue, "b");
    assert_string_equal(handled(d), "a");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void observed(void *arg, const char *name, int64_t waited_ns, int64_t took_ns)
{
    struct buf *log = arg;

    assert_true(waited_ns >= 0 && took_ns >= 0);
    buf_addf(log, "%s ", name);
}

static void test_observed(void **state _unused_)
{
    struct desk d = {.loop = loop_new(), .finish = -1};
    _cleanup_buf_ struct buf seen = BUF_INIT;
    struct wq_options o = {
        .name = "watched", .handler = handle, .observe = observed, .observe_arg = &seen, .arg = &d};

    d.queue = wq_new(d.loop, &o);
    wq_add(d.queue, "a");
    wq_add(d.queue, "b");
    while (strlen(buf_str(&d.log)) < 2)
        loop_turn(d.loop, false);
    assert_string_equal(buf_str(&seen), "");
    wq_done(d.queue, "a", WQ_OK);
    assert_string_equal(buf_str(&seen), "watched ");
    wq_done(d.queue, "b", WQ_RETRY);
    assert_string_equal(buf_str(&seen), "watched watched ");
    wq_done(d.queue, "b", WQ_OK);
    assert_string_equal(buf_str(&seen), "watched watched ");
    wq_free(d.queue);
    buf_release(&d.log);
    loop_free(d.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order_and_dedupe),
        TEST(test_added_while_active),
        TEST(test_backoff),
        TEST(test_delays),
        cmocka_unit_test_setup_teardown(test_concurrency, setup_two, teardown),
        TEST(test_pause_and_forget),
        TEST(test_many_and_free_in_flight),
        TEST(test_forget_while_active),
        TEST(test_turns_are_short),
        TEST(test_free_in_handler),
        cmocka_unit_test(test_observed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
