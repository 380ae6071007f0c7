/*
 * One error object for the whole program.
 *
 * A function that can fail returns 0 or a negative code of ERR_CODES and takes `struct err **err` last. On
 * failure it fills *err (if err is not NULL) with a new object that the caller owns; on success *err is left
 * alone. *err must be NULL on entry. Callers add context with err_wrap() on the way up. Outputs (`ret_*`) are
 * untouched on failure.
 *
 * A message says what was tried on what, what came back, and where it helps what to do. It has no final
 * period and no newline, and starts in lower case.
 */
#ifndef WASMCTL_BASE_ERR_H
#define WASMCTL_BASE_ERR_H

#include <stdarg.h>
#include "base/cleanup.h"

/* name, text for people */
#define ERR_CODES(X)                                                                                         \
    X(INVALID, "invalid input")                                                                              \
    X(NOT_FOUND, "not found")                                                                                \
    X(ALREADY_EXISTS, "already exists")                                                                      \
    X(CONFLICT, "conflict")                                                                                  \
    X(GONE, "gone")                                                                                          \
    X(FORBIDDEN, "forbidden")                                                                                \
    X(UNAUTHORIZED, "unauthorized")                                                                          \
    X(TIMEOUT, "timed out")                                                                                  \
    X(UNAVAILABLE, "unavailable")                                                                            \
    X(UNSUPPORTED, "unsupported")                                                                            \
    X(TOO_LARGE, "too large")                                                                                \
    X(THROTTLED, "too many requests")                                                                        \
    X(PROTOCOL, "unexpected answer")                                                                         \
    X(CANCELLED, "cancelled")                                                                                \
    X(IO, "input/output error")                                                                              \
    X(SERVER, "server error")                                                                                \
    X(FAILED, "failed")

enum err_index {
#define X(name, text) ERR_INDEX_##name,
    ERR_CODES(X)
#undef X
};
enum err_code {
#define X(name, text) ERR_##name = -1 - (int)ERR_INDEX_##name,
    ERR_CODES(X)
#undef X
};

struct err {
    int code;      /* one of enum err_code */
    int os;        /* errno of the failed call, 0 if there was none */
    int http;      /* HTTP status, 0 if there was none */
    char *reason;  /* Kubernetes Status reason ("NotFound"), or NULL */
    char *message; /* never NULL */
    char *details; /* the raw Status object as JSON, or NULL */
    long retry_ms; /* Retry-After in milliseconds, 0 if the server named none */
};

/* All return `code`, so that `return err_set(err, ERR_INVALID, ...)` works. err may be NULL: then nothing is
 * stored. */
int err_set(struct err **err, int code, const char *fmt, ...) _printf_(3, 4);
int err_setv(struct err **err, int code, const char *fmt, va_list ap) _printf_(3, 0);
/* As err_set, with ": <strerror(os)>" appended; picks NOT_FOUND/FORBIDDEN/IO... from os. Returns that code.
 */
int err_set_os(struct err **err, int os, const char *fmt, ...) _printf_(3, 4);
/* Puts "<context>: " in front of the message. Returns the code of *err. Does nothing when err or *err is
 * NULL. */
int err_wrap(struct err **err, const char *fmt, ...) _printf_(2, 3);
/* Moves src into *dst (frees src when dst is NULL). Returns its code, 0 for NULL. */
int err_move(struct err **dst, struct err *src);
struct err *err_copy(const struct err *e);
void err_free(struct err *e);
DEFINE_CLEANUP(struct err *, err_free)
#define _cleanup_err_ _cleanup_(err_freep)

/* "NOT_FOUND", for logs. */
const char *err_code_name(int code);
/* Text of a code for people; "unknown error" for a number outside the list. */
const char *err_code_text(int code);
/* The message, or the code's text when e is NULL. Never NULL. */
const char *err_text(const struct err *e);

#endif
