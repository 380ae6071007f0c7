#include "operator/links.h"

#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "operator/unit.h"

#define CONFIG_PREFIX "wasmctl-"
enum {
    CLUSTER_LEN = sizeof(CONFIG_PREFIX) - 1 + 8 + 1,
    OWNER_PREFIX_LEN = CLUSTER_LEN + 16 + 1,
    OWN_LINK_MS = 10 * 1000,
};

static struct lat_link copy_one(const struct lat_link *l)
{
    return (struct lat_link){
        .source = xstrdup(l->source),
        .target = xstrdup(l->target),
        .name = xstrdup(l->name),
        .wit_namespace = xstrdup(l->wit_namespace),
        .wit_package = xstrdup(l->wit_package),
        .interfaces = strv_copy(l->interfaces),
        .source_config = strv_copy(l->source_config),
        .target_config = strv_copy(l->target_config),
    };
}

struct lat_link *links_copy(const struct lat_link *links, size_t n)
{
    struct lat_link *copy = xcalloc(n, sizeof(*copy));

    for (size_t i = 0; i < n; i++)
        copy[i] = copy_one(&links[i]);
    return copy;
}

void links_free(struct lat_link *links, size_t n)
{
    for (size_t i = 0; links && i < n; i++)
        lat_link_release(&links[i]);
    free(links);
}

bool links_equal(const struct lat_link *a, size_t na, const struct lat_link *b, size_t nb)
{
    if (na != nb)
        return false;
    for (size_t i = 0; i < na; i++) {
        bool found = false;
        for (size_t k = 0; k < nb && !found; k++)
            found = lat_link_same(&a[i], &b[k]);
        if (!found)
            return false;
    }
    return true;
}

bool links_same_slot(const struct lat_link *a, const struct lat_link *b)
{
    return streq(a->source, b->source) && streq(a->name, b->name) &&
           streq(a->wit_namespace, b->wit_namespace) && streq(a->wit_package, b->wit_package);
}

char *links_owner_prefix(const char *owner)
{
    uint64_t cluster = str_hash64(owner, strcspn(owner, "/"), STR_HASH64_INIT);

    return xasprintf(CONFIG_PREFIX "%08" PRIx32 "-%016" PRIx64 "-", (uint32_t)(cluster ^ cluster >> 32),
                     str_hash64(owner, strlen(owner), STR_HASH64_INIT));
}

bool links_same_cluster(const char *a, const char *b)
{
    return strncmp(a, b, CLUSTER_LEN) == 0;
}

size_t links_cluster_len(void)
{
    return CLUSTER_LEN;
}

char *links_config_name(const char *owner, const struct map *values)
{
    _cleanup_free_ char *prefix = links_owner_prefix(owner);
    _cleanup_json_ cJSON *o = model_string_map_json(values);

    return xasprintf("%s%016" PRIx64, prefix, json_hash(o));
}

static bool is_own_name(const char *name)
{
    return str_starts(name, CONFIG_PREFIX) && strlen(name) == OWNER_PREFIX_LEN + 16;
}

char *links_config_owner(const char *name)
{
    return is_own_name(name) ? xstrndup(name, OWNER_PREFIX_LEN) : NULL;
}

static const char *own_config(char *const *names)
{
    for (size_t i = 0; names && names[i]; i++)
        if (is_own_name(names[i]))
            return names[i];
    return NULL;
}

char *links_owner_of(const struct lat_link *link)
{
    const char *name = own_config(link->source_config);

    if (!name)
        name = own_config(link->target_config);
    return name ? xstrndup(name, OWNER_PREFIX_LEN) : NULL;
}

bool links_owned_by(const struct lat_link *link, const char *owner_prefix)
{
    _cleanup_free_ char *owner = links_owner_of(link);

    return owner && streq(owner, owner_prefix);
}

/* Operations */

struct task {
    struct op_lattice *lattice;
    struct lat_op *op;
    char *key;  /* in lattice->operations */
    char *unit; /* NULL if none */
    enum model_kind kind;
    char *config;                /* name, for a config put */
    char *registry, *login_hash; /* for registry credentials */
    struct lat_link *then;       /* one link to put afterwards, NULL if none */
    struct lat_link *link;       /* the one that is put or deleted, NULL for other operations */
    bool deletes;
    const char *what;
};

void links_task_free(void *p)
{
    struct task *t = p;

    lat_op_cancel(t->op);
    links_free(t->then, 1);
    links_free(t->link, 1);
    free(t->key);
    free(t->unit);
    free(t->config);
    free(t->registry);
    free(t->login_hash);
    free(t);
}

static bool is_busy(const struct op_lattice *l, const char *operation)
{
    return map_has(l->operations, operation);
}

static struct task *task_begin(struct op_lattice *l, char *key, const char *what, enum model_kind kind,
                               const char *unit)
{
    if (is_busy(l, key)) {
        free(key);
        return NULL;
    }
    struct task *t = xcalloc(1, sizeof(*t));
    *t = (struct task){.lattice = l, .key = key, .kind = kind, .unit = xstrdup_null(unit), .what = what};
    map_set(l->operations, key, t);
    return t;
}

static char *slot_key(const struct lat_link *link)
{
    return xasprintf("link/%s/%s/%s/%s", link->source, link->wit_namespace, link->wit_package, link->name);
}

/* What our own operations made of a slot. */
struct own {
    struct lat_link link;
    bool gone;
    int64_t at_ms;
};

void links_own_free(void *p)
{
    struct own *o = p;

    lat_link_release(&o->link);
    free(o);
}

static void apply_own(const struct own *o, struct lat_link **links, size_t *n)
{
    size_t i = 0;

    while (i < *n && !links_same_slot(&(*links)[i], &o->link))
        i++;
    if (i < *n)
        lat_link_release(&(*links)[i]);
    if (o->gone) {
        if (i < *n)
            (*links)[i] = (*links)[--*n];
        return;
    }
    if (i == *n)
        *links = xreallocarray(*links, ++*n, sizeof(**links));
    (*links)[i] = copy_one(&o->link);
}

static void remember(struct op_lattice *l, const struct task *t)
{
    struct own *o = xcalloc(1, sizeof(*o));

    *o = (struct own){.link = copy_one(t->link), .gone = t->deletes, .at_ms = loop_now_ms(l->op->loop)};
    map_set(l->own_links, t->key, o);
    if (l->links_known)
        apply_own(o, &l->links, &l->nlinks);
}

void links_correct(struct op_lattice *l, struct lat_link **links, size_t *n, bool doubtful)
{
    int64_t now = loop_now_ms(l->op->loop);

    for (struct map_iter it = {0}; map_next(l->own_links, &it);) {
        const struct own *o = it.value;
        if (doubtful || now - o->at_ms < OWN_LINK_MS)
            apply_own(o, links, n);
        else
            map_del(l->own_links, it.key);
    }
}

static void on_task_done(void *arg, const struct err *err)
{
    struct task *t = arg;
    struct op_lattice *l = t->lattice;
    bool is_link = !t->config && !t->registry;

    t->op = NULL;
    if (err)
        log_warn("lattice operation failed", "operation", t->what, "lattice", l->name, "key", t->key, "error",
                 err_text(err), NULL);
    else if (t->config)
        map_set(l->configs, t->config, l);
    else if (t->registry)
        map_set(l->logins, t->registry, xstrdup(t->login_hash));
    else if (t->link)
        remember(l, t);
    if (t->unit)
        unit_note_call(l->op, t->kind, t->unit, t->key, err);
    struct lat_link *then = err ? NULL : TAKE_PTR(t->then);
    _cleanup_free_ char *unit = xstrdup_null(t->unit);
    enum model_kind kind = t->kind;
    _cleanup_free_ char *key = xstrdup(t->key);
    map_del(l->operations, key);
    if (then) {
        links_put(l, then, kind, unit);
        links_free(then, 1);
        return;
    }
    if (is_link)
        op_lattice_refresh_links(l);
    if (unit && !err)
        op_enqueue(l->op, kind, unit);
}

void links_config_put(struct op_lattice *l, const char *name, const struct map *values, enum model_kind kind,
                      const char *unit)
{
    struct task *t = task_begin(l, xasprintf("config/%s", name), "config put", kind, unit);

    if (!t)
        return;
    t->config = xstrdup(name);
    t->op = lat_config_put(l->lat, name, values, on_task_done, t);
}

static void on_config_deleted(void *arg, const struct err *err)
{
    struct task *t = arg;

    t->op = NULL;
    if (err)
        log_debug("config delete failed", "key", t->key, "error", err_text(err), NULL);
    _cleanup_free_ char *key = xstrdup(t->key);
    map_del(t->lattice->operations, key);
}

void links_config_del(struct op_lattice *l, const char *name)
{
    map_del(l->configs, name);
    struct task *t = task_begin(l, xasprintf("config/%s", name), "config delete", MODEL_ACTOR, NULL);
    if (t)
        t->op = lat_config_del(l->lat, name, on_config_deleted, t);
}

static char *hash_login(const struct registry_login *login)
{
    uint64_t h = str_hash64(login->username, strlen(login->username) + 1, STR_HASH64_INIT);

    return xasprintf("%016" PRIx64, str_hash64(login->password, strlen(login->password), h));
}

bool links_login_known(const struct op_lattice *l, const struct registry_login *login)
{
    _cleanup_free_ char *hash = hash_login(login);

    return streq_null(map_get(l->logins, login->registry), hash);
}

void links_login_put(struct op_lattice *l, const struct registry_login *login, enum model_kind kind,
                     const char *unit)
{
    struct task *t = task_begin(l, xasprintf("registry/%s", login->registry), "registry put", kind, unit);
    struct lat_credential credential = {login->registry, login->username, login->password};

    if (!t)
        return;
    t->registry = xstrdup(login->registry);
    t->login_hash = hash_login(login);
    t->op = lat_registry_put(l->lat, &credential, on_task_done, t);
}

void links_put(struct op_lattice *l, const struct lat_link *link, enum model_kind kind, const char *unit)
{
    struct task *t = task_begin(l, slot_key(link), "link put", kind, unit);

    if (!t)
        return;
    t->link = links_copy(link, 1);
    t->op = lat_link_put(l->lat, link, on_task_done, t);
}

void links_del(struct op_lattice *l, const struct lat_link *link, const struct lat_link *then,
               enum model_kind kind, const char *unit)
{
    struct task *t = task_begin(l, slot_key(link), "link delete", kind, unit);

    if (!t)
        return;
    t->link = links_copy(link, 1);
    t->deletes = true;
    t->then = then ? links_copy(then, 1) : NULL;
    t->op = lat_link_del(l->lat, link, on_task_done, t);
}

bool links_regex_matches(const char *pattern, const char *text)
{
    _cleanup_free_ char *anchored = xasprintf("^(%s)$", pattern);
    regex_t re;

    if (!text || regcomp(&re, anchored, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool matches = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return matches;
}
