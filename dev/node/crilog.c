#include "dev/node/crilog.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "data/json.h"

enum { META_MAX = 16 * 1024, STAMP_MOST = 40, WAIT_STEP_MS = 5, ID_MOST = 64, TAIL_CHUNK = 64 * 1024 };

/* Lines */

bool dev_cri_parse(const char *line, size_t len, struct dev_cri_line *ret)
{
    const char *end = line + len, *space = memchr(line, ' ', len);
    char stamp[STAMP_MOST + 1];
    struct dev_cri_line l = {0};

    if (!space || space - line > STAMP_MOST)
        return false;
    memcpy(stamp, line, (size_t)(space - line));
    stamp[space - line] = '\0';
    if (time_parse_rfc3339(stamp, &l.ns, NULL) < 0)
        return false;
    const char *stream = space + 1;
    if (end - stream < 9)
        return false;
    l.is_stderr = memcmp(stream, "stderr ", 7) == 0;
    if (!l.is_stderr && memcmp(stream, "stdout ", 7) != 0)
        return false;
    const char *tag = stream + 7;
    if ((tag[0] != 'F' && tag[0] != 'P') || tag[1] != ' ')
        return false;
    l.partial = tag[0] == 'P';
    l.text = tag + 2;
    l.len = (size_t)(end - l.text);
    *ret = l;
    return true;
}

void dev_cri_stamp(struct buf *out, int64_t ns)
{
    /* Lines come in order, many a second: what is the same within a second is made once. */
    static int64_t second = INT64_MIN;
    static char text[TIME_RFC3339_LEN];
    char digits[11] = ".000000000";
    int64_t s = ns / 1000000000, rest = ns % 1000000000;

    if (s != second) {
        time_rfc3339(s * 1000000000, 0, text);
        second = s;
    }
    for (int i = 9; i > 0; i--, rest /= 10)
        digits[i] = (char)('0' + rest % 10);
    buf_add(out, text, strlen(text) - 1);
    buf_add(out, digits, sizeof(digits) - 1);
    buf_addc(out, 'Z');
}

void dev_cri_format(struct buf *out, const struct dev_cri_line *line)
{
    dev_cri_stamp(out, line->ns);
    buf_adds(out, line->is_stderr ? " stderr " : " stdout ");
    buf_adds(out, line->partial ? "P " : "F ");
    buf_add(out, line->text, line->len);
    buf_addc(out, '\n');
}

size_t dev_cri_strip(char *text, size_t len)
{
    size_t out = 0;

    for (size_t at = 0; at < len;) {
        const char *line = text + at, *end = memchr(line, '\n', len - at);
        size_t n = end ? (size_t)(end - line) : len - at;
        struct dev_cri_line l;
        bool good = dev_cri_parse(line, n, &l);
        size_t kept = good ? l.len : n;
        at += n + (end != NULL);
        memmove(text + out, good ? l.text : line, kept);
        out += kept;
        if (end && !(good && l.partial))
            text[out++] = '\n';
    }
    return out;
}

/* The process */

void dev_cri_meta_release(struct dev_cri_meta *m)
{
    free(m->id);
    *m = (struct dev_cri_meta){0};
}

static char *meta_path(const char *folder, int64_t instance)
{
    return xasprintf("%s/%lld.json", folder, (long long)instance);
}

static void set_time(cJSON *o, const char *key, int64_t ns)
{
    char text[TIME_RFC3339_LEN];

    json_set_str(o, key, ns ? time_rfc3339(ns, 9, text) : NULL);
}

static void set_proc(cJSON *o, const char *key, const struct dev_proc *p)
{
    _cleanup_free_ char *start = xasprintf("%llu", (unsigned long long)p->start);
    cJSON *proc = json_object("start", start, "boot", p->boot, NULL);

    json_set_int(proc, "pid", p->pid);
    json_set(o, key, proc);
}

int dev_cri_meta_save(const char *folder, int64_t instance, const struct dev_cri_meta *m, struct err **err)
{
    _cleanup_json_ cJSON *o = cJSON_CreateObject();
    _cleanup_free_ char *path = meta_path(folder, instance);

    set_proc(o, "process", &m->proc);
    set_proc(o, "keeper", &m->keeper);
    json_set_str(o, "containerID", m->id);
    set_time(o, "startedAt", m->started_ns);
    set_time(o, "finishedAt", m->finished_ns);
    json_set_int(o, "exitCode", m->exit_code);
    json_set_int(o, "signal", m->signum);
    json_set_bool(o, "closed", m->closed);
    _cleanup_free_ char *text = json_print(o);
    return file_write(path, text, strlen(text), 0600, err);
}

static bool get_proc(const cJSON *o, const char *key, struct dev_proc *ret)
{
    const cJSON *proc = json_get(o, key);
    int64_t pid = json_int(proc, "pid", 0);
    const char *boot = json_str_or(proc, "boot", "");

    if (pid < 2 || pid > INT32_MAX || strlen(boot) >= sizeof(ret->boot))
        return false;
    ret->pid = (pid_t)pid;
    ret->start = strtoull(json_str_or(proc, "start", "0"), NULL, 10);
    memcpy(ret->boot, boot, strlen(boot) + 1);
    return true;
}

static int64_t get_time(const cJSON *o, const char *key)
{
    const char *text = json_str(o, key);
    int64_t ns = 0;

    return text && time_parse_rfc3339(text, &ns, NULL) == 0 ? ns : 0;
}

int dev_cri_meta_load(const char *folder, int64_t instance, struct dev_cri_meta *ret, struct err **err)
{
    _cleanup_free_ char *path = meta_path(folder, instance), *text = NULL;
    _cleanup_json_ cJSON *o = NULL;
    struct dev_cri_meta m = {0};
    size_t len;
    int r = file_read(path, META_MAX, &text, &len, err);

    if (r == 0)
        r = json_parse(text, len, path, &o, err);
    if (r < 0)
        return r;
    int64_t code = json_int(o, "exitCode", 0), signum = json_int(o, "signal", 0);
    const char *id = json_str_or(o, "containerID", "");
    if (!get_proc(o, "process", &m.proc) || !get_proc(o, "keeper", &m.keeper) || code < 0 || code > 255 ||
        signum < 0 || signum > 128 || strlen(id) > ID_MOST)
        return err_set(err, ERR_INVALID, "%s does not tell of a process", path);
    m.id = xstrdup(id);
    m.started_ns = get_time(o, "startedAt");
    m.finished_ns = get_time(o, "finishedAt");
    m.exit_code = (int)code;
    m.signum = (int)signum;
    m.closed = json_bool(o, "closed", false);
    *ret = m;
    return 0;
}

/* Files */

char *dev_cri_path(const char *folder, int64_t instance)
{
    return xasprintf("%s/%lld.log", folder, (long long)instance);
}

/* The instance a file belongs to, -1: to none; *ret_rest: what follows the number. */
static int64_t instance_of(const char *name, const char **ret_rest)
{
    size_t digits = strspn(name, "0123456789");
    _cleanup_free_ char *number = xstrndup(name, digits);
    int64_t n;

    if (name[digits] != '.' || !str_to_i64(number, 0, INT32_MAX, &n))
        return -1;
    *ret_rest = name + digits;
    return n;
}

int64_t dev_cri_newest(const char *folder)
{
    DIR *d = opendir(folder);
    int64_t newest = -1;

    for (struct dirent *e; d && (e = readdir(d));) {
        const char *rest = "";
        int64_t n = instance_of(e->d_name, &rest);
        if (n > newest)
            newest = n;
    }
    if (d)
        closedir(d);
    return newest;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **dev_cri_rotated(const char *folder, int64_t instance)
{
    char **paths = strv_new();
    DIR *d = opendir(folder);

    for (struct dirent *e; d && (e = readdir(d));) {
        const char *rest = "";
        if (instance_of(e->d_name, &rest) != instance || !str_starts(rest, ".log."))
            continue;
        _cleanup_free_ char *path = xasprintf("%s/%s", folder, e->d_name);
        strv_push(&paths, path);
    }
    if (d)
        closedir(d);
    qsort(paths, strv_len(paths), sizeof(*paths), by_name);
    return paths;
}

void dev_cri_prune(const char *folder, int64_t first)
{
    DIR *d = opendir(folder);

    for (struct dirent *e; d && (e = readdir(d));) {
        const char *rest = "";
        int64_t n = instance_of(e->d_name, &rest);
        if (n >= 0 && n < first)
            unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d)
        closedir(d);
}

static bool has_inode(const char *path, ino_t inode)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_ino == inode;
}

char *dev_cri_after(const char *folder, int64_t instance, ino_t inode)
{
    _cleanup_free_ char *now = dev_cri_path(folder, instance);

    if (access(now, F_OK) < 0 || has_inode(now, inode))
        return NULL;
    _cleanup_strv_ char **aside = dev_cri_rotated(folder, instance);
    for (char **p = aside; *p; p++)
        if (has_inode(*p, inode) && p[1])
            return xstrdup(p[1]);
    return TAKE_PTR(now);
}

int dev_cri_ask_rotation(const char *folder, int64_t instance, struct err **err)
{
    _cleanup_(dev_cri_meta_release) struct dev_cri_meta m = {0};
    int r = dev_cri_meta_load(folder, instance, &m, err);

    return r < 0 ? r : dev_proc_signal(&m.keeper, SIGHUP, err);
}

int64_t dev_cri_tail_start(int fd, int64_t lines)
{
    _cleanup_free_ char *chunk = xmalloc(TAIL_CHUNK);
    struct stat st;

    if (lines < 0 || fd < 0 || fstat(fd, &st) < 0)
        return 0;
    if (lines == 0)
        return st.st_size;
    int64_t end = st.st_size, seen = 0;
    while (end > 0) {
        int64_t from = end > TAIL_CHUNK ? end - TAIL_CHUNK : 0;
        ssize_t n = pread(fd, chunk, (size_t)(end - from), from);
        if (n <= 0)
            return 0;
        for (int64_t i = n; i-- > 0;)
            /* The newline that ends the last line ends no line before it. */
            if (chunk[i] == '\n' && from + i + 1 < st.st_size && ++seen == lines)
                return from + i + 1;
        end = from;
    }
    return 0;
}

char *dev_cri_lock_path(const char *folder)
{
    return xasprintf("%s/keeper.lock", folder);
}

bool dev_cri_wait_keepers(const char *folder, int64_t timeout_ms)
{
    _cleanup_free_ char *path = dev_cri_lock_path(folder);
    _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
    int64_t deadline = time_mono_ms() + timeout_ms;

    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (time_mono_ms() >= deadline)
            return false;
        poll(NULL, 0, WAIT_STEP_MS);
    }
    return true;
}
