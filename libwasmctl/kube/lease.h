/*
 * Leader election by a Lease (coordination.k8s.io/v1), with the rules other Kubernetes controllers keep: the
 * holder renews every retry period; who waits takes over when the holder has not renewed for the lease's
 * duration as seen on the waiter's own clock (clocks of machines are not compared), or at once when the
 * holder has released it.
 */
#ifndef WASMCTL_KUBE_LEASE_H
#define WASMCTL_KUBE_LEASE_H

#include "kube/client.h"

struct kube_lease;

struct kube_lease_options {
    const char *namespace, *name;
    const char *identity;      /* unique among the candidates */
    int64_t duration_ms;       /* 0 = 15 s */
    int64_t renew_deadline_ms; /* 0 = 10 s: leadership is given up when no renewal succeeded for so long */
    int64_t retry_ms;          /* 0 = 2 s */
    /* Leading from now on, or not any more (`why` then tells). */
    void (*changed)(void *arg, bool leading, const char *why);
    void *arg;
};
struct kube_lease *kube_lease_new(struct kube_client *c, const struct kube_lease_options *options);
bool kube_lease_leading(const struct kube_lease *l);
/* Who holds it as far as is known, "" if nobody. */
const char *kube_lease_holder(const struct kube_lease *l);
/* Gives the lease up so that another candidate leads at once; done runs when the server has answered or after
 * a second. Leading ends now, without a call of changed. */
void kube_lease_release(struct kube_lease *l, void (*done)(void *arg), void *arg);
void kube_lease_free(struct kube_lease *l);

#endif
