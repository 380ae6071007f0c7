#include "operator/registry.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/json.h"

void registry_login_release(struct registry_login *l)
{
    free(l->registry);
    free(l->username);
    if (l->password)
        explicit_bzero(l->password, strlen(l->password));
    free(l->password);
    *l = (struct registry_login){0};
}

static const char *without_scheme(const char *s)
{
    static const char *const schemes[] = {"oci://", "https://", "http://"};

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (str_starts(s, schemes[i]))
            return s + strlen(schemes[i]);
    return s;
}

char *registry_of(const char *image)
{
    if (str_starts(image, "file://") || strstr(image, "builtin://"))
        return NULL;
    const char *from = without_scheme(image);
    size_t len = strcspn(from, "/");
    /* "name/x" is a repository of the default registry; a registry has a dot or a port, or is localhost. */
    bool named = from[len] == '/' &&
                 (memchr(from, '.', len) || memchr(from, ':', len) || strncmp(from, "localhost", len) == 0);
    return named ? xstrndup(from, len) : xstrdup("docker.io");
}

char *registry_mirrored(const char *image, const struct map *mirrors)
{
    const char *name = without_scheme(image), *best = NULL;
    size_t best_len = 0;

    if (str_starts(image, "file://") || strstr(image, "builtin://"))
        return xstrdup(image);
    for (struct map_iter it = {0}; map_next(mirrors, &it);) {
        size_t len = strlen(it.key);
        while (len && it.key[len - 1] == '/')
            len--;
        if (len <= best_len || strncmp(name, it.key, len) != 0 || !strchr("/:@", name[len]))
            continue;
        best = it.value;
        best_len = len;
    }
    if (!best)
        return xstrdup(image);
    size_t mirror = strlen(best);
    while (mirror && best[mirror - 1] == '/')
        mirror--;
    return xasprintf("%.*s%.*s%s", (int)(name - image), image, (int)mirror, best, name + best_len);
}

/* Keys are "host", "host:port", "https://host/v1/" and the like. */
static bool key_matches(const char *key, const char *registry)
{
    const char *from = without_scheme(key);
    size_t len = strcspn(from, "/");

    if (streq(registry, "docker.io") && strncmp(from, "index.docker.io", len) == 0)
        return true;
    return strlen(registry) == len && strncmp(from, registry, len) == 0;
}

static int read_entry(const cJSON *entry, struct registry_login *l, struct err **err)
{
    const char *username = json_str(entry, "username"), *password = json_str(entry, "password");
    const char *auth = json_str(entry, "auth");

    if (username && password) {
        l->username = xstrdup(username);
        l->password = xstrdup(password);
        return 0;
    }
    char *pair = NULL;
    size_t len;
    if (!auth || str_base64_decode(auth, &pair, &len) < 0)
        return err_set(err, ERR_INVALID,
                       "its entry for %s has neither username and password nor a valid auth", l->registry);
    char *colon = strchr(pair, ':');
    if (colon) {
        l->username = xstrndup(pair, (size_t)(colon - pair));
        l->password = xstrdup(colon + 1);
    }
    explicit_bzero(pair, len);
    free(pair);
    return colon
               ? 0
               : err_set(err, ERR_INVALID, "the auth of its entry for %s is not user:password", l->registry);
}

int registry_login_find(const char *docker_config, const char *registry, struct registry_login *ret,
                        struct err **err)
{
    _cleanup_json_ cJSON *o = NULL;

    if (json_parse(docker_config, strlen(docker_config), "docker config", &o, NULL) < 0)
        return err_set(err, ERR_INVALID, "its .dockerconfigjson is no valid JSON");
    json_each (entry, json_get(o, "auths")) {
        if (!key_matches(entry->string, registry))
            continue;
        struct registry_login l = {.registry = xstrdup(registry)};
        int r = read_entry(entry, &l, err);
        if (r < 0)
            registry_login_release(&l);
        else
            *ret = l;
        return r;
    }
    return err_set(err, ERR_NOT_FOUND, "it has no credentials for registry %s", registry);
}
