#include "cli/suggest.h"

#include "base/mem.h"
#include "base/str.h"
#include "cli/target.h"

/* The kind the Status speaks of, if it is known without asking. */
static const struct kube_resource *kind_of(const cJSON *status)
{
    const char *kind = json_str_or(status, "details.kind", ""),
               *group = json_str_or(status, "details.group", "");
    _cleanup_free_ char *word = *group ? xasprintf("%s.%s", kind, group) : xstrdup(kind);
    const struct kube_resource *r = *kind ? kube_builtin_find(word) : NULL;

    return r && streq(r->group, group) ? r : NULL;
}

/* Names that begin alike: a typing error in the first letter is rare, and short names are all alike. */
static char *similar(const cJSON *list, const char *name)
{
    VEC(const char *) names = {0};

    json_each (item, json_get(list, "items")) {
        const char *other = json_str_or(item, "metadata.name", "");
        if (*other == *name && !streq(other, name))
            vec_push(&names, other);
    }
    vec_push(&names, NULL);
    const char *near = str_suggest(name, names.items);
    free(names.items);
    return xstrdup_null(near);
}

void suggest_name(struct cmd_ctx *c, const struct err *e)
{
    static bool done;
    _cleanup_json_ cJSON *status = NULL, *list = NULL;
    _cleanup_free_ char *path = NULL, *query = xasprintf("limit=%d", SUGGEST_MOST), *near = NULL;

    if (done || c->member || !c->client || e->http != 404 || !e->details ||
        json_parse(e->details, strlen(e->details), "status", &status, NULL) < 0)
        return;
    const struct kube_resource *r = kind_of(status);
    const char *name = json_str_or(status, "details.name", "");
    if (!r || strlen(name) < SUGGEST_SHORTEST)
        return;
    done = true;
    path = kube_path(r, cli_namespace_for(c, r, false), NULL, NULL);
    struct kube_call call = {.method = "GET",
                             .path = path,
                             .query = query,
                             .accept = CLI_AS_METADATA_LIST,
                             .timeout_ms = SUGGEST_WAIT_MS};
    if (kube_json_wait(c->client, &call, &list, NULL) < 0)
        return;
    near = similar(list, name);
    if (near)
        cmd_note("Did you mean \"%s\"?", near);
}
