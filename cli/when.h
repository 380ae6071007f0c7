/* Points in time as people write them. */
#ifndef WASMCTL_CLI_WHEN_H
#define WASMCTL_CLI_WHEN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

/*
 * A span ("10m", "1h30m": so long before now, or after it when future), RFC 3339 ("2026-01-02T03:04:05Z"), a
 * local date or time ("2026-01-02", "2026-01-02 15:04:05", "15:04": today, in the zone of the process).
 * ERR_INVALID says what is wanted.
 */
int when_parse(const char *text, bool future, int64_t now_ns, int64_t *ret_ns, struct err **err);

#endif
