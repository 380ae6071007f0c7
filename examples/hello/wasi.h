/*
 * The few WASI 0.2 functions an HTTP component in C needs, declared by hand: small enough to read, and no
 * generator is needed to build. The names and types are those of the WIT packages wasi:http, wasi:io and
 * wasi:config; arguments are passed as the component model's canonical ABI says (a string is a pointer and a
 * length, a result that does not fit one value is written to memory that the caller gives). The versions in
 * the names of wasi.c must be those of wit/.
 */
#ifndef WASMCTL_EXAMPLES_HELLO_WASI_H
#define WASMCTL_EXAMPLES_HELLO_WASI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WASI_EXPORT(name) __attribute__((export_name(name)))

/* Handles of resources that the host owns. */
typedef int32_t wasi_request;
typedef int32_t wasi_response_out;

/* Not ended by a NUL. */
struct wasi_string {
    const char *text;
    size_t len;
};

/* "GET", "POST", ... */
struct wasi_string wasi_request_method(wasi_request request);
/* Path with query, "/" if the request has none. */
struct wasi_string wasi_request_path(wasi_request request);
void wasi_request_drop(wasi_request request);
/* Answers the request; may be called once. What the client does not wait for is dropped. */
void wasi_respond(wasi_response_out out, int status, const char *content_type, const char *body, size_t len);
/* False when the key is not set or the configuration cannot be read. */
bool wasi_config_get(const char *key, struct wasi_string *ret);

#endif
