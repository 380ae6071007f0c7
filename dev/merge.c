#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "data/yaml.h"
#include "dev/kubeconf.h"

enum { KUBECONFIG_MAX = 16 * 1024 * 1024 };

static const char *const lists[] = {"clusters", "users", "contexts"};

/* Documents */

static bool remove_named(cJSON *list, const char *name)
{
    bool any = false;

    for (int i = cJSON_GetArraySize(list); i-- > 0;)
        if (streq(json_str_or(cJSON_GetArrayItem(list, i), "name", ""), name)) {
            cJSON_DeleteItemFromArray(list, i);
            any = true;
        }
    return any;
}

bool dev_kubeconf_remove(cJSON *target, const char *name)
{
    bool any = false;

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        any |= remove_named(json_get(target, lists[i]), name);
    if (streq(json_str_or(target, "current-context", ""), name)) {
        json_set_str(target, "current-context", "");
        any = true;
    }
    return any;
}

int dev_kubeconf_merge(cJSON *target, const cJSON *ours, bool use, struct err **err)
{
    const char *name = json_str_or(ours, "current-context", "");

    if (!cJSON_IsObject(target))
        return err_set(err, ERR_INVALID, "it is no kubeconfig: not an object");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const cJSON *list = json_get(target, lists[i]);
        if (list && !cJSON_IsArray(list) && !cJSON_IsNull(list))
            return err_set(err, ERR_INVALID, "it is no kubeconfig: %s is no list", lists[i]);
    }
    if (!json_get(target, "apiVersion"))
        json_put_str(target, "apiVersion", "v1");
    if (!json_get(target, "kind"))
        json_put_str(target, "kind", "Config");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        if (!cJSON_IsArray(json_get(target, lists[i])))
            json_put(target, lists[i], cJSON_CreateArray());
        cJSON *list = json_get(target, lists[i]);
        remove_named(list, name);
        json_each (item, json_get(ours, lists[i]))
            cJSON_AddItemToArray(list, cJSON_Duplicate(item, true));
    }
    if (use)
        json_put_str(target, "current-context", name);
    else if (!json_get(target, "current-context"))
        json_put_str(target, "current-context", "");
    return 0;
}

/* Files */

/* The file kubectl would write a new entry into: the first of $KUBECONFIG that exists, else its last, else
 * ~/.kube/config. */
static int user_file(char **ret, struct err **err)
{
    const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");
    _cleanup_strv_ char **files = strv_split(list ? list : "", ':', false);

    for (char **f = files; f && *f; f++)
        if (access(*f, F_OK) == 0 || !f[1]) {
            *ret = xstrdup(*f);
            return 0;
        }
    if (str_empty(home))
        return err_set(err, ERR_NOT_FOUND, "there is no home folder to hold .kube/config: set KUBECONFIG");
    *ret = xasprintf("%s/.kube/config", home);
    return 0;
}

/* Where the file really is, also seen from another folder: a link stays one. Caller frees. */
static char *real_file(const char *path)
{
    char *real = realpath(path, NULL);

    if (real)
        return real;
    _cleanup_free_ char *here = path[0] == '/' ? NULL : realpath(".", NULL);
    return here ? xasprintf("%s/%s", here, path) : xstrdup(path);
}

static int load(const char *path, cJSON **ret, struct err **err)
{
    _cleanup_(yaml_docs_release) struct yaml_docs docs = {0};
    _cleanup_err_ struct err *problem = NULL;
    _cleanup_free_ char *text = NULL;
    size_t len;
    int r = file_read(path, KUBECONFIG_MAX, &text, &len, &problem);

    if (r < 0 && problem->os == ENOENT) {
        *ret = cJSON_CreateObject();
        return 0;
    }
    if (r < 0)
        return err_move(err, TAKE_PTR(problem));
    r = yaml_parse(text, len, path, &docs, err);
    if (r < 0)
        return r;
    if (docs.len > 1)
        return err_set(err, ERR_INVALID, "%s holds %zu documents instead of one", path, docs.len);
    *ret = docs.len ? TAKE_PTR(docs.items[0].root) : cJSON_CreateObject();
    return 0;
}

static int save(const char *path, const cJSON *doc, struct err **err)
{
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct stat st;
    mode_t mode = stat(path, &st) == 0 ? st.st_mode & 0777 : 0600;

    yaml_print_to(&text, doc);
    return file_write(path, buf_str(&text), text.len, mode, err);
}

/* kubectl's own lock for writing a kubeconfig. */
static int lock_file(const char *path, char **ret_lock, struct err **err)
{
    _cleanup_free_ char *lock = xasprintf("%s.lock", path);
    int fd = open(lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        return err_set(err, ERR_CONFLICT, "another program is changing %s (if none is, remove %s)", path,
                       lock);
    if (fd < 0)
        return err_set_os(err, errno, "create %s", lock);
    close(fd);
    *ret_lock = TAKE_PTR(lock);
    return 0;
}

static void unlock_file(char **lock)
{
    if (*lock)
        unlink(*lock);
    free(*lock);
}

static int make_folder(const char *path, struct err **err)
{
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path)
        return 0;
    _cleanup_free_ char *folder = xstrndup(path, (size_t)(slash - path));
    return file_mkdirs(folder, 0755, err);
}

int dev_merge(struct dev_env *e, bool use, char **ret_path, struct err **err)
{
    _cleanup_free_ char *named = NULL, *path = NULL;
    _cleanup_(unlock_file) char *lock = NULL;
    _cleanup_json_ cJSON *ours = NULL, *target = NULL;
    int r = user_file(&named, err);

    if (r < 0)
        return r;
    path = real_file(named);
    r = load(e->kubeconfig, &ours, err);
    if (r == 0)
        r = make_folder(path, err);
    if (r == 0)
        r = lock_file(path, &lock, err);
    if (r == 0)
        r = load(path, &target, err);
    if (r == 0)
        r = dev_kubeconf_merge(target, ours, use, err);
    if (r < 0)
        return err_wrap(err, "merge context %s into %s", e->context, path);
    /* Recorded first: what is written is then also taken out again. */
    xstr_replace(&e->merged_into, path);
    r = dev_state_save(e, err);
    if (r == 0)
        r = save(path, target, err);
    if (r < 0)
        return err_wrap(err, "merge context %s into %s", e->context, path);
    *ret_path = TAKE_PTR(path);
    return 0;
}

int dev_unmerge(struct dev_env *e, struct err **err)
{
    _cleanup_(unlock_file) char *lock = NULL;
    _cleanup_json_ cJSON *target = NULL;
    int r;

    if (!e->merged_into || access(e->merged_into, F_OK) < 0)
        return 0;
    r = lock_file(e->merged_into, &lock, err);
    if (r == 0)
        r = load(e->merged_into, &target, err);
    if (r == 0 && dev_kubeconf_remove(target, e->context))
        r = save(e->merged_into, target, err);
    if (r < 0)
        return err_wrap(err, "take context %s out of %s", e->context, e->merged_into);
    dev_say(e, "context %s removed from %s", e->context, e->merged_into);
    return 0;
}
