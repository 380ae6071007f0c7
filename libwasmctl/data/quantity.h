/* Kubernetes quantities: "64Mi", "1.5G", "200m", "1e3". Source: apimachinery's resource.Quantity. */
#ifndef WASMCTL_DATA_QUANTITY_H
#define WASMCTL_DATA_QUANTITY_H

#include <stdint.h>
#include "base/err.h"

/* Bytes (or whole units), rounded up. ERR_INVALID names the text; negative and past 2^62 are refused. */
int quantity_parse(const char *s, int64_t *ret_value, struct err **err);
enum { QUANTITY_TEXT_LEN = 24 };
/* Largest binary unit with at most one decimal: "96.4Mi". */
const char *quantity_text(int64_t bytes, char out[QUANTITY_TEXT_LEN]);

#endif
