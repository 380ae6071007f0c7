#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/config.h"

/* A property as kubectl names it: "current-context", "users", "contexts.prod.namespace". */
struct property {
    bool current, whole_list;
    enum kubeconfig_list list;
    char *name, *path; /* path: NULL for the whole entry */
};

static void property_release(struct property *p)
{
    free(p->name);
    free(p->path);
}

static int parse_property(struct cmd_ctx *c, const struct kubeconfig_files *k, const char *text,
                          struct property *ret, struct err **err)
{
    static const char *const lists[] = {"clusters", "contexts", "users"};
    size_t first = strcspn(text, "."), longest = 0;

    if (streq(text, "current-context")) {
        ret->current = true;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        if (strlen(lists[i]) != first || strncmp(lists[i], text, first) != 0)
            continue;
        ret->list = (enum kubeconfig_list)i;
        const char *rest = text[first] ? text + first + 1 : "";
        if (!*rest) {
            ret->whole_list = true;
            return 0;
        }
        /* Names hold dots too: a known one counts as a whole. */
        _cleanup_strv_ char **names = kubeconfig_files_names(k, ret->list);
        for (char **n = names; *n; n++) {
            size_t len = strlen(*n);
            if (len > longest && str_starts(rest, *n) && (!rest[len] || rest[len] == '.'))
                longest = len;
        }
        if (!longest)
            longest = strcspn(rest, ".");
        ret->name = xstrndup(rest, longest);
        ret->path = rest[longest] && rest[longest + 1] ? xstrdup(rest + longest + 1) : NULL;
        return 0;
    }
    return cmd_usage(
        c, err,
        "unable to parse %s: a property is current-context, or clusters, contexts or users with a "
        "name and a member, like contexts.prod.namespace",
        text);
}

/* unset */

static int run_unset(struct cmd_ctx *c, struct err **err)
{
    _cleanup_(kubeconfig_files_freep) struct kubeconfig_files *k = NULL;
    _cleanup_(property_release) struct property p = {0};
    int r = kubeconfig_files_open(c->globals.kubeconfig, true, &k, err);

    if (r == 0)
        r = parse_property(c, k, c->argv[0], &p, err);
    if (r < 0)
        return r;
    if (p.current) {
        kubeconfig_files_set_current(k, "");
    } else if (p.whole_list) {
        _cleanup_strv_ char **names = kubeconfig_files_names(k, p.list);
        for (char **n = names; *n; n++)
            while (kubeconfig_files_remove(k, p.list, *n))
                ;
    } else if (!p.path) {
        kubeconfig_files_remove(k, p.list, p.name);
    } else if (kubeconfig_files_get(k, p.list, p.name)) {
        cJSON *content = cJSON_Duplicate(kubeconfig_files_get(k, p.list, p.name), true);
        json_del(content, p.path);
        kubeconfig_files_put(k, p.list, p.name, content);
    }
    r = kubeconfig_files_commit(k, err);
    if (r == 0)
        cmd_out("Property \"%s\" unset.\n", c->argv[0]);
    return r;
}

const struct cmd_entry cmd_config_unset = {
    .name = "unset",
    .brief = "Take one value out of the kubeconfig",
    .help = "Take one value out of the kubeconfig. A property is current-context, an entry (users.me) or a "
            "member of one "
            "(contexts.prod.namespace).\n\n" CONFIG_HELP_WHERE,
    .usage = "PROPERTY",
    .examples = "%P config unset current-context\n%P config unset contexts.prod.namespace",
    .min_args = 1,
    .max_args = 1,
    .run = run_unset,
};

/* set */

enum member_type { MEMBER_TEXT, MEMBER_FLAG };
static const struct {
    enum kubeconfig_list list;
    const char *path;
    enum member_type type;
} members[] = {
    {KUBECONFIG_CLUSTERS, "server", MEMBER_TEXT},
    {KUBECONFIG_CLUSTERS, "tls-server-name", MEMBER_TEXT},
    {KUBECONFIG_CLUSTERS, "certificate-authority", MEMBER_TEXT},
    {KUBECONFIG_CLUSTERS, "proxy-url", MEMBER_TEXT},
    {KUBECONFIG_CLUSTERS, "insecure-skip-tls-verify", MEMBER_FLAG},
    {KUBECONFIG_CLUSTERS, "disable-compression", MEMBER_FLAG},
    {KUBECONFIG_CONTEXTS, "cluster", MEMBER_TEXT},
    {KUBECONFIG_CONTEXTS, "user", MEMBER_TEXT},
    {KUBECONFIG_CONTEXTS, "namespace", MEMBER_TEXT},
    {KUBECONFIG_USERS, "client-certificate", MEMBER_TEXT},
    {KUBECONFIG_USERS, "client-key", MEMBER_TEXT},
    {KUBECONFIG_USERS, "token", MEMBER_TEXT},
    {KUBECONFIG_USERS, "tokenFile", MEMBER_TEXT},
    {KUBECONFIG_USERS, "username", MEMBER_TEXT},
    {KUBECONFIG_USERS, "password", MEMBER_TEXT},
    {KUBECONFIG_USERS, "as", MEMBER_TEXT},
    {KUBECONFIG_USERS, "as-uid", MEMBER_TEXT},
    {KUBECONFIG_USERS, "exec.command", MEMBER_TEXT},
    {KUBECONFIG_USERS, "exec.apiVersion", MEMBER_TEXT},
    {KUBECONFIG_USERS, "exec.interactiveMode", MEMBER_TEXT},
};

static int set_property(struct cmd_ctx *c, struct kubeconfig_files *k, const struct property *p,
                        const char *value, struct err **err)
{
    for (size_t i = 0; p->path && i < ARRAY_LEN(members); i++) {
        if (members[i].list != p->list || !streq(members[i].path, p->path))
            continue;
        bool yes = streq(value, "true");
        if (members[i].type == MEMBER_FLAG && !yes && !streq(value, "false"))
            return cmd_usage(c, err, "%s is true or false, not \"%s\"", p->path, value);
        const cJSON *now = kubeconfig_files_get(k, p->list, p->name);
        cJSON *content = now ? cJSON_Duplicate(now, true) : cJSON_CreateObject();
        json_set(content, p->path,
                 members[i].type == MEMBER_FLAG ? cJSON_CreateBool(yes) : cJSON_CreateString(value));
        kubeconfig_files_put(k, p->list, p->name, content);
        return 0;
    }
    return cmd_usage(c, err, "%s cannot be set: it is no single value", c->argv[0]);
}

static int run_set(struct cmd_ctx *c, struct err **err)
{
    _cleanup_(kubeconfig_files_freep) struct kubeconfig_files *k = NULL;
    _cleanup_(property_release) struct property p = {0};
    int r = kubeconfig_files_open(c->globals.kubeconfig, true, &k, err);

    if (r == 0)
        r = parse_property(c, k, c->argv[0], &p, err);
    if (r == 0 && p.current)
        kubeconfig_files_set_current(k, c->argv[1]);
    else if (r == 0)
        r = set_property(c, k, &p, c->argv[1], err);
    if (r == 0)
        r = kubeconfig_files_commit(k, err);
    if (r == 0)
        cmd_out("Property \"%s\" set.\n", c->argv[0]);
    return r;
}

const struct cmd_entry cmd_config_set = {
    .name = "set",
    .brief = "Set one value in the kubeconfig",
    .help = "Set one value in the kubeconfig: current-context, or a member of a cluster, context or user. "
            "For certificates "
            "and lists there are set-cluster and set-credentials.\n\n" CONFIG_HELP_WHERE,
    .usage = "PROPERTY VALUE",
    .examples = "%P config set contexts.prod.namespace shop\n%P config set clusters.prod.server "
                "https://10.0.0.1:6443",
    .min_args = 2,
    .max_args = 2,
    .run = run_set,
};
