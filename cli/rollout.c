#include "cli/rollout.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/manifest.h"
#include "cli/result.h"

static int check_kind(struct cmd_ctx *c, const char *verb, const struct kube_resource *r, struct err **err)
{
    if (streq(r->group, "wasmctl.dev") &&
        (streq(r->resource, "wasmactors") || streq(r->resource, "wasmproviders")))
        return 0;
    return err_set(err, ERR_UNSUPPORTED,
                   "%s rollout %s is for wasmactors and wasmproviders; for %s use kubectl rollout %s",
                   c->program, verb, r->resource, verb);
}

int rollout_targets(struct cmd_ctx *c, const char *verb, const struct rollout_select *s,
                    struct cli_targets *ret, struct err **err)
{
    _cleanup_manifests_ struct manifests files = {0};
    _cleanup_targets_ struct cli_targets given = {0}, all = {0};
    _cleanup_free_ char *words = xasprintf("rollout %s", verb);
    struct cli_target_options how = {.verb = words, .need_names = true, .selector = s->selector != NULL};
    int r = 0;

    if (!s->files && !c->argc)
        return cmd_usage(c, err, "required resource not specified");
    r = s->files ? manifest_targets(c, s->files, s->recursive, &files, &given, err)
                 : cli_targets_parse(c, &how, &given, err);
    for (size_t i = 0; r == 0 && i < given.len; i++)
        r = check_kind(c, verb, given.items[i].resource, err);
    if (r == 0)
        r = cli_targets_expand(c, &given, s->selector, NULL, &all, err);
    if (r < 0)
        return r;
    if (!all.len && !c->failed)
        return err_set(err, ERR_NOT_FOUND, "no objects matched the selector");
    *ret = all;
    all = (struct cli_targets){0};
    return 0;
}

int rollout_each(struct cmd_ctx *c, const char *verb, const struct rollout_select *s, rollout_fn fn,
                 void *arg, struct err **err)
{
    _cleanup_targets_ struct cli_targets targets = {0};
    int r = rollout_targets(c, verb, s, &targets, err);

    for (size_t i = 0; r == 0 && i < targets.len; i++) {
        const struct cli_target *t = &targets.items[i];
        struct cli_request get = {.resource = t->resource, .namespace = t->namespace, .name = t->name};
        _cleanup_json_ cJSON *object = NULL;
        struct err *e = NULL;
        if (cli_request(c, &get, &object, &e) == 0)
            fn(c, t, object, arg, &e);
        if (!e)
            continue;
        bool over = cmd_hopeless(e);
        cmd_report(c, &e);
        if (over)
            break;
    }
    return r;
}

int rollout_patch(struct cmd_ctx *c, const struct cli_target *t, const cJSON *patch, int dry_run, cJSON **ret,
                  struct err **err)
{
    _cleanup_free_ char *body = json_print(patch);
    struct cli_request request = {
        .method = "PATCH",
        .resource = t->resource,
        .namespace = t->namespace,
        .name = t->name,
        .query = dry_run == DRY_SERVER ? "fieldManager=wasmctl&dryRun=All" : "fieldManager=wasmctl",
        .body = body,
        .content_type = KUBE_MERGE_PATCH,
    };

    return cli_request(c, &request, ret, err);
}

/* History */

void rollout_history_release(struct rollout_history *h)
{
    cJSON_Delete(h->list);
    free(h->items);
    *h = (struct rollout_history){0};
}

static int compare(const void *a, const void *b)
{
    const struct rollout_revision *x = a, *y = b;

    return x->number < y->number ? -1 : x->number > y->number;
}

static bool controls(const cJSON *revision, const char *uid)
{
    json_each (owner, json_at(revision, "metadata.ownerReferences"))
        if (streq(json_str_or(owner, "uid", ""), uid))
            return true;
    return false;
}

int rollout_history_read(struct cmd_ctx *c, const struct cli_target *t, const cJSON *object,
                         struct rollout_history *ret, struct err **err)
{
    _cleanup_history_ struct rollout_history h = {0};
    _cleanup_buf_ struct buf query = BUF_INIT;
    const char *uid = json_str_or(object, "metadata.uid", "");
    _cleanup_free_ char *selector = xasprintf("wasmctl.dev/kind=%s", t->resource->kind);

    cli_query_add(&query, "labelSelector", selector);
    struct cli_request list = {.resource = kube_builtin_find("controllerrevisions"),
                               .namespace = t->namespace,
                               .query = buf_str(&query)};
    int r = cli_request(c, &list, &h.list, err);
    if (r < 0)
        return r;
    json_each (item, json_get(h.list, "items")) {
        if (!controls(item, uid))
            continue;
        h.items = xreallocarray(h.items, h.len + 1, sizeof(*h.items));
        h.items[h.len++] = (struct rollout_revision){.number = json_int(item, "revision", 0), .object = item};
    }
    if (h.len)
        qsort(h.items, h.len, sizeof(*h.items), compare);
    *ret = h;
    h = (struct rollout_history){0};
    return 0;
}

cJSON *rollout_undo_patch(const cJSON *object, const cJSON *revision)
{
    /* As the operator puts them into a revision. */
    static const char *const members[] = {"image",  "imagePullSecret", "config",     "configFrom",
                                          "limits", "capabilities",    "concurrency"};
    const cJSON *spec = json_get(object, "spec"), *old = json_at(revision, "data.spec");
    _cleanup_json_ cJSON *patch = cJSON_CreateObject();
    cJSON *changes = cJSON_CreateObject();

    json_put(patch, "spec", changes);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const cJSON *now = json_get(spec, members[i]), *then = json_get(old, members[i]);
        if (json_equal(now, then))
            continue;
        cJSON *value = then ? cJSON_Duplicate(then, true) : cJSON_CreateNull();
        /* A merge patch keeps the members of an object that it does not name. */
        json_each (member, cJSON_IsObject(then) ? now : NULL)
            if (!json_get(then, member->string))
                json_put(value, member->string, cJSON_CreateNull());
        json_put(changes, members[i], value);
    }
    return changes->child ? TAKE_PTR(patch) : NULL;
}
