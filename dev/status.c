#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>

#include "base/str.h"
#include "data/json.h"
#include "dev/children.h"
#include "dev/node/crilog.h"
#include "dev/run.h"

enum { CRASH_LINES = 5, TAIL_BYTES = 64 * 1024, LINE_MAX_BYTES = 500 };

/* Where the last lines of text begin. */
static size_t last_lines(const char *text, size_t len, int lines)
{
    for (; len > 0; len--)
        if (text[len - 1] == '\n' && --lines == 0)
            break;
    return len;
}

/* At most so many lines from start on; long ones are cut. */
static char *cut_lines(const char *text, size_t start, size_t len, int lines)
{
    struct buf out = BUF_INIT;

    for (; start < len && lines > 0; lines--) {
        const char *end = memchr(text + start, '\n', len - start);
        size_t n = end ? (size_t)(end - text) - start : len - start;
        buf_add(&out, text + start, n > LINE_MAX_BYTES ? LINE_MAX_BYTES : n);
        if (n > LINE_MAX_BYTES)
            buf_adds(&out, "...");
        start += n + (end != NULL);
        if (start < len && lines > 1)
            buf_addc(&out, '\n');
    }
    return buf_take(&out);
}

/* The part of a log from offset on that is looked at, without its final newlines; NULL when there is none. */
static char *read_end(const struct dev_env *e, const char *child, int64_t offset, size_t *ret_len)
{
    _cleanup_free_ char *path = dev_log_path(e, child), *text = xmalloc(TAIL_BYTES + 1);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return NULL;
    int64_t from = st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0;
    if (from < offset && offset <= st.st_size)
        from = offset;
    ssize_t n = pread(fd, text, TAIL_BYTES, from);
    while (n > 0 && text[n - 1] == '\n')
        n--;
    if (n <= 0)
        return NULL;
    struct stat link;
    if (lstat(path, &link) == 0 && S_ISLNK(link.st_mode))
        n = (ssize_t)dev_cri_strip(text, (size_t)n);
    text[n] = '\0';
    *ret_len = (size_t)n;
    return TAKE_PTR(text);
}

char *dev_log_tail(const struct dev_env *e, const char *child, int64_t offset, int lines)
{
    size_t len = 0;
    _cleanup_free_ char *text = read_end(e, child, offset, &len);

    return text ? cut_lines(text, last_lines(text, len, lines), len, lines) : xstrdup("");
}

/* Where a program says why it gives up. What follows may be pages of stack traces. */
static size_t last_words(const char *text, size_t len)
{
    static const char *const marks[] = {"\"level\":\"fatal\"", "\"level\":\"panic\"", "panic: ", "[FTL]",
                                        "\nF"};
    size_t first = len;

    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        const char *at = memmem(text, len, marks[i], strlen(marks[i]));
        if (at && (size_t)(at - text) < first)
            first = (size_t)(at - text);
    }
    if (first < len && text[first] == '\n')
        return first + 1;
    while (first < len && first > 0 && text[first - 1] != '\n')
        first--;
    return first;
}

char *dev_log_death(const struct dev_env *e, const char *child, int64_t offset, int lines)
{
    size_t len = 0;
    _cleanup_free_ char *text = read_end(e, child, offset, &len);

    if (!text)
        return xstrdup("");
    size_t tail = last_lines(text, len, lines), words = last_words(text, len);
    return cut_lines(text, words < tail ? words : tail, len, lines);
}

static const char *state_text(const struct dev_env *e, const struct dev_child *c, struct dev_proc *ret_proc)
{
    _cleanup_err_ struct err *problem = NULL;

    if (dev_child_proc(e, c, ret_proc, &problem) < 0)
        return problem->code == ERR_NOT_FOUND ? "stopped" : "unknown";
    switch (dev_proc_state(ret_proc)) {
    case DEV_PROC_ALIVE:
        return "running";
    case DEV_PROC_FROZEN:
        return "frozen";
    case DEV_PROC_STALE:
        return "stale";
    case DEV_PROC_GONE:
        break;
    }
    return "crashed";
}

static void add_tail(const struct dev_env *e, const struct dev_child *c, cJSON *o)
{
    _cleanup_free_ char *tail = dev_log_tail(e, c->name, 0, CRASH_LINES);
    _cleanup_strv_ char **lines = strv_split(tail, '\n', false);
    cJSON *array = cJSON_CreateArray();

    for (char **l = lines; l && *l; l++) {
        _cleanup_free_ char *shown = str_escape_control(*l, false);
        cJSON_AddItemToArray(array, cJSON_CreateString(shown));
    }
    json_set(o, "logTail", array);
}

static void add_ports(const struct dev_child *c, cJSON *o)
{
    const struct dev_kind_spec *spec = dev_kind_spec(c->kind);
    cJSON *ports = cJSON_CreateObject();

    for (int i = 0; i < DEV_PORTS && spec->ports[i]; i++)
        if (c->ports[i])
            json_set_int(ports, spec->ports[i], c->ports[i]);
    json_set(o, "ports", ports);
}

static void add_url(const struct dev_child *c, cJSON *o)
{
    const char *scheme = c->kind == DEV_APISERVER ? "https" : c->kind == DEV_NATS ? "nats" : "http";

    if (!c->ports[0])
        return;
    _cleanup_free_ char *url = xasprintf("%s://127.0.0.1:%d", scheme, c->ports[0]);
    json_set_str(o, "url", url);
}

static void add_labels(const struct dev_child *c, cJSON *o)
{
    cJSON *labels = cJSON_CreateObject();

    for (char **l = c->labels; l && *l; l++) {
        size_t key = strcspn(*l, "=");
        _cleanup_free_ char *name = xstrndup(*l, key);
        json_put_str(labels, name, *l + key + 1);
    }
    json_set(o, "labels", labels);
}

static cJSON *child_status(const struct dev_env *e, const struct dev_child *c)
{
    _cleanup_free_ char *log = dev_log_path(e, c->name), *data = dev_path(e, "data/%s", c->name);
    cJSON *o = cJSON_CreateObject();
    struct dev_proc p = {0};
    const char *state = state_text(e, c, &p);

    json_set_str(o, "name", c->name);
    json_set_str(o, "kind", dev_kind_spec(c->kind)->name);
    json_set_str(o, "state", state);
    if (p.pid)
        json_set_int(o, "pid", p.pid);
    add_ports(c, o);
    add_url(c, o);
    if (streq(state, "running") || streq(state, "frozen")) {
        json_set_int(o, "uptimeSeconds", dev_proc_uptime_s(&p));
        json_set_int(o, "rssBytes", dev_proc_rss(&p));
    }
    json_set_str(o, "log", log);
    json_set_str(o, "folder", data);
    if (streq(state, "crashed"))
        add_tail(e, c, o);
    if (c->kind == DEV_HOST) {
        json_set_str(o, "hostID", c->id);
        add_labels(c, o);
    }
    return o;
}

static void add_kind_url(const struct dev_env *e, enum dev_kind kind, int port, const char *key, cJSON *o)
{
    const struct dev_child *c = dev_child_of(e, kind);

    if (!c || !c->ports[port])
        return;
    _cleanup_free_ char *url = xasprintf("http://127.0.0.1:%d", c->ports[port]);
    json_set_str(o, key, url);
}

cJSON *dev_status(const struct dev_env *e)
{
    _cleanup_free_ char *api = dev_api_url(e), *nats = dev_nats_url(e),
                        *audit = dev_path(e, "logs/audit.log");
    cJSON *o = cJSON_CreateObject(), *children = cJSON_CreateArray();

    json_set_str(o, "name", e->name);
    json_set_str(o, "folder", e->dir);
    json_set_str(o, "kubeconfig", e->kubeconfig);
    json_set_str(o, "context", e->context);
    json_set_str(o, "apiServer", api);
    json_set_str(o, "nats", nats);
    add_kind_url(e, DEV_NATS, 1, "natsMonitor", o);
    add_kind_url(e, DEV_ETCD, 0, "etcd", o);
    json_set_str(o, "lattice", DEV_LATTICE_ID);
    json_set_bool(o, "operator", e->with_operator);
    json_set_bool(o, "node", e->with_node);
    json_set_str(o, "auditLog", e->with_audit ? audit : NULL);
    json_set_str(o, "mergedInto", e->merged_into);
    for (size_t i = 0; i < e->children.len; i++)
        cJSON_AddItemToArray(children, child_status(e, e->children.items[i]));
    json_set(o, "children", children);
    return o;
}
