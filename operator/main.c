#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/client.h"
#include "operator/metrics.h"
#include "operator/op.h"
#include "serve/serve.h"

static void stop_loop(void *arg)
{
    loop_stop(arg);
}

static void on_signal(void *arg, int signum)
{
    struct op *op = arg;
    static bool stopping;

    log_info("stopping", "signal", strsignal(signum), NULL);
    if (stopping) {
        loop_stop(op->loop); /* asked twice: at once */
        return;
    }
    stopping = true;
    op_shut_down(op, stop_loop, op->loop);
}

static int load_config(const struct op_options *o, struct kube_config **ret, struct err **err)
{
    struct kubeconfig *files = NULL;
    struct kube_overrides overrides = {.context = o->context};
    int r = kubeconfig_load(o->kubeconfig, &files, err);

    if (r < 0)
        return r;
    r = kubeconfig_resolve(files, &overrides, ret, err);
    kubeconfig_free(files);
    return r;
}

static int serve_health(void *arg _unused_, struct buf *body, const char **content_type _unused_)
{
    buf_adds(body, "ok\n");
    return 200;
}

static int serve_ready(void *arg, struct buf *body, const char **content_type _unused_)
{
    _cleanup_free_ char *why = op_not_ready_reason(arg);

    buf_addf(body, "%s\n", why ? why : "ok");
    return why ? 503 : 200;
}

static int start_server(struct loop *l, const char *address, struct serve **ret, struct err **err)
{
    if (!*address)
        return 0;
    int r = serve_new(l, address, ret, err);
    return r < 0 ? err_wrap(err, "serve on %s", address) : 0;
}

static int run(const struct op_options *o, struct err **err)
{
    _cleanup_(kube_config_freep) struct kube_config *config = NULL;
    struct loop *l = loop_new();
    struct kube_client *client = NULL;
    struct op *op = NULL;
    struct serve *health = NULL, *metrics = NULL;
    struct op_metrics *counters = op_metrics_new();
    struct kube_client_options client_options = {.user_agent = "wasm-operator/" WASMCTL_VERSION,
                                                 .observe = op_metrics_request,
                                                 .observe_arg = counters};

    int r = load_config(o, &config, err);
    if (r == 0)
        r = kube_client_new(l, config, &client_options, &client, err);
    if (r == 0)
        r = start_server(l, o->health_address, &health, err);
    if (r == 0)
        r = start_server(l, o->metrics_address, &metrics, err);
    if (r == 0)
        r = op_new(l, client, o, counters, &op, err);
    if (r == 0) {
        struct loop_signal *term = loop_signal_new(l, SIGTERM, on_signal, op);
        struct loop_signal *interrupt = loop_signal_new(l, SIGINT, on_signal, op);
        if (health) {
            serve_route(health, "/healthz", serve_health, NULL);
            serve_route(health, "/readyz", serve_ready, op);
        }
        if (metrics)
            serve_route(metrics, "/metrics", op_metrics_serve, op);
        log_info("started", "version", WASMCTL_VERSION, "server", config->server, NULL);
        loop_run(l);
        if (op->lost_lease)
            r = err_set(err, ERR_CONFLICT, "the lease was lost; another operator leads");
        loop_signal_free(term);
        loop_signal_free(interrupt);
    }
    serve_free(health);
    serve_free(metrics);
    op_free(op);
    kube_client_free(client);
    op_metrics_free(counters);
    loop_free(l);
    return r;
}

int main(int argc, char **argv)
{
    struct op_options o = {0};
    _cleanup_err_ struct err *err = NULL;

    signal(SIGPIPE, SIG_IGN);
    if (op_options_parse(argc, argv, &o, &err) < 0) {
        fprintf(stderr, "error: %s\n", err_text(err));
        return 2;
    }
    if (o.help) {
        _cleanup_free_ char *help = op_options_help();
        fputs(help, stdout);
        return 0;
    }
    if (o.version) {
        puts("wasm-operator " WASMCTL_VERSION);
        return 0;
    }
    log_setup((enum log_level)log_level_parse(o.log_level),
              streq(o.log_format, "json") ? LOG_JSON : LOG_TEXT);
    if (run(&o, &err) < 0) {
        fprintf(stderr, "error: %s\n", err_text(err));
        return 1;
    }
    return 0;
}
