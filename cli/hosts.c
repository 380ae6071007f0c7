#include "cli/hosts.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"

enum { SHORTEST_PART = 6 };

static const struct kube_resource *latticehosts(void)
{
    return kube_builtin_find("latticehosts");
}

void cli_hosts_release(struct cli_hosts *h)
{
    for (size_t i = 0; i < h->len; i++)
        cJSON_Delete(h->items[i]);
    free(h->items);
    *h = (struct cli_hosts){0};
}

const char *cli_host_name(const cJSON *host)
{
    return json_str_or(host, "metadata.name", "");
}

char *cli_host_text(const cJSON *host)
{
    const char *friendly = json_str(host, "status.friendlyName");

    return friendly && *friendly ? xasprintf("%s (%s)", cli_host_name(host), friendly)
                                 : xstrdup(cli_host_name(host));
}

static void add(struct cli_hosts *h, const cJSON *host)
{
    for (size_t i = 0; i < h->len; i++)
        if (streq(cli_host_name(h->items[i]), cli_host_name(host)))
            return;
    h->items = xreallocarray(h->items, h->len + 1, sizeof(*h->items));
    h->items[h->len++] = cJSON_Duplicate(host, true);
}

static bool is_exactly(const cJSON *host, const char *word)
{
    return strcasecmp(cli_host_name(host), word) == 0 ||
           streq(json_str_or(host, "status.friendlyName", ""), word);
}

static bool has_part(const cJSON *host, const char *word)
{
    return strlen(word) >= SHORTEST_PART && strcasestr(cli_host_name(host), word) != NULL;
}

static int find_one(const cJSON *list, const char *word, struct cli_hosts *into, struct err **err)
{
    _cleanup_buf_ struct buf several = BUF_INIT;
    const cJSON *found = NULL;
    size_t n = 0;

    json_each (host, list) {
        if (is_exactly(host, word)) {
            add(into, host);
            return 0;
        }
    }
    json_each (host, list) {
        if (!has_part(host, word))
            continue;
        found = host;
        buf_addf(&several, "%s%s", n++ ? ", " : "", cli_host_name(host));
    }
    if (n == 0)
        return err_set(
            err, ERR_NOT_FOUND,
            "no host \"%s\": give its name, its friendly name, or at least %d characters of its name "
            "(see `wasmctl get latticehosts`)",
            word, SHORTEST_PART);
    if (n > 1)
        return err_set(err, ERR_INVALID, "\"%s\" fits several hosts: %s", word, buf_str(&several));
    add(into, found);
    return 0;
}

int cli_hosts_find(struct cmd_ctx *c, char *const *words, const char *selector, struct cli_hosts *ret,
                   struct err **err)
{
    _cleanup_json_ cJSON *answer = NULL;
    _cleanup_buf_ struct buf query = BUF_INIT;
    _cleanup_hosts_ struct cli_hosts found = {0};

    cli_query_add(&query, "labelSelector", selector);
    struct cli_request request = {.resource = latticehosts(), .query = buf_str(&query)};
    int r = cli_request(c, &request, &answer, err);
    if (r < 0)
        return r;
    const cJSON *list = json_get(answer, "items");
    if (selector)
        json_each (host, list)
            add(&found, host);
    for (size_t i = 0; words && words[i]; i++) {
        r = find_one(list, words[i], &found, err);
        if (r < 0)
            return r;
    }
    *ret = found;
    found = (struct cli_hosts){0};
    return 0;
}

static bool is_drain_taint(const cJSON *taint)
{
    return streq(json_str_or(taint, "key", ""), CLI_DRAIN_TAINT);
}

/* The taints as they shall be. */
static cJSON *make_taints(const cJSON *host, bool drain)
{
    cJSON *list = cJSON_CreateArray();

    json_each (taint, json_at(host, "spec.taints"))
        if (!is_drain_taint(taint))
            cJSON_AddItemToArray(list, cJSON_Duplicate(taint, true));
    if (drain)
        cJSON_AddItemToArray(list, json_object("key", CLI_DRAIN_TAINT, "effect", "NoExecute", NULL));
    return list;
}

int cli_host_mark(struct cmd_ctx *c, const cJSON *host, const struct cli_host_mark *mark, bool dry_run,
                  bool *ret_changed, struct err **err)
{
    _cleanup_json_ cJSON *patch = cJSON_CreateObject(), *taints = make_taints(host, mark->drain);
    const cJSON *before = json_at(host, "spec.taints");
    bool cordoned = json_bool(host, "spec.unschedulable", false);
    bool same_taints = before ? json_equal(before, taints) : !taints->child;

    *ret_changed = cordoned != mark->unschedulable || !same_taints;
    if (!*ret_changed)
        return 0;
    /* Somebody else's taint set in between must not be lost. */
    json_set_str(patch, "metadata.resourceVersion", json_str(host, "metadata.resourceVersion"));
    json_set_bool(patch, "spec.unschedulable", mark->unschedulable);
    if (!same_taints)
        json_set(patch, "spec.taints", TAKE_PTR(taints));
    _cleanup_free_ char *body = json_print(patch);
    struct cli_request request = {
        .method = "PATCH",
        .resource = latticehosts(),
        .name = cli_host_name(host),
        .query = dry_run ? "fieldManager=wasmctl&dryRun=All" : "fieldManager=wasmctl",
        .body = body,
        .content_type = KUBE_MERGE_PATCH,
    };
    return cli_request(c, &request, NULL, err);
}
