/* Files: whole reads with a limit, atomic writes, folders. */
#ifndef WASMCTL_BASE_FILE_H
#define WASMCTL_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>
#include "base/err.h"

/* Reads a whole file (or, for "-", stdin) of at most max bytes. *ret_data is NUL-terminated. ERR_TOO_LARGE
 * names the limit. ret_len may be NULL. */
int file_read(const char *path, size_t max, char **ret_data, size_t *ret_len, struct err **err);
/* Writes to a temporary file beside it, fsync, rename: a reader sees the old or the new content, a full disk
 * leaves the old one. */
int file_write(const char *path, const void *data, size_t len, mode_t mode, struct err **err);
/* mkdir -p. */
int file_mkdirs(const char *path, mode_t mode, struct err **err);
/* Removes a folder with all that is in it; absent is success. Never follows links. */
int file_remove_tree(const char *path, struct err **err);
/* $XDG_STATE_HOME/wasmctl (default ~/.local/state/wasmctl), $XDG_CACHE_HOME/wasmctl,
 * $XDG_CONFIG_HOME/wasmctl. Owned string; "/tmp/wasmctl-<uid>" when there is no home. */
char *file_state_dir(void);
char *file_cache_dir(void);
char *file_config_dir(void);

#endif
