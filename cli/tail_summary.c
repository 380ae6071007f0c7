/* What is told at the end of a run. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/tail.h"

/* "1234567" as "1,234,567". */
static const char *grouped(uint64_t n, char out[32])
{
    char digits[24];
    size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;

    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

static void tell(const struct tail_engine_stats *s)
{
    char a[32], b[32], c[32];

    fprintf(stderr, "%s lines (%s bytes), %s shown", grouped(s->lines, a), grouped(s->bytes, b),
            grouped(s->shown, c));
    if (s->gaps)
        fprintf(stderr, ", %s gaps", grouped(s->gaps, a));
    if (s->late)
        fprintf(stderr, ", %s late", grouped(s->late, a));
    fprintf(stderr, ", %zu container%s still followed", s->sources, s->sources == 1 ? "" : "s");
}

void tail_summary(const struct tail_engine *e)
{
    struct tail_engine_stats all = tail_engine_stats(e);
    struct tail_context_stats one;
    bool several = tail_engine_context(e, 1, &one);

    tell(&all);
    if (!several && tail_engine_context(e, 0, &one) && one.silent)
        fprintf(stderr, ", %zu of them silent", one.silent);
    fputc('\n', stderr);
    for (size_t i = 0; several && tail_engine_context(e, i, &one); i++) {
        fprintf(stderr, "  %s: ", one.context);
        tell(&one.stats);
        if (one.silent)
            fprintf(stderr, ", %zu of them silent", one.silent);
        fputc('\n', stderr);
    }
}
