/*
 * A small HTTP/1.1 server for tests, on the loop of the test itself: what it answers, and when, is in the
 * hands of one function. It listens on a free port of 127.0.0.1.
 */
#ifndef WASMCTL_TESTS_HTTP_SERVER_H
#define WASMCTL_TESTS_HTTP_SERVER_H

#include "base/loop.h"

struct http_server;
struct http_conn;

struct http_request {
    const char *method, *target; /* target with the query */
    const char *head;            /* all header lines, each ended by \r\n */
    const char *body;
    unsigned number; /* counted from 1 over the whole server */
};

/* The connection may be answered now or later, as long as it is open. */
typedef void (*http_handler)(void *arg, struct http_conn *c, const struct http_request *r);

struct http_server *http_server_new(struct loop *l, http_handler fn, void *arg);
void http_server_free(struct http_server *s);
int http_server_port(const struct http_server *s);
/* "http://127.0.0.1:PORT"; borrowed. */
const char *http_server_url(const struct http_server *s);
unsigned http_server_requests(const struct http_server *s);
unsigned http_server_accepted(const struct http_server *s); /* connections, ever */
unsigned http_server_open(const struct http_server *s);     /* connections, now */

/* A whole answer. headers: "A: b\r\n..." or NULL. */
void http_answer(struct http_conn *c, int status, const char *headers, const char *body);
void http_answer_bytes(struct http_conn *c, int status, const char *headers, const char *body, size_t len);
/* As it stands, for answers in pieces and for broken ones. */
void http_send(struct http_conn *c, const char *text);
void http_close(struct http_conn *c);

/* Value of a header of the request, NULL when absent; caller frees. */
char *http_header(const struct http_request *r, const char *name);

#endif
