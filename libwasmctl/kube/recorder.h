/*
 * Kubernetes Events (events.k8s.io/v1): one object per (regarding, type, reason, note); repetition within 6
 * minutes becomes a series by one patch, at most one write a series every 10 s. Sending is fire and forget: a
 * failure is logged at debug and dropped. Warnings are sent at once, Normal Events after a second, when the
 * writes that somebody waits for are through; at most 1,000 wait, eight are being sent at a time.
 */
#ifndef WASMCTL_KUBE_RECORDER_H
#define WASMCTL_KUBE_RECORDER_H

#include "kube/client.h"

struct kube_recorder;

struct kube_recorder *kube_recorder_new(struct kube_client *c, const char *component, const char *instance);
void kube_recorder_free(struct kube_recorder *r);
/* Since the start: Events that were to be told; those among them that only raise the count of a series;
 * writes that failed or were not tried because too many were under way. */
struct kube_recorder_stats {
    uint64_t recorded, repeated, dropped;
};
struct kube_recorder_stats kube_recorder_stats(const struct kube_recorder *r);

/* What waits is sent now. To be called before the end: what is still on its way at kube_recorder_free() is
 * lost. */
void kube_recorder_flush(struct kube_recorder *r);

struct kube_ref {
    const char *api_version, *kind, *namespace, *name, *uid; /* namespace NULL for cluster-scoped: the Event
                                                                then lives in "default" */
};
/* type: "Normal" or "Warning"; reason: CamelCase; action: what was done ("Start", "Schedule"). */
void kube_record(struct kube_recorder *r, const struct kube_ref *regarding, const char *type,
                 const char *reason, const char *action, const char *note_fmt, ...)
    __attribute__((format(printf, 6, 7)));

#endif
