/*
 * A small HTTP/1.1 server on the loop, over TLS with client certificates or in the clear, for answers that
 * are streams of their own making: sent as they come, held back when the reader is slow, cut in the middle.
 *
 * Only what the stand-in node needs: requests without body, answers whole or in chunks, connections kept.
 * Limits: 16 KiB of request head, 4096 connections, 30 s for a handshake and for a request's head.
 */
#ifndef WASMCTL_DEV_NODE_HTTP_H
#define WASMCTL_DEV_NODE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/loop.h"

struct dev_http;
/* A request that is being answered. Lives until its answer has ended and, for a chunked one, until `gone`. */
struct dev_exchange;

typedef void (*dev_http_fn)(void *arg, struct dev_exchange *x);

struct dev_http_options {
    const char *address; /* NULL = 127.0.0.1 */
    int port;            /* 0 = a free one */
    /* PEM texts; cert NULL: in the clear. */
    const char *cert, *key;
    const char *client_ca;   /* clients must show a certificate of it; NULL = anybody may ask */
    const char *client_name; /* common name it must bear, else 403; NULL = any */
    dev_http_fn request;     /* must begin an answer, now or later */
    void *arg;
};
int dev_http_new(struct loop *l, const struct dev_http_options *o, struct dev_http **ret, struct err **err);
void dev_http_free(struct dev_http *s); /* cuts all connections, calling `gone` */
int dev_http_port(const struct dev_http *s);

const char *dev_exchange_method(const struct dev_exchange *x);
const char *dev_exchange_path(const struct dev_exchange *x);  /* as sent, still escaped */
const char *dev_exchange_query(const struct dev_exchange *x); /* "" when there is none */

/* A value of a query ("a=b&c=d"), unescaped; NULL when absent. Caller frees. */
char *dev_query_get(const char *query, const char *key);
/* Percent-decoding; NULL when it is malformed or holds a NUL. Caller frees. */
char *dev_url_decode(const char *text, size_t len, bool plus_is_blank);

/* The whole answer; the exchange is over. */
void dev_exchange_reply(struct dev_exchange *x, int status, const char *type, const char *body, size_t len);

/* A chunked answer: begin, any number of writes, end (or cut: the connection breaks without an end). `room`
 * runs when all that was written has been sent; `gone` runs once, when the connection ended before the answer
 * did: the exchange is then over. They are not called from within the calls below, which all leave the
 * exchange alive but end() and cut(). dev_exchange_watch() may be called before the answer begins. */
void dev_exchange_watch(struct dev_exchange *x, void (*room)(void *arg), void (*gone)(void *arg), void *arg);
void dev_exchange_begin(struct dev_exchange *x, int status, const char *type);
void dev_exchange_write(struct dev_exchange *x, const void *data, size_t len);
size_t dev_exchange_pending(const struct dev_exchange *x); /* bytes not taken by the system yet */
void dev_exchange_end(struct dev_exchange *x);
/* With what was written sent first, as far as the system takes it at once. Also before begin(). */
void dev_exchange_cut(struct dev_exchange *x);

#endif
