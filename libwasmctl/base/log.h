/*
 * Leveled logging to stderr for the long-running programs: one line a message, text or JSON, with keys.
 * Library code logs at LOG_DEBUG only. Thread-safe (one write a line).
 *
 *   log_info("host lost", "host", id, "lattice", name, NULL);
 *
 * Keys and values are strings, ended by NULL; a NULL value is printed as "". Values of keys named "token",
 * "password", "authorization" or "secret" are replaced by "<redacted>".
 */
#ifndef WASMCTL_BASE_LOG_H
#define WASMCTL_BASE_LOG_H

#include <stdbool.h>
#include "base/cleanup.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };
enum log_format { LOG_TEXT, LOG_JSON };

/* Default: LOG_WARN, text. */
void log_setup(enum log_level max, enum log_format format);
bool log_enabled(enum log_level level);
/* "error", "warn", "info", "debug", "trace" -> level; -1 for other words. */
int log_level_parse(const char *s);

void log_kv(enum log_level level, const char *message, ...) __attribute__((sentinel));
#define log_error(...) log_kv(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_kv(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_kv(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                                                                       \
    do {                                                                                                     \
        if (log_enabled(LOG_DEBUG))                                                                          \
            log_kv(LOG_DEBUG, __VA_ARGS__);                                                                  \
    } while (0)
#define log_trace(...)                                                                                       \
    do {                                                                                                     \
        if (log_enabled(LOG_TRACE))                                                                          \
            log_kv(LOG_TRACE, __VA_ARGS__);                                                                  \
    } while (0)

#endif
