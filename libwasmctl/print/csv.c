#include "print/csv.h"

#include "base/str.h"

void print_csv_field(struct buf *out, const char *text, bool first)
{
    _cleanup_free_ char *shown = str_escape_control(text, true);

    if (!first)
        buf_addc(out, ',');
    if (!strpbrk(shown, ",\"\n") && !str_starts(shown, " ") && !str_ends(shown, " ")) {
        buf_adds(out, shown);
        return;
    }
    buf_addc(out, '"');
    for (const char *p = shown; *p; p++) {
        if (*p == '"')
            buf_addc(out, '"');
        buf_addc(out, *p);
    }
    buf_addc(out, '"');
}

void print_csv_end(struct buf *out)
{
    buf_adds(out, "\r\n");
}
