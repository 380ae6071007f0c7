/* Which lines are shown, and what stands out in them: PCRE2 patterns, compiled once (JIT). */
#ifndef WASMCTL_TAIL_FILTER_H
#define WASMCTL_TAIL_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

struct tail_filter;

struct tail_filter_options {
    char *const *include;   /* any of them must match; NULL or empty = all lines */
    char *const *exclude;   /* none of them may; goes before include */
    char *const *highlight; /* stands out, and so does what include matches */
    bool ignore_case;
};

struct tail_span {
    size_t from, to;
};

/* ERR_INVALID names the option, the pattern, where it is wrong and why. */
int tail_filter_new(const struct tail_filter_options *options, struct tail_filter **ret, struct err **err);
void tail_filter_free(struct tail_filter *f);
DEFINE_CLEANUP(struct tail_filter *, tail_filter_free)

/* Whether the line is shown. A pattern that gives up (catastrophic backtracking) does not match. */
bool tail_filter_passes(struct tail_filter *f, const char *text, size_t len);
/* What stands out: at most `most` spans, in order, none empty, none overlapping. */
size_t tail_filter_spans(struct tail_filter *f, const char *text, size_t len, struct tail_span *spans,
                         size_t most);
bool tail_filter_highlights(const struct tail_filter *f);

/* One pattern of the same kind, for names of pods and containers. */
struct tail_pattern;
int tail_pattern_new(const char *pattern, const char *what, struct tail_pattern **ret, struct err **err);
void tail_pattern_free(struct tail_pattern *p);
bool tail_pattern_matches(struct tail_pattern *p, const char *text);

#endif
