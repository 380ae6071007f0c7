#include "dev/session.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

typedef VEC(struct dev_proc) proc_list;

/* The session is ours when its number still is: the leader lives, or no process has its pid. The kernel gives
 * a pid away only after the last process of the session of that number is gone. */
static bool is_ours(const struct dev_proc *leader)
{
    char boot[DEV_BOOT_ID_LEN];
    struct dev_stat s;

    dev_boot_id(boot);
    return streq(boot, leader->boot) && (!dev_stat_read(leader->pid, &s) || s.start == leader->start);
}

static void members(const struct dev_proc *leader, proc_list *ret)
{
    DIR *d = is_ours(leader) ? opendir("/proc") : NULL;

    for (struct dirent *e; d && (e = readdir(d));) {
        struct dev_stat s;
        int64_t pid;
        if (!str_to_i64(e->d_name, 1, INT32_MAX, &pid) || pid == leader->pid ||
            !dev_stat_read((pid_t)pid, &s))
            continue;
        /* Older than the leader: of a session that had the number before. */
        if (s.session != leader->pid || s.start < leader->start || strchr("ZXx", s.state))
            continue;
        struct dev_proc p = {.pid = s.pid, .start = s.start};
        memcpy(p.boot, leader->boot, sizeof(p.boot));
        vec_push(ret, p);
    }
    if (d)
        closedir(d);
}

size_t dev_session_signal(const struct dev_proc *leader, int signum)
{
    proc_list list = {0};
    size_t reached = 0;

    members(leader, &list);
    for (size_t i = 0; i < list.len; i++)
        reached += dev_proc_signal(&list.items[i], signum, NULL) == 0;
    free(list.items);
    return reached;
}

bool dev_session_clear(const struct dev_proc *leader, int64_t timeout_ms)
{
    int64_t deadline = time_mono_ms() + timeout_ms;
    bool clear = false;

    /* More than one round: what is killed may have been starting another. */
    for (;;) {
        proc_list list = {0};
        int64_t left = deadline - time_mono_ms();
        members(leader, &list);
        clear = list.len == 0;
        for (size_t i = 0; i < list.len; i++) {
            struct pollfd p = {.fd = -1, .events = POLLIN};
            dev_proc_signal(&list.items[i], SIGKILL, NULL);
            if (dev_proc_open(&list.items[i], &p.fd, NULL) < 0)
                continue;
            left = deadline - time_mono_ms();
            poll(&p, 1, left > 0 ? (int)left : 0);
            close(p.fd);
        }
        free(list.items);
        if (clear || left <= 0)
            return clear;
    }
}
