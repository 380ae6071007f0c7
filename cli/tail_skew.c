#include "cli/tail_skew.h"

#include <stdlib.h>

#include "base/mem.h"

/* At moments that are spread over the second, so that the whole seconds of the answers tell its parts. */
enum { QUESTIONS = 12, BETWEEN_MS = 137, TRIES_MOST = 60, SAME_MS = 50 };

struct tail_skew {
    struct kube_client *client;
    void (*told)(void *arg, const char *text);
    void *arg;
    struct kube_req *request;
    struct loop_timer *next;
    int answers, tries;
};

static void tell(struct tail_skew *s)
{
    int64_t least, most;

    if (!kube_client_skew(s->client, &least, &most)) {
        s->told(s->arg, "the clock of the server cannot be told: its answers bear no date");
        return;
    }
    double middle = (double)(least + most) / 2e9, doubt = (double)(most - least) / 2e9;
    bool same = middle < doubt + SAME_MS / 1e3 && -middle < doubt + SAME_MS / 1e3;
    _cleanup_free_ char *text =
        same ? xasprintf("the clock of the server is that of this machine (within %.2f s)",
                         doubt + (middle < 0 ? -middle : middle))
             : xasprintf("the clock of the server is %.2f s %s (give or take %.2f s)",
                         middle < 0 ? -middle : middle, middle < 0 ? "behind" : "ahead", doubt);
    s->told(s->arg, text);
}

static void on_answer(void *arg, const struct kube_response *response, const struct err *err _unused_)
{
    struct tail_skew *s = arg;

    s->request = NULL;
    s->answers += response->status != 0;
    s->tries++;
    if (s->answers >= QUESTIONS)
        tell(s);
    else if (s->tries < TRIES_MOST)
        loop_timer_start(s->next, response->status ? BETWEEN_MS : BETWEEN_MS * 10);
    else
        s->told(s->arg, "the clock of the server cannot be told: it does not answer");
}

static void ask(void *arg)
{
    struct tail_skew *s = arg;
    struct kube_call call = {.method = "GET", .path = "/version", .done = on_answer, .arg = s};

    s->request = kube_do(s->client, &call);
}

struct tail_skew *tail_skew_new(struct kube_client *client, void (*told)(void *arg, const char *text),
                                void *arg)
{
    struct tail_skew *s = xcalloc(1, sizeof(*s));

    *s = (struct tail_skew){.client = client, .told = told, .arg = arg};
    s->next = loop_timer_new(kube_client_loop(client), ask, s);
    ask(s);
    return s;
}

void tail_skew_free(struct tail_skew *s)
{
    if (!s)
        return;
    kube_req_cancel(s->request);
    loop_timer_free(s->next);
    free(s);
}
