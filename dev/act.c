#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "dev/children.h"
#include "dev/kubeconf.h"
#include "dev/plan.h"
#include "dev/run.h"
#include "dev/session.h"

enum { ID_PART_MIN = 6, CLEAR_MS = 3000 };

/* Names */

static bool id_matches(const struct dev_child *c, const char *word)
{
    return c->id && strlen(word) >= ID_PART_MIN && strncasecmp(c->id, word, strlen(word)) == 0;
}

static bool matches(const struct dev_child *c, const char *word, bool host_only)
{
    int64_t index;

    if (c->kind != DEV_HOST)
        return streq(c->name, word) || streq(dev_kind_spec(c->kind)->program, word);
    if (streq(c->name, word) || id_matches(c, word))
        return true;
    return host_only && str_to_i64(word, 0, INT32_MAX, &index) && index == c->index;
}

static int unknown_name(const struct dev_env *e, const char *word, bool host_only, struct err **err)
{
    _cleanup_strv_ char **names = strv_new();

    for (size_t i = 0; i < e->children.len; i++)
        if (!host_only || e->children.items[i]->kind == DEV_HOST)
            strv_push(&names, e->children.items[i]->name);
    _cleanup_free_ char *list = strv_join(names, ", ");
    return err_set(err, ERR_NOT_FOUND, "environment %s has no %s \"%s\" (it has %s)", e->name,
                   host_only ? "host" : "child", word, *list ? list : "none");
}

int dev_resolve(const struct dev_env *e, char *const *words, bool host_only, char ***ret, struct err **err)
{
    _cleanup_strv_ char **names = strv_new();

    for (; words && *words; words++) {
        const struct dev_child *found = NULL;
        for (size_t i = 0; i < e->children.len; i++) {
            const struct dev_child *c = e->children.items[i];
            if ((host_only && c->kind != DEV_HOST) || !matches(c, *words, host_only))
                continue;
            if (found)
                return err_set(err, ERR_INVALID, "\"%s\" means %s as well as %s", *words, found->name,
                               c->name);
            found = c;
        }
        if (!found)
            return unknown_name(e, *words, host_only, err);
        if (!strv_has(names, found->name))
            strv_push(&names, found->name);
    }
    *ret = TAKE_PTR(names);
    return 0;
}

static bool *set_of(const struct dev_env *e, char *const *names)
{
    bool *set = xcalloc(e->children.len + 1, sizeof(*set));

    for (size_t i = 0; i < e->children.len; i++)
        set[i] = strv_has(names, e->children.items[i]->name);
    return set;
}

/* Actions */

int dev_signal_parse(const char *text)
{
    int64_t n;

    if (str_to_i64(text, 1, NSIG - 1, &n))
        return (int)n;
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (int s = 1; s < NSIG; s++) {
        const char *name = sigabbrev_np(s);
        if (name && strcasecmp(name, text) == 0)
            return s;
    }
    return 0;
}

static int start(struct dev_env *e, const bool *set, int64_t timeout_ms, struct err **err)
{
    const struct dev_start_options o = {.set = set,
                                        .timeout_ms = timeout_ms ? timeout_ms : DEV_START_TIMEOUT_MS};
    int r = dev_plan_folders(e, err);

    for (size_t i = 0; i < e->children.len && r == 0; i++) {
        struct dev_child *c = e->children.items[i];
        if (!set[i])
            continue;
        if (dev_child_runs(e, c, NULL))
            dev_say(e, "%s runs already", c->name);
        if (c->kind == DEV_OPERATOR) {
            _cleanup_free_ char *kubeconfig = dev_path(e, "operator.kubeconfig");
            if (access(kubeconfig, F_OK) < 0)
                return err_set(err, ERR_NOT_FOUND,
                               "the operator has no credentials yet; \"wasmctl dev up\" makes them");
        }
        r = dev_child_prepare(e, c, err);
        if (r == 0)
            r = dev_plan_ports(e, c, c->ports[0] == 0, err);
    }
    if (r == 0)
        r = dev_state_save(e, err);
    if (r == 0)
        r = dev_start_set(e, &o, err);
    dev_ports_release(&e->reserved);
    return r;
}

static int stop(struct dev_env *e, const bool *set, struct err **err)
{
    for (size_t i = 0; i < e->children.len; i++)
        if (set[i] && !dev_child_runs(e, e->children.items[i], NULL))
            dev_say(e, "%s does not run", e->children.items[i]->name);
    return dev_stop_set(e, set, err);
}

static int wait_end(const struct dev_child *c, int fd, int64_t timeout_ms, struct err **err)
{
    int64_t deadline = time_mono_ms() + timeout_ms;
    struct pollfd p = {.fd = fd, .events = POLLIN};

    for (;;) {
        int64_t left = deadline - time_mono_ms();
        int n = poll(&p, 1, left > 0 ? (int)left : 0);
        if (n > 0)
            return 0;
        if (n == 0)
            return err_set(err, ERR_TIMEOUT, "%s has not ended %lld s after the signal", c->name,
                           (long long)(timeout_ms / 1000));
        if (errno != EINTR)
            return err_set_os(err, errno, "wait for %s", c->name);
    }
}

static int send_signal(struct dev_env *e, const struct dev_child *c, int signum, struct err **err)
{
    _cleanup_err_ struct err *problem = NULL;
    _cleanup_close_ int fd = -1;
    struct dev_proc p;
    bool machine = signum == SIGKILL || signum == SIGSTOP || signum == SIGCONT;
    int r = dev_child_proc(e, c, &p, &problem);

    if (r == 0)
        r = dev_proc_open(&p, &fd, &problem);
    if (r == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND, "%s does not run", c->name);
    if (r < 0)
        return err_move(err, TAKE_PTR(problem));
    /* The child first: it would otherwise put back what it has started. */
    r = dev_proc_signal(&p, signum, err);
    if (r < 0)
        return r;
    /* As if its machine had died or stood still. */
    if (machine)
        dev_session_signal(&p, signum);
    if (signum == SIGKILL || signum == SIGTERM || signum == SIGINT || signum == SIGQUIT) {
        r = wait_end(c, fd, dev_kind_spec(c->kind)->stop_ms, err);
        if (r < 0)
            return r;
        if (signum == SIGKILL)
            dev_session_clear(&p, CLEAR_MS);
        dev_say(e, "%s ... ended by signal %d (%s)", c->name, signum, strsignal(signum));
        return 0;
    }
    dev_say(e, "%s ... got signal %d (%s)", c->name, signum, strsignal(signum));
    return 0;
}

int dev_act(struct dev_env *e, enum dev_action action, char *const *names, int signum, int64_t timeout_ms,
            struct err **err)
{
    _cleanup_free_ bool *set = set_of(e, names);
    int r = 0;

    switch (action) {
    case DEV_START:
        return start(e, set, timeout_ms, err);
    case DEV_STOP:
        return stop(e, set, err);
    case DEV_RESTART:
        r = stop(e, set, err);
        return r < 0 ? r : start(e, set, timeout_ms, err);
    case DEV_SIGNAL:
        for (size_t i = 0; i < e->children.len && r == 0; i++)
            if (set[i])
                r = send_signal(e, e->children.items[i], signum, err);
        return r;
    }
    return err_set(err, ERR_INVALID, "no such action");
}

int dev_host_add(struct dev_env *e, int64_t count, char *const *labels, int64_t timeout_ms, char ***ret_names,
                 struct err **err)
{
    _cleanup_strv_ char **names = strv_new();
    size_t had = dev_count_hosts(e);

    if (!dev_child_of(e, DEV_NATS))
        return err_set(err, ERR_NOT_FOUND, "environment %s was never started; \"wasmctl dev up\" does it",
                       e->name);
    if (count < 1 || (int64_t)had + count > DEV_MAX_HOSTS)
        return err_set(err, ERR_INVALID, "cannot add %lld hosts to %zu: the most is %d", (long long)count,
                       had, DEV_MAX_HOSTS);
    for (char *const *l = labels; l && *l; l++) {
        int r = dev_label_check(*l, err);
        if (r < 0)
            return err_wrap(err, "--label");
    }
    _cleanup_strv_ char **before = strv_new();
    for (size_t i = 0; i < e->children.len; i++)
        strv_push(&before, e->children.items[i]->name);
    dev_plan_hosts(e, had + (size_t)count, labels);
    for (size_t i = 0; i < e->children.len; i++)
        if (!strv_has(before, e->children.items[i]->name))
            strv_push(&names, e->children.items[i]->name);
    _cleanup_free_ bool *set = set_of(e, names);
    int r = start(e, set, timeout_ms, err);
    if (r < 0)
        return r;
    *ret_names = TAKE_PTR(names);
    return 0;
}

/* Down */

/* Children that only a pid file tells about: the state file was lost. */
static int adopt(struct dev_env *e, struct err **err)
{
    _cleanup_strv_ char **names = NULL;
    int r = dev_pid_files(e, &names, err);

    for (char **n = names; r == 0 && *n; n++) {
        int kind = dev_kind_by_name(*n);
        int64_t index = 0;
        if (dev_child_find(e, *n))
            continue;
        if (str_starts(*n, "host-") && str_to_i64(*n + strlen("host-"), 0, INT32_MAX, &index))
            kind = DEV_HOST;
        if (kind >= 0)
            dev_child_add(e, (enum dev_kind)kind, index);
    }
    return r;
}

int dev_down(struct dev_env *e, bool purge, struct err **err)
{
    int r = adopt(e, err);

    if (r < 0)
        return r;
    _cleanup_free_ bool *set = xcalloc(e->children.len + 1, sizeof(*set));
    memset(set, true, e->children.len * sizeof(*set));
    r = dev_stop_set(e, set, err);
    if (r < 0 || !purge)
        return r;
    r = dev_unmerge(e, err);
    if (r == 0)
        r = file_remove_tree(e->dir, err);
    if (r < 0)
        return r;
    dev_state_reset(e);
    dev_say(e, "removed %s", e->dir);
    return 0;
}
