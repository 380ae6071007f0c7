#include "cli/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/fleet.h"
#include "cli/manifest_fetch.h"
#include "data/selector.h"
#include "data/yaml.h"
#include "kube/discovery.h"

void manifests_release(struct manifests *m)
{
    for (size_t i = 0; i < m->len; i++) {
        cJSON_Delete(m->items[i].object);
        free(m->items[i].source);
        kube_resource_free(m->items[i].own_resource);
    }
    free(m->items);
    *m = (struct manifests){0};
}

const char *manifest_name(const struct manifest *m)
{
    return json_str_or(m->object, "metadata.name", "");
}

const char *manifest_namespace(const struct manifest *m)
{
    return m->resource && m->resource->namespaced ? json_str(m->object, "metadata.namespace") : NULL;
}

bool manifest_is_crd(const struct manifest *m)
{
    return streq(json_str_or(m->object, "kind", ""), "CustomResourceDefinition") &&
           str_starts(json_str_or(m->object, "apiVersion", ""), "apiextensions.k8s.io/");
}

/* Parsing */

static int check_object(const cJSON *o, const char *name, unsigned line, struct err **err)
{
    if (!cJSON_IsObject(o))
        return err_set(err, ERR_INVALID, "%s:%u: the document is no object", name, line);
    if (str_empty(json_str(o, "apiVersion")))
        return err_set(err, ERR_INVALID, "%s:%u: the object has no apiVersion", name, line);
    if (str_empty(json_str(o, "kind")))
        return err_set(err, ERR_INVALID, "%s:%u: the object has no kind", name, line);
    return 0;
}

/* Takes o. */
static int add_object(struct manifests *m, cJSON *o, const char *name, unsigned line, int depth,
                      struct err **err)
{
    _cleanup_json_ cJSON *object = o;
    int r = check_object(object, name, line, err);

    if (r < 0)
        return r;
    cJSON *items = json_get(object, "items");
    if (cJSON_IsArray(items) && str_ends(json_str(object, "kind"), "List")) {
        if (depth > MANIFEST_MAX_DEPTH)
            return err_set(err, ERR_TOO_LARGE, "%s:%u: lists are nested too deep", name, line);
        while (items->child) {
            r = add_object(m, cJSON_DetachItemViaPointer(items, items->child), name, line, depth + 1, err);
            if (r < 0)
                return r;
        }
        return 0;
    }
    m->items = xreallocarray(m->items, m->len + 1, sizeof(*m->items));
    m->items[m->len++] = (struct manifest){.object = TAKE_PTR(object), .source = xstrdup(name), .line = line};
    return 0;
}

int manifests_parse(struct manifests *m, const char *text, size_t len, const char *name, struct err **err)
{
    _cleanup_(yaml_docs_release) struct yaml_docs docs = {0};
    _cleanup_manifests_ struct manifests read = {0};
    int r = yaml_parse(text, len, name, &docs, err);

    for (size_t i = 0; r == 0 && i < docs.len; i++)
        r = add_object(&read, TAKE_PTR(docs.items[i].root), name, docs.items[i].line, 0, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < read.len; i++) {
        m->items = xreallocarray(m->items, m->len + 1, sizeof(*m->items));
        m->items[m->len++] = read.items[i];
    }
    read.len = 0;
    return 0;
}

/* Files */

static int load_file(struct manifests *m, const char *path, struct err **err)
{
    _cleanup_free_ char *text = NULL;
    size_t len = 0;
    int r = file_read(path, MANIFEST_MAX_FILE, &text, &len, err);

    if (r < 0)
        return r;
    return manifests_parse(m, text, len, streq(path, "-") ? "STDIN" : path, err);
}

static bool has_manifest_suffix(const char *name)
{
    return str_ends(name, ".yaml") || str_ends(name, ".yml") || str_ends(name, ".json");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_hidden(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int load_folder(struct cmd_ctx *c, struct manifests *m, const char *path, bool recursive, int depth,
                       size_t *ret_files, struct err **err)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, not_hidden, by_name);

    if (n < 0)
        return err_set_os(err, errno, "cannot read the folder %s", path);
    for (int i = 0; i < n; i++) {
        _cleanup_free_ char *child =
            xasprintf("%s%s%s", path, str_ends(path, "/") ? "" : "/", entries[i]->d_name);
        struct err *e = NULL;
        struct stat st;
        int r = 0;
        if (stat(child, &st) < 0) {
            r = err_set_os(&e, errno, "cannot read %s", child);
        } else if (S_ISDIR(st.st_mode)) {
            if (recursive)
                r = depth < MANIFEST_MAX_DEPTH
                        ? load_folder(c, m, child, true, depth + 1, ret_files, &e)
                        : err_set(&e, ERR_TOO_LARGE, "folders are nested too deep at %s", child);
        } else if (has_manifest_suffix(child)) {
            (*ret_files)++;
            r = load_file(m, child, &e);
        }
        if (r < 0)
            cmd_report(c, &e);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

static int load_path(struct cmd_ctx *c, struct manifests *m, const char *path, bool recursive,
                     struct err **err)
{
    struct stat st;
    size_t files = 0;

    if (streq(path, "-"))
        return load_file(m, path, err);
    if (manifest_is_url(path)) {
        _cleanup_buf_ struct buf text = BUF_INIT_MAX(MANIFEST_MAX_FILE);
        int r = manifest_fetch(c, path, &text, err);
        return r < 0 ? r : manifests_parse(m, buf_str(&text), text.len, path, err);
    }
    if (stat(path, &st) < 0) {
        if (errno == ENOENT)
            return err_set(err, ERR_NOT_FOUND, "the path \"%s\" does not exist", path);
        return err_set_os(err, errno, "cannot read %s", path);
    }
    if (!S_ISDIR(st.st_mode))
        return load_file(m, path, err);
    int r = load_folder(c, m, path, recursive, 0, &files, err);
    if (r == 0 && files == 0)
        return err_set(err, ERR_NOT_FOUND,
                       "error reading [%s]: recognized file extensions are [.json .yaml .yml]", path);
    return r;
}

static void load_all(struct cmd_ctx *c, const struct manifest_from *from, struct manifests *ret)
{
    struct err *e = NULL;

    for (char *const *file = from->files; file && *file; file++)
        if (load_path(c, ret, *file, from->recursive, &e) < 0)
            cmd_report(c, &e);
    if (from->kustomize) {
        _cleanup_buf_ struct buf text = BUF_INIT_MAX(MANIFEST_MAX_FILE);
        int r = manifest_kustomize(c, from->kustomize, &text, &e);
        if (r == 0)
            r = manifests_parse(ret, buf_str(&text), text.len, from->kustomize, &e);
        if (r < 0)
            cmd_report(c, &e);
    }
}

/* What the files hold, for all contexts: standard input can be read once only. */
struct shared {
    struct manifests set;
    bool reading, read, failed;
};

static void free_shared(void *p)
{
    struct shared *s = p;

    manifests_release(&s->set);
    free(s);
}

static void load(struct cmd_ctx *c, const struct manifest_from *from, struct manifests *ret)
{
    void **place =
        fleet_shared(c, from->files ? (void *)from->files : (void *)(uintptr_t)from->kustomize, free_shared);

    if (!place) {
        load_all(c, from, ret);
        return;
    }
    if (!*place)
        *place = xcalloc(1, sizeof(struct shared));
    struct shared *s = *place;
    if (!s->reading) {
        s->reading = true;
        /* What is wrong with a file has nothing to do with the context. */
        struct fleet_member *member = TAKE_PTR(c->member);
        load_all(c, from, &s->set);
        c->member = member;
        s->failed = c->failed;
        s->read = true;
    }
    /* An address may take its time: the others wait for the one who asks. */
    if (!s->read && !loop_wait(cmd_loop(c), &s->read))
        return;
    c->failed = c->failed || s->failed;
    for (size_t i = 0; i < s->set.len; i++) {
        const struct manifest *m = &s->set.items[i];
        ret->items = xreallocarray(ret->items, ret->len + 1, sizeof(*ret->items));
        ret->items[ret->len++] = (struct manifest){
            .object = cJSON_Duplicate(m->object, true), .source = xstrdup(m->source), .line = m->line};
    }
}

bool manifest_from_any(const struct manifest_from *from)
{
    return from->files || from->kustomize;
}

int manifests_load_from(struct cmd_ctx *c, const struct manifest_from *from, struct manifests *ret,
                        struct err **err)
{
    if (!manifest_from_any(from))
        return cmd_usage(c, err, "must specify the manifests with -f FILE, -f FOLDER, -f - or -k FOLDER");
    if (from->kustomize && (from->files || from->recursive))
        return cmd_usage(c, err, "only one of -f or -k can be specified");
    load(c, from, ret);
    return 0;
}

/* Kinds */

static bool crd_defines(const cJSON *crd, const cJSON *object)
{
    const char *api_version = json_str_or(object, "apiVersion", ""), *slash = strchr(api_version, '/');
    const char *group = json_str_or(crd, "spec.group", "");

    return slash && strlen(group) == (size_t)(slash - api_version) && str_starts(api_version, group) &&
           streq(json_str_or(crd, "spec.names.kind", ""), json_str_or(object, "kind", ""));
}

const struct manifest *manifest_crd_of(const struct manifests *all, const struct manifest *m)
{
    for (size_t i = 0; i < all->len; i++)
        if (manifest_is_crd(&all->items[i]) && crd_defines(all->items[i].object, m->object))
            return &all->items[i];
    return NULL;
}

static struct kube_resource *resource_of_crd(const cJSON *crd, const cJSON *object)
{
    const char *kind = json_str_or(object, "kind", "");
    const char *version = strchr(json_str_or(object, "apiVersion", "/"), '/') + 1;
    struct kube_resource r = {
        .group = xstrdup(json_str_or(crd, "spec.group", "")),
        .version = xstrdup(version),
        .resource = xstrdup(json_str_or(crd, "spec.names.plural", "")),
        .kind = xstrdup(kind),
        .singular = xstrdup(json_str_or(crd, "spec.names.singular", "")),
        .namespaced = streq(json_str_or(crd, "spec.scope", ""), "Namespaced"),
    };

    if (!*r.singular) {
        xstr_replace(&r.singular, kind);
        for (char *p = r.singular; *p; p++)
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
    }
    return xmemdup(&r, sizeof(r));
}

int manifest_resolve(struct cmd_ctx *c, const struct manifests *all, struct manifest *m, struct err **err)
{
    const char *api_version = json_str(m->object, "apiVersion"), *kind = json_str(m->object, "kind");
    const char *namespace = json_str(m->object, "metadata.namespace");
    int r;

    if (m->resource)
        return 0;
    r = cmd_config(c, NULL, err);
    if (r < 0)
        return r;
    const struct kube_resource *found = kube_builtin_kind(api_version, kind);
    const struct manifest *crd = found ? NULL : manifest_crd_of(all, m);
    if (crd) {
        m->own_resource = resource_of_crd(crd->object, m->object);
        found = m->own_resource;
    } else if (!found) {
        struct kube_client *client;
        r = cmd_client(c, &client, err);
        if (r == 0)
            r = kube_find_kind(client, api_version, kind, &found, err);
        if (r < 0)
            return err_wrap(err, "resource mapping not found for name: \"%s\" from \"%s\"", manifest_name(m),
                            m->source);
    }
    if (!found->namespaced) {
        json_del(m->object, "metadata.namespace");
    } else if (str_empty(namespace)) {
        json_set_str(m->object, "metadata.namespace", cmd_namespace(c));
    } else if (!str_empty(c->globals.namespace) && !streq(c->globals.namespace, namespace)) {
        return err_set(err, ERR_INVALID,
                       "the namespace from the provided object \"%s\" does not match the namespace \"%s\". "
                       "You must pass "
                       "'--namespace=%s' to perform this operation.",
                       namespace, c->globals.namespace, namespace);
    }
    m->resource = found;
    return 0;
}

int manifests_select(struct manifests *set, const char *text, struct manifests *rest, struct err **err)
{
    _cleanup_(selector_freep) struct selector *selector = NULL;
    size_t kept = 0;
    int r = selector_parse(text, &selector, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < set->len; i++) {
        struct manifest m = set->items[i];
        _cleanup_map_ struct map *labels = map_new(NULL);
        json_each (label, json_at(m.object, "metadata.labels"))
            if (cJSON_IsString(label))
                map_set(labels, label->string, label->valuestring);
        if (selector_matches(selector, labels)) {
            set->items[kept++] = m;
            continue;
        }
        rest->items = xreallocarray(rest->items, rest->len + 1, sizeof(*rest->items));
        rest->items[rest->len++] = m;
    }
    set->len = kept;
    return 0;
}

int manifests_add_rest(struct cmd_ctx *c, struct manifests *set, struct manifests *rest, struct err **err)
{
    for (size_t i = 0; i < rest->len; i++) {
        int r = manifest_resolve(c, rest, &rest->items[i], err);
        if (r < 0)
            return r;
    }
    set->items = xreallocarray(set->items, set->len + rest->len + 1, sizeof(*set->items));
    for (size_t i = 0; i < rest->len; i++)
        set->items[set->len++] = rest->items[i];
    rest->len = 0;
    return 0;
}

int manifest_targets_from(struct cmd_ctx *c, const struct manifest_from *from, struct manifests *keep,
                          struct cli_targets *ret, struct err **err)
{
    _cleanup_targets_ struct cli_targets t = {0};

    if (c->argc)
        return cmd_usage(c, err, "kinds and names cannot be given together with -f");
    int r = manifests_load_from(c, from, keep, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < keep->len; i++) {
        struct manifest *m = &keep->items[i];
        r = manifest_resolve(c, keep, m, err);
        if (r < 0)
            return r;
        cli_targets_add(&t, m->resource, manifest_namespace(m), manifest_name(m));
    }
    *ret = t;
    t = (struct cli_targets){0};
    return 0;
}

int manifest_targets(struct cmd_ctx *c, char *const *files, bool recursive, struct manifests *keep,
                     struct cli_targets *ret, struct err **err)
{
    struct manifest_from from = {.files = (char **)(uintptr_t)files, .recursive = recursive};

    return manifest_targets_from(c, &from, keep, ret, err);
}
