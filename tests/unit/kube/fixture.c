#include "unit/kube/fixture.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void fixture_hold(void *arg, struct http_conn *c, const struct http_request *r _unused_)
{
    struct fixture *f = arg;

    f->held = c;
}

void fixture_ok(void *arg _unused_, struct http_conn *c, const struct http_request *r _unused_)
{
    http_answer(c, 200, "Content-Type: application/json\r\n", "{\"ok\":true}");
}

static void on_request(void *arg, struct http_conn *c, const struct http_request *r)
{
    struct fixture *f = arg;

    xstr_replace(&f->seen_method, r->method);
    xstr_replace(&f->seen_target, r->target);
    xstr_replace(&f->seen_head, r->head);
    xstr_replace(&f->seen_body, r->body);
    f->handler(f, c, r);
}

int fixture_setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->loop = loop_new();
    f->server = http_server_new(f->loop, on_request, f);
    f->handler = fixture_ok;
    f->config.server = xstrdup(http_server_url(f->server));
    f->options.user_agent = "test/1";
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    kube_client_free(f->client);
    http_server_free(f->server);
    loop_free(f->loop);
    free(f->config.server);
    free(f->seen_method);
    free(f->seen_target);
    free(f->seen_head);
    free(f->seen_body);
    free(f);
    return 0;
}

struct kube_client *fixture_client(struct fixture *f)
{
    _cleanup_err_ struct err *err = NULL;

    if (kube_client_new(f->loop, &f->config, &f->options, &f->client, &err) < 0)
        fail_msg("%s", err_text(err));
    return f->client;
}

char *fixture_header(const struct fixture *f, const char *name)
{
    struct http_request r = {.head = f->seen_head};

    return http_header(&r, name);
}

void fixture_turn(struct fixture *f)
{
    loop_turn(f->loop, true);
}

void fixture_settle(struct fixture *f)
{
    for (int i = 0; i < 20; i++)
        loop_turn(f->loop, false);
}

static void on_done(void *arg, const struct kube_response *response, const struct err *err)
{
    struct outcome *o = arg;

    o->done++;
    o->req = NULL;
    o->status = response->status;
    assert_int_equal(strlen(response->body), response->len);
    xstr_replace(&o->body, response->body);
    xstr_replace(&o->content_type, response->content_type);
    o->err = err_copy(err);
    if (o->on_done)
        o->on_done(o);
}

static bool on_chunk(void *arg, const char *data, size_t len)
{
    struct outcome *o = arg;

    o->chunks++;
    assert_int_equal(o->opened, 1);
    buf_add(&o->stream, data, len);
    if (o->on_chunk)
        o->on_chunk(o);
    return !o->chunks_wanted || o->chunks < o->chunks_wanted;
}

static void on_opened(void *arg)
{
    struct outcome *o = arg;

    o->opened++;
}

void outcome_start(struct fixture *f, struct outcome *o, struct kube_call call, bool stream)
{
    unsigned before = o->done;

    o->fixture = f;
    call.done = on_done;
    call.arg = o;
    if (stream) {
        call.chunk = on_chunk;
        call.opened = on_opened;
    }
    o->req = kube_do(f->client, &call);
    assert_non_null(o->req);
    assert_int_equal(o->done, before); /* never from within kube_do() */
}

void outcome_release(struct outcome *o)
{
    free(o->body);
    free(o->content_type);
    err_free(o->err);
    buf_release(&o->stream);
    *o = (struct outcome){0};
}

void outcome_get(struct fixture *f, struct outcome *o, struct kube_call call)
{
    outcome_start(f, o, call, false);
    turn_until(f, o->done);
    assert_int_equal(o->done, 1);
}
