/* Free TCP ports of 127.0.0.1. */
#ifndef WASMCTL_DEV_PORT_H
#define WASMCTL_DEV_PORT_H

#include <stdbool.h>
#include "base/err.h"

/* Ports picked together: they stay bound (not listened on) until the set is released, so that no two are the
 * same and nobody else is given them meanwhile. A server that binds with SO_REUSEADDR, as servers do, can
 * take its port nevertheless. */
struct dev_ports {
    int *fds;
    size_t len;
};
void dev_ports_release(struct dev_ports *p);

/* A free port; one that the kernel gives to no outgoing connection, if there are such. */
int dev_port_pick(struct dev_ports *set, int *ret_port, struct err **err);
/* Takes this port: ERR_ALREADY_EXISTS when a program has it. A port in TIME_WAIT counts as free. */
int dev_port_take(struct dev_ports *set, int port, struct err **err);

#endif
