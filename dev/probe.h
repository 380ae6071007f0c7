/* Asks a program of ours on 127.0.0.1 by HTTP whether it is ready. */
#ifndef WASMCTL_DEV_PROBE_H
#define WASMCTL_DEV_PROBE_H

#include "base/err.h"
#include "base/loop.h"

struct dev_probe;

enum { DEV_PROBE_TIMEOUT_MS = 2000 };

/* err NULL: the answer was 200. Borrowed. Called once, in a later turn of the loop; the probe may be freed in
 * it. */
typedef void (*dev_probe_fn)(void *arg, const struct err *err);

/* One GET on a connection of its own. Never NULL. */
struct dev_probe *dev_probe_new(struct loop *l, int port, const char *path, dev_probe_fn fn, void *arg);
void dev_probe_free(struct dev_probe *p);

#endif
