/* Small string helpers. */
#ifndef WASMCTL_BASE_STR_H
#define WASMCTL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/cleanup.h"

static inline bool streq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* NULL equals NULL only. */
static inline bool streq_null(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static inline bool str_empty(const char *s)
{
    return !s || !*s;
}

/* Copy with ASCII letters in lower case; caller frees. */
char *str_lower(const char *s);
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Whole string as a decimal number within [min, max]; false otherwise (also for blanks and signs like "+1").
 */
bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret);

/* NULL-ended list of owned strings. */
char **strv_new(void);
size_t strv_len(char *const *v);
/* Appends a copy. *v may be NULL. */
void strv_push(char ***v, const char *s);
void strv_free(char **v);
DEFINE_CLEANUP(char **, strv_free)
#define _cleanup_strv_ _cleanup_(strv_freep)
char **strv_copy(char *const *v);
bool strv_has(char *const *v, const char *s);
/* Splits at every sep; empty parts are dropped unless keep_empty. */
char **strv_split(const char *s, char sep, bool keep_empty);
char *strv_join(char *const *v, const char *sep);
/* The candidate closest to s by edit distance (at most a third of its length away), or NULL: "did you mean".
 */
const char *str_suggest(const char *s, const char *const *candidates);

/* Bytes of the UTF-8 sequence at s and its code point; 0 when it is not valid (overlong, a surrogate, cut
 * off). s must not be at its end. */
size_t str_utf8_next(const char *s, uint32_t *ret_cp);
/* Copies with control characters and invalid UTF-8 made visible ("\x1b"), so that no outside text can steer a
 * terminal. keep_newlines leaves '\n' and '\t' alone. */
char *str_escape_control(const char *s, bool keep_newlines);
/* Columns a UTF-8 text takes on a terminal (wide = 2, combining = 0). */
size_t str_width(const char *s);

char *str_base64_encode(const void *data, size_t len);
/* Standard alphabet, white space allowed. 0, or ERR_INVALID. */
int str_base64_decode(const char *s, char **ret_data, size_t *ret_len);
/* FNV-1a 64 bit; stable between runs and machines. */
uint64_t str_hash64(const void *data, size_t len, uint64_t seed);
#define STR_HASH64_INIT UINT64_C(14695981039346656037)

#endif
