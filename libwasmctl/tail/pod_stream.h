/*
 * The log of one container of a Pod: every line once, in the order of the log, whatever becomes of the
 * connection. Source: GET /api/v1/namespaces/{ns}/pods/{pod}/log of the Kubernetes API with timestamps=true.
 *
 * In follow mode a stream that ends or breaks is opened again where it broke off (tail/resume.h): with a
 * clean end too, as kubelets end streams when they rotate a log and proxies when they feel like it, until the
 * owner says that the container has ended. Lines that were rotated away meanwhile are told by one line
 * flagged TAIL_GAP. But a stream that is opened again may be that of the next run of the container, of which
 * the owner has not heard yet: when the lines do not fit on, the owner is told (TAIL_STREAM_DOUBT) and has
 * two seconds to say that the container was restarted before the gap is believed. Without follow a broken
 * stream is tried again a few times.
 *
 * Tries are 100 ms apart at first, 5 s at most; a line that arrives starts that anew.
 */
#ifndef WASMCTL_TAIL_POD_STREAM_H
#define WASMCTL_TAIL_POD_STREAM_H

#include "kube/client.h"
#include "tail/line.h"

struct tail_pod_stream;

enum tail_stream_state {
    TAIL_STREAM_OPENED,
    TAIL_STREAM_AWAY,  /* will be tried again; err tells why, NULL for a clean end */
    TAIL_STREAM_DOUBT, /* is this still the same run of the container? Away meanwhile */
    TAIL_STREAM_ENDED, /* for good; err NULL: all was read. The stream may be freed, also in the call */
};

struct tail_pod_stream_options {
    struct kube_client *client;
    const char *namespace, *pod, *container; /* copied */
    bool follow, previous;
    bool watched;        /* the owner sees the Pod go (tail_pod_stream_orphan()): until then 404 is not the end */
    int64_t since_ns;    /* wall clock; 0 = from the beginning; exact to the nanosecond */
    int64_t tail_lines;  /* < 0 = all */
    int64_t limit_bytes; /* 0 = none */
    size_t line_most;    /* bytes of a line, 0 = TAIL_LINE_MOST */
    /* The text is valid during the call; the stream must not be freed in it. Returns false when the owner has
     * its hands full: the stream pauses (what has arrived still comes) until tail_pod_stream_more(). */
    bool (*line)(void *arg, const struct tail_line *line);
    void (*state)(void *arg, enum tail_stream_state state, const struct err *err);
    void *arg;
};

/* Never NULL; nothing is called before the next turn of the loop. */
struct tail_pod_stream *tail_pod_stream_new(const struct tail_pod_stream_options *options);
void tail_pod_stream_free(struct tail_pod_stream *s);
/* There is room again. */
void tail_pod_stream_more(struct tail_pod_stream *s);
/* The container has ended; restarted: another instance of it runs, or ran, since. What is left of its log is
 * read to the end, which is the end of the stream. */
void tail_pod_stream_container_ended(struct tail_pod_stream *s, bool restarted);
/* The container has ended, and under its name there is, or may soon be, the log of something else: a Pod of the
 * same name, or the run after the next one. Of what is opened from now on only that is taken which goes on
 * where the log broke off; when there is none, the stream ends. */
void tail_pod_stream_orphan(struct tail_pod_stream *s);
/* Something changed for the better (the container runs now): try at once. */
void tail_pod_stream_retry(struct tail_pod_stream *s);

#endif
