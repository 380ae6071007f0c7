/*
 * Cache of all objects of a kind, kept true by kube/watch.h. A transform turns each object into the caller's
 * compact form; the JSON tree is dropped.
 *
 * Keys are "namespace/name", or "name" for cluster-scoped kinds. Objects in the cache are read-only and live
 * until the next turn of the loop in which they change: do not keep pointers across turns.
 */
#ifndef WASMCTL_KUBE_INFORMER_H
#define WASMCTL_KUBE_INFORMER_H

#include "base/map.h"
#include "kube/watch.h"

struct kube_informer;

struct kube_informer_options {
    const struct kube_resource *resource;
    const char *namespace, *label_selector, *field_selector;
    /* JSON -> cached form; NULL result leaves the object out (it is then unknown to the cache). object may be
     * modified. */
    void *(*transform)(void *arg, cJSON *object);
    void (*free_object)(void *object);
    /* After the cache changed. old is NULL for a new object, now is NULL for a deleted one; both only for the
     * call. A re-list whose object has the same resourceVersion reports nothing. May be NULL. */
    void (*changed)(void *arg, const char *key, const void *old, const void *now);
    void (*synced)(void *arg); /* first complete list; may be NULL */
    void (*state)(void *arg, const struct err *err);
    void *arg;
};

struct kube_informer *kube_informer_new(struct kube_client *c, const struct kube_informer_options *options);
void kube_informer_free(struct kube_informer *i);
DEFINE_CLEANUP(struct kube_informer *, kube_informer_free)

bool kube_informer_synced(const struct kube_informer *i);
const void *kube_informer_get(const struct kube_informer *i, const char *key);
size_t kube_informer_len(const struct kube_informer *i);
/* for (struct map_iter it = {0}; kube_informer_next(i, &it);) ... it.key, it.value */
bool kube_informer_next(const struct kube_informer *i, struct map_iter *it);

/* The answer to a write, which holds the object as it is now: the cache is as new from here on, without
 * waiting for the watch to bring it, and older news of the object that are still on their way are left out.
 * An answer that is not newer, about an object that is not in the cache, or no object at all, changes
 * nothing. */
void kube_informer_observe(struct kube_informer *i, const char *body, size_t len);

/* "ns/name" or "name" of an object; caller frees. */
char *kube_object_key(const cJSON *object);

#endif
