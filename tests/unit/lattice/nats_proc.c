#include "unit/lattice/nats_proc.h"

#include <arpa/inet.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

static void die(const char *what)
{
    perror(what);
    exit(1);
}

const char *nats_proc_binary(void)
{
    static char found[512];

    if (found[0])
        return found;
    const char *env = getenv("WASMCTL_NATS_SERVER");
    if (env && access(env, X_OK) == 0) {
        snprintf(found, sizeof(found), "%s", env);
        return found;
    }
    _cleanup_free_ char *cache = file_cache_dir();
    _cleanup_free_ char *pattern = xasprintf("%s/nats-server-*/bin/nats-server", cache);
    glob_t g;
    if (glob(pattern, 0, NULL, &g) == 0) {
        if (g.gl_pathc)
            snprintf(found, sizeof(found), "%s", g.gl_pathv[g.gl_pathc - 1]);
        globfree(&g);
    }
    const char *path = getenv("PATH");
    _cleanup_free_ char *dirs = xasprintf("%s:/usr/sbin:/usr/local/bin", path ? path : "");
    _cleanup_strv_ char **list = strv_split(dirs, ':', false);
    for (char **d = list; *d && !found[0]; d++) {
        _cleanup_free_ char *file = xasprintf("%s/nats-server", *d);
        if (access(file, X_OK) == 0)
            snprintf(found, sizeof(found), "%s", file);
    }
    if (!found[0]) {
        fprintf(stderr, "skipped: no nats-server found (set WASMCTL_NATS_SERVER)\n");
        exit(NATS_PROC_SKIP);
    }
    return found;
}

int nats_proc_free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);

    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        die("free port");
    close(fd);
    return ntohs(a.sin_port);
}

void nats_proc_init(struct nats_proc *p, const char *config)
{
    memset(p, 0, sizeof(*p));
    snprintf(p->dir, sizeof(p->dir), "/tmp/wasmctl-nats-XXXXXX");
    if (!mkdtemp(p->dir))
        die("scratch folder");
    p->port = nats_proc_free_port();
    snprintf(p->url, sizeof(p->url), "nats://127.0.0.1:%d", p->port);
    snprintf(p->config, sizeof(p->config), "%s/nats.conf", p->dir);
    FILE *f = fopen(p->config, "w");
    if (!f)
        die(p->config);
    fprintf(f, "listen: \"127.0.0.1:%d\"\njetstream { store_dir: \"%s/js\" }\n%s\n", p->port, p->dir,
            config ? config : "");
    fclose(f);
}

void nats_proc_start(struct nats_proc *p)
{
    const char *bin = nats_proc_binary();
    _cleanup_free_ char *log = xasprintf("%s/log", p->dir);

    fflush(NULL);
    p->pid = fork();
    if (p->pid < 0)
        die("fork");
    if (p->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that crashes leaves nothing behind */
        execl(bin, "nats-server", "-c", p->config, "-l", log, (char *)NULL);
        _exit(127);
    }
}

void nats_proc_signal(struct nats_proc *p, int sig)
{
    if (p->pid > 0)
        kill(p->pid, sig);
}

void nats_proc_stop(struct nats_proc *p)
{
    if (p->pid <= 0)
        return;
    kill(p->pid, SIGCONT);
    kill(p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
    p->pid = 0;
}

void nats_proc_release(struct nats_proc *p)
{
    nats_proc_stop(p);
    file_remove_tree(p->dir, NULL);
}

static bool flag_set(void *arg)
{
    return *(const bool *)arg;
}

static void on_tick(void *arg)
{
    *(bool *)arg = true;
}

bool nats_proc_until_fn(struct loop *l, bool (*done)(void *arg), void *arg)
{
    int64_t end = time_mono_ms() + 20000;
    bool tick = false;
    struct loop_timer *t = loop_timer_new(l, on_tick, &tick);

    while (!done(arg) && time_mono_ms() < end) {
        loop_timer_start(t, 200);
        loop_turn(l, true);
    }
    loop_timer_free(t);
    return done(arg);
}

bool nats_proc_until(struct loop *l, const bool *flag)
{
    return nats_proc_until_fn(l, flag_set, (void *)flag);
}
