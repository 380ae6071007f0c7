/*
 * What is read of JetStream and of the server's monitoring, as JSON over NATS requests. Pure functions.
 *
 * Sources: nats-server 2.15 (server/jetstream_api.go, server/monitor.go): STREAM.INFO, CONSUMER.LIST, and
 * CONNZ, which every account may ask of its own connections on the subject $SYS.REQ.SERVER.PING.CONNZ.
 */
#ifndef WASMCTL_LATTICE_WIRE_JS_H
#define WASMCTL_LATTICE_WIRE_JS_H

#include <stdint.h>
#include "base/err.h"
#include "base/map.h"

/* Answer to STREAM.INFO. ERR_NOT_FOUND: no such stream; ERR_UNAVAILABLE: JetStream says it cannot answer now.
 */
int js_stream_info(const char *data, size_t len, uint64_t *ret_consumers, struct err **err);

/* Answer to STREAM.INFO with a filter of subjects: what follows `prefix` in each; NULL-ended, caller frees
 * with strv_free(). Errors as above. */
int js_stream_subjects(const char *data, size_t len, const char *prefix, char ***ret, struct err **err);

/* One page of CONSUMER.LIST: adds the inbox key of every push consumer whose subscriber is there to `keys`
 * (values NULL). Consumers that read headers only (key listings, which end by themselves) are left out.
 * *ret_seen: consumers on this page; *ret_total: of the stream. Errors as above. */
int js_consumers(const char *data, size_t len, struct map *keys, uint64_t *ret_seen, uint64_t *ret_total,
                 struct err **err);

/* What one process's inboxes have in common: "_INBOX." and the part of its unique names that stays. NULL for
 * what is no inbox; caller frees. */
char *js_inbox_key(const char *subject);

/* One answer of CONNZ. For each client connection that subscribes to `prefix`.host.*.<host id>: fn with the
 * host id and the inbox keys of the connection (NULL-ended, borrowed). Answers that cannot be read are
 * ERR_PROTOCOL. */
typedef void (*js_connection_fn)(void *arg, const char *host, char *const *inbox_keys);
int js_connections(const char *data, size_t len, const char *prefix, js_connection_fn fn, void *arg,
                   struct err **err);

#endif
