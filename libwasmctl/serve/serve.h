/* Small HTTP server for /metrics, /healthz and /readyz over libmicrohttpd (external event loop: no threads).
 */
#ifndef WASMCTL_SERVE_SERVE_H
#define WASMCTL_SERVE_SERVE_H

#include "base/buf.h"
#include "base/loop.h"

struct serve;

/* Fills body and returns the HTTP status. Must not free the server. content_type may be set to a static
 * string (default text/plain). */
typedef int (*serve_fn)(void *arg, struct buf *body, const char **content_type);

/* address: "127.0.0.1:8081", ":8081" (all addresses, IPv4 and IPv6), "[::1]:0" (0 = a free port).
 * ERR_INVALID, ERR_UNAVAILABLE. */
int serve_new(struct loop *l, const char *address, struct serve **ret, struct err **err);
void serve_route(struct serve *s, const char *path, serve_fn fn,
                 void *arg); /* GET and HEAD; path is copied */
int serve_port(const struct serve *s);
void serve_free(struct serve *s);

#endif
