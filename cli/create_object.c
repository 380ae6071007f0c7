#include "cli/create_object.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* No object can hold more. */
enum { DATA_MOST = 1024 * 1024, KEY_MOST = 253 };

static bool is_key(const char *key)
{
    size_t len = strlen(key);

    return len > 0 && len <= KEY_MOST && !streq(key, ".") && !streq(key, "..") &&
           strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == len;
}

static bool is_text(const char *data, size_t len)
{
    uint32_t cp;

    for (size_t i = 0; i < len;) {
        size_t n = data[i] ? str_utf8_next(data + i, &cp) : 0;
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

static int add(cJSON *object, const char *key, const char *data, size_t len, struct err **err)
{
    bool secret = streq(json_str_or(object, "kind", ""), "Secret");

    if (!is_key(key))
        return err_set(
            err, ERR_INVALID,
            "\"%s\" is not a valid key name: letters, digits, '-', '_' and '.', at most %d of them", key,
            KEY_MOST);
    if (json_get(json_get(object, "data"), key) || json_get(json_get(object, "binaryData"), key))
        return err_set(err, ERR_ALREADY_EXISTS,
                       "cannot add key \"%s\", another key by that name already exists in Data for %s \"%s\"",
                       key, secret ? "Secret" : "ConfigMap", json_str_or(object, "metadata.name", ""));
    bool encode = secret || !is_text(data, len);
    const char *member = encode && !secret ? "binaryData" : "data";
    _cleanup_free_ char *value = encode ? str_base64_encode(data, len) : xstrndup(data, len);
    if (!json_get(object, member))
        json_put(object, member, cJSON_CreateObject());
    json_put_str(json_get(object, member), key, value);
    return 0;
}

static int add_literal(cJSON *object, const char *word, struct err **err)
{
    const char *equals = strchr(word, '=');

    if (!equals || equals == word)
        return err_set(err, ERR_INVALID, "invalid literal source %s, expected key=value", word);
    _cleanup_free_ char *key = xstrndup(word, (size_t)(equals - word));
    return add(object, key, equals + 1, strlen(equals + 1), err);
}

static int add_file(cJSON *object, const char *key, const char *path, struct err **err)
{
    _cleanup_free_ char *data = NULL;
    size_t len = 0;
    int r = file_read(path, DATA_MOST, &data, &len, err);

    return r < 0 ? r : add(object, key, data, len, err);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The files of a folder whose names can be keys. */
static int add_folder(cJSON *object, const char *path, struct err **err)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, NULL, by_name), r = 0;

    if (n < 0)
        return err_set_os(err, errno, "cannot read the folder %s", path);
    for (int i = 0; i < n; i++) {
        _cleanup_free_ char *file = xasprintf("%s/%s", path, entries[i]->d_name);
        struct stat st;
        if (r == 0 && is_key(entries[i]->d_name) && stat(file, &st) == 0 && S_ISREG(st.st_mode))
            r = add_file(object, entries[i]->d_name, file, err);
        free(entries[i]);
    }
    free(entries);
    return r;
}

static int add_source(cJSON *object, const char *word, struct err **err)
{
    const char *equals = strchr(word, '='), *path = equals ? equals + 1 : word;
    _cleanup_free_ char *key = equals ? xstrndup(word, (size_t)(equals - word)) : NULL;
    const char *slash = strrchr(path, '/');
    struct stat st;

    if (!*path || (key && !*key) || strchr(path, '='))
        return err_set(err, ERR_INVALID, "invalid file source %s, expected FILE, FOLDER or KEY=FILE", word);
    if (stat(path, &st) < 0)
        return err_set_os(err, errno, "error reading %s", path);
    if (S_ISDIR(st.st_mode) && key)
        return err_set(err, ERR_INVALID, "cannot give a key name for a directory path: %s", word);
    if (S_ISDIR(st.st_mode))
        return add_folder(object, path, err);
    return add_file(object, key ? key : slash ? slash + 1 : path, path, err);
}

/* Lines of KEY=VALUE; those that begin with '#' are comments, a KEY alone is taken from the environment. */
static int add_env_file(cJSON *object, const char *path, struct err **err)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_strv_ char **lines = NULL;
    int r = file_read(path, DATA_MOST, &text, NULL, err);

    if (r < 0)
        return r;
    lines = strv_split(text, '\n', true);
    for (size_t i = 0; lines[i]; i++) {
        char *line = lines[i] + strspn(lines[i], " \t");
        line[strcspn(line, "\r")] = '\0';
        if (!*line || *line == '#')
            continue;
        char *equals = strchr(line, '=');
        if (equals)
            *equals = '\0';
        const char *value = equals ? equals + 1 : getenv(line);
        if (value)
            r = add(object, line, value, strlen(value), err);
        if (r < 0) {
            err_wrap(err, "%s:%zu", path, i + 1);
            return r;
        }
    }
    return 0;
}

static int add_data(cJSON *object, const struct create_from *from, struct err **err)
{
    int r = 0;

    for (char **word = from->files; r == 0 && word && *word; word++)
        r = add_source(object, *word, err);
    for (char **word = from->literals; r == 0 && word && *word; word++)
        r = add_literal(object, *word, err);
    for (char **word = from->env_files; r == 0 && word && *word; word++)
        r = add_env_file(object, *word, err);
    return r;
}

static const char *kind_of(int nwords, char *const *words, int *ret_used)
{
    static const char *const names[][3] = {{"namespace", "ns", "Namespace"},
                                           {"configmap", "cm", "ConfigMap"}};

    *ret_used = 1;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (streq(words[0], names[i][0]) || streq(words[0], names[i][1]))
            return names[i][2];
    *ret_used = 2;
    return streq(words[0], "secret") && nwords > 1 && streq(words[1], "generic") ? "Secret" : NULL;
}

int create_object(struct cmd_ctx *c, int nwords, char *const *words, const struct create_from *from,
                  cJSON **ret, struct err **err)
{
    int used = 0;
    const char *kind = kind_of(nwords, words, &used);
    bool data = from->literals || from->files || from->env_files;

    if (!kind)
        return cmd_usage(
            c, err,
            "cannot create \"%s\" without a manifest: there are namespace, configmap and secret generic; "
            "all else with -f FILE",
            words[0]);
    if (nwords != used + 1)
        return cmd_usage(c, err, "exactly one NAME is required, got %d", nwords - used);
    if (streq(kind, "Namespace") && data)
        return cmd_usage(c, err, "a namespace has no data: --from-... goes with configmap and secret");
    if (!streq(kind, "Secret") && from->type)
        return cmd_usage(c, err, "--type goes with secret generic");
    if (from->env_files && (from->files || from->literals))
        return cmd_usage(c, err, "from-env-file cannot be combined with from-file or from-literal");
    _cleanup_json_ cJSON *object = json_object("apiVersion", "v1", "kind", kind, NULL);
    json_set_str(object, "metadata.name", words[used]);
    if (from->type)
        json_set_str(object, "type", from->type);
    int r = add_data(object, from, err);
    if (r == 0)
        *ret = TAKE_PTR(object);
    return r;
}
