#include "kube/kubeconfig_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "data/yaml.h"

enum { LARGEST_FILE = 16 * 1024 * 1024, LOCK_WAIT_MS = 3000, LOCK_LOOK_MS = 20 };

static const struct {
    const char *list, *content;
} lists[] = {
    [KUBECONFIG_CLUSTERS] = {"clusters", "cluster"},
    [KUBECONFIG_CONTEXTS] = {"contexts", "context"},
    [KUBECONFIG_USERS] = {"users", "user"},
};

struct config_file {
    char *path;
    cJSON *doc;
    bool exists, changed, locked;
};

struct kubeconfig_files {
    VEC(struct config_file) files;
    size_t standard; /* index of the file new entries go into */
};

/* Opening */

static int check_shape(const cJSON *doc, const char *path, struct err **err)
{
    const char *kind = json_str(doc, "kind");

    if (!cJSON_IsObject(doc) || (kind && *kind && !streq(kind, "Config")))
        return err_set(err, ERR_INVALID, "%s: is no kubeconfig", path);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const cJSON *list = json_get(doc, lists[i].list);
        if (list && !cJSON_IsArray(list) && !cJSON_IsNull(list))
            return err_set(err, ERR_INVALID, "%s: is no kubeconfig: %s is no list", path, lists[i].list);
        json_each (entry, list)
            if (!cJSON_IsObject(entry))
                return err_set(err, ERR_INVALID, "%s: is no kubeconfig: %s holds something that is no entry",
                               path, lists[i].list);
    }
    return 0;
}

static int read_config(struct config_file *f, struct err **err)
{
    _cleanup_(yaml_docs_release) struct yaml_docs docs = {0};
    _cleanup_free_ char *text = NULL;
    struct err *e = NULL;
    size_t len;

    if (file_read(f->path, LARGEST_FILE, &text, &len, &e) < 0) {
        if (e->os != ENOENT)
            return err_move(err, e);
        err_free(e);
        f->doc = cJSON_CreateObject();
        return 0;
    }
    int r = yaml_parse(text, len, f->path, &docs, err);
    if (r < 0)
        return r;
    if (docs.len > 1)
        return err_set(err, ERR_INVALID, "%s: a kubeconfig holds one document, not %zu", f->path, docs.len);
    r = docs.len ? check_shape(docs.items[0].root, f->path, err) : 0;
    if (r < 0)
        return r;
    f->doc = docs.len ? TAKE_PTR(docs.items[0].root) : cJSON_CreateObject();
    f->exists = true;
    return 0;
}

static char *lock_name(const char *path)
{
    return xasprintf("%s.lock", path);
}

static int lock(struct config_file *f, struct err **err)
{
    _cleanup_free_ char *name = lock_name(f->path);
    const char *slash = strrchr(f->path, '/');
    int64_t end = time_mono_ms() + LOCK_WAIT_MS;

    if (slash && slash != f->path) {
        _cleanup_free_ char *folder = xstrndup(f->path, (size_t)(slash - f->path));
        int r = file_mkdirs(folder, 0755, err);
        if (r < 0)
            return r;
    }
    for (;;) {
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0) {
            close(fd);
            f->locked = true;
            return 0;
        }
        if (errno != EEXIST)
            return err_set_os(err, errno, "create %s", name);
        if (time_mono_ms() >= end)
            return err_set(err, ERR_CONFLICT, "another program is changing %s (if none is, remove %s)",
                           f->path, name);
        nanosleep(&(struct timespec){.tv_nsec = LOCK_LOOK_MS * 1000000L}, NULL);
    }
}

static void add_file(struct kubeconfig_files *k, const char *path)
{
    for (size_t i = 0; i < k->files.len; i++)
        if (streq(k->files.items[i].path, path))
            return;
    vec_push(&k->files, ((struct config_file){.path = xstrdup(path)}));
}

static int find_files(struct kubeconfig_files *k, const char *path, struct err **err)
{
    const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");

    if (path) {
        add_file(k, path);
    } else if (!str_empty(list)) {
        _cleanup_strv_ char **files = strv_split(list, ':', false);
        for (char **f = files; *f; f++)
            add_file(k, *f);
    }
    if (!k->files.len) {
        if (str_empty(home))
            return err_set(err, ERR_NOT_FOUND,
                           "there is no home folder to hold .kube/config: set KUBECONFIG");
        _cleanup_free_ char *usual = xasprintf("%s/.kube/config", home);
        add_file(k, usual);
    }
    k->standard = k->files.len - 1;
    for (size_t i = k->files.len; i-- > 0;)
        if (access(k->files.items[i].path, F_OK) == 0)
            k->standard = i;
    return 0;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp((*(struct config_file *const *)a)->path, (*(struct config_file *const *)b)->path);
}

/* Everybody locks in the same order, so nobody waits for somebody who waits for them. */
static int lock_files(struct kubeconfig_files *k, struct err **err)
{
    _cleanup_free_ struct config_file **sorted = xcalloc(k->files.len, sizeof(struct config_file *));
    int r = 0;

    for (size_t i = 0; i < k->files.len; i++)
        sorted[i] = &k->files.items[i];
    qsort(sorted, k->files.len, sizeof(*sorted), compare_files);
    for (size_t i = 0; i < k->files.len && r == 0; i++)
        if (sorted[i] == &k->files.items[k->standard] || access(sorted[i]->path, F_OK) == 0)
            r = lock(sorted[i], err);
    return r;
}

int kubeconfig_files_open(const char *path, bool write, struct kubeconfig_files **ret, struct err **err)
{
    _cleanup_(kubeconfig_files_freep) struct kubeconfig_files *k = xcalloc(1, sizeof(*k));
    int r = find_files(k, path, err);

    if (r == 0 && write)
        r = lock_files(k, err);
    for (size_t i = 0; i < k->files.len && r == 0; i++)
        r = read_config(&k->files.items[i], err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(k);
    return 0;
}

void kubeconfig_files_free(struct kubeconfig_files *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->files.len; i++) {
        struct config_file *f = &k->files.items[i];
        _cleanup_free_ char *name = lock_name(f->path);
        if (f->locked)
            unlink(name);
        cJSON_Delete(f->doc);
        free(f->path);
    }
    free(k->files.items);
    free(k);
}

/* Entries */

const char *kubeconfig_files_default(const struct kubeconfig_files *k)
{
    return k->files.items[k->standard].path;
}

static cJSON *find_entry(const struct kubeconfig_files *k, enum kubeconfig_list list, const char *name,
                         struct config_file **ret_file)
{
    for (size_t i = 0; i < k->files.len; i++)
        json_each (entry, json_get(k->files.items[i].doc, lists[list].list))
            if (streq(json_str_or(entry, "name", ""), name)) {
                if (ret_file)
                    *ret_file = &k->files.items[i];
                return entry;
            }
    return NULL;
}

static char *absolute(const char *path)
{
    _cleanup_free_ char *here = *path == '/' ? NULL : realpath(".", NULL);

    return here ? xasprintf("%s/%s", here, path) : xstrdup(path);
}

char *kubeconfig_files_folder(const struct kubeconfig_files *k, enum kubeconfig_list list, const char *name)
{
    struct config_file *f = &k->files.items[k->standard];

    find_entry(k, list, name, &f);
    char *path = absolute(f->path), *slash = strrchr(path, '/');
    if (slash)
        slash[slash == path] = '\0';
    return path;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **kubeconfig_files_names(const struct kubeconfig_files *k, enum kubeconfig_list list)
{
    char **names = strv_new();

    for (size_t i = 0; i < k->files.len; i++)
        json_each (entry, json_get(k->files.items[i].doc, lists[list].list)) {
            const char *name = json_str(entry, "name");
            if (name && !strv_has(names, name))
                strv_push(&names, name);
        }
    qsort(names, strv_len(names), sizeof(*names), compare_names);
    return names;
}

const cJSON *kubeconfig_files_get(const struct kubeconfig_files *k, enum kubeconfig_list list,
                                  const char *name)
{
    cJSON *entry = find_entry(k, list, name, NULL);

    if (entry && !cJSON_IsObject(json_get(entry, lists[list].content)))
        json_put(entry, lists[list].content, cJSON_CreateObject());
    return entry ? json_get(entry, lists[list].content) : NULL;
}

void kubeconfig_files_put(struct kubeconfig_files *k, enum kubeconfig_list list, const char *name,
                          cJSON *content)
{
    struct config_file *f = &k->files.items[k->standard];
    cJSON *entry = find_entry(k, list, name, &f);

    if (entry && json_equal(json_get(entry, lists[list].content), content)) {
        cJSON_Delete(content);
        return;
    }
    f->changed = true;
    if (!entry) {
        if (!cJSON_IsArray(json_get(f->doc, lists[list].list)))
            json_put(f->doc, lists[list].list, cJSON_CreateArray());
        entry = json_object("name", name, NULL);
        cJSON_AddItemToArray(json_get(f->doc, lists[list].list), entry);
    }
    json_put(entry, lists[list].content, content);
}

bool kubeconfig_files_remove(struct kubeconfig_files *k, enum kubeconfig_list list, const char *name)
{
    struct config_file *f = NULL;
    cJSON *entry = find_entry(k, list, name, &f);

    if (!entry)
        return false;
    cJSON_Delete(cJSON_DetachItemViaPointer(json_get(f->doc, lists[list].list), entry));
    f->changed = true;
    return true;
}

/* The file whose current-context counts, NULL if none sets one. */
static struct config_file *current_file(const struct kubeconfig_files *k)
{
    for (size_t i = 0; i < k->files.len; i++)
        if (!str_empty(json_str(json_get(k->files.items[i].doc, "current-context"), "")))
            return &k->files.items[i];
    return NULL;
}

const char *kubeconfig_files_current(const struct kubeconfig_files *k)
{
    const struct config_file *f = current_file(k);

    return f ? json_str(json_get(f->doc, "current-context"), "") : "";
}

void kubeconfig_files_set_current(struct kubeconfig_files *k, const char *name)
{
    struct config_file *f = *name ? &k->files.items[k->standard] : current_file(k);

    if (!f || streq(kubeconfig_files_current(k), name))
        return;
    json_put_str(f->doc, "current-context", name);
    f->changed = true;
}

/* The part of path behind the folder, NULL when it is not below it. */
static const char *below(const char *folder, const char *path)
{
    size_t n = folder ? strlen(folder) : 0;

    if (n < 2 || !str_starts(path, folder) || path[n] != '/' || strstr(path + n, "/../"))
        return NULL;
    path += n + 1;
    while (str_starts(path, "./"))
        path += 2;
    return path;
}

int kubeconfig_files_path(const struct kubeconfig_files *k, enum kubeconfig_list list, const char *name,
                          const char *path, char **ret, struct err **err)
{
    if (!*path) {
        *ret = xstrdup("");
        return 0;
    }
    _cleanup_free_ char *folder = kubeconfig_files_folder(k, list, name), *full = absolute(path);
    _cleanup_free_ char *real_folder = realpath(folder, NULL), *real = realpath(full, NULL);
    if (strlen(full) >= PATH_MAX)
        return err_set(err, ERR_TOO_LARGE, "the path %.40s... is too long", path);
    /* A link keeps its own name. A file that is yet to come is taken as it is written. */
    bool crooked = strstr(full, "/./") || strstr(full, "/../") || strstr(full, "//");
    const char *written = crooked && real ? real : full;
    const char *relative = below(folder, written);
    if (!relative)
        relative = below(real_folder, written);
    *ret = xstrdup(relative ? relative : written);
    return 0;
}

cJSON *kubeconfig_files_merged(const struct kubeconfig_files *k)
{
    cJSON *all = json_object("apiVersion", "v1", "kind", "Config", NULL);

    for (int i = 0; i < (int)ARRAY_LEN(lists); i++) {
        _cleanup_strv_ char **names = kubeconfig_files_names(k, (enum kubeconfig_list)i);
        cJSON *list = *names ? cJSON_CreateArray() : cJSON_CreateNull();
        for (char **name = names; *name; name++) {
            kubeconfig_files_get(k, (enum kubeconfig_list)i, *name);
            cJSON_AddItemToArray(list,
                                 cJSON_Duplicate(find_entry(k, (enum kubeconfig_list)i, *name, NULL), true));
        }
        json_put(all, lists[i].list, list);
    }
    json_put_str(all, "current-context", kubeconfig_files_current(k));
    return all;
}

/* Writing */

static int write_config(const struct config_file *f, struct err **err)
{
    _cleanup_free_ char *real = realpath(f->path, NULL);
    const char *path = real ? real : f->path;
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct stat st;
    bool known = stat(path, &st) == 0;

    if (!json_get(f->doc, "apiVersion"))
        json_put_str(f->doc, "apiVersion", "v1");
    if (!json_get(f->doc, "kind"))
        json_put_str(f->doc, "kind", "Config");
    yaml_print_to(&text, f->doc);
    int r = file_write(path, buf_str(&text), text.len, known ? st.st_mode & 07777 : 0600, err);
    explicit_bzero(text.data, text.len);
    /* Root may change the file of somebody else: it stays theirs. Who may not give it back keeps it. */
    if (r == 0 && known && (st.st_uid != geteuid() || st.st_gid != getegid()) &&
        chown(path, st.st_uid, st.st_gid) < 0)
        errno = 0;
    return r;
}

int kubeconfig_files_commit(struct kubeconfig_files *k, struct err **err)
{
    for (size_t i = 0; i < k->files.len; i++) {
        struct config_file *f = &k->files.items[i];
        int r = f->changed ? write_config(f, err) : 0;
        if (r < 0)
            return r;
        f->changed = false;
    }
    return 0;
}
