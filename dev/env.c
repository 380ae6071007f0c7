#include "dev/env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "dev/children.h"

static const char name_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

/* The name is part of paths and of the names of contexts. */
static int check_name(const char *name, struct err **err)
{
    size_t len = strlen(name);

    if (len == 0 || len > DEV_NAME_MAX || name[strspn(name, name_chars)] || name[0] == '-' ||
        name[len - 1] == '-')
        return err_set(
            err, ERR_INVALID,
            "\"%s\" is no name of an environment: 1 to %d lower-case letters, digits and inner '-'", name,
            DEV_NAME_MAX);
    return 0;
}

int dev_open(struct loop *l, const char *name, const struct dev_talk *talk, bool damaged_ok,
             struct dev_env **ret, struct err **err)
{
    _cleanup_err_ struct err *damage = NULL;
    _cleanup_free_ char *base = file_state_dir();
    int r = check_name(name, err);

    if (r < 0)
        return r;
    _cleanup_dev_ struct dev_env *e = xcalloc(1, sizeof(*e));
    e->loop = l;
    e->lock_fd = -1;
    e->name = xstrdup(name);
    e->dir = xasprintf("%s/%s", base, name);
    e->kubeconfig = xasprintf("%s/kubeconfig", e->dir);
    e->context = xasprintf("wasm-%s", name);
    if (talk)
        e->talk = *talk;
    r = dev_state_load(e, &damage);
    if (r < 0 && !(damaged_ok && r == ERR_INVALID))
        return err_move(err, TAKE_PTR(damage));
    *ret = TAKE_PTR(e);
    return 0;
}

void dev_close(struct dev_env *e)
{
    if (!e)
        return;
    dev_state_reset(e);
    free(e->children.items);
    dev_ports_release(&e->reserved);
    if (e->lock_fd >= 0)
        close(e->lock_fd);
    free(e->name);
    free(e->dir);
    free(e->kubeconfig);
    free(e->context);
    free(e);
}

bool dev_exists(const struct dev_env *e)
{
    return e->exists;
}

const char *dev_name(const struct dev_env *e)
{
    return e->name;
}

const char *dev_folder(const struct dev_env *e)
{
    return e->dir;
}

const char *dev_kubeconfig_path(const struct dev_env *e)
{
    return e->kubeconfig;
}

const char *dev_context(const struct dev_env *e)
{
    return e->context;
}

void dev_say(const struct dev_env *e, const char *fmt, ...)
{
    va_list ap;

    if (!e->talk.line)
        return;
    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    e->talk.line(e->talk.arg, text);
}

/* Lock */

static bool same_file(int fd, const char *path)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int lock_once(struct dev_env *e, const char *path, struct err **err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_set_os(err, errno, "open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        dev_say(e, "another wasmctl is at work on environment %s; waiting for it", e->name);
        while (flock(fd, LOCK_EX) < 0)
            if (errno != EINTR) {
                int os = errno;
                close(fd);
                return err_set_os(err, os, "lock %s", path);
            }
    }
    e->lock_fd = fd;
    return 0;
}

int dev_lock(struct dev_env *e, bool create, struct err **err)
{
    _cleanup_free_ char *path = dev_path(e, "lock");

    if (e->lock_fd >= 0)
        return 0;
    for (;;) {
        if (create) {
            int r = file_mkdirs(e->dir, 0700, err);
            if (r < 0)
                return r;
        } else if (access(e->dir, F_OK) < 0) {
            return err_set(err, ERR_NOT_FOUND,
                           "there is no environment \"%s\"; \"wasmctl dev up\" starts one", e->name);
        }
        int r = lock_once(e, path, err);
        if (r < 0)
            return r;
        /* Whoever had it before may have removed the folder. */
        if (same_file(e->lock_fd, path))
            break;
        close(e->lock_fd);
        e->lock_fd = -1;
    }
    /* It may have changed while we waited. */
    dev_state_reset(e);
    _cleanup_err_ struct err *damage = NULL;
    int r = dev_state_load(e, &damage);
    return r < 0 && r != ERR_INVALID ? err_move(err, TAKE_PTR(damage)) : 0;
}

int dev_list(char ***ret, struct err **err)
{
    _cleanup_free_ char *base = file_state_dir();
    _cleanup_strv_ char **names = strv_new();
    DIR *d = opendir(base);

    if (!d && errno != ENOENT)
        return err_set_os(err, errno, "read folder %s", base);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        _cleanup_free_ char *state = xasprintf("%s/%s/env.json", base, entry->d_name);
        if (check_name(entry->d_name, NULL) == 0 && access(state, F_OK) == 0)
            strv_push(&names, entry->d_name);
    }
    if (d)
        closedir(d);
    *ret = TAKE_PTR(names);
    return 0;
}

/* Paths */

char *dev_path(const struct dev_env *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *rest = xvasprintf(fmt, ap);
    va_end(ap);
    return xasprintf("%s/%s", e->dir, rest);
}

char *dev_pid_path(const struct dev_env *e, const char *child)
{
    return dev_path(e, "run/%s.pid", child);
}

char *dev_log_path(const struct dev_env *e, const char *child)
{
    return dev_path(e, "logs/%s.log", child);
}

char *dev_keep_folder(const struct dev_env *e, const char *child)
{
    return dev_path(e, "logs/%s", child);
}

int dev_pid_files(const struct dev_env *e, char ***ret, struct err **err)
{
    _cleanup_free_ char *folder = dev_path(e, "run");
    _cleanup_strv_ char **names = strv_new();
    DIR *d = opendir(folder);

    if (!d && errno != ENOENT)
        return err_set_os(err, errno, "read folder %s", folder);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        size_t len = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || !str_ends(entry->d_name, ".pid"))
            continue;
        _cleanup_free_ char *name = xstrndup(entry->d_name, len - strlen(".pid"));
        strv_push(&names, name);
    }
    if (d)
        closedir(d);
    *ret = TAKE_PTR(names);
    return 0;
}

/* Children */

static void child_free(struct dev_child *c)
{
    free(c->name);
    free(c->id);
    strv_free(c->labels);
    free(c);
}

void dev_state_reset(struct dev_env *e)
{
    for (size_t i = 0; i < e->children.len; i++)
        child_free(e->children.items[i]);
    e->children.len = 0;
    xstr_replace(&e->merged_into, NULL);
    e->exists = e->api_pinned = e->nats_pinned = e->with_audit = false;
    e->with_operator = e->with_lattice = e->with_node = true;
}

struct dev_child *dev_child_add(struct dev_env *e, enum dev_kind kind, int64_t index)
{
    struct dev_child *c = xcalloc(1, sizeof(*c));
    size_t at = 0;

    c->kind = kind;
    c->index = index;
    c->name =
        kind == DEV_HOST ? xasprintf("host-%lld", (long long)index) : xstrdup(dev_kind_spec(kind)->name);
    vec_push(&e->children, NULL);
    struct dev_child **items = e->children.items;
    while (at + 1 < e->children.len &&
           (items[at]->kind < kind || (items[at]->kind == kind && items[at]->index < index)))
        at++;
    memmove(&items[at + 1], &items[at], (e->children.len - 1 - at) * sizeof(*items));
    items[at] = c;
    return c;
}

void dev_child_drop(struct dev_env *e, struct dev_child *c)
{
    for (size_t i = 0; i < e->children.len; i++)
        if (e->children.items[i] == c) {
            vec_remove(&e->children, i);
            child_free(c);
            return;
        }
}

struct dev_child *dev_child_find(const struct dev_env *e, const char *name)
{
    for (size_t i = 0; i < e->children.len; i++)
        if (streq(e->children.items[i]->name, name))
            return e->children.items[i];
    return NULL;
}

struct dev_child *dev_child_of(const struct dev_env *e, enum dev_kind kind)
{
    for (size_t i = 0; i < e->children.len; i++)
        if (e->children.items[i]->kind == kind)
            return e->children.items[i];
    return NULL;
}

size_t dev_count_hosts(const struct dev_env *e)
{
    size_t n = 0;

    for (size_t i = 0; i < e->children.len; i++)
        n += e->children.items[i]->kind == DEV_HOST;
    return n;
}

int dev_child_proc(const struct dev_env *e, const struct dev_child *c, struct dev_proc *ret, struct err **err)
{
    _cleanup_free_ char *path = dev_pid_path(e, c->name);

    return dev_proc_load(path, ret, err);
}

bool dev_child_runs(const struct dev_env *e, const struct dev_child *c, struct dev_proc *ret)
{
    struct dev_proc p;

    if (dev_child_proc(e, c, &p, NULL) < 0)
        return false;
    enum dev_proc_state s = dev_proc_state(&p);
    if (s != DEV_PROC_ALIVE && s != DEV_PROC_FROZEN)
        return false;
    if (ret)
        *ret = p;
    return true;
}
