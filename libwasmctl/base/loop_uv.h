/* For base's own files: the libuv loop behind a struct loop. */
#ifndef WASMCTL_BASE_LOOP_UV_H
#define WASMCTL_BASE_LOOP_UV_H

#include <uv.h>
#include "base/loop.h"

uv_loop_t *loop_uv(struct loop *l);

#endif
