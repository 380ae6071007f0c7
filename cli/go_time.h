/* Times in the layouts of Go ("2006-01-02T15:04:05.000Z07:00"), for templates. Source: the documentation of
 * Go's package time. */
#ifndef WASMCTL_CLI_GO_TIME_H
#define WASMCTL_CLI_GO_TIME_H

#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

#define GO_TIME_RFC3339_NANO "2006-01-02T15:04:05.999999999Z07:00"
#define GO_TIME_STRING       "2006-01-02 15:04:05.999999999 -0700 MST" /* as Go prints a time */

struct go_time {
    int64_t ns; /* since 1970 */
    int offset; /* of its zone, seconds east of UTC */
    char zone[16];
};

/* RFC 3339, as Go prints times, or seconds since 1970 with a fraction ("1700000000.25"; in the zone of the
 * process). ERR_INVALID names the text. */
int go_time_parse(const char *text, struct go_time *ret, struct err **err);
/* In another zone: "" and "UTC", "Local", or a name like Europe/Paris. ERR_INVALID: there is none of this
 * name. */
int go_time_in(struct go_time *t, const char *zone, struct err **err);
void go_time_format(const struct go_time *t, const char *layout, struct buf *out);

#endif
