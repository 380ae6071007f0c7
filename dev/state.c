#include "dev/env.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "dev/children.h"

enum { STATE_VERSION = 1, LABEL_MAX = 512 };

int dev_label_check(const char *text, struct err **err)
{
    const char *equals = strchr(text, '=');

    if (!equals || equals == text)
        return err_set(err, ERR_INVALID, "\"%s\" is no label: use KEY=VALUE", text);
    if (strlen(text) > LABEL_MAX)
        return err_set(err, ERR_INVALID, "label \"%.40s...\" is longer than %d characters", text, LABEL_MAX);
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == ',')
            return err_set(err, ERR_INVALID, "label \"%s\" holds a blank, a comma or a control character",
                           text);
    if (strncasecmp(text, "hostcore.", 9) == 0)
        return err_set(err, ERR_INVALID, "label \"%s\": names that start with hostcore. are the host's own",
                       text);
    return 0;
}

static cJSON *child_json(const struct dev_child *c)
{
    const struct dev_kind_spec *spec = dev_kind_spec(c->kind);
    cJSON *o = cJSON_CreateObject(), *ports = cJSON_CreateObject();

    json_set_str(o, "name", c->name);
    json_set_str(o, "kind", spec->name);
    for (int i = 0; i < DEV_PORTS && spec->ports[i]; i++)
        json_set_int(ports, spec->ports[i], c->ports[i]);
    json_set(o, "ports", ports);
    if (c->kind == DEV_HOST) {
        cJSON *labels = cJSON_CreateArray();
        for (char **l = c->labels; l && *l; l++)
            cJSON_AddItemToArray(labels, cJSON_CreateString(*l));
        json_set_int(o, "index", c->index);
        json_set_str(o, "id", c->id);
        json_set(o, "labels", labels);
    }
    return o;
}

cJSON *dev_state_json(const struct dev_env *e)
{
    cJSON *o = cJSON_CreateObject(), *children = cJSON_CreateArray();

    json_set_int(o, "version", STATE_VERSION);
    json_set_bool(o, "operator", e->with_operator);
    json_set_bool(o, "lattice", e->with_lattice);
    json_set_bool(o, "node", e->with_node);
    json_set_bool(o, "audit", e->with_audit);
    json_set_bool(o, "apiPortPinned", e->api_pinned);
    json_set_bool(o, "natsPortPinned", e->nats_pinned);
    json_set_str(o, "mergedInto", e->merged_into);
    for (size_t i = 0; i < e->children.len; i++)
        cJSON_AddItemToArray(children, child_json(e->children.items[i]));
    json_set(o, "children", children);
    return o;
}

static int read_host(struct dev_child *c, const cJSON *o, struct err **err)
{
    const char *id = json_str(o, "id");

    if (id && id[strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")])
        return err_set(err, ERR_INVALID, "%s: \"%s\" is no host id", c->name, id);
    c->id = xstrdup_null(id);
    json_each (label, json_get(o, "labels")) {
        if (!cJSON_IsString(label))
            return err_set(err, ERR_INVALID, "%s: a label is no text", c->name);
        int r = dev_label_check(label->valuestring, err);
        if (r < 0)
            return err_wrap(err, "%s", c->name);
        strv_push(&c->labels, label->valuestring);
    }
    return 0;
}

static int read_child(struct dev_env *e, const cJSON *o, struct err **err)
{
    const char *kind_name = json_str_or(o, "kind", "");
    int kind = dev_kind_by_name(kind_name);
    int64_t index = json_int(o, "index", kind == DEV_HOST ? -1 : 0);

    if (kind < 0)
        return err_set(err, ERR_INVALID, "\"%s\" is no kind of child", kind_name);
    if (index < 0 || index > INT32_MAX || e->children.len >= DEV_MAX_HOSTS + DEV_KINDS)
        return err_set(err, ERR_INVALID, "a %s is out of range", kind_name);
    struct dev_child *c = dev_child_add(e, (enum dev_kind)kind, index);
    const struct dev_kind_spec *spec = dev_kind_spec(c->kind);
    size_t same = 0;
    for (size_t i = 0; i < e->children.len; i++)
        same += streq(e->children.items[i]->name, c->name);
    if (same > 1)
        return err_set(err, ERR_INVALID, "%s stands there twice", c->name);
    for (int i = 0; i < DEV_PORTS && spec->ports[i]; i++) {
        int64_t port = json_int(json_get(o, "ports"), spec->ports[i], 0);
        if (port < 0 || port > 65535)
            return err_set(err, ERR_INVALID, "%s: %lld is no port", c->name, (long long)port);
        c->ports[i] = (int)port;
    }
    return c->kind == DEV_HOST ? read_host(c, o, err) : 0;
}

int dev_state_from_json(struct dev_env *e, const cJSON *o, struct err **err)
{
    int64_t version = json_int(o, "version", 0);
    int r = 0;

    if (version != STATE_VERSION)
        return err_set(err, ERR_INVALID, "version %lld instead of %d", (long long)version, STATE_VERSION);
    e->with_operator = json_bool(o, "operator", true);
    e->with_lattice = json_bool(o, "lattice", true);
    e->with_node = json_bool(o, "node", true);
    e->with_audit = json_bool(o, "audit", false);
    e->api_pinned = json_bool(o, "apiPortPinned", false);
    e->nats_pinned = json_bool(o, "natsPortPinned", false);
    xstr_replace(&e->merged_into, json_str(o, "mergedInto"));
    json_each (child, json_get(o, "children")) {
        r = read_child(e, child, err);
        if (r < 0)
            break;
    }
    if (r < 0)
        dev_state_reset(e);
    return r;
}

int dev_state_load(struct dev_env *e, struct err **err)
{
    _cleanup_err_ struct err *problem = NULL;
    _cleanup_free_ char *path = dev_path(e, "env.json"), *text = NULL;
    _cleanup_json_ cJSON *o = NULL;
    size_t len;

    dev_state_reset(e);
    int r = file_read(path, DEV_STATE_FILE_MAX, &text, &len, &problem);
    if (r < 0 && problem->os == ENOENT)
        return 0;
    if (r < 0 && r != ERR_TOO_LARGE)
        return err_move(err, TAKE_PTR(problem));
    e->exists = true;
    if (r == 0)
        r = json_parse(text, len, path, &o, &problem);
    if (r == 0) {
        r = dev_state_from_json(e, o, &problem);
        e->exists = true;
    }
    if (r < 0)
        return err_set(
            err, ERR_INVALID,
            "the state file %s is damaged: %s; \"wasmctl dev down --purge%s%s\" removes the environment",
            path, err_text(problem), streq(e->name, DEV_DEFAULT_NAME) ? "" : " --name ",
            streq(e->name, DEV_DEFAULT_NAME) ? "" : e->name);
    return 0;
}

int dev_state_save(const struct dev_env *e, struct err **err)
{
    _cleanup_json_ cJSON *o = dev_state_json(e);
    _cleanup_free_ char *path = dev_path(e, "env.json");
    _cleanup_free_ char *text = json_print_pretty(o);

    return file_write(path, text, strlen(text), 0600, err);
}
