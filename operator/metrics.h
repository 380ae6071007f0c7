/* /metrics of the operator. */
#ifndef WASMCTL_OPERATOR_METRICS_H
#define WASMCTL_OPERATOR_METRICS_H

#include "base/buf.h"

/* A serve_fn; arg is the struct op. */
int op_metrics_serve(void *arg, struct buf *body, const char **content_type);

#endif
