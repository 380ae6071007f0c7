/* Scope cleanup: a variable releases what it holds when it goes out of scope; TAKE_PTR hands it over instead.
 */
#ifndef WASMCTL_BASE_CLEANUP_H
#define WASMCTL_BASE_CLEANUP_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f)       __attribute__((cleanup(f)))
#define _printf_(fmt, arg) __attribute__((format(printf, fmt, arg)))
#define _unused_           __attribute__((unused))

/* Gives the pointer away: the variable is NULL afterwards, so its cleanup does nothing. */
#define TAKE_PTR(p)                                                                                          \
    ({                                                                                                       \
        __typeof__(p) take_ptr_ = (p);                                                                       \
        (p) = NULL;                                                                                          \
        take_ptr_;                                                                                           \
    })

/* Defines `name##p`, the cleanup function of a variable of pointer type `type` that is released by `name`. */
#define DEFINE_CLEANUP(type, name)                                                                           \
    static inline void name##p(type *p)                                                                      \
    {                                                                                                        \
        if (*p)                                                                                              \
            name(*p);                                                                                        \
    }

static inline void freep(void *p)
{
    free(*(void **)p);
}

static inline void closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void fclosep(FILE **f)
{
    if (*f)
        fclose(*f);
}

#define _cleanup_free_  _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
