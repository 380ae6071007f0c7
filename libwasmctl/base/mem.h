/* Allocation that never returns NULL: out of memory aborts. What comes back is freed with free(). */
#ifndef WASMCTL_BASE_MEM_H
#define WASMCTL_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include "base/cleanup.h"

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
/* realloc(p, n * size) with the product checked. */
void *xreallocarray(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
void *xmemdup(const void *p, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull, nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
/* NULL for NULL. */
char *xstrdup_null(const char *s);
char *xasprintf(const char *fmt, ...) _printf_(1, 2) __attribute__((malloc, returns_nonnull));
char *xvasprintf(const char *fmt, va_list ap) _printf_(1, 0) __attribute__((malloc, returns_nonnull));
/* Replaces *p by a copy of s (NULL allowed), freeing the old string. */
void xstr_replace(char **p, const char *s);

/* Called before abort() when memory runs out; the terminal program restores the screen with it. */
void mem_set_abort_hook(void (*hook)(void));

/* Growing typed array: VEC(char *) names = {0}; vec_push(&names, p); free(names.items). */
#define VEC(type)                                                                                            \
    struct {                                                                                                 \
        type *items;                                                                                         \
        size_t len, cap;                                                                                     \
    }

#define vec_push(v, item)                                                                                    \
    do {                                                                                                     \
        if ((v)->len == (v)->cap) {                                                                          \
            (v)->cap = (v)->cap ? (v)->cap * 2 : 8;                                                          \
            (v)->items = xreallocarray((v)->items, (v)->cap, sizeof(*(v)->items));                           \
        }                                                                                                    \
        (v)->items[(v)->len++] = (item);                                                                     \
    } while (0)

/* Removes item i, keeping the order. */
#define vec_remove(v, i)                                                                                     \
    do {                                                                                                     \
        size_t vec_i_ = (i);                                                                                 \
        memmove(&(v)->items[vec_i_], &(v)->items[vec_i_ + 1],                                                \
                ((v)->len - vec_i_ - 1) * sizeof(*(v)->items));                                              \
        (v)->len--;                                                                                          \
    } while (0)

#endif
