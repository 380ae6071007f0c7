#include "print/colour.h"

#include <stdlib.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/str.h"

const char *const print_colour_choices[] = {"auto", "always", "never", NULL};

bool print_colour_wanted(enum print_colour mode, bool terminal)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

    if (mode != PRINT_COLOUR_AUTO)
        return mode == PRINT_COLOUR_ALWAYS;
    return terminal && !no_color && !str_empty(term) && !streq(term, "dumb");
}

const char *print_colour_of(const char *column, const char *text)
{
    /* Columns whose True is good news; that of "Cordoned" is not. */
    static const char *const conditions[] = {"Ready", "Available", "Established", "Connected", "Healthy"};
    static const struct {
        const char *text, *start;
    } colours[] = {{"True", "\033[32m"}, {"False", "\033[31m"}, {"Unknown", "\033[33m"}};

    for (size_t i = 0; i < ARRAY_LEN(conditions); i++) {
        if (strcasecmp(column, conditions[i]) != 0)
            continue;
        for (size_t k = 0; k < ARRAY_LEN(colours); k++)
            if (streq(text, colours[k].text))
                return colours[k].start;
    }
    return NULL;
}
