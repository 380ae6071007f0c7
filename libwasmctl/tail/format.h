/*
 * How a line looks: who says it, when, and what. The parts that are the same for every line of a source are
 * made once a source (tail_style).
 */
#ifndef WASMCTL_TAIL_FORMAT_H
#define WASMCTL_TAIL_FORMAT_H

#include "base/buf.h"
#include "tail/filter.h"
#include "tail/info.h"
#include "tail/line.h"

enum tail_output {
    TAIL_OUTPUT_DEFAULT, /* [context] [namespace] pod container [time] message */
    TAIL_OUTPUT_RAW,     /* [time] message, byte for byte */
    TAIL_OUTPUT_JSON,    /* one object a line: message, timestamp, context, nodeName, namespace, podName,
                            containerName,    labels, annotations */
    TAIL_OUTPUT_NDJSON,  /* the same */
    TAIL_OUTPUT_PRETTY,  /* as default; a message that is a JSON object is shown as level, text, key=value */
};
extern const char *const tail_output_choices[]; /* "default", "raw", "json", "ndjson", "pretty", NULL */

enum tail_times { TAIL_TIMES_NONE, TAIL_TIMES_DEFAULT, TAIL_TIMES_SHORT };

struct tail_format_options {
    enum tail_output output;
    enum tail_times times;      /* default: RFC 3339 with nine digits; short: month-day hour:minute:second */
    bool colour;                /* and control characters made visible: it goes to a terminal */
    bool contexts;              /* name the context */
    bool namespaces;            /* name the namespace */
    bool by_container;          /* a colour for each container, not each pod */
    struct tail_filter *filter; /* for what stands out; borrowed, may be NULL */
};

struct tail_format;
/* Times are local times of the process (TZ). */
struct tail_format *tail_format_new(const struct tail_format_options *options);
void tail_format_free(struct tail_format *f);
DEFINE_CLEANUP(struct tail_format *, tail_format_free)

struct tail_style;
/* siblings: a number of the source among its like (replicas of one workload), so that they differ in colour.
 */
struct tail_style *tail_style_new(const struct tail_format *f, const struct tail_info *info,
                                  unsigned siblings);
void tail_style_free(struct tail_style *s);

/* Appends the line with its end. Lines flagged TAIL_GAP or TAIL_NOTICE are told in a way that cannot be taken
 * for one of the source. */
void tail_format_line(struct tail_format *f, struct buf *out, const struct tail_style *style,
                      const struct tail_line *line);

#endif
