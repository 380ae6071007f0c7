#include "dev/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/mem.h"

void dev_ports_release(struct dev_ports *p)
{
    for (size_t i = 0; i < p->len; i++)
        close(p->fds[i]);
    free(p->fds);
    *p = (struct dev_ports){0};
}

static int bind_local(int port, int *ret_fd)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0)
        return errno;
    /* Not for port 0: the kernel might then give a port that another reservation of this kind holds. */
    if (port != 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int os = errno;
        close(fd);
        return os;
    }
    /* Lets a server that sets the option too bind and listen while this socket only holds the port. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    *ret_fd = fd;
    return 0;
}

static void keep(struct dev_ports *set, int fd)
{
    set->fds = xreallocarray(set->fds, set->len + 1, sizeof(*set->fds));
    set->fds[set->len++] = fd;
}

int dev_port_pick(struct dev_ports *set, int *ret_port, struct err **err)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    int fd = -1, os = bind_local(0, &fd);

    if (os)
        return err_set_os(err, os, "find a free port on 127.0.0.1");
    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
        os = errno;
        close(fd);
        return err_set_os(err, os, "find a free port on 127.0.0.1");
    }
    keep(set, fd);
    *ret_port = ntohs(address.sin_port);
    return 0;
}

int dev_port_take(struct dev_ports *set, int port, struct err **err)
{
    int fd = -1, os = bind_local(port, &fd);

    if (os == EADDRINUSE)
        return err_set(err, ERR_ALREADY_EXISTS, "port %d of 127.0.0.1 is in use by another program", port);
    if (os)
        return err_set_os(err, os, "bind port %d of 127.0.0.1", port);
    keep(set, fd);
    return 0;
}
