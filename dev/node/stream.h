/*
 * One request for a log (GET /containerLogs/NAMESPACE/POD/CONTAINER) with the meaning the kubelet gives it:
 * parameters of v1.PodLogOptions; tailLines counts lines of the file written now; sinceTime compares
 * nanoseconds; limitBytes cuts in the middle of a line; following ends when the container has ended.
 *
 * What is to go wrong with it says fault.h.
 */
#ifndef WASMCTL_DEV_NODE_STREAM_H
#define WASMCTL_DEV_NODE_STREAM_H

#include "base/loop.h"
#include "dev/node/fault.h"
#include "dev/node/http.h"
#include "dev/node/log.h"

struct dev_stream_request {
    bool follow, timestamps, previous;
    bool without_stdout, without_stderr;
    int64_t tail;     /* < 0: all */
    int64_t since_ns; /* 0: all */
    int64_t limit;    /* bytes; < 0: none */
};
/* A query as the API server sends it. Failing, *ret_status is the HTTP status the kubelet gives. */
int dev_stream_parse(const char *query, int64_t now_ns, struct dev_stream_request *ret, int *ret_status,
                     struct err **err);

/* All streams of a node. */
struct dev_streams {
    struct loop *loop;
    struct dev_faults faults;
    VEC(struct dev_stream *) list;
    uint64_t opened, lines, bytes;
};
void dev_streams_init(struct dev_streams *s, struct loop *l);
void dev_streams_release(struct dev_streams *s);

/* Answers the exchange; `name` is the pod's, for faults. */
void dev_stream_start(struct dev_streams *s, const char *name, struct dev_log *log,
                      const struct dev_stream_request *request, struct dev_exchange *x);
void dev_stream_wake(struct dev_stream *s);
/* Ends the answer. */
void dev_stream_end(struct dev_stream *s);

/* A fault that was added concerns running streams too; one that is removed lets them go on. */
int64_t dev_streams_add_fault(struct dev_streams *s, struct dev_fault *fault);
void dev_streams_drop_faults(struct dev_streams *s, int64_t id);
/* [{"pod", "lines", "bytes", "stalled"}] */
cJSON *dev_streams_json(const struct dev_streams *s);

#endif
