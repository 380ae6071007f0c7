#include "cli/trouble.h"

#include "base/mem.h"

static bool is_refusal(const struct cmd_ctx *c, const struct err *e)
{
    if (e->code == ERR_UNAUTHORIZED)
        return !c->client || !kube_client_can_renew(c->client);
    return e->http == 403 || e->http == 404 || e->http == 405;
}

static void on_lasting(void *arg)
{
    struct cli_trouble *t = arg;

    *t->over = true;
}

static void tell(void *arg)
{
    struct cli_trouble *t = arg;
    struct cmd_ctx *before = cmd_enter(t->c);
    _cleanup_free_ char *text = kube_err_text(t->err);

    cmd_note("%s interrupted (%s), trying again", t->what, text);
    t->away = true;
    cmd_enter(before);
}

void cli_trouble_init(struct cli_trouble *t, struct cmd_ctx *c, const char *what, bool *over)
{
    *t = (struct cli_trouble){.c = c, .what = what, .over = over};
    t->timer = loop_timer_new(cmd_loop(c), on_lasting, t);
    t->quiet = loop_timer_new(cmd_loop(c), tell, t);
}

void cli_trouble_release(struct cli_trouble *t)
{
    loop_timer_free(t->timer);
    loop_timer_free(t->quiet);
    err_free(t->err);
    *t = (struct cli_trouble){0};
}

void cli_trouble_state(struct cli_trouble *t, const struct err *err)
{
    if (!err) {
        struct cmd_ctx *before = cmd_enter(t->c);
        if (t->away)
            cmd_note("%s goes on", t->what);
        cmd_enter(before);
        t->away = false;
        loop_timer_stop(t->timer);
        loop_timer_stop(t->quiet);
        return;
    }
    err_free(t->err);
    t->err = err_copy(err);
    if (!t->away && !loop_timer_active(t->quiet))
        loop_timer_start(t->quiet, CLI_BREAK_QUIET_MS);
    if (!is_refusal(t->c, err))
        loop_timer_stop(t->timer);
    else if (!loop_timer_active(t->timer))
        loop_timer_start(t->timer, CLI_REFUSED_MOST_MS);
}
