/*
 * A scripted HTTP/1.1 server for fault tests, on the loop of the code under test: the test says beforehand
 * what is to be asked and how it is answered, also wrongly, half or never, and afterwards looks at what came.
 *
 * Each request takes the first expectation that is still unused and matches; what matches none is answered
 * with 500 and noted as a complaint. Failed system calls abort: a test cannot go on without its server.
 */
#ifndef WASMCTL_TESTS_FAKE_HTTP_FAKE_H
#define WASMCTL_TESTS_FAKE_HTTP_FAKE_H

#include "base/loop.h"

struct http_fake;
struct http_expect;

enum http_ending {
    HTTP_COMPLETE, /* the answer, whole; the connection stays open for the next request */
    HTTP_FIN,      /* the connection is closed after `after` bytes of the answer */
    HTTP_RST,      /* it is reset after them */
    HTTP_SILENT,   /* nothing more is sent after them; the connection stays open */
    HTTP_HELD,     /* status and headers are sent; the body is chunks sent by http_fake_chunk() */
};

struct http_answer {
    int status;          /* 0 = 200 */
    const char *headers; /* lines, each ended by "\r\n"; NULL = Content-Type: application/json */
    const char *body;    /* NULL = empty; copied */
    size_t body_len;     /* 0 = strlen(body) */
    enum http_ending ending;
    size_t after; /* bytes of the answer counted from its status line; 0 = none, HTTP_ALL = all of it */
    bool repeat;  /* the expectation is never used up */
    bool maybe;   /* no complaint when nobody asks */
};
#define HTTP_ALL ((size_t)-1)

struct http_request {
    char *method, *path, *query; /* query without "?", "" if none */
    char *headers;               /* lines as they came */
    char *body;
    size_t len;
    unsigned connection; /* which one it came over, from 1 */
};

/* Listens on a free port of 127.0.0.1. */
struct http_fake *http_fake_new(struct loop *l);
void http_fake_free(struct http_fake *f);
/* "http://127.0.0.1:PORT" */
const char *http_fake_url(const struct http_fake *f);
const char *http_fake_host_port(const struct http_fake *f);

/* path_prefix: what path and query ("path?query") must begin with; the handle is valid until
 * http_fake_free(). */
struct http_expect *http_fake_expect(struct http_fake *f, const char *method, const char *path_prefix,
                                     struct http_answer answer);
/* Requests that took this expectation so far. */
unsigned http_expect_used(const struct http_expect *e);
/* The connection of the last such request is still open. */
bool http_expect_open(const struct http_expect *e);

/* For HTTP_HELD: one chunk, the end of the body, or the end of the connection in the middle of it. False when
 * the connection is gone. */
bool http_fake_chunk(struct http_expect *e, const char *data);
bool http_fake_chunk_n(struct http_expect *e, const char *data, size_t len);
bool http_fake_finish(struct http_expect *e);
bool http_fake_cut(struct http_expect *e, bool reset);

/* Further connections are refused (the port stays taken); `drop` resets those there are. */
void http_fake_refuse(struct http_fake *f, bool drop);
void http_fake_listen(struct http_fake *f);

size_t http_fake_count(const struct http_fake *f);
/* The nth request from 0; the last for n >= count; NULL when there was none. Borrowed until the next turn. */
const struct http_request *http_fake_request(const struct http_fake *f, size_t n);
/* Value of the first such header; NULL if absent; caller frees. */
char *http_request_header(const struct http_request *r, const char *name);
/* Value of a query parameter as it came, not decoded; NULL if absent; caller frees. */
char *http_request_param(const struct http_request *r, const char *name);
/* Unexpected requests and expectations nobody asked for; "" when all is well. Caller frees. */
char *http_fake_complaints(const struct http_fake *f);

#endif
