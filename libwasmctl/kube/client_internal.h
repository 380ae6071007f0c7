/* For kube/client.c, request.c, admit.c, auth.c and discovery.c only. */
#ifndef WASMCTL_KUBE_CLIENT_INTERNAL_H
#define WASMCTL_KUBE_CLIENT_INTERNAL_H

#include <curl/curl.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "kube/client.h"
#include "kube/exec.h"

/* Source: RFC 9113 for streams. */
enum {
    /* Ordinary requests at the same time; more wait in order. With the watches they fit on one connection of
     * a server that allows 100 streams. */
    KUBE_MAX_IN_FLIGHT = 80,
    KUBE_MAX_STREAMS = 200,
    /* Streams that are given to one connection: some room is left for ordinary requests. More are known to
     * be too many for kube-apiserver, which allows 100. */
    KUBE_STREAMS_EACH = 90,
    KUBE_MAX_CONNECTIONS = 256,
    KUBE_RETRIES = 5,
    KUBE_MAX_ERROR_BODY = 1024 * 1024,
};

struct kube_auth {
    char *token;           /* current bearer token, NULL if none */
    int64_t token_read_ms; /* loop clock of the last look at the token file */
    int64_t token_mtime_ns;
    unsigned serial; /* counts the changes of the token */
    struct kube_exec *exec;
    struct kube_exec_waiter waiter;
};

/* A connection, by the port on this side, and what was sent on it and has not ended. */
struct kube_carrier {
    int port;
    unsigned requests;
};

/* Requests in line (admit.c). */
struct kube_line {
    struct kube_req *first, *last;
    size_t len;
};

/*
 * Connections: a curl multi handle on the loop. A client has one; when a request ran into its limit and
 * nothing at all was heard meanwhile, its connections count as dead: new requests get a new link, the old one
 * lives as long as it has users.
 */
struct kube_link {
    struct kube_client *client;
    struct kube_link *next;
    CURLM *multi;
    struct loop_timer *timer;
    unsigned users;
    VEC(struct kube_carrier) carriers;
    unsigned openers; /* users that open a connection */
    bool one_each;    /* the server speaks HTTP/1.1 */
    size_t brought;   /* bytes that came with the last look at a socket */
    int64_t heard_ms; /* loop clock of the last bytes that arrived */
};

struct kube_client {
    struct loop *loop;
    struct kube_config *config;
    struct kube_client_options options;
    char *user_agent, *cache_dir;
    char *base;                /* URL up to the path; its host is tls-server-name when that is set */
    char *host_port;           /* for messages */
    char *shown;               /* the server's URL for traces: without what stands before an @ */
    char *proxy, *proxy_shown; /* URL, "" for none; the same without its password */
    const char *proxy_from;    /* what sets it: "HTTPS_PROXY", NULL for proxy-url */
    char *tls_story;           /* what is known of the certificate the server showed last (kube/tls.h) */
    struct curl_slist *connect_to;
    struct kube_link *link;      /* for new requests */
    struct kube_link *old_links; /* given up */
    struct kube_auth auth;
    struct kube_req *requests;            /* all, doubly linked */
    struct kube_req *ready, **ready_tail; /* with data or an outcome to deliver */
    struct kube_line queue, streams;      /* not yet sent: ordinary requests, and streams */
    unsigned in_flight;                   /* without streams */
    struct loop_defer *deliver_defer;
    struct map *warned;
    struct map *discovered; /* discovery.c's */
    uint64_t sent;
    bool dated; /* the server has told its time: */
    int64_t skew_least_ns, skew_most_ns;
    bool delivering, freed;
};

enum req_state {
    REQ_RUNNING,  /* in curl's hands */
    REQ_FINISHED, /* outcome is known, done not yet called */
    REQ_WAITING,  /* for a retry */
    REQ_LOGIN,    /* for a credential plugin */
    REQ_QUEUED,   /* for its turn */
};

struct kube_req {
    struct kube_client *client;
    struct kube_req *prev, *next;
    struct kube_req *ready_next;
    struct kube_req *line_prev, *line_next;
    struct kube_line *line; /* it waits in; NULL = it does not */
    bool its_turn, urgent;
    bool opens;  /* a connection, which others wait for */
    int carrier; /* port of the connection it was sent on, 0 before that */
    bool is_ready;

    char *method, *path, *query, *body, *content_type, *accept, *if_none_match;
    size_t body_len;
    int64_t timeout_ms, silence_ms, started_ms;
    kube_chunk_fn chunk;
    void (*opened)(void *arg);
    kube_done_fn done;
    void *arg;

    enum req_state state;
    struct kube_link *link; /* while easy is there */
    CURL *easy;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    struct buf inbox; /* of a stream: arrived, not yet given out */
    struct buf answer;
    char *answer_type, *etag;
    char **warnings;
    long retry_after_ms;
    int status;
    int proxy_status; /* the proxy's answer to CONNECT, 0 if none */
    bool got_bytes, too_large, refreshed, secret;
    bool head_done; /* all headers of the final answer are here */
    bool logged_in; /* a plugin has just run for it: what it gave is used whatever it says */
    unsigned auth_serial;
    int64_t sent_ms; /* this attempt */
    int64_t sent_ns; /* the same by the wall clock */
    bool is_open, told_open, paused;
    unsigned retries;
    CURLcode result;
    struct err *failure; /* decided by us (deadline, silence, cancelled by the chunk function) */
    struct loop_timer *deadline, *silence, *retry;
    bool cancelled, in_callback;
};

/* client.c: an answer to what was sent then says that it is now date_s. */
void kube_client_dated(struct kube_client *c, int64_t date_s, int64_t sent_ns);

/* request.c */
bool kube_is_loopback(const char *host_port);
void kube_req_start(struct kube_req *r);
void kube_req_free(struct kube_req *r);
void kube_req_stop(struct kube_req *r); /* takes it out of curl */
void kube_req_deliver(struct kube_req *r);
void kube_req_complete(struct kube_req *r, CURLcode result); /* curl is done with it */

/* admit.c */
/* True when the request has to wait; kube_req_start() is called again when it is its turn. */
bool kube_client_enqueue(struct kube_req *r);
void kube_client_dequeue(struct kube_req *r);
void kube_client_start_queued(struct kube_client *c);
/* The life of a request in curl's hands: it gets there; is sent over the connection with this port, which may
 * happen within curl; leaves it. */
void kube_link_started(struct kube_link *k, struct kube_req *r);
void kube_link_sent(struct kube_req *r, int port);
void kube_link_stopped(struct kube_req *r);
void kube_link_speaks(struct kube_link *k, long version); /* CURLINFO_HTTP_VERSION */
void kube_link_release(struct kube_link *k);

/* client.c */
void kube_client_begin_time(struct kube_req *r);   /* the time a request has counts from here */
void kube_client_wake(struct kube_client *c);      /* those in line may have their turn */
void kube_client_login_done(struct kube_client *c, const struct err *err);
void kube_client_mark_ready(struct kube_req *r);
void kube_client_trace(struct kube_client *c, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* auth.c */
int kube_auth_init(struct kube_client *c, struct err **err);
void kube_auth_release(struct kube_client *c);
/* False when a plugin has to run first: it runs, kube_client_login_done() is called later. */
bool kube_auth_ready(struct kube_client *c);
/* "Authorization: ..." header, or NULL; caller frees. */
int kube_auth_header(struct kube_client *c, char **ret, struct err **err);
/* Client certificate, PEM; NULL if none. Borrowed until the next turn. */
const char *kube_auth_cert(const struct kube_client *c, const char **ret_key);
/* Which credentials those are. */
unsigned kube_auth_serial(const struct kube_client *c);
/* What is visibly wrong with the credentials (absent, expired), for the message about a 401; NULL when
 * nothing is. Caller frees. */
char *kube_auth_trouble(const struct kube_client *c);
/* After a 401 to what was sent with these credentials: true when trying again makes sense. */
bool kube_auth_refresh(struct kube_client *c, unsigned serial);

#endif
