/*
 * JSON values and strings as Go's fmt and strconv packages write them: what kubectl's templates print.
 *
 * Numbers: whole ones are integers ("3"), others the shortest text that reads back as the same number
 * ("1.5", "1e+21"). Composite values: map[a:1 b:[x y]] with the keys sorted, null is <nil>.
 */
#ifndef WASMCTL_DATA_GOTEXT_H
#define WASMCTL_DATA_GOTEXT_H

#include "data/json.h"

/* Appends the value as %v does. NULL counts as null. */
void gotext_value(struct buf *out, const cJSON *v);
/* "map[string]interface {}", "[]interface {}", "string", "int64", "float64", "bool", "<nil>". */
const char *gotext_type(const cJSON *v);
/* A whole number that Go would have read as an integer. */
bool gotext_is_int(const cJSON *v);

/* Appends the text in double quotes with Go's escapes, as %q does. */
void gotext_quote(struct buf *out, const char *text, size_t len);
/* Appends one character as %#U does: "U+007C '|'". Control characters have no second part. */
void gotext_rune(struct buf *out, uint32_t cp);
/* Appends what stands between the quotes of a Go literal, its escapes replaced (the text may hold NUL
 * characters then). quote: the kind of quotes around it; the other kind may not be escaped. ERR_INVALID:
 * "invalid syntax". */
int gotext_unquote(struct buf *out, const char *text, size_t len, char quote, struct err **err);

#endif
