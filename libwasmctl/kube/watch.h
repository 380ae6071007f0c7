/*
 * List and watch, never ending on their own: a paged list, then a watch with bookmarks from its
 * resourceVersion; the watch is resumed when it ends, re-listed after 410, retried with back-off (0.2 s to 30
 * s, jitter) when the server is away.
 *
 * Guarantee: between two `synced` calls every change is reported exactly once, in order; after a re-list,
 * what was there before is reported again as KUBE_ADDED (the informer turns that into changes) and `relist`
 * says so beforehand.
 */
#ifndef WASMCTL_KUBE_WATCH_H
#define WASMCTL_KUBE_WATCH_H

#include "kube/client.h"
#include "kube/gvr.h"

enum kube_event { KUBE_ADDED, KUBE_MODIFIED, KUBE_DELETED };

struct kube_watch;

struct kube_watch_options {
    const struct kube_resource *resource; /* copied */
    const char *namespace;                /* NULL = all */
    const char *label_selector;           /* text form, NULL = all */
    const char *field_selector;
    const char
        *accept;   /* NULL = plain JSON; KUBE_AS_TABLE gives Table objects (each event holds one table) */
    int page_size; /* 0 = 500 */
    int64_t silence_ms; /* a watch with neither event nor bookmark for so long is renewed; 0 = 5 minutes */
    /* One object; borrowed for the call. */
    void (*event)(void *arg, enum kube_event type, cJSON *object);
    /* A list begins (first or after 410): everything follows anew. May be NULL. */
    void (*relist)(void *arg);
    /* The list is complete; watching begins. May be NULL. */
    void (*synced)(void *arg);
    /* The connection state changed: err NULL = watching again; else why it is not (retrying goes on). After a
     * connection that broke, why no other comes about is told too. May be NULL. */
    void (*state)(void *arg, const struct err *err);
    void *arg;
};

struct kube_watch *kube_watch_new(struct kube_client *c, const struct kube_watch_options *options);
void kube_watch_free(struct kube_watch *w);
DEFINE_CLEANUP(struct kube_watch *, kube_watch_free)

/* 0 for a list or table of the API. Taking something else for an empty list would delete everything. */
int kube_list_check(const cJSON *page, const char *path, struct err **err);

/* One paged list for the command line (kube_call_wait inside): calls page for each answer (List or Table),
 * restarts from the beginning after a 410 on a continue token only if nothing was given out yet, else
 * finishes with the inconsistent continuation the server offers. */
int kube_list_wait(struct kube_client *c, const char *path, const char *query, const char *accept,
                   int page_size, int (*page)(void *arg, cJSON *page, struct err **err), void *arg,
                   char **ret_resource_version, struct err **err);

#endif
