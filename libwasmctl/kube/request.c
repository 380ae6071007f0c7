/* One request: set up, data, outcome, retries. All of the user's functions are called from kube_client's
 * delivery, never from within curl. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/client_internal.h"
#include "kube/gvr.h"
#include "kube/tls.h"

/* A peer that acknowledges nothing for so long is gone, whatever TCP hopes for. */
enum { REDIRECTS_MOST = 10 };
enum { DEAD_PEER_MS = 20 * 1000, STREAM_PIECE_MOST = 64 * 1024 * 1024, WARNED_MOST = 1000 };

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct kube_req *r = arg;
    size_t len = size * n;
    long status = 0;

    if (r->paused)
        return CURL_WRITEFUNC_PAUSE;
    r->got_bytes = true;
    r->link->brought += len;
    r->link->heard_ms = loop_now_ms(r->client->loop);
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    r->status = (int)status;
    if (r->silence_ms)
        loop_timer_start(r->silence, r->silence_ms);
    bool ok = status >= 200 && status < 300;
    if (ok && r->chunk) {
        if (buf_add(&r->inbox, data, len) < 0) {
            r->too_large = true;
            return 0;
        }
        kube_client_mark_ready(r);
        return len;
    }
    if (!ok && r->answer.len + len > KUBE_MAX_ERROR_BODY)
        return len; /* enough to tell what went wrong */
    if (buf_add(&r->answer, data, len) < 0) {
        r->too_large = true;
        return 0;
    }
    return len;
}

/* Value of a header line when it has this name, else NULL; white space at both ends cut. */
static char *header_value(const char *line, size_t len, const char *name)
{
    size_t n = strlen(name);

    if (len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
        return NULL;
    const char *from = line + n + 1, *to = line + len;
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == '\r' || to[-1] == '\n' || to[-1] == ' '))
        to--;
    return xstrndup(from, (size_t)(to - from));
}

/* Warning: 299 - "text"[, 299 - "text"...] */
static void note_warnings(struct kube_req *r, const char *value)
{
    enum { WARNINGS_MOST = 32 };

    for (const char *p = strchr(value, '"'); p && strv_len(r->warnings) < WARNINGS_MOST; p = strchr(p, '"')) {
        _cleanup_buf_ struct buf text = BUF_INIT;
        for (p++; *p && *p != '"'; p++) {
            if (*p == '\\' && p[1])
                p++;
            buf_addc(&text, *p);
        }
        if (!*p)
            return;
        p++;
        strv_push(&r->warnings, buf_str(&text));
        /* A date may follow, quoted too. */
        const char *comma = strchr(p, ',');
        const char *quote = strchr(p, '"');
        if (quote && (!comma || quote < comma) && !(p = strchr(quote + 1, '"')))
            return;
        if (quote && (!comma || quote < comma))
            p++;
    }
}

/* What lets its reader in somewhere. */
static bool is_secret_header(const char *name, size_t len)
{
    static const char *const secret[] = {"Set-Cookie", "Cookie", "Authorization", "Proxy-Authorization"};

    for (size_t i = 0; i < ARRAY_LEN(secret); i++)
        if (strlen(secret[i]) == len && strncasecmp(secret[i], name, len) == 0)
            return true;
    return false;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    struct kube_req *r = arg;
    size_t len = size * n;
    char *value;

    r->got_bytes = true;
    r->link->heard_ms = loop_now_ms(r->client->loop);
    if ((value = header_value(line, len, "Retry-After"))) {
        int64_t seconds;
        if (str_to_i64(value, 0, 3600, &seconds))
            r->retry_after_ms = (long)seconds * 1000;
        free(value);
    } else if ((value = header_value(line, len, "Content-Type"))) {
        free(r->answer_type);
        r->answer_type = value;
    } else if ((value = header_value(line, len, "Date"))) {
        time_t date = curl_getdate(value, NULL);
        if (date > 0)
            kube_client_dated(r->client, date, r->sent_ns);
        free(value);
    } else if ((value = header_value(line, len, "ETag"))) {
        free(r->etag);
        r->etag = value;
    } else if ((value = header_value(line, len, "Warning"))) {
        note_warnings(r, value);
        free(value);
    }
    if (len <= 2) {
        long status = 0;
        curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
        r->head_done = status >= 200;
        if (r->head_done) {
            long version = 0;
            curl_easy_getinfo(r->easy, CURLINFO_HTTP_VERSION, &version);
            kube_link_speaks(r->link, version);
        }
        if (r->opened && !r->is_open && status >= 200 && status < 300) {
            r->is_open = true;
            kube_client_mark_ready(r);
        }
    }
    if (r->client->options.verbosity >= 7) {
        size_t shown = 0;
        while (shown < len && line[shown] != '\r' && line[shown] != '\n')
            shown++;
        const char *colon = memchr(line, ':', shown);
        if (colon && is_secret_header(line, (size_t)(colon - line)))
            kube_client_trace(r->client, 7, "< %.*s: <masked>", (int)(colon - line), line);
        else if (shown)
            kube_client_trace(r->client, 7, "< %.*s", (int)shown, line);
    }
    return len;
}

static int on_socket(void *arg _unused_, curl_socket_t fd, curlsocktype purpose _unused_)
{
    unsigned ms = DEAD_PEER_MS;

    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
    /* Children must not hold the connection open. */
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return CURL_SOCKOPT_OK;
}

/* curl asks again on its own when a connection that had served before breaks without an answer. What changes
 * something must not be sent twice: the server may have done it. */
static int before_send(void *arg, char *ip _unused_, char *own_ip _unused_, int port _unused_, int own_port)
{
    struct kube_req *r = arg;
    long sent = 0;

    curl_easy_getinfo(r->easy, CURLINFO_REQUEST_SIZE, &sent);
    if (sent > 0 && !streq(r->method, "GET"))
        return CURL_PREREQFUNC_ABORT;
    kube_link_sent(r, own_port);
    return CURL_PREREQFUNC_OK;
}

/* As other Kubernetes tools: a proxy of the environment is not asked for this machine's own addresses. */
bool kube_is_loopback(const char *host_port)
{
    return str_starts(host_port, "127.") || str_starts(host_port, "localhost:") ||
           str_starts(host_port, "[::1]:");
}

static void set_blob(CURL *easy, CURLoption option, const char *pem, unsigned flags)
{
    struct curl_blob blob = {.data = (void *)(uintptr_t)pem, .len = strlen(pem), .flags = flags};

    curl_easy_setopt(easy, option, &blob);
}

static void set_tls(CURL *easy, struct kube_client *c)
{
    const struct kube_config *config = c->config;
    const char *key, *cert = kube_auth_cert(c, &key);

    if (config->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    } else if (config->ca_pem) {
        set_blob(easy, CURLOPT_CAINFO_BLOB, config->ca_pem, CURL_BLOB_NOCOPY); /* lives as long as c */
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    kube_tls_watch(easy, &c->tls_story);
    if (cert) {
        set_blob(easy, CURLOPT_SSLCERT_BLOB, cert, CURL_BLOB_COPY);
        curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "PEM");
    }
    if (key) {
        set_blob(easy, CURLOPT_SSLKEY_BLOB, key, CURL_BLOB_COPY);
        curl_easy_setopt(easy, CURLOPT_SSLKEYTYPE, "PEM");
    }
}

static void add_header(struct kube_req *r, const char *name, const char *value)
{
    /* A line break would smuggle a header in. */
    if (strpbrk(value, "\r\n"))
        return;
    _cleanup_free_ char *line = xasprintf("%s: %s", name, value);
    r->headers = curl_slist_append(r->headers, line);
    kube_client_trace(r->client, 7, "    %s", line);
}

/* Impersonate-Extra-<key>, the key percent-encoded as header names need it. */
static void add_extra(struct kube_req *r, const cJSON *extra)
{
    json_each (list, extra) {
        _cleanup_free_ char *key = kube_query_escape(list->string);
        _cleanup_free_ char *name = xasprintf("Impersonate-Extra-%s", key);
        json_each (value, list)
            if (cJSON_IsString(value))
                add_header(r, name, value->valuestring);
    }
}

static int set_headers(struct kube_req *r, struct err **err)
{
    const struct kube_config *config = r->client->config;
    _cleanup_free_ char *authorization = NULL;

    int code = kube_auth_header(r->client, &authorization, err);
    if (code < 0)
        return code;
    add_header(r, "Accept", r->accept);
    if (r->if_none_match)
        add_header(r, "If-None-Match", r->if_none_match);
    add_header(r, "User-Agent", r->client->user_agent);
    if (r->body)
        add_header(r, "Content-Type", r->content_type);
    if (config->tls_server_name)
        add_header(r, "Host", r->client->host_port);
    if (config->as)
        add_header(r, "Impersonate-User", config->as);
    if (config->as_uid)
        add_header(r, "Impersonate-Uid", config->as_uid);
    for (size_t i = 0; config->as_groups && config->as_groups[i]; i++)
        add_header(r, "Impersonate-Group", config->as_groups[i]);
    add_extra(r, config->as_extra);
    if (authorization) {
        kube_client_trace(r->client, 7, "    Authorization: <masked>");
        r->headers = curl_slist_append(r->headers, authorization);
        explicit_bzero(authorization, strlen(authorization));
    }
    /* curl would wait for a 100-continue with large bodies. */
    r->headers = curl_slist_append(r->headers, "Expect:");
    return 0;
}

static void set_method(struct kube_req *r)
{
    bool usual_body = streq(r->method, "POST") || streq(r->method, "PUT") || streq(r->method, "PATCH");

    if (r->body || usual_body) {
        curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
        curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, r->body ? r->body : "");
    }
    curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, r->method);
}

/* Paths whose bodies are not for a log. */
static bool is_secret(const char *path)
{
    return strstr(path, "/secrets") || strstr(path, "/token");
}

static void trace_body(struct kube_req *r, const char *what, const char *body)
{
    struct kube_client *c = r->client;

    if (r->secret && body && *body)
        kube_client_trace(c, 8, "%s: <masked>", what);
    else
        kube_client_trace(c, 8, "%s: %.*s", what, c->options.verbosity >= 9 ? 1 << 20 : 1024,
                          body ? body : "");
}

static void fail_soon(struct kube_req *r, struct err *failure)
{
    err_free(r->failure);
    r->failure = failure;
    r->state = REQ_FINISHED;
    kube_client_mark_ready(r);
}

static void set_options(struct kube_req *r, const char *url)
{
    struct kube_client *c = r->client;
    CURL *easy = r->easy;
    bool tls = str_starts(c->base, "https://");

    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* a name ".." is no step up */
    curl_easy_setopt(easy, CURLOPT_PRIVATE, r);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver that hangs */
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, r->headers);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    /* Rather a stream on the connection being opened than a connection more. Without TLS there are no
     * streams, and waiting would last until the first answer. */
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, tls ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 10L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_send);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, r);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)c->options.connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, tls ? "https" : "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, c->options.follow ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)REDIRECTS_MOST);
    if (!c->config->disable_compression)
        curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    /* Decided by us: curl's rules are others, and so are its variables. */
    curl_easy_setopt(easy, CURLOPT_PROXY, c->proxy);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    if (c->connect_to)
        curl_easy_setopt(easy, CURLOPT_CONNECT_TO, c->connect_to);
    set_tls(easy, c);
    set_method(r);
}

void kube_req_start(struct kube_req *r)
{
    struct kube_client *c = r->client;
    const char *separator = strchr(r->path, '?') ? "&" : "?";
    _cleanup_free_ char *path =
        r->query ? xasprintf("%s%s%s", r->path, separator, r->query) : xstrdup(r->path);
    _cleanup_free_ char *url = xasprintf("%s%s", c->base, path);
    struct err *e = NULL;

    r->result = CURLE_OK;
    r->status = 0;
    r->got_bytes = false;
    r->head_done = false;
    r->error[0] = '\0';
    r->sent_ms = loop_now_ms(c->loop);
    r->sent_ns = time_now_ns();
    r->secret = is_secret(r->path);
    if (kube_client_enqueue(r)) {
        r->state = REQ_QUEUED;
        /* The time in line is not the server's. */
        if (r->deadline)
            loop_timer_stop(r->deadline);
        return;
    }
    if (!r->logged_in && !kube_auth_ready(c)) {
        r->state = REQ_LOGIN;
        if (r->deadline)
            loop_timer_stop(r->deadline);
        return;
    }
    r->logged_in = false;
    r->state = REQ_RUNNING;
    kube_client_trace(c, 7, "%s %s%s", r->method, c->shown, path);
    if (r->body)
        trace_body(r, "Request Body", r->body);
    if (set_headers(r, &e) < 0) {
        fail_soon(r, e);
        return;
    }
    r->auth_serial = kube_auth_serial(c);
    r->easy = curl_easy_init();
    if (!r->easy)
        abort();
    kube_link_started(c->link, r);
    c->in_flight += !r->chunk;
    set_options(r, url);
    c->sent++;
    if (r->silence_ms)
        loop_timer_start(r->silence, r->silence_ms);
    CURLMcode code = curl_multi_add_handle(r->link->multi, r->easy);
    if (code != CURLM_OK) {
        err_set(&e, ERR_FAILED, "cannot start a request: %s", curl_multi_strerror(code));
        fail_soon(r, e);
    }
}

static void observe(const struct kube_req *r)
{
    const struct kube_client_options *o = &r->client->options;
    long status = 0;

    if (!o->observe)
        return;
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    o->observe(o->observe_arg, r->chunk ? "WATCH" : r->method, (int)status,
               r->chunk ? -1 : loop_now_ms(r->client->loop) - r->sent_ms);
}

void kube_req_stop(struct kube_req *r)
{
    kube_client_dequeue(r);
    if (r->easy) {
        observe(r);
        curl_multi_remove_handle(r->link->multi, r->easy);
        curl_easy_cleanup(r->easy);
        r->easy = NULL;
        r->client->in_flight -= !r->chunk;
        kube_link_stopped(r);
    }
    curl_slist_free_all(r->headers);
    r->headers = NULL;
    if (r->silence)
        loop_timer_stop(r->silence);
}

void kube_req_free(struct kube_req *r)
{
    kube_req_stop(r);
    loop_timer_free(r->deadline);
    loop_timer_free(r->silence);
    loop_timer_free(r->retry);
    buf_release(&r->inbox);
    buf_release(&r->answer);
    err_free(r->failure);
    strv_free(r->warnings);
    free(r->answer_type);
    free(r->etag);
    free(r->if_none_match);
    free(r->method);
    free(r->path);
    free(r->query);
    free(r->body);
    free(r->content_type);
    free(r->accept);
    free(r);
}

void kube_req_pause(struct kube_req *r, bool paused)
{
    if (r->paused == paused)
        return;
    r->paused = paused;
    if (r->silence && r->silence_ms && r->easy) {
        if (paused)
            loop_timer_stop(r->silence);
        else
            loop_timer_start(r->silence, r->silence_ms);
    }
    if (paused)
        return;
    if (r->easy)
        curl_easy_pause(r->easy, CURLPAUSE_CONT);
    kube_client_mark_ready(r);
}

static const char *why_of(const struct kube_req *r)
{
    /* curl's words for a reset that poll() saw first */
    if (strstr(r->error, "select/poll returned error"))
        return "the connection was reset";
    if (strstr(r->error, "getpeername()"))
        return "the connection was closed";
    return *r->error ? r->error : curl_easy_strerror(r->result);
}

static long long ms_of(CURL *easy, CURLINFO what)
{
    curl_off_t us = 0;

    curl_easy_getinfo(easy, what, &us);
    return (long long)(us / 1000);
}

/* When each step was done, in milliseconds from the start, as curl counts. */
static char *timing_text(CURL *easy)
{
    curl_off_t bytes = 0;
    long opened = 0, version = 0;

    curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &opened);
    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    const char *http = version == CURL_HTTP_VERSION_2_0 ? "HTTP/2" : "HTTP/1";
    if (!opened)
        return xasprintf("first byte %lld, %lld bytes, %s, same connection",
                         ms_of(easy, CURLINFO_STARTTRANSFER_TIME_T), (long long)bytes, http);
    return xasprintf("name %lld, connected %lld, TLS %lld, first byte %lld, %lld bytes, %s",
                     ms_of(easy, CURLINFO_NAMELOOKUP_TIME_T), ms_of(easy, CURLINFO_CONNECT_TIME_T),
                     ms_of(easy, CURLINFO_APPCONNECT_TIME_T), ms_of(easy, CURLINFO_STARTTRANSFER_TIME_T),
                     (long long)bytes, http);
}

static void trace_end(struct kube_req *r)
{
    struct kube_client *c = r->client;
    long long took = (long long)(loop_now_ms(c->loop) - r->sent_ms);
    const char *question = r->query ? "?" : "", *query = r->query ? r->query : "";

    if (c->options.verbosity < 6)
        return;
    _cleanup_free_ char *timing = timing_text(r->easy);
    if (r->result != CURLE_OK)
        kube_client_trace(c, 6, "%s %s%s%s%s failed in %lld milliseconds: %s", r->method, c->shown, r->path,
                          question, query, took, why_of(r));
    else
        kube_client_trace(c, 6, "%s %s%s%s%s %d in %lld milliseconds (%s)", r->method, c->shown, r->path,
                          question, query, r->status, took, timing);
}

void kube_req_complete(struct kube_req *r, CURLcode result)
{
    long status = 0, proxy_status = 0;

    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(r->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    r->status = (int)status;
    r->proxy_status = (int)proxy_status;
    r->result = result;
    trace_end(r);
    if (result == CURLE_COULDNT_CONNECT) {
        long os = 0;
        curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &os);
        if (os == ECONNREFUSED && !*r->client->proxy)
            r->error[0] = '\0';
    }
    kube_req_stop(r);
    r->state = REQ_FINISHED;
    kube_client_mark_ready(r);
}

/* Outcome */

/* What to do about a TLS failure, in curl's and OpenSSL's words; "" when they say it all. */
static const char *tls_advice(const struct kube_config *config, const char *why)
{
    static const struct {
        const char *words, *advice;
    } rows[] = {
        {"issuer certificate", "; the certificate-authority of the cluster is not the one that signed it"},
        {"self-signed", "; the cluster's certificate-authority is missing or another one"},
        {"self signed", "; the cluster's certificate-authority is missing or another one"},
        {"subject name", "; tls-server-name of the cluster sets the name to expect"},
        {"wrong version number", "; is it an http:// server?"},
        {"alert certificate required", "; the server wants a client certificate: give the user of the "
                                       "kubeconfig client-certificate and client-key"},
        {"alert", "; the server does not accept the client certificate"},
        {"expired", "; renew the server's certificate, or check this machine's clock"},
        {"not yet valid", "; check this machine's clock"},
    };

    if (strstr(why, "issuer certificate") && !config->ca_pem)
        return "; the kubeconfig names no certificate-authority for the cluster";
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strstr(why, rows[i].words))
            return rows[i].advice;
    return "";
}

/* What the proxy in between did, NULL when it is not to blame or there is none; caller frees. */
static char *proxy_failure(const struct kube_req *r)
{
    const struct kube_client *c = r->client;
    bool socks = str_starts(c->proxy, "socks");

    if (!*c->proxy)
        return NULL;
    const char *set_by = c->proxy_from ? c->proxy_from : "proxy-url of the kubeconfig";
    if (r->proxy_status == 407 || r->status == 407)
        return xasprintf("the proxy %s asks for other credentials (407): put user and password into its URL "
                         "(%s)",
                         c->proxy_shown, set_by);
    if (r->proxy_status && (r->proxy_status < 200 || r->proxy_status >= 300))
        return xasprintf("the proxy %s (%s) refused to connect to %s: status %d", c->proxy_shown, set_by,
                         c->host_port, r->proxy_status);
    if (r->result == CURLE_COULDNT_RESOLVE_PROXY)
        return xasprintf("the name of the proxy %s (%s) cannot be resolved", c->proxy_shown, set_by);
    if (r->result == CURLE_COULDNT_CONNECT || r->result == CURLE_PROXY)
        return xasprintf("the proxy %s (%s) %s: %s", c->proxy_shown, set_by,
                         socks && r->result == CURLE_PROXY ? "did not connect" : "cannot be reached",
                         why_of(r));
    return NULL;
}

/* OpenSSL's words without what only OpenSSL's makers need. */
static void shorten_error(struct kube_req *r)
{
    static const char library[] = "SSL routines::", number[] = ", errno 0";
    char *words = strstr(r->error, library);

    if (!words)
        return;
    memmove(r->error, words + strlen(library), strlen(words + strlen(library)) + 1);
    if (str_ends(r->error, number))
        r->error[strlen(r->error) - strlen(number)] = '\0';
}

static int tls_error(const struct kube_req *r, struct err **err)
{
    const struct kube_client *c = r->client;
    const char *why = why_of(r), *key, *cert = kube_auth_cert(c, &key);
    /* The server has looked at our certificate and does not like it. */
    bool ours = strstr(why, " alert ") && cert;
    _cleanup_free_ char *trouble = ours ? kube_tls_cert_trouble(cert) : NULL;
    const char *story = trouble                                                ? trouble
                        : r->result == CURLE_PEER_FAILED_VERIFICATION && !ours ? c->tls_story
                                                                               : NULL;

    return err_set(err, ERR_UNAUTHORIZED, "Unable to connect to the server: TLS with %s failed: %s%s%s%s%s",
                   c->host_port, why, story ? " (" : "", story ? story : "", story ? ")" : "",
                   tls_advice(c->config, why));
}

/* The connection stood, and ended without an answer. */
static int broken(const struct kube_req *r, struct err **err)
{
    const struct kube_client *c = r->client;
    bool tls = str_starts(c->base, "https://");
    const char *key, *cert = tls ? kube_auth_cert(c, &key) : NULL;
    _cleanup_free_ char *trouble = cert ? kube_tls_cert_trouble(cert) : NULL;

    return err_set(err, ERR_UNAVAILABLE, "Unable to connect to the server: %s: %s%s%s%s", c->host_port,
                   why_of(r), trouble ? "; " : "", trouble ? trouble : "",
                   tls ? "" : "; is it an https:// server?");
}

static int connection_error(struct kube_req *r, struct err **err)
{
    shorten_error(r);
    const char *where = r->client->host_port, *why = why_of(r);
    _cleanup_free_ char *proxy = proxy_failure(r);

    if (proxy)
        return err_set(err, r->proxy_status == 407 ? ERR_UNAUTHORIZED : ERR_UNAVAILABLE,
                       "Unable to connect to the server: %s", proxy);
    /* With TLS 1.3 the server's opinion of our certificate comes after the connection stands. */
    if (strstr(why, " alert "))
        return tls_error(r, err);
    switch (r->result) {
    case CURLE_COULDNT_CONNECT:
        if (!*r->error)
            return err_set(
                err, ERR_UNAVAILABLE,
                "The connection to the server %s was refused - did you specify the right host or port?",
                where);
        return err_set(err, ERR_UNAVAILABLE, "Unable to connect to the server: %s: %s", where, why);
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(
            err, ERR_UNAVAILABLE,
            "Unable to connect to the server: the name of %s cannot be resolved; check the address "
            "in the kubeconfig, and this machine's DNS",
            where);
    case CURLE_COULDNT_RESOLVE_PROXY:
        return err_set(err, ERR_UNAVAILABLE,
                       "Unable to connect to the server: the proxy's name cannot be resolved: %s", why);
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(err, ERR_TIMEOUT, "Unable to connect to the server: %s did not answer in time (%s)",
                       where, why);
    case CURLE_ABORTED_BY_CALLBACK: /* before_send() */
        return err_set(err, ERR_UNAVAILABLE,
                       "Unable to connect to the server: %s closed the connection without an answer; it "
                       "may or may not have done what was asked (%s %s)",
                       where, r->method, r->path);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CONNECT_ERROR:
        return tls_error(r, err);
    case CURLE_SSL_CERTPROBLEM:
        return err_set(err, ERR_UNAUTHORIZED,
                       "Unable to connect to the server: the client certificate is not usable: %s", why);
    default:
        return broken(r, err);
    }
}

static void make_error(struct kube_req *r, struct err **err)
{
    if (r->failure) {
        *err = TAKE_PTR(r->failure);
        return;
    }
    if (r->too_large) {
        err_set(err, ERR_TOO_LARGE, "the answer of %s is larger than this program accepts", r->path);
        return;
    }
    bool ok = (r->status >= 200 && r->status < 300) || (r->status == 304 && r->if_none_match);
    if (r->result == CURLE_OK && !r->head_done) {
        /* curl is content with half the headers. */
        err_set(err, ERR_UNAVAILABLE, "the answer of %s to %s %s was cut off in its headers",
                r->client->host_port, r->method, r->path);
        return;
    }
    if (r->result == CURLE_OK && ok)
        return;
    if (r->status == 407 && *r->client->proxy) {
        connection_error(r, err);
        return;
    }
    if (r->status >= 300 || (r->result == CURLE_OK && !ok)) {
        kube_status_to_err(r->status, buf_str(&r->answer), r->answer.len, err);
        if (r->retry_after_ms && !(*err)->retry_ms)
            (*err)->retry_ms = r->retry_after_ms;
        _cleanup_free_ char *trouble = r->status == 401 ? kube_auth_trouble(r->client) : NULL;
        if (trouble) {
            char *longer = xasprintf("%s; %s", (*err)->message, trouble);
            free((*err)->message);
            (*err)->message = longer;
        }
        return;
    }
    if (ok) {
        err_set(err, ERR_UNAVAILABLE, "the answer of %s to %s %s was cut off: %s", r->client->host_port,
                r->method, r->path, why_of(r));
        return;
    }
    connection_error(r, err);
}

static void retry_now(void *arg)
{
    struct kube_req *r = arg;

    buf_truncate(&r->answer, 0);
    free(r->answer_type);
    r->answer_type = NULL;
    free(r->etag);
    r->etag = NULL;
    r->retry_after_ms = 0;
    kube_req_start(r);
}

/* True when the request goes on instead of ending. */
static bool try_again(struct kube_req *r)
{
    int64_t wait = -1;

    if (r->failure || r->too_large || r->retries >= KUBE_RETRIES)
        return false;
    if (r->status == 401 && !r->refreshed && kube_auth_refresh(r->client, r->auth_serial)) {
        r->refreshed = true;
        wait = 0;
    } else if (r->status == 429) {
        wait = r->retry_after_ms ? r->retry_after_ms : 1000;
    } else if (r->status == 503 && r->retry_after_ms) {
        wait = r->retry_after_ms;
    } else if (r->result != CURLE_OK && !r->got_bytes && r->retries == 0 && streq(r->method, "GET") &&
               (r->result == CURLE_GOT_NOTHING || r->result == CURLE_SEND_ERROR ||
                r->result == CURLE_RECV_ERROR || r->result == CURLE_HTTP2 ||
                r->result == CURLE_HTTP2_STREAM)) {
        wait = 0;
    }
    if (wait < 0)
        return false;
    /* What the server said is worth more than that there was no time left. */
    if (r->timeout_ms > 0 && loop_now_ms(r->client->loop) + wait >= r->started_ms + r->timeout_ms)
        return false;
    r->retries++;
    r->state = REQ_WAITING;
    if (!r->retry)
        r->retry = loop_timer_new(r->client->loop, retry_now, r);
    loop_timer_start(r->retry, wait);
    return true;
}

static void tell_warnings(struct kube_req *r)
{
    struct kube_client *c = r->client;

    for (size_t i = 0; c->options.warning && r->warnings && r->warnings[i] && !r->cancelled; i++) {
        if (map_has(c->warned, r->warnings[i]))
            continue;
        if (map_len(c->warned) >= WARNED_MOST)
            map_clear(c->warned);
        map_set(c->warned, r->warnings[i], NULL);
        c->options.warning(c->options.warning_arg, r->warnings[i]);
    }
}

/* Gives out what a stream brought. False when the request was cancelled by the receiver. */
static bool deliver_chunk(struct kube_req *r)
{
    if (r->is_open && !r->told_open) {
        r->told_open = true;
        r->opened(r->arg);
        if (r->cancelled)
            return false;
    }
    if (!r->inbox.len || !r->chunk)
        return !r->cancelled;
    struct buf piece = r->inbox;
    buf_init(&r->inbox, STREAM_PIECE_MOST);
    bool more = r->chunk(r->arg, piece.data, piece.len);
    free(piece.data);
    if (r->cancelled)
        return false;
    if (!more && !r->failure) {
        kube_req_stop(r);
        err_set(&r->failure, ERR_CANCELLED, "the receiver ended the stream");
        r->state = REQ_FINISHED;
    }
    return true;
}

void kube_req_deliver(struct kube_req *r)
{
    _cleanup_err_ struct err *err = NULL;

    if (r->paused)
        return;
    r->in_callback = true;
    bool goes_on = deliver_chunk(r);
    if (goes_on && r->state == REQ_FINISHED && !try_again(r)) {
        tell_warnings(r);
        if (!r->cancelled)
            make_error(r, &err);
        if (!r->chunk || r->answer.len)
            trace_body(r, "Response Body", buf_str(&r->answer));
        struct kube_response response = {
            .status = r->status,
            .body = buf_str(&r->answer),
            .len = r->answer.len,
            .content_type = r->answer_type ? r->answer_type : "",
            .etag = r->etag ? r->etag : "",
        };
        if (r->done && !r->cancelled)
            r->done(r->arg, &response, err);
        r->cancelled = true;
    }
    r->in_callback = false;
}
