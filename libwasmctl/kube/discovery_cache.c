#include "kube/discovery_cache.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/client_internal.h"

#define MAGIC "wasmctl-cache 1 "

enum { HASH_DIGITS = 16, NAME_MOST = 128 };

void kube_cache_entry_release(struct kube_cache_entry *e)
{
    free(e->tag);
    free(e->body);
    *e = (struct kube_cache_entry){0};
}

/* Part of a path: nothing that leads elsewhere. */
static void add_plain(struct buf *b, const char *s)
{
    size_t start = b->len;

    for (; *s && b->len - start < NAME_MOST; s++) {
        bool dot = *s == '.' && b->len > start;
        buf_addc(b, isalnum((unsigned char)*s) || strchr("_-", *s) || dot ? *s : '_');
    }
}

static uint64_t add_hash(uint64_t h, const char *s)
{
    return str_hash64(s ? s : "", s ? strlen(s) + 1 : 1, h);
}

/* Two clusters may have the same address at different times or behind different proxies: local ones often do.
 */
static uint64_t server_hash(const struct kube_config *config)
{
    uint64_t h = add_hash(STR_HASH64_INIT, config->server);

    h = add_hash(h, config->tls_server_name);
    h = add_hash(h, config->proxy_url);
    return add_hash(h, config->ca_pem);
}

char *kube_cache_folder(const struct kube_client *c)
{
    struct buf b = BUF_INIT;

    if (str_empty(c->cache_dir))
        return NULL;
    buf_addf(&b, "%s/wasmctl-discovery/", c->cache_dir);
    add_plain(&b, c->host_port);
    buf_addf(&b, "-%016" PRIx64, server_hash(c->config));
    return buf_take(&b);
}

static char *file_path(const struct kube_client *c, const char *name)
{
    _cleanup_free_ char *folder = kube_cache_folder(c);
    struct buf b = BUF_INIT;

    if (!folder)
        return NULL;
    buf_addf(&b, "%s/", folder);
    add_plain(&b, name);
    return buf_take(&b);
}

/* What others could have written is not believed. */
static bool is_ours(const char *path, int64_t *ret_age_ns)
{
    struct stat st;

    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
        return false;
    int64_t written = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    *ret_age_ns = time_now_ns() - written;
    /* From the future: the clock was set back, nothing is known about its age. */
    return *ret_age_ns >= 0;
}

/* The line at *p without its end; *p goes past it. NULL when there is none. */
static char *take_line(char **p)
{
    char *line = *p, *end = strchr(line, '\n');

    if (!end)
        return NULL;
    *end = '\0';
    *p = end + 1;
    return line;
}

static uint64_t content_hash(const char *server, const char *tag, const char *body, size_t len)
{
    uint64_t h = add_hash(STR_HASH64_INIT, server);

    h = add_hash(h, tag);
    return str_hash64(body, len, h);
}

bool kube_cache_read(const struct kube_client *c, const char *name, struct kube_cache_entry *ret)
{
    _cleanup_free_ char *path = file_path(c, name), *text = NULL;
    char hash[HASH_DIGITS + 1];
    int64_t age_ns = 0;
    size_t len = 0;

    if (!path || !is_ours(path, &age_ns) || file_read(path, KUBE_CACHE_FILE_MOST, &text, &len, NULL) < 0)
        return false;
    char *p = text, *head = take_line(&p), *tag = head ? take_line(&p) : NULL;
    if (!tag || !str_starts(head, MAGIC))
        return false;
    head += strlen(MAGIC);
    if (strlen(head) <= HASH_DIGITS || head[HASH_DIGITS] != ' ' ||
        !streq(head + HASH_DIGITS + 1, c->config->server))
        return false;
    size_t body_len = len - (size_t)(p - text);
    snprintf(hash, sizeof(hash), "%016" PRIx64, content_hash(c->config->server, tag, p, body_len));
    if (strncmp(head, hash, HASH_DIGITS) != 0)
        return false;
    *ret = (struct kube_cache_entry){
        .tag = xstrdup(tag), .body = xmemdup(p, body_len + 1), .len = body_len, .age_ns = age_ns};
    return true;
}

static bool fits_a_line(const char *tag)
{
    if (strlen(tag) > KUBE_CACHE_TAG_MOST)
        return false;
    for (; *tag; tag++)
        if (!isprint((unsigned char)*tag))
            return false;
    return true;
}

void kube_cache_write(const struct kube_client *c, const char *name, const char *tag, const char *body,
                      size_t len)
{
    _cleanup_free_ char *folder = kube_cache_folder(c), *path = file_path(c, name);
    _cleanup_buf_ struct buf b = BUF_INIT_MAX(KUBE_CACHE_FILE_MOST);
    const char *server = c->config->server;

    if (!path || strchr(server, '\n') || file_mkdirs(folder, 0700, NULL) < 0)
        return;
    if (!tag || !fits_a_line(tag))
        tag = "";
    buf_addf(&b, MAGIC "%016" PRIx64 " %s\n%s\n", content_hash(server, tag, body, len), server, tag);
    if (buf_add(&b, body, len) == 0)
        file_write(path, b.data, b.len, 0600, NULL);
}

void kube_cache_touch(const struct kube_client *c, const char *name)
{
    _cleanup_free_ char *path = file_path(c, name);

    if (path)
        utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
}
