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
    TAIL_OUTPUT_PRETTY,  /* as default; messages of structured logs as level, text, key=value: tail/readable.h
                          */
};
extern const char *const tail_output_choices[]; /* "default", "raw", "json", "ndjson", "pretty", NULL */

enum tail_times { TAIL_TIMES_NONE, TAIL_TIMES_DEFAULT, TAIL_TIMES_SHORT };

/* A line for options.render. */
struct tail_render {
    const struct tail_info *info;
    const struct tail_line *line;
    const char *timestamp;                     /* as `times` says; "" for none */
    const char *pod_colour, *container_colour; /* parameters of SGR */
    cJSON **cache; /* the renderer's, for this source; freed with cJSON_Delete() */
};

struct tail_format_options {
    enum tail_output output;
    enum tail_times times;      /* default: RFC 3339 with nine digits; short: month-day hour:minute:second */
    bool colour;                /* and control characters made visible: it goes to a terminal */
    bool contexts;              /* name the context */
    bool namespaces;            /* name the namespace */
    bool by_container;          /* a colour for each container, not each pod */
    struct tail_filter *filter; /* for what stands out; borrowed, may be NULL */
    char *const *fields; /* of PRETTY: those that are shown of JSON, in this order; NULL = all; borrowed */
    /* Colours of Pods in place of the built-in ones, and of their containers (as many, or NULL for the same):
     * parameters of SGR ("36", "1;38;5;208"); NULL-ended, borrowed. */
    char *const *pod_colours, *const *container_colours;
    /* Gives the line its form in place of `output`, with its end; lines that are not the source's are shown
     * as usual. When it fails the message is shown as it is. May be NULL. */
    int (*render)(void *arg, const struct tail_render *what, struct buf *out, struct err **err);
    void (*render_failed)(void *arg, const struct tail_info *info, const struct err *err);
    void *render_arg;
};

struct tail_format;
/* Times are local times of the process (TZ). */
struct tail_format *tail_format_new(const struct tail_format_options *options);
void tail_format_free(struct tail_format *f);
DEFINE_CLEANUP(struct tail_format *, tail_format_free)

struct tail_style;
/* info is borrowed and must outlive the style. siblings: a number of the source among its like (replicas of
 * one workload), so that they differ in colour.
 */
struct tail_style *tail_style_new(const struct tail_format *f, const struct tail_info *info,
                                  unsigned siblings);
void tail_style_free(struct tail_style *s);

/* Appends the line with its end. Lines flagged TAIL_GAP or TAIL_NOTICE are told in a way that cannot be taken
 * for one of the source. */
void tail_format_line(struct tail_format *f, struct buf *out, struct tail_style *style,
                      const struct tail_line *line);

#endif
