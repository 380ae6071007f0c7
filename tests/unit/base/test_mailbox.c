#include "unit/unit.h"

#include <pthread.h>

#include "base/mailbox.h"
#include "base/mem.h"

enum { THREADS = 4, EACH = 5000 };

struct letter {
    int thread, number;
};
struct office {
    struct loop *loop;
    struct mailbox *box;
    int next[THREADS];
    int total;
};
struct sender {
    struct mailbox *box;
    int thread;
};

static void *send_all(void *arg)
{
    struct sender *s = arg;

    for (int i = 0; i < EACH; i++) {
        struct letter *l = xmalloc(sizeof(*l));
        *l = (struct letter){s->thread, i};
        assert_true(mailbox_post(s->box, l));
    }
    return NULL;
}

static void receive(void *arg, void *message)
{
    struct office *o = arg;
    struct letter *l = message;

    /* Order is kept for each sender. */
    assert_int_equal(l->number, o->next[l->thread]);
    o->next[l->thread]++;
    free(l);
    if (++o->total == THREADS * EACH)
        loop_stop(o->loop);
}

static void test_many_threads(void **state _unused_)
{
    struct office o = {.loop = loop_new()};
    pthread_t threads[THREADS];
    struct sender senders[THREADS];

    o.box = mailbox_new(o.loop, THREADS * EACH, receive, free, &o);
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){o.box, i};
        pthread_create(&threads[i], NULL, send_all, &senders[i]);
    }
    loop_run(o.loop);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(o.total, THREADS * EACH);
    mailbox_free(o.box);
    loop_free(o.loop);
}

static void never(void *arg _unused_, void *message _unused_)
{
    fail();
}

static void test_limit_and_free(void **state _unused_)
{
    _cleanup_loop_ struct loop *l = loop_new();
    struct mailbox *box = mailbox_new(l, 2, never, free, NULL);
    char *third = xstrdup("3");

    assert_true(mailbox_post(box, xstrdup("1")));
    assert_true(mailbox_post(box, xstrdup("2")));
    assert_false(mailbox_post(box, third));
    free(third);
    assert_int_equal(mailbox_dropped(box), 1);
    assert_int_equal(mailbox_dropped(box), 0);
    mailbox_free(box); /* what waits is dropped, not delivered */
}

static void free_inside(void *arg, void *message)
{
    struct office *o = arg;

    free(message);
    o->total++;
    mailbox_free(o->box);
}

static void test_free_inside(void **state _unused_)
{
    struct office o = {.loop = loop_new()};

    o.box = mailbox_new(o.loop, 10, free_inside, free, &o);
    mailbox_post(o.box, xstrdup("1"));
    mailbox_post(o.box, xstrdup("2"));
    loop_run(o.loop);
    assert_int_equal(o.total, 1);
    loop_free(o.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_many_threads),
                                       cmocka_unit_test(test_limit_and_free),
                                       cmocka_unit_test(test_free_inside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
