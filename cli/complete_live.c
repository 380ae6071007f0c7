#include "cli/complete_live.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/complete.h"
#include "cli/target.h"
#include "kube/discovery.h"

#define SECOND INT64_C(1000000000)

enum {
    FRESH_S = 15,        /* an answer is used without asking */
    REST_S = 10,         /* a server that did not answer is left alone */
    STALE_S = 15 * 60,   /* better than nothing when it does not answer */
    FILE_MOST = 1 << 20, /* bytes of a file of the cache */
    LABELS_MOST = 300,
};

void complete_live_release(struct complete_live *l)
{
    strv_free(l->names);
    strv_free(l->labels);
    *l = (struct complete_live){0};
}

/* The cache: a file for each question. First line "wasmctl-complete 1 <when answered> <when asked>", second
 * line the question, then "n <name>" and "l <key=value>". */

struct kept {
    int64_t answered_ns, asked_ns;
    struct complete_live live;
};

static char *cache_folder(void)
{
    _cleanup_free_ char *base = file_cache_dir();

    return xasprintf("%s/complete", base);
}

static char *cache_path(const char *question)
{
    _cleanup_free_ char *folder = cache_folder();

    return xasprintf("%s/%016" PRIx64, folder, str_hash64(question, strlen(question), STR_HASH64_INIT));
}

static void take_line(struct kept *k, const char *line)
{
    if (str_starts(line, "n "))
        strv_push(&k->live.names, line + 2);
    else if (str_starts(line, "l "))
        strv_push(&k->live.labels, line + 2);
}

static bool cache_read(const char *question, struct kept *ret)
{
    _cleanup_free_ char *path = cache_path(question), *text = NULL;
    _cleanup_strv_ char **lines = NULL;
    struct kept k = {0};
    long long answered, asked;

    if (file_read(path, FILE_MOST, &text, NULL, NULL) < 0)
        return false;
    lines = strv_split(text, '\n', true);
    if (strv_len(lines) < 3 || !streq(lines[1], question) ||
        sscanf(lines[0], "wasmctl-complete 1 %lld %lld", &answered, &asked) != 2)
        return false;
    k.answered_ns = answered;
    k.asked_ns = asked;
    for (char **line = lines + 2; *line; line++)
        take_line(&k, *line);
    *ret = k;
    return true;
}

/* Files of questions nobody asks any more. */
static void cache_prune(const char *folder)
{
    DIR *d = opendir(folder);
    time_t now = (time_t)(time_now_ns() / SECOND);

    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && st.st_mtime + STALE_S < now)
            unlinkat(dirfd(d), e->d_name, 0);
    }
    closedir(d);
}

/* A cache that cannot be written is none. */
static void cache_write(const char *question, const struct kept *k)
{
    _cleanup_free_ char *folder = cache_folder(), *path = cache_path(question);
    _cleanup_buf_ struct buf text = BUF_INIT_MAX(FILE_MOST);
    int r = file_mkdirs(folder, 0700, NULL);

    buf_addf(&text, "wasmctl-complete 1 %lld %lld\n%s\n", (long long)k->answered_ns, (long long)k->asked_ns,
             question);
    for (char **n = k->live.names; n && *n && r == 0; n++)
        r = buf_addf(&text, "n %s\n", *n);
    for (char **l = k->live.labels; l && *l && r == 0; l++)
        r = buf_addf(&text, "l %s\n", *l);
    if (r < 0)
        return;
    cache_prune(folder);
    file_write(path, buf_str(&text), text.len, 0600, NULL);
}

static bool within(int64_t then_ns, int64_t seconds)
{
    int64_t age = time_now_ns() - then_ns;

    return age >= 0 && age < seconds * SECOND;
}

/* The cluster */

/* Who asks what: other users and namespaces see other things. */
static char *question_of(struct cmd_ctx *c, const char *what)
{
    const struct kube_config *config = c->config;
    char *text = xasprintf("%s %s %s %s %s", config->server, config->user_name ? config->user_name : "",
                           config->as ? config->as : "", config->context ? config->context : "", what);

    for (char *p = text; *p; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
    return text;
}

static bool have_config(struct cmd_ctx *c)
{
    return cmd_config(c, NULL, NULL) == 0;
}

static bool is_resting(struct cmd_ctx *c)
{
    _cleanup_free_ char *question = question_of(c, "server");
    struct kept k = {0};
    bool resting = cache_read(question, &k) && within(k.asked_ns, REST_S);

    complete_live_release(&k.live);
    return resting;
}

static void let_rest(struct cmd_ctx *c)
{
    _cleanup_free_ char *question = question_of(c, "server");
    struct kept k = {.asked_ns = time_now_ns()};

    cache_write(question, &k);
}

static void let_work(struct cmd_ctx *c)
{
    _cleanup_free_ char *question = question_of(c, "server"), *path = cache_path(question);

    unlink(path);
}

/* Without warnings, traces and the terminal. NULL when the server cannot be asked. */
static struct kube_client *client(struct cmd_ctx *c)
{
    _cleanup_free_ char *cache = cmd_cache_dir(c);
    struct kube_client_options options = {.timeout_ms = COMPLETE_WAIT_MS,
                                          .connect_timeout_ms = COMPLETE_WAIT_MS,
                                          .cache_dir = cache,
                                          .no_terminal = true};

    if (c->client)
        return c->client;
    if (is_resting(c))
        return NULL;
    /* A credential plugin may outlast all of this: it is not begun again at once. */
    if (c->config->exec)
        let_rest(c);
    if (kube_client_new(cmd_loop(c), c->config, &options, &c->client, NULL) < 0)
        return NULL;
    return c->client;
}

/* Names go to a shell: what could be more than a word there is left out. */
static bool is_plain(const char *s)
{
    return *s &&
           s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/=@")] == '\0';
}

static void take_items(const cJSON *list, struct complete_live *l)
{
    size_t names = 0, labels = 0;

    json_each (item, json_get(list, "items")) {
        const char *name = json_str_or(item, "metadata.name", "");
        if (is_plain(name) && names++ < COMPLETE_MOST)
            strv_push(&l->names, name);
        json_each (label, json_at(item, "metadata.labels")) {
            _cleanup_free_ char *text =
                xasprintf("%s=%s", label->string, cJSON_IsString(label) ? label->valuestring : "");
            if (!is_plain(text) || labels >= LABELS_MOST || (l->labels && strv_has(l->labels, text)))
                continue;
            strv_push(&l->labels, text);
            labels++;
        }
    }
}

/* A server that says no is one that answers. */
static bool is_away(const struct err *e)
{
    return e->http == 0;
}

static bool ask(struct cmd_ctx *c, const struct kube_resource *r, const char *namespace,
                struct complete_live *l)
{
    _cleanup_free_ char *path = kube_path(r, namespace, NULL, NULL),
                        *query = xasprintf("limit=%d", COMPLETE_MOST);
    _cleanup_json_ cJSON *list = NULL;
    _cleanup_err_ struct err *e = NULL;
    struct kube_client *k = client(c);
    struct kube_call call = {.method = "GET", .path = path, .query = query, .accept = CLI_AS_METADATA_LIST};

    if (!k)
        return false;
    if (kube_json_wait(k, &call, &list, &e) < 0) {
        if (is_away(e))
            let_rest(c);
        return false;
    }
    if (c->config->exec)
        let_work(c);
    take_items(list, l);
    return true;
}

void complete_live_objects(struct cmd_ctx *c, const struct kube_resource *r, struct complete_live *ret)
{
    struct kept k = {0};
    struct complete_live now = {0};

    if (!have_config(c))
        return;
    const char *namespace = cli_namespace_for(c, r, false);
    _cleanup_free_ char *what =
        xasprintf("%s.%s.%s %s", r->resource, r->version, r->group, namespace ? namespace : "");
    _cleanup_free_ char *question = question_of(c, what);
    bool known = cache_read(question, &k);
    if (known && (within(k.answered_ns, FRESH_S) || within(k.asked_ns, REST_S))) {
        *ret = k.live;
        return;
    }
    if (ask(c, r, namespace, &now)) {
        complete_live_release(&k.live);
        k.live = now;
        k.answered_ns = k.asked_ns = time_now_ns();
        cache_write(question, &k);
    } else {
        k.asked_ns = time_now_ns();
        if (!within(k.answered_ns, STALE_S))
            complete_live_release(&k.live);
        else
            cache_write(question, &k);
    }
    *ret = k.live;
}

const struct kube_resource *complete_live_resource(struct cmd_ctx *c, const char *word)
{
    const struct kube_resource *r = kube_builtin_find(word);
    struct kube_client *k = r || !have_config(c) ? NULL : client(c);
    _cleanup_err_ struct err *e = NULL;

    if (k && kube_find_resource(k, word, &r, &e) < 0) {
        if (is_away(e) && e->code != ERR_NOT_FOUND)
            let_rest(c);
        return NULL;
    }
    return r;
}

static bool can_be_listed(const struct kube_resource *r)
{
    return !r->verbs || strv_has(r->verbs, "list");
}

void complete_live_kinds(struct cmd_ctx *c, void (*fn)(void *arg, const struct kube_resource *r), void *arg)
{
    struct kube_client *k = have_config(c) ? client(c) : NULL;
    const struct kube_apis *apis = NULL;
    const struct kube_resource *r;
    _cleanup_err_ struct err *e = NULL;

    for (size_t i = 0; (r = kube_builtin(i)); i++)
        fn(arg, r);
    if (!k)
        return;
    if (kube_find_apis(k, true, &apis, &e) < 0) {
        if (is_away(e))
            let_rest(c);
        return;
    }
    for (size_t i = 0; i < apis->len; i++)
        if (kube_apis_is_preferred(apis, i) && can_be_listed(apis->items[i]))
            fn(arg, apis->items[i]);
}
