#include "dev/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* Children keep their ports while they are down. The kernel gives outgoing connections theirs from a range of
 * its own: a port of that range could be taken by any connection of this machine meanwhile. */
#define OUTGOING_RANGE "/proc/sys/net/ipv4/ip_local_port_range"
enum { LOWEST = 20000, LEAST_CHOICE = 1000, TRIES = 100 };

void dev_ports_release(struct dev_ports *p)
{
    for (size_t i = 0; i < p->len; i++)
        close(p->fds[i]);
    free(p->fds);
    *p = (struct dev_ports){0};
}

static int bind_local(int port, bool shared, int *ret_fd)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0)
        return errno;
    /* Not for a new one: another reservation of this kind might hold it. */
    if (shared)
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

/* Where the range of outgoing connections begins, 0 if that is not known. */
static int outgoing_from(void)
{
    _cleanup_free_ char *text = NULL;
    int64_t from;

    if (file_read(OUTGOING_RANGE, 256, &text, NULL, NULL) < 0)
        return 0;
    text[strcspn(text, " \t\n")] = '\0';
    return str_to_i64(text, 1, 65535, &from) ? (int)from : 0;
}

static int bind_below(int end, int *ret_fd)
{
    for (int i = 0; i < TRIES && end - LOWEST >= LEAST_CHOICE; i++) {
        uint32_t r;
        if (getrandom(&r, sizeof(r), 0) != sizeof(r))
            break;
        if (bind_local(LOWEST + (int)(r % (uint32_t)(end - LOWEST)), false, ret_fd) == 0)
            return 0;
    }
    return EADDRINUSE;
}

int dev_port_pick(struct dev_ports *set, int *ret_port, struct err **err)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    int fd = -1, os = bind_below(outgoing_from(), &fd);

    if (os)
        os = bind_local(0, false, &fd);
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
    int fd = -1, os = bind_local(port, true, &fd);

    if (os == EADDRINUSE)
        return err_set(err, ERR_ALREADY_EXISTS, "port %d of 127.0.0.1 is in use by another program", port);
    if (os)
        return err_set_os(err, os, "bind port %d of 127.0.0.1", port);
    keep(set, fd);
    return 0;
}
