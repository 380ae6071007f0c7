#include "cli/apply.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/await.h"
#include "cli/target.h"
#include "cli/progress.h"

/* The quoted word after `intro`, NULL if there is none; caller frees. */
static char *quoted_after(const char *message, const char *intro)
{
    const char *at = strstr(message, intro);
    const char *start = at ? at + strlen(intro) : NULL;
    const char *end = start ? strchr(start, '"') : NULL;

    return end ? xstrndup(start, (size_t)(end - start)) : NULL;
}

char *apply_conflict_text(const struct err *e)
{
    _cleanup_json_ cJSON *status = NULL;
    struct buf out = BUF_INIT;
    int n = 0;

    if (e->http != 409 || !e->details ||
        json_parse(e->details, strlen(e->details), "status", &status, NULL) < 0)
        return NULL;
    json_each (cause, json_at(status, "details.causes")) {
        if (!streq(json_str_or(cause, "reason", ""), "FieldManagerConflict"))
            continue;
        /* conflict with "kubectl" with subresource "scale" using v1 */
        const char *message = json_str_or(cause, "message", "");
        _cleanup_free_ char *manager = quoted_after(message, "conflict with \"");
        _cleanup_free_ char *sub = quoted_after(message, "with subresource \"");
        buf_addf(&out, "  %s is managed by \"%s\"%s%s\n", json_str_or(cause, "field", "a field"),
                 manager ? manager : "another manager", sub ? " through " : "", sub ? sub : "");
        n++;
    }
    if (n == 0) {
        buf_release(&out);
        return NULL;
    }
    buf_adds(&out, "What you can do:\n"
                   "* to take these fields over, apply again with --force-conflicts\n"
                   "* to leave them to their managers, remove them from your manifest\n"
                   "* to share them, write the values the object has now into your manifest");
    char *fields = buf_take(&out);
    char *text = xasprintf("Apply failed with %d conflict%s:\n%s", n, n == 1 ? "" : "s", fields);
    free(fields);
    return text;
}

/* What our own commands wrote (scale, rollout undo...) is of another operation than an apply and so conflicts
 * with it. The manifest is newer and the user is the same: it wins, as it does in a client-side apply. */
static bool conflicts_with_ourselves_only(const struct err *e, const char *field_manager)
{
    _cleanup_json_ cJSON *status = NULL;
    bool any = false;

    if (e->http != 409 || !e->details ||
        json_parse(e->details, strlen(e->details), "status", &status, NULL) < 0)
        return false;
    json_each (cause, json_at(status, "details.causes")) {
        _cleanup_free_ char *manager = quoted_after(json_str_or(cause, "message", ""), "conflict with \"");
        if (!streq(json_str_or(cause, "reason", ""), "FieldManagerConflict") ||
            !streq_null(manager, field_manager))
            return false;
        any = true;
    }
    return any;
}

/* The server names the object in some messages only: says which file it was. */
static int explain(const struct manifest *m, struct err **err)
{
    _cleanup_free_ char *conflict = apply_conflict_text(*err);
    _cleanup_free_ char *target = cli_target_text(m->resource, manifest_name(m));
    int code = (*err)->code;

    if (conflict) {
        err_free(*err);
        *err = NULL;
        return err_set(err, ERR_CONFLICT, "%s from %s: %s", target, m->source, conflict);
    }
    if ((*err)->http == 0 || streq((*err)->reason ? (*err)->reason : "", "Invalid"))
        return code;
    if ((*err)->http == 404 && m->resource && !streq((*err)->reason ? (*err)->reason : "", "NotFound"))
        return code;
    return err_wrap(err, "error when applying %s from \"%s\"", target, m->source);
}

static int wait_for_crd(struct cmd_ctx *c, const struct manifests *set, const struct manifest *m,
                        const struct apply_how *how, struct err **err)
{
    const struct manifest *crd = manifest_crd_of(set, m);

    /* Only one that stands before the object: it was applied by now. A dry run creates none. */
    if (!crd || crd > m || how->dry_run != DRY_NONE)
        return 0;
    return cli_await_established(c, manifest_name(crd), how->crd_timeout_ms, err);
}

static int send(struct cmd_ctx *c, const struct manifest *m, const struct apply_how *how, const char *body,
                bool force, cJSON **ret, struct err **err)
{
    _cleanup_buf_ struct buf query = BUF_INIT;

    cli_query_add(&query, "fieldManager", how->field_manager);
    cli_query_add(&query, "force", force ? "true" : "false");
    cli_write_query(&query, how->dry_run, how->validate);
    struct cli_request request = {
        .method = "PATCH",
        .resource = m->resource,
        .namespace = manifest_namespace(m),
        .name = manifest_name(m),
        .query = buf_str(&query),
        .body = body,
        .content_type = KUBE_APPLY_YAML,
    };
    return cli_request(c, &request, ret, err);
}

static int apply_one(struct cmd_ctx *c, struct manifests *set, struct manifest *m,
                     const struct apply_how *how, struct cli_results *results, struct err **err)
{
    _cleanup_json_ cJSON *answer = NULL;
    _cleanup_free_ char *body = NULL;
    int r = manifest_resolve(c, set, m, err);

    if (r < 0)
        return r;
    if (!*manifest_name(m)) {
        const char *prefix = json_str(m->object, "metadata.generateName");
        if (prefix)
            return err_set(err, ERR_INVALID, "%s:%u: from %s: cannot use generate name with apply", m->source,
                           m->line, prefix);
        return err_set(err, ERR_INVALID, "%s:%u: the %s has no metadata.name", m->source, m->line,
                       m->resource->kind);
    }
    if (how->dry_run == DRY_CLIENT) {
        cli_result(results, m->resource, m->object, "serverside-applied");
        return 0;
    }
    r = wait_for_crd(c, set, m, how, err);
    if (r < 0)
        return r;
    /* Both are set by the server alone; it refuses them in an apply. */
    json_del(m->object, "metadata.managedFields");
    body = json_print(m->object);
    r = send(c, m, how, body, how->force, &answer, err);
    if (r < 0 && !how->force && conflicts_with_ourselves_only(*err, how->field_manager)) {
        err_free(*err);
        *err = NULL;
        r = send(c, m, how, body, true, &answer, err);
    }
    if (r < 0)
        return explain(m, err);
    cli_result(results, m->resource, answer, "serverside-applied");
    return 0;
}

void apply_all(struct cmd_ctx *c, struct manifests *set, const struct apply_how *how,
               struct cli_results *results)
{
    _cleanup_progress_ struct progress *progress = set->len > 1 ? progress_new(c) : NULL;

    for (size_t i = 0; i < set->len; i++) {
        struct err *e = NULL;
        progress_set(progress, "applying %zu of %zu: %s", i + 1, set->len, manifest_name(&set->items[i]));
        if (apply_one(c, set, &set->items[i], how, results, &e) == 0)
            continue;
        bool over = cmd_hopeless(e);
        cmd_report(c, &e);
        if (over)
            break;
    }
}
