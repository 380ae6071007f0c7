/* Clocks and the time formats Kubernetes uses. */
#ifndef WASMCTL_BASE_TIMEFMT_H
#define WASMCTL_BASE_TIMEFMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/* Wall clock, nanoseconds since 1970. Can be pinned for golden tests with time_pin(). */
int64_t time_now_ns(void);
void time_pin(int64_t ns); /* 0 = the real clock again */
/* Monotonic clock, milliseconds. */
int64_t time_mono_ms(void);
int64_t time_mono_ns(void);

enum { TIME_RFC3339_LEN = 40 };
/* UTC, digits = 0, 3, 6 or 9 fractional digits: "2026-01-02T03:04:05.678Z". */
const char *time_rfc3339(int64_t ns, int digits, char out[TIME_RFC3339_LEN]);
/* RFC 3339 with any number of fractional digits and any offset, of the years 1900 to 2190: the difference of any two
 * that it accepts, or of one and the present, fits int64_t. 0, or ERR_INVALID. */
int time_parse_rfc3339(const char *s, int64_t *ret_ns, struct err **err);

/* Go-style durations: "500ms", "3s", "1h30m", "0". Up to 100 years. Nanoseconds. ERR_INVALID names the text.
 */
int time_parse_duration(const char *s, int64_t *ret_ns, struct err **err);

/* kubectl's age: "5s", "3m20s", "47h", "5d3h", "340d", "2y10d". */
enum { TIME_AGE_LEN = 24 };
const char *time_age(int64_t ns, char out[TIME_AGE_LEN]);

#endif
