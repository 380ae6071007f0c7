/* Colour on a terminal: which parts of a table stand out, and whether they may. Restrained: headers are bold,
 * conditions that hold are green, those that do not are red; all else is plain. */
#ifndef WASMCTL_PRINT_COLOUR_H
#define WASMCTL_PRINT_COLOUR_H

#include <stdbool.h>

enum print_colour { PRINT_COLOUR_AUTO, PRINT_COLOUR_ALWAYS, PRINT_COLOUR_NEVER };
extern const char *const print_colour_choices[]; /* "auto", "always", "never", NULL */

/* auto: only on a terminal that can (TERM is not dumb), and not when NO_COLOR is set to anything. */
bool print_colour_wanted(enum print_colour mode, bool terminal);

#define PRINT_COLOUR_HEADER "\033[1m"
#define PRINT_COLOUR_END    "\033[0m"
/* What a cell of this column begins with, NULL = plain. */
const char *print_colour_of(const char *column, const char *text);

#endif
