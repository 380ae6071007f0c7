#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "kube/watch.h"

int kube_list_check(const cJSON *page, const char *path, struct err **err)
{
    const char *kind = json_str_or(page, "kind", "");
    bool is_table = streq(kind, "Table");
    const cJSON *content = json_get(page, is_table ? "rows" : "items");

    if (!is_table && !str_ends(kind, "List"))
        return err_set(err, ERR_PROTOCOL, "the answer to a list of %s is no list (kind \"%s\")", path, kind);
    if (content && !cJSON_IsArray(content) && !cJSON_IsNull(content))
        return err_set(err, ERR_PROTOCOL, "the answer to a list of %s is broken: %s is no list", path,
                       is_table ? "rows" : "items");
    return 0;
}

int kube_list_wait(struct kube_client *c, const char *path, const char *query, const char *accept,
                   int page_size, int (*page)(void *arg, cJSON *page, struct err **err), void *arg,
                   char **ret_resource_version, struct err **err)
{
    _cleanup_free_ char *next = NULL, *version = NULL;
    bool given = false, restarted = false;

    for (;;) {
        _cleanup_json_ cJSON *answer = NULL;
        _cleanup_free_ char *token = next ? kube_query_escape(next) : NULL;
        _cleanup_free_ char *full =
            xasprintf("%s%slimit=%d%s%s", query ? query : "", str_empty(query) ? "" : "&",
                      page_size > 0 ? page_size : 500, token ? "&continue=" : "", token ? token : "");
        struct kube_call call = {.method = "GET", .path = path, .query = full, .accept = accept};
        struct err *e = NULL;
        if (kube_json_wait(c, &call, &answer, &e) < 0) {
            bool expired = e->code == ERR_GONE && next;
            _cleanup_json_ cJSON *status = NULL;
            if (expired && e->details)
                json_parse(e->details, strlen(e->details), "status", &status, NULL);
            const char *inconsistent = json_str(status, "metadata.continue");
            if (expired && !given && !restarted) {
                xstr_replace(&next, NULL);
                restarted = true;
                err_free(e);
                continue;
            }
            if (expired && !str_empty(inconsistent)) {
                /* The rest of the list as of now: better than half a list. */
                xstr_replace(&next, inconsistent);
                err_free(e);
                continue;
            }
            return err_move(err, e);
        }
        int r = kube_list_check(answer, path, err);
        if (r < 0)
            return r;
        xstr_replace(&next, json_str(answer, "metadata.continue"));
        xstr_replace(&version, json_str_or(answer, "metadata.resourceVersion", ""));
        r = page(arg, answer, err);
        if (r < 0)
            return r;
        given = true;
        if (str_empty(next))
            break;
    }
    if (ret_resource_version)
        *ret_resource_version = TAKE_PTR(version);
    return 0;
}
