/*
 * Files that spare requests: what a server says about itself (discovery, OpenAPI), one folder a server below
 * kube_client_options.cache_dir: wasmctl-discovery/<host>_<port>-<hash of URL, name and authority>/<name>.
 *
 * A file is `wasmctl-cache 1 <hash of all that follows> <server>\n<tag>\n<body>`, mode 0600 in folders of
 * mode 0700, replaced by rename: any number of processes may read and write at once. What is cut off,
 * changed, of another server, another owner's, writable by others or no file at all is as good as absent.
 * Nothing here fails: without a folder, or with a read-only or full disk, the server is asked each time.
 *
 * Only what every user of the cluster may read belongs here; credentials never come near.
 */
#ifndef WASMCTL_KUBE_DISCOVERY_CACHE_H
#define WASMCTL_KUBE_DISCOVERY_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include "kube/client.h"

enum { KUBE_CACHE_FILE_MOST = 64 * 1024 * 1024, KUBE_CACHE_TAG_MOST = 512 };

struct kube_cache_entry {
    char *tag;  /* ETag or hash of the content, "" if none */
    char *body; /* NUL-terminated */
    size_t len;
    int64_t age_ns; /* since it was written or last found unchanged */
};
void kube_cache_entry_release(struct kube_cache_entry *e);
#define _cleanup_cache_entry_ _cleanup_(kube_cache_entry_release)

/* name: letters, digits, '.', '_' and '-' only; other characters become '_'. */
bool kube_cache_read(const struct kube_client *c, const char *name, struct kube_cache_entry *ret);
/* A tag that does not fit into a line counts as none. */
void kube_cache_write(const struct kube_client *c, const char *name, const char *tag, const char *body,
                      size_t len);
/* The server says that it has not changed: its age begins anew. */
void kube_cache_touch(const struct kube_client *c, const char *name);
/* The folder; NULL when there is none. Caller frees. */
char *kube_cache_folder(const struct kube_client *c);

#endif
