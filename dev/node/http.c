#include "dev/node/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    HEAD_MAX = 16 * 1024,
    CONNECTIONS_MOST = 4096,
    HEAD_MS = 30 * 1000,
    IDLE_MS = 120 * 1000,
    BACKLOG = 512,
    READ_CHUNK = 4096,
};

enum conn_state { CONN_HANDSHAKE, CONN_HEAD, CONN_ANSWER, CONN_OVER };

/* One connection; its exchange is the request it is at. */
struct dev_exchange {
    struct dev_http *server;
    struct dev_exchange *next, **prev;
    int fd;
    SSL *ssl;
    struct loop_io *io;
    struct loop_timer *limit; /* for the head of a request */
    struct loop_defer *later; /* writing */
    enum conn_state state;
    struct buf in, out;
    char *method, *path, *query;
    bool begun, whole, ended, keep, head_only;
    bool read_wants_write;
    void (*room)(void *arg);
    void (*gone)(void *arg);
    void *arg;
};

struct dev_http {
    struct loop *loop;
    int fd, port;
    struct loop_io *io;
    SSL_CTX *tls;
    char *client_name;
    dev_http_fn request;
    void *arg;
    struct dev_exchange *connections;
    size_t n;
};

static void pump(struct dev_exchange *x);

/* TLS */

static int tls_failed(struct err **err, const char *what)
{
    char text[256] = "unknown reason";
    unsigned long code = ERR_get_error();

    if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return err_set(err, ERR_INVALID, "%s: %s", what, text);
}

static bool use_identity(SSL_CTX *ctx, const char *cert_pem, const char *key_pem)
{
    BIO *cert_bio = BIO_new_mem_buf(cert_pem, -1), *key_bio = BIO_new_mem_buf(key_pem, -1);
    X509 *cert = cert_bio ? PEM_read_bio_X509(cert_bio, NULL, NULL, NULL) : NULL;
    EVP_PKEY *key = key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, NULL, (char[]){""}) : NULL;
    bool ok = cert && key && SSL_CTX_use_certificate(ctx, cert) == 1 &&
              SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;

    X509_free(cert);
    EVP_PKEY_free(key);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    return ok;
}

static bool trust(SSL_CTX *ctx, const char *ca_pem)
{
    BIO *bio = BIO_new_mem_buf(ca_pem, -1);
    X509 *ca = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    bool ok = ca && X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca) == 1 &&
              SSL_CTX_add_client_CA(ctx, ca) == 1;

    X509_free(ca);
    BIO_free(bio);
    return ok;
}

static int tls_new(const struct dev_http_options *o, SSL_CTX **ret, struct err **err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    static const unsigned char session[] = "wasmctl-node";
    int r = 0;

    if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION))
        r = tls_failed(err, "set up TLS");
    else if (!use_identity(ctx, o->cert, o->key))
        r = tls_failed(err, "use the certificate and key of the node");
    else if (o->client_ca && !trust(ctx, o->client_ca))
        r = tls_failed(err, "use the authority of clients");
    if (r < 0) {
        SSL_CTX_free(ctx);
        return r;
    }
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_id_context(ctx, session, sizeof(session) - 1);
    if (o->client_ca)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    *ret = ctx;
    return 0;
}

static bool is_known(const struct dev_exchange *x)
{
    char name[128] = "";

    if (!x->server->client_name)
        return true;
    X509 *cert = x->ssl ? SSL_get0_peer_certificate(x->ssl) : NULL;
    return cert &&
           X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof(name)) > 0 &&
           streq(name, x->server->client_name);
}

/* Connections */

static void conn_free(struct dev_exchange *x)
{
    loop_io_free(x->io);
    loop_timer_free(x->limit);
    if (x->later)
        loop_defer_cancel(x->later);
    SSL_free(x->ssl);
    if (x->fd >= 0)
        close(x->fd);
    buf_release(&x->in);
    buf_release(&x->out);
    free(x->method);
    free(x->path);
    free(x->query);
    *x->prev = x->next;
    if (x->next)
        x->next->prev = x->prev;
    x->server->n--;
    free(x);
}

/* The connection is lost; whoever answers on it hears of it. */
static void lose(struct dev_exchange *x)
{
    void (*gone)(void *) = x->state == CONN_ANSWER && !x->ended ? x->gone : NULL;
    bool owned = x->state == CONN_ANSWER && !x->ended && !x->gone;
    void *arg = x->arg;

    if (owned) {
        /* Somebody holds it who asked to hear of nothing: it goes with the end of the answer. */
        loop_io_set(x->io, 0);
        x->state = CONN_OVER;
        return;
    }
    conn_free(x);
    if (gone)
        gone(arg);
}

static void set_events(struct dev_exchange *x)
{
    int events = LOOP_READ;

    if (x->out.len || x->read_wants_write)
        events |= LOOP_WRITE;
    loop_io_set(x->io, events);
}

/* Bytes read or written, 0: not now, -1: the connection is lost (or ended). */
static ssize_t net_read(struct dev_exchange *x, char *data, size_t size)
{
    x->read_wants_write = false;
    if (!x->ssl) {
        ssize_t n = recv(x->fd, data, size, 0);
        return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    }
    ERR_clear_error();
    int n = SSL_read(x->ssl, data, (int)size);
    if (n > 0)
        return n;
    int why = SSL_get_error(x->ssl, n);
    x->read_wants_write = why == SSL_ERROR_WANT_WRITE;
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t net_write(struct dev_exchange *x, const char *data, size_t len)
{
    if (!x->ssl) {
        ssize_t n = send(x->fd, data, len, MSG_NOSIGNAL);
        return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    }
    ERR_clear_error();
    int n = SSL_write(x->ssl, data, len > INT32_MAX ? INT32_MAX : (int)len);
    if (n > 0)
        return n;
    int why = SSL_get_error(x->ssl, n);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* false: the connection is lost. */
static bool write_out(struct dev_exchange *x)
{
    size_t done = 0;
    ssize_t n = 0;

    while (done < x->out.len && (n = net_write(x, x->out.data + done, x->out.len - done)) > 0)
        done += (size_t)n;
    buf_consume(&x->out, done);
    return n >= 0;
}

/* Requests */

static const char *status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {{200, "OK"},
                 {400, "Bad Request"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {422, "Unprocessable Entity"},
                 {500, "Internal Server Error"},
                 {503, "Service Unavailable"}};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "Status";
}

static void reset(struct dev_exchange *x)
{
    xstr_replace(&x->method, NULL);
    xstr_replace(&x->path, NULL);
    xstr_replace(&x->query, NULL);
    x->begun = x->whole = x->ended = false;
    x->room = x->gone = NULL;
    x->state = CONN_HEAD;
    loop_timer_start(x->limit, IDLE_MS);
}

/* Whether a header has this token; names and values in any case. */
static bool header_has(const char *head, const char *name, const char *token)
{
    size_t len = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) != 0 || line[len] != ':')
            continue;
        _cleanup_free_ char *value = xstrndup(line + len + 1, strcspn(line + len + 1, "\r"));
        return strcasestr(value, token) != NULL;
    }
    return false;
}

/* The head of one request, NUL-terminated. false: it is none we understand. */
static bool parse_head(struct dev_exchange *x, const char *head)
{
    size_t method = strcspn(head, " \r");
    const char *target = head + method + 1;

    if (head[method] != ' ' || method == 0 || method > 16 || *target != '/')
        return false;
    size_t len = strcspn(target, " \r");
    if (!str_starts(target + len, " HTTP/1."))
        return false;
    bool minor = target[len + strlen(" HTTP/1.")] == '1';
    size_t path = strcspn(target, "? \r");
    x->method = xstrndup(head, method);
    x->path = xstrndup(target, path);
    x->query = path < len ? xstrndup(target + path + 1, len - path - 1) : xstrdup("");
    x->keep = minor && !header_has(head, "Connection", "close");
    x->head_only = streq(x->method, "HEAD");
    /* Nobody sends one here; what follows could not be told from the next request. */
    return !header_has(head, "Transfer-Encoding", "") &&
           (!header_has(head, "Content-Length", "") || header_has(head, "Content-Length", " 0"));
}

static void refuse(struct dev_exchange *x, int status, const char *text)
{
    x->keep = false;
    x->state = CONN_ANSWER;
    if (!x->method)
        x->method = xstrdup("GET");
    dev_exchange_reply(x, status, "text/plain", text, strlen(text));
}

static void next_request(struct dev_exchange *x)
{
    const char *end = x->in.len ? memmem(x->in.data, x->in.len, "\r\n\r\n", 4) : NULL;

    if (x->state != CONN_HEAD || x->later)
        return;
    if (!end) {
        if (x->in.len >= HEAD_MAX)
            refuse(x, 400, "the request is too long\n");
        return;
    }
    size_t len = (size_t)(end - x->in.data) + 4;
    _cleanup_free_ char *head = xstrndup(x->in.data, len);
    buf_consume(&x->in, len);
    loop_timer_stop(x->limit);
    if (strlen(head) != len || !parse_head(x, head)) {
        refuse(x, 400, "no request this server understands\n");
        return;
    }
    x->state = CONN_ANSWER;
    if (is_known(x))
        x->server->request(x->server->arg, x);
    else
        refuse(x, 403, "the certificate is not one of the API server\n");
}

/* Reads what is there. false: lost. */
static bool read_in(struct dev_exchange *x)
{
    char chunk[READ_CHUNK];

    for (;;) {
        /* A client that goes on while it is answered is read when its turn comes. */
        if (x->in.len >= HEAD_MAX)
            return x->state == CONN_HEAD;
        size_t room = HEAD_MAX - x->in.len;
        ssize_t n = net_read(x, chunk, room < sizeof(chunk) ? room : sizeof(chunk));
        if (n <= 0)
            return n == 0;
        buf_add(&x->in, chunk, (size_t)n);
    }
}

static bool shake_hands(struct dev_exchange *x)
{
    if (x->ssl) {
        ERR_clear_error();
        int n = SSL_accept(x->ssl);
        int why = n == 1 ? SSL_ERROR_NONE : SSL_get_error(x->ssl, n);
        if (n != 1) {
            loop_io_set(x->io, why == SSL_ERROR_WANT_WRITE ? LOOP_WRITE : LOOP_READ);
            return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
        }
    }
    x->state = CONN_HEAD;
    loop_timer_start(x->limit, HEAD_MS);
    return true;
}

static void on_event(void *arg, int events _unused_, bool error)
{
    struct dev_exchange *x = arg;

    if (x->state == CONN_HANDSHAKE) {
        if (error || !shake_hands(x)) {
            lose(x);
            return;
        }
        if (x->state == CONN_HANDSHAKE)
            return;
    }
    if (error || !read_in(x)) {
        lose(x);
        return;
    }
    pump(x);
}

static void on_late(void *arg)
{
    lose(arg);
}

/* Sends, and goes on with whatever comes then. */
static void pump(struct dev_exchange *x)
{
    if (x->state == CONN_OVER)
        return;
    if (!write_out(x)) {
        lose(x);
        return;
    }
    if (x->out.len == 0 && x->state == CONN_ANSWER) {
        if (x->ended) {
            if (!x->keep) {
                if (x->ssl)
                    SSL_shutdown(x->ssl);
                conn_free(x);
                return;
            }
            reset(x);
        } else if (x->begun && x->room) {
            set_events(x);
            x->room(x->arg); /* may end it */
            return;
        }
    }
    set_events(x);
    next_request(x);
}

static void on_later(void *arg)
{
    struct dev_exchange *x = arg;

    x->later = NULL;
    if (x->state == CONN_OVER)
        conn_free(x);
    else
        pump(x);
}

static void pump_later(struct dev_exchange *x)
{
    if (!x->later)
        x->later = loop_defer(x->server->loop, on_later, x);
}

/* Answers */

const char *dev_exchange_method(const struct dev_exchange *x)
{
    return x->method;
}

const char *dev_exchange_path(const struct dev_exchange *x)
{
    return x->path;
}

const char *dev_exchange_query(const struct dev_exchange *x)
{
    return x->query;
}

void dev_exchange_watch(struct dev_exchange *x, void (*room)(void *arg), void (*gone)(void *arg), void *arg)
{
    x->room = room;
    x->gone = gone;
    x->arg = arg;
}

void dev_exchange_reply(struct dev_exchange *x, int status, const char *type, const char *body, size_t len)
{
    buf_addf(&x->out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n", status,
             status_text(status), type, len, x->keep ? "" : "Connection: close\r\n");
    if (!x->head_only)
        buf_add(&x->out, body, len);
    x->begun = x->whole = true;
    dev_exchange_end(x);
}

void dev_exchange_begin(struct dev_exchange *x, int status, const char *type)
{
    buf_addf(&x->out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n%s\r\n", status,
             status_text(status), type, x->keep ? "" : "Connection: close\r\n");
    x->begun = true;
    pump_later(x);
}

void dev_exchange_write(struct dev_exchange *x, const void *data, size_t len)
{
    if (len == 0 || x->head_only || x->state == CONN_OVER)
        return;
    buf_addf(&x->out, "%zx\r\n", len);
    buf_add(&x->out, data, len);
    buf_adds(&x->out, "\r\n");
    pump_later(x);
}

size_t dev_exchange_pending(const struct dev_exchange *x)
{
    return x->out.len;
}

void dev_exchange_end(struct dev_exchange *x)
{
    if (!x->whole && !x->head_only)
        buf_adds(&x->out, "0\r\n\r\n");
    x->ended = true;
    x->gone = NULL;
    pump_later(x);
}

void dev_exchange_cut(struct dev_exchange *x)
{
    const struct linger hard = {.l_onoff = 1};

    if (x->state != CONN_OVER)
        write_out(x);
    /* Nothing sent: the client sees a reset. Otherwise it sees the end of the connection in mid-answer. */
    if (!x->begun)
        setsockopt(x->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    x->ended = true;
    x->gone = NULL;
    x->state = CONN_OVER;
    loop_io_set(x->io, 0);
    pump_later(x);
}

/* Queries */

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

char *dev_url_decode(const char *text, size_t len, bool plus_is_blank)
{
    _cleanup_buf_ struct buf out = BUF_INIT;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            int high = len - i >= 3 ? hex(text[i + 1]) : -1, low = len - i >= 3 ? hex(text[i + 2]) : -1;
            if (high < 0 || low < 0 || (high | low) == 0)
                return NULL;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        buf_addc(&out, c);
    }
    return buf_take(&out);
}

char *dev_query_get(const char *query, const char *key)
{
    size_t len = strlen(key);

    for (const char *p = query; *p;) {
        size_t n = strcspn(p, "&");
        if (strncmp(p, key, len) == 0 && (p[len] == '=' || n == len))
            return n == len ? xstrdup("") : dev_url_decode(p + len + 1, n - len - 1, true);
        p += n + (p[n] == '&');
    }
    return NULL;
}

/* The server */

static void accept_one(struct dev_http *s, int fd)
{
    struct dev_exchange *x = xcalloc(1, sizeof(*x));
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    x->server = s;
    x->fd = fd;
    buf_init(&x->in, HEAD_MAX + 1);
    x->next = s->connections;
    x->prev = &s->connections;
    if (x->next)
        x->next->prev = &x->next;
    s->connections = x;
    s->n++;
    x->io = loop_io_new(s->loop, fd, on_event, x);
    x->limit = loop_timer_new(s->loop, on_late, x);
    if (s->tls) {
        x->ssl = SSL_new(s->tls);
        if (!x->ssl || !SSL_set_fd(x->ssl, fd)) {
            conn_free(x);
            return;
        }
        SSL_set_accept_state(x->ssl);
    }
    loop_timer_start(x->limit, HEAD_MS);
    loop_io_set(x->io, LOOP_READ);
}

static void on_accept(void *arg, int events _unused_, bool error _unused_)
{
    struct dev_http *s = arg;

    for (;;) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (s->n >= CONNECTIONS_MOST)
            close(fd);
        else
            accept_one(s, fd);
    }
}

static int listen_on(struct dev_http *s, const struct dev_http_options *o, struct err **err)
{
    const char *address = o->address ? o->address : "127.0.0.1";
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};
    socklen_t len = sizeof(at);
    int on = 1;

    if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
        return err_set(err, ERR_INVALID, "\"%s\" is no IPv4 address", address);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return err_set_os(err, errno, "open a socket");
    setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(s->fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(s->fd, BACKLOG) < 0 ||
        getsockname(s->fd, (struct sockaddr *)&at, &len) < 0)
        return err_set_os(err, errno, "listen on %s:%d", address, o->port);
    s->port = ntohs(at.sin_port);
    return 0;
}

int dev_http_new(struct loop *l, const struct dev_http_options *o, struct dev_http **ret, struct err **err)
{
    struct dev_http *s = xcalloc(1, sizeof(*s));
    int r;

    s->loop = l;
    s->fd = -1;
    s->request = o->request;
    s->arg = o->arg;
    s->client_name = xstrdup_null(o->client_name);
    r = listen_on(s, o, err);
    if (r == 0 && o->cert)
        r = tls_new(o, &s->tls, err);
    if (r < 0) {
        dev_http_free(s);
        return r;
    }
    s->io = loop_io_new(l, s->fd, on_accept, s);
    loop_io_set(s->io, LOOP_READ);
    *ret = s;
    return 0;
}

void dev_http_free(struct dev_http *s)
{
    if (!s)
        return;
    loop_io_free(s->io);
    while (s->connections) {
        struct dev_exchange *x = s->connections;
        void (*gone)(void *) = x->state == CONN_ANSWER && !x->ended ? x->gone : NULL;
        void *arg = x->arg;
        conn_free(x);
        if (gone)
            gone(arg);
    }
    if (s->fd >= 0)
        close(s->fd);
    SSL_CTX_free(s->tls);
    free(s->client_name);
    free(s);
}

int dev_http_port(const struct dev_http *s)
{
    return s->port;
}
