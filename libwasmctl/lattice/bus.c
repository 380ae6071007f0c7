#include "lattice/bus_link.h"

#include <nats/nats.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"

/*
 * The loop never calls nats.c: a connect, a write to a frozen server or nats.c's own lock could hold it for
 * seconds.
 *
 * nats.c's own reconnect is not used: it buffers what was published meanwhile (a late "start" is worse than a
 * lost one), gives up after repeated authorization errors and does not tell why an attempt failed.
 */
enum {
    PING_INTERVAL_MS = 2000,
    PINGS_OUT_MAX = 2,
    CONNECT_TIMEOUT_MS = 2000,
    WRITE_TIMEOUT_MS = 5000,
    RETRY_FIRST_MS = 250,
    RETRY_MAX_MS = 2000,
    EXIT_WAIT_MS = 5000,
    MAILBOX_LIMIT = 65536,
    MAILBOX_RESERVE =
        64, /* places only changes of state may take: they get through when messages fill the mailbox */
};

struct wire_sub {
    struct wire_sub *next;
    uint64_t id;
    char *subject;
    natsSubscription *nats;
};

struct closure {
    struct bus_link *link;
    uint64_t id;
};

struct bus_link {
    /* Fixed after bus_new(). */
    char **servers;
    char *name, *jwt, *seed, *ca, *cert, *key;
    int64_t ping_interval_ms;
    bool started;

    pthread_mutex_t lock; /* guards all up to the next blank line */
    pthread_cond_t wake;
    int refs;
    struct mailbox *mailbox; /* NULL once ended */
    size_t mailbox_bytes, mailbox_messages, mailbox_limit;
    uint64_t dropped;
    struct bus_command *head, **tail;
    size_t queue_bytes;
    bool stop, closed; /* closed: nats.c's last call about the connection was made */
    size_t live_subs;
    char *lost; /* why the connection ended */

    /* The thread's own. */
    natsConnection *conn;
    struct wire_sub *subs;
    uint64_t epoch;
    unsigned jitter;
};

static void command_free(struct bus_command *c)
{
    free(c->subject);
    free(c->reply);
    free(c->data);
    free(c);
}

void bus_post_free(void *p)
{
    struct bus_post *post = p;

    err_free(post->err);
    free(post->subject);
    free(post->reply);
    free(post->data);
    free(post);
}

static size_t post_size(const struct bus_post *p)
{
    return sizeof(*p) + p->len;
}

static void link_unref(struct bus_link *k)
{
    pthread_mutex_lock(&k->lock);
    bool last = --k->refs == 0;
    pthread_mutex_unlock(&k->lock);
    if (!last)
        return;
    while (k->head) {
        struct bus_command *c = k->head;
        k->head = c->next;
        command_free(c);
    }
    while (k->subs) {
        struct wire_sub *s = k->subs;
        k->subs = s->next;
        free(s->subject);
        free(s);
    }
    if (k->seed)
        explicit_bzero(k->seed, strlen(k->seed));
    if (k->key)
        explicit_bzero(k->key, strlen(k->key));
    strv_free(k->servers);
    free(k->name);
    free(k->jwt);
    free(k->seed);
    free(k->ca);
    free(k->cert);
    free(k->key);
    free(k->lost);
    pthread_cond_destroy(&k->wake);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

/* Takes the post. */
static void link_post(struct bus_link *k, struct bus_post *p)
{
    bool message = p->kind == BUS_POST_MESSAGE;
    size_t size = post_size(p);

    pthread_mutex_lock(&k->lock);
    bool room = !message ||
                (k->mailbox_messages < k->mailbox_limit && k->mailbox_bytes + size <= BUS_MAILBOX_BYTES_MAX);
    bool sent = k->mailbox && room && mailbox_post(k->mailbox, p);
    if (sent) {
        k->mailbox_bytes += size;
        k->mailbox_messages++;
    } else if (k->mailbox) {
        k->dropped++;
    }
    pthread_mutex_unlock(&k->lock);
    if (!sent)
        bus_post_free(p);
}

void bus_link_received(struct bus_link *k, const struct bus_post *p)
{
    pthread_mutex_lock(&k->lock);
    k->mailbox_bytes -= post_size(p);
    k->mailbox_messages--;
    pthread_mutex_unlock(&k->lock);
}

uint64_t bus_link_dropped(struct bus_link *k)
{
    pthread_mutex_lock(&k->lock);
    uint64_t n = k->dropped;
    pthread_mutex_unlock(&k->lock);
    return n;
}

static void on_nats_message(natsConnection *nc _unused_, natsSubscription *sub _unused_, natsMsg *msg,
                            void *arg)
{
    struct closure *c = arg;
    struct bus_post *p = xcalloc(1, sizeof(*p));
    int len = natsMsg_GetDataLength(msg);

    p->kind = BUS_POST_MESSAGE;
    p->id = c->id;
    p->subject = xstrdup(natsMsg_GetSubject(msg));
    p->reply = xstrdup_null(natsMsg_GetReply(msg));
    p->nobody = natsMsg_IsNoResponders(msg);
    p->len = len > 0 ? (size_t)len : 0;
    p->data = xmalloc(p->len + 1);
    if (p->len)
        memcpy(p->data, natsMsg_GetData(msg), p->len);
    p->data[p->len] = 0;
    natsMsg_Destroy(msg);
    link_post(c->link, p);
}

static void on_nats_sub_complete(void *arg)
{
    struct closure *c = arg;
    struct bus_link *k = c->link;

    free(c);
    pthread_mutex_lock(&k->lock);
    k->live_subs--;
    pthread_cond_broadcast(&k->wake);
    pthread_mutex_unlock(&k->lock);
}

static void on_nats_closed(natsConnection *nc, void *arg)
{
    struct bus_link *k = arg;
    const char *text = NULL;

    natsStatus s = natsConnection_GetLastError(nc, &text);
    pthread_mutex_lock(&k->lock);
    if (!k->lost && (s != NATS_OK || !str_empty(text)))
        k->lost = xstrdup(!str_empty(text) ? text : natsStatus_GetText(s));
    k->closed = true;
    pthread_cond_broadcast(&k->wake);
    pthread_mutex_unlock(&k->lock);
}

/* Slow consumer and permission errors; without a handler nats.c prints to stderr. */
static void on_nats_error(natsConnection *nc _unused_, natsSubscription *sub, natsStatus s, void *arg)
{
    struct bus_link *k = arg;
    int64_t dropped = 0;

    if (s != NATS_SLOW_CONSUMER || !sub || natsSubscription_GetDropped(sub, &dropped) != NATS_OK)
        return;
    pthread_mutex_lock(&k->lock);
    k->dropped += dropped > 0 ? (uint64_t)dropped : 0;
    pthread_mutex_unlock(&k->lock);
}

static natsStatus on_nats_jwt(char **jwt, char **text _unused_, void *arg)
{
    struct bus_link *k = arg;

    *jwt = xstrdup(k->jwt);
    return NATS_OK;
}

static natsStatus on_nats_sign(char **text _unused_, unsigned char **signature, int *len, const char *nonce,
                               void *arg)
{
    struct bus_link *k = arg;

    return nats_Sign(k->seed, nonce, signature, len);
}

DEFINE_CLEANUP(natsOptions *, natsOptions_Destroy)

/* Host of "scheme://[user[:password]@]host[:port]", and the URL without the user. */
static char *url_host(const char *url)
{
    const char *p = strstr(url, "://");
    p = p ? p + 3 : url;
    const char *at = strrchr(p, '@');
    p = at ? at + 1 : p;
    if (*p == '[') {
        const char *end = strchr(p, ']');
        return end ? xstrndup(p + 1, (size_t)(end - p - 1)) : xstrdup(p);
    }
    return xstrndup(p, strcspn(p, ":/"));
}

static char *url_public(const char *url)
{
    const char *p = strstr(url, "://");
    size_t scheme = p ? (size_t)(p + 3 - url) : 0;
    const char *at = strrchr(url + scheme, '@');

    return xasprintf("%.*s%s", (int)scheme, url, at ? at + 1 : url + scheme);
}

static bool url_is_tls(const char *url)
{
    return str_starts(url, "tls://");
}

static natsStatus options_fill(struct bus_link *k, const char *url, natsOptions *o)
{
    natsStatus s = natsOptions_SetURL(o, url);
    bool tls = url_is_tls(url) || k->ca || k->cert;

#define SET(call)                                                                                            \
    do {                                                                                                     \
        if (s == NATS_OK)                                                                                    \
            s = (call);                                                                                      \
    } while (0)
    SET(natsOptions_SetAllowReconnect(o, false));
    SET(natsOptions_SetIgnoreDiscoveredServers(o, true));
    SET(natsOptions_SetTimeout(o, CONNECT_TIMEOUT_MS));
    SET(natsOptions_SetWriteDeadline(o, WRITE_TIMEOUT_MS));
    SET(natsOptions_SetPingInterval(o, k->ping_interval_ms));
    SET(natsOptions_SetMaxPingsOut(o, PINGS_OUT_MAX));
    SET(natsOptions_SetSendAsap(o, true));
    /* One delivery thread for all subscriptions keeps events and replies in the order they came. */
    SET(natsOptions_UseGlobalMessageDelivery(o, true));
    SET(natsOptions_SetClosedCB(o, on_nats_closed, k));
    SET(natsOptions_SetErrorHandler(o, on_nats_error, k));
    if (k->name)
        SET(natsOptions_SetName(o, k->name));
    if (k->jwt)
        SET(natsOptions_SetUserCredentialsCallbacks(o, on_nats_jwt, k, on_nats_sign, k));
    if (tls) {
        _cleanup_free_ char *host = url_host(url);
        SET(natsOptions_SetSecure(o, true));
        SET(natsOptions_SetExpectedHostname(o, host));
    }
    if (k->ca)
        SET(natsOptions_SetCATrustedCertificates(o, k->ca));
    if (k->cert)
        SET(natsOptions_SetCertificatesChain(o, k->cert, k->key));
#undef SET
    return s;
}

static int code_of(natsStatus s)
{
    switch (s) {
    case NATS_CONNECTION_AUTH_FAILED:
        return ERR_UNAUTHORIZED;
    case NATS_NOT_PERMITTED:
        return ERR_FORBIDDEN;
    case NATS_TIMEOUT:
        return ERR_TIMEOUT;
    case NATS_ADDRESS_MISSING:
    case NATS_INVALID_ARG:
        return ERR_INVALID;
    case NATS_PROTOCOL_ERROR:
        return ERR_PROTOCOL;
    default:
        return ERR_UNAVAILABLE;
    }
}

static const char *reason_of(natsStatus s)
{
    natsStatus last = NATS_OK;
    const char *text = nats_GetLastError(&last);

    if (s == NATS_NO_SERVER)
        return "no NATS server answers there";
    if (last != s || str_empty(text))
        return natsStatus_GetText(s);
    /* "(conn.c:1905): Authorization Violation" */
    const char *end = *text == '(' ? strstr(text, "): ") : NULL;
    return end ? end + 3 : text;
}

static void wire_subscribe(struct bus_link *k, struct wire_sub *ws)
{
    struct closure *c = xcalloc(1, sizeof(*c));
    natsSubscription *sub = NULL;

    *c = (struct closure){.link = k, .id = ws->id};
    pthread_mutex_lock(&k->lock);
    k->live_subs++;
    pthread_mutex_unlock(&k->lock);
    if (natsConnection_Subscribe(&sub, k->conn, ws->subject, on_nats_message, c) != NATS_OK) {
        on_nats_sub_complete(c);
        return;
    }
    if (natsSubscription_SetOnCompleteCB(sub, on_nats_sub_complete, c) != NATS_OK) {
        /* The connection ended in between: nobody can tell when c is free, so it is left to it. */
        pthread_mutex_lock(&k->lock);
        k->live_subs--;
        pthread_mutex_unlock(&k->lock);
    }
    ws->nats = sub;
}

static void wire_sub_end(struct wire_sub *ws)
{
    if (!ws->nats)
        return;
    natsSubscription_Unsubscribe(ws->nats);
    natsSubscription_Destroy(ws->nats);
    ws->nats = NULL;
}

/* Writes failed: what is on the wire may end inside a message, so the connection cannot go on. */
static void wire_broken(struct bus_link *k, natsStatus s)
{
    pthread_mutex_lock(&k->lock);
    if (!k->lost)
        k->lost = xstrdup(reason_of(s));
    pthread_mutex_unlock(&k->lock);
    natsConnection_Close(k->conn);
}

static void command_run(struct bus_link *k, struct bus_command *c)
{
    natsStatus s = NATS_OK;
    struct bus_post *p;

    switch (c->kind) {
    case BUS_COMMAND_PUBLISH:
        if (!k->conn || c->epoch != k->epoch)
            return;
        s = c->reply ? natsConnection_PublishRequest(k->conn, c->subject, c->reply, c->data, (int)c->len)
                     : natsConnection_Publish(k->conn, c->subject, c->data, (int)c->len);
        if (s != NATS_OK && s != NATS_INVALID_SUBJECT && s != NATS_MAX_PAYLOAD && s != NATS_CONNECTION_CLOSED)
            wire_broken(k, s);
        return;
    case BUS_COMMAND_SUBSCRIBE: {
        struct wire_sub *ws = xcalloc(1, sizeof(*ws));
        ws->id = c->id;
        ws->subject = TAKE_PTR(c->subject);
        ws->next = k->subs;
        k->subs = ws;
        if (k->conn)
            wire_subscribe(k, ws);
        return;
    }
    case BUS_COMMAND_UNSUBSCRIBE:
        for (struct wire_sub **at = &k->subs; *at; at = &(*at)->next) {
            struct wire_sub *ws = *at;
            if (ws->id != c->id)
                continue;
            *at = ws->next;
            wire_sub_end(ws);
            free(ws->subject);
            free(ws);
            return;
        }
        return;
    case BUS_COMMAND_RTT:
        p = xcalloc(1, sizeof(*p));
        p->kind = BUS_POST_RTT;
        p->id = c->id;
        p->number = -1;
        int64_t ns;
        if (k->conn && c->epoch == k->epoch && natsConnection_GetRTT(k->conn, &ns) == NATS_OK)
            p->number = ns / 1000;
        link_post(k, p);
        return;
    }
}

/* Runs what is queued; with the lock held on entry and exit. */
static void queue_run(struct bus_link *k)
{
    while (k->head) {
        struct bus_command *c = k->head;
        k->head = c->next;
        if (!k->head)
            k->tail = &k->head;
        k->queue_bytes -= sizeof(*c) + c->len;
        pthread_mutex_unlock(&k->lock);
        command_run(k, c);
        command_free(c);
        pthread_mutex_lock(&k->lock);
    }
}

static int link_connect(struct bus_link *k, const char *url, struct err **err)
{
    _cleanup_(natsOptions_Destroyp) natsOptions *o = NULL;
    _cleanup_free_ char *public = url_public(url);

    natsStatus s = natsOptions_Create(&o);
    if (s == NATS_OK)
        s = options_fill(k, url, o);
    pthread_mutex_lock(&k->lock);
    k->closed = false;
    free(TAKE_PTR(k->lost));
    pthread_mutex_unlock(&k->lock);
    if (s == NATS_OK)
        s = natsConnection_Connect(&k->conn, o);
    if (s != NATS_OK)
        return err_set(err, code_of(s), "connect to %s: %s", public, reason_of(s));
    return 0;
}

static void link_post_connected(struct bus_link *k, const char *url)
{
    struct bus_post *p = xcalloc(1, sizeof(*p));
    int64_t max = natsConnection_GetMaxPayload(k->conn);

    p->kind = BUS_POST_CONNECTED;
    p->id = k->epoch;
    p->number = max > 0 ? max : BUS_PAYLOAD_DEFAULT;
    p->subject = url_public(url);
    link_post(k, p);
}

static void link_post_disconnected(struct bus_link *k, struct err *e)
{
    struct bus_post *p = xcalloc(1, sizeof(*p));

    p->kind = BUS_POST_DISCONNECTED;
    p->err = e;
    link_post(k, p);
}

/* One connection, from connected to closed. */
static void link_serve(struct bus_link *k, const char *url)
{
    k->epoch++;
    /* Told first, so that no message comes before it. What the loop then sends waits until the subscriptions
     * are made. */
    link_post_connected(k, url);
    for (struct wire_sub *ws = k->subs; ws; ws = ws->next)
        wire_subscribe(k, ws);

    pthread_mutex_lock(&k->lock);
    while (!k->closed) {
        queue_run(k);
        if (k->stop || k->closed)
            break;
        if (!k->head)
            pthread_cond_wait(&k->wake, &k->lock);
    }
    pthread_mutex_unlock(&k->lock);

    natsConnection_Close(k->conn);
    for (struct wire_sub *ws = k->subs; ws; ws = ws->next)
        wire_sub_end(ws);
    /* Nothing of this connection may call back once we go on. */
    pthread_mutex_lock(&k->lock);
    while (!k->closed || k->live_subs)
        pthread_cond_wait(&k->wake, &k->lock);
    _cleanup_free_ char *lost = TAKE_PTR(k->lost);
    bool stop = k->stop;
    pthread_mutex_unlock(&k->lock);
    natsConnection_Destroy(TAKE_PTR(k->conn));

    if (!stop) {
        struct err *e = NULL;
        _cleanup_free_ char *public = url_public(url);
        err_set(&e, ERR_UNAVAILABLE, "connection to %s lost: %s", public,
                lost ? lost : "closed by the server or the network");
        link_post_disconnected(k, e);
    }
}

/* Waits, and does what can be done without a connection. False: time to end. */
static bool link_pause(struct bus_link *k, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&k->lock);
    int r = 0;
    while (!k->stop && r == 0) {
        queue_run(k);
        if (!k->stop && !k->head)
            r = pthread_cond_timedwait(&k->wake, &k->lock, &until);
    }
    bool go_on = !k->stop;
    pthread_mutex_unlock(&k->lock);
    return go_on;
}

/* Threads that are still closing their connection are waited for at exit, so that nothing runs while the
 * process is taken down and what was published last still goes out. */
static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t threads_ended = PTHREAD_COND_INITIALIZER;
static int threads, threads_ending;
struct ended {
    struct ended *next;
    pthread_t thread;
};
static struct ended *ended; /* threads that have nothing left to do but to be joined */

static void join_ended(void)
{
    pthread_mutex_lock(&threads_lock);
    struct ended *e = TAKE_PTR(ended);
    pthread_mutex_unlock(&threads_lock);
    while (e) {
        struct ended *next = e->next;
        pthread_join(e->thread, NULL);
        free(e);
        e = next;
    }
}

static void wait_for_threads(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += EXIT_WAIT_MS / 1000;
    pthread_mutex_lock(&threads_lock);
    int r = 0;
    while (threads_ending && r == 0)
        r = pthread_cond_timedwait(&threads_ended, &threads_lock, &until);
    bool all = !threads;
    pthread_mutex_unlock(&threads_lock);
    join_ended();
    if (all)
        nats_CloseAndWait(EXIT_WAIT_MS);
}

static void *link_main(void *arg)
{
    struct bus_link *k = arg;
    int64_t retry = RETRY_FIRST_MS;
    bool go_on = true;
    struct ended *end = xcalloc(1, sizeof(*end));

    while (go_on) {
        struct err *first = NULL;
        bool served = false;
        for (char **url = k->servers; *url && !served; url++) {
            _cleanup_err_ struct err *e = NULL;
            if (link_connect(k, *url, &e) == 0) {
                served = true;
                link_serve(k, *url);
            } else if (!first) {
                first = TAKE_PTR(e);
            }
            if (!link_pause(k, 0)) {
                go_on = false;
                break;
            }
        }
        if (served) {
            err_free(first);
            retry = RETRY_FIRST_MS;
        } else if (go_on) {
            link_post_disconnected(k, TAKE_PTR(first));
        } else {
            err_free(first);
        }
        if (go_on) {
            int64_t jitter = rand_r(&k->jitter) % (retry / 4);
            go_on = link_pause(k, retry + jitter);
            retry = retry * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : retry * 2;
        }
    }
    link_unref(k);
    nats_ReleaseThreadMemory();
    pthread_mutex_lock(&threads_lock);
    threads--;
    threads_ending--;
    *end = (struct ended){ended, pthread_self()};
    ended = end;
    pthread_cond_broadcast(&threads_ended);
    pthread_mutex_unlock(&threads_lock);
    return NULL;
}

/* Takes the command. */
bool bus_link_send(struct bus_link *k, struct bus_command *c)
{
    size_t size = sizeof(*c) + c->len;

    pthread_mutex_lock(&k->lock);
    bool fits = c->kind != BUS_COMMAND_PUBLISH || k->queue_bytes + size <= BUS_QUEUE_BYTES_MAX;
    if (fits) {
        c->next = NULL;
        *k->tail = c;
        k->tail = &c->next;
        k->queue_bytes += size;
        pthread_cond_broadcast(&k->wake);
    }
    pthread_mutex_unlock(&k->lock);
    if (!fits)
        command_free(c);
    return fits;
}
/* Options */

/* The line of a credentials file after its BEGIN line. */
static char *credentials_part(const char *text, const char *begin)
{
    const char *p = strstr(text, begin);

    if (!p || !(p = strchr(p, '\n')))
        return NULL;
    while (*p == '\r' || *p == '\n' || *p == ' ')
        p++;
    size_t n = strcspn(p, "\r\n \t");
    return n && !str_starts(p, "--") ? xstrndup(p, n) : NULL;
}

static int read_credentials(struct bus_link *k, const char *text, struct err **err)
{
    unsigned char *signature = NULL;
    int len = 0;

    k->jwt = credentials_part(text, "BEGIN NATS USER JWT");
    k->seed = credentials_part(text, "BEGIN USER NKEY SEED");
    if (!k->jwt || !k->seed)
        return err_set(err, ERR_INVALID,
                       "NATS credentials: no %s in it (expected the content of a .creds file)",
                       k->jwt ? "user NKEY seed" : "user JWT");
    natsStatus s = nats_Sign(k->seed, "probe", &signature, &len);
    free(signature);
    if (s != NATS_OK)
        return err_set(err, ERR_INVALID, "NATS credentials: the user NKEY seed cannot be used: %s",
                       natsStatus_GetText(s));
    return 0;
}

static int check_server(const char *url, struct err **err)
{
    _cleanup_free_ char *public = url_public(url);
    const char *rest = strstr(url, "://");

    if (rest && !str_starts(url, "nats://") && !str_starts(url, "tls://"))
        return err_set(err, ERR_INVALID, "NATS server \"%s\": want nats://host:port or tls://host:port",
                       public);
    for (const unsigned char *p = (const unsigned char *)url; *p; p++)
        if (*p <= ' ' || *p == 127)
            return err_set(err, ERR_INVALID, "NATS server: blank or control character in the address");
    _cleanup_free_ char *host = url_host(url);
    if (!*host)
        return err_set(err, ERR_INVALID, "NATS server \"%s\": no host", public);
    const char *after = strstr(public, "://");
    after = after ? after + 3 : public;
    const char *port = *after == '[' ? strchr(after, ']') : after;
    port = port ? strchr(port, ':') : NULL;
    int64_t n;
    _cleanup_free_ char *digits = port ? xstrndup(port + 1, strcspn(port + 1, "/")) : NULL;
    if (digits && !str_to_i64(digits, 1, 65535, &n))
        return err_set(err, ERR_INVALID, "NATS server \"%s\": port is not a number from 1 to 65535", public);
    return 0;
}

/* Everything nats.c can check without a connection, now rather than at each attempt. */
static int check_options(struct bus_link *k, struct err **err)
{
    for (char **url = k->servers; *url; url++) {
        int r = check_server(*url, err);
        if (r < 0)
            return r;
        _cleanup_(natsOptions_Destroyp) natsOptions *o = NULL;
        natsStatus s = natsOptions_Create(&o);
        if (s == NATS_OK)
            s = options_fill(k, *url, o);
        if (s != NATS_OK) {
            _cleanup_free_ char *public = url_public(*url);
            return err_set(err, ERR_INVALID, "NATS server \"%s\": %s", public, reason_of(s));
        }
    }
    return 0;
}
struct bus_command *bus_command_new(enum bus_command_kind kind, uint64_t id, const char *subject)
{
    struct bus_command *c = xcalloc(1, sizeof(*c));

    *c = (struct bus_command){.kind = kind, .id = id, .subject = xstrdup_null(subject)};
    return c;
}
/* With all signals blocked: nats.c's threads and ours inherit that, so signals stay with the loop's thread.
 */
static int link_start(struct bus_link *k, const char *credentials, struct err **err)
{
    static bool registered;
    pthread_t thread;
    sigset_t all, old;

    join_ended();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = 0;
    natsStatus s = nats_Open(-1);
    if (s != NATS_OK)
        r = err_set(err, ERR_FAILED, "start the NATS library: %s", natsStatus_GetText(s));
    if (r == 0 && credentials)
        r = read_credentials(k, credentials, err);
    if (r == 0)
        r = check_options(k, err);
    if (r == 0) {
        if (!registered)
            atexit(wait_for_threads);
        registered = true;
        k->refs++;
        pthread_mutex_lock(&threads_lock);
        threads++;
        pthread_mutex_unlock(&threads_lock);
        k->started = true;
        int os = pthread_create(&thread, NULL, link_main, k);
        if (os != 0) {
            k->refs--;
            pthread_mutex_lock(&threads_lock);
            threads--;
            k->started = false;
            pthread_mutex_unlock(&threads_lock);
            r = err_set_os(err, os, "start the NATS thread");
        }
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r;
}

static struct bus_link *link_alloc(const struct bus_options *o)
{
    struct bus_link *k = xcalloc(1, sizeof(*k));
    pthread_condattr_t attr;

    k->servers = strv_copy(o->servers);
    k->name = xstrdup_null(o->name);
    k->ca = xstrdup_null(o->ca_pem);
    k->cert = xstrdup_null(o->cert_pem);
    k->key = xstrdup_null(o->key_pem);
    k->ping_interval_ms = o->ping_interval_ms > 0 ? o->ping_interval_ms : PING_INTERVAL_MS;
    k->mailbox_limit = o->mailbox_limit ? o->mailbox_limit : MAILBOX_LIMIT;
    k->refs = 1;
    k->tail = &k->head;
    k->jitter = (unsigned)(uintptr_t)k;
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&k->wake, &attr);
    pthread_condattr_destroy(&attr);
    return k;
}

int bus_link_new(struct loop *l, const struct bus_options *o, mailbox_fn fn, void *arg, struct bus_link **ret,
                 struct err **err)
{
    if (!o->servers || !o->servers[0])
        return err_set(err, ERR_INVALID, "NATS: no server given");
    if (!o->cert_pem != !o->key_pem)
        return err_set(err, ERR_INVALID, "NATS: a client certificate and its key must be given together");

    struct bus_link *k = link_alloc(o);
    k->mailbox = mailbox_new(l, k->mailbox_limit + MAILBOX_RESERVE, fn, bus_post_free, arg);
    int r = link_start(k, o->credentials, err);
    if (r < 0) {
        bus_link_end(k);
        return r;
    }
    *ret = k;
    return 0;
}

void bus_link_end(struct bus_link *k)
{
    if (k->started) {
        pthread_mutex_lock(&threads_lock);
        threads_ending++;
        pthread_mutex_unlock(&threads_lock);
    }
    pthread_mutex_lock(&k->lock);
    struct mailbox *m = TAKE_PTR(k->mailbox);
    k->stop = true;
    pthread_cond_broadcast(&k->wake);
    pthread_mutex_unlock(&k->lock);
    mailbox_free(m);
    link_unref(k);
}

char *bus_link_inbox(void)
{
    natsInbox *inbox = NULL;

    if (natsInbox_Create(&inbox) != NATS_OK)
        abort();
    char *prefix = xasprintf("%s.", (const char *)inbox);
    natsInbox_Destroy(inbox);
    return prefix;
}
