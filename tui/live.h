/* API servers as the source of the store: what is there is listed and watched, one client a cluster. */
#ifndef WASMCTL_TUI_LIVE_H
#define WASMCTL_TUI_LIVE_H

#include "kube/client.h"
#include "tui/store.h"

struct live;

/* Told of each object as it comes and goes, whole: for recording. object NULL: it went. */
typedef void (*live_heard_fn)(void *arg, unsigned cluster, enum tui_kind kind, const char *key,
                              const cJSON *object, int64_t now_ns);

/* The client is borrowed. namespace NULL = all. heard may be NULL. */
struct live *live_new(struct store *store, unsigned cluster, struct kube_client *client,
                      const char *namespace, live_heard_fn heard, void *arg);
void live_free(struct live *l);
DEFINE_CLEANUP(struct live *, live_free)
struct kube_client *live_client(const struct live *l);

#endif
