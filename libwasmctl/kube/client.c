#include "kube/client_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/fiber.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/proxy.h"

/* curl on the loop */

/* Pieces of streams are left to gather where there are MANY and they are SMALL. */
enum { MANY = 16, SMALL = 32 * 1024, GATHER_MS = 10 };

static void take_finished(struct kube_link *k)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(k->multi, &left))) {
        struct kube_req *r = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode result = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &r);
        kube_req_complete(r, result);
    }
}

struct watched {
    struct kube_link *link;
    struct loop_io *io;
    curl_socket_t fd;
    int wanted;               /* LOOP_*, by curl */
    struct loop_timer *later; /* NULL until it is needed */
    int64_t read_ms;          /* when it was read last */
};

static void act(struct watched *w, int what)
{
    struct kube_link *k = w->link; /* w may be gone after the call */
    int running;

    w->read_ms = loop_now_ms(k->client->loop);
    k->brought = 0;
    curl_multi_socket_action(k->multi, w->fd, what, &running);
    take_finished(k);
}

/* With each piece that arrives curl looks at every stream of the connection. When there are many and the
 * pieces are small, some are left to gather. Not when much comes: history is read as fast as it can be. */
static bool is_early(const struct watched *w)
{
    const struct kube_link *k = w->link;

    return k->users >= MANY && !k->openers && k->brought < SMALL &&
           loop_now_ms(k->client->loop) - w->read_ms < GATHER_MS;
}

static void on_later(void *arg)
{
    struct watched *w = arg;

    loop_io_set(w->io, w->wanted);
    act(w, CURL_CSELECT_IN);
}

static void on_io(void *arg, int events, bool error)
{
    struct watched *w = arg;
    int what = (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0) |
               (error ? CURL_CSELECT_ERR : 0);

    if (what != CURL_CSELECT_IN || !is_early(w)) {
        act(w, what);
        return;
    }
    if (!w->later)
        w->later = loop_timer_new(w->link->client->loop, on_later, w);
    loop_io_set(w->io, w->wanted & ~LOOP_READ);
    loop_timer_start(w->later, GATHER_MS);
}

static int on_socket_change(CURL *easy _unused_, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct kube_link *k = arg;
    struct watched *w = socket_arg;

    if (what == CURL_POLL_REMOVE) {
        if (w) {
            loop_io_free(w->io);
            loop_timer_free(w->later);
            free(w);
            curl_multi_assign(k->multi, fd, NULL);
        }
        return 0;
    }
    if (!w) {
        w = xcalloc(1, sizeof(*w));
        *w = (struct watched){.link = k, .fd = fd};
        w->io = loop_io_new(k->client->loop, fd, on_io, w);
        curl_multi_assign(k->multi, fd, w);
    }
    w->wanted = (what & CURL_POLL_IN ? LOOP_READ : 0) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0);
    loop_io_set(w->io, w->wanted);
    return 0;
}

static int on_timer_change(CURLM *multi _unused_, long ms, void *arg)
{
    struct kube_link *k = arg;

    if (ms < 0)
        loop_timer_stop(k->timer);
    else
        loop_timer_start(k->timer, ms);
    return 0;
}

static void on_timer(void *arg)
{
    struct kube_link *k = arg;
    int running;

    curl_multi_socket_action(k->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_finished(k);
}

static struct kube_link *link_new(struct kube_client *c)
{
    struct kube_link *k = xcalloc(1, sizeof(*k));

    k->client = c;
    k->heard_ms = loop_now_ms(c->loop);
    k->timer = loop_timer_new(c->loop, on_timer, k);
    k->multi = curl_multi_init();
    if (!k->multi)
        abort();
    curl_multi_setopt(k->multi, CURLMOPT_SOCKETFUNCTION, on_socket_change);
    curl_multi_setopt(k->multi, CURLMOPT_SOCKETDATA, k);
    curl_multi_setopt(k->multi, CURLMOPT_TIMERFUNCTION, on_timer_change);
    curl_multi_setopt(k->multi, CURLMOPT_TIMERDATA, k);
    curl_multi_setopt(k->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)KUBE_MAX_STREAMS);
    /* Where a server speaks HTTP/1.1 only, each request needs a connection of its own. */
    curl_multi_setopt(k->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)KUBE_MAX_CONNECTIONS);
    return k;
}

static void link_free(struct kube_link *k)
{
    curl_multi_cleanup(k->multi);
    loop_timer_free(k->timer);
    kube_link_release(k);
    free(k);
}

static void drop_old_links(struct kube_client *c)
{
    for (struct kube_link **p = &c->old_links; *p;) {
        struct kube_link *k = *p;
        if (k->users) {
            p = &k->next;
        } else {
            *p = k->next;
            link_free(k);
        }
    }
}

/* Nothing came over these connections for so long, although something was asked. */
static void doubt_link(struct kube_client *c, struct kube_link *k, int64_t waited_ms)
{
    enum { LEAST_MS = 5000 };

    if (k != c->link || waited_ms < LEAST_MS || loop_now_ms(c->loop) - k->heard_ms < waited_ms)
        return;
    kube_client_trace(c, 6, "no sign of life from %s for %lld ms: the next request opens a new connection",
                      c->host_port, (long long)waited_ms);
    k->next = c->old_links;
    c->old_links = k;
    c->link = link_new(c);
}

/* Delivery */

static void unlink_req(struct kube_req *r)
{
    struct kube_client *c = r->client;

    if (r->prev)
        r->prev->next = r->next;
    else
        c->requests = r->next;
    if (r->next)
        r->next->prev = r->prev;
}

void kube_client_begin_time(struct kube_req *r)
{
    r->started_ms = loop_now_ms(r->client->loop);
    if (r->deadline)
        loop_timer_start(r->deadline, r->timeout_ms);
}

static void deliver(void *arg)
{
    struct kube_client *c = arg;

    c->deliver_defer = NULL;
    c->delivering = true;
    /* What becomes ready meanwhile waits for the next turn, so that no stream starves the loop. */
    struct kube_req *list = c->ready;
    c->ready = NULL;
    c->ready_tail = &c->ready;
    while (list) {
        struct kube_req *r = list;
        list = r->ready_next;
        r->ready_next = NULL;
        r->is_ready = false;
        if (!r->cancelled)
            kube_req_deliver(r);
        if (r->cancelled) {
            unlink_req(r);
            kube_req_free(r);
        }
    }
    c->delivering = false;
    if (c->freed) {
        kube_client_free(c);
        return;
    }
    drop_old_links(c);
    kube_client_start_queued(c);
}

void kube_client_wake(struct kube_client *c)
{
    if (!c->deliver_defer)
        c->deliver_defer = loop_defer(c->loop, deliver, c);
}

void kube_client_mark_ready(struct kube_req *r)
{
    struct kube_client *c = r->client;

    if (r->is_ready)
        return;
    r->is_ready = true;
    *c->ready_tail = r;
    c->ready_tail = &r->ready_next;
    kube_client_wake(c);
}

void kube_client_trace(struct kube_client *c, int level, const char *fmt, ...)
{
    va_list ap;

    if (c->options.verbosity < level || !c->options.trace)
        return;
    va_start(ap, fmt);
    _cleanup_free_ char *line = xvasprintf(fmt, ap);
    va_end(ap);
    c->options.trace(c->options.trace_arg, line);
}

/* Life */

/* Host and port of "https://host:port/prefix"; port by scheme when absent. */
static char *host_port_of(const char *server)
{
    const char *from = strstr(server, "://") + 3, *to = from + strcspn(from, "/?#");
    const char *at = memchr(from, '@', (size_t)(to - from));

    if (at)
        from = at + 1; /* a password has no place in messages */
    const char *colon = memchr(from, ':', (size_t)(to - from)),
               *bracket = memchr(from, ']', (size_t)(to - from));

    while (bracket && colon && colon < bracket)
        colon = memchr(colon + 1, ':', (size_t)(to - colon - 1));
    if (colon && colon + 1 < to)
        return xstrndup(from, (size_t)(to - from));
    if (colon)
        to = colon;
    return xasprintf("%.*s:%s", (int)(to - from), from, str_starts(server, "https") ? "443" : "80");
}

/* The certificate is checked against another name: the URL carries that name, and curl connects to the real
 * address. */
static void set_base(struct kube_client *c)
{
    const struct kube_config *config = c->config;

    if (!config->tls_server_name || !str_starts(config->server, "https://")) {
        c->base = xstrdup(config->server);
        return;
    }
    const char *port = strrchr(c->host_port, ':') + 1;
    const char *prefix = config->server + strlen("https://");
    prefix += strcspn(prefix, "/");
    c->base = xasprintf("https://%s:%s%s", config->tls_server_name, port, prefix);
    _cleanup_free_ char *to = xasprintf("%s:%s:%s", config->tls_server_name, port, c->host_port);
    c->connect_to = curl_slist_append(NULL, to);
}

static int set_proxy(struct kube_client *c, struct err **err)
{
    const struct kube_config *config = c->config;
    const char *own = str_empty(config->proxy_url) ? NULL : config->proxy_url;
    int r = 0;

    if (own)
        r = kube_proxy_check(own, err);
    if (r < 0)
        return err_wrap(err, "cluster \"%s\": proxy-url", config->cluster_name ? config->cluster_name : "");
    c->proxy =
        own ? kube_proxy_normal(own)
            : kube_proxy_of_environment(str_starts(config->server, "https://"), c->host_port, &c->proxy_from);
    c->proxy_shown = kube_url_shown(own ? own : c->proxy);
    return 0;
}

static struct kube_config *copy_config(const struct kube_config *from)
{
    struct kube_config *c = xcalloc(1, sizeof(*c));

    *c = (struct kube_config){
        .context = xstrdup_null(from->context),
        .namespace = xstrdup_null(from->namespace),
        .cluster_name = xstrdup_null(from->cluster_name),
        .user_name = xstrdup_null(from->user_name),
        .server = xstrdup(from->server),
        .ca_pem = xstrdup_null(from->ca_pem),
        .client_cert_pem = xstrdup_null(from->client_cert_pem),
        .client_key_pem = xstrdup_null(from->client_key_pem),
        .token = xstrdup_null(from->token),
        .token_file = xstrdup_null(from->token_file),
        .username = xstrdup_null(from->username),
        .password = xstrdup_null(from->password),
        .tls_server_name = xstrdup_null(from->tls_server_name),
        .proxy_url = xstrdup_null(from->proxy_url),
        .insecure = from->insecure,
        .disable_compression = from->disable_compression,
        .exec = from->exec ? cJSON_Duplicate(from->exec, true) : NULL,
        .exec_dir = xstrdup_null(from->exec_dir),
        .as = xstrdup_null(from->as),
        .as_uid = xstrdup_null(from->as_uid),
        .exec_cluster_config =
            from->exec_cluster_config ? cJSON_Duplicate(from->exec_cluster_config, true) : NULL,
        .as_groups = strv_copy(from->as_groups),
        .as_extra = from->as_extra ? cJSON_Duplicate(from->as_extra, true) : NULL,
    };
    return c;
}

static int check_pem(const char *pem, const char *label, const char *what, const char *of, struct err **err)
{
    const char *begin = pem ? strstr(pem, "-----BEGIN ") : NULL;

    if (!pem)
        return 0;
    if (!begin)
        return err_set(err, ERR_INVALID, "%s of %s is not in PEM form (-----BEGIN ...)", what, of);
    const char *end_of_line = strchrnul(begin, '\n');
    _cleanup_free_ char *line = xstrndup(begin, (size_t)(end_of_line - begin));
    /* A key may come after parameters, a certificate after its text: only what is not there at all is wrong.
     */
    if (!strstr(pem, label))
        return err_set(err, ERR_INVALID, "%s of %s holds \"%s\" but no %s", what, of, line, label);
    return 0;
}

/* What curl would refuse much later and in darker words. */
static int check_config(const struct kube_config *c, struct err **err)
{
    if (str_empty(c->server) || (!str_starts(c->server, "https://") && !str_starts(c->server, "http://")))
        return err_set(err, ERR_INVALID, "server \"%s\" is neither an http:// nor an https:// address",
                       c->server ? c->server : "");
    const char *host = strstr(c->server, "://") + 3;
    if (!strcspn(host, "/:?#@"))
        return err_set(err, ERR_INVALID, "server \"%s\" names no host", c->server);
    _cleanup_free_ char *cluster = xasprintf("cluster \"%s\"", c->cluster_name ? c->cluster_name : "");
    _cleanup_free_ char *user = xasprintf("user \"%s\"", c->user_name ? c->user_name : "");
    int r = check_pem(c->ca_pem, "CERTIFICATE-----", "certificate-authority", cluster, err);
    if (r == 0)
        r = check_pem(c->client_cert_pem, "CERTIFICATE-----", "client-certificate", user, err);
    if (r == 0)
        r = check_pem(c->client_key_pem, "PRIVATE KEY-----", "client-key", user, err);
    if (r < 0)
        return r;
    if (c->client_cert_pem && !c->client_key_pem)
        return err_set(err, ERR_INVALID, "%s has a client-certificate but no client-key", user);
    if (!c->as && (c->as_uid || strv_len(c->as_groups) || cJSON_GetArraySize(c->as_extra)))
        return err_set(err, ERR_INVALID,
                       "%s: a uid, groups or extra cannot be impersonated without a user: give --as", user);
    return 0;
}

int kube_client_new(struct loop *l, const struct kube_config *config,
                    const struct kube_client_options *options, struct kube_client **ret, struct err **err)
{
    static const struct kube_client_options defaults = {0};
    static bool curl_ready;

    int r = check_config(config, err);
    if (r < 0)
        return r;
    if (!curl_ready && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(err, ERR_FAILED, "libcurl cannot be initialised");
    curl_ready = true;

    struct kube_client *c = xcalloc(1, sizeof(*c));
    c->loop = l;
    c->config = copy_config(config);
    c->options = options ? *options : defaults;
    if (!c->options.timeout_ms)
        c->options.timeout_ms = KUBE_DEFAULT_TIMEOUT_MS;
    if (!c->options.connect_timeout_ms)
        c->options.connect_timeout_ms = 10 * 1000;
    if (!c->options.max_body)
        c->options.max_body = KUBE_MAX_BODY;
    c->user_agent = xstrdup(c->options.user_agent ? c->options.user_agent : "wasmctl/" WASMCTL_VERSION);
    c->options.user_agent = c->user_agent;
    c->cache_dir = xstrdup_null(c->options.cache_dir);
    c->options.cache_dir = c->cache_dir;
    c->ready_tail = &c->ready;
    c->host_port = host_port_of(c->config->server);
    c->shown = kube_url_shown(c->config->server);
    r = set_proxy(c, err);
    if (r < 0) {
        kube_client_free(c);
        return r;
    }
    c->warned = map_new(NULL);
    set_base(c);
    c->link = link_new(c);
    r = kube_auth_init(c, err);
    if (r < 0) {
        kube_client_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

void kube_client_free(struct kube_client *c)
{
    if (!c)
        return;
    if (c->delivering) {
        /* From within a callback of ours: the delivery ends first. */
        c->freed = true;
        for (struct kube_req *r = c->requests; r; r = r->next)
            r->cancelled = true;
        return;
    }
    loop_defer_cancel(c->deliver_defer);
    while (c->requests) {
        struct kube_req *r = c->requests;
        unlink_req(r);
        kube_req_free(r);
    }
    kube_auth_release(c);
    drop_old_links(c);
    if (c->link)
        link_free(c->link);
    curl_slist_free_all(c->connect_to);
    map_free(c->discovered);
    map_free(c->warned);
    kube_config_free(c->config);
    free(c->user_agent);
    free(c->cache_dir);
    free(c->base);
    free(c->host_port);
    free(c->shown);
    free(c->proxy);
    free(c->proxy_shown);
    free(c->tls_story);
    free(c);
}

const struct kube_config *kube_client_config(const struct kube_client *c)
{
    return c->config;
}

struct loop *kube_client_loop(const struct kube_client *c)
{
    return c->loop;
}

uint64_t kube_client_requests(const struct kube_client *c)
{
    return c->sent;
}

bool kube_client_skew(const struct kube_client *c, int64_t *ret_least_ns, int64_t *ret_most_ns)
{
    if (!c->dated)
        return false;
    *ret_least_ns = c->skew_least_ns;
    *ret_most_ns = c->skew_most_ns;
    return true;
}

void kube_client_dated(struct kube_client *c, int64_t date_s, int64_t sent_ns)
{
    /* The date was written, its fraction cut off, at some moment between the two. */
    int64_t least = date_s * 1000000000 - time_now_ns(), most = (date_s + 1) * 1000000000 - sent_ns;
    bool apart = c->dated && (least > c->skew_most_ns || most < c->skew_least_ns);

    /* What does not fit on: one of the clocks was set. */
    if (!c->dated || apart || least > c->skew_least_ns)
        c->skew_least_ns = least;
    if (!c->dated || apart || most < c->skew_most_ns)
        c->skew_most_ns = most;
    c->dated = true;
}

/* Requests */

static void expire(struct kube_req *r, int64_t waited_ms, char *text)
{
    struct err *e = NULL;

    if (r->state != REQ_FINISHED) {
        if (r->state == REQ_WAITING)
            loop_timer_stop(r->retry);
        if (r->state == REQ_RUNNING)
            doubt_link(r->client, r->link, waited_ms);
        err_set(&e, ERR_TIMEOUT, "%s", text);
        kube_req_stop(r);
        err_free(r->failure);
        r->failure = e;
        r->state = REQ_FINISHED;
        kube_client_mark_ready(r);
    }
    free(text);
}

static void on_deadline(void *arg)
{
    struct kube_req *r = arg;
    int64_t attempt_ms = loop_now_ms(r->client->loop) - r->sent_ms;

    expire(
        r, attempt_ms,
        xasprintf("Unable to connect to the server: no complete answer from %s to %s %s within %lld ms%s%s",
                  r->client->host_port, r->method, r->path, (long long)r->timeout_ms,
                  *r->client->proxy ? " through the proxy " : "", r->client->proxy_shown));
}

static void on_silence(void *arg)
{
    struct kube_req *r = arg;

    expire(r, r->silence_ms,
           xasprintf("nothing arrived from %s for %lld ms on %s", r->client->host_port,
                     (long long)r->silence_ms, r->path));
}

void kube_client_login_done(struct kube_client *c, const struct err *err)
{
    for (struct kube_req *r = c->requests; r; r = r->next) {
        if (r->state != REQ_LOGIN || r->cancelled)
            continue;
        /* The time a person needs to log in is not the server's. */
        kube_client_begin_time(r);
        if (err) {
            err_free(r->failure);
            r->failure = err_copy(err);
            r->state = REQ_FINISHED;
            kube_client_mark_ready(r);
        } else {
            r->logged_in = true;
            kube_req_start(r);
        }
    }
}

struct kube_req *kube_do(struct kube_client *c, const struct kube_call *call)
{
    struct kube_req *r = xcalloc(1, sizeof(*r));

    r->client = c;
    r->method = xstrdup(call->method);
    r->path = xstrdup(call->path);
    r->query = call->query && *call->query ? xstrdup(call->query) : NULL;
    r->body_len = call->body ? (call->body_len ? call->body_len : strlen(call->body)) : 0;
    if (call->body) {
        r->body = xmalloc(r->body_len + 1);
        memcpy(r->body, call->body, r->body_len);
        r->body[r->body_len] = '\0';
    }
    r->content_type = xstrdup(call->content_type ? call->content_type : "application/json");
    r->accept = xstrdup(call->accept ? call->accept : "application/json");
    r->if_none_match = xstrdup_null(call->if_none_match);
    r->timeout_ms = call->timeout_ms ? call->timeout_ms : call->chunk ? -1 : c->options.timeout_ms;
    r->silence_ms = call->silence_ms;
    r->started_ms = loop_now_ms(c->loop);
    r->urgent = call->urgent;
    r->chunk = call->chunk;
    r->opened = call->opened;
    r->done = call->done;
    r->arg = call->arg;
    r->warnings = strv_new();
    buf_init(&r->inbox, c->options.max_body);
    buf_init(&r->answer, c->options.max_body);
    r->next = c->requests;
    if (c->requests)
        c->requests->prev = r;
    c->requests = r;
    if (r->timeout_ms > 0) {
        r->deadline = loop_timer_new(c->loop, on_deadline, r);
        loop_timer_start(r->deadline, r->timeout_ms);
    }
    if (r->silence_ms > 0)
        r->silence = loop_timer_new(c->loop, on_silence, r);
    kube_req_start(r);
    return r;
}

void kube_req_cancel(struct kube_req *r)
{
    if (!r || r->cancelled)
        return;
    r->cancelled = true;
    kube_req_stop(r);
    if (r->deadline)
        loop_timer_stop(r->deadline);
    if (r->retry)
        loop_timer_stop(r->retry);
    /* It is freed in the next delivery: it may be on that list, or in its own callback just now. */
    if (!r->in_callback)
        kube_client_mark_ready(r);
}

/* Waiting, for command-line programs */

struct waiting {
    bool done;
    int status;
    char *body, *etag;
    size_t len;
    struct err *err;
};

static void on_waited(void *arg, const struct kube_response *response, const struct err *err)
{
    struct waiting *w = arg;

    w->done = true;
    w->err = err_copy(err);
    w->status = response->status;
    w->etag = xstrdup(response->etag);
    w->len = response->len;
    w->body = xmalloc(response->len + 1);
    memcpy(w->body, response->body, response->len);
    w->body[response->len] = '\0';
}

static void waiting_release(struct waiting *w)
{
    free(w->body);
    free(w->etag);
}

static int wait_for(struct kube_client *c, const struct kube_call *call, struct waiting *w, struct err **err)
{
    struct kube_call mine = *call;

    mine.done = on_waited;
    mine.arg = w;
    struct kube_req *request = fiber_cancelled() ? NULL : kube_do(c, &mine);
    if (request && loop_wait(c->loop, &w->done))
        return err_move(err, w->err);
    kube_req_cancel(request);
    return err_set(err, ERR_CANCELLED, "%s %s was given up", call->method, call->path);
}

int kube_call_wait(struct kube_client *c, const struct kube_call *call, char **ret_body, struct err **err)
{
    struct waiting w = {0};
    int r = wait_for(c, call, &w, err);

    if (r == 0 && ret_body)
        *ret_body = TAKE_PTR(w.body);
    waiting_release(&w);
    return r;
}

int kube_answer_wait(struct kube_client *c, const struct kube_call *call, struct kube_answer *ret,
                     struct err **err)
{
    struct waiting w = {0};
    int r = wait_for(c, call, &w, err);

    if (r == 0)
        *ret = (struct kube_answer){
            .status = w.status, .body = TAKE_PTR(w.body), .len = w.len, .etag = TAKE_PTR(w.etag)};
    waiting_release(&w);
    return r;
}

void kube_answer_release(struct kube_answer *a)
{
    free(a->body);
    free(a->etag);
    *a = (struct kube_answer){0};
}

int kube_json_wait(struct kube_client *c, const struct kube_call *call, cJSON **ret, struct err **err)
{
    struct waiting w = {0};
    int r = wait_for(c, call, &w, err);

    if (r == 0) {
        _cleanup_free_ char *what = xasprintf("answer to %s %s", call->method, call->path);
        r = json_parse(w.body, w.len, what, ret, err);
        if (r == 0 && !cJSON_IsObject(*ret)) {
            cJSON_Delete(TAKE_PTR(*ret));
            r = err_set(err, ERR_PROTOCOL, "%s: is JSON, but no object", what);
        }
        if (r < 0) {
            if (err && *err)
                (*err)->code = ERR_PROTOCOL;
            r = ERR_PROTOCOL;
        }
    }
    waiting_release(&w);
    return r;
}
