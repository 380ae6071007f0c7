/*
 * A growing byte buffer with a maximum. data is always NUL-terminated (the NUL is not counted in len) once
 * anything was appended; buf_str() gives "" for an empty one. What is fed from outside uses a max that fits
 * its use.
 */
#ifndef WASMCTL_BASE_BUF_H
#define WASMCTL_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/cleanup.h"

struct buf {
    char *data;
    size_t len, cap;
    size_t max; /* most bytes it may hold; 0 = BUF_DEFAULT_MAX */
};

#define BUF_DEFAULT_MAX ((size_t)1 << 30)
#define BUF_INIT                                                                                             \
    {                                                                                                        \
        0                                                                                                    \
    }
#define BUF_INIT_MAX(m)                                                                                      \
    {                                                                                                        \
        .max = (m)                                                                                           \
    }

void buf_init(struct buf *b, size_t max);
/* Frees the memory; the buffer is empty and usable afterwards, with the same max. */
void buf_release(struct buf *b);
#define _cleanup_buf_ _cleanup_(buf_release)

/* Append. All return 0, or ERR_TOO_LARGE (and leave the buffer as it was) when max would be passed. Callers
 * that build text of their own with no outside input may ignore the result: BUF_DEFAULT_MAX is then the only
 * limit. */
int buf_add(struct buf *b, const void *data, size_t len);
int buf_adds(struct buf *b, const char *s);
int buf_addc(struct buf *b, char c);
int buf_addf(struct buf *b, const char *fmt, ...) _printf_(2, 3);
int buf_vaddf(struct buf *b, const char *fmt, va_list ap) _printf_(2, 0);
int buf_fill(struct buf *b, char c, size_t n);

/* Drops the first n bytes (all if n > len). */
void buf_consume(struct buf *b, size_t n);
void buf_truncate(struct buf *b, size_t len);
const char *buf_str(const struct buf *b);
/* Gives the string away (never NULL); the buffer is empty afterwards. */
char *buf_take(struct buf *b);

#endif
