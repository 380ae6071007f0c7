#include "tail/names.h"

#include <ctype.h>
#include <string.h>

static bool is_part(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* Whether what stands there goes on with, or from, a name. A dot at the end of a sentence does not, nor does
 * the last letter of a colour ("\033[3m"). */
static bool goes_on(const char *at, const char *end)
{
    return at < end && (is_part(*at) || (*at == '.' && at + 1 < end && is_part(at[1])));
}

static bool comes_from(const char *at, const char *start)
{
    if (at == start)
        return false;
    if (at[-1] == 'm')
        for (const char *p = at - 1;
             p > start && (isdigit((unsigned char)p[-1]) || p[-1] == ';' || p[-1] == '['); p--)
            if (p[-1] == '[' && p - 1 > start && p[-2] == '\033')
                return false;
    return is_part(at[-1]) || at[-1] == '.';
}

bool tail_names(const char *name, const char *text, size_t len)
{
    const char *end = text + len, *at = text;
    size_t n = strlen(name);

    while (n && (at = memmem(at, (size_t)(end - at), name, n))) {
        if (!comes_from(at, text) && !goes_on(at + n, end))
            return true;
        at++;
    }
    return false;
}

bool tail_names_any(char *const *names, const char *text, size_t len)
{
    for (; names && *names; names++)
        if (tail_names(*names, text, len))
            return true;
    return false;
}
