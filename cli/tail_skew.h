/* How far the clock of a cluster is from ours: for --show-skew. */
#ifndef WASMCTL_CLI_TAIL_SKEW_H
#define WASMCTL_CLI_TAIL_SKEW_H

#include "kube/client.h"

struct tail_skew;

/* Asks the server a few times within a second or two, and calls told once with one line of text. */
struct tail_skew *tail_skew_new(struct kube_client *client, void (*told)(void *arg, const char *text),
                                void *arg);
void tail_skew_free(struct tail_skew *s);

#endif
