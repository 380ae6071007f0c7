/* A folder of its own for a test program, removed at its end. */
#ifndef WASMCTL_TESTS_UNIT_DEV_SCRATCH_H
#define WASMCTL_TESTS_UNIT_DEV_SCRATCH_H

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

static char scratch[64];

static inline int scratch_make(void **state _unused_)
{
    static const char pattern[] = "/tmp/wasmctl-test-XXXXXX";

    memcpy(scratch, pattern, sizeof(pattern));
    return mkdtemp(scratch) ? setenv("XDG_STATE_HOME", scratch, 1) : -1;
}

static inline int scratch_remove(void **state _unused_)
{
    return file_remove_tree(scratch, NULL);
}

static inline char *scratch_path(const char *name)
{
    return xasprintf("%s/%s", scratch, name);
}

static inline void scratch_write(const char *path, const char *text)
{
    if (file_write(path, text, strlen(text), 0600, NULL) < 0)
        abort();
}

#endif
