/* Whether a line names something: an id of a component, an image. */
#ifndef WASMCTL_TAIL_NAMES_H
#define WASMCTL_TAIL_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* The name stands in the text as a whole: "ns_web" is not named by "ns_web-2" nor by "ns_web.admin", but is
 * by "component ns_web." */
bool tail_names(const char *name, const char *text, size_t len);
bool tail_names_any(char *const *names, const char *text, size_t len);

#endif
