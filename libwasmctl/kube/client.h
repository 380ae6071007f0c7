/*
 * Transport and REST: one client a cluster, HTTP/2 on libcurl multi over the loop, every request a slot that
 * can be cancelled.
 *
 * Life of a request: kube_do() returns a slot; its callback runs exactly once, in a later turn of the loop,
 * unless kube_req_cancel() was called before (then never). The slot is gone after the callback.
 * kube_client_free() cancels what is in flight. At most 80 requests are in flight at a time, the others wait
 * in order, which does not count against their deadline; streams (calls with a chunk function) and urgent
 * calls do not wait.
 *
 * The client itself: sends the credentials (token file re-read when it changed or after a 401, then one
 * retry; exec plugins with expiry), Accept-Encoding, User-Agent, impersonation headers; retries 429 and 503
 * with Retry-After (at most 5 times within the deadline) and, for GET only, a connection that broke before
 * the first byte (once); turns Status objects into errors.
 */
#ifndef WASMCTL_KUBE_CLIENT_H
#define WASMCTL_KUBE_CLIENT_H

#include "base/loop.h"
#include "data/json.h"
#include "kube/kubeconfig.h"

struct kube_client;
struct kube_req;

enum {
    KUBE_DEFAULT_TIMEOUT_MS = 30 * 1000,
    KUBE_MAX_BODY = 512 * 1024 * 1024, /* answers past this are refused */
};

struct kube_client_options {
    int64_t timeout_ms;         /* default deadline of a request; 0 = KUBE_DEFAULT_TIMEOUT_MS, < 0 = none */
    int64_t connect_timeout_ms; /* 0 = 10 s */
    size_t max_body;            /* larger answers are refused; 0 = KUBE_MAX_BODY */
    const char *user_agent;     /* NULL = "wasmctl/<version>" */
    const char *cache_dir;      /* what servers say about themselves is kept below it; NULL = nowhere */
    int verbosity; /* kubectl's -v: 6 request lines, 7 headers, 8 bodies (cut), 9 all; to trace; secrets
                      redacted */
    void (*trace)(void *arg, const char *line);
    void *trace_arg;
    void (*warning)(void *arg, const char *text); /* each Warning header of the server, once per text */
    void *warning_arg;
    /* A request was sent and has ended (each try of one that is tried again counts): for metrics. method is
     * "WATCH" for streams; status 0 when there was no answer; streams live as long as they like: took_ms is
     * -1. May be NULL. Called until kube_client_free() returns; must not call the client. */
    void (*observe)(void *arg, const char *method, int status, int64_t took_ms);
    void *observe_arg;
    bool follow; /* redirects; never from https to http. For what is no Kubernetes API */
    /* A line for the person at the terminal: what a credential plugin says, and that it is waited for. NULL:
     * what it said is part of the error when it fails. */
    void (*talk)(void *arg, const char *line);
    void *talk_arg;
    int64_t login_ms; /* how long a credential plugin without a terminal may take; 0 = kube/exec.h */
    bool no_terminal; /* credential plugins may not use the terminal (full-screen programs, servers) */
};

/* config is copied. ERR_INVALID for settings that cannot work (unusable certificate...). No request is sent.
 */
int kube_client_new(struct loop *l, const struct kube_config *config,
                    const struct kube_client_options *options, struct kube_client **ret, struct err **err);
void kube_client_free(struct kube_client *c);
DEFINE_CLEANUP(struct kube_client *, kube_client_free)
const struct kube_config *kube_client_config(const struct kube_client *c);
struct loop *kube_client_loop(const struct kube_client *c);
/* Whether a refused credential may be replaced without a person: a token file, or a plugin that asks nobody.
 */
bool kube_client_can_renew(const struct kube_client *c);
/* Requests sent since the start, for metrics. */
uint64_t kube_client_requests(const struct kube_client *c);

/* How far the server's clock is ahead of ours (below 0: behind), out of the Date headers of its answers: it
 * lies between the two. They tell whole seconds, so one answer alone leaves a second of doubt; every further
 * one at another moment of the second narrows it, down to the time an answer takes. False: no answer with a
 * date yet. */
bool kube_client_skew(const struct kube_client *c, int64_t *ret_least_ns, int64_t *ret_most_ns);

struct kube_response {
    int status;       /* HTTP status, 0 when there was no answer */
    const char *body; /* NUL-terminated; borrowed for the callback; empty for streams */
    size_t len;
    const char *content_type; /* "" if none */
    const char *etag;         /* "" if none */
};

/* err is NULL for a 2xx status (3xx are not followed and are errors). For others it says what the server
 * said, in kubectl's words where it is a Status: err->message is the Status message, err->reason its reason,
 * err->http the status, err->details the raw JSON. For no answer: ERR_UNAVAILABLE (refused, reset, DNS: names
 * host and port), ERR_TIMEOUT, ERR_UNAUTHORIZED (TLS: says which certificate problem). Borrowed: take it with
 * err_copy(). */
typedef void (*kube_done_fn)(void *arg, const struct kube_response *response, const struct err *err);
/* A piece of a 2xx body as it arrives. Returning false ends the request (done is called with ERR_CANCELLED).
 */
typedef bool (*kube_chunk_fn)(void *arg, const char *data, size_t len);

struct kube_call {
    const char *method;        /* "GET", "POST", "PUT", "PATCH", "DELETE" */
    const char *path;          /* from kube_path() or any absolute path of the server; may hold a query */
    const char *query;         /* "a=b&c=d", escaped; NULL if none */
    const char *body;          /* copied; NULL if none */
    size_t body_len;           /* 0 = strlen(body) */
    const char *content_type;  /* NULL = application/json when there is a body */
    const char *accept;        /* NULL = application/json */
    const char *if_none_match; /* an ETag: 304 (nothing has changed) is then no error; NULL = always anew */
    int64_t timeout_ms;        /* 0 = the client's; < 0 = none */
    bool urgent;               /* goes past all that wait: for what must not be late, as a lease */
    int64_t silence_ms;  /* streams: fail with ERR_TIMEOUT when nothing arrives for so long; 0 = never */
    kube_chunk_fn chunk; /* NULL: the body is collected */
    void (*opened)(void *arg); /* a 2xx answer began (its headers are here); may be NULL */
    kube_done_fn done;         /* may be NULL */
    void *arg;
};
/* All fields are copied. Never NULL: what cannot even be started fails through done. */
struct kube_req *kube_do(struct kube_client *c, const struct kube_call *call);
void kube_req_cancel(struct kube_req *r); /* NULL is fine */
/* Streams: no pieces and no end are given out while paused, and the server is held back (by what curl is
 * ready to hold of a stream). The silence limit stands still. May be called from the chunk function. */
void kube_req_pause(struct kube_req *r, bool paused);

/* For command-line programs: runs the loop until the answer is there. *ret_body (may be NULL) is owned by the
 * caller. Must not be called from a callback. Inside a fiber only the fiber waits; ERR_CANCELLED when that
 * was cancelled. */
int kube_call_wait(struct kube_client *c, const struct kube_call *call, char **ret_body, struct err **err);
/* The same with all that came. Unchanged (if_none_match): status 304, body "". */
struct kube_answer {
    int status;
    char *body; /* NUL-terminated */
    size_t len;
    char *etag; /* "" if none */
};
int kube_answer_wait(struct kube_client *c, const struct kube_call *call, struct kube_answer *ret,
                     struct err **err);
void kube_answer_release(struct kube_answer *a);
#define _cleanup_answer_ _cleanup_(kube_answer_release)
/* The same, with the body parsed; ERR_PROTOCOL if it is no JSON. */
int kube_json_wait(struct kube_client *c, const struct kube_call *call, cJSON **ret, struct err **err);

/* Status object -> error. Always sets *err and returns its code. body may be anything (HTML of a proxy is
 * shown cut). */
int kube_status_to_err(int http_status, const char *body, size_t len, struct err **err);
/* What kubectl prints for it on stderr, without newline: "Error from server (NotFound): ...", "The WasmActor
 * "x" is invalid: ...", "error: You must be logged in to the server (...)", "Unable to connect to the server:
 * ...", "The connection to the server H:P was refused - did you specify the right host or port?". Caller
 * frees. */
char *kube_err_text(const struct err *e);

#define KUBE_APPLY_YAML  "application/apply-patch+yaml"
#define KUBE_MERGE_PATCH "application/merge-patch+json"
#define KUBE_JSON_PATCH  "application/json-patch+json"
#define KUBE_AS_TABLE    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

#endif
